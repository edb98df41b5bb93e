//! `leitmotif run`: events in, rows out, and at the end an account of every record.

mod bar;
mod outputs;
mod pretty;
mod seen;
mod sources;

#[cfg(not(feature = "http"))]
use std::convert::Infallible;
use std::io::{self, Write as _};
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Instant;

use anyhow::{Context as _, Result, bail};
use leitmotif::config::{Config, SourceConfig};
use leitmotif::engine::Engine;
use leitmotif::engine::intake::{Batch, Intake, Intaken};
use leitmotif::engine::snapshot::Phase;
use signal_hook::consts::{SIGINT, SIGTERM};

use super::Outcome;
use super::args::{Named, ProgramArgs, RunArgs, SummaryFormat};
use super::config;
#[cfg(feature = "http")]
use super::http::{Server, View};
use super::log;
use super::program;
use super::summary::{self, PatternCounts, SourceCounts, Summary};
use bar::Bar;
use outputs::Outputs;
use seen::Seen;
use sources::Reasons;

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
    let sources = sources::wanted(&config)?;
    let Some((_, program)) = program::load(&patterns)?.usable()? else {
        return Ok(Outcome::Findings);
    };
    let program = Arc::new(program);
    let intake = sources::open(&config, &sources, &program)?;
    let tables = sources::tables(&config, &program)?;
    let engine = Engine::new(Arc::clone(&program), &tables)?;
    let outputs = Outputs::open(args, &config.outputs, &program)?;
    let stop = stop_on_interrupt()?;
    let seen = Seen::since(began);
    let _server = served(config.http, &seen)?;
    let names: Vec<&str> = sources.iter().map(|source| source.name.as_str()).collect();
    tracing::info!(
        patterns = program.patterns.len(),
        sources = names.join(", "),
        shards = 1,
        "the run begins"
    );
    let mut run = Run {
        intake,
        engine,
        outputs,
        reasons: Reasons::default(),
        seen,
        rows_written: 0,
    };
    let interrupted = run.drive(&stop)?;
    run.report(args, &sources, began, interrupted)?;
    Ok(if interrupted {
        Outcome::Interrupted
    } else {
        Outcome::Fine
    })
}

/// Serves metrics, health and readiness of a run, if that is wanted, until the server is dropped.
#[cfg(feature = "http")]
fn served(address: Option<SocketAddr>, seen: &Seen) -> Result<Option<Server>> {
    let Some(address) = address else {
        return Ok(None);
    };
    let view = View {
        snapshot: Box::new(seen.view()),
        stuck: Box::new(|| None),
    };
    let server = Server::start(address, view)?;
    tracing::info!(address = %server.address(), "metrics, health and readiness are served");
    Ok(Some(server))
}

#[cfg(not(feature = "http"))]
fn served(address: Option<SocketAddr>, _: &Seen) -> Result<Option<Infallible>> {
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

/// The parts of a run.
struct Run {
    intake: Intake,
    engine: Engine,
    outputs: Outputs,
    reasons: Reasons,
    seen: Seen,
    rows_written: u64,
}

impl Run {
    /// Reads to the end, or until `stop`; true in the second case.
    fn drive(&mut self, stop: &AtomicBool) -> Result<bool> {
        let bar = Bar::new(self.intake.progress(), self.outputs.draw_on_terminal());
        let mut batch = Batch::new();
        let mut rows = Vec::new();
        loop {
            let mut failed = None;
            let (outputs, reasons) = (&mut self.outputs, &mut self.reasons);
            let polled = self.intake.poll(&mut batch, &mut |rejected| {
                reasons.note(&rejected);
                if failed.is_none() {
                    failed = outputs.reject(&rejected).err();
                }
            })?;
            if let Some(error) = failed {
                return Err(error);
            }
            self.engine
                .advance(&batch.events, batch.watermark, &mut rows);
            self.outputs.write(&rows)?;
            rows.clear();
            bar.at(self.intake.progress());
            self.show(Phase::Running);
            match polled {
                Intaken::End => break,
                // Whoever reads along should not wait for rows until more input comes.
                Intaken::Waiting => self.outputs.flush()?,
                Intaken::More => {}
            }
            if stop.load(Ordering::Relaxed) {
                break;
            }
        }
        self.show(Phase::Stopping);
        self.outputs.flush()?;
        self.rows_written = self.outputs.written();
        bar.finish();
        Ok(stop.load(Ordering::Relaxed))
    }

    /// Lets those who look see how far it is.
    fn show(&mut self, phase: Phase) {
        let rows = self.outputs.written();
        self.seen.renew(phase, &self.intake, &self.engine, rows);
    }

    fn report(
        &self,
        args: &RunArgs,
        sources: &[SourceConfig],
        began: Instant,
        interrupted: bool,
    ) -> Result<()> {
        let wall = began.elapsed().as_secs_f64();
        let sources: Vec<SourceCounts> = self
            .intake
            .counts()
            .zip(sources)
            .map(|((name, counts), source)| self.reasons.counts(name, counts, source.delay))
            .collect();
        let program = self.engine.program();
        let patterns =
            program
                .patterns
                .iter()
                .zip(self.engine.tallies())
                .map(|(pattern, tally)| PatternCounts {
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
            rows_written: self.rows_written,
            wall_seconds: wall,
            cpu_seconds: summary::cpu_time().map(|time| time.as_secs_f64()),
            events_per_second: records_read as f64 / wall.max(1e-9),
            peak_memory_bytes: summary::peak_memory(),
            interrupted,
        };
        tracing::info!(
            read = summary.records_read,
            rows = summary.rows_written,
            seconds = wall,
            interrupted,
            "the run has ended"
        );
        let text = match args.summary {
            SummaryFormat::Json => summary.json(),
            SummaryFormat::Text => summary.text(|output| self.outputs.keeps(output)),
        };
        io::stderr().lock().write_all(text.as_bytes())?;
        Ok(())
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
