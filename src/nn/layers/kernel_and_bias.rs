//! Initializers, regularizers and constraints of a kernel and a bias, and the setters of the layers that have both.

use crate::activation::Activation;
use crate::initializer::Initializer;
use crate::nn::constraint::Constraint;
use crate::nn::layer::{Plan, Shape};
use crate::nn::layers::defaults::{glorot_uniform, yes, zeros};
use crate::nn::regularizer::Regularizer;
use serde::{Deserialize, Serialize};

/// Hyperparameters of a kernel and a bias, and the activation of their result.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct KernelAndBias {
    #[serde(default)]
    pub(crate) activation: Activation,
    #[serde(default = "yes")]
    pub(crate) use_bias: bool,
    #[serde(default = "glorot_uniform")]
    pub(crate) kernel_initializer: Initializer,
    #[serde(default = "zeros")]
    pub(crate) bias_initializer: Initializer,
    #[serde(default)]
    pub(crate) kernel_regularizer: Option<Regularizer>,
    #[serde(default)]
    pub(crate) bias_regularizer: Option<Regularizer>,
    #[serde(default)]
    pub(crate) activity_regularizer: Option<Regularizer>,
    #[serde(default)]
    pub(crate) kernel_constraint: Option<Constraint>,
    #[serde(default)]
    pub(crate) bias_constraint: Option<Constraint>,
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
    /// Declares a kernel.
    pub(crate) fn kernel(&self, plan: Plan, name: &str, shape: impl Into<Shape>) -> Plan {
        plan.param(name, shape, self.kernel_initializer.clone())
            .regularizer(self.kernel_regularizer)
            .constraint(self.kernel_constraint)
    }

    /// Declares the bias, if there is one, the activation and the activity regularizer.
    pub(crate) fn bias_and_activation(&self, plan: Plan, filters: usize) -> Plan {
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

/// The setters of a kernel and a bias: of the fields of `self.$weights`, or of `self`.
macro_rules! kernel_and_bias_setters {
    ($($weights:ident)?) => {
        /// Sets the activation of the output; linear by default.
        #[must_use]
        pub fn activation(mut self, activation: Activation) -> Self {
            self.$($weights.)?activation = activation;
            self
        }

        /// Sets whether a bias is added; true by default.
        #[must_use]
        pub fn use_bias(mut self, use_bias: bool) -> Self {
            self.$($weights.)?use_bias = use_bias;
            self
        }

        /// Sets the initializer of the kernel; Glorot uniform by default.
        #[must_use]
        pub fn kernel_initializer(mut self, initializer: Initializer) -> Self {
            self.$($weights.)?kernel_initializer = initializer;
            self
        }

        /// Sets the initializer of the bias; zeros by default.
        #[must_use]
        pub fn bias_initializer(mut self, initializer: Initializer) -> Self {
            self.$($weights.)?bias_initializer = initializer;
            self
        }

        /// Sets the regularizer of the kernel; none by default.
        #[must_use]
        pub fn kernel_regularizer(mut self, regularizer: Regularizer) -> Self {
            self.$($weights.)?kernel_regularizer = Some(regularizer);
            self
        }

        /// Sets the regularizer of the bias; none by default.
        #[must_use]
        pub fn bias_regularizer(mut self, regularizer: Regularizer) -> Self {
            self.$($weights.)?bias_regularizer = Some(regularizer);
            self
        }

        /// Sets the regularizer of the layer's output, whose penalty is divided by the batch size; none by default.
        #[must_use]
        pub fn activity_regularizer(mut self, regularizer: Regularizer) -> Self {
            self.$($weights.)?activity_regularizer = Some(regularizer);
            self
        }

        /// Sets the constraint that the kernel is projected onto after each update; none by default.
        #[must_use]
        pub fn kernel_constraint(mut self, constraint: Constraint) -> Self {
            self.$($weights.)?kernel_constraint = Some(constraint);
            self
        }

        /// Sets the constraint that the bias is projected onto after each update; none by default.
        #[must_use]
        pub fn bias_constraint(mut self, constraint: Constraint) -> Self {
            self.$($weights.)?bias_constraint = Some(constraint);
            self
        }
    };
}
pub(crate) use kernel_and_bias_setters;
