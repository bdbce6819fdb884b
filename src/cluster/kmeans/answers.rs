//! What a fitted k-means can be asked.

use super::distance::squared_distance;
use super::samples::{Samples, elements, in_range, in_rows};
use super::{Fitted, KMeans, lloyd};
use crate::error::{Error, Result};
use crate::estimator::{Predict, Score, Transform};
use crate::float::Float;
use crate::parallel::zip_chunks;
use crate::simd::vectorize;
use crate::validate;
use ndarray::{Array1, Array2, ArrayBase, ArrayView2, Data, Ix1, Ix2};

/// Rows of one piece of [`Transform::transform`].
const PIECE: usize = 256;

impl<F: Float> KMeans<F> {
    /// The centers, (k, d).
    ///
    /// # Errors
    /// `NotFitted` before the first fit.
    pub fn cluster_centers(&self) -> Result<&Array2<F>> {
        Ok(&self.learned("cluster_centers")?.cluster_centers)
    }

    /// The label of each row that was learned from, (n).
    ///
    /// # Errors
    /// `NotFitted` before the first fit.
    pub fn labels(&self) -> Result<&Array1<usize>> {
        Ok(&self.learned("labels")?.labels)
    }

    /// Σ wᵢ‖xᵢ − c‖² over the rows that were learned from, c the nearest center.
    ///
    /// # Errors
    /// `NotFitted` before the first fit.
    pub fn inertia(&self) -> Result<f64> {
        Ok(self.learned("inertia")?.inertia)
    }

    /// The iterations of the best run.
    ///
    /// # Errors
    /// `NotFitted` before the first fit.
    pub fn n_iter(&self) -> Result<usize> {
        Ok(self.learned("n_iter")?.n_iter)
    }

    /// How many of the rows that were learned from each cluster has, (k).
    ///
    /// # Errors
    /// `NotFitted` before the first fit.
    pub fn cluster_sizes(&self) -> Result<Array1<usize>> {
        let fitted = self.learned("cluster_sizes")?;
        let mut sizes = Array1::zeros(self.n_clusters);
        fitted.labels.iter().for_each(|&label| sizes[label] += 1);
        Ok(sizes)
    }

    /// [`score`](Score::score) with a weight for each row.
    ///
    /// # Errors
    /// As `score`, and weights that are negative, not finite, all zero, or not one for each row.
    pub fn score_weighted<S: Data<Elem = F>>(
        &self,
        x: &ArrayBase<S, Ix2>,
        sample_weight: &ArrayBase<impl Data<Elem = F>, Ix1>,
    ) -> Result<f64> {
        let weights = sample_weight.to_vec();
        validate::sample_weights("sample_weight", &weights, x.nrows())?;
        self.minus_inertia(x.view(), Some(&weights))
    }

    fn learned(&self, method: &'static str) -> Result<&Fitted<F>> {
        self.fitted.as_ref().ok_or(Error::NotFitted { estimator: "KMeans", method })
    }

    /// Checks new rows and hands them on in standard layout; of length 1, if the clustering is spherical.
    fn with_rows<R>(
        &self,
        x: ArrayView2<'_, F>,
        method: &'static str,
        ask: impl FnOnce(&Fitted<F>, Samples<'_, F>) -> R,
    ) -> Result<R> {
        let fitted = self.learned(method)?;
        let n_features = fitted.mean.len();
        validate::features("x", &x, n_features)?;
        in_range("KMeans", x)?;
        let mut x = in_rows(x);
        if self.spherical {
            x.as_slice_mut().into_iter().for_each(|rows| lloyd::normalize(rows, n_features));
        }
        Ok(ask(fitted, Samples { values: elements(&x), n_features, weights: None }))
    }

    fn minus_inertia(&self, x: ArrayView2<'_, F>, weights: Option<&[F]>) -> Result<f64> {
        self.with_rows(x, "score", |fitted, samples| {
            let labels = fitted.label(&samples);
            -fitted.inertia_of(&Samples { weights, ..samples }, &labels)
        })
    }
}

impl<F: Float> Fitted<F> {
    fn label(&self, samples: &Samples<'_, F>) -> Vec<u32> {
        let mut labels = vec![0; samples.n_samples()];
        lloyd::assign(samples, &self.mean, &self.nearest, &mut labels);
        labels
    }

    fn inertia_of(&self, samples: &Samples<'_, F>, labels: &[u32]) -> f64 {
        let distance = |(row, &label): (usize, &u32)| {
            let center = self.cluster_centers.row(label as usize);
            samples.weight(row)
                * squared_distance(samples.row(row), center.as_slice().unwrap_or(&[])).as_f64()
        };
        labels.iter().enumerate().map(distance).sum()
    }

    fn distances(&self, samples: &Samples<'_, F>) -> Array2<F> {
        let (n, d, k) = (samples.n_samples(), samples.n_features, self.cluster_centers.nrows());
        let centers = elements(&self.cluster_centers);
        let mut distances = vec![F::zero(); n * k];
        let mut pieces: Vec<usize> = (0..n).step_by(PIECE).collect();
        zip_chunks(n * k * d, &mut pieces, &mut distances, PIECE * k, |first, distances| {
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

impl<F: Float, S: Data<Elem = F>> Predict<ArrayBase<S, Ix2>> for KMeans<F> {
    type Output = Array1<usize>;

    /// The nearest center of each row, of equally near ones the first.
    fn predict(&self, x: &ArrayBase<S, Ix2>) -> Result<Array1<usize>> {
        self.with_rows(x.view(), "predict", |fitted, samples| {
            fitted.label(&samples).into_iter().map(|label| label as usize).collect()
        })
    }
}

impl<F: Float, S: Data<Elem = F>> Transform<ArrayBase<S, Ix2>> for KMeans<F> {
    type Output = Array2<F>;

    /// The distance √Σ(x − c)² of each row to each center, (n, k).
    fn transform(&self, x: &ArrayBase<S, Ix2>) -> Result<Array2<F>> {
        self.with_rows(x.view(), "transform", |fitted, samples| fitted.distances(&samples))
    }
}

impl<F: Float, S: Data<Elem = F>> Score<ArrayBase<S, Ix2>> for KMeans<F> {
    /// Minus the inertia of the rows.
    fn score(&self, x: &ArrayBase<S, Ix2>, (): ()) -> Result<f64> {
        self.minus_inertia(x.view(), None)
    }
}
