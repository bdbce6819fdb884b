//! Which samples to learn from and which to judge by.

mod samples;
mod train_test_split;

pub use samples::Samples;
pub use train_test_split::train_test_split;
