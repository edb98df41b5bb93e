//! What stands before a record of a schema registry: a zero byte and the schema's number in four bytes, highest first. For Protobuf the way to the message in
//! its file follows: how many indexes, and each, as signed varints; a single zero stands for the first message.

/// How deep messages may be declared in each other.
#[cfg(feature = "protobuf")]
const INDEXES_MAX: i64 = 32;

/// The number of the schema that a record was written with, and what follows.
pub(crate) fn id(record: &[u8]) -> Result<(u32, &[u8]), String> {
    match record {
        [0, a, b, c, d, rest @ ..] => Ok((u32::from_be_bytes([*a, *b, *c, *d]), rest)),
        [0, ..] | [] => Err(format!(
            "{} bytes are too few for a schema's number, which 5 tell",
            record.len()
        )),
        [first, ..] => Err(format!(
            "does not begin with a schema's number: the first byte is {first}, not 0; was it written without a registry?"
        )),
    }
}

/// The way to a message in its file, and what follows.
#[cfg(feature = "protobuf")]
pub(super) fn indexes<'a>(rest: &'a [u8], way: &mut Vec<i32>) -> Result<&'a [u8], String> {
    way.clear();
    let (count, mut rest) = signed(rest).ok_or("ends in the midst of the message's indexes")?;
    if !(0..=INDEXES_MAX).contains(&count) {
        return Err(format!(
            "{count} indexes of a message are not between 0 and {INDEXES_MAX}"
        ));
    }
    for _ in 0..count {
        let (index, after) = signed(rest).ok_or("ends in the midst of the message's indexes")?;
        way.push(i32::try_from(index).map_err(|_| format!("{index} is no index of a message"))?);
        rest = after;
    }
    if count == 0 {
        way.push(0);
    }
    Ok(rest)
}

#[cfg(feature = "protobuf")]
fn signed(bytes: &[u8]) -> Option<(i64, &[u8])> {
    let mut value: u64 = 0;
    for (at, byte) in bytes.iter().enumerate().take(10) {
        value |= u64::from(byte & 0x7f) << (7 * at);
        if *byte < 0x80 {
            let signed = (value >> 1).cast_signed() ^ -(value & 1).cast_signed();
            return Some((signed, &bytes[at + 1..]));
        }
    }
    None
}
