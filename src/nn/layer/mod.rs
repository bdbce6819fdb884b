//! What a layer is: a small immutable recipe that declares its needs and computes on views.
//!
//! A layer holds hyperparameters only. Its numbers (parameters, state, caches, gradients) live in flat buffers
//! that a container owns and hands out as slices, so a layer is a pure function, serves `f32` and `f64` from
//! one value, is shared by threads, and is tested by calling it.

mod config;
mod finite;
mod pass;
mod plan;
mod shape;

pub(crate) use config::InnerLayers;
pub use config::{Config, LayerConfig};
pub use pass::{Backward, Forward, Mode};
pub use plan::{Nested, ParamSpec, Plan, StateSpec};
pub use shape::Shape;

use crate::error::Result;
use crate::float::Float;
use std::fmt::Debug;
use std::sync::Arc;

/// A layer of a network.
///
/// # Examples
/// A layer that doubles its input, without parameters:
/// ```
/// use axonal::prelude::*;
///
/// #[derive(Debug)]
/// struct Double;
///
/// impl<F: Float> Layer<F> for Double {
///     fn kind(&self) -> &'static str {
///         "example.double"
///     }
///     fn plan(&self, input: &Shape) -> Result<Plan> {
///         Ok(Plan::output(input.clone()))
///     }
///     fn forward(&self, Forward { x, mut y, .. }: Forward<'_, F>) {
///         y.assign(&x);
///         y.mapv_inplace(|v| v + v);
///     }
///     fn backward(&self, Backward { dy, mut dx, .. }: Backward<'_, F>) {
///         dx.assign(&dy);
///         dx.mapv_inplace(|v| v + v);
///     }
/// }
///
/// # fn main() -> Result<()> {
/// let model = Sequential::new(3).add(Double).compile(Adam::default(), MeanSquaredError::default())?;
/// assert_eq!(model.predict(&axonal::ndarray::array![[1.0, 2.0, 3.0]])?, axonal::ndarray::array![[2.0, 4.0, 6.0]]);
/// # Ok(())
/// # }
/// ```
pub trait Layer<F: Float>: Debug + Send + Sync {
    /// The layer's name in summaries, messages and files: `"dense"`. Layers of other crates carry a namespace:
    /// `"mycrate.swish"`.
    fn kind(&self) -> &'static str;

    /// Declares what the layer needs for samples of shape `input`: the one source of the memory layout, the
    /// summary and the files.
    ///
    /// # Errors
    /// Hyperparameters outside of their ranges, or a sample shape that the layer does not take. The container
    /// adds which layer it was.
    fn plan(&self, input: &Shape) -> Result<Plan>;

    /// Computes `y` from `x`; every element of `y` is overwritten.
    fn forward(&self, pass: Forward<'_, F>);

    /// Computes the gradient toward the input and the parameters from `dy`, the gradient toward the output:
    /// every element of `dx` is overwritten, the parameters' gradients are *added* to `grads`.
    fn backward(&self, pass: Backward<'_, F>);

    /// The hyperparameters for files; `None` (the default) lets a model save its weights only.
    fn config(&self) -> Option<Config> {
        None
    }
}

impl<F: Float, L: Layer<F> + ?Sized> Layer<F> for Arc<L> {
    fn kind(&self) -> &'static str {
        (**self).kind()
    }

    fn plan(&self, input: &Shape) -> Result<Plan> {
        (**self).plan(input)
    }

    fn forward(&self, pass: Forward<'_, F>) {
        (**self).forward(pass);
    }

    fn backward(&self, pass: Backward<'_, F>) {
        (**self).backward(pass);
    }

    fn config(&self) -> Option<Config> {
        (**self).config()
    }
}
