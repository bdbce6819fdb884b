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
/// let folds = KFold::new(2).folds(5, ())?;
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

impl<Y> Splitter<Y> for KFold {
    fn folds(&self, n_samples: usize, _: Y) -> Result<Vec<Fold>> {
        check_folds("KFold", self.n_splits, n_samples)?;
        Ok(match self.seed {
            Some(seed) => shuffled(self.n_splits, n_samples, Rng::new(seed, Purpose::Split, 1)),
            None => in_order(self.n_splits, 0..n_samples),
        })
    }
}

/// Folds of samples in random order.
pub(super) fn shuffled(n_splits: usize, n_samples: usize, mut rng: Rng) -> Vec<Fold> {
    in_order(n_splits, rng.permutation(n_samples).into_iter())
}

/// Folds of consecutive samples in this order.
fn in_order(n_splits: usize, mut rows: impl ExactSizeIterator<Item = usize>) -> Vec<Fold> {
    let n_samples = rows.len();
    let mut part = vec![0; n_samples];
    for number in 0..n_splits {
        let len = n_samples / n_splits + usize::from(number < n_samples % n_splits);
        rows.by_ref().take(len).for_each(|row| part[row] = number);
    }
    (0..n_splits).map(|number| Fold::partition(n_samples, |row| part[row] == number)).collect()
}
