//! Which messages a source carries, by a compiled descriptor file.

use std::fmt;

use prost_reflect::{DescriptorPool, MessageDescriptor};

/// How messages are told apart.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Framing {
    /// A record is a message and nothing else.
    None,
    /// Before the message stand, as schema registries have it, a zero byte, a number of four bytes, and where in its file the message is declared.
    Registry,
}

/// A message with the descriptors that it needs.
#[derive(Clone)]
pub struct Messages {
    pub(super) root: MessageDescriptor,
    pub(super) framing: Framing,
}

impl Messages {
    /// Finds a message by its full name in a compiled descriptor file: what `protoc --include_imports --descriptor_set_out` writes.
    ///
    /// # Errors
    /// When the bytes are none, or there is no such message.
    pub fn new(descriptors: &[u8], message: &str, framing: Framing) -> Result<Messages, Unread> {
        let pool = DescriptorPool::decode(descriptors)
            .map_err(|error| Unread::Descriptors(error.to_string()))?;
        let found = pool.get_message_by_name(message.trim_start_matches('.'));
        let root = found.ok_or_else(|| {
            let all = pool.all_messages();
            // What Protobuf brings itself, and entries of maps, is not what is looked for.
            let own = all.filter(|one| {
                !one.full_name().starts_with("google.protobuf.") && !one.is_map_entry()
            });
            Unread::Missing(own.map(|one| one.full_name().to_owned()).collect())
        })?;
        Ok(Messages { root, framing })
    }
}

/// Why there is no message to read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Unread {
    /// The bytes are no compiled descriptor file, and why.
    Descriptors(String),
    /// There is no message of this name, but these.
    Missing(Vec<String>),
}

impl fmt::Debug for Messages {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {:?}", self.root.full_name(), self.framing)
    }
}

impl PartialEq for Messages {
    fn eq(&self, other: &Messages) -> bool {
        self.root == other.root && self.framing == other.framing
    }
}

impl Eq for Messages {}
