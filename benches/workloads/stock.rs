//! Trades: `ts symbol kind price volume`. Each symbol's price walks by at most 5 cents a trade; volumes are 1–1000, equally likely.

use std::io::Write;

use crate::EPOCH_MS;
use crate::random::Random;

/// Price of every symbol.
#[derive(Default)]
pub struct Market {
    /// By symbol; empty until the first trade.
    cents: Vec<u64>,
}

impl Market {
    /// Writes the trade with this number. Trades are made in order: prices go on from trade to trade.
    pub fn write(&mut self, number: u64, symbols: u64, seed: u64, line: &mut Vec<u8>) {
        if self.cents.is_empty() {
            self.cents = (0..symbols).map(|symbol| 5_000 + symbol * 1_000).collect();
        }
        let mut random = Random::of(seed, number);
        let symbol = random.below(symbols);
        let kind = if random.below(100) < 50 {
            "buy"
        } else {
            "sell"
        };
        let cents = &mut self.cents[symbol as usize];
        *cents = (*cents + random.below(11)).saturating_sub(5).max(100);
        write!(
            line,
            r#"{{"ts":{},"symbol":"S{:03}","kind":"{kind}","price":{}.{:02},"volume":{}}}"#,
            EPOCH_MS + number,
            symbol + 1,
            *cents / 100,
            *cents % 100,
            random.between(1, 1_001),
        )
        .expect("a vector takes every byte");
    }
}
