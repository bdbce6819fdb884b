//! Assignment: the nearest center of every row.
//!
//! The nearest center to a row x is the one with the smallest ½‖c‖² − x·c, because ‖x‖² is the same for all. A pass packs the
//! rows ([`packed_rows`]), scores them against packed centers ([`packed_centers`], [`kernel`], [`lane_minima`]), and turns the kernel's codes
//! into labels ([`labels`]). Rows whose scores lie within the rounding [`margin`] of each other are compared directly
//! ([`search`]).

pub(crate) mod kernel;
pub(crate) mod labels;
mod lane_minima;
mod margin;
pub(crate) mod packed_centers;
pub(crate) mod packed_rows;
mod search;

use super::samples::Samples;
use super::scratch_pool::ScratchPool;
use crate::float::Float;
use crate::parallel::thresholds::OPS_PER_ELEMENT;
use crate::parallel::zip_chunks;
use packed_centers::PackedCenters;

/// Elements of a pass over all rows, by which it is shared among threads: the multiply-adds with the centers, and the
/// packing of the rows and their addition to the sums, which take as long as the multiply-adds with 16 centers.
pub(crate) fn elements_of_pass(n_values: usize, n_clusters: usize) -> usize {
    (n_values.saturating_mul(n_clusters) / OPS_PER_ELEMENT).saturating_add(n_values)
}

/// Labels rows with their nearest centers. `norms_bounded` promises that the norms that the centers were packed for are those
/// of the rows.
pub(crate) fn assign<F: Float>(
    (samples, mean): (&Samples<'_, F>, &[F]),
    centers: &PackedCenters<F>,
    norms_bounded: bool,
    labels: &mut [u32],
) {
    let n = samples.n_samples();
    if n <= 256 {
        // One shard.
        centers.assign((samples.values, mean), norms_bounded, &mut centers.buffers(n), labels);
        return;
    }
    let shard_rows = n.div_ceil(n.div_ceil(256).clamp(1, 64)).max(1);
    let mut first_rows: Vec<_> = (0..n).step_by(shard_rows).collect();
    let make = || centers.buffers(shard_rows);
    let elements = elements_of_pass(samples.values.len(), centers.n_clusters());
    let pool = ScratchPool::new(elements, first_rows.len(), make);
    zip_chunks(elements, &mut first_rows, labels, shard_rows, |first_row, labels| {
        let rows = samples.slice(*first_row, labels.len()).values;
        pool.with(make, |buffers| centers.assign((rows, mean), norms_bounded, buffers, labels));
    });
}
