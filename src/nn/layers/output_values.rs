//! What is known of the values that these layers put out.

use super::KINDS;
use crate::nn::layer::{OutputValues, Plan};

/// The values that come out of a layer of this kind before its declared activation; unknown for layers of other crates.
pub(crate) fn output_values(kind: &str, plan: &Plan) -> OutputValues {
    match kind {
        "dense"
        | "conv1d"
        | "conv2d"
        | "conv2d_transpose"
        | "depthwise_conv2d"
        | "separable_conv2d"
        | "embedding"
        | "batch_normalization"
        | "layer_normalization"
        | "rms_normalization"
        | "group_normalization" => OutputValues::Unbounded,
        "activation"
        | "re_lu"
        | "leaky_re_lu"
        | "elu"
        | "flatten"
        | "reshape"
        | "permute"
        | "repeat_vector"
        | "zero_padding1d"
        | "zero_padding2d"
        | "cropping1d"
        | "cropping2d"
        | "up_sampling1d"
        | "up_sampling2d"
        | "max_pooling1d"
        | "max_pooling2d"
        | "average_pooling1d"
        | "average_pooling2d"
        | "global_max_pooling1d"
        | "global_max_pooling2d"
        | "global_average_pooling1d"
        | "global_average_pooling2d"
        | "masking"
        | "unit_normalization"
        | "activity_regularization"
        | "dropout"
        | "alpha_dropout"
        | "gaussian_dropout"
        | "gaussian_noise"
        | "spatial_dropout1d"
        | "spatial_dropout2d" => OutputValues::Kept,
        "rescaling" | "normalization" | "p_re_lu" => OutputValues::Affine,
        // The layer over the last axis leaves its function to the container.
        "softmax" => match plan.declared_activation() {
            crate::activation::Activation::Softmax => OutputValues::Kept,
            _ => OutputValues::Shares,
        },
        _ if KINDS.contains(&kind) => plan.known_values(),
        _ => OutputValues::Unknown,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::activation::Activation;

    #[test]
    fn layers_of_other_crates_are_unknown_whatever_their_plan() {
        let plan = Plan::output(3).output_values(OutputValues::Activated(Activation::Tanh));
        assert_eq!(output_values("mycrate.lstm", &plan), OutputValues::Unknown);
        assert_eq!(output_values("lstm", &plan), OutputValues::Activated(Activation::Tanh));
        assert_eq!(output_values("residual", &Plan::output(3)), OutputValues::Unknown);
    }
}
