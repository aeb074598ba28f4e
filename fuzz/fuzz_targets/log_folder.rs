//! Fuzz target: `obelus_fuzz::log_folder` says what is read and what must hold.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| obelus_fuzz::log_folder(data));
