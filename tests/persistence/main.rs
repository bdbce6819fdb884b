//! Saving and loading: nothing lost, nothing let in.
#![allow(missing_docs, clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test")]

#[path = "../common/temporary.rs"]
mod temporary;

mod clusterings;
mod configurations;
#[cfg(feature = "testing")]
mod conformance;
mod corpus;
mod corruption;
mod custom;
#[cfg(all(feature = "csv", feature = "npz"))]
mod data_limits;
mod disk;
mod forge;
mod fuzz_targets;
mod golden;
#[cfg(any(feature = "onnx", feature = "safetensors"))]
mod interop;
mod invalid_input;
#[cfg(feature = "keras")]
mod keras_files;
mod memory;
mod memory_limit;
mod models;
mod pipelines;
mod round_trip;
