//! Layers that pool over all positions of a sample: their hyperparameters and output shape. What a channel is reduced
//! to is in `global_max_pooling` and `global_average_pooling`.

use crate::error::Result;
use crate::nn::layer::{Plan, Shape};
use crate::nn::layers::window::Grid;

/// Declares the output shape of `owner`: the channels, after pooled axes of length 1 if these are kept.
pub(super) fn plan(owner: &'static str, grid: Grid, keepdims: bool, input: &Shape) -> Result<Plan> {
    let (_, channels) = grid.split(owner, input)?;
    let output: Shape = if keepdims { grid.shape([1, 1], channels) } else { channels.into() };
    Ok(Plan::output(output).input(input))
}

/// Declares a global pooling layer: its documentation, type and kind, its spatial axes, and the type that computes the
/// passes.
macro_rules! global_pooling {
    ($(#[$docs:meta])* $layer:ident: $kind:literal, $grid:expr, $pool:ident) => {
        $(#[$docs])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
        #[serde(default, deny_unknown_fields)]
        pub struct $layer {
            keepdims: bool,
        }

        impl $layer {
            /// Creates a layer whose output has no pooled axes.
            #[must_use]
            pub fn new() -> Self {
                Self::default()
            }

            /// Sets whether the pooled axes are kept, with a length of 1; false by default.
            #[must_use]
            pub fn keepdims(mut self, keepdims: bool) -> Self {
                self.keepdims = keepdims;
                self
            }
        }

        impl<F: Float> Layer<F> for $layer {
            $crate::float::precompiled::into_arc!($layer: Layer<F>);

            fn kind(&self) -> &'static str {
                $kind
            }

            fn plan(&self, input: &Shape) -> Result<Plan> {
                Ok($pool::declare($grid, plan($kind, $grid, self.keepdims, input)?))
            }

            fn forward(&self, pass: Forward<'_, F>) {
                $pool::forward($grid, pass);
            }

            fn backward(&self, pass: Backward<'_, F>) {
                $pool::backward($grid, pass);
            }

            fn config(&self) -> Option<Config> {
                Config::of(self)
            }
        }
    };
}
pub(super) use global_pooling;
