use super::split::{Size, counts, random};
use super::{Fold, Samples};
use crate::error::Result;
use crate::rng::{Purpose, Rng};
use crate::validate;

/// Splits samples and targets, in random order, into a part to learn from and a part to judge by.
///
/// ⌈`test_size` · n⌉ samples are for testing, the rest for training; the seed decides which. [`Split`](super::Split) has more
/// options.
///
/// # Shapes
/// `x` and `y` are arrays of any rank and element type, or slices, with one sample along the first axis; `y` has as
/// many as `x`. What comes back owns its samples: `(x_train, x_test, y_train, y_test)`.
///
/// # Parameters
/// * `test_size`: the share of the samples for testing, above 0 and below 1.
///
/// # Errors
/// `test_size` outside its range, `y` of another length than `x`, or so few samples that none is left to train on.
///
/// # Examples
/// ```
/// use axonal::ndarray::{Array1, Array2};
/// use axonal::prelude::*;
///
/// # fn main() -> Result<()> {
/// let x = Array2::from_shape_fn((10, 2), |(row, column)| 10 * row + column);
/// let y = Array1::from_iter((0..10).map(|row| format!("row {row}")));
/// let (x_train, x_test, y_train, y_test) = train_test_split(&x, &y, 0.25, 7)?;
/// assert_eq!((x_train.dim(), x_test.dim()), ((7, 2), (3, 2)));
/// assert_eq!(y_test[0], format!("row {}", x_test[[0, 0]] / 10));
/// # Ok(())
/// # }
/// ```
#[allow(clippy::type_complexity, reason = "the four parts in scikit-learn's order")]
pub fn train_test_split<X: Samples + ?Sized, Y: Samples + ?Sized>(
    x: &X,
    y: &Y,
    test_size: f64,
    seed: u64,
) -> Result<(X::Owned, X::Owned, Y::Owned, Y::Owned)> {
    let n_samples = x.n_samples();
    validate::length("y", y.n_samples(), n_samples)?;
    let (n_train, n_test) = counts("train_test_split", None, Some(Size::Share(test_size)), 0.25, n_samples)?;
    let Fold { train, test } = random(n_samples, n_train, n_test, Rng::new(seed, Purpose::Split, 0));
    Ok((x.take(&train), x.take(&test), y.take(&train), y.take(&test)))
}
