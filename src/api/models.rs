//! Building, training, evaluating and applying networks.
//!
//! | type | use |
//! |---|---|
//! | [`Sequential`] | builder: input shape, layers, seed; `compile` makes a model |
//! | [`Graph`], [`Input`], [`Node`], [`Shared`] | builder of networks with several inputs, outputs or branches |
//! | [`Model`] | `fit`, `fit_with`, `fit_batches`, `evaluate`, `predict`, `save`, `load` |
//! | [`FitOptions`] | epochs, batch size, validation, weights, callbacks of one `fit_with` |
//! | [`FitWith`] | `fit_with` of pipelines and classifiers that end in a network |
//! | [`EvaluateOptions`], [`PredictOptions`] | batch size and weights of one call |
//! | [`Verbose`], [`OnDivergence`] | what a run prints; what it does when the loss is not finite |
//! | [`History`], [`Logs`], [`Recovery`] | values per epoch, values of one epoch, recovered divergences |
//! | [`Evaluation`] | loss and metrics of `evaluate` |
//! | [`Weight`], [`Summary`] | a named parameter array; the table of layers |
//! | [`Workspace`] | reusable buffers: `predict_into` with one allocates nothing |
//! | [`Inputs`], [`InputArray`], [`InputElement`], [`Element`] | what `x` may be: arrays of the network's float type, integers or `bool` |
//! | [`Targets`], [`TargetArray`], [`TargetElement`] | what `y` may be: any numeric or boolean array |
//! | [`BatchSource`], [`each_epoch`] ([`EachEpoch`], [`EpochBatches`]) | where `fit_batches` takes batches from |
//! | [`Batch`], [`SampleBatch`] | what `fit_batches` and `evaluate_batches` take; what `predict_each` takes |
//! | [`Body`], [`LayerInfo`] | the layers of a trained model for another one; one layer and its weights |
//! | [`Differentiable`] | what `input_gradient` differentiates with respect to |
//! | [`Outputs`] | the outputs of `predict_all`, by name |
//! | [`IntoLayer`] | what `Node::then` accepts |

pub use crate::nn::{
    Batch, BatchSource, Body, Differentiable, EachEpoch, Element, EpochBatches, EvaluateOptions, Evaluation,
    FitOptions, FitWith, Graph, History, Input, InputArray, InputElement, Inputs, IntoLayer, LayerInfo, Logs,
    Model, Node, OnDivergence, Outputs, PredictOptions, Recovery, SampleBatch, Sequential, Shared, Summary,
    TargetArray, TargetElement, Targets, Verbose, Weight, Workspace, by, each_epoch,
};
