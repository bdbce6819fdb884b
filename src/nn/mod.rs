//! Neural networks: layers, losses, metrics, optimizers, and the model that trains them.

mod batch_split;
pub(crate) mod callback;
pub(crate) mod catalog;
mod compile;
pub(crate) mod constraint;
pub(crate) mod fit_options;
mod gradient_slots;
mod graph;
pub(crate) mod history;
pub(crate) mod layer;
pub(crate) mod layers;
pub(crate) mod layout;
pub(crate) mod loss;
pub(crate) mod metric;
pub(crate) mod model;
pub(crate) mod node;
pub(crate) mod optimizer;
pub(crate) mod optimizer_state;
pub(crate) mod regularizer;
mod sample_weights;
pub(crate) mod sequential;
pub(crate) mod targets;
mod workspace;

pub use crate::float::inputs::{Element, InputArray, InputElement, Inputs};
pub use crate::float::targets::{TargetArray, TargetElement, Targets};
pub use fit_options::{EvaluateOptions, FitOptions, OnDivergence, PredictOptions, Verbose};
pub use graph::Graph;
pub use history::{Evaluation, History, Logs, Recovery};
pub use model::{
    Batch, BatchSource, Body, Differentiable, EachEpoch, EpochBatches, FitWith, LayerInfo, Model, Outputs,
    SampleBatch, Summary, Weight, each_epoch,
};
pub use node::{Input, IntoLayer, Node, Shared, by};
pub use sequential::Sequential;
pub use workspace::Workspace;
