//! Dropout of whole channels.

use super::{Dropout, check_rate};
use crate::error::{Error, Result};
use crate::float::Float;
use crate::nn::layer::{Backward, Config, Forward, Layer, Plan, Shape};
use serde::{Deserialize, Serialize};

macro_rules! spatial_dropout {
    ($name:ident, $kind:literal, $rank:literal, $shape:literal, $axes:literal, $noise:expr) => {
        /// Dropout of whole channels: neighbouring numbers of a channel are alike, so dropping single ones hides
        /// little.
        ///
        /// # Shapes
        #[doc = concat!($axes, "; it comes out as it went in.")]
        ///
        /// # Parameters
        /// None to be trained. `rate`: the share of channels that is dropped, 0 <= rate < 1.
        ///
        /// # Errors
        /// In `compile`: a rate outside of [0, 1); samples of another rank.
        ///
        /// # Examples
        /// ```
        /// use axonal::prelude::*;
        #[doc = concat!("let layer = ", stringify!($name), "::new(0.2);")]
        /// # let _ = layer;
        /// ```
        ///
        /// # References
        /// Tompson, Goroshin, Jain, LeCun and Bregler 2015, arXiv:1411.4280.
        #[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
        #[serde(deny_unknown_fields)]
        pub struct $name {
            rate: f64,
        }

        impl $name {
            /// Drops the share `rate` of the channels.
            #[must_use]
            pub fn new(rate: f64) -> Self {
                Self { rate }
            }

            fn dropout(&self, channels: usize) -> Dropout {
                let noise: fn(usize) -> [usize; $rank] = $noise;
                Dropout::new(self.rate).noise_shape(noise(channels))
            }
        }

        impl<F: Float> Layer<F> for $name {
            fn kind(&self) -> &'static str {
                $kind
            }

            fn plan(&self, input: &Shape) -> Result<Plan> {
                check_rate($kind, "rate", self.rate)?;
                if input.rank() != $rank {
                    return Err(Error::shape($kind, concat!("samples ", $shape), input));
                }
                Layer::<F>::plan(&self.dropout(input.last()), input)
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

spatial_dropout!(
    SpatialDropout1D,
    "spatial_dropout1d",
    2,
    "(steps, channels)",
    "(steps, channels)",
    |channels| { [1, channels] }
);
spatial_dropout!(
    SpatialDropout2D,
    "spatial_dropout2d",
    3,
    "(rows, columns, channels)",
    "(rows, columns, channels)",
    |channels| [1, 1, channels]
);
