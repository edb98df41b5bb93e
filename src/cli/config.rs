//! From what was typed, the environment and a file to the configuration of a run.

use std::env;
use std::fs;
use std::path::{Path, PathBuf};
use std::thread;

use anyhow::{Context as _, Result};
use leitmotif::config::{Config, Cores, Environment, Overrides, RawConfig};
use leitmotif::sink::OutputSpec;
use leitmotif::source::SourceSpec;

use super::args::{Named, RunArgs};

/// What a run is told by flags, else by the environment, else by the file that one of these names.
///
/// # Errors
/// When the file can't be read, or something in one of them can't be meant.
pub fn of(args: &RunArgs) -> Result<Config> {
    let environment = environment();
    let named = environment.config_file().map(PathBuf::from);
    let file = match args.config.clone().or(named) {
        Some(path) => {
            RawConfig::from_toml(&path.display().to_string(), &read(&path)?, &environment)?
        }
        None => RawConfig::default(),
    };
    let raw = flags(args)?.over(RawConfig::from_environment(&environment)?.over(file));
    let cores = thread::available_parallelism().map_or(1, usize::from);
    Ok(raw.complete(Cores(cores)))
}

/// Variables that are no text are none of ours.
fn environment() -> Environment {
    let variables = env::vars_os();
    Environment::new(
        variables.filter_map(|(name, value)| {
            Some((name.into_string().ok()?, value.into_string().ok()?))
        }),
    )
}

fn read(path: &Path) -> Result<String> {
    fs::read_to_string(path).with_context(|| {
        format!(
            "configuration \"{}\" can't be read; check the path",
            path.display()
        )
    })
}

fn flags(args: &RunArgs) -> Result<RawConfig> {
    let sources = args.sources.iter().map(|text| SourceSpec::parse(text));
    let sources = sources.collect::<Result<Vec<_>, _>>()?;
    let outputs = args.outputs.iter().map(|text| OutputSpec::parse(text));
    let table = |Named { name, value }: &Named| (name.clone(), PathBuf::from(value));
    let param = |Named { name, value }: &Named| (name.clone(), value.clone());
    Ok(RawConfig {
        patterns: args.patterns.clone(),
        overrides: Overrides {
            shards: args.shards,
            delay: args.delay,
            idle: args.idle,
            type_field: args.type_field.clone(),
            follow: args.follow.then_some(true),
            http: args.http,
            log: args.log,
            log_format: args.log_format,
            state: args.state.clone(),
            checkpoint: args.checkpoint,
            checkpoint_keep: args.checkpoint_keep,
            state_memory: args.state_memory,
            on_change: args.on_change,
            restart: args.restart,
            restart_delay: args.restart_delay,
            restart_delay_max: args.restart_delay_max,
            restart_attempts: args.restart_attempts,
            restart_window: args.restart_window,
            join: args.join.clone(),
            scratch: args.scratch.clone(),
        },
        sources: sources.into_iter().map(Into::into).collect(),
        outputs: outputs.collect::<Result<_, _>>()?,
        tables: args.tables.iter().map(table).collect(),
        params: args.params.iter().map(param).collect(),
        ..RawConfig::default()
    })
}
