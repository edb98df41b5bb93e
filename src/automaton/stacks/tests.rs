use std::sync::Arc;

use super::*;
use crate::automaton::State;
use crate::event::{Event, EventTypeId, Position};
use crate::lang::pattern::PatternId;
use crate::testing::compile;
use crate::testing::state::Machine;

/// Shows events of one value each, a millisecond apart, to a pattern under a bound; its state, and first and last events of what came out.
fn shown(bound: u32, values: &[i64]) -> (State, Vec<(i64, i64)>) {
    let text = format!(
        "event E {{ t: timestamp time, v: int }}
         pattern p {{
           unkeyed
           match a: E where v == 1
            then any b: E where v == 2 or v == 3
            then any c: E where v == 3
           within 10ms
           skip none
           bound {bound} evict oldest
           emit r {{ a: a.t, b: b.t }}
         }}"
    );
    let program = Arc::new(compile(&text).expect("it is right"));
    let mut machine = Machine::new(&program, PatternId(0));
    let mut outcome = Outcome::default();
    for (time, v) in (1..).zip(values) {
        let time = Timestamp(time);
        let event = Event {
            ty: EventTypeId(0),
            time,
            position: Position::default(),
            values: Box::new([Value::Timestamp(time), Value::Int(*v)]),
        };
        machine.show(&event, &mut outcome);
    }
    let drafts = outcome.drafts.iter();
    let rows = drafts.map(|draft| (draft.from.0, draft.to.0)).collect();
    let (_, state) = machine.states().next().expect("partial matches");
    (state.clone(), rows)
}

#[test]
fn an_event_does_not_follow_itself() {
    let (state, rows) = shown(100, &[1, 3, 3]);
    // The second 3 ends a match with the first one, and none with itself.
    assert_eq!(rows, [(1, 3)]);
    assert_eq!(state.partials(), 3);
}

#[test]
fn partial_matches_are_counted_without_those_that_have_expired() {
    // The first two starts expire; each of the others has all of what follows it.
    let (state, _) = shown(100, &[1, 1, 2, 0, 0, 1, 2, 1, 2, 2, 0, 0, 1]);
    let State::Stacks(stacks) = &state else {
        panic!("not stacks: {state:?}");
    };
    assert_eq!(stacks.paths(), [3, 5]);
    assert_eq!(stacks.stacks[1].entries.len(), 3);
}

#[test]
fn more_than_bound_allows_are_told_apart_and_the_oldest_give_way() {
    let few = [1, 2, 2, 1];
    assert!(matches!(shown(4, &few).0, State::Stacks(_)));
    let (state, rows) = shown(3, &few);
    assert!(matches!(state, State::Runs(_)), "{state:?}");
    assert_eq!((state.partials(), rows), (3, vec![(1, 2)]));
}
