//! Runs every reference case of a folder, prints the largest difference of each, and fails above the tolerance.
//!
//! The folder is `tests/parity`, or the one that the environment variable `AXONAL_PARITY` names. A file says by its
//! content what it is: a training run of Keras, a table of Keras's numbers, a k-means run of scikit-learn.

mod attention;
mod golden;
mod keras_config;
mod keras_fit;
mod keras_graphs;
mod keras_layers;
mod kmeans;
mod sparse_embedding_grads;

use serde_json::Value;
use std::path::{Path, PathBuf};

/// How far a case is off.
#[derive(Debug, Default)]
pub struct Difference {
    worst: f64,
    at: String,
    compared: usize,
}

impl Difference {
    /// |got − want| over max(1, |want|).
    pub fn number(&mut self, what: &str, got: f64, want: f64) {
        let off = (got - want).abs() / want.abs().max(1.0);
        self.compared += 1;
        if off > self.worst || off.is_nan() {
            self.worst = if off.is_nan() { f64::INFINITY } else { off };
            self.at = format!("{what}: got {got}, want {want}");
        }
    }

    pub fn numbers(&mut self, what: &str, got: &[f64], want: &[f64]) {
        if got.len() != want.len() {
            self.worst = f64::INFINITY;
            self.at = format!("{what}: {} numbers, want {}", got.len(), want.len());
        }
        got.iter().zip(want).for_each(|(got, want)| self.number(what, *got, *want));
    }

    pub fn equal(&mut self, what: &str, got: &[usize], want: &[usize]) {
        self.compared += want.len();
        if got != want {
            self.worst = f64::INFINITY;
            self.at = format!("{what}: got {got:?}, want {want:?}");
        }
    }
}

/// A case's name, its difference and its tolerance; or what it needs that there is not yet.
pub type Outcome = (String, Result<(Difference, f64), String>);

/// All numbers of a nested list, in order.
pub fn flat(value: &Value) -> Vec<f64> {
    match value {
        Value::Array(values) => values.iter().flat_map(flat).collect(),
        _ => vec![value.as_f64().unwrap_or_else(|| panic!("{value} is not a number"))],
    }
}

/// The shape of a nested list.
pub fn shape(value: &Value) -> Vec<usize> {
    match value {
        Value::Array(values) => {
            std::iter::once(values.len()).chain(values.first().map(shape).unwrap_or_default()).collect()
        }
        _ => Vec::new(),
    }
}

fn files(folder: &Path, found: &mut Vec<PathBuf>) {
    let mut entries: Vec<PathBuf> =
        std::fs::read_dir(folder).expect("a folder of cases").map(|entry| entry.unwrap().path()).collect();
    entries.sort();
    for path in entries {
        if path.is_dir() {
            files(&path, found);
        } else if path.extension().is_some_and(|extension| extension == "json") {
            found.push(path);
        }
    }
}

fn outcomes(path: &Path) -> Vec<Outcome> {
    let text = std::fs::read_to_string(path).unwrap();
    let content: Value = serde_json::from_str(&text).unwrap_or_else(|e| panic!("{}: {e}", path.display()));
    let has = |key: &str| content.get(key).is_some();
    if has("case") && has("history") {
        // What the runner does not know how to read is that case's problem.
        let run = std::panic::catch_unwind(|| keras_fit::run(&content));
        vec![run.unwrap_or_else(|_| {
            let worst = Difference { worst: f64::INFINITY, at: "the runner panics".into(), compared: 1 };
            (path.display().to_string(), Ok((worst, 0.0)))
        })]
    } else if has("graph") {
        let run = std::panic::catch_unwind(|| keras_graphs::run(&content));
        vec![run.unwrap_or_else(|_| {
            let worst = Difference { worst: f64::INFINITY, at: "the runner panics".into(), compared: 1 };
            (path.display().to_string(), Ok((worst, 0.0)))
        })]
    } else if has("case") && has("cluster_centers") {
        vec![kmeans::run(&content)]
    } else if has("attention_cases") {
        attention::run(&content)
    } else if has("optimizers") && has("losses") {
        golden::run(&content)
    } else {
        // Lists of what to make cases from, and other files' expectations.
        Vec::new()
    }
}

#[test]
fn every_case_agrees_with_its_reference() {
    let default = PathBuf::from(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/parity"));
    let folder = std::env::var_os("AXONAL_PARITY").map_or(default, PathBuf::from);
    let mut found = Vec::new();
    files(&folder, &mut found);
    let (mut ran, mut failed) = (0, Vec::new());
    for (name, outcome) in found.iter().flat_map(|path| outcomes(path)) {
        match outcome {
            Err(missing) => println!("{name:48} waits for {missing}"),
            Ok((Difference { worst, at, compared }, tolerance)) => {
                let verdict = if worst <= tolerance && compared > 0 { "ok" } else { "FAILED" };
                println!("{name:48} {worst:9.1e} of {tolerance:.0e} over {compared:5} numbers  {verdict}");
                ran += 1;
                if verdict != "ok" {
                    failed.push(format!("{name}: {at}"));
                }
            }
        }
    }
    assert!(ran > 0, "no cases in {}", folder.display());
    assert!(failed.is_empty(), "{} of {ran} cases:\n{}", failed.len(), failed.join("\n"));
}
