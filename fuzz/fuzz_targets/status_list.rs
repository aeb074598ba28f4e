//! Fuzz target: `obelus_fuzz::status_list` says what is read and what must hold.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| obelus_fuzz::status_list(data));
