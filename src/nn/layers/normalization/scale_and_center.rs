//! The learned factor and shift that normalizations end with.

use super::super::{ones, yes, zeros};
use crate::initializer::Initializer;
use crate::nn::constraint::Constraint;
use crate::nn::layer::{Plan, Shape};
use crate::nn::regularizer::Regularizer;
use serde::{Deserialize, Serialize};

/// Whether there are a factor γ and a shift β, and how they start.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct ScaleAndCenter {
    #[serde(default = "yes")]
    pub(super) scale: bool,
    #[serde(default = "yes")]
    pub(super) center: bool,
    #[serde(default = "ones")]
    pub(super) gamma_initializer: Initializer,
    #[serde(default = "zeros")]
    pub(super) beta_initializer: Initializer,
    #[serde(default)]
    pub(super) gamma_regularizer: Option<Regularizer>,
    #[serde(default)]
    pub(super) beta_regularizer: Option<Regularizer>,
    #[serde(default)]
    pub(super) gamma_constraint: Option<Constraint>,
    #[serde(default)]
    pub(super) beta_constraint: Option<Constraint>,
}

impl Default for ScaleAndCenter {
    fn default() -> Self {
        Self {
            scale: true,
            center: true,
            gamma_initializer: ones(),
            beta_initializer: zeros(),
            gamma_regularizer: None,
            beta_regularizer: None,
            gamma_constraint: None,
            beta_constraint: None,
        }
    }
}

impl ScaleAndCenter {
    /// Declares γ, then β.
    pub(super) fn declare(&self, mut plan: Plan, shape: &Shape) -> Plan {
        if self.scale {
            plan = plan
                .param("gamma", shape, self.gamma_initializer.clone())
                .regularizer(self.gamma_regularizer)
                .constraint(self.gamma_constraint);
        }
        if self.center {
            plan = plan
                .param("beta", shape, self.beta_initializer.clone())
                .regularizer(self.beta_regularizer)
                .constraint(self.beta_constraint);
        }
        plan
    }

    /// γ and β among the parameters.
    pub(super) fn parts<'a, F>(&self, params: &'a [F]) -> (Option<&'a [F]>, Option<&'a [F]>) {
        let len = params.len() / (usize::from(self.scale) + usize::from(self.center)).max(1);
        let (gamma, beta) = params.split_at(if self.scale { len } else { 0 });
        (self.scale.then_some(gamma), self.center.then_some(beta))
    }

    /// The gradients toward γ and β.
    pub(super) fn parts_mut<'a, F>(&self, grads: &'a mut [F]) -> (Option<&'a mut [F]>, Option<&'a mut [F]>) {
        let len = grads.len() / (usize::from(self.scale) + usize::from(self.center)).max(1);
        let (gamma, beta) = grads.split_at_mut(if self.scale { len } else { 0 });
        (self.scale.then_some(gamma), self.center.then_some(beta))
    }
}

/// The setters that every layer with a [`ScaleAndCenter`] has.
macro_rules! scale_and_center_setters {
    () => {
        /// Whether the result is multiplied with a learned γ; yes by default.
        #[must_use]
        pub fn scale(mut self, scale: bool) -> Self {
            self.affine.scale = scale;
            self
        }

        /// Whether a learned β is added to the result; yes by default.
        #[must_use]
        pub fn center(mut self, center: bool) -> Self {
            self.affine.center = center;
            self
        }

        /// How γ starts; ones by default.
        #[must_use]
        pub fn gamma_initializer(mut self, initializer: Initializer) -> Self {
            self.affine.gamma_initializer = initializer;
            self
        }

        /// How β starts; zeros by default.
        #[must_use]
        pub fn beta_initializer(mut self, initializer: Initializer) -> Self {
            self.affine.beta_initializer = initializer;
            self
        }

        /// A penalty on γ.
        #[must_use]
        pub fn gamma_regularizer(mut self, regularizer: Regularizer) -> Self {
            self.affine.gamma_regularizer = Some(regularizer);
            self
        }

        /// A penalty on β.
        #[must_use]
        pub fn beta_regularizer(mut self, regularizer: Regularizer) -> Self {
            self.affine.beta_regularizer = Some(regularizer);
            self
        }

        /// What γ is projected to after each update.
        #[must_use]
        pub fn gamma_constraint(mut self, constraint: Constraint) -> Self {
            self.affine.gamma_constraint = Some(constraint);
            self
        }

        /// What β is projected to after each update.
        #[must_use]
        pub fn beta_constraint(mut self, constraint: Constraint) -> Self {
            self.affine.beta_constraint = Some(constraint);
            self
        }
    };
}
pub(super) use scale_and_center_setters;
