//! The cross-entropy that the shapes ask for.

use super::loss_metric::{add_loss, compares};
use super::{Direction, Metric, MetricBatch, mean};
use crate::error::Result;
use crate::float::Float;
use crate::nn::layer::{Config, Shape};
use crate::nn::loss::{BinaryCrossentropy, CategoricalCrossentropy, Loss, SparseCategoricalCrossentropy};
use crate::nn::targets::TargetView;
use serde::{Deserialize, Serialize};

/// The mean cross-entropy of predicted probabilities, of the kind that the shapes ask for, as Keras's
/// `"crossentropy"`: one output: [`BinaryCrossentropy`]; labels: [`SparseCategoricalCrossentropy`]; other targets:
/// [`CategoricalCrossentropy`].
///
/// # Examples
/// ```
/// use axonal::prelude::*;
///
/// let model: Model<f32> = Sequential::new(4)
///     .add(Dense::new(3).activation(Activation::Softmax))
///     .compile(Adam::default(), MeanSquaredError::default())?
///     .metric("ce".parse::<AnyMetric<f32>>()?);
/// # let _ = model;
/// # Ok::<(), Error>(())
/// ```
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Crossentropy {}

/// Hands the loss for these targets and outputs to `ask`.
fn with_loss<F: Float, T>(targets: TargetView<'_, F>, last: usize, ask: impl FnOnce(&dyn Loss<F>) -> T) -> T {
    match targets {
        TargetView::Labels(_) => ask(&SparseCategoricalCrossentropy::default()),
        TargetView::Values(_) if last == 1 => ask(&BinaryCrossentropy::default()),
        TargetView::Values(_) => ask(&CategoricalCrossentropy::default()),
    }
}

impl<F: Float> Metric<F> for Crossentropy {
    fn kind(&self) -> &'static str {
        "crossentropy"
    }

    fn totals(&self, _: &Shape) -> usize {
        2
    }

    fn validate(&self, output: &Shape, targets: TargetView<'_, F>) -> Result<()> {
        with_loss(targets, output.last(), |loss| compares(loss, output, targets))
    }

    fn update(&self, batch: MetricBatch<'_, F>, totals: &mut [f64]) {
        with_loss(batch.targets, batch.last, |loss| add_loss(loss, batch, totals));
    }

    fn value(&self, totals: &[f64]) -> f64 {
        mean(totals)
    }

    fn direction(&self) -> Direction {
        Direction::Down
    }

    fn config(&self) -> Option<Config> {
        Config::of(self)
    }
}
