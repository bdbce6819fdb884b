//! Adafactor.

use super::{ArrayStep, LearningRate, Optimizer, Step, Tuned, at_least_zero, sum_of_squares};
use crate::error::{Error, Result};
use crate::float::Float;
use crate::nn::layer::Config;
use crate::simd::vectorize;
use serde::{Deserialize, Serialize};
use std::ops::Range;

/// Steps relative to the size of each weight array, scaled by running mean squares that are kept as the product
/// of a row's and a column's.
///
/// With `ρ = min(rate, 1/√t)`, `α = max(ε₂, rms(w)) ρ` and `β = 1 - t^decay`: of an array with two axes or more the
/// means of `g² + ε₁` along its last two axes are kept, `r` and `c`, and `v = r cᵀ / mean(r)`; of a vector `v` itself.
/// `u = g / √v`, `w -= α u / max(1, rms(u) / clip)`.
///
/// The moments take as much memory here as Adam's; what is gained is the update rule alone.
///
/// # Parameters
/// By default the learning rate is 0.001, the decay's power -0.8, ε₁ 1e-30, ε₂ 1e-3, clip 1, relative steps on.
///
/// # Examples
/// ```
/// use axonal::prelude::*;
/// let optimizer = Adafactor::new(0.01);
/// # let _ = optimizer;
/// ```
///
/// # References
/// Shazeer and Stern 2018, arXiv:1804.04235.
pub type Adafactor = Tuned<AdafactorRule>;

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

/// The partial sums of a row.
const LANES: usize = 32;

impl Adafactor {
    /// Adafactor at a learning rate: a number, a schedule, or a closure of the step.
    pub fn new(learning_rate: impl Into<LearningRate>) -> Self {
        let rule = AdafactorRule {
            beta_2_decay: -0.8,
            epsilon_1: 1e-30,
            epsilon_2: 1e-3,
            clip_threshold: 1.0,
            relative_step: true,
        };
        Tuned::of(rule, learning_rate)
    }

    /// The power of the step in the decay of the mean squares: negative.
    #[must_use]
    pub fn beta_2_decay(mut self, beta_2_decay: f64) -> Self {
        self.rule.beta_2_decay = beta_2_decay;
        self
    }

    /// What is added to squared gradients.
    #[must_use]
    pub fn epsilon_1(mut self, epsilon_1: f64) -> Self {
        self.rule.epsilon_1 = epsilon_1;
        self
    }

    /// The least size of an array that steps are relative to.
    #[must_use]
    pub fn epsilon_2(mut self, epsilon_2: f64) -> Self {
        self.rule.epsilon_2 = epsilon_2;
        self
    }

    /// The largest root mean square of a scaled gradient.
    #[must_use]
    pub fn clip_threshold(mut self, clip_threshold: f64) -> Self {
        self.rule.clip_threshold = clip_threshold;
        self
    }

    /// Whether the learning rate is bounded by 1/√t. As in Keras it is so in either case, for its rule bounds the
    /// rate a second time; the setting is here for configurations that name it.
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

impl<F: Float> Optimizer<F> for AdafactorRule {
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
        at_least_zero("adafactor", "epsilon_1", self.epsilon_1)?;
        at_least_zero("adafactor", "epsilon_2", self.epsilon_2)?;
        if self.clip_threshold > 0.0 {
            return Ok(());
        }
        Err(Error::invalid_parameter("adafactor", "clip_threshold", self.clip_threshold, "a number above 0"))
    }

    fn update(&self, step: Step<'_, F>) {
        let t = step.time();
        let decay = 1.0 - t.powf(self.beta_2_decay);
        step.each_array(|ArrayStep { params, grads, moments: [first, second], learning_rate, shape }| {
            let alpha = learning_rate.min(1.0 / t.sqrt()) * rms(params).max(self.epsilon_2);
            let (decay, rest) = (F::of(decay), F::of(1.0 - decay));
            let squares = MeanSquares::new(shape, first, second);
            let squares = squares.update(grads, decay, rest, F::of(self.epsilon_1));
            let mut total = 0.0;
            squares.each_stretch(|range, stretch| total += stretch.sum_of_squares(&grads[range]));
            let size = (total / grads.len().max(1) as f64).sqrt();
            let factor = F::of(alpha / (size / self.clip_threshold).max(1.0));
            squares.each_stretch(|range, stretch| {
                stretch.step(&mut params[range.clone()], &grads[range], factor);
            });
        });
    }

    fn config(&self) -> Option<Config> {
        Config::of(self)
    }
}

/// The running mean squares of an array: of its rows and columns, or of each number of a vector.
enum MeanSquares<'a, F> {
    Vector(&'a mut [F]),
    Matrices { rows: usize, columns: usize, row_means: &'a mut [F], column_means: &'a mut [F] },
}

impl<'a, F: Float> MeanSquares<'a, F> {
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

    /// Takes in the squares of new gradients.
    fn update(mut self, grads: &[F], decay: F, rest: F, epsilon: F) -> Self {
        match &mut self {
            Self::Vector(squares) => {
                vectorize(
                    #[inline(always)]
                    || {
                        for (v, &g) in squares.iter_mut().zip(grads) {
                            *v = decay * *v + rest * (g * g + epsilon);
                        }
                    },
                );
            }
            Self::Matrices { rows, columns, row_means, column_means } => {
                let (row_share, column_share) = (rest / F::of(*columns as f64), rest / F::of(*rows as f64));
                row_means.iter_mut().chain(column_means.iter_mut()).for_each(|mean| *mean *= decay);
                vectorize(
                    #[inline(always)]
                    || {
                        for (row, grads) in grads.chunks_exact(*columns).enumerate() {
                            let columns = &mut column_means[row / *rows * *columns..][..*columns];
                            for (column, &g) in columns.iter_mut().zip(grads) {
                                *column += column_share * (g * g + epsilon);
                            }
                            row_means[row] += row_share * lane_sum(grads, epsilon);
                        }
                    },
                );
            }
        }
        self
    }

    /// Calls `visit` for stretches of the numbers, with what their gradients are multiplied by. The roots of a matrix'
    /// columns are taken once for all of its rows.
    fn each_stretch(&self, mut visit: impl FnMut(Range<usize>, Stretch<'_, F>)) {
        let mut inverse = [F::zero(); STRETCH];
        match self {
            Self::Vector(squares) => visit(0..squares.len(), Stretch::Squares(squares)),
            Self::Matrices { rows, columns, row_means, column_means } => {
                let per_matrix = row_means.chunks_exact(*rows).zip(column_means.chunks_exact(*columns));
                for (matrix, (row_means, column_means)) in per_matrix.enumerate() {
                    let mean = row_means.iter().copied().sum::<F>() / F::of(*rows as f64);
                    for (index, column_means) in column_means.chunks(STRETCH).enumerate() {
                        let inverse = &mut inverse[..column_means.len()];
                        inverse_roots(column_means, inverse);
                        for (row, &row_mean) in row_means.iter().enumerate() {
                            let first = (matrix * *rows + row) * *columns + index * STRETCH;
                            let factor = (mean / row_mean).sqrt();
                            visit(first..first + inverse.len(), Stretch::Roots { factor, inverse });
                        }
                    }
                }
            }
        }
    }
}

/// The numbers whose roots are kept at a time.
const STRETCH: usize = 1024;

fn inverse_roots<F: Float>(squares: &[F], inverse: &mut [F]) {
    vectorize(
        #[inline(always)]
        || inverse.iter_mut().zip(squares).for_each(|(inverse, v)| *inverse = F::one() / v.sqrt()),
    );
}

/// What the gradients of some numbers are divided by: the roots of these squares; or multiplied by: a factor and the
/// inverse roots.
enum Stretch<'a, F> {
    Squares(&'a [F]),
    Roots { factor: F, inverse: &'a [F] },
}

impl<F: Float> Stretch<'_, F> {
    fn sum_of_squares(&self, grads: &[F]) -> f64 {
        match *self {
            Self::Squares(squares) => sum_of_squares(
                grads,
                squares,
                #[inline(always)]
                |g, v| g / v.sqrt(),
            ),
            Self::Roots { factor, inverse } => sum_of_squares(
                grads,
                inverse,
                #[inline(always)]
                |g, inverse| g * factor * inverse,
            ),
        }
    }

    fn step(&self, params: &mut [F], grads: &[F], rate: F) {
        let numbers = params.iter_mut().zip(grads);
        match *self {
            Self::Squares(squares) => vectorize(
                #[inline(always)]
                || numbers.zip(squares).for_each(|((w, &g), &v)| *w -= rate * (g / v.sqrt())),
            ),
            Self::Roots { factor, inverse } => vectorize(
                #[inline(always)]
                || {
                    let factor = rate * factor;
                    numbers.zip(inverse).for_each(|((w, &g), &inverse)| *w -= factor * (g * inverse));
                },
            ),
        }
    }
}

/// The sum of `g² + ε` in partial sums, which vectors can add up.
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

/// The root of the mean square.
fn rms<F: Float>(values: &[F]) -> f64 {
    (sum_of_squares(values, values, |v, _| v) / values.len().max(1) as f64).sqrt()
}
