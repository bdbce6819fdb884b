use crate::error::{Error, Result};
use crate::float::Float;
use ndarray::{Array2, ArrayBase, Data, Ix1};
use std::fmt::Display;

/// Numbers that a class may be given by: every integer type.
pub trait ClassNumber: Copy + Display + TryInto<usize> {}

impl<T: Copy + Display + TryInto<usize>> ClassNumber for T {}

/// Class numbers as rows of zeros with a one at the class, as Keras's `to_categorical`.
///
/// # Shapes
/// `labels`: (n_samples) of any integer type; out: (n_samples, n_classes).
///
/// # Errors
/// A label below 0 or not below `n_classes`, or more numbers than fit into memory.
///
/// # Examples
/// ```
/// use axonal::ndarray::array;
/// use axonal::prelude::*;
///
/// # fn main() -> Result<()> {
/// assert_eq!(to_categorical::<f32>(&array![1u8, 0], 2)?, array![[0.0, 1.0], [1.0, 0.0]]);
/// let error = to_categorical::<f32>(&array![-1], 2).unwrap_err().to_string();
/// assert_eq!(error, "y[0]: label -1 is not one of the 2 classes; labels are whole numbers from 0 to 1");
/// # Ok(())
/// # }
/// ```
pub fn to_categorical<F: Float>(
    labels: &ArrayBase<impl Data<Elem = impl ClassNumber>, Ix1>,
    n_classes: usize,
) -> Result<Array2<F>> {
    let mut rows = super::zeros("to_categorical", (labels.len(), n_classes))?;
    for (row, &label) in labels.iter().enumerate() {
        match label.try_into() {
            Ok(class) if class < n_classes => rows[[row, class]] = F::one(),
            _ => return Err(Error::Label { row, label: label.to_string(), n_classes }),
        }
    }
    Ok(rows)
}
