//! Card transactions: `ts card kind amount merchant country`.
//!
//! kind: auth 90 %, decline 8 %, refund 2 %. amount: 5 % in 0.50–1.99, 3 % in 800–4800, else 2–800, small ones more often.
//! Cards, 1,000 merchants and 20 countries are equally likely.

use super::{Random, digits};

const COUNTRIES: [&str; 20] = [
    "AT", "BE", "BR", "CA", "CH", "DE", "DK", "ES", "FI", "FR", "GB", "IE", "IN", "IT", "JP", "NL",
    "NO", "PL", "SE", "US",
];

/// Writes one transaction.
pub fn write(mut random: Random, cards: u64, time_ms: u64, line: &mut Vec<u8>) {
    let card = random.below(cards);
    let kind: &[u8] = match random.below(100) {
        0..90 => b"auth",
        90..98 => b"decline",
        _ => b"refund",
    };
    let cents = match random.below(100) {
        0..5 => random.between(50, 200),
        5..8 => random.between(80_000, 480_000),
        _ => {
            let u = random.below(1_000_000);
            200 + 79_800 * u * u / 1_000_000_000_000
        }
    };
    let merchant = random.below(1_000);
    let country = COUNTRIES[random.below(20) as usize];
    line.extend_from_slice(b"{\"ts\":");
    digits::append(time_ms, line);
    line.extend_from_slice(b",\"card\":\"c");
    digits::padded::<7>(card, line);
    line.extend_from_slice(b"\",\"kind\":\"");
    line.extend_from_slice(kind);
    line.extend_from_slice(b"\",\"amount\":");
    digits::hundredths(cents, line);
    line.extend_from_slice(b",\"merchant\":\"m");
    digits::padded::<3>(merchant, line);
    line.extend_from_slice(b"\",\"country\":\"");
    line.extend_from_slice(country.as_bytes());
    line.extend_from_slice(b"\"}");
}
