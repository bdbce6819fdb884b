use super::fold::{Fold, Splitter, check_folds};
use crate::error::{Error, Result};
use serde::{Deserialize, Serialize};

/// Cuts samples in the order of time: test parts follow one another to the end, each learns from what came before.
///
/// # Parameters
/// * `n_splits`: how many cuts, at least 2.
/// * `test_count`: samples in a test part. Default: n / (n_splits + 1), rounded down.
/// * `max_train_count`: learn from the latest samples alone. Default: from all before.
/// * `gap`: samples left out between the two parts. Default: 0.
///
/// # Errors
/// `n_splits` below 2, a `test_count` or `max_train_count` of 0, or too few samples to learn from before the first
/// test part.
///
/// # Examples
/// ```
/// use axonal::model_selection::{Fold, Splitter, TimeSeriesSplit};
///
/// let folds = TimeSeriesSplit::new(2).folds(6, ())?;
/// assert_eq!(folds, [Fold::new([0, 1], [2, 3]), Fold::new([0, 1, 2, 3], [4, 5])]);
/// # Ok::<(), axonal::Error>(())
/// ```
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TimeSeriesSplit {
    n_splits: usize,
    test_count: Option<usize>,
    max_train_count: Option<usize>,
    gap: usize,
}

impl TimeSeriesSplit {
    /// `n_splits` test parts of equal length at the end.
    #[must_use]
    pub fn new(n_splits: usize) -> Self {
        Self { n_splits, test_count: None, max_train_count: None, gap: 0 }
    }

    /// Samples in a test part.
    #[must_use]
    pub fn test_count(mut self, count: usize) -> Self {
        self.test_count = Some(count);
        self
    }

    /// The most samples to learn from.
    #[must_use]
    pub fn max_train_count(mut self, count: usize) -> Self {
        self.max_train_count = Some(count);
        self
    }

    /// Samples left out between the two parts.
    #[must_use]
    pub fn gap(mut self, gap: usize) -> Self {
        self.gap = gap;
        self
    }
}

impl<Y> Splitter<Y> for TimeSeriesSplit {
    fn folds(&self, n_samples: usize, _: Y) -> Result<Vec<Fold>> {
        let owner = "TimeSeriesSplit";
        check_folds(owner, self.n_splits, n_samples)?;
        if n_samples == self.n_splits {
            let needed = n_samples + 1;
            return Err(Error::TooFewSamples { owner, n_samples, name: "n_splits + 1", needed });
        }
        let n_test = self.test_count.unwrap_or(n_samples / (self.n_splits + 1));
        for (name, count) in [("test_count", Some(n_test)), ("max_train_count", self.max_train_count)] {
            if count == Some(0) {
                return Err(Error::invalid_parameter(owner, name, 0, "at least 1"));
            }
        }
        let tested = self.n_splits.checked_mul(n_test);
        let used = tested.and_then(|tested| tested.checked_add(self.gap)).filter(|&used| used < n_samples);
        let (Some(tested), Some(_)) = (tested, used) else {
            let got = format!("n_splits {} * test_count {n_test} + gap {}", self.n_splits, self.gap);
            let expected = format!("fewer than the {n_samples} samples");
            return Err(Error::invalid_parameter(owner, "n_splits", got, expected));
        };
        let cut = |number: usize| {
            let start = n_samples - tested + number * n_test;
            let train_end = start - self.gap;
            let train_start = self.max_train_count.map_or(0, |most| train_end.saturating_sub(most));
            Fold { train: (train_start..train_end).collect(), test: (start..start + n_test).collect() }
        };
        Ok((0..self.n_splits).map(cut).collect())
    }
}
