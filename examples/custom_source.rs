//! A source of the program's own, several shards, and matches that come back typed.
//!
//! Here another thread makes the records; it could be a socket, a queue, a database. Everything on the way is bounded: while `main` takes no matches the engine
//! pauses, then the source is not polled, then its channel is full, then whoever fills it waits.
//!
//! ```text
//! cargo run --example custom_source
//! ```

use std::error::Error;
use std::sync::mpsc::{Receiver, TryRecvError, sync_channel};
use std::thread;

use leitmotif::{Engine, Extent, Input, Polled, Progress, Record, Source, source};

const PATTERNS: &str = r#"
event Login { at: timestamp time, user: string, ok: bool }

pattern guessed {
  key user
  match wrong: Login{3,} where not ok
   then right: Login where ok
  within 1m
  emit alert { user, attempts: count(wrong) }
}
"#;

/// Records that another thread sends. They are gone once they are taken, so a run with state that is started anew reads what comes then. A source that can be read
/// again says where it goes on, with `positions` and `seek`: the documentation of [`Source`] shows one.
struct Channel {
    records: Receiver<String>,
    taken: u64,
}

impl Source for Channel {
    /// Hands over what is there, a bounded piece at a time, and never waits: the thread that polls has other work to do.
    fn poll(&mut self, take: &mut dyn FnMut(Record<'_>)) -> Result<Polled, source::Error> {
        for _ in 0..256 {
            match self.records.try_recv() {
                Ok(record) => {
                    self.taken += 1;
                    take(Record {
                        bytes: record.as_bytes(),
                        partition: 0,
                        offset: self.taken, // rises; orders events of the same time
                        arrived: None,      // when a broker stored it, if one did
                        heads_file: false,  // for CSV: a header comes next
                    });
                }
                Err(TryRecvError::Empty) => return Ok(Polled::Waiting),
                Err(TryRecvError::Disconnected) => return Ok(Polled::End),
            }
        }
        Ok(Polled::More)
    }

    /// Times are watched per partition; this source has one.
    fn partitions(&self) -> Vec<u32> {
        vec![0]
    }

    /// Silence on it means that nothing happens, so after ten seconds of it time goes on by the wall clock.
    fn extent(&self) -> Extent {
        Extent::Unbounded
    }

    /// Nobody knows how much there will be.
    fn progress(&self) -> Option<Progress> {
        None
    }
}

fn main() -> Result<(), Box<dyn Error>> {
    let (sender, records) = sync_channel(1_000);
    let maker = thread::spawn(move || {
        for second in 0..100_u64 {
            // The wrong password three times, then the right one; 25 users take turns.
            let (at, user, ok) = (
                1_714_640_400_000 + second * 1_000,
                second / 4,
                second % 4 == 3,
            );
            let record = format!(r#"{{"at": {at}, "user": "u{user}", "ok": {ok}}}"#);
            if sender.send(record).is_err() {
                return; // the engine has gone
            }
        }
    });

    let (queue, matches) = sync_channel(100);
    let running = Engine::builder()
        .patterns_text("logins.motif", PATTERNS)
        .source(
            "logins",
            Input::from(Channel { records, taken: 0 }).event_type("Login"),
        )
        .shards(2)
        .matches_to(queue)
        .start()?;

    // Ends when the engine does. The order is the same for any number of shards.
    for found in matches {
        println!("{found}");
    }

    let account = running.wait()?;
    maker.join().expect("the maker of records does not panic");
    let (name, counts) = &account.sources[0];
    println!("{name}: {} records, {} rows", counts.read, account.rows);
    Ok(())
}
