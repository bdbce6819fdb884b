//! The mean and the sums of squares of the data.

use super::samples::{Samples, out_of_range};
use crate::error::{Error, Result};
use crate::float::Float;
use crate::parallel;
use crate::simd::{prefetch, vectorize};
use crate::validate;
use ndarray::ArrayView2;

/// Accumulators side by side, so that short rows fill whole vectors too.
const WIDTH: usize = 32;

/// Rows of a task that sums over columns.
const CHUNK: usize = 4096;

/// Mean and sums of squares of the data.
#[derive(Debug, Clone)]
pub(crate) struct Moments<F> {
    /// The unweighted mean of each column.
    pub(crate) mean: Vec<F>,
    /// The mean of the columns' unweighted variances.
    pub(crate) mean_variance: f64,
    /// Σ wᵢ‖xᵢ − mean‖².
    pub(crate) total_sum_of_squares: f64,
    /// Unweighted Σ (xᵢ − mean)² of each column: no value of these rows is farther from the mean than its root.
    pub(crate) column_sums_of_squares: Vec<f64>,
}

impl<F: Float> Moments<F> {
    /// The moments of the rows; refuses rows that are not finite, and values whose squares are out of range.
    pub(crate) fn of(samples: &Samples<'_, F>) -> Result<Self> {
        let (n, d) = (samples.n_samples(), samples.n_features);
        // A column sum is finite only if each element is: this pass is the check, too.
        let mean: Vec<f64> = column_sums(samples).iter().map(|sum| sum / n as f64).collect();
        if mean.iter().any(|m| !m.is_finite()) {
            let rows = ArrayView2::from_shape((n, d), samples.values);
            rows.map_or(Ok(()), |rows| validate::finite("x", &rows))?;
            return Err(out_of_range(samples));
        }
        let mean: Vec<F> = mean.into_iter().map(F::of).collect();
        let (column_sums_of_squares, weighted) = sums_of_squares(samples, &mean);
        let total = column_sums_of_squares.iter().sum::<f64>();
        let total_sum_of_squares = weighted.unwrap_or(total);
        // Scores of rows and the norms in them are finite if this is.
        let in_range = 4.0 * total < F::max_value().as_f64();
        if !in_range {
            return Err(out_of_range(samples));
        }
        let weight: f64 = samples.weights.into_iter().flatten().map(|w| w.as_f64()).sum();
        if !(weight.is_finite() && total_sum_of_squares.is_finite()) {
            let problem = "they are so large that sums over the rows leave the range of f64; scale them down";
            return Err(Error::Weight { what: "sample_weight".into(), problem: problem.into() });
        }
        Ok(Self { mean, mean_variance: total / (n * d) as f64, total_sum_of_squares, column_sums_of_squares })
    }

    /// The moments about the origin in place of the mean.
    pub(crate) fn about_origin(self, samples: &Samples<'_, F>) -> Self {
        let mean = vec![F::zero(); self.mean.len()];
        let (column_sums_of_squares, weighted) = sums_of_squares(samples, &mean);
        let total_sum_of_squares = weighted.unwrap_or_else(|| column_sums_of_squares.iter().sum());
        Self { mean, total_sum_of_squares, column_sums_of_squares, ..self }
    }

    /// The point to subtract from centers that move in small steps, by column: the mean where it is large beside the standard
    /// deviation of `n_samples` rows, because steps would be lost in rounding; else the origin, about which small values
    /// keep their digits.
    pub(crate) fn reference(&self, n_samples: usize) -> Vec<F> {
        let columns = self.mean.iter().zip(&self.column_sums_of_squares);
        let point = |(mean, squares): (&F, &f64)| {
            let is_far = mean.as_f64().abs() > 2.0 * (squares / n_samples as f64).sqrt();
            if is_far { *mean } else { F::zero() }
        };
        columns.map(point).collect()
    }

    /// A bound of the rounding error of the total sum of squares less the explained one, where sums about the origin are
    /// exact up to one rounding.
    pub(crate) fn rounding_error(&self, samples: &Samples<'_, F>) -> f64 {
        /// Relative error of the `f64` sums.
        const ROUNDING: f64 = 1e-12;
        let weight: f64 = match samples.weights {
            Some(weights) => weights.iter().map(|weight| weight.as_f64()).sum(),
            None => samples.n_samples() as f64,
        };
        // Σ W|c − m|·|m|, by the Cauchy-Schwarz inequality.
        let square: f64 = self.mean.iter().map(|mean| (mean.as_f64() * f64::EPSILON).powi(2)).sum();
        ROUNDING * self.total_sum_of_squares
            + 4.0 * (square * weight).sqrt() * self.total_sum_of_squares.sqrt()
    }

    /// The moments with the total sum of squares of other rows.
    pub(crate) fn with_total_of(&self, samples: &Samples<'_, F>) -> Self {
        let (columns, weighted) = sums_of_squares(samples, &self.mean);
        let total_sum_of_squares = weighted.unwrap_or_else(|| columns.iter().sum());
        Self { total_sum_of_squares, ..self.clone() }
    }
}

/// A chunk of the rows and its sums.
struct RowSums<'a, F> {
    samples: Samples<'a, F>,
    sums: Vec<f64>,
}

fn chunks<'a, F: Float>(samples: &Samples<'a, F>, n_sums: usize) -> Vec<RowSums<'a, F>> {
    let n = samples.n_samples();
    let starts = (0..n).step_by(CHUNK);
    starts
        .map(|first| RowSums { samples: samples.slice(first, CHUNK.min(n - first)), sums: vec![0.0; n_sums] })
        .collect()
}

/// Rows to add together so that their features fill [`WIDTH`] accumulators.
fn rows_together(n_features: usize) -> usize {
    WIDTH.div_ceil(n_features)
}

/// Adds `term(x, mean)` of each value to the sum of its column. Rows are as long as `mean`; the last may be shorter.
#[inline(always)]
fn add_terms<F: Float>(values: &[F], mean: &[f64], sums: &mut [f64], term: impl Fn(f64, f64) -> f64) {
    /// Rows whose columns are added together: they stay in the cache.
    const ROWS: usize = 16;
    let width = mean.len();
    let whole = width - width % WIDTH;
    for rows in values.chunks(ROWS * width) {
        // Sums of `WIDTH` columns at a time stay in registers.
        for column in (0..whole).step_by(WIDTH) {
            let (Some(mean), Some(sums)) =
                (mean[column..].first_chunk::<WIDTH>(), sums[column..].first_chunk_mut::<WIDTH>())
            else {
                continue;
            };
            let mut own = *sums;
            for row in rows.chunks_exact(width) {
                let Some(x) = row[column..].first_chunk::<WIDTH>() else { continue };
                prefetch(x.as_ptr().wrapping_add(ROWS * width), WIDTH);
                for lane in 0..WIDTH {
                    own[lane] += term(x[lane].as_f64(), mean[lane]);
                }
            }
            *sums = own;
        }
        let (rows, rest) = rows.split_at(rows.len() - rows.len() % width);
        for row in rows.chunks_exact(width) {
            let columns = sums.iter_mut().zip(row).zip(mean).skip(whole);
            columns.for_each(|((sum, x), mean)| *sum += term(x.as_f64(), *mean));
        }
        sums.iter_mut().zip(rest).zip(mean).for_each(|((sum, x), mean)| *sum += term(x.as_f64(), *mean));
    }
}

fn column_sums<F: Float>(samples: &Samples<'_, F>) -> Vec<f64> {
    let d = samples.n_features;
    let width = d * rows_together(d);
    let (zeros, mut chunks) = (vec![0.0; width], chunks(samples, width));
    parallel::for_each(samples.values.len(), &mut chunks, |chunk| {
        vectorize(
            #[inline(always)]
            || add_terms(chunk.samples.values, &zeros, &mut chunk.sums, |x, _| x),
        );
    });
    let mut total = vec![0.0; d];
    for sums in chunks.iter().flat_map(|chunk| chunk.sums.chunks_exact(d)) {
        total.iter_mut().zip(sums).for_each(|(total, sum)| *total += sum);
    }
    total
}

/// Σ (xᵢ − mean)² of each column, and Σ wᵢ‖xᵢ − mean‖² where there are weights.
fn sums_of_squares<F: Float>(samples: &Samples<'_, F>, mean: &[F]) -> (Vec<f64>, Option<f64>) {
    let d = samples.n_features;
    let together = if samples.weights.is_some() { 1 } else { rows_together(d) };
    let mean: Vec<f64> = mean.iter().map(|mean| mean.as_f64()).collect::<Vec<_>>().repeat(together);
    let mut chunks = chunks(samples, mean.len() + 1);
    parallel::for_each(samples.values.len(), &mut chunks, |chunk| {
        vectorize(
            #[inline(always)]
            || {
                let square = |x: f64, mean: f64| {
                    let difference = x - mean;
                    difference * difference
                };
                let Some((weighted, sums)) = chunk.sums.split_first_mut() else { return };
                if chunk.samples.weights.is_some() {
                    for (row, x) in chunk.samples.values.chunks(d).enumerate() {
                        let squares = x.iter().zip(&mean).map(|(x, mean)| square(x.as_f64(), *mean));
                        *weighted += chunk.samples.weight(row) * squares.sum::<f64>();
                    }
                }
                add_terms(chunk.samples.values, &mean, sums, square);
            },
        );
    });
    let mut columns = vec![0.0; d];
    for sums in chunks.iter().flat_map(|chunk| chunk.sums[1..].chunks_exact(d)) {
        columns.iter_mut().zip(sums).for_each(|(total, sum)| *total += sum);
    }
    (columns, samples.weights.map(|_| chunks.iter().map(|chunk| chunk.sums[0]).sum()))
}
