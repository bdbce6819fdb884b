//! The candidates for the next center of greedy k-means++, and the potential that each would leave.
//!
//! A row whose nearest center lies less than half as far as that center from every candidate cannot be closer to one of them
//! (the triangle inequality), and is skipped (Raff, Exact acceleration of k-means++, 2021, arXiv:2105.02936). Where that costs
//! more than it saves, all rows are scored; then the last chosen center is scored with the next candidates, while a group is in
//! registers, so that each row is read from memory once per center.

use super::candidate_kernel::{CandidateKernel, GroupScratch, MAX_RECORDED, MergeKernel};
use super::row_chunk::RowChunk;
use crate::cluster::kmeans::ranks::{CHUNK, Ranks};
use crate::cluster::kmeans::samples::Samples;
use crate::cluster::kmeans::scratch_pool::ScratchPool;
use crate::cluster::kmeans::sums::fixed_point::heaviest;
use crate::error::Result;
use crate::float::Float;
use crate::linalg::distance::squared_distance;
use crate::parallel;
use crate::simd::vectorize;

/// Features from which on a distance costs more than deciding whether it is needed, and elements of centers from which on
/// most distances are not needed.
const MIN_SIZES_TO_SKIP: [usize; 2] = [24, 1 << 15];

/// Which rows are scored against the candidates. The choice of centers does not depend on it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum SeedingStrategy {
    /// All rows.
    AllRows,
    /// Not those that are too close to their center for any candidate to be closer.
    SkipClose,
}

impl SeedingStrategy {
    /// The faster strategy for data of this size.
    pub(crate) fn for_sizes(n_clusters: usize, n_features: usize) -> Self {
        let [features, elements] = MIN_SIZES_TO_SKIP;
        if n_features >= features && n_clusters.saturating_mul(n_features) >= elements {
            Self::SkipClose
        } else {
            Self::AllRows
        }
    }
}

/// The candidates for the next center.
#[derive(Debug)]
pub(crate) struct Candidates<F> {
    /// Their numbers among the rows of all ranks.
    pub(crate) rows: Vec<usize>,
    /// Their values, one row after the other.
    pub(crate) values: Vec<F>,
    strategy: SeedingStrategy,
    /// For each center a quarter of the squared distance to the nearest candidate; empty where no rows are skipped.
    skip_limits: Vec<F>,
    /// The largest weight.
    max_weight: f64,
    pool: ScratchPool<GroupScratch<F>>,
}

#[inline(always)]
fn quarter_of_squared_distance<F: Float>(a: &[F], b: &[F]) -> F {
    F::of(0.25) * squared_distance(a, b)
}

impl<F: Float> Candidates<F> {
    pub(crate) fn new(
        (samples, ranks): (&Samples<'_, F>, &Ranks<'_>),
        n_trials: usize,
        strategy: SeedingStrategy,
    ) -> Result<Self> {
        let max_weight = heaviest(samples, ranks)?.unwrap_or(1.0);
        let shape = (samples.n_samples(), samples.n_features);
        Ok(Self::with_max_weight(shape, n_trials, strategy, max_weight))
    }

    /// For up to `n_rows` rows at a time, of which none weighs more than `max_weight`.
    pub(crate) fn with_max_weight(
        (n_rows, n_features): (usize, usize),
        n_trials: usize,
        strategy: SeedingStrategy,
        max_weight: f64,
    ) -> Self {
        let operations = n_rows.saturating_mul(n_features).saturating_mul(n_trials);
        let make = || GroupScratch::new(n_features, n_trials);
        Self {
            rows: Vec::with_capacity(n_trials),
            values: Vec::with_capacity(n_trials * n_features),
            strategy,
            skip_limits: Vec::new(),
            max_weight,
            pool: ScratchPool::new(operations, n_rows.div_ceil(CHUNK), make),
        }
    }

    /// Merges centers into the squared distances of consecutive rows, with the bits of [`score`](Self::score).
    pub(crate) fn merge(&self, samples: &Samples<'_, F>, centers: &[F], distances: &mut [F]) {
        let centers: Vec<&[F]> = centers.chunks_exact(samples.n_features).collect();
        let work = |scratch: &mut GroupScratch<F>| {
            F::run_simd(MergeKernel { centers: &centers, rows: *samples, distances, scratch });
        };
        self.pool.with(|| GroupScratch::new(samples.n_features, self.rows.capacity()), work);
    }

    /// The values of a candidate.
    pub(crate) fn row(&self, candidate: usize) -> &[F] {
        let d = self.values.len() / self.rows.len();
        &self.values[candidate * d..][..d]
    }

    /// The bit of a candidate in [`RowChunk::closer`]; all bits for a candidate beyond those that are recorded.
    pub(crate) fn bit(&self, candidate: usize) -> u32 {
        if candidate < MAX_RECORDED { 1 << candidate } else { u32::MAX }
    }

    /// Computes up to which distance to a center rows are skipped. `chosen` are the values of the centers.
    pub(crate) fn set_skip_limits(&mut self, chosen: &[F], n_features: usize) {
        self.skip_limits.clear();
        if self.strategy == SeedingStrategy::AllRows {
            return;
        }
        let (limits, rows) = (&mut self.skip_limits, &self.values);
        vectorize(
            #[inline(always)]
            || {
                for center in chosen.chunks_exact(n_features) {
                    let mut nearest = F::infinity();
                    for row in rows.chunks_exact(n_features) {
                        let distance = quarter_of_squared_distance(row, center);
                        nearest = if distance < nearest { distance } else { nearest };
                    }
                    limits.push(nearest);
                }
            },
        );
    }

    /// Computes the sums that each candidate would leave of `potential`, and, where rows are skipped, records for each row the
    /// candidates that are closer than its center. `last`, a center whose distances are still missing, is merged first.
    pub(crate) fn score(
        &self,
        samples: &Samples<'_, F>,
        potential: f64,
        last: Option<&[F]>,
        chunks: &mut [RowChunk<'_, F>],
    ) {
        let operations = samples.values.len().saturating_mul(self.rows.len());
        let rows: Vec<&[F]> = self.values.chunks_exact(samples.n_features).collect();
        parallel::for_each(operations, chunks, |chunk| {
            let work = |scratch: &mut GroupScratch<F>| {
                F::run_simd(CandidateKernel {
                    candidates: &rows,
                    skip_limits: &self.skip_limits,
                    last,
                    rows: samples.slice(chunk.first_row, chunk.distances.len()),
                    scale: scale::<F>(potential, self.max_weight),
                    distances: chunk.distances,
                    centers: chunk.centers,
                    sums: &mut chunk.candidate_potentials,
                    closer: chunk.closer,
                    scratch,
                });
            };
            self.pool.with(|| GroupScratch::new(samples.n_features, rows.len()), work);
        });
    }
}

/// A power of two with which the potential is in the range of `F` and no weight is above 1: products of tiny weights and
/// distances would underflow.
fn scale<F: Float>(potential: f64, max_weight: f64) -> f64 {
    let factor = (potential / (F::max_value().as_f64() / 4.0)).max(max_weight);
    if factor > 0.0 { (-factor.log2().ceil()).min(1000.0).exp2() } else { 1.0 }
}
