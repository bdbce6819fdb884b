//! Fitting: checks of the data, the runs from several initial centers, and the choice of the best.

use super::KMeans;
use super::assign::labels::NO_LABEL;
use super::assign::packed_centers::MAX_CLUSTERS;
use super::fitted::FittedCenters;
use super::lloyd::{Lloyd, LloydRun, StoppingRules};
use super::moments::Moments;
use super::normalize::normalize;
use super::report::KMeansReport;
use super::samples::{Samples, elements, in_range, in_rows};
use super::seeding::check_in_reach;
use super::settings::KMeansSettings;
use crate::error::{Error, Result};
use crate::estimator::Fit;
use crate::float::Float;
use crate::float::precompiled::precompiled;
use crate::rng::{Purpose, Rng};
use crate::validate;
use ndarray::{Array1, ArrayBase, ArrayView1, ArrayView2, Axis, Data, Ix2};

crate::estimator::inherent_fit!(KMeans<F>, KMeansReport);

impl<F: Float, S: Data<Elem = F>> Fit<ArrayBase<S, Ix2>> for KMeans<F> {
    type Report = KMeansReport;

    /// Learns the centers; what an earlier fit learned is dropped.
    fn fit(&mut self, x: &ArrayBase<S, Ix2>, (): ()) -> Result<KMeansReport> {
        fit_rows(self, x.view(), None)
    }
}

precompiled! {
    /// Fits on rows, with a weight for each if there are weights.
    pub(super) fn fit_rows<'a, 'b, F>(
        kmeans: &'a mut KMeans<F>,
        x: ArrayView2<'b, F>,
        weights: Option<ArrayView1<'b, F>>,
    ) -> Result<KMeansReport> {
        let settings = &kmeans.settings;
        settings.check()?;
        validate::not_empty("x", &x)?;
        let (n, d) = x.dim();
        check_counts(KMeans::<F>::NAME, settings.n_clusters, n)?;
        kmeans.check_feature_names(d)?;
        settings.init.check(settings.n_clusters, d)?;
        let weights = weights.map(|weights| weights.to_vec());
        if let Some(weights) = &weights {
            validate::sample_weights("sample_weight", weights, n)?;
        }
        let mut x = in_rows(x)?;
        if settings.spherical {
            in_range("KMeans", x.view())?;
            x.as_slice_mut().into_iter().for_each(|rows| normalize(rows, d));
        }
        let samples = Samples { values: elements(&x), n_features: d, weights: weights.as_deref() };
        let mut moments = moments_of(KMeans::<F>::NAME, &samples)?;
        if settings.spherical {
            moments = moments.about_origin(&samples);
        }
        let max_rows = settings.max_points_per_center.map(|rows| rows.saturating_mul(settings.n_clusters));
        let mut run = match max_rows {
            Some(count) if count < n => kmeans.fit_subsample(x.view(), &samples, count, &moments)?,
            _ => kmeans.best_run(x.view(), samples, &moments)?,
        };
        let (labels, inertia, n_iter) = (label_indices(&run.labels), run.inertia, run.n_iter);
        let fitted = FittedCenters::at(std::mem::take(&mut run.centers), d);
        let report = KMeansReport::of(run, settings.n_clusters);
        kmeans.fitted =
            Some(FittedCenters { labels, inertia, n_iter, spherical: settings.spherical, ..fitted });
        Ok(report)
    }
}

impl<F: Float> KMeans<F> {
    /// The run of least inertia; ties to the first.
    fn best_run(
        &self,
        x: ArrayView2<'_, F>,
        samples: Samples<'_, F>,
        moments: &Moments<F>,
    ) -> Result<LloydRun<F>> {
        let KMeansSettings { init, n_init, tol, seed, .. } = &self.settings;
        let &KMeansSettings { n_clusters, max_iter, spherical, verbose, .. } = &self.settings;
        let tolerance = tol * moments.mean_variance;
        let rules = StoppingRules { max_iter, tolerance, spherical, verbose };
        let n_runs = if init.is_given() { 1 } else { n_init.unwrap_or(init.default_runs()) };
        let mut lloyd = Lloyd::new(samples, moments, n_clusters);
        let mut best: Option<LloydRun<F>> = None;
        for run in 0..n_runs {
            let mut rng = Rng::new(*seed, Purpose::Clustering, run as u64);
            let mut centers = init.initial_centers(x, &samples, n_clusters, &mut rng)?;
            check_in_reach(Self::NAME, &centers, &moments.mean)?;
            if spherical {
                normalize(&mut centers, samples.n_features);
            }
            let run = lloyd.run(centers, rules);
            let better = best.as_ref().is_none_or(|best| {
                run.inertia < best.inertia && !same_clustering(&run.labels, &best.labels, n_clusters)
            });
            if better {
                best = Some(run);
            }
        }
        best.ok_or_else(|| Error::invalid_parameter("KMeans", "n_init", 0, "at least 1"))
    }

    /// Runs on `count` rows of positive weight, then labels all rows.
    fn fit_subsample(
        &self,
        x: ArrayView2<'_, F>,
        samples: &Samples<'_, F>,
        count: usize,
        moments: &Moments<F>,
    ) -> Result<LloydRun<F>> {
        let mut rng = Rng::new(self.settings.seed, Purpose::Clustering, u64::MAX);
        let mut rows: Vec<usize> =
            (0..samples.n_samples()).filter(|&row| samples.weight(row) > 0.0).collect();
        rng.shuffle(&mut rows);
        rows.truncate(count);
        rows.sort_unstable();
        if rows.len() < self.settings.n_clusters {
            return self.best_run(x, *samples, moments);
        }
        let subset = x.select(Axis(0), &rows);
        let weights: Option<Vec<F>> =
            samples.weights.map(|weights| rows.iter().map(|&row| weights[row]).collect());
        let subset_samples = Samples { values: elements(&subset), weights: weights.as_deref(), ..*samples };
        let mut run =
            self.best_run(subset.view(), subset_samples, &moments.with_total_of(&subset_samples))?;
        let lloyd = Lloyd::new(*samples, moments, self.settings.n_clusters);
        (run.labels, run.inertia) = lloyd.label(&run.centers);
        Ok(run)
    }
}

/// Refuses more clusters than rows, or than labels can number.
pub(crate) fn check_counts(owner: &'static str, n_clusters: usize, n_samples: usize) -> Result<()> {
    if n_samples < n_clusters {
        return Err(Error::TooFewSamples { owner, n_samples, name: "n_clusters", needed: n_clusters });
    }
    if n_clusters > MAX_CLUSTERS {
        let most = format!("at most {}", MAX_CLUSTERS);
        return Err(Error::invalid_parameter(owner, "n_clusters", n_clusters, most));
    }
    Ok(())
}

/// The moments of weighted rows. Refuses rows so far apart or so close together that their squared distances leave the range of
/// `F`, and weights so large or so small that sums do.
pub(crate) fn moments_of<F: Float>(owner: &'static str, samples: &Samples<'_, F>) -> Result<Moments<F>> {
    let moments = Moments::of(samples).map_err(|error| match error {
        Error::InvalidParameter { name, value, expected, .. } => {
            Error::InvalidParameter { owner: owner.into(), name, value, expected }
        }
        error => error,
    })?;
    let variance = moments.mean_variance;
    if variance < F::min_positive_value().as_f64() {
        check_distinct(owner, samples)?;
    }
    let heaviest = samples.weights.map(|weights| weights.iter().map(|w| w.as_f64()).fold(0.0, f64::max));
    // A smaller product is subnormal or zero.
    let least = f64::MIN_POSITIVE / f64::EPSILON;
    if variance > 0.0 && heaviest.is_some_and(|weight| weight * variance.min(variance.sqrt()) < least) {
        let problem = "they are so small that sums over the rows leave the range of f64; scale them up";
        return Err(Error::Weight { what: "sample_weight".into(), problem: problem.into() });
    }
    Ok(moments)
}

/// Refuses rows that differ by so little that all distances underflow.
fn check_distinct<F: Float>(owner: &'static str, samples: &Samples<'_, F>) -> Result<()> {
    let first = samples.row(0);
    let differs = (0..samples.n_samples()).find(|&row| samples.row(row) != first);
    let Some(row) = differs else { return Ok(()) };
    let offs = samples.row(row).iter().zip(first).map(|(a, b)| (*a - *b).as_f64().abs());
    let value = format!("spread so little (row {row} lies {:.1e} from row 0)", offs.fold(0.0, f64::max));
    let expected =
        format!("rows whose squared distances stay within the range of {}; scale them up", F::NAME);
    Err(Error::invalid_parameter(owner, "x", value, expected))
}

/// Labels as array indices.
pub(crate) fn label_indices(labels: &[u32]) -> Array1<usize> {
    labels.iter().map(|&label| label as usize).collect()
}

/// Whether two labelings are equal up to a permutation of the clusters.
fn same_clustering(a: &[u32], b: &[u32], n_clusters: usize) -> bool {
    let mut names = vec![NO_LABEL; n_clusters];
    a.iter().zip(b).all(|(&a, &b)| {
        let name = &mut names[a as usize];
        if *name == NO_LABEL {
            *name = b;
        }
        *name == b
    })
}

#[cfg(test)]
mod tests {
    use super::same_clustering;

    #[test]
    fn a_clustering_is_the_same_up_to_the_names_of_its_clusters() {
        assert!(same_clustering(&[0, 0, 1, 2], &[2, 2, 0, 1], 3));
        assert!(!same_clustering(&[0, 0, 1, 2], &[2, 1, 0, 1], 3));
        assert!(!same_clustering(&[0, 0, 0, 1], &[0, 0, 1, 1], 2));
    }
}
