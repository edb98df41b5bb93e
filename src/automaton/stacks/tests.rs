use std::sync::Arc;

use super::*;
use crate::automaton::{RuntimeClass, State};
use crate::lang::pattern::PatternId;
use crate::testing::compile;
use crate::testing::state::{Machine, Shown};

/// Shows events to steps that follow each other by `then any`, under a bound.
fn shown_to(steps: &str, bound: u32, values: &[i64]) -> Shown {
    let text = format!(
        "event E {{ t: timestamp time, v: int }}
         pattern p {{
           unkeyed
           match {steps}
           within 10ms
           skip none
           bound {bound} evict oldest
           emit r {{ a: a.t, b: count(b) }}
         }}"
    );
    let mut shown = Shown::of(&text);
    shown.show(values);
    shown
}

impl Shown {
    fn partials(&self) -> usize {
        self.state().partials(self.machine.nfa())
    }

    /// First and last event of what came out, and how many events were bound to `b`.
    fn bounds(&self) -> Vec<(i64, i64, i64)> {
        let rows = self.outcome.drafts.iter().map(|draft| {
            let Some(Value::Int(bound)) = draft.values.get(1) else {
                return (draft.from.0, draft.to.0, 0);
            };
            (draft.from.0, draft.to.0, *bound)
        });
        rows.collect()
    }
}

fn shown(bound: u32, values: &[i64]) -> Shown {
    let steps = "a: E where v == 1
        then any b: E where v == 2 or v == 3
        then any c: E where v == 3";
    shown_to(steps, bound, values)
}

#[test]
fn an_event_does_not_follow_itself() {
    let shown = shown(100, &[1, 3, 3]);
    // The second 3 ends a match with the first one, and none with itself.
    assert_eq!(shown.bounds(), [(1, 3, 1)]);
    assert_eq!(shown.partials(), 3);
}

#[test]
fn partial_matches_are_counted_without_those_that_have_expired() {
    // The first two starts expire; each of the others has all of what follows it.
    let shown = shown(100, &[1, 1, 2, 0, 0, 1, 2, 1, 2, 2, 0, 0, 1]);
    let State::Stacks(stacks) = shown.state() else {
        panic!("not stacks: {:?}", shown.state());
    };
    let plan = shown.machine.nfa().stack_plan();
    assert_eq!(stacks.partials_by_step(plan), [3, 5]);
    assert_eq!(stacks.stacks[1].entries.len(), 3);
}

#[test]
fn more_than_bound_allows_are_told_apart_and_the_oldest_give_way() {
    let few = [1, 2, 2, 1];
    assert!(matches!(shown(4, &few).state(), State::Stacks(_)));
    let shown = shown(3, &few);
    assert!(
        matches!(shown.state(), State::Runs(_)),
        "{:?}",
        shown.state()
    );
    assert_eq!(
        (shown.partials(), &shown.bounds()[..]),
        (3, &[(1, 2, 0)][..])
    );
}

#[test]
fn a_loop_keeps_each_event_once_however_many_subsets_there_are() {
    let steps = "a: E where v == 1
        then any b: E+? combinations where v == 2
        then any c: E where v == 3 and count(b) >= 7";
    let shown = shown_to(steps, 1_000, &[1, 2, 2, 2, 2, 2, 2, 2, 3]);
    // One of the 127 subsets has as many.
    assert_eq!(shown.bounds(), [(1, 9, 7)]);
    let State::Stacks(stacks) = shown.state() else {
        panic!("not stacks: {:?}", shown.state());
    };
    let kept: Vec<usize> = stacks
        .stacks
        .iter()
        .map(|stack| stack.entries.len())
        .collect();
    assert_eq!(kept, [1, 7]);
    // The 63 that an event of the loop came after prefer the end to what comes after it, and are two each.
    assert_eq!(shown.partials(), 1 + 127 + 63);
}

#[test]
fn a_greedy_loop_leaves_none_out_at_its_end() {
    let steps = "a: E where v == 1
        then any b: E+ combinations where v == 2
        then any c: E where v == 3";
    let rows = shown_to(steps, 100, &[1, 2, 2, 3]).bounds();
    assert_eq!(rows, [(1, 4, 2), (1, 4, 1)]);
}

#[test]
fn starts_of_several_steps_take_turns() {
    let steps = "(a: E where v == 1 | b: E where v == 2 or v == 1) then any c: E where v == 3";
    let shown = shown_to(steps, 100, &[2, 1, 2, 3]);
    // An event that begins in both ways begins twice, as the first one first.
    assert_eq!(shown.bounds(), [(1, 4, 1), (2, 4, 0), (2, 4, 1), (3, 4, 1)]);
    assert_eq!(shown.partials(), 4);
}

#[test]
fn counts_alternatives_and_groups_have_their_stacks() {
    for (steps, wanted) in [
        (
            "a: E where v == 1 then any (b: E where v == 2 | c: E where v == 4) then any d: E where v == 3",
            4,
        ),
        (
            "a: E where v == 1 then any (b: E where v == 2 then any c: E where v == 4)+? combinations then any d: E where v == 3",
            4,
        ),
        (
            "a: E where v == 1 then any b: E{2,}? combinations where v == 2 or v == 4 then any d: E where v == 3",
            11,
        ),
        (
            "a: E where v == 1 then any b: E{2,3}? combinations where v == 2 or v == 4 then any d: E where v == 3",
            10,
        ),
        (
            "a: E where v == 1 then any b: E{2}? combinations where v == 2 or v == 4 then any d: E where v == 3",
            6,
        ),
    ] {
        let shown = shown_to(steps, 1_000, &[1, 2, 4, 2, 4, 3]);
        assert!(matches!(shown.state(), State::Stacks(_)), "{steps}");
        assert_eq!(
            shown.bounds().len(),
            wanted,
            "{steps}: {:?}",
            shown.bounds()
        );
    }
}

#[test]
fn what_is_joined_by_then_any_alone_has_stacks() {
    let class = |steps: &str| {
        let text = format!(
            "event E {{ t: timestamp time, v: int }}
             pattern p {{ unkeyed match {steps} within 10ms emit r {{ z: z.t }} }}"
        );
        let program = Arc::new(compile(&text).expect("it is right"));
        Machine::new(&program, PatternId(0)).nfa().class()
    };
    for steps in [
        "a: E then any z: E",
        "z: E+ combinations where v == 1",
        "a: E+ combinations where v == 1 then any z: E where v > count(a)",
        "a: E then any b: E? where v == 1 then any z: E",
        "a: E then any b: E* combinations where v == 1 then any z: E",
        "a: E then any b: E{1,3} combinations where v == 1 then any z: E",
        "a: E then any (b: E | c: E then any d: E) then any z: E",
        "a: E then any (b: E where v == 1 then any c: E)+? combinations then any z: E",
        "(a: E where v == 1 | b: E where v == 2) then any z: E",
        "(a: E where v == 1 then any b: E | c: E where v == 2) then any z: E",
        "(a: E where v == 1 then any b: E | z: E where v == 2)",
    ] {
        assert_eq!(class(steps), RuntimeClass::Stacks, "{steps}");
    }
    for steps in [
        // What a partial match has bound decides which events go on from it.
        "a: E then any b: E where v > a.v then any z: E",
        // Repeats follow each other by `then`.
        "a: E then any b: E+ where v == 1 then any z: E",
        "a: E then b: E+ combinations where v == 1 then any z: E",
        // What the group wants may lead nowhere.
        "a: E then any (b: E where v == 1 then any c: E)* combinations then any z: E",
        // As many places as counts.
        "a: E then any b: E{100,} combinations where v == 1 then any z: E",
    ] {
        assert_ne!(class(steps), RuntimeClass::Stacks, "{steps}");
    }
}
