//! The best recall at a given specificity.

use super::auc::{above_thresholds, bounded, check_thresholds, count_by_threshold, read_thresholds, share};
use super::{Direction, Metric, MetricBatch, mean_metric::needs_values};
use crate::error::{Error, Result};
use crate::float::Float;
use crate::nn::layer::{Config, Shape};
use crate::nn::targets::{TargetRange, TargetView};
use serde::{Deserialize, Serialize};

/// The largest recall among the thresholds at which at least a given share of the no's is answered no.
///
/// # Parameters
/// `specificity`: that share. `num_thresholds` (200; 2 to 1,048,576).
///
/// # Examples
/// ```
/// use axonal::metrics::{Metric, SensitivityAtSpecificity};
/// assert_eq!(Metric::<f32>::name(&SensitivityAtSpecificity::new(0.9)), "sensitivity_at_specificity");
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SensitivityAtSpecificity {
    specificity: f64,
    #[serde(deserialize_with = "read_thresholds")]
    num_thresholds: usize,
}

impl SensitivityAtSpecificity {
    /// At this share of right no's.
    #[must_use]
    pub fn new(specificity: f64) -> Self {
        Self { specificity, num_thresholds: 200 }
    }

    /// How many thresholds there are, from 2 to 1,048,576.
    #[must_use]
    pub fn num_thresholds(mut self, num_thresholds: usize) -> Self {
        self.num_thresholds = num_thresholds;
        self
    }
}

impl<F: Float> Metric<F> for SensitivityAtSpecificity {
    crate::float::precompiled::into_arc!(SensitivityAtSpecificity: Metric<F>);

    fn kind(&self) -> &'static str {
        "sensitivity_at_specificity"
    }

    fn totals(&self, _: &Shape) -> usize {
        2 * bounded(self.num_thresholds)
    }

    fn target_range(&self) -> TargetRange {
        TargetRange::UnitIntervalOrSigns
    }

    fn validate(&self, _: &Shape, targets: TargetView<'_, F>) -> Result<()> {
        let owner = "sensitivity_at_specificity";
        if !(0.0..=1.0).contains(&self.specificity) {
            let expected = "0 <= specificity <= 1";
            return Err(Error::invalid_parameter(owner, "specificity", self.specificity, expected));
        }
        check_thresholds(owner, self.num_thresholds)?;
        needs_values(owner, targets)
    }

    fn update(&self, batch: MetricBatch<'_, F>, totals: &mut [f64]) {
        count_by_threshold(batch, self.num_thresholds, totals);
    }

    fn value(&self, totals: &[f64]) -> f64 {
        let (tp, fp) = above_thresholds(totals);
        let (Some(&yes), Some(&no)) = (tp.first(), fp.first()) else { return 0.0 };
        let feasible = tp.iter().zip(&fp).filter(|&(_, &fp)| share(no - fp, no) >= self.specificity);
        feasible.map(|(&tp, _)| share(tp, yes)).fold(0.0, f64::max)
    }

    fn direction(&self) -> Direction {
        Direction::Up
    }

    fn config(&self) -> Option<Config> {
        Config::of(self)
    }
}
