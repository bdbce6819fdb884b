//! The functions that act on a row as a whole, and their gradients.

use crate::float::Float;
use crate::float::elementary::{clamp_min, exp, select};

/// The partial sums that a vector register takes up; the order of summation is the same on every processor.
const LANES: usize = 8;

/// yᵢ = e^(zᵢ − max)/Σ e^(zⱼ − max), row by row.
#[inline(always)]
pub(super) fn softmax<F: Float>(width: usize, values: &mut [F]) {
    for row in values.chunks_exact_mut(width) {
        let highest = maximum(row);
        for v in row.iter_mut() {
            *v -= highest;
        }
    }
    // Over the whole block: rows are often shorter than a vector register.
    for v in values.iter_mut() {
        *v = exp(*v);
    }
    for row in values.chunks_exact_mut(width) {
        let scale = F::one() / sum(row, |v| v);
        for v in row.iter_mut() {
            *v *= scale;
        }
    }
}

/// dz = y ⊙ (dy − Σ y·dy).
#[inline(always)]
pub(super) fn softmax_gradient<F: Float>(width: usize, y: &[F], dy: &mut [F]) {
    for (y, dy) in y.chunks_exact(width).zip(dy.chunks_exact_mut(width)) {
        let mean = dot(y, dy);
        for (dy, &y) in dy.iter_mut().zip(y) {
            *dy = y * (*dy - mean);
        }
    }
}

/// yᵢ = zᵢ − max − ln Σ e^(zⱼ − max), row by row.
#[inline(always)]
pub(super) fn log_softmax<F: Float>(width: usize, values: &mut [F]) {
    for row in values.chunks_exact_mut(width) {
        let highest = maximum(row);
        for v in row.iter_mut() {
            *v -= highest;
        }
        let log_total = sum(row, exp).ln();
        for v in row.iter_mut() {
            *v -= log_total;
        }
    }
}

/// dz = dy − e^y·Σ dy.
#[inline(always)]
pub(super) fn log_softmax_gradient<F: Float>(width: usize, y: &[F], dy: &mut [F]) {
    for (y, dy) in y.chunks_exact(width).zip(dy.chunks_exact_mut(width)) {
        let total = sum(dy, |v| v);
        for (dy, &y) in dy.iter_mut().zip(y) {
            *dy -= exp(y) * total;
        }
    }
}

/// The point of the probability simplex nearest to the row: yᵢ = max(zᵢ − τ, 0) with Σ y = 1.
///
/// τ by Michelot's iteration (1986): the mean excess over those still above it; each round drops at least one,
/// so it ends, and it needs no sorted copy.
#[inline(always)]
pub(super) fn sparsemax<F: Float>(width: usize, values: &mut [F]) {
    for row in values.chunks_exact_mut(width) {
        let highest = maximum(row);
        for v in row.iter_mut() {
            *v -= highest;
        }
        // τ lies in [−1, 0) after the shift, so what is a whole 1 below the maximum is out from the start.
        let (mut threshold, mut kept) = (-F::one(), usize::MAX);
        loop {
            let (mut total, mut count) = (F::zero(), 0);
            for &v in row.iter().filter(|v| **v > threshold) {
                total += v;
                count += 1;
            }
            if count == 0 || count == kept {
                break;
            }
            threshold = (total - F::one()) / F::of(count as f64);
            kept = count;
        }
        for v in row.iter_mut() {
            *v = clamp_min(*v - threshold, F::zero());
        }
    }
}

/// dz = dy − mean of dy over the row's support, inside of the support; else 0.
#[inline(always)]
pub(super) fn sparsemax_gradient<F: Float>(width: usize, y: &[F], dy: &mut [F]) {
    for (y, dy) in y.chunks_exact(width).zip(dy.chunks_exact_mut(width)) {
        let (mut total, mut count) = (F::zero(), 0);
        for (&y, &dy) in y.iter().zip(dy.iter()) {
            if y > F::zero() {
                total += dy;
                count += 1;
            }
        }
        let mean = total / F::of(f64::from(count.max(1)));
        for (dy, &y) in dy.iter_mut().zip(y) {
            *dy = select(y > F::zero(), *dy - mean, F::zero());
        }
    }
}

/// The largest number of a row; NaN does not count, and spoils the row in the subtraction that follows.
#[inline(always)]
fn maximum<F: Float>(row: &[F]) -> F {
    let (chunks, rest) = row.as_chunks::<LANES>();
    let mut lanes = [F::neg_infinity(); LANES];
    for chunk in chunks {
        for (lane, &v) in lanes.iter_mut().zip(chunk) {
            *lane = select(v > *lane, v, *lane);
        }
    }
    lanes.iter().chain(rest).fold(F::neg_infinity(), |highest, &v| select(v > highest, v, highest))
}

#[inline(always)]
fn sum<F: Float>(row: &[F], of: impl Fn(F) -> F) -> F {
    let (chunks, rest) = row.as_chunks::<LANES>();
    let mut lanes = [F::zero(); LANES];
    for chunk in chunks {
        for (lane, &v) in lanes.iter_mut().zip(chunk) {
            *lane += of(v);
        }
    }
    let rest: F = rest.iter().map(|&v| of(v)).sum();
    lanes.iter().fold(rest, |total, &lane| total + lane)
}

#[inline(always)]
fn dot<F: Float>(a: &[F], b: &[F]) -> F {
    let ((a_chunks, a_rest), (b_chunks, b_rest)) = (a.as_chunks::<LANES>(), b.as_chunks::<LANES>());
    let mut lanes = [F::zero(); LANES];
    for (a, b) in a_chunks.iter().zip(b_chunks) {
        for (lane, (&a, &b)) in lanes.iter_mut().zip(a.iter().zip(b)) {
            *lane += a * b;
        }
    }
    let rest = a_rest.iter().zip(b_rest).fold(F::zero(), |total, (&a, &b)| total + a * b);
    lanes.iter().fold(rest, |total, &lane| total + lane)
}
