//! Means of clusters, and distances to them, without cancellation.

use crate::float::Float;
use ndarray::{Array2, ArrayView1, ArrayView2};

/// Rows in `f64`, less a value of each column: far from the origin little is lost in rounding then.
pub(super) struct Shifted<'a, F> {
    x: ArrayView2<'a, F>,
    /// Of each column the value of the smallest magnitude: small values keep their digits.
    origin: Vec<f64>,
}

impl<'a, F: Float> Shifted<'a, F> {
    pub(super) fn new(x: ArrayView2<'a, F>) -> Self {
        let nearer = |a: f64, b: &F| if b.as_f64().abs() < a.abs() { b.as_f64() } else { a };
        let origin = x.columns().into_iter().map(|column| column.iter().fold(f64::MAX, nearer)).collect();
        Self { x, origin }
    }

    /// The rows with their labels.
    fn rows<'s>(
        &'s self,
        labels: &'s [usize],
    ) -> impl Iterator<Item = (impl Iterator<Item = f64> + 's, usize)> {
        let row =
            |row: ArrayView1<'s, F>| row.into_iter().zip(&self.origin).map(|(x, origin)| x.as_f64() - origin);
        self.x.outer_iter().map(row).zip(labels.iter().copied())
    }

    /// The mean of each cluster: corrected by the mean of the residuals, and no smaller or larger than all values, so that
    /// the mean of equal values is that value.
    pub(super) fn means(&self, labels: &[usize], n_labels: usize) -> Array2<f64> {
        let shape = (n_labels, self.x.ncols());
        let mut sizes = vec![0.0; n_labels];
        labels.iter().for_each(|&label| sizes[label] += 1.0);
        let (mut low, mut high) =
            (Array2::from_elem(shape, f64::INFINITY), Array2::from_elem(shape, f64::NEG_INFINITY));
        let (mut means, mut corrections) = (Array2::<f64>::zeros(shape), Array2::<f64>::zeros(shape));
        for (row, label) in self.rows(labels) {
            for (feature, x) in row.enumerate() {
                let place = [label, feature];
                means[place] += x / sizes[label];
                (low[place], high[place]) = (x.min(low[place]), x.max(high[place]));
            }
        }
        for (row, label) in self.rows(labels) {
            for (feature, x) in row.enumerate() {
                corrections[[label, feature]] += (x - means[[label, feature]]) / sizes[label];
            }
        }
        ndarray::Zip::from(&mut means)
            .and(&corrections)
            .and(&low)
            .and(&high)
            .for_each(|mean, correction, low, high| *mean = (*mean + correction).max(*low).min(*high));
        means
    }

    /// The squared distance of each row to the mean of its cluster, with the cluster.
    pub(super) fn squares<'s>(
        &'s self,
        labels: &'s [usize],
        means: &'s Array2<f64>,
    ) -> impl Iterator<Item = (f64, usize)> {
        self.rows(labels).map(|(row, label)| {
            let terms = row.zip(means.row(label)).map(|(x, mean)| (x - mean).powi(2));
            (terms.sum(), label)
        })
    }
}
