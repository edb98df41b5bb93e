//! What to make up, as it is written: `generate:cards?rate=1000&partitions=2`.

use crate::source::options::Options;
use crate::time::Span;

/// How many partitions a workload may have.
const PARTITIONS_MAX: u64 = 1_024;

/// How many keys: trades keep a price for each.
const KEYS_MAX: u64 = 1_000_000_000;
const SYMBOLS_MAX: u64 = 1_000_000;

/// The longest disorder: lines that are put off are kept.
const DISORDER_MAX: Span = Span(600_000);

/// One per nanosecond.
const RATE_MAX: u64 = 1_000_000_000;

/// What is made.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Kind {
    /// Card payments: `ts card kind amount merchant country`.
    Cards,
    /// Sensor readings: `ts device kind value site`.
    Sensors,
    /// Trades: `ts symbol kind price volume`.
    Stock,
}

/// What times events have.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Clock {
    /// A millisecond apart, from a fixed day on: the same in every run.
    Fixed,
    /// The wall clock's at the moment when they are due.
    Now,
}

/// A stream of made-up events.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Workload {
    /// What is made.
    pub kind: Kind,
    /// Different cards, devices or symbols; at least one.
    pub keys: u64,
    /// Another seed makes other events.
    pub seed: u64,
    /// Events in all; `None` for no end.
    pub events: Option<u64>,
    /// Events per second, all partitions together; `None` for as many as are asked for.
    pub rate: Option<u64>,
    /// At least one.
    pub partitions: u32,
    /// How far an event may come after a newer one of its partition.
    pub disorder_ms: u64,
    /// What times they have.
    pub clock: Clock,
    /// As it was written.
    pub text: String,
}

impl Workload {
    /// Takes `cards?rate=1000` apart.
    pub(crate) fn parse(text: &str) -> Result<Workload, String> {
        let (kind, options) = text.split_once('?').unwrap_or((text, ""));
        let (kind, keys, keys_max) = match kind {
            "cards" => (Kind::Cards, 100_000, KEYS_MAX),
            "sensors" => (Kind::Sensors, 10_000, KEYS_MAX),
            "stock" => (Kind::Stock, 10, SYMBOLS_MAX),
            other => {
                return Err(format!(
                    "nothing is known of \"{other}\"; what can be generated is cards, sensors, stock"
                ));
            }
        };
        let mut options = Options::parse(options)?;
        let rate = options.number("rate", 1..=RATE_MAX)?;
        let events = options.number("events", 0..=u64::MAX)?;
        let keys = options.number("keys", 1..=keys_max)?.unwrap_or(keys);
        let partitions = options.number("partitions", 1..=PARTITIONS_MAX)?;
        let seed = options.number("seed", 0..=u64::MAX)?.unwrap_or(1);
        let disorder = options.span("disorder", Span(0)..=DISORDER_MAX)?;
        let clock = match options.text("time") {
            None | Some("fixed") => Clock::Fixed,
            Some("now") => Clock::Now,
            Some(other) => {
                return Err(format!(
                    "time={other} is not known; write time=now or time=fixed"
                ));
            }
        };
        options.end()?;
        Ok(Workload {
            kind,
            keys,
            seed,
            events,
            rate,
            partitions: partitions.map_or(1, |partitions| partitions as u32),
            disorder_ms: disorder.map_or(0, |span| span.0.unsigned_abs()),
            clock,
            text: text.to_owned(),
        })
    }
}
