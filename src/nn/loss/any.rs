//! Losses by name.

use super::{KINDS, Loss, LossPass, OutputMeaning, forward_loss, from_config};
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
        Self(loss.into_arc())
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
    crate::float::precompiled::into_arc!(AnyLoss<F>: Loss<F>);

    forward_loss!(|outer| outer.0);
}

/// Formats the inner loss: files save the inner loss, and compare it by its `Debug` text.
impl<F> std::fmt::Debug for AnyLoss<F> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        std::fmt::Debug::fmt(&self.0, f)
    }
}
