//! Saving and loading: nothing lost, nothing let in.
#![allow(missing_docs, clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test")]

mod anatomy;
mod bound;
mod clusterings;
mod configurations;
#[cfg(feature = "testing")]
mod conformance;
mod corpus;
mod custom;
mod damage;
#[cfg(all(feature = "csv", feature = "npz"))]
mod data_limits;
mod disk;
mod golden;
mod hostile;
mod memory;
mod models;
mod oracle;
mod pipelines;
mod round_trip;
