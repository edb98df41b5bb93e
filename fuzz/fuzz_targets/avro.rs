//! Data of Avro, and the schemas that they are read by, may be anything.

#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| leitmotif::testing::fuzz::avro(data));
