//! Seeding: the initial centers ([`KMeansInit`]), by greedy k-means++ ([`plus_plus`], [`kmeans_plusplus`]), at random
//! ([`random_rows`]), or given.

pub(crate) mod batched;
mod candidate_kernel;
mod candidates;
mod draws;
pub(crate) mod kmeans_plusplus;
pub(crate) mod plus_plus;
pub(crate) mod random_rows;
mod row_chunk;

use super::ranks::Ranks;
use super::samples::Samples;
use crate::error::{Error, Result};
use crate::float::Float;
use crate::rng::Rng;
use crate::validate::{finite, shape_text};
use ndarray::{Array2, ArrayView2};
use serde::{Deserialize, Serialize};
use std::fmt;
use std::sync::Arc;

/// A function of the data (n, d), the number of clusters and a generator that returns centers (k, d).
pub type InitFunction<F> = dyn Fn(ArrayView2<'_, F>, usize, &mut Rng) -> Result<Array2<F>> + Send + Sync;

/// How the initial centers are chosen.
///
/// # Examples
/// ```
/// use axonal::ndarray::{array, s};
/// use axonal::prelude::*;
///
/// # fn main() -> Result<()> {
/// let x = array![[1.0, 2.0], [1.0, 4.0], [10.0, 2.0], [10.0, 4.0]];
/// let given = KMeansInit::Centers(array![[0.0, 0.0], [9.0, 9.0]]);
/// let computed = KMeansInit::function(|x, n_clusters, _| Ok(x.slice(s![..n_clusters, ..]).to_owned()));
/// for init in [KMeansInit::PlusPlus, KMeansInit::Random, given, computed] {
///     let report = KMeans::new(2).init(init).fit(&x)?;
///     assert!(report.converged);
/// }
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", bound = "F: Float")]
#[non_exhaustive]
pub enum KMeansInit<F> {
    /// Greedy k-means++, the default: rows far from the centers so far are likelier, and the best of several draws is
    /// kept.
    #[default]
    PlusPlus,
    /// Rows at random, each with a probability that grows with its weight.
    Random,
    /// These centers, (k, d); one run is made, whatever `n_init` says.
    Centers(Array2<F>),
    /// The centers that a function returns; see [`KMeansInit::function`]. Serializing it is an error.
    #[serde(skip)]
    Function(Arc<InitFunction<F>>),
}

impl<F> KMeansInit<F> {
    /// Centers from a function of the data (n, d), the number of clusters and a generator.
    pub fn function(
        function: impl Fn(ArrayView2<'_, F>, usize, &mut Rng) -> Result<Array2<F>> + Send + Sync + 'static,
    ) -> Self {
        Self::Function(Arc::new(function))
    }
}

impl<F: fmt::Debug> fmt::Debug for KMeansInit<F> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::PlusPlus => f.write_str("PlusPlus"),
            Self::Random => f.write_str("Random"),
            Self::Centers(centers) => f.debug_tuple("Centers").field(centers).finish(),
            Self::Function(_) => f.write_str("Function(..)"),
        }
    }
}

impl<F: Float> KMeansInit<F> {
    /// The default number of runs: one where initial centers differ little or not at all.
    pub(crate) fn default_runs(&self) -> usize {
        match self {
            Self::PlusPlus | Self::Centers(_) => 1,
            Self::Random | Self::Function(_) => 10,
        }
    }

    /// The initialization as text, with all digits of given centers: a line for each.
    pub(crate) fn text(&self) -> String {
        match self {
            // `Debug` of an array leaves values out.
            Self::Centers(centers) => {
                let lines = centers.rows().into_iter().map(|center| format!("{:?}", center.to_vec()));
                lines.collect::<Vec<_>>().join("\n")
            }
            init => format!("{init:?}"),
        }
    }

    /// Refuses a function for the rows of several ranks, none of which holds all rows.
    pub(crate) fn check_distributed(&self) -> Result<()> {
        let Self::Function(_) = self else { return Ok(()) };
        let expected = "PlusPlus, Random or Centers: a function needs the rows of all ranks";
        Err(Error::invalid_parameter("fit_distributed", "init", "a function", expected))
    }

    /// Whether every run would start from the same centers.
    pub(crate) fn is_given(&self) -> bool {
        matches!(self, Self::Centers(_))
    }

    /// Refuses given centers that do not fit the data.
    pub(crate) fn check(&self, n_clusters: usize, n_features: usize) -> Result<()> {
        match self {
            Self::Centers(centers) => check_centers(centers, n_clusters, n_features),
            _ => Ok(()),
        }
    }

    /// The initial centers, (k, d) in row-major order.
    pub(crate) fn initial_centers(
        &self,
        (samples, ranks): (&Samples<'_, F>, &Ranks<'_>),
        n_clusters: usize,
        rng: &mut Rng,
    ) -> Result<Vec<F>> {
        match self {
            Self::PlusPlus => {
                let trials = plus_plus::default_trials(n_clusters);
                Ok(plus_plus::choose((samples, ranks), n_clusters, trials, &mut || rng.uniform())?.values)
            }
            Self::Random => {
                let rows = random_rows::sample((samples, ranks), n_clusters, rng)?;
                let mut centers = Vec::with_capacity(n_clusters * samples.n_features);
                ranks.copy_rows(samples, &rows, &mut centers)?;
                Ok(centers)
            }
            Self::Centers(centers) => Ok(centers.iter().copied().collect()),
            Self::Function(function) => {
                let shape = (samples.n_samples(), samples.n_features);
                let x = ArrayView2::from_shape(shape, samples.values)
                    .unwrap_or_else(|_| ndarray::aview2::<F, 0>(&[]));
                let centers = function(x, n_clusters, rng)?;
                check_centers(&centers, n_clusters, samples.n_features)?;
                Ok(centers.iter().copied().collect())
            }
        }
    }

    /// [`initial_centers`](Self::initial_centers) for subsets that may have too few rows of positive weight to draw from: then
    /// weights are ignored.
    pub(crate) fn initial_centers_or_unweighted(
        &self,
        (samples, ranks): (&Samples<'_, F>, &Ranks<'_>),
        n_clusters: usize,
        rng: &mut Rng,
    ) -> Result<Vec<F>> {
        match self.initial_centers((samples, ranks), n_clusters, rng) {
            Err(Error::Weight { .. }) => {
                let unweighted = Samples { weights: None, ..*samples };
                self.initial_centers((&unweighted, ranks), n_clusters, rng)
            }
            result => result,
        }
    }
}

/// Refuses initial centers so far from the mean that squared distances leave the range of `F`.
pub(crate) fn check_in_reach<F: Float>(owner: &'static str, centers: &[F], mean: &[F]) -> Result<()> {
    for (cluster, center) in centers.chunks_exact(mean.len()).enumerate() {
        let square: f64 = center.iter().zip(mean).map(|(c, mean)| (c.as_f64() - mean.as_f64()).powi(2)).sum();
        if 4.0 * square >= F::max_value().as_f64() {
            let value = format!("initial center {cluster}, {:.1e} from the mean of x", square.sqrt());
            let expected =
                format!("centers whose squared distances to x stay within the range of {}", F::NAME);
            return Err(Error::invalid_parameter(owner, "init", value, expected));
        }
    }
    Ok(())
}

fn check_centers<F: Float>(centers: &Array2<F>, n_clusters: usize, n_features: usize) -> Result<()> {
    if centers.dim() != (n_clusters, n_features) {
        let expected = format!("{} (n_clusters, features of x)", shape_text(&[n_clusters, n_features]));
        return Err(Error::shape("initial centers", expected, shape_text(centers.shape())));
    }
    finite("initial centers", centers)
}
