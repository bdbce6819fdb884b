use super::Samples;
use crate::error::{Error, Result};
use std::fmt;

/// The rows of one cut: which samples to learn from, which to judge by.
///
/// # Examples
/// ```
/// use axonal::model_selection::Fold;
/// use axonal::ndarray::array;
///
/// let fold = Fold::new([0, 2], [1]);
/// assert_eq!(fold.split(&array![10, 11, 12])?, (array![10, 12], array![11]));
/// # Ok::<(), axonal::Error>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Fold {
    /// The rows to learn from.
    pub train: Vec<usize>,
    /// The rows to judge by.
    pub test: Vec<usize>,
}

impl Fold {
    /// A cut by row numbers.
    #[must_use]
    pub fn new(train: impl Into<Vec<usize>>, test: impl Into<Vec<usize>>) -> Self {
        Self { train: train.into(), test: test.into() }
    }

    /// Copies of the samples to learn from and of those to judge by.
    ///
    /// # Errors
    /// [`Error::Shape`] where the fold names a row that `samples` lacks.
    pub fn split<X: Samples + ?Sized>(&self, samples: &X) -> Result<(X::Owned, X::Owned)> {
        self.check(samples.n_samples())?;
        Ok((samples.take(&self.train), samples.take(&self.test)))
    }

    /// Refuses a fold with rows beyond `n_samples`.
    pub(super) fn check(&self, n_samples: usize) -> Result<()> {
        match self.train.iter().chain(&self.test).max() {
            Some(&row) if row >= n_samples => {
                let expected = format!("{} or more, as row {row} is in a fold", row.saturating_add(1));
                Err(Error::shape("samples", expected, n_samples))
            }
            _ => Ok(()),
        }
    }

    /// The cut whose test rows are those that `is_test` names, both parts in order.
    pub(super) fn partition(n_samples: usize, is_test: impl Fn(usize) -> bool) -> Self {
        let (test, train) = (0..n_samples).partition(|&row| is_test(row));
        Self { train, test }
    }
}

/// Cuts samples into training and test parts, several times.
///
/// `Y` is what the cuts may depend on beside the number of samples: the targets that
/// [`cross_val_score`](super::cross_val_score) passes. [`StratifiedKFold`](super::StratifiedKFold) reads classes from them; most
/// splitters ignore them and take any `Y`.
///
/// A `Vec<Fold>` or a slice of folds is one as well: cuts by hand.
pub trait Splitter<Y = ()>: fmt::Debug {
    /// The cuts of `n_samples` samples with the targets `y`.
    ///
    /// # Errors
    /// Parameters outside their ranges, fewer samples than the cuts need, or targets of another length.
    fn folds(&self, n_samples: usize, y: Y) -> Result<Vec<Fold>>;
}

impl<Y> Splitter<Y> for [Fold] {
    fn folds(&self, n_samples: usize, _: Y) -> Result<Vec<Fold>> {
        check_each(self, n_samples)?;
        Ok(self.to_vec())
    }
}

/// Refuses no folds at all, one without rows in both parts, and one with rows beyond `n_samples`.
fn check_each(folds: &[Fold], n_samples: usize) -> Result<()> {
    if folds.is_empty() {
        return Err(Error::invalid_parameter("splitter", "folds", 0, "at least 1"));
    }
    for (number, fold) in folds.iter().enumerate() {
        fold.check(n_samples)?;
        if fold.train.is_empty() || fold.test.is_empty() {
            let got = format!("{} and {}", fold.train.len(), fold.test.len());
            return Err(Error::shape(format!("fold {number}"), "at least 1 row in both parts", got));
        }
    }
    Ok(())
}

impl<Y> Splitter<Y> for Vec<Fold> {
    fn folds(&self, n_samples: usize, y: Y) -> Result<Vec<Fold>> {
        self.as_slice().folds(n_samples, y)
    }
}

impl<Y, S: Splitter<Y> + ?Sized> Splitter<Y> for &S {
    fn folds(&self, n_samples: usize, y: Y) -> Result<Vec<Fold>> {
        (**self).folds(n_samples, y)
    }
}

/// The cuts of `splitter`, each of them checked, since a splitter may be custom.
pub(super) fn checked_folds<Y>(splitter: &impl Splitter<Y>, n_samples: usize, y: Y) -> Result<Vec<Fold>> {
    let folds = splitter.folds(n_samples, y)?;
    check_each(&folds, n_samples)?;
    Ok(folds)
}

/// Refuses more row numbers, over all folds, than memory can hold.
pub(super) fn check_memory(owner: &'static str, n_splits: usize, n_samples: usize) -> Result<()> {
    let rows = n_splits.checked_mul(n_samples);
    if rows.is_some_and(|rows| Vec::<usize>::new().try_reserve_exact(rows).is_ok()) {
        return Ok(());
    }
    let got = format!("{n_splits} times {n_samples} rows");
    Err(Error::invalid_parameter(owner, "n_splits", got, "as many as fit into memory"))
}

/// Refuses fewer than 2 folds, and fewer samples than folds.
pub(super) fn check_folds(owner: &'static str, n_splits: usize, n_samples: usize) -> Result<()> {
    if n_splits < 2 {
        return Err(Error::invalid_parameter(owner, "n_splits", n_splits, "at least 2"));
    }
    if n_samples < n_splits {
        return Err(Error::TooFewSamples { owner, n_samples, name: "n_splits", needed: n_splits });
    }
    check_memory(owner, n_splits, n_samples)
}
