//! Metrics by name, under another name, with weights.

use super::{Direction, KINDS, LossMetric, Metric, MetricBatch, forward_metric, from_config};
use crate::error::{Error, Result};
use crate::float::Float;
use crate::nn::layer::{Config, Shape};
use crate::nn::loss::{AnyLoss, CosineSimilarity};
use crate::nn::targets::{TargetRange, TargetView};
use serde::{Deserialize, Serialize};
use std::str::FromStr;
use std::sync::Arc;

/// A metric that is known at run time only, as a configuration names it.
///
/// From Keras's names in any case, or the name of any loss; logs have it under the name that was given, as in Keras.
///
/// # Errors
/// An unknown name; the error lists the known ones.
///
/// # Examples
/// ```
/// use axonal::metrics::AnyMetric;
/// use axonal::prelude::*;
///
/// let metric: AnyMetric<f32> = "mae".parse()?;
/// assert_eq!((metric.kind(), metric.name()), ("mean_absolute_error", "mae".to_string()));
/// # Ok::<(), Error>(())
/// ```
#[derive(Clone)]
pub struct AnyMetric<F> {
    metric: Arc<dyn Metric<F>>,
    name: Option<String>,
    weighted: bool,
}

impl<F: Float> AnyMetric<F> {
    /// Any metric without its type.
    pub fn new(metric: impl Metric<F> + 'static) -> Self {
        Self { metric: metric.into_arc(), name: None, weighted: false }
    }

    /// Under another name in logs.
    #[must_use]
    pub fn named(mut self, name: impl Into<String>) -> Self {
        self.name = Some(name.into());
        self
    }

    /// Weighs samples by their sample weights, as Keras's `weighted_metrics` do.
    #[must_use]
    pub fn weighted(mut self) -> Self {
        self.weighted = true;
        self
    }
}

/// Keras's short names.
const SHORT: [(&str, &str); 5] = [
    ("acc", "accuracy"),
    ("mse", "mean_squared_error"),
    ("mae", "mean_absolute_error"),
    ("rmse", "root_mean_squared_error"),
    ("f1", "f1_score"),
];

impl<F: Float> FromStr for AnyMetric<F> {
    type Err = Error;

    fn from_str(name: &str) -> Result<Self> {
        let lower = name.to_ascii_lowercase();
        if lower == "cosine_similarity" {
            return Ok(Self::new(LossMetric::new(CosineSimilarity::default()).negated()).named(name));
        }
        let kind = SHORT.iter().find(|(short, _)| *short == lower).map_or(&*lower, |(_, kind)| kind);
        if !WRAPPERS.contains(&kind)
            && let Some(metric) = from_config(kind, &Config::from_json("{}"))
        {
            return Ok(Self { metric: metric?, name: Some(name.into()), weighted: false });
        }
        match kind.parse::<AnyLoss<F>>() {
            Ok(loss) => Ok(Self::new(LossMetric::new(loss)).named(name)),
            Err(_) => {
                let own = KINDS.iter().copied().filter(|kind| !WRAPPERS.contains(kind));
                let known = own.chain(SHORT.map(|(short, _)| short)).chain(["the name of a loss"]);
                Err(Error::unknown_name("metric", name, known))
            }
        }
    }
}

impl<F: Float> Metric<F> for AnyMetric<F> {
    crate::float::precompiled::into_arc!(AnyMetric<F>: Metric<F>);

    forward_metric!(|outer| outer.metric);

    fn name(&self) -> String {
        self.name.clone().unwrap_or_else(|| self.metric.name())
    }

    fn weighted(&self) -> bool {
        self.weighted || self.metric.weighted()
    }

    fn alias(&self) -> Option<Alias> {
        let alias = Alias { name: self.name(), weighted: Metric::weighted(self) };
        let own = Alias { name: self.metric.name(), weighted: self.metric.weighted() };
        if alias == own { self.metric.alias() } else { Some(alias) }
    }
}

/// As the one within, which a file compares by its text; the alias is saved beside it.
impl<F> std::fmt::Debug for AnyMetric<F> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        std::fmt::Debug::fmt(&self.metric, f)
    }
}

/// What an [`AnyMetric`] adds to the metric within.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Alias {
    name: String,
    weighted: bool,
}

/// What a file keeps of a metric under an alias.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Aliased {
    kind: String,
    config: String,
    name: String,
    weighted: bool,
}

/// The kind of metrics under an alias.
pub(crate) const ALIASED: &str = "named";

/// The kinds that have another metric or a loss within.
const WRAPPERS: [&str; 2] = ["loss", ALIASED];

impl Alias {
    /// The configuration of a metric of this kind and configuration under the alias.
    pub(crate) fn config(self, kind: &str, config: &Config) -> Option<Config> {
        let Self { name, weighted } = self;
        Config::of(&Aliased { kind: kind.into(), config: config.as_json().into(), name, weighted })
    }
}

/// The metric under its alias, made by `make` from the kind and the configuration within.
pub(crate) fn aliased<F: Float>(
    config: &Config,
    make: impl FnOnce(&str, &Config) -> Result<Arc<dyn Metric<F>>>,
) -> Result<Arc<dyn Metric<F>>> {
    let Aliased { kind, config, name, weighted } = config.read(ALIASED)?;
    if kind == ALIASED {
        let expected = "the kind of the metric that has the name";
        return Err(Error::invalid_parameter(ALIASED, "kind", format!("{kind:?}"), expected));
    }
    let metric = make(&kind, &Config::from_json(config))?;
    Ok(Arc::new(AnyMetric { metric, name: Some(name), weighted }))
}
