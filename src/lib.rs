//! Keras-style neural networks and scikit-learn-style k-means in pure Rust.
#![cfg_attr(docsrs, feature(doc_cfg))]

pub mod activation;
pub mod datasets;
pub mod error;
pub mod estimator;
pub mod float;
pub mod initializer;
pub mod linalg;
pub mod model_selection;
pub mod nn;
pub mod persistence;
pub mod prelude;
pub mod preprocessing;
pub mod rng;
pub mod simd;
mod validate;

pub use error::{Error, FileProblem, Result};
pub use float::Float;
pub use ndarray;
