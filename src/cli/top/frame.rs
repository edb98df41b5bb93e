//! What the screen shows, computed from two answers of an engine.

use leitmotif::engine::snapshot::{Activity, Histogram, Phase, Quantile, Snapshot};

use super::line::{Line, Look};
use super::number::{bytes, duration, percent, rate};
use super::table::{Row, Table};
use crate::cli::summary::thousands;

/// How many characters the bar of a shard has.
const BAR_WIDTH: usize = 20;

/// A size in characters.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Size {
    /// From left to right.
    pub width: usize,
    /// From top to bottom.
    pub height: usize,
}

/// Two answers, the time between them, and when the second one came.
pub struct Interval<'a> {
    /// The earlier answer.
    pub before: &'a Snapshot,
    /// The later one.
    pub after: &'a Snapshot,
    /// How far they lie apart.
    pub seconds: f64,
    /// The wall clock of the second, epoch milliseconds.
    pub now_ms: i64,
}

/// The screen, in at most `size`.
pub fn frame(interval: &Interval<'_>, size: Size) -> Vec<Line> {
    let nothing = Snapshot::default();
    // An engine that was started anew counts from zero.
    let began_anew = interval.after.uptime_seconds < interval.before.uptime_seconds;
    let view = View {
        before: if began_anew {
            &nothing
        } else {
            interval.before
        },
        after: interval.after,
        seconds: interval.seconds.max(1e-3),
        now_ms: interval.now_ms,
    };
    let mut lines = vec![view.headline()];
    let tables = [
        view.sources(),
        view.partitions(),
        view.patterns(),
        view.shards(),
        view.outputs(),
        view.checkpoints(),
    ];
    let room = size.height.saturating_sub(lines.len());
    for (table, height) in tables.iter().zip(shared(room, &tables)) {
        lines.extend(table.lines(height));
    }
    lines.truncate(size.height);
    lines.into_iter().map(|line| line.cut(size.width)).collect()
}

/// Deals lines out: first to each table what it needs at least, then line by line to those that want more.
fn shared(room: usize, tables: &[Table]) -> Vec<usize> {
    let mut left = room;
    let mut heights = Vec::new();
    for table in tables {
        let least = table.height_min();
        let height = if least <= left { least } else { 0 };
        left -= height;
        heights.push(height);
    }
    loop {
        let mut dealt = false;
        for (height, table) in heights.iter_mut().zip(tables) {
            if left > 0 && *height > 0 && *height < table.height() {
                *height += 1;
                left -= 1;
                dealt = true;
            }
        }
        if !dealt {
            return heights;
        }
    }
}

/// Two answers of the same engine.
struct View<'a> {
    before: &'a Snapshot,
    after: &'a Snapshot,
    seconds: f64,
    now_ms: i64,
}

impl View<'_> {
    fn headline(&self) -> Line {
        let phase = match self.after.phase {
            Phase::Starting => "starting",
            Phase::Running => "running",
            Phase::Stopping => "stopping",
            Phase::Ended => "ended",
            Phase::Restarting => "restarting",
        };
        let read = |snapshot: &Snapshot| snapshot.sources.iter().map(|source| source.read).sum();
        let matches = |snapshot: &Snapshot| {
            snapshot
                .patterns
                .iter()
                .map(|pattern| pattern.matches)
                .sum()
        };
        let latency = recent(
            &self.before.detection_latency,
            &self.after.detection_latency,
        );
        let latency = |share| {
            let shown = latency.quantile(share).map(|quantile| match quantile {
                Quantile::Within(seconds) => duration(seconds),
                Quantile::Above(seconds) => format!(">{}", duration(seconds)),
            });
            shown.unwrap_or_else(|| "–".to_owned())
        };
        Line::of(Look::Bold, "leitmotif")
            .with(
                if self.after.phase == Phase::Running {
                    Look::Plain
                } else {
                    Look::Loud
                },
                format!(" {phase}"),
            )
            .with(
                Look::Plain,
                format!(
                    " for {}   {} events/s   {} matches/s   latency p50 {}, p99 {}",
                    duration(self.after.uptime_seconds),
                    self.rate(read(self.before), read(self.after)),
                    self.rate(matches(self.before), matches(self.after)),
                    latency(0.5),
                    latency(0.99),
                ),
            )
    }

    fn sources(&self) -> Table {
        let rows = self.after.sources.iter().map(|source| {
            let before = self
                .before
                .sources
                .iter()
                .find(|other| other.name == source.name);
            let before = before.cloned().unwrap_or_default();
            let mut row = Row::plain(vec![
                shown(&source.name, "stdin"),
                self.rate(before.read, source.read),
                self.rate(before.processed, source.processed),
                self.rate(before.late, source.late),
                self.rate(before.malformed, source.malformed),
                self.rate(before.filtered, source.filtered),
                bytes(self.per_second(before.bytes, source.bytes)),
            ]);
            if source.late > before.late || source.malformed > before.malformed {
                row.look = Look::Loud;
            }
            row
        });
        Table {
            titles: vec![
                "SOURCE",
                "READ/S",
                "PROCESSED",
                "LATE",
                "MALFORMED",
                "FILTERED",
                "BYTES/S",
            ],
            rows: rows.collect(),
        }
    }

    /// Those that hold the others back first, then by how far they are; idle and ended ones last.
    fn partitions(&self) -> Table {
        let all = self.after.sources.iter().flat_map(|source| {
            source
                .partitions
                .iter()
                .map(move |partition| (source, partition))
        });
        let mut all: Vec<_> = all.collect();
        let rank = |activity| match activity {
            Activity::Active => 0,
            Activity::Idle => 1,
            Activity::Ended => 2,
        };
        all.sort_by_key(|(_, partition)| (rank(partition.activity), partition.watermark_ms));
        let active = || {
            all.iter()
                .filter(|(_, partition)| partition.activity == Activity::Active)
        };
        // `None` is the least: who has promised nothing yet holds everything back.
        let least = active().map(|(_, partition)| partition.watermark_ms).min();
        let even = active().all(|(_, partition)| Some(partition.watermark_ms) == least);
        let rows = all.iter().map(|(source, partition)| {
            let (look, note) = match partition.activity {
                Activity::Active if Some(partition.watermark_ms) == least && !even => {
                    (Look::Loud, "◀ holds the watermark back")
                }
                Activity::Active => (Look::Plain, ""),
                Activity::Idle => (Look::Faint, "idle"),
                Activity::Ended => (Look::Faint, "ended"),
            };
            let lag = partition
                .watermark_ms
                .map(|at| self.now_ms.saturating_sub(at) as f64 / 1e3);
            let at = partition.watermark_ms.map(time);
            Row {
                look,
                cells: vec![
                    format!("{}/{}", shown(&source.name, "stdin"), partition.partition),
                    at.unwrap_or_else(|| "–".to_owned()),
                    lag.map_or_else(|| "–".to_owned(), duration),
                ],
                note: note.to_owned(),
            }
        });
        Table {
            titles: vec!["PARTITION", "WATERMARK", "LAG"],
            rows: rows.collect(),
        }
    }

    /// The busiest first.
    fn patterns(&self) -> Table {
        let mut all: Vec<_> = (self.after.patterns.iter())
            .map(|pattern| {
                let before = self
                    .before
                    .patterns
                    .iter()
                    .find(|other| other.name == pattern.name);
                (before.cloned().unwrap_or_default(), pattern)
            })
            .collect();
        let live =
            |partials: &[(String, u64)]| partials.iter().map(|(_, count)| count).sum::<u64>();
        all.sort_by_key(|(before, after)| {
            std::cmp::Reverse((
                after.matches.saturating_sub(before.matches),
                live(&after.partials),
            ))
        });
        let rows = all.iter().map(|(before, after)| {
            let steps = after.partials.iter().filter(|(_, count)| *count > 0);
            let steps: Vec<String> = steps
                .map(|(step, number)| format!("{step} {}", thousands(*number)))
                .collect();
            Row {
                look: if after.evicted > before.evicted {
                    Look::Loud
                } else {
                    Look::Plain
                },
                cells: vec![
                    after.name.clone(),
                    self.rate(before.matches, after.matches),
                    self.rate(before.timeouts, after.timeouts),
                    self.rate(before.suppressed, after.suppressed),
                    self.rate(before.evicted, after.evicted),
                    thousands(live(&after.partials)),
                ],
                note: steps.join(", "),
            }
        });
        Table {
            titles: vec![
                "PATTERN",
                "MATCHES/S",
                "TIMEOUTS",
                "SUPPRESSED",
                "EVICTED",
                "PARTIAL",
            ],
            rows: rows.collect(),
        }
    }

    fn shards(&self) -> Table {
        let rows = self.after.shards.iter().map(|shard| {
            let mut before = self.before.shards.iter();
            let before = before.find(|before| before.number == shard.number);
            let before = before.cloned().unwrap_or_default();
            let share = |before: f64, after: f64| ((after - before) / self.seconds).clamp(0.0, 1.0);
            let busy = share(before.busy_seconds, shard.busy_seconds);
            let blocked = share(before.blocked_seconds, shard.blocked_seconds);
            Row {
                look: if blocked > 0.5 {
                    Look::Loud
                } else {
                    Look::Plain
                },
                cells: vec![
                    shard.number.to_string(),
                    percent(busy),
                    percent(blocked),
                    percent(share(before.idle_seconds, shard.idle_seconds)),
                    percent(shard.ring_fill),
                    thousands(shard.waiting_events),
                    thousands(shard.keys),
                    self.rate(before.routed, shard.routed),
                ],
                note: bar(busy, blocked),
            }
        });
        Table {
            titles: vec![
                "SHARD", "BUSY", "BLOCKED", "IDLE", "RING", "WAITING", "KEYS", "ROUTED/S",
            ],
            rows: rows.collect(),
        }
    }

    fn outputs(&self) -> Table {
        let rows = self.after.outputs.iter().map(|output| {
            let before = self
                .before
                .outputs
                .iter()
                .find(|other| other.name == output.name);
            let before = before.cloned().unwrap_or_default();
            let troubled = output.retries > before.retries || output.queue_fill > 0.9;
            Row {
                look: if troubled { Look::Loud } else { Look::Plain },
                cells: vec![
                    shown(&output.name, "stdout"),
                    self.rate(before.rows, output.rows),
                    bytes(self.per_second(before.bytes, output.bytes)),
                    percent(output.queue_fill),
                    thousands(output.retries),
                ],
                note: String::new(),
            }
        });
        Table {
            titles: vec!["OUTPUT", "ROWS/S", "BYTES/S", "QUEUE", "RETRIES"],
            rows: rows.collect(),
        }
    }

    /// One row, of a run with durable state.
    fn checkpoints(&self) -> Table {
        let failures =
            |snapshot: &Snapshot| snapshot.checkpoints.as_ref().map(|seen| seen.failures);
        let troubled = failures(self.after) > failures(self.before);
        let rows = self.after.checkpoints.iter().map(|seen| Row {
            look: if troubled { Look::Loud } else { Look::Plain },
            cells: vec![
                seen.epoch.to_string(),
                duration(seen.age_seconds),
                seen.last_seconds.map_or_else(|| "–".to_owned(), duration),
                bytes(seen.new_bytes as f64),
                bytes(seen.state_bytes as f64),
                thousands(seen.failures),
            ],
            note: String::new(),
        });
        Table {
            titles: vec!["CHECKPOINT", "AGE", "TOOK", "WROTE", "STATE", "FAILED"],
            rows: rows.collect(),
        }
    }

    fn rate(&self, before: u64, after: u64) -> String {
        rate(self.per_second(before, after))
    }

    fn per_second(&self, before: u64, after: u64) -> f64 {
        after.saturating_sub(before) as f64 / self.seconds
    }
}

/// A name, and what `-` stands for.
fn shown(name: &str, dash: &str) -> String {
    if name == "-" { dash } else { name }.to_owned()
}

/// RFC 3339, always as long.
fn time(ms: i64) -> String {
    match jiff::Timestamp::from_millisecond(ms) {
        Ok(time) => format!("{time:.3}"),
        Err(_) => format!("{ms} ms"),
    }
}

/// `██████▒▒░░░`: busy, blocked, idle.
fn bar(busy: f64, blocked: f64) -> String {
    let long = |share: f64| (share * BAR_WIDTH as f64).round() as usize;
    let busy = long(busy);
    let blocked = long(blocked).min(BAR_WIDTH - busy);
    let idle = BAR_WIDTH - busy - blocked;
    format!(
        "{}{}{}",
        "█".repeat(busy),
        "▒".repeat(blocked),
        "░".repeat(idle)
    )
}

/// What came between the two; all that there is, if nothing did.
fn recent(before: &Histogram, after: &Histogram) -> Histogram {
    let bounds = |histogram: &Histogram| -> Vec<f64> {
        histogram.buckets.iter().map(|(bound, _)| *bound).collect()
    };
    if bounds(before) != bounds(after) {
        return after.clone();
    }
    let counts = before.buckets.iter().zip(&after.buckets);
    let between = Histogram {
        buckets: counts
            .map(|((_, before), (bound, after))| (*bound, after.saturating_sub(*before)))
            .collect(),
        above: after.above.saturating_sub(before.above),
        sum_seconds: after.sum_seconds - before.sum_seconds,
    };
    if between.count() == 0 {
        after.clone()
    } else {
        between
    }
}

#[cfg(test)]
mod tests;
