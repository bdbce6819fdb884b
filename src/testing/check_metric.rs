//! The contract of a metric, tried.

use super::finite_difference::close;
use super::guarded::Guarded;
use super::{CheckFailure, normals};
use crate::activation::Activation;
use crate::nn::layer::Shape;
use crate::nn::metric::{Metric, MetricBatch};
use crate::nn::targets::TargetView;
use crate::rng::{Purpose, Rng};
use ndarray::{Array2, s};

/// Tries the contract of a metric for outputs of this shape, in `f64`, with every form of targets that it
/// accepts: it only adds to its totals and stays inside them, totals of two halves add up to those of the
/// whole, samples of weight 0 count nothing, and the value is finite.
///
/// # Errors
/// What is wrong, with the likely cause.
///
/// # Examples
/// ```
/// use axonal::metrics::SparseCategoricalAccuracy;
/// use axonal::prelude::*;
/// use axonal::testing::check_metric;
///
/// check_metric(&SparseCategoricalAccuracy::default(), 4).unwrap();
/// ```
pub fn check_metric<M: Metric<f64> + ?Sized>(
    metric: &M,
    output: impl Into<Shape>,
) -> Result<(), CheckFailure> {
    let output = output.into();
    let positions = BATCH * output.size() / output.last().max(1);
    let mut rng = Rng::new(0, Purpose::Other, 8);
    let labels: Vec<usize> = (0..positions).map(|_| rng.below(output.last())).collect();
    let one_hot = Array2::from_shape_fn((BATCH, output.size()), |(row, column)| {
        let position = (row * output.size() + column) / output.last().max(1);
        f64::from(u8::from(labels[position] == column % output.last().max(1)))
    });
    let mut probabilities = normals(&mut rng, BATCH * output.size());
    Activation::Softmax.apply(output.last(), &mut probabilities);
    let probabilities = matrix(probabilities, output.size());
    let reals = matrix(normals(&mut rng, BATCH * output.size()), output.size());
    let forms = [
        (&probabilities, TargetView::Labels(&labels)),
        (&probabilities, TargetView::Values(one_hot.view())),
        (&reals, TargetView::Values(reals.view())),
    ];
    let mut accepted = false;
    for (prediction, targets) in forms {
        if metric.validate(&output, targets).is_ok() {
            accepted = true;
            adds_up(metric, &output, prediction, targets)?;
        }
    }
    if accepted {
        return Ok(());
    }
    let problem = format!("refuses labels, one-hot rows and real numbers for outputs of {output}");
    Err(CheckFailure::new(metric.kind(), "validate", problem))
}

/// Samples, in two halves of different sizes.
const BATCH: usize = 10;
const HALF: usize = 4;
/// The most totals that are tried.
const MOST_TOTALS: usize = 1 << 26;

fn matrix(values: Vec<f64>, columns: usize) -> Array2<f64> {
    Array2::from_shape_vec((BATCH, columns), values).unwrap_or_default()
}

fn adds_up<M: Metric<f64> + ?Sized>(
    metric: &M,
    output: &Shape,
    prediction: &Array2<f64>,
    targets: TargetView<'_, f64>,
) -> Result<(), CheckFailure> {
    let fail = |quantity: &str, problem: &str| CheckFailure::new(metric.kind(), quantity, problem);
    let part = |totals: &mut Guarded, from: usize, to: usize, weights: Option<&[f64]>| {
        let targets = match targets {
            TargetView::Values(values) => TargetView::Values(values.slice_move(s![from..to, ..])),
            TargetView::Labels(labels) => {
                let each = labels.len() / BATCH;
                TargetView::Labels(&labels[from * each..to * each])
            }
        };
        let batch = MetricBatch::new(prediction.slice(s![from..to, ..]), targets);
        metric.update(batch.last_axis(output.last()).weights(weights), totals.get_mut());
    };
    let len = metric.totals(output);
    if len > MOST_TOTALS {
        let problem = format!("is {len} for outputs of {output}");
        return Err(fail("the number of totals", &problem).cause("more than memory holds"));
    }
    let mut whole = Guarded::new(len, 0.0);
    part(&mut whole, 0, BATCH, None);
    if whole.trespassed().is_some() {
        return Err(fail("update", "wrote outside the totals").cause("it wrote outside its slice"));
    }
    let value = metric.value(whole.get());
    if !value.is_finite() {
        return Err(fail("the value", &format!("is {value}")).cause("a division by a total of 0"));
    }
    let mut halves = Guarded::new(len, 0.0);
    part(&mut halves, 0, HALF, None);
    part(&mut halves, HALF, BATCH, None);
    let halved = metric.value(halves.get());
    if !close(halved, value, 1e-9, 1e-9) {
        return Err(fail("the value", "of two halves is not that of the whole")
            .numbers(halved, value)
            .cause("update must add sums to its totals, not assign them or add means"));
    }
    let weights: Vec<f64> = (0..BATCH).map(|row| f64::from(u8::from(row < HALF))).collect();
    let mut weighted = Guarded::new(len, 0.0);
    part(&mut weighted, 0, BATCH, Some(&weights));
    let mut first = Guarded::new(len, 0.0);
    part(&mut first, 0, HALF, None);
    let (weighted, first) = (metric.value(weighted.get()), metric.value(first.get()));
    if !close(weighted, first, 1e-9, 1e-9) {
        return Err(fail("the value", "counts samples of weight 0")
            .numbers(weighted, first)
            .cause("the weights (MetricBatch::weight) are not used"));
    }
    Ok(())
}
