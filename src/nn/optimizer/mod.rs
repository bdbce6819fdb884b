//! What an optimizer is: an update rule over flat slices, with the learning rate and the modifiers around it.

mod adam;
mod rmsprop;
pub mod schedule;
mod sgd;
mod tuned;

pub use adam::{Adam, AdamRule};
pub use rmsprop::{RmsProp, RmsPropRule};
pub use schedule::{
    CosineDecay, CosineDecayRestarts, ExponentialDecay, InverseTimeDecay, LearningRate,
    PiecewiseConstantDecay, PolynomialDecay,
};
pub use sgd::{Sgd, SgdRule};
pub use tuned::{Modifiers, Tuned};

use crate::error::Result;
use crate::float::Float;
use crate::nn::layer::Config;
use serde::de::DeserializeOwned;
use std::fmt::Debug;
use std::sync::Arc;

/// What an update rule is handed: one run of the flat buffers.
#[derive(Debug)]
#[non_exhaustive]
pub struct Step<'a, F> {
    /// The parameters, to be moved.
    pub params: &'a mut [F],
    /// Their gradients, after clipping.
    pub grads: &'a [F],
    /// The rule's moments, one after the other, each as long as `params`.
    pub moments: &'a mut [F],
    /// The learning rate of this step.
    pub learning_rate: f64,
    /// The number of the step, counted from 1.
    pub number: u64,
}

impl<'a, F: Float> Step<'a, F> {
    /// The views of one update, for a test that calls a rule by itself.
    pub fn new(
        params: &'a mut [F],
        grads: &'a [F],
        moments: &'a mut [F],
        learning_rate: f64,
        number: u64,
    ) -> Self {
        Self { params, grads, moments, learning_rate, number }
    }
}

/// An update rule: how parameters move along their gradients.
///
/// Schedules, clipping, weight decay and averaging stand outside of the rules, in [`Tuned`], so that every rule
/// has them. A rule of one's own is used as `Tuned::of(MyRule { .. }, 0.01)`.
///
/// # Examples
/// ```
/// use axonal::nn::{Optimizer, Step, Tuned};
/// use axonal::prelude::*;
///
/// /// The sign of the gradient alone. Bernstein et al. 2018, arXiv:1802.04434.
/// #[derive(Debug, Clone)]
/// struct SignSgd;
///
/// impl<F: Float> Optimizer<F> for SignSgd {
///     fn kind(&self) -> &'static str {
///         "example.sign_sgd"
///     }
///     fn update(&self, Step { params, grads, learning_rate, .. }: Step<'_, F>) {
///         let rate = F::of(learning_rate);
///         params.iter_mut().zip(grads).for_each(|(w, g)| *w -= rate * g.signum());
///     }
/// }
///
/// # fn main() -> Result<()> {
/// let model: Model<f32> =
///     Sequential::new(3).add(Dense::new(1)).compile(Tuned::of(SignSgd, 0.01).clipnorm(1.0), MeanSquaredError::default())?;
/// # let _ = model;
/// # Ok(())
/// # }
/// ```
pub trait Optimizer<F: Float>: Debug + Send + Sync {
    /// The rule's name in messages and files: `"adam"`. Rules of other crates carry a namespace.
    fn kind(&self) -> &'static str;

    /// What each of the rule's moments starts with: one entry for each vector that the rule keeps beside the
    /// parameters.
    fn moments(&self) -> Vec<f64> {
        Vec::new()
    }

    /// Refuses hyperparameters outside of their ranges.
    ///
    /// # Errors
    /// [`Error::InvalidParameter`](crate::Error::InvalidParameter) with the rule's and the parameter's name.
    fn validate(&self) -> Result<()> {
        Ok(())
    }

    /// Moves the parameters by one step.
    fn update(&self, step: Step<'_, F>);

    /// The hyperparameters for files; `None` (the default): a model of it saves its weights only.
    fn config(&self) -> Option<Config> {
        None
    }
}

/// The kinds of these rules in files. Append only: a file names its optimizer by them.
pub(crate) const KINDS: &[&str] = &["adam", "rmsprop", "sgd"];

/// The rule of a kind from its hyperparameters; `None` for a kind that is not one of these.
pub(crate) fn from_config<F: Float>(kind: &str, config: &Config) -> Option<Result<Arc<dyn Optimizer<F>>>> {
    Some(match kind {
        "adam" => read::<F, AdamRule>(kind, config),
        "rmsprop" => read::<F, RmsPropRule>(kind, config),
        "sgd" => read::<F, SgdRule>(kind, config),
        _ => return None,
    })
}

fn read<F: Float, R: Optimizer<F> + DeserializeOwned + 'static>(
    kind: &str,
    config: &Config,
) -> Result<Arc<dyn Optimizer<F>>> {
    Ok(Arc::new(config.read::<R>(kind)?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_kind_is_known_and_no_other() {
        let nothing = Config::from_json("[");
        for kind in KINDS {
            assert!(from_config::<f32>(kind, &nothing).is_some_and(|made| made.is_err()), "{kind}");
        }
        assert!(from_config::<f32>("Adam", &nothing).is_none());
    }
}
