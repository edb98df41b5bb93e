//! Card transactions: `ts card kind amount merchant country`.
//!
//! kind: auth 90 %, decline 8 %, refund 2 %. amount: 5 % in 0.50–1.99, 3 % in 800–4800, else 2–800, small ones more often.
//! Cards, 1,000 merchants and 20 countries are equally likely.

use std::io::Write;

use crate::EPOCH_MS;
use crate::random::Random;

const COUNTRIES: [&str; 20] = [
    "AT", "BE", "BR", "CA", "CH", "DE", "DK", "ES", "FI", "FR", "GB", "IE", "IN", "IT", "JP", "NL",
    "NO", "PL", "SE", "US",
];

/// Writes the event with this number.
pub fn write(number: u64, cards: u64, seed: u64, line: &mut Vec<u8>) {
    let mut random = Random::of(seed, number);
    let card = random.below(cards);
    let kind = match random.below(100) {
        0..90 => "auth",
        90..98 => "decline",
        _ => "refund",
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
    write!(
        line,
        r#"{{"ts":{},"card":"c{card:07}","kind":"{kind}","amount":{}.{:02},"merchant":"m{merchant:03}","country":"{country}"}}"#,
        EPOCH_MS + number,
        cents / 100,
        cents % 100,
    )
    .expect("a vector takes every byte");
}
