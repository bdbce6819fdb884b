//! What every recurrent layer says about its weights and its steps.

use super::super::{glorot_uniform, yes, zeros};
use crate::activation::Activation;
use crate::initializer::Initializer;
use crate::nn::constraint::Constraint;
use crate::nn::layer::{OutputValues, Plan, Shape};
use crate::nn::regularizer::Regularizer;
use serde::{Deserialize, Serialize};

/// A kernel for the input, one for the state, a bias, and the direction.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct RecurrentWeights {
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

fn orthogonal() -> Initializer {
    Initializer::Orthogonal { gain: 1.0 }
}

impl Default for RecurrentWeights {
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

impl RecurrentWeights {
    /// Declares kernel, recurrent kernel and bias, for so many features, units and gates.
    pub(super) fn declare(
        &self,
        plan: Plan,
        [features, units, gates]: [usize; 3],
        bias_shape: impl Into<Shape>,
        bias_initializer: Initializer,
    ) -> Plan {
        let wide = units.saturating_mul(gates);
        let plan = plan
            .param("kernel", [features, wide], self.kernel_initializer.clone())
            .regularizer(self.kernel_regularizer)
            .constraint(self.kernel_constraint)
            .param("recurrent_kernel", [units, wide], self.recurrent_initializer.clone())
            .regularizer(self.recurrent_regularizer)
            .constraint(self.recurrent_constraint);
        let plan = if self.use_bias {
            plan.param("bias", bias_shape, bias_initializer)
                .regularizer(self.bias_regularizer)
                .constraint(self.bias_constraint)
        } else {
            plan
        };
        let plan = plan.activity_regularizer(self.activity_regularizer).uses_mask().reads_sequence();
        let plan = plan.output_values(OutputValues::Activated(self.activation));
        let plan = if self.go_backwards { plan.reads_backwards() } else { plan };
        let states = if gates == 4 { &["h", "c"][..] } else { &["h"] };
        let plan = match self.stateful {
            Some(batch) => states.iter().fold(plan, |plan, name| plan.carried(*name, batch, units)),
            None => plan,
        };
        if self.return_sequences { plan.passes_mask() } else { plan }
    }
}

/// The setters that every layer with [`RecurrentWeights`] in its field `weights` has.
macro_rules! recurrent_setters {
    () => {
        /// What makes the new state; tanh by default.
        #[must_use]
        pub fn activation(mut self, activation: Activation) -> Self {
            self.weights.activation = activation;
            self
        }

        /// Whether a bias is added to the sums; yes by default.
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

        /// How the recurrent kernel starts; orthogonal by default.
        #[must_use]
        pub fn recurrent_initializer(mut self, initializer: Initializer) -> Self {
            self.weights.recurrent_initializer = initializer;
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

        /// A penalty on the recurrent kernel.
        #[must_use]
        pub fn recurrent_regularizer(mut self, regularizer: Regularizer) -> Self {
            self.weights.recurrent_regularizer = Some(regularizer);
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

        /// What the recurrent kernel is projected to after each update.
        #[must_use]
        pub fn recurrent_constraint(mut self, constraint: Constraint) -> Self {
            self.weights.recurrent_constraint = Some(constraint);
            self
        }

        /// What the bias is projected to after each update.
        #[must_use]
        pub fn bias_constraint(mut self, constraint: Constraint) -> Self {
            self.weights.bias_constraint = Some(constraint);
            self
        }

        /// The share of the inputs that is dropped while training, the same features at each step of a sample; none
        /// by default.
        #[must_use]
        pub fn dropout(mut self, rate: f64) -> Self {
            self.weights.dropout = rate;
            self
        }

        /// The share of the state that is dropped while training where it is multiplied with the recurrent kernel,
        /// the same units at each step of a sample; none by default. With it each gate drops units, and inputs, of
        /// its own.
        #[must_use]
        pub fn recurrent_dropout(mut self, rate: f64) -> Self {
            self.weights.recurrent_dropout = rate;
            self
        }

        /// Whether the states of all steps come out, not the last alone; no by default.
        #[must_use]
        pub fn return_sequences(mut self, return_sequences: bool) -> Self {
            self.weights.return_sequences = return_sequences;
            self
        }

        /// Whether the sequence is read from its end; no by default. The states come out in the order in which
        /// they are made.
        #[must_use]
        pub fn go_backwards(mut self, go_backwards: bool) -> Self {
            self.weights.go_backwards = go_backwards;
            self
        }

        /// Begins each sequence with the state in which the one in its place in the batch before ended; by default it is 0.
        /// All batches must have this size: Keras's `stateful`, with the batch size of its `Input`.
        ///
        /// The states are part of the model (`h`, and `c` of an LSTM, among its weights and in its files), training moves
        /// them, and [`Model::reset_state`](crate::nn::Model::reset_state) makes them 0. `evaluate` and `predict` begin with
        /// the model's and go on from batch to batch, but leave the model's as they are;
        /// [`predict_into`](crate::nn::Model::predict_into) goes on from call to call in its
        /// [`Workspace`](crate::nn::Workspace). Train with `shuffle(false)`, so that sequences follow each other.
        #[must_use]
        pub fn stateful(mut self, batch_size: usize) -> Self {
            self.weights.stateful = Some(batch_size);
            self
        }

        /// Whether zeros come out at steps that a layer before has masked (see [`Masking`](crate::nn::Masking)), and not
        /// the state before them once more; no by default. [`Bidirectional`](crate::nn::Bidirectional) does so with
        /// sequences in any case.
        #[must_use]
        pub fn zero_output_for_mask(mut self, zero_output_for_mask: bool) -> Self {
            self.weights.zero_output_for_mask = zero_output_for_mask;
            self
        }
    };
}
pub(super) use recurrent_setters;
