//! Saving and loading: nothing lost, nothing let in.
#![allow(missing_docs, clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test")]

mod forge;
mod memory_limit;
mod clusterings;
mod configurations;
#[cfg(feature = "testing")]
mod conformance;
mod corpus;
mod custom;
mod corruption;
#[cfg(all(feature = "csv", feature = "npz"))]
mod data_limits;
mod disk;
mod golden;
mod invalid_input;
mod memory;
mod models;
mod fuzz_targets;
mod pipelines;
mod round_trip;
