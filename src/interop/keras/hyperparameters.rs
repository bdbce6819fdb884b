//! Activations, initializers, regularizers and constraints, between the JSON of Keras and that of this crate.

use super::json::{Class, Fields, lengths};
use super::problem::{Read, Written, setting, shown, unsupported};
use crate::activation::Activation;
use crate::initializer::Initializer;
use crate::nn::constraint::Constraint;
use crate::nn::regularizer::Regularizer;
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::{Value, json};

/// A recipe of this crate as JSON.
pub(super) fn ours<T: Serialize>(recipe: &T) -> Read<Value> {
    serde_json::to_value(recipe).map_err(|problem| unsupported("a setting", "JSON", problem.to_string(), ""))
}

/// A recipe of this crate from its JSON.
fn recipe<T: DeserializeOwned>(value: &Value) -> Written<T> {
    serde_json::from_value(value.clone()).map_err(|problem| problem.to_string())
}

/// A serialized object of Keras.
pub(super) fn object(module: &str, class: &str, config: Value) -> Value {
    json!({"module": module, "class_name": class, "config": config, "registered_name": null})
}

fn number(part: &str, fields: &Fields, name: &str, default: f64) -> Read<f64> {
    match fields.get(name) {
        None | Some(Value::Null) => Ok(default),
        Some(value) => value.as_f64().ok_or_else(|| setting(part, name, "a number", value)),
    }
}

/// An activation: a name, a function by its name, or one of the layers that are activations with parameters.
pub(super) fn read_activation(part: &str, value: &Value) -> Read<Activation> {
    let named = |name: &str| {
        name.parse::<Activation>().map_err(|_| {
            let hint = "replace it by an activation layer of this crate";
            unsupported(part, "an activation of Keras", shown(&Value::from(name)), hint)
        })
    };
    match value {
        Value::Null => return Ok(Activation::Linear),
        Value::String(name) => return named(name),
        _ => {}
    }
    // A function is serialized by its name.
    if let Some(name) = value.get("config").and_then(Value::as_str) {
        return named(name);
    }
    let Class { name, config } = Class::of(part, value)?;
    let number = |name, default| number(part, config, name, default);
    Ok(match name {
        "ReLU" => {
            let max_value = match config.get("max_value") {
                None | Some(Value::Null) => None,
                Some(_) => Some(number("max_value", 0.0)?),
            };
            Activation::relu(number("negative_slope", 0.0)?, max_value, number("threshold", 0.0)?)
        }
        "LeakyReLU" => Activation::leaky_relu(number("negative_slope", number("alpha", 0.3)?)?),
        "ELU" => Activation::elu(number("alpha", 1.0)?),
        "Softmax" if config.get("axis").is_none_or(|axis| *axis == json!(-1)) => Activation::Softmax,
        _ => return Err(super::json::unknown(part, name)),
    })
}

/// The Keras form of an activation.
pub(super) fn write_activation(value: &Value) -> Written<Value> {
    let layer = |class, config| Ok(object("keras.layers", class, config));
    match recipe::<Activation>(value)? {
        Activation::ReluWith { negative_slope, max_value, threshold } => layer(
            "ReLU",
            json!({"negative_slope": negative_slope, "max_value": max_value, "threshold": threshold}),
        ),
        Activation::LeakyReluWith { negative_slope } => {
            layer("LeakyReLU", json!({"negative_slope": negative_slope}))
        }
        Activation::EluWith { alpha } => layer("ELU", json!({"alpha": alpha})),
        // The functions below have these defaults, and no name with another value.
        Activation::CeluWith { alpha: 1.0 } => Ok("celu".into()),
        Activation::SoftShrinkWith { threshold: 0.5 } => Ok("soft_shrink".into()),
        Activation::HardShrinkWith { threshold: 0.5 } => Ok("hard_shrink".into()),
        Activation::SquareplusWith { b: 4.0 } => Ok("squareplus".into()),
        activation @ (Activation::GeluTanh
        | Activation::CeluWith { .. }
        | Activation::SoftShrinkWith { .. }
        | Activation::HardShrinkWith { .. }
        | Activation::SquareplusWith { .. }) => {
            Err(format!("Keras has no name for the activation {activation}"))
        }
        activation => Ok(activation.name().into()),
    }
}

/// An initializer: a name, or an object.
pub(super) fn read_initializer(part: &str, value: &Value) -> Read<Initializer> {
    let named = |name: &str| {
        let snake = super::names::snake_case(name);
        let short = snake.strip_suffix("_initializer").unwrap_or(&snake);
        short.parse::<Initializer>().map_err(|_| super::json::unknown(part, name))
    };
    if let Value::String(name) = value {
        return named(name);
    }
    let Class { name, config } = Class::of(part, value)?;
    let number = |name, default| number(part, config, name, default);
    Ok(match named(name)? {
        Initializer::Constant(_) => Initializer::Constant(number("value", 0.0)?),
        Initializer::RandomUniform { .. } => {
            Initializer::random_uniform(number("minval", -0.05)?, number("maxval", 0.05)?)
        }
        Initializer::RandomNormal { .. } => {
            Initializer::random_normal(number("mean", 0.0)?, number("stddev", 0.05)?)
        }
        Initializer::TruncatedNormal { .. } => {
            Initializer::truncated_normal(number("mean", 0.0)?, number("stddev", 0.05)?)
        }
        Initializer::Orthogonal { .. } => Initializer::orthogonal(number("gain", 1.0)?),
        Initializer::Identity { .. } => Initializer::identity(number("gain", 1.0)?),
        Initializer::VarianceScaling { .. } => variance_scaling(part, config)?,
        initializer => initializer,
    })
}

fn variance_scaling(part: &str, config: &Fields) -> Read<Initializer> {
    let text = |name: &'static str, default: &'static str| match config.get(name) {
        None | Some(Value::Null) => Ok(Value::from(default)),
        // Keras 2 calls the truncated distribution so.
        Some(value) if value == "normal" => Ok("truncated_normal".into()),
        Some(value) => Ok(value.clone()),
    };
    let (mode, distribution) = (text("mode", "fan_in")?, text("distribution", "truncated_normal")?);
    let scale = number(part, config, "scale", 1.0)?;
    let value = json!({"variance_scaling": {"scale": scale, "mode": mode, "distribution": distribution}});
    serde_json::from_value(value)
        .map_err(|_| unsupported(part, "a mode and a distribution of VarianceScaling", "others", ""))
}

/// The Keras form of an initializer.
pub(super) fn write_initializer(value: &Value) -> Written<Value> {
    let initializer = recipe::<Initializer>(value)?;
    let seeded = |class, mut config: Value| {
        if let Some(fields) = config.as_object_mut() {
            fields.insert("seed".into(), Value::Null);
        }
        Ok(object("keras.initializers", class, config))
    };
    match &initializer {
        Initializer::Zeros => Ok(object("keras.initializers", "Zeros", json!({}))),
        Initializer::Ones => Ok(object("keras.initializers", "Ones", json!({}))),
        Initializer::Constant(value) => Ok(object("keras.initializers", "Constant", json!({"value": value}))),
        Initializer::Identity { gain } => Ok(object("keras.initializers", "Identity", json!({"gain": gain}))),
        Initializer::RandomUniform { minval, maxval } => {
            seeded("RandomUniform", json!({"minval": minval, "maxval": maxval}))
        }
        Initializer::RandomNormal { mean, stddev } => {
            seeded("RandomNormal", json!({"mean": mean, "stddev": stddev}))
        }
        Initializer::TruncatedNormal { mean, stddev } => {
            seeded("TruncatedNormal", json!({"mean": mean, "stddev": stddev}))
        }
        Initializer::VarianceScaling { .. } => {
            seeded("VarianceScaling", value.get("variance_scaling").cloned().unwrap_or_default())
        }
        Initializer::GlorotUniform => seeded("GlorotUniform", json!({})),
        Initializer::GlorotNormal => seeded("GlorotNormal", json!({})),
        Initializer::HeUniform => seeded("HeUniform", json!({})),
        Initializer::HeNormal => seeded("HeNormal", json!({})),
        Initializer::LecunUniform => seeded("LecunUniform", json!({})),
        Initializer::LecunNormal => seeded("LecunNormal", json!({})),
        Initializer::Orthogonal { gain } => seeded("Orthogonal", json!({"gain": gain})),
        Initializer::UnitForget(_) => Err(format!("Keras has no initializer {initializer}")),
    }
}

/// A regularizer, or none.
pub(super) fn read_regularizer(part: &str, value: &Value) -> Read<Option<Regularizer>> {
    match value {
        Value::Null => return Ok(None),
        Value::String(name) => {
            return name.parse().map(Some).map_err(|_| super::json::unknown(part, name));
        }
        _ => {}
    }
    let Class { name, config } = Class::of(part, value)?;
    let number = |name, default| number(part, config, name, default);
    Ok(Some(match name {
        "L1" => Regularizer::l1(number("l1", 0.01)?),
        "L2" => Regularizer::l2(number("l2", 0.01)?),
        "L1L2" => Regularizer::l1_l2(number("l1", 0.0)?, number("l2", 0.0)?),
        _ => return Err(super::json::unknown(part, name)),
    }))
}

/// The Keras form of a regularizer.
pub(super) fn write_regularizer(value: &Value) -> Written<Value> {
    let Some(Regularizer { l1, l2, .. }) = recipe::<Option<Regularizer>>(value)? else {
        return Ok(Value::Null);
    };
    let (class, config) = match (l1 == 0.0, l2 == 0.0) {
        (true, false) => ("L2", json!({"l2": l2})),
        (false, true) => ("L1", json!({"l1": l1})),
        _ => ("L1L2", json!({"l1": l1, "l2": l2})),
    };
    Ok(object("keras.regularizers", class, config))
}

/// A constraint, or none.
pub(super) fn read_constraint(part: &str, value: &Value) -> Read<Option<Constraint>> {
    match value {
        Value::Null => return Ok(None),
        Value::String(name) => {
            return name.parse().map(Some).map_err(|_| super::json::unknown(part, name));
        }
        _ => {}
    }
    let Class { name, config } = Class::of(part, value)?;
    let number = |name, default| number(part, config, name, default);
    Ok(Some(match name {
        "NonNeg" => Constraint::NonNeg,
        "MaxNorm" => Constraint::max_norm(number("max_value", 2.0)?).axes(leading_axes(part, config)?),
        "UnitNorm" => Constraint::unit_norm().axes(leading_axes(part, config)?),
        "MinMaxNorm" => {
            let (least, most) = (number("min_value", 0.0)?, number("max_value", 1.0)?);
            Constraint::min_max_norm(least, most, number("rate", 1.0)?).axes(leading_axes(part, config)?)
        }
        _ => return Err(super::json::unknown(part, name)),
    }))
}

/// The number of axes of a norm, which must be the leading ones.
fn leading_axes(part: &str, config: &Fields) -> Read<usize> {
    let axis = config.get("axis").unwrap_or(&Value::Null);
    if axis.is_null() {
        return Ok(1);
    }
    let mut axes = lengths(axis).unwrap_or_default();
    axes.sort_unstable();
    if !axes.is_empty() && axes.iter().copied().eq(0..axes.len() as u64) {
        return Ok(axes.len());
    }
    Err(setting(part, "axis", "0, or [0, 1, …]", axis))
}

/// The Keras form of a constraint.
pub(super) fn write_constraint(value: &Value) -> Written<Value> {
    let axis = |axes: usize| if axes == 1 { json!(0) } else { json!((0..axes).collect::<Vec<_>>()) };
    let (class, config) = match recipe::<Option<Constraint>>(value)? {
        None => return Ok(Value::Null),
        Some(Constraint::NonNeg) => ("NonNeg", json!({})),
        Some(Constraint::MaxNorm { max_value, axes }) => {
            ("MaxNorm", json!({"max_value": max_value, "axis": axis(axes)}))
        }
        Some(Constraint::UnitNorm { axes }) => ("UnitNorm", json!({"axis": axis(axes)})),
        Some(Constraint::MinMaxNorm { min_value, max_value, rate, axes }) => (
            "MinMaxNorm",
            json!({"min_value": min_value, "max_value": max_value, "rate": rate, "axis": axis(axes)}),
        ),
    };
    Ok(object("keras.constraints", class, config))
}
