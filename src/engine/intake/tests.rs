//! What an intake makes of whole sources.

use super::*;
use crate::event::formats::{Format, Kinds, Projection};
use crate::event::schema::{EventType, Field, TimeUnit};
use crate::event::{EventTypeId, FieldId, FieldType, Schema};
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
        Ok(if self.given < self.lines.len() {
            self.says
        } else {
            Polled::End
        })
    }

    fn partitions(&self) -> Vec<u32> {
        vec![0]
    }

    fn extent(&self) -> crate::source::Extent {
        crate::source::Extent::Bounded
    }

    fn progress(&self) -> Option<Progress> {
        Some(Progress {
            done: self.given as u64,
            total: self.lines.len() as u64,
        })
    }
}

fn schema() -> Schema {
    let field = |name: &str, ty| Field {
        name: name.to_owned(),
        ty,
        optional: false,
        path: vec![name.to_owned()],
    };
    let ty = |name: &str| EventType {
        name: name.to_owned(),
        fields: vec![
            field("ts", FieldType::Timestamp(TimeUnit::Millis)),
            field("id", FieldType::Int),
        ],
        time: Some(FieldId(0)),
    };
    Schema {
        types: vec![ty("A"), ty("B")],
    }
}

/// Patterns wait for A only; types are told by the field `type`.
fn intake(sources: Vec<Vec<String>>, delay: i64, format: Format) -> Intake {
    let schema = schema();
    let mut projection = Projection::none(&schema);
    projection.read(&schema, EventTypeId(0), FieldId(1));
    let mut intake = Intake::new();
    for (number, lines) in sources.into_iter().enumerate() {
        let decoder = Decoder::new(
            &schema,
            &projection,
            format,
            &Kinds::Told("type".to_owned()),
        );
        let source = Lines {
            lines,
            given: 0,
            at_once: 7,
            says: Polled::More,
        };
        intake.add(format!("s{number}"), Box::new(source), decoder, Span(delay));
    }
    intake
}

fn line(ty: &str, ms: i64, id: i64) -> String {
    format!(r#"{{"type":"{ty}","ts":{},"id":{id}}}"#, START + ms)
}

/// Ids in the order in which they come out, and what was rejected.
fn drain(intake: &mut Intake) -> (Vec<i64>, Vec<String>) {
    let mut batch = Batch::new();
    let (mut ids, mut rejected) = (Vec::new(), Vec::new());
    let mut before = Watermark::NONE;
    loop {
        let polled = intake.poll(&mut batch, &mut |reject| {
            rejected.push(format!(
                "{} {} line {}: {}",
                reject.rejection.output(),
                reject.source,
                reject.offset,
                reject.reason
            ));
        });
        let ranks: Vec<_> = batch
            .events
            .iter()
            .map(|event| (event.time, event.position))
            .collect();
        assert!(ranks.is_sorted());
        assert!(
            ranks.iter().all(|(time, _)| before.0 <= *time),
            "nothing before the last watermark"
        );
        let last = batch.watermark == Watermark::FINAL;
        assert!(
            last || ranks.iter().all(|(time, _)| *time < batch.watermark.0),
            "nothing the watermark leaves open"
        );
        before = batch.watermark;
        for event in &batch.events {
            match event.values[1] {
                crate::event::Value::Int(id) => ids.push(id),
                ref other => panic!("{other:?}"),
            }
        }
        match polled.expect("lines can be read") {
            Intaken::End => break,
            Intaken::More | Intaken::Waiting => {}
        }
    }
    assert_eq!(batch.watermark, Watermark::FINAL);
    for (_, counts) in intake.counts() {
        assert_eq!(
            counts.read,
            counts.processed + counts.late + counts.malformed + counts.filtered
        );
    }
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
    let mut intake = intake(vec![lines], 2_000, Format::Json);
    let (ids, rejected) = drain(&mut intake);
    assert_eq!(ids, [1, 4, 2]);
    assert_eq!(
        rejected,
        [
            "late s0 line 3: time 2023-11-14T22:13:22.999Z is 1ms before the watermark; a larger delay would let it in",
            "malformed s0 line 7: not a JSON object: expected a member's name in quotes at byte 1",
            "late s0 line 8: time 2023-11-14T22:13:23.999Z is 1ms before the watermark; a larger delay would let it in",
        ]
    );
    let counts = intake.counts().next().expect("one source").1;
    let want = Counts {
        read: 9,
        processed: 3,
        late: 2,
        malformed: 1,
        filtered: 3,
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
    let (ids, rejected) = drain(&mut intake(vec![lines], 0, Format::Json));
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
    let (ids, rejected) = drain(&mut intake(vec![lines], 0, Format::Json));
    assert_eq!((ids, rejected), ((0..20).collect(), vec![]));
}

#[test]
fn a_source_that_is_behind_is_read_first() {
    let dense = (0..40_000).map(|n| line("A", n, n)).collect();
    let sparse = (0..400).map(|n| line("A", n * 100, 100_000 + n)).collect();
    let mut intake = intake(vec![dense, sparse], 0, Format::Json);
    let mut batch = Batch::new();
    let mut most = 0;
    while intake.poll(&mut batch, &mut |_| ()).expect("readable") != Intaken::End {
        most = most.max(intake.reorder.len() + batch.events.len());
    }
    assert!(most < 10_000, "{most} of 40,400 events were in memory");
    let sum: u64 = intake.counts().map(|(_, counts)| counts.processed).sum();
    assert_eq!(sum, 40_400);
    assert_eq!(
        intake.progress(),
        Some(Progress {
            done: 40_400,
            total: 40_400
        })
    );
}

#[test]
fn what_is_complete_is_given_out_before_waiting_for_more() {
    let schema = schema();
    let kinds = Kinds::One(EventTypeId(0));
    let decoder = Decoder::new(&schema, &Projection::all(&schema), Format::Json, &kinds);
    let source = Lines {
        lines: (0..4).map(|n| line("A", n * 1_000, n)).collect(),
        given: 0,
        at_once: 2,
        says: Polled::Waiting,
    };
    let mut intake = Intake::new();
    intake.add("live".to_owned(), Box::new(source), decoder, Span(0));
    let mut batch = Batch::new();
    let mut poll = |want: Intaken, watermark: Watermark, events: usize| {
        let polled = intake.poll(&mut batch, &mut |_| ());
        assert_eq!(polled, Ok(want));
        assert_eq!((batch.watermark, batch.events.len()), (watermark, events));
    };
    poll(Intaken::Waiting, Watermark(Timestamp(START + 1_000)), 1);
    poll(Intaken::End, Watermark::FINAL, 3);
    poll(Intaken::End, Watermark::FINAL, 0);
}

#[test]
fn a_header_without_a_column_ends_the_run() {
    let mut intake = intake(
        vec![vec!["ts,id".to_owned(), "1,2".to_owned()]],
        0,
        Format::Csv,
    );
    let error = intake
        .poll(&mut Batch::new(), &mut |_| ())
        .expect_err("no type");
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
        let (ids, rejected) = drain(&mut intake(sources, 2_000, Format::Json));
        prop_assert_eq!(rejected, Vec::<String>::new());
        let by_id: std::collections::HashMap<i64, i64> = events.iter().map(|event| (event.2, event.1)).collect();
        let out: Vec<i64> = ids.iter().map(|id| by_id[id]).collect();
        prop_assert_eq!(out, in_order);
    }
}
