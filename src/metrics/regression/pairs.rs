//! True and predicted values side by side, each pair with its weight.

use crate::error::{Error, Result};
use crate::float::Float;
use crate::float::scaled::{self, Scaled};
use crate::validate;
use ndarray::{ArrayBase, Data, Dimension};

/// The values of one output, those of weight 0 left out.
pub(in crate::metrics) struct Pairs<'a> {
    pub(super) truths: &'a [f64],
    pub(super) predictions: &'a [f64],
    pub(super) weights: &'a [f64],
    /// With those of weight 0.
    pub(super) n_samples: usize,
}

impl Pairs<'_> {
    /// True values less predicted ones.
    pub(super) fn errors(&self) -> Scaled {
        Scaled::differences(self.truths, self.predictions)
    }

    /// The weighted mean of values, one for each pair.
    pub(super) fn mean(&self, values: Vec<f64>) -> f64 {
        Scaled::of(values).mean(self.weights)
    }
}

/// `metric` of each output's true and predicted values, averaged over the outputs. Without weights all samples count
/// alike.
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
    let counts = |sample: &usize| weights[*sample] > 0.0;
    let values = |y: &mut dyn Iterator<Item = &F>| -> Vec<f64> { y.map(|value| value.as_f64()).collect() };
    let (y_true, y_pred) = (values(&mut y_true.iter()), values(&mut y_pred.iter()));
    let positive: Vec<f64> = weights.iter().copied().filter(|weight| *weight > 0.0).collect();
    let mut results = Vec::with_capacity(n_outputs);
    for output in 0..n_outputs {
        let column = |y: &[f64]| -> Vec<f64> {
            (0..n_samples).filter(counts).map(|sample| y[sample * n_outputs + output]).collect()
        };
        let (truths, predictions) = (column(&y_true), column(&y_pred));
        let pairs = Pairs { truths: &truths, predictions: &predictions, weights: &positive, n_samples };
        results.push(metric(&pairs)?);
    }
    Ok(scaled::mean(results))
}
