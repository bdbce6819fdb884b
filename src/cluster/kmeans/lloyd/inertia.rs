//! The inertia of labels about centers, and what keeps its history monotone.

use crate::cluster::kmeans::distance::squared_distance;
use crate::cluster::kmeans::samples::Samples;
use crate::float::Float;
use crate::simd::{prefetch, vectorize};

/// An inertia, and whether it is accurate to all digits of its type.
#[derive(Debug, Clone, Copy)]
pub(super) struct Inertia {
    pub(super) value: f64,
    pub(super) is_exact: bool,
}

/// Σ wᵢ‖xᵢ − c‖² over labeled rows.
pub(crate) fn inertia_of<F: Float>(samples: &Samples<'_, F>, centers: &[F], labels: &[u32]) -> f64 {
    /// Elements that are prefetched before they are needed.
    const AHEAD: usize = 1024;
    let d = samples.n_features;
    vectorize(
        #[inline(always)]
        || {
            let mut inertia = 0.0;
            for (row, (x, &label)) in samples.values.chunks_exact(d).zip(labels).enumerate() {
                prefetch(x.as_ptr().wrapping_add(AHEAD.max(d)), d);
                let center = &centers[label as usize * d..][..d];
                inertia += samples.weight(row) * squared_distance(x, center).as_f64();
            }
            inertia
        },
    )
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
    samples: &Samples<'_, F>,
    labels: &[u32],
    centers: &mut [F],
) -> bool {
    /// The rows of a cluster.
    #[derive(Clone, Copy)]
    enum Members {
        None,
        EqualTo(usize),
        Different,
    }
    let d = samples.n_features;
    let mut clusters = vec![Members::None; centers.len() / d];
    let mut undecided = clusters.len();
    for (row, &label) in labels.iter().enumerate().filter(|&(row, _)| samples.weight(row) > 0.0) {
        let members = &mut clusters[label as usize];
        match *members {
            Members::None => *members = Members::EqualTo(row),
            Members::EqualTo(first) if samples.row(first) != samples.row(row) => {
                *members = Members::Different;
                undecided -= 1;
                if undecided == 0 {
                    return false;
                }
            }
            _ => {}
        }
    }
    let mut changed = false;
    for (center, members) in centers.chunks_exact_mut(d).zip(clusters) {
        if let Members::EqualTo(row) = members {
            changed |= center != samples.row(row);
            center.copy_from_slice(samples.row(row));
        }
    }
    changed
}
