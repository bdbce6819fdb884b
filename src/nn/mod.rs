//! Neural networks: layers, losses, metrics, optimizers, and the model that trains them.

mod batch_split;
pub mod callback;
pub mod constraint;
pub(crate) mod fit_options;
pub(crate) mod history;
pub mod layer;
pub mod layers;
pub(crate) mod layout;
pub mod loss;
pub mod metric;
pub(crate) mod model;
pub mod optimizer;
pub(crate) mod optimizer_state;
pub mod regularizer;
mod sequential;
mod targets;
mod workspace;

#[cfg(feature = "progress")]
pub use callback::ProgressBar;
pub use callback::{
    Callback, Checkpoint, CsvLogger, EarlyStopping, JsonLogger, LambdaCallback, LearningRateScheduler,
    ReduceLrOnPlateau, Run, StopToken,
};
pub use constraint::Constraint;
pub use fit_options::{EvaluateOptions, FitOptions, OnDivergence, PredictOptions, Verbose};
pub use history::{Evaluation, History, Logs, Recovery};
pub use layer::{
    ActivityPenalty, Backward, Carry, Config, Forward, Gradient, Layer, LayerConfig, Mask, MaskPass, Mode,
    Nested, ParamSpec, Plan, Shape, StateSpec,
};
pub use layers::*;
pub use loss::*;
pub use metric::*;
pub use model::{Batch, Model, Summary, Weight};
pub use optimizer::*;
pub use regularizer::Regularizer;
pub use sequential::Sequential;
pub use targets::{TargetElement, TargetForm, TargetRange, TargetView, Targets};
pub use workspace::Workspace;
