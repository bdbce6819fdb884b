//! ONNX files: networks, clusterings, transformers and pipelines as graphs of ONNX's operators.
//!
//! A file is a few messages in the format of protocol buffers, which [`proto`] encodes; `onnx-rs`, the one maintained crate in
//! pure Rust, would bring a parser and `unsafe` code for the same. [`graph`] collects nodes and constants, [`layers`] has a
//! function for each kind of layer, and the other files a step for each estimator.

mod activation;
mod adapters;
mod clustering;
mod encoding;
mod graph;
mod layers;
mod network;
mod pipeline;
mod proto;
mod scaling;

use crate::error::{Error, Result};
use crate::persistence::replace_file;
use graph::{Dim, ElementType, Graph, Port};
use proto::Message;
use std::io;
use std::path::Path;

/// The version of ONNX's file format; 8 is that of ONNX 1.12.
const IR_VERSION: i64 = 8;

/// The version of ONNX's operators.
const OPSET: i64 = 17;

/// The version of the operators for classical machine learning, `ai.onnx.ml`.
const ML_OPSET: i64 = 3;

/// The domain of the operators for classical machine learning.
const ML: &str = "ai.onnx.ml";

/// Name of the graph's input.
const INPUT: &str = "input";

/// Names of outputs.
const OUTPUT: &str = "output";
const LABELS: &str = "labels";
const DISTANCES: &str = "distances";

/// Estimators that have a form in ONNX and may be steps of an exported [`Pipeline`](crate::pipeline::Pipeline): networks,
/// clusterings, scalers, imputers, encoders, principal components, and pipelines of these.
///
/// # Examples
/// ```
/// use axonal::ndarray::array;
/// use axonal::prelude::*;
///
/// # fn main() -> Result<()> {
/// # let path = std::env::temp_dir().join(format!("axonal-doc-{}.onnx", std::process::id()));
/// let x = array![[1.0_f32, 40.0], [2.0, 10.0], [9.0, 20.0], [10.0, 50.0]];
/// let mut pipeline = Pipeline::new(StandardScaler::new(), KMeans::new(2).seed(1));
/// pipeline.fit(&x, ())?;
/// pipeline.export_onnx(&path)?;
/// # std::fs::remove_file(&path).unwrap();
/// # Ok(())
/// # }
/// ```
///
/// In Python:
/// ```text
/// session = onnxruntime.InferenceSession("pipeline.onnx")
/// labels, distances = session.run(["labels", "distances"], {"input": x})
/// ```
pub trait OnnxStep {
    /// What the step takes when it comes first.
    #[doc(hidden)]
    fn input(&self) -> Result<Value>;

    /// All inputs, of steps that may have several.
    #[doc(hidden)]
    fn inputs(&self) -> Result<Vec<Value>> {
        Ok(vec![self.input()?])
    }

    /// Appends the step to a graph. The last output is what a following step takes.
    #[doc(hidden)]
    fn append(&self, graph: &mut Graph, x: Value) -> Result<Vec<Value>>;

    /// Appends the step with all of its inputs.
    #[doc(hidden)]
    fn append_all(&self, graph: &mut Graph, inputs: Vec<Value>) -> Result<Vec<Value>> {
        let x = inputs.into_iter().next().ok_or_else(|| unsaveable("the step", "it has no input"))?;
        self.append(graph, x)
    }
}

/// A value between steps, (batch, …).
#[derive(Debug, Clone)]
pub struct Value {
    name: String,
    /// The name as an output of the graph.
    port: String,
    element: ElementType,
    /// The shape of a sample.
    sample: Vec<Dim>,
}

impl Value {
    /// The input of a graph.
    fn input(element: ElementType, sample: impl IntoIterator<Item = usize>) -> Self {
        Self::new(INPUT.to_owned(), INPUT, element, sample)
    }

    fn new(
        name: String,
        port: impl Into<String>,
        element: ElementType,
        sample: impl IntoIterator<Item = usize>,
    ) -> Self {
        Self { name, port: port.into(), element, sample: sample.into_iter().map(Dim::Fixed).collect() }
    }

    /// The only output of a transformer: (batch, features).
    fn features(name: String, n_features: usize) -> Self {
        Self::new(name, OUTPUT, ElementType::Float, [n_features])
    }

    fn as_port(&self) -> Port {
        let dims = [Dim::Symbolic("batch")].into_iter().chain(self.sample.iter().cloned()).collect();
        Port { name: self.port.clone(), element: self.element, dims }
    }

    /// Errors unless the value holds numbers, of a given number of features where that is known.
    fn require_numbers(&self, owner: &str, n_features: Option<usize>) -> Result<()> {
        if self.element != ElementType::Float {
            return Err(unsaveable(owner, "it takes numbers, and the step before it gives text or labels"));
        }
        match (n_features, &self.sample[..]) {
            (Some(expected), &[Dim::Fixed(got)]) if got != expected => Err(Error::shape(
                owner,
                format!("{expected} features"),
                format!("{got} from the step before"),
            )),
            _ => Ok(()),
        }
    }
}

fn unsaveable(what: &str, reason: impl Into<String>) -> Error {
    let hint = "export the steps that have an ONNX form".into();
    Error::Unsaveable { what: what.into(), reason: reason.into(), hint }
}

/// Encodes an estimator as a `ModelProto`.
fn document(name: &str, step: &impl OnnxStep) -> Result<Message> {
    let inputs = step.inputs()?;
    let ports: Vec<Port> = inputs.iter().map(Value::as_port).collect();
    let mut graph = Graph::new(ports.iter().map(|port| port.name.clone()));
    let outputs: Vec<(String, Port)> = step
        .append_all(&mut graph, inputs)?
        .into_iter()
        .map(|value| (value.name.clone(), value.as_port()))
        .collect();
    let opset = |domain: &str, version: i64| Message::default().text(1, domain).int(2, version);
    let model = Message::default().int(1, IR_VERSION).message(8, opset("", OPSET));
    let model = if graph.uses_ml() { model.message(8, opset(ML, ML_OPSET)) } else { model };
    let (producer, version) = (env!("CARGO_PKG_NAME"), env!("CARGO_PKG_VERSION"));
    let property = Message::default().text(1, "axonal_version").text(2, version);
    let model = model.text(2, producer).text(3, version).message(7, graph.encode(name, &ports, &outputs));
    let model = model.message(14, property);
    if model.len() > i32::MAX as u64 {
        let reason = format!("an ONNX file has at most 2 GiB, and this one would have {} bytes", model.len());
        return Err(unsaveable(name, reason));
    }
    Ok(model)
}

/// Writes an estimator to a file, whole or not at all.
fn export(name: &str, step: &impl OnnxStep, path: &Path) -> Result<()> {
    let document = document(name, step)?;
    replace_file(path, |out| document.write(out))
}

/// Encodes an estimator as the bytes of a file.
fn to_bytes(name: &str, step: &impl OnnxStep) -> Result<Vec<u8>> {
    let document = document(name, step)?;
    let mut bytes = Vec::new();
    let written: io::Result<()> = document.write(&mut bytes);
    written.map_err(|source| Error::Save { path: "the bytes".into(), action: "write", source })?;
    Ok(bytes)
}

/// Declares `export_onnx` and `to_onnx` for an estimator. `$outputs` describes inputs and outputs.
macro_rules! export_methods {
    ([$($generics:tt)*] $estimator:ty, $name:literal, $outputs:literal) => {
        impl<$($generics)*> $estimator {
            /// Writes an ONNX file that computes the same.
            ///
            #[doc = $outputs]
            /// The number of samples is free (the axis `batch`). Operators are of opset 17.
            ///
            /// # Errors
            /// [`Error::NotFitted`](crate::Error::NotFitted), [`Error::Unsaveable`](crate::Error::Unsaveable) for parts that
            /// ONNX cannot represent, [`Error::Save`](crate::Error::Save) if the system refuses. The file is replaced whole or
            /// not at all.
            #[cfg_attr(docsrs, doc(cfg(feature = "onnx")))]
            pub fn export_onnx(&self, path: impl AsRef<std::path::Path>) -> crate::error::Result<()> {
                super::export($name, self, path.as_ref())
            }

            /// Encodes the bytes of the file that [`export_onnx`](Self::export_onnx) writes.
            ///
            /// # Errors
            /// As [`export_onnx`](Self::export_onnx).
            #[cfg_attr(docsrs, doc(cfg(feature = "onnx")))]
            pub fn to_onnx(&self) -> crate::error::Result<Vec<u8>> {
                super::to_bytes($name, self)
            }
        }
    };
}
use export_methods;
