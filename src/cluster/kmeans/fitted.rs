//! Fitted centers, and prediction from them.

use super::assign::assign;
use super::assign::packed_centers::{PackedCenters, SquaredNorms};
use super::lloyd::{inertia_of, inertias_of_clusters};
use super::normalize::normalize;
use super::samples::{Samples, all_below, elements, in_rows};
use crate::error::{Error, Result};
use crate::float::Float;
use crate::float::precompiled::precompiled;
use crate::linalg::distance::squared_distance;
use crate::parallel::zip_chunks;
use crate::simd::vectorize;
use crate::validate;
use ndarray::{Array1, Array2, ArrayView2};
use std::sync::OnceLock;

/// Rows of a task.
const CHUNK: usize = 256;

/// Refuses values that are not finite, and rows whose squared distances to the centers leave the range of `F`. Accepts all rows
/// that `fit` accepts.
fn in_range_of<F: Float>(owner: &'static str, x: ArrayView2<'_, F>, centers: &[F]) -> Result<()> {
    let d = x.ncols();
    let bound = F::of(0.25 * (F::max_value().as_f64() / d as f64).sqrt());
    if centers.iter().all(|c| c.abs() < bound) && all_below(x, bound) {
        return Ok(());
    }
    validate::finite("x", &x)?;
    for (row, x) in x.rows().into_iter().enumerate() {
        for center in centers.chunks_exact(d) {
            let squares = || x.iter().zip(center).map(|(x, c)| (x.as_f64() - c.as_f64()).powi(2));
            if squares().sum::<f64>() >= F::max_value().as_f64() {
                let far = squares()
                    .enumerate()
                    .max_by(|a, b| a.1.total_cmp(&b.1))
                    .map_or(0, |(feature, _)| feature);
                let value = format!("{:e} at [{row}, {far}]", x[far]);
                let expected = format!("values whose squared distances stay within the range of {}", F::NAME);
                return Err(Error::invalid_parameter(owner, "x", value, expected));
            }
        }
    }
    Ok(())
}

/// The result of a fit.
#[derive(Debug, Clone)]
pub(crate) struct FittedCenters<F> {
    pub(crate) n_clusters: usize,
    /// The centers less `mean`, (k, d); the inner nodes of a tree follow those of the clusters.
    pub(crate) centered: Vec<F>,
    /// The point that is subtracted from them: the origin, unless centers moved in small steps.
    pub(crate) mean: Vec<F>,
    /// The centers, computed on first use.
    pub(crate) cluster_centers: OnceLock<Array2<F>>,
    /// The packed centers, computed on first use.
    pub(crate) packed: OnceLock<PredictionCenters<F>>,
    /// Whether rows are scaled to length 1.
    pub(crate) spherical: bool,
    pub(crate) labels: Array1<usize>,
    /// The number of rows of each cluster, of a fit that kept no labels; empty if it came from a file.
    pub(crate) sizes: Option<Vec<usize>>,
    pub(crate) inertia: f64,
    pub(crate) n_iter: usize,
}

/// Centers packed for prediction.
#[derive(Debug, Clone)]
pub(crate) struct PredictionCenters<F> {
    centers: PackedCenters<F>,
    /// The point that is subtracted from centers and rows.
    mean: Vec<F>,
    /// A magnitude that values of rows rarely reach. Rows below it are in range of the centers.
    usual: F,
}

/// Checked rows.
#[derive(Debug, Clone, Copy)]
pub(crate) struct CheckedRows<'a, F> {
    pub(crate) samples: Samples<'a, F>,
    /// Whether all values are below [`PredictionCenters::usual`].
    are_usual: bool,
}

impl<F: Float> FittedCenters<F> {
    /// The fitted state of centers (k, d).
    pub(crate) fn at(centers: Vec<F>, n_features: usize) -> Self {
        Self::new(centers, vec![F::zero(); n_features])
    }

    /// The fitted state of centers (k, d) from which `mean` was subtracted.
    pub(crate) fn new(centered: Vec<F>, mean: Vec<F>) -> Self {
        Self {
            n_clusters: centered.len() / mean.len(),
            centered,
            mean,
            cluster_centers: OnceLock::new(),
            packed: OnceLock::new(),
            spherical: false,
            labels: Array1::default(0),
            sizes: None,
            inertia: 0.0,
            n_iter: 0,
        }
    }

    /// The centers of the clusters less the mean, (k, d).
    fn centered_clusters(&self) -> &[F] {
        &self.centered[..self.n_clusters * self.mean.len()]
    }

    /// The centers, (k, d).
    pub(crate) fn cluster_centers(&self) -> &Array2<F> {
        self.cluster_centers.get_or_init(|| {
            let centers = self.centered_clusters().iter().zip(self.mean.iter().cycle());
            let centers = centers.map(|(c, mean)| *c + *mean).collect();
            Array2::from_shape_vec((self.n_clusters, self.mean.len()), centers).unwrap_or_default()
        })
    }

    /// A center by its number, also of an inner node.
    pub(crate) fn center(&self, number: usize) -> Vec<F> {
        let centered = &self.centered[number * self.mean.len()..][..self.mean.len()];
        centered.iter().zip(&self.mean).map(|(c, mean)| *c + *mean).collect()
    }

    /// The centers packed less their mean. This point has no effect on labels.
    fn packed(&self) -> &PredictionCenters<F> {
        self.packed.get_or_init(|| {
            let (k, d) = (self.n_clusters, self.mean.len());
            let centers = elements(self.cluster_centers());
            let mean = mean_of_centers(centers, d);
            let offsets = centers.iter().zip(mean.iter().cycle());
            let square: f64 = offsets.map(|(c, mean)| (c.as_f64() - mean.as_f64()).powi(2)).sum();
            let n_rows = self.sizes.as_ref().map_or(self.labels.len(), |sizes| sizes.iter().sum());
            let within = if n_rows > 0 { self.inertia / n_rows as f64 } else { 0.0 };
            let farthest = centers.iter().fold(0.0, |farthest: f64, c| farthest.max(c.as_f64().abs()));
            let bound = 0.25 * (F::max_value().as_f64() / d as f64).sqrt();
            let usual = if self.spherical { 1.5 } else { 1.1 * farthest + 6.0 * (within / d as f64).sqrt() };
            let usual = F::of(if farthest < bound { usual.min(bound) } else { 0.0 });
            let largest = mean.iter().map(|mean| (usual.as_f64() + mean.as_f64().abs()).powi(2)).sum::<f64>();
            let mut packed = PackedCenters::new(k, d);
            let norms = SquaredNorms { typical: square / k as f64 + within, largest: 1.25 * largest };
            packed.set(centers, &mean, norms);
            PredictionCenters { centers: packed, mean, usual }
        })
    }

    /// Refuses rows of another number of features, or whose distances are out of range. Returns whether all values are below
    /// [`PredictionCenters::usual`].
    pub(crate) fn check(&self, owner: &'static str, x: ArrayView2<'_, F>) -> Result<bool> {
        validate::features("x", &x, self.mean.len())?;
        if all_below(x, self.packed().usual) {
            return Ok(true);
        }
        in_range_of(owner, x, elements(self.cluster_centers()))?;
        Ok(false)
    }

    /// Checks new rows, and calls `work` with them in standard layout, scaled to length 1 if the clustering is spherical.
    pub(crate) fn with_rows<R>(
        &self,
        owner: &'static str,
        x: ArrayView2<'_, F>,
        work: impl FnOnce(CheckedRows<'_, F>) -> R,
    ) -> Result<R> {
        validate::copyable("x", &x)?;
        let mut are_usual = self.check(owner, x)?;
        let n_features = self.mean.len();
        let mut x = in_rows(x)?;
        if self.spherical {
            x.as_slice_mut().into_iter().for_each(|rows| normalize(rows, n_features));
            are_usual = true;
        }
        Ok(work(CheckedRows {
            samples: Samples { values: elements(&x), n_features, weights: None },
            are_usual,
        }))
    }

    /// Minus the inertia of labeled rows; refuses no rows, and an inertia that is not finite.
    pub(crate) fn score(&self, owner: &'static str, samples: &Samples<'_, F>, labels: &[u32]) -> Result<f64> {
        if labels.is_empty() {
            return Err(Error::Empty {
                what: "x".into(),
                shape: format!("(0, {})", self.mean.len()),
                needed: "sample",
            });
        }
        let inertia = self.inertia_of(samples, labels);
        if inertia.is_finite() {
            Ok(-inertia)
        } else {
            Err(infinite_inertia(owner, samples.weights.is_some()))
        }
    }

    /// The labels of checked rows, and their inertia.
    pub(crate) fn label_all(&self, samples: &Samples<'_, F>) -> (Vec<u32>, f64) {
        let labels = self.labels_of(samples);
        let inertia = self.inertia_of(samples, &labels);
        (labels, inertia)
    }

    /// The labels of checked rows.
    pub(crate) fn labels_of(&self, samples: &Samples<'_, F>) -> Vec<u32> {
        self.label(CheckedRows { samples: *samples, are_usual: false })
    }

    fn label(&self, CheckedRows { samples, are_usual }: CheckedRows<'_, F>) -> Vec<u32> {
        let mut labels = vec![0; samples.n_samples()];
        let packed = self.packed();
        assign((&samples, &packed.mean), &packed.centers, are_usual, &mut labels);
        labels
    }

    pub(crate) fn inertia_of(&self, samples: &Samples<'_, F>, labels: &[u32]) -> f64 {
        inertia_of(samples, elements(self.cluster_centers()), labels)
    }

    fn distances(&self, samples: &Samples<'_, F>) -> Array2<F> {
        let (n, d, k) = (samples.n_samples(), samples.n_features, self.n_clusters);
        let centers = elements(self.cluster_centers());
        let mut distances = vec![F::zero(); n * k];
        let mut chunks: Vec<usize> = (0..n).step_by(CHUNK).collect();
        zip_chunks(n * k * d, &mut chunks, &mut distances, CHUNK * k, |first, distances| {
            vectorize(
                #[inline(always)]
                || {
                    for (row, distances) in distances.chunks_exact_mut(k).enumerate() {
                        let x = samples.row(*first + row);
                        for (distance, center) in distances.iter_mut().zip(centers.chunks_exact(d)) {
                            *distance = squared_distance(x, center).sqrt();
                        }
                    }
                },
            );
        });
        Array2::from_shape_vec((n, k), distances).unwrap_or_default()
    }
}

precompiled! {
    /// The label of each row.
    pub(crate) fn predict<'a, 'b, F>(fitted: &'a FittedCenters<F>, owner: &'static str, x: ArrayView2<'b, F>) -> Result<Array1<usize>> {
        fitted.with_rows(owner, x, |rows| fitted.label(rows).into_iter().map(|label| label as usize).collect())
    }

    /// The distance of each row to each center, (n, k).
    pub(crate) fn transform<'a, 'b, F>(fitted: &'a FittedCenters<F>, owner: &'static str, x: ArrayView2<'b, F>) -> Result<Array2<F>> {
        fitted.with_rows(owner, x, |rows| fitted.distances(&rows.samples))
    }

    /// Minus the inertia of the rows.
    pub(crate) fn minus_inertia<'a, 'b, F>(fitted: &'a FittedCenters<F>, owner: &'static str, x: ArrayView2<'b, F>, weights: Option<&'b [F]>) -> Result<f64> {
        fitted.with_rows(owner, x, |rows| {
            fitted.score(owner, &Samples { weights, ..rows.samples }, &fitted.label(rows))
        })?
    }

    /// Σ‖x − c‖² over the rows of each cluster.
    pub(crate) fn inertias<'a, 'b, F>(fitted: &'a FittedCenters<F>, owner: &'static str, x: ArrayView2<'b, F>) -> Result<Array1<f64>> {
        fitted.with_rows(owner, x, |rows| {
            let centers = elements(fitted.cluster_centers());
            Array1::from_vec(inertias_of_clusters(&rows.samples, centers, &fitted.label(rows)))
        })
    }
}

/// The mean of centers (k, d).
fn mean_of_centers<F: Float>(centers: &[F], n_features: usize) -> Vec<F> {
    let n_clusters = (centers.len() / n_features) as f64;
    let mut mean = vec![0.0; n_features];
    for center in centers.chunks_exact(n_features) {
        mean.iter_mut().zip(center).for_each(|(mean, c)| *mean += c.as_f64() / n_clusters);
    }
    mean.into_iter().map(F::of).collect()
}

/// The error of an inertia that is not finite.
fn infinite_inertia(owner: &'static str, weighted: bool) -> Error {
    if weighted {
        let problem = "they are so large that sums over the rows leave the range of f64; scale them down";
        return Error::Weight { what: "sample_weight".into(), problem: problem.into() };
    }
    let expected = "values whose squared distances have a sum in the range of f64; scale them down";
    Error::invalid_parameter(owner, "x", "too large", expected)
}

/// Implements prediction by the nearest center for an estimator with a method `learned` and a `NAME`.
macro_rules! predict_by_nearest_center {
    ($estimator:ident) => {
        impl<F: Float> $estimator<F> {
            /// [`score`](crate::estimator::Score::score) with a weight for each row.
            ///
            /// # Errors
            /// As `score`, and weights that are negative, not finite, all zero, or not one for each row.
            pub fn score_weighted<S: Data<Elem = F>>(
                &self,
                x: &ArrayBase<S, Ix2>,
                sample_weight: &ArrayBase<impl Data<Elem = F>, Ix1>,
            ) -> Result<f64> {
                let weights = sample_weight.to_vec();
                crate::validate::sample_weights("sample_weight", &weights, x.nrows())?;
                $crate::cluster::kmeans::fitted::minus_inertia(
                    self.learned("score")?,
                    Self::NAME,
                    x.view(),
                    Some(&weights),
                )
            }
        }

        impl<F: Float, S: Data<Elem = F>> crate::estimator::Predict<ArrayBase<S, Ix2>> for $estimator<F> {
            type Output = Array1<usize>;

            /// The nearest center of each row, ties to the first.
            fn predict(&self, x: &ArrayBase<S, Ix2>) -> Result<Array1<usize>> {
                $crate::cluster::kmeans::fitted::predict(self.learned("predict")?, Self::NAME, x.view())
            }
        }

        impl<F: Float, S: Data<Elem = F>> crate::estimator::Transform<ArrayBase<S, Ix2>> for $estimator<F> {
            type Output = Array2<F>;

            /// The distance √Σ(x − c)² of each row to each center, (n, k).
            fn transform(&self, x: &ArrayBase<S, Ix2>) -> Result<Array2<F>> {
                $crate::cluster::kmeans::fitted::transform(self.learned("transform")?, Self::NAME, x.view())
            }
        }

        impl<F: Float> $estimator<F> {
            /// Minus the inertia of the rows of `x`: minus the sum of squared distances to their nearest centers.
            ///
            /// # Errors
            /// Before a fit, another number of features, or values that are not finite.
            pub fn score<S: Data<Elem = F>>(&self, x: &ArrayBase<S, Ix2>) -> Result<f64> {
                crate::estimator::Score::score(self, x, ())
            }
        }

        impl<F: Float, S: Data<Elem = F>> crate::estimator::Score<ArrayBase<S, Ix2>> for $estimator<F> {
            /// Minus the inertia of the rows.
            fn score(&self, x: &ArrayBase<S, Ix2>, (): ()) -> Result<f64> {
                $crate::cluster::kmeans::fitted::minus_inertia(
                    self.learned("score")?,
                    Self::NAME,
                    x.view(),
                    None,
                )
            }
        }
    };
}
pub(crate) use predict_by_nearest_center;
