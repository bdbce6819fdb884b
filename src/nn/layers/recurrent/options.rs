//! Options that all recurrent layers share, with their builder methods.

use super::super::{glorot_uniform, yes, zeros};
use crate::activation::Activation;
use crate::initializer::Initializer;
use crate::nn::constraint::Constraint;
use crate::nn::regularizer::Regularizer;
use serde::{Deserialize, Serialize};

/// Options of every recurrent layer: its weights, its dropout and how it reads a sequence. In files the field is named `weights`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct RecurrentOptions {
    #[serde(default = "tanh")]
    pub(super) activation: Activation,
    #[serde(default = "yes")]
    pub(super) use_bias: bool,
    #[serde(default = "glorot_uniform")]
    pub(super) kernel_initializer: Initializer,
    #[serde(default = "orthogonal")]
    pub(super) recurrent_initializer: Initializer,
    #[serde(default = "zeros")]
    pub(super) bias_initializer: Initializer,
    #[serde(default)]
    pub(super) kernel_regularizer: Option<Regularizer>,
    #[serde(default)]
    pub(super) recurrent_regularizer: Option<Regularizer>,
    #[serde(default)]
    pub(super) bias_regularizer: Option<Regularizer>,
    #[serde(default)]
    pub(super) activity_regularizer: Option<Regularizer>,
    #[serde(default)]
    pub(super) kernel_constraint: Option<Constraint>,
    #[serde(default)]
    pub(super) recurrent_constraint: Option<Constraint>,
    #[serde(default)]
    pub(super) bias_constraint: Option<Constraint>,
    #[serde(default)]
    pub(super) dropout: f64,
    #[serde(default)]
    pub(super) recurrent_dropout: f64,
    #[serde(default)]
    pub(super) return_sequences: bool,
    #[serde(default)]
    pub(super) go_backwards: bool,
    #[serde(default)]
    pub(super) zero_output_for_mask: bool,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) stateful: Option<usize>,
}

fn tanh() -> Activation {
    Activation::Tanh
}

impl RecurrentOptions {
    /// Whether the gates have the sigmoid and the candidate the hyperbolic tangent, as by default.
    pub(super) fn has_default_activations(&self, recurrent_activation: Activation) -> bool {
        recurrent_activation == sigmoid() && self.activation == tanh()
    }
}

pub(super) fn sigmoid() -> Activation {
    Activation::Sigmoid
}

fn orthogonal() -> Initializer {
    Initializer::Orthogonal { gain: 1.0 }
}

impl Default for RecurrentOptions {
    fn default() -> Self {
        Self {
            activation: tanh(),
            use_bias: true,
            kernel_initializer: glorot_uniform(),
            recurrent_initializer: orthogonal(),
            bias_initializer: zeros(),
            kernel_regularizer: None,
            recurrent_regularizer: None,
            bias_regularizer: None,
            activity_regularizer: None,
            kernel_constraint: None,
            recurrent_constraint: None,
            bias_constraint: None,
            dropout: 0.0,
            recurrent_dropout: 0.0,
            return_sequences: false,
            go_backwards: false,
            zero_output_for_mask: false,
            stateful: None,
        }
    }
}

/// The builder methods of a layer that has [`RecurrentOptions`] in its field `options`.
macro_rules! recurrent_setters {
    () => {
        /// Activation φ of the new state; tanh by default.
        #[must_use]
        pub fn activation(mut self, activation: Activation) -> Self {
            self.options.activation = activation;
            self
        }

        /// Whether a bias is added to the pre-activations; true by default.
        #[must_use]
        pub fn use_bias(mut self, use_bias: bool) -> Self {
            self.options.use_bias = use_bias;
            self
        }

        /// Initializer of the kernel; Glorot uniform by default.
        #[must_use]
        pub fn kernel_initializer(mut self, initializer: Initializer) -> Self {
            self.options.kernel_initializer = initializer;
            self
        }

        /// Initializer of the recurrent kernel; orthogonal by default.
        #[must_use]
        pub fn recurrent_initializer(mut self, initializer: Initializer) -> Self {
            self.options.recurrent_initializer = initializer;
            self
        }

        /// Initializer of the bias; zeros by default.
        #[must_use]
        pub fn bias_initializer(mut self, initializer: Initializer) -> Self {
            self.options.bias_initializer = initializer;
            self
        }

        /// Regularizer of the kernel; none by default.
        #[must_use]
        pub fn kernel_regularizer(mut self, regularizer: Regularizer) -> Self {
            self.options.kernel_regularizer = Some(regularizer);
            self
        }

        /// Regularizer of the recurrent kernel; none by default.
        #[must_use]
        pub fn recurrent_regularizer(mut self, regularizer: Regularizer) -> Self {
            self.options.recurrent_regularizer = Some(regularizer);
            self
        }

        /// Regularizer of the bias; none by default.
        #[must_use]
        pub fn bias_regularizer(mut self, regularizer: Regularizer) -> Self {
            self.options.bias_regularizer = Some(regularizer);
            self
        }

        /// Regularizer of the layer's output, divided by the batch size; none by default.
        #[must_use]
        pub fn activity_regularizer(mut self, regularizer: Regularizer) -> Self {
            self.options.activity_regularizer = Some(regularizer);
            self
        }

        /// Constraint on the kernel, applied after each update; none by default.
        #[must_use]
        pub fn kernel_constraint(mut self, constraint: Constraint) -> Self {
            self.options.kernel_constraint = Some(constraint);
            self
        }

        /// Constraint on the recurrent kernel, applied after each update; none by default.
        #[must_use]
        pub fn recurrent_constraint(mut self, constraint: Constraint) -> Self {
            self.options.recurrent_constraint = Some(constraint);
            self
        }

        /// Constraint on the bias, applied after each update; none by default.
        #[must_use]
        pub fn bias_constraint(mut self, constraint: Constraint) -> Self {
            self.options.bias_constraint = Some(constraint);
            self
        }

        /// Fraction of the input features to drop during training, in [0, 1); 0 by default. A sample drops the same features
        /// at every step (variational dropout).
        #[must_use]
        pub fn dropout(mut self, rate: f64) -> Self {
            self.options.dropout = rate;
            self
        }

        /// Fraction of the units to drop during training from the state that is multiplied by the recurrent kernel, in
        /// [0, 1); 0 by default. A sample drops the same units at every step. If it is above 0, every gate draws its own
        /// masks, for the inputs as well.
        #[must_use]
        pub fn recurrent_dropout(mut self, rate: f64) -> Self {
            self.options.recurrent_dropout = rate;
            self
        }

        /// Whether to return the outputs of all steps instead of the last one; false by default.
        #[must_use]
        pub fn return_sequences(mut self, return_sequences: bool) -> Self {
            self.options.return_sequences = return_sequences;
            self
        }

        /// Whether to read the sequence from its last step to its first; false by default. The outputs of
        /// `return_sequences(true)` are then in the order of computation, last step first.
        #[must_use]
        pub fn go_backwards(mut self, go_backwards: bool) -> Self {
            self.options.go_backwards = go_backwards;
            self
        }

        /// Starts each sample with the final state of the sample at the same index of the previous batch, instead of with
        /// zeros (Keras's `stateful`). All batches must have `batch_size` samples.
        ///
        /// The state belongs to the model: `h`, and `c` of an LSTM, are saved with its weights. Training updates it, and
        /// [`Model::reset_state`](crate::models::Model::reset_state) sets it to zero. `evaluate` and `predict` start from the
        /// model's state and carry a copy from batch to batch, which leaves the model unchanged;
        /// [`predict_into`](crate::models::Model::predict_into) carries the state from call to call in its
        /// [`Workspace`](crate::models::Workspace). Train with `shuffle(false)` to keep the order of the sequences.
        #[must_use]
        pub fn stateful(mut self, batch_size: usize) -> Self {
            self.options.stateful = Some(batch_size);
            self
        }

        /// Whether the output is zero at masked steps (see [`Masking`](crate::layers::Masking)) instead of the previous output
        /// repeated; false by default. Sequences within a [`Bidirectional`](crate::layers::Bidirectional) are always zero there.
        #[must_use]
        pub fn zero_output_for_mask(mut self, zero_output_for_mask: bool) -> Self {
            self.options.zero_output_for_mask = zero_output_for_mask;
            self
        }
    };
}
pub(super) use recurrent_setters;
