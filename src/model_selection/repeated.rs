use super::ClassLabels;
use super::fold::{Fold, Splitter, check_folds, check_memory};
use super::k_fold::shuffled;
use super::stratified::{classes_of, stratified_folds};
use crate::error::{Error, Result};
use crate::rng::{Purpose, Rng};
use serde::{Deserialize, Serialize};

/// Repeats a shuffled [`KFold`](super::KFold), each time in another random order.
///
/// # Parameters
/// * `n_splits`: how many parts, at least 2. scikit-learn's default: 5.
/// * `n_repeats`: how many repetitions, at least 1. scikit-learn's default: 10.
/// * `seed`: which random orders. Default: 0.
///
/// # Errors
/// `n_splits` below 2 or above the number of samples, no repetition.
///
/// # Examples
/// ```
/// use axonal::model_selection::{RepeatedKFold, Splitter};
///
/// let folds = RepeatedKFold::new(2, 3).seed(1).folds(10, ())?;
/// assert_eq!(folds.len(), 6);
/// assert!(folds.iter().all(|fold| fold.test.len() == 5));
/// # Ok::<(), axonal::Error>(())
/// ```
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RepeatedKFold {
    n_splits: usize,
    n_repeats: usize,
    seed: u64,
}

impl Default for RepeatedKFold {
    fn default() -> Self {
        Self::new(5, 10)
    }
}

impl RepeatedKFold {
    /// `n_repeats` times `n_splits` parts.
    #[must_use]
    pub fn new(n_splits: usize, n_repeats: usize) -> Self {
        Self { n_splits, n_repeats, seed: 0 }
    }

    /// Which random orders.
    #[must_use]
    pub fn seed(mut self, seed: u64) -> Self {
        self.seed = seed;
        self
    }
}

impl<Y> Splitter<Y> for RepeatedKFold {
    fn folds(&self, n_samples: usize, _: Y) -> Result<Vec<Fold>> {
        let owner = "RepeatedKFold";
        check_folds(owner, self.n_splits, n_samples)?;
        let fold = |rng| Ok(shuffled(self.n_splits, n_samples, rng));
        repeat(owner, (self.n_splits, self.n_repeats), (self.seed, 5), n_samples, fold)
    }
}

/// Repeats a shuffled [`StratifiedKFold`](super::StratifiedKFold), each time in another random order.
///
/// # Parameters
/// As [`RepeatedKFold`].
///
/// # Errors
/// Those of [`StratifiedKFold`](super::StratifiedKFold), and no repetition.
///
/// # Examples
/// ```
/// use axonal::model_selection::{RepeatedStratifiedKFold, Splitter};
///
/// let labels = [0, 0, 0, 0, 1, 1];
/// let folds = RepeatedStratifiedKFold::new(2, 3).folds(6, &labels)?;
/// assert!(folds.iter().all(|fold| fold.test.iter().filter(|row| labels[**row] == 1).count() == 1));
/// # Ok::<(), axonal::Error>(())
/// ```
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RepeatedStratifiedKFold {
    n_splits: usize,
    n_repeats: usize,
    seed: u64,
}

impl Default for RepeatedStratifiedKFold {
    fn default() -> Self {
        Self::new(5, 10)
    }
}

impl RepeatedStratifiedKFold {
    /// `n_repeats` times `n_splits` parts.
    #[must_use]
    pub fn new(n_splits: usize, n_repeats: usize) -> Self {
        Self { n_splits, n_repeats, seed: 0 }
    }

    /// Which random orders.
    #[must_use]
    pub fn seed(mut self, seed: u64) -> Self {
        self.seed = seed;
        self
    }
}

impl<Y: ClassLabels + ?Sized> Splitter<&Y> for RepeatedStratifiedKFold {
    fn folds(&self, n_samples: usize, y: &Y) -> Result<Vec<Fold>> {
        let owner = "RepeatedStratifiedKFold";
        let classes = classes_of(y, n_samples)?;
        let fold = |rng| stratified_folds(owner, self.n_splits, &classes, Some(rng));
        repeat(owner, (self.n_splits, self.n_repeats), (self.seed, 6), n_samples, fold)
    }
}

/// The folds of all repetitions, each with a separate generator.
fn repeat(
    owner: &'static str,
    (n_splits, n_repeats): (usize, usize),
    (seed, stream): (u64, u64),
    n_samples: usize,
    fold: impl Fn(Rng) -> Result<Vec<Fold>>,
) -> Result<Vec<Fold>> {
    if n_repeats == 0 {
        return Err(Error::invalid_parameter(owner, "n_repeats", 0, "at least 1"));
    }
    check_memory(owner, n_splits.saturating_mul(n_repeats), n_samples)?;
    let mut folds = Vec::new();
    for number in 0..n_repeats {
        folds.extend(fold(Rng::new(seed, Purpose::Split, stream << 32 | number as u64))?);
    }
    Ok(folds)
}
