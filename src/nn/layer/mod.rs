//! What a layer is: a small immutable recipe that declares its needs and computes on views.
//!
//! A layer holds hyperparameters only. Its numbers (parameters, state, caches, gradients) live in flat buffers
//! that a container owns and hands out as slices, so a layer is a pure function, serves `f32` and `f64` from
//! one value, is shared by threads, and is tested by calling it.
//!
//! # A layer of one's own in six steps
//! The layer below is `y = exp(-γ ⊙ x²)`, with a learned γ for each feature.
//!
//! 1. **The recipe**: a small struct of hyperparameters. No numbers that training changes, no float type, no
//!    interior mutability; what changes has its place in the buffers. Constructors accept any value; `plan`
//!    refuses what makes no sense.
//! 2. **[`kind`](Layer::kind)**: the name in summaries, messages and files, with a namespace of one's own.
//! 3. **[`plan`](Layer::plan)**: the output's shape, the parameters with their shapes and initializers, the
//!    state ([`Plan::state`]), what forward hands to backward ([`Plan::cache`] for each sample,
//!    [`Plan::batch_cache`] for the batch), whether samples depend on each other ([`Plan::rows_depend`]), and an
//!    activation that the container applies ([`Plan::activation`]). Parameters lie in `params` one after the
//!    other, in the order of declaration. A layer that works on each position by itself says that the [`Mask`] of
//!    padded sequences goes on behind it ([`Plan::passes_mask`]).
//! 4. **[`forward`](Layer::forward)**: overwrite all of `y`. Noise comes from [`Mode::Train`]'s generator, by the
//!    sample's row. The sample shape is found in `plan.input_shape()`; `x` and `y` are its rows, flat.
//! 5. **[`backward`](Layer::backward)**: overwrite all of `dx`, *add* to `grads`. Quote the line of `forward` that
//!    each line differentiates.
//! 6. **Proof**: `check_layer` of the module `testing` tries all of it against central differences and says what
//!    is wrong where; [`config`](Layer::config) and a line in the `Registry` make it a part of files.
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
//! A layer made of others declares them with [`Plan::nested`] and hands each its part of the buffers
//! ([`Plan::nested_layers`] says where they are). Where these may have activity regularizers, it declares
//! [`Plan::nested_penalties`] and implements [`Layer::activity_penalty`].

mod config;
mod finite;
mod mask;
mod output_values;
mod pass;
mod plan;
mod shape;

pub(crate) use config::InnerLayers;
pub use config::{Config, LayerConfig};
pub use mask::{Mask, MaskPass};
pub(crate) use output_values::OutputValues;
pub use pass::{ActivityPenalty, Backward, Carry, Forward, Gradient, Mode};
pub(crate) use plan::MaskOut;
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

    /// Computes the gradient toward some rows of the parameters, and overwrites `grads` with it. Called for layers whose
    /// plan declares [`Plan::gradient_rows`], after [`backward`](Self::backward) of the same batch; for others the default, which does
    /// nothing, is right.
    fn gradient(&self, pass: Gradient<'_, F>) {
        let _ = pass;
    }

    /// Says which positions of the output are real. Called before [`forward`](Self::forward) for layers whose plan
    /// declares [`Plan::makes_mask`] or [`Plan::derives_mask`]; for others the default, by which all are, is right.
    fn mask(&self, pass: MaskPass<'_, F>) {
        pass.real.fill(true);
    }

    /// Writes into the state what each sample leaves to the one in its place in the next batch. Called after
    /// [`forward`](Self::forward) for layers whose plan declares [`Plan::carried`]; for others the default, which does
    /// nothing, is right.
    fn carry(&self, pass: Carry<'_, F>) {
        let _ = pass;
    }

    /// Computes the activity penalties of the nested layers, summed over the batch. Called after
    /// [`forward`](Self::forward) for layers whose plan declares [`Plan::nested_penalties`].
    ///
    /// A nested layer contributes the penalty of its plan's
    /// [`declared_activity_regularizer`](Plan::declared_activity_regularizer) on its output, and its own
    /// `activity_penalty`. The container divides by the batch size. [`backward`](Self::backward) adds the gradients,
    /// divided by [`Backward::samples`], to the gradients toward these outputs.
    fn activity_penalty(&self, pass: ActivityPenalty<'_, F>) -> f64 {
        let _ = pass;
        0.0
    }

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
