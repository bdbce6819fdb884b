use crate::error::{Error, Result};
use crate::preprocessing::{Category, CategoryValue};
use crate::validate;
use ndarray::{ArrayBase, Data, Dimension};

/// Targets that are classes: an array or a slice with one label for each sample, of integers, floats, `bool` or strings.
///
/// # Examples
/// ```
/// use axonal::model_selection::ClassLabels;
/// use axonal::ndarray::array;
///
/// assert_eq!(array![7, 3, 7].class_numbers()?, [0, 1, 0]);
/// assert_eq!(["yes", "no"].class_numbers()?, [0, 1]);
/// # Ok::<(), axonal::Error>(())
/// ```
pub trait ClassLabels {
    /// The class of each sample as a number, in the order in which the classes first occur.
    ///
    /// # Errors
    /// More than one label for a sample, or NaN.
    fn class_numbers(&self) -> Result<Vec<usize>>;
}

impl<T: CategoryValue, S: Data<Elem = T>, D: Dimension> ClassLabels for ArrayBase<S, D> {
    fn class_numbers(&self) -> Result<Vec<usize>> {
        let n_samples = self.shape().first().copied().unwrap_or(1);
        if self.len() != n_samples {
            let got = format!("an array of shape {}", validate::shape_text(self.shape()));
            return Err(Error::shape("labels", "one label for each sample", got));
        }
        number(self.iter().map(CategoryValue::category))
    }
}

impl<T: CategoryValue> ClassLabels for [T] {
    fn class_numbers(&self) -> Result<Vec<usize>> {
        number(self.iter().map(CategoryValue::category))
    }
}

impl<T: CategoryValue, const N: usize> ClassLabels for [T; N] {
    fn class_numbers(&self) -> Result<Vec<usize>> {
        self.as_slice().class_numbers()
    }
}

impl<T: CategoryValue> ClassLabels for Vec<T> {
    fn class_numbers(&self) -> Result<Vec<usize>> {
        self.as_slice().class_numbers()
    }
}

/// Numbers labels in the order of their first occurrence.
fn number(labels: impl Iterator<Item = Category>) -> Result<Vec<usize>> {
    let labels: Vec<Category> = labels.collect();
    let is_nan = |label: &Category| matches!(label, Category::Number(number) if number.is_nan());
    if let Some(row) = labels.iter().position(is_nan) {
        return Err(Error::non_finite("labels", f64::NAN, [row]));
    }
    let mut order: Vec<usize> = (0..labels.len()).collect();
    // Stable, so that the first row of each class is its first occurrence.
    order.sort_by(|&a, &b| labels[a].compare(&labels[b]));
    let mut firsts = vec![0; labels.len()];
    for group in order.chunk_by(|&a, &b| labels[a] == labels[b]) {
        group.iter().for_each(|&row| firsts[row] = group[0]);
    }
    let mut numbers = vec![usize::MAX; labels.len()];
    let mut next = 0;
    for row in 0..labels.len() {
        if firsts[row] == row {
            numbers[row] = next;
            next += 1;
        } else {
            numbers[row] = numbers[firsts[row]];
        }
    }
    Ok(numbers)
}
