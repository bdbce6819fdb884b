//! Rows of a mini-batch, drawn in proportion to their weights.

use crate::cluster::kmeans::samples::Samples;
use crate::float::Float;
use crate::rng::Rng;

/// A copy of selected rows.
pub(super) struct SelectedRows<F> {
    values: Vec<F>,
    weights: Option<Vec<F>>,
}

impl<F: Float> SelectedRows<F> {
    pub(super) fn new(samples: &Samples<'_, F>, rows: &[usize]) -> Self {
        Self {
            values: rows.iter().flat_map(|&row| samples.row(row)).copied().collect(),
            weights: samples.weights.map(|weights| rows.iter().map(|&row| weights[row]).collect()),
        }
    }

    pub(super) fn samples(&self, n_features: usize) -> Samples<'_, F> {
        Samples { values: &self.values, n_features, weights: self.weights.as_deref() }
    }
}

/// Draws rows in proportion to their weights, with replacement.
pub(super) struct WeightedSampler {
    n_samples: usize,
    /// The running sum of the weights; empty without weights.
    sums: Vec<f64>,
}

impl WeightedSampler {
    pub(super) fn new<F: Float>(samples: &Samples<'_, F>) -> Self {
        let weights = samples.weights.unwrap_or(&[]);
        let sums = weights.iter().scan(0.0, |sum, w| {
            *sum += w.as_f64();
            Some(*sum)
        });
        Self { n_samples: samples.n_samples(), sums: sums.collect() }
    }

    pub(super) fn row(&self, rng: &mut Rng) -> usize {
        let Some(total) = self.sums.last() else { return rng.below(self.n_samples) };
        let target = rng.uniform() * total;
        self.sums.partition_point(|sum| *sum <= target).min(self.n_samples - 1)
    }
}
