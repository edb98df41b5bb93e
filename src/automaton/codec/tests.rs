use std::sync::Arc;

use proptest::prelude::*;

use super::super::Outcome;
use super::*;
use crate::lang::pattern::PatternId;
use crate::testing::state::{Machine, PATTERNS};
use crate::testing::{compile, fuzz};

/// The file's patterns with the states that the events of its first test leave.
fn machines(text: &str) -> Vec<Machine> {
    let program = Arc::new(compile(text).expect("the patterns are right"));
    let machine = |at| {
        let mut machine = Machine::new(&program, PatternId(at));
        let mut outcome = Outcome::default();
        for event in &program.tests[0].given {
            machine.show(event, &mut outcome);
        }
        machine
    };
    (0..program.patterns.len() as u32).map(machine).collect()
}

/// The bytes of every state of the fixture's patterns, each behind the number of its pattern.
fn states() -> Vec<Vec<u8>> {
    let machines = machines(PATTERNS);
    let of_machine = |(number, machine): (u8, &Machine)| {
        let states = machine.states().map(|(_, state)| machine.bytes(state));
        let numbered = states.map(|bytes| [vec![number], bytes].concat());
        numbered.collect::<Vec<_>>()
    };
    (0..).zip(&machines).flat_map(of_machine).collect()
}

#[test]
fn every_kind_of_state_is_read_as_it_was_written() {
    for machine in machines(PATTERNS) {
        let name = machine.nfa().name();
        assert!(machine.states().count() > 0, "{name} has no state");
        for (_, state) in machine.states() {
            let bytes = machine.bytes(state);
            let mut reader = Reader::new(&bytes);
            let read = machine.nfa().decode(&mut reader).expect(name);
            assert_eq!(reader.end(), Ok(()), "{name}");
            assert_eq!(machine.bytes(&read), bytes, "{name}");
            assert_eq!(read.is_empty(), state.is_empty(), "{name}");
            assert_eq!(read.digest(), state.digest(), "{name}");
            let next = |state| machine.nfa().next_instant(state);
            assert_eq!(next(&read), next(state), "{name}");
        }
    }
}

#[test]
fn every_field_that_can_be_left_out_is_there_in_some_state() {
    let (mut flags, mut heads) = (0, 0);
    for machine in machines(PATTERNS) {
        for (_, state) in machine.states() {
            let bytes = machine.bytes(state);
            let head = usize::from(bytes[0]);
            heads |= Head::read(&mut Reader::new(&bytes[head..])).unwrap().flags;
            let State::Runs(runs) = state else { continue };
            for run in &runs.runs {
                let present = [
                    run.fresh,
                    run.matched,
                    run.ended != 0,
                    run.anchor != run.first_time,
                    run.mark.is_some(),
                    run.counters.iter().any(|count| *count > 0),
                    run.bound > 1,
                ];
                let bits = present.iter().enumerate();
                flags |= bits.fold(0, |mask, (at, present)| mask | u32::from(*present) << at);
            }
        }
    }
    assert_eq!((flags, heads), (0x7f, 7));
}

#[test]
fn a_cut_state_is_damaged() {
    for machine in machines(PATTERNS) {
        for (_, state) in machine.states() {
            let bytes = machine.bytes(state);
            for length in 0..bytes.len() {
                let read = machine.nfa().decode(&mut Reader::new(&bytes[..length]));
                let (name, bytes) = (machine.nfa().name(), &bytes[..length]);
                assert!(read.is_err(), "{name}: {bytes:02x?} is {read:?}");
            }
        }
    }
}

#[test]
fn a_state_with_any_byte_changed_is_damaged_or_a_state_that_goes_on() {
    for state in states() {
        for at in 1..state.len() {
            for change in [1, 0x80, 0xff, 0x10] {
                let mut data = state.clone();
                data[at] ^= change;
                fuzz::state(&data);
            }
        }
    }
}

#[test]
fn a_state_of_another_pattern_is_damaged_or_a_state_that_goes_on() {
    let patterns = machines(PATTERNS).len() as u8;
    for mut state in states() {
        for pattern in 0..patterns {
            state[0] = pattern;
            fuzz::state(&state);
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(10_000))]

    #[test]
    fn no_bytes_make_the_engine_panic(
        of: prop::sample::Index,
        changes in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..6),
    ) {
        thread_local! {
            static STATES: Vec<Vec<u8>> = states();
        }
        let mut data = STATES.with(|states| of.get(states).clone());
        for (at, byte) in changes {
            *at.get_mut(&mut data[1..]) = byte;
        }
        fuzz::state(&data);
    }
}

#[test]
fn what_is_shared_is_read_as_partial_matches_where_a_changed_pattern_keeps_those_apart() {
    let names = [
        "stacks_of_three_steps",
        "stacks_that_let_one_through",
        "stacks_of_subsets",
        "cohorts_that_let_one_through",
    ];
    for name in names {
        let changed = |text: &str| {
            let text = text.replace("then any c: A where", "then any within 5m c: A where");
            let text = text.replace("then any d: A where", "then any within 5m d: A where");
            text.replace("next c: A where", "next c: A where a.v >= 0 and")
        };
        let (before, after) = (machines(PATTERNS), machines(&changed(PATTERNS)));
        let of_name = |machines: Vec<Machine>| {
            let mut machines = machines.into_iter();
            machines.find(|machine| machine.nfa().name() == name)
        };
        let (before, mut after) = (of_name(before).unwrap(), of_name(after).unwrap());
        assert_eq!(before.nfa().structure(), after.nfa().structure());
        for (key, state) in before.states() {
            assert!(!matches!(state, State::Runs(_)), "{state:?}");
            let bytes = before.bytes(state);
            assert_eq!(
                Nfa::partials_in(&bytes),
                Ok(state.partials(before.nfa()) as u64)
            );
            let read = after.take(key, &bytes).expect(name).clone();
            assert!(matches!(read, State::Runs(_)), "{read:?}");
            assert_eq!(
                read.partials(after.nfa()),
                state.partials(before.nfa()),
                "{name}"
            );
            let shown = |nfa: &Nfa, state: &State| {
                let live = nfa.live(state);
                let live = live.iter();
                let live = live.map(|live| (live.at, live.first, live.last, live.bound));
                live.collect::<Vec<_>>()
            };
            assert_eq!(shown(after.nfa(), &read), shown(before.nfa(), state));
        }
    }
}

#[test]
fn a_loop_that_is_shared_is_read_as_the_partial_matches_that_it_stands_for() {
    for quantifier in ["+", "{1,}", "{2,}", "{3,}"] {
        let text = |connector: &str| {
            format!(
                r#"event A {{ t: timestamp time, v: int, f: float }}
                   pattern p {{
                     unkeyed
                     match a: A{quantifier} where v > 0 {connector} z: A where v < 0 within 1h
                     limit 1 per 1d
                     emit o {{ n: count(a), s: sum(a.f), l: last(a.v), c: collect(a.v), w: z.v }}
                   }}
                   test "t" {{
                     given {{
                       0s A {{ v: 7, f: 0.1 }} 1s A {{ v: 7, f: 0.2 }} 2s A {{ v: 7, f: 0.3 }} 3s A {{ v: -1, f: 1.0 }}
                       4s A {{ v: 1, f: 0.1 }} 5s A {{ v: 2, f: 0.2 }} 6s A {{ v: 3, f: 0.3 }} 7s A {{ v: 4, f: 0.4 }}
                     }}
                     expect {{}}
                   }}"#
            )
        };
        let (shared, apart) = (
            machines(&text("then")).remove(0),
            machines(&text("then within 2h")).remove(0),
        );
        assert_eq!(shared.nfa().structure(), apart.nfa().structure());
        let states = |machine: &Machine| {
            let (_, state) = machine.states().next().expect("partial matches");
            machine.bytes(state)
        };
        let read = apart.nfa().decode(&mut Reader::new(&states(&shared)));
        let wanted = apart.nfa().decode(&mut Reader::new(&states(&apart)));
        let (Ok(State::Runs(mut read)), Ok(State::Runs(mut wanted))) = (read, wanted) else {
            panic!("{quantifier}: no lists of runs");
        };
        // Whether an event came since matters to no way on that they have.
        for run in read.runs.iter_mut().chain(&mut wanted.runs) {
            run.fresh = false;
        }
        assert_eq!(wanted.runs.len(), 4);
        assert_eq!(format!("{read:?}"), format!("{wanted:?}"), "{quantifier}");
    }
}

#[test]
fn a_single_partial_match_takes_few_bytes() {
    let text = include_str!("../../../benches/workloads/w1.motif").to_owned()
        + r#"test "t" { given { 0s Txn { card: "c0000001", kind: "auth", amount: 1.23, merchant: "m001", country: "FR" } } expect {} }"#;
    for machine in machines(&text) {
        for (_, state) in machine.states() {
            // Of these, 8 are the hash of where the event came from and 6 the time; the number of the event grows from 1 byte to 6 in the course of years.
            let bytes = machine.bytes(state);
            assert_eq!(bytes.len(), 21, "{bytes:02x?}");
        }
    }
}

#[test]
fn partial_matches_that_share_a_list_still_do_afterwards() {
    let events: String = (0..9)
        .map(|at| format!("{at}s A {{ v: {at} }}\n"))
        .collect();
    let text = format!(
        r#"event A {{ t: timestamp time, v: int }}
           pattern p {{ unkeyed match a: A+ combinations then z: A where v < 0 within 1h skip none emit o {{ l: collect(a.v) }} }}
           test "t" {{ given {{ {events} }} expect {{}} }}"#
    );
    let machine = &machines(&text)[0];
    let (_, state) = machine.states().next().expect("partial matches");
    assert_eq!(state.partials(machine.nfa()), 511);
    // Each subset of the nine is one: apart, their lists would have 2,304 values of two bytes beside all else.
    let bytes = machine.bytes(state);
    assert!(bytes.len() < 511 * 22, "{}", bytes.len());
}

#[test]
fn a_version_that_is_not_known_is_told() {
    for machine in machines(PATTERNS) {
        let error = machine.nfa().decode(&mut Reader::new(&[3, 0])).unwrap_err();
        assert_eq!(error.to_string(), "no state in a known version at byte 1");
    }
}
