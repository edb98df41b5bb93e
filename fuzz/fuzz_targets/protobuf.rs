//! Messages of Protobuf may be anything, and those that are none for another decoder are none.

#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| leitmotif::testing::fuzz::protobuf(data));
