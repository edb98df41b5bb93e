//! Programs as somebody would write them who needs one of the workloads only and cares for speed: what Leitmotif is measured against from file to file.
//!
//! ```text
//! cargo run --release --example by_hand -- decode cards|sensors FILE    decodes the records and does nothing with them
//! cargo run --release --example by_hand -- w6|w7 FILE ROWS              computes the windows of W6 or W7, by the end that they have, their keys in any order
//! ```
//!
//! Records are decoded by `sonic-rs`, the fastest reader of JSON that `cargo bench --bench decode` knows, into structs that borrow their texts from them, and rows are written by it.
//! Late events are not looked for: there are none in the inputs.

use std::fs::File;
use std::hint::black_box;
use std::io::{self, Read as _, Write as _};
use std::process::ExitCode;

use panes::{Ended, Order, Windows};
use serde::{Deserialize, Serialize};

mod panes;

const USAGE: &str = "usage: by_hand decode cards|sensors FILE
       by_hand w6|w7 FILE ROWS";

/// How much older than the newest one an event may be.
const DELAY_MS: i64 = 2_000;

/// How much is read at once, and written.
const CHUNK_BYTES: usize = 256 * 1024;

#[cfg(feature = "jemalloc")]
#[global_allocator]
static ALLOCATOR: tikv_jemallocator::Jemalloc = tikv_jemallocator::Jemalloc;

fn main() -> ExitCode {
    let args: Vec<String> = std::env::args().skip(1).collect();
    let args: Vec<&str> = args.iter().map(String::as_str).collect();
    let done = match args[..] {
        ["decode", "cards", file] => decode(file, |record| read::<Payment<'_>>(record).map(drop)),
        ["decode", "sensors", file] => decode(file, |record| read::<Reading<'_>>(record).map(drop)),
        ["w6", file, rows] => tumbling(file, rows),
        ["w7", file, rows] => hopping(file, rows),
        _ => Err(io::Error::other(USAGE)),
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("by_hand: {error}");
            ExitCode::from(2)
        }
    }
}

#[derive(Deserialize)]
struct Payment<'a> {
    ts: i64,
    card: &'a str,
    #[serde(rename = "kind")]
    _kind: &'a str,
    amount: f64,
}

#[derive(Deserialize)]
struct Reading<'a> {
    ts: i64,
    device: &'a str,
    kind: &'a str,
    value: f64,
}

fn read<'a, T: Deserialize<'a>>(record: &'a [u8]) -> io::Result<T> {
    let read = black_box(sonic_rs::from_slice(record));
    read.map_err(io::Error::other)
}

/// Calls `take` with each line of a file.
fn lines(path: &str, mut take: impl FnMut(&[u8]) -> io::Result<()>) -> io::Result<()> {
    let mut file = File::open(path)?;
    let mut buffer = vec![0; CHUNK_BYTES];
    let mut held = 0;
    loop {
        let more = file.read(&mut buffer[held..])?;
        let filled = held + more;
        let mut from = 0;
        for end in memchr::memchr_iter(b'\n', &buffer[..filled]) {
            take(&buffer[from..end])?;
            from = end + 1;
        }
        if more == 0 {
            return if from < filled {
                take(&buffer[from..filled])
            } else {
                Ok(())
            };
        }
        buffer.copy_within(from..filled, 0);
        held = filled - from;
        if held == buffer.len() {
            buffer.resize(2 * held, 0);
        }
    }
}

fn decode(path: &str, take: impl FnMut(&[u8]) -> io::Result<()>) -> io::Result<()> {
    lines(path, take)
}

/// W6.
fn tumbling(path: &str, rows: &str) -> io::Result<()> {
    #[derive(Serialize)]
    struct Record<'a> {
        device: &'a str,
        readings: u64,
        total: f64,
        peak: f64,
    }
    let mut out = Out::new(rows)?;
    let mut windows = Windows::<(u64, f64, f64)>::new(60_000, 1, Order::Any);
    let add = |sum: &mut (u64, f64, f64), later: &(u64, f64, f64)| {
        *sum = (sum.0 + later.0, sum.1 + later.1, sum.2.max(later.2));
    };
    let mut write = |ended: Ended<'_, (u64, f64, f64)>| {
        let (readings, total, peak) = ended.totals;
        let record = Record {
            device: ended.key,
            readings,
            total,
            peak,
        };
        out.write(&Row::new("w6", &ended, record))
    };
    lines(path, |line| {
        let reading: Reading<'_> = read(line)?;
        windows.pass(reading.ts - DELAY_MS, add, &mut write)?;
        if reading.kind == "temp" {
            let totals = (1, reading.value, reading.value);
            windows.take(reading.ts, reading.device, totals, add);
        }
        Ok(())
    })?;
    windows.pass(i64::MAX, add, &mut write)?;
    out.end()
}

/// W7. Cents are exact; an amount of the input is a whole number of them.
fn hopping(path: &str, rows: &str) -> io::Result<()> {
    #[derive(Serialize)]
    struct Record<'a> {
        card: &'a str,
        spent: f64,
        payments: u64,
    }
    let mut out = Out::new(rows)?;
    let mut windows = Windows::<(u64, u64)>::new(30_000, 10, Order::Any);
    let add = |sum: &mut (u64, u64), later: &(u64, u64)| {
        *sum = (sum.0 + later.0, sum.1 + later.1);
    };
    let mut write = |ended: Ended<'_, (u64, u64)>| {
        let (cents, payments) = ended.totals;
        let record = Record {
            card: ended.key,
            spent: cents as f64 / 100.0,
            payments,
        };
        out.write(&Row::new("w7", &ended, record))
    };
    lines(path, |line| {
        let payment: Payment<'_> = read(line)?;
        windows.pass(payment.ts - DELAY_MS, add, &mut write)?;
        let cents = (payment.amount * 100.0).round() as u64;
        windows.take(payment.ts, payment.card, (cents, 1), add);
        Ok(())
    })?;
    windows.pass(i64::MAX, add, &mut write)?;
    out.end()
}

/// A row as `leitmotif run` writes it, but for its `match_id`.
#[derive(Serialize)]
struct Row<'a, R> {
    output: &'a str,
    pattern: &'a str,
    key: &'a str,
    from: i64,
    to: i64,
    record: R,
}

impl<'a, R> Row<'a, R> {
    fn new<T>(pattern: &'a str, ended: &Ended<'a, T>, record: R) -> Row<'a, R> {
        Row {
            output: "hits",
            pattern,
            key: ended.key,
            from: ended.from,
            to: ended.to,
            record,
        }
    }
}

/// A file of rows.
struct Out {
    rows: Vec<u8>,
    file: File,
}

impl Out {
    fn new(path: &str) -> io::Result<Out> {
        Ok(Out {
            rows: Vec::with_capacity(CHUNK_BYTES),
            file: File::create(path)?,
        })
    }

    fn write(&mut self, row: &impl Serialize) -> io::Result<()> {
        sonic_rs::to_writer(&mut self.rows, row).map_err(io::Error::other)?;
        self.rows.push(b'\n');
        if self.rows.len() < CHUNK_BYTES - CHUNK_BYTES / 8 {
            return Ok(());
        }
        self.end()
    }

    fn end(&mut self) -> io::Result<()> {
        self.file.write_all(&self.rows)?;
        self.rows.clear();
        Ok(())
    }
}
