//! Optimizers and schedules, between Keras's classes and this crate's rules, which have the same settings.

use super::hyperparameters::object;
use super::json::{Class, Fields, unknown};
use super::losses::{fields_of, settings};
use super::names::snake_case;
use super::problem::{Read, Written, setting, unsupported};
use crate::float::Float;
use crate::nn::layer::Config;
use crate::nn::optimizer::{AnyOptimizer, LearningRate, Modifiers, UpdateRule, from_config};
use crate::nn::optimizer_state::OptimizerState;
use crate::persistence::rejected;
use serde_json::{Map, Value, json};
use std::sync::Arc;

/// The classes of Keras's optimizers with the kinds of this crate's rules.
const CLASSES: [(&str, &str); 12] = [
    ("SGD", "sgd"),
    ("Adam", "adam"),
    ("AdamW", "adamw"),
    ("Nadam", "nadam"),
    ("Adamax", "adamax"),
    ("RMSprop", "rmsprop"),
    ("Adagrad", "adagrad"),
    ("Adadelta", "adadelta"),
    ("Lion", "lion"),
    ("Ftrl", "ftrl"),
    ("Lamb", "lamb"),
    ("Adafactor", "adafactor"),
];

const SCHEDULES: [&str; 6] = [
    "ExponentialDecay",
    "InverseTimeDecay",
    "PolynomialDecay",
    "PiecewiseConstantDecay",
    "CosineDecay",
    "CosineDecayRestarts",
];

const PART: &str = "the optimizer";

/// An optimizer without its state.
pub(super) struct Compiled<F> {
    pub(super) rule: Arc<dyn UpdateRule<F>>,
    pub(super) rate: LearningRate,
    pub(super) modifiers: Modifiers,
}

/// An optimizer by its name, with Keras's defaults.
fn by_name<F: Float>(name: &str) -> Read<Compiled<F>> {
    let optimizer = name.parse::<AnyOptimizer<F>>().map_err(|_| unknown(PART, name))?;
    let (rule, rate, modifiers) = optimizer.into_parts();
    Ok(Compiled { rule: Arc::new(rule), rate, modifiers })
}

/// Reads an optimizer.
pub(super) fn read_optimizer<F: Float>(value: &Value) -> Read<Compiled<F>> {
    let Class { name, config } = match value {
        Value::String(name) => return by_name(name),
        value => Class::named(PART, value)?,
    };
    // tf.keras has registered its optimizers as if they were the user's own.
    let name = name.strip_prefix("Custom>").unwrap_or(name);
    let kind = CLASSES.iter().find(|(class, _)| *class == name).map(|(_, kind)| *kind);
    let kind = kind.ok_or_else(|| unknown(PART, name))?;
    let Compiled { rule, rate, .. } = by_name::<F>(kind)?;
    let mut known = rule.config().map(|config| fields_of(&config)).unwrap_or_default();
    let ours = settings(PART, config, &known, &BASE)?;
    known.extend(ours);
    let config_text = Config::from_json(Value::Object(known).to_string());
    let made = from_config::<F>(kind, &config_text).ok_or_else(|| unknown(PART, name))?;
    let rule = made.and_then(|rule| rule.validate().map(|()| rule)).map_err(|s| rejected("optimizer", s))?;
    let rate = match config.get("learning_rate").or_else(|| config.get("lr")) {
        None | Some(Value::Null) => rate,
        Some(value) => read_rate(value)?,
    };
    rate.validate(kind).map_err(|source| rejected("learning rate", source))?;
    let modifiers = read_modifiers(config)?;
    modifiers.validate(kind).map_err(|source| rejected("optimizer", source))?;
    Ok(Compiled { rule, rate, modifiers })
}

/// Settings that all optimizers have, and those of Keras 2 that say nothing.
const BASE: [&str; 15] = [
    "name",
    "learning_rate",
    "lr",
    "weight_decay",
    "clipnorm",
    "global_clipnorm",
    "clipvalue",
    "use_ema",
    "ema_momentum",
    "ema_overwrite_frequency",
    "gradient_accumulation_steps",
    "loss_scale_factor",
    "jit_compile",
    "is_legacy_optimizer",
    "decay",
];

fn read_modifiers(config: &Fields) -> Read<Modifiers> {
    let get = |name: &str| config.get(name).filter(|value| !value.is_null());
    let number = |name: &str| match get(name) {
        None => Ok(None),
        Some(value) => value.as_f64().map(Some).ok_or_else(|| setting(PART, name, "a number", value)),
    };
    let steps = |name: &str| match get(name) {
        None => Ok(None),
        Some(value) => {
            value.as_u64().map(Some).ok_or_else(|| setting(PART, name, "a number of steps", value))
        }
    };
    for name in ["loss_scale_factor", "decay"] {
        if let Some(value) = get(name).filter(|value| value.as_f64() != Some(0.0)) {
            return Err(setting(PART, name, "null; this crate has no such setting", value));
        }
    }
    let uses_ema = get("use_ema").and_then(Value::as_bool).unwrap_or(false);
    Ok(Modifiers {
        clipnorm: number("clipnorm")?,
        global_clipnorm: number("global_clipnorm")?,
        clipvalue: number("clipvalue")?,
        weight_decay: number("weight_decay")?.filter(|decay| *decay != 0.0),
        exclude_from_weight_decay: Vec::new(),
        ema: if uses_ema { Some(number("ema_momentum")?.unwrap_or(0.99)) } else { None },
        ema_overwrite_frequency: if uses_ema { steps("ema_overwrite_frequency")? } else { None },
        accumulate: steps("gradient_accumulation_steps")?,
    })
}

/// Reads a learning rate: a number, or a schedule.
fn read_rate(value: &Value) -> Read<LearningRate> {
    if let Some(rate) = value.as_f64() {
        return Ok(LearningRate::Constant(shortest(rate)));
    }
    let Class { name, config } = Class::of("the learning rate", value)?;
    if !SCHEDULES.contains(&name) {
        return Err(unknown("the learning rate", name));
    }
    let mut settings = Map::new();
    for (name, value) in config {
        let value = match name.as_str() {
            "name" => continue,
            "decay_steps" | "first_decay_steps" | "warmup_steps" | "boundaries" => whole(value),
            _ => value.clone(),
        };
        settings.insert(name.clone(), value);
    }
    let schedule = Value::Object(Map::from_iter([(snake_case(name), Value::Object(settings))]));
    serde_json::from_value(schedule).map_err(|problem| {
        unsupported("the learning rate", format!("the settings of {name}"), problem.to_string(), "")
    })
}

/// A number of steps as an integer: Keras also takes floats.
#[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "checked to be a whole number")]
fn whole(value: &Value) -> Value {
    match value {
        Value::Array(values) => values.iter().map(whole).collect(),
        value => match value.as_f64() {
            Some(steps) if steps >= 0.0 && steps.fract() == 0.0 && steps < 9e15 => json!(steps as u64),
            _ => value.clone(),
        },
    }
}

/// A rate that Keras has stored as f32 with as many digits as that has: 0.001, not 0.0010000000474974513.
fn shortest(rate: f64) -> f64 {
    #[allow(clippy::cast_possible_truncation, reason = "compared with what it was")]
    let short = rate as f32;
    if f64::from(short) == rate { short.to_string().parse().unwrap_or(rate) } else { rate }
}

/// Writes the optimizer of a model with the learning rate of this moment.
pub(super) fn write_optimizer<F: Float>(state: &OptimizerState<F>) -> Written<Value> {
    let kind = state.rule.kind();
    let class = CLASSES.iter().find(|(_, ours)| *ours == kind).map(|(class, _)| *class);
    let class = class.ok_or_else(|| format!("{kind:?} is not an optimizer of Keras"))?;
    let modifiers = &state.modifiers;
    if !modifiers.exclude_from_weight_decay.is_empty() {
        return Err("a Keras file has no place for exclude_from_weight_decay".into());
    }
    let mut settings = fields_of(&state.rule.config().ok_or("it has no configuration")?);
    let base = json!({
        "name": snake_case(class),
        "learning_rate": write_rate(&state.learning_rate)?,
        "weight_decay": modifiers.weight_decay,
        "clipnorm": modifiers.clipnorm,
        "global_clipnorm": modifiers.global_clipnorm,
        "clipvalue": modifiers.clipvalue,
        "use_ema": modifiers.ema.is_some(),
        "ema_momentum": modifiers.ema.unwrap_or(0.99),
        "ema_overwrite_frequency": modifiers.ema_overwrite_frequency,
        "gradient_accumulation_steps": modifiers.accumulate,
    });
    settings.extend(base.as_object().cloned().unwrap_or_default());
    if class == "AdamW" && modifiers.weight_decay.is_none() {
        // Keras refuses AdamW without weight decay.
        settings.insert("weight_decay".into(), json!(0.0));
    }
    Ok(object("keras.optimizers", class, Value::Object(settings)))
}

/// Writes a learning rate.
fn write_rate(rate: &LearningRate) -> Written<Value> {
    match rate {
        LearningRate::Constant(rate) => return Ok(json!(rate)),
        LearningRate::Function(_) => {
            return Err("a learning rate that is a function has no form in a file".into());
        }
        LearningRate::Scaled(rate, factor) => {
            let mut schedule = write_rate(rate)?;
            if let Some(config) = schedule.get_mut("config") {
                scale(config, *factor);
            }
            return Ok(schedule);
        }
        _ => {}
    }
    let value = serde_json::to_value(rate).map_err(|problem| problem.to_string())?;
    let (kind, config) = value.as_object().and_then(|value| value.iter().next()).ok_or("no schedule")?;
    let class = SCHEDULES.iter().find(|class| snake_case(class) == *kind);
    let class = class.ok_or_else(|| format!("{kind:?} is not a schedule of Keras"))?;
    Ok(object("keras.optimizers.schedules", class, config.clone()))
}

/// Multiplies the rates of a schedule by a factor.
fn scale(config: &mut Value, factor: f64) {
    for name in ["initial_learning_rate", "end_learning_rate", "warmup_target", "values"] {
        match config.get_mut(name) {
            Some(Value::Array(rates)) => rates.iter_mut().for_each(|rate| scale_rate(rate, factor)),
            Some(rate) => scale_rate(rate, factor),
            None => {}
        }
    }
}

fn scale_rate(rate: &mut Value, factor: f64) {
    if let Some(number) = rate.as_f64() {
        *rate = json!(number * factor);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::nn::optimizer::KINDS;

    #[test]
    fn every_rule_has_a_class() {
        for kind in KINDS {
            assert!(CLASSES.iter().any(|(_, ours)| ours == kind), "{kind}");
        }
    }

    #[test]
    fn rates_stored_as_f32_lose_the_digits_that_they_never_had() {
        assert_eq!(shortest(0.001_000_000_047_497_451_3), 0.001);
        assert_eq!(shortest(0.1), 0.1);
    }
}
