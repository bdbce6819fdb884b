//! The data of a clustering: rows in standard layout, their weights, and their moments.

use crate::error::{Error, Result};
use crate::float::Float;
use crate::parallel;
use crate::simd::{prefetch, vectorize};
use crate::validate;
use ndarray::{ArrayBase, ArrayView2, CowArray, Data, Ix2};

/// Accumulators side by side, so that short rows fill whole vectors too.
const WIDTH: usize = 32;

/// Rows of a piece of work that sums over columns.
const PIECE: usize = 4096;

/// Rows that were checked: finite, not empty, in standard layout.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Samples<'a, F> {
    pub(crate) values: &'a [F],
    pub(crate) n_features: usize,
    /// One for each row; `None`: all are 1.
    pub(crate) weights: Option<&'a [F]>,
}

impl<'a, F: Float> Samples<'a, F> {
    pub(crate) fn n_samples(&self) -> usize {
        self.values.len() / self.n_features
    }

    pub(crate) fn row(&self, row: usize) -> &'a [F] {
        &self.values[row * self.n_features..][..self.n_features]
    }

    pub(crate) fn weight(&self, row: usize) -> f64 {
        self.weights.map_or(1.0, |weights| weights[row].as_f64())
    }

    /// The rows from `first` on, `n_rows` of them, with their weights.
    pub(crate) fn part(&self, first: usize, n_rows: usize) -> Self {
        Self {
            values: &self.values[first * self.n_features..][..n_rows * self.n_features],
            weights: self.weights.map(|weights| &weights[first..][..n_rows]),
            ..*self
        }
    }
}

/// The rows of `x` one after the other: as they lie, or copied where they lie otherwise.
///
/// # Errors
/// A copy that does not fit into memory.
pub(crate) fn in_rows<'a, F: Float>(x: ArrayView2<'a, F>) -> Result<CowArray<'a, F, Ix2>> {
    validate::copyable("x", &x)?;
    Ok(if x.is_standard_layout() { x.into() } else { x.as_standard_layout().into_owned().into() })
}

/// The elements of an array in standard layout.
pub(crate) fn elements<F, S: Data<Elem = F>>(x: &ArrayBase<S, Ix2>) -> &[F] {
    x.as_slice().unwrap_or(&[])
}

/// Whether all values are smaller in magnitude than `bound`; none that is not finite is.
pub(crate) fn all_below<F: Float>(x: ArrayView2<'_, F>, bound: F) -> bool {
    match x.as_slice_memory_order() {
        Some(slice) => vectorize(
            #[inline(always)]
            || slice.chunks(1024).all(|chunk| chunk.iter().fold(true, |fits, x| fits & (x.abs() < bound))),
        ),
        None => x.iter().all(|x| x.abs() < bound),
    }
}

/// Refuses values that are not finite, and such as have no square in the range of their type.
pub(crate) fn in_range<F: Float>(owner: &'static str, x: ArrayView2<'_, F>) -> Result<()> {
    let bound = F::of(0.25 * (F::max_value().as_f64() / x.ncols().max(1) as f64).sqrt());
    let fits = all_below(x, bound);
    if fits {
        return Ok(());
    }
    validate::finite("x", &x)?;
    match x.indexed_iter().find(|(_, x)| x.abs() >= bound) {
        Some(((row, feature), value)) => Err(too_large(owner, *value, row, feature)),
        None => Ok(()),
    }
}

fn too_large<F: Float>(owner: &'static str, value: F, row: usize, feature: usize) -> Error {
    let expected =
        format!("values whose squared distances stay within the range of {}; scale x down", F::NAME);
    Error::invalid_parameter(owner, "x", format!("{value:e} at [{row}, {feature}]"), expected)
}

/// Where the data lies and how far it spreads.
#[derive(Debug, Clone)]
pub(crate) struct Moments<F> {
    /// The mean of each column, weights left aside.
    pub(crate) mean: Vec<F>,
    /// The mean of the columns' variances, weights left aside.
    pub(crate) mean_variance: f64,
    /// Σ wᵢ‖xᵢ − mean‖²
    pub(crate) spread: f64,
    /// Σ (xᵢ − mean)² of each column, weights left aside: no number of these rows is further from the mean than its root.
    pub(crate) column_spreads: Vec<f64>,
}

impl<F: Float> Moments<F> {
    /// The moments of the rows; refuses rows that are not finite, and values whose squares are out of range.
    pub(crate) fn of(samples: &Samples<'_, F>) -> Result<Self> {
        let (n, d) = (samples.n_samples(), samples.n_features);
        // A sum over a column is finite only if each of its elements is: the pass is the check, too.
        let mean: Vec<f64> = column_sums(samples).iter().map(|sum| sum / n as f64).collect();
        if mean.iter().any(|m| !m.is_finite()) {
            let rows = ArrayView2::from_shape((n, d), samples.values);
            rows.map_or(Ok(()), |rows| validate::finite("x", &rows))?;
            return Err(out_of_range(samples));
        }
        let mean: Vec<F> = mean.into_iter().map(F::of).collect();
        let (column_spreads, weighted) = spread(samples, &mean);
        let spread = column_spreads.iter().sum::<f64>();
        let weighted = weighted.unwrap_or(spread);
        // The score of a row and the norms in it stay finite as long as this does.
        let in_range = 4.0 * spread < F::max_value().as_f64();
        if !in_range {
            return Err(out_of_range(samples));
        }
        let weight: f64 = samples.weights.into_iter().flatten().map(|w| w.as_f64()).sum();
        if !(weight.is_finite() && weighted.is_finite()) {
            let problem = "they are so large that sums over the rows leave the range of f64; scale them down";
            return Err(Error::Weight { what: "sample_weight".into(), problem: problem.into() });
        }
        Ok(Self { mean, mean_variance: spread / (n * d) as f64, spread: weighted, column_spreads })
    }

    /// The same with the origin in the place of the mean.
    pub(crate) fn about_zero(self, samples: &Samples<'_, F>) -> Self {
        let mean = vec![F::zero(); self.mean.len()];
        let (column_spreads, weighted) = spread(samples, &mean);
        let spread = weighted.unwrap_or_else(|| column_spreads.iter().sum());
        Self { mean, spread, column_spreads, ..self }
    }

    /// The point that is subtracted from centers which follow `n_samples` rows in small steps: the mean, where it is large beside
    /// what a column spreads, for steps would be lost in rounding; else the origin, beside which small values keep their
    /// digits.
    pub(crate) fn reference(&self, n_samples: usize) -> Vec<F> {
        let columns = self.mean.iter().zip(&self.column_spreads);
        let point = |(mean, spread): (&F, &f64)| {
            let is_far = mean.as_f64().abs() > 2.0 * (spread / n_samples as f64).sqrt();
            if is_far { *mean } else { F::zero() }
        };
        columns.map(point).collect()
    }

    /// A bound of the rounding error of `spread` less what centers explain of it, sums being exact but for one rounding
    /// about the origin.
    pub(crate) fn noise(&self, samples: &Samples<'_, F>) -> f64 {
        /// What sums of `f64` are off by, in parts of the spread.
        const ROUNDING: f64 = 1e-12;
        let weight: f64 = match samples.weights {
            Some(weights) => weights.iter().map(|weight| weight.as_f64()).sum(),
            None => samples.n_samples() as f64,
        };
        // Σ W|c − m|·|m|, by the Cauchy-Schwarz inequality.
        let square: f64 = self.mean.iter().map(|mean| (mean.as_f64() * f64::EPSILON).powi(2)).sum();
        ROUNDING * self.spread + 4.0 * (square * weight).sqrt() * self.spread.sqrt()
    }

    /// Σ wᵢ‖xᵢ − mean‖² of other rows.
    pub(crate) fn spread_of(&self, samples: &Samples<'_, F>) -> f64 {
        total_spread(samples, &self.mean)
    }
}

/// Names the largest value.
fn out_of_range<F: Float>(samples: &Samples<'_, F>) -> Error {
    let (d, magnitude) = (samples.n_features, |index: usize| samples.values[index].as_f64().abs());
    let largest =
        (0..samples.values.len()).max_by(|&a, &b| magnitude(a).total_cmp(&magnitude(b))).unwrap_or(0);
    too_large("KMeans", samples.values[largest], largest / d, largest % d)
}

/// A piece of the rows and what it adds up to.
struct Chunk<'a, F> {
    samples: Samples<'a, F>,
    sums: Vec<f64>,
}

fn pieces<'a, F: Float>(samples: &Samples<'a, F>, n_sums: usize) -> Vec<Chunk<'a, F>> {
    let n = samples.n_samples();
    let starts = (0..n).step_by(PIECE);
    starts
        .map(|first| Chunk { samples: samples.part(first, PIECE.min(n - first)), sums: vec![0.0; n_sums] })
        .collect()
}

/// Rows to take together so that their features fill [`WIDTH`] accumulators.
pub(crate) fn rows_together(n_features: usize) -> usize {
    WIDTH.div_ceil(n_features)
}

/// Adds what becomes of each value and its column's mean to the column's sum. Rows are as long as `mean`, of which the
/// last may be a part.
#[inline(always)]
fn add_up<F: Float>(values: &[F], mean: &[f64], sums: &mut [f64], term: impl Fn(f64, f64) -> f64) {
    /// Rows whose columns are added up together: they stay in the cache.
    const ROWS: usize = 16;
    let width = mean.len();
    let whole = width - width % WIDTH;
    for rows in values.chunks(ROWS * width) {
        // Stretches of columns, whose sums stay in registers meanwhile.
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
    let (zeros, mut pieces) = (vec![0.0; width], pieces(samples, width));
    parallel::for_each(samples.values.len(), &mut pieces, |piece| {
        vectorize(
            #[inline(always)]
            || add_up(piece.samples.values, &zeros, &mut piece.sums, |x, _| x),
        );
    });
    let mut total = vec![0.0; d];
    for sums in pieces.iter().flat_map(|piece| piece.sums.chunks_exact(d)) {
        total.iter_mut().zip(sums).for_each(|(total, sum)| *total += sum);
    }
    total
}

/// Σ wᵢ‖xᵢ − mean‖²
fn total_spread<F: Float>(samples: &Samples<'_, F>, mean: &[F]) -> f64 {
    let (columns, weighted) = spread(samples, mean);
    weighted.unwrap_or_else(|| columns.iter().sum())
}

/// Σ (xᵢ − mean)² of each column, and Σ wᵢ‖xᵢ − mean‖² where there are weights.
fn spread<F: Float>(samples: &Samples<'_, F>, mean: &[F]) -> (Vec<f64>, Option<f64>) {
    let d = samples.n_features;
    let together = if samples.weights.is_some() { 1 } else { rows_together(d) };
    let mean: Vec<f64> = mean.iter().map(|mean| mean.as_f64()).collect::<Vec<_>>().repeat(together);
    let mut pieces = pieces(samples, mean.len() + 1);
    parallel::for_each(samples.values.len(), &mut pieces, |piece| {
        vectorize(
            #[inline(always)]
            || {
                let square = |x: f64, mean: f64| {
                    let difference = x - mean;
                    difference * difference
                };
                let Some((weighted, sums)) = piece.sums.split_first_mut() else { return };
                if piece.samples.weights.is_some() {
                    for (row, x) in piece.samples.values.chunks(d).enumerate() {
                        let squares = x.iter().zip(&mean).map(|(x, mean)| square(x.as_f64(), *mean));
                        *weighted += piece.samples.weight(row) * squares.sum::<f64>();
                    }
                }
                add_up(piece.samples.values, &mean, sums, square);
            },
        );
    });
    let mut columns = vec![0.0; d];
    for sums in pieces.iter().flat_map(|piece| piece.sums[1..].chunks_exact(d)) {
        columns.iter_mut().zip(sums).for_each(|(total, sum)| *total += sum);
    }
    (columns, samples.weights.map(|_| pieces.iter().map(|piece| piece.sums[0]).sum()))
}
