//! Fixed-point grids for exact sums: how fine the values of each column are counted.
//!
//! A value is counted in steps so coarse that no sum of all rows leaves the range of an `i64`, and its remainder in steps of a
//! second, finer size. Rounding to steps is one addition and one subtraction of a *rounding constant*, 1.5·2⁵² steps: the sum
//! has no digits below a step, and its bits, read as an integer, are those of the constant plus the number of steps.
//!
//! ```text
//!     column bound                                                        f64 value
//!     |<----------- 51 bits: steps ----------->|<--- 42 bits: fine steps --->|
//! ```
//! The steps are 2⁻⁵¹ of the bound of a column (coarser for more than 2²⁰ rows), the fine ones 2⁻⁴² of these. Unweighted rows
//! of `f32`, whose values have 24 bits, need no fine steps.

use super::width;
use crate::buffer::Buffer;
use crate::cluster::kmeans::moments::Moments;
use crate::cluster::kmeans::ranks::Ranks;
use crate::cluster::kmeans::samples::Samples;
use crate::error::Result;
use crate::float::Float;

/// The grid of each column.
#[derive(Debug, Clone)]
pub(crate) struct FixedPoint {
    pub(crate) n_features: usize,
    /// Whether there are fine steps.
    pub(crate) has_fine_steps: bool,
    /// A factor of the weights: a power of two with which no weight reaches 2 and no sum overflows.
    pub(crate) scale: f64,
    /// The size of a step, for each element of a line of sums.
    pub(crate) step_sizes: Buffer<f64>,
    /// [`ROUNDING_CONSTANT`] steps, for each element of a line of sums.
    pub(crate) rounding_constants: Buffer<f64>,
}

/// Steps of the largest value, for up to [`ROWS`] rows.
const STEPS: f64 = (1_u64 << 51) as f64;

/// Fine steps of a step.
pub(crate) const FINE_STEPS: f64 = (1_u64 << 42) as f64;

/// By the Cauchy-Schwarz inequality a sum of n values is at most √n times their bound: that of this many rows has 61 bits.
pub(crate) const ROWS: usize = 1 << 20;

/// The smallest sum of squares that is trusted.
const MIN_SUM_OF_SQUARES: f64 = 1e-280;

/// The largest bound of a column that leaves exponent range for its steps.
const MAX_BOUND: f64 = 1e280;

/// 1.5 · 2⁵². A value of at most 2⁵¹ steps added to this many steps is rounded to whole steps.
const ROUNDING_CONSTANT: f64 = 6_755_399_441_055_744.0;

/// The bits of a rounded value.
#[inline(always)]
pub(crate) fn bits(value: f64) -> i64 {
    value.to_bits().cast_signed()
}

/// The bits of the remainder after rounding to steps, rounded to fine steps.
#[inline(always)]
pub(crate) fn remainder_bits(value: f64, constant: f64) -> i64 {
    bits((value - ((value + constant) - constant)) + constant / FINE_STEPS)
}

/// The number of steps in a sum of the bits of `n` rounded values.
#[inline(always)]
pub(crate) fn steps(sum: i64, n: i64, constant: f64) -> f64 {
    sum.wrapping_sub(n.wrapping_mul(bits(constant))) as f64
}

impl FixedPoint {
    /// The grid for the rows of all ranks; the moments may include others.
    pub(crate) fn new<F: Float>(
        samples: &Samples<'_, F>,
        ranks: &Ranks<'_>,
        moments: &Moments<F>,
    ) -> Result<Self> {
        Self::with_bounds(ranks.n_rows(), heaviest(samples, ranks)?, || farthest(samples, ranks), moments)
    }

    /// The grid for `n` rows with this largest weight. `farthest` returns the largest magnitude in each column.
    pub(crate) fn with_bounds<F: Float>(
        n: usize,
        heaviest: Option<f64>,
        farthest: impl FnOnce() -> Result<Vec<f64>>,
        moments: &Moments<F>,
    ) -> Result<Self> {
        let d = moments.mean.len();
        let scale = heaviest.map_or(1.0, scale_below_2);
        let root = (n as f64).sqrt();
        // Squares of `f64` values may have underflowed.
        let is_unknown = |squares: f64| squares < MIN_SUM_OF_SQUARES && size_of::<F>() > size_of::<f32>();
        let farthest = match moments.column_sums_of_squares.iter().any(|squares| is_unknown(*squares)) {
            true => farthest()?,
            false => Vec::new(),
        };
        let bound = |(column, squares): (usize, &f64)| match *squares {
            squares if is_unknown(squares) => farthest[column] * root,
            // By the triangle inequality for the columns as vectors.
            squares => squares.sqrt() + root * moments.mean[column].as_f64().abs(),
        };
        let bounds: Vec<f64> = moments.column_sums_of_squares.iter().enumerate().map(bound).collect();
        let small = if bounds.iter().any(|bound| *bound > MAX_BOUND) { 1.0 / MAX_BOUND.sqrt() } else { 1.0 };
        let scale = scale * small;
        let bounds = bounds.into_iter().map(|bound| bound * small).chain([root]);
        let n_steps = STEPS / (n as f64 / ROWS as f64).max(1.0).log(4.0).ceil().exp2();
        let [mut step_sizes, mut rounding_constants] = [Buffer::<f64>::new(width(d)), Buffer::new(width(d))];
        for ((size, constant), bound) in step_sizes.iter_mut().zip(rounding_constants.iter_mut()).zip(bounds)
        {
            *size = if bound == 0.0 { 0.0 } else { power_above(bound) / n_steps };
            *constant = *size * ROUNDING_CONSTANT;
        }
        let has_fine_steps = size_of::<F>() > size_of::<f32>() || heaviest.is_some();
        Ok(Self { n_features: d, has_fine_steps, scale, step_sizes, rounding_constants })
    }

    /// Size in bytes of the sums of `n_clusters` clusters.
    pub(crate) fn bytes(&self, n_clusters: usize) -> usize {
        let elements = (n_clusters + 1).saturating_mul(self.rounding_constants.len());
        elements.saturating_mul(size_of::<i64>() * if self.has_fine_steps { 2 } else { 1 })
    }
}

/// The largest weight of all ranks, if rows have weights.
pub(crate) fn heaviest<F: Float>(samples: &Samples<'_, F>, ranks: &Ranks<'_>) -> Result<Option<f64>> {
    let Some(weights) = samples.weights else { return Ok(None) };
    let mut heaviest = [weights.iter().map(|weight| weight.as_f64()).fold(0.0, f64::max)];
    ranks.max(&mut heaviest)?;
    Ok(Some(heaviest[0]))
}

/// The largest magnitude in each column, of all ranks.
fn farthest<F: Float>(samples: &Samples<'_, F>, ranks: &Ranks<'_>) -> Result<Vec<f64>> {
    let mut farthest = vec![0.0; samples.n_features];
    raise_to(&mut farthest, samples);
    ranks.max(&mut farthest)?;
    Ok(farthest)
}

/// Raises each bound to the largest magnitude in its column.
pub(crate) fn raise_to<F: Float>(bounds: &mut [f64], samples: &Samples<'_, F>) {
    for row in samples.values.chunks_exact(samples.n_features) {
        bounds.iter_mut().zip(row).for_each(|(bound, x)| *bound = f64::max(*bound, x.as_f64().abs()));
    }
}

/// The largest power of two whose product with a value of at least 0 is below 2.
fn scale_below_2(value: f64) -> f64 {
    if value == 0.0 { 1.0 } else { (-value.log2().floor()).min(1000.0).exp2() }
}

/// A power of two of at least twice a value.
fn power_above(value: f64) -> f64 {
    (value.log2().ceil().max(-900.0) + 1.0).exp2()
}
