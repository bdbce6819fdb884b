//! Keras-style neural networks and scikit-learn-style k-means in pure Rust.
#![cfg_attr(docsrs, feature(doc_cfg))]

<<<<<<< HEAD
pub mod cluster;
=======
pub mod activation;
pub mod datasets;
>>>>>>> main
pub mod error;
pub mod estimator;
pub mod float;
pub mod initializer;
pub mod linalg;
<<<<<<< HEAD
mod parallel;
=======
pub mod model_selection;
pub mod nn;
>>>>>>> main
pub mod prelude;
pub mod preprocessing;
pub mod rng;
pub mod simd;
mod validate;

pub use error::{Error, Result};
pub use float::Float;
pub use ndarray;
