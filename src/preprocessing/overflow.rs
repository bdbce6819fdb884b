//! Arithmetic of transformers at the ends of the floating-point range, and errors where a result is beyond it.

use crate::error::{Error, Result};
use crate::float::Float;
use crate::validate;
use ndarray::{Array2, ArrayBase, ArrayView1, Data, Ix2};

/// `(x − offset) / divisor`, also where the difference alone is not representable.
pub(super) fn standardized(x: f64, offset: f64, divisor: f64) -> f64 {
    let difference = x - offset;
    if difference.is_finite() { difference / divisor } else { (x / 2.0 - offset / 2.0) / divisor * 2.0 }
}

/// `z · factor + offset`, also where the product alone is not representable.
pub(super) fn restored(z: f64, factor: f64, offset: f64) -> f64 {
    let x = z * factor + offset;
    if x.is_finite() { x } else { z.mul_add(factor, offset) }
}

/// Refuses statistics, one for each column of `x`, that sums, differences or squares have carried beyond `f64`. The error
/// names the value of largest magnitude in the column.
pub(super) fn check_learned<F: Float>(
    owner: &'static str,
    x: &ArrayBase<impl Data<Elem = F>, Ix2>,
    learned: &[f64],
) -> Result<()> {
    let Some(column) = learned.iter().position(|value| !value.is_finite()) else { return Ok(()) };
    let (row, value) = largest(x.column(column));
    Err(Error::TooLarge {
        owner,
        what: "x",
        value,
        index: [row, column],
        expected: "values whose sums, differences and squares fit f64",
        hint: "divide the column by a constant first",
    })
}

/// Refuses results of `x` that `F` cannot hold. The error names the value of `x` at the place of the first such result where
/// `by_place`, else the one of largest magnitude in its row.
pub(super) fn check_result<F: Float>(
    (owner, what): (&'static str, &'static str),
    x: &ArrayBase<impl Data<Elem = F>, Ix2>,
    result: Array2<F>,
    by_place: bool,
) -> Result<Array2<F>> {
    if validate::finite(what, &result).is_ok() {
        return Ok(result);
    }
    let place = result.indexed_iter().find(|(_, value)| !value.is_finite()).map(|(place, _)| place);
    let (row, column) = place.unwrap_or_default();
    let (column, value) = if by_place { (column, x[[row, column]].as_f64()) } else { largest(x.row(row)) };
    Err(too_large::<F>((owner, what), [row, column], value))
}

/// The error for a value whose result `F` cannot hold.
pub(super) fn too_large<F: Float>(
    (owner, what): (&'static str, &'static str),
    index: [usize; 2],
    value: f64,
) -> Error {
    let (expected, hint) = if F::NAME == "f32" {
        ("values whose results fit f32", "convert the data to f64, or scale the column first")
    } else {
        ("values whose results fit f64", "scale the column first")
    };
    Error::TooLarge { owner, what, value, index, expected, hint }
}

/// The value of largest magnitude and its place.
fn largest<F: Float>(line: ArrayView1<'_, F>) -> (usize, f64) {
    line.iter().enumerate().fold((0, 0.0), |(place, most), (index, value)| {
        let value = value.as_f64();
        if value.abs() > f64::abs(most) { (index, value) } else { (place, most) }
    })
}

/// `rule(value, a, b)` of every value, with one `a` and one `b` for each column, computed in f64.
pub(super) fn by_column<F: Float, S: Data<Elem = F>>(
    names: (&'static str, &'static str),
    x: &ArrayBase<S, Ix2>,
    a: &[f64],
    b: &[f64],
    rule: impl Fn(f64, f64, f64) -> f64,
) -> Result<Array2<F>> {
    let mut y = x.as_standard_layout().into_owned();
    for mut row in y.rows_mut() {
        for ((value, a), b) in row.iter_mut().zip(a).zip(b) {
            *value = F::of(rule(value.as_f64(), *a, *b));
        }
    }
    check_result(names, x, y, true)
}
