//! Layers from Keras's configurations.

use crate::parity::flat;
use crate::parity::keras_config::{Arguments, Built, activation, constraint, dense, regularizer};
use axonal::layers::{
    ActivationLayer, ActivityRegularization, AlphaDropout, AveragePooling1D, AveragePooling2D,
    Conv2DTranspose, Cropping1D, Cropping2D, DepthwiseConv2D, Elu, GaussianDropout, GaussianNoise,
    GlobalMaxPooling1D, GlobalMaxPooling2D, GroupNormalization, Interpolation, LeakyRelu, Masking,
    MaxPooling1D, MergeMode, PRelu, Permute, Relu, RepeatVector, RmsNormalization, SeparableConv2D,
    SimpleRnn, Size2D, Softmax, TimeDistributed, UnitNormalization, UpSampling1D, UpSampling2D,
    ZeroPadding1D, ZeroPadding2D,
};
use axonal::prelude::*;
use serde_json::Value;
use std::sync::Arc;

type Made = Arc<dyn Layer<f64>>;

/// A size in rows and columns: one number for both, or two.
fn size(value: &Value) -> Size2D {
    match flat(value)[..] {
        [both] => (both as usize).into(),
        [rows, columns] => (rows as usize, columns as usize).into(),
        _ => panic!("{value} is no size"),
    }
}

/// A size of a sequence: a number, or a list of one.
fn length(value: &Value) -> usize {
    flat(value)[0] as usize
}

fn padding(value: &Value) -> Built<Padding> {
    match value.as_str() {
        Some("valid") => Ok(Padding::Valid),
        Some("same") => Ok(Padding::Same),
        Some("causal") => Ok(Padding::Causal),
        _ => Err(format!("padding {value}")),
    }
}

fn merge_mode(value: &Value) -> Built<MergeMode> {
    match value.as_str() {
        Some("concat") => Ok(MergeMode::Concat),
        Some("sum") => Ok(MergeMode::Sum),
        Some("ave") => Ok(MergeMode::Ave),
        Some("mul") => Ok(MergeMode::Mul),
        _ => Err(format!("merge mode {value}")),
    }
}

fn wholes(value: &Value) -> Vec<usize> {
    flat(value).iter().map(|&v| v as usize).collect()
}

fn axes(value: &Value) -> Vec<isize> {
    flat(value).iter().map(|&v| v as isize).collect()
}

/// Sets what the configuration names: a reader of the value, then the argument.
macro_rules! with {
    ($layer:expr, $a:expr, $($read:expr => $key:ident)*) => {{
        let mut layer = $layer;
        $(if let Some(value) = $a.get(stringify!($key)) {
            layer = layer.$key($read(value));
        })*
        layer
    }};
}

fn number(value: &Value) -> f64 {
    value.as_f64().expect("a number")
}

fn flag(value: &Value) -> bool {
    value.as_bool().expect("a flag")
}

/// Sets the penalties and projections that the configuration names.
macro_rules! penalized {
    ($layer:expr, $a:expr, $($key:ident)*) => {{
        let mut layer = $layer;
        $(if let Some(value) = $a.get(stringify!($key)) {
            layer = layer.$key(penalized!(@read $key value)?);
        })*
        layer
    }};
    (@read alpha_constraint $value:ident) => { constraint($value) };
    (@read embeddings_constraint $value:ident) => { constraint($value) };
    (@read gamma_constraint $value:ident) => { constraint($value) };
    (@read beta_constraint $value:ident) => { constraint($value) };
    (@read depthwise_constraint $value:ident) => { constraint($value) };
    (@read pointwise_constraint $value:ident) => { constraint($value) };
    (@read kernel_constraint $value:ident) => { constraint($value) };
    (@read recurrent_constraint $value:ident) => { constraint($value) };
    (@read bias_constraint $value:ident) => { constraint($value) };
    (@read $key:ident $value:ident) => { regularizer($value) };
}

/// What convolutions and recurrent layers have in common; the initial weights are given.
macro_rules! weights {
    ($layer:expr, $a:expr) => {{
        let mut layer = penalized!(with!($layer, $a, flag => use_bias), $a, kernel_regularizer bias_regularizer
            activity_regularizer kernel_constraint bias_constraint);
        if let Some(value) = $a.get("activation") {
            layer = layer.activation(activation(value)?);
        }
        for initializer in
            ["kernel_initializer", "bias_initializer", "recurrent_initializer", "unit_forget_bias"]
        {
            let _ = $a.get(initializer);
        }
        layer
    }};
}

/// Sets the penalties and projections of what a normalization multiplies by and adds.
macro_rules! affine {
    ($layer:expr, $a:expr) => {{
        for initializer in ["gamma_initializer", "beta_initializer"] {
            let _ = $a.get(initializer);
        }
        penalized!($layer, $a, gamma_regularizer beta_regularizer gamma_constraint beta_constraint)
    }};
}

macro_rules! recurrent {
    ($layer:expr, $a:expr) => {{
        // What is dropped is drawn otherwise than in Keras, so a run agrees only without it.
        if ["dropout", "recurrent_dropout"].iter().any(|rate| $a.number(rate).is_some_and(|rate| rate != 0.0)) {
            return Err(format!("the numbers that {} drops", $a.class));
        }
        // How Keras computes, not what.
        let _ = ($a.get("unroll"), $a.get("use_cudnn"), $a.get("implementation"));
        penalized!(
            with!(weights!($layer, $a), $a, flag => return_sequences flag => go_backwards flag => zero_output_for_mask length => stateful),
            $a,
            recurrent_regularizer recurrent_constraint
        )
    }};
}

macro_rules! gated {
    ($layer:expr, $a:expr) => {{
        let mut layer = recurrent!($layer, $a);
        if let Some(value) = $a.get("recurrent_activation") {
            layer = layer.recurrent_activation(activation(value)?);
        }
        layer
    }};
}

/// The embedding of a configuration.
pub fn embedding(a: &Arguments<'_>) -> Built<Embedding> {
    let _ = a.get("embeddings_initializer");
    let size = |key| a.whole(key).ok_or_else(|| format!("Embedding without {key}"));
    let layer = Embedding::new(size("input_dim")?, size("output_dim")?);
    let layer = with!(layer, a, flag => mask_zero);
    Ok(penalized!(layer, a, embeddings_regularizer embeddings_constraint))
}

/// The layer inside another one's configuration.
fn inner(value: &Value) -> Built<Made> {
    let a = Arguments::of(value).ok_or_else(|| format!("layer {value}"))?;
    a.all_read(layer(&a)?)
}

/// The layer of a configuration.
pub fn layer(a: &Arguments<'_>) -> Built<Made> {
    let need = |key: &'static str| a.get(key).ok_or_else(|| format!("{} without {key}", a.class));
    let rate = || a.number("rate").unwrap_or_default();
    let units = || a.whole("units").unwrap_or_default();
    let pad = || a.get("padding").map_or(Ok(Padding::Valid), padding);
    let filters = || a.whole("filters").unwrap_or_default();
    Ok(match a.class {
        "Dense" => Arc::new(dense(a)?),
        "Activation" => Arc::new(ActivationLayer::new(activation(need("activation")?)?)),
        "ReLU" => Arc::new(
            with!(Relu::default(), a, number => max_value number => negative_slope number => threshold),
        ),
        "LeakyReLU" => Arc::new(LeakyRelu::new(a.number("negative_slope").unwrap_or(0.3))),
        "ELU" => Arc::new(Elu::new(a.number("alpha").unwrap_or(1.0))),
        "PReLU" => {
            let _ = a.get("alpha_initializer");
            let layer = penalized!(PRelu::default(), a, alpha_regularizer alpha_constraint);
            Arc::new(with!(layer, a, axes => shared_axes))
        }
        "Softmax" => Arc::new(with!(Softmax::default(), a, axes => axis)),
        "Masking" => Arc::new(Masking::new(a.number("mask_value").unwrap_or_default())),
        "BatchNormalization" => Arc::new(affine!(
            with!(BatchNormalization::default(), a, |v| number(v) as isize => axis
            number => momentum number => epsilon flag => center flag => scale),
            a
        )),
        "LayerNormalization" => Arc::new(affine!(
            with!(LayerNormalization::default(), a, axes => axis
            number => epsilon flag => center flag => scale),
            a
        )),
        "RMSNormalization" => Arc::new(with!(RmsNormalization::default(), a, axes => axis number => epsilon)),
        "GroupNormalization" => {
            let layer = match a.number("groups") {
                Some(-1.0) => GroupNormalization::each_channel(),
                groups => GroupNormalization::new(groups.unwrap_or(32.0) as usize),
            };
            Arc::new(affine!(
                with!(layer, a, |v| number(v) as isize => axis number => epsilon flag => center flag => scale),
                a
            ))
        }
        "UnitNormalization" => Arc::new(with!(UnitNormalization::default(), a, axes => axis)),
        "Rescaling" => Arc::new(with!(Rescaling::new(number(need("scale")?)), a, number => offset)),
        // Noise is drawn otherwise than in Keras, so a run agrees only without it.
        "Dropout" if rate() == 0.0 => Arc::new(Dropout::new(0.0)),
        "GaussianDropout" if rate() == 0.0 => Arc::new(GaussianDropout::new(0.0)),
        "AlphaDropout" if rate() == 0.0 => Arc::new(AlphaDropout::new(0.0)),
        "GaussianNoise" if a.number("stddev") == Some(0.0) => Arc::new(GaussianNoise::new(0.0)),
        "ActivityRegularization" => Arc::new(ActivityRegularization::new(
            a.number("l1").unwrap_or_default(),
            a.number("l2").unwrap_or_default(),
        )),
        "Conv1D" => {
            let layer = Conv1D::new(filters(), length(need("kernel_size")?)).padding(pad()?);
            Arc::new(with!(weights!(layer, a), a, length => strides length => dilation_rate length => groups))
        }
        "Conv2D" => {
            let layer = Conv2D::new(filters(), size(need("kernel_size")?)).padding(pad()?);
            Arc::new(with!(weights!(layer, a), a, size => strides size => dilation_rate length => groups))
        }
        "Conv2DTranspose" => {
            let layer = Conv2DTranspose::new(filters(), size(need("kernel_size")?)).padding(pad()?);
            Arc::new(
                with!(weights!(layer, a), a, size => strides size => dilation_rate size => output_padding),
            )
        }
        "DepthwiseConv2D" => {
            let layer = DepthwiseConv2D::new(size(need("kernel_size")?)).padding(pad()?);
            Arc::new(with!(weights!(layer, a), a, size => strides size => dilation_rate
                length => depth_multiplier))
        }
        "SeparableConv2D" => {
            let layer = SeparableConv2D::new(filters(), size(need("kernel_size")?)).padding(pad()?);
            for initializer in ["depthwise_initializer", "pointwise_initializer"] {
                let _ = a.get(initializer);
            }
            let layer = penalized!(layer, a, depthwise_regularizer pointwise_regularizer depthwise_constraint
                pointwise_constraint);
            Arc::new(with!(weights!(layer, a), a, size => strides size => dilation_rate
                length => depth_multiplier))
        }
        "MaxPooling1D" => {
            let layer = MaxPooling1D::new(a.get("pool_size").map_or(2, length)).padding(pad()?);
            Arc::new(with!(layer, a, length => strides))
        }
        "AveragePooling1D" => {
            let layer = AveragePooling1D::new(a.get("pool_size").map_or(2, length)).padding(pad()?);
            Arc::new(with!(layer, a, length => strides))
        }
        "MaxPooling2D" => {
            let layer = MaxPooling2D::new(a.get("pool_size").map_or(2.into(), size)).padding(pad()?);
            Arc::new(with!(layer, a, size => strides))
        }
        "AveragePooling2D" => {
            let layer = AveragePooling2D::new(a.get("pool_size").map_or(2.into(), size)).padding(pad()?);
            Arc::new(with!(layer, a, size => strides))
        }
        "GlobalMaxPooling1D" => Arc::new(with!(GlobalMaxPooling1D::default(), a, flag => keepdims)),
        "GlobalMaxPooling2D" => Arc::new(with!(GlobalMaxPooling2D::default(), a, flag => keepdims)),
        "GlobalAveragePooling1D" => Arc::new(with!(GlobalAveragePooling1D::default(), a, flag => keepdims)),
        "GlobalAveragePooling2D" => Arc::new(with!(GlobalAveragePooling2D::default(), a, flag => keepdims)),
        "Embedding" => Arc::new(embedding(a)?),
        "Flatten" => Arc::new(Flatten::default()),
        "Reshape" => Arc::new(Reshape::new(wholes(need("target_shape")?))),
        "Permute" => Arc::new(Permute::new(wholes(need("dims")?))),
        "RepeatVector" => Arc::new(RepeatVector::new(length(need("n")?))),
        "UpSampling1D" => Arc::new(UpSampling1D::new(a.get("size").map_or(2, length))),
        "UpSampling2D" => {
            let interpolation = match a.get("interpolation").and_then(Value::as_str) {
                None | Some("nearest") => Interpolation::Nearest,
                Some("bilinear") => Interpolation::Bilinear,
                Some(other) => return Err(format!("interpolation {other}")),
            };
            let size = a.get("size").map_or(2.into(), size);
            Arc::new(UpSampling2D::new(size).interpolation(interpolation))
        }
        "ZeroPadding2D" => Arc::new(ZeroPadding2D::new(a.get("padding").map_or(1.into(), size))),
        "ZeroPadding1D" => Arc::new(ZeroPadding1D::new(a.get("padding").map_or(1, length))),
        "Cropping2D" => Arc::new(Cropping2D::new(size(need("cropping")?))),
        "Cropping1D" => Arc::new(Cropping1D::new(length(need("cropping")?))),
        "SimpleRNN" => Arc::new(recurrent!(SimpleRnn::new(units()), a)),
        "LSTM" => Arc::new(gated!(Lstm::new(units()), a)),
        "GRU" => Arc::new(with!(gated!(Gru::new(units()), a), a, flag => reset_after)),
        "Bidirectional" => {
            let mode = a.get("merge_mode").map_or(Ok(MergeMode::Concat), merge_mode)?;
            let layer = Bidirectional::new(inner(need("layer")?)?).merge_mode(mode);
            match a.get("backward_layer") {
                Some(backward) => Arc::new(layer.backward_layer(inner(backward)?)),
                None => Arc::new(layer),
            }
        }
        "TimeDistributed" => Arc::new(TimeDistributed::new(inner(need("layer")?)?)),
        class => return Err(format!("layer {class}")),
    })
}
