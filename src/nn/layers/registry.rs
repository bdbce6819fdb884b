//! The registry of layer kinds: the names under which files store layers, and the types they load.

use super::{
    activations, attention, convolution, dense, embedding, masking, normalization, pooling, recurrent,
    regularization, reshaping, wrappers,
};
use crate::error::Result;
use crate::float::Float;
use crate::nn::layer::{Config, InnerLayers, Layer};
use serde::de::DeserializeOwned;
use std::sync::Arc;

/// Declares the layer types by kind; wrappers, which contain other layers, come last.
macro_rules! catalog {
    ($($kind:literal => $layer:ty,)* wrappers: $($wrapper_kind:literal => $wrapper:ident,)*) => {
        /// The kinds of all layers of this crate. Files refer to layers by kind, so kinds are never removed or renamed.
        pub(crate) const KINDS: &[&str] = &[$($kind,)* $($wrapper_kind),*];

        /// Creates a layer from its kind and hyperparameters; `None` for an unknown kind. Wrappers create the layers
        /// they contain with `inner`.
        pub(crate) fn from_config<F: Float>(
            kind: &str,
            config: &Config,
            inner: &InnerLayers<'_, F>,
        ) -> Option<Result<Arc<dyn Layer<F>>>> {
            Some(match kind {
                $($kind => read::<F, $layer>(kind, config),)*
                $($wrapper_kind => wrappers::$wrapper::from_config(config, inner).map(|layer| Arc::new(layer) as Arc<dyn Layer<F>>),)*
                _ => return None,
            })
        }
    };
}

catalog! {
    "activation" => activations::ActivationLayer,
    "dense" => dense::Dense,
    "dropout" => regularization::Dropout,
    "flatten" => reshaping::Flatten,
    "reshape" => reshaping::Reshape,
    "re_lu" => activations::Relu,
    "leaky_re_lu" => activations::LeakyRelu,
    "p_re_lu" => activations::PRelu,
    "elu" => activations::Elu,
    "softmax" => activations::Softmax,
    "batch_normalization" => normalization::BatchNormalization,
    "layer_normalization" => normalization::LayerNormalization,
    "rms_normalization" => normalization::RmsNormalization,
    "group_normalization" => normalization::GroupNormalization,
    "unit_normalization" => normalization::UnitNormalization,
    "normalization" => normalization::Normalization,
    "rescaling" => normalization::Rescaling,
    "activity_regularization" => regularization::ActivityRegularization,
    "alpha_dropout" => regularization::AlphaDropout,
    "gaussian_dropout" => regularization::GaussianDropout,
    "gaussian_noise" => regularization::GaussianNoise,
    "spatial_dropout1d" => regularization::SpatialDropout1D,
    "spatial_dropout2d" => regularization::SpatialDropout2D,
    "conv1d" => convolution::Conv1D,
    "conv2d" => convolution::Conv2D,
    "conv2d_transpose" => convolution::Conv2DTranspose,
    "depthwise_conv2d" => convolution::DepthwiseConv2D,
    "separable_conv2d" => convolution::SeparableConv2D,
    "max_pooling1d" => pooling::MaxPooling1D,
    "max_pooling2d" => pooling::MaxPooling2D,
    "average_pooling1d" => pooling::AveragePooling1D,
    "average_pooling2d" => pooling::AveragePooling2D,
    "global_max_pooling1d" => pooling::GlobalMaxPooling1D,
    "global_max_pooling2d" => pooling::GlobalMaxPooling2D,
    "global_average_pooling1d" => pooling::GlobalAveragePooling1D,
    "global_average_pooling2d" => pooling::GlobalAveragePooling2D,
    "embedding" => embedding::Embedding,
    "permute" => reshaping::Permute,
    "repeat_vector" => reshaping::RepeatVector,
    "zero_padding1d" => reshaping::ZeroPadding1D,
    "zero_padding2d" => reshaping::ZeroPadding2D,
    "cropping1d" => reshaping::Cropping1D,
    "cropping2d" => reshaping::Cropping2D,
    "up_sampling1d" => reshaping::UpSampling1D,
    "up_sampling2d" => reshaping::UpSampling2D,
    "simple_rnn" => recurrent::SimpleRnn,
    "lstm" => recurrent::Lstm,
    "gru" => recurrent::Gru,
    "masking" => masking::Masking,
    "multi_head_attention" => attention::MultiHeadAttention,
    "group_query_attention" => attention::GroupQueryAttention,
    "position_embedding" => attention::PositionEmbedding,
    wrappers:
    "bidirectional" => Bidirectional,
    "residual" => Residual,
    "time_distributed" => TimeDistributed,
}

fn read<F: Float, L: Layer<F> + DeserializeOwned + 'static>(
    kind: &str,
    config: &Config,
) -> Result<Arc<dyn Layer<F>>> {
    Ok(Arc::new(config.read::<L>(kind)?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_listed_kinds_are_known() {
        let invalid = Config::from_json("[");
        let inner = |_: &str, _: &Config| unreachable!("an invalid configuration has no inner layers");
        for kind in KINDS {
            assert!(from_config::<f32>(kind, &invalid, &inner).is_some_and(|layer| layer.is_err()), "{kind}");
        }
        assert!(from_config::<f32>("Dense", &invalid, &inner).is_none());
    }

    #[test]
    fn kinds_are_append_only() {
        assert!(KINDS.starts_with(&["activation", "dense", "dropout", "flatten", "reshape"]));
    }
}

#[cfg(all(test, feature = "testing"))]
pub(crate) mod contract {
    use super::*;
    use crate::error::Error;
    use crate::nn::layer::Shape;
    use crate::testing::{Check, check_layer_with};

    /// Layer kinds, configurations and sample shapes to check.
    pub(crate) const CASES: &[(&str, &str, &[&[usize]])] = &[
        ("activation", r#"{"activation":"gelu"}"#, &[&[4], &[2, 3]]),
        ("dense", r#"{"units":3}"#, &[&[4], &[2, 3]]),
        ("dropout", r#"{"rate":0.5}"#, &[&[4], &[2, 3]]),
        ("flatten", "{}", &[&[4], &[2, 3]]),
        ("reshape", r#"{"target":[3,2]}"#, &[&[6], &[2, 3]]),
        ("re_lu", "{}", &[&[4], &[2, 3]]),
        ("leaky_re_lu", "{}", &[&[4], &[2, 3]]),
        ("p_re_lu", r#"{"shared_axes":[1]}"#, &[&[4], &[2, 3]]),
        ("elu", "{}", &[&[4], &[2, 3]]),
        ("softmax", r#"{"axis":1}"#, &[&[4], &[2, 3]]),
        ("softmax", r#"{"axis":[-1]}"#, &[&[4], &[2, 3]]),
        ("softmax", r#"{"axis":[1,3]}"#, &[&[2, 3, 2]]),
        ("softmax", r#"{"axis":[1,-1]}"#, &[&[2, 3]]),
        ("batch_normalization", r#"{"momentum":0.9}"#, &[&[4], &[2, 3]]),
        ("layer_normalization", "{}", &[&[4], &[2, 3]]),
        ("rms_normalization", "{}", &[&[4], &[2, 3]]),
        ("group_normalization", r#"{"groups":2}"#, &[&[4], &[3, 2]]),
        ("unit_normalization", "{}", &[&[4], &[2, 3]]),
        ("unit_normalization", r#"{"axis":[1]}"#, &[&[4], &[2, 3], &[2, 3, 2]]),
        ("unit_normalization", r#"{"axis":[1,3]}"#, &[&[2, 3, 2]]),
        ("layer_normalization", r#"{"axis":[3,1]}"#, &[&[2, 3, 2]]),
        ("rms_normalization", r#"{"axis":[-2]}"#, &[&[2, 3], &[2, 3, 2]]),
        ("group_normalization", r#"{"groups":2,"axis":1}"#, &[&[4], &[4, 2], &[2, 2, 3]]),
        ("group_normalization", r#"{"groups":-1,"axis":-2}"#, &[&[4, 3], &[2, 2, 3]]),
        ("normalization", r#"{"mean":[1.0,2.0],"variance":[4.0,9.0]}"#, &[&[2], &[3, 2]]),
        ("rescaling", r#"{"scale":0.5}"#, &[&[4], &[2, 3]]),
        ("activity_regularization", r#"{"l1":0.1}"#, &[&[4], &[2, 3]]),
        ("alpha_dropout", r#"{"rate":0.3}"#, &[&[4], &[2, 3]]),
        ("gaussian_dropout", r#"{"rate":0.3}"#, &[&[4], &[2, 3]]),
        ("gaussian_noise", r#"{"stddev":0.3}"#, &[&[4], &[2, 3]]),
        ("spatial_dropout1d", r#"{"rate":0.3}"#, &[&[4, 2], &[2, 3]]),
        ("spatial_dropout2d", r#"{"rate":0.3}"#, &[&[4, 2, 2], &[2, 3, 1]]),
        ("conv1d", r#"{"filters":2,"kernel_size":2,"padding":"causal"}"#, &[&[4, 2], &[2, 3]]),
        ("conv2d", r#"{"filters":2,"kernel_size":[2,1],"strides":[1,2]}"#, &[&[4, 2, 2], &[2, 3, 1]]),
        (
            "conv2d_transpose",
            r#"{"filters":2,"kernel_size":[2,1],"padding":"same"}"#,
            &[&[3, 2, 2], &[2, 3, 1]],
        ),
        (
            "conv2d_transpose",
            r#"{"filters":2,"kernel_size":[3,2],"strides":[2,3],"output_padding":[0,2]}"#,
            &[&[3, 2, 2]],
        ),
        (
            "conv2d_transpose",
            r#"{"filters":2,"kernel_size":[3,4],"strides":[2,2],"padding":"same","output_padding":[0,1]}"#,
            &[&[3, 2, 2], &[1, 2, 1]],
        ),
        ("depthwise_conv2d", r#"{"kernel_size":[2,1],"depth_multiplier":2}"#, &[&[3, 2, 2], &[2, 3, 1]]),
        ("separable_conv2d", r#"{"filters":2,"kernel_size":[2,1]}"#, &[&[3, 2, 2], &[2, 3, 1]]),
        (
            "separable_conv2d",
            r#"{"filters":2,"kernel_size":[2,1],"depthwise":{"initializer":"he_normal"},"pointwise":{"regularizer":null}}"#,
            &[&[3, 2, 2]],
        ),
        ("max_pooling1d", "{}", &[&[4, 2], &[2, 3]]),
        ("max_pooling2d", r#"{"padding":"same"}"#, &[&[3, 4, 2], &[2, 3, 1]]),
        ("average_pooling1d", r#"{"strides":1}"#, &[&[4, 2], &[2, 3]]),
        ("average_pooling2d", r#"{"padding":"same"}"#, &[&[3, 4, 2], &[2, 3, 1]]),
        ("global_max_pooling1d", "{}", &[&[4, 2], &[2, 3]]),
        ("global_max_pooling2d", r#"{"keepdims":true}"#, &[&[3, 4, 2], &[2, 3, 1]]),
        ("global_average_pooling1d", "{}", &[&[4, 2], &[2, 3]]),
        ("global_average_pooling2d", "{}", &[&[3, 4, 2], &[2, 3, 1]]),
        ("embedding", r#"{"input_dim":5,"output_dim":3}"#, &[&[4], &[2, 3]]),
        ("embedding", r#"{"input_dim":5,"output_dim":3,"mask_zero":true}"#, &[&[4], &[2, 3]]),
        ("masking", r#"{"mask_value":1.5}"#, &[&[4], &[2, 3], &[2, 3, 2]]),
        ("multi_head_attention", r#"{"num_heads":2,"key_dim":3}"#, &[&[3, 4]]),
        (
            "multi_head_attention",
            r#"{"num_heads":1,"key_dim":2,"value_dim":3,"output_dim":5,"dropout":0.2,"causal":true}"#,
            &[&[4, 2]],
        ),
        (
            "group_query_attention",
            r#"{"head_dim":2,"num_query_heads":4,"num_key_value_heads":2,"use_bias":false}"#,
            &[&[3, 4]],
        ),
        ("position_embedding", r#"{"length":4}"#, &[&[3, 2], &[4, 1]]),
        ("position_embedding", "{}", &[&[3, 2]]),
        ("batch_normalization", r#"{"axis":1}"#, &[&[4, 2], &[2, 3, 2]]),
        ("permute", r#"{"dims":[2,1]}"#, &[&[4, 2], &[2, 3]]),
        ("repeat_vector", r#"{"n":3}"#, &[&[4], &[1]]),
        ("zero_padding1d", r#"{"padding":[[1,2]]}"#, &[&[4, 2], &[2, 3]]),
        ("zero_padding2d", r#"{"padding":[[1,2],[0,1]]}"#, &[&[4, 2, 1], &[2, 3, 2]]),
        ("cropping1d", r#"{"cropping":[[1,0]]}"#, &[&[4, 2], &[2, 3]]),
        ("cropping2d", r#"{"cropping":[[1,0],[0,1]]}"#, &[&[4, 2, 1], &[2, 3, 2]]),
        ("up_sampling1d", r#"{"size":2}"#, &[&[4, 2], &[2, 3]]),
        ("up_sampling2d", r#"{"size":[2,1],"interpolation":"bilinear"}"#, &[&[4, 2, 1], &[2, 3, 2]]),
        ("simple_rnn", r#"{"units":2}"#, &[&[4, 2], &[1, 3]]),
        ("lstm", r#"{"units":2,"weights":{"return_sequences":true}}"#, &[&[4, 2], &[1, 3]]),
        (
            "simple_rnn",
            r#"{"units":3,"weights":{"dropout":0.3,"recurrent_dropout":0.4}}"#,
            &[&[4, 2], &[1, 3]],
        ),
        ("lstm", r#"{"units":3,"weights":{"dropout":0.4}}"#, &[&[3, 2]]),
        ("lstm", r#"{"units":3,"weights":{"dropout":0.2,"recurrent_dropout":0.4}}"#, &[&[3, 2], &[1, 3]]),
        ("gru", r#"{"units":2,"weights":{"go_backwards":true}}"#, &[&[4, 2], &[1, 3]]),
        ("gru", r#"{"units":3,"weights":{"dropout":0.3,"recurrent_dropout":0.4}}"#, &[&[3, 2], &[1, 3]]),
        (
            "gru",
            r#"{"units":2,"reset_after":false,"weights":{"return_sequences":true}}"#,
            &[&[4, 2], &[1, 3]],
        ),
        (
            "gru",
            r#"{"units":3,"reset_after":false,"weights":{"use_bias":false,"recurrent_dropout":0.4}}"#,
            &[&[3, 2]],
        ),
        (
            "lstm",
            r#"{"units":2,"weights":{"return_sequences":true,"zero_output_for_mask":true,"go_backwards":true}}"#,
            &[&[4, 2]],
        ),
        ("gru", r#"{"units":2,"weights":{"zero_output_for_mask":true}}"#, &[&[4, 2]]),
        (
            "simple_rnn",
            r#"{"units":3,"weights":{"stateful":4,"recurrent_dropout":0.4}}"#,
            &[&[3, 2], &[1, 2]],
        ),
        ("lstm", r#"{"units":2,"weights":{"stateful":3,"return_sequences":true}}"#, &[&[3, 2], &[1, 2]]),
        ("gru", r#"{"units":2,"weights":{"stateful":2,"go_backwards":true}}"#, &[&[3, 2], &[1, 2]]),
        (
            "gru",
            r#"{"units":2,"reset_after":false,"weights":{"stateful":2,"dropout":0.3}}"#,
            &[&[3, 2], &[1, 2]],
        ),
        (
            "bidirectional",
            r#"{"layer":{"kind":"lstm","config":{"units":2,"weights":{"stateful":3}}}}"#,
            &[&[3, 2]],
        ),
        ("simple_rnn", r#"{"units":2,"weights":{"return_sequences":true}}"#, &[&[4, 2]]),
        (
            "bidirectional",
            r#"{"layer":{"kind":"gru","config":{"units":2,"weights":{"return_sequences":true}}},"merge_mode":"mul"}"#,
            &[&[4, 2]],
        ),
        (
            "bidirectional",
            r#"{"layer":{"kind":"simple_rnn","config":{"units":2}},"merge_mode":"ave"}"#,
            &[&[4, 2]],
        ),
        (
            "bidirectional",
            r#"{"layer":{"kind":"lstm","config":{"units":2,"weights":{"return_sequences":true}}},"backward_layer":{"kind":"gru","config":{"units":3,"weights":{"return_sequences":true,"go_backwards":true}}}}"#,
            &[&[4, 2]],
        ),
        (
            "bidirectional",
            r#"{"layer":{"kind":"gru","config":{"units":2,"weights":{"go_backwards":true,"return_sequences":true}}},"merge_mode":"mul","backward_layer":{"kind":"simple_rnn","config":{"units":2,"weights":{"return_sequences":true}}}}"#,
            &[&[4, 2]],
        ),
        ("time_distributed", r#"{"layer":{"kind":"lstm","config":{"units":2}}}"#, &[&[3, 4, 2]]),
        (
            "bidirectional",
            r#"{"layer":{"kind":"lstm","config":{"units":2,"weights":{"activity_regularizer":{"l1":0.25,"l2":0.5}}}}}"#,
            &[&[3, 2]],
        ),
        (
            "time_distributed",
            r#"{"layer":{"kind":"residual","config":{"layers":[{"kind":"activity_regularization","config":{"l2":0.5}}]}}}"#,
            &[&[2, 3]],
        ),
        (
            "residual",
            r#"{"layers":[{"kind":"lstm","config":{"units":3,"weights":{"return_sequences":true}}},{"kind":"batch_normalization","config":{}}]}"#,
            &[&[4, 3]],
        ),
        (
            "bidirectional",
            r#"{"layer":{"kind":"lstm","config":{"units":2,"weights":{"return_sequences":true}}}}"#,
            &[&[3, 2], &[1, 3]],
        ),
        (
            "residual",
            r#"{"layers":[{"kind":"dense","config":{"units":3,"activation":"gelu"}},{"kind":"dropout","config":{"rate":0.3}}]}"#,
            &[&[3], &[2, 3]],
        ),
        (
            "residual",
            r#"{"layers":[{"kind":"dense","config":{"units":2,"activation":"gelu"}},{"kind":"dropout","config":{"rate":0.3}}],"projection":{"kind":"dense","config":{"units":2,"activation":"tanh"}}}"#,
            &[&[3], &[2, 3]],
        ),
        (
            "residual",
            r#"{"layers":[{"kind":"conv2d","config":{"filters":3,"kernel_size":[2,2],"strides":[2,2],"padding":"same"}},{"kind":"batch_normalization","config":{}}],"projection":{"kind":"conv2d","config":{"filters":3,"kernel_size":[1,1],"strides":[2,2]}}}"#,
            &[&[4, 3, 2]],
        ),
        (
            "time_distributed",
            r#"{"layer":{"kind":"residual","config":{"layers":[{"kind":"batch_normalization","config":{}}]}}}"#,
            &[&[2, 3], &[2, 2, 2]],
        ),
    ];

    pub(crate) fn create(kind: &str, config: &Config) -> Result<Arc<dyn Layer<f64>>> {
        from_config(kind, config, &create)
            .unwrap_or_else(|| Err(Error::unknown_name("layer", kind, KINDS.iter().copied())))
    }

    #[test]
    fn every_kind_passes_check_layer_and_round_trips_through_its_configuration() {
        for kind in KINDS {
            assert!(CASES.iter().any(|case| case.0 == *kind), "no test case for layers of kind {kind}");
        }
        for (kind, config, shapes) in CASES {
            let layer = create(kind, &Config::from_json(*config)).unwrap();
            assert_eq!(layer.kind(), *kind);
            let saved = layer.config().unwrap();
            let loaded = create(kind, &saved).unwrap();
            assert_eq!(loaded.config(), Some(saved));
            for shape in *shapes {
                let integers = (*kind == "embedding").then_some(5);
                let check = Check { integers, ..Check::default() };
                if let Err(failure) = check_layer_with(&loaded, Shape::from(*shape), check) {
                    panic!("{kind} {config} on {shape:?}: {failure}");
                }
            }
        }
    }

    #[test]
    fn unknown_fields_in_a_configuration_are_errors() {
        for (kind, config, _) in CASES {
            let config = config.replacen('{', r#"{"nonsense":1,"#, 1).replace(",}", "}");
            assert!(create(kind, &Config::from_json(config)).is_err(), "{kind}");
        }
    }
}
