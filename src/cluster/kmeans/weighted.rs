//! Fits with a weight for each row.

use super::fit::fit_rows;
use super::{KMeans, KMeansReport};
use crate::error::Result;
use crate::float::Float;
use ndarray::{Array1, Array2, ArrayBase, Data, Ix1, Ix2};

impl<F: Float> KMeans<F> {
    /// [`fit`](crate::estimator::Fit::fit) with a weight for each row: a row of weight 2 counts as two such rows, one of weight 0 as
    /// none.
    ///
    /// # Errors
    /// As `fit`, and weights that are negative, not finite, all zero, or not one for each row.
    ///
    /// # Examples
    /// ```
    /// use axonal::ndarray::array;
    /// use axonal::prelude::*;
    ///
    /// # fn main() -> Result<()> {
    /// let mut kmeans = KMeans::new(1);
    /// kmeans.fit_weighted(&array![[0.0], [4.0]], &array![3.0, 1.0])?;
    /// assert_eq!(kmeans.cluster_centers()?, array![[1.0]]);
    /// # Ok(())
    /// # }
    /// ```
    pub fn fit_weighted<S: Data<Elem = F>>(
        &mut self,
        x: &ArrayBase<S, Ix2>,
        sample_weight: &ArrayBase<impl Data<Elem = F>, Ix1>,
    ) -> Result<KMeansReport> {
        fit_rows(self, x.view(), Some(sample_weight.view()))
    }

    /// [`fit_weighted`](Self::fit_weighted), and the labels of the rows.
    ///
    /// # Errors
    /// As [`fit_weighted`](Self::fit_weighted).
    ///
    /// # Examples
    /// ```
    /// use axonal::ndarray::array;
    /// use axonal::prelude::*;
    ///
    /// # fn main() -> Result<()> {
    /// let x = array![[0.0], [1.0], [9.0]];
    /// let labels = KMeans::new(2).fit_predict_weighted(&x, &array![1.0, 2.0, 1.0])?;
    /// assert_eq!(labels[0], labels[1]);
    /// # Ok(())
    /// # }
    /// ```
    pub fn fit_predict_weighted<S: Data<Elem = F>>(
        &mut self,
        x: &ArrayBase<S, Ix2>,
        sample_weight: &ArrayBase<impl Data<Elem = F>, Ix1>,
    ) -> Result<Array1<usize>> {
        self.fit_weighted(x, sample_weight)?;
        self.labels().cloned()
    }

    /// [`fit_weighted`](Self::fit_weighted), and the rows as distances to the centers.
    ///
    /// # Errors
    /// As [`fit_weighted`](Self::fit_weighted).
    pub fn fit_transform_weighted<S: Data<Elem = F>>(
        &mut self,
        x: &ArrayBase<S, Ix2>,
        sample_weight: &ArrayBase<impl Data<Elem = F>, Ix1>,
    ) -> Result<Array2<F>> {
        self.fit_weighted(x, sample_weight)?;
        crate::estimator::Transform::transform(self, x)
    }
}
