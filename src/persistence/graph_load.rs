//! Reading the layers and outputs of a graph model.

use super::Checked;
use super::connections::{ConnectedLayer, Connections};
use super::model_load::{Reading, check_memory};
use super::records::{GraphRecord, LayerRecord, MAX_RANK, OutputRecord, Recipe, Records};
use super::registry::rejected;
use super::tensor_data::NumberType;
use crate::error::Error;
use crate::float::Float;
use crate::nn::layer::{MergeInputs, Plan, Shape};
use crate::nn::layout::{ChainLayer, LayerSpec, Layout, NetworkInput, Operation, Source};
use crate::nn::metric::Metric;
use crate::nn::model::outputs::NetworkOutput;
use std::sync::Arc;

/// What one connection takes in memory.
const CONNECTION: u64 = 64;

impl<F: Float> Reading<'_, F> {
    /// Makes the layers and outputs of a graph.
    pub(super) fn graph(
        &self,
        records: &mut Records<'_>,
        head: &GraphRecord<'_>,
    ) -> Checked<(Layout<F>, Vec<NetworkOutput<F>>)> {
        let n_layers = self.at_most("layers", head.n_layers)?;
        let n_outputs = self.at_most("outputs", head.n_outputs)?;
        // The connections are in memory as text and as values.
        self.budget.take((head.connections.len() as u64).saturating_mul(CONNECTION / 4))?;
        let connections =
            Connections::read(head.connections, n_layers as usize, n_outputs as usize, self.limits)?;
        let layers = self.graph_layers(records, &connections)?;
        let inputs: Vec<NetworkInput> = connections
            .inputs
            .iter()
            .map(|input| NetworkInput {
                name: input.name.clone(),
                shape: Shape::from(input.shape.clone()),
                indices: None,
            })
            .collect();
        let output_layers = connections.outputs.iter().map(|output| output.layer).collect();
        let layout = match connections.chain {
            true => {
                let chain = layers.into_iter().filter_map(|spec| match spec.operation {
                    Operation::Layer(layer) => {
                        Some(ChainLayer { layer, trainable: spec.trainable, name: spec.name })
                    }
                    Operation::Merge(_) => None,
                });
                Layout::chain(inputs[0].shape.clone(), chain.collect())
            }
            false => Layout::graph(inputs, layers, output_layers),
        };
        let layout = layout.map_err(|source| rejected("layers", source))?;
        check_memory(&layout, &[], self.limits)?;
        let mut outputs = Vec::new();
        for (index, connected) in connections.outputs.iter().enumerate() {
            let record: OutputRecord<'_> = records.next("an output")?;
            let loss = self.loss(&record.loss, layout.output_shape(index))?;
            let mut output = NetworkOutput::new(connected.name.clone(), loss, connected.loss_weight);
            for _ in 0..self.at_most("metrics", record.n_metrics)? {
                let recipe: Recipe<'_> = records.next("a metric")?;
                output.metrics.push(self.metric(&recipe)?);
            }
            outputs.push(output);
        }
        let metrics: Vec<Arc<dyn Metric<F>>> =
            outputs.iter().flat_map(|output| output.metrics.iter().cloned()).collect();
        check_memory(&layout, &metrics, self.limits)?;
        Ok((layout, outputs))
    }

    /// Makes the layers in order, each checked against the shapes that come to it before the next is made.
    fn graph_layers(
        &self,
        records: &mut Records<'_>,
        connections: &Connections,
    ) -> Checked<Vec<LayerSpec<F>>> {
        let inputs: Vec<Shape> =
            connections.inputs.iter().map(|input| Shape::from(input.shape.clone())).collect();
        if let Some(empty) = inputs.iter().find(|shape| shape.size() == 0 || shape.rank() > MAX_RANK) {
            let expected = format!("at most {MAX_RANK} axes of at least 1");
            return Err(rejected("inputs", Error::shape("input", expected, empty)));
        }
        let mut needed = 0_u64;
        let mut specs: Vec<LayerSpec<F>> = Vec::new();
        let (mut shapes, mut known) = (Vec::<Shape>::new(), Vec::new());
        let mut recipes: Vec<(&str, &str)> = Vec::new();
        for (index, connected) in connections.layers.iter().enumerate() {
            let part = || format!("layer {index}");
            let LayerRecord { recipe, trainable } = records.next("a layer")?;
            let texts = (recipe.kind, recipe.config);
            let sources: Vec<Source> = connected.inputs.iter().map(|&source| source.into()).collect();
            let own: Vec<Shape> = sources
                .iter()
                .map(|source| match *source {
                    Source::Input(input) => inputs[input].clone(),
                    Source::Node(layer) => shapes[layer].clone(),
                })
                .collect();
            let (operation, plan) = match connected.merge {
                true => {
                    let merge = self.merge(&recipe)?;
                    let plan =
                        merge.plan(MergeInputs::new(&own)).map_err(|source| rejected(part(), source))?;
                    (Operation::Merge(merge), plan)
                }
                false => {
                    let layer = match connected.shares {
                        Some(first) => self.shared(first, texts, &specs, &recipes).ok_or_else(|| {
                            let expected = format!("the layer {first}, whose weights it uses");
                            rejected(part(), Error::shape("shared layer", expected, "another layer"))
                        })?,
                        None => self.layer(recipe, &mut known)?.layer.clone(),
                    };
                    let plan = layer.plan(&own[0]).map_err(|source| rejected(part(), source))?;
                    (Operation::Layer(layer), plan)
                }
            };
            self.charge(index, &operation, &plan, connected, &mut needed)?;
            if plan.output_shape().rank() > MAX_RANK {
                let problem =
                    Error::shape("output", format!("at most {MAX_RANK} axes"), plan.output_shape().rank());
                return Err(rejected(part(), problem));
            }
            shapes.push(plan.output_shape().clone());
            recipes.push(texts);
            let (name, shares) = (connected.name.clone(), connected.shares);
            specs.push(LayerSpec { operation, inputs: sources, trainable, name, shares });
        }
        Ok(specs)
    }

    /// The layer whose weights another one of the same recipe uses.
    fn shared(
        &self,
        first: usize,
        texts: (&str, &str),
        specs: &[LayerSpec<F>],
        recipes: &[(&str, &str)],
    ) -> Option<Arc<dyn crate::nn::layer::Layer<F>>> {
        match &specs.get(first)?.operation {
            Operation::Layer(layer) if recipes.get(first) == Some(&texts) => Some(layer.clone()),
            _ => None,
        }
    }

    /// Charges what a layer takes, and refuses more weights than the file has numbers for.
    fn charge(
        &self,
        index: usize,
        operation: &Operation<F>,
        plan: &Plan,
        connected: &ConnectedLayer,
        needed: &mut u64,
    ) -> Checked<()> {
        let kind = match operation {
            Operation::Layer(layer) => layer.kind(),
            Operation::Merge(merge) => merge.kind(),
        };
        let rank = MAX_RANK as u64;
        let connections = (connected.inputs.len() as u64).saturating_mul(CONNECTION + 16 * rank);
        self.budget.take(Layout::<F>::bytes_of(index, kind, plan, true).saturating_add(connections))?;
        if connected.shares.is_none() {
            let weights = (plan.params_len() as u64).saturating_add(plan.state_len() as u64);
            *needed = needed.saturating_add(weights.saturating_mul(NumberType::F32.width()));
        }
        self.check_numbers(index, *needed)
    }
}

/// Skips the layers and outputs of a graph model, whose weights alone are read.
pub(super) fn skip_graph(
    records: &mut Records<'_>,
    head: &GraphRecord<'_>,
    limits: &super::limits::Limits,
) -> Checked<()> {
    use super::model_load::at_most;
    for _ in 0..at_most("layers", head.n_layers, limits)? {
        records.next::<LayerRecord<'_>>("a layer")?;
    }
    for _ in 0..at_most("outputs", head.n_outputs, limits)? {
        let output: OutputRecord<'_> = records.next("an output")?;
        for _ in 0..at_most("metrics", output.n_metrics, limits)? {
            records.next::<Recipe<'_>>("a metric")?;
        }
    }
    Ok(())
}
