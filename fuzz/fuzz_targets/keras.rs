//! See `tests/persistence/fuzz/keras.rs`.
#![no_main]
#[path = "../../tests/persistence/fuzz_targets.rs"]
mod fuzz_targets;

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| fuzz_targets::keras::keras(bytes));

// Half of the inputs have fields changed, the others whatever libFuzzer and its dictionary change.
libfuzzer_sys::fuzz_mutator!(|data: &mut [u8], size: usize, max_size: usize, seed: u32| {
    if seed.is_multiple_of(2) {
        return libfuzzer_sys::fuzzer_mutate(data, size, max_size);
    }
    let changed = fuzz_targets::mutations::mutate_fields(&data[..size], seed.into());
    let len = changed.len().min(max_size);
    data[..len].copy_from_slice(&changed[..len]);
    len
});
