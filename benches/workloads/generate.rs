//! Makes the inputs of the workloads, and the data of the demo: the same arguments give the same bytes, on every machine.
//!
//! ```text
//! cargo run --release --example workloads -- cards   [--events 2000000] [--keys 100000] [--seed 1] [--spread-ms 2000] > cards.ndjson
//! cargo run --release --example workloads -- sensors [--events 2000000] [--keys 10000]  …
//! cargo run --release --example workloads -- stock   [--events 1000000] [--keys 10] [--spread-ms 0] …
//! cargo run --release --example workloads -- variants 100 > w9.motif
//! cargo run --release --example workloads -- demo-cards | demo-devices
//! ```
//!
//! Events lie one millisecond apart. They are written in a shuffled order in which none comes more than `--spread-ms` after a
//! newer one, so that `--delay` of that length loses none. Integers only: no result depends on how a machine rounds.

mod demo;
mod variants;

use std::io::{self, BufWriter, Write};
use std::process::ExitCode;

use leitmotif::source::generate::{EPOCH_MS, Kind, Lines, Random, Shuffle};

const USAGE: &str =
    "usage: workloads cards|sensors|stock [--events N] [--keys N] [--seed N] [--spread-ms N]
       workloads variants N
       workloads demo-cards|demo-devices";

/// How much of a stream to make.
struct Size {
    events: u64,
    keys: u64,
    seed: u64,
    spread_ms: u64,
}

fn main() -> ExitCode {
    let args: Vec<String> = std::env::args().skip(1).collect();
    let made = run(&args);
    match made {
        Ok(()) => ExitCode::SUCCESS,
        Err(message) => {
            eprintln!("{message}\n{USAGE}");
            ExitCode::from(2)
        }
    }
}

fn run(args: &[String]) -> Result<(), String> {
    let (what, rest) = args.split_first().ok_or("nothing to make was named")?;
    let mut out = BufWriter::with_capacity(1 << 16, io::stdout().lock());
    let size = |events, keys, spread_ms| {
        size(
            rest,
            Size {
                events,
                keys,
                seed: 1,
                spread_ms,
            },
        )
    };
    let written = match what.as_str() {
        "cards" => stream(Kind::Cards, &size(2_000_000, 100_000, 2_000)?, &mut out),
        "sensors" => stream(Kind::Sensors, &size(2_000_000, 10_000, 2_000)?, &mut out),
        "stock" => stream(Kind::Stock, &size(1_000_000, 10, 0)?, &mut out),
        "variants" => {
            let count = rest.first().ok_or("variants: how many?")?;
            variants::write(number("variants", count)?, &mut out)
        }
        "demo-cards" => demo::write_cards(&mut out),
        "demo-devices" => demo::write_devices(&mut out),
        other => return Err(format!("`{other}` is nothing that can be made")),
    };
    match written.and_then(|()| out.flush()) {
        // Whoever reads may have seen enough.
        Err(error) if error.kind() == io::ErrorKind::BrokenPipe => Ok(()),
        other => other.map_err(|error| format!("cannot write: {error}")),
    }
}

/// Writes one line per event, made in order of time, in a shuffled order.
fn stream(kind: Kind, size: &Size, out: &mut impl Write) -> io::Result<()> {
    let mut lines = Lines::new(kind, size.keys, size.seed);
    let mut shuffle = Shuffle::new(size.spread_ms, Random::of(size.seed, u64::MAX));
    let mut written = Ok(());
    let mut write = |line: &[u8]| {
        if written.is_ok() {
            written = out.write_all(line).and_then(|()| out.write_all(b"\n"));
        }
    };
    for number in 0..size.events {
        let mut line = shuffle.blank();
        lines.write(number, EPOCH_MS + number, &mut line);
        shuffle.push(line, &mut write);
    }
    while !shuffle.is_empty() {
        shuffle.step(&mut write);
    }
    written
}

fn size(args: &[String], mut size: Size) -> Result<Size, String> {
    let mut args = args.iter();
    while let Some(flag) = args.next() {
        let value = args
            .next()
            .ok_or_else(|| format!("{flag}: a number must follow"))?;
        let value = number(flag, value)?;
        match flag.as_str() {
            "--events" => size.events = value,
            "--keys" if value > 0 => size.keys = value,
            "--keys" => return Err("--keys: 0 is too few; the least is 1".to_owned()),
            "--seed" => size.seed = value,
            "--spread-ms" => size.spread_ms = value,
            other => return Err(format!("unknown flag `{other}`")),
        }
    }
    Ok(size)
}

fn number(name: &str, text: &str) -> Result<u64, String> {
    text.replace('_', "")
        .parse()
        .map_err(|_| format!("{name}: `{text}` is not a number"))
}
