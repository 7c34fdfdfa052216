#![no_main]

#[path = "../targets/ledger.rs"]
mod target;

libfuzzer_sys::fuzz_target!(|data: &[u8]| target::run(data));
