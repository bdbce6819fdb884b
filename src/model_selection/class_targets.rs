use super::ClassLabels;
use crate::datasets::Labels;
use crate::error::{Error, Result};
use crate::preprocessing::ClassNumber;
use ndarray::{Array1, ArrayBase, Data, Ix1};

/// Targets of a [`Classifier`](super::Classifier): class numbers of any integer type in an array, a slice or a `Vec`, or
/// [`Labels`] with the names of the classes.
///
/// # Examples
/// ```
/// use axonal::datasets::Labels;
/// use axonal::model_selection::ClassTargets;
/// use axonal::ndarray::array;
///
/// assert_eq!((&array![2_u8, 0]).class_indices()?, array![2, 0]);
/// let labels = Labels::new(["no", "yes"])?;
/// assert_eq!(((&labels).class_indices()?, (&labels).class_names()), (array![0, 1], &["no".into(), "yes".into()][..]));
/// # Ok::<(), axonal::Error>(())
/// ```
pub trait ClassTargets: Copy {
    /// The class number of each sample.
    ///
    /// # Errors
    /// A number below 0.
    fn class_indices(self) -> Result<Array1<usize>>;

    /// The names of the classes in the order of their numbers; empty for numbers without names.
    fn class_names(&self) -> &[String] {
        &[]
    }
}

fn indices<'a, T: ClassNumber + 'a>(numbers: impl Iterator<Item = &'a T>) -> Result<Array1<usize>> {
    let index = |(row, number): (usize, &T)| {
        (*number).try_into().map_err(|_| {
            let (context, expected) = (format!("y[{row}]"), "a class number of at least 0");
            Error::shape(context, expected, number)
        })
    };
    numbers.enumerate().map(index).collect()
}

impl<T: ClassNumber, S: Data<Elem = T>> ClassTargets for &ArrayBase<S, Ix1> {
    fn class_indices(self) -> Result<Array1<usize>> {
        indices(self.iter())
    }
}

impl<T: ClassNumber> ClassTargets for &[T] {
    fn class_indices(self) -> Result<Array1<usize>> {
        indices(self.iter())
    }
}

impl<T: ClassNumber> ClassTargets for &Vec<T> {
    fn class_indices(self) -> Result<Array1<usize>> {
        indices(self.iter())
    }
}

impl ClassTargets for &Labels {
    fn class_indices(self) -> Result<Array1<usize>> {
        Ok(self.codes().clone())
    }

    fn class_names(&self) -> &[String] {
        self.classes()
    }
}

impl ClassLabels for Labels {
    fn class_numbers(&self) -> Result<Vec<usize>> {
        self.codes().class_numbers()
    }
}
