//! Any bytes are read as a pattern file.

#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| leitmotif::testing::fuzz::parse(data));
