//! What others may see of a run while it goes on: a snapshot that the run renews now and then.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use leitmotif::automaton::Tally;
use leitmotif::engine::Engine;
use leitmotif::engine::intake::{Counts, Intake};
use leitmotif::engine::snapshot::{
    OutputSnapshot, PatternSnapshot, Phase, ShardSnapshot, Snapshot, SourceSnapshot,
};

/// How old a snapshot gets.
const RENEWED_EVERY: Duration = Duration::from_millis(200);

/// The newest snapshot of a run, shared with those who look.
pub struct Seen {
    began: Instant,
    renewed: Option<Instant>,
    newest: Arc<Mutex<Snapshot>>,
}

impl Seen {
    /// Of a run that began then.
    pub fn since(began: Instant) -> Seen {
        Seen {
            began,
            renewed: None,
            newest: Arc::default(),
        }
    }

    /// Gives the newest snapshot, at any time and to any thread.
    #[cfg(feature = "http")]
    pub fn view(&self) -> impl Fn() -> Snapshot + Send + Sync + use<> {
        let newest = Arc::clone(&self.newest);
        move || {
            newest
                .lock()
                .unwrap_or_else(PoisonError::into_inner)
                .clone()
        }
    }

    /// Renews the snapshot, if it is old enough or the phase is another.
    pub fn renew(&mut self, phase: Phase, intake: &Intake, engine: &Engine, rows: u64) {
        let young = |at: Instant| at.elapsed() < RENEWED_EVERY;
        if phase == Phase::Running && self.renewed.is_some_and(young) {
            return;
        }
        self.renewed = Some(Instant::now());
        let snapshot = Snapshot {
            uptime_seconds: self.began.elapsed().as_secs_f64(),
            phase,
            sources: intake.counts().map(source).collect(),
            shards: vec![ShardSnapshot {
                keys: engine.live().0 as u64,
                ..ShardSnapshot::default()
            }],
            patterns: (engine.program().patterns.iter().zip(engine.tallies()))
                .map(|(found, tally)| pattern(&found.name, tally))
                .collect(),
            outputs: vec![OutputSnapshot {
                name: "-".to_owned(),
                rows,
                ..OutputSnapshot::default()
            }],
            ..Snapshot::default()
        };
        *self.newest.lock().unwrap_or_else(PoisonError::into_inner) = snapshot;
    }
}

fn source((name, counts): (&str, Counts)) -> SourceSnapshot {
    SourceSnapshot {
        name: name.to_owned(),
        read: counts.read,
        processed: counts.processed,
        late: counts.late,
        malformed: counts.malformed,
        filtered: counts.filtered,
        ..SourceSnapshot::default()
    }
}

fn pattern(name: &str, tally: Tally) -> PatternSnapshot {
    PatternSnapshot {
        name: name.to_owned(),
        matches: tally.matches - tally.suppressed,
        timeouts: tally.timeouts,
        suppressed: tally.suppressed,
        evicted: tally.evicted,
        partials: Vec::new(),
    }
}
