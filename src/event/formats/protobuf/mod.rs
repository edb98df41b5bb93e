//! Protobuf: messages, read by a compiled descriptor file.
//!
//! The message was `bound` to the fields that patterns read; all others are passed over. Fields are told by their numbers, so records of older and
//! newer versions of a message are read by the same descriptors. A field that was not written is what it is by default, or null where the
//! message can tell that it was not written: `optional` fields, messages, members of a `oneof`, all of `proto2`.

mod bound;
mod messages;
#[cfg(test)]
mod tests;
mod wire;

use prost_reflect::MessageDescriptor;

use self::bound::Plan;
pub use self::messages::{Framing, Messages, Unread};
use super::Malformed;
use super::beside::{Beside, Texts};
use super::framing;
use super::paths::{PathTree, ROOT};
use super::token::Token;

/// Messages declared in each other are looked for no deeper.
const DEPTH_MAX: usize = 32;

/// Reads records.
#[derive(Clone, Debug)]
pub(super) struct Reader {
    beside: Texts,
    framing: Framing,
    /// With framing: all messages of the file, by the way to them. Else the one that is read.
    plans: Vec<(Vec<i32>, Plan)>,
    /// The one that was read last.
    last: usize,
    /// The one that was named, if no other will do.
    only: Option<usize>,
    way: Vec<i32>,
    /// The texts of the record that was read last.
    text: String,
}

/// Which messages of a file are read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Read {
    /// The one that was named.
    Named,
    /// All of them: their names tell the event's type.
    All,
}

impl Reader {
    pub(super) fn new(messages: &Messages, beside: &Beside, tree: &PathTree, read: Read) -> Reader {
        let root = &messages.root;
        let mut plans = Vec::new();
        match messages.framing {
            Framing::None => plans.push((Vec::new(), Plan::new(root, tree, ROOT))),
            Framing::Registry => {
                for (at, message) in root.parent_file().messages().enumerate() {
                    plan(&message, &mut vec![at as i32], tree, &mut plans);
                }
            }
        }
        let named = way_to(root);
        let named = plans.iter().position(|(way, _)| *way == named).unwrap_or(0);
        Reader {
            beside: Texts::new(beside, tree),
            framing: messages.framing,
            plans,
            last: named,
            only: (read == Read::Named).then_some(named),
            way: Vec::new(),
            text: String::new(),
        }
    }

    /// Puts the wanted values of a record into `slots`; gives the text that they lie in, and the message's name.
    pub(super) fn read(
        &mut self,
        record: &[u8],
        slots: &mut [Token],
    ) -> Result<(&str, Option<&str>), Malformed> {
        slots.fill(Token::Absent);
        self.text.clear();
        let mut bytes = self.beside.read(record, slots, &mut self.text)?;
        if self.framing == Framing::Registry {
            bytes = self.unframe(bytes).map_err(Malformed::syntax)?;
        }
        let (_, plan) = &self.plans[self.last];
        match wire::walk(bytes, plan, slots, &mut self.text) {
            Ok(()) => Ok((&self.text, Some(&plan.name))),
            Err(fault) => {
                // As the whole record counts.
                let at = fault.at + record.len() - bytes.len();
                let (name, what) = (&plan.name, fault.what);
                Err(Malformed::syntax(format!(
                    "not a message {name}: {what} at byte {at}"
                )))
            }
        }
    }

    /// Finds out which message it is; gives its bytes.
    fn unframe<'a>(&mut self, record: &'a [u8]) -> Result<&'a [u8], String> {
        let (_, rest) = framing::id(record)?;
        let bytes = framing::indexes(rest, &mut self.way)?;
        if self.plans[self.last].0 != self.way {
            let mut plans = self.plans.iter();
            self.last = plans.position(|(way, _)| *way == self.way).ok_or_else(|| {
                let way = &self.way;
                format!(
                    "message {way:?} is not in the descriptor file; compile it from the newest .proto"
                )
            })?;
        }
        match self.only {
            Some(only) if only != self.last => {
                let (found, wanted) = (&self.plans[self.last].1.name, &self.plans[only].1.name);
                Err(format!("a message {found}, where {wanted} is read"))
            }
            _ => Ok(bytes),
        }
    }
}

/// Binds a message, and those that are declared in it.
fn plan(
    message: &MessageDescriptor,
    way: &mut Vec<i32>,
    tree: &PathTree,
    plans: &mut Vec<(Vec<i32>, Plan)>,
) {
    plans.push((way.clone(), Plan::new(message, tree, ROOT)));
    if way.len() == DEPTH_MAX {
        return;
    }
    for (at, child) in message.child_messages().enumerate() {
        way.push(at as i32);
        plan(&child, way, tree, plans);
        way.pop();
    }
}

/// The indexes that lead to a message in its file.
fn way_to(message: &MessageDescriptor) -> Vec<i32> {
    // A descriptor's path has the number of a field before each index.
    let indexes = message.path().iter().skip(1).step_by(2);
    indexes.copied().collect()
}
