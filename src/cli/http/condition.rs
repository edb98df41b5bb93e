//! Whether an engine is well, and whether it is ready: decided here, said by whoever asks.

use leitmotif::engine::snapshot::{Phase, Snapshot};
use serde::Serialize;

/// Whether it is well.
#[derive(Debug, PartialEq, Eq, Serialize)]
pub struct Health {
    /// True unless something is stuck.
    pub healthy: bool,
    /// What is.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub why: Option<String>,
}

/// Whether events flow, or could.
#[derive(Debug, PartialEq, Serialize)]
pub struct Readiness {
    /// True while it runs.
    pub ready: bool,
    /// What it does.
    pub phase: Phase,
    /// What it does instead of running.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub why: Option<&'static str>,
}

/// One pattern and what it found.
#[derive(Debug, PartialEq, Serialize)]
pub struct PatternCounts<'a> {
    name: &'a str,
    matches: u64,
    timeouts: u64,
    suppressed: u64,
    evicted: u64,
    /// By the step bound last, in the order of steps.
    partial_matches: Vec<StepCount<'a>>,
}

#[derive(Debug, PartialEq, Serialize)]
struct StepCount<'a> {
    step: &'a str,
    count: u64,
}

impl Health {
    /// `stuck` says what is stuck.
    pub fn of(stuck: Option<String>) -> Health {
        Health {
            healthy: stuck.is_none(),
            why: stuck,
        }
    }
}

impl Readiness {
    /// Of an engine in this phase.
    pub fn of(phase: Phase) -> Readiness {
        let why = match phase {
            Phase::Starting => Some("not all sources have been read from yet"),
            Phase::Running => None,
            Phase::Stopping => Some("it was asked to end and finishes what was read"),
            Phase::Ended => Some("it has ended"),
            Phase::Restarting => {
                Some("it has failed and will begin again from its last checkpoint")
            }
        };
        Readiness {
            ready: why.is_none(),
            phase,
            why,
        }
    }
}

/// The patterns of an engine, in order of declaration.
pub fn patterns(snapshot: &Snapshot) -> Vec<PatternCounts<'_>> {
    let patterns = snapshot.patterns.iter();
    let counts = patterns.map(|pattern| PatternCounts {
        name: &pattern.name,
        matches: pattern.matches,
        timeouts: pattern.timeouts,
        suppressed: pattern.suppressed,
        evicted: pattern.evicted,
        partial_matches: (pattern.partials.iter())
            .map(|(step, count)| StepCount {
                step,
                count: *count,
            })
            .collect(),
    });
    counts.collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_running_engine_is_ready() {
        for phase in [
            Phase::Starting,
            Phase::Running,
            Phase::Stopping,
            Phase::Ended,
        ] {
            let readiness = Readiness::of(phase);
            assert_eq!(readiness.ready, phase == Phase::Running);
            assert_eq!(readiness.why.is_some(), phase != Phase::Running);
        }
    }
}
