//! Networks through the public interface: their parts, their training, and what surrounds a training run; numbers of Keras
//! and scikit-learn (`parity`); allocations (`allocation`).
#![allow(
    missing_docs,
    clippy::missing_panics_doc,
    clippy::missing_errors_doc,
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "a test"
)]

#[path = "../allocation/mod.rs"]
mod allocation;
#[path = "../common/mod.rs"]
mod common;
#[path = "../parity/mod.rs"]
mod parity;
#[path = "../common/temporary.rs"]
mod temporary;

mod activations;
#[cfg(feature = "testing")]
mod activity_regularizers;
mod any;
#[cfg(feature = "testing")]
mod attention;
mod bad_input;
mod callbacks;
#[cfg(feature = "datasets")]
mod digits;
mod distributed;
mod divergence;
mod fit_batches;
mod gradients;
#[cfg(feature = "testing")]
mod graph;
mod input_gradients;
#[cfg(target_arch = "x86_64")]
mod instruction_sets;
#[cfg(feature = "testing")]
mod layers;
#[cfg(feature = "testing")]
#[cfg(feature = "log")]
mod log_events;
mod masks;
mod metrics;
mod numeric_extremes;
mod optimizers;
mod outputs;
mod resume;
mod stateful;
mod targets;
mod tensor_board;
#[cfg(feature = "testing")]
mod testing;
mod training;
mod training_mode;
mod validation;
mod weights_and_batches;
