//! What becomes of clusters that lost all their points: each takes over one of the points that lie the farthest
//! from their centers.

use super::distance::squared_distance_about;
use super::samples::Samples;
use super::sums::{Sums, add_point};
use crate::float::Float;

/// Gives each cluster without weight a point of its own: the farthest from their old centers first, of equally
/// far ones the first row. Nothing happens where every point coincides with its center.
///
/// `sums` are those of the labels, which stay as they are; `mean` is taken from every row. Answers whether
/// anything was moved.
pub(super) fn relocate_empty<F: Float>(
    samples: &Samples<'_, F>,
    mean: &[F],
    centers: &[F],
    labels: &[u32],
    sums: &mut Sums,
) -> bool {
    if sums.weights().all(|weight| weight > 0.0) {
        return false;
    }
    let empty: Vec<usize> =
        sums.weights().enumerate().filter(|&(_, w)| w <= 0.0).map(|(cluster, _)| cluster).collect();
    let farthest = farthest(samples, mean, centers, labels, empty.len());
    if farthest.first().is_none_or(|&(distance, _)| distance == F::zero()) {
        return false;
    }
    for (cluster, (_, row)) in empty.into_iter().zip(farthest) {
        let (point, weight) = (samples.row(row), samples.weight(row));
        let line = sums.line(cluster);
        line.fill(0.0);
        add_point(line, point, mean, weight);
        let donor = sums.line(labels[row] as usize);
        let before = donor[point.len()];
        add_point(donor, point, mean, -weight);
        if donor[point.len()] <= before * 1e-12 {
            // Nothing is left but the rounding of the weights.
            donor.fill(0.0);
        }
    }
    true
}

/// The `count` rows of positive weight that lie the farthest from their centers, the farthest first.
fn farthest<F: Float>(
    samples: &Samples<'_, F>,
    mean: &[F],
    centers: &[F],
    labels: &[u32],
    count: usize,
) -> Vec<(F, usize)> {
    let d = samples.n_features;
    let mut farthest: Vec<(F, usize)> = Vec::with_capacity(count + 1);
    for (row, &label) in labels.iter().enumerate() {
        let distance = squared_distance_about(samples.row(row), mean, &centers[label as usize * d..][..d]);
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
        assert!(relocate_empty(&samples, &[0.0], &[-10.0, 0.0, 0.0], &[0; 10], &mut sums));
        assert_eq!(lines(&sums), [[-36.0, 8.0], [10.0, 1.0], [9.5, 1.0]]);
    }

    #[test]
    fn of_equally_far_points_the_first_is_taken_and_weightless_ones_never() {
        let x = [5.0, -3.0, 3.0, 3.0];
        let samples = Samples { values: &x, n_features: 1, weights: Some(&[0.0, 1.0, 1.0, 1.0]) };
        assert_eq!(farthest(&samples, &[0.0], &[0.0], &[0; 4], 2), [(9.0, 1), (9.0, 2)]);
    }

    #[test]
    fn nothing_moves_where_every_point_is_its_center() {
        let samples = Samples { values: &[1.0f32, 1.0], n_features: 1, weights: None };
        let mut sums = sums(&[[2.0, 2.0], [0.0, 0.0]]);
        assert!(!relocate_empty(&samples, &[0.0], &[1.0, 1.0], &[0, 0], &mut sums));
        assert_eq!(lines(&sums), [[2.0, 2.0], [0.0; 2]]);
    }
}
