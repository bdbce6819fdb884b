//! Metrics: totals that are summed over batches, and the value computed from them.

mod accuracy;
mod any;
mod auc;
mod average;
mod confusion;
mod double_double;
mod f_beta;
mod into_metric;
mod loss_metric;
mod mean_iou;
mod mean_metric;
mod r2_score;
mod regression;
mod sensitivity_at_specificity;
mod top_k;

pub(crate) use accuracy::largest;
pub use accuracy::{Accuracy, BinaryAccuracy, CategoricalAccuracy, SparseCategoricalAccuracy};
pub(crate) use any::Alias;
pub use any::AnyMetric;
pub(crate) use any::{ALIASED, aliased};
pub use auc::{Auc, Curve, Summation};
pub use average::Average;
pub(crate) use average::f_beta;
pub use confusion::{FalseNegatives, FalsePositives, Precision, Recall, TrueNegatives, TruePositives};
pub use f_beta::FBeta;
pub use into_metric::{FromLoss, FromMetric, IntoMetric};
pub use loss_metric::{LossMetric, MetricFn};
pub use mean_iou::MeanIou;
pub use r2_score::R2Score;
pub use regression::RootMeanSquaredError;
use regression::{MeanAbsoluteErrorMetric, MeanSquaredErrorMetric};
pub use sensitivity_at_specificity::SensitivityAtSpecificity;
pub use top_k::{SparseTopKCategoricalAccuracy, TopKCategoricalAccuracy};

use crate::error::{Error, Result};
use crate::float::Float;
use crate::nn::catalog::catalog;
use crate::nn::layer::{Config, Shape};
use crate::nn::loss::is_real;
use crate::nn::targets::{TargetRange, TargetView};
use ndarray::ArrayView2;
use serde::{Deserialize, Serialize};
use std::fmt::Debug;
use std::sync::Arc;

/// What a metric receives: one batch.
#[derive(Debug, Clone, Copy)]
#[non_exhaustive]
pub struct MetricBatch<'a, F> {
    /// The model's outputs, (batch, outputs), row-major.
    pub prediction: ArrayView2<'a, F>,
    /// The length of the output's last axis.
    pub last_axis: usize,
    /// The targets.
    pub targets: TargetView<'a, F>,
    /// One weight for each sample, for weighted metrics.
    pub weights: Option<&'a [F]>,
    /// Whether each position is real, or each group of as many positions as fit; all are where there is no mask.
    pub mask: Option<&'a [bool]>,
}

impl<'a, F: Float> MetricBatch<'a, F> {
    /// A batch of outputs and targets, without weights.
    pub fn new(prediction: ArrayView2<'a, F>, targets: TargetView<'a, F>) -> Self {
        Self { prediction, last_axis: prediction.ncols(), targets, weights: None, mask: None }
    }

    /// Adds a weight for each sample.
    #[must_use]
    pub fn weights(mut self, weights: Option<&'a [F]>) -> Self {
        self.weights = weights;
        self
    }

    /// Says which positions are real, as [`LossPass::mask`](crate::custom::LossPass::mask).
    #[must_use]
    pub fn mask(mut self, mask: Option<&'a [bool]>) -> Self {
        self.mask = mask;
        self
    }

    /// Sets the length of the output's last axis, where the output is not a vector.
    #[must_use]
    pub fn last_axis(mut self, last_axis: usize) -> Self {
        self.last_axis = last_axis;
        self
    }

    /// How many positions (runs along the last axis) there are.
    #[must_use]
    pub fn positions(&self) -> usize {
        self.prediction.len() / self.last_axis.max(1)
    }

    /// The prediction and the target of each position, where the targets are values.
    pub(crate) fn pairs(&self) -> impl Iterator<Item = (&'a [F], &'a [F])> + use<'a, F> {
        let values = match self.targets {
            TargetView::Values(values) => values.to_slice(),
            TargetView::Labels(_) => None,
        };
        let (prediction, target) = (self.prediction.to_slice().zip(values)).unwrap_or((&[], &[]));
        let last = self.last_axis.max(1);
        prediction.chunks_exact(last).zip(target.chunks_exact(last))
    }

    /// The weight of a position: its sample's, or 1; 0 for padding.
    #[must_use]
    pub fn weight(&self, position: usize) -> f64 {
        if self.mask.is_some_and(|mask| !is_real(mask, position, self.positions())) {
            return 0.0;
        }
        match self.weights {
            Some(weights) => weights[position * weights.len() / self.positions().max(1)].as_f64(),
            None => 1.0,
        }
    }
}

/// Which way a metric improves, for callbacks that keep the best.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum Direction {
    /// Higher is better: accuracies.
    Up,
    /// Lower is better: errors and losses.
    Down,
    /// Neither: counts.
    Unknown,
}

/// A measure of model quality, computed beside the loss.
///
/// A metric keeps totals only, to which it adds batch after batch: it needs no more memory for more samples.
///
/// # Examples
/// The mean of the model's first output:
/// ```
/// use axonal::custom::{MetricBatch, Shape};
/// use axonal::metrics::Direction;
/// use axonal::prelude::*;
///
/// #[derive(Debug)]
/// struct MeanOutput;
///
/// impl<F: Float> Metric<F> for MeanOutput {
///     fn kind(&self) -> &'static str {
///         "example.mean_output"
///     }
///     fn totals(&self, _: &Shape) -> usize {
///         2
///     }
///     fn update(&self, batch: MetricBatch<'_, F>, totals: &mut [f64]) {
///         totals[0] += batch.prediction.column(0).iter().map(|v| v.as_f64()).sum::<f64>();
///         totals[1] += batch.prediction.nrows() as f64;
///     }
///     fn value(&self, totals: &[f64]) -> f64 {
///         totals[0] / totals[1]
///     }
/// }
///
/// # fn main() -> Result<()> {
/// let model: Model<f32> =
///     Sequential::new(3).add(Dense::new(1)).compile(Adam::default(), MeanSquaredError::default())?.metric(MeanOutput);
/// # let _ = model;
/// # Ok(())
/// # }
/// ```
#[diagnostic::on_unimplemented(
    message = "`{Self}` is not a metric for `{F}`",
    label = "expected a metric such as `Accuracy::new()`",
    note = "for a custom metric, implement `Metric<F>` for every `F: Float`, or use `MetricFn::new`"
)]
pub trait Metric<F: Float>: Debug + Send + Sync {
    /// The metric's kind in messages and files: `"accuracy"`. Metrics of other crates carry a namespace.
    fn kind(&self) -> &'static str;

    /// The key in logs and history; the kind by default.
    fn name(&self) -> String {
        self.kind().into()
    }

    /// Whether it weighs samples by their sample weights; metrics do not by default, as in Keras.
    fn weighted(&self) -> bool {
        false
    }

    /// How many sums it keeps for outputs of this shape.
    fn totals(&self, output: &Shape) -> usize;

    /// The range of targets that are not class labels; any finite numbers by default.
    fn target_range(&self) -> TargetRange {
        TargetRange::Any
    }

    /// Refuses outputs, or the targets of a whole `fit`, that it cannot compare.
    ///
    /// # Errors
    /// [`Error::Target`], [`Error::InvalidParameter`].
    fn validate(&self, output: &Shape, targets: TargetView<'_, F>) -> Result<()> {
        let _ = (output, targets);
        Ok(())
    }

    /// Adds a batch to the sums.
    fn update(&self, batch: MetricBatch<'_, F>, totals: &mut [f64]);

    /// Adds the sums of other batches to the sums, as if [`update`](Self::update) had seen those batches, too; the ranks of a
    /// [distributed](crate::distributed) run are combined by it. Adds each sum by default.
    fn merge(&self, totals: &mut [f64], others: &[f64]) {
        totals.iter_mut().zip(others).for_each(|(total, other)| *total += other);
    }

    /// The metric from its sums.
    fn value(&self, totals: &[f64]) -> f64;

    /// Which way it improves.
    fn direction(&self) -> Direction {
        Direction::Unknown
    }

    /// The hyperparameters for files; `None` (the default): a model of it saves its weights only.
    fn config(&self) -> Option<Config> {
        None
    }

    /// What files keep beside kind and hyperparameters: the name and the weighing of an [`AnyMetric`].
    #[doc(hidden)]
    fn alias(&self) -> Option<Alias> {
        None
    }

    /// The metric as networks hold it. The types of this crate override it to be compiled here.
    #[doc(hidden)]
    fn into_arc(self) -> Arc<dyn Metric<F>>
    where
        Self: Sized + 'static,
    {
        Arc::new(self)
    }
}

/// Implements the methods of [`Metric`] by those of an inner metric, except `name`, `weighted` and `alias`.
macro_rules! forward_metric {
    (|$outer:ident| $inner:expr) => {
        fn kind(&self) -> &'static str {
            let $outer = self;
            $inner.kind()
        }

        fn totals(&self, output: &Shape) -> usize {
            let $outer = self;
            $inner.totals(output)
        }

        fn target_range(&self) -> TargetRange {
            let $outer = self;
            $inner.target_range()
        }

        fn validate(&self, output: &Shape, targets: TargetView<'_, F>) -> Result<()> {
            let $outer = self;
            $inner.validate(output, targets)
        }

        fn update(&self, batch: MetricBatch<'_, F>, totals: &mut [f64]) {
            let $outer = self;
            $inner.update(batch, totals);
        }

        fn merge(&self, totals: &mut [f64], others: &[f64]) {
            let $outer = self;
            $inner.merge(totals, others);
        }

        fn value(&self, totals: &[f64]) -> f64 {
            let $outer = self;
            $inner.value(totals)
        }

        fn direction(&self) -> Direction {
            let $outer = self;
            $inner.direction()
        }

        fn config(&self) -> Option<Config> {
            let $outer = self;
            $inner.config()
        }
    };
}
use forward_metric;

impl<F: Float, M: Metric<F> + ?Sized> Metric<F> for Arc<M> {
    forward_metric!(|outer| (**outer));

    fn name(&self) -> String {
        (**self).name()
    }

    fn weighted(&self) -> bool {
        (**self).weighted()
    }

    fn alias(&self) -> Option<Alias> {
        (**self).alias()
    }
}

catalog! {
    dyn Metric:
    "accuracy" => Accuracy,
    "binary_accuracy" => BinaryAccuracy,
    "categorical_accuracy" => CategoricalAccuracy,
    "mean_absolute_error" => MeanAbsoluteErrorMetric,
    "mean_squared_error" => MeanSquaredErrorMetric,
    "root_mean_squared_error" => RootMeanSquaredError,
    "sparse_categorical_accuracy" => SparseCategoricalAccuracy,
    "auc" => Auc,
    "f1_score" => FBeta,
    "false_negatives" => FalseNegatives,
    "false_positives" => FalsePositives,
    "fbeta_score" => FBeta,
    "mean_io_u" => MeanIou,
    "sensitivity_at_specificity" => SensitivityAtSpecificity,
    "precision" => Precision,
    "r2_score" => R2Score,
    "recall" => Recall,
    "sparse_top_k_categorical_accuracy" => SparseTopKCategoricalAccuracy,
    "top_k_categorical_accuracy" => TopKCategoricalAccuracy,
    "true_negatives" => TrueNegatives,
    "true_positives" => TruePositives,
    custom:
    "loss" => LossMetric::read,
    ALIASED => read_aliased,
}

/// Reads a metric under an alias, whose inner metric is one of this crate's.
fn read_aliased<F: Float>(config: &Config) -> Result<Arc<dyn Metric<F>>> {
    aliased(config, |kind, config| {
        from_config(kind, config)
            .unwrap_or_else(|| Err(Error::unknown_name("metric", kind, KINDS.iter().copied())))
    })
}
