//! Building, training, evaluating and applying networks.
//!
//! | type | use |
//! |---|---|
//! | [`Sequential`] | builder: input shape, layers, seed; `compile` makes a model |
//! | [`Model`] | `fit`, `fit_with`, `fit_batches`, `evaluate`, `predict`, `save`, `load` |
//! | [`FitOptions`] | epochs, batch size, validation, weights, callbacks of one `fit_with` |
//! | [`FitWith`] | `fit_with` of pipelines and classifiers that end in a network |
//! | [`EvaluateOptions`], [`PredictOptions`] | batch size and weights of one call |
//! | [`Verbose`], [`OnDivergence`] | what a run prints; what it does when the loss is not finite |
//! | [`History`], [`Logs`], [`Recovery`] | values per epoch, values of one epoch, recovered divergences |
//! | [`Evaluation`] | loss and metrics of `evaluate` |
//! | [`Weight`], [`Summary`] | a named parameter array; the table of layers |
//! | [`Workspace`] | reusable buffers: `predict_into` with one allocates nothing |
//! | [`Batch`], [`Targets`], [`TargetElement`] | what `fit_batches` takes; what `y` may be: any numeric or boolean array |

pub use crate::nn::{
    Batch, EvaluateOptions, Evaluation, FitOptions, FitWith, History, Logs, Model, OnDivergence,
    PredictOptions, Recovery, Sequential, Summary, TargetElement, Targets, Verbose, Weight, Workspace,
};
