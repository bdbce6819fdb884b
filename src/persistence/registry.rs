//! The kinds that a file may name: those of this crate, and those that the caller has registered.

use super::Checked;
use super::limits::{Limits, MemoryBudget, lists_of};
use crate::error::{Error, LoadErrorKind, Result, excerpt};
use crate::float::Float;
use crate::nn::layer::{Config, Layer};
use crate::nn::layers;
use crate::nn::loss::{self, Loss};
use crate::nn::metric::{self, Metric};
use crate::nn::node::Merge;
use crate::nn::optimizer::{self, UpdateRule};
use serde::de::DeserializeOwned;
use std::cell::Cell;
use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;

type Make<T> = fn(&str, &Config) -> Result<Arc<T>>;

/// The bytes of the counters and the pointer of what is shared.
const SHARED: u64 = 32;

/// What a layer inside another one takes for a moment: its plan, and its place in the lists of the outer one, stand
/// twice while these grow.
const INNER_LAYER: u64 = 1500;

/// What layers inside layers keep to.
#[derive(Debug)]
pub(super) struct Within<'a> {
    deepest: usize,
    budget: &'a MemoryBudget,
    /// How many there are so far.
    inner: Cell<u64>,
}

impl<'a> Within<'a> {
    pub(super) fn new(deepest: usize, budget: &'a MemoryBudget) -> Self {
        Self { deepest, budget, inner: Cell::new(0) }
    }

    /// Counts one more layer inside another one.
    fn count(&self) -> Checked<()> {
        self.inner.set(self.inner.get() + 1);
        self.budget.check(INNER_LAYER * self.inner.get())
    }
}

/// The layers, losses, metrics and optimizers of other crates that a file may name.
///
/// There is no global table: what a file can make is what the caller hands to `load_with`. Kinds of this crate cannot
/// be replaced, and others carry a namespace (`"mycrate.swish"`); what breaks these rules is refused by the load.
///
/// # Examples
/// ```
/// use axonal::custom::Registry;
/// use axonal::custom::{Backward, Config, Forward, Plan, Shape};
/// use axonal::prelude::*;
///
/// /// Adds a number.
/// #[derive(Debug, serde::Serialize, serde::Deserialize)]
/// struct Shift {
///     by: f64,
/// }
///
/// impl<F: Float> Layer<F> for Shift {
///     fn kind(&self) -> &'static str {
///         "example.shift"
///     }
///     fn plan(&self, input: &Shape) -> Result<Plan> {
///         Ok(Plan::output(input.clone()))
///     }
///     fn forward(&self, Forward { x, mut y, .. }: Forward<'_, F>) {
///         y.assign(&x.mapv(|x| x + F::of(self.by)));
///     }
///     fn backward(&self, Backward { dy, mut dx, .. }: Backward<'_, F>) {
///         dx.assign(&dy);
///     }
///     fn config(&self) -> Option<Config> {
///         Config::of(self)
///     }
/// }
///
/// # fn main() -> Result<()> {
/// let model: Model<f32> =
///     Sequential::new(2).add(Shift { by: 0.5 }).compile(Adam::default(), MeanSquaredError::default())?;
/// let bytes = model.to_bytes()?;
/// assert!(Model::<f32>::from_bytes(&bytes).unwrap_err().to_string().contains("example.shift"));
/// let registry = Registry::new().layer::<Shift>("example.shift");
/// assert!(Model::<f32>::from_bytes_with(&bytes, &registry).is_ok());
/// # Ok(())
/// # }
/// ```
pub struct Registry<F> {
    layers: BTreeMap<String, Make<dyn Layer<F>>>,
    merges: BTreeMap<String, Make<dyn Merge<F>>>,
    losses: BTreeMap<String, Make<dyn Loss<F>>>,
    metrics: BTreeMap<String, Make<dyn Metric<F>>>,
    optimizers: BTreeMap<String, Make<dyn UpdateRule<F>>>,
    /// The first registration that cannot be: what, kind, why.
    problem: Option<(&'static str, String, &'static str)>,
}

impl<F: Float> Registry<F> {
    /// No kinds but those of this crate.
    #[must_use]
    pub fn new() -> Self {
        Self {
            layers: BTreeMap::new(),
            merges: BTreeMap::new(),
            losses: BTreeMap::new(),
            metrics: BTreeMap::new(),
            optimizers: BTreeMap::new(),
            problem: None,
        }
    }

    /// Adds a layer under what its [`Layer::kind`] says.
    #[must_use]
    pub fn layer<L: Layer<F> + DeserializeOwned + 'static>(mut self, kind: &str) -> Self {
        self.check("layer", kind, layers::KINDS, self.layers.contains_key(kind));
        self.layers.insert(kind.into(), |kind, config| Ok(Arc::new(config.read::<L>(kind)?)));
        self
    }

    /// Adds a merge layer under what its [`Merge::kind`] says.
    #[must_use]
    pub fn merge<L: Merge<F> + DeserializeOwned + 'static>(mut self, kind: &str) -> Self {
        self.check("merge layer", kind, layers::MERGE_KINDS, self.merges.contains_key(kind));
        self.merges.insert(kind.into(), |kind, config| Ok(Arc::new(config.read::<L>(kind)?)));
        self
    }

    /// Adds a loss under what its [`Loss::kind`] says.
    #[must_use]
    pub fn loss<L: Loss<F> + DeserializeOwned + 'static>(mut self, kind: &str) -> Self {
        self.check("loss", kind, loss::KINDS, self.losses.contains_key(kind));
        self.losses.insert(kind.into(), |kind, config| Ok(Arc::new(config.read::<L>(kind)?)));
        self
    }

    /// Adds a metric under what its [`Metric::kind`] says.
    #[must_use]
    pub fn metric<M: Metric<F> + DeserializeOwned + 'static>(mut self, kind: &str) -> Self {
        self.check("metric", kind, metric::KINDS, self.metrics.contains_key(kind));
        self.metrics.insert(kind.into(), |kind, config| Ok(Arc::new(config.read::<M>(kind)?)));
        self
    }

    /// Adds an optimizer's rule under what its [`UpdateRule::kind`] says.
    #[must_use]
    pub fn optimizer<R: UpdateRule<F> + DeserializeOwned + 'static>(mut self, kind: &str) -> Self {
        self.check("optimizer", kind, optimizer::KINDS, self.optimizers.contains_key(kind));
        self.optimizers.insert(kind.into(), |kind, config| Ok(Arc::new(config.read::<R>(kind)?)));
        self
    }

    fn check(&mut self, what: &'static str, kind: &str, built_in: &[&str], known: bool) {
        let problem = if built_in.contains(&kind) {
            "is a kind of this crate, which cannot be replaced"
        } else if !has_namespace(kind) {
            "lacks a namespace; name it as in \"mycrate.swish\""
        } else if known {
            "is registered twice"
        } else {
            return;
        };
        self.problem.get_or_insert((what, kind.into(), problem));
    }

    /// Refuses what was registered wrongly.
    pub(crate) fn validate(&self) -> Checked<()> {
        match self.problem.clone() {
            Some((what, kind, problem)) => Err(LoadErrorKind::Registration { what, kind, problem }),
            None => Ok(()),
        }
    }

    pub(crate) fn make_layer(
        &self,
        kind: &str,
        config: &Config,
        limits: &Limits,
        budget: &MemoryBudget,
    ) -> Checked<Arc<dyn Layer<F>>> {
        check_text(config, limits)?;
        budget.check(copies_of(config.as_json()))?;
        budget.take(lists_of(config.as_json()))?;
        // What is wrong deep inside is to be told as it is, through layers that know only `Error`.
        let within = Within::new(limits.max_depth, budget);
        self.layer_at(kind, config, 1, &within).map_err(|error| match error {
            Error::Load { problem, .. } => *problem,
            source => rejected(format!("layer {:?}", excerpt(kind)), source),
        })
    }

    /// A layer that stands `depth` deep.
    pub(super) fn layer_at(
        &self,
        kind: &str,
        config: &Config,
        depth: usize,
        within: &Within<'_>,
    ) -> Result<Arc<dyn Layer<F>>> {
        if depth > within.deepest {
            let what = "depth of layers inside layers".into();
            let (value, limit) = (depth as u64, within.deepest as u64);
            return Err(LoadErrorKind::Limit { what, value, limit }.in_file(""));
        }
        if depth > 1 {
            within.count().map_err(|problem| problem.in_file(""))?;
        }
        let inner = |kind: &str, config: &Config| self.layer_at(kind, config, depth + 1, within);
        let made = match layers::from_config(kind, config, &inner) {
            Some(made) => made?,
            None => find("layer", &self.layers, kind).map_err(|problem| problem.in_file(""))?(kind, config)?,
        };
        same_kind("layer", kind, made.kind()).map_err(|problem| problem.in_file(""))?;
        let bytes = SHARED + size_of_val(&*made) as u64;
        within.budget.take(bytes).map_err(|problem| problem.in_file(""))?;
        Ok(made)
    }

    pub(crate) fn make_merge(
        &self,
        kind: &str,
        config: &Config,
        limits: &Limits,
        budget: &MemoryBudget,
    ) -> Checked<Arc<dyn Merge<F>>> {
        check_text(config, limits)?;
        budget.check(copies_of(config.as_json()))?;
        budget.take(lists_of(config.as_json()))?;
        let made = match layers::merge_from_config(kind, config) {
            Some(made) => made,
            None => find("merge layer", &self.merges, kind)?(kind, config),
        };
        let made = made.map_err(|source| rejected(format!("merge layer {:?}", excerpt(kind)), source))?;
        same_kind("merge layer", kind, made.kind())?;
        budget.take(SHARED + size_of_val(&*made) as u64)?;
        Ok(made)
    }

    pub(crate) fn make_loss(
        &self,
        kind: &str,
        config: &Config,
        limits: &Limits,
    ) -> Checked<Arc<dyn Loss<F>>> {
        check_text(config, limits)?;
        let made = match loss::from_config(kind, config) {
            Some(made) => made,
            None => find("loss", &self.losses, kind)?(kind, config),
        };
        let made = made.map_err(|source| rejected("loss", source))?;
        same_kind("loss", kind, made.kind())?;
        Ok(made)
    }

    pub(crate) fn make_metric(
        &self,
        kind: &str,
        config: &Config,
        limits: &Limits,
        budget: &MemoryBudget,
    ) -> Checked<Arc<dyn Metric<F>>> {
        check_text(config, limits)?;
        budget.check(copies_of(config.as_json()))?;
        budget.take(lists_of(config.as_json()))?;
        let made = self.metric_at(kind, config)?;
        budget.take(2 * SHARED + size_of_val(&*made) as u64)?;
        Ok(made)
    }

    fn metric_at(&self, kind: &str, config: &Config) -> Checked<Arc<dyn Metric<F>>> {
        if kind != metric::ALIASED {
            return self.metric_of(kind, config);
        }
        // What is wrong within is to be told as it is.
        metric::aliased(config, |kind, config| {
            self.metric_of(kind, config).map_err(|problem| problem.in_file(""))
        })
        .map_err(|error| match error {
            Error::Load { problem, .. } => *problem,
            source => rejected("metric", source),
        })
    }

    fn metric_of(&self, kind: &str, config: &Config) -> Checked<Arc<dyn Metric<F>>> {
        let made = match metric::from_config(kind, config) {
            Some(made) => made,
            None => find("metric", &self.metrics, kind)?(kind, config),
        };
        let made = made.map_err(|source| rejected("metric", source))?;
        same_kind("metric", kind, made.kind())?;
        Ok(made)
    }

    pub(crate) fn make_optimizer(
        &self,
        kind: &str,
        config: &Config,
        limits: &Limits,
    ) -> Checked<Arc<dyn UpdateRule<F>>> {
        check_text(config, limits)?;
        let made = match optimizer::from_config(kind, config) {
            Some(made) => made,
            None => find("optimizer", &self.optimizers, kind)?(kind, config),
        };
        let made = made.map_err(|source| rejected("optimizer", source))?;
        same_kind("optimizer", kind, made.kind())?;
        made.validate().map_err(|source| rejected("optimizer", source))?;
        Ok(made)
    }
}

/// A kind that does not belong to this crate says whose it is.
pub(super) fn has_namespace(kind: &str) -> bool {
    kind.split_once('.').is_some_and(|(space, name)| !space.is_empty() && !name.is_empty())
}

fn find<'a, T: ?Sized>(
    what: &'static str,
    known: &'a BTreeMap<String, Make<T>>,
    kind: &str,
) -> Checked<&'a Make<T>> {
    known.get(kind).ok_or_else(|| LoadErrorKind::UnknownKind { what, kind: excerpt(kind) })
}

fn same_kind(what: &str, expected: &str, got: &str) -> Checked<()> {
    if expected == got {
        return Ok(());
    }
    let what = format!("{what} {:?}", excerpt(expected));
    let source =
        Error::invalid_parameter(what.clone(), "kind", format!("{got:?}"), "what it is registered under");
    Err(LoadErrorKind::Rejected { part: what, source: Box::new(source) })
}

pub(crate) fn rejected(part: impl Into<String>, mut source: Error) -> LoadErrorKind {
    // The parser quotes names of the file in full, and as they are.
    if let Error::Parse { expected, got, .. } = &mut source {
        *expected = expected.escape_debug().take(160).collect();
        got.retain(|c| !c.is_control());
        *got = got.chars().take(160).collect();
    }
    LoadErrorKind::Rejected { part: part.into(), source: Box::new(source) }
}

/// The deepest nesting of brackets in a configuration; the parser of JSON recurses as deep.
const MAX_BRACKETS: u64 = 100;

/// Refuses a configuration that is too long.
pub(super) fn bounded<'a>(text: &'a str, limits: &Limits) -> Checked<&'a str> {
    if text.len() <= limits.max_config_bytes {
        return Ok(text);
    }
    Err(LoadErrorKind::Limit {
        what: "bytes of one configuration".into(),
        value: text.len() as u64,
        limit: limits.max_config_bytes as u64,
    })
}

/// Refuses configurations that are too long or nested too deep, before anything recurses over them.
pub(super) fn check_text(config: &Config, limits: &Limits) -> Checked<()> {
    let text = bounded(config.as_json(), limits)?;
    check_brackets(text)?;
    // A layer inside a layer is copied out of the text around it, twice on every level, and a level takes at least
    // two brackets.
    let levels = deepest(text) / 2;
    let (value, limit) = ((text.len() as u64).saturating_mul(levels), limits.max_config_bytes as u64);
    if value <= limit {
        return Ok(());
    }
    let what = "bytes of one configuration, times its depth".into();
    Err(LoadErrorKind::Limit { what, value, limit })
}

/// What is made of a text for a moment: it itself, and of layers inside a layer their list and copies.
fn copies_of(text: &str) -> u64 {
    text.len() as u64 * if deepest(text) > 2 { 6 } else { 1 }
}

/// Refuses text that is nested too deep for a parser that recurses.
pub(crate) fn check_brackets(text: &str) -> Checked<()> {
    let value = deepest(text);
    if value <= MAX_BRACKETS {
        return Ok(());
    }
    let what = "depth of brackets in a configuration".into();
    Err(LoadErrorKind::Limit { what, value, limit: MAX_BRACKETS })
}

/// The most brackets around a place of the text, outside its strings.
fn deepest(text: &str) -> u64 {
    let (mut depth, mut deepest, mut in_string, mut escaped) = (0_u64, 0, false, false);
    for byte in text.bytes() {
        match byte {
            _ if escaped => escaped = false,
            b'\\' if in_string => escaped = true,
            b'"' => in_string = !in_string,
            b'[' | b'{' if !in_string => depth += 1,
            b']' | b'}' if !in_string => depth = depth.saturating_sub(1),
            _ => {}
        }
        deepest = depth.max(deepest);
    }
    deepest
}

impl<F: Float> Default for Registry<F> {
    fn default() -> Self {
        Self::new()
    }
}

impl<F> fmt::Debug for Registry<F> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Registry")
            .field("layers", &self.layers.keys())
            .field("merges", &self.merges.keys())
            .field("losses", &self.losses.keys())
            .field("metrics", &self.metrics.keys())
            .field("optimizers", &self.optimizers.keys())
            .finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A kind that a file has named once is read for ever: this table only grows.
    #[test]
    fn kinds_are_never_taken_away() {
        let released: [(&str, &[&str], &[&str]); 4] = [
            (
                "layers",
                layers::KINDS,
                &[
                    "activation",
                    "dense",
                    "dropout",
                    "flatten",
                    "reshape",
                    "re_lu",
                    "leaky_re_lu",
                    "p_re_lu",
                    "elu",
                    "softmax",
                    "batch_normalization",
                    "layer_normalization",
                    "rms_normalization",
                    "group_normalization",
                    "unit_normalization",
                    "normalization",
                    "rescaling",
                    "activity_regularization",
                    "alpha_dropout",
                    "gaussian_dropout",
                    "gaussian_noise",
                    "spatial_dropout1d",
                    "spatial_dropout2d",
                    "conv1d",
                    "conv2d",
                    "conv2d_transpose",
                    "depthwise_conv2d",
                    "separable_conv2d",
                    "max_pooling1d",
                    "max_pooling2d",
                    "average_pooling1d",
                    "average_pooling2d",
                    "global_max_pooling1d",
                    "global_max_pooling2d",
                    "global_average_pooling1d",
                    "global_average_pooling2d",
                    "embedding",
                    "permute",
                    "repeat_vector",
                    "zero_padding1d",
                    "zero_padding2d",
                    "cropping1d",
                    "cropping2d",
                    "up_sampling1d",
                    "up_sampling2d",
                ],
            ),
            (
                "loss",
                loss::KINDS,
                &[
                    "binary_crossentropy",
                    "categorical_crossentropy",
                    "mean_absolute_error",
                    "mean_squared_error",
                    "sparse_categorical_crossentropy",
                    "binary_focal_crossentropy",
                    "categorical_focal_crossentropy",
                    "categorical_hinge",
                    "cosine_similarity",
                    "dice",
                    "hinge",
                    "huber",
                    "kl_divergence",
                    "log_cosh",
                    "mean_absolute_percentage_error",
                    "mean_squared_logarithmic_error",
                    "poisson",
                    "squared_hinge",
                    "tversky",
                    "crossentropy",
                ],
            ),
            (
                "metric",
                metric::KINDS,
                &[
                    "accuracy",
                    "binary_accuracy",
                    "categorical_accuracy",
                    "mean_absolute_error",
                    "mean_squared_error",
                    "root_mean_squared_error",
                    "sparse_categorical_accuracy",
                    "auc",
                    "f1_score",
                    "false_negatives",
                    "false_positives",
                    "fbeta_score",
                    "loss",
                    "mean_io_u",
                    "sensitivity_at_specificity",
                    "precision",
                    "r2_score",
                    "recall",
                    "sparse_top_k_categorical_accuracy",
                    "top_k_categorical_accuracy",
                    "true_negatives",
                    "true_positives",
                    "named",
                ],
            ),
            (
                "optimizer",
                optimizer::KINDS,
                &[
                    "adam",
                    "rmsprop",
                    "sgd",
                    "adadelta",
                    "adafactor",
                    "adagrad",
                    "adamax",
                    "adamw",
                    "ftrl",
                    "lamb",
                    "lion",
                    "nadam",
                ],
            ),
        ];
        for (family, kinds, released) in released {
            for kind in released {
                assert!(kinds.contains(kind), "{family}: {kind} is gone; files name it");
            }
            let mut once = kinds.to_vec();
            once.sort_unstable();
            once.dedup();
            assert_eq!(once.len(), kinds.len(), "{family}: a kind stands twice");
            assert!(kinds.iter().all(|kind| !has_namespace(kind)));
        }
    }
}
