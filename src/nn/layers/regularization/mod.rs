//! Layers that keep a network from learning its samples by heart.

mod activity_regularization;
mod alpha_dropout;
mod dropout;
mod gaussian_dropout;
mod gaussian_noise;
mod spatial_dropout;

pub use activity_regularization::ActivityRegularization;
pub use alpha_dropout::AlphaDropout;
pub use dropout::Dropout;
pub use gaussian_dropout::GaussianDropout;
pub use gaussian_noise::GaussianNoise;
pub use spatial_dropout::{SpatialDropout1D, SpatialDropout2D};

use crate::error::{Error, Result};
use crate::float::Float;
use crate::nn::layer::Shape;
use crate::rng::Rng;

/// Refuses a rate outside of [0, 1).
pub(super) fn check_rate(owner: &str, name: &'static str, rate: f64) -> Result<()> {
    if (0.0..1.0).contains(&rate) {
        return Ok(());
    }
    Err(Error::invalid_parameter(owner, name, rate, format!("0 <= {name} < 1")))
}

/// Refuses a noise shape that cannot be stretched to the sample's.
fn check_noise_shape(owner: &'static str, noise: &Shape, input: &Shape) -> Result<()> {
    let fits = noise.rank() == input.rank()
        && noise.dims().iter().zip(input.dims()).all(|(&noise, &dim)| noise == dim || noise == 1);
    if fits {
        return Ok(());
    }
    let expected =
        format!("a noise_shape like the sample {input}, with 1 along the axes that share their noise");
    Err(Error::shape(owner, expected, noise))
}

/// Draws for one sample which numbers are kept, each `dropped` or `kept`; numbers along an axis of 1 in the noise
/// shape share their draw.
#[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a share of 2^32")]
pub(super) fn draw<F: Float>(
    draws: &mut Rng,
    rate: f64,
    [dropped, kept]: [F; 2],
    noise: Option<(&Shape, &Shape)>,
    factors: &mut [F],
) {
    // A 32-bit draw below this is dropped.
    let threshold = (rate * 4_294_967_296.0) as u32;
    let mut next = || if draws.next_u32() < threshold { dropped } else { kept };
    let Some((noise, input)) = noise.filter(|(noise, input)| noise != input) else {
        return factors.iter_mut().for_each(|factor| *factor = next());
    };
    // The draws stand at the front of the sample, and are spread from the back, so that none is overwritten
    // before it is read: its place is never behind the one it is spread to.
    let count = noise.size().min(factors.len());
    factors[..count].iter_mut().for_each(|factor| *factor = next());
    for index in (0..factors.len()).rev() {
        factors[index] = factors[shared_place(index, noise, input)];
    }
}

/// Which draw a number of the sample has.
fn shared_place(index: usize, noise: &Shape, input: &Shape) -> usize {
    let (mut rest, mut stride, mut place) = (index, 1, 0);
    for (&noise, &dim) in noise.dims().iter().zip(input.dims()).rev() {
        if noise > 1 {
            place += rest % dim.max(1) * stride;
            stride *= noise;
        }
        rest /= dim.max(1);
    }
    place
}
