//! `leitmotif savepoint`: keeps the state of a run as it is now, whether the run goes on or has ended.

use std::io::{self, Write as _};
use std::time::Duration;

use anyhow::{Result, bail};
use leitmotif::States;

use super::Outcome;
use super::args::SavepointArgs;
use super::top::number::bytes;

/// Makes a savepoint and says where it is.
///
/// # Errors
/// When there is no state, the run that uses it makes no checkpoint in time, or the savepoint can't be written.
pub fn run(args: &SavepointArgs) -> Result<Outcome> {
    if args.wait.0 < 0 {
        bail!(
            "--wait {} is negative; write how long the engine may take",
            args.wait
        );
    }
    let states = States::at(&args.folder)?;
    let patience = Duration::from_millis(args.wait.0.unsigned_abs());
    let stored = states.savepoint(args.to.as_deref(), patience)?;
    writeln!(io::stdout().lock(), "{}", stored.path.display())?;
    writeln!(
        io::stderr(),
        "savepoint of epoch {}, {} of state; begin from it with leitmotif run … --state NEW --from {}",
        stored.epoch,
        bytes(stored.bytes as f64),
        stored.path.display()
    )?;
    Ok(Outcome::Fine)
}
