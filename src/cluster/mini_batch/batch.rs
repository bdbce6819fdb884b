//! The rows of a mini-batch, drawn among those of all ranks in proportion to their weights.

use crate::cluster::kmeans::ranks::gather::RankRow;
use crate::cluster::kmeans::ranks::tree_sums::TreeSums;
use crate::cluster::kmeans::ranks::{CHUNK, Ranks};
use crate::cluster::kmeans::samples::Samples;
use crate::error::Result;
use crate::float::Float;
use crate::rng::Rng;

/// Draws rows in proportion to their weights, with replacement. All ranks draw the same rows.
pub(super) struct WeightedSampler<'a> {
    ranks: &'a Ranks<'a>,
    /// The running sum of the weights of this rank in each chunk of rows, and the sums of the chunks; `None` without weights.
    weights: Option<(Vec<f64>, TreeSums<'a>)>,
}

impl<'a> WeightedSampler<'a> {
    pub(super) fn new<F: Float>(samples: &Samples<'_, F>, ranks: &'a Ranks<'a>) -> Result<Self> {
        let Some(weights) = samples.weights else { return Ok(Self { ranks, weights: None }) };
        let running = weights.chunks(CHUNK).flat_map(|chunk| {
            chunk.iter().scan(0.0, |sum, weight| {
                *sum += weight.as_f64();
                Some(*sum)
            })
        });
        let running: Vec<f64> = running.collect();
        let mut sums = TreeSums::new(ranks);
        sums.compute(1, |chunk| std::slice::from_ref(&running[last_of(chunk, running.len())]))?;
        Ok(Self { ranks, weights: Some((running, sums)) })
    }

    pub(super) fn row(&self, rng: &mut Rng) -> RankRow {
        let Some((running, sums)) = &self.weights else {
            return self.ranks.locate(rng.below(self.ranks.n_rows()));
        };
        let Some(place) = sums.locate(0, rng.uniform() * sums.total(0)) else {
            return RankRow { rank: 0, place: 0 };
        };
        if place.rank != self.ranks.rank() {
            return RankRow { rank: place.rank, place: 0 };
        }
        let (chunk, target) = place.chunk(|chunk| running[last_of(chunk, running.len())]);
        let rows = &running[chunk * CHUNK..=last_of(chunk, running.len())];
        let total = rows.last().copied().unwrap_or(0.0);
        // Where rounding keeps the sum below the target: the last row with weight.
        let row = rows.partition_point(|sum| *sum <= target).min(rows.partition_point(|sum| *sum < total));
        RankRow { rank: place.rank, place: chunk * CHUNK + row }
    }
}

/// The last row of a chunk.
fn last_of(chunk: usize, n_rows: usize) -> usize {
    ((chunk + 1) * CHUNK).min(n_rows) - 1
}

/// The rows of all ranks that have weight, among which initial centers are drawn.
pub(super) struct RowsWithWeight<'a> {
    ranks: &'a Ranks<'a>,
    /// Those of this rank; `None` where all rows have weight.
    own: Option<Vec<usize>>,
    /// How many of them are on the ranks before each one, and on all.
    starts: Vec<usize>,
}

impl<'a> RowsWithWeight<'a> {
    pub(super) fn new<F: Float>(samples: &Samples<'_, F>, ranks: &'a Ranks<'a>) -> Result<Self> {
        if samples.weights.is_none() {
            return Ok(Self { ranks, own: None, starts: ranks.starts().to_vec() });
        }
        let own: Vec<usize> = (0..samples.n_samples()).filter(|&row| samples.weight(row) > 0.0).collect();
        let mut counts = vec![0; ranks.size()];
        counts[ranks.rank()] = own.len();
        ranks.combine_rows(&mut counts)?;
        let ends = counts.iter().scan(0, |end, count| {
            *end += count;
            Some(*end)
        });
        let starts = std::iter::once(0).chain(ends).collect();
        Ok(Self { ranks, own: Some(own), starts })
    }

    /// The number of them on all ranks.
    pub(super) fn count(&self) -> usize {
        self.starts.last().copied().unwrap_or(0)
    }

    /// The row with this number among them.
    pub(super) fn row(&self, number: usize) -> RankRow {
        let rank = self.starts.partition_point(|start| *start <= number).saturating_sub(1);
        let place = number - self.starts[rank];
        let place = match &self.own {
            Some(own) if rank == self.ranks.rank() => own[place],
            _ => place,
        };
        RankRow { rank, place }
    }
}
