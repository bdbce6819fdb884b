//! Centers packed in tiles for the assignment kernel, and the direct comparison of the rows that it leaves undecided.

use super::kernel::{CenterTiles, tile_shape};
use super::labels::{SINGLE, UNDECIDED};
use super::margin::Margin;
use crate::float::Float;
use crate::linalg::distance::{squared_distance, sum_over};
use crate::simd::vectorize;

/// The most clusters whose numbers any [`Float`] holds exactly.
pub(crate) const MAX_CLUSTERS: usize = 1 << 24;

/// The most clusters with which reading a group of rows from memory takes longer than searching it.
pub(crate) const FEW_CLUSTERS: usize = 16;

/// Bytes of rows that are searched together, where the centers do not all stay in the first-level cache.
const ROWS_IN_CACHE: usize = 1 << 17;

/// Centers packed for [`assign`](Self::assign).
#[derive(Debug, Clone)]
pub(crate) struct PackedCenters<F> {
    n_clusters: usize,
    pub(crate) n_features: usize,
    /// Rows of a group.
    pub(crate) lanes: usize,
    /// Centers of a tile.
    height: usize,
    /// The centers as they are, (k, d).
    centers: Vec<F>,
    /// For each tile of `height` centers: ½‖c‖² less the mean, their codes, and their features less the mean, a line of the
    /// tile for each feature. The last tile is padded with centers of zeros, whose half norms are infinite.
    tiles: Vec<F>,
    /// The largest ½‖c‖².
    pub(crate) max_half_norm: F,
    /// How close two scores may be before a row is compared directly; and the same as one constant for rows of bounded norm.
    pub(crate) margin: Margin<F>,
    pub(crate) constant_margin: Option<Margin<F>>,
}

/// The squared norms of the rows that centers are packed for: they change no label, but select how the margin is computed.
#[derive(Debug, Clone, Copy)]
pub(crate) struct SquaredNorms {
    /// About the mean of ‖x − mean‖².
    pub(crate) typical: f64,
    /// No ‖x − mean‖² is larger, as the kernel or more careful code computes it; infinite where that is not known.
    pub(crate) largest: f64,
}

impl<F: Float> PackedCenters<F> {
    /// Allocates buffers for `n_clusters` centers.
    pub(crate) fn new(n_clusters: usize, n_features: usize) -> Self {
        Self::in_tiles_of(height_of(n_clusters, tile_shape::<F>().heights), n_clusters, n_features)
    }

    pub(super) fn in_tiles_of(height: usize, n_clusters: usize, n_features: usize) -> Self {
        let padded = n_clusters.next_multiple_of(height);
        let mut tiles = vec![F::zero(); padded * (n_features + 2)];
        for (tile, table) in tiles.chunks_exact_mut(height * (n_features + 2)).enumerate() {
            table[..height].fill(F::infinity());
            let codes = table[height..2 * height].iter_mut().enumerate();
            codes.for_each(|(place, code)| *code = F::of(SINGLE + (tile * height + place) as f64));
        }
        Self {
            n_clusters,
            n_features,
            lanes: tile_shape::<F>().lanes,
            height,
            centers: vec![F::zero(); n_clusters * n_features],
            tiles,
            max_half_norm: F::zero(),
            margin: Margin::unbounded(),
            constant_margin: None,
        }
    }

    /// Packs centers (k, d) less the mean, which is subtracted from the rows too.
    pub(crate) fn set(&mut self, centers: &[F], mean: &[F], norms: SquaredNorms) {
        self.set_rows(centers.chunks_exact(self.n_features), mean, norms);
    }

    /// As [`set`](Self::set), with the rows of some centers: as many as there is memory for, or fewer.
    pub(crate) fn set_rows<'c>(
        &mut self,
        rows: impl Iterator<Item = &'c [F]>,
        mean: &[F],
        norms: SquaredNorms,
    ) where
        F: 'c,
    {
        let (d, height) = (self.n_features, self.height);
        let places = self.centers.chunks_exact_mut(d).zip(rows);
        self.n_clusters = places.map(|(place, center)| place.copy_from_slice(center)).count();
        let centers = &self.centers[..self.n_clusters * d];
        if let Some(last) = self.tiles.chunks_exact_mut(height * (d + 2)).nth(self.n_clusters / height) {
            let (half_norms, features) = (0..height, 2 * height..last.len());
            last[half_norms].fill(F::infinity());
            last[features].fill(F::zero());
        }
        for (table, centers) in self.tiles.chunks_exact_mut(height * (d + 2)).zip(centers.chunks(height * d))
        {
            let (table, features) = table.split_at_mut(2 * height);
            for (place, center) in centers.chunks_exact(d).enumerate() {
                let own = features.iter_mut().skip(place).step_by(height);
                own.zip(center).zip(mean).for_each(|((own, c), mean)| *own = *c - *mean);
            }
            vectorize(
                #[inline(always)]
                || {
                    for (half_norm, center) in table[..height].iter_mut().zip(centers.chunks_exact(d)) {
                        let square = |c: F, mean: F| {
                            let difference = (c - mean).as_f64();
                            difference * difference
                        };
                        *half_norm = F::of(sum_over(center, mean, square) / 2.0);
                    }
                },
            );
        }
        let half_norms = self.tiles.chunks_exact(height * (d + 2)).flat_map(|table| &table[..height]);
        let half_norms = half_norms.take(self.n_clusters);
        let (smallest, largest) =
            half_norms.fold((F::infinity(), F::zero()), |(smallest, largest), half_norm| {
                // NaN, from an overflow, is kept.
                (
                    if *half_norm > smallest { smallest } else { *half_norm },
                    if *half_norm < largest { largest } else { *half_norm },
                )
            });
        self.max_half_norm = largest;
        self.margin = if self.n_clusters > UNDECIDED as usize {
            Margin::unbounded()
        } else {
            Margin::new(d, (smallest, largest), norms.typical)
        };
        self.constant_margin = self.margin.constant(d, norms.largest, norms.typical);
    }

    /// The packed tiles, for the kernel.
    pub(crate) fn tiles(&self) -> CenterTiles<'_, F> {
        let padded = self.n_clusters.next_multiple_of(self.height);
        let values = &self.tiles[..padded * (self.n_features + 2)];
        CenterTiles { n_features: self.n_features, height: self.height, values }
    }

    /// Whether the margin of a row needs its ‖x‖².
    pub(crate) fn needs_squares(&self) -> bool {
        self.constant_margin.is_none()
    }

    /// The center nearest to a row by the distances that `transform` returns, ties to the first.
    #[cold]
    pub(crate) fn nearest_directly(&self, x: &[F]) -> u32 {
        vectorize(
            #[inline(always)]
            || {
                let mut centers =
                    self.centers[..self.n_clusters * self.n_features].chunks_exact(self.n_features);
                let (mut nearest, mut least) = (0, F::infinity());
                if let Some(first) = centers.next() {
                    least = squared_distance(x, first);
                }
                for (cluster, center) in (1..).zip(centers) {
                    let square = squared_distance(x, center);
                    // Different squares may have the same root.
                    if square < least && square.sqrt() < least.sqrt() {
                        (nearest, least) = (cluster, square);
                    }
                }
                nearest
            },
        )
    }

    /// A center as it is.
    pub(crate) fn center(&self, cluster: u32) -> &[F] {
        &self.centers[cluster as usize * self.n_features..][..self.n_features]
    }

    /// Number of centers.
    pub(crate) fn n_clusters(&self) -> usize {
        self.n_clusters
    }

    /// Number of features.
    pub(crate) fn n_features(&self) -> usize {
        self.n_features
    }

    /// Rows of a group.
    pub(crate) fn lanes(&self) -> usize {
        self.lanes
    }

    /// Rows that are packed and searched together when they are read from memory.
    pub(crate) fn rows_per_search(&self) -> usize {
        if self.n_clusters <= FEW_CLUSTERS { self.lanes } else { self.rows_in_cache() }
    }

    /// Rows that are searched together when they are in the cache.
    pub(crate) fn rows_in_cache(&self) -> usize {
        (ROWS_IN_CACHE / (self.n_features * size_of::<F>())).clamp(32, 128).next_multiple_of(self.lanes)
    }
}

/// The tile height with the least padding. An earlier, higher one with little more is preferred: it reads the rows less often.
fn height_of(n_clusters: usize, heights: &[usize]) -> usize {
    let padded = |height: usize| n_clusters.next_multiple_of(height);
    let least = heights.iter().map(|&height| padded(height)).min().unwrap_or(n_clusters);
    let near = heights.iter().find(|&&height| padded(height) <= least + least / 32);
    near.copied().unwrap_or(heights[0])
}
