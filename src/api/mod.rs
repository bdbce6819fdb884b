//! The public module pages: each lists the types of one family and says which to choose.
//!
//! The types themselves live in the modules named by the `use` declarations; every type has one public path
//! besides the prelude.

pub mod callbacks;
pub mod custom;
pub mod layers;
pub mod losses;
pub mod models;
pub mod optimizers;
pub mod schedules;
