//! Networks with several inputs, outputs and branches.

use super::onnx_cases::{Inputs, set_weights};
use axonal::custom::Merge;
use axonal::layers::{
    AdditiveAttention, Attention, Average, Dot, GroupQueryAttention, Maximum, Minimum, MultiHeadAttention,
    Multiply, PositionEmbedding, ScoreMode, Subtract,
};
use axonal::ndarray::ArrayD;
use axonal::prelude::*;

/// A network, and the values of each input.
pub struct GraphCase {
    pub name: String,
    pub model: Model<f32>,
    pub inputs: Vec<Inputs>,
    scale: f32,
}

impl GraphCase {
    pub fn samples(&self, batch: usize) -> Vec<ArrayD<f32>> {
        let shapes = self.model.input_shapes().into_iter().zip(&self.inputs).enumerate();
        let samples = shapes.map(|(number, ((_, shape), inputs))| {
            let mut dims = vec![batch];
            dims.extend_from_slice(shape.dims());
            let width = shape.size().max(1);
            let values = (0..batch * width)
                .map(|index| inputs.value(index / width, index % width, number + batch, self.scale));
            ArrayD::from_shape_vec(dims, values.collect()).unwrap()
        });
        samples.collect()
    }
}

type Built = (Graph<f32>, Vec<Inputs>);

fn real(name: &str, shape: &[usize]) -> axonal::models::Node<f32> {
    Input::new(name, shape.to_vec())
}

fn mse() -> MeanSquaredError {
    MeanSquaredError::default()
}

/// Joins two inputs of the same shape by a layer, then applies a dense layer.
fn joined(layer: impl Merge<f32> + 'static, shapes: [&[usize]; 2]) -> Built {
    let (a, b) = (real("a", shapes[0]), real("b", shapes[1]));
    let y = layer.of([&a, &b]).then(Dense::new(2));
    (Graph::new([&a, &b]).output("y", &y, mse()), vec![Inputs::Real; 2])
}

/// Joins two masked sequences, and averages the valid steps.
fn joined_masks(layer: impl Merge<f32> + 'static, both: bool) -> Built {
    let (a, b) = (real("words", &[5]), real("others", &[5]));
    let embedded = a.then(Embedding::new(4, 3).mask_zero(true));
    let other = b.then(Embedding::new(4, 3).mask_zero(both));
    let y = layer.of([&embedded, &other]).then(GlobalAveragePooling1D::default()).then(Dense::new(2));
    (Graph::new([&a, &b]).output("y", &y, mse()), vec![Inputs::Indices(4); 2])
}

fn two_outputs() -> Built {
    let (a, b) = (real("a", &[4]), real("b", &[3]));
    let hidden = Concatenate::new().of([&a, &b]).then(Dense::new(6).activation(Activation::Gelu));
    let deeper = Add::new().of([&hidden, &hidden.then(Dense::new(6).activation(Activation::Tanh))]);
    let kind = deeper.then(Dense::new(3).activation(Activation::Softmax));
    let graph = Graph::new([&a, &b]).output("kind", &kind, CategoricalCrossentropy::default());
    (graph.output("a", &deeper.then(Dense::new(1)), mse()), vec![Inputs::Real; 2])
}

fn shared_weights() -> Built {
    let (a, b) = (real("a", &[5, 3]), real("b", &[5, 3]));
    let encoder = Shared::new(Lstm::new(4));
    let y = Dot::new(1, 1).normalize(true).of([&a.then(&encoder), &b.then(&encoder)]);
    (Graph::new([&a, &b]).output("similarity", &y, mse()), vec![Inputs::Real; 2])
}

/// Self-attention behind an embedding of positions, as a block of a transformer.
fn transformer(causal: bool, mask: bool, position: PositionEmbedding) -> Built {
    let words = real("words", &[6]);
    let x = words.then(Embedding::new(5, 4).mask_zero(mask)).then(position);
    let attended = MultiHeadAttention::new(2, 3).causal(causal).of([&x, &x]);
    let x = Add::new().of([&x, &attended]).then(LayerNormalization::default());
    let y = x.then(Dense::new(4).activation(Activation::Gelu)).then(GlobalAveragePooling1D::default());
    (Graph::new([&words]).output("y", &y, mse()), vec![Inputs::Indices(5)])
}

fn attention(layer: impl Merge<f32> + 'static, masks: bool) -> Built {
    let (a, b) = (real("query", &[4]), real("value", &[6]));
    let query = a.then(Embedding::new(4, 4).mask_zero(masks));
    let value = b.then(Embedding::new(4, 3).mask_zero(masks));
    let y = layer.of([&query, &value]);
    (Graph::new([&a, &b]).output("y", &y, mse()), vec![Inputs::Indices(4); 2])
}

/// Attention without projections, with a separate key or not.
fn unprojected(layer: impl Merge<f32> + 'static, masks: bool, has_key: bool) -> Built {
    let (a, b) = (real("query", &[4]), real("value", &[6]));
    let query = a.then(Embedding::new(4, 3).mask_zero(masks));
    let value = b.then(Embedding::new(4, 3).mask_zero(masks));
    let key = b.then(Embedding::new(4, 3));
    let y = if has_key { layer.of([&query, &value, &key]) } else { layer.of([&query, &value]) };
    (Graph::new([&a, &b]).output("y", &y, mse()), vec![Inputs::Indices(4); 2])
}

pub fn all(scale: f32) -> Vec<GraphCase> {
    let (rows, sequences) = ([&[4][..]; 2], [&[3, 4][..]; 2]);
    let concat = Attention::new().score_mode(ScoreMode::Concat);
    let built: Vec<(&str, Built)> = vec![
        ("add", joined(Add::new(), rows)),
        ("add broadcast", joined(Add::new(), [&[3, 4], &[4]])),
        ("subtract", joined(Subtract::new(), sequences)),
        ("multiply", joined(Multiply::new(), sequences)),
        ("multiply broadcast", joined(Multiply::new(), [&[3, 4], &[3, 1]])),
        ("average", joined(Average::new(), sequences)),
        ("maximum", joined(Maximum::new(), rows)),
        ("minimum", joined(Minimum::new(), sequences)),
        ("concatenate", joined(Concatenate::new(), [&[3, 4], &[3, 2]])),
        ("concatenate axis 1", joined(Concatenate::new().axis(1), [&[3, 4], &[2, 4]])),
        ("dot", joined(Dot::new(2, 2), [&[3, 4], &[2, 4]])),
        ("dot axis 1", joined(Dot::new(1, 1), [&[3, 4], &[3, 2]])),
        ("dot of rows", joined(Dot::new(1, 1).normalize(true), rows)),
        ("add with masks", joined_masks(Add::new(), true)),
        ("add with a mask", joined_masks(Add::new(), false)),
        ("concatenate with masks", joined_masks(Concatenate::new(), true)),
        ("concatenate axis 1 with masks", joined_masks(Concatenate::new().axis(1), true)),
        ("concatenate axis 1 with a mask", joined_masks(Concatenate::new().axis(1), false)),
        ("two outputs", two_outputs()),
        ("shared weights", shared_weights()),
        ("transformer", transformer(false, false, PositionEmbedding::new(8))),
        ("causal transformer", transformer(true, false, PositionEmbedding::sinusoidal())),
        ("masked transformer", transformer(false, true, PositionEmbedding::new(6))),
        ("causal masked transformer", transformer(true, true, PositionEmbedding::sinusoidal())),
        ("attention", attention(MultiHeadAttention::new(2, 3).value_dim(5).output_dim(3), false)),
        ("masked attention", attention(MultiHeadAttention::new(3, 2).use_bias(false), true)),
        ("grouped attention", attention(GroupQueryAttention::new(3, 4, 2), false)),
        ("masked grouped attention", attention(GroupQueryAttention::new(2, 4, 1).causal(true), true)),
        ("attention of one head", unprojected(Attention::new().use_scale(true), false, true)),
        ("masked attention of one head", unprojected(Attention::new().causal(true), true, false)),
        ("concat attention", unprojected(concat.use_scale(true), true, true)),
        ("causal concat attention", unprojected(concat.causal(true), false, false)),
        ("additive attention", unprojected(AdditiveAttention::new().dropout(0.5), true, false)),
        ("causal additive attention", unprojected(AdditiveAttention::new().causal(true), true, true)),
        (
            "additive attention without scale",
            unprojected(AdditiveAttention::new().use_scale(false), false, true),
        ),
    ];
    let case = |(name, (graph, inputs)): (&str, Built)| {
        let mut model = graph.compile(Sgd::new(0.1)).unwrap_or_else(|problem| panic!("{name}: {problem}"));
        set_weights(&mut model, scale);
        GraphCase { name: format!("graph: {name}"), model, inputs, scale }
    };
    built.into_iter().map(case).collect()
}
