//! The table of layers: Keras's class, the crate's kind, and the settings of both.

use super::codec::{Codec, Samples};
use super::json::{Fields, is_empty, object, unknown};
use super::problem::{Read, Written, setting, unsupported};
use serde_json::{Value, json};

/// A layer of both libraries.
pub(super) struct Layer {
    pub(super) class: &'static str,
    pub(super) kind: &'static str,
    /// Whether it has several inputs only.
    pub(super) merges: bool,
    /// The settings, and the field of the crate's configuration that they lie in, if any.
    groups: &'static [(&'static str, &'static [Setting])],
}

/// A setting of both libraries.
pub(super) struct Setting {
    keras: &'static str,
    ours: &'static str,
    codec: Codec,
    /// Whether it is written; an older name of a setting is read only.
    is_written: bool,
}

const fn setting_of(keras: &'static str, ours: &'static str, codec: Codec) -> Setting {
    Setting { keras, ours, codec, is_written: true }
}

const fn same(name: &'static str, codec: Codec) -> Setting {
    setting_of(name, name, codec)
}

/// A name of earlier versions of Keras.
const fn earlier(keras: &'static str, ours: &'static str, codec: Codec) -> Setting {
    Setting { keras, ours, codec, is_written: false }
}

const fn ignored(name: &'static str) -> Setting {
    earlier(name, "", Codec::Ignored)
}

const CHANNELS_LAST: Setting = earlier("data_format", "", Codec::Always("\"channels_last\""));

const ACTIVATION_AND_BIAS: &[Setting] = &[
    same("activation", Codec::Activation),
    same("use_bias", Codec::Same),
    same("bias_initializer", Codec::Initializer),
    same("bias_regularizer", Codec::Regularizer),
    same("activity_regularizer", Codec::Regularizer),
    same("bias_constraint", Codec::Constraint),
];

const KERNEL: &[Setting] = &[
    same("kernel_initializer", Codec::Initializer),
    same("kernel_regularizer", Codec::Regularizer),
    same("kernel_constraint", Codec::Constraint),
];

/// The kernel of a depthwise convolution.
const DEPTHWISE_KERNEL: &[Setting] = &[
    setting_of("depthwise_initializer", "kernel_initializer", Codec::Initializer),
    setting_of("depthwise_regularizer", "kernel_regularizer", Codec::Regularizer),
    setting_of("depthwise_constraint", "kernel_constraint", Codec::Constraint),
    ignored("kernel_initializer"),
    ignored("kernel_regularizer"),
    ignored("kernel_constraint"),
];

const SCALE_AND_CENTER: &[Setting] = &[
    same("scale", Codec::Same),
    same("center", Codec::Same),
    same("gamma_initializer", Codec::Initializer),
    same("beta_initializer", Codec::Initializer),
    same("gamma_regularizer", Codec::Regularizer),
    same("beta_regularizer", Codec::Regularizer),
    same("gamma_constraint", Codec::Constraint),
    same("beta_constraint", Codec::Constraint),
];

const RECURRENT: &[Setting] = &[
    same("recurrent_initializer", Codec::Initializer),
    same("recurrent_regularizer", Codec::Regularizer),
    same("recurrent_constraint", Codec::Constraint),
    same("dropout", Codec::Same),
    same("recurrent_dropout", Codec::Same),
    same("return_sequences", Codec::Same),
    same("go_backwards", Codec::Same),
    same("zero_output_for_mask", Codec::Same),
    same("stateful", Codec::Stateful),
    setting_of("return_state", "", Codec::Always("false")),
    earlier("time_major", "", Codec::Always("false")),
    ignored("unroll"),
    ignored("implementation"),
    ignored("use_cudnn"),
    ignored("reset_after"),
];

const WINDOW_1D: &[Setting] = &[
    same("kernel_size", Codec::Length),
    same("strides", Codec::Length),
    same("padding", Codec::Same),
    same("dilation_rate", Codec::Length),
    CHANNELS_LAST,
];

const WINDOW_2D: &[Setting] = &[
    same("kernel_size", Codec::Pair),
    same("strides", Codec::Pair),
    same("padding", Codec::Same),
    same("dilation_rate", Codec::Pair),
    CHANNELS_LAST,
];

const FILTERS_AND_GROUPS: &[Setting] = &[same("filters", Codec::Same), same("groups", Codec::Same)];

const POOLING_1D: &[Setting] = &[
    same("pool_size", Codec::Length),
    same("strides", Codec::Length),
    same("padding", Codec::Same),
    CHANNELS_LAST,
];

const POOLING_2D: &[Setting] = &[
    same("pool_size", Codec::Pair),
    same("strides", Codec::OptionalPair),
    same("padding", Codec::Same),
    CHANNELS_LAST,
];

const GLOBAL_POOLING: &[Setting] = &[same("keepdims", Codec::Same), CHANNELS_LAST];

const DROPOUT: &[Setting] = &[same("rate", Codec::Same), same("noise_shape", Codec::NoiseShape)];

const SPATIAL_DROPOUT: &[Setting] =
    &[same("rate", Codec::Same), CHANNELS_LAST, earlier("noise_shape", "", Codec::Always("null"))];

const ATTENTION: &[Setting] = &[
    same("dropout", Codec::Same),
    same("use_bias", Codec::Same),
    same("kernel_initializer", Codec::Initializer),
    same("bias_initializer", Codec::Initializer),
    earlier("use_gate", "", Codec::Always("false")),
    earlier("sliding_window", "", Codec::Always("null")),
    earlier("kernel_regularizer", "", Codec::Always("null")),
    earlier("bias_regularizer", "", Codec::Always("null")),
    earlier("activity_regularizer", "", Codec::Always("null")),
    earlier("kernel_constraint", "", Codec::Always("null")),
    earlier("bias_constraint", "", Codec::Always("null")),
    ignored("flash_attention"),
    ignored("query_shape"),
    ignored("key_shape"),
    ignored("value_shape"),
];

const UNPROJECTED_ATTENTION: &[Setting] = &[
    same("use_scale", Codec::Same),
    same("dropout", Codec::Same),
    // Now an argument of the call.
    earlier("causal", "causal", Codec::Same),
];

macro_rules! layers {
    ($($class:literal => $kind:literal $($merges:ident)?: $($nest:literal $settings:expr),*;)*) => {
        /// All layers that both libraries have, but for wrappers of other layers.
        pub(super) const LAYERS: &[Layer] = &[$(Layer {
            class: $class,
            kind: $kind,
            merges: layers!(@merges $($merges)?),
            groups: &[$(($nest, $settings)),*],
        }),*];
    };
    (@merges merges) => { true };
    (@merges) => { false };
}

layers! {
    "Activation" => "activation": "" &[same("activation", Codec::Activation)];
    "Dense" => "dense": "" &[same("units", Codec::Same)], "" ACTIVATION_AND_BIAS, "" KERNEL;
    "Dropout" => "dropout": "" DROPOUT;
    "Flatten" => "flatten": "" &[CHANNELS_LAST];
    "Reshape" => "reshape": "" &[setting_of("target_shape", "target", Codec::TargetShape)];
    "ReLU" => "re_lu": "" &[
        same("max_value", Codec::Same), same("negative_slope", Codec::Same), same("threshold", Codec::Same)];
    "LeakyReLU" => "leaky_re_lu": "" &[
        same("negative_slope", Codec::Same), earlier("alpha", "negative_slope", Codec::Same)];
    "PReLU" => "p_re_lu": "" &[
        same("alpha_initializer", Codec::Initializer),
        same("alpha_regularizer", Codec::Regularizer),
        same("alpha_constraint", Codec::Constraint),
        same("shared_axes", Codec::Axes)];
    "ELU" => "elu": "" &[same("alpha", Codec::Same)];
    "Softmax" => "softmax": "" &[same("axis", Codec::Same)];
    "BatchNormalization" => "batch_normalization": "" &[
        same("axis", Codec::Axis), same("momentum", Codec::Same), same("epsilon", Codec::Same),
        same("moving_mean_initializer", Codec::Initializer),
        same("moving_variance_initializer", Codec::Initializer),
        earlier("renorm", "", Codec::Always("false")),
        ignored("renorm_clipping"), ignored("renorm_momentum"), same("synchronized", Codec::Same)],
        "affine" SCALE_AND_CENTER;
    "LayerNormalization" => "layer_normalization": "" &[
        same("axis", Codec::Axes), same("epsilon", Codec::Same),
        earlier("rms_scaling", "", Codec::Always("false"))], "affine" SCALE_AND_CENTER;
    "RMSNormalization" => "rms_normalization": "" &[same("axis", Codec::Axes), same("epsilon", Codec::Same)];
    "GroupNormalization" => "group_normalization": "" &[
        same("groups", Codec::Same), same("axis", Codec::Axis), same("epsilon", Codec::Same)],
        "affine" SCALE_AND_CENTER;
    "UnitNormalization" => "unit_normalization": "" &[same("axis", Codec::Axes)];
    "Normalization" => "normalization": "" &[
        same("axis", Codec::Axis), same("invert", Codec::Same),
        same("mean", Codec::Axes), same("variance", Codec::Axes)];
    "Rescaling" => "rescaling": "" &[same("scale", Codec::Same), same("offset", Codec::Same)];
    "ActivityRegularization" => "activity_regularization": "" &[
        same("l1", Codec::Same), same("l2", Codec::Same)];
    "AlphaDropout" => "alpha_dropout": "" DROPOUT;
    "GaussianDropout" => "gaussian_dropout": "" &[same("rate", Codec::Same)];
    "GaussianNoise" => "gaussian_noise": "" &[same("stddev", Codec::Same)];
    "SpatialDropout1D" => "spatial_dropout1d": "" SPATIAL_DROPOUT;
    "SpatialDropout2D" => "spatial_dropout2d": "" SPATIAL_DROPOUT;
    "Conv1D" => "conv1d": "" FILTERS_AND_GROUPS, "" WINDOW_1D, "weights" ACTIVATION_AND_BIAS, "weights" KERNEL;
    "Conv2D" => "conv2d": "" FILTERS_AND_GROUPS, "" WINDOW_2D, "weights" ACTIVATION_AND_BIAS, "weights" KERNEL;
    "Conv2DTranspose" => "conv2d_transpose": "" &[
        same("filters", Codec::Same), same("output_padding", Codec::OptionalPair),
        earlier("groups", "", Codec::Always("1"))],
        "" WINDOW_2D, "weights" ACTIVATION_AND_BIAS, "weights" KERNEL;
    "DepthwiseConv2D" => "depthwise_conv2d": "" &[
        same("depth_multiplier", Codec::Same), ignored("groups"), ignored("filters")],
        "" WINDOW_2D, "weights" ACTIVATION_AND_BIAS, "weights" DEPTHWISE_KERNEL;
    "SeparableConv2D" => "separable_conv2d": "" &[
        same("filters", Codec::Same), same("depth_multiplier", Codec::Same), ignored("groups"),
        ignored("kernel_initializer"), ignored("kernel_regularizer"), ignored("kernel_constraint")],
        "" WINDOW_2D, "weights" ACTIVATION_AND_BIAS,
        "depthwise" &[
            setting_of("depthwise_initializer", "initializer", Codec::Initializer),
            setting_of("depthwise_regularizer", "regularizer", Codec::Regularizer),
            setting_of("depthwise_constraint", "constraint", Codec::Constraint)],
        "pointwise" &[
            setting_of("pointwise_initializer", "initializer", Codec::Initializer),
            setting_of("pointwise_regularizer", "regularizer", Codec::Regularizer),
            setting_of("pointwise_constraint", "constraint", Codec::Constraint)];
    "MaxPooling1D" => "max_pooling1d": "" POOLING_1D;
    "MaxPooling2D" => "max_pooling2d": "" POOLING_2D;
    "AveragePooling1D" => "average_pooling1d": "" POOLING_1D;
    "AveragePooling2D" => "average_pooling2d": "" POOLING_2D;
    "GlobalMaxPooling1D" => "global_max_pooling1d": "" GLOBAL_POOLING;
    "GlobalMaxPooling2D" => "global_max_pooling2d": "" GLOBAL_POOLING;
    "GlobalAveragePooling1D" => "global_average_pooling1d": "" GLOBAL_POOLING;
    "GlobalAveragePooling2D" => "global_average_pooling2d": "" GLOBAL_POOLING;
    "Embedding" => "embedding": "" &[
        same("input_dim", Codec::Same), same("output_dim", Codec::Same),
        same("embeddings_initializer", Codec::Initializer),
        same("embeddings_regularizer", Codec::Regularizer),
        same("embeddings_constraint", Codec::Constraint),
        earlier("activity_regularizer", "", Codec::Always("null")),
        same("mask_zero", Codec::Same), ignored("input_length")];
    "Permute" => "permute": "" &[same("dims", Codec::Same)];
    "RepeatVector" => "repeat_vector": "" &[same("n", Codec::Same)];
    "ZeroPadding1D" => "zero_padding1d": "" &[same("padding", Codec::Edges), CHANNELS_LAST];
    "ZeroPadding2D" => "zero_padding2d": "" &[same("padding", Codec::EdgesOfTwo), CHANNELS_LAST];
    "Cropping1D" => "cropping1d": "" &[same("cropping", Codec::Edges)];
    "Cropping2D" => "cropping2d": "" &[same("cropping", Codec::EdgesOfTwo), CHANNELS_LAST];
    "UpSampling1D" => "up_sampling1d": "" &[same("size", Codec::Same)];
    "UpSampling2D" => "up_sampling2d": "" &[
        same("size", Codec::Pair), same("interpolation", Codec::Same), CHANNELS_LAST];
    "SimpleRNN" => "simple_rnn": "" &[same("units", Codec::Same)],
        "weights" ACTIVATION_AND_BIAS, "weights" KERNEL, "weights" RECURRENT;
    "LSTM" => "lstm": "" &[
        same("units", Codec::Same), same("recurrent_activation", Codec::Activation),
        same("unit_forget_bias", Codec::Same)],
        "weights" ACTIVATION_AND_BIAS, "weights" KERNEL, "weights" RECURRENT;
    "GRU" => "gru": "" &[
        same("units", Codec::Same), same("recurrent_activation", Codec::Activation),
        same("reset_after", Codec::Same)],
        "weights" ACTIVATION_AND_BIAS, "weights" KERNEL, "weights" RECURRENT;
    "Masking" => "masking": "" &[same("mask_value", Codec::Same)];
    "MultiHeadAttention" => "multi_head_attention": "" &[
        same("num_heads", Codec::Same), same("key_dim", Codec::Same), same("value_dim", Codec::Same),
        setting_of("output_shape", "output_dim", Codec::Length), ignored("attention_axes")], "" ATTENTION;
    "GroupQueryAttention" => "group_query_attention": "" &[
        same("head_dim", Codec::Same), same("num_query_heads", Codec::Same),
        same("num_key_value_heads", Codec::Same)], "" ATTENTION;
    "Attention" => "attention" merges: "" &[same("score_mode", Codec::Same)], "" UNPROJECTED_ATTENTION;
    "AdditiveAttention" => "additive_attention" merges: "" UNPROJECTED_ATTENTION;
    "Concatenate" => "concatenate" merges: "" &[same("axis", Codec::Same)];
    "Add" => "add" merges:;
    "Subtract" => "subtract" merges:;
    "Multiply" => "multiply" merges:;
    "Average" => "average" merges:;
    "Maximum" => "maximum" merges:;
    "Minimum" => "minimum" merges:;
    "Dot" => "dot" merges: "" &[same("axes", Codec::TwoAxes), same("normalize", Codec::Same)];
}

/// Settings that any layer of Keras may have and that say nothing about what it computes.
const COMMON: [&str; 9] = [
    "name",
    "trainable",
    "dtype",
    "seed",
    "batch_shape",
    "batch_input_shape",
    "input_shape",
    "sparse",
    "ragged",
];

/// The layer of a class of Keras.
pub(super) fn of_class(part: &str, class: &str) -> Read<&'static Layer> {
    LAYERS.iter().find(|layer| layer.class == class).ok_or_else(|| unknown(part, class))
}

/// The layer of a kind of this crate.
pub(super) fn of_kind(kind: &str) -> Option<&'static Layer> {
    LAYERS.iter().find(|layer| layer.kind == kind)
}

impl Layer {
    fn settings(&self) -> impl Iterator<Item = (&'static str, &'static Setting)> {
        self.groups.iter().flat_map(|(nest, settings)| settings.iter().map(move |setting| (*nest, setting)))
    }

    /// The crate's configuration of a layer.
    pub(super) fn read(&self, part: &str, config: &Fields, samples: &Samples) -> Read<Fields> {
        let mut ours = Fields::new();
        for (nest, setting) in self.settings() {
            let Some(value) = config.get(setting.keras) else { continue };
            let Some(value) = setting.codec.read(part, setting.keras, value, samples)? else { continue };
            // What is null in Keras is the default here.
            if value.is_null() && setting.codec != Codec::OptionalPair && !self.keeps_null(setting.ours) {
                continue;
            }
            let fields = match nest {
                "" => Some(&mut ours),
                nest => ours.entry(nest).or_insert_with(|| json!({})).as_object_mut(),
            };
            if let Some(fields) = fields {
                fields.insert(setting.ours.into(), value);
            }
        }
        self.check_rest(part, config)?;
        Ok(ours)
    }

    /// Whether null is a value of a setting, not its default.
    fn keeps_null(&self, setting: &str) -> bool {
        (self.kind, setting) == ("normalization", "axis")
    }

    /// Refuses settings that the crate does not know and that are in use.
    fn check_rest(&self, part: &str, config: &Fields) -> Read<()> {
        let is_known =
            |name: &str| COMMON.contains(&name) || self.settings().any(|(_, setting)| setting.keras == name);
        match config.iter().find(|(name, value)| !is_known(name) && !is_empty(value)) {
            None => Ok(()),
            Some((name, value)) => Err(setting(part, name, "null; this crate has no such setting", value)),
        }
    }

    /// Keras's configuration of a layer from the crate's.
    pub(super) fn write(&self, ours: &Fields) -> Written<Fields> {
        let mut config = Fields::new();
        for (nest, setting) in self.settings().filter(|(_, setting)| setting.is_written) {
            let value = match nest {
                "" => ours.get(setting.ours),
                nest => ours.get(nest).and_then(|nested| nested.get(setting.ours)),
            };
            // A setting that is left out has its default, which is null in Keras as well.
            let value = value.unwrap_or(&Value::Null);
            if let Some(value) = setting.codec.write(value)? {
                config.insert(setting.keras.into(), value);
            }
        }
        Ok(config)
    }
}

/// Refuses policies under which the weights are not floats.
pub(super) fn check_dtype(part: &str, config: &Fields) -> Read<()> {
    let policy = match config.get("dtype") {
        None | Some(Value::Null) => return Ok(()),
        Some(Value::String(name)) => name.as_str(),
        Some(policy) => {
            let config = object(part, policy)?.get("config").and_then(Value::as_object);
            config.and_then(|config| config.get("name")).and_then(Value::as_str).unwrap_or("")
        }
    };
    let floats = ["float16", "bfloat16", "float32", "float64", "mixed_float16", "mixed_bfloat16"];
    if floats.contains(&policy) || policy.starts_with("int") && !policy.contains("_from_") {
        return Ok(());
    }
    let hint = "save the model with a float policy";
    Err(unsupported(part, "a dtype policy of floats", format!("{:?}", crate::error::excerpt(policy)), hint))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::nn::layers::{KINDS, MERGE_KINDS};

    #[test]
    fn every_kind_of_layer_has_a_row_or_is_a_wrapper() {
        let wrappers = ["bidirectional", "residual", "time_distributed"];
        // Keras itself has no layer of positions.
        for kind in KINDS.iter().chain(MERGE_KINDS).filter(|kind| **kind != "position_embedding") {
            assert_ne!(of_kind(kind).is_some(), wrappers.contains(kind), "{kind}");
        }
    }

    #[test]
    fn kinds_are_the_classes_in_snake_case() {
        for layer in LAYERS {
            assert_eq!(super::super::names::snake_case(layer.class), layer.kind);
        }
    }

    #[test]
    fn a_setting_that_the_crate_lacks_is_refused_by_name() {
        let samples = Samples { shape: 4.into(), batch: None };
        let config = json!({"units": 3, "lora_rank": 4, "quantization_config": null});
        let problem = of_class("layer \"d\"", "Dense").unwrap().read(
            "layer \"d\"",
            config.as_object().unwrap(),
            &samples,
        );
        assert!(problem.unwrap_err().to_string().contains("lora_rank"));
    }
}
