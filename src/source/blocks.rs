//! Cuts a stream of bytes into records, block by block, without copying a record that lies in one block.

use std::io::{self, Read};

use super::Record;
use crate::event::formats::split::{record_end, trim_end};
use crate::event::formats::{Format, RECORD_BYTES_MAX};

/// How much is read at a time.
const BLOCK_BYTES: usize = 256 * 1024;

/// What files written elsewhere begin with.
const BYTE_ORDER_MARK: &[u8] = b"\xef\xbb\xbf";

/// A stream of bytes being cut into records.
#[derive(Debug)]
pub(super) struct Blocks<R> {
    input: R,
    format: Format,
    buffer: Vec<u8>,
    /// What was read and not given out: `buffer[start..end]` begins with a record.
    start: usize,
    end: usize,
    /// The number of the line at `start`.
    line: u64,
    /// The rest of a record that was too large is being dropped.
    dropping: bool,
    /// The beginning of the input has not been looked at.
    fresh: bool,
    /// No record of this input was given out.
    untouched: bool,
}

/// What one read brought.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Block {
    /// As much as was asked for.
    Full,
    /// Less: the input had no more at hand.
    Part,
    /// Nothing: the input has nothing at hand, and has not ended.
    Nothing,
    /// The input has ended.
    End,
}

impl<R: Read> Blocks<R> {
    pub(super) fn new(input: R, format: Format) -> Blocks<R> {
        Blocks::sized(input, format, BLOCK_BYTES)
    }

    fn sized(input: R, format: Format, bytes: usize) -> Blocks<R> {
        Blocks {
            input,
            format,
            buffer: vec![0; bytes],
            start: 0,
            end: 0,
            line: 1,
            dropping: false,
            fresh: true,
            untouched: true,
        }
    }

    pub(super) fn input(&self) -> &R {
        &self.input
    }

    pub(super) fn input_mut(&mut self) -> &mut R {
        &mut self.input
    }

    /// Goes on with the beginning of another input, or of the same one. Numbers of lines go on; gives back how many bytes of a record that was not
    /// complete are dropped.
    pub(super) fn restart(&mut self) -> usize {
        let dropped = self.end - self.start;
        (self.start, self.end) = (0, 0);
        self.dropping = false;
        self.fresh = true;
        self.untouched = true;
        dropped
    }

    /// Reads once and hands out the records that are complete. An input that would have to wait has nothing at hand.
    pub(super) fn poll(&mut self, take: &mut dyn FnMut(Record<'_>)) -> io::Result<Block> {
        self.make_room();
        let room = self.buffer.len() - self.end;
        let read = match self.input.read(&mut self.buffer[self.end..]) {
            // A signal: perhaps whoever polls wants to stop.
            Err(error) if error.kind() == io::ErrorKind::Interrupted => return Ok(Block::Part),
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => return Ok(Block::Nothing),
            read => read?,
        };
        self.end += read;
        if self.fresh {
            let bytes = &self.buffer[self.start..self.end];
            if read > 0 && bytes.len() < BYTE_ORDER_MARK.len() && BYTE_ORDER_MARK.starts_with(bytes)
            {
                return Ok(Block::Part);
            }
            if bytes.starts_with(BYTE_ORDER_MARK) {
                self.start += BYTE_ORDER_MARK.len();
            }
            self.fresh = false;
        }
        if self.dropping {
            self.drop_line();
        }
        while let Some(length) = record_end(self.format, &self.buffer[self.start..self.end]) {
            self.give(self.start + length, take);
            self.start += length + 1;
        }
        if self.end - self.start > RECORD_BYTES_MAX {
            self.give(self.start + RECORD_BYTES_MAX + 1, take);
            self.dropping = true;
            self.drop_line();
        }
        if read == 0 {
            if self.start < self.end {
                self.give(self.end, take);
                self.start = self.end;
            }
            return Ok(Block::End);
        }
        Ok(if read == room {
            Block::Full
        } else {
            Block::Part
        })
    }

    /// Hands out the record that begins at `start`. Empty lines are none.
    fn give(&mut self, end: usize, take: &mut dyn FnMut(Record<'_>)) {
        let bytes = &self.buffer[self.start..end];
        let offset = self.line;
        self.line += match self.format {
            Format::Json => 1,
            Format::Csv => 1 + memchr::memchr_iter(b'\n', bytes).count() as u64,
        };
        let bytes = trim_end(bytes);
        if !bytes.is_empty() {
            take(Record {
                bytes,
                partition: 0,
                offset,
                arrived: None,
                heads_file: self.untouched,
            });
            self.untouched = false;
        }
    }

    /// Drops what is left of a line.
    fn drop_line(&mut self) {
        match memchr::memchr(b'\n', &self.buffer[self.start..self.end]) {
            Some(length) => {
                self.start += length + 1;
                self.dropping = false;
            }
            None => self.start = self.end,
        }
    }

    /// Moves what is left to the front; makes the buffer larger when it holds the beginning of one record and nothing else. A record that is too
    /// large was dropped before, so it stays within some megabytes.
    fn make_room(&mut self) {
        if self.start > 0 {
            self.buffer.copy_within(self.start..self.end, 0);
        }
        self.end -= self.start;
        self.start = 0;
        if self.end == self.buffer.len() {
            self.buffer.resize(self.buffer.len() * 2, 0);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// Gives out a few bytes at a time, and every other time has nothing at hand.
    struct Drops<'a>(&'a [u8], usize, bool);

    impl Read for Drops<'_> {
        fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
            self.2 = !self.2;
            if self.2 {
                return Err(io::ErrorKind::WouldBlock.into());
            }
            let count = self.1.min(self.0.len()).min(buffer.len());
            buffer[..count].copy_from_slice(&self.0[..count]);
            self.0 = &self.0[count..];
            Ok(count)
        }
    }

    fn records(bytes: &[u8], format: Format, block: usize, drops: usize) -> Vec<(u64, Vec<u8>)> {
        let mut blocks = Blocks::sized(Drops(bytes, drops, false), format, block);
        let mut records = Vec::new();
        while blocks
            .poll(&mut |record| records.push((record.offset, record.bytes.to_vec())))
            .expect("no error")
            != Block::End
        {}
        records
    }

    fn owned(records: &[(u64, &str)]) -> Vec<(u64, Vec<u8>)> {
        records
            .iter()
            .map(|(line, text)| (*line, text.as_bytes().to_vec()))
            .collect()
    }

    #[test]
    fn lines_are_records_whatever_ends_them() {
        let text = "\u{feff}a\r\n\n\r\nb\nlast";
        let want = owned(&[(1, "a"), (4, "b"), (5, "last")]);
        for (block, drops) in [(4, 1), (4, 2), (4, 100), (5, 100), (100, 100)] {
            assert_eq!(records(text.as_bytes(), Format::Json, block, drops), want);
        }
        assert_eq!(records(b"", Format::Json, 4, 1), []);
        assert_eq!(records(b"\n\n", Format::Json, 4, 1), []);
    }

    #[test]
    fn a_quoted_line_break_stays_in_its_record_and_counts_as_a_line() {
        let want = owned(&[(1, "h"), (2, "\"a\nb\""), (4, "c")]);
        assert_eq!(records(b"h\n\"a\nb\"\nc\n", Format::Csv, 4, 3), want);
    }

    #[test]
    fn a_record_that_is_too_large_is_cut_and_what_follows_is_whole() {
        let mut bytes = vec![b'x'; 3 * RECORD_BYTES_MAX];
        bytes.extend(b"\nafter\n");
        for block in [1000, BLOCK_BYTES, 8 * RECORD_BYTES_MAX] {
            let records = records(&bytes, Format::Json, block, usize::MAX);
            let shown: Vec<(u64, usize)> = records
                .iter()
                .map(|(line, bytes)| (*line, bytes.len()))
                .collect();
            // In a block that holds all of it nothing need be cut.
            assert!(shown[0].1 > RECORD_BYTES_MAX, "{shown:?}");
            assert_eq!(shown[1..], [(2, 5)]);
        }
    }

    #[test]
    fn the_next_input_begins_anew_and_lines_are_counted_on() {
        let mut blocks = Blocks::new(Drops("\u{feff}h\na\nb".as_bytes(), 100, true), Format::Csv);
        let mut seen = Vec::new();
        let mut take = |record: Record<'_>| {
            let text = String::from_utf8_lossy(record.bytes).into_owned();
            seen.push((record.offset, text, record.heads_file));
        };
        assert!(blocks.poll(&mut take).is_ok());
        // What is left of the first input is dropped.
        assert_eq!(blocks.restart(), 1);
        *blocks.input_mut() = Drops("\u{feff}\nH\nc\n".as_bytes(), 100, true);
        assert!(blocks.poll(&mut take).is_ok());
        let seen: Vec<(u64, &str, bool)> = seen
            .iter()
            .map(|(line, text, heads)| (*line, text.as_str(), *heads))
            .collect();
        assert_eq!(
            seen,
            [
                (1, "h", true),
                (2, "a", false),
                (4, "H", true),
                (5, "c", false)
            ]
        );
    }

    proptest! {
        #[test]
        fn records_do_not_depend_on_how_the_bytes_arrive(text in "[ab\"\r\n,]{0,60}", block in 1_usize..20, drops in 1_usize..20, csv: bool) {
            let format = if csv { Format::Csv } else { Format::Json };
            let whole = records(text.as_bytes(), format, 1000, 1000);
            prop_assert_eq!(records(text.as_bytes(), format, block, drops), whole.clone());
            if !csv {
                let lines: Vec<(u64, Vec<u8>)> = (1..).zip(text.split('\n')).map(|(line, text)| (line, trim_end(text.as_bytes()).to_vec())).filter(|(_, text)| !text.is_empty()).collect();
                prop_assert_eq!(whole, lines);
            }
        }
    }
}
