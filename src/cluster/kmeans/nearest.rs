//! The nearest center of every row: the kernel that k-means spends its time in.
//!
//! The nearest center to a row x is the one with the smallest ‖c‖²/2 − x·c, for ‖x‖² is the same for all. A group
//! of rows, as many as two vectors have lanes, is transposed, so that a row is a lane; tiles of a few centers pass
//! over it with all their scores in registers, and each lane keeps its smallest score so far and whose it is. No
//! score is ever stored. Nothing of this has an effect on a result: a score is summed over the features in their
//! order, whatever the width of the group, the height of the tile, and the rows beside it.

use crate::float::Float;
use crate::simd::vectorize;

/// A row's label before it has one.
pub(crate) const NO_LABEL: u32 = u32::MAX;

/// The most clusters that are numbered exactly by any [`Float`].
pub(crate) const MOST_CLUSTERS: usize = 1 << 24;

/// Centers, prepared for [`Centers::label`].
#[derive(Debug, Clone)]
pub(crate) struct Centers<F> {
    n_clusters: usize,
    n_features: usize,
    /// Centers that are compared with a group at once.
    tile: usize,
    /// −c for each center and, up to a multiple of the tile, for some that are never the nearest.
    negated: Vec<F>,
    /// ‖c‖²/2, infinite for those.
    half_norms: Vec<F>,
}

/// A thread's room for a group of rows, less their mean, one row a lane.
#[derive(Debug, Clone)]
pub(crate) struct Group<F> {
    features: Vec<F>,
}

/// Features that are transposed together.
const SIDE: usize = 8;

/// The most rows of a group, on any processor.
const MOST_LANES: usize = 32;

impl<F: Float> Group<F> {
    pub(crate) fn new(n_features: usize) -> Self {
        Self { features: vec![F::zero(); n_features * MOST_LANES] }
    }

    /// Takes over up to `L` rows, and the mean from them. Lanes without a row keep what they had.
    #[inline(always)]
    fn load<const L: usize>(&mut self, rows: &[F], mean: &[F]) {
        let d = mean.len();
        let lanes = &mut self.features.as_chunks_mut::<L>().0[..d];
        if rows.len() < L * d {
            for (lane, row) in rows.chunks_exact(d).enumerate() {
                for ((lanes, x), mean) in lanes.iter_mut().zip(row).zip(mean) {
                    lanes[lane] = *x - *mean;
                }
            }
            return;
        }
        let (sides, rest) = lanes.as_chunks_mut::<SIDE>();
        let (means, mean_rest) = mean.as_chunks::<SIDE>();
        // Squares on the way, read in rows and written in columns, each at fixed places.
        let mut square = [[F::zero(); SIDE]; L];
        for (side, (lanes, mean)) in sides.iter_mut().zip(means).enumerate() {
            for (lane, square) in square.iter_mut().enumerate() {
                if let Some(x) = rows[lane * d + side * SIDE..].first_chunk::<SIDE>() {
                    *square = *x;
                }
            }
            for feature in 0..SIDE {
                lanes[feature] = column(&square, feature, mean[feature]);
            }
        }
        for (feature, (lanes, mean)) in rest.iter_mut().zip(mean_rest).enumerate() {
            let first = d - mean_rest.len() + feature;
            let mut column = [F::zero(); L];
            for (x, row) in column.iter_mut().zip(rows.chunks_exact(d)) {
                *x = row[first];
            }
            *lanes = column.map(
                #[inline(always)]
                |x| x - *mean,
            );
        }
    }
}

/// A feature of every row of a square, less its mean.
#[inline(always)]
fn column<F: Float, const L: usize>(square: &[[F; SIDE]; L], feature: usize, mean: F) -> [F; L] {
    let mut column = [F::zero(); L];
    for lane in 0..L {
        column[lane] = square[lane][feature] - mean;
    }
    column
}

impl<F: Float> Centers<F> {
    /// Room for so many centers.
    pub(crate) fn new(n_clusters: usize, n_features: usize) -> Self {
        Self::in_tiles_of(tile_of(n_clusters), n_clusters, n_features)
    }

    fn in_tiles_of(tile: usize, n_clusters: usize, n_features: usize) -> Self {
        let padded = n_clusters.next_multiple_of(tile);
        Self {
            n_clusters,
            n_features,
            tile,
            negated: vec![F::zero(); padded * n_features],
            half_norms: vec![F::infinity(); padded],
        }
    }

    /// Takes over the centers (k, d).
    pub(crate) fn set(&mut self, centers: &[F]) {
        self.negated.iter_mut().zip(centers).for_each(|(own, c)| *own = -*c);
        for (half_norm, center) in self.half_norms.iter_mut().zip(centers.chunks_exact(self.n_features)) {
            *half_norm = F::of(center.iter().map(|c| c.as_f64() * c.as_f64()).sum::<f64>() / 2.0);
        }
    }

    /// The centers (k, d) that were taken over.
    pub(crate) fn centers(&self) -> Vec<F> {
        self.negated.iter().take(self.n_clusters * self.n_features).map(|c| -*c).collect()
    }

    /// How many centers there are.
    pub(crate) fn n_clusters(&self) -> usize {
        self.n_clusters
    }

    /// The label of every row: the nearest center, of equally near ones the first. `mean` is taken from the rows
    /// as it was from the centers. Answers how many labels are not what they were.
    pub(crate) fn label(&self, rows: &[F], mean: &[F], group: &mut Group<F>, labels: &mut [u32]) -> usize {
        let double = size_of::<F>() == 8;
        match (instructions(), double, self.tile) {
            (Instructions::Wide, false, 8) => self.label_by::<8, 32, true>(rows, mean, group, labels),
            (Instructions::Wide, true, 8) => self.label_by::<8, 16, true>(rows, mean, group, labels),
            (Instructions::Wide, false, _) => self.label_by::<4, 32, true>(rows, mean, group, labels),
            (Instructions::Wide, true, _) => self.label_by::<4, 16, true>(rows, mean, group, labels),
            (Instructions::Fused, false, 6) => self.label_by::<6, 16, true>(rows, mean, group, labels),
            (Instructions::Fused, true, 6) => self.label_by::<6, 8, true>(rows, mean, group, labels),
            (Instructions::Fused, false, 5) => self.label_by::<5, 16, true>(rows, mean, group, labels),
            (Instructions::Fused, true, 5) => self.label_by::<5, 8, true>(rows, mean, group, labels),
            (Instructions::Fused, false, _) => self.label_by::<4, 16, true>(rows, mean, group, labels),
            (Instructions::Fused, true, _) => self.label_by::<4, 8, true>(rows, mean, group, labels),
            (Instructions::Plain, _, _) => self.label_by::<4, 8, false>(rows, mean, group, labels),
        }
    }

    fn label_by<const P: usize, const L: usize, const FUSED: bool>(
        &self,
        rows: &[F],
        mean: &[F],
        group: &mut Group<F>,
        labels: &mut [u32],
    ) -> usize {
        vectorize(
            #[inline(always)]
            || {
                let mut changed = 0;
                for (rows, labels) in rows.chunks(L * self.n_features).zip(labels.chunks_mut(L)) {
                    group.load::<L>(rows, mean);
                    let nearest =
                        self.nearest::<P, L, FUSED>(&group.features.as_chunks::<L>().0[..mean.len()]);
                    for (label, nearest) in labels.iter_mut().zip(nearest) {
                        changed += usize::from(*label != nearest);
                        *label = nearest;
                    }
                }
                changed
            },
        )
    }

    /// The nearest center of each lane.
    #[inline(always)]
    #[allow(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "clusters are numbered by u32"
    )]
    fn nearest<const P: usize, const L: usize, const FUSED: bool>(&self, lanes: &[[F; L]]) -> [u32; L] {
        let d = lanes.len();
        let (mut smallest, mut nearest) = ([F::infinity(); L], [F::zero(); L]);
        let mut cluster = F::zero();
        for (centers, half_norms) in self.negated.chunks_exact(P * d).zip(self.half_norms.as_chunks::<P>().0)
        {
            let scores = tile::<F, P, L, FUSED>(lanes, centers, half_norms);
            for scores in &scores {
                for lane in 0..L {
                    let closer = scores[lane] < smallest[lane];
                    smallest[lane] = if closer { scores[lane] } else { smallest[lane] };
                    nearest[lane] = if closer { cluster } else { nearest[lane] };
                }
                cluster += F::one();
            }
        }
        nearest.map(
            #[inline(always)]
            |cluster| cluster.as_f64() as i32 as u32,
        )
    }
}

/// The scores of a group about a tile of centers.
#[inline(always)]
fn tile<F: Float, const P: usize, const L: usize, const FUSED: bool>(
    lanes: &[[F; L]],
    centers: &[F],
    half_norms: &[F; P],
) -> [[F; L]; P] {
    let d = lanes.len();
    let centers: [&[F]; P] = std::array::from_fn(
        #[inline(always)]
        |center| &centers[center * d..][..d],
    );
    let mut scores = half_norms.map(
        #[inline(always)]
        |half_norm| [half_norm; L],
    );
    for feature in 0..d {
        let x = lanes[feature];
        for center in 0..P {
            let c = centers[center][feature];
            for lane in 0..L {
                scores[center][lane] = multiply_add::<F, FUSED>(c, x[lane], scores[center][lane]);
            }
        }
    }
    scores
}

/// a·b + c, in one rounding where the processor has that.
#[inline(always)]
pub(crate) fn multiply_add<F: Float, const FUSED: bool>(a: F, b: F, c: F) -> F {
    if FUSED { a.mul_add(b, c) } else { a * b + c }
}

/// What the processor offers to the kernel.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Instructions {
    /// Thirty-two vectors of 512 bits.
    Wide,
    /// `mul_add` is an instruction.
    Fused,
    /// `mul_add` would be a slow function.
    Plain,
}

/// What the processor at hand offers.
pub(crate) fn instructions() -> Instructions {
    #[cfg(target_arch = "x86_64")]
    {
        if is_x86_feature_detected!("avx512f") {
            return Instructions::Wide;
        }
        if is_x86_feature_detected!("avx2") && is_x86_feature_detected!("fma") {
            return Instructions::Fused;
        }
    }
    if cfg!(target_arch = "aarch64") { Instructions::Fused } else { Instructions::Plain }
}

/// The tile that leaves the least room empty, of such the highest.
fn tile_of(n_clusters: usize) -> usize {
    let heights: &[usize] = match instructions() {
        Instructions::Wide => &[8, 4],
        Instructions::Fused => &[6, 5, 4],
        Instructions::Plain => &[4],
    };
    let mut best = heights[0];
    for &height in heights {
        if n_clusters.next_multiple_of(height) < n_clusters.next_multiple_of(best) {
            best = height;
        }
    }
    // With many centers a few empty places weigh less than a tile that fills the registers.
    if n_clusters > 8 * heights[0] { heights[0] } else { best }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rng::{Purpose, Rng};

    fn labels<F: Float, const P: usize, const L: usize, const FUSED: bool>(
        rows: &[F],
        centers: &[F],
        mean: &[F],
    ) -> Vec<u32> {
        let d = mean.len();
        let mut prepared = Centers::in_tiles_of(P, centers.len() / d, d);
        prepared.set(centers);
        let mut labels = vec![NO_LABEL; rows.len() / d];
        let mut group = Group::new(d);
        let changed = prepared.label_by::<P, L, FUSED>(rows, mean, &mut group, &mut labels);
        assert_eq!(changed, labels.len());
        assert_eq!(prepared.label_by::<P, L, FUSED>(rows, mean, &mut group, &mut labels), 0);
        labels
    }

    fn by_all_kernels<F: Float>() {
        let mut rng = Rng::new(1, Purpose::Other, 0);
        for (n, d, k) in [(1, 1, 1), (7, 3, 2), (16, 8, 5), (33, 9, 13), (100, 24, 37), (65, 17, 8)] {
            let mut noise = |len: usize| -> Vec<F> { (0..len).map(|_| F::of(rng.normal())).collect() };
            let (rows, centers, mean) = (noise(n * d), noise(k * d), noise(d));
            let distance = |row: usize, cluster: usize| -> f64 {
                let term = |f: usize| {
                    rows[row * d + f].as_f64() - mean[f].as_f64() - centers[cluster * d + f].as_f64()
                };
                (0..d).map(|f| term(f).powi(2)).sum()
            };
            let nearest = |row| (0..k).min_by(|&a, &b| distance(row, a).total_cmp(&distance(row, b)));
            let want: Vec<u32> = (0..n).filter_map(nearest).map(|cluster| cluster as u32).collect();
            for got in [
                labels::<F, 6, 16, true>(&rows, &centers, &mean),
                labels::<F, 5, 8, true>(&rows, &centers, &mean),
                labels::<F, 4, 8, true>(&rows, &centers, &mean),
                labels::<F, 8, 32, true>(&rows, &centers, &mean),
                labels::<F, 4, 8, false>(&rows, &centers, &mean),
            ] {
                assert_eq!(got, want, "n = {n}, d = {d}, k = {k}");
            }
        }
    }

    #[test]
    fn every_kernel_finds_the_nearest_center() {
        by_all_kernels::<f32>();
        by_all_kernels::<f64>();
    }

    #[test]
    fn of_equally_near_centers_the_first_is_taken() {
        let mut centers = Centers::new(9, 1);
        centers.set(&[5.0f32, 1.0, -1.0, 1.0, -1.0, 1.0, -1.0, 1.0, -1.0]);
        let mut labels = [NO_LABEL; 3];
        centers.label(&[0.0, 2.0, -2.0], &[0.0], &mut Group::new(1), &mut labels);
        assert_eq!(labels, [1, 1, 2]);
    }
}
