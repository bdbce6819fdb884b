//! Layers that shift and scale.

mod batch_normalization;
mod extremes;
mod feature_sums;
mod group_normalization;
mod layer_normalization;
mod normalize;
mod rescaling;
mod rms_normalization;
mod scale_and_center;
mod unit_normalization;

pub use batch_normalization::BatchNormalization;
pub use group_normalization::GroupNormalization;
pub use layer_normalization::LayerNormalization;
pub use normalize::Normalization;
pub use rescaling::Rescaling;
pub use rms_normalization::RmsNormalization;
pub use unit_normalization::UnitNormalization;

use crate::error::{Error, Result};
use crate::float::Float;

/// Refuses an epsilon that does not keep divisors from 0 in `F`.
fn check_epsilon<F: Float>(owner: &'static str, epsilon: f64) -> Result<()> {
    let in_type = F::of(epsilon);
    if in_type > F::zero() && in_type.is_finite() {
        return Ok(());
    }
    let expected = format!("a finite number above 0 in {}", F::NAME);
    Err(Error::invalid_parameter(owner, "epsilon", epsilon, expected))
}

/// `Σ term(a, b)`, in 16 chains, which vector registers take side by side and which keep the rounding small.
#[inline(always)]
fn sum_of<F: Float>(a: &[F], b: &[F], term: impl Fn(F, F) -> F) -> F {
    const LANES: usize = 16;
    let mut sums = [F::zero(); LANES];
    let (a_blocks, b_blocks) = (a.chunks_exact(LANES), b.chunks_exact(LANES));
    let (a_rest, b_rest) = (a_blocks.remainder(), b_blocks.remainder());
    for (a, b) in a_blocks.zip(b_blocks) {
        for ((sum, &a), &b) in sums.iter_mut().zip(a).zip(b) {
            *sum += term(a, b);
        }
    }
    let rest: F = a_rest.iter().zip(b_rest).map(|(&a, &b)| term(a, b)).sum();
    sums.into_iter().sum::<F>() + rest
}
