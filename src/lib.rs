//! Leitmotif finds patterns in streams of events: "a small payment, then a large one on the same card within 10 minutes",
//! "no heartbeat for 2 minutes".
//!
//! Patterns are text in a language of their own (`docs/language.md`; what they mean exactly is in `docs/semantics.md`). [`compile`] checks them, all
//! mistakes at once, and an [`Shard`] runs what it made over events in order of time. The engine does no I/O and reads no clock: whoever drives it
//! brings sorted events and a [`Watermark`], and takes [`Row`]s. [`engine::Running`] makes sorted events of sources, on threads; the `leitmotif` command is built of these parts.
//!
//! ```
//! use std::sync::Arc;
//! use leitmotif::{compile, Event, Params, Position, Row, Shard, SourceMap, Tables, Timestamp, Value, Watermark};
//!
//! let mut sources = SourceMap::default();
//! sources.add("probe.motif", r#"
//!     event Txn { at: timestamp time, card: string, amount: int }
//!     pattern probe_then_drain {
//!       key card
//!       match probe: Txn where amount < 5 then drain: Txn where amount > 500
//!       within 10m
//!       emit fraud { card, spent: drain.amount }
//!     }
//! "#);
//! let program = Arc::new(compile(&sources, &Params::default()).program.expect("no mistakes"));
//! let mut engine = Shard::alone(Arc::clone(&program), &Tables::empty(&program)).expect("a simple pattern");
//!
//! let txn = program.schema.find("Txn").expect("declared above");
//! let event = |seconds: i64, amount: i64| Event {
//!     ty: txn,
//!     time: Timestamp(seconds * 1_000),
//!     position: Position { source: 0, partition: 0, offset: seconds as u64 },
//!     values: Box::new([Value::Timestamp(Timestamp(seconds * 1_000)), Value::Str("c1".into()), Value::Int(amount)]),
//! };
//! let mut rows: Vec<Row> = Vec::new();
//! engine.advance(&[event(0, 1), event(30, 900)], Watermark::FINAL, &mut rows);
//! assert_eq!(rows.len(), 1);
//! assert_eq!(&*rows[0].values, [Value::Str("c1".into()), Value::Int(900)]);
//! ```
//!
//! Modules, each using only those before it: [`time`], [`event`], [`lang`], [`automaton`], [`source`], [`sink`], [`engine`], [`config`]; behind the feature `http` what is reached by HTTP, behind `testing`
//! the reference matcher that judges the engine.

#![deny(missing_docs)]

pub mod automaton;
pub mod config;
pub mod embed;
pub mod engine;
pub mod event;
#[cfg(feature = "http")]
pub mod http;
pub mod key;
pub mod lang;
pub mod sink;
pub mod source;
#[cfg(feature = "testing")]
pub mod testing;
pub mod time;

pub use embed::{
    Builder, Engine, Error, ErrorKind, Finished, Input, Match, MatchId, Pushed, Running,
};
pub use event::formats::EventBuilder;
pub use event::value::Decimal;
pub use event::{Event, Value};
pub use sink::Sink;
pub use source::{Extent, Polled, Progress, Record, Source};
pub use time::{Span, Timestamp, Watermark};
