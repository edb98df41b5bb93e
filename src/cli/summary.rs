//! What a run says when it is over: where every record went, what was found, what it cost.

use std::fmt::Write as _;
use std::fs;
use std::time::Duration;

use serde::Serialize;

/// A run in numbers.
#[derive(Clone, Debug, Default, Serialize)]
pub struct Summary {
    /// One entry per source, in order.
    pub sources: Vec<SourceCounts>,
    /// One entry per pattern, in order of declaration.
    pub patterns: Vec<PatternCounts>,
    /// Records read, over all sources.
    pub records_read: u64,
    /// Rows written, `late`, `malformed` and `evicted` included.
    pub rows_written: u64,
    /// From start to end, in seconds.
    pub wall_seconds: f64,
    /// Of all threads, user and system, in seconds; null where the system does not tell.
    pub cpu_seconds: Option<f64>,
    /// Records read per second of wall time.
    pub events_per_second: f64,
    /// The most memory that was resident, in bytes; null where the system does not tell.
    pub peak_memory_bytes: Option<u64>,
    /// From the arrival of the event that completes a match to its row being written, in milliseconds: of half of the rows at most. Null without such rows.
    pub latency_p50_ms: Option<f64>,
    /// The same, of all rows but the slowest hundredth.
    pub latency_p99_ms: Option<f64>,
    /// Of a run with durable state.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub checkpoints: Option<CheckpointCounts>,
    /// How often it failed and began again from its last checkpoint; all numbers are of what came since.
    #[serde(skip_serializing_if = "is_zero")]
    pub restarts: u64,
    /// True if it was stopped before the end of its sources.
    pub interrupted: bool,
}

/// What became of checkpoints.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct CheckpointCounts {
    /// How many were committed.
    pub count: u64,
    /// The last one; the next run goes on from it.
    pub epoch: u64,
    /// How long one took from its barrier to its commit on average, in milliseconds; null without any.
    pub mean_ms: Option<f64>,
    /// Bytes of state in the last one.
    pub state_bytes: u64,
}

/// Where the records of one source went: `read = processed + late + malformed + filtered`.
#[derive(Clone, Debug, Default, Serialize)]
pub struct SourceCounts {
    /// The source as it was named.
    pub name: String,
    /// Records read.
    pub read: u64,
    /// Events that patterns have seen.
    pub processed: u64,
    /// Events that came after the watermark had passed them.
    pub late: u64,
    /// Records that are no event of a declared type.
    pub malformed: u64,
    /// Events that no pattern reads.
    pub filtered: u64,
    /// Why the first late event is late.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub late_first: Option<String>,
    /// What is wrong with the first malformed record.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub malformed_first: Option<String>,
    /// The delay with which no event would have been late, in milliseconds.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub delay_needed_ms: Option<i64>,
}

/// What one pattern found.
#[derive(Clone, Debug, Default, Serialize)]
pub struct PatternCounts {
    /// Its name.
    pub name: String,
    /// Matches that got through.
    pub matches: u64,
    /// Starts whose bound passed.
    pub timeouts: u64,
    /// Matches that `limit` held back.
    pub suppressed: u64,
    /// Partial matches that gave way to `bound`.
    pub evicted: u64,
}

impl Summary {
    /// One line of JSON, line break included.
    pub fn json(&self) -> String {
        let mut line = serde_json::to_string(self).expect("numbers and text are JSON");
        line.push('\n');
        line
    }

    /// A few lines for people. `kept` says which of `late` and `malformed` are written to an output anyway.
    pub fn text(&self, kept: impl Fn(&str) -> bool) -> String {
        let mut out = String::new();
        for source in &self.sources {
            let _ = writeln!(
                out,
                "{}: {} read = {} processed + {} late + {} malformed + {} filtered",
                source.name,
                thousands(source.read),
                thousands(source.processed),
                thousands(source.late),
                thousands(source.malformed),
                thousands(source.filtered),
            );
            hints(&mut out, source, &kept);
        }
        let width = self
            .patterns
            .iter()
            .map(|pattern| pattern.name.chars().count())
            .max()
            .unwrap_or(0);
        for pattern in &self.patterns {
            let mut parts = vec![counted(pattern.matches, "match", "matches")];
            if pattern.timeouts > 0 {
                parts.push(counted(pattern.timeouts, "timeout", "timeouts"));
            }
            if pattern.suppressed > 0 {
                parts.push(format!(
                    "{} suppressed by `limit`",
                    thousands(pattern.suppressed)
                ));
            }
            if pattern.evicted > 0 {
                parts.push(format!("{} evicted by `bound`", thousands(pattern.evicted)));
            }
            let _ = writeln!(out, "  {:<width$}  {}", pattern.name, parts.join(", "));
        }
        let _ = write!(
            out,
            "{} in {:.2} s, {} events/s",
            counted(self.records_read, "record", "records"),
            self.wall_seconds,
            thousands(self.events_per_second as u64),
        );
        if let Some(cpu) = self.cpu_seconds {
            let _ = write!(out, ", {cpu:.2} s of CPU");
        }
        if let Some(bytes) = self.peak_memory_bytes {
            let _ = write!(
                out,
                ", peak memory {} MB",
                thousands(bytes.div_ceil(1_000_000))
            );
        }
        out.push('\n');
        if let Some(checkpoints) = &self.checkpoints {
            checkpoints.text(&mut out);
        }
        if self.restarts > 0 {
            let _ = writeln!(
                out,
                "began again after {}: what is counted here came since",
                counted(self.restarts, "failure", "failures")
            );
        }
        if self.interrupted {
            out.push_str("interrupted before the end of the input\n");
        }
        out
    }
}

impl CheckpointCounts {
    fn text(&self, out: &mut String) {
        let _ = write!(out, "{}", counted(self.count, "checkpoint", "checkpoints"));
        if let Some(mean) = self.mean_ms {
            let _ = write!(out, " of {mean:.0} ms on average");
        }
        let _ = writeln!(
            out,
            ", the last is number {} with {} MB of state",
            self.epoch,
            thousands(self.state_bytes.div_ceil(1_000_000))
        );
    }
}

/// The first reason, and the way out.
fn hints(out: &mut String, source: &SourceCounts, kept: &impl Fn(&str) -> bool) {
    if source.late > 0 {
        if let Some(reason) = &source.late_first {
            let _ = writeln!(out, "  first late: {reason}");
        }
        match source.delay_needed_ms {
            Some(ms) => {
                let _ = writeln!(
                    out,
                    "  help: --delay {} would have kept them all",
                    leitmotif::time::Span(ms)
                );
            }
            None => out.push_str("  help: raise --delay\n"),
        }
        if !kept("late") {
            out.push_str("  help: --output late=late.ndjson keeps them\n");
        }
    }
    if source.malformed > 0 {
        if let Some(reason) = &source.malformed_first {
            let _ = writeln!(out, "  first malformed: {reason}");
        }
        if !kept("malformed") {
            out.push_str(
                "  help: --output malformed=malformed.ndjson keeps them with their reasons\n",
            );
        }
    }
}

#[expect(clippy::trivially_copy_pass_by_ref)] // As serde wants it.
fn is_zero(count: &u64) -> bool {
    *count == 0
}

fn counted(count: u64, one: &str, many: &str) -> String {
    format!(
        "{} {}",
        thousands(count),
        if count == 1 { one } else { many }
    )
}

/// `1,234,567`
pub fn thousands(number: u64) -> String {
    let digits = number.to_string();
    let mut out = String::new();
    for (at, digit) in digits.chars().enumerate() {
        if at > 0 && (digits.len() - at).is_multiple_of(3) {
            out.push(',');
        }
        out.push(digit);
    }
    out
}

/// CPU time of all threads of this process so far; `None` where there is no `/proc`.
pub fn cpu_time() -> Option<Duration> {
    let stat = fs::read_to_string("/proc/self/stat").ok()?;
    // The name of the program may hold anything; fields are counted from its closing parenthesis on.
    let fields: Vec<&str> = stat.rsplit_once(')')?.1.split_whitespace().collect();
    let ticks: u64 = fields.get(11)?.parse::<u64>().ok()? + fields.get(12)?.parse::<u64>().ok()?;
    // Linux fixes the unit of this file at 100 a second for programs.
    Some(Duration::from_millis(ticks * 10))
}

/// The most memory of this process that was resident so far, in bytes; `None` where there is no `/proc`.
pub fn peak_memory() -> Option<u64> {
    let status = fs::read_to_string("/proc/self/status").ok()?;
    let line = status
        .lines()
        .find_map(|line| line.strip_prefix("VmHWM:"))?;
    let kilobytes: u64 = line.trim().strip_suffix("kB")?.trim().parse().ok()?;
    Some(kilobytes * 1_024)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn summary() -> Summary {
        Summary {
            sources: vec![SourceCounts {
                name: "cards.ndjson".into(),
                read: 1_234_567,
                processed: 1_234_564,
                late: 2,
                malformed: 1,
                late_first: Some("line 7".into()),
                malformed_first: Some("line 9: not JSON".into()),
                delay_needed_ms: Some(1_500),
                ..SourceCounts::default()
            }],
            patterns: vec![PatternCounts {
                name: "p".into(),
                matches: 1,
                evicted: 3,
                ..PatternCounts::default()
            }],
            ..Summary::default()
        }
    }

    #[test]
    fn late_and_malformed_come_with_a_way_out() {
        let text = summary().text(|name| name == "late");
        assert!(
            text.contains(
                "1,234,567 read = 1,234,564 processed + 2 late + 1 malformed + 0 filtered"
            ),
            "{text}"
        );
        assert!(
            text.contains("--delay 1s500ms would have kept them all"),
            "{text}"
        );
        assert!(!text.contains("--output late="), "{text}");
        assert!(text.contains("--output malformed="), "{text}");
        assert!(text.contains("p  1 match, 3 evicted by `bound`"), "{text}");
    }

    #[test]
    fn checkpoints_are_told_where_there_are_any() {
        assert!(!summary().text(|_| true).contains("checkpoint"));
        let mut summary = summary();
        summary.checkpoints = Some(CheckpointCounts {
            count: 12,
            epoch: 31,
            mean_ms: Some(40.2),
            state_bytes: 1_200_000,
        });
        let text = summary.text(|_| true);
        let line = "12 checkpoints of 40 ms on average, the last is number 31 with 2 MB of state\n";
        assert!(text.ends_with(line), "{text}");
    }

    #[test]
    fn json_is_one_line() {
        let json = summary().json();
        assert_eq!(json.lines().count(), 1);
        let value: serde_json::Value = serde_json::from_str(&json).expect("JSON");
        assert_eq!(value["sources"][0]["late"], 2);
        assert!(value["sources"][0].get("filtered").is_some());
    }

    #[cfg(target_os = "linux")]
    #[test]
    fn the_system_tells_time_and_memory() {
        assert!(cpu_time().is_some());
        assert!(peak_memory().expect("a number") > 100_000);
    }
}
