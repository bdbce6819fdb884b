//! One seeded, portable generator with addressable numbers.
//!
//! Every random number of the crate is a function of a seed and an address: what it is for (initial weights,
//! the shuffle of an epoch, the dropout of a layer at a step and row). Nothing depends on the order of calls or
//! on the number of threads, and a run can be resumed from its seed and its counters alone.
//!
//! The generator is ChaCha with 8 rounds (Bernstein 2008), whose values are the same on every platform.

use rand::rngs::ChaCha8Rng;
use rand::{Rng as _, SeedableRng};
use rand_distr::{Distribution, StandardNormal};

/// What random numbers are for. The discriminants are part of the reproducibility promise.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Purpose {
    /// Initial weights; the index is the parameter's.
    Initialization = 1,
    /// The order of the samples; the index is the epoch.
    Shuffle = 2,
    /// Noise inside a layer while training; the index is the layer's.
    Layer = 3,
    /// Runs of a clustering; the index is the run's.
    Clustering = 4,
    /// Synthetic data sets.
    Dataset = 5,
    /// Splits into training and test data, and folds.
    Split = 6,
    /// Everything else.
    Other = 7,
}

/// The generator at one address.
///
/// # Examples
/// ```
/// use axonal::rng::{Purpose, Rng};
///
/// let mut first = Rng::new(42, Purpose::Dataset, 0);
/// let mut again = Rng::new(42, Purpose::Dataset, 0);
/// let mut other = Rng::new(42, Purpose::Dataset, 1);
/// let value = first.uniform();
/// assert_eq!(value, again.uniform());
/// assert_ne!(value, other.uniform());
/// ```
#[derive(Debug)]
pub struct Rng(ChaCha8Rng);

impl Rng {
    /// The numbers of one address: a seed, a purpose and an index.
    #[must_use]
    pub fn new(seed: u64, purpose: Purpose, index: u64) -> Self {
        Self(keyed(seed, purpose, index, 0))
    }

    /// 32 random bits.
    pub fn next_u32(&mut self) -> u32 {
        self.0.next_u32()
    }

    /// 64 random bits.
    pub fn next_u64(&mut self) -> u64 {
        self.0.next_u64()
    }

    /// Uniform on [0, 1), with 53 random bits.
    #[allow(clippy::cast_precision_loss, reason = "53 bits fit an f64 exactly")]
    pub fn uniform(&mut self) -> f64 {
        (self.next_u64() >> 11) as f64 * (1.0 / (1u64 << 53) as f64)
    }

    /// Standard normal: mean 0, standard deviation 1.
    pub fn normal(&mut self) -> f64 {
        StandardNormal.sample(&mut self.0)
    }

    /// Uniform on 0, 1, …, `bound` − 1, without bias; 0 for a bound of 0.
    ///
    /// Lemire 2019, arXiv:1805.10941.
    #[allow(clippy::cast_possible_truncation, reason = "the high word of a product is below the bound")]
    pub fn below(&mut self, bound: usize) -> usize {
        if bound < 2 {
            return 0;
        }
        let bound = bound as u64;
        let threshold = bound.wrapping_neg() % bound;
        loop {
            let product = u128::from(self.next_u64()) * u128::from(bound);
            if product as u64 >= threshold {
                return (product >> 64) as usize;
            }
        }
    }

    /// Puts a slice into a uniformly random order (Fisher and Yates, as in Knuth's Algorithm P).
    pub fn shuffle<T>(&mut self, slice: &mut [T]) {
        for last in (1..slice.len()).rev() {
            slice.swap(last, self.below(last + 1));
        }
    }

    /// The numbers 0, 1, …, `len` − 1 in a uniformly random order.
    pub fn permutation(&mut self, len: usize) -> Vec<usize> {
        let mut order: Vec<usize> = (0..len).collect();
        self.shuffle(&mut order);
        order
    }
}

/// Random numbers addressed by row: what a layer draws for a sample depends on the seed, the layer, the step
/// and the sample's row in the batch, and on nothing else.
///
/// # Examples
/// ```
/// use axonal::rng::RowRng;
///
/// let noise = RowRng::new(7, 0, 1);
/// assert_eq!(noise.row(3).next_u32(), noise.row(3).next_u32());
/// assert_eq!(noise.row(3).next_u32(), noise.offset(2).row(1).next_u32());
/// ```
#[derive(Debug, Clone, Copy)]
pub struct RowRng {
    seed: u64,
    layer: u64,
    step: u64,
    first_row: u64,
}

impl RowRng {
    /// The numbers of one layer at one step of training.
    #[must_use]
    pub fn new(seed: u64, layer: u64, step: u64) -> Self {
        Self { seed, layer, step, first_row: 0 }
    }

    /// The generator of one row.
    #[must_use]
    pub fn row(&self, row: usize) -> Rng {
        let mut generator = keyed(self.seed, Purpose::Layer, self.layer, self.step);
        generator.set_word_pos(u128::from(self.first_row + row as u64) * WORDS_PER_ROW);
        Rng(generator)
    }

    /// The same numbers, seen from a batch that starts `rows` later.
    #[must_use]
    pub fn offset(&self, rows: usize) -> Self {
        Self { first_row: self.first_row + rows as u64, ..*self }
    }

    /// The same numbers, seen from a layer for which every row is `rows` rows: the steps of a sequence.
    #[must_use]
    pub fn repeat(&self, rows: usize) -> Self {
        Self { first_row: self.first_row.wrapping_mul(rows as u64), ..*self }
    }

    /// Independent numbers for the `index`-th layer inside of a layer made of others.
    #[must_use]
    pub fn child(&self, index: usize) -> Self {
        Self { layer: self.layer.wrapping_mul(1 << 8).wrapping_add(index as u64 + 1), ..*self }
    }
}

/// The words between the beginnings of two rows: more than the features of any sample.
const WORDS_PER_ROW: u128 = 1 << 32;

/// The generator at an address. The address is the 256-bit key itself, so no two addresses share numbers.
fn keyed(seed: u64, purpose: Purpose, index: u64, step: u64) -> ChaCha8Rng {
    let mut key = [0; 32];
    for (bytes, word) in key.chunks_exact_mut(8).zip([seed, purpose as u64, index, step]) {
        bytes.copy_from_slice(&word.to_le_bytes());
    }
    ChaCha8Rng::from_seed(key)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_numbers_of_an_address_never_change() {
        let mut rng = Rng::new(42, Purpose::Initialization, 0);
        let first: Vec<u32> = (0..4).map(|_| rng.next_u32()).collect();
        let mut again = Rng::new(42, Purpose::Initialization, 0);
        assert_eq!(first, (0..4).map(|_| again.next_u32()).collect::<Vec<_>>());
        assert_eq!(first, GOLDEN);
    }

    /// Written down from the first release; a change of these breaks every user's seeds.
    const GOLDEN: [u32; 4] = [2634808449, 2252095063, 3305629412, 649230165];

    #[test]
    fn uniform_has_the_mean_and_variance_of_its_interval() {
        let mut rng = Rng::new(1, Purpose::Other, 0);
        let draws: Vec<f64> = (0..100_000).map(|_| rng.uniform()).collect();
        let mean = draws.iter().sum::<f64>() / 1e5;
        let variance = draws.iter().map(|v| (v - mean).powi(2)).sum::<f64>() / 1e5;
        assert!((mean - 0.5).abs() < 0.005 && (variance - 1.0 / 12.0).abs() < 0.002, "{mean} {variance}");
        assert!(draws.iter().all(|v| (0.0..1.0).contains(v)));
    }

    #[test]
    fn normal_has_mean_zero_and_variance_one() {
        let mut rng = Rng::new(1, Purpose::Other, 1);
        let draws: Vec<f64> = (0..100_000).map(|_| rng.normal()).collect();
        let mean = draws.iter().sum::<f64>() / 1e5;
        let variance = draws.iter().map(|v| v * v).sum::<f64>() / 1e5;
        assert!(mean.abs() < 0.015 && (variance - 1.0).abs() < 0.02, "{mean} {variance}");
    }

    #[test]
    fn below_covers_its_range_evenly() {
        let mut rng = Rng::new(9, Purpose::Other, 0);
        let mut counts = [0usize; 6];
        for _ in 0..60_000 {
            counts[rng.below(6)] += 1;
        }
        assert!(counts.iter().all(|&count| count.abs_diff(10_000) < 500), "{counts:?}");
        assert_eq!((rng.below(0), rng.below(1)), (0, 0));
    }

    #[test]
    fn a_permutation_holds_every_index_once() {
        let mut order = Rng::new(3, Purpose::Shuffle, 0).permutation(1000);
        assert_ne!(order[..10], [0, 1, 2, 3, 4, 5, 6, 7, 8, 9]);
        order.sort_unstable();
        assert!(order.iter().copied().eq(0..1000));
    }

    #[test]
    fn rows_steps_layers_and_children_differ() {
        let noise = RowRng::new(5, 2, 7);
        let draws = [
            noise.row(0).next_u64(),
            noise.row(1).next_u64(),
            RowRng::new(5, 2, 8).row(0).next_u64(),
            RowRng::new(5, 3, 7).row(0).next_u64(),
            RowRng::new(6, 2, 7).row(0).next_u64(),
            noise.child(0).row(0).next_u64(),
            noise.child(1).row(0).next_u64(),
        ];
        for (i, a) in draws.iter().enumerate() {
            assert!(draws[..i].iter().all(|b| a != b));
        }
    }
}
