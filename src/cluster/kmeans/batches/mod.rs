//! Fits on batches of rows that are read again in each pass: for data that do not fit into memory.
//!
//! Each pass reads all rows once, in pieces of whole chunks ([`pieces`]). Nothing is kept for a row: labels and distances follow
//! from centers, and are computed again where a plain fit remembers them. Sums are those of a plain fit, to the bit.

pub(crate) mod pieces;
pub(crate) mod row_batch;
pub(crate) mod survey;

use super::fit::check_counts;
use super::lloyd::LloydRun;
use super::lloyd::batched::{BatchedLloyd, BatchedRun};
use super::ranks::Ranks;
use super::samples::Samples;
use super::seeding::batched::{copy_rows, initial_centers};
use super::seeding::check_in_reach;
use super::seeding::random_rows::sample_without_replacement;
use super::{KMeans, KMeansInit, KMeansReport};
use crate::error::{Error, Result};
use crate::float::Float;
use crate::float::precompiled::precompiled;
use crate::rng::{Purpose, Rng};
use ndarray::Array1;
use pieces::RowPasses;
use row_batch::{BatchPasses, Reopened, RowBatch};
use survey::Survey;

impl<F: Float> KMeans<F> {
    /// Learns the centers from batches of rows, for data that do not fit into memory: each batch is dropped before the next one
    /// is pulled.
    ///
    /// `open` receives the number of a pass, counted from 0, and returns an iterator of batches ([`RowBatch`]): arrays of rows,
    /// or pairs of rows and weights. It must return the same rows, in the same order, in every pass; the sizes of the batches
    /// may differ. Centers, inertia, iterations and history are those of [`fit`](crate::estimator::Fit::fit) on all rows, to
    /// the bit, for any batches. The exception is k-means++ for 24 columns or more and centers of 32,768 values or more
    /// together, where rounding may lead it to choose other rows.
    ///
    /// Memory holds one batch, about a megabyte of rows, and the centers; 8 bytes for each 1024 rows; and while k-means++ runs,
    /// 8 bytes for each 1024 rows and candidate. Labels are not kept: [`labels`](Self::labels) is an error, `predict` computes
    /// them batch by batch, and [`cluster_sizes`](Self::cluster_sizes) counts the rows.
    ///
    /// # Passes
    /// | for | passes |
    /// |---|---|
    /// | number of rows, mean, variances | 2, or 3 if [`spherical`](Self::spherical) |
    /// | [`KMeansInit::Centers`] | 0 |
    /// | [`KMeansInit::Random`] | 1 a run; 2 with weights |
    /// | [`KMeansInit::PlusPlus`] | 2 a center; each compares all rows with all centers so far |
    /// | an iteration | 1; more where a cluster is empty, or where the inertia is tiny beside the variance of the rows |
    /// | the last labels | 1 |
    /// | each further run of [`n_init`](Self::n_init) | its initialization and iterations, and up to 1 to compare it |
    ///
    /// For many clusters k-means++ reads the rows too often. [`max_points_per_center`](Self::max_points_per_center) learns the
    /// centers from a random part of the rows in memory, with 4 passes in all; or give centers that a fit on one batch, or
    /// [`MiniBatchKMeans::partial_fit`](crate::cluster::MiniBatchKMeans::partial_fit), has found.
    ///
    /// # Errors
    /// As `fit`; an error of `open` or of a batch; batches with different numbers of columns, or of which only some have
    /// weights; a pass whose rows are not those of the first one; an [`init`](Self::init) function, which needs all rows.
    ///
    /// # Examples
    /// ```
    /// use axonal::ndarray::Array2;
    /// use axonal::prelude::*;
    ///
    /// # fn main() -> Result<()> {
    /// // Any source that can be read again: files, a database, a seeded generator.
    /// let open = |_| {
    ///     Ok((0..10).map(|batch| Array2::from_shape_fn((100, 2), |(i, j)| {
    ///         (i % 3 * 10 + (batch + i * (j + 2)) % 5) as f32
    ///     })))
    /// };
    /// let mut kmeans = KMeans::new(3).seed(1);
    /// let report = kmeans.fit_batches(open)?;
    /// assert!(report.converged);
    /// assert_eq!(kmeans.cluster_sizes()?.sum(), 1000);
    /// // Labels, batch by batch:
    /// for batch in open(0)? {
    ///     let labels = kmeans.predict(&batch)?;
    ///     assert_eq!(labels.len(), 100);
    /// }
    /// # Ok(())
    /// # }
    /// ```
    pub fn fit_batches<I: IntoIterator<Item: RowBatch<F>>>(
        &mut self,
        open: impl FnMut(usize) -> Result<I>,
    ) -> Result<KMeansReport> {
        fit_source(self, &mut Reopened::new(open))
    }

    /// The best run on the rows of all passes.
    fn fit_passes(&self, passes: &mut RowPasses<'_, F>, survey: &Survey<F>) -> Result<BatchedRun<F>> {
        let max_rows =
            self.settings.max_points_per_center.map(|rows| rows.saturating_mul(self.settings.n_clusters));
        match max_rows {
            Some(count)
                if count < survey.n_rows() && survey.with_weight.min(count) >= self.settings.n_clusters =>
            {
                self.fit_part(passes, survey, count)
            }
            _ => self.best_of_passes(passes, survey),
        }
    }

    /// The run of least inertia; ties to the first.
    fn best_of_passes(&self, passes: &mut RowPasses<'_, F>, survey: &Survey<F>) -> Result<BatchedRun<F>> {
        let n_clusters = self.settings.n_clusters;
        let rules = self.rules(&survey.moments, &survey.ranks);
        let mut lloyd = BatchedLloyd::new(survey, n_clusters)?;
        let mut best: Option<BatchedRun<F>> = None;
        for run in 0..self.n_runs() {
            let mut rng = Rng::new(self.settings.seed, Purpose::Clustering, run as u64);
            let init = &self.settings.init;
            let mut centers = initial_centers(init, (&mut *passes, survey), n_clusters, &mut rng)?;
            check_in_reach(Self::NAME, &centers, &survey.moments.mean)?;
            if rules.spherical {
                super::normalize::normalize(&mut centers, survey.n_features());
            }
            let run = lloyd.run(passes, centers, rules)?;
            let better = match &best {
                Some(best) if run.run.inertia < best.run.inertia => {
                    !lloyd.is_same_clustering(passes, &run.run.centers, &best.run.centers)?
                }
                best => best.is_none(),
            };
            if better {
                best = Some(run);
            }
        }
        best.ok_or_else(|| Error::invalid_parameter("KMeans", "n_init", 0, "at least 1"))
    }

    /// Runs on `count` rows of positive weight in memory, then labels all rows.
    fn fit_part(
        &self,
        passes: &mut RowPasses<'_, F>,
        survey: &Survey<F>,
        count: usize,
    ) -> Result<BatchedRun<F>> {
        let mut rng = Rng::new(self.settings.seed, Purpose::Clustering, u64::MAX);
        let mut drawn = sample_without_replacement(survey.with_weight, count, &mut rng);
        drawn.sort_unstable();
        let (values, weights) = copy_rows(passes, &drawn)?;
        let ranks = Ranks::alone(drawn.len());
        let weights = survey.heaviest.map(|_| &weights[..]);
        let part = Samples { values: &values, n_features: survey.n_features(), weights };
        let moments = survey.moments.with_totals_of(&part, &ranks)?;
        let run = self.best_run((&part, &ranks), &moments)?;
        let mut lloyd = BatchedLloyd::new(survey, self.settings.n_clusters)?;
        let (sizes, inertia) = lloyd.label(passes, &run.centers)?;
        Ok(BatchedRun { run: LloydRun { inertia, labels: Vec::new(), ..run }, sizes })
    }
}

precompiled! {
    /// Fits on the batches of a source.
    fn fit_source<'a, 'b, F>(
        kmeans: &'a mut KMeans<F>,
        source: &'b mut (dyn BatchPasses<F> + 'b),
    ) -> Result<KMeansReport> {
        let settings = &kmeans.settings;
        settings.check()?;
        if let KMeansInit::Function(_) = settings.init {
            let expected = "PlusPlus, Random or Centers: a function needs all rows together";
            return Err(Error::invalid_parameter("fit_batches", "init", "a function", expected));
        }
        let mut passes = RowPasses::new(source, settings.spherical);
        let survey = Survey::new(&mut passes, settings.spherical, |n_features| {
            kmeans.check_feature_names(n_features)?;
            settings.init.check(settings.n_clusters, n_features)
        })?;
        check_counts(KMeans::<F>::NAME, settings.n_clusters, survey.n_rows())?;
        let BatchedRun { mut run, sizes } = kmeans.fit_passes(&mut passes, &survey)?;
        let used: Vec<bool> = sizes.iter().map(|size| *size > 0).collect();
        kmeans.keep(&mut run, Array1::default(0), survey.n_features());
        kmeans.fitted.iter_mut().for_each(|fitted| fitted.sizes = Some(sizes.clone()));
        Ok(KMeansReport::with_used(run, &used))
    }
}
