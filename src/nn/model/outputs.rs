//! The outputs of a model: which loss, loss weight and metrics belong to which output.

use crate::float::Float;
use crate::nn::layout::{Layout, Source};
use crate::nn::loss::Loss;
use crate::nn::metric::Metric;
use std::sync::Arc;

/// One output of a network with its loss and metrics; the output of a chain has no name.
#[derive(Debug, Clone)]
pub(crate) struct NetworkOutput<F> {
    pub(crate) name: String,
    pub(crate) loss: Arc<dyn Loss<F>>,
    /// The factor of the loss in the sum of the losses.
    pub(crate) loss_weight: f64,
    pub(crate) metrics: Vec<Arc<dyn Metric<F>>>,
}

impl<F: Float> NetworkOutput<F> {
    pub(crate) fn new(name: String, loss: Arc<dyn Loss<F>>, loss_weight: f64) -> Self {
        Self { name, loss, loss_weight, metrics: Vec::new() }
    }
}

/// The output layers whose losses are computed from logits: the loss applies the layer's activation itself, which is exact
/// and saves a pass. It must be the only reader of the layer.
pub(crate) fn logit_layers<F: Float>(layout: &Layout<F>, outputs: &[NetworkOutput<F>]) -> Arc<[usize]> {
    let fuses = |&(&index, output): &(&usize, &NetworkOutput<F>)| {
        let node = &layout.nodes[index];
        let readers = layout.nodes.iter().filter(|other| other.inputs.contains(&Source::Node(index))).count()
            + layout.outputs.iter().filter(|&&other| other == index).count();
        // An activity regularizer needs the activated output.
        readers == 1
            && !node.plan.penalizes_outputs()
            && output.loss.fuses(node.activation(), node.plan.output_shape().last())
    };
    layout.outputs.iter().zip(outputs).filter(fuses).map(|(&index, _)| index).collect()
}

/// The log names of the losses and metrics: the total loss, the loss of each output if there are several, then the metrics.
/// A repeated metric name gets the suffix `_1`, `_2`, ….
pub(crate) fn score_names<F: Float>(outputs: &[NetworkOutput<F>]) -> Vec<String> {
    let mut names = vec!["loss".to_string()];
    let several = outputs.len() > 1;
    if several {
        names.extend(outputs.iter().map(|output| format!("{}_loss", output.name)));
    }
    for output in outputs {
        for metric in &output.metrics {
            let name = if several { format!("{}_{}", output.name, metric.name()) } else { metric.name() };
            let same = names.iter().filter(|known| {
                known.strip_prefix(&name).is_some_and(|rest| {
                    rest.is_empty() || rest.starts_with('_') && rest[1..].parse::<u32>().is_ok()
                })
            });
            let count = same.count();
            names.push(if count == 0 { name } else { format!("{name}_{count}") });
        }
    }
    names
}
