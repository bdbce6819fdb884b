//! The losses that are a mean or sum over the last axis of a function of prediction and target, and have no parameter but the
//! reduction.

use super::{
    EPSILON, Loss, LossPass, OutputMeaning, Position, Reduction, element_mean, element_sum, reduce, sign,
    signed_targets, values_at,
};
use crate::float::Float;
use crate::float::elementary::softplus;
use crate::nn::layer::{Config, Shape};
use crate::nn::targets::TargetRange;
use serde::{Deserialize, Serialize};

/// Declares losses: documentation, type, kind in files, range of targets, meaning of outputs, and the computation.
macro_rules! elementwise_losses {
    ($(
        $(#[$docs:meta])*
        $loss:ident: $kind:literal, targets $range:ident, outputs $meaning:ident,
        |$reduction:ident, $pass:ident| $compute:expr;
    )*) => {$(
        $(#[$docs])*
        #[derive(Debug, Clone, Copy, Default, PartialEq, Serialize, Deserialize)]
        #[serde(default, deny_unknown_fields)]
        pub struct $loss {
            reduction: Reduction,
        }

        impl $loss {
            /// Creates the loss with Keras's defaults.
            #[must_use]
            pub fn new() -> Self {
                Self::default()
            }

            /// Sets how the losses of a batch become one number.
            #[must_use]
            pub fn reduction(mut self, reduction: Reduction) -> Self {
                self.reduction = reduction;
                self
            }
        }

        impl<F: Float> Loss<F> for $loss {
            $crate::float::precompiled::into_arc!($loss: Loss<F>);

            fn kind(&self) -> &'static str {
                $kind
            }

            fn target_range(&self) -> TargetRange {
                TargetRange::$range
            }

            fn output_meaning(&self, _: &Shape) -> OutputMeaning {
                OutputMeaning::$meaning
            }

            fn batch_reduction(&self) -> Reduction {
                self.reduction
            }

            fn compute(&self, $pass: LossPass<'_, F>) -> f64 {
                let $reduction = self.reduction;
                $compute
            }

            fn config(&self) -> Option<Config> {
                Config::of(self)
            }
        }
    )*};
}

elementwise_losses! {
    /// Mean squared error, `mean((prediction - target)²)` over the last axis.
    ///
    /// # Shapes
    /// Targets have the shape of the output.
    ///
    /// # Examples
    /// ```
    /// use axonal::ndarray::array;
    /// use axonal::custom::{LossPass, TargetView};
    /// use axonal::prelude::*;
    ///
    /// let (prediction, target) = (array![[4.0, 8.0, 12.0], [8.0, 1.0, 3.0]], array![[1.0, 9.0, 2.0], [-5.0, -2.0, 6.0]]);
    /// let loss = MeanSquaredError::default();
    /// assert!((loss.compute(LossPass::new(prediction.view(), TargetView::Values(target.view()))) - 49.5).abs() < 1e-12);
    /// ```
    MeanSquaredError: "mean_squared_error", targets Any, outputs Values,
    |reduction, pass| {
        let (targets, last) = (pass.targets, pass.last_axis);
        let mean = F::one() / F::of(last as f64);
        reduce(
            pass,
            reduction,
            |_| true,
            |Position { prediction, gradient, scale, index }| {
                let targets = values_at(&targets, index, last);
                if let Some(gradient) = gradient {
                    let factor = (mean + mean) * scale;
                    for ((gradient, &p), &t) in gradient.iter_mut().zip(prediction).zip(targets) {
                        *gradient = factor * (p - t);
                    }
                }
                prediction.iter().zip(targets).map(|(&p, &t)| (p - t) * (p - t)).sum::<F>() * mean
            },
        )
    };

    /// Mean absolute error, `mean(|prediction - target|)` over the last axis. The gradient of |0| is 0.
    ///
    /// # Shapes
    /// Targets have the shape of the output.
    ///
    /// # Examples
    /// ```
    /// use axonal::ndarray::array;
    /// use axonal::custom::{LossPass, TargetView};
    /// use axonal::prelude::*;
    ///
    /// let (prediction, target) = (array![[4.0, 8.0, 12.0], [8.0, 1.0, 3.0]], array![[1.0, 9.0, 2.0], [-5.0, -2.0, 6.0]]);
    /// let loss = MeanAbsoluteError::default();
    /// assert!((loss.compute(LossPass::new(prediction.view(), TargetView::Values(target.view()))) - 5.5).abs() < 1e-12);
    /// ```
    MeanAbsoluteError: "mean_absolute_error", targets Any, outputs Values,
    |reduction, pass| {
        let (targets, last) = (pass.targets, pass.last_axis);
        let mean = F::one() / F::of(last as f64);
        reduce(
            pass,
            reduction,
            |_| true,
            |Position { prediction, gradient, scale, index }| {
                let targets = values_at(&targets, index, last);
                if let Some(gradient) = gradient {
                    let factor = mean * scale;
                    for ((gradient, &p), &t) in gradient.iter_mut().zip(prediction).zip(targets) {
                        let error = p - t;
                        *gradient = if error == F::zero() { F::zero() } else { factor * error.signum() };
                    }
                }
                prediction.iter().zip(targets).map(|(&p, &t)| (p - t).abs()).sum::<F>() * mean
            },
        )
    };

    /// Mean absolute error in percent of the target, `100 mean(|p - t| / max(|t|, 1e-7))` over the last axis.
    ///
    /// # Shapes
    /// Targets have the shape of the output.
    ///
    /// # Examples
    /// ```
    /// use axonal::ndarray::array;
    /// use axonal::custom::{LossPass, TargetView};
    /// use axonal::losses::MeanAbsolutePercentageError;
    /// use axonal::prelude::*;
    ///
    /// let (prediction, target) = (array![[4.0, 8.0, 12.0], [8.0, 1.0, 3.0]], array![[1.0, 9.0, 2.0], [-5.0, -2.0, 6.0]]);
    /// let loss = MeanAbsolutePercentageError::default();
    /// let value = loss.compute(LossPass::new(prediction.view(), TargetView::Values(target.view())));
    /// assert!((value - 211.8518).abs() < 1e-3);
    /// ```
    MeanAbsolutePercentageError: "mean_absolute_percentage_error", targets Any, outputs Values,
    |reduction, pass| {
        let (hundred, least) = (F::of(100.0), F::of(EPSILON));
        element_mean(pass, reduction, |p, t| {
            let scale = hundred / t.abs().max(least);
            ((p - t).abs() * scale, sign(p - t) * scale)
        })
    };

    /// Mean squared error of logarithms, `mean((ln(p + 1) - ln(t + 1))²)` over the last axis, with p and t at least 1e-7.
    ///
    /// # Shapes
    /// Targets have the shape of the output.
    ///
    /// # Examples
    /// ```
    /// use axonal::ndarray::array;
    /// use axonal::custom::{LossPass, TargetView};
    /// use axonal::losses::MeanSquaredLogarithmicError;
    /// use axonal::prelude::*;
    ///
    /// let (prediction, target) = (array![[4.0, 8.0, 12.0], [8.0, 1.0, 3.0]], array![[1.0, 9.0, 2.0], [-5.0, -2.0, 6.0]]);
    /// let loss = MeanSquaredLogarithmicError::default();
    /// let value = loss.compute(LossPass::new(prediction.view(), TargetView::Values(target.view())));
    /// assert!((value - 1.4370).abs() < 1e-4);
    /// ```
    MeanSquaredLogarithmicError: "mean_squared_logarithmic_error", targets Any, outputs Values,
    |reduction, pass| {
        let (one, two, least) = (F::one(), F::of(2.0), F::of(EPSILON));
        element_mean(pass, reduction, |p, t| {
            let gap = p.max(least).ln_1p() - t.max(least).ln_1p();
            (gap * gap, if p > least { two * gap / (p + one) } else { F::zero() })
        })
    };

    /// Logarithm of the hyperbolic cosine of the error, `mean(ln cosh(p - t))` over the last axis: about half the square of small
    /// errors, and the magnitude of large ones less ln 2.
    ///
    /// # Shapes
    /// Targets have the shape of the output.
    ///
    /// # Examples
    /// ```
    /// use axonal::ndarray::array;
    /// use axonal::custom::{LossPass, TargetView};
    /// use axonal::losses::LogCosh;
    /// use axonal::prelude::*;
    ///
    /// let (prediction, target) = (array![[4.0, 8.0, 12.0], [8.0, 1.0, 3.0]], array![[1.0, 9.0, 2.0], [-5.0, -2.0, 6.0]]);
    /// let loss = LogCosh::default();
    /// let value = loss.compute(LossPass::new(prediction.view(), TargetView::Values(target.view())));
    /// assert!((value - 4.8292451).abs() < 1e-6);
    /// ```
    LogCosh: "log_cosh", targets Any, outputs Values,
    |reduction, pass| {
        let (two, ln_2) = (F::of(2.0), F::of(std::f64::consts::LN_2));
        element_mean(pass, reduction, |p, t| {
            let error = p - t;
            (error.abs() + softplus(-two * error.abs()) - ln_2, error.tanh())
        })
    };

    /// Negative log-likelihood of Poisson counts up to a constant, `mean(p - t ln(p + 1e-7))` over the last axis.
    ///
    /// # Shapes
    /// Targets have the shape of the output. Outputs should be positive (an exponential activation).
    ///
    /// # Errors
    /// In `fit` and `evaluate`: negative targets.
    ///
    /// # Examples
    /// ```
    /// use axonal::ndarray::array;
    /// use axonal::custom::{LossPass, TargetView};
    /// use axonal::losses::Poisson;
    /// use axonal::prelude::*;
    ///
    /// let (prediction, target) = (array![[1.0, 9.0, 2.0], [5.0, 2.0, 6.0]], array![[4.0, 8.0, 12.0], [8.0, 1.0, 3.0]]);
    /// let loss = Poisson::default();
    /// let value = loss.compute(LossPass::new(prediction.view(), TargetView::Values(target.view())));
    /// assert!((value - -3.3065822).abs() < 1e-6);
    /// ```
    Poisson: "poisson", targets NonNegative, outputs Values,
    |reduction, pass| {
        let (one, epsilon) = (F::one(), F::of(EPSILON));
        element_mean(pass, reduction, |p, t| (p - t * (p + epsilon).ln(), one - t / (p + epsilon)))
    };

    /// Kullback-Leibler divergence, `Σ t ln(t / p)` over the last axis, both clipped to [1e-7, 1].
    ///
    /// # Shapes
    /// Targets have the shape of the output: distributions along the last axis, normalized or not.
    ///
    /// # Errors
    /// In `compile`: a last layer whose outputs are negative for some weights. In `fit` and `evaluate`: negative targets.
    ///
    /// # Examples
    /// ```
    /// use axonal::ndarray::array;
    /// use axonal::custom::{LossPass, TargetView};
    /// use axonal::losses::KlDivergence;
    /// use axonal::prelude::*;
    ///
    /// let (prediction, target) = (array![[0.4, 0.9, 0.12], [0.36, 0.3, 0.4]], array![[0.5, 0.8, 0.12], [0.7, 0.43, 0.8]]);
    /// let loss = KlDivergence::default();
    /// let value = loss.compute(LossPass::new(prediction.view(), TargetView::Values(target.view())));
    /// assert!((value - 0.59607387).abs() < 1e-6);
    /// ```
    ///
    /// # References
    /// Kullback and Leibler 1951.
    KlDivergence: "kl_divergence", targets NonNegative, outputs Densities,
    |reduction, pass| {
        let (low, high) = (F::of(EPSILON), F::one());
        element_sum(pass, reduction, |p, t| {
            let (t, q) = (t.max(low).min(high), p.max(low).min(high));
            (t * (t / q).ln(), if p < low || p > high { F::zero() } else { -t / q })
        })
    };

    /// Hinge loss, `mean(max(1 - t p, 0))` over the last axis.
    ///
    /// # Shapes
    /// Targets have the shape of the output and are −1 or 1; where all of a batch are 0 or 1, 0 is taken as −1.
    ///
    /// # Errors
    /// In `fit` and `evaluate`: targets of neither encoding, or of both.
    ///
    /// # Examples
    /// ```
    /// use axonal::ndarray::array;
    /// use axonal::custom::{LossPass, TargetView};
    /// use axonal::losses::Hinge;
    /// use axonal::prelude::*;
    ///
    /// let (prediction, target) = (array![[0.6, 0.4], [0.4, 0.6]], array![[0.0, 1.0], [0.0, 0.0]]);
    /// let loss = Hinge::default();
    /// let value = loss.compute(LossPass::new(prediction.view(), TargetView::Values(target.view())));
    /// assert!((value - 1.3).abs() < 1e-6);
    /// ```
    Hinge: "hinge", targets Signs, outputs Values,
    |reduction, pass| {
        let (zero, one) = (F::zero(), F::one());
        let signed = signed_targets(&pass.targets);
        element_mean(pass, reduction, |p, t| {
            let t = signed(t);
            let missing = (one - t * p).max(zero);
            (missing, if missing > zero { -t } else { zero })
        })
    };

    /// Squared hinge loss, `mean(max(1 - t p, 0)²)` over the last axis.
    ///
    /// # Shapes
    /// Targets have the shape of the output and are −1 or 1; where all of a batch are 0 or 1, 0 is taken as −1.
    ///
    /// # Errors
    /// In `fit` and `evaluate`: targets of neither encoding, or of both.
    ///
    /// # Examples
    /// ```
    /// use axonal::ndarray::array;
    /// use axonal::custom::{LossPass, TargetView};
    /// use axonal::losses::SquaredHinge;
    /// use axonal::prelude::*;
    ///
    /// let (prediction, target) = (array![[0.6, 0.4], [0.4, 0.6]], array![[0.0, 1.0], [0.0, 0.0]]);
    /// let loss = SquaredHinge::default();
    /// let value = loss.compute(LossPass::new(prediction.view(), TargetView::Values(target.view())));
    /// assert!((value - 1.86).abs() < 1e-6);
    /// ```
    SquaredHinge: "squared_hinge", targets Signs, outputs Values,
    |reduction, pass| {
        let (zero, one) = (F::zero(), F::one());
        let signed = signed_targets(&pass.targets);
        element_mean(pass, reduction, |p, t| {
            let t = signed(t);
            let missing = (one - t * p).max(zero);
            (missing * missing, -(t + t) * missing)
        })
    };
}
