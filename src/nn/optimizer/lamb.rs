//! LAMB.

use super::{ArrayStep, LearningRate, Optimizer, Step, Tuned, at_least_zero, below_one, flushed};
use crate::error::Result;
use crate::float::Float;
use crate::nn::layer::Config;
use crate::simd::vectorize;
use serde::{Deserialize, Serialize};

/// Adam's direction, scaled for each weight array to the array's own length.
///
/// `r = m̂ / (√v̂ + ε)` with Adam's bias-corrected moments, `w -= rate · (‖w‖ / ‖r‖) r`; the quotient of the norms is
/// 1 where one of them is 0.
///
/// # Parameters
/// By default the learning rate is 0.001, β₁ 0.9, β₂ 0.999, ε 1e-7.
///
/// # Examples
/// ```
/// use axonal::prelude::*;
/// let optimizer = Lamb::new(0.001);
/// # let _ = optimizer;
/// ```
///
/// # References
/// You et al. 2020, arXiv:1904.00962.
pub type Lamb = Tuned<LambRule>;

/// The update rule of [`Lamb`].
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct LambRule {
    beta_1: f64,
    beta_2: f64,
    epsilon: f64,
}

/// Numbers whose squares are summed in their own type before they join the others in f64.
const BLOCK: usize = 1024;

/// Partial sums side by side: what vectors can add up.
const LANES: usize = 64;

impl Lamb {
    /// Lamb at a learning rate: a number, a schedule, or a closure of the step.
    pub fn new(learning_rate: impl Into<LearningRate>) -> Self {
        Tuned::of(LambRule { beta_1: 0.9, beta_2: 0.999, epsilon: 1e-7 }, learning_rate)
    }

    /// The decay of the mean: 0 <= β₁ < 1.
    #[must_use]
    pub fn beta_1(mut self, beta_1: f64) -> Self {
        self.rule.beta_1 = beta_1;
        self
    }

    /// The decay of the mean square: 0 <= β₂ < 1.
    #[must_use]
    pub fn beta_2(mut self, beta_2: f64) -> Self {
        self.rule.beta_2 = beta_2;
        self
    }

    /// What keeps the divisor from 0.
    #[must_use]
    pub fn epsilon(mut self, epsilon: f64) -> Self {
        self.rule.epsilon = epsilon;
        self
    }
}

impl Default for Lamb {
    fn default() -> Self {
        Self::new(0.001)
    }
}

impl<F: Float> Optimizer<F> for LambRule {
    fn kind(&self) -> &'static str {
        "lamb"
    }

    fn moments(&self) -> Vec<f64> {
        vec![0.0, 0.0]
    }

    fn validate(&self) -> Result<()> {
        below_one("lamb", "beta_1", self.beta_1)?;
        below_one("lamb", "beta_2", self.beta_2)?;
        at_least_zero("lamb", "epsilon", self.epsilon)
    }

    fn update(&self, step: Step<'_, F>) {
        let t = step.time();
        let corrections = (1.0 / (1.0 - self.beta_1.powf(t)), 1.0 / (1.0 - self.beta_2.powf(t)));
        let direction = Direction {
            mean: F::of(corrections.0),
            square: F::of(corrections.1),
            epsilon: F::of(self.epsilon),
        };
        let (mean_rate, square_rate) = (F::of(1.0 - self.beta_1), F::of(1.0 - self.beta_2));
        step.each_array(|ArrayStep { params, grads, moments, learning_rate, .. }| {
            let [means, squares] = moments;
            let (mut own_length, mut length) = (0.0, 0.0);
            let blocks = means.chunks_mut(BLOCK).zip(squares.chunks_mut(BLOCK)).zip(grads.chunks(BLOCK));
            for (((means, squares), grads), params) in blocks.zip(params.chunks(BLOCK)) {
                let lengths = vectorize(
                    #[inline(always)]
                    || {
                        for ((&g, m), v) in grads.iter().zip(means.iter_mut()).zip(squares.iter_mut()) {
                            *m = flushed(*m + (g - *m) * mean_rate);
                            *v = flushed(*v + (g * g - *v) * square_rate);
                        }
                        [
                            lane_squares(
                                params,
                                params,
                                #[inline(always)]
                                |w, _| w,
                            ),
                            lane_squares(
                                means,
                                squares,
                                #[inline(always)]
                                |m, v| direction.of(m, v),
                            ),
                        ]
                    },
                );
                own_length += lengths[0];
                length += lengths[1];
            }
            let ratio = if length > 0.0 && own_length > 0.0 { (own_length / length).sqrt() } else { 1.0 };
            let rate = F::of(learning_rate * ratio);
            // What was read last is the likeliest to be in the cache still.
            let blocks = params.chunks_mut(BLOCK).zip(means.chunks(BLOCK)).zip(squares.chunks(BLOCK));
            for ((params, means), squares) in blocks.rev() {
                vectorize(
                    #[inline(always)]
                    || {
                        for ((w, &m), &v) in params.iter_mut().zip(means).zip(squares) {
                            *w -= rate * direction.of(m, v);
                        }
                    },
                );
            }
        });
    }

    fn config(&self) -> Option<Config> {
        Config::of(self)
    }
}

/// The direction of Adam from its moments.
#[derive(Clone, Copy)]
struct Direction<F> {
    /// The bias corrections.
    mean: F,
    square: F,
    epsilon: F,
}

impl<F: Float> Direction<F> {
    #[inline(always)]
    fn of(self, m: F, v: F) -> F {
        m * self.mean / ((v * self.square).sqrt() + self.epsilon)
    }
}

/// The sum of the squares of a function of two slices' numbers, in partial sums of their own type.
#[inline(always)]
fn lane_squares<F: Float>(a: &[F], b: &[F], of: impl Fn(F, F) -> F) -> f64 {
    let ((a_lines, a_rest), (b_lines, b_rest)) = (a.as_chunks::<LANES>(), b.as_chunks::<LANES>());
    let mut sums = [F::zero(); LANES];
    for (a, b) in a_lines.iter().zip(b_lines) {
        for ((sum, &a), &b) in sums.iter_mut().zip(a).zip(b) {
            let v = of(a, b);
            *sum += v * v;
        }
    }
    for ((sum, &a), &b) in sums.iter_mut().zip(a_rest).zip(b_rest) {
        let v = of(a, b);
        *sum += v * v;
    }
    sums.iter().map(|sum| sum.as_f64()).sum()
}
