//! CSV batches as features and targets.

use super::CsvBatches;
use crate::error::Result;
use crate::float::Float;
use ndarray::{Array1, Array2};

impl<F: Float> CsvBatches<F> {
    /// The batches as features and values to learn, for [`fit_batches`](crate::models::Model::fit_batches).
    ///
    /// Each item fails as [`Table::values`](super::Table::values).
    ///
    /// # Examples
    /// ```no_run
    /// use axonal::datasets::{CsvReader, prefetch};
    /// use axonal::models::each_epoch;
    /// use axonal::prelude::*;
    ///
    /// # fn main() -> Result<()> {
    /// # let mut model: Model<f32> = Sequential::new(3).add(Dense::new(1)).compile(Sgd::new(0.1), MeanSquaredError::default())?;
    /// // One pass:
    /// let batches = CsvReader::new().batches::<f32>("houses.csv", 64)?;
    /// model.fit_batches(batches.values("price"), FitOptions::new())?;
    /// // Several, each reading ahead:
    /// let open = |_| Ok(prefetch(CsvReader::new().batches::<f32>("houses.csv", 64)?.values("price"), 2));
    /// model.fit_batches(each_epoch(open), FitOptions::new().epochs(10))?;
    /// # Ok(())
    /// # }
    /// ```
    pub fn values(
        self,
        target: impl Into<String>,
    ) -> impl Iterator<Item = Result<(Array2<F>, Array1<F>)>> + Send {
        let target = target.into();
        self.map(move |batch| batch?.values(&target).map(|set| (set.data, set.target)))
    }

    /// The batches as features and classes to learn, which [`CsvReader::categories`](super::CsvReader::categories) must declare.
    ///
    /// Each item fails as [`Table::classes`](super::Table::classes).
    ///
    /// # Examples
    /// ```no_run
    /// use axonal::datasets::CsvReader;
    /// use axonal::prelude::*;
    ///
    /// # fn main() -> Result<()> {
    /// # let mut model: Model<f32> = Sequential::new(3).add(Dense::new(2)).compile(Sgd::new(0.1), SparseCategoricalCrossentropy::default())?;
    /// let reader = CsvReader::new().categories("churned", ["no", "yes"]);
    /// model.fit_batches(reader.batches::<f32>("customers.csv", 64)?.classes("churned"), FitOptions::new())?;
    /// # Ok(())
    /// # }
    /// ```
    pub fn classes(
        self,
        target: impl Into<String>,
    ) -> impl Iterator<Item = Result<(Array2<F>, Array1<usize>)>> + Send {
        let target = target.into();
        self.map(move |batch| batch?.classes(&target).map(|set| (set.data, set.target)))
    }
}
