//! Merge layers: elementwise operations, concatenation and dot products of several inputs.

mod broadcast;
mod concatenate;
mod dot;
mod elementwise;
mod registry;

pub use concatenate::Concatenate;
pub use dot::Dot;
pub use elementwise::{Add, Average, Maximum, Minimum, Multiply, Subtract};
pub(crate) use registry::{KINDS as MERGE_KINDS, from_config as merge_from_config};
