//! Normalization by the root of the mean square.

use super::super::{ones, whole_rows};
use super::{check_epsilon, sum_of};
use crate::error::Result;
use crate::float::Float;
use crate::initializer::Initializer;
use crate::nn::layer::{Backward, Config, Forward, Layer, Plan, Shape};
use crate::simd::vectorize;
use serde::{Deserialize, Serialize};

/// Divides by the root of the mean square over the last axis: `y = scale ⊙ x / √(mean(x²) + ε)`.
///
/// # Shapes
/// Any; it comes out as it went in.
///
/// # Parameters
/// | name | shape | initializer | default |
/// |---|---|---|---|
/// | `scale` | (n), n being the last axis | `scale_initializer` | ones |
///
/// `epsilon` 1e-6 by default.
///
/// # Errors
/// In `compile`: an epsilon not above 0.
///
/// # Examples
/// ```
/// use axonal::prelude::*;
/// let layer = RmsNormalization::default();
/// # let _ = layer;
/// ```
///
/// # References
/// Zhang and Sennrich 2019, arXiv:1910.07467.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct RmsNormalization {
    epsilon: f64,
    scale_initializer: Initializer,
}

impl Default for RmsNormalization {
    fn default() -> Self {
        Self { epsilon: 1e-6, scale_initializer: ones() }
    }
}

impl RmsNormalization {
    /// What is added to the mean square.
    #[must_use]
    pub fn epsilon(mut self, epsilon: f64) -> Self {
        self.epsilon = epsilon;
        self
    }

    /// How the scale starts.
    #[must_use]
    pub fn scale_initializer(mut self, initializer: Initializer) -> Self {
        self.scale_initializer = initializer;
        self
    }
}

impl<F: Float> Layer<F> for RmsNormalization {
    fn kind(&self) -> &'static str {
        "rms_normalization"
    }

    fn plan(&self, input: &Shape) -> Result<Plan> {
        check_epsilon("rms_normalization", self.epsilon)?;
        // 1/√(mean(x²) + ε) of each run.
        Ok(Plan::output(input.clone())
            .param("scale", input.last(), self.scale_initializer.clone())
            .cache(input.size() / input.last().max(1)))
    }

    fn forward(&self, Forward { x, mut y, params: scale, cache, .. }: Forward<'_, F>) {
        let rows = whole_rows(x.as_slice(), y.as_slice_mut(), scale.len());
        let (count, epsilon) = (F::of(scale.len() as f64), F::of(self.epsilon));
        vectorize(
            #[inline(always)]
            || {
                for ((x, y), inverse) in rows.zip(cache) {
                    *inverse = F::one() / (sum_of(x, x, |x, _| x * x) / count + epsilon).sqrt();
                    y.iter_mut()
                        .zip(x.iter().zip(scale))
                        .for_each(|(y, (&x, &scale))| *y = x * *inverse * scale);
                }
            },
        );
    }

    fn backward(&self, pass: Backward<'_, F>) {
        let Backward { x, mut dy, mut dx, params: scale, grads: dscale, cache, .. } = pass;
        let Some(dy) = dy.as_slice_mut() else { return };
        let rows = whole_rows(x.as_slice(), dx.as_slice_mut(), scale.len());
        let count = F::of(scale.len() as f64);
        vectorize(
            #[inline(always)]
            || {
                for (((x, dx), dy), &mut inverse) in
                    rows.zip(dy.chunks_exact_mut(scale.len().max(1))).zip(cache)
                {
                    dscale
                        .iter_mut()
                        .zip(x.iter().zip(&*dy))
                        .for_each(|(sum, (&x, &dy))| *sum += dy * x * inverse);
                    // dx = r (g - x r² · mean of g x), with g = dy scale and r = 1/√(mean(x²) + ε)
                    dy.iter_mut().zip(scale).for_each(|(dy, &scale)| *dy *= scale);
                    let mean_gx = sum_of(dy, x, |g, x| g * x) / count * inverse * inverse;
                    dx.iter_mut()
                        .zip(x.iter().zip(&*dy))
                        .for_each(|(dx, (&x, &g))| *dx = inverse * (g - x * mean_gx));
                }
            },
        );
    }

    fn config(&self) -> Option<Config> {
        Config::of(self)
    }
}
