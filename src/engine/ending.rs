//! The end of threads, for those who wait for it and look around meanwhile.

use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

/// Knows when all threads have ended that have a [`Going`].
#[derive(Debug)]
pub(crate) struct Ending(Arc<Threads>);

/// What a thread has until it ends, by itself or by a panic.
#[derive(Debug)]
pub(crate) struct Going(Arc<Threads>);

#[derive(Debug, Default)]
struct Threads {
    going: Mutex<usize>,
    ended: Condvar,
}

impl Ending {
    /// Ends with the last copy of what goes with it.
    pub(crate) fn new() -> (Going, Ending) {
        let threads = Arc::new(Threads::default());
        (Going::of(&threads), Ending(threads))
    }

    /// True once all have ended, as soon as they have; false if that takes longer than `time`. Any number of threads may ask at once.
    pub(crate) fn within(&self, time: Duration) -> bool {
        let some_go = |going: &mut usize| *going > 0;
        let waited = (self.0.ended).wait_timeout_while(self.0.going(), time, some_go);
        let (going, _) = waited.unwrap_or_else(PoisonError::into_inner);
        *going == 0
    }
}

impl Threads {
    fn going(&self) -> MutexGuard<'_, usize> {
        self.going.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Going {
    fn of(threads: &Arc<Threads>) -> Going {
        *threads.going() += 1;
        Going(Arc::clone(threads))
    }
}

impl Clone for Going {
    fn clone(&self) -> Going {
        Going::of(&self.0)
    }
}

impl Drop for Going {
    fn drop(&mut self) {
        *self.0.going() -= 1;
        self.0.ended.notify_all();
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
