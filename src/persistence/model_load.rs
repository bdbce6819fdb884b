//! Models from files.

use super::Checked;
use super::header::Content;
use super::kept_callbacks::callbacks_from;
use super::limits::{Limits, LoadOptions, MemoryBudget, lists_of};
use super::model_save::{MOMENTS, ORIGIN_PARAMS, ORIGIN_STATE};
use super::reader::{Input, OpenFile, Source};
use super::records::{Dims, GraphRecord, LayerRecord, MAX_RANK, ModelRecord, Recipe, Records, TensorRecord};
use super::registry::{Registry, bounded, rejected};
use super::tensor_data::NumberType;
use super::training::Training;
use crate::buffer::Buffer;
use crate::error::{Error, LoadErrorKind, Result, excerpt};
use crate::float::Float;
use crate::float::precompiled::precompiled;
use crate::nn::callback::CallbackSettings;
use crate::nn::layer::{Config, Layer, Shape};
use crate::nn::layout::{ChainLayer, Layout, zeros};
use crate::nn::loss::Loss;
use crate::nn::metric::Metric;
use crate::nn::model::Model;
use crate::nn::model::outputs::NetworkOutput;
use crate::nn::node::Merge;
use crate::nn::optimizer::{LearningRate, Modifiers, UpdateRule};
use crate::nn::optimizer_state::OptimizerState;
use crate::nn::sequential::Sequential;
use crate::validate::shape_text;
use std::borrow::Cow;
use std::path::Path;
use std::sync::Arc;

impl<F: Float> Model<F> {
    /// Loads what [`save`](Self::save) has saved, of layers, losses, metrics and optimizers of this crate.
    ///
    /// Everything is checked before memory is taken for it. The checksums in a file find damage, not intent: a file is
    /// as trustworthy as its source, but whatever it holds, loading it ends with a model or with an error, runs no
    /// code of the file's choosing and opens no other file.
    ///
    /// # Errors
    /// A file that cannot be read ([`Error::Io`]); that is not a model's, is damaged, of a later format, beyond the
    /// [`Limits`], of another number type, or names a kind that is not one of this crate ([`Error::Load`], with
    /// the place).
    ///
    /// # Examples
    /// ```
    /// use axonal::prelude::*;
    ///
    /// let message = Model::<f32>::load("absent.axonal").unwrap_err().to_string();
    /// assert!(message.starts_with("absent.axonal: "));
    /// ```
    pub fn load(path: impl AsRef<Path>) -> Result<Self> {
        Self::load_with(path, LoadOptions::new())
    }

    /// As [`load`](Self::load), with a [`Registry`] of kinds of other crates, or with [`LoadOptions`].
    ///
    /// # Errors
    /// As [`load`](Self::load).
    pub fn load_with<'a>(path: impl AsRef<Path>, options: impl Into<LoadOptions<'a, F>>) -> Result<Self> {
        load_file(path.as_ref(), options.into())
    }

    /// As [`load`](Self::load), from memory.
    ///
    /// # Errors
    /// As [`load`](Self::load).
    pub fn from_bytes(bytes: &[u8]) -> Result<Self> {
        Self::from_bytes_with(bytes, LoadOptions::new())
    }

    /// As [`load_with`](Self::load_with), from memory.
    ///
    /// # Errors
    /// As [`load`](Self::load).
    pub fn from_bytes_with<'a>(bytes: &[u8], options: impl Into<LoadOptions<'a, F>>) -> Result<Self> {
        load_bytes(bytes, options.into())
    }
}

precompiled! {
    fn load_file<'a, 'b, F>(path: &'b Path, options: LoadOptions<'a, F>) -> Result<Model<F>> {
        let source = Source::open(path, &options.limits)?;
        let opened = source.structure(&Content::MODELS, &options.limits)?;
        read_model(opened, &options, &MemoryBudget::new(&options.limits))
    }

    fn load_bytes<'a, 'b, F>(bytes: &'b [u8], options: LoadOptions<'a, F>) -> Result<Model<F>> {
        let source = Source::bytes(bytes, &options.limits)?;
        let opened = source.structure(&Content::MODELS, &options.limits)?;
        read_model(opened, &options, &MemoryBudget::new(&options.limits))
    }
}

pub(super) fn read_model<'a, F: Float, R: Input<'a>>(
    mut opened: OpenFile<'a, R>,
    options: &LoadOptions<'_, F>,
    budget: &MemoryBudget,
) -> Result<Model<F>> {
    let budget = budget.of_file(opened.header.structure_len, opened.header.numbers_len);
    let parts = Parts::read(&opened, options, &budget).map_err(|problem| problem.in_file(&opened.name))?;
    // What was read of the structure is not needed while the numbers are.
    opened.structure = Cow::default();
    parts.with_numbers(&mut opened)
}

/// A model but for its numbers.
struct Parts<F> {
    layout: Layout<F>,
    outputs: Vec<NetworkOutput<F>>,
    optimizer: Arc<dyn UpdateRule<F>>,
    training: Training,
    callbacks: Vec<CallbackSettings<F>>,
    /// At the moment of the save, and as compiled.
    learning_rates: (LearningRate, LearningRate),
    number: NumberType,
    has_origin: bool,
}

impl<F: Float> Parts<F> {
    /// Reads and checks all records; no memory is taken for numbers.
    fn read<R>(
        opened: &OpenFile<'_, R>,
        options: &LoadOptions<'_, F>,
        budget: &MemoryBudget,
    ) -> Checked<Self> {
        let limits = &options.limits;
        let nothing = Registry::new();
        let registry = options.registry.unwrap_or(&nothing);
        registry.validate()?;
        let mut records = Records::new(&opened.structure, super::header::HEADER_LEN as u64);
        let reading = Reading { registry, limits, budget, numbers_len: opened.header.numbers_len };
        let (layout, outputs, optimizer, training, n_tensors) = match opened.header.content {
            Content::Graph => {
                let head: GraphRecord<'_> = records.next("a graph model")?;
                let (layout, outputs) = reading.graph(&mut records, &head)?;
                (layout, outputs, head.optimizer, head.training, head.n_tensors)
            }
            _ => {
                let head: ModelRecord<'_> = records.next("a model")?;
                let (layout, output) = reading.chain(&mut records, &head)?;
                (layout, vec![output], head.optimizer, head.training, head.n_tensors)
            }
        };
        for text in [training, optimizer.config] {
            budget.check(3 * text.len() as u64)?;
            budget.take(lists_of(text))?;
        }
        let optimizer = registry.make_optimizer(optimizer.kind, &config_of(&optimizer, limits)?, limits)?;
        let training = Training::from_json(training, optimizer.kind(), limits)?;
        let callbacks = callbacks_from(&training.callbacks, options.file_callbacks, limits, budget)?;
        let learning_rates = training.learning_rates(optimizer.kind())?;
        let mut tensors = Tensors { records, left: n_tensors, bytes: 0, convert: options.convert_numbers };
        let number = tensors.match_layout(&layout)?;
        tensors.expect(MOMENTS, &[moments_len(&layout, &*optimizer, &training.modifiers)], number)?;
        let has_origin = tensors.left > 0;
        if has_origin {
            tensors.expect(ORIGIN_PARAMS, &[layout.params_len], number)?;
            tensors.expect(ORIGIN_STATE, &[layout.state_len], number)?;
        }
        tensors.finish(opened.header.numbers_len)?;
        Ok(Self { layout, outputs, optimizer, training, callbacks, learning_rates, number, has_origin })
    }

    fn with_numbers<'a, R: Input<'a>>(self, opened: &mut OpenFile<'a, R>) -> Result<Model<F>> {
        let Self { layout, number, training, .. } = self;
        let mut params = Buffer::zeros("the parameters", layout.params_len)?;
        let mut state = Buffer::zeros("the state", layout.state_len)?;
        let (rate, compiled_rate) = self.learning_rates;
        let mut optimizer_state =
            OptimizerState::from_parts(self.optimizer, compiled_rate, training.modifiers, &layout)?;
        optimizer_state.learning_rate = rate;
        optimizer_state.iterations = training.iterations;
        let origin_len = |len| if self.has_origin { len } else { 0 };
        let mut origin_params = zeros("the parameters", origin_len(layout.params_len))?;
        let mut origin_state = zeros("the state", origin_len(layout.state_len))?;
        opened.numbers(|numbers| {
            for variable in &layout.variables {
                let buffer = if variable.in_state { &mut state } else { &mut params };
                let values = buffer.get_mut(variable.range.clone()).unwrap_or_default();
                if let Err(problem) = numbers.floats(&variable.name, number, values)? {
                    return Ok(Err(problem));
                }
            }
            for places in optimizer_state.moments_file_order() {
                if let Err(problem) = numbers.floats(MOMENTS, number, optimizer_state.moments_mut(places))? {
                    return Ok(Err(problem));
                }
            }
            let origin = [(ORIGIN_PARAMS, &mut origin_params), (ORIGIN_STATE, &mut origin_state)];
            for (name, values) in origin {
                if let Err(problem) = numbers.floats(name, number, values)? {
                    return Ok(Err(problem));
                }
            }
            Ok(Ok(()))
        })?;
        let mut model = Model::new(layout, params, state, optimizer_state, self.outputs, training.seed);
        model.fit_options = training.fit_options;
        model.callbacks = self.callbacks;
        model.epochs_trained = training.epochs_trained;
        model.steps_trained = training.steps_trained;
        if self.has_origin {
            model.set_origin(origin_params, origin_state);
        }
        if training.deferred {
            let layers = Sequential::deferred_from(&model.layout, model.origin(), model.seed);
            model.defer(layers)?;
        }
        Ok(model)
    }
}

/// How many numbers an optimizer keeps for the parameters that it moves.
fn moments_len<F: Float>(layout: &Layout<F>, optimizer: &dyn UpdateRule<F>, modifiers: &Modifiers) -> usize {
    let trainable: usize = layout.trainable_ranges().iter().map(ExactSizeIterator::len).sum();
    trainable.saturating_mul(OptimizerState::values_per_param(optimizer, modifiers))
}

/// The configuration of a recipe; its length is checked before it is copied.
pub(super) fn config_of(recipe: &Recipe<'_>, limits: &Limits) -> Checked<Config> {
    bounded(recipe.config, limits).map(Config::from_json)
}

pub(super) fn at_most(what: &str, n: u32, limits: &Limits) -> Checked<u32> {
    if n as usize <= limits.max_layers {
        return Ok(n);
    }
    Err(LoadErrorKind::Limit { what: what.into(), value: n.into(), limit: limits.max_layers as u64 })
}

/// What the layers of a file are made with.
pub(super) struct Reading<'a, F> {
    registry: &'a Registry<F>,
    pub(super) limits: &'a Limits,
    pub(super) budget: &'a MemoryBudget,
    numbers_len: u64,
}

/// A layer that was made already.
pub(super) struct Known<'a, F> {
    recipe: Recipe<'a>,
    pub(super) layer: Arc<dyn Layer<F>>,
    /// The shapes of the samples that it gets.
    inputs: Vec<Shape>,
}

/// What remembering a layer, or one more shape of its samples, takes.
const KNOWN: u64 = 128;

impl<F: Float> Reading<'_, F> {
    pub(super) fn at_most(&self, what: &str, n: u32) -> Checked<u32> {
        at_most(what, n, self.limits)
    }

    /// The loss of a recipe, for an output of this shape.
    pub(super) fn loss(&self, recipe: &Recipe<'_>, output: &Shape) -> Checked<Arc<dyn Loss<F>>> {
        self.budget.check(3 * recipe.config.len() as u64)?;
        self.budget.take(lists_of(recipe.config))?;
        let loss = self.registry.make_loss(recipe.kind, &config_of(recipe, self.limits)?, self.limits)?;
        loss.validate(output).map_err(|source| rejected("loss", source))?;
        Ok(loss)
    }

    pub(super) fn metric(&self, recipe: &Recipe<'_>) -> Checked<Arc<dyn Metric<F>>> {
        self.registry.make_metric(recipe.kind, &config_of(recipe, self.limits)?, self.limits, self.budget)
    }

    pub(super) fn merge(&self, recipe: &Recipe<'_>) -> Checked<Arc<dyn Merge<F>>> {
        self.budget.take(KNOWN)?;
        self.registry.make_merge(recipe.kind, &config_of(recipe, self.limits)?, self.limits, self.budget)
    }

    /// Refuses layers whose weights need more bytes than the file has numbers.
    pub(super) fn check_numbers(&self, index: usize, needed: u64) -> Checked<()> {
        if needed <= self.numbers_len {
            return Ok(());
        }
        Err(LoadErrorKind::Malformed {
            offset: 32,
            expected: format!("at least {needed} bytes of numbers for the weights of layers 0 to {index}"),
            got: format!("{} bytes", self.numbers_len),
        })
    }

    /// Makes the layers and the output of a chain.
    fn chain(
        &self,
        records: &mut Records<'_>,
        head: &ModelRecord<'_>,
    ) -> Checked<(Layout<F>, NetworkOutput<F>)> {
        let layout = self.layers(records, head)?;
        let loss = self.loss(&head.loss, layout.output())?;
        let mut output = NetworkOutput::new(String::new(), loss, 1.0);
        for _ in 0..self.at_most("metrics", head.n_metrics)? {
            let recipe: Recipe<'_> = records.next("a metric")?;
            output.metrics.push(self.metric(&recipe)?);
        }
        check_memory(&layout, &output.metrics, self.limits)?;
        Ok((layout, output))
    }

    /// Makes the layers in turn, each checked against the shape that comes to it before the next is made.
    fn layers(&self, records: &mut Records<'_>, head: &ModelRecord<'_>) -> Checked<Layout<F>> {
        let input = shape_of(&head.input)?;
        // What the layers so far ask for, in bytes, as the smallest numbers.
        let mut needed = 0_u64;
        let mut shape = input.clone();
        let n_layers = at_most("layers", head.n_layers, self.limits)?;
        let mut layers = Vec::new();
        let mut known = Vec::new();
        for index in 0..n_layers {
            let LayerRecord { recipe, trainable } = records.next("a layer")?;
            let Known { layer, inputs, .. } = self.layer(recipe, &mut known)?;
            let part = || format!("layer {index}");
            if shape.size() == 0 {
                return Err(rejected(part(), Error::shape("input", "axes of at least 1", &shape)));
            }
            let plan = layer.plan(&shape).map_err(|source| rejected(part(), source))?;
            let is_new = !inputs.contains(&shape);
            self.budget.take(Layout::<F>::bytes_of(index as usize, layer.kind(), &plan, is_new))?;
            if is_new {
                self.budget.take(KNOWN)?;
                inputs.push(shape);
            }
            shape = plan.output_shape().clone();
            if shape.rank() > MAX_RANK {
                return Err(rejected(
                    part(),
                    Error::shape("output", format!("at most {MAX_RANK} axes"), shape.rank()),
                ));
            }
            let weights = (plan.params_len() as u64).saturating_add(plan.state_len() as u64);
            needed = needed.saturating_add(weights.saturating_mul(NumberType::F32.width()));
            self.check_numbers(index as usize, needed)?;
            layers.push(ChainLayer { layer: layer.clone(), trainable, name: None });
        }
        drop(known);
        let layout = Layout::chain(input, layers).map_err(|source| rejected("layers", source))?;
        check_memory(&layout, &[], self.limits)?;
        Ok(layout)
    }

    /// The layer of a recipe; layers that are alike are one.
    pub(super) fn layer<'k, 'a>(
        &self,
        recipe: Recipe<'a>,
        known: &'k mut Vec<Known<'a, F>>,
    ) -> Checked<&'k mut Known<'a, F>> {
        let alike =
            |known: &Known<'a, F>| (known.recipe.kind, known.recipe.config) == (recipe.kind, recipe.config);
        let place = match known.iter().rposition(alike) {
            Some(place) => place,
            None => {
                let config = config_of(&recipe, self.limits)?;
                let layer = self.registry.make_layer(recipe.kind, &config, self.limits, self.budget)?;
                self.budget.take(KNOWN)?;
                known.push(Known { recipe, layer, inputs: Vec::new() });
                known.len() - 1
            }
        };
        Ok(&mut known[place])
    }
}

/// Refuses models that need much more memory to predict and to evaluate than their file would let expect.
pub(crate) fn check_memory<F: Float>(
    layout: &Layout<F>,
    metrics: &[Arc<dyn Metric<F>>],
    limits: &Limits,
) -> Checked<()> {
    let inputs = layout.inputs.iter().fold(0_usize, |sum, input| sum.saturating_add(input.shape.size()));
    let values = layout.nodes.iter().fold(inputs, |sum, node| {
        let joined = if node.joins_inputs() { node.input_len() } else { 0 };
        sum.saturating_add(node.output_len()).saturating_add(node.plan.cache_len(1)).saturating_add(joined)
    });
    let totals =
        metrics.iter().fold(0, |sum: usize, metric| sum.saturating_add(metric.totals(layout.output())));
    let bytes = values.saturating_mul(size_of::<F>()).saturating_add(totals.saturating_mul(size_of::<f64>()));
    if bytes <= limits.max_activation_bytes {
        return Ok(());
    }
    let what = match metrics {
        [] => "bytes of activations for one sample",
        _ => "bytes of activations for one sample and of totals of the metrics",
    };
    let (value, limit) = (bytes as u64, limits.max_activation_bytes as u64);
    Err(LoadErrorKind::Limit { what: what.into(), value, limit })
}

fn shape_of(dims: &Dims) -> Checked<Shape> {
    let dims: Option<Vec<usize>> = dims.0.iter().map(|&dim| usize::try_from(dim).ok()).collect();
    dims.map(Shape::from).ok_or_else(|| LoadErrorKind::Limit {
        what: "numbers along an axis".into(),
        value: u64::MAX,
        limit: usize::MAX as u64,
    })
}

/// The tensors' records, compared with what the architecture asks for, one at a time.
pub(super) struct Tensors<'a> {
    pub(super) records: Records<'a>,
    /// How many records are left.
    pub(super) left: u32,
    /// The bytes of the tensors so far.
    pub(super) bytes: u64,
    /// Whether other number types of floats will do.
    pub(super) convert: bool,
}

impl<'a> Tensors<'a> {
    /// The next record with its number type, its bytes counted.
    pub(super) fn next(&mut self, expected: &str) -> Checked<(TensorRecord<'a>, NumberType)> {
        let Some(left) = self.left.checked_sub(1) else {
            let (tensor, expected) = (excerpt(expected), "it in the file".into());
            return Err(LoadErrorKind::Tensor { tensor, expected, got: "no more tensors".into() });
        };
        self.left = left;
        let offset = self.records.offset();
        let record: TensorRecord<'_> = self.records.next("a tensor")?;
        let Some(number) = NumberType::from_code(record.number) else {
            let (expected, got) = ("a number type of 0 to 3".into(), record.number.to_string());
            return Err(LoadErrorKind::Malformed { offset, expected, got });
        };
        let numbers = record.shape.0.iter().try_fold(number.width(), |bytes, &dim| bytes.checked_mul(dim));
        let total = numbers.and_then(|bytes| self.bytes.checked_add(bytes));
        let Some(total) = total else {
            let (tensor, got) = (excerpt(record.name), shape_text_of(&record.shape));
            return Err(LoadErrorKind::Tensor {
                tensor,
                expected: "a shape of less than 2^64 bytes".into(),
                got,
            });
        };
        self.bytes = total;
        Ok((record, number))
    }

    /// The weights of a layout, all of one number type, which is answered.
    fn match_layout<F: Float>(&mut self, layout: &Layout<F>) -> Checked<NumberType> {
        let mut number = None;
        for variable in &layout.variables {
            let (record, found) = self.next(&variable.name)?;
            let number = *number.get_or_insert(found);
            check_number_type::<F>(record.name, found, number, self.convert)?;
            same(&record, &variable.name, variable.shape.dims())?;
        }
        Ok(number.unwrap_or(NumberType::of::<F>()))
    }

    /// A tensor of floats of this name, shape and number type.
    pub(super) fn expect(&mut self, name: &str, shape: &[usize], number: NumberType) -> Checked<()> {
        let (record, found) = self.next(name)?;
        same(&record, name, shape)?;
        if found == number || record.shape.0.contains(&0) {
            return Ok(());
        }
        let (expected, got) =
            (format!("numbers of {}", number.name()), format!("numbers of {}", found.name()));
        Err(LoadErrorKind::Tensor { tensor: name.into(), expected, got })
    }

    /// Refuses records or numbers that are left over.
    pub(super) fn finish(mut self, numbers_len: u64) -> Checked<()> {
        if self.left > 0 {
            let (record, _) = self.next("")?;
            let (tensor, expected) = (excerpt(record.name), "no more tensors".into());
            return Err(LoadErrorKind::Tensor { tensor, expected, got: shape_text_of(&record.shape) });
        }
        self.records.finish()?;
        if self.bytes == numbers_len {
            return Ok(());
        }
        let (expected, got) = (format!("{} bytes of numbers", self.bytes), format!("{numbers_len} bytes"));
        Err(LoadErrorKind::Malformed { offset: 32, expected, got })
    }
}

/// Refuses a tensor whose numbers are not those of a model of `F`, or not those of the tensors before it.
pub(super) fn check_number_type<F: Float>(
    tensor: &str,
    found: NumberType,
    others: NumberType,
    convert: bool,
) -> Checked<()> {
    let fits =
        !matches!(found, NumberType::U64 | NumberType::U8) && (convert || found == NumberType::of::<F>());
    if fits && found == others {
        return Ok(());
    }
    let expected = if fits {
        format!("numbers of {}, as those of the tensors before", others.name())
    } else {
        format!("numbers of {} (or LoadOptions::convert_numbers)", F::NAME)
    };
    Err(LoadErrorKind::Tensor {
        tensor: excerpt(tensor),
        expected,
        got: format!("numbers of {}", found.name()),
    })
}

fn same(record: &TensorRecord<'_>, name: &str, shape: &[usize]) -> Checked<()> {
    if record.name != name {
        let expected = "it at this place".into();
        return Err(LoadErrorKind::Tensor {
            tensor: name.into(),
            expected,
            got: format!("{:?}", excerpt(record.name)),
        });
    }
    if record.shape == Dims::of(shape) {
        return Ok(());
    }
    let expected = format!("shape {}", shape_text(shape));
    let got = format!("shape {}", shape_text_of(&record.shape));
    Err(LoadErrorKind::Tensor { tensor: name.into(), expected, got })
}

pub(super) fn shape_text_of(dims: &Dims) -> String {
    let dims: Vec<_> = dims.0.iter().map(ToString::to_string).collect();
    format!("({})", dims.join(", "))
}

/// Refuses more tensors than the layers can have: each of them has few.
pub(super) fn check_count(tensors: u32, limits: &Limits) -> Checked<()> {
    let limit = limits.max_layers.saturating_mul(16) as u64;
    if u64::from(tensors) <= limit {
        return Ok(());
    }
    Err(LoadErrorKind::Limit { what: "tensors".into(), value: tensors.into(), limit })
}

/// The layers of a file, for their names only.
pub(super) fn skip_layers(records: &mut Records<'_>, head: &ModelRecord<'_>, limits: &Limits) -> Checked<()> {
    for _ in 0..at_most("layers", head.n_layers, limits)? {
        records.next::<LayerRecord<'_>>("a layer")?;
    }
    for _ in 0..at_most("metrics", head.n_metrics, limits)? {
        records.next::<Recipe<'_>>("a metric")?;
    }
    Ok(())
}
