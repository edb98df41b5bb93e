//! The engine gives what the reference matcher gives.

#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| leitmotif::testing::fuzz::matcher_vs_reference(data));
