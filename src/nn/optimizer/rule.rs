//! The update rule trait, and the slices that a rule receives.

use crate::error::Result;
use crate::float::Float;
use crate::nn::layer::{Config, Shape};
use std::fmt::Debug;
use std::ops::Range;
use std::sync::Arc;

/// The arguments of an update rule: a segment of the flat buffers.
#[derive(Debug)]
#[non_exhaustive]
pub struct Step<'a, F> {
    /// The parameters, updated in place.
    pub params: &'a mut [F],
    /// Their gradients, after clipping.
    pub grads: &'a [F],
    /// The rule's moments, one vector after the other, each as long as `params`.
    pub moments: &'a mut [F],
    /// The learning rate of this step.
    pub learning_rate: f64,
    /// The number of the update, counted from 1.
    pub number: u64,
    /// The weight arrays that `params` consists of, in order, for rules that need norms or rows of an array. If empty,
    /// `params` is one vector.
    pub arrays: &'a [WeightArray],
}

/// A weight array within a segment of parameters.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub struct WeightArray {
    /// Its range within the segment.
    pub range: Range<usize>,
    /// Its shape.
    pub shape: Shape,
}

impl WeightArray {
    /// Creates an array from its range within a segment and its shape.
    #[must_use]
    pub fn new(range: Range<usize>, shape: Shape) -> Self {
        Self { range, shape }
    }
}

impl<'a, F: Float> Step<'a, F> {
    /// Creates the arguments of an update of one vector, for a test that calls a rule directly.
    pub fn new(
        params: &'a mut [F],
        grads: &'a [F],
        moments: &'a mut [F],
        learning_rate: f64,
        number: u64,
    ) -> Self {
        Self { params, grads, moments, learning_rate, number, arrays: &[] }
    }

    /// Sets the weight arrays that the parameters consist of.
    #[must_use]
    pub fn arrays(mut self, arrays: &'a [WeightArray]) -> Self {
        self.arrays = arrays;
        self
    }

    /// The number of the update as a float, for bias corrections.
    #[must_use]
    #[allow(clippy::cast_precision_loss, reason = "the powers underflow long before a step loses digits")]
    pub fn time(&self) -> f64 {
        self.number as f64
    }
}

/// The arguments of an update for one weight array.
pub(crate) struct ArrayStep<'a, F, const MOMENTS: usize> {
    pub(crate) params: &'a mut [F],
    pub(crate) grads: &'a [F],
    pub(crate) moments: [&'a mut [F]; MOMENTS],
    pub(crate) learning_rate: f64,
    pub(crate) shape: &'a [usize],
}

impl<F: Float> Step<'_, F> {
    /// Calls `visit` for each weight array of the segment.
    pub(crate) fn for_each_array<const MOMENTS: usize>(
        self,
        mut visit: impl FnMut(ArrayStep<'_, F, MOMENTS>),
    ) {
        let Self { params, grads, moments, learning_rate, arrays, .. } = self;
        let len = params.len();
        let mut visit = |range: Range<usize>, shape: &[usize]| {
            let mut rest = &mut *moments;
            let moments = std::array::from_fn(|_| {
                let (moment, tail) = std::mem::take(&mut rest).split_at_mut(len);
                rest = tail;
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

/// An update rule: computes new parameters from gradients and moments.
///
/// Schedules, clipping, weight decay and moving averages belong to the wrapper [`RuleOptimizer`](super::RuleOptimizer), so every rule has
/// them. A custom rule is used as `RuleOptimizer::from_rule(MyRule { .. }, 0.01)`.
///
/// # Examples
/// ```
/// use axonal::custom::{RuleOptimizer, Step, UpdateRule};
/// use axonal::prelude::*;
///
/// /// Steps in the direction of the gradient's sign. Bernstein et al. 2018, arXiv:1802.04434.
/// #[derive(Debug, Clone)]
/// struct SignSgd;
///
/// impl<F: Float> UpdateRule<F> for SignSgd {
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
///     Sequential::new(3).add(Dense::new(1)).compile(RuleOptimizer::from_rule(SignSgd, 0.01).clipnorm(1.0), MeanSquaredError::default())?;
/// # let _ = model;
/// # Ok(())
/// # }
/// ```
#[diagnostic::on_unimplemented(
    message = "`{Self}` is not an update rule for `{F}`",
    label = "expected an update rule such as `AdamRule`",
    note = "an optimizer such as `Adam` contains its rule; to use it where a rule is expected, pass the optimizer to `compile` instead"
)]
pub trait UpdateRule<F: Float>: Debug + Send + Sync {
    /// The rule's name in messages and files: `"adam"`. Rules of other crates need a namespace: `"mycrate.adam"`.
    fn kind(&self) -> &'static str;

    /// The initial values of the moments: one for each vector of the parameters' length that the rule keeps. By default
    /// none.
    fn moments(&self) -> Vec<f64> {
        Vec::new()
    }

    /// Whether each parameter depends on its own gradient and moments alone. The parameters are then updated in
    /// chunks while their gradients are in the cache. By default false: a segment consists of whole arrays.
    fn elementwise(&self) -> bool {
        false
    }

    /// The factor `c` if [`update`](Self::update) is `w += c·g` at every step, without moments. Some layers then add
    /// their gradient to the parameters without writing it. By default `None`.
    fn linear(&self, learning_rate: f64) -> Option<f64> {
        let _ = learning_rate;
        None
    }

    /// Checks the ranges of the hyperparameters.
    ///
    /// # Errors
    /// [`Error::InvalidParameter`](crate::Error::InvalidParameter) with the names of the rule and the parameter.
    fn validate(&self) -> Result<()> {
        Ok(())
    }

    /// Updates the parameters and moments by one step.
    fn update(&self, step: Step<'_, F>);

    /// The hyperparameters for files. With `None`, the default, a model is saved without its optimizer.
    fn config(&self) -> Option<Config> {
        None
    }

    /// The update rule as networks hold it. The types of this crate override it to be compiled here.
    #[doc(hidden)]
    fn into_arc(self) -> Arc<dyn UpdateRule<F>>
    where
        Self: Sized + 'static,
    {
        Arc::new(self)
    }
}

/// Implements the methods of [`UpdateRule`] by those of an inner rule.
macro_rules! forward_rule {
    (|$outer:ident| $inner:expr) => {
        fn kind(&self) -> &'static str {
            let $outer = self;
            $inner.kind()
        }

        fn moments(&self) -> Vec<f64> {
            let $outer = self;
            $inner.moments()
        }

        fn elementwise(&self) -> bool {
            let $outer = self;
            $inner.elementwise()
        }

        fn linear(&self, learning_rate: f64) -> Option<f64> {
            let $outer = self;
            $inner.linear(learning_rate)
        }

        fn validate(&self) -> Result<()> {
            let $outer = self;
            $inner.validate()
        }

        fn update(&self, step: Step<'_, F>) {
            let $outer = self;
            $inner.update(step);
        }

        fn config(&self) -> Option<Config> {
            let $outer = self;
            $inner.config()
        }
    };
}
pub(super) use forward_rule;

impl<F: Float, R: UpdateRule<F> + ?Sized> UpdateRule<F> for Arc<R> {
    forward_rule!(|outer| (**outer));
}
