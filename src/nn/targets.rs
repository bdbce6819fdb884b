//! Training targets: class labels or values, of any numeric type.

mod range;

pub use range::TargetRange;

use crate::error::{Error, Result};
use crate::float::Float;
use crate::nn::layer::Shape;
use crate::validate;
use ndarray::{ArrayBase, ArrayView2, ArrayViewD, CowRepr, Data, Dimension, IxDyn};

/// An element type of targets: `F` itself, any integer, `bool`.
pub trait TargetElement<F>: Copy + 'static {
    /// Converts an array to targets.
    #[doc(hidden)]
    fn targets(array: ArrayViewD<'_, Self>) -> Targets<'_, F>;
}

/// Targets of any element type, converted by `into()` from references to arrays and views and from slices.
///
/// # Examples
/// ```
/// use axonal::ndarray::array;
/// use axonal::models::Targets;
///
/// let (classes, floats) = (array![2u8, 0, 1], array![[0.5f32], [1.0]]);
/// let labels: Targets<'_, f32> = (&classes).into();
/// let values: Targets<'_, f32> = (&floats).into();
/// let booleans: Targets<'_, f32> = [true, false].as_slice().into();
/// assert_eq!((labels.len(), values.len(), booleans.len()), (3, 2, 2));
/// ```
#[derive(Debug, Clone)]
pub struct Targets<'a, F>(Elements<'a, F>);

#[derive(Debug, Clone)]
enum Elements<'a, F> {
    // Spelled out, because the alias `CowArray<'a, F, IxDyn>` would make the targets invariant in `'a`.
    Values(ArrayBase<CowRepr<'a, F>, IxDyn, F>),
    Integers { shape: Vec<usize>, values: Vec<i128> },
}

impl<F> Targets<'_, F> {
    /// The number of samples.
    #[must_use]
    pub fn len(&self) -> usize {
        self.shape().first().copied().unwrap_or(1)
    }

    /// Whether there are no samples.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The shape, with the batch axis first.
    #[must_use]
    pub fn shape(&self) -> &[usize] {
        match &self.0 {
            Elements::Values(values) => values.shape(),
            Elements::Integers { shape, .. } => shape,
        }
    }
}

impl<'a, F, T: TargetElement<F>, S: Data<Elem = T>, D: Dimension> From<&'a ArrayBase<S, D>>
    for Targets<'a, F>
{
    fn from(array: &'a ArrayBase<S, D>) -> Self {
        T::targets(array.view().into_dyn())
    }
}

impl<'a, F, T: TargetElement<F>> From<&'a [T]> for Targets<'a, F> {
    fn from(slice: &'a [T]) -> Self {
        T::targets(ndarray::aview1(slice).into_dyn())
    }
}

impl<'a, F, T: TargetElement<F>> From<&'a Vec<T>> for Targets<'a, F> {
    fn from(vector: &'a Vec<T>) -> Self {
        vector.as_slice().into()
    }
}

impl<'a, F, T: TargetElement<F>, const N: usize> From<&'a [T; N]> for Targets<'a, F> {
    fn from(array: &'a [T; N]) -> Self {
        array.as_slice().into()
    }
}

macro_rules! value_targets {
    ($($float:ty)*) => {$(
        impl TargetElement<$float> for $float {
            fn targets(array: ArrayViewD<'_, Self>) -> Targets<'_, $float> {
                Targets(Elements::Values(array.into()))
            }
        }
    )*};
}
value_targets!(f32 f64);

macro_rules! integer_targets {
    ($($integer:ty)*) => {$(
        impl<F: Float> TargetElement<F> for $integer {
            #[allow(clippy::cast_lossless, clippy::cast_possible_wrap, reason = "i128 represents all of these types")]
            fn targets(array: ArrayViewD<'_, Self>) -> Targets<'_, F> {
                let values = array.iter().map(|&v| v as i128).collect();
                Targets(Elements::Integers { shape: array.shape().to_vec(), values })
            }
        }
    )*};
}
integer_targets!(bool u8 u16 u32 u64 usize i8 i16 i32 i64 isize);

/// The form of targets that a loss requires.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum TargetForm {
    /// One value for each output.
    Values,
    /// One class label for each group of outputs along the last axis.
    Labels,
    /// Labels if there is one target for each group of several outputs; otherwise values.
    Either,
}

/// The targets of a batch, as passed to losses and metrics.
#[derive(Debug, Clone, Copy)]
#[non_exhaustive]
pub enum TargetView<'a, F> {
    /// Values, (batch, outputs).
    Values(ArrayView2<'a, F>),
    /// Labels, one for each position: batch × all axes of the output but the last.
    Labels(&'a [usize]),
}

impl<F> TargetView<'_, F> {
    /// Reborrows the targets.
    #[must_use]
    pub fn view(&self) -> TargetView<'_, F> {
        match self {
            TargetView::Values(values) => TargetView::Values(values.view()),
            TargetView::Labels(labels) => TargetView::Labels(labels),
        }
    }
}

/// Targets validated against an output shape, once per `fit`.
#[derive(Debug, Clone)]
pub(crate) enum Prepared<F> {
    Values { values: Vec<F>, width: usize },
    Labels { labels: Vec<usize>, width: usize },
}

impl<F: Float> Prepared<F> {
    /// The targets of rows `start..end`.
    pub(crate) fn rows(&self, start: usize, end: usize) -> TargetView<'_, F> {
        match self {
            Prepared::Values { values, width } => {
                let rows = values.get(start * width..end * width).unwrap_or_default();
                TargetView::Values(crate::linalg::matrix(rows, end - start, *width))
            }
            Prepared::Labels { labels, width } => {
                TargetView::Labels(labels.get(start * width..end * width).unwrap_or_default())
            }
        }
    }
}

impl<F: Float> Targets<'_, F> {
    /// Converts the targets to the form that a loss requires and validates them against the output shape.
    ///
    /// `ignored` is a label that means "no target" (Keras's `ignore_class`) and need not be a class.
    pub(crate) fn prepare(
        self,
        what: &str,
        form: TargetForm,
        output: &Shape,
        n_samples: usize,
        ignored: Option<i64>,
    ) -> Result<Prepared<F>> {
        validate::length(what, self.len(), n_samples)?;
        let per_sample = self.shape().get(1..).unwrap_or_default().iter().product::<usize>();
        let labels = output.last() > 1 && per_sample == output.size() / output.last();
        match form {
            TargetForm::Either if labels => {
                self.prepare(what, TargetForm::Labels, output, n_samples, ignored)
            }
            TargetForm::Values | TargetForm::Either => {
                self.check_values_shape(what, output, per_sample)?;
                Ok(Prepared::Values { values: self.into_values(what)?, width: output.size() })
            }
            TargetForm::Labels => {
                let classes = output.last();
                let positions = output.size() / classes.max(1);
                if per_sample != positions {
                    return Err(self.one_hot_or_shape(what, output, per_sample));
                }
                Ok(Prepared::Labels {
                    labels: self.into_labels(what, classes, positions, ignored)?,
                    width: positions,
                })
            }
        }
    }

    /// Errors unless the shapes agree up to axes of length 1; as in Keras, (n,) and (n, 1) are equivalent.
    fn check_values_shape(&self, what: &str, output: &Shape, per_sample: usize) -> Result<()> {
        let got = self.shape().get(1..).unwrap_or_default();
        let bare = |dims: &[usize]| -> Vec<usize> { dims.iter().copied().filter(|&dim| dim != 1).collect() };
        if per_sample == output.size() && bare(got) == bare(output.dims()) {
            return Ok(());
        }
        if got.is_empty() && output.size() > 1 && matches!(self.0, Elements::Integers { .. }) {
            return Err(Error::Target {
                owner: what.into(),
                expected: format!("targets of shape {output} for each sample, as the model's output"),
                got: "one integer for each sample".into(),
                hint: "for class labels use SparseCategoricalCrossentropy, or one-hot encode them (to_categorical)".into(),
            });
        }
        Err(Error::shape(
            what,
            format!("targets of shape {output} for each sample, as the model's output"),
            Shape::from(got),
        ))
    }

    /// The error for targets that are not one label per position.
    fn one_hot_or_shape(&self, what: &str, output: &Shape, per_sample: usize) -> Error {
        let got = Shape::from(self.shape().get(1..).unwrap_or_default());
        if per_sample == output.size() {
            return Error::Target {
                owner: what.into(),
                expected: "one class label for each sample".into(),
                got: format!("targets of shape {got} for each sample"),
                hint: "for one-hot targets use CategoricalCrossentropy".into(),
            };
        }
        Error::shape(
            what,
            "one class label for each sample",
            format!("targets of shape {got} for each sample"),
        )
    }

    fn into_values(self, what: &str) -> Result<Vec<F>> {
        match self.0 {
            Elements::Values(values) => {
                validate::finite(what, &values)?;
                Ok(values.iter().copied().collect())
            }
            #[allow(clippy::cast_precision_loss, reason = "targets are rounded to the model's number type")]
            Elements::Integers { values, .. } => Ok(values.into_iter().map(|v| F::of(v as f64)).collect()),
        }
    }

    fn into_labels(
        self,
        what: &str,
        classes: usize,
        positions: usize,
        ignored: Option<i64>,
    ) -> Result<Vec<usize>> {
        let label = |index: usize, label: i128, text: &dyn Fn() -> String| {
            match usize::try_from(label).ok().filter(|&label| label < classes) {
                Some(label) => Ok(label),
                // The ignored label: usize::MAX, which the loss skips.
                None if ignored.is_some_and(|ignored| i128::from(ignored) == label) => Ok(usize::MAX),
                None => {
                    Err(Error::Label { row: index / positions.max(1), label: text(), n_classes: classes })
                }
            }
        };
        match self.0 {
            Elements::Integers { values, .. } => values
                .into_iter()
                .enumerate()
                .map(|(index, value)| label(index, value, &|| value.to_string()))
                .collect(),
            Elements::Values(values) => {
                validate::finite(what, &values)?;
                let whole = |v: f64| if v.fract() == 0.0 { v as i128 } else { -1 };
                values
                    .iter()
                    .enumerate()
                    .map(|(index, v)| label(index, whole(v.as_f64()), &|| v.to_string()))
                    .collect()
            }
        }
    }
}
