//! A snapshot as Prometheus reads it, in the text format of OpenMetrics.
//!
//! Numbers are pulled: nothing is counted here, each scrape writes down what the engine has counted. Base units; no key is ever a label.

use std::fmt;

use leitmotif::engine::snapshot::{
    Activity, CheckpointSnapshot, Histogram, OutputSnapshot, PatternSnapshot, ShardSnapshot,
    Snapshot, SourceSnapshot, StandingSnapshot,
};
use prometheus_client::collector::Collector;
use prometheus_client::encoding::text::encode;
use prometheus_client::encoding::{
    DescriptorEncoder, EncodeCounterValue, MetricEncoder, NoLabelSet,
};
use prometheus_client::metrics::MetricType;
use prometheus_client::registry::{Registry, Unit};

/// What kind of text it is.
pub const CONTENT_TYPE: &str = "application/openmetrics-text; version=1.0.0; charset=utf-8";

/// The whole text; `now_ms` is the wall clock in epoch milliseconds, from which watermarks lag.
pub fn text(snapshot: Snapshot, now_ms: i64) -> String {
    let mut registry = Registry::default();
    registry.register_collector(Box::new(Scrape { snapshot, now_ms }));
    let mut text = String::new();
    encode(&mut text, &registry).expect("writing to a string does not fail");
    text
}

/// One moment.
#[derive(Debug)]
struct Scrape {
    snapshot: Snapshot,
    now_ms: i64,
}

impl Collector for Scrape {
    fn encode(&self, encoder: DescriptorEncoder<'_>) -> fmt::Result {
        let mut page = Page(encoder);
        page.build()?;
        page.gauge(
            ("leitmotif_uptime", Some(Unit::Seconds)),
            "Time since the start",
            [([], self.snapshot.uptime_seconds)],
        )?;
        page.counter(
            ("leitmotif_restarts", None),
            "Times that the run failed and began again from its last checkpoint",
            [([], self.snapshot.restarts)],
        )?;
        self.sources(&mut page)?;
        self.patterns(&mut page)?;
        page.histogram(
            "leitmotif_detection_latency",
            "From the arrival of the event that completed a match to its row being handed to the output",
            &self.snapshot.detection_latency,
        )?;
        self.shards(&mut page)?;
        if let Some(checkpoints) = &self.snapshot.checkpoints {
            page.checkpoints(checkpoints)?;
        }
        self.group(&mut page)?;
        self.outputs(&mut page)
    }
}

impl Scrape {
    fn sources(&self, page: &mut Page<'_>) -> fmt::Result {
        let sources = &self.snapshot.sources;
        let by_outcome = sources.iter().flat_map(|source| {
            let outcomes = [
                ("processed", source.processed),
                ("late", source.late),
                ("malformed", source.malformed),
                ("filtered", source.filtered),
            ];
            outcomes.map(|(outcome, count)| {
                (
                    [
                        ("source", source.name.clone()),
                        ("outcome", outcome.to_owned()),
                    ],
                    count,
                )
            })
        });
        page.counter(
            ("leitmotif_events", None),
            "Records read, by what became of them",
            by_outcome,
        )?;
        page.counter(
            ("leitmotif_late_events", None),
            "Events that came after the watermark had passed them",
            [([], sources.iter().map(|source| source.late).sum::<u64>())],
        )?;
        let each = |number: fn(&SourceSnapshot) -> u64| {
            sources
                .iter()
                .map(move |source| ([("source", source.name.clone())], number(source)))
        };
        page.counter(
            ("leitmotif_decode_errors", None),
            "Records that are no event",
            each(|source| source.malformed),
        )?;
        page.counter(
            ("leitmotif_source", Some(Unit::Bytes)),
            "Bytes of records read",
            each(|source| source.bytes),
        )?;
        let lags = sources.iter().flat_map(|source| {
            let active = source
                .partitions
                .iter()
                .filter(|partition| partition.activity == Activity::Active);
            active.filter_map(|partition| {
                let lag_ms = self.now_ms.saturating_sub(partition.watermark_ms?);
                let labels = [
                    ("source", source.name.clone()),
                    ("partition", partition.partition.to_string()),
                ];
                Some((labels, lag_ms as f64 / 1_000.0))
            })
        });
        page.gauge(
            ("leitmotif_watermark_lag", Some(Unit::Seconds)),
            "How far the watermark of an active partition lies behind the wall clock",
            lags,
        )?;
        self.standings(page)?;
        let activities = sources.iter().flat_map(|source| {
            let count = |activity| {
                source
                    .partitions
                    .iter()
                    .filter(|partition| partition.activity == activity)
                    .count()
            };
            [
                ("active", Activity::Active),
                ("idle", Activity::Idle),
                ("ended", Activity::Ended),
            ]
            .map(|(name, activity)| {
                (
                    [
                        ("source", source.name.clone()),
                        ("activity", name.to_owned()),
                    ],
                    count(activity) as f64,
                )
            })
        });
        page.gauge(
            ("leitmotif_partitions", None),
            "Partitions, by how they take part in the watermark",
            activities,
        )
    }

    /// What only an instance of a group has.
    fn group(&self, page: &mut Page<'_>) -> fmt::Result {
        let Some(group) = &self.snapshot.group else {
            return Ok(());
        };
        let label = || [("group", group.name.clone())];
        page.gauge(
            ("leitmotif_group_partitions", None),
            "Partitions that this instance has just now",
            [(label(), group.partitions as f64)],
        )?;
        page.counter(
            ("leitmotif_group_rebalances", None),
            "Times that partitions were given to this instance or taken away",
            [(label(), group.rebalances)],
        )
    }

    /// What only sources that read from a broker have.
    fn standings(&self, page: &mut Page<'_>) -> fmt::Result {
        let sources = &self.snapshot.sources;
        let lags = sources.iter().flat_map(|source| {
            source.standings.iter().map(|standing| {
                let labels = [
                    ("source", source.name.clone()),
                    ("topic", standing.topic.clone()),
                    ("partition", standing.partition.to_string()),
                ];
                (labels, standing.lag as f64)
            })
        });
        page.gauge(
            ("leitmotif_kafka_lag_records", None),
            "Records that wait at the broker",
            lags,
        )?;
        let read = sources.iter().filter(|source| !source.standings.is_empty());
        let tombstones = read.map(|source| {
            let count = |sum, standing: &StandingSnapshot| sum + standing.tombstones;
            (
                [("source", source.name.clone())],
                source.standings.iter().fold(0_u64, count),
            )
        });
        page.counter(
            ("leitmotif_kafka_tombstones", None),
            "Records without a value, which are passed over",
            tombstones,
        )
    }

    fn patterns(&self, page: &mut Page<'_>) -> fmt::Result {
        let patterns = &self.snapshot.patterns;
        let each = |number: fn(&PatternSnapshot) -> u64| {
            patterns
                .iter()
                .map(move |pattern| ([("pattern", pattern.name.clone())], number(pattern)))
        };
        page.counter(
            ("leitmotif_matches", None),
            "Matches emitted",
            each(|pattern| pattern.matches),
        )?;
        page.counter(
            ("leitmotif_timeouts", None),
            "Partial matches whose bound passed",
            each(|pattern| pattern.timeouts),
        )?;
        page.counter(
            ("leitmotif_suppressed", None),
            "Matches held back by limit",
            each(|pattern| pattern.suppressed),
        )?;
        page.counter(
            ("leitmotif_evicted", None),
            "Partial matches that gave way to bound",
            each(|pattern| pattern.evicted),
        )?;
        let partials = patterns.iter().flat_map(|pattern| {
            pattern.partials.iter().map(|(step, count)| {
                (
                    [("pattern", pattern.name.clone()), ("step", step.clone())],
                    *count as f64,
                )
            })
        });
        page.gauge(
            ("leitmotif_partial_matches", None),
            "Partial matches alive, by the step bound last",
            partials,
        )
    }

    fn shards(&self, page: &mut Page<'_>) -> fmt::Result {
        let shards = &self.snapshot.shards;
        let each = |number: fn(&ShardSnapshot) -> f64| by_shard(shards, number);
        let count = |number: fn(&ShardSnapshot) -> u64| by_shard(shards, number);
        let states = (0..).zip(shards).flat_map(|(at, shard): (usize, _)| {
            [
                ("busy", shard.busy_seconds),
                ("blocked", shard.blocked_seconds),
                ("idle", shard.idle_seconds),
            ]
            .map(|(state, seconds)| {
                (
                    [("shard", at.to_string()), ("state", state.to_owned())],
                    seconds,
                )
            })
        });
        page.counter(
            ("leitmotif_shard", Some(Unit::Seconds)),
            "Time spent working, waiting for room, and waiting for input",
            states,
        )?;
        let uptime = self.snapshot.uptime_seconds.max(f64::MIN_POSITIVE);
        let ratios = |seconds: fn(&ShardSnapshot) -> f64| {
            each(seconds).map(move |(labels, seconds)| (labels, (seconds / uptime).clamp(0.0, 1.0)))
        };
        page.gauge(
            ("leitmotif_shard_busy_ratio", None),
            "Share of the uptime spent working",
            ratios(|shard| shard.busy_seconds),
        )?;
        page.gauge(
            ("leitmotif_shard_blocked_ratio", None),
            "Share of the uptime spent waiting for room in a ring or an output",
            ratios(|shard| shard.blocked_seconds),
        )?;
        page.gauge(
            ("leitmotif_ring_fill_ratio", None),
            "How full the fullest outgoing ring is",
            each(|shard| shard.ring_fill),
        )?;
        page.gauge(
            ("leitmotif_waiting_events", None),
            "Events that wait for the watermark",
            each(|shard| shard.waiting_events as f64),
        )?;
        page.gauge(
            ("leitmotif_keys", None),
            "Keys with state",
            each(|shard| shard.keys as f64),
        )?;
        page.gauge(
            ("leitmotif_keys_in_memory", None),
            "Keys with state whose state is in memory",
            each(|shard| shard.keys_in_memory as f64),
        )?;
        page.counter(
            ("leitmotif_states_read", None),
            "States read from the state folder because they were asked for",
            count(|shard| shard.states_read),
        )?;
        page.gauge(
            ("leitmotif_checkpoint_pause", Some(Unit::Seconds)),
            "The longest time that a checkpoint kept the shard from reading",
            each(|shard| shard.checkpoint_pause_seconds),
        )?;
        page.counter(
            ("leitmotif_routed_events", None),
            "Events routed to other shards",
            count(|shard| shard.routed),
        )
    }

    fn outputs(&self, page: &mut Page<'_>) -> fmt::Result {
        let outputs = &self.snapshot.outputs;
        let each = |number: fn(&OutputSnapshot) -> u64| {
            outputs
                .iter()
                .map(move |output| ([("output", output.name.clone())], number(output)))
        };
        page.counter(
            ("leitmotif_output_rows", None),
            "Rows handed to an output",
            each(|output| output.rows),
        )?;
        page.counter(
            ("leitmotif_output", Some(Unit::Bytes)),
            "Bytes of rows handed to an output",
            each(|output| output.bytes),
        )?;
        page.counter(
            ("leitmotif_output_retries", None),
            "Times that a write was tried again",
            each(|output| output.retries),
        )?;
        let fills = outputs
            .iter()
            .map(|output| ([("output", output.name.clone())], output.queue_fill));
        page.gauge(
            ("leitmotif_output_queue_fill_ratio", None),
            "How full the queue of an output is",
            fills,
        )
    }
}

/// A name without the endings that unit and type give it.
type Name = (&'static str, Option<Unit>);

type Labels<const N: usize> = [(&'static str, String); N];

/// Writes families of metrics one after the other.
struct Page<'a>(DescriptorEncoder<'a>);

impl Page<'_> {
    fn build(&mut self) -> fmt::Result {
        let mut metric = self.0.encode_descriptor(
            "leitmotif_build",
            "The version that runs.",
            None,
            MetricType::Info,
        )?;
        metric.encode_info(&[("version", env!("CARGO_PKG_VERSION"))])
    }

    fn counter<const N: usize, V: EncodeCounterValue>(
        &mut self,
        (name, unit): Name,
        help: &str,
        values: impl IntoIterator<Item = (Labels<N>, V)>,
    ) -> fmt::Result {
        let help = format!("{help}.");
        let mut family =
            self.0
                .encode_descriptor(name, &help, unit.as_ref(), MetricType::Counter)?;
        for (labels, value) in values {
            let counter = |metric: &mut MetricEncoder<'_>| {
                metric.encode_counter::<NoLabelSet, V, u64>(&value, None)
            };
            if N == 0 {
                counter(&mut family)?;
            } else {
                counter(&mut family.encode_family(&labels)?)?;
            }
        }
        Ok(())
    }

    fn gauge<const N: usize>(
        &mut self,
        (name, unit): Name,
        help: &str,
        values: impl IntoIterator<Item = (Labels<N>, f64)>,
    ) -> fmt::Result {
        let help = format!("{help}.");
        let mut family = self
            .0
            .encode_descriptor(name, &help, unit.as_ref(), MetricType::Gauge)?;
        for (labels, value) in values {
            if N == 0 {
                family.encode_gauge(&value)?;
            } else {
                family.encode_family(&labels)?.encode_gauge(&value)?;
            }
        }
        Ok(())
    }

    fn histogram(&mut self, name: &str, help: &str, durations: &Histogram) -> fmt::Result {
        let help = format!("{help}.");
        let mut metric =
            self.0
                .encode_descriptor(name, &help, Some(&Unit::Seconds), MetricType::Histogram)?;
        let mut buckets = durations.buckets.clone();
        buckets.push((f64::INFINITY, durations.above));
        let count = buckets.iter().map(|(_, count)| count).sum();
        metric.encode_histogram::<NoLabelSet>(durations.sum_seconds, count, &buckets, None)
    }

    /// What only runs with durable state have.
    fn checkpoints(&mut self, checkpoints: &CheckpointSnapshot) -> fmt::Result {
        self.histogram(
            "leitmotif_checkpoint_duration",
            "From the barrier of a checkpoint to its commit",
            &checkpoints.durations,
        )?;
        self.counter(
            ("leitmotif_checkpoint_failures", None),
            "Checkpoints that could not be committed",
            [([], checkpoints.failures)],
        )?;
        let gauges = [
            (
                ("leitmotif_checkpoint_epoch", None),
                "The last checkpoint that counts",
                checkpoints.epoch as f64,
            ),
            (
                ("leitmotif_checkpoint_age", Some(Unit::Seconds)),
                "Time since the last checkpoint was committed; before the first, since the start",
                checkpoints.age_seconds,
            ),
            (
                ("leitmotif_checkpoint", Some(Unit::Bytes)),
                "Bytes that the last checkpoint wrote",
                checkpoints.new_bytes as f64,
            ),
            (
                ("leitmotif_state", Some(Unit::Bytes)),
                "Bytes of state in the last checkpoint",
                checkpoints.state_bytes as f64,
            ),
        ];
        for (name, help, value) in gauges {
            self.gauge(name, help, [([], value)])?;
        }
        Ok(())
    }
}

/// A number of each shard, with its label.
fn by_shard<T>(
    shards: &[ShardSnapshot],
    number: fn(&ShardSnapshot) -> T,
) -> impl Iterator<Item = ([(&'static str, String); 1], T)> {
    let shards = shards.iter();
    shards.map(move |shard| ([("shard", shard.number.to_string())], number(shard)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cli::sample;

    #[test]
    fn every_number_of_a_snapshot_has_its_line() {
        let told = text(sample::snapshot(), sample::NOW_MS);
        let version = format!("version=\"{}\"", env!("CARGO_PKG_VERSION"));
        let told = told.replace(&version, "version=\"VERSION\"");
        let path = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/golden/metrics.txt");
        if std::env::var_os("UPDATE_GOLDEN").is_some() {
            std::fs::write(path, &told).unwrap();
        }
        assert_eq!(told, std::fs::read_to_string(path).unwrap());
    }

    #[test]
    fn engine_that_has_just_begun_has_metrics_too() {
        let told = text(Snapshot::default(), 0);
        assert!(!told.contains("shard=\"0\""), "{told}");
        assert!(told.contains("\nleitmotif_late_events_total 0\n"), "{told}");
        assert!(
            told.contains("\nleitmotif_detection_latency_seconds_count 0\n"),
            "{told}"
        );
        assert!(told.ends_with("# EOF\n"));
    }

    #[test]
    fn names_cannot_break_out_of_their_labels() {
        let mut snapshot = sample::snapshot();
        snapshot.sources[0].name = "a\"b\\c\nd".to_owned();
        let told = text(snapshot, 0);
        assert!(told.contains(r#"source="a\"b\\c\nd""#), "{told}");
    }
}
