//! Softmax, log-softmax and sparsemax over the last axis, and their gradients.

use crate::float::Float;
use crate::float::elementary::{clamp_min, exp, exp_all, select};

/// Number of partial sums, which the compiler vectorizes. The order of summation is the same on every processor.
const LANES: usize = 8;

/// Softmax: yᵢ = e^(zᵢ − max)/Σ e^(zⱼ − max) in each row.
#[inline(always)]
pub(super) fn softmax<F: Float>(width: usize, values: &mut [F]) {
    for row in values.chunks_exact_mut(width) {
        let max = maximum(row);
        for v in row.iter_mut() {
            *v -= max;
        }
    }
    // Over all rows together: a row is often shorter than a vector register.
    exp_all(values);
    for row in values.chunks_exact_mut(width) {
        let scale = F::one() / sum(row, |v| v);
        for v in row.iter_mut() {
            *v *= scale;
        }
    }
}

/// Gradient of softmax: dz = y ⊙ (dy − Σ y·dy).
#[inline(always)]
pub(super) fn softmax_gradient<F: Float>(width: usize, y: &[F], dy: &mut [F]) {
    for (y, dy) in y.chunks_exact(width).zip(dy.chunks_exact_mut(width)) {
        let mean = dot(y, dy);
        for (dy, &y) in dy.iter_mut().zip(y) {
            *dy = y * (*dy - mean);
        }
    }
}

/// Log-softmax: yᵢ = zᵢ − max − ln Σ e^(zⱼ − max) in each row.
#[inline(always)]
pub(super) fn log_softmax<F: Float>(width: usize, values: &mut [F]) {
    for row in values.chunks_exact_mut(width) {
        let max = maximum(row);
        for v in row.iter_mut() {
            *v -= max;
        }
        let exponentials = sum(
            row,
            #[inline(always)]
            |v| exp(v),
        );
        let log_sum = exponentials.ln();
        for v in row.iter_mut() {
            *v -= log_sum;
        }
    }
}

/// Gradient of log-softmax: dz = dy − e^y·Σ dy.
#[inline(always)]
pub(super) fn log_softmax_gradient<F: Float>(width: usize, y: &[F], dy: &mut [F]) {
    for (y, dy) in y.chunks_exact(width).zip(dy.chunks_exact_mut(width)) {
        let total = sum(dy, |v| v);
        for (dy, &y) in dy.iter_mut().zip(y) {
            *dy -= exp(y) * total;
        }
    }
}

/// Sparsemax: projects each row onto the probability simplex, yᵢ = max(zᵢ − τ, 0) with Σ y = 1.
///
/// τ is computed by Michelot's iteration (1986): τ = (Σ z − 1)/count over the elements above the last τ. Each
/// iteration drops at least one element, so it terminates; it needs no sorted copy.
#[inline(always)]
pub(super) fn sparsemax<F: Float>(width: usize, values: &mut [F]) {
    for row in values.chunks_exact_mut(width) {
        let max = maximum(row);
        for v in row.iter_mut() {
            *v -= max;
        }
        // After the shift τ is in [−1, 0), so elements 1 or more below the maximum are 0.
        let (mut threshold, mut support) = (-F::one(), usize::MAX);
        loop {
            let (mut total, mut count) = (F::zero(), 0);
            for &v in row.iter().filter(|v| **v > threshold) {
                total += v;
                count += 1;
            }
            if count == 0 || count == support {
                break;
            }
            threshold = (total - F::one()) / F::of(count as f64);
            support = count;
        }
        for v in row.iter_mut() {
            *v = clamp_min(*v - threshold, F::zero());
        }
    }
}

/// Gradient of sparsemax: dz = dy − (mean of dy over the row's support) within the support, else 0.
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

/// The maximum of a row, ignoring NaN, which the following subtraction keeps.
#[inline(always)]
fn maximum<F: Float>(row: &[F]) -> F {
    let (chunks, rest) = row.as_chunks::<LANES>();
    let mut lanes = [F::neg_infinity(); LANES];
    for chunk in chunks {
        for (lane, &v) in lanes.iter_mut().zip(chunk) {
            *lane = select(v > *lane, v, *lane);
        }
    }
    lanes.iter().chain(rest).fold(F::neg_infinity(), |max, &v| select(v > max, v, max))
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
