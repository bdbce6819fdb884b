//! Optimizers selected at run time, by name.

use super::adadelta::Adadelta;
use super::adafactor::Adafactor;
use super::adagrad::Adagrad;
use super::adam::{Adam, AdamW};
use super::adamax::Adamax;
use super::ftrl::Ftrl;
use super::lamb::Lamb;
use super::lion::Lion;
use super::nadam::Nadam;
use super::rmsprop::RmsProp;
use super::rule::{Step, UpdateRule};
use super::rule_optimizer::RuleOptimizer;
use super::sgd::Sgd;
use crate::error::{Error, Result};
use crate::float::Float;
use crate::nn::layer::Config;
use std::str::FromStr;
use std::sync::Arc;

/// An optimizer whose rule is selected at run time.
///
/// It is parsed from a Keras name in any case, with Keras's defaults, or made from any optimizer by [`RuleOptimizer::any`].
///
/// # Errors
/// An unknown name; the message lists the known ones.
///
/// # Examples
/// ```
/// use axonal::optimizers::AnyOptimizer;
/// use axonal::prelude::*;
///
/// # fn main() -> Result<()> {
/// let optimizer: AnyOptimizer<f32> = "rmsprop".parse()?;
/// let model = Sequential::new(3).add(Dense::new(1)).compile(optimizer.learning_rate(0.01), MeanSquaredError::default())?;
/// # let _ = model;
/// # Ok(())
/// # }
/// ```
pub type AnyOptimizer<F> = RuleOptimizer<AnyRule<F>>;

/// The update rule of an [`AnyOptimizer`].
#[derive(Clone)]
pub struct AnyRule<F>(Arc<dyn UpdateRule<F>>);

impl<F: Float> UpdateRule<F> for AnyRule<F> {
    fn kind(&self) -> &'static str {
        self.0.kind()
    }

    fn moments(&self) -> Vec<f64> {
        self.0.moments()
    }

    fn elementwise(&self) -> bool {
        self.0.elementwise()
    }

    fn linear(&self, learning_rate: f64) -> Option<f64> {
        self.0.linear(learning_rate)
    }

    fn validate(&self) -> Result<()> {
        self.0.validate()
    }

    fn update(&self, step: Step<'_, F>) {
        self.0.update(step);
    }

    fn config(&self) -> Option<Config> {
        self.0.config()
    }
}

impl<R> RuleOptimizer<R> {
    /// Erases the type of the rule.
    #[must_use]
    pub fn any<F: Float>(self) -> AnyOptimizer<F>
    where
        R: UpdateRule<F> + 'static,
    {
        self.map_rule(|rule| AnyRule(Arc::new(rule)))
    }
}

/// The names that [`AnyOptimizer`] is parsed from.
const NAMES: [&str; 12] = [
    "sgd",
    "adam",
    "adamw",
    "nadam",
    "adamax",
    "rmsprop",
    "adagrad",
    "adadelta",
    "lion",
    "ftrl",
    "lamb",
    "adafactor",
];

impl<F: Float> FromStr for AnyOptimizer<F> {
    type Err = Error;

    fn from_str(name: &str) -> Result<Self> {
        Ok(match name.to_ascii_lowercase().as_str() {
            "sgd" => Sgd::default().any(),
            "adam" => Adam::default().any(),
            "adamw" => AdamW::default().any(),
            "nadam" => Nadam::default().any(),
            "adamax" => Adamax::default().any(),
            "rmsprop" => RmsProp::default().any(),
            "adagrad" => Adagrad::default().any(),
            "adadelta" => Adadelta::default().any(),
            "lion" => Lion::default().any(),
            "ftrl" => Ftrl::default().any(),
            "lamb" => Lamb::default().any(),
            "adafactor" => Adafactor::default().any(),
            _ => return Err(Error::unknown_name("optimizer", name, NAMES)),
        })
    }
}

/// Formats the inner rule: files save the inner rule, and compare it by its `Debug` text.
impl<F> std::fmt::Debug for AnyRule<F> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        std::fmt::Debug::fmt(&self.0, f)
    }
}
