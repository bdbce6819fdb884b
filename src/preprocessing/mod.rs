//! Putting data into the form that estimators like: scaled.

mod standard_scaler;

pub use standard_scaler::StandardScaler;

use crate::error::Result;
use crate::float::Float;
use crate::validate;
use ndarray::{Array2, ArrayBase, Data, Ix2};

/// Refuses data that no transformer can learn from: without rows or columns, or not finite.
fn check_fit<F: Float, S: Data<Elem = F>>(x: &ArrayBase<S, Ix2>) -> Result<()> {
    validate::not_empty("x", x)?;
    validate::finite("x", x)
}

/// Refuses data of another number of features than was learned from, or not finite.
fn check_transform<F: Float, S: Data<Elem = F>>(x: &ArrayBase<S, Ix2>, n_features: usize) -> Result<()> {
    validate::features("x", &x.view(), n_features)?;
    validate::finite("x", x)
}

/// `rule(value, a, b)` of every value, with one `a` and one `b` for each column, computed in f64.
fn by_column<F: Float, S: Data<Elem = F>>(
    x: &ArrayBase<S, Ix2>,
    a: &[f64],
    b: &[f64],
    rule: impl Fn(f64, f64, f64) -> f64,
) -> Array2<F> {
    let mut y = x.as_standard_layout().into_owned();
    for mut row in y.rows_mut() {
        for ((value, a), b) in row.iter_mut().zip(a).zip(b) {
            *value = F::of(rule(value.as_f64(), *a, *b));
        }
    }
    y
}
