//! Writing: `save_safetensors`, `to_safetensors`.

use crate::error::{Error, Result};
use crate::float::Float;
use crate::nn::layout::{Source, Variable};
use crate::nn::model::Model;
use crate::persistence::replace_file;
use safetensors::Dtype;
use safetensors::tensor::{Metadata, TensorInfo};
use serde::Serialize;
use serde_json::value::RawValue;
use std::io::{self, Write};
use std::path::Path;

/// The header is padded with spaces to a multiple of this, so that tensor data are aligned.
const ALIGNMENT: usize = 8;

/// Number of elements that are converted to bytes at a time.
const CHUNK_LEN: usize = 1 << 13;

impl<F: Float> Model<F> {
    /// Saves all weights as a safetensors file, under the names of [`weights`](Self::weights).
    ///
    /// Elements keep their type: `F32` or `F64`. The metadata entry `architecture` holds the crate's version, the input
    /// shape and the layers with their hyperparameters as JSON. The file is replaced whole or not at all.
    ///
    /// # Errors
    /// [`Error::Save`] if the system refuses, [`Error::NonFinite`] for NaN or infinite weights.
    ///
    /// # Examples
    /// ```
    /// use axonal::prelude::*;
    ///
    /// # fn main() -> Result<()> {
    /// # let path = std::env::temp_dir().join(format!("axonal-doc-{}.safetensors", std::process::id()));
    /// let network = |seed| {
    ///     let layers = Sequential::<f32>::new(4).add(Dense::new(3)).seed(seed);
    ///     layers.compile(Adam::default(), MeanSquaredError::default())
    /// };
    /// let (first, mut second) = (network(1)?, network(2)?);
    /// first.save_safetensors(&path)?;
    /// second.load_safetensors(&path)?;
    /// assert_eq!(second.weights(), first.weights());
    /// # std::fs::remove_file(&path).unwrap();
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// In Python:
    /// ```text
    /// from safetensors.numpy import load_file
    /// kernel = load_file("model.safetensors")["0.dense/kernel"]  # (inputs, units)
    /// ```
    #[cfg_attr(docsrs, doc(cfg(feature = "safetensors")))]
    pub fn save_safetensors(&self, path: impl AsRef<Path>) -> Result<()> {
        let header = self.safetensors_header()?;
        replace_file(path.as_ref(), |out| self.write_safetensors(&header, out))
    }

    /// Saves all weights as the bytes of a safetensors file.
    ///
    /// # Errors
    /// [`Error::NonFinite`] for NaN or infinite weights.
    #[cfg_attr(docsrs, doc(cfg(feature = "safetensors")))]
    pub fn to_safetensors(&self) -> Result<Vec<u8>> {
        let mut bytes = Vec::new();
        let written = self.write_safetensors(&self.safetensors_header()?, &mut bytes);
        written.map_err(|source| Error::Save { path: "the bytes".into(), action: "write", source })?;
        Ok(bytes)
    }

    /// Creates the header, padded.
    fn safetensors_header(&self) -> Result<Vec<u8>> {
        let dtype = if F::NAME == "f32" { Dtype::F32 } else { Dtype::F64 };
        let (mut tensors, mut end) = (Vec::new(), 0);
        for variable in &self.layout.variables {
            let values = self.values_of(variable);
            if let Some(index) = values.iter().position(|value| !value.is_finite()) {
                let value = values.get(index).map_or(f64::NAN, |value| value.as_f64());
                return Err(Error::non_finite(&*variable.name, value, [index]));
            }
            let (start, shape) = (end, variable.shape.dims().to_vec());
            end += size_of_val(values);
            tensors.push((variable.name.clone(), TensorInfo { dtype, shape, data_offsets: (start, end) }));
        }
        // One entry only: the crate keeps entries in a map without an order, and equal models make equal files.
        let architecture = [("architecture".to_owned(), self.architecture()?)];
        let metadata = Metadata::new(Some(architecture.into_iter().collect()), tensors)
            .map_err(|problem| unsaveable(&problem))?;
        let mut header = serde_json::to_vec(&metadata).map_err(|problem| unsaveable(&problem))?;
        header.resize(header.len().next_multiple_of(ALIGNMENT), b' ');
        Ok(header)
    }

    /// Serializes input shape and layers as JSON. Layers without a configuration appear with their kind only.
    fn architecture(&self) -> Result<String> {
        let layout = &self.layout;
        let name_of = |source: &Source| match *source {
            Source::Input(index) => layout.inputs.get(index).map_or("", |input| &input.name),
            Source::Node(index) => layout.nodes.get(index).map_or("", |node| &node.name),
        };
        let layers = layout.nodes.iter().map(|node| {
            let config = node.merge().map_or_else(|| node.layer.config(), |merge| merge.config());
            LayerEntry {
                name: &node.name,
                kind: node.layer.kind(),
                trainable: node.trainable,
                inputs: (!layout.is_chain).then(|| node.inputs.iter().map(name_of).collect()),
                config: config.and_then(|config| RawValue::from_string(config.as_json().to_owned()).ok()),
            }
        });
        let inputs = layout.inputs.iter().map(|input| (&*input.name, input.shape.dims()));
        let architecture = Architecture {
            axonal: env!("CARGO_PKG_VERSION"),
            input_shape: layout.is_chain.then(|| layout.input().dims()),
            inputs: (!layout.is_chain).then(|| inputs.collect()),
            layers: layers.collect(),
        };
        serde_json::to_string(&architecture).map_err(|problem| unsaveable(&problem))
    }

    fn write_safetensors(&self, header: &[u8], out: &mut dyn Write) -> io::Result<()> {
        out.write_all(&(header.len() as u64).to_le_bytes())?;
        out.write_all(header)?;
        let mut bytes = Vec::new();
        for variable in &self.layout.variables {
            for values in self.values_of(variable).chunks(CHUNK_LEN) {
                bytes.clear();
                for value in values.iter().map(|value| value.as_f64()) {
                    #[allow(clippy::cast_possible_truncation, reason = "the value is an f32")]
                    match F::NAME {
                        "f32" => bytes.extend_from_slice(&(value as f32).to_le_bytes()),
                        _ => bytes.extend_from_slice(&value.to_le_bytes()),
                    }
                }
                out.write_all(&bytes)?;
            }
        }
        Ok(())
    }

    /// The values of a variable.
    fn values_of(&self, variable: &Variable) -> &[F] {
        let buffer = if variable.in_state { &self.state } else { &self.params };
        buffer.get(variable.range.clone()).unwrap_or_default()
    }
}

/// The metadata entry `architecture`.
#[derive(Serialize)]
struct Architecture<'a> {
    axonal: &'static str,
    /// Of a chain.
    #[serde(skip_serializing_if = "Option::is_none")]
    input_shape: Option<&'a [usize]>,
    /// Names and sample shapes, of a graph.
    #[serde(skip_serializing_if = "Option::is_none")]
    inputs: Option<Vec<(&'a str, &'a [usize])>>,
    layers: Vec<LayerEntry<'a>>,
}

#[derive(Serialize)]
struct LayerEntry<'a> {
    name: &'a str,
    kind: &'static str,
    trainable: bool,
    /// Names of inputs and layers, in a graph.
    #[serde(skip_serializing_if = "Option::is_none")]
    inputs: Option<Vec<&'a str>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    config: Option<Box<RawValue>>,
}

fn unsaveable(problem: &dyn std::fmt::Display) -> Error {
    Error::Unsaveable {
        what: "the model".into(),
        reason: format!("no safetensors header describes it ({problem})"),
        hint: "use save_weights".into(),
    }
}
