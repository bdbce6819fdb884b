//! How a pass over the rows finds their centers.

use crate::cluster::kmeans::pruning::Pruning;
use crate::float::Float;

/// The most bytes of rows that stay packed: they fit the second-level cache.
const MAX_PACKED_BYTES: usize = 1 << 20;

/// How a pass over the rows finds their centers. Results do not depend on it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum AssignStrategy {
    /// Packs and searches all rows in each iteration.
    Stream,
    /// Packs the rows once, and searches all of them in each iteration.
    StayPacked,
    /// Skips rows whose bounds prove their labels; packs and searches the others.
    Prune,
    /// Packs the rows once; prunes when that is faster than searching all packed rows.
    StayPackedOrPrune,
}

impl AssignStrategy {
    /// The fastest strategy for data of this size.
    pub(super) fn for_data<F: Float>(values: &[F], n_clusters: usize, n_features: usize) -> Self {
        let stay_packed = size_of_val(values) <= MAX_PACKED_BYTES;
        match (stay_packed, Pruning::<F>::is_worthwhile(n_clusters, n_features, stay_packed)) {
            (false, false) => Self::Stream,
            (true, false) => Self::StayPacked,
            (false, true) => Self::Prune,
            (true, true) => Self::StayPackedOrPrune,
        }
    }

    /// Whether bounds are kept for pruning.
    pub(super) fn prunes(self) -> bool {
        matches!(self, Self::Prune | Self::StayPackedOrPrune)
    }

    /// Whether rows stay packed from iteration to iteration.
    pub(super) fn stays_packed(self) -> bool {
        matches!(self, Self::StayPacked | Self::StayPackedOrPrune)
    }
}
