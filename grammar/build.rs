//! Generates the parser from `motif.lalrpop`.

fn main() {}
