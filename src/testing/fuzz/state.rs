//! Bytes that may be the state of a key.

use std::sync::{Arc, OnceLock};

use crate::automaton::Outcome;
use crate::event::codec::put_key;
use crate::lang::pattern::{PatternId, Program};
use crate::testing::compile;
use crate::testing::state::{Machine, PATTERNS};
use crate::time::Timestamp;

/// Reads bytes as a state of one of the fixture's patterns, the first byte says of which. If they are one, it is read as it is written, and goes on with more events to the end of time.
///
/// # Panics
/// When it does not.
pub fn state(data: &[u8]) {
    static PROGRAM: OnceLock<Arc<Program>> = OnceLock::new();
    let program = PROGRAM.get_or_init(|| {
        let program = compile(PATTERNS).expect("the fixture's patterns are right");
        Arc::new(program)
    });
    let Some((first, bytes)) = data.split_first() else {
        return;
    };
    let pattern = usize::from(*first) % program.patterns.len();
    let mut machine = Machine::new(program, PatternId(pattern as u32));
    let events = &program.tests[0].given;
    let key = events.iter().find_map(|event| machine.key(event));
    let mut of_key = Vec::new();
    put_key(&mut of_key, &key.expect("each pattern reads the events"));
    let Ok(state) = machine.take(&of_key, bytes) else {
        return;
    };
    let state = state.clone();
    let written = machine.bytes(&state);
    let again = machine.take(&of_key, &written);
    let again = again.expect("what was read can be read again").clone();
    assert_eq!(machine.bytes(&again), written, "{bytes:02x?}");
    let mut outcome = Outcome::default();
    for event in events {
        machine.show(event, &mut outcome);
    }
    machine.pass(Timestamp::MAX, &mut outcome);
}
