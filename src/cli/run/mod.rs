//! `leitmotif run`: events in, rows out, and at the end an account of every record.

mod bar;
mod outputs;
mod pretty;
mod running;
mod sources;

#[cfg(not(feature = "http"))]
use std::convert::Infallible;
use std::io::{self, Write as _};
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, bail};
use leitmotif::checkpoint::SAVEPOINTS;
use leitmotif::config::{Config, Restart, RestartPolicy, SourceConfig, StatePlace};
use leitmotif::engine::snapshot::Quantile;
use leitmotif::engine::{Account, Checkpoints};
use leitmotif::lang::pattern::Program;
use leitmotif::source::{Place, Rejection};
use leitmotif::{Builder, Engine};
use signal_hook::consts::{SIGINT, SIGTERM};

use super::Outcome;
use super::args::{Named, ProgramArgs, RunArgs, SummaryFormat};
use super::config;
#[cfg(feature = "http")]
use super::http::{Server, View};
use super::log;
use super::program;
use super::summary::{self, CheckpointCounts, PatternCounts, SourceCounts, Summary};
use bar::Bar;
use running::Run;

/// How often the run is looked at while it goes on: soon at first, then a few times a second.
const LOOK: (Duration, Duration) = (Duration::from_micros(500), Duration::from_millis(20));

/// How long a run that was told to end may take before it says what it waits for.
const ENDING: Duration = Duration::from_secs(1);

/// Runs the patterns until their sources end.
///
/// # Errors
/// When a name is not known, or something can't be read or written.
pub fn run(args: &RunArgs) -> Result<Outcome> {
    let began = Instant::now();
    // What can be known to be wrong is said before files are checked and made.
    let config = config::of(args)?;
    log::start(config.log);
    let patterns = program_args(&config)?;
    let wanted = sources::wanted(&config)?;
    let Some((_, program)) = program::load(&patterns)?.usable()? else {
        return Ok(Outcome::Findings);
    };
    let program = Arc::new(program);
    outputs::check_names(&config.outputs, &program)?;
    refuse_idle_flags(args, &config)?;
    refuse_half_a_group(args, &config)?;
    let restart = restart(args, &config, &wanted)?;
    let setup = Setup {
        args: args.clone(),
        config: config.clone(),
        sources: wanted.clone(),
        program: Arc::clone(&program),
    };
    let stop = stop_on_interrupt()?;
    let running = match config.join.clone() {
        None => Run::alone(restart, setup)?,
        Some(join) => Run::joined(&join, restart, setup)?,
    };
    let _server = served(config.http, &running)?;
    let names: Vec<&str> = wanted.iter().map(|source| source.name.as_str()).collect();
    tracing::info!(
        patterns = program.patterns.len(),
        sources = names.join(", "),
        shards = config.shards,
        "the run begins"
    );
    let on_terminal = outputs::draws_on_terminal(&config.outputs, &program);
    wait(&running, &stop, on_terminal);
    let interrupted = stop.load(Ordering::Relaxed);
    let (checkpoints, restarts) = (running.checkpoints(), running.restarts());
    let account = running.wait()?;
    let report = Report {
        args,
        sources: &wanted,
        program: &program,
        account: &account,
        checkpoints,
        restarts,
        interrupted,
    };
    report.write(began, |output| outputs::keeps(&config.outputs, output))?;
    Ok(if interrupted {
        Outcome::Interrupted
    } else {
        Outcome::Fine
    })
}

/// What a run is made of, each time that it begins.
struct Setup {
    args: RunArgs,
    config: Config,
    sources: Vec<SourceConfig>,
    program: Arc<Program>,
}

impl Setup {
    fn builder(&self) -> Builder {
        let config = &self.config;
        let mut builder = Engine::builder()
            .program(Arc::clone(&self.program))
            .shards(config.shards);
        for (table, file) in &config.program.tables {
            builder = builder.table(table.as_str(), file);
        }
        builder = sources::add(builder, &config.input, &self.sources);
        builder = outputs::add(builder, &self.args, &config.outputs, &self.program);
        let Some(state) = &config.state else {
            return builder;
        };
        let folder = match (&config.join, &state.place) {
            (Some(join), _) => join.scratch.clone(),
            (None, StatePlace::Folder(folder)) => folder.clone(),
            (None, StatePlace::Objects(_)) => unreachable!("this was refused"),
        };
        builder.state(&folder).keeping(|keeping| {
            let keeping = keeping
                .every(state.checkpoint)
                .checkpoints(state.keep)
                .memory_bytes(state.memory_bytes)
                .on_change(state.on_change);
            #[cfg(feature = "jemalloc")]
            let keeping = keeping.measured_by(crate::cli::memory::used_bytes);
            match &self.args.from {
                Some(from) => keeping.from(savepoint(from, &folder)),
                None => keeping,
            }
        })
    }
}

/// When a run that has failed begins again: never without state, for then it would write everything again; and not in this process if it reads standard input, which
/// would have a gap.
fn restart(args: &RunArgs, config: &Config, sources: &[SourceConfig]) -> Result<Restart> {
    let Some(state) = &config.state else {
        return Ok(Restart::NEVER);
    };
    let wanted = args
        .restart
        .is_some_and(|policy| policy != RestartPolicy::None);
    let stdin = sources
        .iter()
        .any(|source| source.spec.place == Place::Stdin);
    match stdin {
        true if wanted => bail!(
            "standard input cannot be read again after a restart; say --restart none, or read from a file or a topic"
        ),
        true => Ok(Restart::NEVER),
        false => Ok(state.restart),
    }
}

/// Where a savepoint lies that is named by its path, or by its name in the state folder.
fn savepoint(from: &Path, state: &Path) -> PathBuf {
    let named = state.join(SAVEPOINTS).join(from);
    match !from.exists() && from.components().count() == 1 && named.exists() {
        true => named,
        false => from.to_owned(),
    }
}

/// Flags that say how state is kept say nothing without state.
fn refuse_idle_flags(args: &RunArgs, config: &Config) -> Result<()> {
    let flags = [
        ("--checkpoint", args.checkpoint.is_some()),
        ("--checkpoint-keep", args.checkpoint_keep.is_some()),
        ("--state-memory", args.state_memory.is_some()),
        ("--on-change", args.on_change.is_some()),
        ("--from", args.from.is_some()),
        ("--restart", args.restart.is_some()),
        ("--restart-delay", args.restart_delay.is_some()),
        ("--restart-delay-max", args.restart_delay_max.is_some()),
        ("--restart-attempts", args.restart_attempts.is_some()),
        ("--restart-window", args.restart_window.is_some()),
    ];
    match flags.iter().find(|(_, given)| *given) {
        Some((flag, _)) if config.state.is_none() => {
            bail!("{flag} says how state is kept, and none is; add --state FOLDER")
        }
        _ => Ok(()),
    }
}

/// What only an instance of a group can do, and what it cannot.
fn refuse_half_a_group(args: &RunArgs, config: &Config) -> Result<()> {
    let objects = config.state.as_ref().map(|state| &state.place);
    match (&config.join, objects) {
        (None, Some(StatePlace::Objects(address))) => bail!(
            "state in \"{address}\" is handed on by instances of a group; add --join GROUP, or keep it in a folder"
        ),
        (None, _) if args.scratch.is_some() => {
            bail!("--scratch is for instances of a group; add --join GROUP, or leave it out")
        }
        (Some(_), None) => bail!(
            "instances of a group hand their state on to each other; add --state with a folder that all of them reach, or such as --state s3://bucket/fraud"
        ),
        (Some(_), _) if args.shards.is_some() => bail!(
            "--shards: an instance of a group has a thread for each partition that it is given; leave it out, and give the topic more partitions if there are too few"
        ),
        _ => Ok(()),
    }
}

/// Looks on until the run has ended, and passes on that it is to.
fn wait(running: &Run, stop: &AtomicBool, rows_on_terminal: bool) {
    let bar = Bar::new(running.progress(), rows_on_terminal);
    let mut look = LOOK.0;
    let mut patience = ENDING;
    while !running.ends_within(look) {
        look = (look * 2).min(LOOK.1);
        bar.at(running.progress());
        if stop.load(Ordering::Relaxed) {
            running.stop();
            if patience.is_zero() {
                continue;
            }
            patience = patience.saturating_sub(look);
            if patience.is_zero() {
                tracing::warn!(
                    "the run is to end and waits for its outputs to take what is left; a second signal ends it at once, and loses that"
                );
            }
        }
    }
    bar.finish();
}

/// Serves metrics, health and readiness of a run, if that is wanted, until the server is dropped.
#[cfg(feature = "http")]
fn served(address: Option<SocketAddr>, running: &Run) -> Result<Option<Server>> {
    let Some(address) = address else {
        return Ok(None);
    };
    let view = View {
        snapshot: running.snapshots(),
        stuck: running.stuck(),
    };
    let server = Server::start(address, view)?;
    tracing::info!(address = %server.address(), "metrics, health and readiness are served");
    Ok(Some(server))
}

#[cfg(not(feature = "http"))]
fn served(address: Option<SocketAddr>, _: &Run) -> Result<Option<Infallible>> {
    if address.is_some() {
        bail!("this build serves no metrics; leave http out, or build it with the feature http");
    }
    Ok(None)
}

/// The patterns of a run as other commands name them.
fn program_args(config: &Config) -> Result<ProgramArgs> {
    let patterns = config.program.patterns.clone();
    if patterns.is_empty() {
        bail!(
            "no patterns to run; name files or folders, or set patterns = [\"folder\"] in the configuration"
        );
    }
    let params = config.program.params.iter().cloned();
    let params = params.map(|(name, value)| Named { name, value }).collect();
    Ok(ProgramArgs { patterns, params })
}

/// What is said at the end.
struct Report<'a> {
    args: &'a RunArgs,
    sources: &'a [SourceConfig],
    program: &'a Program,
    account: &'a Account,
    checkpoints: Option<Checkpoints>,
    restarts: u64,
    interrupted: bool,
}

impl Report<'_> {
    fn write(&self, began: Instant, keeps: impl Fn(&str) -> bool) -> Result<()> {
        let wall = began.elapsed().as_secs_f64();
        let sources: Vec<SourceCounts> = (0..self.account.sources.len())
            .map(|source| self.source(source))
            .collect();
        let tallies = self.program.patterns.iter().zip(&self.account.tallies);
        let patterns = tallies.map(|(pattern, tally)| PatternCounts {
            name: pattern.name.clone(),
            matches: tally.matches - tally.suppressed,
            timeouts: tally.timeouts,
            suppressed: tally.suppressed,
            evicted: tally.evicted,
        });
        let records_read = sources.iter().map(|source| source.read).sum();
        let summary = Summary {
            sources,
            patterns: patterns.collect(),
            records_read,
            rows_written: self.account.rows,
            wall_seconds: wall,
            cpu_seconds: summary::cpu_time().map(|time| time.as_secs_f64()),
            events_per_second: records_read as f64 / wall.max(1e-9),
            peak_memory_bytes: summary::peak_memory(),
            latency_p50_ms: self.latency_ms(0.5),
            latency_p99_ms: self.latency_ms(0.99),
            checkpoints: self.checkpoints.map(|seen| CheckpointCounts {
                count: seen.count,
                epoch: seen.epoch,
                mean_ms: (seen.count > 0).then(|| seen.sum_micros as f64 / seen.count as f64 / 1e3),
                state_bytes: seen.bytes,
            }),
            restarts: self.restarts,
            interrupted: self.interrupted,
        };
        tracing::info!(
            read = summary.records_read,
            rows = summary.rows_written,
            seconds = wall,
            interrupted = self.interrupted,
            "the run has ended"
        );
        let text = match self.args.summary {
            SummaryFormat::Json => summary.json(),
            SummaryFormat::Text => summary.text(keeps),
        };
        io::stderr().lock().write_all(text.as_bytes())?;
        Ok(())
    }

    fn latency_ms(&self, share: f64) -> Option<f64> {
        let (Quantile::Within(seconds) | Quantile::Above(seconds)) =
            self.account.latency.quantile(share)?;
        Some(seconds * 1e3)
    }

    fn source(&self, source: usize) -> SourceCounts {
        let (name, counts) = &self.account.sources[source];
        let reasons = &self.account.reasons;
        let first = |rejection| reasons.first(name, rejection).map(str::to_owned);
        SourceCounts {
            name: if name == "-" {
                "stdin".to_owned()
            } else {
                name.clone()
            },
            read: counts.read,
            processed: counts.processed,
            late: counts.late,
            malformed: counts.malformed,
            filtered: counts.filtered,
            late_first: first(Rejection::Late),
            malformed_first: first(Rejection::Malformed),
            delay_needed_ms: reasons
                .behind_max(name)
                .map(|behind| self.sources[source].delay.0.saturating_add(behind.0)),
        }
    }
}

/// True once the process was asked to end, by Ctrl-C or from outside; asked again it ends at once.
fn stop_on_interrupt() -> Result<Arc<AtomicBool>> {
    const INTERRUPTED: i32 = 130;
    let stop = Arc::new(AtomicBool::new(false));
    for signal in [SIGINT, SIGTERM] {
        // This order: the first signal finds the flag unset, sets it, and the second one finds it set.
        signal_hook::flag::register_conditional_shutdown(signal, INTERRUPTED, Arc::clone(&stop))
            .and_then(|_| signal_hook::flag::register(signal, Arc::clone(&stop)))
            .context("Ctrl-C can't be watched")?;
    }
    Ok(stop)
}
