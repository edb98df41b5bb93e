//! One CSV record to the stretches of its fields.
//!
//! The header says which column a path is read from: a nested path `a.b` is the column `a.b`.

use csv_core::{ReadRecordResult, Reader};

use super::Malformed;
use super::token::{Cut, Token};

/// Reads records of one file, whose columns all have names.
#[derive(Debug)]
pub(super) struct Columns {
    reader: Reader,
    /// The fields' text without quotes, one after the other.
    text: Vec<u8>,
    /// Where each field ends in `text`.
    ends: Vec<usize>,
    /// How many of `ends` are of this record.
    count: usize,
    /// How many columns the header names; 0 before it was read.
    width: usize,
    /// By slot: the name of its column.
    names: Vec<String>,
    /// By slot: its column.
    at: Vec<Option<usize>>,
}

/// Another reader of the same columns. Between records a reader has no state; `csv_core`'s own clone forgets what bytes mean.
impl Clone for Columns {
    fn clone(&self) -> Columns {
        Columns {
            reader: Reader::new(),
            text: Vec::new(),
            ends: self.ends.clone(),
            count: self.count,
            width: self.width,
            names: self.names.clone(),
            at: self.at.clone(),
        }
    }
}

impl Columns {
    /// A reader that looks for these columns, one per slot.
    pub(super) fn new(names: Vec<String>) -> Columns {
        Columns {
            reader: Reader::new(),
            text: Vec::new(),
            ends: vec![0; 32],
            count: 0,
            width: 0,
            at: vec![None; names.len()],
            names,
        }
    }

    /// True until [`Columns::header`] has succeeded.
    pub(super) fn unnamed(&self) -> bool {
        self.width == 0
    }

    /// Another file follows, with names of its own.
    pub(super) fn forget(&mut self) {
        self.width = 0;
    }

    /// The column that a slot is read from.
    pub(super) fn column(&self, slot: u32) -> Option<usize> {
        self.at[slot as usize]
    }

    /// Takes the first record as names of the columns; gives the names back.
    pub(super) fn header(&mut self, record: &[u8]) -> Result<Vec<String>, Malformed> {
        self.split(record)?;
        let text = utf8(&self.text)?;
        let mut names = Vec::with_capacity(self.count);
        let mut start = 0;
        for end in &self.ends[..self.count] {
            names.push(text[start..*end].trim().to_owned());
            start = *end;
        }
        self.width = names.len();
        self.at = self
            .names
            .iter()
            .map(|wanted| names.iter().position(|name| name == wanted))
            .collect();
        Ok(names)
    }

    /// Puts each slot's field into `slots`; gives the text that they lie in.
    pub(super) fn scan(&mut self, record: &[u8], slots: &mut [Token]) -> Result<&str, Malformed> {
        self.split(record)?;
        if self.count != self.width {
            return Err(Malformed::syntax(format!(
                "{} fields, but the header names {} columns",
                self.count, self.width
            )));
        }
        let text = utf8(&self.text)?;
        for (slot, at) in slots.iter_mut().zip(&self.at) {
            *slot = match *at {
                None => Token::Absent,
                Some(at) => Token::Bare(Cut {
                    // Records are at most a few megabytes long.
                    start: if at == 0 { 0 } else { self.ends[at - 1] as u32 },
                    end: self.ends[at] as u32,
                }),
            };
        }
        Ok(text)
    }

    /// Fills `text`, `ends` and `count` from a record, whose line end has been cut off.
    fn split(&mut self, record: &[u8]) -> Result<(), Malformed> {
        self.reader.reset();
        self.text.resize(record.len() + 1, 0);
        self.count = 0;
        let mut written = 0;
        let mut input = record;
        loop {
            let text = &mut self.text[written..];
            let (result, read, more, ends) =
                self.reader
                    .read_record(input, text, &mut self.ends[self.count..]);
            input = &input[read..];
            written += more;
            self.count += ends;
            match result {
                // Read once more without input: that ends the record.
                ReadRecordResult::InputEmpty => {}
                ReadRecordResult::OutputFull => {
                    let longer = self.text.len() * 2;
                    self.text.resize(longer, 0);
                }
                ReadRecordResult::OutputEndsFull => {
                    let longer = self.ends.len() * 2;
                    self.ends.resize(longer, 0);
                }
                ReadRecordResult::Record | ReadRecordResult::End => break,
            }
        }
        self.text.truncate(written);
        if !input.is_empty() {
            let reason = "more than one line, and not inside quotes";
            return Err(Malformed::syntax(reason.to_owned()));
        }
        Ok(())
    }
}

fn utf8(bytes: &[u8]) -> Result<&str, Malformed> {
    std::str::from_utf8(bytes)
        .map_err(|error| Malformed::syntax(format!("not UTF-8 at byte {}", error.valid_up_to())))
}
