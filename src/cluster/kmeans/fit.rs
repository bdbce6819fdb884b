//! Fitting: checks of the data, the runs from several initial centers, and the choice of the best.

use super::KMeans;
use super::assign::packed_centers::MAX_CLUSTERS;
use super::cluster_match::ClusterMatch;
use super::fitted::FittedCenters;
use super::lloyd::{Lloyd, LloydRun, StoppingRules};
use super::moments::Moments;
use super::normalize::normalize;
use super::ranks::Ranks;
use super::ranks::alignment::AlignedRows;
use super::report::KMeansReport;
use super::samples::{RowCopies, Samples, elements, in_range, in_rows};
use super::seeding::check_in_reach;
use super::seeding::random_rows::sample_without_replacement;
use super::settings::KMeansSettings;
use super::sums::fixed_point::heaviest;
use crate::error::{Error, Result};
use crate::estimator::Fit;
use crate::float::Float;
use crate::float::precompiled::precompiled;
use crate::rng::{Purpose, Rng};
use crate::validate;
use ndarray::{Array1, ArrayBase, ArrayView1, ArrayView2, Data, Ix2};

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
        let mut run = kmeans.fit_checked(&samples, &Ranks::alone(n))?;
        let labels = label_indices(&run.labels);
        kmeans.keep(&mut run, labels, d);
        Ok(KMeansReport::of(run, kmeans.settings.n_clusters))
    }
}

impl<F: Float> KMeans<F> {
    /// The best run on checked rows of all ranks, of length 1 for a spherical clustering. The labels are those of this rank's rows.
    pub(super) fn fit_checked(&self, samples: &Samples<'_, F>, ranks: &Ranks<'_>) -> Result<LloydRun<F>> {
        let settings = &self.settings;
        let mut moments = moments_of(Self::NAME, samples, ranks)?;
        if settings.spherical {
            moments = moments.about_origin(samples, ranks)?;
        }
        let max_rows = settings.max_points_per_center.map(|rows| rows.saturating_mul(settings.n_clusters));
        match max_rows {
            Some(count) if count < ranks.n_rows() => self.fit_subsample((samples, ranks), count, &moments),
            _ => self.best_run((samples, ranks), &moments),
        }
    }

    /// Keeps the result of a fit, and takes the centers for it.
    pub(super) fn keep(&mut self, run: &mut LloydRun<F>, labels: Array1<usize>, n_features: usize) {
        let fitted = FittedCenters::at(std::mem::take(&mut run.centers), n_features);
        let (inertia, n_iter, spherical) = (run.inertia, run.n_iter, self.settings.spherical);
        self.fitted = Some(FittedCenters { labels, inertia, n_iter, spherical, ..fitted });
    }

    /// When runs on rows with these moments stop.
    pub(super) fn rules(&self, moments: &Moments<F>, ranks: &Ranks<'_>) -> StoppingRules {
        let &KMeansSettings { max_iter, tol, spherical, verbose, .. } = &self.settings;
        let (tolerance, verbose) = (tol * moments.mean_variance, verbose && ranks.rank() == 0);
        StoppingRules { max_iter, tolerance, spherical, verbose }
    }

    /// The number of runs from different initial centers.
    pub(super) fn n_runs(&self) -> usize {
        let KMeansSettings { init, n_init, .. } = &self.settings;
        if init.is_given() { 1 } else { n_init.unwrap_or(init.default_runs()) }
    }

    /// The run of least inertia; ties to the first.
    pub(super) fn best_run(
        &self,
        (samples, ranks): (&Samples<'_, F>, &Ranks<'_>),
        moments: &Moments<F>,
    ) -> Result<LloydRun<F>> {
        let KMeansSettings { init, n_clusters, seed, .. } = &self.settings;
        let (n_clusters, rules) = (*n_clusters, self.rules(moments, ranks));
        let mut lloyd = Lloyd::new(*samples, ranks, moments, n_clusters)?;
        let mut best: Option<LloydRun<F>> = None;
        for run in 0..self.n_runs() {
            let mut rng = Rng::new(*seed, Purpose::Clustering, run as u64);
            let mut centers = init.initial_centers((samples, ranks), n_clusters, &mut rng)?;
            check_in_reach(Self::NAME, &centers, &moments.mean)?;
            if rules.spherical {
                normalize(&mut centers, samples.n_features);
            }
            let run = lloyd.run(centers, rules)?;
            let better = match &best {
                Some(best) if run.inertia < best.inertia => {
                    !same_clustering(&run.labels, &best.labels, n_clusters, ranks)?
                }
                best => best.is_none(),
            };
            if better {
                best = Some(run);
            }
        }
        best.ok_or_else(|| Error::invalid_parameter("KMeans", "n_init", 0, "at least 1"))
    }

    /// Runs on `count` rows of positive weight, then labels all rows.
    fn fit_subsample(
        &self,
        (samples, ranks): (&Samples<'_, F>, &Ranks<'_>),
        count: usize,
        moments: &Moments<F>,
    ) -> Result<LloydRun<F>> {
        let mut rng = Rng::new(self.settings.seed, Purpose::Clustering, u64::MAX);
        let n_clusters = self.settings.n_clusters;
        let with_weight: Vec<usize> =
            (0..samples.n_samples()).filter(|&row| samples.weight(row) > 0.0).collect();
        let (before, n_with_weight) = ranks.count_before(with_weight.len())?;
        if n_with_weight.min(count) < n_clusters {
            return self.best_run((samples, ranks), moments);
        }
        let mut drawn = sample_without_replacement(n_with_weight, count, &mut rng);
        drawn.sort_unstable();
        let own = drawn.into_iter().filter_map(|place| with_weight.get(place.checked_sub(before)?));
        let rows: Vec<usize> = own.copied().collect();
        let subset = RowCopies::of(samples, &rows);
        let subset = subset.samples();
        let run_on = |subset: &Samples<'_, F>, ranks: &Ranks<'_>| {
            self.best_run((subset, ranks), &moments.with_totals_of(subset, ranks)?)
        };
        let mut run = match ranks.group() {
            Some(group) => {
                let aligned = AlignedRows::new(group, subset)?;
                run_on(&aligned.samples(), &aligned.ranks)?
            }
            None => run_on(&subset, &Ranks::alone(rows.len()))?,
        };
        let lloyd = Lloyd::new(*samples, ranks, moments, n_clusters)?;
        (run.labels, run.inertia) = lloyd.label(&run.centers)?;
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
pub(crate) fn moments_of<F: Float>(
    owner: &'static str,
    samples: &Samples<'_, F>,
    ranks: &Ranks<'_>,
) -> Result<Moments<F>> {
    let moments = Moments::of(samples, ranks).map_err(|error| match error {
        Error::InvalidParameter { name, value, expected, .. } => {
            Error::InvalidParameter { owner: owner.into(), name, value, expected }
        }
        error => error,
    })?;
    let variance = moments.mean_variance;
    if variance < F::min_positive_value().as_f64() {
        check_distinct(owner, samples, ranks)?;
    }
    check_heaviest(heaviest(samples, ranks)?, variance)?;
    Ok(moments)
}

/// Refuses weights so small that sums over rows with this mean variance leave the range of `f64`.
pub(crate) fn check_heaviest(heaviest: Option<f64>, variance: f64) -> Result<()> {
    // A smaller product is subnormal or zero.
    let least = f64::MIN_POSITIVE / f64::EPSILON;
    if variance > 0.0 && heaviest.is_some_and(|weight| weight * variance.min(variance.sqrt()) < least) {
        let problem = "they are so small that sums over the rows leave the range of f64; scale them up";
        return Err(Error::Weight { what: "sample_weight".into(), problem: problem.into() });
    }
    Ok(())
}

/// Refuses rows that differ by so little that all distances underflow.
fn check_distinct<F: Float>(owner: &'static str, samples: &Samples<'_, F>, ranks: &Ranks<'_>) -> Result<()> {
    let mut first = Vec::new();
    ranks.copy_rows(samples, &[0], &mut first)?;
    let differs = samples.values.chunks_exact(samples.n_features).position(|row| row != first);
    let Some(row) = differs else { return ranks.agree(Ok(())) };
    ranks.agree(Err(too_close(owner, samples.row(row), &first, ranks.first_row() + row)))
}

/// The error of a row that differs by too little from the first one.
pub(crate) fn too_close<F: Float>(owner: &'static str, x: &[F], first: &[F], row: usize) -> Error {
    let offs = x.iter().zip(first).map(|(a, b)| (*a - *b).as_f64().abs()).fold(0.0, f64::max);
    let value = format!("spread so little (row {row} lies {offs:.1e} from row 0)");
    let expected =
        format!("rows whose squared distances stay within the range of {}; scale them up", F::NAME);
    Error::invalid_parameter(owner, "x", value, expected)
}

/// Labels as array indices.
pub(crate) fn label_indices(labels: &[u32]) -> Array1<usize> {
    labels.iter().map(|&label| label as usize).collect()
}

/// Whether two labelings of the rows of all ranks are equal up to a permutation of the clusters.
fn same_clustering(a: &[u32], b: &[u32], n_clusters: usize, ranks: &Ranks<'_>) -> Result<bool> {
    let mut clusters = ClusterMatch::new(n_clusters);
    clusters.add(a, b);
    ranks.min(clusters.labels_mut())?;
    Ok(clusters.is_same())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::distributed::{Collective, Threads};

    #[test]
    fn a_clustering_is_the_same_up_to_the_names_of_its_clusters() {
        let is_same = |a: &[u32], b: &[u32], n_clusters| {
            let whole = same_clustering(a, b, n_clusters, &Ranks::alone(a.len())).unwrap();
            let of_ranks = Threads::run(2, |group| {
                let own = if group.rank() == 0 { 0..1 } else { 1..a.len() };
                let rows = vec![0.0; own.len()];
                let samples = Samples { values: &rows, n_features: 1, weights: None };
                let aligned = AlignedRows::new(group, samples)?;
                same_clustering(&a[own.clone()], &b[own], n_clusters, &aligned.ranks)
            });
            assert_eq!(of_ranks.unwrap(), [whole; 2]);
            whole
        };
        assert!(is_same(&[0, 0, 1, 2], &[2, 2, 0, 1], 3));
        assert!(!is_same(&[0, 0, 1, 2], &[2, 1, 0, 1], 3));
        assert!(!is_same(&[0, 0, 0, 1], &[0, 0, 1, 1], 2));
    }
}
