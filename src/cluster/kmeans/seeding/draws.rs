//! Draws of rows in proportion to their weights, or to their weighted squared distances. All ranks draw the same numbers, and
//! one of them finds the row: first the chunk by the sums over chunks, then the row in the chunk.

use super::row_chunk::RowChunk;
use crate::cluster::kmeans::ranks::tree_sums::TreeSums;
use crate::cluster::kmeans::ranks::{CHUNK, Ranks};
use crate::cluster::kmeans::samples::Samples;
use crate::error::Result;
use crate::float::Float;
use crate::linalg::distance::squared_distance;
use std::ops::Range;

/// Draws by weight.
#[derive(Debug)]
pub(super) struct WeightDraws<'a, F> {
    samples: Samples<'a, F>,
    ranks: &'a Ranks<'a>,
    /// The weight of each chunk of this rank, and the sums of them.
    chunks: Vec<f64>,
    sums: TreeSums<'a>,
}

impl<'a, F: Float> WeightDraws<'a, F> {
    pub(super) fn new(samples: Samples<'a, F>, ranks: &'a Ranks<'a>) -> Result<Self> {
        let n = samples.n_samples();
        let weight = |first: usize| {
            let rows = first..(first + CHUNK).min(n);
            samples.weights.map_or(rows.len() as f64, |_| rows.map(|row| samples.weight(row)).sum())
        };
        let chunks: Vec<f64> = (0..n).step_by(CHUNK).map(weight).collect();
        let mut sums = TreeSums::new(ranks);
        sums.compute(1, |chunk| std::slice::from_ref(&chunks[chunk]))?;
        Ok(Self { samples, ranks, chunks, sums })
    }

    /// The row at which the running sum of the weights passes a share of their total; `None` on the ranks that do not hold it.
    pub(super) fn row(&self, share: f64) -> Option<usize> {
        let place = self.sums.locate(0, share * self.sums.total(0))?;
        if place.rank != self.ranks.rank() {
            return None;
        }
        let (chunk, target) = place.chunk(|chunk| self.chunks[chunk]);
        let rows = chunk * CHUNK..((chunk + 1) * CHUNK).min(self.samples.n_samples());
        first_above(rows, target, |row| self.samples.weight(row))
    }
}

/// The chunk at which the running sum of w·D passes `target`, with what is left of the target at its beginning. The outer `None`
/// says that all distances are zero, the inner one that another rank holds the chunk.
pub(super) fn locate_distance<F>(
    (ranks, sums, column): (&Ranks<'_>, &TreeSums<'_>, usize),
    chunks: &[RowChunk<'_, F>],
    target: f64,
) -> Option<Option<(usize, f64)>> {
    let place = sums.locate(column, target)?;
    Some((place.rank == ranks.rank()).then(|| place.chunk(|chunk| chunks[chunk].potential)))
}

/// The row of a chunk at which the running sum of w·D passes `target`. `last` is a center that the distances do not include yet.
pub(super) fn row_by_distance<F: Float>(
    samples: &Samples<'_, F>,
    chunk: &RowChunk<'_, F>,
    last: Option<&[F]>,
    target: f64,
) -> usize {
    let (first_row, distances) = (chunk.first_row, &chunk.distances[..]);
    let rows = 0..distances.len();
    // Not in `vectorize`: with four features code for wide registers took k-means++ 1.2 times as long.
    let weight = |row: usize| samples.weight(first_row + row);
    let row = match last {
        Some(last) => first_above(rows.clone(), target, |row| {
            let own = squared_distance(samples.row(first_row + row), last);
            weight(row) * if own < distances[row] { own } else { distances[row] }.as_f64()
        }),
        None => first_above(rows.clone(), target, |row| weight(row) * distances[row].as_f64()),
    };
    // Where the distances of the kernel are not zero, but these are, any row will do.
    let with_weight = || rows.clone().find(|&row| weight(row) > 0.0);
    first_row + row.or_else(with_weight).unwrap_or(0)
}

/// The first index at which the running sum of masses exceeds `target`; where rounding keeps the sum below it, the last index
/// with a mass above 0.
pub(super) fn first_above(
    mut indices: Range<usize>,
    target: f64,
    mass: impl Fn(usize) -> f64,
) -> Option<usize> {
    let all = indices.clone();
    let mut sum = 0.0;
    let exceeds = |&index: &usize| {
        let mass = mass(index);
        sum += mass;
        sum > target && mass > 0.0
    };
    indices.find(exceeds).or_else(|| all.rev().find(|&index| mass(index) > 0.0))
}
