//! Group normalization.

use super::super::{axis_of, axis_permutation};
use super::scale_and_center::{ScaleAndCenter, scale_and_center_setters};
use super::{check_epsilon, extremes};
use crate::error::{Error, Result};
use crate::float::Float;
use crate::initializer::Initializer;
use crate::nn::constraint::Constraint;
use crate::nn::layer::{Backward, Config, Forward, Layer, Plan, Shape};
use crate::nn::regularizer::Regularizer;
use crate::simd::vectorize;
use serde::{Deserialize, Serialize};

/// Normalizes groups of channels within each sample: `y = γ (x - μ) / √(σ² + ε) + β`, with mean and (biased)
/// variance over a group's channels and all positions. One group is a layer normalization over the whole
/// sample, one group a channel an instance normalization ([`each_channel`](Self::each_channel)).
///
/// # Shapes
/// (…, channels), or with the channels along another `axis`; it comes out as it went in.
///
/// # Parameters
/// | name | shape | initializer | default |
/// |---|---|---|---|
/// | `gamma` | (channels) | `gamma_initializer` | ones; absent with `scale(false)` |
/// | `beta` | (channels) | `beta_initializer` | zeros; absent with `center(false)` |
///
/// 32 `groups`, `axis` -1 and `epsilon` 0.001 by default, as in Keras.
///
/// # Errors
/// In `compile`: an axis that the sample does not have, groups that do not divide the channels, an epsilon not above 0.
///
/// # Examples
/// ```
/// use axonal::layers::GroupNormalization;
/// use axonal::prelude::*;
/// let layer = GroupNormalization::new(4);
/// # let _ = layer;
/// ```
///
/// # References
/// Wu and He 2018, arXiv:1803.08494.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct GroupNormalization {
    /// -1: one for each channel.
    groups: i64,
    axis: isize,
    epsilon: f64,
    affine: ScaleAndCenter,
}

impl Default for GroupNormalization {
    fn default() -> Self {
        Self { groups: 32, axis: -1, epsilon: 1e-3, affine: ScaleAndCenter::default() }
    }
}

impl GroupNormalization {
    /// Splits the channels into `groups` groups.
    #[must_use]
    pub fn new(groups: usize) -> Self {
        Self { groups: i64::try_from(groups).unwrap_or(i64::MAX), ..Self::default() }
    }

    /// A group for each channel: instance normalization.
    #[must_use]
    pub fn each_channel() -> Self {
        Self { groups: -1, ..Self::default() }
    }

    /// The axis of the channels; the last, which is the fastest, by default.
    #[must_use]
    pub fn axis(mut self, axis: isize) -> Self {
        self.axis = axis;
        self
    }

    /// What is added to the variance.
    #[must_use]
    pub fn epsilon(mut self, epsilon: f64) -> Self {
        self.epsilon = epsilon;
        self
    }

    scale_and_center_setters!();

    /// The channels of a sample, without a plan all its numbers; and their groups.
    fn channels(&self, plan: Option<&Plan>, columns: usize) -> (usize, usize) {
        let channels =
            plan.map_or(columns, |plan| axis_permutation::lengths(&[self.axis], plan.input_shape()).size());
        (channels, usize::try_from(self.groups).unwrap_or(channels))
    }

    /// Normalizes the last axes.
    fn forward_last<F: Float>(&self, Forward { x, mut y, params, cache, plan, .. }: Forward<'_, F>) {
        let (channels, groups) = self.channels(plan, x.ncols());
        let (gamma, beta) = self.affine.parts(params);
        let (width, size, epsilon) = (x.ncols(), channels / groups, F::of(self.epsilon));
        let samples = super::super::whole_rows(x.as_slice(), y.as_slice_mut(), width);
        vectorize(
            #[inline(always)]
            || {
                for ((sample, y), statistics) in samples.zip(cache.chunks_exact_mut(2 * groups)) {
                    for (index, statistics) in statistics.chunks_exact_mut(2).enumerate() {
                        let group = Group { sample, channels, first: index * size, size };
                        let mean = group.mean(|x| x);
                        let variance = group.mean(|x| (x - mean) * (x - mean));
                        let (mean, inverse) = if variance.is_finite() {
                            (mean, F::one() / (variance + epsilon).sqrt())
                        } else {
                            extremes::mean_and_inverse(group.runs().flatten().copied(), self.epsilon)
                        };
                        statistics.copy_from_slice(&[mean, inverse]);
                        for (x, y) in group.runs().zip(y.chunks_exact_mut(channels)) {
                            for (at, (&x, y)) in x.iter().zip(&mut y[group.first..]).enumerate() {
                                let channel = group.first + at;
                                let scale = inverse * gamma.map_or(F::one(), |gamma| gamma[channel]);
                                let beta = beta.map_or(F::zero(), |beta| beta[channel]);
                                *y = extremes::normalized(x, mean, scale) + beta;
                            }
                        }
                    }
                }
            },
        );
    }

    fn backward_last<F: Float>(&self, pass: Backward<'_, F>) {
        let Backward { x, mut dy, mut dx, params, grads, cache, plan, .. } = pass;
        let (channels, groups) = self.channels(plan, x.ncols());
        let (gamma, _) = self.affine.parts(params);
        let (mut dgamma, mut dbeta) = self.affine.parts_mut(grads);
        let (width, size) = (x.ncols(), channels / groups);
        let Some(dy) = dy.as_slice_mut() else { return };
        let samples = super::super::whole_rows(x.as_slice(), dx.as_slice_mut(), width);
        let statistics = cache.chunks_exact(2 * groups);
        for (((x, dx), dy), statistics) in samples.zip(dy.chunks_exact_mut(width.max(1))).zip(statistics) {
            // dx holds x̂ at first; dγ += dy x̂, dβ += dy; then dy becomes g = dy γ.
            for (index, (dx, &x)) in dx.iter_mut().zip(x).enumerate() {
                let group = index % channels / size;
                *dx = extremes::normalized(x, statistics[2 * group], statistics[2 * group + 1]);
            }
            for (index, (dy, &x)) in dy.iter_mut().zip(&*dx).enumerate() {
                let channel = index % channels;
                dgamma.iter_mut().for_each(|dgamma| dgamma[channel] += *dy * x);
                dbeta.iter_mut().for_each(|dbeta| dbeta[channel] += *dy);
                *dy *= gamma.map_or(F::one(), |gamma| gamma[channel]);
            }
            // dx = 1/√(σ² + ε) (g - mean of g - x̂ · mean of g x̂)
            for (index, statistics) in statistics.chunks_exact(2).enumerate() {
                let g = Group { sample: dy, channels, first: index * size, size };
                let mean_g = g.mean(|g| g);
                let normalized = Group { sample: dx, ..g };
                let products = g.runs().zip(normalized.runs()).flat_map(|(g, x)| g.iter().zip(x));
                let mean_gx =
                    products.map(|(&g, &x)| g * x).sum::<F>() / F::of((width / channels * size) as f64);
                for (dx, g) in dx.chunks_exact_mut(channels).zip(dy.chunks_exact(channels)) {
                    let range = index * size..(index + 1) * size;
                    for (dx, &g) in dx[range.clone()].iter_mut().zip(&g[range]) {
                        *dx = statistics[1] * (g - mean_g - *dx * mean_gx);
                    }
                }
            }
        }
    }
}

/// A group of channels within a sample.
struct Group<'a, F> {
    sample: &'a [F],
    channels: usize,
    first: usize,
    size: usize,
}

impl<F: Float> Group<'_, F> {
    /// The group's channels at each position.
    fn runs(&self) -> impl Iterator<Item = &[F]> {
        self.sample.chunks_exact(self.channels).map(|position| &position[self.first..][..self.size])
    }

    fn mean(&self, term: impl Fn(F) -> F) -> F {
        let count = F::of((self.sample.len() / self.channels * self.size) as f64);
        self.runs().map(|run| run.iter().map(|&x| term(x)).sum::<F>()).sum::<F>() / count
    }
}

impl<F: Float> Layer<F> for GroupNormalization {
    crate::float::precompiled::into_arc!(GroupNormalization: Layer<F>);

    fn kind(&self) -> &'static str {
        "group_normalization"
    }

    fn plan(&self, input: &Shape) -> Result<Plan> {
        check_epsilon::<F>("group_normalization", self.epsilon)?;
        let channels = input.dims()[axis_of("group_normalization", self.axis, input)?];
        let groups = if self.groups == -1 { channels } else { usize::try_from(self.groups).unwrap_or(0) };
        if groups == 0 || !channels.is_multiple_of(groups) {
            let expected = format!("a divisor of the {channels} channels");
            return Err(Error::invalid_parameter("group_normalization", "groups", self.groups, expected));
        }
        let channels = Shape::from(channels);
        let plan = self.affine.declare(Plan::output(input.clone()).passes_mask().input(input), &channels);
        // Mean and 1/√(σ² + ε) of each group.
        Ok(plan
            .cache(axis_permutation::cache_per_sample(&[self.axis], input))
            .cache(groups.saturating_mul(2)))
    }

    fn forward(&self, pass: Forward<'_, F>) {
        axis_permutation::forward(&[self.axis], pass, |pass| self.forward_last(pass));
    }

    fn backward(&self, pass: Backward<'_, F>) {
        axis_permutation::backward(&[self.axis], pass, |pass| self.backward_last(pass));
    }

    fn config(&self) -> Option<Config> {
        Config::of(self)
    }
}
