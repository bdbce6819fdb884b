//! Saving and loading: nothing lost, nothing let in.

#[path = "persistence/models.rs"]
mod models;
#[path = "persistence/round_trip.rs"]
mod round_trip;
