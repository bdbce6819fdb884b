//! Optimizers selected at run time, by name.

use super::rule::{Step, UpdateRule, forward_rule};
use super::rule_optimizer::RuleOptimizer;
use crate::error::Result;
use crate::float::Float;
use crate::nn::layer::Config;
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
    crate::float::precompiled::into_arc!(AnyRule<F>: UpdateRule<F>);

    forward_rule!(|outer| outer.0);
}

impl<R> RuleOptimizer<R> {
    /// Erases the type of the rule.
    #[must_use]
    pub fn any<F: Float>(self) -> AnyOptimizer<F>
    where
        R: UpdateRule<F> + 'static,
    {
        self.map_rule(|rule| AnyRule(rule.into_arc()))
    }
}

/// Formats the inner rule: files save the inner rule, and compare it by its `Debug` text.
impl<F> std::fmt::Debug for AnyRule<F> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        std::fmt::Debug::fmt(&self.0, f)
    }
}
