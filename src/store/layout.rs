//! What keys in the store are made of.
//!
//! ```text
//! u16  key group, high byte first: a range of groups is a range of keys
//! u8   table
//! u32  number of the state in the manifest, high byte first: whose it is
//! …    the parts of the key as values, one after the other
//! ```

use crate::key::KeyGroup;

/// What a key's value is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[repr(u8)]
pub enum Table {
    /// The state of one key in one family of patterns.
    State = 1,
}

/// Bytes of the key group.
pub const GROUP_BYTES: usize = 2;

/// Bytes before the parts of the key.
pub const PREFIX_BYTES: usize = 7;

/// Appends what comes before the parts of the key.
pub fn put_prefix(out: &mut Vec<u8>, group: KeyGroup, table: Table, number: u32) {
    out.extend_from_slice(&group.number().to_be_bytes());
    out.push(table as u8);
    out.extend_from_slice(&number.to_be_bytes());
}
