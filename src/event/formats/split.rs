//! Where a record ends in a stretch of bytes.

use memchr::{memchr, memchr2};
use wide::u8x16;

use super::Format;

/// The line break that ends the record which begins at the start of `bytes`; `None` when it is not in there.
///
/// In CSV a line break inside quotes is part of the record. A quote opens a field only at its start: elsewhere it is text.
#[must_use]
#[inline]
pub fn record_end(format: Format, bytes: &[u8]) -> Option<usize> {
    match format {
        Format::Json => memchr(b'\n', bytes),
        Format::Csv => csv_end(bytes),
    }
}

/// Appends where lines end, in bytes that are fewer than 4 GiB. Sixty-four of them are looked at together: lines are short, and a search that begins anew behind each costs more than the bytes that it looks at.
pub fn line_ends(bytes: &[u8], into: &mut Vec<u32>) {
    let (stretches, rest) = bytes.as_chunks::<64>();
    for (at, stretch) in stretches.iter().enumerate() {
        let (chunks, _) = stretch.as_chunks();
        let masks = chunks.iter().enumerate();
        let mask = masks.fold(0_u64, |mask, (nth, chunk)| {
            let of_chunk = u8x16::new(*chunk).simd_eq(u8x16::splat(b'\n'));
            mask | u64::from(of_chunk.to_bitmask()) << (16 * nth)
        });
        push_bits(mask, 64 * at, into);
    }
    let breaks = rest.iter().enumerate().filter(|(_, byte)| **byte == b'\n');
    let first = 64 * stretches.len();
    into.extend(breaks.map(|(at, _)| (first + at) as u32));
}

/// Appends the numbers of the bits that are set, counted from `first` on.
#[inline]
fn push_bits(mut mask: u64, first: usize, into: &mut Vec<u32>) {
    while mask != 0 {
        into.push((first + mask.trailing_zeros() as usize) as u32);
        mask &= mask - 1;
    }
}

fn csv_end(bytes: &[u8]) -> Option<usize> {
    let mut at = 0;
    loop {
        at += memchr2(b'"', b'\n', &bytes[at..])?;
        if bytes[at] == b'\n' {
            return Some(at);
        }
        let opens = at == 0 || bytes[at - 1] == b',';
        at += 1;
        if opens {
            at += quoted_len(&bytes[at..])?;
        }
    }
}

/// How long a quoted field is, its closing quote included. A doubled quote is text.
fn quoted_len(bytes: &[u8]) -> Option<usize> {
    let mut at = 0;
    loop {
        at += memchr(b'"', &bytes[at..])? + 1;
        match bytes.get(at) {
            Some(b'"') => at += 1,
            _ => return Some(at),
        }
    }
}

/// The record without the carriage return before its line break.
#[must_use]
#[inline]
pub fn trim_end(record: &[u8]) -> &[u8] {
    record.strip_suffix(b"\r").unwrap_or(record)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn lines_end_where_their_breaks_stand(text in "[a\n]{0,20}|[a-c\n]{100,300}|a{60,70}\n?a{60,70}\n?") {
            let mut ends = vec![7];
            line_ends(text.as_bytes(), &mut ends);
            let breaks = text.bytes().zip(0..).filter(|(byte, _)| *byte == b'\n');
            let wanted: Vec<u32> = [7].into_iter().chain(breaks.map(|(_, at)| at)).collect();
            prop_assert_eq!(ends, wanted);
        }
    }

    #[test]
    fn a_line_break_inside_quotes_is_part_of_a_csv_record() {
        let end = |text: &str| csv_end(text.as_bytes()).map(|end| text[..end].to_owned());
        assert_eq!(end("a,b\nc"), Some("a,b".to_owned()));
        assert_eq!(end("a,\"b\nc\"\nd"), Some("a,\"b\nc\"".to_owned()));
        assert_eq!(end("\"a\"\"\n\",b\n"), Some("\"a\"\"\n\",b".to_owned()));
        assert_eq!(end("5\" pipe,b\n7\""), Some("5\" pipe,b".to_owned()));
        assert_eq!(end("a,\"b\n"), None);
        assert_eq!(end("a"), None);
    }
}
