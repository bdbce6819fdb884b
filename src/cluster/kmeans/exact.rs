//! Sums that rows join and leave without a trace, for data that an iteration passes over in no time: only the rows that
//! change their cluster are added again.
//!
//! A number is cut in two on grids so coarse that no sum of all rows is ever rounded: (v + g) − g is v, rounded to the
//! grid of g (Dekker, A floating-point technique for extending the available precision, 1971). What is left below the
//! second grid is less than n²·2⁻¹⁰⁴ of the largest number of the column. So the sums depend on who belongs to a cluster,
//! and on nothing else: not on the order, not on who has come and gone.

use super::nearest::NO_LABEL;
use super::samples::Samples;
use super::sums::{Sums, width};
use crate::buffer::Buffer;
use crate::float::Float;
use crate::simd::vectorize;

/// The sums of each cluster, as [`Sums`] lays them out, in two parts.
#[derive(Debug, Clone)]
pub(super) struct ExactSums {
    n_features: usize,
    high: Buffer<f64>,
    low: Buffer<f64>,
    /// For each number of a line what rounds to its two grids.
    grids: [Buffer<f64>; 2],
}

/// Rows among which those that have changed are sought at once.
const BLOCK: usize = 32;

impl ExactSums {
    /// Sums over no rows yet. `None` where products with the weights are so large that there is no grid.
    pub(super) fn new<F: Float>(samples: &Samples<'_, F>, mean: &[F], n_clusters: usize) -> Option<Self> {
        let d = mean.len();
        let weight = (0..samples.n_samples()).map(|row| samples.weight(row)).fold(0.0, f64::max);
        let mut largest = vec![F::zero(); d];
        vectorize(
            #[inline(always)]
            || {
                for row in samples.values.chunks_exact(d) {
                    for ((largest, x), mean) in largest.iter_mut().zip(row).zip(mean) {
                        let distance = (*x - *mean).abs();
                        *largest = if distance > *largest { distance } else { *largest };
                    }
                }
            },
        );
        let [mut first, mut second] = [Buffer::new(width(d)), Buffer::new(width(d))];
        let largest = largest.iter().map(|largest| largest.as_f64() * weight).chain([weight]);
        for ((first, second), largest) in first.iter_mut().zip(second.iter_mut()).zip(largest) {
            *first = grid(largest, samples.n_samples())?;
            // Half a step of the first grid.
            *second = grid(*first * f64::EPSILON / 2.0, samples.n_samples())?;
        }
        let sums = Buffer::new(n_clusters * width(d));
        Some(Self { n_features: d, high: sums.clone(), low: sums, grids: [first, second] })
    }

    pub(super) fn clear(&mut self) {
        self.high.fill(0.0);
        self.low.fill(0.0);
    }

    /// Moves the rows whose labels are not what they were, less their mean. Rows without a label come from nowhere.
    pub(super) fn follow<F: Float>(
        &mut self,
        samples: &Samples<'_, F>,
        mean: &[F],
        previous: &[u32],
        labels: &[u32],
    ) {
        let width = width(self.n_features);
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
                            self.take::<F, true>(previous as usize * width, x, weight);
                        }
                        self.take::<F, false>(label as usize * width, x, weight);
                    }
                }
            },
        );
    }

    /// Adds a row to the line that begins there, or takes it away.
    #[inline(always)]
    fn take<F: Float, const AWAY: bool>(&mut self, start: usize, (x, mean): (&[F], &[F]), weight: f64) {
        let d = self.n_features;
        let (high, low) = (&mut self.high[start..][..=d], &mut self.low[start..][..=d]);
        let (first, second) = (&self.grids[0][..=d], &self.grids[1][..=d]);
        let part = |value: f64, first: f64, second: f64| {
            let high = (value + first) - first;
            let low = ((value - high) + second) - second;
            if AWAY { (-high, -low) } else { (high, low) }
        };
        let (own_high, own_low) = part(weight, first[d], second[d]);
        high[d] += own_high;
        low[d] += own_low;
        let sums = high.iter_mut().zip(low).zip(first.iter().zip(second));
        for (((high, low), (first, second)), (x, mean)) in sums.zip(x.iter().zip(mean)) {
            let (own_high, own_low) = part(weight * (*x - *mean).as_f64(), *first, *second);
            *high += own_high;
            *low += own_low;
        }
    }

    /// Rounds the sums to numbers of `f64`.
    pub(super) fn write(&self, sums: &mut Sums) {
        let parts = self.high.iter().zip(&self.low);
        sums.lines.iter_mut().zip(parts).for_each(|(sum, (high, low))| *sum = high + low);
    }
}

/// The number that rounds to a grid on which `count` numbers of at most `largest` can be added up in `f64`; zero where there
/// is nothing to round.
fn grid(largest: f64, count: usize) -> Option<f64> {
    if largest == 0.0 {
        return Some(0.0);
    }
    // The sums stay below 2ᵖ, and on a grid of 2ᵖ⁻⁵² they have 52 bits.
    let power = (largest.log2() + (count as f64 + 1.0).log2()).ceil() + 1.0;
    (power < 1000.0).then(|| 1.5 * power.max(-960.0).exp2())
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

    fn after<F: Float>(samples: &Samples<'_, F>, mean: &[F], path: &[Vec<u32>]) -> Vec<f64> {
        let mut exact = ExactSums::new(samples, mean, 5).unwrap();
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
        let mean = values::<F>(1, d);
        let samples = Samples { values: &x, n_features: d, weights };
        let mut rng = Rng::new(2, Purpose::Other, 0);
        let path: Vec<Vec<u32>> = (0..6).map(|_| (0..n).map(|_| rng.below(5) as u32).collect()).collect();
        let direct = after(&samples, &mean, &path[5..]);
        assert_eq!(after(&samples, &mean, &path), direct);
        // A cluster that loses all its rows is left with nothing at all.
        let mut empty = path.clone();
        empty.push(vec![1; n]);
        let all = after(&samples, &mean, &empty);
        assert!(all[..width(d)].iter().all(|sum| *sum == 0.0));
        // The sums are those in the order of the rows, but for the rounding of these.
        let mut sums = Sums::new(5, d);
        sums.add_rows(&samples, &mean, &path[5], &[]);
        let mut magnitude = Sums::new(5, d);
        let sizes: Vec<F> = x.iter().zip(mean.iter().cycle()).map(|(x, mean)| (*x - *mean).abs()).collect();
        let of_sizes = Samples { values: &sizes, ..samples };
        magnitude.add_rows(&of_sizes, &vec![F::zero(); d], &path[5], &[]);
        for ((got, want), magnitude) in direct.iter().zip(sums.lines.iter()).zip(magnitude.lines.iter()) {
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
    fn weights_without_a_grid_have_no_exact_sums() {
        let samples = Samples { values: &[1.0, 2.0], n_features: 1, weights: Some(&[1e304, 1e303]) };
        assert!(ExactSums::new(&samples, &[0.0], 1).is_none());
    }
}
