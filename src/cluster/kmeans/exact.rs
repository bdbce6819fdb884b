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
use crate::simd::{prefetch, vectorize};

/// The sums of each cluster, as [`Sums`] lays them out. What is added up is the bits of numbers that were anchored.
#[derive(Debug, Clone)]
pub(super) struct ExactSums {
    n_features: usize,
    /// How many rows each cluster has; behind them, as in the sums, stand those that have left for a cluster from nowhere.
    members: Vec<i64>,
    high: Buffer<i64>,
    /// In the second steps; empty where there are none.
    low: Buffer<i64>,
    /// For each number of a line, what a step is.
    sizes: Buffer<f64>,
    /// For each number of a line, [`ANCHOR`] steps.
    anchors: Buffer<f64>,
    /// Rows that change their cluster.
    moved: Vec<u32>,
}

/// Rows among which those that have changed are sought at once.
const BLOCK: usize = 32;

/// Rows that are fetched into the cache before they are needed.
const AHEAD: usize = 6;

/// The most rows whose sums stay in range: by Cauchy and Schwarz they are at most √n times what bounds a number.
const MOST_ROWS: usize = 1 << 20;

/// The steps that bound a number, and how many of the second ones are one of the first.
const BOUND: f64 = (1_u64 << 51) as f64;
const FINER: f64 = (1_u64 << 42) as f64;

/// The least sum of squares that is trusted.
const LEAST: f64 = 1e-280;

/// 1.5 · 2⁵². A number of at most 2⁵¹ steps that is added to so many of them is rounded to whole steps, and as whole numbers
/// its bits are those of the anchor and how many steps they are.
const ANCHOR: f64 = 6_755_399_441_055_744.0;

#[inline(always)]
fn bits(number: f64) -> i64 {
    number.to_bits().cast_signed()
}

/// What is left of a number that was rounded to whole steps, anchored in the second ones.
#[inline(always)]
fn rest(number: f64, anchor: f64) -> i64 {
    bits((number - ((number + anchor) - anchor)) + anchor / FINER)
}

/// How many steps there are in the sum of the bits of anchored numbers.
#[inline(always)]
fn steps(sum: i64, numbers: i64, anchor: f64) -> f64 {
    sum.wrapping_sub(numbers.wrapping_mul(bits(anchor))) as f64
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
        let heaviest = |weights: &[F]| weights.iter().map(|weight| weight.as_f64()).fold(0.0, f64::max);
        let weight = samples.weights.map_or(1.0, heaviest);
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
        let [mut sizes, mut anchors] = [Buffer::<f64>::new(width(d)), Buffer::new(width(d))];
        for ((size, anchor), bound) in sizes.iter_mut().zip(anchors.iter_mut()).zip(bounds) {
            *size = step(bound)?;
            *anchor = *size * ANCHOR;
        }
        let high = Buffer::new((n_clusters + 1) * width(d));
        let plain = size_of::<F>() <= size_of::<f32>() && samples.weights.is_none();
        let low = if plain { Buffer::default() } else { high.clone() };
        let (members, moved) = (vec![0; n_clusters + 1], Vec::with_capacity(n));
        (n <= MOST_ROWS).then_some(Self { n_features: d, members, high, low, sizes, anchors, moved })
    }

    pub(super) fn clear(&mut self) {
        self.members.fill(0);
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
                self.note_moved(previous, labels);
                self.move_rows(samples, mean, previous, labels);
            },
        );
    }

    /// Finds the rows whose labels differ.
    #[inline(always)]
    fn note_moved(&mut self, previous: &[u32], labels: &[u32]) {
        self.moved.clear();
        for (first, (previous, labels)) in
            (0..).step_by(BLOCK).zip(previous.chunks(BLOCK).zip(labels.chunks(BLOCK)))
        {
            let mut differ = [0; BLOCK];
            for ((differ, previous), label) in differ.iter_mut().zip(previous).zip(labels) {
                *differ = u8::from(previous != label);
            }
            for (first, eight) in (first..).step_by(8).zip(differ.as_chunks::<8>().0) {
                let mut eight = u64::from_le_bytes(*eight);
                while eight != 0 {
                    self.moved.push(first + eight.trailing_zeros() / 8);
                    eight &= eight - 1;
                }
            }
        }
    }

    #[inline(always)]
    fn move_rows<F: Float>(
        &mut self,
        samples: &Samples<'_, F>,
        mean: &[F],
        previous: &[u32],
        labels: &[u32],
    ) {
        let (d, width) = (self.n_features, self.anchors.len());
        let (members, anchors) = (&mut self.members[..], &self.anchors[..]);
        let (high, low) = (&mut self.high[..], &mut self.low[..]);
        let nowhere = members.len() - 1;
        let line = |label: u32| if label == NO_LABEL { nowhere } else { label as usize };
        // Rows one after the other are fetched by the processor itself.
        let ahead = if self.moved.len() < samples.n_samples() / 2 { AHEAD } else { self.moved.len() };
        for (index, &row) in self.moved.iter().enumerate() {
            if let Some(next) = self.moved.get(index + ahead) {
                prefetch(samples.row(*next as usize).as_ptr(), d);
            }
            let row = row as usize;
            let lines = (line(previous[row]), line(labels[row]));
            members[lines.0] -= 1;
            members[lines.1] += 1;
            let places = (lines.0 * width, lines.1 * width);
            let numbers = (samples.row(row), mean, anchors);
            if low.is_empty() {
                move_numbers(high, places, numbers, |value, anchor| bits(value + anchor));
                continue;
            }
            let weight = samples.weight(row);
            move_numbers(high, places, numbers, |value, anchor| bits(weight * value + anchor));
            move_numbers(low, places, numbers, |value, anchor| rest(weight * value, anchor));
            move_number(high, (places.0 + d, places.1 + d), bits(weight + anchors[d]));
            move_number(low, (places.0 + d, places.1 + d), rest(weight, anchors[d]));
        }
    }

    /// Rounds the sums to numbers of `f64`.
    pub(super) fn write(&self, sums: &mut Sums) {
        let (d, width) = (self.n_features, self.anchors.len());
        vectorize(
            #[inline(always)]
            || {
                let columns = || self.sizes.iter().zip(&self.anchors);
                let lines = sums.lines.chunks_exact_mut(width).zip(&self.members);
                for ((sums, members), high) in lines.zip(self.high.chunks_exact(width)) {
                    for ((sum, high), (size, anchor)) in sums.iter_mut().zip(high).zip(columns()) {
                        *sum = steps(*high, *members, *anchor) * size;
                    }
                    if self.low.is_empty() {
                        sums[d] = *members as f64;
                    }
                }
                let lines = sums.lines.chunks_exact_mut(width).zip(&self.members);
                for ((sums, members), low) in lines.zip(self.low.chunks_exact(width)) {
                    for ((sum, low), (size, anchor)) in sums.iter_mut().zip(low).zip(columns()) {
                        *sum += steps(*low, *members, anchor / FINER) / FINER * size;
                    }
                }
            },
        );
    }
}

/// Takes what becomes of the numbers of a row from the line that begins at the first place, and adds it to the one at the
/// second.
#[inline(always)]
fn move_numbers<F: Float>(
    lines: &mut [i64],
    (from, to): (usize, usize),
    (x, mean, anchors): (&[F], &[F], &[f64]),
    number: impl Fn(f64, f64) -> i64,
) {
    /// Numbers that are moved at once.
    const LANES: usize = 8;
    let d = mean.len();
    let (xs, x) = x.as_chunks::<LANES>();
    let (means, mean) = mean.as_chunks::<LANES>();
    let (many_anchors, anchors) = anchors[..d].as_chunks::<LANES>();
    let Ok([from, to]) = lines.get_disjoint_mut([from..from + d, to..to + d]) else { return };
    let (many_from, from) = from.as_chunks_mut::<LANES>();
    let (many_to, to) = to.as_chunks_mut::<LANES>();
    let many = xs.iter().zip(means).zip(many_anchors);
    for ((from, to), ((x, mean), anchors)) in many_from.iter_mut().zip(many_to).zip(many) {
        // One array after the other: of a single loop the compiler makes gathers.
        let mut numbers = [0; LANES];
        for lane in 0..LANES {
            numbers[lane] = number((x[lane] - mean[lane]).as_f64(), anchors[lane]);
        }
        for lane in 0..LANES {
            from[lane] = from[lane].wrapping_sub(numbers[lane]);
        }
        for lane in 0..LANES {
            to[lane] = to[lane].wrapping_add(numbers[lane]);
        }
    }
    for ((from, to), ((x, mean), anchor)) in from.iter_mut().zip(to).zip(x.iter().zip(mean).zip(anchors)) {
        let number = number((*x - *mean).as_f64(), *anchor);
        (*from, *to) = (from.wrapping_sub(number), to.wrapping_add(number));
    }
}

#[inline(always)]
fn move_number(lines: &mut [i64], (from, to): (usize, usize), number: i64) {
    lines[from] = lines[from].wrapping_sub(number);
    lines[to] = lines[to].wrapping_add(number);
}

/// What a step is, for numbers within so far from 0; 0 where there is nothing to count.
fn step(bound: f64) -> Option<f64> {
    if bound == 0.0 {
        return Some(0.0);
    }
    // Twice as far: a root may have been rounded down.
    let power = bound.log2().ceil().max(-900.0) + 1.0;
    (power < 980.0).then(|| power.exp2() / BOUND)
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
