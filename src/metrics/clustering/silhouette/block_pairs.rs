//! The sums of the distances of each row to the rows of each cluster, with the distance of each pair computed once.
//!
//! Rows are sorted by cluster and cut into blocks. A task compares two blocks and adds each distance to the sums of both
//! rows. In round r the pairs are those of blocks i and j with i + j ≡ r modulo the number of blocks, so a round has
//! every block once, and its tasks run on several threads without locks. A block is compared with itself row by
//! row: each of its pairs is computed twice, so that the sums of a row are complete together.
//!
//! Memory is a few values a row instead of a sum for each row and cluster: the mean distance to a cluster that lies within
//! one block is complete after one comparison, and only the smallest is kept. Sums stay open for the clusters on
//! both sides of a boundary between blocks, at most 30.
//!
//! Blocks, rounds and the order of additions depend on the number of rows alone, so results have the same bits on any number of
//! threads.

use super::distances::{Distances, GROUP, Rows};
use crate::float::Float;
use crate::parallel;
use std::ops::Range;

/// Numbers of blocks: a round then has as many tasks as a power of two, which threads share evenly. More blocks would keep
/// more sums open, and fewer would compute a larger share of the pairs twice.
const BLOCKS: [usize; 5] = [31, 15, 7, 3, 1];

/// Rows of a block, at least, on average.
const MIN_BLOCK_ROWS: usize = 4 * GROUP;

/// Partial sums of a row's distances to the lanes of a group: lane l is added to the sum l modulo this number.
const PARTIAL_SUMS: usize = 4;

/// Rows sorted by cluster.
pub(super) struct SortedRows<'a, F> {
    pub(super) rows: Rows<'a, F>,
    pub(super) n_features: usize,
    /// The cluster of each row, ascending.
    pub(super) clusters: &'a [usize],
    /// Number of rows of each cluster.
    pub(super) sizes: &'a [usize],
}

/// The distances of a row to the clusters.
#[derive(Clone, Copy)]
pub(super) struct ClusterDistances {
    /// Sum of the distances to the rows of the same cluster.
    pub(super) within: f64,
    /// Smallest mean distance to the rows of another cluster.
    pub(super) nearest: f64,
}

/// Computes [`ClusterDistances`] of all rows.
pub(super) fn cluster_distances<F: Float>(sorted: &SortedRows<'_, F>) -> Vec<ClusterDistances> {
    let n = sorted.clusters.len();
    let count = BLOCKS.into_iter().find(|count| n / count >= MIN_BLOCK_ROWS).unwrap_or(1);
    let start = |block: usize| if block == count { n } else { n * block / count / GROUP * GROUP };
    let mut is_open = vec![false; sorted.sizes.len()];
    for start in (1..count).map(start) {
        is_open[sorted.clusters[start]] |= sorted.clusters[start - 1] == sorted.clusters[start];
    }
    let open: Vec<usize> = (0..is_open.len()).filter(|&cluster| is_open[cluster]).collect();
    let block = |block: usize| Some(BlockSums::new(start(block)..start(block + 1), open.len()));
    let mut blocks: Vec<Option<BlockSums>> = (0..count).map(block).collect();
    let ops = n.div_ceil(count).saturating_mul(n).saturating_mul(sorted.n_features) / 2;
    parallel::with_hot_pool(ops, || compare_all(sorted, &open, &mut blocks, ops));
    blocks.iter().flatten().flat_map(|block| block.finished(sorted, &open)).collect()
}

/// Compares all blocks with all, in rounds of `ops`.
fn compare_all<F: Float>(
    sorted: &SortedRows<'_, F>,
    open: &[usize],
    blocks: &mut [Option<BlockSums>],
    ops: usize,
) {
    let count = blocks.len();
    for round in 0..count {
        let pairs = (0..count).map(|i| (i, (round + count - i) % count)).filter(|(i, j)| i <= j);
        let mut tasks: Vec<_> = pairs.map(|(i, j)| (i, j, blocks[i].take(), blocks[j].take())).collect();
        parallel::for_each_split(ops, &mut tasks, &|(_, _, first, second)| {
            if let Some(first) = first {
                Task { sorted, open }.compare(first, second.as_mut());
            }
        });
        for (i, j, first, second) in tasks {
            // A block that is compared with itself is the first one alone.
            if i != j {
                blocks[j] = second;
            }
            blocks[i] = first;
        }
    }
}

/// The sums of the rows of a block.
struct BlockSums {
    range: Range<usize>,
    rows: Vec<ClusterDistances>,
    /// Sums of the distances to the open clusters, (rows, open clusters).
    open: Vec<f64>,
}

impl BlockSums {
    fn new(range: Range<usize>, n_open: usize) -> Self {
        let rows = vec![ClusterDistances { within: 0.0, nearest: f64::INFINITY }; range.len()];
        Self { open: vec![0.0; range.len() * n_open], rows, range }
    }

    /// The distances once the sums to all clusters are complete.
    fn finished(&self, sorted: &SortedRows<'_, impl Float>, open: &[usize]) -> Vec<ClusterDistances> {
        let mut rows = self.rows.clone();
        for (at, row) in rows.iter_mut().enumerate() {
            let own = sorted.clusters[self.range.start + at];
            for (&cluster, sum) in open.iter().zip(&self.open[at * open.len()..]) {
                if cluster != own {
                    row.nearest = row.nearest.min(sum / sorted.sizes[cluster] as f64);
                }
            }
        }
        rows
    }
}

/// Rows of one cluster, next to each other.
struct Run {
    cluster: usize,
    range: Range<usize>,
}

/// Compares two blocks.
#[derive(Clone, Copy)]
struct Task<'a, F> {
    sorted: &'a SortedRows<'a, F>,
    /// The open clusters, ascending.
    open: &'a [usize],
}

impl<F: Float> Task<'_, F> {
    /// The runs of equal clusters among the rows of a range, which begins at 0 in them.
    fn runs(self, range: &Range<usize>) -> Vec<Run> {
        let mut runs: Vec<Run> = Vec::new();
        for (at, &cluster) in self.sorted.clusters[range.clone()].iter().enumerate() {
            match runs.last_mut() {
                Some(run) if run.cluster == cluster => run.range.end = at + 1,
                _ => runs.push(Run { cluster, range: at..at + 1 }),
            }
        }
        runs
    }

    /// Adds the distances of all pairs to the sums of both rows. Without a second block, of all pairs of the first.
    fn compare(self, first: &mut BlockSums, mut second: Option<&mut BlockSums>) {
        let range = second.as_ref().map_or(&first.range, |second| &second.range).clone();
        let (d, all) = (self.sorted.n_features, self.sorted.rows);
        let block = all.slice(range.start, range.len(), d);
        let block_runs = self.runs(&range);
        let mut lane_sums = vec![0.0; block_runs.len() * GROUP];
        // (clusters of the group, rows of the block); the first cluster may have begun in the group before.
        let mut row_sums = vec![[0.0; PARTIAL_SUMS]; range.len()];
        for start in first.range.clone().step_by(GROUP) {
            let end = first.range.end.min(start + GROUP);
            let group = all.slice(start, end - start, d);
            let group_runs = self.runs(&(start..end));
            lane_sums.fill(0.0);
            let symmetric = second.is_some();
            if symmetric {
                row_sums.resize(group_runs.len() * range.len(), [0.0; PARTIAL_SUMS]);
            }
            F::run_simd(Distances::new(
                group,
                block,
                d,
                #[inline(always)]
                |first: usize, tile: &[F]| {
                    let tile_rows = first..first + tile.len() / GROUP;
                    add_to_lanes(tile, &tile_rows, &block_runs, &mut lane_sums);
                    if symmetric {
                        for (run, sums) in group_runs.iter().zip(row_sums.chunks_exact_mut(range.len())) {
                            add_to_rows(tile, &run.range, &mut sums[tile_rows.clone()]);
                        }
                    }
                },
            ));
            for (run, sums) in block_runs.iter().zip(lane_sums.chunks_exact(GROUP)) {
                self.record(first, start..end, run.cluster, sums.iter().copied());
            }
            let Some(second) = second.as_deref_mut() else { continue };
            let goes_on = end < first.range.end
                && group_runs.last().is_some_and(|run| run.cluster == self.sorted.clusters[end]);
            let complete = group_runs.len() - usize::from(goes_on);
            for (run, sums) in group_runs[..complete].iter().zip(row_sums.chunks_exact(range.len())) {
                let sums = sums.iter().map(|partial| partial.iter().sum());
                self.record(second, range.clone(), run.cluster, sums);
            }
            row_sums.drain(..complete * range.len());
        }
    }

    /// Adds the sums of the distances of rows of a block to the rows of a cluster.
    fn record(
        self,
        block: &mut BlockSums,
        rows: Range<usize>,
        cluster: usize,
        sums: impl Iterator<Item = f64>,
    ) {
        let first = rows.start - block.range.start;
        let own = &self.sorted.clusters[rows.clone()];
        let targets = block.rows[first..][..rows.len()].iter_mut().zip(own).zip(sums);
        if let Ok(at) = self.open.binary_search(&cluster) {
            let open = block.open[first * self.open.len()..].chunks_exact_mut(self.open.len());
            for (((row, &own), sum), open) in targets.zip(open) {
                if own == cluster {
                    row.within += sum;
                } else {
                    open[at] += sum;
                }
            }
            return;
        }
        let size = self.sorted.sizes[cluster] as f64;
        for ((row, &own), sum) in targets {
            if own == cluster {
                row.within += sum;
            } else {
                row.nearest = row.nearest.min(sum / size);
            }
        }
    }
}

/// Adds the distances of each row of a tile to the sums of the lanes to the row's cluster.
#[inline(always)]
fn add_to_lanes<F: Float>(tile: &[F], rows: &Range<usize>, runs: &[Run], lane_sums: &mut [f64]) {
    let before = runs.partition_point(|run| run.range.end <= rows.start);
    for (run, sums) in runs.iter().zip(lane_sums.chunks_exact_mut(GROUP)).skip(before) {
        let (from, to) = (run.range.start.max(rows.start), run.range.end.min(rows.end));
        if from >= to {
            break;
        }
        for line in tile[(from - rows.start) * GROUP..(to - rows.start) * GROUP].chunks_exact(GROUP) {
            for (sum, distance) in sums.iter_mut().zip(line) {
                *sum += distance.as_f64();
            }
        }
    }
}

/// Adds the distances of each row of a tile to some lanes to the sums of the row.
#[inline(always)]
fn add_to_rows<F: Float>(tile: &[F], lanes: &Range<usize>, row_sums: &mut [[f64; PARTIAL_SUMS]]) {
    for (line, row_sums) in tile.chunks_exact(GROUP).zip(row_sums) {
        let (chunks, tail) = line[lanes.clone()].as_chunks::<PARTIAL_SUMS>();
        let mut sums = *row_sums;
        for chunk in chunks {
            sums = std::array::from_fn(
                #[inline(always)]
                |at| sums[at] + chunk[at].as_f64(),
            );
        }
        for (sum, distance) in sums.iter_mut().zip(tail) {
            *sum += distance.as_f64();
        }
        *row_sums = sums;
    }
}
