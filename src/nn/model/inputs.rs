//! Conversion and validation of the arrays passed to `fit`, `evaluate` and `predict`.

use crate::error::{Error, Result};
use crate::float::Float;
use crate::nn::layer::{Plan, Shape};
use crate::nn::model::Model;
use crate::nn::targets::{Prepared, TargetView, Targets};
use crate::validate::{self, shape_text};
use ndarray::{ArrayBase, ArrayView2, ArrayViewD, CowArray, Data, Dimension, Ix2};

/// Validated samples and targets of a model, with optional sample weights.
pub(crate) struct LabeledSamples<'a, F> {
    pub(crate) x: CowArray<'a, F, Ix2>,
    pub(crate) targets: Prepared<F>,
    pub(crate) weights: Option<Vec<F>>,
}

impl<F: Float> LabeledSamples<'_, F> {
    pub(crate) fn len(&self) -> usize {
        self.x.nrows()
    }
}

/// Reshapes an array of samples, batch axis first, to a matrix with one sample a row. Errors if the sample shape differs from
/// `sample`, or if the array is empty and not `may_be_empty`. Does not check the values.
pub(crate) fn rows<'a, F: Float>(
    what: &str,
    x: ArrayViewD<'a, F>,
    sample: &Shape,
    may_be_empty: bool,
) -> Result<CowArray<'a, F, Ix2>> {
    let Some((&n, dims)) = x.shape().split_first() else {
        return Err(Error::shape(what, "an array with the samples along its first axis", "a scalar"));
    };
    // As in Keras, a vector is a column of scalar samples.
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
    /// Errors if `x` holds a non-finite value, or an invalid index where the input reaches an embedding unchanged.
    pub(crate) fn check_values<S: Data<Elem = F>, D: Dimension>(
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

    /// Validates samples, targets and sample weights of training or evaluation.
    pub(crate) fn samples<'a>(
        &self,
        x: ArrayViewD<'a, F>,
        y: Targets<'_, F>,
        sample_weight: Option<Vec<F>>,
        names: [&str; 3],
    ) -> Result<LabeledSamples<'a, F>> {
        self.check_built("evaluate")?;
        let original = x.clone();
        let x = rows(names[0], x, self.input_shape(), false)?;
        self.check_values(names[0], &original)?;
        let (form, ignored) = (self.loss.target_form(), self.loss.ignored_label());
        let targets = y.prepare(names[1], form, self.output_shape(), x.nrows(), ignored)?;
        for metric in &self.metrics {
            metric.validate(self.output_shape(), targets.rows(0, x.nrows()))?;
        }
        self.check_target_ranges(names[1], &targets)?;
        if let Some(weights) = &sample_weight {
            validate::sample_weights(names[2], weights, x.nrows())?;
        }
        Ok(LabeledSamples { x, targets, weights: sample_weight })
    }

    /// Errors if a target is outside the range that the loss or a metric allows.
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

    /// Sets the weights of the first `n` samples, the training samples, to their class weights. Validation samples are not
    /// weighted by class.
    pub(crate) fn weigh_by_class(
        &self,
        samples: &mut LabeledSamples<'_, F>,
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

    /// The class weight of each sample. The class of target values is the index of the largest, or the rounded single value.
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

/// The class of a row of target values.
#[allow(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "a negative target saturates to class 0"
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
