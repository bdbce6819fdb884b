use super::ClassLabels;
use super::fold::{Fold, Splitter, check_folds};
use crate::error::{Error, Result};
use crate::rng::{Purpose, Rng};
use crate::validate;
use serde::{Deserialize, Serialize};

/// Cuts into parts that each have the classes in the proportions of the whole.
///
/// The classes are those of the targets: [`cross_val_score`](super::cross_val_score) and the searches pass their `y`.
///
/// # Parameters
/// * `n_splits`: how many parts, at least 2.
/// * `shuffle`: the seed of a random order within each class. Default: the order of the rows.
///
/// # Errors
/// `n_splits` below 2 or above the size of the largest class, labels for another number of samples, NaN among labels.
///
/// # Examples
/// ```
/// use axonal::model_selection::{Splitter, StratifiedKFold};
///
/// let labels = ["cat", "cat", "cat", "cat", "dog", "dog"];
/// for fold in StratifiedKFold::new(2).folds(6, &labels)? {
///     assert_eq!(fold.test.iter().filter(|row| labels[**row] == "dog").count(), 1);
/// }
/// # Ok::<(), axonal::Error>(())
/// ```
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct StratifiedKFold {
    n_splits: usize,
    seed: Option<u64>,
}

impl StratifiedKFold {
    /// `n_splits` parts, dealt out class by class in the order of the rows.
    #[must_use]
    pub fn new(n_splits: usize) -> Self {
        Self { n_splits, seed: None }
    }

    /// Deals each class's samples out in a random order.
    #[must_use]
    pub fn shuffle(mut self, seed: u64) -> Self {
        self.seed = Some(seed);
        self
    }
}

/// The classes as numbers, in the order in which they first occur.
pub(super) fn number_classes<L: Ord>(labels: impl IntoIterator<Item = L>) -> Vec<usize> {
    let mut numbers = std::collections::BTreeMap::new();
    labels
        .into_iter()
        .map(|label| {
            let next = numbers.len();
            *numbers.entry(label).or_insert(next)
        })
        .collect()
}

/// The rows of each class, in order.
pub(super) fn rows_by_class(classes: &[usize]) -> Vec<Vec<usize>> {
    let mut rows = vec![Vec::new(); classes.iter().max().map_or(0, |last| last + 1)];
    for (row, &class) in classes.iter().enumerate() {
        rows[class].push(row);
    }
    rows
}

impl<Y: ClassLabels + ?Sized> Splitter<&Y> for StratifiedKFold {
    fn folds(&self, n_samples: usize, y: &Y) -> Result<Vec<Fold>> {
        let rng = self.seed.map(|seed| Rng::new(seed, Purpose::Split, 2));
        stratified_folds("StratifiedKFold", self.n_splits, &classes_of(y, n_samples)?, rng)
    }
}

/// The class number of each sample; errors unless there is a label for each.
pub(super) fn classes_of(y: &(impl ClassLabels + ?Sized), n_samples: usize) -> Result<Vec<usize>> {
    let classes = y.class_numbers()?;
    validate::length("labels", classes.len(), n_samples)?;
    Ok(classes)
}

/// Stratified folds, in the order of the rows or, with a generator, in a random order within each class.
pub(super) fn stratified_folds(
    owner: &'static str,
    n_splits: usize,
    classes: &[usize],
    mut rng: Option<Rng>,
) -> Result<Vec<Fold>> {
    let n_samples = classes.len();
    check_folds(owner, n_splits, n_samples)?;
    let rows_by_class = rows_by_class(classes);
    let largest = rows_by_class.iter().map(Vec::len).max().unwrap_or(0);
    if largest < n_splits {
        let expected = format!("at most {largest}, the size of the largest class");
        return Err(Error::invalid_parameter(owner, "n_splits", n_splits, expected));
    }

    let (mut part, mut dealt) = (vec![0; n_samples], 0);
    for rows in rows_by_class {
        // Continuing where the class before ended keeps the parts' sizes within one of each other.
        let mut parts: Vec<usize> = (0..rows.len()).map(|row| (dealt + row) % n_splits).collect();
        dealt += rows.len();
        match &mut rng {
            Some(rng) => rng.shuffle(&mut parts),
            None => parts.sort_unstable(),
        }
        rows.into_iter().zip(parts).for_each(|(row, number)| part[row] = number);
    }
    Ok((0..n_splits).map(|number| Fold::partition(n_samples, |row| part[row] == number)).collect())
}
