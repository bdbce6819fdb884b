//! Attention without projections: outputs, and gradients of inputs and weights.

use crate::parity::keras_config::Built;
use crate::parity::{Difference, Outcome, flat, shape};
use axonal::custom::{Backward, Forward, Mask, Merge, MergeInputs, Mode, Shape};
use axonal::layers::{AdditiveAttention, Attention, ScoreMode};
use axonal::ndarray::{Array2, ArrayView2};
use axonal::prelude::*;
use serde_json::Value;
use std::sync::Arc;

/// Keras's scores are rounded at 1e9 where they are masked; weights differ from 0 and 1 by the rounding of the exponentials only.
const TOLERANCE: f64 = 1e-12;

const TOLERANCE_F32: f64 = 1e-6;

pub fn run(content: &Value) -> Vec<Outcome> {
    let cases = content["attention_cases"].as_array().into_iter().flatten().enumerate();
    let cases = cases.map(|(index, case)| {
        let name = format!("attention {index} {} {}", case["layer"], case["settings"]);
        let outcome = match case["dtype"].as_str() {
            Some("float32") => compare::<f32>(case).map(|difference| (difference, TOLERANCE_F32)),
            _ => compare::<f64>(case).map(|difference| (difference, TOLERANCE)),
        };
        (name, outcome)
    });
    cases.collect()
}

fn layer<F: Float>(case: &Value) -> Built<Arc<dyn Merge<F>>> {
    let settings = &case["settings"];
    let flag = |value: &Value| value.as_bool();
    let causal = flag(&case["causal"]).unwrap_or(false);
    match case["layer"].as_str() {
        Some("Attention") => {
            let mode = if settings["score_mode"] == "concat" { ScoreMode::Concat } else { ScoreMode::Dot };
            let layer = Attention::new().score_mode(mode).causal(causal);
            Ok(Arc::new(layer.use_scale(flag(&settings["use_scale"]).unwrap_or(false))))
        }
        Some("AdditiveAttention") => {
            let layer = AdditiveAttention::new().causal(causal);
            Ok(Arc::new(layer.use_scale(flag(&settings["use_scale"]).unwrap_or(true))))
        }
        _ => Err(format!("layer {}", case["layer"])),
    }
}

/// The inputs side by side, a row for each sample.
fn joined<F: Float>(inputs: &[Value]) -> Array2<F> {
    let n = shape(&inputs[0])[0];
    let inputs: Vec<Vec<f64>> = inputs.iter().map(flat).collect();
    let rows = (0..n).flat_map(|row| {
        inputs.iter().flat_map(move |input| {
            let len = input.len() / n;
            input[row * len..][..len].iter().copied()
        })
    });
    let values: Vec<F> = rows.map(F::of).collect();
    Array2::from_shape_vec((n, values.len() / n), values).expect("regular inputs")
}

/// The masks of all inputs side by side; inputs without a mask are valid.
fn mask(case: &Value, shapes: &[Shape], n: usize) -> Option<Vec<bool>> {
    let masks = case["masks"].as_array()?;
    let valid = |row: usize, input: usize, step: usize| match masks.get(input) {
        Some(Value::Array(mask)) => mask[row][step].as_bool().expect("a flag"),
        _ => true,
    };
    let positions = |row: usize| {
        shapes
            .iter()
            .enumerate()
            .flat_map(move |(input, shape)| (0..shape.dims()[0]).map(move |step| valid(row, input, step)))
    };
    Some((0..n).flat_map(positions).collect())
}

fn compare<F: Float>(case: &Value) -> Built<Difference> {
    let layer = layer::<F>(case)?;
    let inputs = case["inputs"].as_array().ok_or("inputs")?;
    let shapes: Vec<Shape> = inputs.iter().map(|input| Shape::from(&shape(input)[1..])).collect();
    let merged = MergeInputs::new(&shapes);
    let plan = layer.plan(merged).map_err(|error| error.to_string())?;
    let x = joined::<F>(inputs);
    let n = x.nrows();
    let params: Vec<F> = flat(&case["weights"]).into_iter().map(F::of).collect();
    let names: Vec<&str> = plan.params().iter().map(|spec| spec.name.as_ref()).collect();
    let want: Vec<&str> =
        case["weight_names"].as_array().into_iter().flatten().filter_map(Value::as_str).collect();
    assert_eq!(names, want, "the names of the weights");
    let valid = mask(case, &shapes, n);
    let positions = merged.positions(merged.len()).start;
    let mask = valid.as_ref().map(|valid| Mask::new(valid, positions));
    let mut y = Array2::from_elem((n, plan.output_shape().size()), F::nan());
    let mut cache = vec![F::nan(); plan.cache_len(n)];
    let pass = Forward::new(x.view(), y.view_mut(), &params, &mut cache, Mode::Infer { state: &[] });
    layer.forward(merged, pass.masked(mask).planned(&plan));
    let numbers = |array: ArrayView2<'_, F>| array.iter().map(|value| value.as_f64()).collect::<Vec<_>>();
    let mut difference = Difference::default();
    difference.numbers("y", &numbers(y.view()), &flat(&case["y"]));
    if case["dy"].is_null() {
        return Ok(difference);
    }
    let mut dy = joined::<F>(std::slice::from_ref(&case["dy"]));
    let mut dx = Array2::from_elem(x.raw_dim(), F::nan());
    let mut grads = vec![F::zero(); params.len()];
    let pass =
        Backward::new(x.view(), y.view(), dy.view_mut(), dx.view_mut(), &params, &mut grads, &mut cache);
    layer.backward(merged, pass.masked(mask).planned(&plan));
    let wanted = joined::<F>(case["d_inputs"].as_array().ok_or("d_inputs")?);
    difference.numbers("dx", &numbers(dx.view()), &numbers(wanted.view()));
    let grads: Vec<f64> = grads.iter().map(|value| value.as_f64()).collect();
    difference.numbers("gradients of the weights", &grads, &flat(&case["d_weights"]));
    Ok(difference)
}
