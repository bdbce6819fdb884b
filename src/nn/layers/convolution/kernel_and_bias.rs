//! What every convolution says about its weights.

use super::super::{glorot_uniform, yes, zeros};
use crate::activation::Activation;
use crate::initializer::Initializer;
use crate::nn::constraint::Constraint;
use crate::nn::layer::{Plan, Shape};
use crate::nn::regularizer::Regularizer;
use serde::{Deserialize, Serialize};

/// A kernel, a bias and what is applied to their result.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct KernelAndBias {
    #[serde(default)]
    pub(super) activation: Activation,
    #[serde(default = "yes")]
    pub(super) use_bias: bool,
    #[serde(default = "glorot_uniform")]
    pub(super) kernel_initializer: Initializer,
    #[serde(default = "zeros")]
    pub(super) bias_initializer: Initializer,
    #[serde(default)]
    pub(super) kernel_regularizer: Option<Regularizer>,
    #[serde(default)]
    pub(super) bias_regularizer: Option<Regularizer>,
    #[serde(default)]
    pub(super) activity_regularizer: Option<Regularizer>,
    #[serde(default)]
    pub(super) kernel_constraint: Option<Constraint>,
    #[serde(default)]
    pub(super) bias_constraint: Option<Constraint>,
}

impl Default for KernelAndBias {
    fn default() -> Self {
        Self {
            activation: Activation::Linear,
            use_bias: true,
            kernel_initializer: glorot_uniform(),
            bias_initializer: zeros(),
            kernel_regularizer: None,
            bias_regularizer: None,
            activity_regularizer: None,
            kernel_constraint: None,
            bias_constraint: None,
        }
    }
}

impl KernelAndBias {
    /// Declares the kernel.
    pub(super) fn kernel(&self, plan: Plan, name: &str, shape: impl Into<Shape>) -> Plan {
        plan.param(name, shape, self.kernel_initializer.clone())
            .regularizer(self.kernel_regularizer)
            .constraint(self.kernel_constraint)
    }

    /// Declares the bias and what stands behind the product.
    pub(super) fn rest(&self, plan: Plan, filters: usize) -> Plan {
        let plan = if self.use_bias {
            plan.param("bias", filters, self.bias_initializer.clone())
                .regularizer(self.bias_regularizer)
                .constraint(self.bias_constraint)
        } else {
            plan
        };
        plan.activation(self.activation).activity_regularizer(self.activity_regularizer)
    }
}

/// The setters that every layer with a [`KernelAndBias`] in its field `weights` has.
macro_rules! kernel_and_bias_setters {
    () => {
        /// What is applied to the sums; linear by default.
        #[must_use]
        pub fn activation(mut self, activation: Activation) -> Self {
            self.weights.activation = activation;
            self
        }

        /// Whether a number for each filter is added to the sums; yes by default.
        #[must_use]
        pub fn use_bias(mut self, use_bias: bool) -> Self {
            self.weights.use_bias = use_bias;
            self
        }

        /// How the kernel starts; Glorot uniform by default.
        #[must_use]
        pub fn kernel_initializer(mut self, initializer: Initializer) -> Self {
            self.weights.kernel_initializer = initializer;
            self
        }

        /// How the bias starts; zeros by default.
        #[must_use]
        pub fn bias_initializer(mut self, initializer: Initializer) -> Self {
            self.weights.bias_initializer = initializer;
            self
        }

        /// A penalty on the kernel.
        #[must_use]
        pub fn kernel_regularizer(mut self, regularizer: Regularizer) -> Self {
            self.weights.kernel_regularizer = Some(regularizer);
            self
        }

        /// A penalty on the bias.
        #[must_use]
        pub fn bias_regularizer(mut self, regularizer: Regularizer) -> Self {
            self.weights.bias_regularizer = Some(regularizer);
            self
        }

        /// A penalty on the layer's output, divided by the batch size.
        #[must_use]
        pub fn activity_regularizer(mut self, regularizer: Regularizer) -> Self {
            self.weights.activity_regularizer = Some(regularizer);
            self
        }

        /// What the kernel is projected to after each update.
        #[must_use]
        pub fn kernel_constraint(mut self, constraint: Constraint) -> Self {
            self.weights.kernel_constraint = Some(constraint);
            self
        }

        /// What the bias is projected to after each update.
        #[must_use]
        pub fn bias_constraint(mut self, constraint: Constraint) -> Self {
            self.weights.bias_constraint = Some(constraint);
            self
        }
    };
}
pub(super) use kernel_and_bias_setters;
