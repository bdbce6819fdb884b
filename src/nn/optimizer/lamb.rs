//! LAMB.

use super::checks::{check_decay_rate, check_non_negative};
use super::flush::flush_to_zero;
use super::rule::{ArrayStep, Step, UpdateRule};
use super::rule_optimizer::RuleOptimizer;
use super::schedule::LearningRate;
use crate::error::Result;
use crate::float::Float;
use crate::nn::layer::Config;
use crate::simd::vectorize;
use serde::{Deserialize, Serialize};

/// LAMB: Adam's step, scaled for each weight array by a trust ratio.
///
/// `r = m̂ / (√v̂ + ε)` with Adam's bias-corrected moments, `w -= rate · (‖w‖ / ‖r‖) r`; the trust ratio
/// `‖w‖ / ‖r‖` is 1 if one of the norms is 0.
///
/// # Parameters
/// Defaults: learning rate 0.001, β₁ 0.9, β₂ 0.999, ε 1e-7.
///
/// # Examples
/// ```
/// use axonal::optimizers::Lamb;
/// use axonal::prelude::*;
/// let optimizer = Lamb::new(0.001);
/// # let _ = optimizer;
/// ```
///
/// # References
/// You et al. 2020, arXiv:1904.00962.
pub type Lamb = RuleOptimizer<LambRule>;

/// The update rule of [`Lamb`].
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct LambRule {
    beta_1: f64,
    beta_2: f64,
    epsilon: f64,
}

/// Elements whose squares are summed in their own type before the sum is added in `f64`.
const CHUNK: usize = 1024;

/// Number of partial sums, so that the compiler can vectorize a sum.
const LANES: usize = 64;

impl Lamb {
    /// Creates LAMB with a learning rate: a number, a schedule, or a function of the step.
    pub fn new(learning_rate: impl Into<LearningRate>) -> Self {
        RuleOptimizer::from_rule(LambRule { beta_1: 0.9, beta_2: 0.999, epsilon: 1e-7 }, learning_rate)
    }

    /// Sets β₁, the decay rate of the first moment: `0 <= β₁ < 1`.
    #[must_use]
    pub fn beta_1(mut self, beta_1: f64) -> Self {
        self.rule.beta_1 = beta_1;
        self
    }

    /// Sets β₂, the decay rate of the second moment: `0 <= β₂ < 1`.
    #[must_use]
    pub fn beta_2(mut self, beta_2: f64) -> Self {
        self.rule.beta_2 = beta_2;
        self
    }

    /// Sets ε, a small constant for numerical stability.
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

impl<F: Float> UpdateRule<F> for LambRule {
    crate::float::precompiled::into_arc!(LambRule: UpdateRule<F>);

    fn kind(&self) -> &'static str {
        "lamb"
    }

    fn moments(&self) -> Vec<f64> {
        vec![0.0, 0.0]
    }

    fn validate(&self) -> Result<()> {
        check_decay_rate("lamb", "beta_1", self.beta_1)?;
        check_decay_rate("lamb", "beta_2", self.beta_2)?;
        check_non_negative("lamb", "epsilon", self.epsilon)
    }

    fn update(&self, step: Step<'_, F>) {
        let t = step.time();
        let corrections = (1.0 / (1.0 - self.beta_1.powf(t)), 1.0 / (1.0 - self.beta_2.powf(t)));
        let direction = AdamDirection {
            first: F::of(corrections.0),
            second: F::of(corrections.1),
            epsilon: F::of(self.epsilon),
        };
        let (mean_rate, square_rate) = (F::of(1.0 - self.beta_1), F::of(1.0 - self.beta_2));
        step.for_each_array(|ArrayStep { params, grads, moments, learning_rate, .. }| {
            let [means, squares] = moments;
            let (mut w_squares, mut r_squares) = (0.0, 0.0);
            let chunks = means.chunks_mut(CHUNK).zip(squares.chunks_mut(CHUNK)).zip(grads.chunks(CHUNK));
            for (((means, squares), grads), params) in chunks.zip(params.chunks(CHUNK)) {
                let sums = vectorize(
                    #[inline(always)]
                    || {
                        for ((&g, m), v) in grads.iter().zip(means.iter_mut()).zip(squares.iter_mut()) {
                            *m = flush_to_zero(*m + (g - *m) * mean_rate);
                            *v = flush_to_zero(*v + (g * g - *v) * square_rate);
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
                                |m, v| direction.at(m, v),
                            ),
                        ]
                    },
                );
                w_squares += sums[0];
                r_squares += sums[1];
            }
            let trust_ratio =
                if r_squares > 0.0 && w_squares > 0.0 { (w_squares / r_squares).sqrt() } else { 1.0 };
            let rate = F::of(learning_rate * trust_ratio);
            // Backward: the chunks that were read last are still in the cache.
            let chunks = params.chunks_mut(CHUNK).zip(means.chunks(CHUNK)).zip(squares.chunks(CHUNK));
            for ((params, means), squares) in chunks.rev() {
                vectorize(
                    #[inline(always)]
                    || {
                        for ((w, &m), &v) in params.iter_mut().zip(means).zip(squares) {
                            *w -= rate * direction.at(m, v);
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

/// Adam's step direction from its moments.
#[derive(Clone, Copy)]
struct AdamDirection<F> {
    /// The bias corrections of both moments.
    first: F,
    second: F,
    epsilon: F,
}

impl<F: Float> AdamDirection<F> {
    #[inline(always)]
    fn at(self, m: F, v: F) -> F {
        m * self.first / ((v * self.second).sqrt() + self.epsilon)
    }
}

/// The sum of `of(a, b)²` over two slices, in partial sums of the element type.
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

#[cfg(test)]
mod tests {
    use super::lane_squares;

    #[test]
    fn squares_of_any_number_are_added() {
        for len in [0, 1, 3, 63, 64, 65, 200] {
            // Small integers, whose squares and sums are exact.
            let values = |scale: usize| (0..len).map(|i| ((i * scale) % 7) as f64 - 3.0).collect::<Vec<_>>();
            let (a, b) = (values(3), values(5));
            let want: f64 = a.iter().zip(&b).map(|(a, b)| (a - 2.0 * b) * (a - 2.0 * b)).sum();
            assert_eq!(lane_squares(&a, &b, |a, b| a - 2.0 * b), want, "{len} values");
        }
    }
}
