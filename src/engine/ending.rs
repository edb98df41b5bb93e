//! The end of threads, for those who wait for it and look around meanwhile.

use std::convert::Infallible;
use std::sync::mpsc::{self, Receiver, RecvTimeoutError, Sender};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

/// Knows when all threads have ended that have a [`Going`].
#[derive(Debug)]
pub(crate) struct Ending(Mutex<Receiver<Infallible>>);

/// What a thread has until it ends, by itself or by a panic.
#[derive(Clone, Debug)]
pub(crate) struct Going {
    _end: Sender<Infallible>,
}

impl Ending {
    /// Of no thread yet; it ends with the last copy of what goes with it.
    pub(crate) fn new() -> (Going, Ending) {
        let (end, ends) = mpsc::channel();
        (Going { _end: end }, Ending(Mutex::new(ends)))
    }

    /// True once all have ended, as soon as they have; false if that takes longer than `time`.
    pub(crate) fn within(&self, time: Duration) -> bool {
        let ends = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        ends.recv_timeout(time) == Err(RecvTimeoutError::Disconnected)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::thread;

    #[test]
    fn all_have_ended_once_the_last_has_however_it_does() {
        let (going, ending) = Ending::new();
        let (other, more) = (going.clone(), going.clone());
        thread::spawn(move || drop(going)).join().expect("it ends");
        let panicking = thread::spawn(move || {
            let _other = other;
            panic!("on purpose");
        });
        assert!(panicking.join().is_err());
        assert!(!ending.within(Duration::from_millis(1)));
        let last = thread::spawn(move || {
            thread::sleep(Duration::from_millis(5));
            drop(more);
        });
        assert!(ending.within(Duration::from_secs(60)));
        last.join().expect("it ends");
    }
}
