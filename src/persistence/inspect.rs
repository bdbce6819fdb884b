//! What a file holds, without building it.

use super::Checked;
use super::frame::{Content, HEADER_LEN};
use super::limits::Limits;
use super::model_load::Tensors;
use super::numbers::NumberType;
use super::source::{Input, Opened, Source};
use super::structured::{
    CheckpointRecord, EstimatorRecord, LayerRecord, ModelRecord, Recipe, Records, WeightsRecord,
};
use crate::error::{FileProblem, Result};
use std::fmt;
use std::path::Path;

/// What a file says of itself: made by [`inspect`].
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Inspection {
    /// What it holds.
    pub content: Content,
    /// The format that it is written in.
    pub format: u16,
    /// The crate and its version that wrote it.
    pub writer: String,
    /// The length of the file.
    pub bytes: u64,
    /// The layers of a model; the one kind of an estimator; empty for weights.
    pub layers: Vec<RecipeInfo>,
    /// The loss of a model.
    pub loss: Option<RecipeInfo>,
    /// The optimizer of a model.
    pub optimizer: Option<RecipeInfo>,
    /// The metrics of a model.
    pub metrics: Vec<RecipeInfo>,
    /// All tensors, in their order.
    pub tensors: Vec<TensorInfo>,
}

/// A kind with its configuration.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct RecipeInfo {
    /// The kind: "dense".
    pub kind: String,
    /// The configuration as JSON text, as the file has it.
    pub config: String,
}

/// A tensor of a file.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct TensorInfo {
    /// Its name: "0.dense/kernel".
    pub name: String,
    /// Its shape.
    pub shape: Vec<u64>,
    /// The type of its numbers.
    pub number: NumberType,
}

/// Reads what a file says of itself; its checksums are verified, but nothing is built and no number is kept.
///
/// # Errors
/// As [`Model::load`](crate::nn::Model::load), but kinds need not be known.
///
/// # Examples
/// ```
/// use axonal::persistence::inspect;
/// use axonal::prelude::*;
///
/// # fn main() -> Result<()> {
/// # let path = std::env::temp_dir().join(format!("axonal-doc-inspect-{}.axonal", std::process::id()));
/// let model: Model<f32> =
///     Sequential::new(4).add(Dense::new(3)).compile(Adam::default(), MeanSquaredError::default())?;
/// model.save(&path)?;
/// let found = inspect(&path)?;
/// assert_eq!((found.format, found.layers[0].kind.as_str()), (1, "dense"));
/// assert_eq!((found.tensors[0].name.as_str(), &found.tensors[0].shape[..]), ("0.dense/kernel", &[4, 3][..]));
/// # std::fs::remove_file(&path).unwrap();
/// # Ok(())
/// # }
/// ```
pub fn inspect(path: impl AsRef<Path>) -> Result<Inspection> {
    let limits = Limits::default();
    inspect_source(Source::open(path.as_ref(), &limits)?, &limits)
}

/// As [`inspect`], from memory.
///
/// # Errors
/// As [`inspect`].
pub fn inspect_bytes(bytes: &[u8]) -> Result<Inspection> {
    let limits = Limits::default();
    inspect_source(Source::bytes(bytes, &limits)?, &limits)
}

fn inspect_source<'a, R: Input<'a>>(source: Source<R>, limits: &Limits) -> Result<Inspection> {
    let contents = [Content::Model, Content::Weights, Content::Estimator, Content::Checkpoint];
    let mut opened = source.structure(&contents, limits)?;
    let found = read(&opened, limits).map_err(|problem| problem.in_file(&opened.name))?;
    let bytes = opened.header.numbers_len;
    opened.numbers(|numbers| numbers.skip(bytes).map(Ok))?;
    Ok(found)
}

fn read<'a, R: Input<'a>>(opened: &Opened<'a, R>, limits: &Limits) -> Checked<Inspection> {
    let header = opened.header;
    let mut records = Records::new(&opened.structure, HEADER_LEN as u64);
    let mut found = Inspection {
        content: header.content,
        format: header.format,
        writer: String::new(),
        bytes: opened.len(),
        layers: Vec::new(),
        loss: None,
        optimizer: None,
        metrics: Vec::new(),
        tensors: Vec::new(),
    };
    let n_tensors = match header.content {
        Content::Model => {
            let head: ModelRecord<'_> = records.next("a model")?;
            for _ in 0..bounded("layers", head.n_layers, limits)? {
                found.layers.push(records.next::<LayerRecord<'_>>("a layer")?.recipe.into());
            }
            for _ in 0..bounded("metrics", head.n_metrics, limits)? {
                found.metrics.push(records.next::<Recipe<'_>>("a metric")?.into());
            }
            found.writer = head.writer.into();
            (found.loss, found.optimizer) = (Some(head.loss.into()), Some(head.optimizer.into()));
            head.n_tensors
        }
        Content::Weights => {
            let head: WeightsRecord<'_> = records.next("weights")?;
            found.writer = head.writer.into();
            head.n_tensors
        }
        Content::Estimator => {
            let head: EstimatorRecord<'_> = records.next("an estimator")?;
            found.writer = head.writer.into();
            found.layers.push(head.recipe.into());
            head.n_tensors
        }
        Content::Checkpoint => {
            let head: CheckpointRecord = records.next("a checkpoint")?;
            found.writer = head.writer;
            head.n_tensors
        }
    };
    let left = n_tensors;
    // Each layer has few tensors; a list of millions is no network's.
    let limit = limits.max_layers.saturating_mul(16) as u64;
    if u64::from(left) > limit {
        return Err(FileProblem::Limit { what: "tensors".into(), value: left.into(), limit });
    }
    let mut tensors = Tensors { records, left, bytes: 0, convert: true };
    while tensors.left > 0 {
        let (record, number) = tensors.next("a tensor")?;
        found.tensors.push(TensorInfo { name: record.name.into(), shape: record.shape.0, number });
    }
    tensors.finish(header.numbers_len)?;
    Ok(found)
}

fn bounded(what: &str, n: u32, limits: &Limits) -> Checked<u32> {
    if n as usize <= limits.max_layers {
        return Ok(n);
    }
    Err(FileProblem::Limit { what: what.into(), value: n.into(), limit: limits.max_layers as u64 })
}

impl From<Recipe<'_>> for RecipeInfo {
    fn from(Recipe { kind, config }: Recipe<'_>) -> Self {
        Self { kind: kind.into(), config: config.into() }
    }
}

impl fmt::Display for Inspection {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { content, format, writer, bytes, .. } = self;
        writeln!(f, "{}, format {format}, written by {writer:?}, {bytes} bytes", content.name())?;
        for (index, RecipeInfo { kind, config }) in self.layers.iter().enumerate() {
            writeln!(f, "  {index}. {kind:?} {config:?}")?;
        }
        for tensor in &self.tensors {
            writeln!(f, "  {:?} {:?} {}", tensor.name, tensor.shape, tensor.number.name())?;
        }
        Ok(())
    }
}
