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
pub mod prelude;
pub mod preprocessing;
pub mod rng;
pub mod simd;
#[cfg(feature = "testing")]
#[cfg_attr(docsrs, doc(cfg(feature = "testing")))]
pub mod testing;
mod validate;

pub use error::{Error, Result};
pub use float::Float;
pub use ndarray;
