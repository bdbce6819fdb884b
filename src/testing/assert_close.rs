//! Arrays that should be equal but for rounding.

use super::unravel;
use crate::float::Float;
use approx::RelativeEq;
use ndarray::{ArrayBase, Data, Dimension};

/// Panics where two arrays differ in shape, or at any place by more than `tolerance · max(1, |expected|)`; the
/// message names the worst place. NaN equals nothing.
///
/// # Panics
/// Where the arrays are not close; it is an assertion.
///
/// # Examples
/// ```
/// use axonal::ndarray::array;
/// axonal::testing::assert_close(&array![1.0, 2.0 + 1e-9], &array![1.0, 2.0], 1e-8);
/// ```
#[track_caller]
#[allow(clippy::panic, reason = "an assertion for tests")]
pub fn assert_close<F, S, T, D>(got: &ArrayBase<S, D>, expected: &ArrayBase<T, D>, tolerance: f64)
where
    F: Float,
    S: Data<Elem = F>,
    T: Data<Elem = F>,
    D: Dimension,
{
    if got.shape() != expected.shape() {
        panic!("the arrays differ in shape: expected {:?}, got {:?}", expected.shape(), got.shape());
    }
    let error =
        |got: f64, want: f64| if got == want { 0.0 } else { (got - want).abs() / want.abs().max(1.0) };
    let mut worst: Option<(usize, f64, f64)> = None;
    for (index, (got, want)) in got.iter().zip(expected).enumerate() {
        let (got, want) = (got.as_f64(), want.as_f64());
        let near = got.relative_eq(&want, tolerance, 0.0)
            || want.abs() > 1.0 && (got - want).abs() <= tolerance * want.abs();
        let worse = worst.is_none_or(|(_, g, w)| error(got, want) > error(g, w));
        if !near && worse {
            worst = Some((index, got, want));
        }
    }
    if let Some((index, got, want)) = worst {
        let place = unravel(index, expected.shape());
        let error = error(got, want);
        panic!(
            "the arrays differ the most at {place:?}: expected {want:e}, got {got:e} (error {error:.2e}, allowed {tolerance:e})"
        );
    }
}
