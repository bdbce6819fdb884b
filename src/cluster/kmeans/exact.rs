//! Sums that rows join and leave without a trace, for data that an iteration passes over in no time: only the rows that
//! change their cluster are added again.
//!
//! A number is counted in steps so coarse that no sum of all rows leaves the range of an `i64`, and what is left of it in
//! steps of a second size. So the sums depend on who belongs to a cluster, and on nothing else: not on the order, not on who
//! has come and gone. The first steps are 2⁻⁵¹ of what bounds a column, the second ones 2⁻⁴² of these. Plain rows of `f32`,
//! whose numbers have 24 bits, do without them.

use super::nearest::NO_LABEL;
use super::samples::{Moments, Samples};
use super::sums::{Sums, width};
use crate::buffer::Buffer;
use crate::float::Float;
use crate::simd::vectorize;

/// The sums of each cluster, as [`Sums`] lays them out, in steps.
#[derive(Debug, Clone)]
pub(super) struct ExactSums {
    n_features: usize,
    high: Buffer<i64>,
    /// In the second steps; empty where there are none.
    low: Buffer<i64>,
    /// For each number of a line, how many steps are 1, and what a step is.
    steps: Buffer<f64>,
    sizes: Buffer<f64>,
}

/// Rows among which those that have changed are sought at once.
const BLOCK: usize = 32;

/// The most rows whose sums stay in range: by Cauchy and Schwarz they are at most √n times what bounds a number.
const MOST_ROWS: usize = 1 << 20;

/// The steps that bound a number, and how many of the second ones are one of the first.
const BOUND: f64 = (1_u64 << 51) as f64;
const FINER: f64 = (1_u64 << 42) as f64;

/// The least sum of squares that is trusted.
const LEAST: f64 = 1e-280;

/// Added to a number of at most 2⁵¹ it leaves the nearest whole one in the last bits.
const ROUND: f64 = 6_755_399_441_055_744.0;

/// The nearest whole number, of a number of at most 2⁵¹.
#[inline(always)]
fn whole(value: f64) -> i64 {
    (value + ROUND).to_bits().cast_signed().wrapping_sub(ROUND.to_bits().cast_signed())
}

impl ExactSums {
    /// Sums over no rows yet. `None` for so many rows, or weights so large, that there are no steps. The moments are those of
    /// these rows and maybe of more.
    pub(super) fn new<F: Float>(
        samples: &Samples<'_, F>,
        moments: &Moments<F>,
        n_clusters: usize,
    ) -> Option<Self> {
        let (n, d) = (samples.n_samples(), samples.n_features);
        let weight = (0..n).map(|row| samples.weight(row)).fold(0.0, f64::max);
        let [mut steps, mut sizes] = [Buffer::<f64>::new(width(d)), Buffer::new(width(d))];
        let farthest = |column: usize| {
            let off = |row: usize| (samples.row(row)[column] - moments.mean[column]).as_f64().abs();
            (0..n).map(off).fold(0.0, f64::max) * (n as f64).sqrt()
        };
        let bound = |(column, spread): (usize, &f64)| match *spread {
            // Squares of numbers of `f64` may have been lost.
            spread if spread < LEAST && size_of::<F>() > size_of::<f32>() => weight * farthest(column),
            spread => weight * spread.sqrt(),
        };
        let bounds = moments.column_spreads.iter().enumerate().map(bound);
        let bounds = bounds.chain([weight * (n as f64).sqrt()]);
        for ((steps, size), bound) in steps.iter_mut().zip(sizes.iter_mut()).zip(bounds) {
            (*steps, *size) = steps_of_one(bound)?;
        }
        let high = Buffer::new(n_clusters * width(d));
        let plain = size_of::<F>() <= size_of::<f32>() && samples.weights.is_none();
        let low = if plain { Buffer::default() } else { high.clone() };
        (n <= MOST_ROWS).then_some(Self { n_features: d, high, low, steps, sizes })
    }

    pub(super) fn clear(&mut self) {
        self.high.fill(0);
        self.low.fill(0);
    }

    /// Moves the rows whose labels are not what they were, less their mean. Rows without a label come from nowhere.
    pub(super) fn follow<F: Float>(
        &mut self,
        samples: &Samples<'_, F>,
        mean: &[F],
        previous: &[u32],
        labels: &[u32],
    ) {
        vectorize(
            #[inline(always)]
            || {
                for (block, (previous, labels)) in
                    previous.chunks(BLOCK).zip(labels.chunks(BLOCK)).enumerate()
                {
                    let differ = previous.iter().zip(labels).fold(0, |differ, (a, b)| differ | (a ^ b));
                    if differ == 0 {
                        continue;
                    }
                    for (place, (&previous, &label)) in previous.iter().zip(labels).enumerate() {
                        if previous == label {
                            continue;
                        }
                        let row = block * BLOCK + place;
                        let (x, weight) = ((samples.row(row), mean), samples.weight(row));
                        if previous != NO_LABEL {
                            self.add::<F, true>(previous as usize, x, weight);
                        }
                        self.add::<F, false>(label as usize, x, weight);
                    }
                }
            },
        );
    }

    /// Adds a row to the line of a cluster, or takes it away.
    #[inline(always)]
    fn add<F: Float, const AWAY: bool>(&mut self, cluster: usize, (x, mean): (&[F], &[F]), weight: f64) {
        let d = self.n_features;
        let start = cluster * width(d);
        let steps = &self.steps[..=d];
        let add = |sum: &mut i64, count: i64| *sum = if AWAY { *sum - count } else { *sum + count };
        let high = &mut self.high[start..][..=d];
        if self.low.is_empty() {
            add(&mut high[d], whole(steps[d]));
            for (((high, steps), x), mean) in high.iter_mut().zip(steps).zip(x).zip(mean) {
                add(high, whole((*x - *mean).as_f64() * steps));
            }
            return;
        }
        let low = &mut self.low[start..][..=d];
        let part = |high: &mut i64, low: &mut i64, count: f64| {
            add(high, whole(count));
            add(low, whole((count - ((count + ROUND) - ROUND)) * FINER));
        };
        part(&mut high[d], &mut low[d], weight * steps[d]);
        let sums = high.iter_mut().zip(low).zip(steps);
        for (((high, low), steps), (x, mean)) in sums.zip(x.iter().zip(mean)) {
            part(high, low, weight * (*x - *mean).as_f64() * steps);
        }
    }

    /// Rounds the sums to numbers of `f64`.
    pub(super) fn write(&self, sums: &mut Sums) {
        let width = self.sizes.len();
        for (sums, high) in sums.lines.chunks_exact_mut(width).zip(self.high.chunks_exact(width)) {
            let counts = high.iter().zip(&self.sizes);
            sums.iter_mut().zip(counts).for_each(|(sum, (high, size))| *sum = *high as f64 * size);
        }
        for (sums, low) in sums.lines.chunks_exact_mut(width).zip(self.low.chunks_exact(width)) {
            let counts = low.iter().zip(&self.sizes);
            sums.iter_mut().zip(counts).for_each(|(sum, (low, size))| *sum += *low as f64 / FINER * size);
        }
    }
}

/// How many steps are 1, and what a step is, for numbers within so far from 0; zeros where there is nothing to count.
fn steps_of_one(bound: f64) -> Option<(f64, f64)> {
    if bound == 0.0 {
        return Some((0.0, 0.0));
    }
    // Twice as far: a root may have been rounded down.
    let power = bound.log2().ceil().max(-900.0) + 1.0;
    (power < 980.0).then(|| (BOUND * (-power).exp2(), power.exp2() / BOUND))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rng::{Purpose, Rng};

    /// Values of all sizes: sums in `f64` would depend on their order.
    fn values<F: Float>(n: usize, d: usize) -> Vec<F> {
        let mut rng = Rng::new(9, Purpose::Other, 0);
        (0..n * d).map(|_| F::of(rng.normal() * (12.0 * rng.normal()).exp())).collect()
    }

    /// About a mean that is not the rows' own.
    fn moments<F: Float>(samples: &Samples<'_, F>, mean: Vec<F>) -> Moments<F> {
        let mut column_spreads = vec![0.0; mean.len()];
        for row in samples.values.chunks_exact(mean.len()) {
            let columns = column_spreads.iter_mut().zip(row.iter().zip(&mean));
            columns.for_each(|(spread, (x, mean))| *spread += (*x - *mean).as_f64().powi(2));
        }
        Moments { mean, mean_variance: 0.0, spread: 0.0, column_spreads }
    }

    fn after<F: Float>(samples: &Samples<'_, F>, moments: &Moments<F>, path: &[Vec<u32>]) -> Vec<f64> {
        let mut exact = ExactSums::new(samples, moments, 5).unwrap();
        let mean = &moments.mean;
        let mut previous = vec![NO_LABEL; samples.n_samples()];
        for labels in path {
            exact.follow(samples, mean, &previous, labels);
            previous.copy_from_slice(labels);
        }
        let mut sums = Sums::new(5, mean.len());
        exact.write(&mut sums);
        sums.lines.to_vec()
    }

    fn the_way_leaves_no_trace<F: Float>(weights: Option<&[F]>) {
        let (n, d) = (333, 21);
        let x = values::<F>(n, d);
        let samples = Samples { values: &x, n_features: d, weights };
        let moments = moments(&samples, values::<F>(1, d));
        let mean = &moments.mean;
        let mut rng = Rng::new(2, Purpose::Other, 0);
        let path: Vec<Vec<u32>> = (0..6).map(|_| (0..n).map(|_| rng.below(5) as u32).collect()).collect();
        let direct = after(&samples, &moments, &path[5..]);
        assert_eq!(after(&samples, &moments, &path), direct);
        // A cluster that loses all its rows is left with nothing at all.
        let mut empty = path.clone();
        empty.push(vec![1; n]);
        let all = after(&samples, &moments, &empty);
        assert!(all[..width(d)].iter().all(|sum| *sum == 0.0));
        // The sums are those in the order of the rows, but for the rounding of these.
        let mut sums = Sums::new(5, d);
        sums.add_rows(&samples, mean, &path[5], &[]);
        let mut magnitude = Sums::new(5, d);
        let sizes: Vec<F> = x.iter().zip(mean.iter().cycle()).map(|(x, mean)| (*x - *mean).abs()).collect();
        let of_sizes = Samples { values: &sizes, ..samples };
        magnitude.add_rows(&of_sizes, &vec![F::zero(); d], &path[5], &[]);
        // Plain rows of `f32` are rounded to steps of their column, whatever the other numbers of the cluster.
        let plain = size_of::<F>() <= size_of::<f32>() && weights.is_none();
        let bound = |column: usize| 4.0 * moments.column_spreads[column].sqrt();
        for (place, (got, want)) in direct.iter().zip(sums.lines.iter()).enumerate() {
            let column = place % width(d);
            let magnitude = if plain && column < d { bound(column) } else { magnitude.lines[place] };
            assert!((got - want).abs() <= n as f64 * f64::EPSILON * magnitude, "{got} for {want}");
        }
    }

    #[test]
    fn sums_depend_on_the_members_alone() {
        the_way_leaves_no_trace::<f32>(None);
        the_way_leaves_no_trace::<f64>(None);
        let weights: Vec<f64> = (1..334).map(|row| f64::from(row).sqrt() / 7.0).collect();
        the_way_leaves_no_trace(Some(&weights[..]));
        let weights: Vec<f32> = weights.iter().map(|w| *w as f32).collect();
        the_way_leaves_no_trace(Some(&weights[..]));
    }

    #[test]
    fn sums_stay_in_range_where_all_rows_are_as_large_as_can_be() {
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

    /// The squares of the second column are no numbers of `f64`.
    #[test]
    fn a_column_without_squares_is_summed_up_too() {
        let x = [1.0, 3e-200, 2.0, 4e-200, 5.0, -1e-200];
        let samples = Samples { values: &x, n_features: 2, weights: None };
        let sums = after(&samples, &moments(&samples, vec![0.0; 2]), &[vec![1, 1, 0]]);
        let line = &sums[width(2)..];
        assert_eq!((line[0], line[2]), (3.0, 2.0));
        assert!((line[1] - 7e-200).abs() <= 1e-15 * 7e-200, "{}", line[1]);
    }

    #[test]
    fn weights_without_steps_have_no_exact_sums() {
        let samples = Samples { values: &[1.0, 2.0], n_features: 1, weights: Some(&[1e304, 1e303]) };
        assert!(ExactSums::new(&samples, &moments(&samples, vec![0.0]), 1).is_none());
    }
}
