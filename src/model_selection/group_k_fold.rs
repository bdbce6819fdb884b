use super::fold::{Fold, Splitter, check_memory};
use crate::error::{Error, Result};
use crate::rng::{Purpose, Rng};
use crate::validate;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// Cuts into parts of whole groups: no group is in a training and in a test part.
///
/// Groups are dealt out by size, the largest first, each to the part that has the fewest samples. With `shuffle`, groups are
/// dealt out in random order instead, and the parts have equal numbers of groups, ±1.
///
/// # Parameters
/// * `n_splits`: how many parts, at least 2 and at most the number of groups.
/// * `groups`: the group of every sample, of any type with an order.
/// * `shuffle`: the seed of a random order of the groups. Default: by size.
///
/// # Errors
/// `n_splits` below 2 or above the number of groups, or groups for another number of samples.
///
/// # Examples
/// ```
/// use axonal::model_selection::{Fold, GroupKFold, Splitter};
///
/// let patients = ["a", "a", "b", "b", "c"];
/// let folds = GroupKFold::new(2, patients).folds(5, ())?;
/// assert_eq!(folds, [Fold::new([0, 1], [2, 3, 4]), Fold::new([2, 3, 4], [0, 1])]);
/// # Ok::<(), axonal::Error>(())
/// ```
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct GroupKFold {
    n_splits: usize,
    #[serde(deserialize_with = "numbered")]
    groups: Vec<usize>,
    seed: Option<u64>,
}

impl GroupKFold {
    /// `n_splits` parts of whole groups, balanced by their numbers of samples.
    #[must_use]
    pub fn new<G: Ord>(n_splits: usize, groups: impl IntoIterator<Item = G>) -> Self {
        Self { n_splits, groups: ranks(groups), seed: None }
    }

    /// Deals the groups out in a random order.
    #[must_use]
    pub fn shuffle(mut self, seed: u64) -> Self {
        self.seed = Some(seed);
        self
    }
}

/// Groups read from data, numbered as `new` numbers them.
fn numbered<'de, D: serde::Deserializer<'de>>(deserializer: D) -> std::result::Result<Vec<usize>, D::Error> {
    Vec::<usize>::deserialize(deserializer).map(ranks)
}

/// Each value's place among the distinct values in ascending order.
fn ranks<G: Ord>(groups: impl IntoIterator<Item = G>) -> Vec<usize> {
    let groups: Vec<G> = groups.into_iter().collect();
    let mut numbers: BTreeMap<&G, usize> = groups.iter().map(|group| (group, 0)).collect();
    numbers.values_mut().enumerate().for_each(|(rank, number)| *number = rank);
    groups.iter().map(|group| numbers.get(group).copied().unwrap_or_default()).collect()
}

impl<Y> Splitter<Y> for GroupKFold {
    fn folds(&self, n_samples: usize, _: Y) -> Result<Vec<Fold>> {
        let owner = "GroupKFold";
        validate::length("groups", self.groups.len(), n_samples)?;
        let n_groups = self.groups.iter().max().map_or(0, |last| last + 1);
        if self.n_splits < 2 {
            return Err(Error::invalid_parameter(owner, "n_splits", self.n_splits, "at least 2"));
        }
        if self.n_splits > n_groups {
            let expected = format!("at most {n_groups}, the number of groups");
            return Err(Error::invalid_parameter(owner, "n_splits", self.n_splits, expected));
        }
        check_memory(owner, self.n_splits, n_samples)?;
        let part = match self.seed {
            Some(seed) => self.shuffled_parts(n_groups, seed),
            None => self.balanced_parts(n_groups),
        };
        let fold = |number| Fold::partition(n_samples, |row| part[self.groups[row]] == number);
        Ok((0..self.n_splits).map(fold).collect())
    }
}

impl GroupKFold {
    /// The part of each group: the largest group first, each to the part with the fewest samples.
    fn balanced_parts(&self, n_groups: usize) -> Vec<usize> {
        let mut sizes = vec![0_usize; n_groups];
        self.groups.iter().for_each(|&group| sizes[group] += 1);
        let mut by_size: Vec<usize> = (0..n_groups).collect();
        // Of equal sizes the last group comes first, as in scikit-learn.
        by_size.sort_by_key(|&group| (sizes[group], group));
        let (mut samples, mut part) = (vec![0_usize; self.n_splits], vec![0; n_groups]);
        for group in by_size.into_iter().rev() {
            let lightest = (0..self.n_splits).min_by_key(|&number| samples[number]).unwrap_or_default();
            samples[lightest] += sizes[group];
            part[group] = lightest;
        }
        part
    }

    /// The part of each group: consecutive groups in random order, the first parts with one group more.
    fn shuffled_parts(&self, n_groups: usize, seed: u64) -> Vec<usize> {
        let mut groups = Rng::new(seed, Purpose::Split, 4).permutation(n_groups).into_iter();
        let mut part = vec![0; n_groups];
        for number in 0..self.n_splits {
            let len = n_groups / self.n_splits + usize::from(number < n_groups % self.n_splits);
            groups.by_ref().take(len).for_each(|group| part[group] = number);
        }
        part
    }
}
