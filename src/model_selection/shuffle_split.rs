use super::fold::{Fold, Splitter, check_memory};
use super::split::{Size, counts, random};
use crate::error::{Error, Result};
use crate::rng::{Purpose, Rng};
use serde::{Deserialize, Serialize};

/// Independent random cuts; unlike folds they may overlap.
///
/// # Parameters
/// * `n_splits`: how many cuts, at least 1.
/// * `test_size`: the share for testing (rounded up). Default: a tenth, or what `train_size` leaves.
/// * `train_size`: the share for training (rounded down). Default: what is left.
/// * `seed`: which random draws. Default: 0.
///
/// # Errors
/// Parameters outside their ranges, or a part that would be empty.
///
/// # Examples
/// ```
/// use axonal::model_selection::{ShuffleSplit, Splitter};
///
/// let folds = ShuffleSplit::new(3).test_size(0.25).seed(1).folds(8, ())?;
/// assert!(folds.iter().all(|fold| fold.train.len() == 6 && fold.test.len() == 2));
/// # Ok::<(), axonal::Error>(())
/// ```
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ShuffleSplit {
    n_splits: usize,
    test: Option<Size>,
    train: Option<Size>,
    seed: u64,
}

impl ShuffleSplit {
    /// `n_splits` cuts with a tenth for testing.
    #[must_use]
    pub fn new(n_splits: usize) -> Self {
        Self { n_splits, test: None, train: None, seed: 0 }
    }

    /// The share of the samples for testing, above 0 and below 1.
    #[must_use]
    pub fn test_size(mut self, share: f64) -> Self {
        self.test = Some(Size::Share(share));
        self
    }

    /// The share of the samples for training, above 0 and below 1.
    #[must_use]
    pub fn train_size(mut self, share: f64) -> Self {
        self.train = Some(Size::Share(share));
        self
    }

    /// Which random draws.
    #[must_use]
    pub fn seed(mut self, seed: u64) -> Self {
        self.seed = seed;
        self
    }
}

impl<Y> Splitter<Y> for ShuffleSplit {
    fn folds(&self, n_samples: usize, _: Y) -> Result<Vec<Fold>> {
        if self.n_splits == 0 {
            return Err(Error::invalid_parameter("ShuffleSplit", "n_splits", 0, "at least 1"));
        }
        check_memory("ShuffleSplit", self.n_splits, n_samples)?;
        let (n_train, n_test) = counts("ShuffleSplit", self.train, self.test, 0.1, n_samples)?;
        let cut = |number: usize| {
            // The first stream of a seed is train_test_split's.
            let rng = Rng::new(self.seed, Purpose::Split, 1 << 32 | number as u64);
            random(n_samples, n_train, n_test, rng)
        };
        Ok((0..self.n_splits).map(cut).collect())
    }
}
