//! Losses and functions as metrics.

use super::mean_metric::{add_to_mean, mean, needs_values};
use super::{Direction, Metric, MetricBatch};
use crate::error::{Error, Result};
use crate::float::Float;
use crate::nn::layer::{Config, Shape};
use crate::nn::loss::{self, Loss, LossPass};
use crate::nn::targets::{TargetForm, TargetRange, TargetView};
use serde::{Deserialize, Serialize};
use std::fmt;
use std::sync::Arc;

/// Any loss as a metric: its mean over all samples, without regularization.
///
/// The loss is to have its default reduction, the mean over the batch.
///
/// # Examples
/// ```
/// use axonal::losses::LogCosh;
/// use axonal::metrics::LossMetric;
/// use axonal::prelude::*;
///
/// let metric = LossMetric::<f32>::new(LogCosh::default());
/// assert_eq!(metric.name(), "log_cosh");
/// ```
#[derive(Debug, Clone)]
pub struct LossMetric<F> {
    loss: Arc<dyn Loss<F>>,
    negated: bool,
}

/// What a file keeps of a [`LossMetric`].
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Recipe {
    loss: String,
    config: String,
    negated: bool,
}

impl<F: Float> LossMetric<F> {
    /// A loss as a metric.
    pub fn new(loss: impl Loss<F> + 'static) -> Self {
        Self { loss: loss.into_arc(), negated: false }
    }

    /// With its sign turned, so that higher is better: what Keras's metric `CosineSimilarity` is to its loss.
    #[must_use]
    pub fn negated(mut self) -> Self {
        self.negated = true;
        self
    }

    pub(super) fn read(config: &Config) -> Result<Arc<dyn Metric<F>>> {
        let Recipe { loss, config, negated } = config.read("loss")?;
        let unknown = || Error::unknown_name("loss", &*loss, loss::KINDS.iter().copied());
        let loss = loss::from_config(&loss, &Config::from_json(config)).ok_or_else(unknown)??;
        Ok(Arc::new(Self { loss, negated }))
    }
}

impl<F: Float> Metric<F> for LossMetric<F> {
    crate::float::precompiled::into_arc!(LossMetric<F>: Metric<F>);

    fn kind(&self) -> &'static str {
        "loss"
    }

    fn name(&self) -> String {
        self.loss.kind().into()
    }

    fn totals(&self, _: &Shape) -> usize {
        2
    }

    fn target_range(&self) -> TargetRange {
        match self.loss.target_range() {
            // A margin is defined for any targets; only training needs the two classes.
            TargetRange::Signs => TargetRange::Any,
            range => range,
        }
    }

    fn validate(&self, output: &Shape, targets: TargetView<'_, F>) -> Result<()> {
        compares(&*self.loss, output, targets)
    }

    fn update(&self, batch: MetricBatch<'_, F>, totals: &mut [f64]) {
        add_loss(&*self.loss, batch, totals);
    }

    fn value(&self, totals: &[f64]) -> f64 {
        if self.negated { -mean(totals) } else { mean(totals) }
    }

    fn direction(&self) -> Direction {
        if self.negated { Direction::Up } else { Direction::Down }
    }

    fn config(&self) -> Option<Config> {
        let config = self.loss.config()?.as_json().to_owned();
        Config::of(&Recipe { loss: self.loss.kind().into(), config, negated: self.negated })
    }
}

/// Refuses outputs and targets that a loss cannot compare.
pub(super) fn compares<F: Float>(
    loss: &dyn Loss<F>,
    output: &Shape,
    targets: TargetView<'_, F>,
) -> Result<()> {
    loss.validate(output)?;
    match (loss.target_form(), targets) {
        (TargetForm::Values, _) => needs_values(loss.kind(), targets),
        (TargetForm::Either, _) | (_, TargetView::Labels(_)) => Ok(()),
        _ => Err(Error::Target {
            owner: loss.kind().into(),
            expected: "class labels".into(),
            got: "values of the output's shape".into(),
            hint: "use CategoricalCrossentropy".into(),
        }),
    }
}

/// Adds a loss of a batch to a mean's two sums.
pub(super) fn add_loss<F: Float>(loss: &dyn Loss<F>, batch: MetricBatch<'_, F>, totals: &mut [f64]) {
    let positions = batch.positions();
    let pass = LossPass::new(batch.prediction, batch.targets).last_axis(batch.last_axis);
    let pass = pass.weights(batch.weights).mask(batch.mask);
    let weight: f64 = (0..positions).map(|position| batch.weight(position)).sum();
    let real = |position: &usize| batch.mask.is_none_or(|mask| loss::is_real(mask, *position, positions));
    // The loss divides by the number of positions that are real, the metric by the sum of the weights.
    totals[0] += loss.compute(pass) * (0..positions).filter(real).count() as f64;
    totals[1] += weight;
}

/// A custom metric from a function of one position's prediction and target: its mean. It is not part of a model's
/// file.
///
/// # Shapes
/// Targets have the shape of the output.
///
/// # Examples
/// ```
/// use axonal::metrics::MetricFn;
/// use axonal::prelude::*;
///
/// let within_a_tenth = MetricFn::new("within_a_tenth", |p: &[f64], t: &[f64]| f64::from((p[0] - t[0]).abs() < 0.1));
/// let model = Sequential::new(3)
///     .add(Dense::new(1))
///     .compile(Adam::default(), MeanSquaredError::default())?
///     .metric(within_a_tenth);
/// # let _ = model;
/// # Ok::<(), Error>(())
/// ```
pub struct MetricFn<C> {
    name: &'static str,
    function: C,
    direction: Direction,
}

impl<C> MetricFn<C> {
    /// A metric under this name.
    pub fn new<F: Float>(name: &'static str, function: C) -> Self
    where
        C: Fn(&[F], &[F]) -> f64 + Send + Sync,
    {
        Self { name, function, direction: Direction::Unknown }
    }

    /// Says which way it improves.
    #[must_use]
    pub fn direction(mut self, direction: Direction) -> Self {
        self.direction = direction;
        self
    }
}

impl<C> fmt::Debug for MetricFn<C> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("MetricFn").field("name", &self.name).finish_non_exhaustive()
    }
}

impl<F: Float, C: Fn(&[F], &[F]) -> f64 + Send + Sync> Metric<F> for MetricFn<C> {
    fn kind(&self) -> &'static str {
        self.name
    }

    fn totals(&self, _: &Shape) -> usize {
        2
    }

    fn validate(&self, _: &Shape, targets: TargetView<'_, F>) -> Result<()> {
        needs_values(self.name, targets)
    }

    fn update(&self, batch: MetricBatch<'_, F>, totals: &mut [f64]) {
        let (TargetView::Values(targets), Some(predictions)) = (batch.targets, batch.prediction.as_slice())
        else {
            return;
        };
        let (Some(targets), last) = (targets.as_slice(), batch.last_axis.max(1)) else { return };
        let pairs = predictions.chunks_exact(last).zip(targets.chunks_exact(last));
        for (position, (prediction, target)) in pairs.enumerate() {
            add_to_mean(totals, (self.function)(prediction, target), batch.weight(position));
        }
    }

    fn value(&self, totals: &[f64]) -> f64 {
        mean(totals)
    }

    fn direction(&self) -> Direction {
        self.direction
    }
}
