//! What comes before and after `fit`: data, preprocessing, model selection, pipelines, reports; clustering (`clustering`);
//! pictures and the progress bar (`plot_and_progress`); programs of dependent crates; the source itself.
#![allow(
    missing_docs,
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test fails by panicking"
)]

#[path = "../clustering/mod.rs"]
mod clustering;
#[path = "../common/mod.rs"]
mod common;
#[path = "../plot_and_progress/mod.rs"]
mod plot_and_progress;
#[path = "../common/temporary.rs"]
mod temporary;

mod acceptance;
mod architecture;
mod batches;
mod data_files;
mod datasets;
mod folds_and_encoders;
mod malformed_files;
mod metrics;
mod model_selection;
#[cfg(feature = "datasets")]
mod network;
mod pipeline;
mod preprocessing;
mod preprocessing_extremes;
mod scikit_learn;
#[cfg(feature = "csv")]
mod service;
mod tables;
