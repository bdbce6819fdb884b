//! The report of a fit.

use super::lloyd::LloydRun;
use std::fmt;

/// The outcome of a k-means fit.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub struct KMeansReport {
    /// Σ wᵢ‖xᵢ − c‖², c the center nearest to xᵢ.
    pub inertia: f64,
    /// Number of iterations of the best run, including the one that confirmed that no label changes.
    pub n_iter: usize,
    /// Whether the best run stopped because no label changed or the centers moved by less than `tol`, not at `max_iter`.
    pub converged: bool,
    /// The inertia after each iteration of the best run: of its labels, about their means.
    pub history: Vec<f64>,
    /// How many clusters have a point. Fewer than `n_clusters` where the data has fewer distinct points.
    pub distinct_clusters: usize,
    /// The clusters without a point.
    pub empty_clusters: Vec<usize>,
}

impl KMeansReport {
    /// The report of a run on all rows.
    pub(crate) fn of<F>(run: LloydRun<F>, n_clusters: usize) -> Self {
        let mut used = vec![false; n_clusters];
        run.labels.iter().for_each(|&label| used[label as usize] = true);
        Self::with_used(run, &used)
    }

    /// The report of a run, and of which clusters have a point.
    pub(crate) fn with_used<F>(run: LloydRun<F>, used: &[bool]) -> Self {
        let empty_clusters: Vec<usize> = (0..used.len()).filter(|&cluster| !used[cluster]).collect();
        Self {
            inertia: run.inertia,
            n_iter: run.n_iter,
            converged: run.converged,
            history: run.history,
            distinct_clusters: used.len() - empty_clusters.len(),
            empty_clusters,
        }
    }
}

impl fmt::Display for KMeansReport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let ending = if self.converged { "converged" } else { "stopped at max_iter" };
        write!(f, "inertia {} after {} iterations, {ending}", self.inertia, self.n_iter)?;
        if !self.empty_clusters.is_empty() {
            let (found, wanted) =
                (self.distinct_clusters, self.distinct_clusters + self.empty_clusters.len());
            write!(f, "; {found} distinct clusters found, fewer than n_clusters={wanted}: duplicates in x?")?;
        }
        Ok(())
    }
}
