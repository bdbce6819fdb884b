//! Sizes at the ends of their types in every layer: an error, never an overflow or a wrapped length.
#![allow(clippy::unwrap_used, reason = "a test")]

use super::{ChainLayer, Layout};
use crate::nn::layer::{Config, Layer, MAX_ELEMENTS, Shape};
use crate::nn::layers::registry::contract::{CASES, create};
use serde_json::Value;
use std::sync::Arc;

/// Around the square root of the largest size, and at the ends of the signed and the unsigned type.
const EXTREMES: [usize; 6] =
    [HALF >> 1, HALF, 1 << (usize::BITS - 2), isize::MAX as usize, isize::MIN as usize + 1, usize::MAX];

const HALF: usize = 1 << (usize::BITS / 2);

/// The paths of all integers in a configuration.
fn integers(value: &Value, path: &str, found: &mut Vec<String>) {
    match value {
        Value::Number(number) if number.is_i64() || number.is_u64() => found.push(path.into()),
        Value::Array(values) => {
            values
                .iter()
                .enumerate()
                .for_each(|(index, value)| integers(value, &format!("{path}/{index}"), found));
        }
        Value::Object(fields) => {
            fields.iter().for_each(|(name, value)| integers(value, &format!("{path}/{name}"), found));
        }
        _ => {}
    }
}

/// Plans a network; where it is accepted, no length is wrapped or beyond what memory can hold.
fn plan(name: &str, input: &[usize], layers: &[Arc<dyn Layer<f64>>]) -> bool {
    let layers = layers.iter().map(|layer| ChainLayer { layer: layer.clone(), trainable: true, name: None });
    let Ok(layout) = Layout::chain(Shape::from(input), layers.collect()) else { return false };
    assert!(layout.params_len.max(layout.state_len) <= MAX_ELEMENTS, "{name}");
    for node in &layout.nodes {
        let exact = |shape: &Shape| shape.dims().iter().map(|&dim| dim as u128).product::<u128>();
        let params: u128 = node.plan.params().iter().map(|spec| exact(&spec.shape)).sum();
        let state: u128 = node.plan.state_specs().iter().map(|spec| exact(&spec.shape)).sum();
        assert_eq!((params, state), (node.params.len() as u128, node.state.len() as u128), "{name}");
        assert_eq!(exact(node.plan.output_shape()), node.output_len() as u128, "{name}");
        assert!(node.plan.cache_len(1) <= MAX_ELEMENTS, "{name}");
    }
    layout.operations();
    true
}

/// The configurations of a case with one integer replaced by an extreme.
fn changed(kind: &str, config: &str) -> Vec<(String, Arc<dyn Layer<f64>>)> {
    let layer = create(kind, &Config::from_json(config)).unwrap();
    // With the fields that the case leaves at their defaults; a null may be an integer as well.
    let saved: Value = serde_json::from_str(layer.config().unwrap().as_json()).unwrap();
    let mut paths = Vec::new();
    integers(&saved, "", &mut paths);
    let mut layers = Vec::new();
    for path in paths {
        for extreme in EXTREMES {
            let mut value = saved.clone();
            *value.pointer_mut(&path).unwrap() = extreme.into();
            let config = Config::from_json(value.to_string());
            let name = format!("{kind}{path} = {extreme}");
            layers.extend(create(kind, &config).ok().map(|layer| (name, layer)));
        }
    }
    layers
}

#[test]
fn extreme_hyperparameters_are_errors_or_exact() {
    let (mut tried, mut accepted) = (0, 0);
    for (kind, config, shapes) in CASES {
        for (name, layer) in changed(kind, config) {
            for shape in *shapes {
                tried += 2;
                accepted += usize::from(plan(&name, shape, std::slice::from_ref(&layer)));
                accepted += usize::from(plan(&name, shape, &[layer.clone(), layer.clone()]));
            }
        }
    }
    assert!(tried > 1000, "{tried} networks tried, {accepted} accepted");
}

#[test]
fn extreme_inputs_are_errors_or_exact() {
    for (kind, config, shapes) in CASES {
        let layer = create(kind, &Config::from_json(*config)).unwrap();
        for shape in *shapes {
            for axis in 0..shape.len() {
                for extreme in EXTREMES {
                    let mut shape = shape.to_vec();
                    shape[axis] = extreme;
                    plan(&format!("{kind} on {shape:?}"), &shape, &[layer.clone(), layer.clone()]);
                    // Plans that no network asks for do not overflow either.
                    let _ = layer.plan(&Shape::from(shape.as_slice()));
                    let _ = layer.plan(&Shape::from(vec![extreme; shape.len()]));
                }
            }
        }
    }
}

#[test]
fn extreme_layers_inside_others_are_errors() {
    let inner = |units: usize| {
        format!(r#"{{"kind":"lstm","config":{{"units":{units},"weights":{{"return_sequences":true}}}}}}"#)
    };
    let dense = |units: usize| format!(r#"{{"kind":"dense","config":{{"units":{units}}}}}"#);
    for extreme in EXTREMES {
        let cases = [
            ("bidirectional", format!(r#"{{"layer":{}}}"#, inner(extreme))),
            ("time_distributed", format!(r#"{{"layer":{}}}"#, dense(extreme))),
            ("residual", format!(r#"{{"layers":[{},{}]}}"#, dense(extreme), dense(3))),
            ("residual", format!(r#"{{"layers":[{},{}]}}"#, dense(extreme), dense(extreme))),
            ("residual", format!(r#"{{"layers":[{}],"projection":{}}}"#, dense(extreme), dense(extreme))),
        ];
        for (kind, config) in cases {
            let layer = create(kind, &Config::from_json(config)).unwrap();
            let accepted = plan(&format!("{kind} of {extreme}"), &[4, 3], &[layer]);
            assert!(!accepted || extreme <= HALF, "{kind} of {extreme}");
        }
    }
}
