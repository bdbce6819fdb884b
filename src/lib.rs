//! Neural networks as in Keras and k-means as in scikit-learn, in pure Rust: model, fit, predict.
//!
//! A neuron turns its inputs into a number; layers of neurons turn an image, or "hours studied and the midterm
//! grade", into a probability. Training is forward propagation, comparing with the known answer, and back
//! propagation, again and again:
//!
//! ```
//! use axonal::prelude::*;
//!
//! # fn main() -> Result<()> {
//! # #[cfg(feature = "datasets")] {
//! let iris = axonal::datasets::load_iris::<f32>()?;
//! let (x_train, x_test, y_train, y_test) = train_test_split(&iris.data, &iris.target, 0.2, 7)?;
//!
//! let mut model = Sequential::new(4)
//!     .add(Dense::new(16).activation(Activation::Relu))
//!     .add(Dense::new(3).activation(Activation::Softmax))
//!     .compile(Adam::new(0.02), SparseCategoricalCrossentropy::default())?
//!     .metric(Accuracy::default());
//! model.fit_with(&x_train, &y_train, FitOptions::new().epochs(50).batch_size(16))?;
//!
//! assert!(model.evaluate(&x_test, &y_test)?.get("accuracy").unwrap() > 0.9);
//! let probabilities = model.predict(&x_test)?;
//! assert_eq!(probabilities.dim(), (30, 3));
//! # }
//! # Ok(())
//! # }
//! ```
//!
//! # Where to look
//! | module | contents |
//! |---|---|
//! | [`prelude`] | what most programs need, in one line |
//! | [`models`] | [`Sequential`](models::Sequential), [`Model`](models::Model), options, history |
//! | [`layers`], [`losses`], [`optimizers`], [`schedules`], [`metrics`], [`callbacks`] | the families of Keras |
//! | [`cluster`], [`preprocessing`], [`model_selection`], [`pipeline`], [`datasets`] | the families of scikit-learn |
//! | [`class_weight`] | weights of classes, for imbalanced data |
//! | [`estimator`] | the traits that all share: `fit`, `predict`, `transform`, `score` |
//! | [`distributed`] | groups of workers that train or cluster together |
//! | [`persistence`] | limits of loading, inspection of files |
//! | [`custom`] | what the author of a custom layer, loss, metric, update rule or callback needs |
//!
//! # Promises
//! Nothing that a caller passes panics: every mistake is an [`Error`] that says what was expected and what came.
//! The same seed gives the same bits, at any number of threads. Arrays are [`ndarray`]'s, which is re-exported.
//!
//! # Threads and processes
//! With the feature `rayon`, work that is large enough is split over the current rayon pool: the one whose
//! `ThreadPool::install` encloses the call, else the global one. Models and clusterings are `Send + Sync`.
//!
//! Do not use this crate in a process that was made by `fork` without `exec` from a process that used it: the child has
//! none of the pool's threads and waits for them forever. Fork before the first call, or start the child by `exec`, as
//! [`std::process::Command`] does.
//!
//! # Instruction sets
//! Kernels use AVX-512, AVX2 with FMA, NEON or scalar code, whichever is the widest that the processor supports
//! ([`instruction_set`]). k-means gives the same bits with each of them, but for choices of k-means++ by scalar code between
//! candidates that are equal up to rounding; networks differ by rounding.
//!
//! # WebAssembly
//! The crate compiles for `wasm32-unknown-unknown`, for browsers and other hosts without an operating system, and needs no
//! JavaScript. Nothing panics where such a host lacks something:
//!
//! | missing | effect |
//! |---|---|
//! | threads | all work runs on the calling thread; [`distributed::Threads`] is an error |
//! | files | loading and saving by path is an error; `to_bytes` and `from_bytes` work |
//! | clock | elapsed times in progress lines and of cross-validation are zero |
//!
//! WASI has files and clocks, but no threads. The feature `progress` links `wasm-bindgen` on `wasm32`.
//! `examples/web` in the repository is a page that trains and clusters.
#![cfg_attr(docsrs, feature(doc_cfg))]
#![warn(unreachable_pub)]

mod activation;
mod api;
mod buffer;
pub mod class_weight;
pub mod cluster;
mod data_file;
pub mod datasets;
pub mod distributed;
mod error;
pub mod estimator;
mod float;
mod host;
mod initializer;
#[cfg(any(feature = "keras", feature = "onnx", feature = "safetensors"))]
#[cfg_attr(docsrs, doc(cfg(any(feature = "keras", feature = "onnx", feature = "safetensors"))))]
pub mod interop;
#[doc(hidden)]
pub mod linalg;
mod log_event;
pub mod metrics;
pub mod model_selection;
mod nn;
mod parallel;
pub mod persistence;
pub mod pipeline;
#[cfg(feature = "plot")]
#[cfg_attr(docsrs, doc(cfg(feature = "plot")))]
pub mod plot;
pub mod prelude;
pub mod preprocessing;
pub mod rng;
#[doc(hidden)]
pub mod simd;
#[cfg(feature = "testing")]
#[cfg_attr(docsrs, doc(cfg(feature = "testing")))]
pub mod testing;
mod validate;

pub use api::{callbacks, custom, layers, losses, models, optimizers, schedules};
pub use error::{Error, LoadErrorKind, Result};
pub use float::Float;
pub use ndarray;
#[doc(inline)]
pub use simd::{InstructionSet, instruction_set};
