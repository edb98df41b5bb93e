//! What an intake makes of whole sources.

use super::*;
use crate::automaton::Tables;
use crate::engine::reads;
use crate::engine::reorder::Reorder;
use crate::engine::snapshot::Activity;
use crate::event::formats::{Format, Kinds};
use crate::key::Shards;
use crate::lang::span::SourceMap;
use crate::lang::{Params, compile};
use crate::source::{Extent, Record};
use proptest::prelude::*;

const START: i64 = 1_700_000_000_000;
const DAY: i64 = 86_400_000;

/// Gives out its lines a few at a time.
struct Lines {
    lines: Vec<String>,
    given: usize,
    at_once: usize,
    /// What a poll says while there are lines left.
    says: Polled,
    extent: Extent,
}

impl Source for Lines {
    fn poll(&mut self, take: &mut dyn FnMut(Record<'_>)) -> Result<Polled, Error> {
        for line in self.lines.iter().skip(self.given).take(self.at_once) {
            self.given += 1;
            take(Record {
                bytes: line.as_bytes(),
                partition: 0,
                offset: self.given as u64,
                arrived: None,
                heads_file: false,
            });
        }
        let more = self.given < self.lines.len();
        Ok(if more || self.extent == Extent::Unbounded {
            self.says
        } else {
            Polled::End
        })
    }

    fn partitions(&self) -> Vec<u32> {
        vec![0]
    }

    fn extent(&self) -> Extent {
        self.extent
    }

    fn progress(&self) -> Option<Progress> {
        Some(Progress {
            done: self.given as u64,
            total: self.lines.len() as u64,
        })
    }
}

/// Patterns wait for A only.
const PATTERN: &str = "
event A { ts: timestamp time, id: int }
event B { ts: timestamp time, id: int }
pattern p { unkeyed match a: A then b: A where id == a.id within 1s emit out { id: a.id } }
";

fn plan() -> Arc<Plan> {
    let mut files = SourceMap::default();
    files.add("p.motif", PATTERN);
    let program = compile(&files, &Params::default()).program;
    let program = Arc::new(program.expect("no mistakes"));
    let tables = Tables::empty(&program);
    Arc::new(Plan::new(program, &tables).expect("an automaton"))
}

/// Puts sources together; types are told by the field `type`.
struct Reads {
    intake: Intake,
    board: Arc<Board>,
    reorder: Reorder,
    now: Now,
}

impl Reads {
    fn of(sources: Vec<Box<dyn Source>>, timing: Timing, format: Format) -> Reads {
        let plan = plan();
        let program = plan.program();
        let projection = reads::projection(program);
        let board = Arc::new(Board::new(sources.len(), Shards::ONE));
        let mut intake = Intake::new(Arc::clone(&plan), Arc::clone(&board));
        for (number, reader) in sources.into_iter().enumerate() {
            let decoder = Decoder::new(
                &program.schema,
                &projection,
                format,
                &Kinds::Told("type".to_owned()),
            );
            let reading = Reading {
                source: number as u16,
                name: format!("s{number}").into(),
                reader,
                decoder,
                timing,
            };
            intake.add(reading, number);
        }
        Reads {
            intake,
            board,
            reorder: Reorder::new(),
            now: Now {
                wall: Timestamp(START),
                micros: 0,
            },
        }
    }

    fn lines(sources: Vec<Vec<String>>, delay: i64) -> Reads {
        let lines = sources.into_iter().map(|lines| -> Box<dyn Source> {
            Box::new(Lines {
                lines,
                given: 0,
                at_once: 7,
                says: Polled::More,
                extent: Extent::Bounded,
            })
        });
        let timing = Timing {
            delay: Span(delay),
            ..Timing::default()
        };
        Reads::of(lines.collect(), timing, Format::Json)
    }

    /// Polls once, then looks for silence.
    fn poll(&mut self, rejected: &mut Vec<String>) -> Result<Polled, Error> {
        let (reorder, now) = (&mut self.reorder, self.now);
        let polled = self.intake.poll(
            now,
            Watermark::FINAL,
            &mut |judged, _| reorder.push(judged),
            &mut |reject| {
                rejected.push(format!(
                    "{} {} line {}: {}",
                    reject.rejection.output(),
                    reject.source,
                    reject.offset,
                    reject.reason
                ));
            },
        );
        self.intake.tick(now, &mut |judged, _| reorder.push(judged));
        polled
    }

    /// Lets so many milliseconds pass on both clocks.
    fn wait(&mut self, ms: i64) {
        self.now.wall = self.now.wall.plus(Span(ms));
        self.now.micros += ms.unsigned_abs() * 1_000;
    }

    /// What a partition of its own promises, after the epoch of the tests.
    fn promise(&self) -> Option<i64> {
        let promise = self.intake.promise();
        (promise != Watermark::NONE).then(|| promise.0.since(Timestamp(START)).0)
    }
}

fn line(ty: &str, ms: i64, id: i64) -> String {
    format!(r#"{{"type":"{ty}","ts":{},"id":{id}}}"#, START + ms)
}

/// Ids in the order of events, and what was rejected.
fn drain(reads: &mut Reads) -> (Vec<i64>, Vec<String>) {
    let (mut ids, mut rejected) = (Vec::new(), Vec::new());
    let mut before = Watermark::NONE;
    loop {
        let polled = reads.poll(&mut rejected).expect("lines can be read");
        let promise = reads.intake.promise();
        assert!(promise >= before);
        let mut events = Vec::new();
        reads.reorder.release(promise, &mut events);
        for judged in &events {
            assert!(before.0 <= judged.event.time, "nothing before a promise");
            match judged.event.values[1] {
                crate::event::Value::Int(id) => ids.push(id),
                ref other => panic!("{other:?}"),
            }
        }
        before = promise;
        if polled == Polled::End {
            break;
        }
    }
    assert_eq!(before, Watermark::FINAL);
    assert!(
        reads
            .intake
            .counts()
            .all(|(_, counts)| counts.is_conserved())
    );
    (ids, rejected)
}

#[test]
fn every_record_ends_in_one_outcome() {
    let lines = vec![
        line("A", 0, 1),
        line("A", 5_000, 2),
        line("A", 2_999, 3),
        line("A", 3_000, 4),
        line("B", 6_000, 5),
        line("C", 0, 6),
        "{".to_owned(),
        line("A", 3_999, 7),
        line("B", 0, 8),
    ];
    let mut reads = Reads::lines(vec![lines], 2_000);
    let (ids, rejected) = drain(&mut reads);
    assert_eq!(ids, [1, 4, 2]);
    assert_eq!(
        rejected,
        [
            "late s0 line 3: time 2023-11-14T22:13:22.999Z is 1ms before the watermark; a larger delay would let it in",
            "malformed s0 line 7: not a JSON object: expected a member's name in quotes at byte 1",
            "late s0 line 8: time 2023-11-14T22:13:23.999Z is 1ms before the watermark; a larger delay would let it in",
        ]
    );
    let counts = reads.intake.counts().next().expect("one source").1;
    let want = Counts {
        read: 9,
        processed: 3,
        late: 2,
        malformed: 1,
        filtered: 3,
        bytes: counts.bytes,
    };
    assert_eq!(counts, want);
}

#[test]
fn one_absurd_time_does_not_carry_the_watermark_away() {
    let lines = vec![
        line("A", 3_000 * DAY, 0),
        line("A", 0, 1),
        line("A", 1_000, 2),
        line("A", 5 * DAY, 3),
        line("A", 2_000, 4),
        line("B", 7 * DAY, 5),
        line("A", 2_500, 6),
    ];
    let (ids, rejected) = drain(&mut Reads::lines(vec![lines], 0));
    assert_eq!(ids, [1, 2, 4, 6]);
    assert_eq!(
        rejected,
        [
            "malformed s0 line 1: time 2032-01-31T22:13:20Z is more than a day ahead of any other: the next record is back at 2023-11-14T22:13:20Z",
            "malformed s0 line 4: time 2023-11-19T22:13:20Z is more than a day ahead of the source's newest, 2023-11-14T22:13:21Z, and the next record is back at 2023-11-14T22:13:22Z",
            "malformed s0 line 6: time 2023-11-21T22:13:20Z is more than a day ahead of the source's newest, 2023-11-14T22:13:22Z, and the next record is back at 2023-11-14T22:13:22.5Z",
        ]
    );
}

#[test]
fn events_days_apart_are_all_in_time() {
    let lines: Vec<String> = (0..20).map(|n| line("A", n * 3 * DAY, n)).collect();
    let (ids, rejected) = drain(&mut Reads::lines(vec![lines], 0));
    assert_eq!((ids, rejected), ((0..20).collect(), vec![]));
}

#[test]
fn a_source_that_is_behind_is_read_first() {
    let dense = (0..40_000).map(|n| line("A", n, n)).collect();
    let sparse = (0..400).map(|n| line("A", n * 100, 100_000 + n)).collect();
    let mut reads = Reads::lines(vec![dense, sparse], 0);
    let mut most = 0;
    let mut events = Vec::new();
    while reads.poll(&mut Vec::new()).expect("readable") != Polled::End {
        most = most.max(reads.reorder.len());
        reads.reorder.release(reads.intake.promise(), &mut events);
    }
    assert!(most < 1_000, "{most} of 40,400 events were in memory");
    let sum: u64 = reads
        .intake
        .counts()
        .map(|(_, counts)| counts.processed)
        .sum();
    assert_eq!(sum, 40_400);
    assert_eq!(
        reads.intake.progress(),
        Some(Progress {
            done: 40_400,
            total: 40_400
        })
    );
}

/// Sources that go on for ever, each with lines that all come at the first poll.
fn live(sources: Vec<Vec<String>>, timing: Timing) -> Reads {
    let sources = sources.into_iter().map(|lines| -> Box<dyn Source> {
        Box::new(Lines {
            at_once: lines.len(),
            lines,
            given: 0,
            says: Polled::Waiting,
            extent: Extent::Unbounded,
        })
    });
    Reads::of(sources.collect(), timing, Format::Json)
}

const IDLE: Timing = Timing {
    delay: Span(100),
    idle: Some(Span(1_000)),
    time: TimeBasis::Event,
};

#[test]
fn a_silent_partition_is_set_aside_and_bound_by_what_was_promised_meanwhile() {
    let mut reads = live(
        vec![vec![line("A", 0, 1)], vec![line("A", 5_000, 2)], vec![]],
        IDLE,
    );
    let mut rejected = Vec::new();
    reads.poll(&mut rejected).expect("readable");
    reads.poll(&mut rejected).expect("readable");
    assert_eq!(reads.promise(), None, "the third has not said anything");
    reads.wait(1_001);
    for _ in 0..3 {
        reads.poll(&mut rejected).expect("readable");
        reads.wait(2);
    }
    // All are silent: they follow the one that is furthest.
    assert!(reads.promise() >= Some(4_900), "{:?}", reads.promise());
    let activities: Vec<Activity> = (0..3).map(|at| reads.board.entry(at).1).collect();
    assert_eq!(activities, [Activity::Idle; 3]);
    assert_eq!(rejected, Vec::<String>::new());
}

#[test]
fn when_all_are_silent_time_passes_with_the_wall_clock() {
    let mut reads = live(vec![vec![line("A", 5_000, 2)]], IDLE);
    let mut rejected = Vec::new();
    let mut promise_after = |ms| {
        reads.wait(ms);
        reads.poll(&mut rejected).expect("readable");
        reads.promise()
    };
    assert_eq!(promise_after(0), Some(4_900));
    assert_eq!(
        promise_after(1_000),
        Some(4_900),
        "silent for long enough from now on"
    );
    assert_eq!(promise_after(400), Some(5_300));
    assert_eq!(promise_after(60_000), Some(65_300));
}

#[test]
fn the_wall_clock_moves_time_in_steps_and_loses_nothing_between_them() {
    let mut reads = live(
        vec![vec![line("A", 5_000, 1)], vec![line("A", 5_000, 2)]],
        IDLE,
    );
    let mut rejected = Vec::new();
    reads.poll(&mut rejected).expect("readable");
    reads.poll(&mut rejected).expect("readable");
    reads.wait(1_000);
    reads.poll(&mut rejected).expect("readable");
    let mut promises = Vec::new();
    for _ in 0..1_000 {
        reads.wait(1);
        reads.poll(&mut rejected).expect("readable");
        promises.extend(reads.promise());
    }
    assert_eq!(promises.last(), Some(&5_900), "a second has passed");
    promises.dedup();
    assert!(promises.len() <= 101, "{} steps", promises.len());
}

#[test]
fn without_idleness_silence_means_nothing() {
    let mut reads = live(
        vec![vec![line("A", 5_000, 2)]],
        Timing { idle: None, ..IDLE },
    );
    reads.poll(&mut Vec::new()).expect("readable");
    reads.wait(100_000_000);
    reads.poll(&mut Vec::new()).expect("readable");
    assert_eq!(reads.promise(), Some(4_900));
}

#[test]
fn an_event_before_what_an_idle_partition_promised_is_late() {
    let mut reads = live(vec![vec![line("A", 0, 1)]], IDLE);
    let mut rejected = Vec::new();
    reads.poll(&mut rejected).expect("readable");
    reads.wait(1_000);
    reads.poll(&mut rejected).expect("readable");
    reads.wait(10_000);
    reads.poll(&mut rejected).expect("readable");
    assert_eq!(reads.promise(), Some(9_900));
    let mut returning = live(vec![vec![]], IDLE);
    std::mem::swap(&mut reads.intake, &mut returning.intake);
    // The same lane, with more to read.
    let lane = &mut returning.intake.inputs[0];
    lane.reader = Box::new(Lines {
        lines: vec![line("A", 9_899, 2), line("A", 9_900, 3)],
        given: 0,
        at_once: 2,
        says: Polled::Waiting,
        extent: Extent::Unbounded,
    });
    std::mem::swap(&mut reads.intake, &mut returning.intake);
    reads.poll(&mut rejected).expect("readable");
    assert_eq!(
        rejected,
        [
            "late s0 line 1: time 2023-11-14T22:13:29.899Z is 1ms before the watermark; a larger delay would let it in"
        ]
    );
}

#[test]
fn time_waits_for_what_is_out_of_reach() {
    let mut reads = live(vec![vec![line("A", 0, 1)], vec![line("A", 50, 2)]], IDLE);
    let mut rejected = Vec::new();
    reads.poll(&mut rejected).expect("readable");
    reads.poll(&mut rejected).expect("readable");
    let read = |reads: &mut Reads, lines: Vec<String>, says| {
        reads.intake.inputs[0].reader = Box::new(Lines {
            at_once: lines.len(),
            lines,
            given: 0,
            says,
            extent: Extent::Unbounded,
        });
    };
    // The first one cannot be reached, and the second one is silent: nobody knows what the first one holds.
    read(&mut reads, vec![], Polled::Away);
    for _ in 0..20 {
        reads.wait(500);
        reads.poll(&mut rejected).expect("readable");
    }
    assert_eq!(reads.promise(), Some(-100));
    // It is there again, and is silent: time moves on with the wall clock, from then on.
    read(&mut reads, vec![], Polled::Waiting);
    reads.wait(1_000);
    reads.poll(&mut rejected).expect("readable");
    reads.poll(&mut rejected).expect("readable");
    reads.wait(2_000);
    reads.poll(&mut rejected).expect("readable");
    let promised = reads.promise().expect("time moves on");
    assert!((1_900..=2_000).contains(&promised), "{promised}");
    // What was set aside is waited for as well.
    read(&mut reads, vec![], Polled::Away);
    reads.poll(&mut rejected).expect("readable");
    let promised = reads.promise().expect("as before");
    for _ in 0..20 {
        reads.wait(500);
        reads.poll(&mut rejected).expect("readable");
    }
    assert_eq!(reads.promise(), Some(promised));
    read(&mut reads, vec![line("A", promised, 3)], Polled::Waiting);
    reads.poll(&mut rejected).expect("readable");
    assert_eq!(rejected, Vec::<String>::new());
}

#[test]
fn the_first_time_of_a_live_source_is_believed_when_the_wall_clock_agrees() {
    let mut reads = live(vec![vec![line("A", 10, 1)]], IDLE);
    reads.poll(&mut Vec::new()).expect("readable");
    assert_eq!(reads.reorder.len(), 1);
    let mut old = live(vec![vec![line("A", -3 * DAY, 1)]], IDLE);
    old.poll(&mut Vec::new()).expect("readable");
    assert_eq!(old.reorder.len(), 0, "held until the next record");
    old.wait(1_000);
    old.poll(&mut Vec::new()).expect("readable");
    assert_eq!(old.reorder.len(), 1, "nothing came to contradict it");
}

#[test]
fn processing_time_needs_no_time_in_the_record() {
    let timing = Timing {
        time: TimeBasis::Processing,
        ..Timing::default()
    };
    let mut reads = live(vec![vec![r#"{"type":"A","id":1}"#.to_owned()]], timing);
    let mut rejected = Vec::new();
    reads.wait(70);
    reads.poll(&mut rejected).expect("readable");
    assert_eq!(rejected, Vec::<String>::new());
    reads.wait(5);
    reads.poll(&mut rejected).expect("readable");
    assert_eq!(reads.promise(), Some(75));
    let mut events = Vec::new();
    reads.reorder.release(reads.intake.promise(), &mut events);
    let times: Vec<i64> = events
        .iter()
        .map(|judged| judged.event.time.0 - START)
        .collect();
    assert_eq!(times, [70]);
}

#[test]
fn a_header_without_a_column_ends_the_run() {
    let lines = Lines {
        lines: vec!["ts,id".to_owned(), "1,2".to_owned()],
        given: 0,
        at_once: 7,
        says: Polled::More,
        extent: Extent::Bounded,
    };
    let mut reads = Reads::of(vec![Box::new(lines)], Timing::default(), Format::Csv);
    let error = reads.poll(&mut Vec::new()).expect_err("no type");
    assert_eq!(
        error.to_string(),
        "source \"s0\": no column \"type\" to tell the event types apart; name the type (Type=path); columns are ts, id"
    );
}

proptest! {
    #[test]
    fn any_arrival_within_the_delay_gives_the_same_events(
        arrivals in prop::collection::vec((0_i64..1_000, 0_i64..2_000, 0_usize..3), 1..300),
        gap in prop::option::of((0_usize..300, DAY..10 * DAY)),
    ) {
        let mut time = 0;
        let mut events: Vec<(i64, i64, i64, usize)> = Vec::new();
        for (id, (step, held_up, source)) in (0..).zip(arrivals) {
            time += step;
            if gap.is_some_and(|(at, _)| at as i64 == id) {
                time += gap.map_or(0, |(_, gap)| gap);
            }
            events.push((time + held_up, time, id, source));
        }
        let in_order: Vec<i64> = events.iter().map(|event| event.1).collect();
        events.sort_unstable();
        let mut sources = vec![Vec::new(); 3];
        for (_, time, id, source) in &events {
            sources[*source].push(line("A", *time, *id));
        }
        let mut times: Vec<i64> = events.iter().map(|event| event.1).collect();
        times.sort_unstable();
        prop_assert_eq!(&times, &in_order);
        let (ids, rejected) = drain(&mut Reads::lines(sources, 2_000));
        prop_assert_eq!(rejected, Vec::<String>::new());
        let by_id: std::collections::HashMap<i64, i64> = events.iter().map(|event| (event.2, event.1)).collect();
        let out: Vec<i64> = ids.iter().map(|id| by_id[id]).collect();
        prop_assert_eq!(out, in_order);
    }
}
