//! Rows that are sent when they are committed, by sinks that cannot take them back.

use std::fmt;

use super::kept::{self, Kind};
use super::{Delivery, Error, Retries, Sink};
use crate::epoch::Epoch;
use crate::source::options::Options;

/// When rows are sent to whoever cannot give them back.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum Sending {
    /// As they come. After a crash those since the last checkpoint are sent again.
    #[default]
    AtOnce,
    /// When their epoch is committed: see [`AfterCommit`](super::AfterCommit).
    AfterCommit {
        /// How many bytes of rows an epoch has at most.
        keep_bytes: u64,
    },
}

/// Keeps the rows of an epoch in memory and with the checkpoint, and hands them to a sink when the epoch is committed: whoever is behind it never sees a row that no checkpoint has. After a crash
/// the rows of the committed epoch are handed over again, because nobody knows how far that had come.
///
/// For sinks that cannot take anything back, those of a program as well. Commits of the sink within are not asked for.
///
/// ```
/// use leitmotif::sink::{self, AfterCommit, Sink};
/// use leitmotif::Epoch;
///
/// struct Shout;
/// impl Sink for Shout {
///     fn write(&mut self, rows: &[u8]) -> Result<(), sink::Error> {
///         eprint!("{}", String::from_utf8_lossy(rows).to_uppercase());
///         Ok(())
///     }
///     fn flush(&mut self) -> Result<(), sink::Error> { Ok(()) }
/// }
///
/// let mut sink = AfterCommit::new("shout", Shout);
/// sink.restore(None)?;
/// sink.write(b"a row\n")?;
/// let kept = sink.prepare(Epoch(1))?;
/// sink.commit(Epoch(1))?; // only now it is heard
/// assert_eq!(kept, b"\x01\x03a row\n");
/// # Ok::<(), sink::Error>(())
/// ```
pub struct AfterCommit<S> {
    name: String,
    sink: S,
    keep_bytes: u64,
    /// Rows of the epoch that has not ended.
    rows: Vec<u8>,
    /// What is to be sent with the next commit.
    prepared: Option<(Epoch, Vec<u8>)>,
    state: State,
}

/// Whether anybody commits.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    Missing,
    There,
}

impl Sending {
    /// 64 MiB.
    pub const KEEP_BYTES: u64 = 64 << 20;

    /// A checkpoint holds them all.
    const KEEP_BYTES_MAX: u64 = 1 << 30;

    /// Takes `delivery` and `keep` from options of a target.
    pub(super) fn parse(options: &mut Options<'_>) -> Result<Sending, String> {
        let delivery = options.text("delivery");
        let keep = options.bytes("keep", 1_024)?;
        match (delivery, keep) {
            (None | Some("at-least-once"), None) => Ok(Sending::AtOnce),
            (None | Some("at-least-once"), Some(_)) => {
                Err("keep is for delivery=after-commit; leave it away, or add that".to_owned())
            }
            (Some("after-commit"), Some(bytes)) if bytes > Sending::KEEP_BYTES_MAX => {
                Err("keep is 1GiB at most".to_owned())
            }
            (Some("after-commit"), keep) => Ok(Sending::AfterCommit {
                keep_bytes: keep.unwrap_or(Sending::KEEP_BYTES),
            }),
            (Some(other), _) => Err(format!(
                "delivery={other} is not known; write delivery=at-least-once or delivery=after-commit"
            )),
        }
    }
}

impl<S: Sink> AfterCommit<S> {
    /// Sends to a sink, of which messages speak by this name. An epoch has at most [`Sending::KEEP_BYTES`] of rows.
    pub fn new(name: impl Into<String>, sink: S) -> AfterCommit<S> {
        AfterCommit {
            name: name.into(),
            sink,
            keep_bytes: Sending::KEEP_BYTES,
            rows: Vec::new(),
            prepared: None,
            state: State::Missing,
        }
    }

    /// An epoch has at most so many bytes of rows; more is an error. Memory holds up to three times as much, the checkpoint once.
    #[must_use]
    pub fn keep_bytes(self, keep_bytes: u64) -> AfterCommit<S> {
        AfterCommit { keep_bytes, ..self }
    }

    fn check_state(&self) -> Result<(), Error> {
        match self.state {
            State::There => Ok(()),
            State::Missing => Err(Error::usage(format!(
                "output \"{}\": delivery=after-commit without state: nothing would ever be committed; keep state, or leave it away",
                self.name
            ))),
        }
    }
}

pub(super) fn send(sink: &mut (impl Sink + ?Sized), rows: &[u8]) -> Result<(), Error> {
    if !rows.is_empty() {
        sink.write(rows)?;
    }
    sink.flush()
}

/// Rows that wait for their commit in what [`AfterCommit`] gave to a checkpoint; `None` when it was another sink.
pub(crate) fn rows_in(kept: &[u8]) -> Option<&[u8]> {
    Kind::Rows.is_of(kept).then(|| &kept[2..])
}

impl<S: Sink> Sink for AfterCommit<S> {
    fn write(&mut self, rows: &[u8]) -> Result<(), Error> {
        self.check_state()?;
        let bytes = (self.rows.len() + rows.len()) as u64;
        if bytes > self.keep_bytes {
            let (name, keep_bytes) = (&self.name, self.keep_bytes);
            return Err(Error::usage(format!(
                "output \"{name}\": {bytes} bytes of rows wait for their commit, more than keep={keep_bytes}; keep more, take checkpoints more often, or leave delivery=after-commit away"
            )));
        }
        self.rows.extend_from_slice(rows);
        Ok(())
    }

    fn flush(&mut self) -> Result<(), Error> {
        self.check_state()
    }

    /// Rows that are not committed are not sent: they come again.
    fn close(&mut self) -> Result<(), Error> {
        self.sink.close()
    }

    fn delivery(&self) -> Delivery {
        Delivery::AfterCommit
    }

    /// Version 1, kind 3, the rows.
    fn prepare(&mut self, epoch: Epoch) -> Result<Vec<u8>, Error> {
        self.check_state()?;
        let rows = std::mem::take(&mut self.rows);
        let rows = match self.prepared.take() {
            // That epoch was given up; its rows belong to this one.
            Some((_, mut earlier)) => {
                earlier.extend_from_slice(&rows);
                earlier
            }
            None => rows,
        };
        let mut kept = Kind::Rows.begin();
        kept.extend_from_slice(&rows);
        self.prepared = Some((epoch, rows));
        Ok(kept)
    }

    fn commit(&mut self, epoch: Epoch) -> Result<(), Error> {
        if let Some((prepared, rows)) = &self.prepared
            && *prepared <= epoch
        {
            send(&mut self.sink, rows)?;
            self.prepared = None;
        }
        Ok(())
    }

    fn restore(&mut self, prepared: Option<(Epoch, &[u8])>) -> Result<(), Error> {
        if self.state == State::There {
            return Err(Error::restored_late(&self.name));
        }
        self.state = State::There;
        match prepared {
            // Nothing: rows were sent at once then.
            None | Some((_, &[])) => Ok(()),
            Some((epoch, kept)) => {
                let rows = Kind::Rows.read(kept, |reader| reader.take(kept.len() - 2));
                let rows = rows.map_err(|damaged| kept::unreadable(&self.name, epoch, &damaged))?;
                send(&mut self.sink, rows)
            }
        }
    }

    fn wants_commit(&self) -> bool {
        self.rows.len() as u64 > self.keep_bytes / 2
    }

    fn retries(&self) -> Retries {
        self.sink.retries()
    }
}

impl<S> fmt::Debug for AfterCommit<S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("AfterCommit")
            .field("name", &self.name)
            .field("keep_bytes", &self.keep_bytes)
            .field("rows_bytes", &self.rows.len())
            .field("state", &self.state)
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use std::sync::{Arc, Mutex};

    use super::*;

    /// Notes what it gets; fails as often as it is told to.
    #[derive(Clone, Default)]
    struct Noted {
        text: Arc<Mutex<String>>,
        failures: Arc<Mutex<u32>>,
    }

    impl Sink for Noted {
        fn write(&mut self, rows: &[u8]) -> Result<(), Error> {
            let mut failures = self.failures.lock().unwrap();
            if let Some(left) = failures.checked_sub(1) {
                *failures = left;
                return Err(Error::new("output \"noted\": away"));
            }
            let rows = std::str::from_utf8(rows).unwrap();
            self.text.lock().unwrap().push_str(rows);
            Ok(())
        }

        fn flush(&mut self) -> Result<(), Error> {
            Ok(())
        }
    }

    impl Noted {
        #[track_caller]
        fn check(&self, wanted: &str) {
            assert_eq!(*self.text.lock().unwrap(), wanted);
        }
    }

    fn new(noted: &Noted) -> AfterCommit<Noted> {
        AfterCommit::new("noted", noted.clone())
    }

    #[test]
    fn rows_are_sent_with_the_commit_of_their_epoch() {
        let noted = Noted::default();
        let mut sink = new(&noted);
        sink.restore(None).unwrap();
        sink.write(b"one\n").unwrap();
        sink.flush().unwrap();
        assert_eq!(sink.prepare(Epoch(1)).unwrap(), b"\x01\x03one\n");
        sink.write(b"two\n").unwrap();
        noted.check("");
        sink.commit(Epoch(1)).unwrap();
        sink.commit(Epoch(1)).unwrap();
        noted.check("one\n");
        sink.close().unwrap();
        noted.check("one\n");
    }

    #[test]
    fn a_commit_that_failed_can_be_done_again() {
        let noted = Noted::default();
        let mut sink = new(&noted);
        sink.restore(None).unwrap();
        sink.write(b"one\n").unwrap();
        sink.prepare(Epoch(1)).unwrap();
        *noted.failures.lock().unwrap() = 1;
        assert!(sink.commit(Epoch(1)).is_err());
        sink.commit(Epoch(1)).unwrap();
        noted.check("one\n");
    }

    #[test]
    fn what_a_checkpoint_kept_is_sent_when_it_is_restored_also_by_the_sink_alone() {
        let kept = b"\x01\x03one\n";
        let noted = Noted::default();
        new(&noted).restore(Some((Epoch(1), kept))).unwrap();
        noted.check("one\n");
        let mut plain = noted.clone();
        plain.restore(Some((Epoch(1), kept))).unwrap();
        noted.check("one\none\n");
        for nothing in [Some((Epoch(1), b"".as_slice())), None] {
            new(&noted).restore(nothing).unwrap();
            plain.restore(nothing).unwrap();
        }
        noted.check("one\none\n");
        let error = new(&noted)
            .restore(Some((Epoch(1), b"\x01\x01")))
            .unwrap_err();
        assert_eq!(
            error.to_string(),
            "output \"noted\": what checkpoint 1 kept of it is not what it should be: no output of this kind at byte 2; restore another checkpoint, or name another place"
        );
    }

    #[test]
    fn more_rows_than_are_kept_are_refused_and_half_of_them_want_a_commit() {
        let mut sink = new(&Noted::default()).keep_bytes(10);
        sink.restore(None).unwrap();
        sink.write(b"one.\n").unwrap();
        assert!(!sink.wants_commit());
        sink.write(b"two.\n").unwrap();
        assert!(sink.wants_commit());
        let error = sink.write(b"3\n").unwrap_err();
        assert_eq!(
            error.to_string(),
            "output \"noted\": 12 bytes of rows wait for their commit, more than keep=10; keep more, take checkpoints more often, or leave delivery=after-commit away"
        );
        sink.prepare(Epoch(1)).unwrap();
        sink.write(b"3\n").unwrap();
    }

    #[test]
    fn without_state_it_is_refused_at_once() {
        let mut sink = new(&Noted::default());
        let error = sink.flush().unwrap_err().to_string();
        assert!(
            error.contains("delivery=after-commit without state"),
            "{error}"
        );
    }
}
