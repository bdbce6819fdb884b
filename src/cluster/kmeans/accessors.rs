//! Accessors of a fitted k-means: centers, labels, inertia, cluster sizes.

use super::KMeans;
use super::fitted::FittedCenters;
use crate::error::{Error, Result};
use crate::float::Float;
use ndarray::{Array1, Array2, ArrayBase, Data, Ix1, Ix2};

impl<F: Float> KMeans<F> {
    pub(crate) const NAME: &'static str = "KMeans";

    /// The centers, (k, d).
    ///
    /// # Errors
    /// `NotFitted` before the first fit.
    pub fn cluster_centers(&self) -> Result<&Array2<F>> {
        Ok(self.learned("cluster_centers")?.cluster_centers())
    }

    /// The label of each row of the training data, (n).
    ///
    /// # Errors
    /// `NotFitted` before the first fit; after [`fit_batches`](Self::fit_batches), which keeps no labels.
    pub fn labels(&self) -> Result<&Array1<usize>> {
        let fitted = self.learned("labels")?;
        match fitted.sizes {
            None => Ok(&fitted.labels),
            Some(_) => Err(no_labels("labels")),
        }
    }

    /// Σ wᵢ‖xᵢ − c‖² over the training data, c the nearest center.
    ///
    /// # Errors
    /// `NotFitted` before the first fit.
    pub fn inertia(&self) -> Result<f64> {
        Ok(self.learned("inertia")?.inertia)
    }

    /// Number of iterations of the best run.
    ///
    /// # Errors
    /// `NotFitted` before the first fit.
    pub fn n_iter(&self) -> Result<usize> {
        Ok(self.learned("n_iter")?.n_iter)
    }

    /// The number of rows of the training data in each cluster, (k).
    ///
    /// # Errors
    /// `NotFitted` before the first fit; a fit by [`fit_batches`](Self::fit_batches) that was loaded from a file, which has
    /// neither labels nor sizes.
    pub fn cluster_sizes(&self) -> Result<Array1<usize>> {
        let fitted = self.learned("cluster_sizes")?;
        match &fitted.sizes {
            Some(sizes) if sizes.is_empty() => return Err(no_labels("cluster_sizes")),
            Some(sizes) => return Ok(sizes.clone().into()),
            None => {}
        }
        let mut sizes = Array1::zeros(self.settings.n_clusters);
        fitted.labels.iter().for_each(|&label| sizes[label] += 1);
        Ok(sizes)
    }

    /// The inertia of each cluster for new rows, Σ‖x − c‖² over the rows nearest to its center, (k).
    ///
    /// # Errors
    /// As `predict`.
    ///
    /// # Examples
    /// ```
    /// use axonal::ndarray::array;
    /// use axonal::prelude::*;
    ///
    /// # fn main() -> Result<()> {
    /// let x = array![[0.0], [2.0], [10.0], [10.0]];
    /// let mut kmeans = KMeans::new(2).init(KMeansInit::Centers(array![[0.0], [9.0]]));
    /// kmeans.fit(&x)?;
    /// assert_eq!(kmeans.cluster_inertias(&x)?, array![2.0, 0.0]);
    /// # Ok(())
    /// # }
    /// ```
    pub fn cluster_inertias<S: Data<Elem = F>>(&self, x: &ArrayBase<S, Ix2>) -> Result<Array1<f64>> {
        super::fitted::inertias(self.learned("cluster_inertias")?, Self::NAME, x.view())
    }

    pub(crate) fn learned(&self, method: &'static str) -> Result<&FittedCenters<F>> {
        self.fitted.as_ref().ok_or(Error::NotFitted { estimator: Self::NAME, method })
    }
}

/// The error of an accessor of labels after a fit that kept none.
fn no_labels(method: &'static str) -> Error {
    let hint = "fit_batches keeps no labels; predict computes them batch by batch";
    Error::Misplaced { context: "KMeans after fit_batches", option: method, hint }
}

super::fitted::predict_by_nearest_center!(KMeans);
