//! Exact sums of the rows of each cluster: after the first iteration only the rows that change their cluster are added again.
//!
//! Values are rounded to a fixed-point grid ([`fixed_point`](super::fixed_point)) and added as integers. So the sums depend
//! only on the rows that belong to a cluster: not on the order, not on rows that came and left, not on the threads that add.
//!
//! Sums in `f64` would depend on the order of the additions and on rows that came and left, and so would have to be computed
//! from all rows in every iteration.

use super::Sums;
use super::fixed_point::{FINE_STEPS, FixedPoint, bits, remainder_bits, steps};
use crate::buffer::Buffer;
use crate::cluster::kmeans::assign::labels::{NO_LABEL, Reassigned};
use crate::cluster::kmeans::ranks::Ranks;
use crate::cluster::kmeans::samples::Samples;
use crate::error::Result;
use crate::float::Float;
use crate::simd::{prefetch, vectorize};

/// Rows that are prefetched before they are needed.
const AHEAD: usize = 6;

/// The sums of each cluster, in the layout of [`Sums`], as sums of the bits of rounded values.
#[derive(Debug, Clone)]
pub(crate) struct ExactSums {
    /// The number of rows of each cluster. One more line behind the clusters belongs to rows without a label, so that a row's
    /// first label is a move too.
    counts: Vec<i64>,
    high: Buffer<i64>,
    /// The remainders in fine steps; empty without them.
    low: Buffer<i64>,
}

impl ExactSums {
    /// Sums over no rows.
    pub(crate) fn new(grid: &FixedPoint, n_clusters: usize) -> Self {
        let high = Buffer::new((n_clusters + 1) * grid.rounding_constants.len());
        let low = if grid.has_fine_steps { high.clone() } else { Buffer::default() };
        Self { counts: vec![0; n_clusters + 1], high, low }
    }

    pub(crate) fn clear(&mut self) {
        self.counts.fill(0);
        self.high.fill(0);
        self.low.fill(0);
    }

    /// The number of rows of each cluster.
    pub(crate) fn sizes(&self) -> impl Iterator<Item = usize> {
        let n_clusters = self.counts.len() - 1;
        self.counts[..n_clusters].iter().map(|count| usize::try_from(*count).unwrap_or(0))
    }

    /// Moves rows from their previous clusters to those of their labels.
    pub(crate) fn update<F: Float>(
        &mut self,
        grid: &FixedPoint,
        samples: &Samples<'_, F>,
        reassigned: &[Reassigned],
        labels: &[u32],
    ) {
        vectorize(
            #[inline(always)]
            || self.move_rows(grid, samples, reassigned, labels),
        );
    }

    #[inline(always)]
    fn move_rows<F: Float>(
        &mut self,
        grid: &FixedPoint,
        samples: &Samples<'_, F>,
        reassigned: &[Reassigned],
        labels: &[u32],
    ) {
        let (d, width) = (samples.n_features, grid.rounding_constants.len());
        let (counts, constants) = (&mut self.counts[..], &grid.rounding_constants[..]);
        let (high, low) = (&mut self.high[..], &mut self.low[..]);
        let unlabeled = counts.len() - 1;
        // Consecutive rows are prefetched by the processor.
        let ahead = if reassigned.len() < labels.len() / 2 { AHEAD } else { reassigned.len() };
        for (index, &Reassigned { row, from }) in reassigned.iter().enumerate() {
            if let Some(next) = reassigned.get(index + ahead) {
                prefetch(samples.row(next.row as usize).as_ptr(), d);
            }
            let row = row as usize;
            let (from, to) = (if from == NO_LABEL { unlabeled } else { from as usize }, labels[row] as usize);
            counts[from] -= 1;
            counts[to] += 1;
            let lines = (from * width, to * width);
            let values = (samples.row(row), &constants[..d]);
            if low.is_empty() {
                move_values(high, lines, values, |value, constant| bits(value + constant));
                continue;
            }
            let weight = samples.weight(row) * grid.scale;
            move_values(high, lines, values, |value, constant| bits(weight * value + constant));
            move_values(low, lines, values, |value, constant| remainder_bits(weight * value, constant));
            move_value(high, (lines.0 + d, lines.1 + d), bits(weight + constants[d]));
            move_value(low, (lines.0 + d, lines.1 + d), remainder_bits(weight, constants[d]));
        }
    }

    /// Adds another thread's sums, and clears these.
    pub(crate) fn merge(&mut self, other: &mut Self) {
        fn add(own: &mut [i64], other: &[i64]) {
            own.iter_mut().zip(other).for_each(|(own, other)| *own = own.wrapping_add(*other));
        }
        vectorize(
            #[inline(always)]
            || {
                add(&mut self.counts, &other.counts);
                add(&mut self.high, &other.high);
                add(&mut self.low, &other.low);
            },
        );
        other.clear();
    }

    /// Sets these to the sums of all ranks, of which `own` are those of this one. Returns the sum of `count` over the ranks.
    pub(crate) fn sum_over(&mut self, ranks: &Ranks<'_>, own: &Self, count: usize) -> Result<usize> {
        let mut values = [&own.counts[..], &own.high, &own.low, &[count as i64]].concat();
        ranks.sum(&mut values)?;
        let (counts, rest) = values.split_at(own.counts.len());
        let (high, rest) = rest.split_at(own.high.len());
        let (low, count) = rest.split_at(own.low.len());
        self.counts.copy_from_slice(counts);
        self.high.copy_from_slice(high);
        self.low.copy_from_slice(low);
        Ok(count.iter().sum::<i64>() as usize)
    }

    /// Rounds the sums to `f64`; the weights in them are multiplied with the scale of the grid.
    pub(crate) fn write_to(&self, grid: &FixedPoint, sums: &mut Sums) {
        let (d, width) = (grid.n_features, grid.rounding_constants.len());
        vectorize(
            #[inline(always)]
            || {
                let columns = || grid.step_sizes.iter().zip(&grid.rounding_constants);
                let lines = sums.lines.chunks_exact_mut(width).zip(&self.counts);
                if !grid.has_fine_steps {
                    for ((sums, count), high) in lines.zip(self.high.chunks_exact(width)) {
                        for ((sum, high), (size, constant)) in sums.iter_mut().zip(high).zip(columns()) {
                            *sum = steps(*high, *count, *constant) * size;
                        }
                        sums[d] = *count as f64;
                    }
                    return;
                }
                let values = self.high.chunks_exact(width).zip(self.low.chunks_exact(width));
                for ((sums, count), (high, low)) in lines.zip(values) {
                    for ((sum, (high, low)), (size, constant)) in
                        sums.iter_mut().zip(high.iter().zip(low)).zip(columns())
                    {
                        let fine = steps(*low, *count, constant / FINE_STEPS) / FINE_STEPS;
                        *sum = steps(*high, *count, *constant) * size + fine * size;
                    }
                }
            },
        );
    }
}

/// Subtracts the rounded values of a row from the line that begins at `from`, and adds them to the one at `to`.
#[inline(always)]
fn move_values<F: Float>(
    lines: &mut [i64],
    (from, to): (usize, usize),
    (x, constants): (&[F], &[f64]),
    rounded: impl Fn(f64, f64) -> i64,
) {
    /// Values that are moved together.
    const LANES: usize = 8;
    let d = constants.len();
    let (xs, x) = x.as_chunks::<LANES>();
    let (many_constants, constants) = constants.as_chunks::<LANES>();
    let Ok([from, to]) = lines.get_disjoint_mut([from..from + d, to..to + d]) else { return };
    let (many_from, from) = from.as_chunks_mut::<LANES>();
    let (many_to, to) = to.as_chunks_mut::<LANES>();
    let many = xs.iter().zip(many_constants);
    for ((from, to), (x, constants)) in many_from.iter_mut().zip(many_to).zip(many) {
        // One array after the other: a single loop compiles to gathers.
        let mut values = [0; LANES];
        for lane in 0..LANES {
            values[lane] = rounded(x[lane].as_f64(), constants[lane]);
        }
        for lane in 0..LANES {
            from[lane] = from[lane].wrapping_sub(values[lane]);
        }
        for lane in 0..LANES {
            to[lane] = to[lane].wrapping_add(values[lane]);
        }
    }
    for ((from, to), (x, constant)) in from.iter_mut().zip(to).zip(x.iter().zip(constants)) {
        let value = rounded(x.as_f64(), *constant);
        (*from, *to) = (from.wrapping_sub(value), to.wrapping_add(value));
    }
}

#[inline(always)]
fn move_value(lines: &mut [i64], (from, to): (usize, usize), value: i64) {
    lines[from] = lines[from].wrapping_sub(value);
    lines[to] = lines[to].wrapping_add(value);
}

#[cfg(test)]
mod tests {
    use super::super::fixed_point::ROWS;
    use super::super::{add_point, width};
    use super::*;
    use crate::cluster::kmeans::moments::Moments;
    use crate::rng::{Purpose, Rng};

    /// Values of all sizes: sums in `f64` would depend on their order.
    fn values<F: Float>(n: usize, d: usize) -> Vec<F> {
        let mut rng = Rng::new(9, Purpose::Other, 0);
        (0..n * d).map(|_| F::of(rng.normal() * (12.0 * rng.normal()).exp())).collect()
    }

    /// About a mean that is not the rows' own.
    fn moments<F: Float>(samples: &Samples<'_, F>, mean: Vec<F>) -> Moments<F> {
        let mut column_sums_of_squares = vec![0.0; mean.len()];
        for row in samples.values.chunks_exact(mean.len()) {
            let columns = column_sums_of_squares.iter_mut().zip(row.iter().zip(&mean));
            columns.for_each(|(squares, (x, mean))| *squares += (*x - *mean).as_f64().powi(2));
        }
        Moments { mean, mean_variance: 0.0, total_sum_of_squares: 0.0, weight: 0.0, column_sums_of_squares }
    }

    /// The sums after the rows had all these labels, one set after the other, cut into chunks whose sums are merged.
    fn after<F: Float>(samples: &Samples<'_, F>, moments: &Moments<F>, path: &[Vec<u32>]) -> Vec<f64> {
        let grid = FixedPoint::new(samples, &Ranks::alone(samples.n_samples()), moments).unwrap();
        let mut exact = ExactSums::new(&grid, 5);
        let mut others = exact.clone();
        let mut previous = vec![NO_LABEL; samples.n_samples()];
        for labels in path {
            let rows = (0..).zip(previous.iter().zip(labels));
            let reassigned: Vec<Reassigned> = rows
                .filter(|(_, (a, b))| a != b)
                .map(|(row, (from, _))| Reassigned { row, from: *from })
                .collect();
            let (some, rest) = reassigned.split_at(reassigned.len() / 3);
            others.update(&grid, samples, rest, labels);
            exact.update(&grid, samples, some, labels);
            exact.merge(&mut others);
            previous.copy_from_slice(labels);
        }
        let mut sums = Sums::new(5, moments.mean.len());
        exact.write_to(&grid, &mut sums);
        sums.lines.iter().map(|sum| sum / grid.scale).collect()
    }

    /// The sums in the order of the rows.
    fn in_order<F: Float>(samples: &Samples<'_, F>, labels: &[u32]) -> Vec<f64> {
        let mut sums = Sums::new(5, samples.n_features);
        for (row, &label) in labels.iter().enumerate() {
            add_point(sums.line(label as usize), samples.row(row), samples.weight(row));
        }
        sums.lines.to_vec()
    }

    fn check_path_independence<F: Float>(d: usize, weights: Option<&[F]>) {
        let n = 333;
        let x = values::<F>(n, d);
        let samples = Samples { values: &x, n_features: d, weights };
        let moments = moments(&samples, values::<F>(1, d));
        let mut rng = Rng::new(2, Purpose::Other, 0);
        let path: Vec<Vec<u32>> = (0..6).map(|_| (0..n).map(|_| rng.below(5) as u32).collect()).collect();
        let direct = after(&samples, &moments, &path[5..]);
        assert_eq!(after(&samples, &moments, &path), direct);
        // A cluster that loses all its rows has sums of exactly zero.
        let mut empty = path.clone();
        empty.push(vec![1; n]);
        let all = after(&samples, &moments, &empty);
        assert!(all[..width(d)].iter().all(|sum| *sum == 0.0));
        // The sums are those in the order of the rows, up to the rounding of these.
        let sums = in_order(&samples, &path[5]);
        let sizes: Vec<F> = x.iter().map(|x| x.abs()).collect();
        let magnitude = in_order(&Samples { values: &sizes, ..samples }, &path[5]);
        // Plain rows of `f32` are rounded to steps of their column, whatever the other numbers of the cluster.
        let plain = size_of::<F>() <= size_of::<f32>() && weights.is_none();
        let bound = |column: usize| {
            let mean = moments.mean[column].as_f64().abs();
            4.0 * (moments.column_sums_of_squares[column].sqrt() + (n as f64).sqrt() * mean)
        };
        for (place, (got, want)) in direct.iter().zip(&sums).enumerate() {
            let column = place % width(d);
            let magnitude = if plain && column < d { bound(column) } else { magnitude[place] };
            assert!((got - want).abs() <= n as f64 * f64::EPSILON * magnitude, "{got} for {want}");
        }
    }

    #[test]
    fn sums_depend_only_on_the_members() {
        let weights: Vec<f64> = (1..334).map(|row| f64::from(row).sqrt() / 7.0).collect();
        let short: Vec<f32> = weights.iter().map(|w| *w as f32).collect();
        for d in [1, 2, 3, 4, 7, 8, 21] {
            check_path_independence::<f32>(d, None);
            check_path_independence::<f64>(d, None);
            check_path_independence(d, Some(&weights[..]));
            check_path_independence(d, Some(&short[..]));
        }
    }

    #[test]
    fn sums_of_equal_extreme_rows_stay_in_range() {
        let (n, d) = (20_000, 3);
        for value in [1.0, 1e-30, -3e15] {
            let x: Vec<f64> = (0..n * d).map(|index| if index % d == 0 { value } else { 0.0 }).collect();
            let weights = vec![value.abs(); n];
            let samples = Samples { values: &x, n_features: d, weights: Some(&weights) };
            let sums = after(&samples, &moments(&samples, vec![0.0; d]), &[vec![2; n]]);
            let line = &sums[2 * width(d)..][..width(d)];
            let want = n as f64 * value * value.abs();
            assert!((line[0] - want).abs() <= 1e-15 * want.abs(), "{} for {want}", line[0]);
            assert!((line[d] - n as f64 * value.abs()).abs() <= 1e-15 * n as f64 * value.abs());
            assert_eq!(line[1..d], [0.0; 2]);
        }
    }

    /// The squares of the second column underflow.
    #[test]
    fn columns_whose_squares_underflow_are_summed() {
        let x = [1.0, 3e-200, 2.0, 4e-200, 5.0, -1e-200];
        let samples = Samples { values: &x, n_features: 2, weights: None };
        let sums = after(&samples, &moments(&samples, vec![0.0; 2]), &[vec![1, 1, 0]]);
        let line = &sums[width(2)..];
        assert_eq!((line[0], line[2]), (3.0, 2.0));
        assert!((line[1] - 7e-200).abs() <= 1e-15 * 7e-200, "{}", line[1]);
    }

    /// The steps of weights of any size are in range.
    #[test]
    fn weights_of_any_size_are_summed() {
        for weight in [1e-320, 1e-300, 1.0, 1.5e308] {
            let samples = Samples {
                values: &[0.25, -0.5, 1.0],
                n_features: 1,
                weights: Some(&[weight, weight / 2.0, 0.0]),
            };
            let sums = after(&samples, &moments(&samples, vec![0.0]), &[vec![1, 0, 1]]);
            let line = width(1);
            assert_eq!((sums[0], sums[1]), (-0.5 * (weight / 2.0), weight / 2.0));
            assert_eq!((sums[line], sums[line + 1]), (0.25 * weight, weight));
        }
    }

    /// Of more rows the steps are coarser, and the sums still in range.
    #[test]
    fn steps_are_coarser_for_very_many_rows() {
        let one = Samples { values: &[1.0_f32], n_features: 1, weights: None };
        let values = vec![1.0_f32; (ROWS << 1) + 1];
        let many = Samples { values: &values, ..one };
        let size = |samples: &Samples<'_, f32>| {
            let moments = Moments { column_sums_of_squares: vec![1.0], ..moments(samples, vec![0.0]) };
            FixedPoint::new(samples, &Ranks::alone(samples.n_samples()), &moments).unwrap().step_sizes[0]
        };
        assert_eq!(size(&many), 2.0 * size(&one));
    }
}
