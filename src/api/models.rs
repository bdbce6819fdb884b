//! Building, training, evaluating and applying networks.
//!
//! | type | use |
//! |---|---|
//! | [`Sequential`] | builder: input shape, layers, seed; `compile` makes a model |
//! | [`Model`] | `fit`, `fit_with`, `fit_batches`, `evaluate`, `predict`, `save`, `load` |
//! | [`FitOptions`] | epochs, batch size, validation, weights, callbacks of one `fit_with` |
//! | [`EvaluateOptions`], [`PredictOptions`] | batch size and weights of one call |
//! | [`Verbose`], [`OnDivergence`] | what a run prints; what it does when the loss is not finite |
//! | [`History`], [`Logs`], [`Recovery`] | values per epoch, values of one epoch, recovered divergences |
//! | [`Evaluation`] | loss and metrics of `evaluate` |
//! | [`Weight`], [`Summary`] | a named parameter array; the table of layers |
//! | [`Workspace`] | reusable buffers: `predict_into` with one allocates nothing |
//! | [`BatchSource`], [`each_epoch`] ([`EachEpoch`], [`EpochBatches`]) | where `fit_batches` takes batches from |
//! | [`Batch`], [`SampleBatch`] | what `fit_batches` and `evaluate_batches` take; what `predict_each` takes |
//! | [`Targets`], [`TargetElement`] | what `y` may be: any numeric or boolean array |

pub use crate::nn::{
    Batch, BatchSource, EachEpoch, EpochBatches, EvaluateOptions, Evaluation, FitOptions, History, Logs,
    Model, OnDivergence, PredictOptions, Recovery, SampleBatch, Sequential, Summary, TargetElement, Targets,
    Verbose, Weight, Workspace, each_epoch,
};
