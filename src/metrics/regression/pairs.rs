//! True and predicted values side by side, each pair with its weight.

use crate::error::{Error, Result};
use crate::float::Float;
use crate::validate;
use ndarray::{ArrayBase, Data, Dimension};

/// The values of one output.
pub(in crate::metrics) struct Pairs<'a> {
    pub(super) truths: &'a [f64],
    pub(super) predictions: &'a [f64],
    pub(super) weights: &'a [f64],
}

impl Pairs<'_> {
    /// The weighted mean of a function of true and predicted value.
    pub(super) fn mean(&self, of: impl Fn(f64, f64) -> f64) -> f64 {
        let values =
            self.truths.iter().zip(self.predictions).map(|(&truth, &predicted)| of(truth, predicted));
        let sum: f64 = values.zip(self.weights).map(|(value, weight)| weight * value).sum();
        sum / self.weights.iter().sum::<f64>()
    }

    /// The absolute differences.
    pub(super) fn absolute(&self) -> impl Iterator<Item = f64> {
        self.truths.iter().zip(self.predictions).map(|(truth, predicted)| (truth - predicted).abs())
    }
}

/// `metric` of each output's true and predicted values, averaged over the outputs. Without weights all samples count
/// alike.
#[allow(clippy::cast_precision_loss, reason = "a number of outputs")]
pub(super) fn mean_over_outputs<F: Float, D: Dimension>(
    y_true: &ArrayBase<impl Data<Elem = F>, D>,
    y_pred: &ArrayBase<impl Data<Elem = F>, D>,
    sample_weight: Option<&[f64]>,
    metric: impl Fn(&Pairs<'_>) -> Result<f64>,
) -> Result<f64> {
    if y_true.shape() != y_pred.shape() {
        let text = validate::shape_text;
        return Err(Error::shape("y_pred", text(y_true.shape()), text(y_pred.shape())));
    }
    if y_true.is_empty() {
        let shape = validate::shape_text(y_true.shape());
        return Err(Error::Empty { what: "y_true".into(), shape, needed: "sample" });
    }
    validate::finite("y_true", y_true)?;
    validate::finite("y_pred", y_pred)?;
    let n_samples = y_true.shape().first().copied().unwrap_or(1);
    let n_outputs = y_true.len() / n_samples;
    let weights = match sample_weight {
        Some(weights) => {
            validate::sample_weights("sample_weight", weights, n_samples)?;
            weights.to_vec()
        }
        None => vec![1.0; n_samples],
    };
    let values = |y: &mut dyn Iterator<Item = &F>| -> Vec<f64> { y.map(|value| value.as_f64()).collect() };
    let (y_true, y_pred) = (values(&mut y_true.iter()), values(&mut y_pred.iter()));
    let mut sum = 0.0;
    for output in 0..n_outputs {
        let column = |y: &[f64]| -> Vec<f64> { y.iter().skip(output).step_by(n_outputs).copied().collect() };
        let (truths, predictions) = (column(&y_true), column(&y_pred));
        sum += metric(&Pairs { truths: &truths, predictions: &predictions, weights: &weights })?;
    }
    Ok(sum / n_outputs as f64)
}
