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

    /// The same for all rows of which ‖x‖² is at most `largest`, which need not be known one by one: unless that makes the
    /// margin of a row with `typical` ‖x‖² much wider.
    pub(super) fn flat(self, n_features: usize, largest: f64, typical: f64) -> Option<Self> {
        // How many times the margin may be as wide: the more, the longer the lengths of all rows would take.
        let wider = if n_features < 32 { 8.0 } else { 64.0 };
        let at = |square: f64| self.base.as_f64() + self.per_square.as_f64() * square;
        let fits = largest < self.most.as_f64() && at(largest) <= wider * at(typical);
        fits.then(|| Self { base: F::of(at(largest) * (1.0 + 1e-6)), per_square: F::zero(), ..self })
    }

    /// The margin for centers with these least and largest half norms ½‖c‖². `typical` is about the mean of ‖x‖²: it decides
    /// between valid bounds.
    pub(super) fn new(n_features: usize, (least, largest): (F, F), typical: f64) -> Self {
        /// For all terms of second order.
        const SLACK: f64 = 1.25;
        let (d, unit) = (n_features as f64, F::epsilon().as_f64() / 2.0);
        let (scores, distances) = roundings::<F>(n_features);
        let (of_scores, of_distances) = ((2.0 * scores + distances + 2.0) * unit, distances * unit);
        let (least, largest) = (2.0 * least.as_f64(), 2.0 * largest.as_f64());
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

/// In units of u, the error of a score relative to ½‖c‖² + ‖x‖‖c‖, and by how much a squared distance may be smaller than
/// another one and still not have a smaller root.
fn roundings<F: Float>(n_features: usize) -> (f64, f64) {
    let d = n_features as f64;
    // The longest chain of additions in a sum of squares: of what eight accumulators leave, or of these.
    let chain = if n_features < 8 { d } else { d / 8.0 + 15.0 };
    let half_norm = if size_of::<F>() < size_of::<f64>() { 2.0 } else { chain + 2.0 };
    (d + half_norm + 3.0, 2.0 * (chain + 3.0) + 4.0)
}
