//! Optimizers by name.

use super::{
    Adadelta, Adafactor, Adagrad, Adam, AdamW, Adamax, Ftrl, Lamb, Lion, Nadam, Optimizer, RmsProp, Sgd,
    Step, Tuned,
};
use crate::error::{Error, Result};
use crate::float::Float;
use crate::nn::layer::Config;
use std::str::FromStr;
use std::sync::Arc;

/// An optimizer whose rule is known at run time only, as a configuration names it.
///
/// From Keras's names in any case, with Keras's defaults; or from any optimizer by [`Tuned::any`].
///
/// # Errors
/// An unknown name; the error lists the known ones.
///
/// # Examples
/// ```
/// use axonal::prelude::*;
///
/// # fn main() -> Result<()> {
/// let optimizer: AnyOptimizer<f32> = "rmsprop".parse()?;
/// let model = Sequential::new(3).add(Dense::new(1)).compile(optimizer.learning_rate(0.01), MeanSquaredError::default())?;
/// # let _ = model;
/// # Ok(())
/// # }
/// ```
pub type AnyOptimizer<F> = Tuned<AnyRule<F>>;

/// The update rule of an [`AnyOptimizer`].
#[derive(Clone)]
pub struct AnyRule<F>(Arc<dyn Optimizer<F>>);

impl<F: Float> Optimizer<F> for AnyRule<F> {
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

impl<R> Tuned<R> {
    /// The same optimizer without its rule in the type.
    #[must_use]
    pub fn any<F: Float>(self) -> AnyOptimizer<F>
    where
        R: Optimizer<F> + 'static,
    {
        self.map_rule(|rule| AnyRule(Arc::new(rule)))
    }
}

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
/// As the one within: it is saved as that one, which a file compares by its text.
impl<F> std::fmt::Debug for AnyRule<F> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        std::fmt::Debug::fmt(&self.0, f)
    }
}
