//! Layers that pool over sliding windows: their hyperparameters and geometry. What a window is reduced to is in
//! `max_pooling` and `average_pooling`.

use crate::error::{Error, Result};
use crate::nn::layer::{Plan, Shape};
use crate::nn::layers::defaults::one;
use crate::nn::layers::window::{Extent, Grid, Padding, Window, WindowSpec};

/// Geometry of a pooling layer: a sliding window, applied to each channel.
#[derive(Debug, Clone, Copy)]
pub(super) struct PoolingWindow {
    grid: Grid,
    pub(super) window: Window,
    pub(super) channels: usize,
}

impl PoolingWindow {
    /// Computes the geometry of `owner` for an input shape. The default strides are the window size.
    pub(super) fn new<S: Extent + From<usize>>(
        owner: &'static str,
        size: S,
        strides: Option<S>,
        padding: Padding,
        input: &Shape,
    ) -> Result<Self> {
        let spec = WindowSpec::new(size, strides.unwrap_or(size), one(), padding);
        let (dims, channels) = spec.grid.split(owner, input)?;
        if padding == Padding::Causal {
            let expected = "Padding::Valid or Padding::Same";
            return Err(Error::invalid_parameter(owner, "padding", "causal", expected));
        }
        Ok(Self { grid: spec.grid, window: spec.for_input(owner, dims)?, channels })
    }

    /// Declares the output shape.
    pub(super) fn plan(&self, input: &Shape) -> Plan {
        Plan::output(self.grid.shape(self.window.output, self.channels)).input(input)
    }

    /// Returns the length of an input sample.
    pub(super) fn input_len(&self) -> usize {
        self.window.input_positions().saturating_mul(self.channels)
    }

    /// Returns the length of an output sample.
    pub(super) fn output_len(&self) -> usize {
        self.window.positions().saturating_mul(self.channels)
    }
}

/// Declares a pooling layer: its documentation, type and kind, the type of its sizes, the type that its methods take
/// sizes as, and the type that computes the passes.
macro_rules! window_pooling {
    ($(#[$docs:meta])* $layer:ident: $kind:literal, $size:ty, $size_argument:ty, $pool:ident) => {
        $(#[$docs])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
        #[serde(default, deny_unknown_fields)]
        pub struct $layer {
            pool_size: $size,
            strides: Option<$size>,
            padding: Padding,
        }

        impl Default for $layer {
            fn default() -> Self {
                Self::new(2)
            }
        }

        impl $layer {
            /// Creates a layer with this window size; Keras's default is 2.
            #[must_use]
            pub fn new(pool_size: $size_argument) -> Self {
                Self { pool_size: pool_size.into(), strides: None, padding: Padding::Valid }
            }

            /// Sets the strides; the window size by default.
            #[must_use]
            pub fn strides(mut self, strides: $size_argument) -> Self {
                self.strides = Some(strides.into());
                self
            }

            /// Sets the padding; [`Padding::Valid`], that is none, by default.
            #[must_use]
            pub fn padding(mut self, padding: Padding) -> Self {
                self.padding = padding;
                self
            }

            fn geometry(&self, kind: &'static str, input: &Shape) -> Result<$pool> {
                let Self { pool_size, strides, padding } = *self;
                Ok($pool(PoolingWindow::new(kind, pool_size, strides, padding, input)?))
            }
        }

        geometry_layer!($layer: $kind);
    };
}
pub(super) use window_pooling;
