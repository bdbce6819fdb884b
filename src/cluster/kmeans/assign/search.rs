//! The search for the nearest centers: rows go to the kernel in blocks that stay in the cache, and the rows whose scores are
//! too close are compared with the centers directly, by the function that `transform` uses.

use super::kernel::AssignKernel;
use super::labels::{Reassigned, relabel, relabel_and_record};
use super::packed_centers::{FEW_CLUSTERS, PackedCenters};
use super::packed_rows::PackedRows;
use crate::buffer::Buffer;
use crate::float::Float;
use crate::linalg::row_packing::pack_rows;

impl<F: Float> PackedCenters<F> {
    /// Packed-row buffers for up to `n_rows` rows that are read from memory.
    pub(crate) fn buffers(&self, n_rows: usize) -> PackedRows<F> {
        PackedRows::new(self.lanes, self.rows_per_search().min(n_rows.max(1)), self.n_features)
    }

    /// Packed-row buffers for up to `n_rows` rows that are in the cache.
    pub(crate) fn buffers_in_cache(&self, n_rows: usize) -> PackedRows<F> {
        PackedRows::new(self.lanes, self.rows_in_cache().min(n_rows.max(1)), self.n_features)
    }

    /// Result buffers for `n_rows` rows that are [packed](Self::pack) already.
    pub(crate) fn result_buffers(&self, n_rows: usize) -> PackedRows<F> {
        PackedRows::new(self.lanes, n_rows, 0)
    }

    /// Packs rows, less their mean.
    pub(crate) fn pack(&self, rows: &[F], mean: &[F]) -> Buffer<F> {
        let groups = (rows.len() / mean.len()).div_ceil(self.lanes);
        let mut packed = Buffer::new(groups * self.lanes * mean.len());
        pack_rows(rows, mean, self.lanes, &mut packed, &[]);
        packed
    }

    /// Labels the first rows, one for each element of `labels`, with their nearest centers, ties to the first. `mean` is
    /// subtracted from the rows as it was from the centers; the remaining rows are prefetched. `norms_bounded` promises that
    /// the norms that the centers were packed for are those of these rows.
    pub(crate) fn assign(
        &self,
        (rows, mean): (&[F], &[F]),
        norms_bounded: bool,
        buffers: &mut PackedRows<F>,
        labels: &mut [u32],
    ) {
        let together = buffers.rows();
        let mut rest = rows;
        for labels in labels.chunks_mut(together) {
            let (own, next) = rest.split_at(labels.len() * self.n_features);
            self.search((own, next), mean, norms_bounded, buffers);
            relabel(labels, buffers.nearest(), self.direct_comparison(own));
            rest = next;
        }
    }

    /// [`assign`](Self::assign) for no more rows than the buffers hold; records those whose label changed.
    pub(crate) fn assign_and_record(
        &self,
        rows: &[F],
        mean: &[F],
        (buffers, reassigned): (&mut PackedRows<F>, &mut Vec<Reassigned>),
        labels: &mut [u32],
    ) {
        let (own, next) = rows.split_at(labels.len() * self.n_features);
        self.search((own, next), mean, true, buffers);
        relabel_and_record(labels, buffers.nearest(), 0, reassigned, self.direct_comparison(own));
    }

    /// [`assign_and_record`](Self::assign_and_record) for [packed](Self::pack) rows. Computes their ‖x‖² unless
    /// `squares_known`.
    pub(crate) fn assign_packed_and_record(
        &self,
        (rows, packed): (&[F], &[F]),
        (squares, squares_known): (&mut [F], bool),
        (buffers, reassigned): (&mut PackedRows<F>, &mut Vec<Reassigned>),
        labels: &mut [u32],
    ) {
        let places = labels.len().next_multiple_of(self.lanes);
        let (_, [nearest, _, smallest]) = buffers.parts(places);
        F::run_simd(AssignKernel {
            centers: self.tiles(),
            features: packed,
            ahead: &[],
            margin: self.margin,
            squares: &mut squares[..places],
            with_squares: !squares_known,
            smallest,
            nearest,
            second: &mut [],
        });
        relabel_and_record(labels, buffers.nearest(), 0, reassigned, self.direct_comparison(rows));
    }

    /// The direct comparison for the rows of a block.
    fn direct_comparison(&self, rows: &[F]) -> impl Fn(usize) -> u32 {
        let d = self.n_features;
        move |row| self.nearest_directly(&rows[row * d..][..d])
    }

    /// Runs the kernel on some rows and leaves the results in the buffers; prefetches the rows after them.
    fn search(
        &self,
        (rows, next): (&[F], &[F]),
        mean: &[F],
        norms_bounded: bool,
        buffers: &mut PackedRows<F>,
    ) {
        let [while_packing, while_searching] = self.split_prefetch(next, rows.len() / self.n_features);
        let places = buffers.load(rows, mean, while_packing);
        let (features, [nearest, squares, smallest]) = buffers.parts(places);
        let constant = self.constant_margin.filter(|_| norms_bounded);
        F::run_simd(AssignKernel {
            centers: self.tiles(),
            features,
            ahead: while_searching,
            margin: constant.unwrap_or(self.margin),
            squares,
            with_squares: constant.is_none(),
            smallest,
            nearest,
            second: &mut [],
        });
    }

    /// The parts of the next rows that are prefetched while rows are packed and while they are searched. A long search has
    /// time for all of them; with few centers memory has to be busy all the time.
    pub(crate) fn split_prefetch<'a>(&self, next: &'a [F], n_rows: usize) -> [&'a [F]; 2] {
        let next = &next[..next.len().min(n_rows * self.n_features)];
        if self.n_clusters() > FEW_CLUSTERS {
            return [&[], next];
        }
        next.split_at(next.len() / 2).into()
    }
}

#[cfg(test)]
mod tests {
    use super::super::kernel::tile_shape;
    use super::super::labels::NO_LABEL;
    use super::super::packed_centers::SquaredNorms;
    use super::*;
    use crate::linalg::distance::squared_distance;
    use crate::rng::{Purpose, Rng};

    fn labels<F: Float>(height: usize, rows: &[F], centers: &[F], mean: &[F], largest: f64) -> Vec<u32> {
        let d = mean.len();
        let mut packed_centers = PackedCenters::in_tiles_of(height, centers.len() / d, d);
        packed_centers.set(centers, mean, SquaredNorms { typical: d as f64, largest });
        let mut labels = vec![NO_LABEL; rows.len() / d];
        let mut buffers = packed_centers.buffers(labels.len());
        packed_centers.assign((rows, mean), true, &mut buffers, &mut labels);
        check_records(&packed_centers, rows, mean, &labels);
        labels
    }

    /// The records are exactly the changed labels, for rows as they are and for packed ones.
    fn check_records<F: Float>(packed_centers: &PackedCenters<F>, rows: &[F], mean: &[F], want: &[u32]) {
        let (mut buffers, mut results) =
            (packed_centers.buffers_in_cache(want.len()), packed_centers.result_buffers(want.len()));
        let n = want.len().min(buffers.rows());
        let mut before: Vec<u32> = want[..n].to_vec();
        before.iter_mut().step_by(3).for_each(|label| *label = NO_LABEL);
        before.iter_mut().skip(4).step_by(9).for_each(|label| *label += 1);
        let all = (0..).zip(before.iter().zip(want));
        let differ: Vec<Reassigned> = all
            .filter(|(_, (a, b))| a != b)
            .map(|(row, (from, _))| Reassigned { row, from: *from })
            .collect();
        let (mut labels, mut reassigned) = (before.clone(), Vec::new());
        packed_centers.assign_and_record(rows, mean, (&mut buffers, &mut reassigned), &mut labels);
        assert_eq!((&labels[..], &reassigned), (&want[..n], &differ));
        let packed = packed_centers.pack(rows, mean);
        let mut squares = vec![F::zero(); n.next_multiple_of(packed_centers.lanes())];
        for known in [false, true] {
            let (mut labels, mut reassigned) = (before.clone(), Vec::new());
            let record = (&mut results, &mut reassigned);
            packed_centers.assign_packed_and_record(
                (rows, &packed),
                (&mut squares, known),
                record,
                &mut labels,
            );
            assert_eq!((&labels[..], &reassigned), (&want[..n], &differ));
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
            for &height in tile_shape::<F>().heights {
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
            SquaredNorms { typical: 1.0, largest: 4.0 },
        );
        let mut labels = [NO_LABEL; 3];
        let mut buffers = centers.buffers(3);
        centers.assign((&[0.0, 2.0, -2.0], &[0.0]), true, &mut buffers, &mut labels);
        assert_eq!(labels, [1, 1, 2]);
    }
}
