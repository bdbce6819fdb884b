//! The contract of a loss, tried.

use super::finite_difference::{Comparison, close, compare_again, first};
use super::{CheckFailure, normals, unravel};
use crate::activation::Activation;
use crate::nn::layer::Shape;
use crate::nn::loss::{Loss, LossPass};
use crate::nn::targets::{TargetForm, TargetView};
use crate::rng::{Purpose, Rng};
use ndarray::{Array2, ArrayView2};

/// What the predictions (and targets) of [`check_loss_with`] are drawn from.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[non_exhaustive]
pub enum Predictions {
    /// By the activation that the loss names as fused: probabilities that sum to 1 for softmax, single ones for
    /// sigmoid, real numbers where it names none.
    #[default]
    Auto,
    /// Real numbers.
    Reals,
    /// Numbers between 0 and 1.
    Unit,
    /// Numbers above 0 that sum to 1 over the last axis.
    Simplex,
}

/// How [`check_loss_with`] looks.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct CheckLoss {
    /// Samples in a batch; 5 by default.
    pub batch: usize,
    /// The relative error allowed between a gradient and its central difference; 1e-6 by default.
    pub tolerance: f64,
    /// Where the predictions, targets and weights come from.
    pub seed: u64,
    /// What they are.
    pub predictions: Predictions,
    /// Whether the loss is one of the batch as a whole, as [`Dice`](crate::losses::Dice): the weights of the samples then multiply
    /// that one number, and a sample of weight 0 has a gradient. False by default.
    pub whole_batch: bool,
}

impl Default for CheckLoss {
    fn default() -> Self {
        Self { batch: 5, tolerance: 1e-6, seed: 0, predictions: Predictions::Auto, whole_batch: false }
    }
}

impl CheckLoss {
    /// Creates the default settings.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }
}

/// Tries the whole contract of a loss for outputs of this shape; see [`check_loss_with`].
///
/// # Errors
/// What is wrong, with the likely cause.
///
/// # Examples
/// ```
/// use axonal::prelude::*;
/// use axonal::testing::check_loss;
///
/// check_loss(&MeanSquaredError::default(), 3).unwrap();
/// check_loss(&SparseCategoricalCrossentropy::default(), 4).unwrap();
/// ```
pub fn check_loss<L: Loss<f64> + ?Sized>(loss: &L, output: impl Into<Shape>) -> Result<(), CheckFailure> {
    check_loss_with(loss, output, CheckLoss::default())
}

/// Tries the whole contract of a loss, in `f64`: its gradient is that of central differences, with and without
/// sample weights, and toward the logits too where it names a fused activation; the gradient is overwritten
/// whole (it holds NaN before), the value is the same with and without it; a sample of weight 0 has no
/// gradient; the logits give the value of the probabilities.
///
/// # Errors
/// What is wrong, with the likely cause.
pub fn check_loss_with<L: Loss<f64> + ?Sized>(
    loss: &L,
    output: impl Into<Shape>,
    check: CheckLoss,
) -> Result<(), CheckFailure> {
    let output = output.into();
    let refused =
        |error| CheckFailure::new(loss.kind(), "validate", format!("refuses outputs of {output}: {error}"));
    loss.validate(&output).map_err(refused)?;
    let trial = Trial::new(loss, output, check);
    let prediction = trial.prediction();
    let weights: Vec<f64> = (0..trial.batch).map(|row| 0.5 * row as f64).collect();
    for weights in [None, Some(&weights[..])] {
        trial.gradient(&prediction, weights, None)?;
        if let Some(activation) = loss.fused_activation() {
            let mut rng = Rng::new(check.seed, Purpose::Other, 4);
            let logits = trial.matrix(normals(&mut rng, prediction.len()));
            trial.gradient(&logits, weights, Some(activation))?;
        }
    }
    Ok(())
}

/// A loss on trial, with targets.
struct Trial<'a, L: ?Sized> {
    loss: &'a L,
    output: Shape,
    check: CheckLoss,
    batch: usize,
    values: Array2<f64>,
    labels: Vec<usize>,
}

impl<'a, L: Loss<f64> + ?Sized> Trial<'a, L> {
    fn new(loss: &'a L, output: Shape, check: CheckLoss) -> Self {
        let batch = check.batch.max(1);
        let mut trial =
            Self { loss, output, check, batch, values: Array2::zeros((0, 0)), labels: Vec::new() };
        trial.values = trial.drawn(5);
        let mut rng = Rng::new(check.seed, Purpose::Other, 6);
        let positions = batch * trial.output.size() / trial.output.last().max(1);
        trial.labels = (0..positions).map(|_| rng.below(trial.output.last())).collect();
        trial
    }

    fn prediction(&self) -> Array2<f64> {
        self.drawn(7)
    }

    fn targets(&self) -> TargetView<'_, f64> {
        match self.loss.target_form() {
            TargetForm::Values | TargetForm::Either => TargetView::Values(self.values.view()),
            TargetForm::Labels => TargetView::Labels(&self.labels),
        }
    }

    fn matrix(&self, values: Vec<f64>) -> Array2<f64> {
        Array2::from_shape_vec((self.batch, self.output.size()), values).unwrap_or_default()
    }

    /// Random numbers of the kind that the loss compares.
    fn drawn(&self, index: u64) -> Array2<f64> {
        let mut rng = Rng::new(self.check.seed, Purpose::Other, index);
        let kind = match (self.check.predictions, self.loss.fused_activation()) {
            (Predictions::Auto, Some(Activation::Softmax)) => Predictions::Simplex,
            (Predictions::Auto, Some(Activation::Sigmoid)) => Predictions::Unit,
            (Predictions::Auto, _) => Predictions::Reals,
            (kind, _) => kind,
        };
        let len = self.batch * self.output.size();
        let mut values = normals(&mut rng, len);
        match kind {
            Predictions::Simplex => Activation::Softmax.apply(self.output.last(), &mut values),
            Predictions::Unit => Activation::Sigmoid.apply(self.output.last(), &mut values),
            _ => {}
        }
        self.matrix(values)
    }

    fn pass<'p>(
        &'p self,
        prediction: ArrayView2<'p, f64>,
        weights: Option<&'p [f64]>,
        logits: bool,
    ) -> LossPass<'p, f64> {
        LossPass::new(prediction, self.targets())
            .weights(weights)
            .logits(logits)
            .last_axis(self.output.last())
    }

    fn fail(&self, quantity: &str, problem: impl Into<String>) -> CheckFailure {
        CheckFailure::new(self.loss.kind(), quantity, problem)
    }

    fn place(&self, index: usize) -> Vec<usize> {
        unravel(index, &[&[self.batch], self.output.dims()].concat())
    }

    /// Value and gradient at one prediction.
    fn gradient(
        &self,
        prediction: &Array2<f64>,
        weights: Option<&[f64]>,
        fused: Option<Activation>,
    ) -> Result<(), CheckFailure> {
        let logits = fused.is_some();
        let toward =
            if logits { "the gradient toward the logits" } else { "the gradient toward the prediction" };
        let mut gradient = Array2::from_elem(prediction.raw_dim(), f64::NAN);
        let pass = self.pass(prediction.view(), weights, logits).gradient(gradient.view_mut());
        let value = self.loss.compute(pass);
        let alone = self.loss.compute(self.pass(prediction.view(), weights, logits));
        if !value.is_finite() {
            return Err(self
                .fail("the loss", format!("is {value}"))
                .cause("a logarithm or a division without a floor"));
        }
        if !close(alone, value, 1e-12, 1e-12) {
            return Err(self.fail("the loss", "differs when no gradient is requested").numbers(alone, value));
        }
        if let Some(activation) = fused {
            let mut answers: Vec<f64> = prediction.iter().copied().collect();
            activation.apply(self.output.last(), &mut answers);
            let answers = self.matrix(answers);
            let expected = self.loss.compute(self.pass(answers.view(), weights, false));
            if !close(value, expected, 1e-6, 1e-6) {
                let problem = "of the logits is not that of the activated output";
                return Err(self.fail("the loss", problem).numbers(value, expected));
            }
        }
        if let Some(index) = gradient.iter().position(|v| !v.is_finite()) {
            return Err(self
                .fail(toward, "is not finite")
                .at(self.place(index))
                .cause("it is not overwritten there"));
        }
        self.weightless(toward, &gradient, weights)?;
        for (index, &got) in gradient.iter().enumerate() {
            self.differentiates(toward, prediction, weights, logits, index, got)?;
        }
        Ok(())
    }

    /// A sample that counts nothing has no gradient.
    fn weightless(
        &self,
        toward: &str,
        gradient: &Array2<f64>,
        weights: Option<&[f64]>,
    ) -> Result<(), CheckFailure> {
        let weights = weights.filter(|_| !self.check.whole_batch);
        for (row, &weight) in weights.unwrap_or_default().iter().enumerate() {
            let column = gradient.row(row).iter().position(|&v| v != 0.0);
            if let (true, Some(column)) = (weight == 0.0, column) {
                return Err(self
                    .fail(toward, "is not 0 for a sample of weight 0")
                    .at(self.place(row * self.output.size() + column))
                    .cause("the sample weights are not used in the gradient, or a loss of the whole batch needs `whole_batch`"));
            }
        }
        Ok(())
    }

    fn differentiates(
        &self,
        toward: &str,
        prediction: &Array2<f64>,
        weights: Option<&[f64]>,
        logits: bool,
        index: usize,
        got: f64,
    ) -> Result<(), CheckFailure> {
        let mut moved = prediction.clone();
        let place = (index / self.output.size(), index % self.output.size());
        let mut outputs = |step: f64| {
            let here = moved[place];
            moved[place] += step;
            let value = self.loss.compute(self.pass(moved.view(), weights, logits));
            moved[place] = here;
            Ok(vec![value])
        };
        let want = first(&[1.0], &mut outputs)?;
        // The loss is one number of order 1, so differences keep about ten digits after the point.
        if close(got, want, self.check.tolerance, 1e-3) {
            return Ok(());
        }
        match compare_again(got, &[1.0], self.check.tolerance, 1e-2, &mut outputs)? {
            Comparison::Agrees => Ok(()),
            Comparison::Differs(want) => {
                let rows = self.batch as f64;
                let ratio = got / want;
                let is = |value: f64| (ratio - value).abs() < 1e-3 * value;
                let cause = if is(2.0) || is(0.5) {
                    "a factor of two"
                } else if is(rows) || is(1.0 / rows) {
                    "the mean over the batch is missing in the gradient, or is there twice"
                } else {
                    "the gradient is not that of the value"
                };
                Err(self
                    .fail(toward, "is not the central difference")
                    .at(self.place(index))
                    .numbers(got, want)
                    .cause(cause))
            }
        }
    }
}
