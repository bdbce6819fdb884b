//! What an optimizer is: an update rule over flat slices, with the learning rate and the modifiers around it.

mod adadelta;
mod adafactor;
mod adagrad;
mod adam;
mod adamax;
mod any;
mod ftrl;
mod lamb;
mod lion;
mod nadam;
mod rmsprop;
pub mod schedule;
mod sgd;
mod tuned;

pub use adadelta::{Adadelta, AdadeltaRule};
pub use adafactor::{Adafactor, AdafactorRule};
pub use adagrad::{Adagrad, AdagradRule};
pub use adam::{Adam, AdamRule, AdamW};
pub use adamax::{Adamax, AdamaxRule};
pub use any::{AnyOptimizer, AnyRule};
pub use ftrl::{Ftrl, FtrlRule};
pub use lamb::{Lamb, LambRule};
pub use lion::{Lion, LionRule};
pub use nadam::{Nadam, NadamRule};
pub use rmsprop::{RmsProp, RmsPropRule};
pub use schedule::{
    CosineDecay, CosineDecayRestarts, ExponentialDecay, InverseTimeDecay, LearningRate,
    PiecewiseConstantDecay, PolynomialDecay,
};
pub use sgd::{Sgd, SgdRule};
pub use tuned::{Modifiers, Tuned};

use crate::error::{Error, Result};
use crate::float::Float;
use crate::nn::layer::{Config, Shape};
use crate::simd::vectorize;
use serde::de::DeserializeOwned;
use std::fmt::Debug;
use std::ops::Range;
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
    /// The weight arrays that `params` is made of, in order, for rules that look at a whole array; none: it is
    /// one vector.
    pub arrays: &'a [WeightArray],
}

/// One weight array in a run of parameters.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub struct WeightArray {
    /// Where it lies in the run.
    pub range: Range<usize>,
    /// Its shape.
    pub shape: Shape,
}

impl WeightArray {
    /// An array of this shape at these places of a run.
    #[must_use]
    pub fn new(range: Range<usize>, shape: Shape) -> Self {
        Self { range, shape }
    }
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
        Self { params, grads, moments, learning_rate, number, arrays: &[] }
    }

    /// Says which arrays the parameters are made of.
    #[must_use]
    pub fn arrays(mut self, arrays: &'a [WeightArray]) -> Self {
        self.arrays = arrays;
        self
    }

    /// The step's number as a real one, for bias corrections.
    #[must_use]
    #[allow(clippy::cast_precision_loss, reason = "the powers have long underflowed where steps lose digits")]
    pub fn time(&self) -> f64 {
        self.number as f64
    }
}

/// What a rule sees of one weight array.
pub(crate) struct ArrayStep<'a, F, const MOMENTS: usize> {
    pub(crate) params: &'a mut [F],
    pub(crate) grads: &'a [F],
    pub(crate) moments: [&'a mut [F]; MOMENTS],
    pub(crate) learning_rate: f64,
    pub(crate) shape: &'a [usize],
}

impl<F: Float> Step<'_, F> {
    /// Calls `visit` for each weight array of the run.
    pub(crate) fn each_array<const MOMENTS: usize>(self, mut visit: impl FnMut(ArrayStep<'_, F, MOMENTS>)) {
        let Self { params, grads, moments, learning_rate, arrays, .. } = self;
        let len = params.len();
        let mut visit = |range: Range<usize>, shape: &[usize]| {
            let mut rest = &mut *moments;
            let moments = std::array::from_fn(|_| {
                let (moment, behind) = std::mem::take(&mut rest).split_at_mut(len);
                rest = behind;
                &mut moment[range.clone()]
            });
            let (params, grads) = (&mut params[range.clone()], &grads[range.clone()]);
            visit(ArrayStep { params, grads, moments, learning_rate, shape });
        };
        if arrays.is_empty() {
            return visit(0..len, &[len]);
        }
        arrays.iter().for_each(|array| visit(array.range.clone(), array.shape.dims()));
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

    /// Whether each number moves by its own gradient and moments alone, so that the parameters may be handed over in
    /// parts, in any order: that spares most of the memory's time. By default false, and every run is whole.
    fn elementwise(&self) -> bool {
        false
    }

    /// The factor c, where [`update`](Self::update) does nothing but `w += c·g`, at any step, and keeps no moments. By
    /// default `None`. Gradients of some layers are then added to the parameters without ever being written.
    fn linear(&self, learning_rate: f64) -> Option<f64> {
        let _ = learning_rate;
        None
    }

    /// Refuses hyperparameters outside of their ranges.
    ///
    /// # Errors
    /// [`Error::InvalidParameter`] with the rule's and the parameter's name.
    fn validate(&self) -> Result<()> {
        Ok(())
    }

    /// Moves the parameters by one step.
    fn update(&self, step: Step<'_, F>);

    /// The hyperparameters for files; `None` (the default): the model saves without its optimizer.
    fn config(&self) -> Option<Config> {
        None
    }
}

impl<F: Float, R: Optimizer<F> + ?Sized> Optimizer<F> for Arc<R> {
    fn kind(&self) -> &'static str {
        (**self).kind()
    }

    fn moments(&self) -> Vec<f64> {
        (**self).moments()
    }

    fn elementwise(&self) -> bool {
        (**self).elementwise()
    }

    fn linear(&self, learning_rate: f64) -> Option<f64> {
        (**self).linear(learning_rate)
    }

    fn validate(&self) -> Result<()> {
        (**self).validate()
    }

    fn update(&self, step: Step<'_, F>) {
        (**self).update(step);
    }

    fn config(&self) -> Option<Config> {
        (**self).config()
    }
}

/// The sum of the squares of a function of two slices' numbers, in eight partial sums: that is what vectors can add
/// up.
fn sum_of_squares<F: Float>(a: &[F], b: &[F], of: impl Fn(F, F) -> F) -> f64 {
    vectorize(
        #[inline(always)]
        || {
            let ((a_blocks, a_rest), (b_blocks, b_rest)) = (a.as_chunks::<8>(), b.as_chunks::<8>());
            let mut sums = [0.0; 8];
            for (a, b) in a_blocks.iter().zip(b_blocks) {
                for ((sum, &a), &b) in sums.iter_mut().zip(a).zip(b) {
                    let v = of(a, b).as_f64();
                    *sum += v * v;
                }
            }
            for (&a, &b) in a_rest.iter().zip(b_rest) {
                let v = of(a, b).as_f64();
                sums[0] += v * v;
            }
            sums.iter().sum()
        },
    )
}

/// The number, or 0 where it is so small that a rate times it is subnormal. A moment without gradients (of a unit that is
/// never active) decays, passes thousands of steps in which its decrease is subnormal, gets stuck where it is so itself,
/// because such numbers round up again, and each step over it takes many times as long on some processors. NaN stays.
#[inline(always)]
fn flushed<F: Float>(value: F) -> F {
    if value.abs() < negligible() { F::zero() } else { value }
}

/// What a moment is flushed below: 1.5e-33 in f32, 2.9e-303 in f64. Its root is far below any ε.
#[inline(always)]
fn negligible<F: Float>() -> F {
    F::min_positive_value() * F::of(131_072.0)
}

/// Refuses a decay rate outside of [0, 1).
fn below_one(owner: &str, name: &'static str, value: f64) -> Result<()> {
    if (0.0..1.0).contains(&value) {
        return Ok(());
    }
    Err(Error::invalid_parameter(owner, name, value, format!("0 <= {name} < 1")))
}

/// Refuses a number that is negative or not finite.
fn at_least_zero(owner: &str, name: &'static str, value: f64) -> Result<()> {
    if value >= 0.0 && value.is_finite() {
        return Ok(());
    }
    Err(Error::invalid_parameter(owner, name, value, "a finite number of at least 0"))
}

/// The kinds of these rules in files. Append only: a file names its optimizer by them.
pub(crate) const KINDS: &[&str] = &[
    "adam",
    "rmsprop",
    "sgd",
    "adadelta",
    "adafactor",
    "adagrad",
    "adamax",
    "adamw",
    "ftrl",
    "lamb",
    "lion",
    "nadam",
];

/// The rule of a kind from its hyperparameters; `None` for a kind that is not one of these.
pub(crate) fn from_config<F: Float>(kind: &str, config: &Config) -> Option<Result<Arc<dyn Optimizer<F>>>> {
    Some(match kind {
        "adadelta" => read::<F, AdadeltaRule>(kind, config),
        "adafactor" => read::<F, AdafactorRule>(kind, config),
        "adagrad" => read::<F, AdagradRule>(kind, config),
        "adam" => read::<F, AdamRule<false>>(kind, config),
        "adamax" => read::<F, AdamaxRule>(kind, config),
        "adamw" => read::<F, AdamRule<true>>(kind, config),
        "ftrl" => read::<F, FtrlRule>(kind, config),
        "lamb" => read::<F, LambRule>(kind, config),
        "lion" => read::<F, LionRule>(kind, config),
        "nadam" => read::<F, NadamRule>(kind, config),
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
