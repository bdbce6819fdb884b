//! Layers, optimizers, losses and metrics from Keras's configurations: a string, or a class with arguments.
//!
//! What is not there yet is an error that names it; so is an argument that nothing reads.

use crate::parity::keras_layers;
use crate::parity::sparse_embedding_grads::{Observed, Occurrences, Unsummed};
use axonal::custom::RuleOptimizer;
use axonal::layers::Constraint;
use axonal::losses::{
    AnyLoss, BinaryFocalCrossentropy, CategoricalFocalCrossentropy, CategoricalHinge, CosineSimilarity, Dice,
    Hinge, KlDivergence, LogCosh, MeanAbsolutePercentageError, MeanSquaredLogarithmicError, Poisson,
    Reduction, SquaredHinge, Tversky,
};
use axonal::metrics::{
    AnyMetric, BinaryAccuracy, CategoricalAccuracy, Curve, FBeta, FalseNegatives, FalsePositives, LossMetric,
    MeanIou, R2Score, SensitivityAtSpecificity, SparseCategoricalAccuracy, SparseTopKCategoricalAccuracy,
    TopKCategoricalAccuracy, TrueNegatives, TruePositives,
};
use axonal::optimizers::{
    Adadelta, Adafactor, Adagrad, Adamax, AnyOptimizer, AnyRule, Ftrl, Lamb, Lion, Nadam,
};
use axonal::prelude::*;
use axonal::schedules::{
    CosineDecayRestarts, ExponentialDecay, InverseTimeDecay, LearningRate, PiecewiseConstantDecay,
    PolynomialDecay,
};
use serde_json::{Map, Value};
use std::cell::RefCell;
use std::collections::BTreeSet;

pub type Built<T> = std::result::Result<T, String>;

/// The arguments of a class; each is to be read.
pub struct Arguments<'a> {
    pub class: &'a str,
    values: &'a Map<String, Value>,
    read: RefCell<BTreeSet<&'a str>>,
}

impl<'a> Arguments<'a> {
    /// The class without its module, and its arguments; `None` for a string.
    pub fn of(value: &'a Value) -> Option<Self> {
        let values = value.as_object()?;
        let class = values.get("class")?.as_str()?;
        let class = class.rsplit('.').next()?;
        Some(Self { class, values, read: RefCell::new(["class", "name", "dtype"].into()) })
    }

    pub fn get(&self, key: &'a str) -> Option<&'a Value> {
        self.read.borrow_mut().insert(key);
        self.values.get(key).filter(|value| !value.is_null())
    }

    pub fn number(&self, key: &'a str) -> Option<f64> {
        self.get(key).map(|value| value.as_f64().unwrap_or_else(|| panic!("{key} is {value}")))
    }

    pub fn whole(&self, key: &'a str) -> Option<usize> {
        self.number(key).map(|value| value as usize)
    }

    pub fn flag(&self, key: &'a str) -> Option<bool> {
        self.get(key).and_then(Value::as_bool)
    }

    /// Whether there is no argument left that nothing has read.
    pub fn all_read<T>(&self, built: T) -> Built<T> {
        let read = self.read.borrow();
        match self.values.keys().find(|key| !read.contains(key.as_str())) {
            None => Ok(built),
            Some(key) => Err(format!("argument {key} of {}", self.class)),
        }
    }
}

fn parsed<T: std::str::FromStr<Err = Error>>(name: &str) -> Built<T> {
    name.parse().map_err(|error: Error| error.to_string())
}

/// Sets what the configuration names, and leaves the rest at its default.
macro_rules! set {
    ($recipe:expr, $arguments:expr, $($read:ident $key:ident)*) => {{
        let mut recipe = $recipe;
        $(if let Some(value) = $arguments.$read(stringify!($key)) {
            recipe = recipe.$key(value);
        })*
        recipe
    }};
}

/// The rule around which the moments take up an embedding's gradients before they are summed, if there are any.
fn unsummed(optimizer: AnyOptimizer<f64>, occurrences: Option<Occurrences>) -> AnyOptimizer<f64> {
    let Some(occurrences) = occurrences else { return optimizer };
    let decay = optimizer.modifiers().weight_decay;
    // The learning rate that all rules with such moments have by default.
    let around =
        RuleOptimizer::from_rule(Unsummed { rule: optimizer.rule().clone(), occurrences }, 0.001).any();
    match decay {
        Some(decay) => around.weight_decay(decay),
        None => around,
    }
}

pub fn optimizer(value: &Value, occurrences: Option<Occurrences>) -> Built<AnyOptimizer<f64>> {
    if let Some(name) = value.as_str() {
        return Ok(unsummed(parsed(name)?, occurrences));
    }
    let a = Arguments::of(value).ok_or_else(|| format!("optimizer {value}"))?;
    let optimizer: RuleOptimizer<AnyRule<f64>> = match a.class {
        "SGD" => set!(Sgd::default(), a, number momentum flag nesterov).any(),
        "Adam" => set!(Adam::default(), a, number beta_1 number beta_2 number epsilon flag amsgrad).any(),
        "AdamW" => set!(AdamW::default(), a, number beta_1 number beta_2 number epsilon flag amsgrad).any(),
        "Nadam" => set!(Nadam::default(), a, number beta_1 number beta_2 number epsilon).any(),
        "Adamax" => set!(Adamax::default(), a, number beta_1 number beta_2 number epsilon).any(),
        "RMSprop" => {
            set!(RmsProp::default(), a, number rho number momentum number epsilon flag centered).any()
        }
        "Adagrad" => set!(Adagrad::default(), a, number initial_accumulator_value number epsilon).any(),
        "Adadelta" => set!(Adadelta::default(), a, number rho number epsilon).any(),
        "Lion" => set!(Lion::default(), a, number beta_1 number beta_2).any(),
        "Ftrl" => set!(Ftrl::default(), a, number learning_rate_power number initial_accumulator_value
            number l1_regularization_strength number l2_regularization_strength
            number l2_shrinkage_regularization_strength number beta)
        .any(),
        "Lamb" => set!(Lamb::default(), a, number beta_1 number beta_2 number epsilon).any(),
        "Adafactor" => set!(Adafactor::default(), a, number beta_2_decay number epsilon_1 number epsilon_2
            number clip_threshold flag relative_step)
        .any(),
        class => return Err(format!("optimizer {class}")),
    };
    let clips_itself = occurrences.is_some();
    let optimizer = set!(unsummed(optimizer, occurrences), a, number weight_decay);
    let clipped = set!(optimizer.clone(), a, number clipnorm number global_clipnorm number clipvalue);
    let optimizer = if clips_itself { optimizer } else { clipped };
    let optimizer = match a.get("learning_rate") {
        Some(rate) => optimizer.learning_rate(learning_rate(rate)?),
        None => optimizer,
    };
    let (momentum, frequency) = (a.number("ema_momentum"), a.whole("ema_overwrite_frequency"));
    let optimizer = if a.flag("use_ema") == Some(true) {
        let averaged = optimizer.ema(momentum.unwrap_or(0.99));
        match frequency {
            Some(steps) => averaged.ema_overwrite_frequency(steps as u64),
            None => averaged,
        }
    } else {
        optimizer
    };
    let optimizer = match a.whole("gradient_accumulation_steps") {
        Some(steps) => optimizer.accumulate(steps as u64),
        None => optimizer,
    };
    a.all_read(optimizer)
}

fn learning_rate(value: &Value) -> Built<LearningRate> {
    if let Some(rate) = value.as_f64() {
        return Ok(rate.into());
    }
    let Some(values) = value.as_object() else { return Err(format!("learning rate {value}")) };
    // The tables of numbers give the configuration without the class, under its name.
    let named =
        values.get("class").or_else(|| values.get("name")).and_then(Value::as_str).unwrap_or_default();
    let class = named.rsplit('.').next().unwrap_or_default();
    let a = Arguments { class, values, read: RefCell::new(["class", "name"].into()) };
    let initial = a.number("initial_learning_rate").unwrap_or_default();
    let steps = || a.whole("decay_steps").unwrap_or_default() as u64;
    let rate: LearningRate = match class {
        "ExponentialDecay" => {
            let schedule =
                ExponentialDecay::new(initial, steps(), a.number("decay_rate").unwrap_or_default());
            set!(schedule, a, flag staircase).into()
        }
        "InverseTimeDecay" => {
            let schedule =
                InverseTimeDecay::new(initial, steps(), a.number("decay_rate").unwrap_or_default());
            set!(schedule, a, flag staircase).into()
        }
        "PolynomialDecay" => {
            set!(PolynomialDecay::new(initial, steps()), a, number end_learning_rate number power flag cycle)
                .into()
        }
        "CosineDecay" => {
            let schedule = set!(CosineDecay::new(initial, steps()), a, number alpha);
            match (a.number("warmup_target"), a.whole("warmup_steps")) {
                (Some(target), steps) => schedule.warmup(target, steps.unwrap_or(0) as u64).into(),
                _ => schedule.into(),
            }
        }
        "CosineDecayRestarts" | "SGDRDecay" => {
            let steps = a.whole("first_decay_steps").unwrap_or_default() as u64;
            set!(CosineDecayRestarts::new(initial, steps), a, number t_mul number m_mul number alpha).into()
        }
        "PiecewiseConstantDecay" | "PiecewiseConstant" => {
            let list = |key| a.get(key).map(crate::parity::flat).unwrap_or_default();
            PiecewiseConstantDecay::new(list("boundaries").into_iter().map(|v| v as u64), list("values"))
                .into()
        }
        class => return Err(format!("schedule {class}")),
    };
    a.all_read(rate)
}

pub fn schedule(config: &Value) -> Built<LearningRate> {
    learning_rate(config)
}

fn reduction(a: &Arguments<'_>) -> Built<Reduction> {
    Ok(match a.get("reduction").and_then(Value::as_str) {
        None | Some("sum_over_batch_size" | "mean") => Reduction::SumOverBatchSize,
        Some("sum") => Reduction::Sum,
        Some("mean_with_sample_weight") => Reduction::MeanWithSampleWeight,
        Some(other) => return Err(format!("reduction {other}")),
    })
}

pub fn loss(value: &Value) -> Built<AnyLoss<f64>> {
    if let Some(name) = value.as_str() {
        return parsed(name);
    }
    let a = Arguments::of(value).ok_or_else(|| format!("loss {value}"))?;
    let reduction = reduction(&a)?;
    macro_rules! reduced {
        ($loss:expr) => {
            AnyLoss::new($loss.reduction(reduction))
        };
    }
    // The last axis is the only one that there is.
    if a.number("axis").is_some_and(|axis| axis != -1.0) {
        return Err(format!("axis of {}", a.class));
    }
    let loss = match a.class {
        "MeanSquaredError" => reduced!(MeanSquaredError::default()),
        "MeanAbsoluteError" => reduced!(MeanAbsoluteError::default()),
        "MeanAbsolutePercentageError" => reduced!(MeanAbsolutePercentageError::default()),
        "MeanSquaredLogarithmicError" => reduced!(MeanSquaredLogarithmicError::default()),
        "Huber" => reduced!(set!(Huber::default(), a, number delta)),
        "LogCosh" => reduced!(LogCosh::default()),
        "CosineSimilarity" => reduced!(CosineSimilarity::default()),
        "KLDivergence" => reduced!(KlDivergence::default()),
        "Poisson" => reduced!(Poisson::default()),
        "Hinge" => reduced!(Hinge::default()),
        "SquaredHinge" => reduced!(SquaredHinge::default()),
        "CategoricalHinge" => reduced!(CategoricalHinge::default()),
        "Dice" => reduced!(Dice::default()),
        "Tversky" => reduced!(set!(Tversky::default(), a, number alpha number beta)),
        "BinaryCrossentropy" => {
            reduced!(set!(BinaryCrossentropy::default(), a, flag from_logits number label_smoothing))
        }
        "CategoricalCrossentropy" => {
            reduced!(set!(CategoricalCrossentropy::default(), a, flag from_logits number label_smoothing))
        }
        "SparseCategoricalCrossentropy" => {
            let loss = set!(SparseCategoricalCrossentropy::default(), a, flag from_logits);
            match a.number("ignore_class") {
                Some(label) => reduced!(loss.ignore_class(label as i64)),
                None => reduced!(loss),
            }
        }
        "BinaryFocalCrossentropy" => {
            reduced!(set!(BinaryFocalCrossentropy::default(), a, number alpha number gamma
            flag apply_class_balancing flag from_logits number label_smoothing))
        }
        "CategoricalFocalCrossentropy" => {
            reduced!(set!(CategoricalFocalCrossentropy::default(), a, number alpha
            number gamma flag from_logits number label_smoothing))
        }
        class => return Err(format!("loss {class}")),
    };
    a.all_read(loss)
}

/// The metrics of a configuration; with several thresholds, one for each, its number behind the name.
pub fn metrics(value: &Value) -> Built<Vec<AnyMetric<f64>>> {
    let thresholds = value.get("thresholds").map(crate::parity::flat).unwrap_or_default();
    if thresholds.len() < 2 {
        return Ok(vec![metric(value)?]);
    }
    let of_one = |(index, threshold): (usize, f64)| {
        let mut value = value.clone();
        value["thresholds"] = threshold.into();
        let metric = metric(&value)?;
        let name = one_of_several(&axonal::metrics::Metric::name(&metric), index);
        Ok(metric.named(name))
    };
    thresholds.into_iter().enumerate().map(of_one).collect()
}

/// The name of the metric at one of several thresholds.
pub fn one_of_several(name: &str, index: usize) -> String {
    format!("{name} at threshold {index}")
}

pub fn metric(value: &Value) -> Built<AnyMetric<f64>> {
    if let Some(name) = value.as_str() {
        return parsed(name);
    }
    let a = Arguments::of(value).ok_or_else(|| format!("metric {value}"))?;
    macro_rules! of_loss {
        ($loss:expr, $name:literal) => {
            AnyMetric::new(LossMetric::new($loss)).named($name)
        };
    }
    macro_rules! counted {
        ($metric:ident) => {{
            let metric = set!($metric::default(), a, whole top_k whole class_id);
            AnyMetric::new(match a.get("thresholds").map(crate::parity::flat).as_deref() {
                None => metric,
                Some(&[threshold]) => metric.threshold(threshold),
                Some(_) => return Err(format!("several thresholds of {}", a.class)),
            })
        }};
    }
    let metric = match a.class {
        "BinaryAccuracy" => AnyMetric::new(set!(BinaryAccuracy::default(), a, number threshold)),
        "CategoricalAccuracy" => AnyMetric::new(CategoricalAccuracy::default()),
        "SparseCategoricalAccuracy" => AnyMetric::new(SparseCategoricalAccuracy::default()),
        "TopKCategoricalAccuracy" => AnyMetric::new(TopKCategoricalAccuracy::new(a.whole("k").unwrap_or(5))),
        "SparseTopKCategoricalAccuracy" => {
            AnyMetric::new(SparseTopKCategoricalAccuracy::new(a.whole("k").unwrap_or(5)))
        }
        "Precision" => counted!(Precision),
        "Recall" => counted!(Recall),
        "TruePositives" => counted!(TruePositives),
        "FalsePositives" => counted!(FalsePositives),
        "TrueNegatives" => counted!(TrueNegatives),
        "FalseNegatives" => counted!(FalseNegatives),
        "AUC" => {
            let auc = set!(Auc::default(), a, whole num_thresholds);
            let auc = match a.get("curve").and_then(Value::as_str) {
                None | Some("ROC") => auc,
                Some("PR") => auc.curve(Curve::Pr),
                Some(other) => return Err(format!("AUC of curve {other}")),
            };
            AnyMetric::new(match a.get("summation_method").and_then(Value::as_str) {
                None | Some("interpolation") => auc,
                Some("minoring") => auc.summation(axonal::metrics::Summation::Minoring),
                Some("majoring") => auc.summation(axonal::metrics::Summation::Majoring),
                Some(other) => return Err(format!("AUC by {other}")),
            })
        }
        "SensitivityAtSpecificity" => {
            let metric = SensitivityAtSpecificity::new(a.number("specificity").unwrap_or_default());
            AnyMetric::new(set!(metric, a, whole num_thresholds))
        }
        // The number of classes is the output's.
        "MeanIoU" | "OneHotMeanIoU" => {
            let _ = a.whole("num_classes");
            let name = if a.class == "MeanIoU" { "mean_io_u" } else { "one_hot_mean_io_u" };
            AnyMetric::new(MeanIou::default()).named(name)
        }
        "F1Score" | "FBetaScore" => {
            let f = set!(FBeta::new(a.number("beta").unwrap_or(1.0)), a, number threshold);
            let metric = AnyMetric::new(match a.get("average").and_then(Value::as_str) {
                Some("micro") => f.average(axonal::metrics::Average::Micro),
                Some("macro") => f.average(axonal::metrics::Average::Macro),
                Some("weighted") => f.average(axonal::metrics::Average::Weighted),
                _ => return Err("F-beta without an average".into()),
            });
            metric.named(if a.class == "F1Score" { "f1_score" } else { "fbeta_score" })
        }
        "R2Score" => AnyMetric::new(R2Score::default()),
        "MeanSquaredError" => AnyMetric::new(axonal::metrics::LossMetric::new(MeanSquaredError::new())),
        "MeanAbsoluteError" => AnyMetric::new(axonal::metrics::LossMetric::new(MeanAbsoluteError::new())),
        "RootMeanSquaredError" => AnyMetric::new(RootMeanSquaredError::default()),
        "MeanAbsolutePercentageError" => {
            of_loss!(MeanAbsolutePercentageError::default(), "mean_absolute_percentage_error")
        }
        "MeanSquaredLogarithmicError" => {
            of_loss!(MeanSquaredLogarithmicError::default(), "mean_squared_logarithmic_error")
        }
        "LogCoshError" => of_loss!(LogCosh::default(), "logcosh"),
        "KLDivergence" => of_loss!(KlDivergence::default(), "kl_divergence"),
        "Poisson" => of_loss!(Poisson::default(), "poisson"),
        "Hinge" => of_loss!(Hinge::default(), "hinge"),
        "SquaredHinge" => of_loss!(SquaredHinge::default(), "squared_hinge"),
        "CategoricalHinge" => of_loss!(CategoricalHinge::default(), "categorical_hinge"),
        "CosineSimilarity" => parsed("cosine_similarity")?,
        "BinaryCrossentropy" => of_loss!(
            set!(BinaryCrossentropy::default(), a, flag from_logits number label_smoothing),
            "binary_crossentropy"
        ),
        "CategoricalCrossentropy" => of_loss!(
            set!(CategoricalCrossentropy::default(), a, flag from_logits number label_smoothing),
            "categorical_crossentropy"
        ),
        "SparseCategoricalCrossentropy" => of_loss!(
            set!(SparseCategoricalCrossentropy::default(), a, flag from_logits),
            "sparse_categorical_crossentropy"
        ),
        class => return Err(format!("metric {class}")),
    };
    let metric = match a.values.get("name").and_then(Value::as_str) {
        Some(name) => metric.named(name),
        None => metric,
    };
    a.all_read(metric)
}

pub fn activation(value: &Value) -> Built<Activation> {
    value.as_str().map_or_else(|| Err(format!("activation {value}")), parsed)
}

pub fn regularizer(value: &Value) -> Built<Regularizer> {
    if let Some(name) = value.as_str() {
        return parsed(name);
    }
    let a = Arguments::of(value).ok_or_else(|| format!("regularizer {value}"))?;
    let built = match a.class {
        "L1" => Regularizer::l1(a.number("l1").unwrap_or(0.01)),
        "L2" => Regularizer::l2(a.number("l2").unwrap_or(0.01)),
        "L1L2" => Regularizer::l1_l2(a.number("l1").unwrap_or(0.0), a.number("l2").unwrap_or(0.0)),
        class => return Err(format!("regularizer {class}")),
    };
    a.all_read(built)
}

pub fn constraint(value: &Value) -> Built<Constraint> {
    let default = Map::new();
    let a = match value.as_str() {
        Some(name) => Arguments { class: name, values: &default, read: RefCell::default() },
        None => Arguments::of(value).ok_or_else(|| format!("constraint {value}"))?,
    };
    let bound = |key, default| a.number(key).unwrap_or(default);
    let built = match a.class.to_lowercase().replace('_', "").as_str() {
        "nonneg" => Constraint::NonNeg,
        "maxnorm" => Constraint::max_norm(bound("max_value", 2.0)),
        "unitnorm" => Constraint::unit_norm(),
        "minmaxnorm" => {
            Constraint::min_max_norm(bound("min_value", 0.0), bound("max_value", 1.0), bound("rate", 1.0))
        }
        class => return Err(format!("constraint {class}")),
    };
    let axes: Vec<f64> = a.get("axis").map(crate::parity::flat).unwrap_or(vec![0.0]);
    if axes.iter().enumerate().any(|(index, &axis)| axis != index as f64) {
        return Err(format!("constraint over the axes {axes:?}"));
    }
    a.all_read(built.axes(axes.len()))
}

/// The network of a list of layers.
pub fn network(
    input: &[usize],
    layers: &[Value],
    occurrences: Option<&Occurrences>,
) -> Built<Sequential<f64>> {
    layers.iter().try_fold(Sequential::new(input), |network, value| {
        let a = Arguments::of(value).ok_or_else(|| format!("layer {value}"))?;
        let network = match a.class {
            "Embedding" => {
                let layer = keras_layers::embedding(&a)?;
                let output_dim = a.whole("output_dim").unwrap_or_default();
                match occurrences.cloned() {
                    Some(occurrences) => network.add(Observed { layer, output_dim, occurrences }),
                    None => network.add(layer),
                }
            }
            _ => network.add(keras_layers::layer(&a)?),
        };
        let trainable = a.flag("trainable").unwrap_or(true);
        a.all_read(network.trainable(trainable))
    })
}

pub fn dense(a: &Arguments<'_>) -> Built<Dense> {
    let mut dense = Dense::new(a.whole("units").unwrap_or_default());
    dense = set!(dense, a, flag use_bias);
    if let Some(value) = a.get("activation") {
        dense = dense.activation(activation(value)?);
    }
    macro_rules! with {
        ($($read:ident $key:ident)*) => {
            $(if let Some(value) = a.get(stringify!($key)) {
                dense = dense.$key($read(value)?);
            })*
        };
    }
    with!(regularizer kernel_regularizer regularizer bias_regularizer regularizer activity_regularizer
        constraint kernel_constraint constraint bias_constraint);
    // The initial weights are given.
    let _ = (a.get("kernel_initializer"), a.get("bias_initializer"));
    Ok(dense)
}
