//! Cells of recurrent layers: their kinds and hyperparameters.

use crate::activation::Activation;
use serde::Deserialize;

/// The cell of a recurrent layer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum CellKind {
    SimpleRnn,
    Lstm,
    Gru,
}

impl CellKind {
    pub(super) fn gates(self) -> usize {
        match self {
            Self::SimpleRnn => 1,
            Self::Lstm => 4,
            Self::Gru => 3,
        }
    }

    /// ONNX's operator, and for each of its gates the number of the gate here. Keras's LSTM has the gates in the order input,
    /// forget, candidate, output, ONNX's in the order input, output, forget, candidate.
    pub(super) fn operator(self) -> (&'static str, &'static [usize]) {
        match self {
            Self::SimpleRnn => ("RNN", &[0]),
            Self::Lstm => ("LSTM", &[0, 3, 1, 2]),
            Self::Gru => ("GRU", &[0, 1, 2]),
        }
    }
}

#[derive(Deserialize)]
pub(super) struct CellConfig {
    pub(super) units: usize,
    #[serde(default)]
    pub(super) recurrent_activation: Activation,
    #[serde(default)]
    pub(super) reset_after: bool,
    #[serde(rename = "weights")]
    pub(super) options: Options,
}

#[derive(Deserialize)]
pub(super) struct Options {
    pub(super) activation: Activation,
    pub(super) return_sequences: bool,
    pub(super) go_backwards: bool,
    pub(super) zero_output_for_mask: bool,
}
