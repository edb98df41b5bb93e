//! Bytes that may be the state of a key are read, and go on.

#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| leitmotif::testing::fuzz::state(data));
