//! Relocation of empty clusters: each takes one of the points that lie the farthest from their centers.

use super::{Sums, add_point};
use crate::cluster::kmeans::ranks::Ranks;
use crate::cluster::kmeans::samples::Samples;
use crate::error::Result;
use crate::float::Float;
use crate::linalg::distance::squared_distance;

/// Moves each cluster without weight to a separate point: the farthest from their old centers first, of equally far ones the
/// first row. Does nothing where every point coincides with its center.
///
/// `sums` are those of the labels, which stay as they are, with weights multiplied with `scale`. Returns the rows that moved, by
/// their numbers among those of all ranks, each with its new cluster.
pub(crate) fn relocate_empty<F: Float>(
    (samples, ranks): (&Samples<'_, F>, &Ranks<'_>),
    centers: &[F],
    labels: &[u32],
    (sums, scale): (&mut Sums, f64),
) -> Result<Vec<(usize, u32)>> {
    let empty = empty_clusters(sums);
    if empty.is_empty() {
        return Ok(Vec::new());
    }
    let farthest = farthest_of_all(ranks, &farthest(samples, centers, labels, empty.len()), empty.len())?;
    if farthest.first().is_none_or(|&(distance, _)| distance == 0.0) {
        return Ok(Vec::new());
    }
    let rows: Vec<usize> = farthest.into_iter().map(|(_, row)| row).collect();
    let mut points = Vec::new();
    ranks.copy_rows(samples, &rows, &mut points)?;
    // The weight and the label of each.
    let mut marks = vec![[0.0; 2]; rows.len()];
    for (marks, &row) in marks.iter_mut().zip(&rows) {
        if let Some(own) = ranks.own(row) {
            *marks = [samples.weight(own), f64::from(labels[own])];
        }
    }
    ranks.combine(marks.as_flattened_mut())?;
    let moved = points.chunks_exact(samples.n_features).zip(marks);
    for (&cluster, (point, [weight, label])) in empty.iter().zip(moved) {
        move_point(sums, (point, weight * scale), label as usize, cluster);
    }
    Ok(rows.into_iter().zip(empty.into_iter().map(|cluster| cluster as u32)).collect())
}

/// The clusters without weight.
pub(crate) fn empty_clusters(sums: &Sums) -> Vec<usize> {
    sums.weights().enumerate().filter(|&(_, w)| w <= 0.0).map(|(cluster, _)| cluster).collect()
}

/// Moves a point with its weight from a cluster to one without weight.
pub(crate) fn move_point<F: Float>(sums: &mut Sums, (point, weight): (&[F], f64), from: usize, to: usize) {
    let line = sums.line(to);
    line.fill(0.0);
    add_point(line, point, weight);
    let donor = sums.line(from);
    let before = donor[point.len()];
    add_point(donor, point, -weight);
    if donor[point.len()] <= before * 1e-12 {
        // Only rounding errors of the weights are left.
        donor.fill(0.0);
    }
}

/// The `count` rows of all ranks that lie the farthest from their centers, of which each rank has found as many of its `own`.
fn farthest_of_all<F: Float>(
    ranks: &Ranks<'_>,
    own: &[(F, usize)],
    count: usize,
) -> Result<Vec<(f64, usize)>> {
    let mut distances = vec![0.0; ranks.size() * count];
    // The number of a row plus 1, or 0.
    let mut rows = vec![0; distances.len()];
    let places = distances[ranks.rank() * count..].iter_mut().zip(&mut rows[ranks.rank() * count..]);
    for ((distance, row), &(own_distance, own_row)) in places.zip(own) {
        (*distance, *row) = (own_distance.as_f64(), ranks.first_row() + own_row + 1);
    }
    ranks.combine(&mut distances)?;
    ranks.combine_rows(&mut rows)?;
    let found =
        distances.into_iter().zip(rows).filter_map(|(distance, row)| Some((distance, row.checked_sub(1)?)));
    let mut found: Vec<(f64, usize)> = found.collect();
    found.sort_by(|a, b| b.0.total_cmp(&a.0).then(a.1.cmp(&b.1)));
    found.truncate(count);
    Ok(found)
}

/// The `count` rows of positive weight that lie the farthest from their centers, the farthest first.
pub(crate) fn farthest<F: Float>(
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
        let (centers, ranks) = ([-10.0, 0.0, 0.0], Ranks::alone(10));
        let relocated = relocate_empty((&samples, &ranks), &centers, &[0; 10], (&mut sums, 1.0));
        assert_eq!(relocated.unwrap(), [(9, 1), (8, 2)]);
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
        let ranks = Ranks::alone(2);
        let relocated = relocate_empty((&samples, &ranks), &[1.0, 1.0], &[0, 0], (&mut sums, 1.0));
        assert_eq!(relocated.unwrap(), []);
        assert_eq!(lines(&sums), [[2.0, 2.0], [0.0; 2]]);
    }
}
