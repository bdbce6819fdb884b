//! Every layer holds the contract, over several shapes, strides and paddings.
#![cfg(feature = "testing")]
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test fails by panicking")]

use axonal::prelude::*;
use axonal::testing::{Check, check_layer, check_layer_with};

fn holds(layer: &(impl Layer<f64> + ?Sized), shape: impl Into<Shape>) {
    let shape = shape.into();
    if let Err(failure) = check_layer(layer, &shape) {
        panic!("{layer:?} on {shape}: {failure}");
    }
}

#[test]
fn activation_layers_hold_the_contract() {
    for shape in [Shape::from(6), [3, 4].into(), [2, 3, 2].into()] {
        holds(&Relu::default(), &shape);
        holds(&Relu::default().negative_slope(0.1).max_value(1.0).threshold(0.2), &shape);
        holds(&LeakyRelu::default(), &shape);
        holds(&Elu::new(0.7), &shape);
        holds(&PRelu::default(), &shape);
        holds(&PRelu::default().shared_axes([1]), &shape);
        holds(&Softmax::default(), &shape);
        holds(&Softmax::default().axis(1), &shape);
        holds(&ActivationLayer::new(Activation::Silu), &shape);
    }
    holds(&PRelu::default().shared_axes([1, 2]), [3, 4, 2]);
    holds(&PRelu::default().shared_axes([-1]), [3, 4, 2]);
    holds(&Softmax::default().axis(2), [2, 3, 4]);
}

#[test]
fn regularization_layers_hold_the_contract() {
    for shape in [Shape::from(6), [3, 4].into()] {
        holds(&Dropout::new(0.4), &shape);
        holds(&GaussianNoise::new(0.5), &shape);
        holds(&GaussianDropout::new(0.5), &shape);
        holds(&AlphaDropout::new(0.4), &shape);
        holds(&ActivityRegularization::new(0.1, 0.2), &shape);
    }
    holds(&Dropout::new(0.4).noise_shape([1, 4]), [3, 4]);
    holds(&Dropout::new(0.4).noise_shape([3, 1, 2]), [3, 4, 2]);
    holds(&AlphaDropout::new(0.4).noise_shape([3, 1]), [3, 4]);
    holds(&SpatialDropout1D::new(0.5), [5, 3]);
    holds(&SpatialDropout2D::new(0.5), [3, 4, 3]);
}

#[test]
fn reshaping_layers_hold_the_contract() {
    holds(&Flatten::default(), [3, 4]);
    holds(&Reshape::new([2, 6]), [3, 4]);
    holds(&Permute::new([2, 1]), [3, 4]);
    holds(&Permute::new([3, 1, 2]), [3, 4, 2]);
    holds(&RepeatVector::new(3), 4);
    holds(&ZeroPadding1D::new(2), [3, 4]);
    holds(&ZeroPadding1D::edges(0, 3), [3, 4]);
    holds(&ZeroPadding2D::new(1), [3, 4, 2]);
    holds(&ZeroPadding2D::edges([0, 2], [1, 3]), [3, 4, 2]);
    holds(&Cropping1D::new(1), [4, 3]);
    holds(&Cropping2D::edges([1, 0], [0, 2]), [3, 4, 2]);
    holds(&UpSampling1D::new(3), [4, 2]);
    holds(&UpSampling2D::new([2, 3]), [3, 2, 2]);
}

#[test]
fn normalization_layers_hold_the_contract() {
    for shape in [Shape::from(6), [3, 4].into(), [2, 3, 4].into()] {
        holds(&BatchNormalization::default(), &shape);
        holds(&BatchNormalization::default().axis(1).momentum(0.5), &shape);
        holds(&BatchNormalization::default().scale(false), &shape);
        holds(&BatchNormalization::default().center(false), &shape);
        holds(&LayerNormalization::default(), &shape);
        holds(&LayerNormalization::default().scale(false).center(false), &shape);
        holds(&RmsNormalization::default(), &shape);
        holds(&GroupNormalization::new(2), &shape);
        holds(&GroupNormalization::new(1).center(false), &shape);
        holds(&UnitNormalization::default(), &shape);
        holds(&Rescaling::new(0.3).offset(1.0), &shape);
        holds(&Normalization::new([0.5], [4.0]).axis(None), &shape);
    }
    holds(&LayerNormalization::default().axis([-2, -1]), [2, 3, 4]);
    holds(&LayerNormalization::default(), 37);
    holds(&Normalization::new([0.5, 1.0, 2.0], [4.0, 0.3, 0.0]), [2, 3]);
    holds(&Normalization::new([0.5, 1.0], [4.0, 0.3]).axis(1).invert(true), [2, 3]);
}

#[test]
fn convolutions_hold_the_contract_at_any_stride_padding_dilation_and_group() {
    for padding in [Padding::Valid, Padding::Same, Padding::Causal] {
        for (kernel, stride, dilation, groups) in
            [(1, 1, 1, 1), (3, 1, 1, 1), (3, 2, 1, 2), (2, 3, 1, 1), (3, 1, 2, 2), (2, 2, 3, 1), (1, 2, 1, 1)]
        {
            let layer = Conv1D::new(4, kernel)
                .strides(stride)
                .dilation_rate(dilation)
                .groups(groups)
                .padding(padding);
            holds(&layer, [7, 2]);
            holds(&layer.activation(Activation::Tanh).use_bias(false), [6, 4]);
        }
    }
    for padding in [Padding::Valid, Padding::Same] {
        for (kernel, stride, dilation, groups) in [
            ([1, 1], [1, 1], [1, 1], 1),
            ([1, 1], [1, 1], [1, 1], 2),
            ([3, 3], [1, 1], [1, 1], 1),
            ([2, 3], [2, 1], [1, 1], 2),
            ([3, 2], [1, 3], [1, 2], 1),
            ([3, 1], [2, 2], [2, 1], 2),
        ] {
            let layer = Conv2D::new(4, kernel)
                .strides(stride)
                .dilation_rate(dilation)
                .groups(groups)
                .padding(padding);
            holds(&layer, [6, 5, 2]);
            holds(&layer.use_bias(false).activation(Activation::Relu), [5, 7, 4]);
            let depthwise = DepthwiseConv2D::new(kernel)
                .strides(stride)
                .dilation_rate(dilation)
                .padding(padding)
                .depth_multiplier(groups);
            holds(&depthwise, [6, 5, 3]);
            let separable = SeparableConv2D::new(3, kernel)
                .strides(stride)
                .dilation_rate(dilation)
                .padding(padding)
                .depth_multiplier(groups);
            holds(&separable, [6, 5, 3]);
            holds(&separable.use_bias(false), [5, 5, 2]);
            let transposed =
                Conv2DTranspose::new(3, kernel).strides(stride).dilation_rate(dilation).padding(padding);
            holds(&transposed, [3, 4, 2]);
            holds(&transposed.use_bias(false), [2, 2, 3]);
        }
    }
}

#[test]
fn pooling_layers_hold_the_contract_at_any_stride_and_padding() {
    for padding in [Padding::Valid, Padding::Same] {
        for (size, stride) in [(1, 1), (2, 2), (3, 1), (2, 3), (3, 2)] {
            holds(&MaxPooling1D::new(size).strides(stride).padding(padding), [7, 3]);
            holds(&AveragePooling1D::new(size).strides(stride).padding(padding), [7, 3]);
            holds(&MaxPooling2D::new([size, 2]).strides(stride).padding(padding), [5, 6, 2]);
            holds(&AveragePooling2D::new([2, size]).strides(stride).padding(padding), [5, 6, 2]);
        }
    }
    for keepdims in [false, true] {
        holds(&GlobalMaxPooling1D::default().keepdims(keepdims), [5, 3]);
        holds(&GlobalMaxPooling2D::default().keepdims(keepdims), [3, 2, 3]);
        holds(&GlobalAveragePooling1D::default().keepdims(keepdims), [5, 3]);
        holds(&GlobalAveragePooling2D::default().keepdims(keepdims), [3, 2, 3]);
    }
}

#[test]
fn embeddings_hold_the_contract() {
    let check = Check { integers: Some(5), ..Check::default() };
    check_layer_with(&Embedding::new(5, 3), 4, check).unwrap();
    check_layer_with(&Embedding::new(5, 2), [2, 3], check).unwrap();
}
