//! Cuts a stream of bytes into records, block by block, without copying a record that lies in one block.
//!
//! Where a record ends does not depend on how the bytes arrive, and a [`Mark`] tells where the next one begins: another process cuts the rest of the
//! stream just as this one would have.

use std::io::{self, Read};

use super::Record;
use super::place::{Behind, Mark};
use crate::event::formats::split::{line_ends, record_end, trim_end};
use crate::event::formats::{Format, RECORD_BYTES_MAX};

/// How much is read at a time: what is made of it is to stay in the processor's cache until it is matched.
pub(super) const BLOCK_BYTES: usize = 128 * 1024;

/// What files written elsewhere begin with.
const BYTE_ORDER_MARK: &[u8] = b"\xef\xbb\xbf";

/// A stream of bytes being cut into records.
#[derive(Debug)]
pub(super) struct Blocks<R> {
    input: R,
    format: Format,
    /// How much is read at a time.
    block_bytes: usize,
    /// What was read and not given out. It begins with a record.
    unread: Unread,
    /// Where it lies in the input.
    mark: Mark,
    /// The beginning of the input has not been looked at.
    fresh: bool,
    /// The record that names the columns, to be given out once more.
    header: Option<Header>,
    /// Where lines end; empty between calls.
    line_ends: Vec<u32>,
}

/// The first record of a file.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Header {
    line: u64,
    bytes: Box<[u8]>,
}

/// Bytes that were read and not used yet.
#[derive(Debug)]
pub(super) struct Unread {
    bytes: Vec<u8>,
    start: usize,
    end: usize,
}

/// An input that is read block by block.
pub(super) trait Feed {
    /// Appends what was read next, and tells how much that is; nothing at the end. An input that would have to wait has nothing at hand, and says so:
    /// [`io::ErrorKind::WouldBlock`].
    fn feed(&mut self, unread: &mut Unread) -> io::Result<usize>;
}

impl<R: Read> Feed for R {
    fn feed(&mut self, unread: &mut Unread) -> io::Result<usize> {
        unread.make_room();
        let read = self.read(&mut unread.bytes[unread.end..])?;
        unread.end += read;
        Ok(read)
    }
}

impl Unread {
    /// Nothing yet. So much is read at a time.
    pub(super) fn new(block_bytes: usize) -> Unread {
        Unread {
            bytes: vec![0; block_bytes],
            start: 0,
            end: 0,
        }
    }

    /// What is left.
    pub(super) fn rest(&self) -> &[u8] {
        &self.bytes[self.start..self.end]
    }

    /// Moves what is left to the front; makes more room when it holds the beginning of one record and nothing else. A record that is too
    /// large was dropped before, so it stays within some megabytes.
    fn make_room(&mut self) {
        if self.start > 0 {
            self.bytes.copy_within(self.start..self.end, 0);
        }
        self.end -= self.start;
        self.start = 0;
        if self.end == self.bytes.len() {
            self.bytes.resize(self.bytes.len() * 2, 0);
        }
    }

    /// Goes on in a block of which so many bytes were read, behind some headroom. What is left moves there, if it finds room: else what was read moves here. Gives back the
    /// memory that is not used any more.
    pub(super) fn go_on(&mut self, mut block: Vec<u8>, headroom: usize, length: usize) -> Vec<u8> {
        let read = headroom..headroom + length;
        let rest = self.end - self.start;
        match headroom.checked_sub(rest) {
            Some(start) => {
                block[start..headroom].copy_from_slice(self.rest());
                (self.start, self.end) = (start, read.end);
                std::mem::replace(&mut self.bytes, block)
            }
            None => {
                self.bytes.truncate(self.end);
                self.bytes.extend_from_slice(&block[read]);
                self.bytes.drain(..self.start);
                (self.start, self.end) = (0, self.bytes.len());
                block
            }
        }
    }
}

/// What one read brought.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Block {
    /// Something, or a signal: perhaps whoever polls wants to stop.
    Some,
    /// Nothing: the input has nothing at hand, and has not ended.
    Nothing,
    /// The input has ended.
    End,
}

impl<R: Feed> Blocks<R> {
    pub(super) fn new(input: R, format: Format) -> Blocks<R> {
        Blocks::sized(input, format, BLOCK_BYTES)
    }

    fn sized(input: R, format: Format, bytes: usize) -> Blocks<R> {
        Blocks {
            input,
            format,
            block_bytes: bytes,
            unread: Unread::new(bytes),
            mark: Mark::beginning(1),
            fresh: true,
            header: None,
            line_ends: Vec::new(),
        }
    }

    pub(super) fn input(&self) -> &R {
        &self.input
    }

    pub(super) fn input_mut(&mut self) -> &mut R {
        &mut self.input
    }

    pub(super) fn block_bytes(&self) -> usize {
        self.block_bytes
    }

    pub(super) fn format(&self) -> Format {
        self.format
    }

    /// Where the record begins that follows the last one that was given out.
    pub(super) fn mark(&self) -> Mark {
        self.mark
    }

    /// Goes on with the beginning of another input, or of the same one. Numbers of lines go on; gives back how many bytes of a record that was not
    /// complete are dropped.
    pub(super) fn restart(&mut self) -> usize {
        let dropped = self.unread.rest().len();
        self.go_on(Mark::beginning(self.mark.line), None);
        dropped
    }

    /// Goes on at a mark, where the input stands already. A header is given out before everything else.
    pub(super) fn go_on(&mut self, mark: Mark, header: Option<Header>) {
        (self.unread.start, self.unread.end) = (0, 0);
        self.fresh = mark.bytes == 0;
        self.mark = mark;
        self.header = header;
    }

    /// Reads the first record, if there is one, and no more than it takes. The input has ended or not; it must not wait.
    pub(super) fn first(input: R, format: Format, line: u64) -> io::Result<Option<Header>> {
        let mut blocks = Blocks::new(input, format);
        blocks.mark = Mark::beginning(line);
        let mut first = None;
        loop {
            let block = blocks.poll(&mut |record| {
                first.get_or_insert_with(|| Header {
                    line: record.offset,
                    bytes: record.bytes.into(),
                });
            })?;
            if first.is_some() || block == Block::End {
                return Ok(first);
            }
        }
    }

    /// Reads once and hands out the records that are complete. An input that would have to wait has nothing at hand.
    pub(super) fn poll(&mut self, take: &mut dyn FnMut(Record<'_>)) -> io::Result<Block> {
        if let Some(header) = self.header.take() {
            take(Record {
                bytes: &header.bytes,
                partition: 0,
                offset: header.line,
                arrived: None,
                heads_file: true,
            });
        }
        let read = match self.input.feed(&mut self.unread) {
            Err(error) if error.kind() == io::ErrorKind::Interrupted => return Ok(Block::Some),
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => return Ok(Block::Nothing),
            read => read?,
        };
        if read > 0 && self.awaits_more() {
            return Ok(Block::Some);
        }
        self.cut(take);
        if read == 0 {
            let rest = self.unread.rest().len();
            // A carriage return behind the last record begins no line.
            if rest > 0 && self.mark.behind != Behind::End {
                self.give(rest, take);
                self.mark.behind = Behind::End;
            }
            return Ok(Block::End);
        }
        Ok(Block::Some)
    }

    /// Passes over what may stand before the first record: a byte order mark, and the line break that the last record lacked when it was given out.
    /// True when more has to be read to tell.
    fn awaits_more(&mut self) -> bool {
        let bytes = self.unread.rest();
        if self.fresh {
            if bytes.len() < BYTE_ORDER_MARK.len() && BYTE_ORDER_MARK.starts_with(bytes) {
                return true;
            }
            self.fresh = false;
            if bytes.starts_with(BYTE_ORDER_MARK) {
                self.pass(BYTE_ORDER_MARK.len());
            }
        } else if self.mark.behind == Behind::End {
            match bytes {
                b"\r" => return true,
                [b'\r', b'\n', ..] => self.pass(2),
                [b'\n', ..] => self.pass(1),
                _ => {}
            }
            self.mark.behind = Behind::Record;
        }
        false
    }

    /// Hands out the records that are complete.
    fn cut(&mut self, take: &mut dyn FnMut(Record<'_>)) {
        if self.format == Format::Json && self.mark.behind != Behind::Rest {
            self.cut_lines(take);
        }
        loop {
            if self.mark.behind == Behind::Rest && !self.drop_line() {
                return;
            }
            let rest = self.unread.rest();
            match record_end(self.format, rest) {
                Some(length) if is_small(&rest[..length]) => {
                    self.give(length, take);
                    self.pass(1);
                }
                // Whether its end has been read or not: the same is dropped.
                Some(_) => self.give_first(take),
                // With room for a carriage return.
                None if rest.len() > RECORD_BYTES_MAX + 1 => self.give_first(take),
                None => return,
            }
        }
    }

    /// The same, up to a record that is too large: records are lines, whose ends are looked for all at once.
    fn cut_lines(&mut self, take: &mut dyn FnMut(Record<'_>)) {
        let mut ends = std::mem::take(&mut self.line_ends);
        let Blocks { unread, mark, .. } = self;
        let rest = unread.rest();
        line_ends(rest, &mut ends);
        let mut start = 0;
        for end in ends.drain(..) {
            let line = &rest[start..end as usize];
            if !is_small(line) {
                break;
            }
            mark.give(trim_end(line), take);
            mark.line += 1;
            start = end as usize + 1;
        }
        self.pass(start);
        self.line_ends = ends;
    }

    /// Hands out the record of so many bytes at `start`. Empty lines are none.
    fn give(&mut self, length: usize, take: &mut dyn FnMut(Record<'_>)) {
        let bytes = &self.unread.rest()[..length];
        self.mark.give(trim_end(bytes), take);
        self.mark.line += match self.format {
            Format::Json => 1,
            Format::Csv => 1 + memchr::memchr_iter(b'\n', bytes).count() as u64,
        };
        self.pass(length);
    }

    /// Hands out the beginning of a record that is too large. Its first line is dropped: behind a quote that is never closed, what follows is whole again.
    #[cold]
    fn give_first(&mut self, take: &mut dyn FnMut(Record<'_>)) {
        take(Record {
            bytes: &self.unread.rest()[..=RECORD_BYTES_MAX],
            partition: 0,
            offset: self.mark.line,
            arrived: None,
            heads_file: self.mark.untouched,
        });
        self.mark.line += 1;
        self.mark.untouched = false;
        self.mark.behind = Behind::Rest;
    }

    /// Drops what is left of a line; true when its end was there.
    fn drop_line(&mut self) -> bool {
        let rest = self.unread.rest();
        match memchr::memchr(b'\n', rest) {
            Some(length) => {
                self.pass(length + 1);
                self.mark.behind = Behind::Record;
                true
            }
            None => {
                self.pass(self.unread.rest().len());
                false
            }
        }
    }

    /// So many bytes are done with.
    fn pass(&mut self, bytes: usize) {
        self.unread.start += bytes;
        self.mark.bytes += bytes as u64;
    }
}

impl Mark {
    /// Hands out the record that begins here. Empty lines are none.
    #[inline]
    fn give(&mut self, bytes: &[u8], take: &mut dyn FnMut(Record<'_>)) {
        if !bytes.is_empty() {
            take(Record {
                bytes,
                partition: 0,
                offset: self.line,
                arrived: None,
                heads_file: self.untouched,
            });
            self.untouched = false;
        }
    }
}

/// Whether a record may be handed out whole.
fn is_small(record: &[u8]) -> bool {
    record.len() <= RECORD_BYTES_MAX || trim_end(record).len() <= RECORD_BYTES_MAX
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

    impl<R> Blocks<R> {
        /// Reads less at a time. For tests of whoever has blocks, before the first poll.
        pub(in crate::source) fn shrink(&mut self, bytes: usize) {
            assert_eq!(self.unread.end, 0);
            (self.block_bytes, self.unread) = (bytes, Unread::new(bytes));
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
            assert_eq!(shown, [(1, RECORD_BYTES_MAX + 1), (2, 5)]);
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

    /// Line, bytes, heads its file.
    type Seen = (u64, Vec<u8>, bool);

    /// Reads with pauses after so many polls each; after a pause somebody else goes on.
    fn resumed(
        bytes: &[u8],
        format: Format,
        block: usize,
        drops: usize,
        polls: &[usize],
    ) -> Vec<Seen> {
        let (mut mark, mut seen, mut polls) = (Mark::beginning(1), Vec::new(), polls.iter());
        loop {
            let rest = Drops(&bytes[mark.bytes as usize..], drops, false);
            let mut blocks = Blocks::sized(rest, format, block);
            blocks.go_on(mark, None);
            let mut left = polls.next().copied().unwrap_or(usize::MAX);
            while left > 0 {
                let mut take = |record: Record<'_>| {
                    seen.push((record.offset, record.bytes.to_vec(), record.heads_file));
                };
                if blocks.poll(&mut take).expect("no error") == Block::End {
                    return seen;
                }
                left -= 1;
            }
            mark = blocks.mark();
        }
    }

    #[test]
    fn a_record_that_is_too_large_is_the_same_wherever_somebody_else_goes_on() {
        let large = "x".repeat(RECORD_BYTES_MAX);
        // One that just fits, two that don't, and one whose end looks like that of a line.
        let text = format!("{large}\r\n{large}y\n{large}{large}\n{large}\rz\nafter\n");
        let quoted = format!("h\n\"{large}\n,\n{large}\nafter\n");
        for (text, format, lengths) in [
            (&text, Format::Json, vec![0, 1, 1, 1, 5]),
            (&quoted, Format::Csv, vec![1, 1, 1, 0, 5]),
        ] {
            let whole = resumed(text.as_bytes(), format, BLOCK_BYTES, usize::MAX, &[]);
            let beyond = |length: usize| {
                if length > 5 {
                    length - RECORD_BYTES_MAX
                } else {
                    length
                }
            };
            let seen: Vec<usize> = whole
                .iter()
                .map(|(_, bytes, _)| beyond(bytes.len()))
                .collect();
            assert_eq!(seen, lengths);
            for (block, drops, polls) in [
                (1_000, 300_001, [3, 5, 1, 40]),
                (BLOCK_BYTES, usize::MAX, [9, 4, 5, 1]),
                (8 * RECORD_BYTES_MAX, usize::MAX, [1, 1, 1, 1]),
                (BLOCK_BYTES, 100_000, [50, 3, 1, 1]),
            ] {
                let again = resumed(text.as_bytes(), format, block, drops, &polls);
                assert!(again == whole, "{block} {drops}");
            }
        }
    }

    #[test]
    fn the_line_break_that_a_last_record_lacked_begins_no_line() {
        for grown in ["\nnext\n", "\r\nnext\n"] {
            for drops in [1, 2, 100] {
                let mut blocks = Blocks::sized(Drops(b"a\nlast", drops, false), Format::Json, 4);
                let mut seen = Vec::new();
                let mut take =
                    |record: Record<'_>| seen.push((record.offset, record.bytes.to_vec()));
                while blocks.poll(&mut take).unwrap() != Block::End {}
                let mark = blocks.mark();
                let mut grown =
                    Blocks::sized(Drops(grown.as_bytes(), drops, false), Format::Json, 4);
                grown.go_on(mark, None);
                while grown.poll(&mut take).unwrap() != Block::End {}
                assert_eq!(seen, owned(&[(1, "a"), (2, "last"), (3, "next")]));
            }
        }
    }

    proptest! {
        #[test]
        fn somebody_else_goes_on_with_the_very_next_record(text in "\u{feff}?[ab\"\r\n,]{0,60}", block in 1_usize..20, drops in 1_usize..20, csv: bool, polls in prop::collection::vec(0_usize..20, 0..5)) {
            let format = if csv { Format::Csv } else { Format::Json };
            let whole = resumed(text.as_bytes(), format, 1_000, 1_000, &[]);
            prop_assert_eq!(resumed(text.as_bytes(), format, block, drops, &polls), whole);
        }

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
