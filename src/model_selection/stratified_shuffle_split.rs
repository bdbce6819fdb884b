use super::ClassLabels;
use super::fold::{Fold, Splitter, check_memory};
use super::split::{Size, counts, stratified};
use super::stratified::classes_of;
use crate::error::{Error, Result};
use crate::rng::{Purpose, Rng};
use serde::{Deserialize, Serialize};

/// Independent random cuts in which both parts have the classes in the proportions of the whole.
///
/// # Parameters
/// * `n_splits`: how many cuts, at least 1. scikit-learn's default: 10.
/// * `test_size`: the share for testing (rounded up). Default: a tenth, or what `train_size` leaves.
/// * `train_size`: the share for training (rounded down). Default: what is left.
/// * `seed`: which random draws. Default: 0.
///
/// # Errors
/// Parameters outside their ranges, a class of one sample, fewer samples in a part than classes, labels for another number
/// of samples.
///
/// # Examples
/// ```
/// use axonal::model_selection::{Splitter, StratifiedShuffleSplit};
///
/// let labels = [0, 0, 0, 0, 0, 0, 1, 1, 1, 1, 1, 1];
/// for fold in StratifiedShuffleSplit::new(3).test_size(0.5).folds(12, &labels)? {
///     assert_eq!(fold.test.iter().filter(|row| labels[**row] == 1).count(), 3);
/// }
/// # Ok::<(), axonal::Error>(())
/// ```
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct StratifiedShuffleSplit {
    n_splits: usize,
    test: Option<Size>,
    train: Option<Size>,
    seed: u64,
}

impl Default for StratifiedShuffleSplit {
    fn default() -> Self {
        Self::new(10)
    }
}

impl StratifiedShuffleSplit {
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

impl<Y: ClassLabels + ?Sized> Splitter<&Y> for StratifiedShuffleSplit {
    fn folds(&self, n_samples: usize, y: &Y) -> Result<Vec<Fold>> {
        let owner = "StratifiedShuffleSplit";
        if self.n_splits == 0 {
            return Err(Error::invalid_parameter(owner, "n_splits", 0, "at least 1"));
        }
        check_memory(owner, self.n_splits, n_samples)?;
        let (n_train, n_test) = counts(owner, self.train, self.test, 0.1, n_samples)?;
        let classes = classes_of(y, n_samples)?;
        let cut = |number: usize| {
            let rng = Rng::new(self.seed, Purpose::Split, 2 << 32 | number as u64);
            stratified((owner, "labels"), &classes, n_train, n_test, rng)
        };
        (0..self.n_splits).map(cut).collect()
    }
}
