//! What a person looks at: pictures and the progress bar.
#![allow(missing_docs, clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test")]

#[path = "../common/temporary.rs"]
mod temporary;

#[cfg(feature = "plot")]
mod model_plot;
#[cfg(feature = "plot")]
mod plot;
#[cfg(feature = "progress")]
mod progress;
#[cfg(feature = "progress")]
mod terminal;
