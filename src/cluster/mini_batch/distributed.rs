//! Fits on the rows of several ranks.

use super::settings::MiniBatchSettings;
use super::{MiniBatchKMeans, fit_rows};
use crate::cluster::kmeans::KMeansReport;
use crate::cluster::kmeans::distributed::{CheckedRows, check_all, used_clusters};
use crate::cluster::kmeans::label_indices;
use crate::cluster::kmeans::ranks::alignment::AlignedRows;
use crate::distributed::{Collective, agree, require_equal};
use crate::error::Result;
use crate::float::Float;
use crate::float::precompiled::precompiled;
use crate::validate;
use ndarray::{ArrayBase, ArrayView1, ArrayView2, Data, Ix1, Ix2};

impl<F: Float> MiniBatchKMeans<F> {
    /// Learns the centers from the rows of all ranks of a group: those of rank 0, then those of rank 1, and so on.
    ///
    /// Batches are drawn among the rows of all ranks. Centers, inertia, steps and the labels are those of
    /// [`fit`](crate::estimator::Fit::fit) on all rows, to the bit, for any number of ranks and any split of the rows. Every rank
    /// gets the same centers and report; [`labels`](Self::labels) are those of its own rows. A rank may have no rows, but must
    /// pass an array with all columns.
    ///
    /// In each step every rank receives the rows of the batch from the ranks that hold them, and computes the labels of its
    /// share of the batch. So the ranks divide the memory of the rows, and the time of large batches with many clusters;
    /// small steps are dominated by the exchange. Rows are aligned in chunks as by
    /// [`KMeans::fit_distributed`](crate::cluster::KMeans::fit_distributed).
    ///
    /// # Errors
    /// As `fit`, on every rank. Also settings, element types or numbers of columns that differ between the ranks, an
    /// [`init`](Self::init) function, and a rank that fails.
    ///
    /// # Examples
    /// ```
    /// use axonal::cluster::MiniBatchKMeans;
    /// use axonal::datasets::make_blobs;
    /// use axonal::distributed::{Collective, Shard, Threads};
    /// use axonal::ndarray::{array, s};
    /// use axonal::prelude::*;
    ///
    /// # fn main() -> Result<()> {
    /// let x = make_blobs::<f32>(3000, &array![[0.0, 0.0], [9.0, 9.0]], 1.0, 0)?.data;
    /// let mut whole = MiniBatchKMeans::new(2).batch_size(256).seed(1);
    /// whole.fit(&x)?;
    ///
    /// let centers = Threads::run(2, |group| {
    ///     let own = x.slice(s![Shard::of(group.rank(), group.size()).rows(3000), ..]);
    ///     let mut kmeans = MiniBatchKMeans::new(2).batch_size(256).seed(1);
    ///     kmeans.fit_distributed(&own, group)?;
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
    /// use axonal::cluster::MiniBatchKMeans;
    /// use axonal::distributed::{Collective, Threads};
    /// use axonal::ndarray::array;
    /// use axonal::prelude::*;
    ///
    /// # fn main() -> Result<()> {
    /// let centers = Threads::run(2, |group| {
    ///     // Rows without weight are never drawn.
    ///     let (x, weight) = if group.rank() == 0 { (5.0, 3.0) } else { (90.0, 0.0) };
    ///     let mut kmeans = MiniBatchKMeans::new(1);
    ///     kmeans.fit_distributed_weighted(&array![[x]], &array![weight], group)?;
    ///     Ok(kmeans.cluster_centers()?[[0, 0]])
    /// })?;
    /// assert_eq!(centers, [5.0, 5.0]);
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
        let MiniBatchSettings { n_clusters, init, n_init, batch_size, max_iter, tol, .. } = &self.settings;
        let MiniBatchSettings { max_no_improvement, init_size, reassignment_ratio, seed, .. } =
            &self.settings;
        vec![
            ("element type", F::NAME.into()),
            ("number of columns", n_features.to_string()),
            ("n_clusters", n_clusters.to_string()),
            ("init", init.text()),
            ("n_init", format!("{n_init:?}")),
            ("batch_size", batch_size.to_string()),
            ("max_iter", max_iter.to_string()),
            ("tol", format!("{tol:?}")),
            ("max_no_improvement", format!("{max_no_improvement:?}")),
            ("init_size", format!("{init_size:?}")),
            ("reassignment_ratio", format!("{reassignment_ratio:?}")),
            ("seed", seed.to_string()),
            ("use of weights", is_weighted.to_string()),
        ]
    }

    /// Checks what one rank can check, and returns its rows and weights.
    fn check_rank<'b>(
        &self,
        x: ArrayView2<'b, F>,
        weights: Option<ArrayView1<'b, F>>,
    ) -> Result<CheckedRows<'b, F>> {
        self.settings.check()?;
        if x.ncols() == 0 {
            validate::not_empty("x", &x)?;
        }
        self.settings.init.check(self.settings.n_clusters, x.ncols())?;
        self.settings.init.check_distributed()?;
        CheckedRows::new(x, weights)
    }
}

precompiled! {
    /// Fits on the rows of one rank together with those of the others.
    fn fit_rank<'a, 'b, F>(
        kmeans: &'a mut MiniBatchKMeans<F>,
        x: ArrayView2<'b, F>,
        weights: Option<ArrayView1<'b, F>>,
        group: &'b dyn Collective,
    ) -> Result<KMeansReport> {
        if group.size() == 1 {
            let weights = weights.map(|weights| weights.to_vec());
            if let Some(weights) = &weights {
                validate::sample_weights("sample_weight", weights, x.nrows())?;
            }
            return fit_rows(kmeans, x, weights.as_deref());
        }
        require_equal(group, &kmeans.shared_settings(x.ncols(), weights.is_some()))?;
        let own = agree(group, kmeans.check_rank(x, weights))?;
        let n_clusters = kmeans.settings.n_clusters;
        let rows = AlignedRows::new(group, own.samples())?;
        let (samples, ranks) = (rows.samples(), &rows.ranks);
        check_all(MiniBatchKMeans::<F>::NAME, (&samples, ranks), n_clusters)?;
        let (fitted, counters, run) = kmeans.fit_checked((&samples, ranks))?;
        let used = used_clusters(&run.labels, n_clusters, ranks)?;
        let labels = label_indices(&rows.labels(&run.labels)?);
        kmeans.keep((fitted, counters), &run, labels);
        Ok(KMeansReport::with_used(run, &used))
    }
}
