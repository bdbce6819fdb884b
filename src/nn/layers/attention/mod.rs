//! Attention layers and position embeddings.

mod additive_attention;
#[allow(clippy::module_inception, reason = "the file of the layer of this name")]
mod attention;
mod batch;
mod heads;
mod multi_head_attention;
mod position_embedding;
mod projection;
mod scores;
mod single_head;
mod validity;

pub use additive_attention::AdditiveAttention;
pub use attention::{Attention, ScoreMode};
pub use multi_head_attention::{GroupQueryAttention, MultiHeadAttention};
pub use position_embedding::PositionEmbedding;

use crate::nn::layer::{MaskPass, MergeInputs, Shape};

/// The shape of the mask of the output: that of the query, if it has one.
fn query_mask_shape(inputs: MergeInputs<'_>, masked: &[bool]) -> Option<Shape> {
    let dims = inputs.shapes().first()?.dims();
    let query_masked = masked.first() == Some(&true);
    query_masked.then(|| Shape::from(&dims[..dims.len().saturating_sub(1)]))
}

/// Copies the mask of the query.
fn query_mask<F>(inputs: MergeInputs<'_>, pass: MaskPass<'_, F>) {
    let MaskPass { mask: Some(mask), valid, .. } = pass else { return };
    let positions = inputs.positions(0);
    for (index, valid) in valid.iter_mut().enumerate() {
        let (sample, position) = (index / positions.len().max(1), index % positions.len().max(1));
        *valid = mask.is_valid(sample, positions.start + position);
    }
}
