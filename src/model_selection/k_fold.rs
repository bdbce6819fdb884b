use super::fold::{Fold, Splitter, check_folds};
use crate::error::Result;
use crate::rng::{Purpose, Rng};
use serde::{Deserialize, Serialize};

/// Cuts into `n_splits` parts; each is the test part once.
///
/// The first n mod `n_splits` parts have one sample more. Without shuffling, parts are consecutive rows: for data
/// that are sorted by class, shuffle or take [`StratifiedKFold`](super::StratifiedKFold).
///
/// # Parameters
/// * `n_splits`: how many parts, at least 2.
/// * `shuffle`: the seed of a random order. Default: the order of the rows.
///
/// # Errors
/// `n_splits` below 2 or above the number of samples.
///
/// # Examples
/// ```
/// use axonal::model_selection::{Fold, KFold, Splitter};
///
/// let folds = KFold::new(2).folds(5)?;
/// assert_eq!(folds, [Fold::new([3, 4], [0, 1, 2]), Fold::new([0, 1, 2], [3, 4])]);
/// # Ok::<(), axonal::Error>(())
/// ```
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct KFold {
    n_splits: usize,
    seed: Option<u64>,
}

impl KFold {
    /// `n_splits` parts of consecutive rows.
    #[must_use]
    pub fn new(n_splits: usize) -> Self {
        Self { n_splits, seed: None }
    }

    /// Deals the samples out in a random order.
    #[must_use]
    pub fn shuffle(mut self, seed: u64) -> Self {
        self.seed = Some(seed);
        self
    }
}

impl Splitter for KFold {
    fn folds(&self, n_samples: usize) -> Result<Vec<Fold>> {
        check_folds("KFold", self.n_splits, n_samples)?;
        let order = match self.seed {
            Some(seed) => Rng::new(seed, Purpose::Split, 1).permutation(n_samples),
            None => (0..n_samples).collect(),
        };
        let mut part = vec![0; n_samples];
        let mut rows = order.into_iter();
        for number in 0..self.n_splits {
            let len = n_samples / self.n_splits + usize::from(number < n_samples % self.n_splits);
            rows.by_ref().take(len).for_each(|row| part[row] = number);
        }
        Ok((0..self.n_splits).map(|number| Fold::partition(n_samples, |row| part[row] == number)).collect())
    }
}
