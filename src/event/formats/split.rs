//! Where a record ends in a stretch of bytes.

use memchr::{memchr, memchr2};

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
