//! Layers as recipes: the kind and the configuration that this crate saves, from and to Keras's classes.

use super::codec::Samples;
use super::hyperparameters::object;
use super::json::{Class, Fields};
use super::layers::{check_dtype, of_class, of_kind};
use super::names::snake_case;
use super::problem::{Read, Written, unsupported};
use crate::nn::layer::Shape;
use serde_json::{Value, json};

/// The kind of the layer that adds up the branches of a residual block; a merge layer.
pub(super) const SUM: &str = "add";

/// A layer as this crate saves it.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Recipe {
    pub(super) kind: String,
    pub(super) config: Value,
}

impl Recipe {
    fn to_json(&self) -> Value {
        json!({"kind": self.kind, "config": self.config})
    }

    /// The recipe of a layer inside another one.
    pub(super) fn from_json(value: &Value) -> Option<Self> {
        let (kind, config) = (value.get("kind")?.as_str()?, value.get("config")?);
        Some(Self { kind: kind.to_owned(), config: config.clone() })
    }
}

/// Reads a layer of Keras; layers inside it are at most `depth` deep.
pub(super) fn read_layer(
    part: &str,
    class: &str,
    config: &Fields,
    samples: &Samples,
    depth: usize,
) -> Read<Recipe> {
    if depth == 0 {
        let expected = "fewer layers inside layers; raise max_depth of Limits";
        return Err(unsupported(part, expected, "more", ""));
    }
    check_dtype(part, config)?;
    let inner = |name: &str, samples: &Samples| -> Read<Option<Recipe>> {
        let Some(value) = config.get(name).filter(|value| !value.is_null()) else { return Ok(None) };
        let part = format!("{part}, {name}");
        let Class { name: class, config } = Class::of(&part, value)?;
        read_layer(&part, class, config, samples, depth - 1).map(Some)
    };
    let missing = || unsupported(part, "a layer inside it", "none", "the file is damaged");
    match class {
        "Bidirectional" => {
            let forward = inner("layer", samples)?.ok_or_else(missing)?;
            let merge_mode = config.get("merge_mode").cloned().unwrap_or_else(|| json!("concat"));
            if merge_mode.is_null() {
                let hint = "two outputs have no place in a chain; use merge_mode=\"concat\"";
                return Err(unsupported(part, "a merge_mode", "None", hint));
            }
            let mut recipe = json!({"layer": forward.to_json(), "merge_mode": merge_mode});
            if let Some(backward) = inner("backward_layer", samples)?
                && backward != reversed(&forward)
            {
                put(&mut recipe, "backward_layer", backward.to_json());
            }
            Ok(Recipe { kind: "bidirectional".into(), config: recipe })
        }
        "TimeDistributed" => {
            let step = samples.shape.dims().get(1..).unwrap_or_default();
            let samples = Samples { shape: Shape::from(step), batch: None };
            let layer = inner("layer", &samples)?.ok_or_else(missing)?;
            Ok(Recipe { kind: "time_distributed".into(), config: json!({"layer": layer.to_json()}) })
        }
        "Identity" => Ok(Recipe { kind: "activation".into(), config: json!({"activation": "linear"}) }),
        "Lambda" | "__lambda__" => {
            let hint = "a Lambda is Python code; replace it by layers, or write a layer of your own";
            Err(unsupported(part, "layers of Keras", "a Lambda", hint))
        }
        class => {
            let layer = of_class(part, class)?;
            let config = Value::Object(layer.read(part, config, samples)?);
            Ok(Recipe { kind: layer.kind.into(), config })
        }
    }
}

/// The recipe of a recurrent layer that reads in the other direction.
fn reversed(layer: &Recipe) -> Recipe {
    let mut reversed = layer.clone();
    if let Some(weights) = reversed.config.get_mut("weights") {
        let backwards = weights.get("go_backwards").and_then(Value::as_bool).unwrap_or(false);
        put(weights, "go_backwards", json!(!backwards));
    }
    reversed
}

pub(super) fn put(value: &mut Value, name: &str, field: Value) {
    if let Some(fields) = value.as_object_mut() {
        fields.insert(name.into(), field);
    }
}

/// What the configuration of a layer needs beside its recipe.
pub(super) struct Place<'a> {
    pub(super) name: &'a str,
    pub(super) trainable: bool,
    /// "float32" or "float64".
    pub(super) dtype: &'static str,
}

/// Writes a layer as a serialized object of Keras.
pub(super) fn write_layer(recipe: &Recipe, place: &Place<'_>) -> Written<Value> {
    let inner = |value: Option<&Value>, name: String| -> Written<Value> {
        let recipe = value.and_then(Recipe::from_json).ok_or("it has no layer inside it")?;
        write_layer(&recipe, &Place { name: &name, ..*place })
    };
    let config = &recipe.config;
    let (class, mut settings) = match recipe.kind.as_str() {
        "bidirectional" => {
            let kind = config.get("layer").and_then(|layer| layer.get("kind")).and_then(Value::as_str);
            let kind = kind.unwrap_or_default();
            let forward = config.get("layer").and_then(Recipe::from_json);
            let backward = match config.get("backward_layer").filter(|layer| !layer.is_null()) {
                Some(layer) => Some(layer.clone()),
                None => forward.as_ref().map(|layer| reversed(layer).to_json()),
            };
            let mut settings = Fields::new();
            settings.insert("merge_mode".into(), config.get("merge_mode").cloned().unwrap_or_default());
            settings.insert("layer".into(), inner(config.get("layer"), format!("forward_{kind}"))?);
            settings.insert("backward_layer".into(), inner(backward.as_ref(), format!("backward_{kind}"))?);
            ("Bidirectional", settings)
        }
        "time_distributed" => {
            let kind = config.get("layer").and_then(|layer| layer.get("kind")).and_then(Value::as_str);
            let layer = inner(config.get("layer"), kind.unwrap_or_default().to_owned())?;
            ("TimeDistributed", Fields::from_iter([("layer".to_owned(), layer)]))
        }
        kind => {
            let layer = of_kind(kind).ok_or_else(|| {
                format!("{kind:?} is not a layer of Keras; save the weights alone by save_keras_weights")
            })?;
            let mut ours = config.as_object().cloned().unwrap_or_default();
            if kind == "separable_conv2d" {
                fill_kernels(&mut ours);
            }
            (layer.class, layer.write(&ours)?)
        }
    };
    settings.insert("name".into(), place.name.into());
    // Some layers of Keras take no such argument; they have no weights.
    if !place.trainable && !recipe.kind.starts_with("spatial_dropout") {
        settings.insert("trainable".into(), false.into());
    }
    settings.insert("dtype".into(), place.dtype.into());
    Ok(object("keras.layers", class, Value::Object(settings)))
}

/// Gives both kernels of a separable convolution what it has set for both.
fn fill_kernels(config: &mut Fields) {
    for kernel in ["depthwise", "pointwise"] {
        for setting in ["initializer", "regularizer", "constraint"] {
            let own = config.get(kernel).and_then(|own| own.get(setting)).filter(|own| !own.is_null());
            let both = config.get("weights").and_then(|weights| weights.get(format!("kernel_{setting}")));
            let value = own.or(both).cloned().unwrap_or_default();
            put(config.entry(kernel).or_insert_with(|| json!({})), setting, value);
        }
    }
}

/// Refuses what Keras 3 changed without a new name.
pub(super) fn check_keras_2(part: &str, config: &Value) -> Read<()> {
    let found = match config {
        Value::String(text) => text == "hard_sigmoid",
        Value::Array(values) => return values.iter().try_for_each(|value| check_keras_2(part, value)),
        Value::Object(fields) => return fields.values().try_for_each(|value| check_keras_2(part, value)),
        _ => false,
    };
    if !found {
        return Ok(());
    }
    let hint = "that of Keras 2 is 0.2x + 0.5, that of Keras 3 and of this crate x/6 + 0.5";
    Err(unsupported(part, "an activation that Keras 2 and 3 share", "hard_sigmoid", hint))
}

/// The name of a class of the user's own in groups of weights: the last part of its kind.
pub(super) fn group_name(kind: &str) -> String {
    match kind {
        "group_query_attention" => "grouped_query_attention".into(),
        kind => snake_case(kind.rsplit('.').next().unwrap_or(kind)),
    }
}
