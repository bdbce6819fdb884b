//! Activation functions: applied in place to a layer's output, and differentiated in place.

mod elementwise;
mod names;
mod passes;
mod rows;

use crate::error::{Error, Result};
use crate::float::Float;
use elementwise as f;
use passes::{map, map_rows, map_with, scale, scale_rows, scale_with};
use serde::{Deserialize, Serialize};

/// An activation function, with Keras's names and defaults.
///
/// A variant without a parameter is Keras's function with its defaults; where Keras's function has parameters,
/// a constructor of the same name takes them: [`Activation::leaky_relu`], [`Activation::elu`], ….
///
/// All are exact to a few units in the last place and finite for every finite input
/// ([`Exponential`](Self::Exponential) overflows where eᶻ does); NaN stays NaN.
///
/// # Shapes
/// Any; all act on each number by itself but softmax, log_softmax and sparsemax, which act on the last axis.
///
/// # Errors
/// [`validate`](Self::validate) refuses parameters out of range; a network calls it in `compile`.
///
/// # Examples
/// ```
/// use axonal::layers::Activation;
///
/// let mut z = [-1.0, 0.0, 2.0];
/// Activation::LeakyRelu.apply(3, &mut z);
/// assert_eq!(z, [-0.2, 0.0, 2.0]);
///
/// let mut logits = [0.0_f32, 0.0, 1e4, 0.0];
/// Activation::Softmax.apply(2, &mut logits);
/// assert_eq!(logits, [0.5, 0.5, 1.0, 0.0]);
///
/// assert_eq!("swish".parse::<Activation>()?, Activation::Silu);
/// # Ok::<(), axonal::Error>(())
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Default, Serialize, Deserialize)]
#[non_exhaustive]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub enum Activation {
    /// z.
    #[default]
    Linear,
    /// max(z, 0).
    Relu,
    /// Keras's `relu` with its parameters; made by [`Activation::relu`].
    ReluWith {
        /// The slope below the threshold.
        negative_slope: f64,
        /// The largest output.
        max_value: Option<f64>,
        /// Above it the function is z, below it `negative_slope`·(z − `threshold`).
        threshold: f64,
    },
    /// min(max(z, 0), 6) (Krizhevsky 2010).
    Relu6,
    /// z above 0, 0.2 z below (Maas et al. 2013). The slope is that of Keras's function; its layer of the same
    /// name has 0.3.
    LeakyRelu,
    /// A leaky relu of another slope; made by [`Activation::leaky_relu`].
    LeakyReluWith {
        /// The slope below 0.
        negative_slope: f64,
    },
    /// z above 0, eᶻ − 1 below (Clevert et al. 2015).
    Elu,
    /// z above 0, α(eᶻ − 1) below; made by [`Activation::elu`].
    EluWith {
        /// Minus the limit at −∞.
        alpha: f64,
    },
    /// 1.0507 z above 0, 1.7581(eᶻ − 1) below: keeps mean 0 and variance 1 (Klambauer et al. 2017).
    Selu,
    /// The same as [`Elu`](Self::Elu) where α is 1 (Barron 2017).
    Celu,
    /// max(z, 0) + α(e^(min(z, 0)/α) − 1); made by [`Activation::celu`].
    CeluWith {
        /// Minus the limit at −∞.
        alpha: f64,
    },
    /// z·P(X < z), X standard normal (Hendrycks and Gimpel 2016). This is what Keras's string "gelu" means.
    Gelu,
    /// The approximation z·½(1 + tanh(√(2/π)(z + 0.044715 z³))).
    GeluTanh,
    /// 1/(1 + e⁻ᶻ).
    Sigmoid,
    /// z/6 + ½, between 0 and 1.
    HardSigmoid,
    /// ln(1/(1 + e⁻ᶻ)).
    LogSigmoid,
    /// (z + 1)/2, between 0 and 1 (Martins and Astudillo 2016, in two dimensions).
    SparseSigmoid,
    /// e^zᵢ/Σ e^zⱼ over the last axis.
    Softmax,
    /// zᵢ − ln Σ e^zⱼ over the last axis.
    LogSoftmax,
    /// The nearest point of the probability simplex, over the last axis (Martins and Astudillo 2016).
    Sparsemax,
    /// The hyperbolic tangent.
    Tanh,
    /// z, between −1 and 1.
    HardTanh,
    /// z − tanh z.
    TanhShrink,
    /// z − ½ above ½, z + ½ below −½, else 0.
    SoftShrink,
    /// A soft shrinking of another threshold; made by [`Activation::soft_shrink`].
    SoftShrinkWith {
        /// What is taken off.
        threshold: f64,
    },
    /// z beyond ±½, else 0.
    HardShrink,
    /// A hard shrinking of another threshold; made by [`Activation::hard_shrink`].
    HardShrinkWith {
        /// What is the least to pass.
        threshold: f64,
    },
    /// ln(1 + eᶻ).
    Softplus,
    /// z/(1 + |z|).
    Softsign,
    /// z/(1 + e⁻ᶻ), also called swish (Elfwing et al. 2017; Ramachandran et al. 2017).
    Silu,
    /// z·(z/6 + ½ between 0 and 1), also called hard swish (Howard et al. 2019).
    HardSilu,
    /// z·tanh(ln(1 + eᶻ)) (Misra 2019).
    Mish,
    /// eᶻ.
    Exponential,
    /// (z + √(z² + 4))/2 (Barron 2021).
    Squareplus,
    /// (z + √(z² + b))/2; made by [`Activation::squareplus`].
    SquareplusWith {
        /// How round the bend is; 0 gives relu.
        b: f64,
    },
    /// 0 below −1, (z + 1)²/4 up to 1, z above.
    SparsePlus,
}

impl Activation {
    /// Keras's `relu` with all of its parameters; `max_value` of `None` is no ceiling.
    #[must_use]
    pub fn relu(negative_slope: f64, max_value: impl Into<Option<f64>>, threshold: f64) -> Self {
        Self::ReluWith { negative_slope, max_value: max_value.into(), threshold }
    }

    /// A leaky relu of this slope below 0.
    #[must_use]
    pub fn leaky_relu(negative_slope: f64) -> Self {
        Self::LeakyReluWith { negative_slope }
    }

    /// An exponential linear unit with the limit −`alpha`.
    #[must_use]
    pub fn elu(alpha: f64) -> Self {
        Self::EluWith { alpha }
    }

    /// A continuously differentiable exponential linear unit with the limit −`alpha`.
    #[must_use]
    pub fn celu(alpha: f64) -> Self {
        Self::CeluWith { alpha }
    }

    /// [`Gelu`](Self::Gelu), or the approximation [`GeluTanh`](Self::GeluTanh).
    #[must_use]
    pub fn gelu(approximate: bool) -> Self {
        if approximate { Self::GeluTanh } else { Self::Gelu }
    }

    /// A soft shrinking by `threshold`.
    #[must_use]
    pub fn soft_shrink(threshold: f64) -> Self {
        Self::SoftShrinkWith { threshold }
    }

    /// A hard shrinking that lets pass what is beyond ±`threshold`.
    #[must_use]
    pub fn hard_shrink(threshold: f64) -> Self {
        Self::HardShrinkWith { threshold }
    }

    /// Squareplus of another roundness.
    #[must_use]
    pub fn squareplus(b: f64) -> Self {
        Self::SquareplusWith { b }
    }

    /// Replaces each number z by the function of z.
    ///
    /// # Shapes
    /// `values`: a contiguous row-major block whose last axis has `width` numbers.
    pub fn apply<F: Float>(self, width: usize, values: &mut [F]) {
        match self {
            Self::Linear => {}
            Self::Relu => map(values, f::relu),
            Self::ReluWith { .. } | Self::Relu6 => {
                let relu = self.bounded_relu();
                map_with(values, relu, f::BoundedRelu::apply);
            }
            Self::LeakyRelu | Self::LeakyReluWith { .. } => {
                let slope = self.parameter();
                map_with(values, slope, f::leaky_relu);
            }
            Self::Elu | Self::EluWith { .. } => {
                let alpha = self.parameter();
                map_with(values, alpha, f::elu);
            }
            Self::Selu => map(values, f::selu),
            Self::Celu | Self::CeluWith { .. } => {
                let alpha = self.parameter();
                map_with(values, alpha, f::celu);
            }
            Self::Gelu => map(values, f::gelu),
            Self::GeluTanh => map(values, f::gelu_tanh),
            Self::Sigmoid => map(values, f::logistic),
            Self::HardSigmoid => map(values, f::hard_sigmoid),
            Self::LogSigmoid => map(values, f::log_sigmoid),
            Self::SparseSigmoid => map(values, f::sparse_sigmoid),
            Self::Softmax => map_rows(width, values, rows::softmax),
            Self::LogSoftmax => map_rows(width, values, rows::log_softmax),
            Self::Sparsemax => map_rows(width, values, rows::sparsemax),
            Self::Tanh => map(values, f::hyperbolic_tangent),
            Self::HardTanh => map(values, f::hard_tanh),
            Self::TanhShrink => map(values, f::tanh_shrink),
            Self::SoftShrink | Self::SoftShrinkWith { .. } => {
                let threshold = self.parameter();
                map_with(values, threshold, f::soft_shrink);
            }
            Self::HardShrink | Self::HardShrinkWith { .. } => {
                let threshold = self.parameter();
                map_with(values, threshold, f::hard_shrink);
            }
            Self::Softplus => map(values, f::soft_plus),
            Self::Softsign => map(values, f::softsign),
            Self::Silu => map(values, f::silu),
            Self::HardSilu => map(values, f::hard_silu),
            Self::Mish => map(values, f::mish),
            Self::Exponential => map(values, f::exponential),
            Self::Squareplus | Self::SquareplusWith { .. } => {
                let b = self.parameter();
                map_with(values, b, f::squareplus);
            }
            Self::SparsePlus => map(values, f::sparse_plus),
        }
    }

    /// Whether the derivative is a function of the input z; if not, the output y is enough.
    #[must_use]
    pub fn needs_input(self) -> bool {
        matches!(
            self,
            Self::ReluWith { .. }
                | Self::Gelu
                | Self::GeluTanh
                | Self::TanhShrink
                | Self::Softsign
                | Self::Silu
                | Self::HardSilu
                | Self::Mish
        )
    }

    /// Replaces the gradient toward the output, `dy`, by the gradient toward the input.
    ///
    /// # Shapes
    /// `y`, `dy`: as [`apply`](Self::apply)'s `values`, after it. `z`: the same before it; it is read only where
    /// [`needs_input`](Self::needs_input) says so, and may be empty elsewhere.
    ///
    /// # Examples
    /// ```
    /// use axonal::layers::Activation;
    ///
    /// let mut dy = [1.0, 1.0, 10.0];
    /// Activation::Relu.gradient(3, &[], &[0.0, 3.0, 2.0], &mut dy);
    /// assert_eq!(dy, [0.0, 1.0, 10.0]);
    /// ```
    pub fn gradient<F: Float>(self, width: usize, z: &[F], y: &[F], dy: &mut [F]) {
        match self {
            Self::Linear => {}
            Self::Relu => scale(dy, y, f::relu_derivative),
            Self::ReluWith { .. } => {
                let relu = self.bounded_relu();
                scale_with(dy, z, relu, f::BoundedRelu::derivative);
            }
            Self::Relu6 => {
                let relu = self.bounded_relu();
                scale_with(dy, y, relu, f::BoundedRelu::derivative);
            }
            Self::LeakyRelu | Self::LeakyReluWith { .. } => {
                let slope = self.parameter();
                scale_with(dy, y, slope, f::leaky_relu_derivative);
            }
            Self::Elu | Self::EluWith { .. } => {
                let alpha = self.parameter();
                scale_with(dy, y, alpha, f::elu_derivative);
            }
            Self::Selu => scale(dy, y, f::selu_derivative),
            Self::Celu | Self::CeluWith { .. } => {
                let alpha = self.parameter();
                scale_with(dy, y, alpha, f::celu_derivative);
            }
            Self::Gelu => scale(dy, z, f::gelu_derivative),
            Self::GeluTanh => scale(dy, z, f::gelu_tanh_derivative),
            Self::Sigmoid => scale(dy, y, f::logistic_derivative),
            Self::HardSigmoid => scale(dy, y, f::hard_sigmoid_derivative),
            Self::LogSigmoid => scale(dy, y, f::log_sigmoid_derivative),
            Self::SparseSigmoid => scale(dy, y, f::sparse_sigmoid_derivative),
            Self::Softmax => scale_rows(width, y, dy, rows::softmax_gradient),
            Self::LogSoftmax => scale_rows(width, y, dy, rows::log_softmax_gradient),
            Self::Sparsemax => scale_rows(width, y, dy, rows::sparsemax_gradient),
            Self::Tanh => scale(dy, y, f::hyperbolic_tangent_derivative),
            Self::HardTanh => scale(dy, y, f::hard_tanh_derivative),
            Self::TanhShrink => scale(dy, z, f::tanh_shrink_derivative),
            Self::SoftShrink
            | Self::SoftShrinkWith { .. }
            | Self::HardShrink
            | Self::HardShrinkWith { .. } => {
                scale(dy, y, f::shrink_derivative);
            }
            Self::Softplus => scale(dy, y, f::soft_plus_derivative),
            Self::Softsign => scale(dy, z, f::softsign_derivative),
            Self::Silu => scale(dy, z, f::silu_derivative),
            Self::HardSilu => scale(dy, z, f::hard_silu_derivative),
            Self::Mish => scale(dy, z, f::mish_derivative),
            Self::Exponential => scale(dy, y, f::exponential_derivative),
            Self::Squareplus | Self::SquareplusWith { .. } => {
                let b = self.parameter();
                scale_with(dy, y, b, f::squareplus_derivative);
            }
            Self::SparsePlus => scale(dy, y, f::sparse_plus_derivative),
        }
    }

    /// Whether the parameters are in range.
    ///
    /// # Errors
    /// A parameter that is not finite or negative; an `alpha` of CELU that is 0.
    pub fn validate(self) -> Result<()> {
        let check = |name: &'static str, value: f64, least: f64| {
            if value.is_finite() && value >= least {
                return Ok(());
            }
            let bound = if least > 0.0 { "above 0" } else { "of at least 0" };
            Err(Error::invalid_parameter(self.name(), name, value, format!("a finite number {bound}")))
        };
        match self {
            Self::ReluWith { negative_slope, max_value, threshold } => {
                check("negative_slope", negative_slope, 0.0)?;
                check("max_value", max_value.unwrap_or_default(), 0.0)?;
                check("threshold", threshold, 0.0)
            }
            Self::LeakyReluWith { negative_slope } => check("negative_slope", negative_slope, 0.0),
            Self::EluWith { alpha } => check("alpha", alpha, 0.0),
            Self::CeluWith { alpha } => check("alpha", alpha, f64::MIN_POSITIVE),
            Self::SoftShrinkWith { threshold } | Self::HardShrinkWith { threshold } => {
                check("threshold", threshold, 0.0)
            }
            Self::SquareplusWith { b } => check("b", b, 0.0),
            _ => Ok(()),
        }
    }

    /// The one parameter of a function that has one: the given one or Keras's default.
    fn parameter<F: Float>(self) -> F {
        F::of(match self {
            Self::LeakyRelu => 0.2,
            Self::LeakyReluWith { negative_slope } => negative_slope,
            Self::EluWith { alpha } | Self::CeluWith { alpha } => alpha,
            Self::SoftShrink | Self::HardShrink => 0.5,
            Self::SoftShrinkWith { threshold } | Self::HardShrinkWith { threshold } => threshold,
            Self::Squareplus => 4.0,
            Self::SquareplusWith { b } => b,
            _ => 1.0,
        })
    }

    /// The parameters of a relu that has several.
    fn bounded_relu<F: Float>(self) -> f::BoundedRelu<F> {
        let (slope, ceiling, threshold) = match self {
            Self::ReluWith { negative_slope, max_value, threshold } => (negative_slope, max_value, threshold),
            _ => (0.0, Some(6.0), 0.0),
        };
        f::BoundedRelu {
            slope: F::of(slope),
            ceiling: ceiling.map_or(F::infinity(), F::of),
            threshold: F::of(threshold),
        }
    }
}
