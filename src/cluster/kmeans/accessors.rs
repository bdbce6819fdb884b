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
    /// `NotFitted` before the first fit.
    pub fn labels(&self) -> Result<&Array1<usize>> {
        Ok(&self.learned("labels")?.labels)
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
    /// `NotFitted` before the first fit.
    pub fn cluster_sizes(&self) -> Result<Array1<usize>> {
        let fitted = self.learned("cluster_sizes")?;
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

super::fitted::predict_by_nearest_center!(KMeans);
