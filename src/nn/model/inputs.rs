//! Conversion and validation of the arrays passed to `fit`, `evaluate` and `predict`.

use crate::class_weight::ClassWeight;
use crate::error::{Error, Result};
use crate::float::Float;
use crate::float::inputs::{Arrays, Inputs};
use crate::float::targets::Targets;
use crate::nn::fit_options::OutputWeights;
use crate::nn::layer::Shape;
use crate::nn::model::Model;
use crate::nn::model::outputs::NetworkOutput;
use crate::nn::targets::{Prepared, TargetView};
use crate::validate::{self, shape_text};
use ndarray::{ArrayBase, ArrayView2, CowArray, CowRepr, Data, Dimension, Ix2, IxDyn};

/// Validated samples and targets of a model, with optional sample weights for each output.
pub(crate) struct LabeledSamples<'a, F> {
    /// One matrix for each input.
    /// The type is written out, so that the lifetime is covariant.
    pub(crate) xs: Vec<ArrayBase<CowRepr<'a, F>, Ix2, F>>,
    /// The targets of each output.
    pub(crate) targets: Vec<Prepared<F>>,
    /// The sample weights of each output: one for each sample, or for each position of each sample.
    pub(crate) weights: Vec<Option<Vec<F>>>,
}

impl<F: Float> LabeledSamples<'_, F> {
    pub(crate) fn len(&self) -> usize {
        self.xs.first().map_or(0, |x| x.nrows())
    }

    /// The weights of the samples `start..end` for an output.
    pub(crate) fn weights_of(&self, output: usize, start: usize, end: usize) -> Option<&[F]> {
        let (weights, width) = (self.weights[output].as_deref()?, self.weights_per_sample(output));
        weights.get(start * width..end * width)
    }

    /// The number of weights of each sample for an output; 0 without weights.
    pub(crate) fn weights_per_sample(&self, output: usize) -> usize {
        self.weights[output].as_ref().map_or(0, |weights| weights.len() / self.len().max(1))
    }

    /// The rows `start..end` of the only input; `None` if there are several.
    pub(crate) fn in_place(&self, start: usize, end: usize) -> Option<ArrayView2<'_, F>> {
        let [x] = &self.xs[..] else { return None };
        Some(x.slice(ndarray::s![start..end, ..]))
    }
}

/// Reshapes an array of samples, batch axis first, to a matrix with one sample a row. Errors if the sample shape differs from
/// `sample`, or if the array is empty and not `may_be_empty`. Does not check the values.
pub(crate) fn rows<'a, F: Float>(
    what: &str,
    x: CowArray<'a, F, IxDyn>,
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
    validate::copyable(what, &x)?;
    let shape = (n, sample.size());
    let standard =
        if x.is_standard_layout() { x } else { CowArray::from(x.as_standard_layout().into_owned()) };
    standard
        .into_shape_with_order(shape)
        .map_err(|_| Error::shape(what, shape_text(&[shape.0, shape.1]), "another shape"))
}

impl<F: Float> Model<F> {
    /// Errors if `x`, an array for an input, holds a non-finite value, or an invalid index where the input reaches an
    /// embedding unchanged.
    pub(crate) fn check_values<S: Data<Elem = F>, D: Dimension>(
        &self,
        what: &str,
        input: usize,
        x: &ArrayBase<S, D>,
    ) -> Result<()> {
        validate::finite(what, x)?;
        match self.layout.inputs[input].indices {
            Some(len) => validate::indices(what, x, len),
            None => Ok(()),
        }
    }

    /// The name of an input in messages.
    pub(crate) fn input_name(&self, what: &str, input: usize) -> String {
        match self.layout.inputs[input].name.as_str() {
            "" => what.into(),
            name => format!("{what}, input {name:?}"),
        }
    }

    /// The name of an output in messages.
    fn output_name(&self, what: &str, output: usize) -> String {
        match self.outputs[output].name.as_str() {
            "" => what.into(),
            name => format!("{what}, output {name:?}"),
        }
    }

    /// Errors unless there is one array for each input.
    pub(crate) fn check_input_count(&self, what: &str, n: usize) -> Result<()> {
        if n == self.layout.inputs.len() {
            return Ok(());
        }
        let names: Vec<String> = self.layout.inputs.iter().map(|input| format!("{:?}", input.name)).collect();
        let expected = match self.layout.is_chain {
            true => "1 array".into(),
            false => format!("{} arrays, one for each input ({})", names.len(), names.join(", ")),
        };
        Err(Error::shape(what, expected, n))
    }

    /// Reshapes the arrays to one matrix for each input. Checks their number, shapes and equal number of rows, not the values.
    pub(crate) fn input_rows<'a>(
        &self,
        what: &str,
        x: Inputs<'a, F>,
        may_be_empty: bool,
    ) -> Result<Vec<CowArray<'a, F, Ix2>>> {
        let arrays = match x.0 {
            Arrays::One(array) => vec![array],
            Arrays::Several(arrays) => arrays,
        };
        self.check_input_count(what, arrays.len())?;
        let mut xs: Vec<CowArray<'a, F, Ix2>> = Vec::with_capacity(arrays.len());
        for (index, (array, input)) in arrays.into_iter().zip(&self.layout.inputs).enumerate() {
            let name = self.input_name(what, index);
            let x = rows(&name, array.into_values(&name)?, &input.shape, may_be_empty)?;
            if let Some(first) = xs.first().filter(|first| first.nrows() != x.nrows()) {
                let expected = format!("{} rows, as input {:?}", first.nrows(), self.layout.inputs[0].name);
                return Err(Error::shape(name, expected, x.nrows()));
            }
            xs.push(x);
        }
        Ok(xs)
    }

    /// Validates samples, targets and sample weights of training or evaluation.
    pub(crate) fn samples<'a>(
        &self,
        x: Inputs<'a, F>,
        y: Targets<'_, F>,
        weights: OutputWeights<F>,
        names: [&str; 3],
    ) -> Result<LabeledSamples<'a, F>> {
        self.check_built("evaluate")?;
        self.check_metric_names()?;
        let original = x.clone();
        let xs = self.input_rows(names[0], x, false)?;
        for (index, x) in xs.iter().enumerate() {
            self.check_values(&self.input_name(names[0], index), index, x)
                .map_err(|error| self.with_caller_index(error, names[0], original.arrays()))?;
        }
        let n = xs[0].nrows();
        let arrays = y.into_arrays();
        if arrays.len() != self.outputs.len() {
            let names_of: Vec<String> =
                self.outputs.iter().map(|output| format!("{:?}", output.name)).collect();
            let expected = match self.layout.is_chain {
                true => "1 array of targets".into(),
                false => format!(
                    "{} arrays of targets, one for each output ({})",
                    names_of.len(),
                    names_of.join(", ")
                ),
            };
            return Err(Error::shape(names[1], expected, arrays.len()));
        }
        let mut targets = Vec::with_capacity(arrays.len());
        for (index, (array, output)) in arrays.into_iter().zip(&self.outputs).enumerate() {
            let name = self.output_name(names[1], index);
            let shape = self.layout.output_shape(index);
            let (form, ignored) = (output.loss.target_form(), output.loss.ignored_label());
            let prepared = array.prepare(&name, form, shape, n, ignored)?;
            for metric in &output.metrics {
                metric.validate(shape, prepared.rows(0, n))?;
            }
            check_target_ranges(&name, output, shape, &prepared)?;
            targets.push(prepared);
        }
        let weights = self.weights_by_output(weights, n, names[2])?;
        Ok(LabeledSamples { xs, targets, weights })
    }

    /// The validated sample weights of each output.
    fn weights_by_output(
        &self,
        weights: OutputWeights<F>,
        n: usize,
        what: &str,
    ) -> Result<Vec<Option<Vec<F>>>> {
        let OutputWeights { common, by_output } = weights;
        let mut found = vec![common; self.outputs.len()];
        for (name, weights) in by_output {
            let output = self.output_named(&name)?;
            found[output] = Some(weights);
        }
        let checked = found.into_iter().enumerate().map(|(index, weights)| {
            let (name, shape) = (self.output_name(what, index), self.layout.output_shape(index));
            weights.map(|weights| weights.checked(&name, n, shape)).transpose()
        });
        checked.collect()
    }

    /// The index of the output of this name.
    pub(crate) fn output_named(&self, name: &str) -> Result<usize> {
        let known = || self.outputs.iter().map(|output| output.name.clone());
        self.outputs
            .iter()
            .position(|output| output.name == name)
            .ok_or_else(|| Error::unknown_name("output", name, known()))
    }

    /// Sets the weights of the first `n` samples, the training samples, to their class weights. Validation samples are not
    /// weighted by class. Without `output`, the weights are for the only output.
    pub(crate) fn weigh_by_class(
        &self,
        samples: &mut LabeledSamples<'_, F>,
        n: usize,
        output: Option<&str>,
        classes: &ClassWeight,
    ) -> Result<()> {
        let output = match output {
            Some(name) => self.output_named(name)?,
            None if self.outputs.len() == 1 => 0,
            None => {
                return Err(Error::Misplaced {
                    context: "fit of a model with several outputs",
                    option: "class_weight",
                    hint: "use class_weight_of with the name of an output",
                });
            }
        };
        if samples.weights[output].is_some() {
            return Err(Error::Misplaced {
                context: "fit",
                option: "class_weight beside sample_weight",
                hint: "multiply the class weights into the sample weights",
            });
        }
        let shape = self.layout.output_shape(output);
        let labels = class_labels(shape, samples.targets[output].rows(0, n), n)?;
        let classes = classes.of_labels(labels.iter().copied());
        let mut weights = weights_by_class(shape, &labels, &classes)?;
        weights.resize(samples.len(), F::one());
        samples.weights[output] = Some(weights);
        Ok(())
    }
}

/// Errors if a target is outside the range that the loss or a metric of its output allows.
fn check_target_ranges<F: Float>(
    what: &str,
    output: &NetworkOutput<F>,
    shape: &Shape,
    targets: &Prepared<F>,
) -> Result<()> {
    let Prepared::Values { values, .. } = targets else { return Ok(()) };
    let of_loss = std::iter::once((output.loss.kind().to_string(), output.loss.target_range()));
    let of_metrics = output.metrics.iter().map(|metric| (metric.name(), metric.target_range()));
    let mut checked = Vec::with_capacity(1 + output.metrics.len());
    for (owner, range) in of_loss.chain(of_metrics) {
        if !checked.contains(&range) {
            range.check(what, &owner, shape, values)?;
            checked.push(range);
        }
    }
    Ok(())
}

/// The class of each sample: of target values the index of the largest, or the rounded single value.
fn class_labels<F: Float>(output: &Shape, targets: TargetView<'_, F>, n: usize) -> Result<Vec<usize>> {
    match targets {
        TargetView::Labels(labels) if labels.len() == n => Ok(labels.to_vec()),
        TargetView::Values(values) if output.rank() == 1 => {
            Ok(values.rows().into_iter().map(|row| class_of(&row.to_vec())).collect())
        }
        _ => Err(Error::Weight {
            what: "class_weight".into(),
            problem: "samples with several positions have no single class; use sample_weight".into(),
        }),
    }
}

/// The class weight of each sample.
fn weights_by_class<F: Float>(output: &Shape, labels: &[usize], classes: &[(usize, f64)]) -> Result<Vec<F>> {
    let weight = |class: usize| {
        let found = classes.iter().find(|(known, _)| *known == class);
        F::of(found.map_or(1.0, |(_, weight)| *weight))
    };
    let n_classes = output.last().max(2);
    if let Some((class, _)) = classes.iter().find(|(class, _)| *class >= n_classes) {
        let problem = format!("class {class} is not one of the {n_classes} classes of the model");
        return Err(Error::Weight { what: "class_weight".into(), problem });
    }
    if (0..n_classes).all(|class| weight(class) == F::zero()) {
        let problem = format!("the weights of all {n_classes} classes are zero; give one a weight above 0");
        return Err(Error::Weight { what: "class_weight".into(), problem });
    }
    Ok(labels.iter().map(|&label| weight(label)).collect())
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
