//! Models and weights into files.

use super::connections::Connections;
use super::file::{Encoder, WRITER};
use super::header::Content;
use super::limits::MemoryBudget;
use super::records::{Dims, GraphRecord, LayerRecord, ModelRecord, OutputRecord, Recipe, WeightsRecord};
use super::registry::{Registry, Within, has_namespace};
use super::tensor_data::Tensor;
use super::training::Training;
use crate::error::{Error, LoadErrorKind, Result};
use crate::float::Float;
use crate::float::precompiled::precompiled;
use crate::nn::layer::Config;
#[cfg(feature = "onnx")]
use crate::nn::layer::Layer;
use crate::nn::layout::{PlannedLayer, Variable};
use crate::nn::metric::ALIASED;
use crate::nn::model::Model;
use crate::nn::model::outputs::NetworkOutput;
use std::fmt::Debug;
use std::io::Write;
use std::path::Path;

impl<F: Float> Model<F> {
    /// Saves everything: layers, weights, state, loss, metrics, the optimizer with its moments and its learning rate
    /// of this moment, options, and where the training stands. A model that is loaded again continues as this one would,
    /// to the bit.
    ///
    /// The file is replaced whole or not at all, whatever happens meanwhile, and is durable when this returns. A
    /// symbolic link is followed; permissions of a file that is replaced are kept. Callbacks of this crate that
    /// [`with_fit_options`](Self::with_fit_options) keeps are saved; custom ones, factories and validation data are not
    /// part of a file. Equal models make equal files.
    ///
    /// # Errors
    /// What the system refuses ([`Error::Save`]); parts that have no form in a file ([`Error::Unsaveable`]): a learning
    /// rate that is a closure, a layer without [`config`](crate::layers::Layer::config); NaN among the weights.
    ///
    /// # Examples
    /// ```
    /// use axonal::prelude::*;
    ///
    /// # fn main() -> Result<()> {
    /// # let path = std::env::temp_dir().join(format!("axonal-doc-save-{}.axonal", std::process::id()));
    /// let model: Model<f32> =
    ///     Sequential::new(4).add(Dense::new(3)).compile(Adam::default(), MeanSquaredError::default())?;
    /// model.save(&path)?;
    /// let restored = Model::<f32>::load(&path)?;
    /// assert_eq!(restored.weights(), model.weights());
    /// # std::fs::remove_file(&path).unwrap();
    /// # Ok(())
    /// # }
    /// ```
    pub fn save(&self, path: impl AsRef<Path>) -> Result<()> {
        model_encoder(self)?.save(path.as_ref())
    }

    /// As [`save`](Self::save), to a writer; it is flushed at the end.
    ///
    /// # Errors
    /// As [`save`](Self::save).
    pub fn save_to(&self, mut writer: impl Write) -> Result<()> {
        model_encoder(self)?.save_to(&mut writer)
    }

    /// As [`save`](Self::save), to memory.
    ///
    /// # Errors
    /// As [`save`](Self::save).
    pub fn to_bytes(&self) -> Result<Vec<u8>> {
        model_encoder(self)?.to_bytes()
    }

    /// Saves the weights alone, trained and moving ones, under their names.
    ///
    /// # Errors
    /// What the system refuses; NaN among the weights.
    pub fn save_weights(&self, path: impl AsRef<Path>) -> Result<()> {
        weights_encoder(self)?.save(path.as_ref())
    }

    /// As [`save_weights`](Self::save_weights), to a writer; it is flushed at the end.
    ///
    /// # Errors
    /// As [`save_weights`](Self::save_weights).
    pub fn save_weights_to(&self, mut writer: impl Write) -> Result<()> {
        weights_encoder(self)?.save_to(&mut writer)
    }

    /// Appends the records of the layers.
    fn record_layers(&self, encoder: &mut Encoder<'_>) -> Result<()> {
        for node in &self.layout.nodes {
            let config = layer_config(node)?;
            let recipe = Recipe { kind: node.layer.kind(), config: config.as_json() };
            encoder.record(&LayerRecord { recipe, trainable: node.trainable })?;
        }
        Ok(())
    }

    fn weight_tensors(&self) -> Vec<Tensor<'_>> {
        let tensor = |variable: &Variable| {
            let buffer = if variable.in_state { &self.state } else { &self.params };
            let values = buffer.get(variable.range.clone()).unwrap_or_default();
            Tensor::floats(variable.name.clone(), variable.shape.dims(), values)
        };
        self.layout.variables.iter().map(tensor).collect()
    }

    /// What is not a weight: the optimizer's moments, and the weights to start over from.
    fn other_tensors(&self) -> Vec<Tensor<'_>> {
        let mut moments = vec![F::zero(); self.optimizer_state.moments_len()];
        self.optimizer_state.copy_moments_to(&mut moments);
        let mut tensors = vec![Tensor::floats(MOMENTS, &[moments.len()], moments)];
        if let Some((params, state)) = self.origin() {
            tensors.push(Tensor::flat(ORIGIN_PARAMS, params));
            tensors.push(Tensor::flat(ORIGIN_STATE, state));
        }
        tensors
    }
}

precompiled! {
    /// The whole model as a file.
    pub(super) fn model_encoder<'a, 'b, F>(model: &'a Model<F>) -> Result<Encoder<'a>> {
        model.check_built("save")?;
        let training = Training::of(model)?.to_json()?;
        let weights = model.weight_tensors();
        let others = model.other_tensors();
        let count = |n: usize| u32::try_from(n).unwrap_or(u32::MAX);
        let rule = &model.optimizer_state.rule;
        let optimizer = config::<F>("optimizer", "the optimizer", rule.kind(), rule.config(), rule)?;
        let optimizer = Recipe { kind: rule.kind(), config: optimizer.as_json() };
        let (n_layers, n_tensors) = (count(model.layout.nodes.len()), count(weights.len() + others.len()));
        let encoder = match Connections::of(model) {
            Some(connections) => {
                let connections =
                    serde_json::to_string(&connections).map_err(|problem| Error::Unsaveable {
                        what: "the connections of the graph".into(),
                        reason: problem.to_string(),
                        hint: "use save_weights".into(),
                    })?;
                let mut encoder = Encoder::new(Content::Graph);
                encoder.record(&GraphRecord {
                    writer: WRITER,
                    connections: &connections,
                    n_layers,
                    n_outputs: count(model.outputs.len()),
                    optimizer,
                    training: &training,
                    n_tensors,
                })?;
                model.record_layers(&mut encoder)?;
                for output in &model.outputs {
                    let loss = config_of_loss(output)?;
                    let loss = Recipe { kind: output.loss.kind(), config: loss.as_json() };
                    encoder.record(&OutputRecord { loss, n_metrics: count(output.metrics.len()) })?;
                    record_metrics(&mut encoder, output)?;
                }
                encoder
            }
            None => {
                let [output] = &model.outputs[..] else {
                    return Err(Error::shape("save", "one output", model.outputs.len()));
                };
                let loss = config_of_loss(output)?;
                let mut encoder = Encoder::new(Content::Model);
                encoder.record(&ModelRecord {
                    writer: WRITER,
                    input: Dims::of(model.layout.input().dims()),
                    n_layers,
                    loss: Recipe { kind: output.loss.kind(), config: loss.as_json() },
                    n_metrics: count(output.metrics.len()),
                    optimizer,
                    training: &training,
                    n_tensors,
                })?;
                model.record_layers(&mut encoder)?;
                record_metrics(&mut encoder, output)?;
                encoder
            }
        };
        let mut encoder = encoder;
        encoder.tensors(weights.into_iter().chain(others).collect())?;
        Ok(encoder)
    }

    fn weights_encoder<'a, 'b, F>(model: &'a Model<F>) -> Result<Encoder<'a>> {
        model.check_built("save_weights")?;
        let tensors = model.weight_tensors();
        let n_tensors = u32::try_from(tensors.len()).unwrap_or(u32::MAX);
        let mut encoder = Encoder::new(Content::Weights);
        encoder.record(&WeightsRecord { writer: WRITER, n_tensors })?;
        encoder.tensors(tensors)?;
        Ok(encoder)
    }
}

pub(super) const MOMENTS: &str = "optimizer/moments";
pub(super) const ORIGIN_PARAMS: &str = "origin/params";
pub(super) const ORIGIN_STATE: &str = "origin/state";

fn config_of_loss<F: Float>(output: &NetworkOutput<F>) -> Result<Config> {
    config::<F>("loss", "the loss", output.loss.kind(), output.loss.config(), &output.loss)
}

/// Appends the records of the metrics of an output.
fn record_metrics<F: Float>(encoder: &mut Encoder<'_>, output: &NetworkOutput<F>) -> Result<()> {
    for metric in &output.metrics {
        let (what, kind) = (format!("metric {}", metric.name()), metric.kind());
        let config = config::<F>("metric", &what, kind, metric.config(), metric)?;
        let aliased = metric.alias().and_then(|alias| alias.config(kind, &config));
        let (kind, config) = aliased.map_or((kind, config), |config| (ALIASED, config));
        encoder.record(&Recipe { kind, config: config.as_json() })?;
    }
    Ok(())
}

/// The configuration of a layer, if the layer that a load makes of it is the same.
///
/// # Errors
/// [`Error::Unsaveable`]: no configuration, or a kind of this crate for another layer.
pub(crate) fn layer_config<F: Float>(node: &PlannedLayer<F>) -> Result<Config> {
    let (what, kind) = (format!("layer {}", node.name), node.layer.kind());
    match node.merge() {
        Some(merge) => config::<F>("merge", &what, kind, merge.config(), merge),
        None => config::<F>("layer", &what, kind, node.layer.config(), &node.layer),
    }
}

/// The configuration of a recipe for a file, if it comes back from it as it is.
fn config<F: Float>(
    family: &'static str,
    what: &str,
    kind: &str,
    config: Option<Config>,
    original: &dyn Debug,
) -> Result<Config> {
    let unsaveable =
        |reason: String, hint: &str| Error::Unsaveable { what: what.into(), reason, hint: hint.into() };
    let Some(config) = config else {
        let reason =
            "its config() returns None, as that of a closure does and of a hyperparameter that is not finite";
        let hint = "use a type with serde's derives whose config() returns Config::of(self), or save_weights";
        return Err(unsaveable(reason.into(), hint));
    };
    match made_again::<F>(family, kind, &config) {
        Ok(made) if made == format!("{original:?}") => {}
        Ok(_) => {
            let reason = format!("it calls itself {kind:?}, a kind of this crate, and differs from it");
            return Err(unsaveable(reason, "give it a name with a namespace, as in \"mycrate.swish\""));
        }
        // A kind of another crate, or one that holds such a kind.
        Err(Error::Load { .. }) if has_namespace(kind) || crate::nn::layers::KINDS.contains(&kind) => {}
        Err(Error::Load { .. }) => {
            let reason = format!("its kind {kind:?} has no namespace");
            return Err(unsaveable(reason, "give it a name with a namespace, as in \"mycrate.swish\""));
        }
        Err(problem) => {
            return Err(unsaveable(problem.to_string(), "repair its configuration, or use save_weights"));
        }
    }
    Ok(config)
}

/// The text of what a load would make of a kind and its configuration.
fn made_again<F: Float>(family: &'static str, kind: &str, config: &Config) -> Result<String> {
    let unlimited = MemoryBudget::unlimited();
    let within = Within::new(usize::MAX, &unlimited);
    let unknown = || LoadErrorKind::UnknownKind { what: family, kind: kind.into() }.in_file("");
    Ok(match family {
        "layer" => format!("{:?}", Registry::<F>::new().layer_at(kind, config, 1, &within)?),
        "merge" => {
            format!("{:?}", crate::nn::layers::merge_from_config::<F>(kind, config).ok_or_else(unknown)??)
        }
        "loss" => format!("{:?}", crate::nn::loss::from_config::<F>(kind, config).ok_or_else(unknown)??),
        "metric" => format!("{:?}", crate::nn::metric::from_config::<F>(kind, config).ok_or_else(unknown)??),
        _ => format!("{:?}", crate::nn::optimizer::from_config::<F>(kind, config).ok_or_else(unknown)??),
    })
}
