//! Saving and loading: nothing lost, nothing let in.
#![allow(missing_docs, clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test")]

#[path = "persistence/anatomy.rs"]
mod anatomy;
#[path = "persistence/custom.rs"]
mod custom;
#[path = "persistence/damage.rs"]
mod damage;
#[path = "persistence/disk.rs"]
mod disk;
#[path = "persistence/golden.rs"]
mod golden;
#[path = "persistence/hostile.rs"]
mod hostile;
#[path = "persistence/memory.rs"]
mod memory;
#[path = "persistence/models.rs"]
mod models;
#[path = "persistence/pipelines.rs"]
mod pipelines;
#[path = "persistence/round_trip.rs"]
mod round_trip;
