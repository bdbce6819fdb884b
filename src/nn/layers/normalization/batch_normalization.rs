//! Batch normalization.

use super::super::{Runs, axis_of, ones, zeros};
use super::scale_and_center::{ScaleAndCenter, scale_and_center_setters};
use super::{check_epsilon, extremes};
use crate::error::{Error, Result};
use crate::float::{Float, scaled};
use crate::initializer::Initializer;
use crate::nn::constraint::Constraint;
use crate::nn::layer::{Backward, Config, Forward, Layer, Mask, Mode, Plan, Shape};
use crate::nn::regularizer::Regularizer;
use crate::simd::vectorize;
use serde::{Deserialize, Serialize};

/// Normalizes each feature over the batch: `y = γ (x - μ) / √(σ² + ε) + β`.
///
/// While training, μ and σ² are the mean and the (biased) variance of the feature over the batch and all axes
/// but `axis`, and moving averages of both are kept; while answering, and while training in a frozen layer,
/// they are the moving averages. Where a layer before makes a mask (see [`Masking`](crate::nn::Masking)), the batch's own
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
/// `moving = momentum · moving + (1 - momentum) · batch`. Keras's `synchronized` averages over several devices, of which
/// there is one.
///
/// # Errors
/// In `compile`: an axis that the sample does not have, a momentum outside of [0, 1], an epsilon not above 0.
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
        }
    }
}

impl BatchNormalization {
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

    /// How the features lie in a sample; without a plan it is a vector.
    fn runs(&self, plan: Option<&Plan>, columns: usize) -> Runs {
        let along = |input: &Shape| Runs::along(axis_of("", self.axis, input).unwrap_or(0), input);
        plan.map_or_else(|| along(&Shape::from(columns)), |plan| along(plan.input_shape()))
    }
}

/// Vectors of one number a feature that a batch leaves for the way back, or needs on the way.
const VECTORS: usize = 6;

impl<F: Float> Layer<F> for BatchNormalization {
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
        Ok(plan
            .uses_mask()
            .passes_mask()
            .state("moving_mean", &features, self.moving_mean_initializer.clone())
            .state("moving_variance", &features, self.moving_variance_initializer.clone())
            // Whether the batch's own statistics were used, behind the vectors.
            .batch_cache(VECTORS * features.size() + 1)
            .rows_depend())
    }

    fn forward(&self, Forward { x, mut y, params, cache, mut mode, mask, plan, .. }: Forward<'_, F>) {
        let runs = self.runs(plan, x.ncols());
        let real = mask.map(|mask| Real { mask, columns: x.ncols() });
        let (Some(x), Some(y)) = (x.as_slice(), y.as_slice_mut()) else { return };
        let Some((batch_statistics, vectors)) = cache.split_last_mut() else { return };
        let [mean, inverse, variance, scale, shift, partial] = split(vectors);
        *batch_statistics = if mode.is_training() { F::one() } else { F::zero() };
        if let Mode::Train { state, .. } = &mut mode {
            let shares = shift as &mut [F];
            shares_of(real, x.len(), runs, shares);
            let sums = Sums { runs, a: x, b: x, real };
            sums.of([inverse, inverse], mean, partial, |x, _, _, _| x);
            mean.iter_mut().zip(&*shares).for_each(|(mean, &share)| *mean *= share);
            sums.of([mean, mean], variance, partial, |x, _, mean, _| (x - mean) * (x - mean));
            variance.iter_mut().zip(&*shares).for_each(|(variance, &share)| *variance *= share);
            let momentum = F::of(self.momentum);
            let follow =
                |moving: &mut F, batch: F| *moving = momentum * *moving + (F::one() - momentum) * batch;
            let (moving_mean, moving_variance) = state.split_at_mut(runs.length);
            for (channel, moving) in moving_variance.iter_mut().enumerate() {
                if variance[channel].is_finite() {
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
        if mean.iter().any(|&mean| is_far(mean)) {
            let half = F::of(0.5);
            return map(runs, x, x, y, channels, |x, _, [mean, scale, shift]| {
                (x * half - mean * half) * (scale + scale) + shift
            });
        }
        map(runs, x, x, y, channels, |x, _, [mean, scale, shift]| (x - mean) * scale + shift);
    }

    fn backward(&self, pass: Backward<'_, F>) {
        let Backward { x, dy, mut dx, dx_needed, params, grads, cache, mask, plan, .. } = pass;
        let runs = self.runs(plan, x.ncols());
        let real = mask.map(|mask| Real { mask, columns: x.ncols() });
        let (Some(x), Some(dy), Some(dx)) = (x.as_slice(), dy.as_slice(), dx.as_slice_mut()) else { return };
        let Some((batch_statistics, vectors)) = cache.split_last_mut() else { return };
        let [mean, inverse, dbeta, dgamma, scale, partial] = split(vectors);
        // dβ += Σ dy, dγ += Σ dy x̂ with x̂ = (x - μ) / √(σ² + ε)
        let sums = Sums { runs, a: x, b: dy, real: None };
        sums.of([mean, mean], dbeta, partial, |_, dy, _, _| dy);
        let extreme = mean.iter().any(|&mean| is_far(mean))
            || inverse.iter().any(|&inverse| extremes::is_extreme(inverse));
        if extreme {
            sums.of([mean, inverse], dgamma, partial, |x, dy, mean, inverse| {
                dy * normalized(x, mean, inverse)
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
                scale * (dy - dbeta - normalized(x, mean, inverse) * dgamma)
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

/// Whether `x - mean` may exceed the type for a representable `x`.
fn is_far<F: Float>(mean: F) -> bool {
    mean.abs() > F::max_value() * F::epsilon() * F::of(0.25)
}

/// `(x - mean) · inverse`, also where the difference alone exceeds the type.
fn normalized<F: Float>(x: F, mean: F, inverse: F) -> F {
    let half = F::of(0.5);
    (x * half - mean * half) * (inverse + inverse)
}

/// The vectors of the cache.
fn split<F>(vectors: &mut [F]) -> [&mut [F]; VECTORS] {
    let len = (vectors.len() / VECTORS).max(1);
    let mut parts = vectors.chunks_exact_mut(len);
    std::array::from_fn(|_| parts.next().unwrap_or_default())
}

/// A mask over a batch of samples of so many numbers.
#[derive(Clone, Copy)]
struct Real<'a> {
    mask: Mask<'a>,
    columns: usize,
}

impl Real<'_> {
    /// Whether the number at this place of the batch is real.
    fn at(&self, index: usize) -> bool {
        let (sample, place) = (index / self.columns, index % self.columns);
        self.mask.is_real(sample, place * self.mask.positions() / self.columns)
    }
}

/// For each feature 1 over how many numbers it has in an array of this length; 0 where all are padding.
fn shares_of<F: Float>(real: Option<Real<'_>>, len: usize, runs: Runs, shares: &mut [F]) {
    let Some(real) = real else { return shares.fill(F::one() / F::of((len / runs.length) as f64)) };
    shares.fill(F::zero());
    for index in (0..len).filter(|&index| real.at(index)) {
        shares[index / runs.inner % runs.length] += F::one();
    }
    for share in shares.iter_mut().filter(|share| **share > F::zero()) {
        *share = F::one() / *share;
    }
}

/// Two arrays of one layout, to be summed by feature.
struct Sums<'a, F> {
    runs: Runs,
    a: &'a [F],
    b: &'a [F],
    /// What is real, where something is not; the rest is passed over.
    real: Option<Real<'a>>,
}

impl<F: Float> Sums<'_, F> {
    /// Mean and standard deviation of a feature of `a` whose squares or sums the type cannot hold.
    #[cold]
    fn moments_of_extremes(&self, feature: usize) -> (f64, f64) {
        let Runs { length, inner } = self.runs;
        let belongs =
            |index: usize| index / inner % length == feature && self.real.is_none_or(|real| real.at(index));
        let values = self.a.iter().enumerate().filter(|(index, _)| belongs(*index));
        scaled::mean_and_deviation(values.map(|(_, value)| value.as_f64()).collect())
    }

    /// For each feature `Σ term(a, b, p, q)`, with `p` and `q` the feature's own numbers. Blocks of rows are
    /// summed by themselves, which keeps the rounding small.
    fn of(&self, [p, q]: [&[F]; 2], sums: &mut [F], partial: &mut [F], term: impl Fn(F, F, F, F) -> F) {
        const BLOCK: usize = 128;
        let Runs { length, inner } = self.runs;
        sums.fill(F::zero());
        if let Some(real) = self.real {
            let numbers = self.a.iter().zip(self.b).enumerate();
            for (index, (&a, &b)) in numbers.filter(|(index, _)| real.at(*index)) {
                let feature = index / inner % length;
                sums[feature] += term(a, b, p[feature], q[feature]);
            }
            return;
        }
        if inner > 1 {
            for (run, (a, b)) in self.a.chunks_exact(inner).zip(self.b.chunks_exact(inner)).enumerate() {
                let feature = run % length;
                sums[feature] += super::sum_of(a, b, |a, b| term(a, b, p[feature], q[feature]));
            }
            return;
        }
        vectorize(
            #[inline(always)]
            || {
                for (a, b) in self.a.chunks(BLOCK * length).zip(self.b.chunks(BLOCK * length)) {
                    partial.fill(F::zero());
                    for (a, b) in a.chunks_exact(length).zip(b.chunks_exact(length)) {
                        let numbers = a.iter().zip(b).zip(p.iter().zip(q));
                        for (sum, ((&a, &b), (&p, &q))) in partial.iter_mut().zip(numbers) {
                            *sum += term(a, b, p, q);
                        }
                    }
                    sums.iter_mut().zip(&*partial).for_each(|(sum, &partial)| *sum += partial);
                }
            },
        );
    }
}

/// `to = term(a, b, the feature's numbers)`, for every number of two arrays of one layout.
fn map<F: Float, const N: usize>(
    runs: Runs,
    a: &[F],
    b: &[F],
    to: &mut [F],
    numbers: [&[F]; N],
    term: impl Fn(F, F, [F; N]) -> F,
) {
    let Runs { length, inner } = runs;
    vectorize(
        #[inline(always)]
        || {
            if inner > 1 {
                let runs = to.chunks_exact_mut(inner).zip(a.chunks_exact(inner).zip(b.chunks_exact(inner)));
                for (run, (to, (a, b))) in runs.enumerate() {
                    let numbers = numbers.map(|numbers| numbers[run % length]);
                    to.iter_mut().zip(a.iter().zip(b)).for_each(|(to, (&a, &b))| *to = term(a, b, numbers));
                }
                return;
            }
            let numbers = numbers.map(|numbers| &numbers[..length]);
            let rows = to.chunks_exact_mut(length).zip(a.chunks_exact(length).zip(b.chunks_exact(length)));
            for (to, (a, b)) in rows {
                for (feature, (to, (&a, &b))) in to.iter_mut().zip(a.iter().zip(b)).enumerate() {
                    *to = term(a, b, numbers.map(|numbers| numbers[feature]));
                }
            }
        },
    );
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
