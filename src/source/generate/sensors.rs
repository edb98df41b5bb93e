//! Sensor readings: `ts device kind value site`.
//!
//! kind: temp 70 % (50.0–99.9), vibration 25 % (0.00–2.99), door 5 % (0 or 1). A device always reports from the same one of 50 sites.

use super::{Random, digits};

/// Writes one reading.
pub fn write(mut random: Random, devices: u64, time_ms: u64, line: &mut Vec<u8>) {
    let device = random.below(devices);
    let (kind, hundredths): (&[u8], u64) = match random.below(100) {
        0..70 => (b"temp", random.between(500, 1_000) * 10),
        70..95 => (b"vibration", random.below(300)),
        _ => (b"door", random.below(2) * 100),
    };
    line.extend_from_slice(b"{\"ts\":");
    digits::append(time_ms, line);
    line.extend_from_slice(b",\"device\":\"d");
    digits::padded::<6>(device, line);
    line.extend_from_slice(b"\",\"kind\":\"");
    line.extend_from_slice(kind);
    line.extend_from_slice(b"\",\"value\":");
    digits::hundredths(hundredths, line);
    line.extend_from_slice(b",\"site\":\"s");
    digits::padded::<2>(device % 50, line);
    line.extend_from_slice(b"\"}");
}
