//! What programs may rely on.

use std::sync::mpsc::sync_channel;

use super::*;
use crate::event::formats::EventBuilder;
use crate::event::{Event, Value};
use crate::sink;
use crate::source::{self, Extent, Polled, Progress, Record, Source};
use crate::time::{Span, Timestamp, Watermark};
use proptest::prelude::*;

const START: i64 = 1_700_000_000_000;
const PATTERNS: &str = r#"
    event Txn { at: timestamp time, card: string, amount: decimal, note: string? }
    pattern probe_then_drain {
      key card
      match probe: Txn where amount < 5 then drain: Txn where amount > 500
      within 10m
      emit fraud { card, spent: drain.amount, waited: drain.at - probe.at }
      timeout watchlist { card }
    }
"#;

fn at(seconds: i64) -> Timestamp {
    Timestamp(START + seconds * 1_000)
}

fn engine(delay: Span) -> Engine {
    let builder = Engine::builder().patterns_text("probe.motif", PATTERNS);
    builder.delay(delay).build().expect("no mistakes")
}

fn txn(seconds: i64, amount: i64) -> EventBuilder {
    let txn = Event::of("Txn", at(seconds));
    txn.set("card", "c1").set("amount", amount)
}

fn json(seconds: i64, amount: i64) -> String {
    let at = at(seconds).0;
    format!(r#"{{"type":"Txn","at":{at},"card":"c1","amount":{amount}}}"#)
}

fn shown(found: impl IntoIterator<Item = Match>) -> Vec<String> {
    found.into_iter().map(|found| found.to_string()).collect()
}

const FRAUD: &str = "fraud { card: c1, spent: 900, waited: 30s }";

#[test]
fn events_built_and_events_read_are_the_same() {
    for way in 0..3 {
        let mut engine = engine(Span(0));
        for (seconds, amount) in [(0, 1), (30, 900)] {
            let record = json(seconds, amount);
            let pushed = match way {
                0 => engine.push(txn(seconds, amount)),
                1 => engine.push_json("Txn", record.as_bytes()),
                _ => engine.push_record(record.as_bytes()),
            };
            pushed.expect("an event");
        }
        assert_eq!(shown(engine.finish().matches), [FRAUD], "{way}");
    }
}

#[test]
fn a_match_comes_once_the_watermark_has_passed_it() {
    let mut engine = engine(Span(5_000));
    assert_eq!(engine.push(txn(30, 900)).unwrap(), Pushed::Held);
    // Out of order, but within the delay; and the first one is confirmed.
    assert_eq!(engine.push(txn(26, 1)).unwrap(), Pushed::Taken);
    assert_eq!(engine.watermark(), Watermark(at(25)));
    assert_eq!(engine.matches().count(), 0);
    assert_eq!(engine.waiting(), 2);
    assert_eq!(engine.push(txn(35, 40)).unwrap(), Pushed::Filtered);
    assert_eq!(engine.matches().count(), 0);
    assert_eq!(engine.push(txn(36, 40)).unwrap(), Pushed::Filtered);
    let found: Vec<Match> = engine.matches().collect();
    assert_eq!(found.len(), 1);
    assert_eq!((found[0].from(), found[0].to()), (at(26), at(30)));
    assert_eq!(engine.matches().count(), 0);
}

#[test]
fn a_late_event_is_told_and_counted() {
    let mut engine = engine(Span(5_000));
    for seconds in [60, 61] {
        engine.push(txn(seconds, 1)).unwrap();
    }
    let behind = Span(6_000);
    assert_eq!(engine.push(txn(50, 900)).unwrap(), Pushed::Late { behind });
    let account = engine.finish().account;
    let counts = account.sources[0].1;
    assert_eq!((counts.read, counts.processed, counts.late), (3, 2, 1));
    assert_eq!(account.reasons.behind_max("pushed"), Some(behind));
}

#[test]
fn silence_times_out_when_time_is_said_to_pass() {
    let mut engine = engine(Span(0));
    engine.push(txn(0, 1)).unwrap();
    engine.advance_to(Watermark(at(600)));
    assert_eq!(engine.matches().count(), 0);
    engine.advance_to(Watermark(at(601)));
    let found: Vec<Match> = engine.matches().collect();
    assert_eq!(shown(found.clone()), ["watchlist { card: c1 }"]);
    assert!(found[0].is_timeout());
    // What was promised binds.
    let late = engine.push(txn(600, 1)).unwrap();
    assert_eq!(
        late,
        Pushed::Late {
            behind: Span(1_000)
        }
    );
    engine.advance_to(Watermark(at(0)));
    assert_eq!(engine.watermark(), Watermark(at(601)));
}

#[test]
fn an_absurd_time_carries_nothing_away() {
    let mut engine = engine(Span(0));
    engine.push(txn(0, 1)).unwrap();
    engine.push(txn(10, 40)).unwrap();
    let year = 365 * 86_400;
    assert_eq!(engine.push(txn(year, 1)).unwrap(), Pushed::Held);
    engine.advance_to(Watermark(at(20)));
    assert_eq!(engine.push(txn(30, 900)).unwrap(), Pushed::Taken);
    let end = engine.finish();
    assert_eq!(shown(end.matches), [FRAUD]);
    assert_eq!(end.account.sources[0].1.malformed, 1);
}

#[test]
fn what_is_no_event_is_an_error_that_names_the_way_out() {
    let mut engine = engine(Span(0));
    let mut check = |event: EventBuilder, want: &str| {
        let error = engine.push(event).expect_err(want);
        assert_eq!(error.kind(), ErrorKind::Malformed);
        assert_eq!(error.to_string(), want);
    };
    check(
        Event::of("Tnx", at(0)),
        "no event type \"Tnx\"; the patterns declare Txn",
    );
    check(
        txn(0, 1).set("crad", "c1"),
        "no field \"crad\" in Txn; there is at, card, amount, note",
    );
    check(
        txn(0, 1).set("amount", 1.5),
        "field \"amount\": wanted decimal, found 1.5",
    );
    check(
        Event::of("Txn", at(0)).set("card", "c1"),
        "field \"amount\" is missing; declare it decimal? if it may be",
    );
    check(
        txn(0, 1).set("at", at(0)),
        "field \"at\" is the time of Txn, which Event::of is given; leave it out",
    );
    check(
        Event::of("Txn", Timestamp(1_700_000_000)),
        "field \"at\": 1700000000 ms is 1970-01-20T16:13:20Z, before 2000-01-01; a Timestamp counts milliseconds",
    );
    let error = engine.push_json("Txn", b"{").expect_err("no JSON");
    assert_eq!(error.kind(), ErrorKind::Malformed);
    let error = engine.push_json("Tnx", b"{}").expect_err("no type");
    assert_eq!(
        error.to_string(),
        "no event type \"Tnx\"; did you mean \"Txn\"?"
    );
    // An event that was refused does no harm.
    engine.push(txn(0, 1)).unwrap();
    engine.push(txn(30, 900)).unwrap();
    let end = engine.finish();
    assert_eq!(shown(end.matches), [FRAUD]);
    assert_eq!(end.account.sources[0].1.malformed, 7);
}

#[test]
fn a_match_serializes_as_a_row() {
    let mut engine = engine(Span(0));
    engine.push(txn(0, 1)).unwrap();
    engine.push(txn(30, 900)).unwrap();
    let found = engine.finish().matches.remove(0);
    let id = found.id();
    assert_eq!(
        found.to_json(),
        format!(
            r#"{{"output":"fraud","pattern":"probe_then_drain","key":"c1","match_id":"{id}","from":1700000000000,"to":1700000030000,"record":{{"card":"c1","spent":900,"waited":30000}}}}"#
        )
    );
    let serialized = serde_json::to_string(&found).expect("JSON");
    assert_eq!(serialized, found.to_json().replace(":900,", r#":"900","#));
    assert_eq!(found.get("waited"), Some(&Value::Duration(Span(30_000))));
    assert_eq!(found.get("nothing"), None);
}

#[test]
fn all_mistakes_of_the_patterns_are_shown() {
    let builder = Engine::builder().patterns_text("two.motif", "pattern a { key x match b: Nope emit c { x } }\npattern d { key x match e: Nada emit f { x } }");
    let error = builder.build().expect_err("two mistakes");
    assert_eq!(error.kind(), ErrorKind::Patterns);
    let text = error.to_string();
    assert!(
        text.contains("two.motif:1:") && text.contains("two.motif:2:"),
        "{text}"
    );
}

#[test]
fn what_does_not_fit_together_is_said() {
    let error = |builder: Builder| builder.build().expect_err("refused").to_string();
    let probe = || Engine::builder().patterns_text("probe.motif", PATTERNS);
    assert!(error(Engine::builder()).starts_with("no patterns to run"));
    assert!(error(probe().shards(2)).ends_with("call start instead of build"));
    assert!(error(probe().source("a", "a.ndjson")).ends_with("call start instead of build"));
    assert!(error(probe().on_match(drop)).ends_with("call start instead of build"));
    assert_eq!(
        error(probe().delay(Span(-1))),
        "a delay of -1ms is negative; say how far events may be out of order"
    );
    let error = |builder: Builder| builder.start().expect_err("refused").to_string();
    let lines = || Input::from(Lines::of(&[])).event_type("Txn");
    assert!(error(probe()).starts_with("no events to read"));
    assert_eq!(
        error(probe().source("a", lines()).shards(0)),
        "0 shards are out of range; say 1 to 256"
    );
    assert_eq!(
        error(probe().source("a", lines()).output("farud", "-")),
        "no output \"farud\"; outputs are fraud, watchlist, late, malformed, evicted"
    );
    assert_eq!(
        error(probe().source("a", Input::from(Lines::of(&[])).event_type("Tnx"))),
        "no event type \"Tnx\"; did you mean \"Txn\"?"
    );
}

/// Gives out its lines, then ends.
struct Lines {
    lines: Vec<String>,
    given: usize,
}

impl Lines {
    fn of(events: &[(i64, i64)]) -> Lines {
        let lines = events
            .iter()
            .map(|(seconds, amount)| json(*seconds, *amount));
        Lines {
            lines: lines.collect(),
            given: 0,
        }
    }
}

impl Source for Lines {
    fn poll(&mut self, take: &mut dyn FnMut(Record<'_>)) -> Result<Polled, source::Error> {
        let Some(line) = self.lines.get(self.given) else {
            return Ok(Polled::End);
        };
        self.given += 1;
        take(Record {
            bytes: line.as_bytes(),
            partition: 0,
            offset: self.given as u64,
            arrived: None,
            heads_file: false,
        });
        Ok(Polled::More)
    }

    fn partitions(&self) -> Vec<u32> {
        vec![0]
    }

    fn extent(&self) -> Extent {
        Extent::Bounded
    }

    fn progress(&self) -> Option<Progress> {
        None
    }
}

/// Many frauds, one after the other.
fn frauds(count: i64) -> Lines {
    let pair = |nth| [(nth * 100, 1), (nth * 100 + 30, 900)];
    Lines::of(&(0..count).flat_map(pair).collect::<Vec<_>>())
}

fn on_threads(source: Lines) -> Builder {
    Engine::builder()
        .patterns_text("probe.motif", PATTERNS)
        .source("lines", source)
}

#[test]
fn threads_and_the_own_thread_find_the_same() {
    let mut engine = engine(Span(0));
    for line in &frauds(50).lines {
        engine.push_record(line.as_bytes()).unwrap();
    }
    let want = engine.finish().matches;
    assert_eq!(want.len(), 50);
    for shards in [1, 3] {
        let (queue, matches) = sync_channel(1000);
        let running = on_threads(frauds(50))
            .shards(shards)
            .matches_to(queue)
            .start();
        let found: Vec<Match> = matches.iter().collect();
        assert_eq!(found, want);
        assert_eq!(running.unwrap().wait().unwrap().rows, 50);
    }
}

#[test]
fn an_engine_waits_for_whoever_receives_matches() {
    let (queue, matches) = sync_channel(1);
    let source = frauds(50);
    let running = on_threads(source)
        .shards(2)
        .matches_to(queue)
        .start()
        .unwrap();
    std::thread::sleep(std::time::Duration::from_millis(50));
    assert!(!running.has_ended());
    assert!(running.watch().account().rows <= 1);
    assert_eq!(matches.iter().count(), 50);
    running.wait().unwrap();
}

#[test]
fn a_dropped_receiver_ends_the_run() {
    let (queue, matches) = sync_channel(1);
    drop(matches);
    let running = on_threads(frauds(3)).matches_to(queue).start().unwrap();
    let error = running.wait().expect_err("nobody receives");
    assert_eq!(error.kind(), ErrorKind::Closed);
}

#[test]
fn a_callback_sees_every_match_before_the_run_has_ended() {
    let (seen, told) = std::sync::mpsc::channel();
    let running = on_threads(frauds(9)).on_match(move |found| seen.send(found.at()).unwrap());
    running.start().unwrap().wait().unwrap();
    assert_eq!(told.try_iter().count(), 9);
}

#[test]
fn a_callback_that_panics_ends_the_run_with_an_error() {
    let running = on_threads(frauds(9)).on_match(|_| panic!("as the test wants it"));
    let error = running.start().unwrap().wait().expect_err("a panic");
    assert_eq!(error.kind(), ErrorKind::Panicked);
}

/// A sink that cannot be written.
struct Full;

impl crate::sink::Sink for Full {
    fn write(&mut self, _: &[u8]) -> Result<(), sink::Error> {
        Err(sink::Error::new("output \"full\": no room; make some"))
    }

    fn flush(&mut self) -> Result<(), sink::Error> {
        Ok(())
    }
}

#[test]
fn a_sink_of_the_program_that_fails_ends_the_run_with_its_error() {
    let running = on_threads(frauds(9)).output("fraud", Full).start().unwrap();
    let error = running.wait().expect_err("full");
    assert_eq!(error.kind(), ErrorKind::Output);
    assert_eq!(error.to_string(), "output \"full\": no room; make some");
}

#[test]
fn outputs_that_nobody_binds_go_nowhere_but_are_counted() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("watch.ndjson");
    let running = on_threads(frauds(9)).output("watchlist", path.display().to_string());
    let account = running.start().unwrap().wait().unwrap();
    assert_eq!((account.rows, account.tallies[0].matches), (0, 9));
    assert_eq!(std::fs::read_to_string(path).unwrap(), "");
}

proptest! {
    /// Whenever matches are fetched and time is pushed on, what is found is the same.
    #[test]
    fn fetching_early_changes_nothing_that_is_found(
        events in prop::collection::vec((0_i64..40, prop::bool::ANY), 1..60),
        fetch_every in 1_usize..9,
    ) {
        let mut often = engine(Span(60_000));
        let mut once = engine(Span(60_000));
        let mut found = Vec::new();
        for (nth, (held_up, small)) in (0..).zip(&events) {
            let event = txn(nth * 20 - held_up, if *small { 1 } else { 900 });
            let is_late = matches!(once.push(event.clone()).unwrap(), Pushed::Late { .. });
            prop_assert!(!is_late);
            often.push(event).unwrap();
            if (nth as usize).is_multiple_of(fetch_every) {
                found.extend(often.matches());
                let watermark = often.watermark();
                often.advance_to(watermark);
            }
        }
        found.extend(often.finish().matches);
        prop_assert_eq!(found, once.finish().matches);
    }
}
