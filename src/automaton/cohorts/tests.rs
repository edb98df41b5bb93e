use super::*;
use crate::automaton::State;
use crate::testing::state::Shown;

const PATTERN: &str = "event E { t: timestamp time, v: int }
    pattern p {
      unkeyed
      match a: E where v == 1
       then b: E where v == 2
       then not E where v == 3
       then c: E where v == 4
       then d: E where v == 5
      within 1h
      skip to next
      bound 1000000 evict oldest
      emit r { a: a.t, b: b.t, c: c.t }
    }";

impl Shown {
    fn new() -> Shown {
        Shown::of(PATTERN)
    }

    fn cohorts(&self) -> &Cohorts {
        match self.machine.states().next() {
            Some((_, State::Cohorts(cohorts))) => cohorts,
            other => panic!("no cohorts: {other:?}"),
        }
    }

    /// First events of the matches, in order.
    fn matches(&self) -> Vec<i64> {
        let from = self.outcome.drafts.iter().map(|draft| draft.from.0);
        from.collect()
    }
}

#[test]
fn those_at_one_step_go_on_together() {
    let mut shown = Shown::new();
    shown.show(&[1, 1, 2, 1, 4, 2, 1]);
    let counts: Vec<usize> = shown.cohorts().counts().collect();
    assert_eq!(counts, [1, 1, 2]);
    shown.show(&[5]);
    assert_eq!(shown.matches(), [1, 2]);
    let counts: Vec<usize> = shown.cohorts().counts().collect();
    assert_eq!(counts, [1, 1, 0]);
}

#[test]
fn what_is_broken_leaves_those_alone_that_came_farther_or_are_behind() {
    let mut shown = Shown::new();
    shown.show(&[1, 2, 4, 1, 2, 1, 3]);
    let counts: Vec<usize> = shown.cohorts().counts().collect();
    assert_eq!(counts, [1, 0, 1]);
    shown.show(&[2, 4, 5]);
    assert_eq!(shown.matches(), [1, 6]);
}

#[test]
fn events_that_only_broken_ones_bound_are_not_kept() {
    let mut shown = Shown::new();
    shown.show(&[1, 2, 4]);
    for _ in 0..1_000 {
        shown.show(&[1, 2, 1, 3]);
        let kept = shown.cohorts().records.iter().map(VecDeque::len);
        let starts = shown.cohorts().starts.len();
        assert!(kept.sum::<usize>() <= 2 * (RECORDS_KEPT + 1 + 2 * starts));
        // What is behind goes on, and is broken.
        shown.show(&[2, 3]);
    }
    assert_eq!(shown.cohorts().starts.len(), 1);
    shown.show(&[5]);
    assert_eq!(shown.matches(), [1]);
}

#[test]
fn a_key_that_was_busy_gives_its_room_back() {
    let mut shown = Shown::new();
    shown.show(&[1; 5_000]);
    assert!(shown.cohorts().starts.capacity() >= 5_000);
    shown.time += 3_599_000;
    shown.show(&[1]);
    assert!(shown.cohorts().starts.len() > 1);
    shown.time += 3_600_000;
    shown.show(&[1]);
    assert_eq!(shown.cohorts().starts.len(), 1);
    assert!(shown.cohorts().starts.capacity() <= STARTS_KEPT);
}

/// Steps with times of their own.
const GAPS: &str = "event E { t: timestamp time, v: int }
    pattern p {
      unkeyed
      match a: E where v == 1
       then within 3ms b: E where v == 2
       then not E where v == 3 for 2ms
       then c: E where v == 4
      within 1h
      skip to next
      emit r { a: a.t, b: b.t, c: c.t }
      timeout gone { a: a.t }
    }";

#[test]
fn of_those_at_one_step_the_oldest_are_late_first_and_have_waited_longest() {
    let mut shown = Shown::of(GAPS);
    shown.show(&[1, 0, 1, 0]);
    assert_eq!(shown.matches(), [0_i64; 0], "the first may go on until now");
    shown.show(&[0, 2]);
    assert_eq!(shown.matches(), [1], "the first is too late");
    shown.show(&[1, 2]);
    let counts: Vec<usize> = shown.cohorts().counts().collect();
    assert_eq!(counts, [0, 2]);
    // The older one has had its silence.
    shown.show(&[3]);
    let counts: Vec<usize> = shown.cohorts().counts().collect();
    assert_eq!(counts, [0, 1]);
    // The newer one has not.
    shown.show(&[1, 2, 4]);
    assert_eq!(shown.matches(), [1, 3]);
    let counts: Vec<usize> = shown.cohorts().counts().collect();
    assert_eq!(counts, [0, 1]);
    shown.show(&[4]);
    assert_eq!(shown.matches(), [1, 3, 10]);
}

/// A loop and a step behind it.
const LOOP: &str = "event E { t: timestamp time, v: int }
    pattern p {
      unkeyed
      match a: E{3,} where v <= 2
       then b: E where v >= 2
      within 1h
      bound 4 evict oldest
      emit r { n: count(a), first: first(a.v), all: collect(a.v) }
      timeout gone { n: count(a) }
    }";

#[test]
fn the_oldest_of_a_loop_completes_and_takes_all_with_it() {
    let mut shown = Shown::of(LOOP);
    // Of 2, which fits both, the loop takes all it can. The first that has three is the first of all.
    shown.show(&[1, 3, 2, 3, 2]);
    assert_eq!(shown.cohorts().partials(), 3);
    assert_eq!(shown.rows(), Vec::<String>::new());
    shown.show(&[5]);
    assert_eq!(shown.rows(), ["1 3 1 [1, 2, 2]"]);
    assert_eq!(shown.machine.states().count(), 0);
}

#[test]
fn what_is_left_of_a_loop_after_its_oldest_are_gone_goes_on() {
    let mut shown = Shown::of(LOOP);
    shown.show(&[0, 1, 0, 1, 0]);
    assert_eq!(shown.rows(), ["1 a"], "one gives way to the bound");
    shown.time = 3_600_002;
    shown.show(&[1]);
    assert_eq!(shown.rows()[1..], ["2 4"], "one times out");
    shown.show(&[7]);
    let rows = ["3 4", "4 3 1 [1, 0, 1]"];
    assert_eq!(shown.rows()[2..], rows, "one more, and the next completes");
}
