//! The mean and the sums of squares of the data.

use super::ranks::tree_sums::TreeSums;
use super::ranks::{CHUNK, Ranks};
use super::samples::{Samples, too_large};
use crate::error::{Error, Result};
use crate::float::Float;
use crate::parallel;
use crate::simd::{prefetch, vectorize};
use crate::validate;
use ndarray::ArrayView2;

/// Accumulators side by side, so that short rows fill whole vectors too.
const WIDTH: usize = 32;

/// Mean and sums of squares of the data.
#[derive(Debug, Clone)]
pub(crate) struct Moments<F> {
    /// The unweighted mean of each column.
    pub(crate) mean: Vec<F>,
    /// The mean of the columns' unweighted variances.
    pub(crate) mean_variance: f64,
    /// Σ wᵢ‖xᵢ − mean‖².
    pub(crate) total_sum_of_squares: f64,
    /// Σ wᵢ.
    pub(crate) weight: f64,
    /// Unweighted Σ (xᵢ − mean)² of each column: no value of these rows is farther from the mean than its root.
    pub(crate) column_sums_of_squares: Vec<f64>,
}

impl<F: Float> Moments<F> {
    /// The moments of the rows of all ranks; refuses rows that are not finite, and values whose squares are out of range.
    pub(crate) fn of(samples: &Samples<'_, F>, ranks: &Ranks<'_>) -> Result<Self> {
        let (n, d) = (ranks.n_rows(), samples.n_features);
        // A column sum is finite only if each element is: this pass is the check, too.
        let Some(mean) = mean_of(&column_sums(samples, ranks)?, n) else {
            let rows = ArrayView2::from_shape((samples.n_samples(), d), samples.values);
            ranks.agree(rows.map_or(Ok(()), |rows| validate::finite("x", &rows)))?;
            ranks.agree(out_of_range(samples, ranks))?;
            return Err(scale_down::<F>());
        };
        let squares = SumsOfSquares::about(&mean, samples, ranks)?;
        if !squares.are_in_range::<F>() {
            ranks.agree(out_of_range(samples, ranks))?;
        }
        Self::from_squares(mean, squares, n)
    }

    /// The moments of `n_rows` rows with this mean; refuses weights that are out of range.
    pub(crate) fn from_squares(mean: Vec<F>, squares: SumsOfSquares, n_rows: usize) -> Result<Self> {
        let total = squares.columns.iter().sum::<f64>();
        if !(squares.weight.is_finite() && squares.total.is_finite()) {
            let problem = "they are so large that sums over the rows leave the range of f64; scale them down";
            return Err(Error::Weight { what: "sample_weight".into(), problem: problem.into() });
        }
        Ok(Self {
            mean_variance: total / (n_rows * mean.len()) as f64,
            mean,
            total_sum_of_squares: squares.total,
            weight: squares.weight,
            column_sums_of_squares: squares.columns,
        })
    }

    /// The moments about the origin in place of the mean.
    pub(crate) fn about_origin(self, samples: &Samples<'_, F>, ranks: &Ranks<'_>) -> Result<Self> {
        let squares = SumsOfSquares::about(&vec![F::zero(); self.mean.len()], samples, ranks)?;
        Ok(self.with_origin(squares))
    }

    /// The moments about the origin, of which these are the sums.
    pub(crate) fn with_origin(self, squares: SumsOfSquares) -> Self {
        let mean = vec![F::zero(); self.mean.len()];
        let (total_sum_of_squares, column_sums_of_squares) = (squares.total, squares.columns);
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
    pub(crate) fn rounding_error(&self) -> f64 {
        /// Relative error of the `f64` sums.
        const ROUNDING: f64 = 1e-12;
        // Σ W|c − m|·|m|, by the Cauchy-Schwarz inequality.
        let square: f64 = self.mean.iter().map(|mean| (mean.as_f64() * f64::EPSILON).powi(2)).sum();
        ROUNDING * self.total_sum_of_squares
            + 4.0 * (square * self.weight).sqrt() * self.total_sum_of_squares.sqrt()
    }

    /// The moments with the total sum of squares and the weight of other rows.
    pub(crate) fn with_totals_of(&self, samples: &Samples<'_, F>, ranks: &Ranks<'_>) -> Result<Self> {
        let squares = SumsOfSquares::about(&self.mean, samples, ranks)?;
        Ok(Self { total_sum_of_squares: squares.total, weight: squares.weight, ..self.clone() })
    }
}

/// The error of rows that spread too far; it names the largest value of this rank, and its row among those of all ranks. No error
/// where this rank has no rows.
fn out_of_range<F: Float>(samples: &Samples<'_, F>, ranks: &Ranks<'_>) -> Result<()> {
    let (d, magnitude) = (samples.n_features, |index: usize| samples.values[index].as_f64().abs());
    let largest = (0..samples.values.len()).max_by(|&a, &b| magnitude(a).total_cmp(&magnitude(b)));
    let error = |largest: usize| {
        too_large("KMeans", samples.values[largest], ranks.first_row() + largest / d, largest % d)
    };
    largest.map_or(Ok(()), |largest| Err(error(largest)))
}

/// The mean of columns with these sums; `None` where a sum is not finite.
pub(crate) fn mean_of<F: Float>(sums: &[f64], n_rows: usize) -> Option<Vec<F>> {
    sums.iter().map(|sum| sum / n_rows as f64).map(|mean| mean.is_finite().then(|| F::of(mean))).collect()
}

/// The error of rows that spread too far, of which none is known.
fn scale_down<F: Float>() -> Error {
    let expected =
        format!("values whose squared distances stay within the range of {}; scale x down", F::NAME);
    Error::invalid_parameter("KMeans", "x", "too large", expected)
}

/// A chunk of the rows and its sums.
pub(crate) struct RowSums<'a, F> {
    samples: Samples<'a, F>,
    pub(crate) sums: Vec<f64>,
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

/// Adds up lines of `width` sums side by side into the first one.
fn fold_lines(sums: &mut [f64], width: usize) {
    let (first, others) = sums.split_at_mut(width);
    for other in others.chunks_exact(width) {
        first.iter_mut().zip(other).for_each(|(sum, other)| *sum += other);
    }
}

/// The sums of chunks over all ranks.
fn totals<F: Float>(chunks: &[RowSums<'_, F>], width: usize, ranks: &Ranks<'_>) -> Result<Vec<f64>> {
    let mut sums = TreeSums::new(ranks);
    sums.compute(width, |chunk| &chunks[chunk].sums)?;
    Ok(sums.totals())
}

fn column_sums<F: Float>(samples: &Samples<'_, F>, ranks: &Ranks<'_>) -> Result<Vec<f64>> {
    totals(&column_sums_of_chunks(samples), samples.n_features, ranks)
}

/// The sums of the columns of each chunk: the first sums of its line.
pub(crate) fn column_sums_of_chunks<'a, F: Float>(samples: &Samples<'a, F>) -> Vec<RowSums<'a, F>> {
    let d = samples.n_features;
    let width = d * rows_together(d);
    let (zeros, mut chunks) = (vec![0.0; width], chunks(samples, width));
    parallel::for_each(samples.values.len(), &mut chunks, |chunk| {
        vectorize(
            #[inline(always)]
            || add_terms(chunk.samples.values, &zeros, &mut chunk.sums, |x, _| x),
        );
        fold_lines(&mut chunk.sums, d);
    });
    chunks
}

/// Sums of squares about a point.
pub(crate) struct SumsOfSquares {
    /// Σ (xᵢ − point)² of each column.
    pub(crate) columns: Vec<f64>,
    /// Σ wᵢ‖xᵢ − point‖².
    total: f64,
    /// Σ wᵢ.
    weight: f64,
}

impl SumsOfSquares {
    /// The weighted sum of squares and the weight, before those of the columns.
    const OF_WEIGHTS: usize = 2;

    fn about<F: Float>(point: &[F], samples: &Samples<'_, F>, ranks: &Ranks<'_>) -> Result<Self> {
        let chunks = Self::of_chunks(point, samples);
        let totals = totals(&chunks, Self::width(point.len()), ranks)?;
        Ok(Self::from_totals(totals, samples.weights.is_some(), ranks.n_rows()))
    }

    /// The sums of a line of [`of_chunks`](Self::of_chunks).
    pub(crate) fn width(n_features: usize) -> usize {
        n_features + Self::OF_WEIGHTS
    }

    /// The sums of all chunks, from the totals of their lines.
    pub(crate) fn from_totals(mut columns: Vec<f64>, is_weighted: bool, n_rows: usize) -> Self {
        let (total, weight) = match is_weighted {
            true => (columns[0], columns[1]),
            false => (columns[Self::OF_WEIGHTS..].iter().sum(), n_rows as f64),
        };
        columns.drain(..Self::OF_WEIGHTS);
        Self { columns, total, weight }
    }

    /// Whether scores of rows, and the norms in them, are finite.
    pub(crate) fn are_in_range<F: Float>(&self) -> bool {
        4.0 * self.columns.iter().sum::<f64>() < F::max_value().as_f64()
    }

    /// The sums of each chunk: the first sums of its line.
    pub(crate) fn of_chunks<'a, F: Float>(point: &[F], samples: &Samples<'a, F>) -> Vec<RowSums<'a, F>> {
        let d = samples.n_features;
        let together = if samples.weights.is_some() { 1 } else { rows_together(d) };
        let point: Vec<f64> = point.iter().map(|x| x.as_f64()).collect::<Vec<_>>().repeat(together);
        let mut chunks = chunks(samples, point.len() + Self::OF_WEIGHTS);
        parallel::for_each(samples.values.len(), &mut chunks, |chunk| {
            let (of_weights, sums) = chunk.sums.split_at_mut(Self::OF_WEIGHTS);
            vectorize(
                #[inline(always)]
                || {
                    let square = |x: f64, point: f64| {
                        let difference = x - point;
                        difference * difference
                    };
                    if chunk.samples.weights.is_some() {
                        for (row, x) in chunk.samples.values.chunks(d).enumerate() {
                            let squares = x.iter().zip(&point).map(|(x, point)| square(x.as_f64(), *point));
                            of_weights[0] += chunk.samples.weight(row) * squares.sum::<f64>();
                            of_weights[1] += chunk.samples.weight(row);
                        }
                    }
                    add_terms(chunk.samples.values, &point, sums, square);
                },
            );
            fold_lines(sums, d);
        });
        chunks
    }
}
