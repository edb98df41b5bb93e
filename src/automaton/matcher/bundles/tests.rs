use super::*;
use crate::automaton::State;
use crate::testing::state::Shown;

/// A loop behind a step, and one more behind it: partial matches go two ways.
const LOOP: &str = "event E { t: timestamp time, v: int }
    pattern p {
      unkeyed
      match a: E where v == 1
       then b: E{2,} where v == 2
       then c: E where v == 3
       then d: E where v == 4
      within 1h
      skip none
      bound 1000000 evict oldest
      emit r { b: count(b) }
    }";

impl Shown {
    fn bundles(&self) -> &Bundles {
        match self.state() {
            State::Bundles(bundles) => bundles,
            other => panic!("no bundles: {other:?}"),
        }
    }
}

#[test]
fn a_key_with_many_partial_matches_has_bundles_until_it_has_few() {
    let mut shown = Shown::of(LOOP);
    shown.show(&[1; 31]);
    shown.show(&[0; 100]);
    assert!(matches!(shown.state(), State::Runs(_)), "too few");
    shown.show(&[1; 40]);
    assert_eq!(shown.bundles().partials(), 71);
    assert_eq!(shown.bundles().bundles.len(), 1);
    shown.show(&[2]);
    shown.show(&[1, 2, 1]);
    // Those with enough repeats, one with one too few, and one that just began.
    assert_eq!(shown.bundles().bundles.len(), 3);
    shown.time += 3_600_000 - 3;
    shown.show(&[1]);
    assert!(matches!(shown.state(), State::Runs(_)), "few are left");
}

#[test]
fn what_goes_two_ways_is_preferred_by_its_longest_loop() {
    let mut shown = Shown::of(LOOP);
    shown.show(&[1; 70]);
    shown.show(&[2, 2, 3, 2, 3]);
    // Each waits for more repeats, and for what ends it, once for each event that ended the loop.
    assert_eq!(shown.bundles().bundles.len(), 3);
    assert_eq!(shown.bundles().partials(), 3 * 70);
    shown.show(&[4]);
    let rows = shown.rows();
    assert_eq!(rows.len(), 2 * 70);
    assert_eq!(rows[..4], ["1 3", "1 2", "2 3", "2 2"]);
}

#[test]
fn events_that_nobody_asks_for_are_dropped() {
    let mut shown = Shown::of(LOOP);
    for _ in 0..200 {
        shown.show(&[1; 10]);
        shown.show(&[2; 100]);
        shown.time += 300_000;
    }
    // An hour holds some twelve of these, with their events.
    let kept: Vec<usize> = shown
        .bundles()
        .bundles
        .iter()
        .map(|bundle| bundle.bound.events.len())
        .collect();
    assert!(
        kept.iter().sum::<usize>() <= 2 * 13 * 100 + LOG_KEPT,
        "{kept:?}"
    );
    assert!(shown.bundles().partials() <= 13 * 10);
    for bundle in &shown.bundles().bundles {
        assert!(bundle.members.capacity() <= 4 * bundle.members.len().max(ROOM_KEPT));
    }
}

#[test]
fn a_loop_with_few_starts_keeps_few_events() {
    let mut shown = Shown::of(LOOP);
    shown.show(&[1; 64]);
    for _ in 0..1_000 {
        shown.show(&[2; 100]);
    }
    let kept = |shown: &Shown| shown.bundles().bundles[0].bound.events.len();
    assert!(kept(&shown) <= 2 * LOG_MAX, "{}", kept(&shown));
    shown.show(&[3, 4]);
    let rows = shown.rows();
    assert_eq!(rows.len(), 64);
    assert!(rows.iter().all(|row| row.ends_with(" 100000")), "{rows:?}");
}
