//! Any bytes, through every door that takes a file.
#![no_main]
use axonal::persistence::{LoadOptions, inspect_bytes};
use axonal::prelude::*;

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| {
    let _ = inspect_bytes(bytes);
    let _ = Model::<f32>::from_bytes(bytes);
    let _ = Model::<f64>::from_bytes_with(bytes, LoadOptions::new().convert_numbers(true));
    let _ = KMeans::<f32>::from_bytes(bytes);
    let _ = StandardScaler::from_bytes(bytes);
});
