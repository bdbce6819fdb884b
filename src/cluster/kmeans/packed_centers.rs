//! The nearest center of every row.
//!
//! The nearest center to a row x is the one with the smallest ‖c‖²/2 − x·c, for ‖x‖² is the same for all. Here the
//! centers are laid out for the kernel that computes these scores, and rows are led to it in blocks that stay in the cache.
//! Rows whose scores are too close to tell are compared with the centers directly, by the function that `transform` uses.

use super::assign_kernel::{AssignKernel, shape};
use super::distance::{squared_distance, sum_over};
use super::labels::{SINGLE, UNDECIDED, relabel, relabel_and_record};
use super::margin::Margin;
use super::packed_rows::{PackedRows, turn};
use crate::buffer::Buffer;
use crate::float::Float;
use crate::simd::vectorize;

/// A row's label before it has one.
pub(crate) const NO_LABEL: u32 = u32::MAX;

/// A row whose label is not what it was.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Reassigned {
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
pub(crate) struct PackedCenters<F> {
    pub(super) n_clusters: usize,
    pub(super) n_features: usize,
    /// Rows of a group.
    lanes: usize,
    /// Centers that are compared with a group at once.
    pub(super) height: usize,
    /// The centers as they are, (k, d).
    centers: Vec<F>,
    /// For each tile of `height` centers: ‖c‖²/2 less the mean, the numbers by which the kernel names them, and their
    /// features less the mean, for each feature a line of the tile. Up to a multiple of the height there are some more, of
    /// zeros, whose half norms are infinite.
    pub(super) tiles: Vec<F>,
    /// The largest ‖c‖²/2.
    pub(super) longest: F,
    /// How close two scores may be before the rows are compared directly; and the same for rows of bounded length.
    pub(super) margin: Margin<F>,
    flat: Option<Margin<F>>,
}

/// What is known of the rows that centers are packed for: it changes no label, but decides how the margin is computed.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Lengths {
    /// About the mean of ‖x − mean‖².
    pub(crate) typical: f64,
    /// No ‖x − mean‖² is larger, by the kernel's own or a more careful computation; infinite where that is not known.
    pub(crate) largest: f64,
}

impl<F: Float> PackedCenters<F> {
    /// Allocates buffers for `n_clusters` centers.
    pub(crate) fn new(n_clusters: usize, n_features: usize) -> Self {
        Self::in_tiles_of(height_of(n_clusters, shape::<F>().heights), n_clusters, n_features)
    }

    fn in_tiles_of(height: usize, n_clusters: usize, n_features: usize) -> Self {
        let padded = n_clusters.next_multiple_of(height);
        let mut tiles = vec![F::zero(); padded * (n_features + 2)];
        for (tile, table) in tiles.chunks_exact_mut(height * (n_features + 2)).enumerate() {
            table[..height].fill(F::infinity());
            let numbers = table[height..2 * height].iter_mut().enumerate();
            numbers.for_each(|(place, number)| *number = F::of(SINGLE + (tile * height + place) as f64));
        }
        Self {
            n_clusters,
            n_features,
            lanes: shape::<F>().lanes,
            height,
            centers: vec![F::zero(); n_clusters * n_features],
            tiles,
            longest: F::zero(),
            margin: Margin::unbounded(),
            flat: None,
        }
    }

    /// Takes over the centers (k, d), and packs them less the mean, which is subtracted from the rows too.
    pub(crate) fn set(&mut self, centers: &[F], mean: &[F], rows: Lengths) {
        let (d, height) = (self.n_features, self.height);
        self.centers.copy_from_slice(centers);
        for (table, centers) in self.tiles.chunks_exact_mut(height * (d + 2)).zip(centers.chunks(height * d))
        {
            let (table, panel) = table.split_at_mut(2 * height);
            for (place, center) in centers.chunks_exact(d).enumerate() {
                let own = panel.iter_mut().skip(place).step_by(height);
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
        let (shortest, longest) =
            half_norms.fold((F::infinity(), F::zero()), |(shortest, longest), half_norm| {
                // NaN, of what overflows, stays.
                (
                    if *half_norm > shortest { shortest } else { *half_norm },
                    if *half_norm < longest { longest } else { *half_norm },
                )
            });
        self.longest = longest;
        self.margin = if self.n_clusters > UNDECIDED as usize {
            Margin::unbounded()
        } else {
            Margin::new(d, (shortest, longest), rows.typical)
        };
        self.flat = self.margin.flat(d, rows.largest, rows.typical);
    }

    /// Whether ‖x‖² of each row has to be known for its margin.
    pub(crate) fn needs_squares(&self) -> bool {
        self.flat.is_none()
    }

    /// The center nearest to a row by the distances that `transform` returns, of equally near ones the first.
    #[cold]
    pub(super) fn nearest_directly(&self, x: &[F]) -> u32 {
        vectorize(
            #[inline(always)]
            || {
                let mut centers = self.centers.chunks_exact(self.n_features);
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

    /// Packed-row buffers for as many of `n_rows` rows as are best searched together.
    pub(crate) fn room(&self, n_rows: usize) -> PackedRows<F> {
        PackedRows::new(self.lanes, self.together().min(n_rows.max(1)), self.n_features)
    }

    /// The same for rows that are in the cache already.
    pub(crate) fn large_room(&self, n_rows: usize) -> PackedRows<F> {
        PackedRows::new(self.lanes, self.rows_in_cache().min(n_rows.max(1)), self.n_features)
    }

    /// Result buffers for rows that are [packed](Self::packed) already.
    pub(crate) fn room_for_turned(&self, n_rows: usize) -> PackedRows<F> {
        PackedRows::new(self.lanes, n_rows, 0)
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
    /// taken from the rows as it was from the centers; the rows behind them are those that will come next. The lengths that
    /// the centers were packed for are those of these rows if `known`.
    pub(crate) fn label(
        &self,
        (rows, mean): (&[F], &[F]),
        known: bool,
        room: &mut PackedRows<F>,
        labels: &mut [u32],
    ) {
        let together = room.rows();
        let mut rest = rows;
        for labels in labels.chunks_mut(together) {
            let (own, next) = rest.split_at(labels.len() * self.n_features);
            self.find((own, next), mean, known, room);
            relabel(labels, room.nearest(), self.directly(own));
            rest = next;
        }
    }

    /// [`label`](Self::label) for no more rows than the buffers hold; records those whose label changed.
    pub(crate) fn assign_and_record(
        &self,
        rows: &[F],
        mean: &[F],
        (room, moved): (&mut PackedRows<F>, &mut Vec<Reassigned>),
        labels: &mut [u32],
    ) {
        let (own, next) = rows.split_at(labels.len() * self.n_features);
        self.find((own, next), mean, true, room);
        relabel_and_record(labels, room.nearest(), 0, moved, self.directly(own));
    }

    /// The same for rows that were [turned](Self::turned). Computes their ‖x‖² if they are not `known`.
    pub(crate) fn assign_packed_and_record(
        &self,
        (rows, turned): (&[F], &[F]),
        (squares, known): (&mut [F], bool),
        (room, moved): (&mut PackedRows<F>, &mut Vec<Reassigned>),
        labels: &mut [u32],
    ) {
        let places = labels.len().next_multiple_of(self.lanes);
        let (_, [nearest, _, smallest]) = room.parts(places);
        F::run_simd(AssignKernel {
            centers: self,
            features: turned,
            ahead: &[],
            margin: self.margin,
            squares: &mut squares[..places],
            with_squares: !known,
            smallest,
            nearest,
            second: &mut [],
        });
        relabel_and_record(labels, room.nearest(), 0, moved, self.directly(rows));
    }

    /// The direct comparison for the rows of a block.
    fn directly(&self, rows: &[F]) -> impl Fn(usize) -> u32 {
        let d = self.n_features;
        move |row| self.nearest_directly(&rows[row * d..][..d])
    }

    /// Runs the kernel on some rows and leaves the results in the buffers; prefetches the rows after them.
    fn find(&self, (rows, next): (&[F], &[F]), mean: &[F], known: bool, room: &mut PackedRows<F>) {
        let [turning, searching] = self.ahead(next, rows.len() / self.n_features);
        let places = room.load(rows, mean, turning);
        let (features, [nearest, squares, smallest]) = room.parts(places);
        let flat = self.flat.filter(|_| known);
        F::run_simd(AssignKernel {
            centers: self,
            features,
            ahead: searching,
            margin: flat.unwrap_or(self.margin),
            squares,
            with_squares: flat.is_none(),
            smallest,
            nearest,
            second: &mut [],
        });
    }

    /// The part of the next rows that is prefetched while rows are packed and searched. A long search fetches it all; with few
    /// centers memory is to be busy all the time.
    pub(super) fn ahead<'a>(&self, next: &'a [F], together: usize) -> [&'a [F]; 2] {
        let next = &next[..next.len().min(together * self.n_features)];
        if self.n_clusters > FEW {
            return [&[], next];
        }
        next.split_at(next.len() / 2).into()
    }
}

/// The tile height with the least padding, the first of equals; one that leaves little more is as good if it
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

    fn labels<F: Float>(height: usize, rows: &[F], centers: &[F], mean: &[F], largest: f64) -> Vec<u32> {
        let d = mean.len();
        let mut prepared = PackedCenters::in_tiles_of(height, centers.len() / d, d);
        prepared.set(centers, mean, Lengths { typical: d as f64, largest });
        let mut labels = vec![NO_LABEL; rows.len() / d];
        let mut room = prepared.room(labels.len());
        prepared.label((rows, mean), true, &mut room, &mut labels);
        notes_are_right(&prepared, rows, mean, &labels);
        labels
    }

    /// What is noted is what has changed, of rows as they are and of turned ones.
    fn notes_are_right<F: Float>(prepared: &PackedCenters<F>, rows: &[F], mean: &[F], want: &[u32]) {
        let (mut room, mut room_for_turned) =
            (prepared.large_room(want.len()), prepared.room_for_turned(want.len()));
        let n = want.len().min(room.rows());
        let mut before: Vec<u32> = want[..n].to_vec();
        before.iter_mut().step_by(3).for_each(|label| *label = NO_LABEL);
        before.iter_mut().skip(4).step_by(9).for_each(|label| *label += 1);
        let all = (0..).zip(before.iter().zip(want));
        let differ: Vec<Reassigned> = all
            .filter(|(_, (a, b))| a != b)
            .map(|(row, (from, _))| Reassigned { row, from: *from })
            .collect();
        let (mut labels, mut moved) = (before.clone(), Vec::new());
        prepared.assign_and_record(rows, mean, (&mut room, &mut moved), &mut labels);
        assert_eq!((&labels[..], &moved), (&want[..n], &differ));
        let turned = prepared.turned(rows, mean);
        let mut squares = vec![F::zero(); n.next_multiple_of(prepared.lanes())];
        for known in [false, true] {
            let (mut labels, mut moved) = (before.clone(), Vec::new());
            let noted = (&mut room_for_turned, &mut moved);
            prepared.assign_packed_and_record((rows, &turned), (&mut squares, known), noted, &mut labels);
            assert_eq!((&labels[..], &moved), (&want[..n], &differ));
        }
    }

    /// The labels are the argmin of the distances by the direct formula, ties to the first, for tiles of every height and any
    /// point that is subtracted. `scale` is the unit of each column.
    fn by_all_heights<F: Float>(scale: impl Fn(usize) -> f64, step: f64, offset: f64) {
        let mut rng = Rng::new(1, Purpose::Other, 0);
        for (n, d, k) in [
            (1, 1, 1),
            (7, 3, 2),
            (16, 8, 5),
            (33, 9, 13),
            (100, 24, 37),
            (65, 17, 8),
            (300, 70, 101),
            (90, 1, 30),
        ] {
            // In steps: many rows are equally far from two centers.
            let mut noise = |len: usize| -> Vec<F> {
                let value = |place| {
                    let z = rng.normal();
                    F::of(offset + scale(place % d) * if step > 0.0 { (z / step).round() * step } else { z })
                };
                (0..len).map(value).collect()
            };
            let (rows, centers, mean) = (noise(n * d), noise(k * d), noise(d));
            let distance = |row: usize, cluster: usize| {
                squared_distance(&rows[row * d..][..d], &centers[cluster * d..][..d]).sqrt()
            };
            let nearest = |row| {
                (0..k).reduce(
                    |best, other| if distance(row, other) < distance(row, best) { other } else { best },
                )
            };
            let want: Vec<u32> = (0..n).filter_map(nearest).map(|cluster| cluster as u32).collect();
            for &height in shape::<F>().heights {
                for mean in [&mean, &vec![F::zero(); d]] {
                    let square =
                        |x: &[F]| x.iter().zip(mean).map(|(x, m)| (x.as_f64() - m.as_f64()).powi(2)).sum();
                    let largest = 1.001 * rows.chunks(d).map(square).fold(0.0, f64::max);
                    for largest in [largest, f64::INFINITY] {
                        let got = labels(height, &rows, &centers, mean, largest);
                        assert_eq!(got, want, "n = {n}, d = {d}, k = {k}, {height}");
                    }
                }
            }
        }
    }

    fn of_all_scales<F: Float>() {
        let (least, most) = (F::min_positive_value().as_f64(), F::max_value().as_f64());
        by_all_heights::<F>(|_| 1.0, 0.0, 0.0);
        by_all_heights::<F>(|_| 1.0, 0.5, 0.0);
        // Columns of other units, and far from the origin.
        for unit in [1e3, 1e5, 1e8, 1e12, 1e-6] {
            by_all_heights::<F>(|column| if column % 3 == 1 { unit } else { 1.0 }, 0.25, 0.0);
            by_all_heights::<F>(|_| 1.0, 0.0, unit);
        }
        // Squares that underflow, and that overflow.
        for unit in
            [least, least.sqrt(), 1e3 * least.sqrt(), 0.01 * most.sqrt(), most.sqrt(), 1e3 * most.sqrt()]
        {
            by_all_heights::<F>(|_| unit, 0.25, 0.0);
            by_all_heights::<F>(|column| if column == 0 { unit } else { 1.0 }, 0.0, 0.0);
        }
    }

    #[test]
    fn every_height_of_a_tile_finds_the_nearest_center() {
        of_all_scales::<f32>();
        of_all_scales::<f64>();
    }

    #[test]
    fn of_equally_near_centers_the_first_is_taken() {
        let mut centers = PackedCenters::new(9, 1);
        centers.set(
            &[5.0f32, 1.0, -1.0, 1.0, -1.0, 1.0, -1.0, 1.0, -1.0],
            &[0.0],
            Lengths { typical: 1.0, largest: 4.0 },
        );
        let mut labels = [NO_LABEL; 3];
        let mut room = centers.room(3);
        centers.label((&[0.0, 2.0, -2.0], &[0.0]), true, &mut room, &mut labels);
        assert_eq!(labels, [1, 1, 2]);
    }
}
