//! Any bytes are compiled.

#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| leitmotif::testing::fuzz::compile(data));
