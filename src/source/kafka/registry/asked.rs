//! Which schemas are asked for, and the thread that asks.

use std::collections::{HashMap, VecDeque};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use std::thread;
use std::time::{Duration, Instant};

use crate::event::formats::avro::Schemas;
use crate::event::formats::framing;

/// The first wait after a failure, each later one twice the one before.
const WAIT_MIN: Duration = Duration::from_millis(100);

/// The longest wait.
const WAIT_MAX: Duration = Duration::from_secs(5);

/// A number that no registry knew is asked for again after so long: one that lags behind may know it then.
const UNKNOWN_FOR: Duration = Duration::from_secs(60);

/// So many numbers are remembered as unknown. Records that are no Avro at all may have any.
const UNKNOWN_MAX: usize = 1_024;

/// So many schemas are kept: far more than topics are written with.
const SCHEMAS_MAX: usize = 10_000;

/// Who knows schemas.
pub(super) trait Knowing: Send + Sync {
    /// Asks for the schema of a number, and waits for the answer.
    fn ask(&self, id: u32) -> Answer;
}

/// What was answered.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Answer {
    /// The schema's text, and those of schemas whose names it uses.
    Schema(String, Vec<String>),
    /// There is none of this number.
    Unknown,
    /// There is one, but none of Avro, and why.
    Unusable(String),
    /// Nobody answers now, and why.
    Away(String),
    /// Nothing will be answered, and why.
    Refused(String),
}

/// A registry as one reader sees it.
#[derive(Clone)]
pub(crate) struct Registry {
    shared: Arc<Shared>,
    /// The number that was looked for last, whose answer is there.
    last: Option<u32>,
}

struct Shared {
    schemas: Schemas,
    knowing: Box<dyn Knowing>,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    /// Numbers to ask for, in order, each once.
    wanted: VecDeque<u32>,
    /// A thread sees to them.
    asking: bool,
    learned: usize,
    /// Since when numbers are known to be unknown; at most [`UNKNOWN_MAX`].
    unknown: HashMap<u32, Instant>,
    failure: Option<String>,
}

impl Registry {
    pub(super) fn new(schemas: Schemas, knowing: Box<dyn Knowing>) -> Registry {
        Registry {
            shared: Arc::new(Shared {
                schemas,
                knowing,
                state: Mutex::default(),
            }),
            last: None,
        }
    }

    /// The number of the schema that has to be waited for before this record can be read; it is asked for.
    #[inline]
    pub(crate) fn wanted(&mut self, record: &[u8]) -> Option<u32> {
        // What has no number is found out as such where it is read.
        let (id, _) = framing::id(record).ok()?;
        if self.last == Some(id) {
            return None;
        }
        let answered = self.shared.is_answered(id);
        if answered {
            self.last = Some(id);
        }
        (!answered).then_some(id)
    }

    /// Whether what is to be known of this number is known.
    ///
    /// # Errors
    /// When it will never be.
    pub(crate) fn is_answered(&mut self, id: u32) -> Result<bool, String> {
        if let Some(failure) = &self.shared.lock().failure {
            return Err(failure.clone());
        }
        Ok(self.shared.is_answered(id))
    }
}

impl Shared {
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Whether a number is known, or known to be unknown; if not, it is asked for.
    fn is_answered(self: &Arc<Shared>, id: u32) -> bool {
        let mut state = self.lock();
        let stale = |since: &mut Instant| since.elapsed() >= UNKNOWN_FOR;
        if state.unknown.get_mut(&id).is_some_and(stale) {
            state.unknown.remove(&id);
            self.schemas.forget(id);
        }
        if self.schemas.knows(id) {
            return true;
        }
        if !state.wanted.contains(&id) {
            state.wanted.push_back(id);
        }
        if !state.asking && state.failure.is_none() {
            let shared = Arc::downgrade(self);
            let thread = thread::Builder::new().name("schema-registry".to_owned());
            match thread.spawn(move || ask(&shared)) {
                Ok(_) => state.asking = true,
                Err(error) => state.failure = Some(format!("the system gives no thread: {error}")),
            }
        }
        false
    }

    /// Takes an answer; gives how long to wait before the next question, or `None` if there is none to be asked.
    fn take(&self, id: u32, answer: Answer, failures: &mut u32) -> Option<Duration> {
        let mut state = self.lock();
        if let Answer::Away(reason) = answer {
            let wait = WAIT_MIN.saturating_mul(2_u32.saturating_pow(*failures));
            if *failures == 0 {
                tracing::warn!(schema = id, %reason, "a schema registry does not answer; records wait until it does");
            }
            *failures += 1;
            return Some(wait.min(WAIT_MAX));
        }
        if *failures > 0 {
            tracing::info!(schema = id, "the schema registry answers again");
            *failures = 0;
        }
        match answer {
            Answer::Schema(text, others) => {
                if state.learned == SCHEMAS_MAX {
                    state.failure = Some(format!(
                        "records are written with more than {SCHEMAS_MAX} schemas; read fewer topics in one source"
                    ));
                    return None;
                }
                state.learned += 1;
                self.schemas.learn(id, &text, &others);
            }
            Answer::Unusable(reason) => self.schemas.refuse(id, &reason),
            Answer::Unknown => {
                let reason = format!("schema {id} is not known to the registry");
                self.schemas.refuse(id, &reason);
                self.forget_oldest(&mut state);
                state.unknown.insert(id, Instant::now());
            }
            Answer::Refused(reason) => {
                state.failure = Some(reason);
                state.asking = false;
                return None;
            }
            Answer::Away(_) => unreachable!("it was seen to"),
        }
        state.wanted.retain(|wanted| *wanted != id);
        Some(Duration::ZERO)
    }

    fn forget_oldest(&self, state: &mut State) {
        if state.unknown.len() < UNKNOWN_MAX {
            return;
        }
        let oldest = state.unknown.iter().min_by_key(|(_, since)| **since);
        if let Some(id) = oldest.map(|(id, _)| *id) {
            state.unknown.remove(&id);
            self.schemas.forget(id);
        }
    }
}

/// Asks for what is wanted until nothing is, or nobody is left who wants it.
fn ask(shared: &Weak<Shared>) {
    let mut failures = 0;
    loop {
        let Some(shared) = shared.upgrade() else {
            return;
        };
        let wanted = {
            let mut state = shared.lock();
            let wanted = state.wanted.front().copied();
            // Under the lock: whoever wants one more either is seen here, or begins another thread.
            state.asking = wanted.is_some();
            wanted
        };
        let Some(id) = wanted else { return };
        let answer = shared.knowing.ask(id);
        let Some(wait) = shared.take(id, answer, &mut failures) else {
            return;
        };
        drop(shared);
        thread::sleep(wait);
    }
}
