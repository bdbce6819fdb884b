//! Metrics, between Keras's classes and this crate's kinds.

use super::hyperparameters::object;
use super::json::{Class, Fields, unknown};
use super::losses::{fields_of, settings};
use super::names::snake_case;
use super::problem::{Read, Written, setting, unsupported};
use crate::float::Float;
use crate::nn::layer::{Config, Shape};
use crate::nn::loss::Loss;
use crate::nn::metric::{AnyMetric, Metric, from_config};
use crate::nn::targets::TargetForm;
use crate::persistence::rejected;
use serde_json::{Value, json};
use std::sync::Arc;

/// The classes of Keras's metrics with the kinds of this crate's.
const CLASSES: [(&str, &str); 21] = [
    ("BinaryAccuracy", "binary_accuracy"),
    ("CategoricalAccuracy", "categorical_accuracy"),
    ("SparseCategoricalAccuracy", "sparse_categorical_accuracy"),
    ("TopKCategoricalAccuracy", "top_k_categorical_accuracy"),
    ("SparseTopKCategoricalAccuracy", "sparse_top_k_categorical_accuracy"),
    ("MeanAbsoluteError", "mean_absolute_error"),
    ("MeanSquaredError", "mean_squared_error"),
    ("RootMeanSquaredError", "root_mean_squared_error"),
    ("AUC", "auc"),
    ("Precision", "precision"),
    ("Recall", "recall"),
    ("TruePositives", "true_positives"),
    ("TrueNegatives", "true_negatives"),
    ("FalsePositives", "false_positives"),
    ("FalseNegatives", "false_negatives"),
    ("F1Score", "f1_score"),
    ("FBetaScore", "fbeta_score"),
    ("R2Score", "r2_score"),
    ("MeanIoU", "mean_io_u"),
    ("SensitivityAtSpecificity", "sensitivity_at_specificity"),
    // The metric of this name compares for equality.
    ("BinaryIoU", ""),
];

/// The classes of Keras's metrics that are the means of losses, with the kinds of these.
const OF_LOSSES: [(&str, &str); 12] = [
    ("MeanAbsolutePercentageError", "mean_absolute_percentage_error"),
    ("MeanSquaredLogarithmicError", "mean_squared_logarithmic_error"),
    ("LogCoshError", "log_cosh"),
    ("CosineSimilarity", "cosine_similarity"),
    ("KLDivergence", "kl_divergence"),
    ("Poisson", "poisson"),
    ("Hinge", "hinge"),
    ("SquaredHinge", "squared_hinge"),
    ("CategoricalHinge", "categorical_hinge"),
    ("BinaryCrossentropy", "binary_crossentropy"),
    ("CategoricalCrossentropy", "categorical_crossentropy"),
    ("SparseCategoricalCrossentropy", "sparse_categorical_crossentropy"),
];

const PART: &str = "the metrics";

/// Reads the metrics of a compile configuration: a list, or by output; `weighted` are those with sample weights.
pub(super) fn read_metrics<F: Float>(
    value: &Value,
    output: &Shape,
    weighted: bool,
    metrics: &mut Vec<Arc<dyn Metric<F>>>,
    depth: usize,
) -> Read<()> {
    match value {
        Value::Null => return Ok(()),
        // Keras 2 has a list for each output.
        Value::Array(list) if depth > 0 => {
            return list
                .iter()
                .try_for_each(|value| read_metrics(value, output, weighted, metrics, depth - 1));
        }
        Value::Object(fields) if depth > 0 && fields.len() == 1 && !fields.contains_key("class_name") => {
            let first = fields.values().next().unwrap_or(&Value::Null);
            return read_metrics(first, output, weighted, metrics, depth - 1);
        }
        _ => {}
    }
    let metric = read_metric::<F>(value, output)?;
    metrics.push(Arc::new(if weighted { metric.weighted() } else { metric }));
    Ok(())
}

fn read_metric<F: Float>(value: &Value, output: &Shape) -> Read<AnyMetric<F>> {
    let named = |name: &str| {
        let known = name.parse::<AnyMetric<F>>();
        let known =
            known.or_else(|_| snake_case(name).parse::<AnyMetric<F>>().map(|metric| metric.named(name)));
        known.map_err(|_| unknown(PART, name))
    };
    if let Value::String(name) = value {
        return named(name);
    }
    if let Some(Value::String(function)) = value.get("config") {
        return named(function);
    }
    let Class { name: class, config } = Class::of(PART, value)?;
    let given = config.get("name").and_then(Value::as_str);
    if class == "MeanMetricWrapper" {
        let function = config.get("fn").and_then(|function| function.get("config").or(Some(function)));
        let metric = named(function.and_then(Value::as_str).unwrap_or("a function"))?;
        return Ok(given.map_or(metric.clone(), |given| metric.named(given)));
    }
    let (kind, config) = recipe_of(class, config, output)?;
    let made = from_config::<F>(&kind, &config).ok_or_else(|| unknown(PART, class))?;
    let metric = made.map_err(|source| rejected("metric", source))?;
    let own = metric.name();
    let metric = AnyMetric::new(metric);
    Ok(match given {
        Some(given) if given != own => metric.named(given),
        _ => metric,
    })
}

/// The kind and the configuration of a class.
fn recipe_of(class: &str, config: &Fields, output: &Shape) -> Read<(String, Config)> {
    let find = |classes: &[(&str, &str)]| {
        classes.iter().find(|(name, _)| *name == class).map(|(_, kind)| (*kind).to_owned())
    };
    const IGNORED: [&str; 4] = ["name", "dtype", "fn", "reduction"];
    if let Some(kind) = find(&OF_LOSSES) {
        let known = Fields::from_iter(
            ["from_logits", "label_smoothing", "ignore_class"].map(|name| (name.to_owned(), Value::Null)),
        );
        let mut ours = settings(PART, config, &known, &IGNORED)?;
        ours.retain(|_, value| !value.is_null());
        // Only the crossentropies have these settings; elsewhere they are not in use.
        if !kind.contains("crossentropy") {
            ours.clear();
        } else if kind == "sparse_categorical_crossentropy" {
            ours.remove("label_smoothing");
        } else {
            ours.remove("ignore_class");
        }
        let negated = kind == "cosine_similarity";
        let recipe = json!({"loss": kind, "config": Value::Object(ours).to_string(), "negated": negated});
        return Ok(("loss".into(), Config::from_json(recipe.to_string())));
    }
    let kind = find(&CLASSES).filter(|kind| !kind.is_empty()).ok_or_else(|| unknown(PART, class))?;
    let ours = adapted(&kind, config, output)?;
    let known = known_settings(&kind);
    let ours = settings(PART, &ours, &known, &IGNORED)?;
    Ok((kind, Config::from_json(Value::Object(ours).to_string())))
}

/// The names of the settings of a kind.
fn known_settings(kind: &str) -> Fields {
    let names: &[&str] = match kind {
        "binary_accuracy" => &["threshold"],
        "top_k_categorical_accuracy" | "sparse_top_k_categorical_accuracy" => &["k"],
        "auc" => &["num_thresholds", "curve", "summation"],
        "precision" | "recall" | "true_positives" | "true_negatives" | "false_positives"
        | "false_negatives" => &["threshold", "top_k", "class_id"],
        "f1_score" | "fbeta_score" => &["beta", "average", "threshold"],
        "sensitivity_at_specificity" => &["specificity", "num_thresholds"],
        _ => &[],
    };
    names.iter().map(|name| ((*name).to_owned(), Value::Null)).collect()
}

/// The settings of a class under this crate's names and in its forms.
fn adapted(kind: &str, config: &Fields, output: &Shape) -> Read<Fields> {
    let mut ours = config.clone();
    let require = |ours: &mut Fields, name: &str, wanted: &[Value]| match ours.remove(name) {
        Some(found) if !wanted.contains(&found) => {
            let wanted: Vec<_> = wanted.iter().map(ToString::to_string).collect();
            Err(setting(PART, name, &wanted.join(" or "), &found))
        }
        _ => Ok(()),
    };
    match kind {
        "auc" => {
            for (theirs, name) in [("curve", "curve"), ("summation_method", "summation")] {
                if let Some(value) = ours.remove(theirs) {
                    let lower = value.as_str().map(|value| Value::from(value.to_ascii_lowercase()));
                    ours.insert(name.into(), lower.unwrap_or(value));
                }
            }
        }
        "precision" | "recall" | "true_positives" | "true_negatives" | "false_positives"
        | "false_negatives" => match ours.remove("thresholds") {
            None | Some(Value::Null) => {}
            Some(Value::Array(thresholds)) if thresholds.len() == 1 => {
                ours.extend(thresholds.into_iter().map(|threshold| ("threshold".to_owned(), threshold)));
            }
            Some(Value::Array(thresholds)) => {
                let got = Value::Array(thresholds);
                return Err(setting(PART, "thresholds", "one threshold", &got));
            }
            Some(threshold) => drop(ours.insert("threshold".into(), threshold)),
        },
        "f1_score" | "fbeta_score" => {
            if ours.get("average").is_none_or(Value::is_null) {
                let hint = "a score for each class is not one number; give average=\"macro\"";
                return Err(unsupported(PART, "an average", "None", hint));
            }
            ours.retain(|name, value| name != "threshold" || !value.is_null());
        }
        "r2_score" => {
            require(&mut ours, "class_aggregation", &[json!("uniform_average")])?;
            require(&mut ours, "num_regressors", &[json!(0)])?;
        }
        "mean_io_u" => {
            require(&mut ours, "num_classes", &[json!(output.last().max(2))])?;
            require(&mut ours, "sparse_y_pred", &[json!(false)])?;
            ours.remove("sparse_y_true");
        }
        _ => {}
    }
    Ok(ours)
}

/// Writes a metric as a serialized object, or by its name.
pub(super) fn write_metric<F: Float>(
    metric: &Arc<dyn Metric<F>>,
    loss: &dyn Loss<F>,
    output: &Shape,
) -> Written<Value> {
    let (kind, name) = (metric.kind(), metric.name());
    let config = fields_of(&metric.config().ok_or("it has no configuration")?);
    if kind == "accuracy" && matches!(name.as_str(), "accuracy" | "acc") {
        return Ok(name.into());
    }
    let (class, mut settings) = match kind {
        "loss" => of_loss(&config)?,
        // Under another name Keras needs the class that it would choose.
        "accuracy" if output.last() == 1 => ("BinaryAccuracy", Fields::new()),
        "accuracy" if loss.target_form() == TargetForm::Values => ("CategoricalAccuracy", Fields::new()),
        "accuracy" => ("SparseCategoricalAccuracy", Fields::new()),
        kind => {
            let class = CLASSES.iter().find(|(_, ours)| *ours == kind).map(|(class, _)| *class);
            let class = class.ok_or_else(|| format!("{kind:?} is not a metric of Keras"))?;
            (class, theirs(kind, config, loss, output)?)
        }
    };
    settings.insert("name".into(), name.into());
    Ok(object("keras.metrics", class, Value::Object(settings)))
}

/// The class of a loss as a metric.
fn of_loss(config: &Fields) -> Written<(&'static str, Fields)> {
    let loss = config.get("loss").and_then(Value::as_str).unwrap_or("");
    let class = OF_LOSSES.iter().find(|(_, kind)| *kind == loss).map(|(class, _)| *class);
    let class = class.ok_or_else(|| format!("Keras has no metric of the loss {loss:?}"))?;
    let negated = config.get("negated").and_then(Value::as_bool).unwrap_or(false);
    if negated != (loss == "cosine_similarity") {
        return Err(format!("Keras's metric {class} has the other sign"));
    }
    let settings = config.get("config").and_then(Value::as_str).unwrap_or("{}");
    let mut settings: Fields = serde_json::from_str(settings).unwrap_or_default();
    match settings.remove("reduction") {
        Some(reduction) if reduction != "sum_over_batch_size" => {
            Err(format!("Keras's metric {class} is a mean, its reduction is {reduction}"))
        }
        _ => Ok((class, settings)),
    }
}

/// The settings of a kind under Keras's names and in its forms.
fn theirs<F: Float>(kind: &str, mut config: Fields, loss: &dyn Loss<F>, output: &Shape) -> Written<Fields> {
    match kind {
        "auc" => {
            if let Some(curve) = config.get_mut("curve") {
                *curve = curve.as_str().unwrap_or("ROC").to_ascii_uppercase().into();
            }
            if let Some(summation) = config.remove("summation") {
                config.insert("summation_method".into(), summation);
            }
        }
        "precision" | "recall" | "true_positives" | "true_negatives" | "false_positives"
        | "false_negatives" => {
            if let Some(threshold) = config.remove("threshold") {
                config.insert("thresholds".into(), threshold);
            }
            if !matches!(kind, "precision" | "recall") {
                if config.iter().any(|(name, value)| name != "thresholds" && !value.is_null()) {
                    return Err(format!("Keras's {kind} has no top_k and no class_id"));
                }
                config.retain(|name, _| name == "thresholds");
            } else if config.get("top_k").is_some_and(|k| !k.is_null()) {
                config.remove("thresholds");
            }
        }
        "f1_score" => drop(config.remove("beta")),
        "mean_io_u" => {
            config.insert("num_classes".into(), json!(output.last().max(2)));
            config.insert("sparse_y_pred".into(), json!(false));
            let sparse = output.last() > 1 && loss.target_form() != TargetForm::Values;
            config.insert("sparse_y_true".into(), json!(sparse));
        }
        _ => {}
    }
    Ok(config)
}
