//! A function as a loss.

use super::{Loss, LossPass, Position, Reduction, reduce, values_at};
use crate::float::Float;
use std::fmt;

/// A custom loss from a function: no type, no implementation of a trait. It is not part of a model's file.
///
/// The function is given the prediction and the target of one position, returns its loss, and writes the loss's
/// gradient toward the prediction where there is a place for it. Weights and the mean over the batch are
/// applied around it.
///
/// # Shapes
/// Targets have the shape of the output.
///
/// # Examples
/// ```
/// use axonal::losses::LossFn;
/// use axonal::prelude::*;
///
/// // The mean of the fourth powers of the errors.
/// let loss = LossFn::new("fourth_power", |p: &[f64], t: &[f64], gradient: Option<&mut [f64]>| {
///     if let Some(gradient) = gradient {
///         gradient.iter_mut().zip(p).zip(t).for_each(|((g, p), t)| *g = 4.0 * (p - t).powi(3));
///     }
///     p.iter().zip(t).map(|(p, t)| (p - t).powi(4)).sum()
/// });
/// let model = Sequential::new(3).add(Dense::new(1)).compile(Adam::default(), loss)?;
/// # let _ = model;
/// # Ok::<(), Error>(())
/// ```
pub struct LossFn<C> {
    name: &'static str,
    function: C,
    reduction: Reduction,
}

impl<C> LossFn<C> {
    /// A loss under this name.
    pub fn new<F: Float>(name: &'static str, function: C) -> Self
    where
        C: Fn(&[F], &[F], Option<&mut [F]>) -> F + Send + Sync,
    {
        Self { name, function, reduction: Reduction::default() }
    }

    /// Sets how the losses of a batch become one number.
    #[must_use]
    pub fn reduction(mut self, reduction: Reduction) -> Self {
        self.reduction = reduction;
        self
    }
}

impl<C> fmt::Debug for LossFn<C> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("LossFn").field("name", &self.name).finish_non_exhaustive()
    }
}

impl<F: Float, C: Fn(&[F], &[F], Option<&mut [F]>) -> F + Send + Sync> Loss<F> for LossFn<C> {
    fn kind(&self) -> &'static str {
        self.name
    }

    fn batch_reduction(&self) -> Reduction {
        self.reduction
    }

    fn compute(&self, pass: LossPass<'_, F>) -> f64 {
        let (targets, last) = (pass.targets, pass.last_axis);
        reduce(
            pass,
            self.reduction,
            |_| true,
            |Position { prediction, gradient, scale, index }| {
                let targets = values_at(&targets, index, last);
                let Some(gradient) = gradient else { return (self.function)(prediction, targets, None) };
                let value = (self.function)(prediction, targets, Some(&mut *gradient));
                gradient.iter_mut().for_each(|g| *g *= scale);
                value
            },
        )
    }
}
