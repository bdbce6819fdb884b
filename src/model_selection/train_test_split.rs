use super::Samples;
use crate::error::{Error, Result};
use crate::rng::{Purpose, Rng};
use crate::validate;

/// Splits samples and targets, in random order, into a part to learn from and a part to judge by.
///
/// ⌈`test_size` · n⌉ samples are for testing, the rest for training; the seed decides which.
///
/// # Shapes
/// `x` and `y` are arrays of any rank and element type, or slices, with one sample along the first axis; `y` has as
/// many as `x`. What comes back owns its samples: `(x_train, x_test, y_train, y_test)`.
///
/// # Parameters
/// * `test_size`: the share of the samples for testing, above 0 and below 1.
///
/// # Errors
/// `test_size` outside of its range, `y` of another length than `x`, or so few samples that none is left to train on.
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
    let n_test = test_count(n_samples, test_size)?;
    let order = Rng::new(seed, Purpose::Split, 0).permutation(n_samples);
    let (test, train) = order.split_at(n_test);
    Ok((x.take(train), x.take(test), y.take(train), y.take(test)))
}

/// How many of `n_samples` are for testing.
#[allow(
    clippy::cast_precision_loss,
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "2^53 samples fit no memory, and the product lies between 0 and n_samples"
)]
fn test_count(n_samples: usize, test_size: f64) -> Result<usize> {
    if !(test_size > 0.0 && test_size < 1.0) {
        return Err(Error::invalid_parameter(
            "train_test_split",
            "test_size",
            test_size,
            "0 < test_size < 1",
        ));
    }
    let n_test = (test_size * n_samples as f64).ceil() as usize;
    if n_test >= n_samples {
        return Err(Error::invalid_parameter(
            "train_test_split",
            "test_size",
            test_size,
            format!("a share that leaves at least 1 of the {n_samples} samples for training"),
        ));
    }
    Ok(n_test)
}
