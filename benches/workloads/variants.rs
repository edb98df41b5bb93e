//! W9: one pattern file with many variants of W1, no two with the same thresholds.

use std::io::{self, Write};

/// Writes `count` variants.
pub fn write(count: u64, out: &mut impl Write) -> io::Result<()> {
    writeln!(
        out,
        "# {count} variants of W1 with different thresholds, made by `workloads variants {count}`.\n\n\
         event Txn {{ ts: timestamp time, card: string, kind: string, amount: decimal }}"
    )?;
    for number in 1..=count {
        // From 0.50 up to 2.00, and from 4800 down to 800.
        let small = 500_000 + 1_500_000 * number / count;
        let large = 4_800_000 - 4_000_000 * number / count;
        writeln!(
            out,
            "\npattern w9_{number:04} {{\n  key card\n  match small: Txn where kind == \"auth\" and amount < {}.{:06}\n   \
             then large: Txn where kind == \"auth\" and amount > {}.{:03}\n  within 10m\n  \
             emit hits_{number:04} {{ card, small: small.amount, large: large.amount }}\n}}",
            small / 1_000_000,
            small % 1_000_000,
            large / 1_000,
            large % 1_000,
        )?;
    }
    Ok(())
}
