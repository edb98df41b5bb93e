//! Card fraud, in the thread that has the events: read JSON, push it, print what was found.
//!
//! ```text
//! cargo run --example fraud
//! ```

use std::error::Error;
use std::fs::File;
use std::io::{BufRead, BufReader};
use std::path::Path;
use std::time::Duration;

use leitmotif::{Engine, Match, Pushed};

fn main() -> Result<(), Box<dyn Error>> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));

    // A folder would do as well as a file. If the patterns have mistakes, the error shows all of them.
    let mut engine = Engine::builder()
        .patterns(root.join("patterns/fraud/probe_then_drain.motif"))
        .param("drain_min", "400.00")
        .delay(Duration::from_secs(2))
        .build()?;

    let records = BufReader::new(File::open(root.join("examples/data/cards.ndjson"))?);
    for record in records.lines() {
        // Each record says its type in the field `type`; payments are what the pattern waits for, all others end here.
        match engine.push_record(record?.as_bytes()) {
            Ok(Pushed::Late { behind }) => eprintln!("dropped: {behind} too late"),
            Ok(Pushed::Taken | Pushed::Filtered | Pushed::Held) => {}
            // One bad record is no reason to stop.
            Err(error) => eprintln!("dropped: {error}"),
        }
        // What is decided by now: all up to two seconds before the newest record.
        engine.matches().for_each(|found| show(&found));
    }

    // No record follows, so what is still open is decided too.
    let end = engine.finish();
    end.matches.iter().for_each(show);

    let (_, counts) = &end.account.sources[0];
    println!(
        "{} records: {} for patterns, {} for none, {} late, {} malformed",
        counts.read, counts.processed, counts.filtered, counts.late, counts.malformed
    );
    Ok(())
}

fn show(found: &Match) {
    if found.is_timeout() {
        return; // a probe that nothing followed
    }
    // By name, with its type …
    let spent = found.get("spent").and_then(|spent| spent.as_float());
    if spent.is_some_and(|spent| spent > 800.0) {
        println!("call the bank: card {}", found.key()[0]);
    }
    // … as people read it, and as one line of JSON.
    println!("{found}");
    println!("{}", found.to_json());
}
