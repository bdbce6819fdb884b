//! What a file holds, without building it.

use super::Checked;
use super::header::{Content, HEADER_LEN};
use super::limits::{Limits, MemoryBudget};
use super::model_load::{Tensors, check_count};
use super::reader::{Input, OpenFile, Source};
use super::records::{
    CheckpointRecord, EstimatorRecord, GraphRecord, LayerRecord, ModelRecord, OutputRecord, Recipe, Records,
    WeightsRecord,
};
use super::tensor_data::NumberType;
use crate::error::{LoadErrorKind, Result, excerpt};
use std::borrow::Cow;
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
/// As [`Model::load`](crate::models::Model::load), but kinds need not be known.
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
    let contents =
        [Content::Model, Content::Graph, Content::Weights, Content::Estimator, Content::Checkpoint];
    let mut opened = source.structure(&contents, limits)?;
    let found = read(&opened, limits).map_err(|problem| problem.in_file(&opened.name))?;
    let bytes = opened.header.numbers_len;
    opened.numbers(|numbers| numbers.skip(bytes).map(Ok))?;
    Ok(found)
}

fn read<'a, R: Input<'a>>(opened: &OpenFile<'a, R>, limits: &Limits) -> Checked<Inspection> {
    let header = opened.header;
    let mut records = Records::new(&opened.structure, HEADER_LEN as u64);
    // The result is held beside the structure, unless that was in memory before.
    let own = match opened.structure {
        Cow::Borrowed(_) => opened.len(),
        Cow::Owned(_) => header.numbers_len,
    };
    let budget = MemoryBudget::new(limits).of_file(own, own);
    let info = |recipe: Recipe<'_>| {
        let texts = recipe.kind.len() + recipe.config.len();
        // The list may stand twice while it grows.
        budget.take((3 * size_of::<RecipeInfo>() + texts) as u64)?;
        Ok(RecipeInfo { kind: recipe.kind.into(), config: recipe.config.into() })
    };
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
    let n_tensors = read_head(&mut found, &mut records, limits, info)?;
    check_count(n_tensors, limits)?;
    let mut tensors = Tensors { records, left: n_tensors, bytes: 0, convert: true };
    // A record is at least four bytes long.
    let room = (n_tensors as usize).min(opened.structure.len() / 4);
    budget.take((room * size_of::<TensorInfo>()) as u64)?;
    found.tensors = Vec::with_capacity(room);
    while tensors.left > 0 {
        let (record, number) = tensors.next("a tensor")?;
        let mut shape = record.shape.0;
        shape.shrink_to_fit();
        budget.take((record.name.len() + size_of_val(&*shape)) as u64)?;
        found.tensors.push(TensorInfo { name: record.name.into(), shape, number });
    }
    tensors.finish(header.numbers_len)?;
    Ok(found)
}

/// Reads the records before the tensors; returns the number of tensors.
fn read_head(
    found: &mut Inspection,
    records: &mut Records<'_>,
    limits: &Limits,
    info: impl Fn(Recipe<'_>) -> Checked<RecipeInfo>,
) -> Checked<u32> {
    Ok(match found.content {
        Content::Model => {
            let head: ModelRecord<'_> = records.next("a model")?;
            for _ in 0..bounded("layers", head.n_layers, limits)? {
                found.layers.push(info(records.next::<LayerRecord<'_>>("a layer")?.recipe)?);
            }
            for _ in 0..bounded("metrics", head.n_metrics, limits)? {
                found.metrics.push(info(records.next::<Recipe<'_>>("a metric")?)?);
            }
            found.writer = excerpt(head.writer);
            (found.loss, found.optimizer) = (Some(info(head.loss)?), Some(info(head.optimizer)?));
            head.n_tensors
        }
        Content::Graph => {
            let head: GraphRecord<'_> = records.next("a graph model")?;
            for _ in 0..bounded("layers", head.n_layers, limits)? {
                found.layers.push(info(records.next::<LayerRecord<'_>>("a layer")?.recipe)?);
            }
            for _ in 0..bounded("outputs", head.n_outputs, limits)? {
                let output: OutputRecord<'_> = records.next("an output")?;
                let loss = info(output.loss)?;
                found.loss.get_or_insert(loss);
                for _ in 0..bounded("metrics", output.n_metrics, limits)? {
                    found.metrics.push(info(records.next::<Recipe<'_>>("a metric")?)?);
                }
            }
            found.writer = excerpt(head.writer);
            found.optimizer = Some(info(head.optimizer)?);
            head.n_tensors
        }
        Content::Weights => {
            let head: WeightsRecord<'_> = records.next("weights")?;
            found.writer = excerpt(head.writer);
            head.n_tensors
        }
        Content::Estimator => {
            let head: EstimatorRecord<'_> = records.next("an estimator")?;
            found.writer = excerpt(head.writer);
            found.layers.push(info(head.recipe)?);
            head.n_tensors
        }
        Content::Checkpoint => {
            let head: CheckpointRecord<'_> = records.next("a checkpoint")?;
            found.writer = excerpt(head.writer);
            head.n_tensors
        }
    })
}

fn bounded(what: &str, n: u32, limits: &Limits) -> Checked<u32> {
    if n as usize <= limits.max_layers {
        return Ok(n);
    }
    Err(LoadErrorKind::Limit { what: what.into(), value: n.into(), limit: limits.max_layers as u64 })
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
