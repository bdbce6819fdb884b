//! Seeded, portable, counter-based random numbers.
//!
//! Every random number is a function of a seed and an address: its purpose (initial weights, the shuffle of an epoch,
//! the dropout of a layer), an index, a step and a row. Nothing depends on the order of calls or on the number of
//! threads, and a run can be resumed from its seed and its counters alone.
//!
//! The generator is ChaCha with 8 rounds (Bernstein 2008), whose output is the same on every platform. The address is
//! the key and the position in the stream.

use rand::rngs::ChaCha8Rng;
use rand::{Rng as _, SeedableRng};
use rand_distr::{Distribution, StandardNormal};

/// The purpose of random numbers: a part of their address. The discriminants never change, so that seeds keep their
/// meaning.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Purpose {
    /// Initial weights, indexed by parameter.
    Initialization = 1,
    /// The order of the samples, indexed by epoch.
    Shuffle = 2,
    /// Noise of a layer during training, indexed by layer.
    Layer = 3,
    /// Clustering, indexed by run.
    Clustering = 4,
    /// Synthetic data sets.
    Dataset = 5,
    /// Splits into training and test data, and folds.
    Split = 6,
    /// Everything else.
    Other = 7,
}

/// A generator at an address: a seed, a purpose and an index.
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
    /// Creates the generator at an address.
    #[must_use]
    pub fn new(seed: u64, purpose: Purpose, index: u64) -> Self {
        Self(generator_at(seed, purpose, index, 0))
    }

    /// Returns 32 random bits.
    pub fn next_u32(&mut self) -> u32 {
        self.0.next_u32()
    }

    /// Returns 64 random bits.
    pub fn next_u64(&mut self) -> u64 {
        self.0.next_u64()
    }

    /// Draws from the uniform distribution on [0, 1), with 53 random bits.
    #[allow(clippy::cast_precision_loss, reason = "53 bits fit an f64 exactly")]
    pub fn uniform(&mut self) -> f64 {
        (self.next_u64() >> 11) as f64 * (1.0 / (1u64 << 53) as f64)
    }

    /// Skips `count` draws of [`uniform`](Self::uniform).
    pub(crate) fn skip(&mut self, count: usize) {
        // A draw takes two words of the stream.
        self.0.set_word_pos(self.0.get_word_pos().wrapping_add(2 * count as u128));
    }

    /// Draws from the standard normal distribution.
    pub fn normal(&mut self) -> f64 {
        StandardNormal.sample(&mut self.0)
    }

    /// Draws an integer below `bound` uniformly, without bias (Lemire 2019, arXiv:1805.10941). Returns 0 for a bound
    /// of 0.
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

    /// Shuffles a slice uniformly (Fisher and Yates).
    pub fn shuffle<T>(&mut self, slice: &mut [T]) {
        for last in (1..slice.len()).rev() {
            slice.swap(last, self.below(last + 1));
        }
    }

    /// Returns a uniformly random permutation of `0..len`.
    pub fn permutation(&mut self, len: usize) -> Vec<usize> {
        let mut order: Vec<usize> = (0..len).collect();
        self.shuffle(&mut order);
        order
    }
}

/// Random numbers addressed by row: the draws for a sample depend only on the seed, the layer, the step and the
/// sample's row in the batch.
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
    /// Creates the generators of a layer at a training step.
    #[must_use]
    pub fn new(seed: u64, layer: u64, step: u64) -> Self {
        Self { seed, layer, step, first_row: 0 }
    }

    /// Returns the generator of a row.
    #[must_use]
    pub fn row(&self, row: usize) -> Rng {
        let mut generator = generator_at(self.seed, Purpose::Layer, self.layer, self.step);
        generator.set_word_pos(u128::from(self.first_row + row as u64) * WORDS_PER_ROW);
        Rng(generator)
    }

    /// Shifts the rows: row 0 of the result is row `rows`. For a chunk of a batch.
    #[must_use]
    pub fn offset(&self, rows: usize) -> Self {
        Self { first_row: self.first_row + rows as u64, ..*self }
    }

    /// Divides each row into `rows` rows, such as the time steps of a sequence.
    #[must_use]
    pub fn repeat(&self, rows: usize) -> Self {
        Self { first_row: self.first_row.wrapping_mul(rows as u64), ..*self }
    }

    /// Returns independent generators for the `index`-th layer nested in a layer.
    #[must_use]
    pub fn child(&self, index: usize) -> Self {
        Self { layer: self.layer.wrapping_mul(1 << 8).wrapping_add(index as u64 + 1), ..*self }
    }
}

/// Words of the stream reserved for a row: more than any sample has features.
const WORDS_PER_ROW: u128 = 1 << 32;

/// The generator at an address. The address is the 256-bit key, so no two addresses share a stream.
fn generator_at(seed: u64, purpose: Purpose, index: u64, step: u64) -> ChaCha8Rng {
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
    fn the_stream_of_an_address_never_changes() {
        let mut rng = Rng::new(42, Purpose::Initialization, 0);
        let first: Vec<u32> = (0..4).map(|_| rng.next_u32()).collect();
        let mut again = Rng::new(42, Purpose::Initialization, 0);
        assert_eq!(first, (0..4).map(|_| again.next_u32()).collect::<Vec<_>>());
        assert_eq!(first, GOLDEN);
    }

    /// From the first release. A change breaks every user's seeds.
    const GOLDEN: [u32; 4] = [2634808449, 2252095063, 3305629412, 649230165];

    #[test]
    fn uniform_draws_have_the_mean_and_variance_of_the_interval() {
        let mut rng = Rng::new(1, Purpose::Other, 0);
        let draws: Vec<f64> = (0..100_000).map(|_| rng.uniform()).collect();
        let mean = draws.iter().sum::<f64>() / 1e5;
        let variance = draws.iter().map(|v| (v - mean).powi(2)).sum::<f64>() / 1e5;
        assert!((mean - 0.5).abs() < 0.005 && (variance - 1.0 / 12.0).abs() < 0.002, "{mean} {variance}");
        assert!(draws.iter().all(|v| (0.0..1.0).contains(v)));
    }

    #[test]
    fn skipped_draws_are_those_that_would_come() {
        for (before, count) in [(0, 0), (1, 3), (7, 8), (5, 1000)] {
            let (mut drawn, mut skipped) = (Rng::new(1, Purpose::Other, 0), Rng::new(1, Purpose::Other, 0));
            (0..before + count).for_each(|_| _ = drawn.uniform());
            (0..before).for_each(|_| _ = skipped.uniform());
            skipped.skip(count);
            assert_eq!(skipped.uniform(), drawn.uniform());
        }
    }

    #[test]
    fn normal_draws_have_mean_zero_and_variance_one() {
        let mut rng = Rng::new(1, Purpose::Other, 1);
        let draws: Vec<f64> = (0..100_000).map(|_| rng.normal()).collect();
        let mean = draws.iter().sum::<f64>() / 1e5;
        let variance = draws.iter().map(|v| v * v).sum::<f64>() / 1e5;
        assert!(mean.abs() < 0.015 && (variance - 1.0).abs() < 0.02, "{mean} {variance}");
    }

    #[test]
    fn integers_below_a_bound_are_uniform() {
        let mut rng = Rng::new(9, Purpose::Other, 0);
        let mut counts = [0usize; 6];
        for _ in 0..60_000 {
            counts[rng.below(6)] += 1;
        }
        assert!(counts.iter().all(|&count| count.abs_diff(10_000) < 500), "{counts:?}");
        assert_eq!((rng.below(0), rng.below(1)), (0, 0));
    }

    #[test]
    fn a_permutation_contains_every_index_once() {
        let mut order = Rng::new(3, Purpose::Shuffle, 0).permutation(1000);
        assert_ne!(order[..10], [0, 1, 2, 3, 4, 5, 6, 7, 8, 9]);
        order.sort_unstable();
        assert!(order.iter().copied().eq(0..1000));
    }

    #[test]
    fn rows_steps_layers_and_nested_layers_differ() {
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
