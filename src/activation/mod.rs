//! Activation functions and their gradients, computed in place.

mod elementwise;
mod last_axis;
mod loops;
mod macros;
mod names;

use crate::error::{Error, Result};
use crate::float::Float;
use elementwise as f;
use macros::{map, map_rows, scale, scale_rows, with_closure};
use serde::{Deserialize, Serialize};

/// An activation function, with Keras's names and defaults.
///
/// A variant without fields is Keras's function with its defaults. For functions with parameters there is a
/// constructor of Keras's name: [`Activation::leaky_relu`], [`Activation::elu`], ….
///
/// All functions are accurate to a few units in the last place and finite for every finite input, except that
/// [`Exponential`](Self::Exponential) overflows where eᶻ does. NaN is kept.
///
/// # Shapes
/// Any. Softmax, log_softmax and sparsemax act on the last axis, all other functions elementwise.
///
/// # Errors
/// [`validate`](Self::validate) rejects parameters out of range; a network calls it in `compile`.
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
    /// The identity, z.
    #[default]
    Linear,
    /// Rectified linear unit, max(z, 0).
    Relu,
    /// ReLU with all of Keras's parameters; see [`Activation::relu`].
    ReluWith {
        /// The slope below the threshold.
        negative_slope: f64,
        /// The largest output.
        max_value: Option<f64>,
        /// The threshold: z above it, `negative_slope`·(z − `threshold`) below.
        threshold: f64,
    },
    /// ReLU capped at 6, min(max(z, 0), 6) (Krizhevsky 2010).
    Relu6,
    /// Leaky ReLU, z above 0 and 0.2 z below (Maas et al. 2013). The slope is that of Keras's function; Keras's layer
    /// of the same name has 0.3.
    LeakyRelu,
    /// Leaky ReLU with another slope; see [`Activation::leaky_relu`].
    LeakyReluWith {
        /// The slope below 0.
        negative_slope: f64,
    },
    /// Exponential linear unit, z above 0 and eᶻ − 1 below (Clevert et al. 2015).
    Elu,
    /// ELU with another α: α(eᶻ − 1) below 0; see [`Activation::elu`].
    EluWith {
        /// The scale α; the limit at −∞ is −α.
        alpha: f64,
    },
    /// Scaled ELU, 1.0507 z above 0 and 1.7581(eᶻ − 1) below: self-normalizing (Klambauer et al. 2017).
    Selu,
    /// Continuously differentiable ELU (Barron 2017); equal to [`Elu`](Self::Elu) for α = 1.
    Celu,
    /// CELU with another α, max(z, 0) + α(e^(min(z, 0)/α) − 1); see [`Activation::celu`].
    CeluWith {
        /// The scale α; the limit at −∞ is −α.
        alpha: f64,
    },
    /// Gaussian error linear unit, z·P(X < z) with X standard normal (Hendrycks and Gimpel 2016). Keras's string
    /// "gelu".
    Gelu,
    /// The tanh approximation of GELU, z·½(1 + tanh(√(2/π)(z + 0.044715 z³))).
    GeluTanh,
    /// Logistic sigmoid, 1/(1 + e⁻ᶻ).
    Sigmoid,
    /// Hard sigmoid, z/6 + ½ clipped to [0, 1].
    HardSigmoid,
    /// Log-sigmoid, ln(1/(1 + e⁻ᶻ)).
    LogSigmoid,
    /// Sparse sigmoid, (z + 1)/2 clipped to [0, 1] (two-class sparsemax, Martins and Astudillo 2016).
    SparseSigmoid,
    /// Softmax over the last axis, e^zᵢ/Σ e^zⱼ.
    Softmax,
    /// Log-softmax over the last axis, zᵢ − ln Σ e^zⱼ.
    LogSoftmax,
    /// Sparsemax over the last axis: the projection onto the probability simplex (Martins and Astudillo 2016).
    Sparsemax,
    /// Hyperbolic tangent.
    Tanh,
    /// Hard tanh, z clipped to [−1, 1].
    HardTanh,
    /// Tanh-shrink, z − tanh z.
    TanhShrink,
    /// Soft shrink, z − ½ above ½, z + ½ below −½, else 0.
    SoftShrink,
    /// Soft shrink with another threshold; see [`Activation::soft_shrink`].
    SoftShrinkWith {
        /// The threshold.
        threshold: f64,
    },
    /// Hard shrink, z beyond ±½, else 0.
    HardShrink,
    /// Hard shrink with another threshold; see [`Activation::hard_shrink`].
    HardShrinkWith {
        /// The threshold.
        threshold: f64,
    },
    /// Softplus, ln(1 + eᶻ).
    Softplus,
    /// Softsign, z/(1 + |z|).
    Softsign,
    /// Sigmoid linear unit or swish, z/(1 + e⁻ᶻ) (Elfwing et al. 2017; Ramachandran et al. 2017).
    Silu,
    /// Hard SiLU or hard swish, z times the hard sigmoid (Howard et al. 2019).
    HardSilu,
    /// Mish, z·tanh(ln(1 + eᶻ)) (Misra 2019).
    Mish,
    /// Exponential, eᶻ.
    Exponential,
    /// Squareplus, (z + √(z² + 4))/2 (Barron 2021).
    Squareplus,
    /// Squareplus with another b, (z + √(z² + b))/2; see [`Activation::squareplus`].
    SquareplusWith {
        /// The curvature b; 0 gives ReLU.
        b: f64,
    },
    /// Sparse plus, 0 below −1, (z + 1)²/4 up to 1, z above.
    SparsePlus,
}

impl Activation {
    /// Creates ReLU with all of Keras's parameters. A `max_value` of `None` is no limit.
    #[must_use]
    pub fn relu(negative_slope: f64, max_value: impl Into<Option<f64>>, threshold: f64) -> Self {
        Self::ReluWith { negative_slope, max_value: max_value.into(), threshold }
    }

    /// Creates leaky ReLU with the given slope below 0.
    #[must_use]
    pub fn leaky_relu(negative_slope: f64) -> Self {
        Self::LeakyReluWith { negative_slope }
    }

    /// Creates ELU with the limit −`alpha`.
    #[must_use]
    pub fn elu(alpha: f64) -> Self {
        Self::EluWith { alpha }
    }

    /// Creates CELU with the limit −`alpha`.
    #[must_use]
    pub fn celu(alpha: f64) -> Self {
        Self::CeluWith { alpha }
    }

    /// Creates [`Gelu`](Self::Gelu) or its approximation [`GeluTanh`](Self::GeluTanh).
    #[must_use]
    pub fn gelu(approximate: bool) -> Self {
        if approximate { Self::GeluTanh } else { Self::Gelu }
    }

    /// Creates soft shrink with the given threshold.
    #[must_use]
    pub fn soft_shrink(threshold: f64) -> Self {
        Self::SoftShrinkWith { threshold }
    }

    /// Creates hard shrink with the given threshold.
    #[must_use]
    pub fn hard_shrink(threshold: f64) -> Self {
        Self::HardShrinkWith { threshold }
    }

    /// Creates squareplus with the given b.
    #[must_use]
    pub fn squareplus(b: f64) -> Self {
        Self::SquareplusWith { b }
    }

    /// Applies the function in place.
    ///
    /// # Shapes
    /// `values`: a contiguous row-major array whose last axis has length `width`.
    pub fn apply<F: Float>(self, width: usize, values: &mut [F]) {
        match self {
            Self::Linear => {}
            Self::Relu => map!(values, f::relu),
            Self::ReluWith { .. } | Self::Relu6 => {
                let relu = self.bounded_relu();
                map!(values, f::BoundedRelu::apply, relu);
            }
            Self::LeakyRelu | Self::LeakyReluWith { .. } => {
                let slope = self.parameter();
                map!(values, f::leaky_relu, slope);
            }
            Self::Elu | Self::EluWith { .. } => {
                let alpha = self.parameter();
                map!(values, f::elu, alpha);
            }
            Self::Selu => map!(values, f::selu),
            Self::Celu | Self::CeluWith { .. } => {
                let alpha = self.parameter();
                map!(values, f::celu, alpha);
            }
            Self::Gelu => map!(values, f::gelu),
            Self::GeluTanh => map!(values, f::gelu_tanh),
            Self::Sigmoid => map!(values, f::logistic),
            Self::HardSigmoid => map!(values, f::hard_sigmoid),
            Self::LogSigmoid => map!(values, f::log_sigmoid),
            Self::SparseSigmoid => map!(values, f::sparse_sigmoid),
            Self::Softmax => map_rows!(width, values, last_axis::softmax),
            Self::LogSoftmax => map_rows!(width, values, last_axis::log_softmax),
            Self::Sparsemax => map_rows!(width, values, last_axis::sparsemax),
            Self::Tanh => map!(values, f::hyperbolic_tangent),
            Self::HardTanh => map!(values, f::hard_tanh),
            Self::TanhShrink => map!(values, f::tanh_shrink),
            Self::SoftShrink | Self::SoftShrinkWith { .. } => {
                let threshold = self.parameter();
                map!(values, f::soft_shrink, threshold);
            }
            Self::HardShrink | Self::HardShrinkWith { .. } => {
                let threshold = self.parameter();
                map!(values, f::hard_shrink, threshold);
            }
            Self::Softplus => map!(values, f::soft_plus),
            Self::Softsign => map!(values, f::softsign),
            Self::Silu => map!(values, f::silu),
            Self::HardSilu => map!(values, f::hard_silu),
            Self::Mish => map!(values, f::mish),
            Self::Exponential => map!(values, f::exponential),
            Self::Squareplus | Self::SquareplusWith { .. } => {
                let b = self.parameter();
                map!(values, f::squareplus, b);
            }
            Self::SparsePlus => map!(values, f::sparse_plus),
        }
    }

    /// Whether the derivative needs the input z; otherwise it is a function of the output y.
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

    /// Replaces the gradient of the output, `dy`, by the gradient of the input, in place.
    ///
    /// # Shapes
    /// `z`, `y`, `dy`: as `values` of [`apply`](Self::apply). `z` is the input and `y` the output of `apply`. `z` is
    /// read only if [`needs_input`](Self::needs_input), and may be empty otherwise.
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
            Self::Relu => scale!(dy, y, f::relu_derivative),
            Self::ReluWith { .. } => {
                let relu = self.bounded_relu();
                scale!(dy, z, f::BoundedRelu::derivative, relu);
            }
            Self::Relu6 => {
                let relu = self.bounded_relu();
                scale!(dy, y, f::BoundedRelu::derivative, relu);
            }
            Self::LeakyRelu | Self::LeakyReluWith { .. } => {
                let slope = self.parameter();
                scale!(dy, y, f::leaky_relu_derivative, slope);
            }
            Self::Elu | Self::EluWith { .. } => {
                let alpha = self.parameter();
                scale!(dy, y, f::elu_derivative, alpha);
            }
            Self::Selu => scale!(dy, y, f::selu_derivative),
            Self::Celu | Self::CeluWith { .. } => {
                let alpha = self.parameter();
                scale!(dy, y, f::celu_derivative, alpha);
            }
            Self::Gelu => scale!(dy, z, f::gelu_derivative),
            Self::GeluTanh => scale!(dy, z, f::gelu_tanh_derivative),
            Self::Sigmoid => scale!(dy, y, f::logistic_derivative),
            Self::HardSigmoid => scale!(dy, y, f::hard_sigmoid_derivative),
            Self::LogSigmoid => scale!(dy, y, f::log_sigmoid_derivative),
            Self::SparseSigmoid => scale!(dy, y, f::sparse_sigmoid_derivative),
            Self::Softmax => scale_rows!(width, y, dy, last_axis::softmax_gradient),
            Self::LogSoftmax => scale_rows!(width, y, dy, last_axis::log_softmax_gradient),
            Self::Sparsemax => scale_rows!(width, y, dy, last_axis::sparsemax_gradient),
            Self::Tanh => scale!(dy, y, f::hyperbolic_tangent_derivative),
            Self::HardTanh => scale!(dy, y, f::hard_tanh_derivative),
            Self::TanhShrink => scale!(dy, z, f::tanh_shrink_derivative),
            Self::SoftShrink
            | Self::SoftShrinkWith { .. }
            | Self::HardShrink
            | Self::HardShrinkWith { .. } => {
                scale!(dy, y, f::shrink_derivative);
            }
            Self::Softplus => scale!(dy, y, f::soft_plus_derivative),
            Self::Softsign => scale!(dy, z, f::softsign_derivative),
            Self::Silu => scale!(dy, z, f::silu_derivative),
            Self::HardSilu => scale!(dy, z, f::hard_silu_derivative),
            Self::Mish => scale!(dy, z, f::mish_derivative),
            Self::Exponential => scale!(dy, y, f::exponential_derivative),
            Self::Squareplus | Self::SquareplusWith { .. } => {
                let b = self.parameter();
                scale!(dy, y, f::squareplus_derivative, b);
            }
            Self::SparsePlus => scale!(dy, y, f::sparse_plus_derivative),
        }
    }

    /// Checks the ranges of the parameters.
    ///
    /// # Errors
    /// A parameter that is negative or not finite; an `alpha` of 0 for CELU.
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

    /// The parameter of a function that has one: the given value or Keras's default.
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

    /// The parameters of the variants of ReLU that have several.
    fn bounded_relu<F: Float>(self) -> f::BoundedRelu<F> {
        let (slope, max, threshold) = match self {
            Self::ReluWith { negative_slope, max_value, threshold } => (negative_slope, max_value, threshold),
            _ => (0.0, Some(6.0), 0.0),
        };
        f::BoundedRelu {
            slope: F::of(slope),
            max: max.map_or(F::infinity(), F::of),
            threshold: F::of(threshold),
        }
    }
}
