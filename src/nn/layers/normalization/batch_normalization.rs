//! Batch normalization.

use super::super::{Runs, axis_of, ones, zeros};
use super::feature_sums::{Real, Sums, map, shares_of};
use super::scale_and_center::{ScaleAndCenter, scale_and_center_setters};
use super::{check_epsilon, extremes};
use crate::distributed::{self, Collective};
use crate::error::{Error, Result};
use crate::float::Float;
use crate::initializer::Initializer;
use crate::nn::constraint::Constraint;
use crate::nn::layer::{Backward, Config, Forward, Layer, Mode, Plan, Shape};
use crate::nn::regularizer::Regularizer;
use serde::{Deserialize, Serialize};

/// Normalizes each feature over the batch: `y = γ (x - μ) / √(σ² + ε) + β`.
///
/// While training, μ and σ² are the mean and the (biased) variance of the feature over the batch and all axes
/// but `axis`, and moving averages of both are kept; while answering, and while training in a frozen layer,
/// they are the moving averages. Where a layer before makes a mask (see [`Masking`](crate::layers::Masking)), the batch's own
/// statistics are those of the steps that are real.
///
/// # Shapes
/// Any; it comes out as it went in.
///
/// # Parameters
/// | name | shape | initializer | default |
/// |---|---|---|---|
/// | `gamma` | (features) | `gamma_initializer` | ones; absent with `scale(false)` |
/// | `beta` | (features) | `beta_initializer` | zeros; absent with `center(false)` |
/// | `moving_mean`, state | (features) | `moving_mean_initializer` | zeros |
/// | `moving_variance`, state | (features) | `moving_variance_initializer` | ones |
///
/// `axis` -1, `momentum` 0.99 and `epsilon` 0.001 by default, as in Keras:
/// `moving = momentum · moving + (1 - momentum) · batch`. With `synchronized`, the batch of a
/// [distributed](crate::distributed) run is that of all ranks; off by default, so that each rank normalizes its own rows.
///
/// # Errors
/// In `compile`: an axis that the sample does not have, a momentum outside [0, 1], an epsilon not above 0.
///
/// # Examples
/// ```
/// use axonal::prelude::*;
/// let layer = BatchNormalization::default().momentum(0.9);
/// # let _ = layer;
/// ```
///
/// # References
/// Ioffe and Szegedy 2015, arXiv:1502.03167.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct BatchNormalization {
    axis: isize,
    momentum: f64,
    epsilon: f64,
    affine: ScaleAndCenter,
    moving_mean_initializer: Initializer,
    moving_variance_initializer: Initializer,
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    synchronized: bool,
}

impl Default for BatchNormalization {
    fn default() -> Self {
        Self {
            axis: -1,
            momentum: 0.99,
            epsilon: 1e-3,
            affine: ScaleAndCenter::default(),
            moving_mean_initializer: zeros(),
            moving_variance_initializer: ones(),
            synchronized: false,
        }
    }
}

impl BatchNormalization {
    /// Creates the layer with Keras's defaults.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// The axis of the features; the last by default.
    #[must_use]
    pub fn axis(mut self, axis: isize) -> Self {
        self.axis = axis;
        self
    }

    /// How slowly the moving averages follow the batches, from 0 to 1.
    #[must_use]
    pub fn momentum(mut self, momentum: f64) -> Self {
        self.momentum = momentum;
        self
    }

    /// What is added to the variance.
    #[must_use]
    pub fn epsilon(mut self, epsilon: f64) -> Self {
        self.epsilon = epsilon;
        self
    }

    scale_and_center_setters!();

    /// How the moving mean starts.
    #[must_use]
    pub fn moving_mean_initializer(mut self, initializer: Initializer) -> Self {
        self.moving_mean_initializer = initializer;
        self
    }

    /// How the moving variance starts.
    #[must_use]
    pub fn moving_variance_initializer(mut self, initializer: Initializer) -> Self {
        self.moving_variance_initializer = initializer;
        self
    }

    /// Sets whether the statistics are those of the rows of all ranks in a [distributed](crate::distributed) run, which then
    /// exchanges sums in the forward and backward passes of the layer.
    #[must_use]
    pub fn synchronized(mut self, synchronized: bool) -> Self {
        self.synchronized = synchronized;
        self
    }

    /// The ranks with which statistics are exchanged.
    fn ranks<'g>(&self, group: Option<&'g dyn Collective>) -> Option<&'g dyn Collective> {
        group.filter(|_| self.synchronized)
    }

    /// Takes mean and variance of a batch, of which features have these shares, and lets the moving ones follow. A variance that
    /// `F` cannot hold is left infinite, and `inverse` holds what is multiplied by.
    fn learn<F: Float>(
        &self,
        sums: &Sums<'_, F>,
        group: Option<&dyn Collective>,
        [mean, inverse, variance, shares, partial]: [&mut [F]; 5],
        state: &mut [F],
    ) {
        sums.of([inverse, inverse], mean, partial, |x, _, _, _| x);
        sum_over(group, mean);
        mean.iter_mut().zip(&*shares).for_each(|(mean, &share)| *mean *= share);
        sums.of([mean, mean], variance, partial, |x, _, mean, _| (x - mean) * (x - mean));
        sum_over(group, variance);
        variance.iter_mut().zip(&*shares).for_each(|(variance, &share)| *variance *= share);
        let momentum = F::of(self.momentum);
        let follow = |moving: &mut F, batch: F| *moving = momentum * *moving + (F::one() - momentum) * batch;
        let (moving_mean, moving_variance) = state.split_at_mut(mean.len());
        for (channel, moving) in moving_variance.iter_mut().enumerate() {
            if variance[channel].is_finite() || group.is_some() {
                // Of ranks, each knows its own rows only; an overflow then ends the run.
                follow(moving, variance[channel]);
            } else {
                let (exact_mean, deviation) = sums.moments_of_extremes(channel);
                mean[channel] = F::of(exact_mean);
                inverse[channel] = extremes::inverse(deviation, self.epsilon);
                let root_share = (1.0 - self.momentum).sqrt() * deviation;
                *moving = F::of(self.momentum * moving.as_f64() + root_share * root_share);
            }
        }
        moving_mean.iter_mut().zip(&*mean).for_each(|(moving, &batch)| follow(moving, batch));
    }

    /// How the features lie in a sample; without a plan it is a vector.
    fn runs(&self, plan: Option<&Plan>, columns: usize) -> Runs {
        let along = |input: &Shape| Runs::along(axis_of("", self.axis, input).unwrap_or(0), input);
        plan.map_or_else(|| along(&Shape::from(columns)), |plan| along(plan.input_shape()))
    }
}

/// Vectors of one number a feature that a batch leaves for the way back, or needs on the way.
const VECTORS: usize = 6;

impl<F: Float> Layer<F> for BatchNormalization {
    crate::float::precompiled::into_arc!(BatchNormalization: Layer<F>);

    fn kind(&self) -> &'static str {
        "batch_normalization"
    }

    fn plan(&self, input: &Shape) -> Result<Plan> {
        let axis = axis_of("batch_normalization", self.axis, input)?;
        check_epsilon::<F>("batch_normalization", self.epsilon)?;
        if !(0.0..=1.0).contains(&self.momentum) {
            let expected = "0 <= momentum <= 1";
            return Err(Error::invalid_parameter("batch_normalization", "momentum", self.momentum, expected));
        }
        let features = Shape::from(input.dims()[axis]);
        let plan = self.affine.declare(Plan::output(input.clone()).input(input), &features);
        let plan = if self.synchronized { plan.synchronizes() } else { plan };
        Ok(plan
            .uses_mask()
            .passes_mask()
            .state("moving_mean", &features, self.moving_mean_initializer.clone())
            .state("moving_variance", &features, self.moving_variance_initializer.clone())
            // Whether the batch's own statistics were used, behind the vectors.
            .batch_cache(VECTORS.saturating_mul(features.size()).saturating_add(1))
            .rows_depend())
    }

    fn forward(&self, pass: Forward<'_, F>) {
        let Forward { x, mut y, params, cache, mut mode, mask, plan, group, .. } = pass;
        let (runs, group) = (self.runs(plan, x.ncols()), self.ranks(group));
        let real = mask.map(|mask| Real { mask, columns: x.ncols() });
        let (Some(x), Some(y)) = (x.as_slice(), y.as_slice_mut()) else { return };
        let Some((batch_statistics, vectors)) = cache.split_last_mut() else { return };
        let [mean, inverse, variance, scale, shift, partial] = split(vectors);
        *batch_statistics = if mode.is_training() { F::one() } else { F::zero() };
        if let Mode::Train { state, .. } = &mut mode {
            shares_of(real, x.len(), runs, shift);
            shares_over(group, shift);
            let sums = Sums { runs, a: x, b: x, real };
            self.learn(&sums, group, [mean, inverse, variance, shift, partial], state);
        } else {
            let (moving_mean, moving_variance) = mode.state().split_at(runs.length);
            mean.copy_from_slice(moving_mean);
            variance.copy_from_slice(moving_variance);
            // A moving variance that the type cannot hold has no answer; 1/∞ would give β in silence.
            inverse.fill(F::nan());
        }
        let (gamma, beta) = self.affine.parts(params);
        let epsilon = F::of(self.epsilon);
        for channel in 0..runs.length {
            if variance[channel].is_finite() {
                inverse[channel] = F::one() / (variance[channel] + epsilon).sqrt();
            }
            scale[channel] = inverse[channel] * gamma.map_or(F::one(), |gamma| gamma[channel]);
            shift[channel] = beta.map_or(F::zero(), |beta| beta[channel]);
        }
        let channels = [&*mean, &*scale, &*shift];
        if mean.iter().any(|&mean| extremes::is_far(mean)) {
            return map(runs, x, x, y, channels, |x, _, [mean, scale, shift]| {
                extremes::normalized(x, mean, scale) + shift
            });
        }
        map(runs, x, x, y, channels, |x, _, [mean, scale, shift]| (x - mean) * scale + shift);
    }

    fn backward(&self, pass: Backward<'_, F>) {
        let Backward { x, dy, mut dx, dx_needed, params, grads, cache, mask, plan, group, .. } = pass;
        let (runs, group) = (self.runs(plan, x.ncols()), self.ranks(group));
        let real = mask.map(|mask| Real { mask, columns: x.ncols() });
        let (Some(x), Some(dy), Some(dx)) = (x.as_slice(), dy.as_slice(), dx.as_slice_mut()) else { return };
        let Some((batch_statistics, vectors)) = cache.split_last_mut() else { return };
        let [mean, inverse, dbeta, dgamma, scale, partial] = split(vectors);
        // dβ += Σ dy, dγ += Σ dy x̂ with x̂ = (x - μ) / √(σ² + ε)
        let sums = Sums { runs, a: x, b: dy, real: None };
        sums.of([mean, mean], dbeta, partial, |_, dy, _, _| dy);
        let extreme = mean.iter().any(|&mean| extremes::is_far(mean))
            || inverse.iter().any(|&inverse| extremes::is_extreme(inverse));
        if extreme {
            sums.of([mean, inverse], dgamma, partial, |x, dy, mean, inverse| {
                dy * extremes::normalized(x, mean, inverse)
            });
        } else {
            sums.of([mean, inverse], dgamma, partial, |x, dy, mean, inverse| dy * (x - mean) * inverse);
        }
        let (gamma_grads, beta_grads) = self.affine.parts_mut(grads);
        let add = |grads: Option<&mut [F]>, sums: &[F]| {
            grads.into_iter().flatten().zip(sums).for_each(|(grad, &sum)| *grad += sum);
        };
        add(gamma_grads, dgamma);
        add(beta_grads, dbeta);
        if !dx_needed {
            return;
        }
        // With the batch's own statistics dx = γ/√(σ² + ε) (dy - mean of dy - x̂ · mean of dy x̂); the moving
        // ones are constants, so the two means are 0.
        let shares = partial;
        shares_of(real, x.len(), runs, shares);
        let group = group.filter(|_| *batch_statistics != F::zero());
        shares_over(group, shares);
        sum_over(group, dbeta);
        sum_over(group, dgamma);
        let (gamma, _) = self.affine.parts(params);
        for channel in 0..runs.length {
            scale[channel] = inverse[channel] * gamma.map_or(F::one(), |gamma| gamma[channel]);
            let share = *batch_statistics * shares[channel];
            dbeta[channel] *= share;
            dgamma[channel] *= if extreme { share } else { share * inverse[channel] };
        }
        if extreme {
            let channels = [&*mean, &*inverse, &*scale, &*dbeta, &*dgamma];
            map(runs, x, dy, dx, channels, |x, dy, [mean, inverse, scale, dbeta, dgamma]| {
                scale * (dy - dbeta - extremes::normalized(x, mean, inverse) * dgamma)
            });
        } else {
            let channels = [&*mean, &*scale, &*dbeta, &*dgamma];
            map(runs, x, dy, dx, channels, |x, dy, [mean, scale, dbeta, dgamma]| {
                scale * (dy - dbeta - (x - mean) * dgamma)
            });
        }
        // Padding is normalized as well, but has no part in the statistics.
        let Some(real) = real else { return };
        for (index, (dx, &dy)) in dx.iter_mut().zip(dy).enumerate().filter(|(index, _)| !real.at(*index)) {
            *dx = scale[index / runs.inner % runs.length] * dy;
        }
    }

    fn config(&self) -> Option<Config> {
        Config::of(self)
    }
}

/// Sums values over the ranks, if there are any. Where a rank has failed the values become NaN, which ends the run.
fn sum_over<F: Float>(group: Option<&dyn Collective>, values: &mut [F]) {
    if group.is_some_and(|group| distributed::sum(group, values).is_err()) {
        values.fill(F::nan());
    }
}

/// Turns the shares by the numbers of this rank into those by the numbers of all ranks.
fn shares_over<F: Float>(group: Option<&dyn Collective>, shares: &mut [F]) {
    if group.is_none() {
        return;
    }
    let inverted = |value: &mut F| *value = if *value > F::zero() { F::one() / *value } else { *value };
    shares.iter_mut().for_each(inverted);
    sum_over(group, shares);
    shares.iter_mut().for_each(inverted);
}

/// The vectors of the cache.
fn split<F>(vectors: &mut [F]) -> [&mut [F]; VECTORS] {
    let len = (vectors.len() / VECTORS).max(1);
    let mut parts = vectors.chunks_exact_mut(len);
    std::array::from_fn(|_| parts.next().unwrap_or_default())
}

#[cfg(test)]
mod tests {
    use super::*;
    use ndarray::Array2;

    #[test]
    fn a_frozen_layer_leaves_its_statistics_and_lets_gradients_through_them() {
        let layer = BatchNormalization::default();
        let plan = Layer::<f64>::plan(&layer, &Shape::from(2)).unwrap();
        let x = ndarray::array![[1.0, 2.0], [3.0, -4.0], [5.0, 0.5]];
        let mut y = Array2::zeros((3, 2));
        let (params, state) = ([2.0, 3.0, 0.0, 1.0], [0.5, 0.0, 1.0 - 1e-3, 4.0 - 1e-3]);
        let mut cache = vec![f64::NAN; plan.cache_len(3)];
        let mode = Mode::Infer { state: &state };
        layer.forward(Forward::new(x.view(), y.view_mut(), &params, &mut cache, mode).planned(&plan));
        assert!((y[[0, 0]] - 2.0 * 0.5).abs() < 1e-12 && (y[[0, 1]] - (1.5 * 2.0 + 1.0)).abs() < 1e-12);
        let (mut dy, mut dx, mut grads) = (Array2::ones((3, 2)), Array2::zeros((3, 2)), [0.0; 4]);
        let pass =
            Backward::new(x.view(), y.view(), dy.view_mut(), dx.view_mut(), &params, &mut grads, &mut cache);
        layer.backward(pass.planned(&plan));
        assert!(dx.column(0).iter().all(|v: &f64| (v - 2.0).abs() < 1e-12));
        assert!(dx.column(1).iter().all(|v: &f64| (v - 1.5).abs() < 1e-12));
    }
}
