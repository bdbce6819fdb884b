use crate::datasets::{Labels, Table};
use crate::error::Result;
use crate::float::Float;
use crate::validate;
use ndarray::{Array, ArrayBase, Axis, Data, RemoveAxis};

/// Anything that holds one sample after another: arrays of any rank along their first axis, slices, tables, labels.
///
/// # Examples
/// ```
/// use axonal::model_selection::Samples;
/// use axonal::ndarray::array;
///
/// let x = array![[1, 2], [3, 4], [5, 6]];
/// assert_eq!(x.n_samples(), 3);
/// assert_eq!(x.take(&[2, 0]), array![[5, 6], [1, 2]]);
/// assert_eq!(["a", "b", "c"].as_slice().take(&[1]), ["b"]);
/// ```
pub trait Samples {
    /// The owned container of the same kind.
    type Owned;

    /// How many samples there are.
    fn n_samples(&self) -> usize;

    /// Copies of the samples at `rows`, in that order.
    ///
    /// # Panics
    /// Where a row is not below `n_samples`.
    fn take(&self, rows: &[usize]) -> Self::Owned;
}

impl<S: Data<Elem: Clone>, D: RemoveAxis> Samples for ArrayBase<S, D> {
    type Owned = Array<S::Elem, D>;

    fn n_samples(&self) -> usize {
        // An array of dynamic rank may have no axis at all.
        self.shape().first().copied().unwrap_or(0)
    }

    fn take(&self, rows: &[usize]) -> Self::Owned {
        self.select(Axis(0), rows)
    }
}

impl<T: Clone> Samples for [T] {
    type Owned = Vec<T>;

    fn n_samples(&self) -> usize {
        self.len()
    }

    #[allow(clippy::indexing_slicing, reason = "documented")]
    fn take(&self, rows: &[usize]) -> Vec<T> {
        rows.iter().map(|&row| self[row].clone()).collect()
    }
}

impl<T: Clone> Samples for Vec<T> {
    type Owned = Vec<T>;

    fn n_samples(&self) -> usize {
        self.len()
    }

    fn take(&self, rows: &[usize]) -> Vec<T> {
        <[T] as Samples>::take(self, rows)
    }
}

impl<T: Clone, const N: usize> Samples for [T; N] {
    type Owned = Vec<T>;

    fn n_samples(&self) -> usize {
        N
    }

    fn take(&self, rows: &[usize]) -> Vec<T> {
        <[T] as Samples>::take(self, rows)
    }
}

impl<F: Float> Samples for Table<F> {
    type Owned = Table<F>;

    fn n_samples(&self) -> usize {
        self.n_rows()
    }

    fn take(&self, rows: &[usize]) -> Table<F> {
        self.select(rows)
    }
}

impl Samples for Labels {
    type Owned = Labels;

    fn n_samples(&self) -> usize {
        self.len()
    }

    fn take(&self, rows: &[usize]) -> Labels {
        self.select(rows)
    }
}

/// What `fit` and `score` receive about the samples, as far as it can be cut into folds: a reference to
/// [`Samples`], or `()` for estimators that learn without targets.
pub trait FoldTargets: Copy {
    /// The targets of one fold.
    type Owned;

    /// Refuses targets that have not one entry for each of `n_samples` samples.
    ///
    /// # Errors
    /// [`Error::Length`](crate::Error::Length).
    fn check(self, n_samples: usize) -> Result<()>;

    /// Copies of the targets at `rows`.
    fn take(self, rows: &[usize]) -> Self::Owned;
}

impl<Y: Samples + ?Sized> FoldTargets for &Y {
    type Owned = Y::Owned;

    fn check(self, n_samples: usize) -> Result<()> {
        validate::length("y", self.n_samples(), n_samples)
    }

    fn take(self, rows: &[usize]) -> Y::Owned {
        Samples::take(self, rows)
    }
}

impl FoldTargets for () {
    type Owned = ();

    fn check(self, _: usize) -> Result<()> {
        Ok(())
    }

    fn take(self, _: &[usize]) {}
}
