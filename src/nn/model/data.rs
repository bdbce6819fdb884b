//! The data of a run, checked once at the edge.

use crate::error::{Error, Result};
use crate::float::Float;
use crate::nn::layer::{Plan, Shape};
use crate::nn::model::Model;
use crate::nn::targets::{Prepared, TargetView, Targets};
use crate::validate::{self, shape_text};
use ndarray::{ArrayBase, ArrayView2, ArrayViewD, CowArray, Data, Dimension, Ix2};

/// Samples, targets and weights that fit a model.
pub(crate) struct Samples<'a, F> {
    pub(crate) x: CowArray<'a, F, Ix2>,
    pub(crate) targets: Prepared<F>,
    pub(crate) weights: Option<Vec<F>>,
}

impl<F: Float> Samples<'_, F> {
    pub(crate) fn len(&self) -> usize {
        self.x.nrows()
    }
}

/// The samples of an array of any rank as the rows of a matrix; the first axis is the batch. Other sample shapes and an
/// array without samples (unless `may_be_empty`) are errors; the numbers are not looked at.
pub(crate) fn rows<'a, F: Float>(
    what: &str,
    x: ArrayViewD<'a, F>,
    sample: &Shape,
    may_be_empty: bool,
) -> Result<CowArray<'a, F, Ix2>> {
    let Some((&n, dims)) = x.shape().split_first() else {
        return Err(Error::shape(what, "an array with the samples along its first axis", "a single number"));
    };
    // A vector of samples of one number each is taken as a column, as in Keras.
    let column = dims.is_empty() && sample.size() == 1;
    if dims != sample.dims() && !column {
        return Err(Error::shape(what, format!("samples of shape {sample}"), Shape::from(dims)));
    }
    if n == 0 && !may_be_empty {
        return Err(Error::Empty { what: what.into(), shape: shape_text(x.shape()), needed: "sample" });
    }
    let shape = (n, sample.size());
    let standard = if x.is_standard_layout() {
        CowArray::from(x)
    } else {
        CowArray::from(x.as_standard_layout().into_owned())
    };
    standard
        .into_shape_with_order(shape)
        .map_err(|_| Error::shape(what, shape_text(&[shape.0, shape.1]), "another shape"))
}

impl<F: Float> Model<F> {
    /// Refuses numbers that are not finite, and such as a layer which looks up indices has nothing for, where they reach
    /// it as they are.
    pub(crate) fn check_numbers<S: Data<Elem = F>, D: Dimension>(
        &self,
        what: &str,
        x: &ArrayBase<S, D>,
    ) -> Result<()> {
        validate::finite(what, x)?;
        match Plan::indices_of_chain(self.layout.nodes.iter().map(|node| &*node.plan)) {
            Some(len) => validate::indices(what, x, len),
            None => Ok(()),
        }
    }

    /// Checks what a run learns from or is judged by.
    pub(crate) fn samples<'a>(
        &self,
        x: ArrayViewD<'a, F>,
        y: Targets<'_, F>,
        sample_weight: Option<Vec<F>>,
        names: [&str; 3],
    ) -> Result<Samples<'a, F>> {
        let numbers = x.clone();
        let x = rows(names[0], x, self.input_shape(), false)?;
        self.check_numbers(names[0], &numbers)?;
        let (form, ignored) = (self.loss.target_form(), self.loss.ignored_label());
        let targets = y.prepare(names[1], form, self.output_shape(), x.nrows(), ignored)?;
        for metric in &self.metrics {
            metric.validate(self.output_shape(), targets.rows(0, x.nrows()))?;
        }
        self.check_target_ranges(names[1], &targets)?;
        if let Some(weights) = &sample_weight {
            validate::sample_weights(names[2], weights, x.nrows())?;
        }
        Ok(Samples { x, targets, weights: sample_weight })
    }

    /// Refuses targets outside of the ranges of the loss and the metrics.
    fn check_target_ranges(&self, what: &str, targets: &Prepared<F>) -> Result<()> {
        let Prepared::Values { values, .. } = targets else { return Ok(()) };
        let of_loss = std::iter::once((self.loss.kind().to_string(), self.loss.target_range()));
        let of_metrics = self.metrics.iter().map(|metric| (metric.name(), metric.target_range()));
        let mut checked = Vec::with_capacity(1 + self.metrics.len());
        for (owner, range) in of_loss.chain(of_metrics) {
            if !checked.contains(&range) {
                range.check(what, &owner, self.output_shape(), values)?;
                checked.push(range);
            }
        }
        Ok(())
    }

    /// Weights the first `n` samples, those that a run trains on, by their class. Samples held out for validation keep
    /// their own weights.
    pub(crate) fn weigh_by_class(
        &self,
        samples: &mut Samples<'_, F>,
        n: usize,
        classes: &[(usize, f64)],
    ) -> Result<()> {
        if samples.weights.is_some() {
            return Err(Error::Misplaced {
                context: "fit",
                option: "class_weight beside sample_weight",
                hint: "multiply the class weights into the sample weights",
            });
        }
        samples.weights = Some(self.weights_by_class(samples.targets.rows(0, n), n, classes)?);
        Ok(())
    }

    /// A weight for each sample, by its label; of values, the class is the largest of several or the rounded
    /// single one.
    fn weights_by_class(
        &self,
        targets: TargetView<'_, F>,
        n: usize,
        classes: &[(usize, f64)],
    ) -> Result<Vec<F>> {
        let weight = |class: usize| {
            let found = classes.iter().find(|(known, _)| *known == class);
            F::of(found.map_or(1.0, |(_, weight)| *weight))
        };
        let n_classes = self.output_shape().last().max(2);
        if let Some((class, _)) = classes.iter().find(|(class, _)| *class >= n_classes) {
            let problem = format!("class {class} is not one of the {n_classes} classes of the model");
            return Err(Error::Weight { what: "class_weight".into(), problem });
        }
        if (0..n_classes).all(|class| weight(class) == F::zero()) {
            let problem =
                format!("the weights of all {n_classes} classes are zero; give one a weight above 0");
            return Err(Error::Weight { what: "class_weight".into(), problem });
        }
        match targets {
            TargetView::Labels(labels) if labels.len() == n => {
                Ok(labels.iter().map(|&label| weight(label)).collect())
            }
            TargetView::Values(values) if self.output_shape().rank() == 1 => {
                Ok(values.rows().into_iter().map(|row| weight(class_of(&row.to_vec()))).collect())
            }
            _ => Err(Error::Weight {
                what: "class_weight".into(),
                problem: "samples with several positions have no single class; use sample_weight".into(),
            }),
        }
    }
}

/// The class that a row of target values stands for.
#[allow(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "a negative target is no class and saturates to class 0"
)]
fn class_of<F: Float>(row: &[F]) -> usize {
    match row {
        [single] => single.as_f64().round() as usize,
        _ => crate::nn::metric::largest(row),
    }
}

/// The rows `start..end` of a matrix in standard layout.
pub(crate) fn rows_of<'a, F>(x: &'a ArrayView2<'_, F>, start: usize, end: usize) -> ArrayView2<'a, F> {
    x.slice(ndarray::s![start..end, ..])
}
