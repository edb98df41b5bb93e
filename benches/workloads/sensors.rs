//! Sensor readings: `ts device kind value site`.
//!
//! kind: temp 70 % (50.0–99.9), vibration 25 % (0.00–2.99), door 5 % (0 or 1). A device always reports from the same one of 50 sites.

use std::io::Write;

use crate::EPOCH_MS;
use crate::random::Random;

/// Writes the event with this number.
pub fn write(number: u64, devices: u64, seed: u64, line: &mut Vec<u8>) {
    let mut random = Random::of(seed, number);
    let device = random.below(devices);
    let (kind, hundredths) = match random.below(100) {
        0..70 => ("temp", random.between(500, 1_000) * 10),
        70..95 => ("vibration", random.below(300)),
        _ => ("door", random.below(2) * 100),
    };
    write!(
        line,
        r#"{{"ts":{},"device":"d{device:06}","kind":"{kind}","value":{}.{:02},"site":"s{:02}"}}"#,
        EPOCH_MS + number,
        hundredths / 100,
        hundredths % 100,
        device % 50,
    )
    .expect("a vector takes every byte");
}
