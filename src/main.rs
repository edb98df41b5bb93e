//! The `leitmotif` command.

fn main() {}
