//! Normalization by the root of the mean square.

use super::super::{axis_permutation, ones, whole_rows};
use super::{check_epsilon, extremes, sum_of};
use crate::error::Result;
use crate::float::Float;
use crate::initializer::Initializer;
use crate::nn::layer::{Backward, Config, Forward, Layer, Plan, Shape};
use crate::simd::vectorize;
use serde::{Deserialize, Serialize};

/// Divides by the root of the mean square over some axes, the last by default: `y = scale ⊙ x / √(mean(x²) + ε)`.
///
/// # Shapes
/// Any; it comes out as it went in.
///
/// # Parameters
/// | name | shape | initializer | default |
/// |---|---|---|---|
/// | `scale` | the normalized axes | `scale_initializer` | ones |
///
/// `axis` [-1] and `epsilon` 1e-6 by default.
///
/// # Errors
/// In `compile`: axes that the sample does not have, an epsilon not above 0.
///
/// # Agreement with Keras
/// The scale belongs to the normalized axes. Keras multiplies along the last axes whatever `axis` says, so that the
/// answers are the same where the normalized axes stand last.
///
/// # Examples
/// ```
/// use axonal::layers::RmsNormalization;
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
    axis: Vec<isize>,
    epsilon: f64,
    scale_initializer: Initializer,
}

impl Default for RmsNormalization {
    fn default() -> Self {
        Self { axis: vec![-1], epsilon: 1e-6, scale_initializer: ones() }
    }
}

impl RmsNormalization {
    /// Creates the layer with Keras's defaults.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// The axes whose mean square is taken together, as in `[-2, -1]`; those that stand last are the fastest.
    #[must_use]
    pub fn axis(mut self, axis: impl Into<Vec<isize>>) -> Self {
        self.axis = axis.into();
        self
    }

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

    /// Normalizes the last axes.
    fn forward_last<F: Float>(&self, Forward { x, mut y, params: scale, cache, .. }: Forward<'_, F>) {
        let rows = whole_rows(x.as_slice(), y.as_slice_mut(), scale.len());
        let (count, epsilon) = (F::of(scale.len() as f64), F::of(self.epsilon));
        vectorize(
            #[inline(always)]
            || {
                for ((x, y), inverse) in rows.zip(cache) {
                    let square = sum_of(x, x, |x, _| x * x) / count;
                    *inverse = if square.is_finite() {
                        F::one() / (square + epsilon).sqrt()
                    } else {
                        extremes::inverse_root_mean_square(x, self.epsilon)
                    };
                    y.iter_mut()
                        .zip(x.iter().zip(scale))
                        .for_each(|(y, (&x, &scale))| *y = x * *inverse * scale);
                }
            },
        );
    }

    fn backward_last<F: Float>(&self, pass: Backward<'_, F>) {
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
                    if extremes::is_extreme(inverse) {
                        backward_of_extremes(x, dx, dy, scale, dscale, inverse);
                        continue;
                    }
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
}

/// The backward pass of a run whose products with x overflow: the same through x̂ = x r, which is of the size of 1.
#[cold]
fn backward_of_extremes<F: Float>(
    x: &[F],
    dx: &mut [F],
    dy: &mut [F],
    scale: &[F],
    dscale: &mut [F],
    inverse: F,
) {
    dx.iter_mut().zip(x).for_each(|(dx, &x)| *dx = x * inverse);
    dscale.iter_mut().zip(dx.iter().zip(&*dy)).for_each(|(sum, (&x, &dy))| *sum += dy * x);
    dy.iter_mut().zip(scale).for_each(|(dy, &scale)| *dy *= scale);
    let mean_gx = sum_of(dy, dx, |g, x| g * x) / F::of(scale.len() as f64);
    dx.iter_mut().zip(&*dy).for_each(|(dx, &g)| *dx = inverse * (g - *dx * mean_gx));
}

impl<F: Float> Layer<F> for RmsNormalization {
    crate::float::precompiled::into_arc!(RmsNormalization: Layer<F>);

    fn kind(&self) -> &'static str {
        "rms_normalization"
    }

    fn plan(&self, input: &Shape) -> Result<Plan> {
        check_epsilon::<F>("rms_normalization", self.epsilon)?;
        axis_permutation::axes_of("rms_normalization", &self.axis, input)?;
        let dims = axis_permutation::lengths(&self.axis, input);
        let runs = input.size() / dims.size().max(1);
        // 1/√(mean(x²) + ε) of each run.
        Ok(Plan::output(input.clone())
            .passes_mask()
            .input(input)
            .param("scale", dims, self.scale_initializer.clone())
            .cache(axis_permutation::cache_per_sample(&self.axis, input))
            .cache(runs))
    }

    fn forward(&self, pass: Forward<'_, F>) {
        axis_permutation::forward(&self.axis, pass, |pass| self.forward_last(pass));
    }

    fn backward(&self, pass: Backward<'_, F>) {
        axis_permutation::backward(&self.axis, pass, |pass| self.backward_last(pass));
    }

    fn config(&self) -> Option<Config> {
        Config::of(self)
    }
}
