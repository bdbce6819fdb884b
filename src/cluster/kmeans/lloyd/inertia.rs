//! The inertia of labels about centers, and what keeps its history monotone.

use super::Lloyd;
use crate::cluster::kmeans::ranks::tree_sums::TreeSums;
use crate::cluster::kmeans::ranks::{CHUNK, Ranks};
use crate::cluster::kmeans::samples::Samples;
use crate::error::Result;
use crate::float::Float;
use crate::linalg::distance::squared_distance;
use crate::parallel::zip_chunks;
use crate::simd::{prefetch, vectorize};

/// An inertia, and whether it is accurate to all digits of its type.
#[derive(Debug, Clone, Copy)]
pub(super) struct Inertia {
    pub(super) value: f64,
    pub(super) is_exact: bool,
}

impl Inertia {
    /// An inertia from sums with this rounding error; `None` where too few of its digits are right.
    pub(super) fn of_sums<F: Float>(value: f64, rounding_error: f64) -> Option<Self> {
        /// The relative error up to which an inertia in the history is right.
        const ACCURACY: f64 = 1e-9;
        let digits = F::epsilon().as_f64();
        let is_exact = value * digits >= rounding_error;
        (value * digits.max(ACCURACY) >= rounding_error).then_some(Self { value, is_exact })
    }
}

/// Σ wᵢ‖xᵢ − c‖² over labeled rows.
pub(crate) fn inertia_of<F: Float>(samples: &Samples<'_, F>, centers: &[F], labels: &[u32]) -> f64 {
    let mut inertia = 0.0;
    add_inertias(samples, centers, labels, |_, of_row| inertia += of_row);
    inertia
}

/// Σ wᵢ‖xᵢ − c‖² over the rows of each cluster.
pub(crate) fn inertias_of_clusters<F: Float>(
    samples: &Samples<'_, F>,
    centers: &[F],
    labels: &[u32],
) -> Vec<f64> {
    let mut inertias = vec![0.0; centers.len() / samples.n_features];
    add_inertias(samples, centers, labels, |label, of_row| inertias[label as usize] += of_row);
    inertias
}

/// Calls `add` with the label of each row and wᵢ‖xᵢ − c‖².
#[inline(always)]
fn add_inertias<F: Float>(
    samples: &Samples<'_, F>,
    centers: &[F],
    labels: &[u32],
    mut add: impl FnMut(u32, f64),
) {
    /// Elements that are prefetched before they are needed.
    const AHEAD: usize = 1024;
    let d = samples.n_features;
    vectorize(
        #[inline(always)]
        || {
            for (row, (x, &label)) in samples.values.chunks_exact(d).zip(labels).enumerate() {
                prefetch(x.as_ptr().wrapping_add(AHEAD.max(d)), d);
                let center = &centers[label as usize * d..][..d];
                add(label, samples.weight(row) * squared_distance(x, center).as_f64());
            }
        },
    )
}

/// The buffers of inertias of the rows of all ranks.
#[derive(Debug)]
pub(super) struct InertiaSums<'r> {
    chunks: Vec<ChunkInertia>,
    sums: TreeSums<'r>,
}

/// The inertia of a chunk of the rows.
#[derive(Debug)]
pub(super) struct ChunkInertia {
    first_row: usize,
    pub(super) inertia: f64,
}

impl ChunkInertia {
    /// The chunks of some rows, not computed yet.
    pub(super) fn of_rows(n_rows: usize) -> Vec<Self> {
        (0..n_rows).step_by(CHUNK).map(|first_row| Self { first_row, inertia: 0.0 }).collect()
    }
}

/// Computes Σ wᵢ‖xᵢ − c‖² over the labeled rows of each chunk.
pub(super) fn inertias_of_chunks<F: Float>(
    samples: &Samples<'_, F>,
    centers: &[F],
    labels: &mut [u32],
    chunks: &mut [ChunkInertia],
) {
    zip_chunks(samples.values.len(), chunks, labels, CHUNK, |chunk, labels| {
        chunk.inertia = inertia_of(&samples.slice(chunk.first_row, labels.len()), centers, labels);
    });
}

impl<'r> InertiaSums<'r> {
    /// For `n_rows` rows of this rank.
    pub(super) fn new(n_rows: usize, ranks: &'r Ranks<'r>) -> Self {
        Self { chunks: ChunkInertia::of_rows(n_rows), sums: TreeSums::new(ranks) }
    }

    /// Σ wᵢ‖xᵢ − c‖² over the labeled rows of all ranks.
    pub(super) fn compute<F: Float>(
        &mut self,
        samples: &Samples<'_, F>,
        centers: &[F],
        labels: &mut [u32],
    ) -> Result<f64> {
        inertias_of_chunks(samples, centers, labels, &mut self.chunks);
        self.sums.compute(1, |chunk| std::slice::from_ref(&self.chunks[chunk].inertia))?;
        Ok(self.sums.total(0))
    }
}

/// Σ wᵢ‖xᵢ − c‖² over the labeled rows of all ranks.
pub(crate) fn inertia_over<F: Float>(
    (samples, ranks): (&Samples<'_, F>, &Ranks<'_>),
    centers: &[F],
    labels: &mut [u32],
) -> Result<f64> {
    InertiaSums::new(samples.n_samples(), ranks).compute(samples, centers, labels)
}

impl<F: Float> Lloyd<'_, F> {
    /// The inertia of the labels about the centers made of them, a few rows having `moved` to other clusters since.
    ///
    /// The total sum of squares less the explained one costs nothing, but cancels where clusters are tight. There the rows are
    /// read again; then the center of a cluster of equal rows becomes that row, to the bit.
    pub(super) fn inertia_after(
        &mut self,
        centers: &mut [F],
        labels: &mut [u32],
        moves: &[(usize, u32)],
    ) -> Result<Inertia> {
        let value = self.total_sum_of_squares - self.sums.explained(centers, &self.mean) / self.grid.scale;
        if let Some(inertia) = Inertia::of_sums::<F>(value, self.rounding_error) {
            return Ok(inertia);
        }
        let own = moves.iter().filter_map(|&(row, cluster)| Some((self.ranks.own(row)?, cluster)));
        let before: Vec<(usize, u32)> =
            own.map(|(row, cluster)| (row, std::mem::replace(&mut labels[row], cluster))).collect();
        let mut value = self.inertia(centers, labels)?;
        if value > 0.0 && snap_to_equal_rows((&self.samples, self.ranks), labels, centers)? {
            value = self.inertia(centers, labels)?;
        }
        before.into_iter().for_each(|(row, label)| labels[row] = label);
        Ok(Inertia { value, is_exact: true })
    }

    /// Σ wᵢ‖xᵢ − c‖² by the direct formula.
    pub(super) fn inertia(&mut self, centers: &[F], labels: &mut [u32]) -> Result<f64> {
        self.inertia_sums.compute(&self.samples, centers, labels)
    }
}

/// An inertia that exceeds the one before it by rounding alone is replaced by it.
pub(super) fn not_above(inertia: f64, before: Option<f64>) -> f64 {
    const ROUNDING: f64 = 1e-6;
    match before {
        Some(before) if inertia > before && inertia <= before * (1.0 + ROUNDING) => before,
        _ => inertia.max(0.0),
    }
}

/// Moves the center of each cluster whose rows are all equal to that row. Returns whether a center changed.
pub(super) fn snap_to_equal_rows<F: Float>(
    (samples, ranks): (&Samples<'_, F>, &Ranks<'_>),
    labels: &[u32],
    centers: &mut [F],
) -> Result<bool> {
    let d = samples.n_features;
    let n_clusters = centers.len() / d;
    let members = || labels.iter().enumerate().filter(|&(row, _)| samples.weight(row) > 0.0);
    // The first row of each cluster.
    let mut first = vec![u64::MAX; n_clusters];
    let mut missing = n_clusters;
    for (row, &label) in members() {
        if first[label as usize] == u64::MAX {
            first[label as usize] = (ranks.first_row() + row) as u64;
            missing -= 1;
            if missing == 0 {
                break;
            }
        }
    }
    ranks.min(&mut first)?;
    let rows: Vec<usize> = first.iter().filter(|row| **row < u64::MAX).map(|row| *row as usize).collect();
    let mut values = Vec::new();
    ranks.copy_rows(samples, &rows, &mut values)?;
    let mut values = values.chunks_exact(d);
    let points: Vec<&[F]> =
        first.iter().map(|row| if *row < u64::MAX { values.next().unwrap_or(&[]) } else { &[] }).collect();
    // 1 for a cluster with different rows, and for one without rows.
    let mut differs: Vec<f64> = points.iter().map(|point| f64::from(u8::from(point.is_empty()))).collect();
    let mut undecided = rows.len();
    for (row, &label) in members() {
        let cluster = label as usize;
        if differs[cluster] == 0.0 && samples.row(row) != points[cluster] {
            differs[cluster] = 1.0;
            undecided -= 1;
            if undecided == 0 {
                break;
            }
        }
    }
    ranks.max(&mut differs)?;
    let mut changed = false;
    for ((center, point), _) in
        centers.chunks_exact_mut(d).zip(points).zip(differs).filter(|(_, differs)| *differs == 0.0)
    {
        changed |= center != point;
        center.copy_from_slice(point);
    }
    Ok(changed)
}
