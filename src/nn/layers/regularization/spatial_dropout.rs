//! Spatial dropout: drops whole channels of sequences and images.

use super::dropout::Dropout;
use super::dropout_mask::check_rate;
use crate::error::Result;
use crate::float::Float;
use crate::nn::layer::{Backward, Config, Forward, Layer, Plan, Shape};
use crate::nn::layers::window::Grid;
use serde::{Deserialize, Serialize};

/// Declares a spatial dropout layer: its documentation, type and kind, and its spatial axes.
macro_rules! spatial_dropout {
    ($(#[$docs:meta])* $layer:ident: $kind:literal, $grid:expr) => {
        $(#[$docs])*
        #[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
        #[serde(deny_unknown_fields)]
        pub struct $layer {
            rate: f64,
        }

        impl $layer {
            /// Creates a layer that drops the fraction `rate` of the channels.
            #[must_use]
            pub fn new(rate: f64) -> Self {
                Self { rate }
            }

            /// Returns the dropout whose mask is shared by all positions.
            fn dropout(&self, channels: usize) -> Dropout {
                Dropout::new(self.rate).noise_shape($grid.shape([1, 1], channels))
            }
        }

        impl<F: Float> Layer<F> for $layer {
            $crate::float::precompiled::into_arc!($layer: Layer<F>);

            fn kind(&self) -> &'static str {
                $kind
            }

            fn plan(&self, input: &Shape) -> Result<Plan> {
                check_rate($kind, "rate", self.rate)?;
                let (_, channels) = $grid.split($kind, input)?;
                Layer::<F>::plan(&self.dropout(channels), input)
            }

            fn forward(&self, pass: Forward<'_, F>) {
                let channels = pass.plan.map_or(1, |plan| plan.input_shape().last());
                self.dropout(channels).forward(pass);
            }

            fn backward(&self, pass: Backward<'_, F>) {
                self.dropout(1).backward(pass);
            }

            fn config(&self) -> Option<Config> {
                Config::of(self)
            }
        }
    };
}

spatial_dropout! {
    /// Drops whole channels of a sequence during training. Neighboring steps of a channel are correlated, so
    /// [`Dropout`] of single elements would remove little information.
    ///
    /// # Shapes
    /// (steps, channels), unchanged.
    ///
    /// # Parameters
    /// No trainable parameters. `rate`: the fraction of channels that are dropped, 0 <= rate < 1.
    ///
    /// # Errors
    /// In `compile`: a rate outside [0, 1); samples of another rank.
    ///
    /// # Examples
    /// ```
    /// use axonal::layers::SpatialDropout1D;
    /// use axonal::prelude::*;
    /// let layer = SpatialDropout1D::new(0.2);
    /// # let _ = layer;
    /// ```
    ///
    /// # References
    /// Tompson, Goroshin, Jain, LeCun and Bregler 2015, arXiv:1411.4280.
    SpatialDropout1D: "spatial_dropout1d", Grid::Sequence
}

spatial_dropout! {
    /// Drops whole channels of an image during training. Neighboring pixels of a channel are correlated, so
    /// [`Dropout`] of single elements would remove little information.
    ///
    /// # Shapes
    /// (rows, columns, channels), unchanged.
    ///
    /// # Parameters
    /// No trainable parameters. `rate`: the fraction of channels that are dropped, 0 <= rate < 1.
    ///
    /// # Errors
    /// In `compile`: a rate outside [0, 1); samples of another rank.
    ///
    /// # Examples
    /// ```
    /// use axonal::layers::SpatialDropout2D;
    /// use axonal::prelude::*;
    /// let layer = SpatialDropout2D::new(0.2);
    /// # let _ = layer;
    /// ```
    ///
    /// # References
    /// Tompson, Goroshin, Jain, LeCun and Bregler 2015, arXiv:1411.4280.
    SpatialDropout2D: "spatial_dropout2d", Grid::Image
}
