//! The nearest center of every row: the kernel that k-means spends its time in.
//!
//! The nearest center to a row x is the one with the smallest ‖c‖²/2 − x·c, for ‖x‖² is the same for all. The
//! centers are packed into panels of a few vectors' width, one feature after the other; a tile of rows meets a
//! panel with all its scores in registers, and the smallest score so far and its panel are kept for each lane, so
//! that no score is ever stored. Nothing of this has an effect on a result: a score is summed over the features
//! in their order, whatever the width of the panels, the height of the tile, and the rows beside it.

use crate::float::Float;
use crate::simd::vectorize;

/// A row's label before it has one.
pub(crate) const NO_LABEL: u32 = u32::MAX;

/// Rows of the tallest tile; the rows of a block are padded to a multiple of it.
const TALLEST: usize = 24;

/// Centers, packed for [`Panels::nearest`].
#[derive(Debug, Clone)]
pub(crate) struct Panels<F> {
    n_clusters: usize,
    n_features: usize,
    lanes: usize,
    /// For each panel a line of ‖c‖²/2 and a line of −c for each feature; a line has a lane for each center.
    lines: Vec<F>,
}

/// A thread's room for a block of rows: the rows less their mean, and each one's best score so far.
#[derive(Debug, Clone)]
pub(crate) struct Block<F> {
    n_features: usize,
    capacity: usize,
    n_rows: usize,
    rows: Vec<F>,
    best: Vec<F>,
    panel: Vec<F>,
}

impl<F: Float> Block<F> {
    /// Room for up to [`Block::capacity`] rows, and for no more than `n_rows`.
    pub(crate) fn new(n_features: usize, n_rows: usize) -> Self {
        let fitting = (16 << 10) / (n_features * size_of::<F>()).max(1);
        let capacity = fitting.clamp(TALLEST, 96).min(n_rows).next_multiple_of(TALLEST);
        let lanes = [F::zero(); 16];
        Self {
            n_features,
            capacity,
            n_rows: 0,
            rows: vec![F::zero(); capacity * n_features],
            best: lanes.repeat(capacity),
            panel: lanes.repeat(capacity),
        }
    }

    /// How many rows a block holds.
    pub(crate) fn capacity(&self) -> usize {
        self.capacity
    }

    /// The rows that were loaded, less their mean.
    pub(crate) fn rows(&self) -> &[F] {
        &self.rows[..self.n_rows * self.n_features]
    }

    /// Loads rows and takes the mean from them. `mean` is repeated at least as often as there are rows.
    pub(crate) fn load(&mut self, rows: &[F], mean: &[F]) {
        self.n_rows = rows.len() / self.n_features;
        vectorize(
            #[inline(always)]
            || {
                for ((own, x), mean) in self.rows.iter_mut().zip(rows).zip(mean) {
                    *own = *x - *mean;
                }
            },
        );
    }
}

impl<F: Float> Panels<F> {
    /// Room for so many centers.
    pub(crate) fn new(n_clusters: usize, n_features: usize) -> Self {
        let lanes = if n_clusters.next_multiple_of(8) < n_clusters.next_multiple_of(16) { 8 } else { 16 };
        let lines = vec![F::zero(); n_clusters.div_ceil(lanes) * (n_features + 1) * lanes];
        Self { n_clusters, n_features, lanes, lines }
    }

    /// How many centers there are.
    pub(crate) fn n_clusters(&self) -> usize {
        self.n_clusters
    }

    /// Takes over the centers.
    pub(crate) fn pack(&mut self, centers: &[F]) {
        let (d, lanes) = (self.n_features, self.lanes);
        for (panel, lines) in self.lines.chunks_exact_mut((d + 1) * lanes).enumerate() {
            let (half_norms, coordinates) = lines.split_at_mut(lanes);
            for (lane, half_norm) in half_norms.iter_mut().enumerate() {
                let cluster = panel * lanes + lane;
                if cluster >= self.n_clusters {
                    // A lane without a center never has the smallest score.
                    *half_norm = F::infinity();
                    continue;
                }
                let center = &centers[cluster * d..][..d];
                *half_norm = F::of(center.iter().map(|c| c.as_f64() * c.as_f64()).sum::<f64>() / 2.0);
                for (line, c) in coordinates.chunks_exact_mut(lanes).zip(center) {
                    line[lane] = -*c;
                }
            }
        }
    }

    /// The label of every row of the block: the nearest center, of equally near ones the first. Answers how many
    /// labels are not what they were.
    pub(crate) fn nearest(&self, block: &mut Block<F>, labels: &mut [u32]) -> usize {
        let tall = wide_vectors();
        match (fused(), self.lanes * size_of::<F>(), tall) {
            (true, 32, _) => self.nearest_by::<8, 8, true>(block, labels),
            (true, 64, false) if self.lanes == 16 => self.nearest_by::<6, 16, true>(block, labels),
            (true, 64, true) if self.lanes == 16 => self.nearest_by::<12, 16, true>(block, labels),
            (true, 64, false) => self.nearest_by::<6, 8, true>(block, labels),
            (true, 64, true) => self.nearest_by::<12, 8, true>(block, labels),
            (true, _, false) => self.nearest_by::<3, 16, true>(block, labels),
            (true, _, true) => self.nearest_by::<6, 16, true>(block, labels),
            (false, _, _) if self.lanes == 8 => self.nearest_by::<4, 8, false>(block, labels),
            (false, _, _) => self.nearest_by::<3, 16, false>(block, labels),
        }
    }

    fn nearest_by<const P: usize, const L: usize, const FUSED: bool>(
        &self,
        block: &mut Block<F>,
        labels: &mut [u32],
    ) -> usize {
        vectorize(
            #[inline(always)]
            || {
                self.score::<P, L, FUSED>(block);
                let best = block.best.as_chunks::<L>().0.iter().zip(block.panel.as_chunks::<L>().0);
                let mut changed = 0;
                for (label, (best, panel)) in labels.iter_mut().zip(best) {
                    let nearest = first_smallest(best, panel);
                    changed += usize::from(*label != nearest);
                    *label = nearest;
                }
                changed
            },
        )
    }

    /// The smallest score of each row in each lane, and its panel.
    #[inline(always)]
    fn score<const P: usize, const L: usize, const FUSED: bool>(&self, block: &mut Block<F>) {
        let d = self.n_features;
        let used = block.n_rows.next_multiple_of(P);
        block.best[..used * L].fill(F::infinity());
        for (number, lines) in self.lines.chunks_exact((d + 1) * L).enumerate() {
            let number = F::of(number as f64);
            let (lines, _) = lines.as_chunks::<L>();
            let Some((half_norms, lines)) = lines.split_first() else { continue };
            let tiles = block.rows[..used * d].chunks_exact(P * d);
            let best = block.best.as_chunks_mut::<L>().0.as_chunks_mut::<P>().0;
            let panel = block.panel.as_chunks_mut::<L>().0.as_chunks_mut::<P>().0;
            for ((rows, best), panel) in tiles.zip(best).zip(panel) {
                let scores = tile::<F, P, L, FUSED>(rows, half_norms, lines);
                for ((scores, best), panel) in scores.iter().zip(best).zip(panel) {
                    for lane in 0..L {
                        let closer = scores[lane] < best[lane];
                        best[lane] = if closer { scores[lane] } else { best[lane] };
                        panel[lane] = if closer { number } else { panel[lane] };
                    }
                }
            }
        }
    }
}

/// The scores of a tile of rows about a panel of centers.
#[inline(always)]
fn tile<F: Float, const P: usize, const L: usize, const FUSED: bool>(
    rows: &[F],
    half_norms: &[F; L],
    lines: &[[F; L]],
) -> [[F; L]; P] {
    let d = lines.len();
    let rows: [&[F]; P] = std::array::from_fn(|row| &rows[row * d..][..d]);
    let mut scores = [*half_norms; P];
    for feature in 0..d {
        let line = lines[feature];
        for row in 0..P {
            let x = rows[row][feature];
            for lane in 0..L {
                scores[row][lane] = multiply_add::<F, FUSED>(x, line[lane], scores[row][lane]);
            }
        }
    }
    scores
}

/// The center with the smallest score, of equal ones the first.
#[inline(always)]
#[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "clusters are numbered by u32")]
fn first_smallest<F: Float, const L: usize>(best: &[F; L], panel: &[F; L]) -> u32 {
    let smallest = best.iter().fold(F::infinity(), |a, b| if *b < a { *b } else { a });
    let mut nearest = u32::MAX;
    for lane in 0..L {
        let cluster = panel[lane].as_f64() as u32 * L as u32 + lane as u32;
        let candidate = if best[lane] == smallest { cluster } else { u32::MAX };
        nearest = nearest.min(candidate);
    }
    nearest
}

/// a·b + c, in one rounding where the processor has that.
#[inline(always)]
pub(crate) fn multiply_add<F: Float, const FUSED: bool>(a: F, b: F, c: F) -> F {
    if FUSED { a.mul_add(b, c) } else { a * b + c }
}

/// Whether `mul_add` is an instruction here; where it is not, it is a slow function.
pub(crate) fn fused() -> bool {
    #[cfg(target_arch = "x86_64")]
    return is_x86_feature_detected!("avx2") && is_x86_feature_detected!("fma");
    #[cfg(not(target_arch = "x86_64"))]
    return cfg!(target_arch = "aarch64");
}

/// Whether there are twice as many registers of twice the width.
fn wide_vectors() -> bool {
    #[cfg(target_arch = "x86_64")]
    return is_x86_feature_detected!("avx512f");
    #[cfg(not(target_arch = "x86_64"))]
    return false;
}
