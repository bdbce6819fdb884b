//! Names of features: those of the columns of `x`, and those of the columns that `transform` gives.

use super::KMeans;
use crate::error::{Error, Result};
use crate::float::Float;

impl<F: Float> KMeans<F> {
    /// Names the columns of `x`; `fit` refuses data with another number of columns. The names are saved with the model.
    ///
    /// # Examples
    /// ```
    /// use axonal::ndarray::array;
    /// use axonal::prelude::*;
    ///
    /// # fn main() -> Result<()> {
    /// let mut kmeans = KMeans::new(2).feature_names(["age", "income"]);
    /// kmeans.fit(&array![[20.0, 1.0], [60.0, 3.0]])?;
    /// assert_eq!(kmeans.feature_names_in(), ["age", "income"]);
    /// assert_eq!(kmeans.feature_names_out(), ["kmeans0", "kmeans1"]);
    /// # Ok(())
    /// # }
    /// ```
    #[must_use]
    pub fn feature_names<N: Into<String>>(mut self, names: impl IntoIterator<Item = N>) -> Self {
        self.settings.feature_names = names.into_iter().map(Into::into).collect();
        self
    }

    /// The names of the columns of `x`; empty if none were given.
    #[must_use]
    pub fn feature_names_in(&self) -> &[String] {
        &self.settings.feature_names
    }

    /// The names of the columns of `transform`, one for each cluster: `kmeans0`, `kmeans1`, …
    #[must_use]
    pub fn feature_names_out(&self) -> Vec<String> {
        (0..self.settings.n_clusters).map(|cluster| format!("kmeans{cluster}")).collect()
    }

    /// Errors if names were given for another number of features.
    pub(super) fn check_feature_names(&self, n_features: usize) -> Result<()> {
        let names = &self.settings.feature_names;
        if names.is_empty() || names.len() == n_features {
            return Ok(());
        }
        let expected = format!("{n_features} names, one for each column of x");
        Err(Error::shape("feature_names", expected, format!("{} names", names.len())))
    }
}
