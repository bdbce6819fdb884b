//! Targets in the forms that losses require: class labels or values.

mod range;

pub use range::TargetRange;

use crate::error::{Error, Result};
use crate::float::Float;
use crate::float::targets::{TargetArray, TargetValues};
use crate::nn::layer::Shape;
use crate::validate;
use ndarray::ArrayView2;

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

impl<F: Float> TargetArray<'_, F> {
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
        self.check_memory(what)?;
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

    /// Errors if the targets did not fit into memory when they were converted, or would not when copied.
    fn check_memory(&self, what: &str) -> Result<()> {
        match &self.0 {
            TargetValues::Values(values) => validate::memory_for::<F>(what, values.len()),
            TargetValues::Integers { shape, values } => {
                let len = shape.iter().fold(1, |len: usize, &dim| len.saturating_mul(dim));
                if values.len() == len {
                    return Ok(());
                }
                Err(Error::OutOfMemory { what: what.into(), bytes: len.saturating_mul(size_of::<i128>()) })
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
        if got.is_empty() && output.size() > 1 && matches!(self.0, TargetValues::Integers { .. }) {
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
            TargetValues::Values(values) => {
                validate::finite(what, &values)?;
                Ok(values.iter().copied().collect())
            }
            #[allow(clippy::cast_precision_loss, reason = "targets are rounded to the model's number type")]
            TargetValues::Integers { values, .. } => {
                Ok(values.into_iter().map(|v| F::of(v as f64)).collect())
            }
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
            TargetValues::Integers { values, .. } => values
                .into_iter()
                .enumerate()
                .map(|(index, value)| label(index, value, &|| value.to_string()))
                .collect(),
            TargetValues::Values(values) => {
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
