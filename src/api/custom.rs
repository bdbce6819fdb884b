//! What the author of a custom layer, loss, metric, update rule or callback needs.
//!
//! | you write | trait | it receives |
//! |---|---|---|
//! | a layer | [`Layer`](crate::layers::Layer) | [`Shape`] and returns a [`Plan`]; then [`Forward`], [`Backward`] ([`Gradient`], [`Carry`], [`MaskPass`] on request) |
//! | a layer with several inputs | [`Merge`] | [`MergeInputs`], then as a layer |
//! | a loss | [`Loss`](crate::losses::Loss) | [`LossPass`] |
//! | a metric | [`Metric`](crate::metrics::Metric) | [`MetricBatch`] |
//! | an update rule | [`UpdateRule`] | [`Step`]; [`RuleOptimizer`] adds the learning rate and the modifiers |
//! | a callback | [`Callback`](crate::callbacks::Callback) | [`Run`]; [`CallbackSettings`] where models keep it |
//!
//! [`Config`] makes hyperparameters part of model files, and [`Registry`] tells a loader about your kinds. The checkers of the
//! module `testing` (feature `testing`) verify gradients, buffers and batches of what you wrote.

pub use crate::nn::callback::{CallbackSettings, CallbackState, Run};
pub use crate::nn::layer::{
    ActivityPenalty, Backward, Carry, Config, Forward, Gradient, LayerConfig, Mask, MaskPass, MergeInputs,
    Mode, Nested, ParamSpec, Plan, Shape, StateSpec,
};
pub use crate::nn::loss::{LossPass, OutputMeaning};
pub use crate::nn::metric::MetricBatch;
pub use crate::nn::node::Merge;
pub use crate::nn::optimizer::{RuleOptimizer, Step, UpdateRule, WeightArray};
pub use crate::nn::targets::{TargetForm, TargetRange, TargetView};
pub use crate::persistence::Registry;
