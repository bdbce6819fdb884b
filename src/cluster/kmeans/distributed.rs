//! Fits on the rows of several ranks.

use super::fit::{check_counts, fit_rows, label_indices};
use super::normalize::normalize;
use super::ranks::Ranks;
use super::ranks::alignment::AlignedRows;
use super::samples::{Samples, elements, in_range, in_rows};
use super::settings::KMeansSettings;
use super::{KMeans, KMeansReport};
use crate::distributed::{Collective, agree, require_equal};
use crate::error::{Error, Result};
use crate::float::Float;
use crate::float::precompiled::precompiled;
use crate::validate;
use ndarray::{ArrayBase, ArrayView1, ArrayView2, CowArray, Data, Ix1, Ix2};

/// The rows of one rank in standard layout, of length 1 for a spherical clustering, and their weights.
pub(crate) struct CheckedRows<'a, F> {
    pub(crate) x: CowArray<'a, F, Ix2>,
    pub(crate) weights: Option<Vec<F>>,
}

impl<'a, F: Float> CheckedRows<'a, F> {
    /// Checks what one rank can check of its rows; only the row count may be 0.
    pub(crate) fn new(x: ArrayView2<'a, F>, weights: Option<ArrayView1<'a, F>>) -> Result<Self> {
        let weights = weights.map(|weights| weights.to_vec());
        if let Some(weights) = &weights {
            validate::weights_or_zeros("sample_weight", weights, x.nrows())?;
        }
        validate::copyable("x", &x)?;
        validate::finite("x", &x)?;
        Ok(Self { x: in_rows(x)?, weights })
    }

    pub(crate) fn samples(&self) -> Samples<'_, F> {
        let n_features = self.x.ncols();
        Samples { values: elements(&self.x), n_features, weights: self.weights.as_deref() }
    }
}

impl<F: Float> KMeans<F> {
    /// Learns the centers from the rows of all ranks of a group: those of rank 0, then those of rank 1, and so on.
    ///
    /// Centers, inertia, iterations and the labels are those of [`fit`](crate::estimator::Fit::fit) on all rows, to the bit, for
    /// any number of ranks and any split of the rows. Every rank gets the same centers and report; [`labels`](Self::labels)
    /// and [`cluster_sizes`](Self::cluster_sizes) are those of its own rows. A rank may have no rows, but must pass an array with all columns.
    ///
    /// Sums are made of chunks of 1024 rows, counted from the first row of rank 0: ranks pass the rows of chunks that are cut to
    /// each other, and a rank whose last chunk is cut copies its rows. With a multiple of 1024 rows on every rank but the
    /// last, nothing is copied.
    ///
    /// # Errors
    /// As `fit`, on every rank; row numbers in messages about distances that leave the range of `F` count the rows of all ranks.
    /// Also settings, element types or numbers of columns that differ between the ranks, an
    /// [`init`](Self::init) function, which needs all rows, and a rank that fails.
    ///
    /// # Examples
    /// ```
    /// use axonal::distributed::{Collective, Threads};
    /// use axonal::ndarray::{array, s};
    /// use axonal::prelude::*;
    ///
    /// # fn main() -> Result<()> {
    /// let x = array![[1.0, 2.0], [1.0, 4.0], [1.0, 0.0], [10.0, 2.0], [10.0, 4.0], [10.0, 0.0]];
    /// let mut whole = KMeans::new(2).seed(0);
    /// whole.fit(&x)?;
    ///
    /// let centers = Threads::run(2, |group| {
    ///     let own = x.slice(s![3 * group.rank()..3 * (group.rank() + 1), ..]);
    ///     let mut kmeans = KMeans::new(2).seed(0);
    ///     kmeans.fit_distributed(&own, group)?;
    ///     assert_eq!(kmeans.labels()?.len(), 3);
    ///     Ok(kmeans.cluster_centers()?.clone())
    /// })?;
    /// assert_eq!(&centers[0], whole.cluster_centers()?);
    /// assert_eq!(centers[0], centers[1]);
    /// # Ok(())
    /// # }
    /// ```
    pub fn fit_distributed<S: Data<Elem = F>>(
        &mut self,
        x: &ArrayBase<S, Ix2>,
        group: &dyn Collective,
    ) -> Result<KMeansReport> {
        fit_rank(self, x.view(), None, group)
    }

    /// [`fit_distributed`](Self::fit_distributed) with a weight for each row; see [`fit_weighted`](Self::fit_weighted).
    ///
    /// # Errors
    /// As `fit_distributed`, and weights that are negative, not finite, zero on all ranks, or not one for each row; ranks of
    /// which only some pass weights.
    ///
    /// # Examples
    /// ```
    /// use axonal::distributed::{Collective, Threads};
    /// use axonal::ndarray::array;
    /// use axonal::prelude::*;
    ///
    /// # fn main() -> Result<()> {
    /// let centers = Threads::run(2, |group| {
    ///     let (x, weight) = if group.rank() == 0 { (0.0, 3.0) } else { (4.0, 1.0) };
    ///     let mut kmeans = KMeans::new(1);
    ///     kmeans.fit_distributed_weighted(&array![[x]], &array![weight], group)?;
    ///     Ok(kmeans.cluster_centers()?[[0, 0]])
    /// })?;
    /// assert_eq!(centers, [1.0, 1.0]);
    /// # Ok(())
    /// # }
    /// ```
    pub fn fit_distributed_weighted<S: Data<Elem = F>>(
        &mut self,
        x: &ArrayBase<S, Ix2>,
        sample_weight: &ArrayBase<impl Data<Elem = F>, Ix1>,
        group: &dyn Collective,
    ) -> Result<KMeansReport> {
        fit_rank(self, x.view(), Some(sample_weight.view()), group)
    }

    /// The settings that must be equal on all ranks, by name.
    fn shared_settings(&self, n_features: usize, is_weighted: bool) -> Vec<(&'static str, String)> {
        let KMeansSettings { n_clusters, init, n_init, max_iter, tol, seed, spherical, .. } = &self.settings;
        let KMeansSettings { max_points_per_center, verbose, feature_names, .. } = &self.settings;
        vec![
            ("element type", F::NAME.into()),
            ("number of columns", n_features.to_string()),
            ("n_clusters", n_clusters.to_string()),
            ("init", init.text()),
            ("n_init", format!("{n_init:?}")),
            ("max_iter", max_iter.to_string()),
            ("tol", format!("{tol:?}")),
            ("seed", seed.to_string()),
            ("spherical", spherical.to_string()),
            ("max_points_per_center", format!("{max_points_per_center:?}")),
            ("verbose", verbose.to_string()),
            ("feature_names", format!("{feature_names:?}")),
            ("use of weights", is_weighted.to_string()),
        ]
    }

    /// Checks what one rank can check, and returns its rows and weights.
    fn check_rank<'b>(
        &self,
        x: ArrayView2<'b, F>,
        weights: Option<ArrayView1<'b, F>>,
    ) -> Result<CheckedRows<'b, F>> {
        let settings = &self.settings;
        settings.check()?;
        let d = x.ncols();
        if d == 0 {
            validate::not_empty("x", &x)?;
        }
        self.check_feature_names(d)?;
        settings.init.check(settings.n_clusters, d)?;
        settings.init.check_distributed()?;
        let mut rows = CheckedRows::new(x, weights)?;
        if settings.spherical {
            in_range(Self::NAME, rows.x.view())?;
            rows.x.as_slice_mut().into_iter().for_each(|values| normalize(values, d));
        }
        Ok(rows)
    }
}

precompiled! {
    /// Fits on the rows of one rank together with those of the others.
    fn fit_rank<'a, 'b, F>(
        kmeans: &'a mut KMeans<F>,
        x: ArrayView2<'b, F>,
        weights: Option<ArrayView1<'b, F>>,
        group: &'b dyn Collective,
    ) -> Result<KMeansReport> {
        if group.size() == 1 {
            return fit_rows(kmeans, x, weights);
        }
        require_equal(group, &kmeans.shared_settings(x.ncols(), weights.is_some()))?;
        let own = agree(group, kmeans.check_rank(x, weights))?;
        let (d, n_clusters) = (own.x.ncols(), kmeans.settings.n_clusters);
        let rows = AlignedRows::new(group, own.samples())?;
        let ranks = &rows.ranks;
        check_all(KMeans::<F>::NAME, (&rows.samples(), ranks), n_clusters)?;
        let mut run = kmeans.fit_checked(&rows.samples(), ranks)?;
        let used = used_clusters(&run.labels, n_clusters, ranks)?;
        let labels = label_indices(&rows.labels(&run.labels)?);
        kmeans.keep(&mut run, labels, d);
        Ok(KMeansReport::with_used(run, &used))
    }
}

/// Checks of the rows of all ranks together.
pub(crate) fn check_all<F: Float>(
    owner: &'static str,
    (samples, ranks): (&Samples<'_, F>, &Ranks<'_>),
    n_clusters: usize,
) -> Result<()> {
    if ranks.n_rows() == 0 {
        let shape = format!("(0, {}) on every rank", samples.n_features);
        return Err(Error::Empty { what: "x".into(), shape, needed: "sample" });
    }
    check_counts(owner, n_clusters, ranks.n_rows())?;
    let Some(weights) = samples.weights else { return Ok(()) };
    let with_weight = weights.iter().filter(|weight| **weight > F::zero()).count();
    match ranks.count_before(with_weight)? {
        (_, 0) => Err(Error::Weight { what: "sample_weight".into(), problem: "all weights are zero".into() }),
        _ => Ok(()),
    }
}

/// Which clusters have a row on any rank.
pub(crate) fn used_clusters(labels: &[u32], n_clusters: usize, ranks: &Ranks<'_>) -> Result<Vec<bool>> {
    let mut used = vec![0.0; n_clusters];
    labels.iter().for_each(|&label| used[label as usize] = 1.0);
    ranks.max(&mut used)?;
    Ok(used.into_iter().map(|used| used > 0.0).collect())
}
