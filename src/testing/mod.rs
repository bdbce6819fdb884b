//! Checkers that prove a custom layer, loss, metric or optimizer right, and comparisons of arrays.
//!
//! A layer is a pure function of the views that it receives, so all that its trait promises can be tried:
//! [`check_layer`] compares every gradient with central differences in `f64`, and tries the rest of the
//! contract beside it. What it finds wrong it names: the layer, the quantity with its index, both numbers, the
//! relative error and the likely cause.
//!
//! # Examples
//! ```
//! use axonal::custom::{Backward, Forward, Plan, Shape};
//! use axonal::prelude::*;
//! use axonal::testing::check_layer;
//!
//! /// y = x², with a gradient that forgets the 2.
//! #[derive(Debug)]
//! struct Square;
//!
//! impl<F: Float> Layer<F> for Square {
//!     fn kind(&self) -> &'static str {
//!         "example.square"
//!     }
//!     fn plan(&self, input: &Shape) -> Result<Plan> {
//!         Ok(Plan::output(input.clone()))
//!     }
//!     fn forward(&self, Forward { x, mut y, .. }: Forward<'_, F>) {
//!         y.assign(&x.mapv(|x| x * x));
//!     }
//!     fn backward(&self, Backward { x, dy, mut dx, .. }: Backward<'_, F>) {
//!         dx.assign(&(&x * &dy));
//!     }
//! }
//!
//! let failure = check_layer(&Square, 3).unwrap_err().to_string();
//! assert!(failure.starts_with("example.square: the gradient toward the input at ["), "{failure}");
//! assert!(failure.ends_with("likely cause: a factor of two is missing"), "{failure}");
//! ```

mod assert_close;
mod check_layer;
mod check_loss;
mod check_merge;
mod check_metric;
mod check_optimizer;
mod diagnosis;
mod estimator;
mod failure;
mod finite_difference;
mod guarded;
mod harness;

pub use assert_close::assert_close;
pub use check_layer::{Check, check_layer, check_layer_with};
pub use check_loss::{CheckLoss, Predictions, check_loss, check_loss_with};
pub use check_merge::check_merge;
pub use check_metric::check_metric;
pub use check_optimizer::check_optimizer;
pub use estimator::{check_estimator, check_transformer};
pub use failure::CheckFailure;

use crate::rng::Rng;

/// Standard normal numbers.
fn normals(rng: &mut Rng, len: usize) -> Vec<f64> {
    (0..len).map(|_| rng.normal()).collect()
}

/// Where the `index`-th number of an array of this shape lies.
fn unravel(index: usize, dims: &[usize]) -> Vec<usize> {
    let mut rest = index;
    let mut place: Vec<usize> = dims
        .iter()
        .rev()
        .map(|&dim| {
            let at = rest % dim.max(1);
            rest /= dim.max(1);
            at
        })
        .collect();
    place.reverse();
    place
}
