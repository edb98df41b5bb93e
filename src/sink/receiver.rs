//! Who rows are posted to, as it is written: `https://alerts.example/hook?team=7#batch=10`.
//!
//! Options stand behind `#`: that part of an address is never sent, so it can't be meant for the receiver.

use std::fmt;
use std::hash::Hasher as _;
use std::time::Duration;

use super::Sending;
use crate::lang::scalar::StableHasher;
use crate::source::options::Options;
use crate::time::Span;

/// How many rows a request holds, unless told otherwise.
const ROWS_MAX: u32 = 100;

/// Somebody who takes rows by HTTP.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Receiver {
    /// Without options.
    pub url: String,
    /// How rows are sent.
    pub body: Body,
    /// How long the same rows are sent again after failures; `None` for ever.
    pub retry: Option<Duration>,
    /// The environment variable whose value is sent as bearer token.
    pub bearer: Option<String>,
    /// When rows are sent.
    pub sending: Sending,
}

/// What a request holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Body {
    /// So many rows at most, one JSON object per line: `application/x-ndjson`.
    Lines {
        /// At least one.
        rows_max: u32,
    },
    /// One row: `application/json`.
    Object,
}

impl Receiver {
    /// Takes an address and its options apart.
    pub(super) fn parse(text: &str) -> Result<Receiver, String> {
        let (url, options) = text.split_once('#').unwrap_or((text, ""));
        let authority = url.split_once("://").map_or("", |(_, rest)| rest);
        let authority = authority.split(['/', '?']).next().unwrap_or_default();
        if authority.is_empty() || url.contains(char::is_whitespace) {
            return Err("is no address; write such as https://alerts.example:8443/hook".to_owned());
        }
        let mut options = Options::parse(options)?;
        let batch = options.number("batch", 1..=100_000)?;
        let body = match (options.text("format"), batch) {
            (None | Some("ndjson"), batch) => Body::Lines {
                rows_max: batch.map_or(ROWS_MAX, |batch| batch as u32),
            },
            (Some("json"), None | Some(1)) => Body::Object,
            (Some("json"), Some(batch)) => {
                return Err(format!(
                    "batch={batch} and format=json: one JSON object is one row; leave batch away, or write format=ndjson"
                ));
            }
            (Some(other), _) => {
                return Err(format!(
                    "format={other} is not known; write format=ndjson or format=json"
                ));
            }
        };
        let retry = options.span("retry", Span(0)..=Span(i64::MAX))?;
        let bearer = options.text("bearer").map(str::to_owned);
        let sending = Sending::parse(&mut options)?;
        options.end()?;
        Ok(Receiver {
            url: url.to_owned(),
            body,
            retry: retry.map(|span| Duration::from_millis(span.0.unsigned_abs())),
            bearer,
            sending,
        })
    }

    /// What a checkpoint calls it: the address as it may be shown, with a checksum of all of it where that says less.
    pub(super) fn key(&self) -> String {
        let shown = self.to_string();
        if shown == self.url {
            return shown;
        }
        let mut hasher = StableHasher::default();
        hasher.write(self.url.as_bytes());
        format!("{shown}?{:016x}", hasher.finish())
    }
}

/// The address without what may be secret: name and password, and its query.
impl fmt::Display for Receiver {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let url = self.url.split('?').next().unwrap_or_default();
        let (scheme, rest) = url.split_once("://").unwrap_or(("", url));
        let (authority, path) = rest.split_at(rest.find('/').unwrap_or(rest.len()));
        let host = authority.rsplit('@').next().unwrap_or_default();
        write!(f, "{scheme}://{host}{path}")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn options_stand_behind_the_address_and_are_not_part_of_it() {
        let parsed = Receiver::parse("https://u:p@a.example:1/x?team=7#batch=5&retry=10m&bearer=T");
        let receiver = parsed.unwrap();
        assert_eq!(receiver.to_string(), "https://a.example:1/x");
        let want = Receiver {
            url: "https://u:p@a.example:1/x?team=7".to_owned(),
            body: Body::Lines { rows_max: 5 },
            retry: Some(Duration::from_secs(600)),
            bearer: Some("T".to_owned()),
            sending: Sending::AtOnce,
        };
        assert_eq!(receiver, want);
        let body = |text: &str| Receiver::parse(text).unwrap().body;
        assert_eq!(body("http://a"), Body::Lines { rows_max: 100 });
        assert_eq!(body("http://a#format=json"), Body::Object);
        let sending = |text: &str| Receiver::parse(text).unwrap().sending;
        let keep_bytes = |keep_bytes| Sending::AfterCommit { keep_bytes };
        let after = sending("http://a#delivery=after-commit");
        assert_eq!(after, keep_bytes(64 << 20));
        let after = sending("http://a#keep=1GiB&delivery=after-commit");
        assert_eq!(after, keep_bytes(1 << 30));
        assert_eq!(sending("http://a#delivery=at-least-once"), Sending::AtOnce);
    }

    #[test]
    fn what_cannot_be_meant_is_refused_with_the_way_out() {
        let error = |text| Receiver::parse(text).unwrap_err();
        for text in ["http:", "http://", "http:///x", "http://a b"] {
            assert!(error(text).contains("is no address"), "{text}");
        }
        assert_eq!(
            error("http://a#size=1"),
            "no option \"size\"; options are batch, bearer, delivery, format, keep, retry"
        );
        assert!(error("http://a#format=xml").ends_with("write format=ndjson or format=json"));
        assert!(error("http://a#format=json&batch=2").contains("one JSON object is one row"));
        assert_eq!(
            error("http://a#delivery=once"),
            "delivery=once is not known; write delivery=at-least-once or delivery=after-commit"
        );
        assert!(error("http://a#keep=1MiB").starts_with("keep is for delivery=after-commit"));
        assert!(error("http://a#delivery=after-commit&keep=2GiB").contains("1GiB at most"));
    }
}
