//! Random factors by which dropout layers multiply their input: 0 or a constant for each element.

use crate::error::{Error, Result};
use crate::float::Float;
use crate::nn::layer::{Plan, Shape};
use crate::rng::{Rng, RowRng};
use ndarray::{ArrayView2, ArrayViewMut2};

/// Refuses a rate outside [0, 1).
pub(in crate::nn::layers) fn check_rate(owner: &str, name: &'static str, rate: f64) -> Result<()> {
    if (0.0..1.0).contains(&rate) {
        return Ok(());
    }
    Err(Error::invalid_parameter(owner, name, rate, format!("0 <= {name} < 1")))
}

/// Refuses a noise shape that cannot be broadcast to the sample shape.
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

/// Declares a dropout layer: it keeps the shape and the mask of its input, and caches a factor for each element.
pub(super) fn plan(
    owner: &'static str,
    rate: f64,
    noise_shape: Option<&Shape>,
    input: &Shape,
) -> Result<Plan> {
    check_rate(owner, "rate", rate)?;
    if let Some(noise_shape) = noise_shape {
        check_noise_shape(owner, noise_shape, input)?;
    }
    Ok(Plan::output(input.clone()).passes_mask().input(input).cache(input.size()))
}

/// Draws the factors of a batch, `columns` for each sample.
pub(super) fn draw_batch<F: Float>(
    rng: RowRng,
    rate: f64,
    dropped_and_kept: [F; 2],
    noise: Option<(&Shape, &Shape)>,
    columns: usize,
    factors: &mut [F],
) {
    for (row, factors) in factors.chunks_exact_mut(columns.max(1)).enumerate() {
        draw(&mut rng.row(row), rate, dropped_and_kept, noise, factors);
    }
}

/// Computes `y = x ⊙ factors`.
pub(super) fn multiply<F: Float>(x: ArrayView2<'_, F>, factors: &[F], mut y: ArrayViewMut2<'_, F>) {
    match (x.as_slice(), y.as_slice_mut()) {
        (Some(x), Some(y)) => {
            y.iter_mut().zip(x).zip(factors).for_each(|((y, &x), &factor)| *y = x * factor);
        }
        _ => y.iter_mut().zip(x).zip(factors).for_each(|((y, &x), &factor)| *y = x * factor),
    }
}

/// Draws the factor of each element of a sample: `dropped` with probability `rate`, else `kept`. With a noise shape,
/// the elements along its axes of length 1 share a draw. `noise`: the noise shape and the sample shape.
#[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a fraction of 2^32")]
pub(in crate::nn::layers) fn draw<F: Float>(
    draws: &mut Rng,
    rate: f64,
    [dropped, kept]: [F; 2],
    noise: Option<(&Shape, &Shape)>,
    factors: &mut [F],
) {
    // Elements with a 32-bit draw below the threshold are dropped.
    let threshold = (rate * 4_294_967_296.0) as u32;
    let mut next = || if draws.next_u32() < threshold { dropped } else { kept };
    let Some((noise, input)) = noise.filter(|(noise, input)| noise != input) else {
        return factors.iter_mut().for_each(|factor| *factor = next());
    };
    // Broadcasts in place: the draws fill the front of the slice, and elements are filled from the back. No draw is
    // overwritten before it is read, because the index of an element's draw is at most the element's index.
    let count = noise.size().min(factors.len());
    factors[..count].iter_mut().for_each(|factor| *factor = next());
    for index in (0..factors.len()).rev() {
        factors[index] = factors[broadcast_index(index, noise, input)];
    }
}

/// Returns the index of the draw that an element of the sample uses.
fn broadcast_index(index: usize, noise: &Shape, input: &Shape) -> usize {
    let (mut rest, mut stride, mut draw) = (index, 1, 0);
    for (&noise, &dim) in noise.dims().iter().zip(input.dims()).rev() {
        if noise > 1 {
            draw += rest % dim.max(1) * stride;
            stride *= noise;
        }
        rest /= dim.max(1);
    }
    draw
}
