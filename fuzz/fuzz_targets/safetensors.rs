//! See `tests/persistence/fuzz_targets.rs`.
#![no_main]
#[path = "../../tests/persistence/fuzz_targets.rs"]
mod fuzz_targets;

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| fuzz_targets::safetensors(bytes));
