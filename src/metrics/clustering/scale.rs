//! Data whose squared distances would leave the range of its type, made measurable: scores that compare distances
//! with distances depend neither on the unit nor on the origin.

use crate::float::Float;
use ndarray::{ArrayView1, ArrayView2, Axis, CowArray, Ix2};

/// Rows whose squared distances can be computed.
pub(super) struct Measurable<'a, F> {
    /// The rows as they are; or, where the squares of what the widest column spans are too large or too small for `F`,
    /// counted from each column's smallest value in units of about that span.
    pub(super) rows: CowArray<'a, F, Ix2>,
    /// Factor and divisor by which they differ from the original rows; the factor keeps differences from overflowing.
    shrink: f64,
    unit: f64,
}

impl<F> Measurable<'_, F> {
    /// A length of the original rows in the units of these.
    pub(super) fn length(&self, original: f64) -> f64 {
        original * self.shrink / self.unit
    }
}

pub(super) fn measurable<F: Float>(x: ArrayView2<'_, F>) -> Measurable<'_, F> {
    let spans = x.axis_iter(Axis(1)).map(limits).map(|(low, high)| (high - low).min(f64::MAX));
    let span = spans.fold(0.0, f64::max);
    // Far enough from both ends that sums of squares stay inside, and roots keep their digits.
    let (least, most) = (F::min_positive_value().as_f64().powf(0.4), F::max_value().as_f64().powf(0.4));
    if span == 0.0 || (least..most).contains(&span) {
        return Measurable { rows: x.into(), shrink: 1.0, unit: 1.0 };
    }
    let shrink = if span > 1.0 { 0.5 } else { 1.0 };
    // A power of two changes no digit.
    let unit = span.log2().floor().min(1023.0).exp2() * shrink;
    let mut measured = x.to_owned();
    for mut column in measured.axis_iter_mut(Axis(1)) {
        let (low, _) = limits(column.view());
        column.mapv_inplace(|x| F::of((x.as_f64() * shrink - low * shrink) / unit));
    }
    Measurable { rows: measured.into(), shrink, unit }
}

fn limits<F: Float>(column: ArrayView1<'_, F>) -> (f64, f64) {
    let wider = |(low, high): (f64, f64), x: &F| (low.min(x.as_f64()), high.max(x.as_f64()));
    column.iter().fold((f64::INFINITY, f64::NEG_INFINITY), wider)
}

#[cfg(test)]
mod tests {
    use super::*;
    use ndarray::{Array2, array};

    #[test]
    fn only_what_has_no_squares_is_counted_in_other_units() {
        let x = array![[1.0f32, 1e30], [3.0, 1e30]];
        assert_eq!(measurable(x.view()).rows, x);
        assert!(measurable(x.view()).rows.is_view());
        let same = Array2::from_elem((3, 1), f64::MAX);
        assert_eq!(measurable(same.view()).rows, same);
        for unit in [2f32.powi(70), 2f32.powi(-70), 2f64.powi(-140) as f32] {
            assert_eq!(measurable((&x * array![unit, 1.0]).view()).rows, array![[0.0, 0.0], [1.0, 0.0]]);
        }
        assert_eq!(
            measurable(array![[f64::MAX], [f64::MIN], [0.0]].view()).rows,
            array![[4.0], [0.0], [2.0]] * (1.0 - f64::EPSILON / 2.0)
        );
        assert_eq!(measurable(array![[5e-324, 7.0], [0.0, 7.0]].view()).rows, array![[1.0, 0.0], [0.0, 0.0]]);
    }
}
