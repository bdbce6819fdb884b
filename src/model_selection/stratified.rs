use super::fold::{Fold, Splitter, check_folds};
use crate::error::{Error, Result};
use crate::rng::{Purpose, Rng};
use crate::validate;
use serde::{Deserialize, Serialize};

/// Cuts into parts that each have the classes in the proportions of the whole.
///
/// # Parameters
/// * `n_splits`: how many parts, at least 2.
/// * `labels`: the class of every sample, whatever `y` is cut along: numbers, names, anything with an order.
/// * `shuffle`: the seed of a random order within each class. Default: the order of the rows.
///
/// # Errors
/// `n_splits` below 2 or above the size of the largest class, or labels for another number of samples.
///
/// # Examples
/// ```
/// use axonal::model_selection::{Splitter, StratifiedKFold};
///
/// let labels = ["cat", "cat", "cat", "cat", "dog", "dog"];
/// for fold in StratifiedKFold::new(2, &labels).folds(6)? {
///     assert_eq!(fold.test.iter().filter(|row| labels[**row] == "dog").count(), 1);
/// }
/// # Ok::<(), axonal::Error>(())
/// ```
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct StratifiedKFold {
    n_splits: usize,
    #[serde(deserialize_with = "numbered")]
    classes: Vec<usize>,
    seed: Option<u64>,
}

impl StratifiedKFold {
    /// `n_splits` parts, dealt out class by class in the order of the rows.
    #[must_use]
    pub fn new<L: Ord>(n_splits: usize, labels: impl IntoIterator<Item = L>) -> Self {
        Self { n_splits, classes: number_classes(labels), seed: None }
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

/// Classes that came as data, numbered as `new` numbers them.
fn numbered<'de, D: serde::Deserializer<'de>>(deserializer: D) -> std::result::Result<Vec<usize>, D::Error> {
    Vec::<usize>::deserialize(deserializer).map(number_classes)
}

/// The rows of each class, in order.
pub(super) fn rows_by_class(classes: &[usize]) -> Vec<Vec<usize>> {
    let mut rows = vec![Vec::new(); classes.iter().max().map_or(0, |last| last + 1)];
    for (row, &class) in classes.iter().enumerate() {
        rows[class].push(row);
    }
    rows
}

impl Splitter for StratifiedKFold {
    fn folds(&self, n_samples: usize) -> Result<Vec<Fold>> {
        validate::length("labels", self.classes.len(), n_samples)?;
        check_folds("StratifiedKFold", self.n_splits, n_samples)?;
        let rows_by_class = rows_by_class(&self.classes);
        let largest = rows_by_class.iter().map(Vec::len).max().unwrap_or(0);
        if largest < self.n_splits {
            let expected = format!("at most {largest}, the size of the largest class");
            return Err(Error::invalid_parameter("StratifiedKFold", "n_splits", self.n_splits, expected));
        }

        let mut rng = self.seed.map(|seed| Rng::new(seed, Purpose::Split, 2));
        let (mut part, mut dealt) = (vec![0; n_samples], 0);
        for rows in rows_by_class {
            // Going on where the class before ended keeps the parts' sizes within one of each other.
            let mut parts: Vec<usize> = (0..rows.len()).map(|row| (dealt + row) % self.n_splits).collect();
            dealt += rows.len();
            match &mut rng {
                Some(rng) => rng.shuffle(&mut parts),
                None => parts.sort_unstable(),
            }
            rows.into_iter().zip(parts).for_each(|(row, number)| part[row] = number);
        }
        Ok((0..self.n_splits).map(|number| Fold::partition(n_samples, |row| part[row] == number)).collect())
    }
}
