//! What can be a label, and labels counted through.

use crate::error::{Error, Result};
use crate::float::Float;
use crate::validate;
use ndarray::{ArrayBase, ArrayView2, Data, Ix1};

mod sealed {
    pub trait Sealed {}
}

/// An integer of any type, or `bool`: the name of a cluster or a class.
///
/// The trait is sealed.
#[diagnostic::on_unimplemented(
    message = "`{Self}` cannot be a cluster label",
    label = "expected an integer type",
    note = "convert the labels with `mapv`, for example `labels.mapv(|label| label as usize)`"
)]
pub trait Label: Copy + Ord + sealed::Sealed {}

macro_rules! labels {
    ($($name:ty)*) => { $(impl sealed::Sealed for $name {} impl Label for $name {})* };
}
labels!(bool i8 i16 i32 i64 i128 isize u8 u16 u32 u64 u128 usize);

/// Labels as 0, 1, …, in the order of their values.
#[derive(Debug, Clone)]
pub(super) struct Encoded {
    pub(super) labels: Vec<usize>,
    pub(super) n_labels: usize,
}

impl Encoded {
    pub(super) fn new<L: Label>(labels: &ArrayBase<impl Data<Elem = L>, Ix1>) -> Self {
        let mut names: Vec<L> = labels.iter().copied().collect();
        names.sort_unstable();
        names.dedup();
        let number = |label: &L| names.binary_search(label).unwrap_or(0);
        Self { labels: labels.iter().map(number).collect(), n_labels: names.len() }
    }

    /// How many rows have each label.
    pub(super) fn sizes(&self) -> Vec<usize> {
        let mut sizes = vec![0; self.n_labels];
        self.labels.iter().for_each(|&label| sizes[label] += 1);
        sizes
    }

    /// The labels of rows, which are finite and neither too few nor too many.
    pub(super) fn of_rows<F: Float, L: Label>(
        metric: &'static str,
        x: ArrayView2<'_, F>,
        labels: &ArrayBase<impl Data<Elem = L>, Ix1>,
    ) -> Result<Self> {
        validate::not_empty("x", &x)?;
        validate::length("labels", labels.len(), x.nrows())?;
        validate::finite("x", &x)?;
        let encoded = Self::new(labels);
        if (2..x.nrows()).contains(&encoded.n_labels) {
            return Ok(encoded);
        }
        let (found, most) = (format!("{} distinct", encoded.n_labels), x.nrows() - 1);
        Err(Error::invalid_parameter(
            metric,
            "labels",
            found,
            format!("2 to n_samples - 1 = {most} distinct"),
        ))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use ndarray::array;

    #[test]
    fn labels_of_any_type_are_counted_through() {
        assert_eq!(Encoded::new(&array![7i8, -3, 7, 100]).labels, [1, 0, 1, 2]);
        assert_eq!(Encoded::new(&array![true, false]).labels, [1, 0]);
        assert_eq!(Encoded::new(&array![u64::MAX, 0, u64::MAX]).sizes(), [1, 2]);
        assert_eq!(Encoded::new::<usize>(&array![]).n_labels, 0);
    }
}
