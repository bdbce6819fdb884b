//! Rows of a table.

use super::Table;
use crate::float::Float;
use ndarray::Axis;

impl<F: Float> Table<F> {
    /// The table of these rows, in this order. Categories keep their numbers.
    ///
    /// # Panics
    /// Where a row is not below [`n_rows`](Self::n_rows).
    pub(crate) fn select(&self, rows: &[usize]) -> Self {
        let data = self.data.select(Axis(0), rows);
        let columns = data.columns().into_iter();
        let labels = self
            .labels
            .iter()
            .zip(columns)
            .map(|(labels, column)| labels.as_ref().map(|labels| Box::new(labels.select(rows, &column))));
        let labels = labels.collect();
        Self {
            data,
            names: self.names.clone(),
            categories: self.categories.clone(),
            labels,
            is_batch: self.is_batch,
        }
    }
}
