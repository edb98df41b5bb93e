use std::sync::Arc;

use super::super::Outcome;
use super::*;

use crate::lang::pattern::PatternId;
use crate::testing::compile;
use crate::testing::state::{Machine, PATTERNS};

/// Every pattern of the fixture with the states that its events leave.
fn machines() -> Vec<Machine> {
    let program = Arc::new(compile(PATTERNS).expect("the fixture's patterns are right"));
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

#[test]
fn every_kind_of_state_is_read_as_it_was_written() {
    for machine in machines() {
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
