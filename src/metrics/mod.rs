//! Numbers that say how good an answer is.

pub mod clustering;

pub use clustering::*;
