//! The nearest center of every row.
//!
//! The nearest center to a row x is the one with the smallest ‖c‖²/2 − x·c, for ‖x‖² is the same for all. Here the
//! centers are laid out for the search, and rows are led to it in blocks that stay in the cache; nothing of this
//! has an effect on a result.

use super::distance::sum_over;
use super::group::{Room, turn};
use super::search::{Search, relabel, relabel_and_note, shape};
use crate::buffer::Buffer;
use crate::float::Float;
use crate::simd::vectorize;

/// A row's label before it has one.
pub(crate) const NO_LABEL: u32 = u32::MAX;

/// A row whose label is not what it was.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Moved {
    pub(crate) row: u32,
    /// The label that it had, maybe [`NO_LABEL`].
    pub(crate) from: u32,
}

/// The most clusters that are numbered exactly by any [`Float`].
pub(crate) const MOST_CLUSTERS: usize = 1 << 24;

/// The most clusters with which a group of rows is read from memory for longer than it is searched.
const FEW: usize = 16;

/// Bytes of rows that are searched together, where the centers do not all stay in the first-level cache.
const ROWS_IN_CACHE: usize = 1 << 17;

/// Centers, prepared for [`Centers::label`].
#[derive(Debug, Clone)]
pub(crate) struct Centers<F> {
    pub(super) n_clusters: usize,
    pub(super) n_features: usize,
    /// Rows of a group.
    lanes: usize,
    /// Centers that are compared with a group at once.
    pub(super) height: usize,
    /// For each tile of `height` centers their features, for each feature a line of the tile; up to a multiple of
    /// the height there are some more, of zeros.
    pub(super) panels: Vec<F>,
    /// ‖c‖²/2, infinite for those.
    pub(super) half_norms: Vec<F>,
}

impl<F: Float> Centers<F> {
    /// Room for so many centers.
    pub(crate) fn new(n_clusters: usize, n_features: usize) -> Self {
        Self::in_tiles_of(height_of(n_clusters, shape::<F>().heights), n_clusters, n_features)
    }

    fn in_tiles_of(height: usize, n_clusters: usize, n_features: usize) -> Self {
        let padded = n_clusters.next_multiple_of(height);
        Self {
            n_clusters,
            n_features,
            lanes: shape::<F>().lanes,
            height,
            panels: vec![F::zero(); padded * n_features],
            half_norms: vec![F::infinity(); padded],
        }
    }

    /// Takes over the centers (k, d).
    pub(crate) fn set(&mut self, centers: &[F]) {
        let (d, height) = (self.n_features, self.height);
        for (panel, centers) in self.panels.chunks_exact_mut(height * d).zip(centers.chunks(height * d)) {
            for (place, center) in centers.chunks_exact(d).enumerate() {
                panel.iter_mut().skip(place).step_by(height).zip(center).for_each(|(own, c)| *own = *c);
            }
        }
        vectorize(
            #[inline(always)]
            || {
                for (half_norm, center) in self.half_norms.iter_mut().zip(centers.chunks_exact(d)) {
                    *half_norm = F::of(sum_over(center, center, |a, b| a.as_f64() * b.as_f64()) / 2.0);
                }
            },
        );
    }

    /// How many centers there are.
    pub(crate) fn n_clusters(&self) -> usize {
        self.n_clusters
    }

    /// How many features they have.
    pub(crate) fn n_features(&self) -> usize {
        self.n_features
    }

    /// Rows of a group: they are searched together.
    pub(crate) fn lanes(&self) -> usize {
        self.lanes
    }

    /// How many rows are best read from memory and searched together.
    pub(crate) fn together(&self) -> usize {
        if self.n_clusters <= FEW { self.lanes } else { self.rows_in_cache() }
    }

    /// Room for as many of `n_rows` rows as are best searched together.
    pub(crate) fn room(&self, n_rows: usize) -> Room<F> {
        Room::new(self.lanes, self.together().min(n_rows.max(1)), self.n_features)
    }

    /// The same for rows that are in the cache already.
    pub(crate) fn large_room(&self, n_rows: usize) -> Room<F> {
        Room::new(self.lanes, self.rows_in_cache().min(n_rows.max(1)), self.n_features)
    }

    /// Room for what is found of rows that are [turned](Self::turned) already.
    pub(crate) fn room_for_turned(&self, n_rows: usize) -> Room<F> {
        Room::new(self.lanes, n_rows, 0)
    }

    fn rows_in_cache(&self) -> usize {
        (ROWS_IN_CACHE / (self.n_features * size_of::<F>())).clamp(32, 128).next_multiple_of(self.lanes)
    }

    /// Rows as the search reads them, less their mean.
    pub(crate) fn turned(&self, rows: &[F], mean: &[F]) -> Buffer<F> {
        let groups = (rows.len() / mean.len()).div_ceil(self.lanes);
        let mut turned = Buffer::new(groups * self.lanes * mean.len());
        turn(rows, mean, self.lanes, &mut turned, &[]);
        turned
    }

    /// The labels of the first rows, as many as there are labels: the nearest center, of equally near ones the first. `mean` is
    /// taken from the rows as it was from the centers; the rows behind them are those that will come next.
    pub(crate) fn label(&self, rows: &[F], mean: &[F], room: &mut Room<F>, labels: &mut [u32]) {
        let together = room.rows();
        let mut rest = rows;
        for labels in labels.chunks_mut(together) {
            self.find(rest, mean, room, labels.len());
            relabel(labels, &room.nearest);
            rest = &rest[labels.len() * self.n_features..];
        }
    }

    /// [`label`](Self::label) for no more rows than there is room for, which notes those whose label is not what it was.
    pub(crate) fn label_and_note(
        &self,
        rows: &[F],
        mean: &[F],
        (room, moved): (&mut Room<F>, &mut Vec<Moved>),
        labels: &mut [u32],
    ) {
        self.find(rows, mean, room, labels.len());
        relabel_and_note(labels, &room.nearest, 0, moved);
    }

    /// The same for rows that were [turned](Self::turned).
    pub(crate) fn label_turned_and_note(
        &self,
        turned: &[F],
        (room, moved): (&mut Room<F>, &mut Vec<Moved>),
        labels: &mut [u32],
    ) {
        self.search((turned, &[]), (&mut room.smallest, &mut room.nearest), labels.len());
        relabel_and_note(labels, &room.nearest, 0, moved);
    }

    /// Leaves in the room which centers are the nearest to the first rows.
    fn find(&self, rows: &[F], mean: &[F], room: &mut Room<F>, n_rows: usize) {
        let (rows, next) = rows.split_at(n_rows * self.n_features);
        let [turning, searching] = self.ahead(next, n_rows);
        room.load(rows, mean, turning);
        let Room { features, smallest, nearest, .. } = room;
        self.search((features, searching), (smallest, nearest), n_rows);
    }

    /// What of the rows that come next is fetched while rows are turned and searched. A long search fetches it all; with few
    /// centers memory is to be busy all the time.
    pub(super) fn ahead<'a>(&self, next: &'a [F], together: usize) -> [&'a [F]; 2] {
        let next = &next[..next.len().min(together * self.n_features)];
        if self.n_clusters > FEW {
            return [&[], next];
        }
        next.split_at(next.len() / 2).into()
    }

    /// The nearest centers of so many turned rows, no more than there is room for what is found.
    fn search(
        &self,
        (features, ahead): (&[F], &[F]),
        (smallest, nearest): (&mut [F], &mut [F]),
        n_rows: usize,
    ) {
        let places = n_rows.next_multiple_of(self.lanes);
        smallest[..places].fill(F::infinity());
        F::run_simd(Search {
            centers: self,
            features,
            ahead,
            smallest: &mut smallest[..places],
            nearest: &mut nearest[..places],
            second: &mut [],
        });
    }
}

/// The height that leaves the least room empty, of such the first; one that leaves little more is as good if it
/// comes earlier, for a high tile reads the rows less often.
fn height_of(n_clusters: usize, heights: &[usize]) -> usize {
    let padded = |height: usize| n_clusters.next_multiple_of(height);
    let least = heights.iter().map(|&height| padded(height)).min().unwrap_or(n_clusters);
    let near = heights.iter().find(|&&height| padded(height) <= least + least / 32);
    near.copied().unwrap_or(heights[0])
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rng::{Purpose, Rng};

    fn labels<F: Float>(height: usize, rows: &[F], centers: &[F], mean: &[F]) -> Vec<u32> {
        let d = mean.len();
        let mut prepared = Centers::in_tiles_of(height, centers.len() / d, d);
        prepared.set(centers);
        let mut labels = vec![NO_LABEL; rows.len() / d];
        let mut room = prepared.room(labels.len());
        prepared.label(rows, mean, &mut room, &mut labels);
        notes_are_right(&prepared, rows, mean, &labels);
        labels
    }

    /// What is noted is what has changed, of rows as they are and of turned ones.
    fn notes_are_right<F: Float>(prepared: &Centers<F>, rows: &[F], mean: &[F], want: &[u32]) {
        let (mut room, mut room_for_turned) =
            (prepared.large_room(want.len()), prepared.room_for_turned(want.len()));
        let n = want.len().min(room.rows());
        let mut before: Vec<u32> = want[..n].to_vec();
        before.iter_mut().step_by(3).for_each(|label| *label = NO_LABEL);
        before.iter_mut().skip(4).step_by(9).for_each(|label| *label += 1);
        let all = (0..).zip(before.iter().zip(want));
        let differ: Vec<Moved> =
            all.filter(|(_, (a, b))| a != b).map(|(row, (from, _))| Moved { row, from: *from }).collect();
        let (mut labels, mut moved) = (before.clone(), Vec::new());
        prepared.label_and_note(rows, mean, (&mut room, &mut moved), &mut labels);
        assert_eq!((&labels[..], &moved), (&want[..n], &differ));
        let turned = prepared.turned(rows, mean);
        let (mut labels, mut moved) = (before, Vec::new());
        prepared.label_turned_and_note(&turned, (&mut room_for_turned, &mut moved), &mut labels);
        assert_eq!((&labels[..], &moved), (&want[..n], &differ));
    }

    fn by_all_heights<F: Float>() {
        let mut rng = Rng::new(1, Purpose::Other, 0);
        for (n, d, k) in
            [(1, 1, 1), (7, 3, 2), (16, 8, 5), (33, 9, 13), (100, 24, 37), (65, 17, 8), (300, 70, 101)]
        {
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
            for &height in shape::<F>().heights {
                assert_eq!(
                    labels(height, &rows, &centers, &mean),
                    want,
                    "n = {n}, d = {d}, k = {k}, {height}"
                );
            }
        }
    }

    #[test]
    fn every_height_of_a_tile_finds_the_nearest_center() {
        by_all_heights::<f32>();
        by_all_heights::<f64>();
    }

    #[test]
    fn of_equally_near_centers_the_first_is_taken() {
        let mut centers = Centers::new(9, 1);
        centers.set(&[5.0f32, 1.0, -1.0, 1.0, -1.0, 1.0, -1.0, 1.0, -1.0]);
        let mut labels = [NO_LABEL; 3];
        let mut room = centers.room(3);
        centers.label(&[0.0, 2.0, -2.0], &[0.0], &mut room, &mut labels);
        assert_eq!(labels, [1, 1, 2]);
    }
}
