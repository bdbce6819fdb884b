//! The names of the activation functions, as in Keras: parsing and formatting.

use super::Activation;
use crate::error::{Error, Result};
use std::fmt;
use std::str::FromStr;

/// The functions with a distinct name.
const NAMED: [Activation; 29] = [
    Activation::Linear,
    Activation::Relu,
    Activation::Relu6,
    Activation::LeakyRelu,
    Activation::Elu,
    Activation::Selu,
    Activation::Celu,
    Activation::Gelu,
    Activation::GeluTanh,
    Activation::Sigmoid,
    Activation::HardSigmoid,
    Activation::LogSigmoid,
    Activation::SparseSigmoid,
    Activation::Softmax,
    Activation::LogSoftmax,
    Activation::Sparsemax,
    Activation::Tanh,
    Activation::HardTanh,
    Activation::TanhShrink,
    Activation::SoftShrink,
    Activation::HardShrink,
    Activation::Softplus,
    Activation::Softsign,
    Activation::Silu,
    Activation::HardSilu,
    Activation::Mish,
    Activation::Exponential,
    Activation::Squareplus,
    Activation::SparsePlus,
];

/// Keras's aliases.
const ALIASES: [(&str, Activation); 2] = [("swish", Activation::Silu), ("hard_swish", Activation::HardSilu)];

impl Activation {
    /// Keras's name of the function, without parameters.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Linear => "linear",
            Self::Relu | Self::ReluWith { .. } => "relu",
            Self::Relu6 => "relu6",
            Self::LeakyRelu | Self::LeakyReluWith { .. } => "leaky_relu",
            Self::Elu | Self::EluWith { .. } => "elu",
            Self::Selu => "selu",
            Self::Celu | Self::CeluWith { .. } => "celu",
            Self::Gelu => "gelu",
            Self::GeluTanh => "gelu_tanh",
            Self::Sigmoid => "sigmoid",
            Self::HardSigmoid => "hard_sigmoid",
            Self::LogSigmoid => "log_sigmoid",
            Self::SparseSigmoid => "sparse_sigmoid",
            Self::Softmax => "softmax",
            Self::LogSoftmax => "log_softmax",
            Self::Sparsemax => "sparsemax",
            Self::Tanh => "tanh",
            Self::HardTanh => "hard_tanh",
            Self::TanhShrink => "tanh_shrink",
            Self::SoftShrink | Self::SoftShrinkWith { .. } => "soft_shrink",
            Self::HardShrink | Self::HardShrinkWith { .. } => "hard_shrink",
            Self::Softplus => "softplus",
            Self::Softsign => "softsign",
            Self::Silu => "silu",
            Self::HardSilu => "hard_silu",
            Self::Mish => "mish",
            Self::Exponential => "exponential",
            Self::Squareplus | Self::SquareplusWith { .. } => "squareplus",
            Self::SparsePlus => "sparse_plus",
        }
    }
}

/// Formats the name, with the given parameters in parentheses.
impl fmt::Display for Activation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())?;
        match *self {
            Self::ReluWith { negative_slope, max_value, threshold } => {
                write!(f, "(negative_slope={negative_slope}")?;
                max_value.map_or(Ok(()), |max_value| write!(f, ", max_value={max_value}"))?;
                write!(f, ", threshold={threshold})")
            }
            Self::LeakyReluWith { negative_slope } => write!(f, "(negative_slope={negative_slope})"),
            Self::EluWith { alpha } | Self::CeluWith { alpha } => write!(f, "(alpha={alpha})"),
            Self::SoftShrinkWith { threshold } | Self::HardShrinkWith { threshold } => {
                write!(f, "(threshold={threshold})")
            }
            Self::SquareplusWith { b } => write!(f, "(b={b})"),
            _ => Ok(()),
        }
    }
}

/// Parses Keras's name in any case, or one of the aliases "swish" and "hard_swish".
impl FromStr for Activation {
    type Err = Error;

    fn from_str(name: &str) -> Result<Self> {
        let named = NAMED.iter().map(|activation| (activation.name(), *activation));
        named.chain(ALIASES).find(|(known, _)| known.eq_ignore_ascii_case(name)).map_or_else(
            || {
                let known = NAMED.iter().map(|activation| activation.name());
                Err(Error::unknown_name("activation", name, known.chain(ALIASES.map(|(alias, _)| alias))))
            },
            |(_, activation)| Ok(activation),
        )
    }
}
