//! Generates the parser from `motif.lalrpop`.

use std::error::Error;
use std::path::Path;

fn main() -> Result<(), Box<dyn Error>> {
    let grammar = Path::new("grammar/motif.lalrpop");
    println!("cargo:rerun-if-changed={}", grammar.display());
    println!("cargo:rerun-if-changed=grammar/build.rs");
    let out = std::env::var_os("OUT_DIR").ok_or("cargo sets OUT_DIR")?;
    lalrpop::Configuration::new()
        .set_out_dir(out)
        .log_quiet()
        .process_file(grammar)
}
