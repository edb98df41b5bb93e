//! Records are decoded as `serde_json` decodes them.

#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| leitmotif::testing::fuzz::json(data));
