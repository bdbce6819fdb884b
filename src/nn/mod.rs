//! Neural networks: layers, losses, metrics, optimizers, and the model that trains them.

mod batch_split;
pub(crate) mod callback;
pub(crate) mod constraint;
pub(crate) mod fit_options;
pub(crate) mod history;
pub(crate) mod layer;
pub(crate) mod layers;
pub(crate) mod layout;
pub(crate) mod loss;
pub(crate) mod metric;
pub(crate) mod model;
pub(crate) mod optimizer;
pub(crate) mod optimizer_state;
pub(crate) mod regularizer;
pub(crate) mod sequential;
pub(crate) mod targets;
mod workspace;

pub use fit_options::{EvaluateOptions, FitOptions, OnDivergence, PredictOptions, Verbose};
pub use history::{Evaluation, History, Logs, Recovery};
pub use model::{Batch, Model, Summary, Weight};
pub use sequential::Sequential;
pub use targets::{TargetElement, Targets};
pub use workspace::Workspace;
