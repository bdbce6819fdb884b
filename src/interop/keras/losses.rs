//! Losses, between Keras's classes and this crate's kinds, which have the same settings.

use super::hyperparameters::object;
use super::json::{Class, Fields, is_empty, unknown};
use super::names::snake_case;
use super::problem::{Read, Written, setting, unsupported};
use crate::float::Float;
use crate::nn::layer::Config;
use crate::nn::loss::{AnyLoss, Loss, from_config};
use serde_json::{Value, json};
use std::sync::Arc;

/// The classes of Keras's losses.
const CLASSES: [&str; 19] = [
    "BinaryCrossentropy",
    "BinaryFocalCrossentropy",
    "CategoricalCrossentropy",
    "CategoricalFocalCrossentropy",
    "CategoricalHinge",
    "CosineSimilarity",
    "Dice",
    "Hinge",
    "Huber",
    "KLDivergence",
    "LogCosh",
    "MeanAbsoluteError",
    "MeanAbsolutePercentageError",
    "MeanSquaredError",
    "MeanSquaredLogarithmicError",
    "Poisson",
    "SparseCategoricalCrossentropy",
    "SquaredHinge",
    "Tversky",
];

/// The kind of a loss that Keras names by its class or its function.
pub(super) fn read_loss<F: Float>(value: &Value) -> Read<Arc<dyn Loss<F>>> {
    let part = "the loss";
    match value {
        Value::Null => {
            let hint = "load the layers by Sequential::load_keras and compile them";
            Err(unsupported(part, "a loss", "none", hint))
        }
        // One loss in a list, or by the name of the output.
        Value::Array(losses) if losses.len() == 1 => read_loss(losses.first().unwrap_or(&Value::Null)),
        Value::Object(fields) if fields.len() == 1 && !fields.contains_key("class_name") => {
            read_loss(fields.values().next().unwrap_or(&Value::Null))
        }
        Value::String(name) => named(name),
        value => match value.get("config") {
            // A function by its name.
            Some(Value::String(name)) => named(name),
            _ => of_class(part, Class::of(part, value)?),
        },
    }
}

fn named<F: Float>(name: &str) -> Read<Arc<dyn Loss<F>>> {
    let loss = name.parse::<AnyLoss<F>>().or_else(|_| snake_case(name).parse());
    loss.map(|loss| Arc::new(loss) as Arc<dyn Loss<F>>).map_err(|_| unknown("the loss", name))
}

fn of_class<F: Float>(part: &str, Class { name, config }: Class<'_>) -> Read<Arc<dyn Loss<F>>> {
    if let ("LossFunctionWrapper", Some(function)) = (name, config.get("fn")) {
        return read_loss(function);
    }
    let kind = CLASSES.iter().find(|class| **class == name).map(|class| snake_case(class));
    let kind = kind.ok_or_else(|| unknown(part, name))?;
    let reduction = match config.get("reduction").map(|value| (value, value.as_str())) {
        None | Some((_, Some("sum_over_batch_size" | "mean" | "auto"))) => "sum_over_batch_size",
        Some((_, Some("sum"))) => "sum",
        Some((_, Some("mean_with_sample_weight"))) => "mean_with_sample_weight",
        Some((value, _)) => {
            return Err(setting(part, "reduction", "\"sum_over_batch_size\" or \"sum\"", value));
        }
    };
    let known = defaults::<F>(&kind);
    let mut ours = settings(part, config, &known, &["name", "dtype", "reduction", "fn"])?;
    ours.insert("reduction".into(), reduction.into());
    let config = Config::from_json(Value::Object(ours).to_string());
    let made = from_config::<F>(&kind, &config).ok_or_else(|| unknown(part, name))?;
    made.map_err(|source| crate::persistence::rejected("loss", source))
}

/// The settings of a loss with their defaults.
fn defaults<F: Float>(kind: &str) -> Fields {
    let made = from_config::<F>(kind, &Config::from_json("{}")).and_then(Result::ok);
    made.and_then(|loss| loss.config()).map(|config| fields_of(&config)).unwrap_or_default()
}

/// The fields of a configuration of this crate.
pub(super) fn fields_of(config: &Config) -> Fields {
    serde_json::from_str(config.as_json()).unwrap_or_default()
}

/// The settings that both libraries have; others must not be in use, and an axis must be the last one.
pub(super) fn settings(part: &str, config: &Fields, known: &Fields, ignored: &[&str]) -> Read<Fields> {
    let mut ours = Fields::new();
    for (name, value) in config {
        if known.contains_key(name) && !ignored.contains(&name.as_str()) {
            ours.insert(name.clone(), value.clone());
        } else if name == "axis" && *value == json!(-1) || ignored.contains(&name.as_str()) || is_empty(value)
        {
            continue;
        } else {
            return Err(setting(part, name, "null; this crate has no such setting", value));
        }
    }
    Ok(ours)
}

/// Writes a loss as a serialized object, or by its name.
pub(super) fn write_loss<F: Float>(loss: &dyn Loss<F>) -> Written<Value> {
    let kind = loss.kind();
    if kind == "crossentropy" {
        return Ok(kind.into());
    }
    let class = CLASSES.iter().find(|class| snake_case(class) == kind);
    let class = class.ok_or_else(|| format!("{kind:?} is not a loss of Keras"))?;
    let mut settings = fields_of(&loss.config().ok_or("it has no configuration")?);
    settings.insert("name".into(), kind.into());
    Ok(object("keras.losses", class, Value::Object(settings)))
}
