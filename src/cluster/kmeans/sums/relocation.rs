//! Relocation of empty clusters: each takes one of the points that lie the farthest from their centers.

use super::{Sums, add_point};
use crate::cluster::kmeans::distance::squared_distance;
use crate::cluster::kmeans::samples::Samples;
use crate::float::Float;

/// Moves each cluster without weight to a separate point: the farthest from their old centers first, of equally far ones the
/// first row. Does nothing where every point coincides with its center.
///
/// `sums` are those of the labels, which stay as they are, with weights multiplied with `scale`. Returns the rows that moved,
/// each with its new cluster.
pub(crate) fn relocate_empty<F: Float>(
    samples: &Samples<'_, F>,
    centers: &[F],
    labels: &[u32],
    (sums, scale): (&mut Sums, f64),
) -> Vec<(usize, u32)> {
    if sums.weights().all(|weight| weight > 0.0) {
        return Vec::new();
    }
    let empty: Vec<usize> =
        sums.weights().enumerate().filter(|&(_, w)| w <= 0.0).map(|(cluster, _)| cluster).collect();
    let farthest = farthest(samples, centers, labels, empty.len());
    if farthest.first().is_none_or(|&(distance, _)| distance == F::zero()) {
        return Vec::new();
    }
    let mut relocated = Vec::with_capacity(empty.len());
    for (cluster, (_, row)) in empty.into_iter().zip(farthest) {
        let (point, weight) = (samples.row(row), samples.weight(row) * scale);
        let line = sums.line(cluster);
        line.fill(0.0);
        add_point(line, point, weight);
        let donor = sums.line(labels[row] as usize);
        let before = donor[point.len()];
        add_point(donor, point, -weight);
        if donor[point.len()] <= before * 1e-12 {
            // Only rounding errors of the weights are left.
            donor.fill(0.0);
        }
        relocated.push((row, cluster as u32));
    }
    relocated
}

/// The `count` rows of positive weight that lie the farthest from their centers, the farthest first.
fn farthest<F: Float>(
    samples: &Samples<'_, F>,
    centers: &[F],
    labels: &[u32],
    count: usize,
) -> Vec<(F, usize)> {
    let d = samples.n_features;
    let mut farthest: Vec<(F, usize)> = Vec::with_capacity(count + 1);
    for (row, &label) in labels.iter().enumerate() {
        let distance = squared_distance(samples.row(row), &centers[label as usize * d..][..d]);
        let full = farthest.len() == count;
        if samples.weight(row) == 0.0 || full && farthest.last().is_some_and(|&(least, _)| distance <= least)
        {
            continue;
        }
        // Behind all that are as far or farther: rows come in order, so the first of equals stays ahead.
        let place = farthest.partition_point(|&(other, _)| other >= distance);
        farthest.insert(place, (distance, row));
        farthest.truncate(count);
    }
    farthest
}

#[cfg(test)]
mod tests {
    use super::*;

    fn lines(sums: &Sums) -> Vec<&[f64]> {
        sums.lines.chunks(8).map(|line| &line[..2]).collect()
    }

    fn sums(lines: &[[f64; 2]]) -> Sums {
        let mut sums = Sums::new(lines.len(), 1);
        (0..lines.len()).for_each(|cluster| sums.line(cluster)[..2].copy_from_slice(&lines[cluster]));
        sums
    }

    /// The example of scikit-learn's own test of its relocation.
    #[test]
    fn the_farthest_points_leave_for_the_empty_clusters() {
        let x = [-10.0, -9.5, -9.0, -8.5, -8.0, -1.0, 1.0, 9.0, 9.5, 10.0];
        let samples = Samples { values: &x, n_features: 1, weights: None };
        let mut sums = sums(&[[-16.5, 10.0], [0.0, 0.0], [0.0, 0.0]]);
        let relocated = relocate_empty(&samples, &[-10.0, 0.0, 0.0], &[0; 10], (&mut sums, 1.0));
        assert_eq!(relocated, [(9, 1), (8, 2)]);
        assert_eq!(lines(&sums), [[-36.0, 8.0], [10.0, 1.0], [9.5, 1.0]]);
    }

    #[test]
    fn of_equally_far_points_the_first_is_taken_and_weightless_ones_never() {
        let x = [5.0, -3.0, 3.0, 3.0];
        let samples = Samples { values: &x, n_features: 1, weights: Some(&[0.0, 1.0, 1.0, 1.0]) };
        assert_eq!(farthest(&samples, &[0.0], &[0; 4], 2), [(9.0, 1), (9.0, 2)]);
    }

    #[test]
    fn nothing_moves_where_every_point_is_its_center() {
        let samples = Samples { values: &[1.0f32, 1.0], n_features: 1, weights: None };
        let mut sums = sums(&[[2.0, 2.0], [0.0, 0.0]]);
        assert!(relocate_empty(&samples, &[1.0, 1.0], &[0, 0], (&mut sums, 1.0)).is_empty());
        assert_eq!(lines(&sums), [[2.0, 2.0], [0.0; 2]]);
    }
}
