//! Layers that read a sequence step by step.
//!
//! The product of the input with the kernel is made for all steps at once; what is left for each step is the
//! product of the state before it with the recurrent kernel.

mod gru;
mod lstm;
mod recurrent_weights;
mod sequence;
mod simple_rnn;
mod variational_dropout;

pub use gru::Gru;
pub use lstm::Lstm;
pub use simple_rnn::SimpleRnn;
