//! Layer normalization.

use super::super::{axis_of, whole_rows};
use super::scale_and_center::{ScaleAndCenter, scale_and_center_setters};
use super::{check_epsilon, sum_of};
use crate::error::{Error, Result};
use crate::float::Float;
use crate::initializer::Initializer;
use crate::nn::constraint::Constraint;
use crate::nn::layer::{Backward, Config, Forward, Layer, Plan, Shape};
use crate::nn::regularizer::Regularizer;
use crate::simd::vectorize;
use serde::{Deserialize, Serialize};

/// Normalizes each sample over its last axes: `y = γ (x - μ) / √(σ² + ε) + β`, with mean and (biased) variance
/// of the sample's own numbers.
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
/// In `compile`: axes that are not the last ones of the sample, an epsilon not above 0.
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
    /// The axes that are normalized together; they must be the last ones, as in `[-2, -1]`.
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

    /// The lengths of the normalized axes.
    fn normalized<'s>(&self, input: &'s Shape) -> Result<&'s [usize]> {
        let mut axes = self
            .axis
            .iter()
            .map(|&axis| axis_of("layer_normalization", axis, input))
            .collect::<Result<Vec<_>>>()?;
        axes.sort_unstable();
        axes.dedup();
        let first = input.rank() - axes.len();
        if axes.is_empty() || axes != (first..input.rank()).collect::<Vec<_>>() {
            let expected = format!("the last axes of the sample {input}, as in [-1] or [-2, -1]");
            return Err(Error::invalid_parameter(
                "layer_normalization",
                "axis",
                format!("{:?}", self.axis),
                expected,
            ));
        }
        Ok(&input.dims()[first..])
    }

    /// How many numbers are normalized together; without a plan, the sample.
    fn width(&self, plan: Option<&Plan>, columns: usize) -> usize {
        let dims = plan.and_then(|plan| self.normalized(plan.input_shape()).ok());
        dims.map_or(columns, |dims| dims.iter().product())
    }
}

impl<F: Float> Layer<F> for LayerNormalization {
    fn kind(&self) -> &'static str {
        "layer_normalization"
    }

    fn plan(&self, input: &Shape) -> Result<Plan> {
        check_epsilon("layer_normalization", self.epsilon)?;
        let dims = Shape::from(self.normalized(input)?);
        let plan = self.affine.declare(Plan::output(input.clone()).input(input), &dims);
        // Mean and 1/√(σ² + ε) of each run.
        Ok(plan.cache(2 * input.size() / dims.size().max(1)))
    }

    fn forward(&self, Forward { x, mut y, params, cache, plan, .. }: Forward<'_, F>) {
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
                    let inverse = F::one() / (variance + epsilon).sqrt();
                    statistics.copy_from_slice(&[mean, inverse]);
                    y.iter_mut().zip(x).for_each(|(y, &x)| *y = (x - mean) * inverse);
                    y.iter_mut().zip(gamma.into_iter().flatten()).for_each(|(y, &gamma)| *y *= gamma);
                    y.iter_mut().zip(beta.into_iter().flatten()).for_each(|(y, &beta)| *y += beta);
                }
            },
        );
    }

    fn backward(&self, pass: Backward<'_, F>) {
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
                    dx.iter_mut().zip(x).for_each(|(dx, &x)| *dx = (x - mean) * inverse);
                    let sums = dgamma.iter_mut().flat_map(|dgamma| dgamma.iter_mut());
                    sums.zip(&*dx).zip(&*dy).for_each(|((sum, &x), &dy)| *sum += dy * x);
                    let sums = dbeta.iter_mut().flat_map(|dbeta| dbeta.iter_mut());
                    sums.zip(&*dy).for_each(|(sum, &dy)| *sum += dy);
                    // dx = 1/√(σ² + ε) (g - mean of g - x̂ · mean of g x̂), with g = dy γ
                    dy.iter_mut().zip(gamma.into_iter().flatten()).for_each(|(dy, &gamma)| *dy *= gamma);
                    let mean_g = sum_of(dy, dy, |g, _| g) / count;
                    let mean_gx = sum_of(dy, dx, |g, x| g * x) / count;
                    dx.iter_mut().zip(&*dy).for_each(|(dx, &g)| *dx = inverse * (g - mean_g - *dx * mean_gx));
                }
            },
        );
    }

    fn config(&self) -> Option<Config> {
        Config::of(self)
    }
}
