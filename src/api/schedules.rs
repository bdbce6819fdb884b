//! Learning-rate schedules: the learning rate as a function of the training step.
//!
//! | type | learning rate |
//! |---|---|
//! | [`CosineDecay`] | half a cosine down to a fraction, after an optional linear warm-up |
//! | [`CosineDecayRestarts`] | cosine decay that starts again, each time longer |
//! | [`ExponentialDecay`] | multiplied by a factor every `decay_steps` steps |
//! | [`InverseTimeDecay`] | 1 / (1 + rate · step) |
//! | [`PolynomialDecay`] | a power of the remaining share of the steps |
//! | [`PiecewiseConstantDecay`] | a list of boundaries and values |
//!
//! [`LearningRate`] is what optimizers take: a number, a schedule, or a closure of the step.

pub use crate::nn::optimizer::schedule::{
    CosineDecay, CosineDecayRestarts, ExponentialDecay, InverseTimeDecay, LearningRate,
    PiecewiseConstantDecay, PolynomialDecay,
};
