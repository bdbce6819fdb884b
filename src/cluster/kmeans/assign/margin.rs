//! How close two scores may be before rounding could exchange their centers; [`kernel`](super::kernel) has the proof.

use crate::float::Float;

/// The margin M of a row: `base + per_square * ‖x‖²`, both coefficients rounded up.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Margin<F> {
    pub(crate) base: F,
    pub(crate) per_square: F,
    /// Rows whose ‖x‖² is not below this are compared directly.
    pub(crate) max_square: F,
}

impl<F: Float> Margin<F> {
    /// The margin that leaves every row to the direct comparison.
    pub(crate) fn unbounded() -> Self {
        Self { base: F::infinity(), per_square: F::zero(), max_square: F::zero() }
    }

    /// One margin for all rows with ‖x‖² up to `largest`, whose norms need not be computed; `None` where that makes the margin
    /// of a row with `typical` ‖x‖² much wider.
    pub(crate) fn constant(self, n_features: usize, largest: f64, typical: f64) -> Option<Self> {
        // The more features, the more the norms of all rows would cost.
        let max_ratio = if n_features < 32 { 8.0 } else { 64.0 };
        let at = |square: f64| self.base.as_f64() + self.per_square.as_f64() * square;
        let fits = largest < self.max_square.as_f64() && at(largest) <= max_ratio * at(typical);
        fits.then(|| Self { base: F::of(at(largest) * (1.0 + 1e-6)), per_square: F::zero(), ..self })
    }

    /// The margin for centers with these smallest and largest half norms ½‖c‖². `typical`, about the mean of ‖x‖², selects the
    /// narrower of the valid bounds.
    pub(crate) fn new(n_features: usize, (smallest, largest): (F, F), typical: f64) -> Self {
        /// For all terms of second order.
        const SLACK: f64 = 1.25;
        let (d, unit) = (n_features as f64, F::epsilon().as_f64() / 2.0);
        let (scores, distances) = roundings::<F>(n_features);
        let (of_scores, of_distances) = ((2.0 * scores + distances + 2.0) * unit, distances * unit);
        let (smallest, largest) = (2.0 * smallest.as_f64(), 2.0 * largest.as_f64());
        let max_square = F::max_value().as_f64() / 16.0;
        // Written such that NaN is out of range.
        if !(of_scores <= 1.0 / 64.0 && largest < max_square) {
            return Self::unbounded();
        }
        let ratio = if typical > 0.0 { (largest / typical).sqrt() } else { 1.0 };
        let ratio = if ratio > 0.0 { ratio.clamp(1e-6, 1e6) } else { 1.0 };
        let by_largest = (0.5 * largest * (1.0 + 1.0 / ratio), 0.5 * ratio);
        let by_smallest = (2.0 * smallest, 5.5);
        let at = |(base, per_square): (f64, f64)| base + per_square * typical;
        let (base, per_square) = if at(by_smallest) < at(by_largest) { by_smallest } else { by_largest };
        let underflow = 4.0 * (d + 8.0) * F::min_positive_value().as_f64();
        Self {
            base: F::of(SLACK * of_scores * base + underflow),
            per_square: F::of(SLACK * (of_scores * per_square + 0.5 * of_distances)),
            max_square: F::of(max_square),
        }
    }
}

/// In units of u: the error of a score relative to ½‖c‖² + ‖x‖‖c‖, and the relative difference of two squared distances up to
/// which their computed roots may be in the other order.
fn roundings<F: Float>(n_features: usize) -> (f64, f64) {
    let d = n_features as f64;
    // The longest chain of additions in a sum of squares: of what eight accumulators leave, or of these.
    let chain = if n_features < 8 { d } else { d / 8.0 + 15.0 };
    let half_norm = if size_of::<F>() < size_of::<f64>() { 2.0 } else { chain + 2.0 };
    (d + half_norm + 3.0, 2.0 * (chain + 3.0) + 4.0)
}
