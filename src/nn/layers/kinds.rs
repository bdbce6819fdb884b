//! The kinds of these layers in files.

use super::*;
use crate::error::Result;
use crate::float::Float;
use crate::nn::layer::{Config, InnerLayers, Layer};
use serde::de::DeserializeOwned;
use std::sync::Arc;

/// The layers by their kinds; those that hold others come last, because `inner` makes what they hold.
macro_rules! kinds {
    ($($kind:literal => $layer:ty,)*) => {
        /// The kinds of these layers in files. Append only: a file names its layers by them.
        pub(crate) const KINDS: &[&str] = &[$($kind),*];

        /// The layer of a kind from its hyperparameters; `None` for a kind that is not one of these. Layers that
        /// hold others make them by `inner`.
        pub(crate) fn from_config<F: Float>(
            kind: &str,
            config: &Config,
            inner: &InnerLayers<'_, F>,
        ) -> Option<Result<Arc<dyn Layer<F>>>> {
            let _ = inner;
            Some(match kind {
                $($kind => read::<F, $layer>(kind, config),)*
                _ => return None,
            })
        }
    };
}

kinds! {
    "activation" => ActivationLayer,
    "dense" => Dense,
    "dropout" => Dropout,
    "flatten" => Flatten,
    "reshape" => Reshape,
    "re_lu" => Relu,
    "leaky_re_lu" => LeakyRelu,
    "p_re_lu" => PRelu,
    "elu" => Elu,
    "softmax" => Softmax,
    "batch_normalization" => BatchNormalization,
    "layer_normalization" => LayerNormalization,
    "rms_normalization" => RmsNormalization,
    "group_normalization" => GroupNormalization,
    "unit_normalization" => UnitNormalization,
    "normalization" => Normalization,
    "rescaling" => Rescaling,
    "activity_regularization" => ActivityRegularization,
    "alpha_dropout" => AlphaDropout,
    "gaussian_dropout" => GaussianDropout,
    "gaussian_noise" => GaussianNoise,
    "spatial_dropout1d" => SpatialDropout1D,
    "spatial_dropout2d" => SpatialDropout2D,
    "conv1d" => Conv1D,
    "conv2d" => Conv2D,
    "conv2d_transpose" => Conv2DTranspose,
    "depthwise_conv2d" => DepthwiseConv2D,
    "separable_conv2d" => SeparableConv2D,
    "max_pooling1d" => MaxPooling1D,
    "max_pooling2d" => MaxPooling2D,
    "average_pooling1d" => AveragePooling1D,
    "average_pooling2d" => AveragePooling2D,
    "global_max_pooling1d" => GlobalMaxPooling1D,
    "global_max_pooling2d" => GlobalMaxPooling2D,
    "global_average_pooling1d" => GlobalAveragePooling1D,
    "global_average_pooling2d" => GlobalAveragePooling2D,
    "embedding" => Embedding,
    "permute" => Permute,
    "repeat_vector" => RepeatVector,
    "zero_padding1d" => ZeroPadding1D,
    "zero_padding2d" => ZeroPadding2D,
    "cropping1d" => Cropping1D,
    "cropping2d" => Cropping2D,
    "up_sampling1d" => UpSampling1D,
    "up_sampling2d" => UpSampling2D,
    "simple_rnn" => SimpleRnn,
    "lstm" => Lstm,
    "gru" => Gru,
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
    fn every_kind_is_known_and_no_other() {
        let nothing = Config::from_json("[");
        let inner = |_: &str, _: &Config| unreachable!("no layer is made of nothing");
        for kind in KINDS {
            assert!(from_config::<f32>(kind, &nothing, &inner).is_some_and(|made| made.is_err()), "{kind}");
        }
        assert!(from_config::<f32>("Dense", &nothing, &inner).is_none());
    }

    #[test]
    fn kinds_are_append_only() {
        assert!(KINDS.starts_with(&["activation", "dense", "dropout", "flatten", "reshape"]));
    }
}
