//! Losses by name.

use super::{KINDS, Loss, LossPass, OutputMeaning, from_config};
use crate::activation::Activation;
use crate::error::{Error, Result};
use crate::float::Float;
use crate::nn::layer::{Config, Shape};
use crate::nn::targets::{TargetForm, TargetRange};
use std::str::FromStr;
use std::sync::Arc;

/// A loss that is known at run time only, as a configuration names it.
///
/// From Keras's names in any case, with Keras's defaults; short names are `mse`, `mae`, `mape`, `msle`, `bce`, `ce`,
/// `kld`, `logcosh`.
///
/// # Errors
/// An unknown name; the error lists the known ones.
///
/// # Examples
/// ```
/// use axonal::losses::AnyLoss;
/// use axonal::prelude::*;
///
/// # fn main() -> Result<()> {
/// let loss: AnyLoss<f32> = "mse".parse()?;
/// assert_eq!(loss.kind(), "mean_squared_error");
/// let model = Sequential::new(3).add(Dense::new(1)).compile(Adam::default(), loss)?;
/// # let _ = model;
/// # Ok(())
/// # }
/// ```
#[derive(Clone)]
pub struct AnyLoss<F>(Arc<dyn Loss<F>>);

impl<F: Float> AnyLoss<F> {
    /// Any loss without its type.
    pub fn new(loss: impl Loss<F> + 'static) -> Self {
        Self(Arc::new(loss))
    }
}

/// Keras's short names.
const SHORT: [(&str, &str); 10] = [
    ("ce", "crossentropy"),
    ("mse", "mean_squared_error"),
    ("mae", "mean_absolute_error"),
    ("mape", "mean_absolute_percentage_error"),
    ("msle", "mean_squared_logarithmic_error"),
    ("bce", "binary_crossentropy"),
    ("kld", "kl_divergence"),
    ("kullback_leibler_divergence", "kl_divergence"),
    ("logcosh", "log_cosh"),
    ("huber_loss", "huber"),
];

impl<F: Float> FromStr for AnyLoss<F> {
    type Err = Error;

    fn from_str(name: &str) -> Result<Self> {
        let lower = name.to_ascii_lowercase();
        let kind = SHORT.iter().find(|(short, _)| *short == lower).map_or(&*lower, |(_, kind)| kind);
        let unknown = || {
            let known = KINDS.iter().copied().chain(SHORT.map(|(short, _)| short));
            Error::unknown_name("loss", name, known)
        };
        Ok(Self(from_config(kind, &Config::from_json("{}")).ok_or_else(unknown)??))
    }
}

impl<F: Float> Loss<F> for AnyLoss<F> {
    fn kind(&self) -> &'static str {
        self.0.kind()
    }

    fn target_form(&self) -> TargetForm {
        self.0.target_form()
    }

    fn ignored_label(&self) -> Option<i64> {
        self.0.ignored_label()
    }

    fn target_range(&self) -> TargetRange {
        self.0.target_range()
    }

    fn output_meaning(&self, output: &Shape) -> OutputMeaning {
        self.0.output_meaning(output)
    }

    fn validate(&self, output: &Shape) -> Result<()> {
        self.0.validate(output)
    }

    fn fused_activation(&self) -> Option<Activation> {
        self.0.fused_activation()
    }

    fn fuses(&self, activation: Activation, outputs: usize) -> bool {
        self.0.fuses(activation, outputs)
    }

    fn compute(&self, pass: LossPass<'_, F>) -> f64 {
        self.0.compute(pass)
    }

    fn config(&self) -> Option<Config> {
        self.0.config()
    }
}
/// As the one within: it is saved as that one, which a file compares by its text.
impl<F> std::fmt::Debug for AnyLoss<F> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        std::fmt::Debug::fmt(&self.0, f)
    }
}
