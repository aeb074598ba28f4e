//! Fuzz target: `obelus_fuzz::audit_bundle` says what is read and what must hold.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| obelus_fuzz::audit_bundle(data));
