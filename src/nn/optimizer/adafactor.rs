//! Adafactor.

use super::checks::check_non_negative;
use super::rule::{ArrayStep, Step, UpdateRule};
use super::rule_optimizer::RuleOptimizer;
use super::schedule::LearningRate;
use crate::error::{Error, Result};
use crate::float::Float;
use crate::nn::layer::Config;
use crate::simd::vectorize;
use serde::{Deserialize, Serialize};
use std::ops::Range;

/// Adafactor: steps relative to the scale of each weight array, with factored second moments.
///
/// With `ρ = min(rate, 1/√t)`, `α = max(ε₂, rms(w)) ρ` and `β = 1 - t^decay`: for an array with two axes or more,
/// moving averages of the row means `r` and column means `c` of `g² + ε₁` are kept, and `v = r cᵀ / mean(r)`; for a
/// vector, of `v` itself. `u = g / √v`, `w -= α u / max(1, rms(u) / clip)`.
///
/// The moments take as much memory here as Adam's: the factored moments are stored in buffers of full size.
///
/// # Parameters
/// Defaults: learning rate 0.001, decay power -0.8, ε₁ 1e-30, ε₂ 1e-3, clip threshold 1, relative steps.
///
/// # Examples
/// ```
/// use axonal::optimizers::Adafactor;
/// use axonal::prelude::*;
/// let optimizer = Adafactor::new(0.01);
/// # let _ = optimizer;
/// ```
///
/// # References
/// Shazeer and Stern 2018, arXiv:1804.04235.
pub type Adafactor = RuleOptimizer<AdafactorRule>;

/// The update rule of [`Adafactor`].
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct AdafactorRule {
    beta_2_decay: f64,
    epsilon_1: f64,
    epsilon_2: f64,
    clip_threshold: f64,
    relative_step: bool,
}

/// Number of partial sums of a row, so that the compiler can vectorize the sum.
const LANES: usize = 32;

impl Adafactor {
    /// Creates Adafactor with a learning rate: a number, a schedule, or a function of the step.
    pub fn new(learning_rate: impl Into<LearningRate>) -> Self {
        let rule = AdafactorRule {
            beta_2_decay: -0.8,
            epsilon_1: 1e-30,
            epsilon_2: 1e-3,
            clip_threshold: 1.0,
            relative_step: true,
        };
        RuleOptimizer::from_rule(rule, learning_rate)
    }

    /// Sets the power of the step in the decay rate of the second moments: negative.
    #[must_use]
    pub fn beta_2_decay(mut self, beta_2_decay: f64) -> Self {
        self.rule.beta_2_decay = beta_2_decay;
        self
    }

    /// Sets ε₁, which is added to squared gradients.
    #[must_use]
    pub fn epsilon_1(mut self, epsilon_1: f64) -> Self {
        self.rule.epsilon_1 = epsilon_1;
        self
    }

    /// Sets ε₂, the smallest scale of an array that steps are relative to.
    #[must_use]
    pub fn epsilon_2(mut self, epsilon_2: f64) -> Self {
        self.rule.epsilon_2 = epsilon_2;
        self
    }

    /// Sets the largest root mean square of a scaled gradient.
    #[must_use]
    pub fn clip_threshold(mut self, clip_threshold: f64) -> Self {
        self.rule.clip_threshold = clip_threshold;
        self
    }

    /// Enables or disables the bound 1/√t on the learning rate. As in Keras it has no effect, because the rule
    /// applies the bound a second time; the setting exists for Keras's configurations.
    #[must_use]
    pub fn relative_step(mut self, relative_step: bool) -> Self {
        self.rule.relative_step = relative_step;
        self
    }
}

impl Default for Adafactor {
    fn default() -> Self {
        Self::new(0.001)
    }
}

impl<F: Float> UpdateRule<F> for AdafactorRule {
    crate::float::precompiled::into_arc!(AdafactorRule: UpdateRule<F>);

    fn kind(&self) -> &'static str {
        "adafactor"
    }

    fn moments(&self) -> Vec<f64> {
        vec![0.0, 0.0]
    }

    fn validate(&self) -> Result<()> {
        if !(self.beta_2_decay < 0.0 && self.beta_2_decay.is_finite()) {
            let expected = "a finite number below 0";
            return Err(Error::invalid_parameter("adafactor", "beta_2_decay", self.beta_2_decay, expected));
        }
        check_non_negative("adafactor", "epsilon_1", self.epsilon_1)?;
        check_non_negative("adafactor", "epsilon_2", self.epsilon_2)?;
        if self.clip_threshold > 0.0 {
            return Ok(());
        }
        Err(Error::invalid_parameter("adafactor", "clip_threshold", self.clip_threshold, "a number above 0"))
    }

    fn update(&self, step: Step<'_, F>) {
        let t = step.time();
        let decay = 1.0 - t.powf(self.beta_2_decay);
        step.for_each_array(|ArrayStep { params, grads, moments: [first, second], learning_rate, shape }| {
            let alpha = learning_rate.min(1.0 / t.sqrt()) * rms(params).max(self.epsilon_2);
            let (decay, one_minus_decay) = (F::of(decay), F::of(1.0 - decay));
            let moments = SecondMoments::new(shape, first, second);
            let moments = moments.update(grads, decay, one_minus_decay, F::of(self.epsilon_1));
            let mut total = 0.0;
            moments.for_each_chunk(|range, chunk| total += chunk.sum_of_squares(&grads[range]));
            let update_rms = (total / grads.len().max(1) as f64).sqrt();
            let factor = F::of(alpha / (update_rms / self.clip_threshold).max(1.0));
            moments.for_each_chunk(|range, chunk| {
                chunk.step(&mut params[range.clone()], &grads[range], factor);
            });
        });
    }

    fn config(&self) -> Option<Config> {
        Config::of(self)
    }
}

/// The second moments of an array: factored into rows and columns, or of each element of a vector.
enum SecondMoments<'a, F> {
    Vector(&'a mut [F]),
    Matrices { rows: usize, columns: usize, row_means: &'a mut [F], column_means: &'a mut [F] },
}

impl<'a, F: Float> SecondMoments<'a, F> {
    fn new(shape: &[usize], first: &'a mut [F], second: &'a mut [F]) -> Self {
        match *shape {
            [.., rows, columns] => {
                let matrices = first.len() / (rows * columns).max(1);
                let row_means = &mut first[..matrices * rows];
                Self::Matrices { rows, columns, row_means, column_means: &mut second[..matrices * columns] }
            }
            _ => Self::Vector(first),
        }
    }

    /// Updates the moving averages by new gradients.
    fn update(mut self, grads: &[F], decay: F, one_minus_decay: F, epsilon: F) -> Self {
        match &mut self {
            Self::Vector(squares) => {
                vectorize(
                    #[inline(always)]
                    || {
                        for (v, &g) in squares.iter_mut().zip(grads) {
                            *v = decay * *v + one_minus_decay * (g * g + epsilon);
                        }
                    },
                );
            }
            Self::Matrices { rows, columns, row_means, column_means } => {
                let row_rate = one_minus_decay / F::of(*columns as f64);
                let column_rate = one_minus_decay / F::of(*rows as f64);
                row_means.iter_mut().chain(column_means.iter_mut()).for_each(|mean| *mean *= decay);
                vectorize(
                    #[inline(always)]
                    || {
                        for (row, grads) in grads.chunks_exact(*columns).enumerate() {
                            let columns = &mut column_means[row / *rows * *columns..][..*columns];
                            for (column, &g) in columns.iter_mut().zip(grads) {
                                *column += column_rate * (g * g + epsilon);
                            }
                            row_means[row] += row_rate * lane_sum(grads, epsilon);
                        }
                    },
                );
            }
        }
        self
    }

    /// Calls `visit` for chunks of the array, with the scale of their gradients. The inverse roots of the column
    /// means are computed once for all rows of a matrix.
    fn for_each_chunk(&self, mut visit: impl FnMut(Range<usize>, GradScale<'_, F>)) {
        let mut inverse = [F::zero(); CHUNK];
        match self {
            Self::Vector(squares) => visit(0..squares.len(), GradScale::Squares(squares)),
            Self::Matrices { rows, columns, row_means, column_means } => {
                let per_matrix = row_means.chunks_exact(*rows).zip(column_means.chunks_exact(*columns));
                for (matrix, (row_means, column_means)) in per_matrix.enumerate() {
                    let mean = row_means.iter().copied().sum::<F>() / F::of(*rows as f64);
                    for (index, column_means) in column_means.chunks(CHUNK).enumerate() {
                        let inverse = &mut inverse[..column_means.len()];
                        inverse_roots(column_means, inverse);
                        for (row, &row_mean) in row_means.iter().enumerate() {
                            let first = (matrix * *rows + row) * *columns + index * CHUNK;
                            let factor = (mean / row_mean).sqrt();
                            visit(first..first + inverse.len(), GradScale::Factored { factor, inverse });
                        }
                    }
                }
            }
        }
    }
}

/// Columns whose inverse roots are computed at a time.
const CHUNK: usize = 1024;

/// Computes `1 / √v`.
fn inverse_roots<F: Float>(squares: &[F], inverse: &mut [F]) {
    vectorize(
        #[inline(always)]
        || inverse.iter_mut().zip(squares).for_each(|(inverse, v)| *inverse = F::one() / v.sqrt()),
    );
}

/// The scale of the gradients of a chunk.
enum GradScale<'a, F> {
    /// Divide by the roots of these second moments.
    Squares(&'a [F]),
    /// Multiply by a factor of the row and by the inverse roots of the columns.
    Factored { factor: F, inverse: &'a [F] },
}

impl<F: Float> GradScale<'_, F> {
    fn sum_of_squares(&self, grads: &[F]) -> f64 {
        match *self {
            Self::Squares(squares) => sum_of_squares(
                grads,
                squares,
                #[inline(always)]
                |g, v| g / v.sqrt(),
            ),
            Self::Factored { factor, inverse } => sum_of_squares(
                grads,
                inverse,
                #[inline(always)]
                |g, inverse| g * factor * inverse,
            ),
        }
    }

    fn step(&self, params: &mut [F], grads: &[F], rate: F) {
        let elements = params.iter_mut().zip(grads);
        match *self {
            Self::Squares(squares) => vectorize(
                #[inline(always)]
                || elements.zip(squares).for_each(|((w, &g), &v)| *w -= rate * (g / v.sqrt())),
            ),
            Self::Factored { factor, inverse } => vectorize(
                #[inline(always)]
                || {
                    let factor = rate * factor;
                    elements.zip(inverse).for_each(|((w, &g), &inverse)| *w -= factor * (g * inverse));
                },
            ),
        }
    }
}

/// The sum of `g² + ε`, in partial sums, which the compiler vectorizes.
#[inline(always)]
fn lane_sum<F: Float>(grads: &[F], epsilon: F) -> F {
    let (lines, rest) = grads.as_chunks::<LANES>();
    let mut sums = [F::zero(); LANES];
    for line in lines {
        for (sum, &g) in sums.iter_mut().zip(line) {
            *sum += g * g + epsilon;
        }
    }
    for (sum, &g) in sums.iter_mut().zip(rest) {
        *sum += g * g + epsilon;
    }
    sums.into_iter().sum()
}

/// Root mean square.
fn rms<F: Float>(values: &[F]) -> f64 {
    (sum_of_squares(values, values, |v, _| v) / values.len().max(1) as f64).sqrt()
}

/// The sum of `of(a, b)²` over two slices, in eight partial sums, which the compiler vectorizes.
fn sum_of_squares<F: Float>(a: &[F], b: &[F], of: impl Fn(F, F) -> F) -> f64 {
    vectorize(
        #[inline(always)]
        || {
            let ((a_blocks, a_rest), (b_blocks, b_rest)) = (a.as_chunks::<8>(), b.as_chunks::<8>());
            let mut sums = [0.0; 8];
            for (a, b) in a_blocks.iter().zip(b_blocks) {
                for ((sum, &a), &b) in sums.iter_mut().zip(a).zip(b) {
                    let v = of(a, b).as_f64();
                    *sum += v * v;
                }
            }
            for (&a, &b) in a_rest.iter().zip(b_rest) {
                let v = of(a, b).as_f64();
                sums[0] += v * v;
            }
            sums.iter().sum()
        },
    )
}

#[cfg(test)]
mod tests {
    use super::lane_sum;

    #[test]
    fn squares_of_any_number_are_added() {
        for len in [0_u32, 1, 3, 31, 32, 33, 64, 65, 200] {
            // Small integers, whose squares and sums are exact.
            let values: Vec<f64> = (0..len).map(|i| f64::from(i * 3 % 7) - 3.0).collect();
            let want: f64 = values.iter().map(|v| v * v + 0.5).sum();
            assert_eq!(lane_sum(&values, 0.5), want, "{len} values");
        }
    }
}
