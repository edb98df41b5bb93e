//! `leitmotif top`: a running engine on a terminal, renewed each second.

mod fetch;
mod frame;
mod line;
pub mod number;
mod screen;
mod table;

use std::io::{self, IsTerminal as _, Write as _};
use std::thread;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use anyhow::{Result, bail};
use leitmotif::engine::snapshot::Snapshot;

use super::Outcome;
use super::args::TopArgs;
use fetch::Address;
use frame::{Interval, Size, frame};
use line::{Line, Look};
use screen::{Pressed, Screen};

/// How far two looks lie apart.
const EVERY: Duration = Duration::from_secs(1);

/// The size of a frame where there is no terminal: wide, and as long as it needs to be.
const PAPER: Size = Size {
    width: 160,
    height: 10_000,
};

/// Shows an engine until somebody has seen enough.
///
/// # Errors
/// When the engine can't be reached, or there is no terminal to draw on.
pub fn run(args: &TopArgs) -> Result<Outcome> {
    let address = Address::parse(&args.url)?;
    if args.once {
        return once(&address);
    }
    if !io::stdout().is_terminal() || !io::stdin().is_terminal() {
        bail!(
            "top draws on a terminal, and there is none; write leitmotif top --once for one frame as text"
        );
    }
    // The first answer comes before the screen is taken, so that a mistake is read where it was typed.
    let mut watched = Watched::first(&address)?;
    let mut screen = Screen::take()?;
    loop {
        let size = screen.size()?;
        screen.draw(&watched.lines(size))?;
        match screen.wait(watched.next_look())? {
            Some(Pressed::Quit) => return Ok(Outcome::Fine),
            Some(Pressed::Resized) => {}
            None => watched.look(),
        }
    }
}

fn once(address: &Address) -> Result<Outcome> {
    let mut watched = Watched::first(address)?;
    thread::sleep(EVERY);
    watched.look();
    if let Some(lost) = watched.lost {
        bail!(lost);
    }
    let mut out = io::stdout().lock();
    for line in watched.lines(PAPER) {
        writeln!(out, "{}", line.to_string().trim_end())?;
    }
    Ok(Outcome::Fine)
}

/// What is known of an engine.
struct Watched<'a> {
    address: &'a Address,
    before: Answer,
    after: Answer,
    /// When it was looked last, with or without an answer.
    looked: Instant,
    /// Why there was none.
    lost: Option<String>,
}

/// What it answered.
#[derive(Clone)]
struct Answer {
    snapshot: Snapshot,
    at: Instant,
    at_ms: i64,
}

impl Answer {
    fn now(address: &Address) -> Result<Answer> {
        let snapshot = address.status()?;
        let since = SystemTime::now().duration_since(UNIX_EPOCH);
        let ms = since.map_or(0, |since| since.as_millis());
        Ok(Answer {
            snapshot,
            at: Instant::now(),
            at_ms: i64::try_from(ms).unwrap_or(i64::MAX),
        })
    }
}

impl<'a> Watched<'a> {
    fn first(address: &'a Address) -> Result<Watched<'a>> {
        let answer = Answer::now(address)?;
        Ok(Watched {
            address,
            looked: answer.at,
            before: answer.clone(),
            after: answer,
            lost: None,
        })
    }

    /// Looks again. An engine that does not answer may come back: what was seen last stays.
    fn look(&mut self) {
        self.looked = Instant::now();
        match Answer::now(self.address) {
            Ok(answer) => {
                self.before = std::mem::replace(&mut self.after, answer);
                self.lost = None;
            }
            Err(error) => self.lost = Some(error.to_string()),
        }
    }

    /// How long until it is to be looked again.
    fn next_look(&self) -> Duration {
        EVERY.saturating_sub(self.looked.elapsed())
    }

    fn lines(&self, size: Size) -> Vec<Line> {
        let interval = Interval {
            before: &self.before.snapshot,
            after: &self.after.snapshot,
            seconds: (self.after.at - self.before.at).as_secs_f64(),
            now_ms: self.after.at_ms,
        };
        let Some(lost) = &self.lost else {
            return frame(&interval, size);
        };
        let less = Size {
            height: size.height.saturating_sub(1),
            ..size
        };
        let mut lines = vec![Line::of(Look::Loud, lost.as_str()).cut(size.width)];
        lines.extend(frame(&interval, less));
        lines.truncate(size.height);
        lines
    }
}
