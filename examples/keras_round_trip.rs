//! The part of this crate in the round trips of `scripts/interop/keras_round_trips.py`: for each case of a folder it loads the model
//! that Keras has saved, predicts, evaluates, trains, saves it for Keras, and trains on; the results lie beside the case.
//!
//! ```text
//! cargo run --release --features keras --example keras_round_trip -- FOLDER
//! ```
// ci: skip (needs the cases)
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "it stops where a case fails")]

use axonal::ndarray::{Array1, ArrayD};
use axonal::prelude::*;
use serde_json::{Value, json};
use std::path::Path;

/// The data of a case: samples of any shape, and targets that are labels or values; several of both for a graph.
struct Case {
    inputs: Vec<ArrayD<f32>>,
    labels: Option<Array1<i64>>,
    targets: Vec<ArrayD<f32>>,
    steps: usize,
}

fn floats(list: &Value) -> Vec<f32> {
    list.as_array().unwrap().iter().map(|x| x.as_f64().unwrap() as f32).collect()
}

fn shape(list: &Value) -> Vec<usize> {
    list.as_array().unwrap().iter().map(|n| n.as_u64().unwrap() as usize).collect()
}

fn arrays(list: &Value) -> Vec<ArrayD<f32>> {
    let array =
        |array: &Value| ArrayD::from_shape_vec(shape(&array["shape"]), floats(&array["values"])).unwrap();
    list.as_array().unwrap().iter().map(array).collect()
}

impl Case {
    fn read(path: &Path) -> Self {
        let case: Value = serde_json::from_str(&std::fs::read_to_string(path).unwrap()).unwrap();
        let steps = case["steps"].as_u64().unwrap() as usize;
        if case.get("inputs").is_some() {
            let (inputs, targets) = (arrays(&case["inputs"]), arrays(&case["targets"]));
            return Self { inputs, labels: None, targets, steps };
        }
        let (x, y) = (floats(&case["x"]), floats(&case["y"]));
        let x = ArrayD::from_shape_vec(shape(&case["x_shape"]), x).unwrap();
        let n = x.shape()[0];
        let labels = case["labels"].as_bool().unwrap().then(|| y.iter().map(|&label| label as i64).collect());
        let values = ArrayD::from_shape_vec(vec![n, y.len() / n], y).unwrap();
        Self { inputs: vec![x], labels, targets: vec![values], steps }
    }

    fn evaluate(&self, model: &Model<f32>) -> Result<Evaluation> {
        match &self.labels {
            Some(labels) => model.evaluate(&self.inputs, labels),
            None => model.evaluate(&self.inputs, self.targets.as_slice()),
        }
    }

    /// Trains for some steps, each with all samples.
    fn train(&self, model: &mut Model<f32>) -> Result<()> {
        let batch = self.inputs[0].shape()[0];
        let options = FitOptions::new().epochs(self.steps).batch_size(batch).shuffle(false);
        match &self.labels {
            Some(labels) => model.fit_with(&self.inputs, labels, options)?,
            None => model.fit_with(&self.inputs, self.targets.as_slice(), options)?,
        };
        Ok(())
    }

    /// What the model answers: its predictions, output by output, and its evaluation by name.
    fn answers(&self, model: &Model<f32>) -> Result<Value> {
        let predictions = model.predict_all(&self.inputs)?;
        let predictions: Vec<f32> =
            predictions.iter().flat_map(|(_, values)| values.iter().copied()).collect();
        let evaluation = self.evaluate(model)?;
        let scores: Vec<_> = evaluation.iter().map(|(name, value)| json!([name, value])).collect();
        Ok(json!({"predictions": predictions, "scores": scores}))
    }

    fn run(&self, folder: &Path, name: &str) -> Result<Value> {
        let mut model = Model::<f32>::load_keras(folder.join(format!("{name}.keras")))?;
        let loaded = self.answers(&model)?;
        self.train(&mut model)?;
        model.save_keras(folder.join(format!("{name}.saved.keras")))?;
        model.save_keras_weights(folder.join(format!("{name}.saved.weights.h5")))?;
        let trained = self.answers(&model)?;
        self.train(&mut model)?;
        Ok(json!({"loaded": loaded, "trained": trained, "continued": self.answers(&model)?}))
    }
}

fn main() {
    let folder = std::env::args().nth(1).expect("a folder of cases");
    let folder = Path::new(&folder);
    let mut cases: Vec<_> = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect();
    cases.sort();
    let (mut n_cases, mut n_errors) = (0, 0);
    for path in cases {
        let Some(name) = path.file_name().and_then(|name| name.to_str()?.strip_suffix(".case.json")) else {
            continue;
        };
        n_cases += 1;
        let answers = Case::read(&path).run(folder, name).unwrap_or_else(|error| {
            n_errors += 1;
            println!("{name}: {error}");
            json!({"error": error.to_string()})
        });
        std::fs::write(folder.join(format!("{name}.axonal.json")), answers.to_string()).unwrap();
    }
    println!("{n_cases} cases, {n_errors} errors");
}
