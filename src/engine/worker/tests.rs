//! What workers do that no row shows.

use super::*;
use crate::automaton::Tables;
use crate::engine::intake::Timing;
use crate::engine::reads;
use crate::engine::run::{Parts, SourceSetup};
use crate::event::formats::{Decoder, Format, Kinds};
use crate::lang::span::SourceMap;
use crate::lang::{Params, compile};
use crate::sink::{Opening, Outputs};
use crate::source::{Error, Extent, Progress, Record, Source};
use crate::time::Timestamp;

/// Events of one key, a millisecond apart, for ever and without a pause.
struct Endless {
    key: String,
    given: u64,
}

impl Source for Endless {
    fn poll(&mut self, take: &mut dyn FnMut(Record<'_>)) -> Result<Polled, Error> {
        for _ in 0..10 {
            self.given += 1;
            let line = format!(
                r#"{{"ts":{},"k":"{}"}}"#,
                1_700_000_000_000 + self.given,
                self.key
            );
            take(Record {
                bytes: line.as_bytes(),
                partition: 0,
                offset: self.given,
                arrived: None,
                heads_file: false,
            });
        }
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

/// Two shards; the first reads [`Endless`].
fn two(key: &str) -> Parts {
    let mut files = SourceMap::default();
    files.add(
        "p.motif",
        "event A { ts: timestamp time, k: string } pattern p { key k match a: A then b: A within 1s emit out { k } }",
    );
    let program = compile(&files, &Params::default()).program;
    let program = Arc::new(program.expect("no mistakes"));
    let plan = Plan::new(Arc::clone(&program), &Tables::empty(&program));
    let plan = Arc::new(plan.expect("an automaton"));
    let (outputs, drains) =
        Outputs::bind(&program, Vec::new(), &mut Opening::stateless()).expect("nothing is bound");
    let projection = reads::projection(&program);
    let kinds = Kinds::One(program.schema.find("A").expect("declared"));
    let decoder = Decoder::new(&program.schema, &projection, Format::Json, &kinds);
    let reader: Box<dyn Source> = Box::new(Endless {
        key: key.to_owned(),
        given: 0,
    });
    let source = SourceSetup {
        name: "endless".to_owned(),
        readers: vec![(reader, decoder)],
        timing: Timing::default(),
    };
    let shards = Shards::new(2).expect("two");
    let parts = Parts::new(plan, shards, vec![source], outputs, drains, None);
    parts.expect("nothing is gone on from")
}

#[test]
fn time_passes_on_a_shard_that_reads_without_a_pause_and_keeps_no_event() {
    // One of these keys is not the first shard's.
    let passed = ["a", "b", "c", "d", "e", "f"].map(|key| {
        let parts = two(key);
        let mut workers: Vec<Worker> = (parts.workers.into_iter())
            .filter_map(|setup| setup.build().ok())
            .collect();
        let mut collector = parts.collector.expect("there are two shards");
        for turn in 0..400 {
            let now = Now {
                wall: Timestamp(0),
                micros: turn * 500,
            };
            for worker in &mut workers {
                worker.turn(now, Order::GoOn).expect("endless");
            }
            collector.turn().expect("nothing is bound");
        }
        let shards = parts.watch.snapshot(0.0).shards;
        (shards[0].routed > 0, shards[0].watermark_ms.is_some())
    });
    assert!(passed.iter().any(|(routed, _)| *routed), "{passed:?}");
    assert!(passed.iter().all(|(_, passed)| *passed), "{passed:?}");
}
