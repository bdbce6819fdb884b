//! The trait [`Layer`] and its types: [`Plan`], [`Forward`], [`Backward`], [`Mask`], [`Shape`], [`Config`].
//!
//! A layer is a small immutable struct of hyperparameters. Its parameters, state, caches and gradients live in flat buffers
//! that a container owns and passes as slices, so a layer is a pure function: one value serves `f32` and `f64`,
//! threads share it, and tests call it directly.
//!
//! # How to write a custom layer
//! The layer below computes `y = exp(-γ ⊙ x²)`, with a trainable γ for each feature.
//!
//! 1. **The struct**: hyperparameters only. No trained values, no float type, no interior mutability: everything that
//!    changes lives in the buffers. Constructors accept any value; `plan` returns an error for invalid ones.
//! 2. **[`kind`](Layer::kind)**: the name in summaries, messages and files, prefixed by a namespace.
//! 3. **[`plan`](Layer::plan)**: declares the output shape, the parameters with their shapes and initializers, the
//!    state ([`Plan::state`]), the cache that `forward` fills for `backward` ([`Plan::cache`] for each sample,
//!    [`Plan::batch_cache`] for the batch), whether samples depend on each other ([`Plan::rows_depend`]), and an
//!    activation that the container applies ([`Plan::activation`]). `params` holds the parameters in the order of
//!    declaration. A layer that treats each position separately declares that the [`Mask`] of padded sequences
//!    also applies to its output ([`Plan::passes_mask`]).
//! 4. **[`forward`](Layer::forward)**: overwrite all of `y`. Draw noise from the generator of [`Mode::Train`], addressed by
//!    the sample's row. `x` and `y` have one flattened sample a row; `plan.input_shape()` is the sample shape.
//! 5. **[`backward`](Layer::backward)**: overwrite all of `dx`, *add* to `grads`. Quote the line of `forward` that
//!    each line differentiates.
//! 6. **Tests and files**: `check_layer` of the module `testing` compares gradients with central differences and checks the
//!    rest of the contract; [`config`](Layer::config) and a line in the `Registry` let files contain the layer.
//!
//! ```
//! use axonal::custom::{Backward, Config, Forward, Plan, Shape};
//! use axonal::prelude::*;
//! use serde::{Deserialize, Serialize};
//!
//! // 1.
//! #[derive(Debug, Clone, Serialize, Deserialize)]
//! struct Bump {
//!     gamma: f64,
//! }
//!
//! impl<F: Float> Layer<F> for Bump {
//!     // 2.
//!     fn kind(&self) -> &'static str {
//!         "example.bump"
//!     }
//!     // 3.
//!     fn plan(&self, input: &Shape) -> Result<Plan> {
//!         if !self.gamma.is_finite() {
//!             return Err(Error::invalid_parameter("example.bump", "gamma", self.gamma, "a finite number"));
//!         }
//!         Ok(Plan::output(input.clone()).param("gamma", input.clone(), Initializer::Constant(self.gamma)))
//!     }
//!     // 4.
//!     fn forward(&self, Forward { x, mut y, params: gamma, .. }: Forward<'_, F>) {
//!         for (x, mut y) in x.rows().into_iter().zip(y.rows_mut()) {
//!             for i in 0..gamma.len() {
//!                 y[i] = (-gamma[i] * x[i] * x[i]).exp();
//!             }
//!         }
//!     }
//!     // 5.
//!     fn backward(&self, Backward { x, y, dy, mut dx, params: gamma, grads: dgamma, .. }: Backward<'_, F>) {
//!         for row in 0..x.nrows() {
//!             for i in 0..gamma.len() {
//!                 // y = exp(-γ x²)  =>  dx = dy y (-2 γ x), dγ += dy y (-x²)
//!                 let slope = dy[[row, i]] * y[[row, i]];
//!                 dx[[row, i]] = -F::of(2.0) * slope * gamma[i] * x[[row, i]];
//!                 dgamma[i] -= slope * x[[row, i]] * x[[row, i]];
//!             }
//!         }
//!     }
//!     // 6.
//!     fn config(&self) -> Option<Config> {
//!         Config::of(self)
//!     }
//! }
//!
//! # #[cfg(feature = "testing")]
//! axonal::testing::check_layer(&Bump { gamma: 0.7 }, 5).unwrap();
//! ```
//!
//! A layer composed of other layers declares them with [`Plan::nested`] and passes each its slices of the buffers
//! ([`Plan::nested_layers`] returns the ranges). If nested layers may have activity regularizers, it declares
//! [`Plan::nested_penalties`] and implements [`Layer::activity_penalty`].

mod config;
mod mask;
mod merge_inputs;
mod output_values;
mod pass;
mod plan;
mod reject_non_finite;
mod shape;

pub(crate) use config::InnerLayers;
pub use config::{Config, LayerConfig};
pub use mask::{Mask, MaskPass};
pub use merge_inputs::MergeInputs;
pub(crate) use output_values::OutputValues;
pub use pass::{ActivityPenalty, Backward, Carry, Forward, Gradient, Mode};
pub(crate) use plan::{MAX_ELEMENTS, MaskOut};
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
/// use axonal::custom::{Backward, Forward, Plan, Shape};
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
#[diagnostic::on_unimplemented(
    message = "`{Self}` is not a layer for `{F}`",
    label = "expected a layer such as `Dense::new(10)`",
    note = "for a custom layer, implement `Layer<F>` for every `F: Float`"
)]
pub trait Layer<F: Float>: Debug + Send + Sync {
    /// The layer's name in summaries, messages and files: `"dense"`. Layers of other crates have a namespace:
    /// `"mycrate.swish"`.
    fn kind(&self) -> &'static str;

    /// Declares what the layer needs for samples of shape `input`: the one source of the memory layout, the
    /// summary and the files.
    ///
    /// # Errors
    /// Hyperparameters out of range, or a sample shape that the layer does not accept. The container
    /// adds which layer it was.
    fn plan(&self, input: &Shape) -> Result<Plan>;

    /// Computes `y` from `x`; every element of `y` is overwritten.
    fn forward(&self, pass: Forward<'_, F>);

    /// Computes the gradients of the loss with respect to input and parameters from `dy`, the gradient with respect to the
    /// output: overwrites every element of `dx`, and *adds* the parameter gradients to `grads`.
    fn backward(&self, pass: Backward<'_, F>);

    /// Computes the gradient of some rows of the parameters, and overwrites `grads` with it. Called after
    /// [`backward`](Self::backward) of the same batch, only for layers whose plan declares [`Plan::gradient_rows`]. The default
    /// does nothing.
    fn gradient(&self, pass: Gradient<'_, F>) {
        let _ = pass;
    }

    /// Computes the padding mask of the output. Called before [`forward`](Self::forward), only for layers whose plan
    /// declares [`Plan::makes_mask`] or [`Plan::derives_mask`]. By default all positions are valid.
    fn mask(&self, pass: MaskPass<'_, F>) {
        pass.valid.fill(true);
    }

    /// Writes the per-sample state that is carried to the next batch (Keras's `stateful`). Called after
    /// [`forward`](Self::forward), only for layers whose plan declares [`Plan::carried`]. The default does nothing.
    fn carry(&self, pass: Carry<'_, F>) {
        let _ = pass;
    }

    /// Computes the activity penalties of the nested layers, summed over the samples. Called after
    /// [`forward`](Self::forward), only for layers whose plan declares [`Plan::nested_penalties`]. The default returns 0.
    ///
    /// The penalty of a nested layer is that of its plan's
    /// [`declared_activity_regularizer`](Plan::declared_activity_regularizer) on its output, plus its own
    /// `activity_penalty`. The container divides the sum by the batch size. The outer layer's `backward` adds the penalties'
    /// gradients, divided by [`Backward::samples`], to the gradients of the nested outputs.
    fn activity_penalty(&self, pass: ActivityPenalty<'_, F>) -> f64 {
        let _ = pass;
        0.0
    }

    /// The hyperparameters for files. With the default `None`, only the weights of a model can be saved.
    fn config(&self) -> Option<Config> {
        None
    }

    /// The layer as networks hold it. The types of this crate override it to be compiled here.
    #[doc(hidden)]
    fn into_arc(self) -> Arc<dyn Layer<F>>
    where
        Self: Sized + 'static,
    {
        Arc::new(self)
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

    fn gradient(&self, pass: Gradient<'_, F>) {
        (**self).gradient(pass);
    }

    fn mask(&self, pass: MaskPass<'_, F>) {
        (**self).mask(pass);
    }

    fn carry(&self, pass: Carry<'_, F>) {
        (**self).carry(pass);
    }

    fn activity_penalty(&self, pass: ActivityPenalty<'_, F>) -> f64 {
        (**self).activity_penalty(pass)
    }

    fn config(&self) -> Option<Config> {
        (**self).config()
    }
}
