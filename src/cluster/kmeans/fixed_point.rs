//! Sums that rows join and leave without a trace: after the first iteration only the rows that change their cluster are added
//! again.
//!
//! A number is counted in steps so coarse that no sum of all rows leaves the range of an `i64`, and what is left of it in
//! steps of a second size. So the sums depend on who belongs to a cluster, and on nothing else: not on the order, not on who
//! has come and gone, not on the threads that add. The first steps are 2⁻⁵¹ of what bounds a column (of more than 2²⁰ rows
//! some more), the second ones 2⁻⁴² of these. Plain rows of `f32`, whose numbers have 24 bits, do without them.

use super::packed_centers::{NO_LABEL, Reassigned};
use super::samples::{Moments, Samples};
use super::sums::{Sums, width};
use crate::buffer::Buffer;
use crate::float::Float;
use crate::simd::{prefetch, vectorize};

/// How the numbers of rows are counted.
#[derive(Debug, Clone)]
pub(super) struct FixedPoint {
    n_features: usize,
    /// Whether there are second steps.
    finer: bool,
    /// What weights are multiplied with: a power of two by which none reaches 2, and by which no sum overflows.
    pub(super) scale: f64,
    /// For each number of a line of sums, what a step is.
    sizes: Buffer<f64>,
    /// For each number of a line, [`ANCHOR`] steps.
    anchors: Buffer<f64>,
}

/// The sums of each cluster, as [`Sums`] lays them out. What is added up is the bits of numbers that were anchored.
#[derive(Debug, Clone)]
pub(super) struct ExactSums {
    /// How many rows each cluster has. Behind the clusters there is one more, of the rows that belong to none: each row that
    /// comes leaves it.
    members: Vec<i64>,
    high: Buffer<i64>,
    /// In the second, finer steps; empty without them.
    low: Buffer<i64>,
}

/// Rows that are fetched into the cache before they are needed.
const AHEAD: usize = 6;

/// The steps that bound a number, of as many rows as [`ROWS`] says or fewer, and how many of the second ones are one of the
/// first.
const BOUND: f64 = (1_u64 << 51) as f64;
const FINER: f64 = (1_u64 << 42) as f64;

/// By Cauchy and Schwarz sums are at most √n times what bounds a number: of this many rows they have 61 bits.
const ROWS: usize = 1 << 20;

/// The least sum of squares that is trusted.
const LEAST: f64 = 1e-280;

/// The largest bound of a column that leaves exponent range for its steps.
const LARGE: f64 = 1e280;

/// 1.5 · 2⁵². A value of at most 2⁵¹ steps that is added to this many steps is rounded to whole steps, and as whole numbers
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
fn count(sum: i64, numbers: i64, anchor: f64) -> f64 {
    sum.wrapping_sub(numbers.wrapping_mul(bits(anchor))) as f64
}

impl FixedPoint {
    /// The moments are those of these rows and maybe of more.
    pub(super) fn new<F: Float>(samples: &Samples<'_, F>, moments: &Moments<F>) -> Self {
        let (n, d) = (samples.n_samples(), samples.n_features);
        let heaviest = |weights: &[F]| weights.iter().map(|weight| weight.as_f64()).fold(0.0, f64::max);
        let scale = samples.weights.map_or(1.0, |weights| scale_of(heaviest(weights)));
        let root = (n as f64).sqrt();
        let farthest = |column: usize| {
            let size = |row: usize| samples.row(row)[column].as_f64().abs();
            (0..n).map(size).fold(0.0, f64::max) * root
        };
        let bound = |(column, spread): (usize, &f64)| match *spread {
            // Squares of numbers of `f64` may have been lost.
            spread if spread < LEAST && size_of::<F>() > size_of::<f32>() => farthest(column),
            // By the triangle inequality for the columns as vectors.
            spread => spread.sqrt() + root * moments.mean[column].as_f64().abs(),
        };
        let bounds: Vec<f64> = moments.column_spreads.iter().enumerate().map(bound).collect();
        let small = if bounds.iter().any(|bound| *bound > LARGE) { 1.0 / LARGE.sqrt() } else { 1.0 };
        let scale = scale * small;
        let bounds = bounds.into_iter().map(|bound| bound * small).chain([root]);
        let bound_in_steps = BOUND / (n as f64 / ROWS as f64).max(1.0).log(4.0).ceil().exp2();
        let [mut sizes, mut anchors] = [Buffer::<f64>::new(width(d)), Buffer::new(width(d))];
        for ((size, anchor), bound) in sizes.iter_mut().zip(anchors.iter_mut()).zip(bounds) {
            *size = if bound == 0.0 { 0.0 } else { power_above(bound) / bound_in_steps };
            *anchor = *size * ANCHOR;
        }
        let finer = size_of::<F>() > size_of::<f32>() || samples.weights.is_some();
        Self { n_features: d, finer, scale, sizes, anchors }
    }

    /// Size in bytes of the sums of `n_clusters` clusters.
    pub(super) fn bytes(&self, n_clusters: usize) -> usize {
        let numbers = (n_clusters + 1).saturating_mul(self.anchors.len());
        numbers.saturating_mul(size_of::<i64>() * if self.finer { 2 } else { 1 })
    }
}

/// A power of two times which a number of at least 0 is below 2.
fn scale_of(number: f64) -> f64 {
    if number == 0.0 { 1.0 } else { (-number.log2().floor()).min(1000.0).exp2() }
}

/// A power of two of at least twice a number.
fn power_above(number: f64) -> f64 {
    (number.log2().ceil().max(-900.0) + 1.0).exp2()
}

impl ExactSums {
    /// Sums over no rows yet.
    pub(super) fn new(steps: &FixedPoint, n_clusters: usize) -> Self {
        let high = Buffer::new((n_clusters + 1) * steps.anchors.len());
        let low = if steps.finer { high.clone() } else { Buffer::default() };
        Self { members: vec![0; n_clusters + 1], high, low }
    }

    pub(super) fn clear(&mut self) {
        self.members.fill(0);
        self.high.fill(0);
        self.low.fill(0);
    }

    /// Moves rows to where their labels are now.
    pub(super) fn follow<F: Float>(
        &mut self,
        steps: &FixedPoint,
        samples: &Samples<'_, F>,
        moved: &[Reassigned],
        labels: &[u32],
    ) {
        vectorize(
            #[inline(always)]
            || self.move_rows(steps, samples, moved, labels),
        );
    }

    #[inline(always)]
    fn move_rows<F: Float>(
        &mut self,
        steps: &FixedPoint,
        samples: &Samples<'_, F>,
        moved: &[Reassigned],
        labels: &[u32],
    ) {
        let (d, width) = (samples.n_features, steps.anchors.len());
        let (members, anchors) = (&mut self.members[..], &steps.anchors[..]);
        let (high, low) = (&mut self.high[..], &mut self.low[..]);
        let nowhere = members.len() - 1;
        // Rows one after the other are fetched by the processor itself.
        let ahead = if moved.len() < labels.len() / 2 { AHEAD } else { moved.len() };
        for (index, &Reassigned { row, from }) in moved.iter().enumerate() {
            if let Some(next) = moved.get(index + ahead) {
                prefetch(samples.row(next.row as usize).as_ptr(), d);
            }
            let row = row as usize;
            let (from, to) = (if from == NO_LABEL { nowhere } else { from as usize }, labels[row] as usize);
            members[from] -= 1;
            members[to] += 1;
            let places = (from * width, to * width);
            let numbers = (samples.row(row), &anchors[..d]);
            if low.is_empty() {
                move_numbers(high, places, numbers, |value, anchor| bits(value + anchor));
                continue;
            }
            let weight = samples.weight(row) * steps.scale;
            move_numbers(high, places, numbers, |value, anchor| bits(weight * value + anchor));
            move_numbers(low, places, numbers, |value, anchor| rest(weight * value, anchor));
            move_number(high, (places.0 + d, places.1 + d), bits(weight + anchors[d]));
            move_number(low, (places.0 + d, places.1 + d), rest(weight, anchors[d]));
        }
    }

    /// Takes over what others have moved, and leaves them without anything.
    pub(super) fn gather(&mut self, others: &mut Self) {
        fn add(own: &mut [i64], others: &[i64]) {
            own.iter_mut().zip(others).for_each(|(own, other)| *own = own.wrapping_add(*other));
        }
        vectorize(
            #[inline(always)]
            || {
                add(&mut self.members, &others.members);
                add(&mut self.high, &others.high);
                add(&mut self.low, &others.low);
            },
        );
        others.clear();
    }

    /// Rounds the sums to numbers of `f64`; the weights in them are multiplied with the scale of the steps.
    pub(super) fn write(&self, steps: &FixedPoint, sums: &mut Sums) {
        let (d, width) = (steps.n_features, steps.anchors.len());
        vectorize(
            #[inline(always)]
            || {
                let columns = || steps.sizes.iter().zip(&steps.anchors);
                let lines = sums.lines.chunks_exact_mut(width).zip(&self.members);
                if !steps.finer {
                    for ((sums, members), high) in lines.zip(self.high.chunks_exact(width)) {
                        for ((sum, high), (size, anchor)) in sums.iter_mut().zip(high).zip(columns()) {
                            *sum = count(*high, *members, *anchor) * size;
                        }
                        sums[d] = *members as f64;
                    }
                    return;
                }
                let numbers = self.high.chunks_exact(width).zip(self.low.chunks_exact(width));
                for ((sums, members), (high, low)) in lines.zip(numbers) {
                    for ((sum, (high, low)), (size, anchor)) in
                        sums.iter_mut().zip(high.iter().zip(low)).zip(columns())
                    {
                        let finer = count(*low, *members, anchor / FINER) / FINER;
                        *sum = count(*high, *members, *anchor) * size + finer * size;
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
    (x, anchors): (&[F], &[f64]),
    number: impl Fn(f64, f64) -> i64,
) {
    /// Numbers that are moved at once.
    const LANES: usize = 8;
    let d = anchors.len();
    let (xs, x) = x.as_chunks::<LANES>();
    let (many_anchors, anchors) = anchors.as_chunks::<LANES>();
    let Ok([from, to]) = lines.get_disjoint_mut([from..from + d, to..to + d]) else { return };
    let (many_from, from) = from.as_chunks_mut::<LANES>();
    let (many_to, to) = to.as_chunks_mut::<LANES>();
    let many = xs.iter().zip(many_anchors);
    for ((from, to), (x, anchors)) in many_from.iter_mut().zip(many_to).zip(many) {
        // One array after the other: of a single loop the compiler makes gathers.
        let mut numbers = [0; LANES];
        for lane in 0..LANES {
            numbers[lane] = number(x[lane].as_f64(), anchors[lane]);
        }
        for lane in 0..LANES {
            from[lane] = from[lane].wrapping_sub(numbers[lane]);
        }
        for lane in 0..LANES {
            to[lane] = to[lane].wrapping_add(numbers[lane]);
        }
    }
    for ((from, to), (x, anchor)) in from.iter_mut().zip(to).zip(x.iter().zip(anchors)) {
        let number = number(x.as_f64(), *anchor);
        (*from, *to) = (from.wrapping_sub(number), to.wrapping_add(number));
    }
}

#[inline(always)]
fn move_number(lines: &mut [i64], (from, to): (usize, usize), number: i64) {
    lines[from] = lines[from].wrapping_sub(number);
    lines[to] = lines[to].wrapping_add(number);
}

#[cfg(test)]
mod tests {
    use super::super::sums::add_point;
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

    /// The sums after rows have gone all the way, cut into pieces whose sums are gathered.
    fn after<F: Float>(samples: &Samples<'_, F>, moments: &Moments<F>, path: &[Vec<u32>]) -> Vec<f64> {
        let steps = FixedPoint::new(samples, moments);
        let mut exact = ExactSums::new(&steps, 5);
        let mut others = exact.clone();
        let mut previous = vec![NO_LABEL; samples.n_samples()];
        for labels in path {
            let rows = (0..).zip(previous.iter().zip(labels));
            let moved: Vec<Reassigned> = rows
                .filter(|(_, (a, b))| a != b)
                .map(|(row, (from, _))| Reassigned { row, from: *from })
                .collect();
            let (some, rest) = moved.split_at(moved.len() / 3);
            others.follow(&steps, samples, rest, labels);
            exact.follow(&steps, samples, some, labels);
            exact.gather(&mut others);
            previous.copy_from_slice(labels);
        }
        let mut sums = Sums::new(5, moments.mean.len());
        exact.write(&steps, &mut sums);
        sums.lines.iter().map(|sum| sum / steps.scale).collect()
    }

    /// The sums in the order of the rows.
    fn in_order<F: Float>(samples: &Samples<'_, F>, labels: &[u32]) -> Vec<f64> {
        let mut sums = Sums::new(5, samples.n_features);
        for (row, &label) in labels.iter().enumerate() {
            add_point(sums.line(label as usize), samples.row(row), samples.weight(row));
        }
        sums.lines.to_vec()
    }

    fn the_way_leaves_no_trace<F: Float>(d: usize, weights: Option<&[F]>) {
        let n = 333;
        let x = values::<F>(n, d);
        let samples = Samples { values: &x, n_features: d, weights };
        let moments = moments(&samples, values::<F>(1, d));
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
        let sums = in_order(&samples, &path[5]);
        let sizes: Vec<F> = x.iter().map(|x| x.abs()).collect();
        let magnitude = in_order(&Samples { values: &sizes, ..samples }, &path[5]);
        // Plain rows of `f32` are rounded to steps of their column, whatever the other numbers of the cluster.
        let plain = size_of::<F>() <= size_of::<f32>() && weights.is_none();
        let bound = |column: usize| {
            let mean = moments.mean[column].as_f64().abs();
            4.0 * (moments.column_spreads[column].sqrt() + (n as f64).sqrt() * mean)
        };
        for (place, (got, want)) in direct.iter().zip(&sums).enumerate() {
            let column = place % width(d);
            let magnitude = if plain && column < d { bound(column) } else { magnitude[place] };
            assert!((got - want).abs() <= n as f64 * f64::EPSILON * magnitude, "{got} for {want}");
        }
    }

    #[test]
    fn sums_depend_on_the_members_alone() {
        let weights: Vec<f64> = (1..334).map(|row| f64::from(row).sqrt() / 7.0).collect();
        let short: Vec<f32> = weights.iter().map(|w| *w as f32).collect();
        for d in [1, 2, 3, 4, 7, 8, 21] {
            the_way_leaves_no_trace::<f32>(d, None);
            the_way_leaves_no_trace::<f64>(d, None);
            the_way_leaves_no_trace(d, Some(&weights[..]));
            the_way_leaves_no_trace(d, Some(&short[..]));
        }
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

    /// The steps of weights of any size are in range.
    #[test]
    fn weights_may_be_as_large_and_as_small_as_numbers_can_be() {
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
    fn the_steps_of_very_many_rows_are_coarser() {
        let one = Samples { values: &[1.0_f32], n_features: 1, weights: None };
        let values = vec![1.0_f32; (ROWS << 1) + 1];
        let many = Samples { values: &values, ..one };
        let size = |samples: &Samples<'_, f32>| {
            let moments = Moments { column_spreads: vec![1.0], ..moments(samples, vec![0.0]) };
            FixedPoint::new(samples, &moments).sizes[0]
        };
        assert_eq!(size(&many), 2.0 * size(&one));
    }
}
