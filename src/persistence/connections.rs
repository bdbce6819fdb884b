//! The connections of a graph model, as JSON in its file.

use super::Checked;
use super::limits::Limits;
use crate::error::LoadErrorKind;
use crate::float::Float;
use crate::nn::layout::{Layout, Source};
use crate::nn::model::Model;
use crate::nn::model::outputs::NetworkOutput;
use serde::{Deserialize, Serialize};

/// Inputs, layers and outputs of a network with their names.
#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Connections {
    /// Whether the network was built by `Sequential`.
    pub(super) chain: bool,
    pub(super) inputs: Vec<ConnectedInput>,
    pub(super) layers: Vec<ConnectedLayer>,
    pub(super) outputs: Vec<ConnectedOutput>,
}

#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct ConnectedInput {
    pub(super) name: String,
    pub(super) shape: Vec<usize>,
}

#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct ConnectedLayer {
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub(super) name: Option<String>,
    pub(super) inputs: Vec<ConnectedSource>,
    /// Whether it is a merge layer.
    #[serde(skip_serializing_if = "std::ops::Not::not", default)]
    pub(super) merge: bool,
    /// The first layer with the same weights.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub(super) shares: Option<usize>,
}

#[derive(Debug, Clone, Copy, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum ConnectedSource {
    Input(usize),
    Layer(usize),
}

#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct ConnectedOutput {
    pub(super) name: String,
    pub(super) layer: usize,
    pub(super) loss_weight: f64,
}

impl From<ConnectedSource> for Source {
    fn from(source: ConnectedSource) -> Self {
        match source {
            ConnectedSource::Input(index) => Self::Input(index),
            ConnectedSource::Layer(index) => Self::Node(index),
        }
    }
}

impl Connections {
    /// The connections of a model; `None` for a chain without names, whose file does not have them.
    pub(super) fn of<F: Float>(model: &Model<F>) -> Option<Self> {
        let layout: &Layout<F> = &model.layout;
        if layout.is_chain && layout.nodes.iter().all(|node| !node.is_named) {
            return None;
        }
        let source = |source: &Source| match *source {
            Source::Input(index) => ConnectedSource::Input(index),
            Source::Node(index) => ConnectedSource::Layer(index),
        };
        let input = |input: &crate::nn::layout::NetworkInput| ConnectedInput {
            name: input.name.clone(),
            shape: input.shape.dims().to_vec(),
        };
        let output = |(&layer, output): (&usize, &NetworkOutput<F>)| ConnectedOutput {
            name: output.name.clone(),
            layer,
            loss_weight: output.loss_weight,
        };
        Some(Self {
            chain: layout.is_chain,
            inputs: layout.inputs.iter().map(input).collect(),
            layers: layout
                .nodes
                .iter()
                .map(|node| ConnectedLayer {
                    name: node.is_named.then(|| node.name.clone()),
                    inputs: node.inputs.iter().map(source).collect(),
                    merge: node.joins_inputs(),
                    shares: node.shares,
                })
                .collect(),
            outputs: layout.outputs.iter().zip(&model.outputs).map(output).collect(),
        })
    }

    /// Reads connections and checks that they are those of `n_layers` layers and `n_outputs` outputs, each reading earlier ones.
    pub(super) fn read(text: &str, n_layers: usize, n_outputs: usize, limits: &Limits) -> Checked<Self> {
        let malformed = |expected: &str, got: String| LoadErrorKind::Malformed {
            offset: 0,
            expected: expected.into(),
            got,
        };
        if text.len() > limits.max_config_bytes {
            let (value, limit) = (text.len() as u64, limits.max_config_bytes as u64);
            return Err(LoadErrorKind::Limit { what: "bytes of connections".into(), value, limit });
        }
        let read: Self = serde_json::from_str(text).map_err(|problem| {
            malformed("the connections of a graph", crate::error::excerpt(&problem.to_string()))
        })?;
        let Self { chain, inputs, layers, outputs } = &read;
        if layers.len() != n_layers || outputs.len() != n_outputs || outputs.is_empty() || inputs.is_empty() {
            let got = format!("{} inputs, {} layers, {} outputs", inputs.len(), layers.len(), outputs.len());
            return Err(malformed(&format!("inputs, {n_layers} layers and {n_outputs} outputs"), got));
        }
        for (index, layer) in layers.iter().enumerate() {
            let is_earlier = |source: &ConnectedSource| match *source {
                ConnectedSource::Input(input) => input < inputs.len(),
                ConnectedSource::Layer(layer) => layer < index,
            };
            let shares_earlier = layer.shares.is_none_or(|first| {
                first < index && layers[first].shares.is_none() && !layer.merge && !layers[first].merge
            });
            if !layer.inputs.iter().all(is_earlier)
                || layer.inputs.is_empty()
                || (layer.inputs.len() > 1 && !layer.merge)
                || !shares_earlier
            {
                return Err(malformed(
                    "a layer that reads earlier ones",
                    format!("layer {index}: {layer:?}"),
                ));
            }
        }
        let is_chain = inputs.len() == 1
            && outputs.len() == 1
            && outputs[0].layer + 1 == n_layers
            && layers.iter().enumerate().all(|(index, layer)| match layer.inputs[..] {
                [ConnectedSource::Input(_)] => index == 0 && !layer.merge,
                [ConnectedSource::Layer(before)] => {
                    before + 1 == index && !layer.merge && layer.shares.is_none()
                }
                _ => false,
            });
        if *chain && !is_chain {
            return Err(malformed("a chain of layers", "other connections".into()));
        }
        if let Some(output) = outputs.iter().find(|output| {
            output.layer >= n_layers || !output.loss_weight.is_finite() || output.loss_weight < 0.0
        }) {
            return Err(malformed("outputs of layers", format!("{output:?}")));
        }
        Ok(read)
    }
}
