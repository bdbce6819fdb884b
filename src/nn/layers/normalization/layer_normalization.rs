//! Layer normalization.

use super::super::{axis_permutation, whole_rows};
use super::scale_and_center::{ScaleAndCenter, scale_and_center_setters};
use super::{check_epsilon, extremes, sum_of};
use crate::error::Result;
use crate::float::Float;
use crate::initializer::Initializer;
use crate::nn::constraint::Constraint;
use crate::nn::layer::{Backward, Config, Forward, Layer, Plan, Shape};
use crate::nn::regularizer::Regularizer;
use crate::simd::vectorize;
use serde::{Deserialize, Serialize};

/// Normalizes each sample over some of its axes, the last by default: `y = γ (x - μ) / √(σ² + ε) + β`, with mean and (biased)
/// variance of the sample's own numbers along these axes.
///
/// # Shapes
/// Any; it comes out as it went in.
///
/// # Parameters
/// | name | shape | initializer | default |
/// |---|---|---|---|
/// | `gamma` | the normalized axes | `gamma_initializer` | ones; absent with `scale(false)` |
/// | `beta` | the normalized axes | `beta_initializer` | zeros; absent with `center(false)` |
///
/// `axis` [-1] and `epsilon` 0.001 by default, as in Keras.
///
/// # Errors
/// In `compile`: axes that the sample does not have, an epsilon not above 0.
///
/// # Examples
/// ```
/// use axonal::prelude::*;
/// let layer = LayerNormalization::default().epsilon(1e-5);
/// # let _ = layer;
/// ```
///
/// # References
/// Ba, Kiros and Hinton 2016, arXiv:1607.06450.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct LayerNormalization {
    axis: Vec<isize>,
    epsilon: f64,
    affine: ScaleAndCenter,
}

impl Default for LayerNormalization {
    fn default() -> Self {
        Self { axis: vec![-1], epsilon: 1e-3, affine: ScaleAndCenter::default() }
    }
}

impl LayerNormalization {
    /// Creates the layer with Keras's defaults.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// The axes that are normalized together, as in `[-2, -1]`; those that stand last are the fastest.
    #[must_use]
    pub fn axis(mut self, axis: impl Into<Vec<isize>>) -> Self {
        self.axis = axis.into();
        self
    }

    /// What is added to the variance.
    #[must_use]
    pub fn epsilon(mut self, epsilon: f64) -> Self {
        self.epsilon = epsilon;
        self
    }

    scale_and_center_setters!();

    /// How many numbers are normalized together; without a plan, the sample.
    fn width(&self, plan: Option<&Plan>, columns: usize) -> usize {
        plan.map_or(columns, |plan| axis_permutation::lengths(&self.axis, plan.input_shape()).size())
    }

    /// Normalizes the last axes.
    fn forward_last<F: Float>(&self, Forward { x, mut y, params, cache, plan, .. }: Forward<'_, F>) {
        let width = self.width(plan, x.ncols());
        let (gamma, beta) = self.affine.parts(params);
        let (count, epsilon) = (F::of(width as f64), F::of(self.epsilon));
        let rows = whole_rows(x.as_slice(), y.as_slice_mut(), width);
        vectorize(
            #[inline(always)]
            || {
                for ((x, y), statistics) in rows.zip(cache.chunks_exact_mut(2)) {
                    let mean = sum_of(x, x, |x, _| x) / count;
                    let variance = sum_of(x, x, |x, _| (x - mean) * (x - mean)) / count;
                    let (mean, inverse) = if variance.is_finite() {
                        (mean, F::one() / (variance + epsilon).sqrt())
                    } else {
                        extremes::mean_and_inverse(x.iter().copied(), self.epsilon)
                    };
                    statistics.copy_from_slice(&[mean, inverse]);
                    extremes::normalize(x, mean, inverse, y);
                    if let Some(gamma) = gamma {
                        y.iter_mut().zip(gamma).for_each(|(y, &gamma)| *y *= gamma);
                    }
                    if let Some(beta) = beta {
                        y.iter_mut().zip(beta).for_each(|(y, &beta)| *y += beta);
                    }
                }
            },
        );
    }

    fn backward_last<F: Float>(&self, pass: Backward<'_, F>) {
        let Backward { x, mut dy, mut dx, params, grads, cache, plan, .. } = pass;
        let width = self.width(plan, x.ncols());
        let (gamma, _) = self.affine.parts(params);
        let (mut dgamma, mut dbeta) = self.affine.parts_mut(grads);
        let Some(dy) = dy.as_slice_mut() else { return };
        let rows = whole_rows(x.as_slice(), dx.as_slice_mut(), width);
        let count = F::of(width as f64);
        vectorize(
            #[inline(always)]
            || {
                for (((x, dx), dy), statistics) in
                    rows.zip(dy.chunks_exact_mut(width.max(1))).zip(cache.chunks_exact(2))
                {
                    let (mean, inverse) = (statistics[0], statistics[1]);
                    // dγ += dy x̂, dβ += dy, with x̂ = (x - μ) / √(σ² + ε)
                    extremes::normalize(x, mean, inverse, dx);
                    if let Some(dgamma) = &mut dgamma {
                        let sums = dgamma.iter_mut().zip(&*dx).zip(&*dy);
                        sums.for_each(|((sum, &x), &dy)| *sum += dy * x);
                    }
                    if let Some(dbeta) = &mut dbeta {
                        dbeta.iter_mut().zip(&*dy).for_each(|(sum, &dy)| *sum += dy);
                    }
                    // dx = 1/√(σ² + ε) (g - mean of g - x̂ · mean of g x̂), with g = dy γ
                    if let Some(gamma) = gamma {
                        dy.iter_mut().zip(gamma).for_each(|(dy, &gamma)| *dy *= gamma);
                    }
                    let mean_g = sum_of(dy, dy, |g, _| g) / count;
                    let mean_gx = sum_of(dy, dx, |g, x| g * x) / count;
                    dx.iter_mut().zip(&*dy).for_each(|(dx, &g)| *dx = inverse * (g - mean_g - *dx * mean_gx));
                }
            },
        );
    }
}

impl<F: Float> Layer<F> for LayerNormalization {
    crate::float::precompiled::into_arc!(LayerNormalization: Layer<F>);

    fn kind(&self) -> &'static str {
        "layer_normalization"
    }

    fn plan(&self, input: &Shape) -> Result<Plan> {
        check_epsilon::<F>("layer_normalization", self.epsilon)?;
        axis_permutation::axes_of("layer_normalization", &self.axis, input)?;
        let dims = axis_permutation::lengths(&self.axis, input);
        let plan = self.affine.declare(Plan::output(input.clone()).passes_mask().input(input), &dims);
        // Mean and 1/√(σ² + ε) of each run.
        Ok(plan
            .cache(axis_permutation::cache_per_sample(&self.axis, input))
            .cache((input.size() / dims.size().max(1)).saturating_mul(2)))
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
