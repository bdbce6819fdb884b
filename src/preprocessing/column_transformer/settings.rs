//! A column transformer as data, but for its steps.

use super::{ColumnTransformer, FittedColumns, Group, InputColumn, Remainder, Selection, Step};
use crate::error::{Error, Result};
use crate::estimator::AnyEstimator;
use crate::float::Float;
use serde::{Deserialize, Serialize};

/// A column transformer but for its steps, for files. Fields that earlier versions do not have are left out where they
/// say nothing.
#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct ColumnSettings {
    /// The columns of each group by number; none for a group that names its columns.
    columns: Vec<Vec<usize>>,
    remainder: Remainder,
    n_features: Option<usize>,
    /// The columns of each group by name; empty if no group names them.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    names: Vec<Option<Vec<String>>>,
    /// The number of steps of each group; empty for one step each.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    steps: Vec<usize>,
    /// The columns of the table that `fit` received.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    inputs: Vec<InputColumn>,
    /// The positions of each group's columns among the inputs; empty for those of `columns`.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    positions: Vec<Vec<usize>>,
}

impl ColumnSettings {
    /// The number of all steps.
    pub(crate) fn n_steps(&self) -> usize {
        if self.steps.is_empty() {
            return self.columns.len();
        }
        self.steps.iter().fold(0, |sum: usize, steps| sum.saturating_add(*steps))
    }

    /// Errors unless the lists fit together.
    fn check(&self, n_steps: usize) -> Result<()> {
        let n_groups = self.columns.len();
        let per_group = |len: usize| len == 0 || len == n_groups;
        let sound = per_group(self.names.len())
            && per_group(self.steps.len())
            && per_group(self.positions.len())
            && !self.steps.contains(&0)
            && self.n_steps() == n_steps
            && (self.n_features.is_some() || self.inputs.is_empty() && self.positions.is_empty())
            && (self.inputs.is_empty() || self.n_features == Some(self.inputs.len()));
        if sound {
            return Ok(());
        }
        let expected = "lists of columns, names and steps that fit together";
        Err(Error::invalid_parameter("ColumnTransformer", "settings", "other lists", expected))
    }
}

impl<F: Float> ColumnTransformer<F> {
    /// The settings, for files.
    pub(crate) fn settings(&self) -> ColumnSettings {
        let numbers = |group: &Group<F>| match &group.selection {
            Selection::Numbers(numbers) => numbers.clone(),
            Selection::Names(_) => Vec::new(),
        };
        let columns: Vec<Vec<usize>> = self.groups.iter().map(numbers).collect();
        let names = |group: &Group<F>| match &group.selection {
            Selection::Numbers(_) => None,
            Selection::Names(names) => Some(names.clone()),
        };
        let mut names: Vec<_> = self.groups.iter().map(names).collect();
        if names.iter().all(Option::is_none) {
            names.clear();
        }
        let mut steps: Vec<usize> = self.groups.iter().map(|group| group.steps.len()).collect();
        if steps.iter().all(|steps| *steps == 1) {
            steps.clear();
        }
        let fitted = self.fitted.as_ref();
        let positions =
            fitted.map(|fitted| fitted.positions.clone()).filter(|positions| *positions != columns);
        ColumnSettings {
            columns,
            remainder: self.remainder,
            n_features: fitted.map(|fitted| fitted.n_features),
            names,
            steps,
            inputs: fitted.map(|fitted| fitted.inputs.clone()).unwrap_or_default(),
            positions: positions.unwrap_or_default(),
        }
    }

    /// The steps, of whatever type.
    pub(crate) fn steps(&self) -> impl Iterator<Item = &dyn AnyEstimator> {
        self.groups.iter().flat_map(|group| group.steps.iter().map(Step::inside))
    }

    /// A transformer of these settings and as many steps as they say.
    pub(crate) fn of_settings(settings: ColumnSettings, steps: Vec<Step<F>>) -> Result<Self> {
        settings.check(steps.len())?;
        let ColumnSettings { columns, remainder, n_features, mut names, steps: counts, inputs, positions } =
            settings;
        let positions = if positions.is_empty() { columns.clone() } else { positions };
        let mut counts = counts.into_iter();
        let mut names = names.drain(..);
        let mut steps = steps.into_iter();
        let groups = columns.into_iter().map(|numbers| {
            let selection = match names.next().flatten() {
                Some(names) => Selection::Names(names),
                None => Selection::Numbers(numbers),
            };
            let n_steps = counts.next().unwrap_or(1);
            Group { selection, steps: steps.by_ref().take(n_steps).collect() }
        });
        let groups = groups.collect();
        let fitted = n_features.map(|n_features| FittedColumns { n_features, inputs, positions });
        let columns = Self { groups, remainder, fitted };
        if let Some(fitted) = &columns.fitted {
            columns.check_positions(&fitted.positions, fitted.n_features)?;
        }
        Ok(columns)
    }
}
