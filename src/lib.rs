//! Leitmotif finds patterns in streams of events: "a small payment, then a large one on the same card within 10 minutes",
//! "no heartbeat for 2 minutes", "the average per minute".
//!
//! Patterns are text in a language of their own, checked before anything runs (`docs/language.md`; what they mean exactly is in `docs/semantics.md`). A program
//! gives events and gets a [`Match`] for everything found. This page is the way in; `docs/embedding.md` has the same in a nutshell, and `examples/` whole programs.
//!
//! # A first match
//!
//! ```
//! use leitmotif::{Engine, Event, Timestamp};
//!
//! let mut engine = Engine::builder()
//!     .patterns_text("probe.motif", r#"
//!         event Txn { at: timestamp time, card: string, amount: int }
//!         pattern probe_then_drain {
//!           key card
//!           match probe: Txn where amount < 5 then drain: Txn where amount > 500
//!           within 10m
//!           emit fraud { card, spent: drain.amount }
//!         }
//!     "#)
//!     .build()?;
//! let at = |seconds: i64| Timestamp(1_700_000_000_000 + seconds * 1_000);
//! engine.push(Event::of("Txn", at(0)).set("card", "c1").set("amount", 1))?;
//! engine.push(Event::of("Txn", at(30)).set("card", "c1").set("amount", 900))?;
//! let found = engine.finish().matches;
//! assert_eq!(found[0].to_string(), "fraud { card: c1, spent: 900 }");
//! # Ok::<(), leitmotif::Error>(())
//! ```
//!
//! # Two ways to use it
//!
//! **In your thread.** [`Builder::build`] makes an [`Engine`]. It does nothing by itself: [`Engine::push`] takes an event, [`Engine::matches`] gives out what was
//! found, [`Engine::finish`] ends time. For programs that have events in their hands already, for tests and for simulations: no thread, no clock, no I/O.
//!
//! **On threads.** [`Builder::start`] opens sources and outputs, deals keys to as many shards as you like and gives back a [`Running`] to look at, stop and wait for.
//! For streams: files, folders, HTTP and your own [`Source`]s in; files, webhooks and your own [`Sink`]s, or typed matches ([`Builder::on_match`],
//! [`Builder::matches_to`]), out. Everything between is bounded: when you are slow, sources wait.
//!
//! Both give the same rows in the same order, with the same ids.
//!
//! # Time and lateness
//!
//! Time is the time of events, in milliseconds ([`Timestamp`], [`Span`]). Events may be out of order by as much as [`Builder::delay`]; the newest time less the
//! delay is the [`Watermark`], and what lies before it is decided. So a match is seen once an event *after* it, by more than the delay, has come. An event before the
//! watermark is late: it is dropped, counted, and [`Pushed::Late`] says by how much. When nothing happens, time stands still, unless
//! [`Engine::advance_to`] says how late it is; sources on threads have [`Input::idle`] for it.
//!
//! One absurd time must not carry the watermark away. A time more than a day ahead of all others, and the very first, is held back until the next one confirms it
//! ([`Pushed::Held`]); times outside 2000 to 2199 are refused.
//!
//! # Keys and shards
//!
//! `key card` gives every card a pattern of its own, with state as long as something may still come of it. Keys are independent, so they can be dealt to threads:
//! [`Builder::shards`]. An `unkeyed` pattern lives on one shard.
//!
//! # Outputs
//!
//! A pattern's `emit fraud { … }` makes rows of the output `fraud`. Bind it to a place with [`Builder::output`], take it typed, or both. Three outputs are always
//! there, on threads, for whoever binds them: `late` and `malformed` records, and `evicted` partial matches that gave way to `bound`. What is not bound is counted all the
//! same, in the [`Account`](engine::Account).
//!
//! # A source of your own
//!
//! ```
//! use std::sync::mpsc::sync_channel;
//! use leitmotif::source::Error;
//! use leitmotif::{Engine, Extent, Input, Polled, Progress, Record, Source};
//!
//! struct Counter(u64);
//!
//! impl Source for Counter {
//!     fn poll(&mut self, take: &mut dyn FnMut(Record<'_>)) -> Result<Polled, Error> {
//!         self.0 += 1;
//!         let line = format!(r#"{{"at": {}, "n": {}}}"#, 1_700_000_000_000 + self.0 * 1_000, self.0);
//!         take(Record { bytes: line.as_bytes(), partition: 0, offset: self.0, arrived: None, heads_file: false });
//!         Ok(if self.0 == 100 { Polled::End } else { Polled::More })
//!     }
//!     fn partitions(&self) -> Vec<u32> { vec![0] }
//!     fn extent(&self) -> Extent { Extent::Bounded }
//!     fn progress(&self) -> Option<Progress> { None }
//! }
//!
//! let (queue, matches) = sync_channel(16);
//! let running = Engine::builder()
//!     .patterns_text("tick.motif", "event Tick { at: timestamp time, n: int }
//!         pattern tenth { unkeyed match t: Tick where n % 10 == 0 within 1s emit round { n: t.n } }")
//!     .source("ticks", Input::from(Counter(0)).event_type("Tick"))
//!     .matches_to(queue)
//!     .start()?;
//! let numbers: Vec<i64> = matches.iter().filter_map(|found| found.get("n")?.as_int()).collect();
//! assert_eq!(numbers, [10, 20, 30, 40, 50, 60, 70, 80, 90, 100]);
//! running.wait()?;
//! # Ok::<(), leitmotif::Error>(())
//! ```
//!
//! # A sink of your own
//!
//! A [`Sink`] takes rows as text, whole lines at a time, on a thread of its own. If it fails, the run ends with its error.
//!
//! ```
//! use std::sync::{Arc, Mutex};
//! use leitmotif::{sink, Engine, Sink};
//!
//! struct Memory(Arc<Mutex<Vec<u8>>>);
//!
//! impl Sink for Memory {
//!     fn write(&mut self, rows: &[u8]) -> Result<(), sink::Error> {
//!         let mut memory = self.0.lock().map_err(|_| sink::Error::new("output \"memory\": its lock is poisoned"))?;
//!         memory.extend_from_slice(rows);
//!         Ok(())
//!     }
//!     fn flush(&mut self) -> Result<(), sink::Error> { Ok(()) }
//! }
//!
//! let memory = Arc::default();
//! let running = Engine::builder()
//!     .patterns_text("small.motif", "event Txn { ts: timestamp time, card: string, amount: decimal }
//!         pattern small { key card match a: Txn where amount < 1 within 1s emit tiny { card, amount: a.amount } }")
//!     .source("cards", "Txn=generate:cards?events=10000&seed=7")
//!     .output("tiny", Memory(Arc::clone(&memory)))
//!     .start()?;
//! let account = running.wait()?;
//! let rows = String::from_utf8(memory.lock().unwrap().clone()).unwrap();
//! assert_eq!(rows.lines().count() as u64, account.rows);
//! assert!(rows.starts_with(r#"{"output":"tiny","pattern":"small","key":""#));
//! # Ok::<(), leitmotif::Error>(())
//! ```
//!
//! # Features
//!
//! | feature | brings |
//! |---|---|
//! | `http` (default) | sources that take records by HTTP, webhooks, metrics for the command line |
//! | `cli` (default) | the `leitmotif` command; a program that embeds the engine does without: `default-features = false` |
//! | `jemalloc` (default) | the allocator of the command |
//! | `kafka` (default) | topics as sources and outputs, groups of instances |
//! | `rocksdb` (default) | durable state that need not fit into memory |
//! | `s3` (default) | state of a group in object storage |
//! | `testing` | the reference matcher that judges the engine, and what makes random patterns and events |
//!
//! # What is public
//!
//! The root of the crate is for programs and changes with care. The modules are public for the command, tests and tools that need more of the inside, such as the
//! checked program ([`lang::pattern`]) or what a running engine shows ([`engine::snapshot`]); they move as the engine does. Each uses only those
//! before it: [`time`], [`epoch`], [`wire`], [`disk`], [`event`], [`key`], [`lang`], [`automaton`], [`store`], [`source`], [`sink`], [`checkpoint`], [`engine`], [`config`], [`embed`].

#![deny(missing_docs)]

pub mod automaton;
pub mod checkpoint;
pub mod config;
pub mod disk;
pub mod embed;
pub mod engine;
pub mod epoch;
pub mod event;
#[cfg(feature = "http")]
pub mod http;
pub mod key;
pub mod lang;
pub mod sink;
pub mod source;
pub mod store;
#[cfg(feature = "testing")]
pub mod testing;
pub mod time;
pub mod wire;

pub use embed::{
    Builder, Engine, Error, ErrorKind, Finished, Input, Keeping, Match, MatchId, Pushed, Running,
    States, Supervised, Supervision,
};
#[cfg(feature = "kafka")]
pub use embed::{Joined, Joining};
pub use epoch::Epoch;
pub use event::formats::EventBuilder;
pub use event::value::Decimal;
pub use event::{Event, Value};
pub use sink::Sink;
pub use source::{Extent, Polled, Progress, Record, Source, SourcePosition};
pub use time::{Span, Timestamp, Watermark};
