//! See `tests/persistence/oracle.rs`.
#![no_main]
#[path = "../../tests/persistence/oracle.rs"]
mod oracle;

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| oracle::table(bytes));
