//! An engine in the thread of the program that embeds it.

use std::sync::Arc;

use super::input::{event_type, unnamed};
use super::matches::Names;
use super::{Builder, Error, ErrorKind, Match};
use crate::engine::{Account, Fate, Plan, Solo, reads};
use crate::event::formats::{Decoder, EventBuilder, Format, Kinds, Projection};
use crate::time::{Span, Watermark};

/// What reasons and counts call the program.
const PUSHED: &str = "pushed";

/// An engine that the program drives: it pushes events and fetches matches. Reads no clock, starts no thread, does no I/O.
///
/// Time is the time of events. An engine believes that nothing follows that lies more than the `delay` before the newest event; what is decided by then can be
/// fetched with [`Engine::matches`]. In silence the program says how late it is, with [`Engine::advance_to`].
///
/// ```
/// use leitmotif::{Engine, Event, Pushed, Timestamp};
///
/// let mut engine = Engine::builder()
///     .patterns_text("probe.motif", r#"
///         event Txn { at: timestamp time, card: string, amount: int }
///         pattern probe_then_drain {
///           key card
///           match probe: Txn where amount < 5 then drain: Txn where amount > 500
///           within 10m
///           emit fraud { card, spent: drain.amount }
///         }
///     "#)
///     .build()?;
/// let start = 1_700_000_000_000;
/// engine.push(Event::of("Txn", Timestamp(start)).set("card", "c1").set("amount", 1))?;
/// engine.push_json("Txn", br#"{"at": 1700000030000, "card": "c1", "amount": 900}"#)?;
/// // Something happens in the minute after: the time of the large payment is over.
/// let pushed = engine.push(Event::of("Txn", Timestamp(start + 60_000)).set("card", "c2").set("amount", 40))?;
/// assert_eq!(pushed, Pushed::Filtered);
/// for found in engine.matches() {
///     assert_eq!((found.output(), found.get("spent").unwrap().as_int()), ("fraud", Some(900)));
/// }
/// let end = engine.finish();
/// assert_eq!((end.matches.len(), end.account.rows), (0, 1));
/// # Ok::<(), leitmotif::Error>(())
/// ```
pub struct Engine {
    names: Arc<Names>,
    solo: Solo,
    projection: Projection,
    /// By event type: what reads its records. Made when the first one comes.
    decoders: Vec<Option<Decoder>>,
    /// For records that tell their type.
    told: Decoder,
    given_out: u64,
}

/// What became of an event that was pushed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Pushed {
    /// Patterns will see it once all before it is there.
    Taken,
    /// No pattern can use it. Time passes all the same.
    Filtered,
    /// It lies more than a day ahead of all before it, or is the very first: the next event, or [`Engine::advance_to`], tells whether that is meant. If not, it is
    /// counted as malformed then.
    Held,
    /// It came too late and is dropped; it would have been in time with so much more `delay`.
    Late {
        /// How far it lies before the watermark.
        behind: Span,
    },
}

/// The end of an engine.
#[derive(Debug)]
pub struct Finished {
    /// What was decided by the end of time and was not fetched before, in order.
    pub matches: Vec<Match>,
    /// What became of every event, and what every pattern did.
    pub account: Account,
}

impl Engine {
    /// Begins to say what an engine runs.
    pub fn builder() -> Builder {
        Builder::default()
    }

    pub(super) fn new(plan: Arc<Plan>, delay: Span, type_field: &str) -> Engine {
        let program = Arc::clone(plan.program());
        let projection = reads::projection(&program);
        let kinds = unnamed(type_field, &program);
        Engine {
            told: Decoder::new(&program.schema, &projection, Format::Json, &kinds),
            decoders: (0..program.schema.types.len()).map(|_| None).collect(),
            projection,
            solo: Solo::new(plan, PUSHED, delay),
            names: Arc::new(Names::new(program)),
            given_out: 0,
        }
    }

    /// Takes an event that the program built. Events may come in any order within the delay.
    ///
    /// Looks names up, judges the event by itself and puts it in line. Now and then that lets time pass for those before it.
    ///
    /// # Errors
    /// [`ErrorKind::Malformed`] when its type or a field is not declared, a value is of another type, or its time cannot be meant. It is counted;
    /// the engine goes on.
    pub fn push(&mut self, event: EventBuilder) -> Result<Pushed, Error> {
        let schema = &self.names.program.schema;
        let decoded = event.build(schema, &self.projection, self.solo.next());
        pushed(self.solo.put(b"", decoded))
    }

    /// Takes a JSON object that is an event of this type, as the type's declaration says. Only what patterns read is decoded.
    ///
    /// # Errors
    /// [`ErrorKind::Configuration`] when the type is not declared; [`ErrorKind::Malformed`] when it is not JSON, a field is missing or has another type, it is
    /// larger than 1 MiB, or its time cannot be meant. That is counted; the engine goes on.
    pub fn push_json(&mut self, ty: &str, json: &[u8]) -> Result<Pushed, Error> {
        let program = &self.names.program;
        let id = event_type(program, ty)?;
        let decoder = self.decoders[usize::from(id.0)].get_or_insert_with(|| {
            Decoder::new(
                &program.schema,
                &self.projection,
                Format::Json,
                &Kinds::One(id),
            )
        });
        pushed(self.solo.read(decoder, json))
    }

    /// Takes a JSON object that tells its type in the field [`Builder::type_field`]. One of a type that is not declared is filtered.
    ///
    /// # Errors
    /// As [`Engine::push_json`].
    pub fn push_record(&mut self, json: &[u8]) -> Result<Pushed, Error> {
        pushed(self.solo.read(&mut self.told, json))
    }

    /// Lets time pass without an event: nothing before `watermark` follows. What comes before it all the same is late. A watermark that time has passed already
    /// changes nothing.
    ///
    /// ```
    /// use leitmotif::{Engine, Event, Timestamp, Watermark};
    ///
    /// let mut engine = Engine::builder()
    ///     .patterns_text("beat.motif", "event Beat { at: timestamp time, device: string }
    ///         pattern silent { key device match last: Beat then not Beat for 2m emit offline { device } }")
    ///     .build()?;
    /// let start = Timestamp(1_700_000_000_000);
    /// engine.push(Event::of("Beat", start).set("device", "d1"))?;
    /// assert_eq!(engine.matches().count(), 0);
    /// engine.advance_to(Watermark(Timestamp(start.0 + 180_000)));
    /// assert_eq!(engine.matches().count(), 1);
    /// # Ok::<(), leitmotif::Error>(())
    /// ```
    pub fn advance_to(&mut self, watermark: Watermark) {
        self.solo.raise(watermark);
    }

    /// Everything found so far that nobody has fetched, in the order of time. What is dropped unseen is gone.
    ///
    /// Costs a move per event that waits for the watermark: with a long `delay` fetch after a batch of events, not after each.
    pub fn matches(&mut self) -> impl Iterator<Item = Match> + '_ {
        let (names, given_out) = (&self.names, &mut self.given_out);
        let found = self.solo.rows().filter_map(|row| Match::of(names, row));
        found.inspect(|_| *given_out += 1)
    }

    /// Up to where nothing follows: the newest time less the delay, or further if the program said so.
    #[must_use]
    pub fn watermark(&self) -> Watermark {
        self.solo.watermark()
    }

    /// How many events wait for the watermark. They are what memory grows with, besides the state of keys and matches that nobody fetches.
    #[must_use]
    pub fn waiting(&self) -> usize {
        self.solo.waiting()
    }

    /// What became of every event so far, and what every pattern did. Copies a few numbers per pattern.
    #[must_use]
    pub fn account(&self) -> Account {
        self.solo.account(self.given_out)
    }

    /// Ends time: everything still open is decided, absences hold, windows close.
    #[must_use = "the last matches are in it"]
    pub fn finish(mut self) -> Finished {
        self.solo.end();
        let matches = self.matches().collect();
        Finished {
            matches,
            account: self.account(),
        }
    }
}

fn pushed(fate: Result<Fate, String>) -> Result<Pushed, Error> {
    match fate {
        Ok(Fate::Processed) => Ok(Pushed::Taken),
        Ok(Fate::Filtered) => Ok(Pushed::Filtered),
        Ok(Fate::Leaping) => Ok(Pushed::Held),
        Ok(Fate::Late(behind)) => Ok(Pushed::Late { behind }),
        Ok(Fate::Malformed) => unreachable!("a malformed record is told by its reason"),
        Err(reason) => Err(Error::new(ErrorKind::Malformed, reason)),
    }
}

impl std::fmt::Debug for Engine {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Engine")
            .field("watermark", &self.watermark())
            .field("waiting", &self.waiting())
            .finish_non_exhaustive()
    }
}
