//! How close two scores may be before rounding could exchange their centers; the kernel's documentation has the proof.

use crate::float::Float;

/// The margin M of a row: `base + per_square * ‖x‖²`, both coefficients rounded up.
#[derive(Debug, Clone, Copy)]
pub(super) struct Margin<F> {
    pub(super) base: F,
    pub(super) per_square: F,
    /// Rows of which ‖x‖² is not below this are compared directly.
    pub(super) most: F,
}

impl<F: Float> Margin<F> {
    /// The margin that leaves every row to the direct comparison.
    pub(super) fn unbounded() -> Self {
        Self { base: F::infinity(), per_square: F::zero(), most: F::zero() }
    }

    /// The margin for centers with these half norms ½‖c‖². `typical` is about the mean of ‖x‖²: it decides between valid
    /// bounds.
    pub(super) fn new(n_features: usize, half_norms: &[F], typical: f64) -> Self {
        /// For all terms of second order.
        const SLACK: f64 = 1.25;
        let (d, unit) = (n_features as f64, F::epsilon().as_f64() / 2.0);
        let (of_scores, of_distances) = ((2.5 * d + 80.0) * unit, (0.25 * d + 40.0) * unit);
        let squares = half_norms.iter().map(|half| 2.0 * half.as_f64());
        let (least, largest) =
            squares.fold((f64::INFINITY, 0.0), |(least, largest), square| (square.min(least), square.max(largest)));
        let most = F::max_value().as_f64() / 16.0;
        // Written such that NaN is out of range.
        if !(of_scores <= 1.0 / 64.0 && largest < most) {
            return Self::unbounded();
        }
        let ratio = if typical > 0.0 { (largest / typical).sqrt() } else { 1.0 };
        let ratio = if ratio > 0.0 { ratio.clamp(1e-6, 1e6) } else { 1.0 };
        let by_largest = (0.5 * largest * (1.0 + 1.0 / ratio), 0.5 * ratio);
        let by_least = (2.0 * least, 5.5);
        let at = |(base, per_square): (f64, f64)| base + per_square * typical;
        let (base, per_square) = if at(by_least) < at(by_largest) { by_least } else { by_largest };
        let underflow = 4.0 * (d + 8.0) * F::min_positive_value().as_f64();
        Self {
            base: F::of(SLACK * of_scores * base + underflow),
            per_square: F::of(SLACK * (of_scores * per_square + 0.5 * of_distances)),
            most: F::of(most),
        }
    }
}
