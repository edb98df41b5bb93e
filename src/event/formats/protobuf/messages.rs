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
    pub fn new(descriptors: &[u8], message: &str, framing: Framing) -> Result<Messages, String> {
        let pool = DescriptorPool::decode(descriptors).map_err(|error| {
            format!(
                "is no compiled descriptor file: {error}; write it with protoc --include_imports --descriptor_set_out=FILE"
            )
        })?;
        let found = pool.get_message_by_name(message.trim_start_matches('.'));
        let root = found.ok_or_else(|| {
            let all = pool.all_messages();
            // What Protobuf brings itself, and entries of maps, is not what is looked for.
            let own = all.filter(|one| {
                !one.full_name().starts_with("google.protobuf.") && !one.is_map_entry()
            });
            let names: Vec<String> = own.map(|one| one.full_name().to_owned()).collect();
            let near = crate::lang::suggest::nearest(message, names.iter().map(String::as_str));
            let way_out = match near {
                Some(near) => format!("did you mean \"{near}\"?"),
                None => format!("there are: {}", listed(&names)),
            };
            format!("has no message \"{message}\" ({way_out})")
        })?;
        Ok(Messages { root, framing })
    }
}

/// How many messages are named where one is not there.
const SHOWN_MAX: usize = 8;

fn listed(names: &[String]) -> String {
    let more = if names.len() > SHOWN_MAX { ", …" } else { "" };
    format!("{}{more}", names[..names.len().min(SHOWN_MAX)].join(", "))
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
