//! Trades: `ts symbol kind price volume`. Each symbol's price walks by at most 5 cents a trade; volumes are 1–1000, equally likely.

use super::{Random, digits};

/// Price of every symbol.
#[derive(Debug)]
pub struct Market {
    /// By symbol.
    cents: Vec<u64>,
}

/// What is known of a trade after its price has moved.
struct Trade {
    symbol: u64,
    kind: &'static [u8],
    cents: u64,
    volume: u64,
}

impl Market {
    /// Before the first trade.
    pub fn new(symbols: u64) -> Market {
        Market {
            cents: (0..symbols).map(|symbol| 5_000 + symbol * 1_000).collect(),
        }
    }

    /// Writes the next trade. Trades are made in order: prices go on from trade to trade.
    pub fn write(&mut self, random: Random, time_ms: u64, line: &mut Vec<u8>) {
        let trade = self.trade(random);
        line.extend_from_slice(b"{\"ts\":");
        digits::append(time_ms, line);
        line.extend_from_slice(b",\"symbol\":\"S");
        digits::padded::<3>(trade.symbol + 1, line);
        line.extend_from_slice(b"\",\"kind\":\"");
        line.extend_from_slice(trade.kind);
        line.extend_from_slice(b"\",\"price\":");
        digits::hundredths(trade.cents, line);
        line.extend_from_slice(b",\"volume\":");
        digits::append(trade.volume, line);
        line.push(b'}');
    }

    /// Makes the next trade without writing it: it belongs to another partition, or was given out by another process.
    pub fn skip(&mut self, mut random: Random) {
        let symbol = random.below(self.cents.len() as u64);
        random.pass(1);
        self.walk(symbol, &mut random);
    }

    fn trade(&mut self, mut random: Random) -> Trade {
        let symbol = random.below(self.cents.len() as u64);
        let kind: &[u8] = if random.below(100) < 50 {
            b"buy"
        } else {
            b"sell"
        };
        Trade {
            symbol,
            kind,
            cents: self.walk(symbol, &mut random),
            volume: random.between(1, 1_001),
        }
    }

    /// Moves a price.
    fn walk(&mut self, symbol: u64, random: &mut Random) -> u64 {
        let cents = &mut self.cents[symbol as usize];
        *cents = (*cents + random.below(11)).saturating_sub(5).max(100);
        *cents
    }
}
