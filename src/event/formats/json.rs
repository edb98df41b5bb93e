//! One pass over one JSON object: checks all of it, keeps where the wanted members' values lie.
//!
//! Values that nobody reads are checked by the grammar and skipped, not parsed. No recursion but along paths that
//! patterns name, nesting at most [`DEPTH_MAX`]. When a name stands twice in an object the last one counts.

use compact_str::CompactString;

use super::Malformed;
use super::chunk;
use super::number::Written;
use super::paths::{Found, PathTree, ROOT, UNREAD};
use super::token::{Cut, Token};

/// How deep objects and arrays may be nested: one bit each in a word.
const DEPTH_MAX: u32 = 128;

/// What is wrong with a record as JSON, and at which byte.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Fault {
    at: usize,
    what: &'static str,
}

/// A record being read.
struct Scan<'a> {
    bytes: &'a [u8],
    at: usize,
    /// Why it is not read on.
    fault: Option<Fault>,
    /// A member's name without its escapes.
    name: CompactString,
}

/// A record is not read on; the scan says why.
///
/// Results carry no more than that, and tokens are written where they stay: a result that is put together in memory and then copied stalls the processor, which has
/// not yet stored its parts when the copy wants the whole.
struct Stopped;

type Scanned<T> = Result<T, Stopped>;

/// The text of a record.
#[inline]
pub(super) fn text(record: &[u8]) -> Result<&str, Malformed> {
    std::str::from_utf8(record)
        .map_err(|error| Malformed::syntax(format!("not UTF-8 at byte {}", error.valid_up_to())))
}

/// Finds the wanted values of a record.
pub(super) fn read(text: &str, tree: &mut PathTree, slots: &mut [Token]) -> Result<(), Malformed> {
    scan(text, tree, slots).map_err(|fault| {
        Malformed::syntax(format!(
            "not a JSON object: {} at byte {}",
            fault.what, fault.at
        ))
    })
}

/// Puts the wanted values of the object in `text` into `slots`, which has one entry per slot of the tree.
///
/// # Errors
/// When the text is anything else than one JSON object.
fn scan(text: &str, tree: &mut PathTree, slots: &mut [Token]) -> Result<(), Fault> {
    slots.fill(Token::Absent);
    let mut scan = Scan {
        bytes: text.as_bytes(),
        at: 0,
        fault: None,
        name: CompactString::default(),
    };
    match scan.record(tree, slots) {
        Ok(()) => Ok(()),
        Err(Stopped) => Err(scan.fault.expect("who stops says why")),
    }
}

impl Scan<'_> {
    fn record(&mut self, tree: &mut PathTree, slots: &mut [Token]) -> Scanned<()> {
        self.space();
        match self.peek() {
            Some(b'{') => self.at += 1,
            Some(b'[') => return self.fault("found an array; write one object per line"),
            _ => return self.fault("expected `{`"),
        }
        self.object(ROOT, 1, tree, slots)?;
        self.space();
        if self.at < self.bytes.len() {
            return self.fault("expected the end of the line after the object");
        }
        Ok(())
    }

    /// Reads the members of an object whose brace has been read.
    fn object(
        &mut self,
        node: usize,
        depth: u32,
        tree: &mut PathTree,
        slots: &mut [Token],
    ) -> Scanned<()> {
        tree.enter(node);
        let mut first = true;
        let mut unread = Token::Absent;
        loop {
            let found = match tree.guess(node, self.bytes, self.at) {
                Some((found, bytes)) => {
                    self.at += bytes;
                    // More of it than last time.
                    self.space();
                    found
                }
                None => {
                    let start = self.at;
                    self.space();
                    if first && self.peek() == Some(b'}') {
                        self.at += 1;
                        return Ok(());
                    }
                    self.name(start, node, tree)?
                }
            };
            first = false;
            let (slot, child) = (found.slot, found.child);
            if child.is_some() {
                slots[found.covers.clone()].fill(Token::Absent);
            }
            match (child, self.peek()) {
                (Some(child), Some(b'{')) => {
                    if depth == DEPTH_MAX {
                        return self.fault("nested too deep (more than 128)");
                    }
                    self.at += 1;
                    self.object(child, depth + 1, tree, slots)?;
                    if let Some(slot) = slot {
                        slots[slot as usize] = Token::Object;
                    }
                }
                _ => {
                    let into = match slot {
                        Some(slot) => &mut slots[slot as usize],
                        None => &mut unread,
                    };
                    self.value(depth, into)?;
                }
            }
            self.space();
            match self.next() {
                Some(b',') => {}
                Some(b'}') => return Ok(()),
                _ => return self.fault_before("expected `,` or `}`"),
            }
        }
    }

    /// Reads a member's name up to its value: what the member is. `start`: where the space in front of it begins.
    #[cold]
    fn name<'t>(
        &mut self,
        start: usize,
        node: usize,
        tree: &'t mut PathTree,
    ) -> Scanned<&'t Found> {
        self.expect(b'"', "expected a member's name in quotes")?;
        let begins = self.at;
        let escaped = self.string()?;
        let raw = &self.bytes[begins..self.at - 1];
        self.space();
        self.expect(b':', "expected `:`")?;
        self.space();
        if !escaped {
            return Ok(tree.find(node, raw, &self.bytes[start..self.at]));
        }
        self.name.clear();
        let raw = std::str::from_utf8(raw)
            .expect("a string ends at a quote, which is a character of its own");
        // A name with half a surrogate pair is no name that a pattern can write.
        Ok(match unescape(raw, &mut self.name) {
            Ok(()) => tree.find(node, self.name.as_bytes(), &self.bytes[start..self.at]),
            Err(_) => &UNREAD,
        })
    }

    /// Reads any value.
    #[inline(always)]
    fn value(&mut self, depth: u32, into: &mut Token) -> Scanned<()> {
        match self.peek() {
            Some(b'"') => {
                self.at += 1;
                let start = self.at;
                let escaped = self.string()?;
                let cut = Cut::new(start, self.at - 1);
                *into = match escaped {
                    true => Token::Escaped(cut),
                    false => Token::Text(cut),
                };
            }
            Some(b'-' | b'0'..=b'9') => {
                let start = self.at;
                self.number()?;
                *into = Token::Number(Cut::new(start, self.at));
            }
            Some(b'{') => {
                self.skip(depth)?;
                *into = Token::Object;
            }
            Some(b'[') => {
                self.skip(depth)?;
                *into = Token::Array;
            }
            Some(b't') => {
                self.word(b"true")?;
                *into = Token::Bool(true);
            }
            Some(b'f') => {
                self.word(b"false")?;
                *into = Token::Bool(false);
            }
            Some(b'n') => {
                self.word(b"null")?;
                *into = Token::Null;
            }
            _ => return self.fault("expected a value"),
        }
        Ok(())
    }

    /// Reads a value within one that is skipped, which does not begin with a bracket.
    fn scalar(&mut self) -> Scanned<()> {
        // No bracket, so it does not matter how deep it lies.
        self.value(DEPTH_MAX, &mut Token::Absent)
    }

    /// Skips an object or array, whatever is nested in it.
    fn skip(&mut self, depth: u32) -> Scanned<()> {
        // One bit per open bracket, innermost lowest: 1 for an object.
        let mut open: u128 = 0;
        let mut count = 0;
        loop {
            match self.peek() {
                Some(bracket @ (b'{' | b'[')) => {
                    if depth + count >= DEPTH_MAX {
                        return self.fault("nested too deep (more than 128)");
                    }
                    self.at += 1;
                    self.space();
                    open = open << 1 | u128::from(bracket == b'{');
                    count += 1;
                    // `}` and `]` stand two after their opening brackets.
                    if self.peek() != Some(bracket + 2) {
                        if bracket == b'{' {
                            self.skip_name()?;
                        }
                        continue;
                    }
                }
                _ => self.scalar()?,
            }
            // A value, or an empty bracket's closing one, lies behind (or ahead): close what ends here.
            loop {
                if count == 0 {
                    return Ok(());
                }
                self.space();
                match (self.next(), open & 1 == 1) {
                    (Some(b','), true) => {
                        self.space();
                        self.skip_name()?;
                        break;
                    }
                    (Some(b','), false) => {
                        self.space();
                        break;
                    }
                    (Some(b'}'), true) | (Some(b']'), false) => {
                        open >>= 1;
                        count -= 1;
                    }
                    (_, true) => return self.fault_before("expected `,` or `}`"),
                    (_, false) => return self.fault_before("expected `,` or `]`"),
                }
            }
        }
    }

    /// Skips a member's name and its colon.
    fn skip_name(&mut self) -> Scanned<()> {
        self.expect(b'"', "expected a member's name in quotes")?;
        self.string()?;
        self.space();
        self.expect(b':', "expected `:`")?;
        self.space();
        Ok(())
    }

    /// Reads a string whose opening quote has been read, and its closing one; true if it has escapes.
    #[inline(always)]
    fn string(&mut self) -> Scanned<bool> {
        let mut escaped = false;
        loop {
            self.at = chunk::plain_end(self.bytes, self.at);
            match self.peek() {
                Some(b'"') => {
                    self.at += 1;
                    return Ok(escaped);
                }
                Some(b'\\') => {
                    escaped = true;
                    self.at += 1;
                    self.escape()?;
                }
                Some(_) => return self.fault("control character in a string"),
                None => return self.fault("string without an end"),
            }
        }
    }

    /// Checks an escape whose backslash has been read.
    fn escape(&mut self) -> Scanned<()> {
        match self.next() {
            Some(b'"' | b'\\' | b'/' | b'b' | b'f' | b'n' | b'r' | b't') => Ok(()),
            Some(b'u') => {
                let digits = self.bytes.get(self.at..self.at + 4);
                if digits.is_none_or(|digits| !digits.iter().all(u8::is_ascii_hexdigit)) {
                    return self.fault("expected four hexadecimal digits after `\\u`");
                }
                self.at += 4;
                Ok(())
            }
            _ => self.fault_before("no such escape"),
        }
    }

    /// Reads a number by the grammar of JSON.
    #[inline]
    fn number(&mut self) -> Scanned<()> {
        match Written::default().find(self.bytes, self.at) {
            Some(end) if !matches!(self.bytes.get(end), Some(b'.' | b'e' | b'E')) => {
                self.at = end;
                Ok(())
            }
            _ => self.long_number(),
        }
    }

    /// Reads a number of any length.
    #[cold]
    fn long_number(&mut self) -> Scanned<()> {
        if self.peek() == Some(b'-') {
            self.at += 1;
        }
        match self.peek() {
            Some(b'0') => self.at += 1,
            Some(b'1'..=b'9') => self.digits(),
            _ => return self.fault("expected a digit"),
        }
        if self.peek() == Some(b'.') {
            self.at += 1;
            self.digits_some()?;
        }
        if let Some(b'e' | b'E') = self.peek() {
            self.at += 1;
            if let Some(b'+' | b'-') = self.peek() {
                self.at += 1;
            }
            self.digits_some()?;
        }
        Ok(())
    }

    fn digits_some(&mut self) -> Scanned<()> {
        if !self.peek().is_some_and(|byte| byte.is_ascii_digit()) {
            return self.fault("expected a digit");
        }
        self.digits();
        Ok(())
    }

    fn digits(&mut self) {
        while self.peek().is_some_and(|byte| byte.is_ascii_digit()) {
            self.at += 1;
        }
    }

    fn word(&mut self, word: &'static [u8]) -> Scanned<()> {
        if !self.bytes[self.at..].starts_with(word) {
            return self.fault("expected a value");
        }
        self.at += word.len();
        Ok(())
    }

    #[inline]
    fn space(&mut self) {
        if self.peek().is_some_and(|byte| byte <= b' ') {
            self.spaces();
        }
    }

    #[cold]
    fn spaces(&mut self) {
        while let Some(b' ' | b'\t' | b'\n' | b'\r') = self.peek() {
            self.at += 1;
        }
    }

    #[inline]
    fn peek(&self) -> Option<u8> {
        self.bytes.get(self.at).copied()
    }

    #[inline]
    fn next(&mut self) -> Option<u8> {
        let byte = self.peek();
        self.at += 1;
        byte
    }

    #[inline]
    fn expect(&mut self, byte: u8, what: &'static str) -> Scanned<()> {
        if self.peek() != Some(byte) {
            return self.fault(what);
        }
        self.at += 1;
        Ok(())
    }

    #[cold]
    fn fault<T>(&mut self, what: &'static str) -> Scanned<T> {
        self.fault = Some(Fault { at: self.at, what });
        Err(Stopped)
    }

    /// A fault at the byte that was read last.
    #[cold]
    fn fault_before<T>(&mut self, what: &'static str) -> Scanned<T> {
        self.at -= 1;
        self.fault(what)
    }
}

/// Half a surrogate pair, which is no character.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct LoneSurrogate;

/// Appends the meaning of a string whose escapes the scanner has checked.
pub(super) fn unescape(raw: &str, out: &mut CompactString) -> Result<(), LoneSurrogate> {
    let mut rest = raw;
    while let Some(at) = memchr::memchr(b'\\', rest.as_bytes()) {
        out.push_str(&rest[..at]);
        let escape = rest.as_bytes()[at + 1];
        rest = &rest[at + 2..];
        let char = match escape {
            b'b' => '\u{8}',
            b'f' => '\u{c}',
            b'n' => '\n',
            b'r' => '\r',
            b't' => '\t',
            b'u' => {
                let unit = unit(rest);
                rest = &rest[4..];
                match unit {
                    0xD800..=0xDBFF => {
                        if !rest.starts_with("\\u") {
                            return Err(LoneSurrogate);
                        }
                        let low = unit2(&rest[2..])?;
                        rest = &rest[6..];
                        char::from_u32(0x10000 + ((unit - 0xD800) << 10) + low)
                            .ok_or(LoneSurrogate)?
                    }
                    _ => char::from_u32(unit).ok_or(LoneSurrogate)?,
                }
            }
            // A quote, a backslash or a slash.
            other => char::from(other),
        };
        out.push(char);
    }
    out.push_str(rest);
    Ok(())
}

/// The four hexadecimal digits that the scanner saw.
fn unit(text: &str) -> u32 {
    u32::from_str_radix(&text[..4], 16).expect("the scanner checked the digits")
}

/// The lower ten bits of the second half of a surrogate pair.
fn unit2(text: &str) -> Result<u32, LoneSurrogate> {
    match unit(text) {
        low @ 0xDC00..=0xDFFF => Ok(low - 0xDC00),
        _ => Err(LoneSurrogate),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn tokens(text: &str, paths: &[&str]) -> Result<Vec<Token>, Fault> {
        let paths: Vec<Vec<String>> = paths
            .iter()
            .map(|path| path.split('.').map(str::to_owned).collect())
            .collect();
        let (mut tree, at) = PathTree::new(paths.iter().map(Vec::as_slice));
        let mut slots = vec![Token::Null; tree.slots()];
        scan(text, &mut tree, &mut slots)?;
        Ok(at.into_iter().map(|slot| slots[slot as usize]).collect())
    }

    fn texts(text: &str, paths: &[&str]) -> Vec<String> {
        let shown = |token: Token| match token {
            Token::Number(cut) | Token::Text(cut) | Token::Escaped(cut) => cut.of(text).to_owned(),
            other => format!("{other:?}"),
        };
        tokens(text, paths)
            .expect("an object")
            .into_iter()
            .map(shown)
            .collect()
    }

    #[test]
    fn wanted_members_are_found_at_any_depth() {
        let text =
            r#" {"x":[1,{"a":2}],"a":{"b":{"c":"deep"},"n":-1.5e3},"s":"é\n","t":true,"z":null} "#;
        assert_eq!(
            texts(
                text,
                &["a.b.c", "a.n", "s", "t", "z", "x", "a", "a.none", "t.u"]
            ),
            [
                "deep",
                "-1.5e3",
                "é\\n",
                "Bool(true)",
                "Null",
                "Array",
                "Object",
                "Absent",
                "Absent"
            ]
        );
    }

    #[test]
    fn the_last_of_equal_names_counts_with_all_that_is_below() {
        assert_eq!(texts(r#"{"a":1,"a":2}"#, &["a"]), ["2"]);
        assert_eq!(
            texts(r#"{"a":{"b":1,"c":2},"a":{"c":3}}"#, &["a.b", "a.c"]),
            ["Absent", "3"]
        );
        assert_eq!(
            texts(r#"{"a":{"b":1},"a":5}"#, &["a.b", "a"]),
            ["Absent", "5"]
        );
    }

    #[test]
    fn an_escaped_name_is_the_same_name() {
        assert_eq!(texts(r#"{"\u0061mount":7,"\ud800":1}"#, &["amount"]), ["7"]);
    }

    #[test]
    fn nesting_ends_at_the_limit_and_not_in_an_overflow() {
        let nested =
            |depth: usize| format!("{{\"a\":{}1{}}}", "[".repeat(depth), "]".repeat(depth));
        assert!(tokens(&nested(127), &[]).is_ok());
        assert_eq!(
            tokens(&nested(128), &[]).unwrap_err().what,
            "nested too deep (more than 128)"
        );
        assert!(tokens(&nested(1_000_000), &[]).is_err());
        let path = vec!["a"; 200].join(".");
        let text = "{\"a\":".repeat(200) + "1" + &"}".repeat(200);
        assert!(tokens(&text, &[path.as_str()]).is_err());
    }

    /// Whether serde_json takes the text for one object. It does not look into strings it ignores.
    fn serde_accepts(text: &str) -> bool {
        text.trim_start_matches([' ', '\t', '\n', '\r'])
            .starts_with('{')
            && serde_json::from_str::<serde::de::IgnoredAny>(text).is_ok()
    }

    #[test]
    fn what_is_no_object_is_refused() {
        let bad = [
            "",
            "{",
            "}",
            "[]",
            "1",
            "null",
            "{}x",
            "{}{}",
            "{,}",
            "{\"a\"}",
            "{\"a\":}",
            "{\"a\":1,}",
            "{a:1}",
            "{\"a\":01}",
            "{\"a\":1.}",
            "{\"a\":.5}",
            "{\"a\":+1}",
            "{\"a\":1e}",
            "{\"a\":tru}",
            "{\"a\":\"x}",
            "{\"a\":\"\\x\"}",
            "{\"a\":\"\\u12g4\"}",
            "{\"a\":\"\t\"}",
            "{\"a\":[1,]}",
            "{\"a\":[1 2]}",
            "{\"a\":[}",
            "{\"a\":{]}",
            "{\"a\":[{\"b\":1]}",
            "{\"a\":1 \"b\":2}",
            "{'a':1}",
            "{\"a\":NaN}",
            "{\"a\":-}",
            "{\"a\":[,1]}",
            "{\"a\":{\"b\"}}",
            "{\"a\":\"",
            "{\"a\":\"\\",
            "{\"a\":\"\\u00",
            "\u{a0}{}",
        ];
        for text in bad {
            assert!(tokens(text, &["a", "a.b"]).is_err(), "{text}");
            assert!(!serde_accepts(text), "{text}");
        }
        let good = [
            "{}",
            " { } ",
            "{\"a\":[]}",
            "{\"a\":{}}",
            "{\"a\":[[],{},[{}]],\"b\":[{},1]}",
            "{\"a\":-0.0E+10}",
            "{\"\":\"\\u0000\\/\"}",
        ];
        for text in good {
            assert!(tokens(text, &["a", "a.b"]).is_ok(), "{text}");
            assert!(serde_accepts(text), "{text}");
        }
    }

    proptest! {
        #[test]
        fn acceptance_is_that_of_serde_json(text in r#"[\[\]{}:,"ab\\u0 1.e-]{0,30}"#, lead in "\\{|\\{\"a\":|\\{\"a\":\\[|", end in "\\}|\\]\\}|") {
            let text = format!("{lead}{text}{end}");
            prop_assert_eq!(tokens(&text, &["a", "b.a"]).is_ok(), serde_accepts(&text));
        }

        #[test]
        fn unescaping_is_that_of_serde_json(text in ".{0,20}", units in prop::collection::vec(any::<u16>(), 0..4)) {
            let mut json = serde_json::to_string(&text).unwrap();
            json.pop();
            for unit in units {
                json += &format!("\\u{unit:04x}");
            }
            json.push('"');
            let mut out = CompactString::default();
            let ours = unescape(&json[1..json.len() - 1], &mut out).ok().map(|()| out.into_string());
            prop_assert_eq!(ours, serde_json::from_str::<String>(&json).ok());
        }
    }
}
