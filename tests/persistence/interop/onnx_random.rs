//! Random chains of layers, which fit each other.

use super::onnx_cases::{Case, Inputs, compiled};
use axonal::custom::Shape;
use axonal::layers::{
    AveragePooling1D, AveragePooling2D, Conv2DTranspose, DepthwiseConv2D, GlobalMaxPooling2D,
    GroupNormalization, MaxPooling1D, RepeatVector, SeparableConv2D, SimpleRnn, TimeDistributed,
    UnitNormalization, UpSampling2D, ZeroPadding2D,
};
use axonal::prelude::*;

/// A generator of small numbers: the high bits of a linear congruence (Knuth's MMIX).
struct Choices(u64);

impl Choices {
    fn below(&mut self, bound: usize) -> usize {
        self.0 = self.0.wrapping_mul(6364136223846793005).wrapping_add(1442695040888963407);
        (self.0 >> 33) as usize % bound
    }
}

const ACTIVATIONS: [Activation; 6] = [
    Activation::Linear,
    Activation::Relu,
    Activation::Tanh,
    Activation::Gelu,
    Activation::Silu,
    Activation::Softmax,
];

/// `count` networks of three to six layers.
pub fn networks(count: usize, scale: f32) -> Vec<Case> {
    (0..count)
        .map(|number| {
            let mut choices = Choices(number as u64 + 1);
            let (layers, inputs) = network(&mut choices);
            Case { name: format!("random {number}"), model: compiled(layers, scale), inputs, scale }
        })
        .collect()
}

fn network(choices: &mut Choices) -> (Sequential<f32>, Inputs) {
    let (mut layers, mut rank, inputs) = match choices.below(4) {
        0 => (Sequential::new(3 + choices.below(6)), 1, Inputs::Real),
        1 => (Sequential::new([4 + choices.below(3), 2 + choices.below(3)]), 2, Inputs::Real),
        2 => {
            let words = 4 + choices.below(3);
            let embedding = Embedding::new(5, 3).mask_zero(choices.below(2) == 0);
            (Sequential::new(words).add(embedding), 2, Inputs::Indices(5))
        }
        _ => (Sequential::new(Shape::from([6, 7, 1 + choices.below(3)])), 3, Inputs::Real),
    };
    for _ in 0..3 + choices.below(4) {
        (layers, rank) = match rank {
            1 => row_layer(layers, choices),
            2 => sequence_layer(layers, choices),
            _ => image_layer(layers, choices),
        };
    }
    (layers, inputs)
}

fn row_layer(layers: Sequential<f32>, choices: &mut Choices) -> (Sequential<f32>, usize) {
    let (units, activation) = (2 + choices.below(5), ACTIVATIONS[choices.below(6)]);
    match choices.below(7) {
        0 | 1 => (layers.add(Dense::new(units).activation(activation)), 1),
        2 => (layers.add(BatchNormalization::default()), 1),
        3 => (layers.add(LayerNormalization::default()), 1),
        4 => (layers.add(UnitNormalization::default()), 1),
        5 => (layers.add(RepeatVector::new(units)), 2),
        _ => (layers.add(Dropout::new(0.25)), 1),
    }
}

fn sequence_layer(layers: Sequential<f32>, choices: &mut Choices) -> (Sequential<f32>, usize) {
    let (units, activation) = (2 + choices.below(3), ACTIVATIONS[choices.below(6)]);
    let sequences = choices.below(3) > 0;
    let rank = if sequences { 2 } else { 1 };
    match choices.below(11) {
        0 => (layers.add(Lstm::new(units).return_sequences(sequences)), rank),
        1 => (layers.add(Gru::new(units).reset_after(units > 2).return_sequences(sequences)), rank),
        2 => (layers.add(SimpleRnn::new(units).activation(activation).return_sequences(sequences)), rank),
        3 => (layers.add(Bidirectional::new(Gru::new(units).return_sequences(sequences))), rank),
        4 => (layers.add(Conv1D::new(units, 2).padding(Padding::Causal).activation(activation)), 2),
        5 => (layers.add(MaxPooling1D::new(2).padding(Padding::Same).strides(1)), 2),
        6 => (layers.add(AveragePooling1D::new(2).padding(Padding::Same)), 2),
        7 => (layers.add(TimeDistributed::new(Dense::new(units).activation(activation))), 2),
        8 => (layers.add(LayerNormalization::new().axis([1, 2])), 2),
        9 => (layers.add(GlobalAveragePooling1D::default()), 1),
        _ => (layers.add(Flatten::default()), 1),
    }
}

fn image_layer(layers: Sequential<f32>, choices: &mut Choices) -> (Sequential<f32>, usize) {
    let (filters, activation) = (2 + choices.below(3), ACTIVATIONS[choices.below(6)]);
    match choices.below(12) {
        0 => (layers.add(Conv2D::new(filters, [2, 3]).padding(Padding::Same).activation(activation)), 3),
        1 => (layers.add(Conv2D::new(filters, 2).padding(Padding::Same).strides(2)), 3),
        2 => (layers.add(DepthwiseConv2D::new(3).padding(Padding::Same).depth_multiplier(filters)), 3),
        3 => (layers.add(SeparableConv2D::new(filters, 2).padding(Padding::Same).activation(activation)), 3),
        4 => (layers.add(Conv2DTranspose::new(filters, 3).strides(2).padding(Padding::Same)), 3),
        5 => (layers.add(MaxPooling2D::new(2).padding(Padding::Same)), 3),
        6 => (layers.add(AveragePooling2D::new([2, 1]).padding(Padding::Same)), 3),
        7 => (layers.add(UpSampling2D::new([1, 2])), 3),
        8 => (layers.add(ZeroPadding2D::new(1)), 3),
        9 => (layers.add(GroupNormalization::each_channel()), 3),
        10 => (layers.add(GlobalMaxPooling2D::default()), 1),
        _ => (layers.add(Flatten::default()), 1),
    }
}
