//! Files that Keras has written, and files for Keras.

use axonal::ndarray::{Array2, ArrayD};
use axonal::prelude::*;
use serde_json::Value;
use std::path::PathBuf;

fn file(name: &str) -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/persistence/keras").join(name)
}

fn expected(name: &str) -> Value {
    serde_json::from_str(&std::fs::read_to_string(file(name)).unwrap()).unwrap()
}

/// An array of any rank as rows of one sample.
fn rows(value: &Value) -> Array2<f32> {
    fn flat(value: &Value, out: &mut Vec<f32>) {
        match value {
            Value::Array(values) => values.iter().for_each(|value| flat(value, out)),
            value => out.push(value.as_f64().unwrap() as f32),
        }
    }
    let samples = value.as_array().unwrap();
    let mut values = Vec::new();
    flat(value, &mut values);
    Array2::from_shape_vec((samples.len(), values.len() / samples.len()), values).unwrap()
}

fn assert_close(got: &Array2<f32>, want: &Array2<f32>, tolerance: f32, what: &str) {
    assert_eq!(got.dim(), want.dim(), "{what}");
    for (got, want) in got.iter().zip(want) {
        assert!((got - want).abs() <= tolerance * want.abs().max(1.0), "{what}: {got}, want {want}");
    }
}

#[test]
fn predictions_are_those_of_keras() {
    for name in ["mlp_adam.keras", "mlp_adam.h5", "rnn.keras", "prep.keras", "cnn.keras"] {
        let stem = name.split('.').next().unwrap();
        let expected = expected(&format!("{stem}.expected.json"));
        let x = if stem == "cnn" {
            Array2::from_shape_fn((2, 64), |(i, j)| ((i * 64 + j) % 13) as f32 / 13.0 - 0.4)
        } else {
            rows(&expected["x"])
        };
        let layers = Sequential::<f32>::load_keras(file(name)).unwrap();
        let model = layers.compile(Sgd::new(0.1), MeanSquaredError::default()).unwrap();
        let dims: Vec<usize> =
            std::iter::once(x.nrows()).chain(model.input_shape().dims().iter().copied()).collect();
        let x: ArrayD<f32> = x.into_shape_with_order(dims).unwrap();
        assert_close(&model.predict(&x).unwrap(), &rows(&expected["y"]), 1e-6, name);
        let model = Model::<f32>::load_keras(file(name)).unwrap();
        assert_close(&model.predict(&x).unwrap(), &rows(&expected["y"]), 1e-6, name);
    }
}
