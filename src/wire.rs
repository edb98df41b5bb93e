//! Bytes that outlive the process: the few shapes of which every format on disk is made.
//!
//! Whole numbers are LEB128 (7 bits a byte, low ones first, the high bit says that more follow), signed ones zigzag first. Texts and byte strings have their length in
//! front. Nothing is derived from how things lie in memory. [`Reader`] trusts nothing: whatever the bytes are, it gives values or [`Damaged`], and
//! never asks for more memory than there are bytes. `docs/checkpoint.md` has it all byte by byte.

use std::fmt;

/// Bytes that are not what they should be.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Damaged {
    /// What was expected.
    what: &'static str,
    /// At which byte.
    at: usize,
}

impl fmt::Display for Damaged {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "no {} at byte {}", self.what, self.at)
    }
}

impl std::error::Error for Damaged {}

/// Appends a whole number: 1 to 10 bytes.
pub fn put_uint(out: &mut Vec<u8>, mut value: u64) {
    while value >= 0x80 {
        out.push(value as u8 | 0x80);
        value >>= 7;
    }
    out.push(value as u8);
}

/// Appends a signed number: 1 to 10 bytes, few for those near 0.
pub fn put_int(out: &mut Vec<u8>, value: i64) {
    put_uint(out, ((value << 1) ^ (value >> 63)).cast_unsigned());
}

/// Appends 8 bytes, low ones first: for hashes, which have no short form.
pub fn put_fixed(out: &mut Vec<u8>, value: u64) {
    out.extend_from_slice(&value.to_le_bytes());
}

/// Appends a byte string with its length.
pub fn put_bytes(out: &mut Vec<u8>, bytes: &[u8]) {
    put_uint(out, bytes.len() as u64);
    out.extend_from_slice(bytes);
}

/// Appends a text with its length.
pub fn put_str(out: &mut Vec<u8>, text: &str) {
    put_bytes(out, text.as_bytes());
}

/// Appends a yes or no.
pub fn put_bool(out: &mut Vec<u8>, value: bool) {
    out.push(u8::from(value));
}

/// Reads what the `put_…` wrote, in the same order.
#[derive(Clone, Debug)]
pub struct Reader<'a> {
    bytes: &'a [u8],
    at: usize,
}

impl<'a> Reader<'a> {
    /// Reads from the beginning.
    #[must_use]
    pub fn new(bytes: &'a [u8]) -> Reader<'a> {
        Reader { bytes, at: 0 }
    }

    /// What is wrong here, by name.
    #[must_use]
    pub fn damaged(&self, what: &'static str) -> Damaged {
        Damaged { what, at: self.at }
    }

    /// One byte.
    ///
    /// # Errors
    /// At the end.
    pub fn byte(&mut self) -> Result<u8, Damaged> {
        let byte = self.bytes.get(self.at).copied();
        let byte = byte.ok_or_else(|| self.damaged("byte"))?;
        self.at += 1;
        Ok(byte)
    }

    /// A whole number.
    ///
    /// # Errors
    /// At the end, or when it has more than 64 bits.
    pub fn uint(&mut self) -> Result<u64, Damaged> {
        let mut value = 0_u64;
        for shift in (0..64).step_by(7) {
            let byte = self.byte()?;
            let bits = u64::from(byte & 0x7f);
            if shift == 63 && bits > 1 {
                return Err(self.damaged("number of 64 bits"));
            }
            value |= bits << shift;
            if byte < 0x80 {
                return Ok(value);
            }
        }
        Err(self.damaged("number of 64 bits"))
    }

    /// A whole number of a narrower type.
    ///
    /// # Errors
    /// At the end, or when it does not fit.
    pub fn narrow<T: TryFrom<u64>>(&mut self) -> Result<T, Damaged> {
        let value = self.uint()?;
        T::try_from(value).map_err(|_| self.damaged("number in range"))
    }

    /// How many things follow. Each takes at least a byte, so no count can ask for more memory than there are bytes.
    ///
    /// # Errors
    /// At the end, or when there are fewer bytes than things.
    pub fn count(&mut self) -> Result<usize, Damaged> {
        let count: usize = self.narrow()?;
        if count > self.bytes.len() - self.at {
            return Err(self.damaged("count of things that are there"));
        }
        Ok(count)
    }

    /// A signed number.
    ///
    /// # Errors
    /// As [`Reader::uint`].
    pub fn int(&mut self) -> Result<i64, Damaged> {
        let coded = self.uint()?;
        Ok((coded >> 1).cast_signed() ^ -((coded & 1).cast_signed()))
    }

    /// 8 bytes, low ones first.
    ///
    /// # Errors
    /// At the end.
    pub fn fixed(&mut self) -> Result<u64, Damaged> {
        let mut bytes = [0; 8];
        bytes.copy_from_slice(self.take(8)?);
        Ok(u64::from_le_bytes(bytes))
    }

    /// So many bytes, without a length in front.
    ///
    /// # Errors
    /// When there are fewer.
    pub fn take(&mut self, count: usize) -> Result<&'a [u8], Damaged> {
        let rest = &self.bytes[self.at..];
        if count > rest.len() {
            return Err(self.damaged("bytes as many as announced"));
        }
        self.at += count;
        Ok(&rest[..count])
    }

    /// A byte string with its length.
    ///
    /// # Errors
    /// When it is cut.
    pub fn bytes(&mut self) -> Result<&'a [u8], Damaged> {
        let length = self.count()?;
        self.take(length)
    }

    /// A text with its length.
    ///
    /// # Errors
    /// When it is cut, or is not UTF-8.
    pub fn str(&mut self) -> Result<&'a str, Damaged> {
        let bytes = self.bytes()?;
        std::str::from_utf8(bytes).map_err(|_| self.damaged("text"))
    }

    /// A yes or no.
    ///
    /// # Errors
    /// At the end, or when it is neither.
    pub fn bool(&mut self) -> Result<bool, Damaged> {
        match self.byte()? {
            0 => Ok(false),
            1 => Ok(true),
            _ => Err(self.damaged("yes or no")),
        }
    }

    /// What is left.
    #[must_use]
    pub fn rest(&self) -> &'a [u8] {
        &self.bytes[self.at..]
    }

    /// Nothing may follow.
    ///
    /// # Errors
    /// When something does.
    pub fn end(&self) -> Result<(), Damaged> {
        match self.rest().is_empty() {
            true => Ok(()),
            false => Err(self.damaged("end")),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn what_was_put_is_read(uints: Vec<u64>, ints: Vec<i64>, text: String, bytes: Vec<u8>, yes: bool, fixed: u64) {
            let mut out = Vec::new();
            put_uint(&mut out, uints.len() as u64);
            uints.iter().for_each(|value| put_uint(&mut out, *value));
            ints.iter().for_each(|value| put_int(&mut out, *value));
            put_str(&mut out, &text);
            put_bytes(&mut out, &bytes);
            put_bool(&mut out, yes);
            put_fixed(&mut out, fixed);
            let mut reader = Reader::new(&out);
            prop_assert_eq!(reader.count().unwrap(), uints.len());
            for value in uints {
                prop_assert_eq!(reader.uint().unwrap(), value);
            }
            for value in ints {
                prop_assert_eq!(reader.int().unwrap(), value);
            }
            prop_assert_eq!(reader.str().unwrap(), text);
            prop_assert_eq!(reader.bytes().unwrap(), bytes);
            prop_assert_eq!(reader.bool().unwrap(), yes);
            prop_assert_eq!(reader.fixed().unwrap(), fixed);
            prop_assert!(reader.end().is_ok());
        }

        #[test]
        fn no_bytes_panic_or_ask_for_much(bytes: Vec<u8>) {
            let mut reader = Reader::new(&bytes);
            while reader.uint().is_ok() {}
            let mut reader = Reader::new(&bytes);
            while reader.bytes().is_ok_and(|bytes| !bytes.is_empty()) {}
            let _ = Reader::new(&bytes).fixed();
            if let Ok(count) = Reader::new(&bytes).count() {
                prop_assert!(count < bytes.len());
            }
        }
    }

    #[test]
    fn the_encodings_are_these_bytes() {
        let mut out = Vec::new();
        put_uint(&mut out, 300);
        put_int(&mut out, -2);
        put_str(&mut out, "ab");
        put_bool(&mut out, true);
        put_fixed(&mut out, 1);
        assert_eq!(out, [0xac, 2, 3, 2, b'a', b'b', 1, 1, 0, 0, 0, 0, 0, 0, 0]);
        let error = Reader::new(&[5, b'a']).bytes().unwrap_err();
        assert_eq!(
            error.to_string(),
            "no count of things that are there at byte 1"
        );
    }
}
