//! The variables of an optimizer, in Keras's order.

use super::entries::entries_of;
use super::hdf5::Data;
use super::problem::{Read, unsupported};
use super::weights::Weights;
use crate::error::LoadErrorKind;
use crate::float::Float;
use crate::nn::layout::{Layout, Variable};
use crate::nn::optimizer::LearningRate;
use crate::nn::optimizer_state::OptimizerState;
use std::collections::BTreeMap;
use std::ops::Range;

/// A variable of an optimizer.
#[derive(Debug, Clone, PartialEq)]
enum Var {
    Iterations,
    LearningRate,
    /// Values of this crate's state, with the shape that Keras gives them.
    State {
        shape: Vec<usize>,
        ranges: Vec<Range<usize>>,
    },
    /// What Keras keeps and computes anew.
    Zeros(Vec<usize>),
    /// The product of Nadam's momentum schedule, which this crate computes from the number of the update.
    MomentumProduct,
}

/// The variables in Keras's order.
fn keras_variables<F: Float>(layout: &Layout<F>) -> Vec<&Variable> {
    let params = |variable: &&Variable| !variable.in_state;
    let by_start: BTreeMap<usize, &Variable> =
        layout.variables.iter().filter(params).map(|variable| (variable.range.start, variable)).collect();
    let entries = entries_of(layout).entries;
    let slots = entries.iter().flat_map(|entry| entry.slots.iter().filter(|slot| !slot.in_state));
    slots.filter_map(|slot| by_start.get(&slot.range.start).copied()).collect()
}

/// The moments of a rule as Keras groups them: those of one list are interleaved, variable by variable.
fn moment_lists(kind: &str, n_moments: usize, centered: bool) -> Vec<Vec<usize>> {
    match (kind, n_moments) {
        ("adam" | "adamw", 3) => vec![vec![0, 1], vec![2]],
        // Keras has the momentum before the mean of the gradients.
        ("rmsprop", 3) => vec![vec![0], vec![2], vec![1]],
        ("rmsprop", 2) if !centered => vec![vec![0], vec![1]],
        ("rmsprop", n) => (0..n).map(|moment| vec![moment]).collect(),
        (_, 0) => Vec::new(),
        (_, n) => vec![(0..n).collect()],
    }
}

/// All variables of an optimizer.
fn vars_of<F: Float>(variables: &[&Variable], state: &OptimizerState<F>) -> Vec<Var> {
    let trainable = || variables.iter().copied().filter(|variable| variable.trainable);
    let of = |variable: &Variable, ranges| Var::State { shape: variable.shape.dims().to_vec(), ranges };
    let mut vars = vec![Var::Iterations];
    if state.learning_rate.is_constant() {
        vars.push(Var::LearningRate);
    }
    if state.modifiers.ema.is_some() {
        vars.extend(trainable().map(|v| of(v, state.ema_ranges(&v.range))));
    }
    if state.modifiers.accumulate.is_some() {
        vars.extend(trainable().map(|v| of(v, state.accumulated_ranges(&v.range))));
    }
    if state.rule.kind() == "adafactor" {
        trainable().for_each(|variable| push_factored(variable, state, &mut vars));
        return vars;
    }
    let centered = state.rule.config().is_some_and(|config| config.as_json().contains("\"centered\":true"));
    for list in moment_lists(state.rule.kind(), state.rule.moments().len(), centered) {
        for variable in trainable() {
            let moments = list.iter().map(|moment| state.moment_ranges(&variable.range, *moment));
            vars.extend(moments.map(|ranges| of(variable, ranges)));
        }
    }
    if state.rule.kind() == "nadam" {
        vars.push(Var::MomentumProduct);
    }
    vars
}

/// Adafactor's row means, column means and second moments: the former two of matrices only, the latter of vectors.
fn push_factored<F: Float>(variable: &Variable, state: &OptimizerState<F>, vars: &mut Vec<Var>) {
    let dims = variable.shape.dims().to_vec();
    let moment = |moment: usize, shape: Vec<usize>| {
        let ranges = state.moment_ranges(&variable.range, moment);
        let len: usize = shape.iter().product();
        // The means lie at the beginning of a buffer of full size.
        let start = ranges.first().map_or(0, |range| range.start);
        Var::State { shape, ranges: std::iter::once(start..start + len).collect() }
    };
    match dims[..] {
        [ref matrices @ .., rows, columns] => {
            vars.push(moment(0, [matrices, &[rows]].concat()));
            vars.push(moment(1, [matrices, &[columns]].concat()));
            vars.push(Var::Zeros(dims));
        }
        _ => {
            vars.extend([Var::Zeros(Vec::new()), Var::Zeros(Vec::new())]);
            vars.push(moment(0, dims));
        }
    }
}

/// The most that a counter can have come to.
const MOST_STEPS: i64 = 1 << 60;

/// Reads the state of an optimizer. One that was saved before its first step has none, and keeps its initial state.
pub(super) fn read_vars<F: Float>(
    weights: &mut Weights<'_>,
    layout: &Layout<F>,
    state: &mut OptimizerState<F>,
) -> Read<()> {
    let mut found = weights.optimizer()?;
    // The layers are in the order of the file, which is Keras's.
    let variables: Vec<&Variable> = layout.variables.iter().collect();
    let mut vars = vars_of(&variables, state);
    if found.first().is_some_and(|(name, _)| name.ends_with(":0")) {
        adapt_to_keras_2(&mut found, &mut vars)?;
    }
    if found.is_empty() || found.len() <= 2 && found.len() < vars.len() {
        if let Some((name, address)) = found.first() {
            state.iterations = iterations(weights, name, *address)?;
        }
        return Ok(());
    }
    if found.len() != vars.len() {
        let hint =
            "its settings and its state do not belong together; load the layers by Sequential::load_keras";
        let got = format!("{} variables", found.len());
        return Err(unsupported("the optimizer", format!("{} variables", vars.len()), got, hint));
    }
    for ((name, address), var) in found.iter().zip(vars) {
        match var {
            Var::Iterations => state.iterations = iterations(weights, name, *address)?,
            Var::LearningRate => {
                let tensor = weights.reader.tensor(*address, name)?;
                let mut rate = [0.0];
                tensor.read(weights.reader.source(), &mut rate)?;
                set_rate(state, rate[0])?;
            }
            Var::State { shape, ranges } => {
                let tensor = weights.reader.tensor(*address, name)?;
                tensor.expect_shape(&shape)?;
                let mut first = 0;
                for range in ranges {
                    let len = range.len();
                    tensor.read_from(weights.reader.source(), first, state.moments_mut(range))?;
                    first += len;
                }
            }
            Var::Zeros(_) | Var::MomentumProduct => {}
        }
    }
    Ok(())
}

/// Keras 2 keeps no learning rate among the variables, and keeps momenta of plain gradient descent.
fn adapt_to_keras_2(found: &mut Vec<(String, u64)>, vars: &mut Vec<Var>) -> Read<()> {
    if found.iter().any(|(name, _)| name.ends_with("/m:0") || name.ends_with("/v:0")) {
        let hint = "load the layers by Sequential::load_keras and compile them";
        let got = "that of an optimizer of Keras before 2.11, in another order";
        return Err(unsupported("the optimizer", "the state of a later optimizer", got, hint));
    }
    vars.retain(|var| *var != Var::LearningRate);
    if vars.len() == 1 && found.iter().skip(1).all(|(name, _)| name.starts_with("SGD/m/")) {
        found.truncate(1);
    }
    Ok(())
}

fn iterations(weights: &mut Weights<'_>, name: &str, address: u64) -> Read<u64> {
    let steps = weights.reader.tensor(address, name)?.read_integer(weights.reader.source())?;
    if (0..=MOST_STEPS).contains(&steps) {
        return Ok(steps.unsigned_abs());
    }
    let (what, value) = ("steps of the optimizer".into(), steps.unsigned_abs());
    Err(LoadErrorKind::Limit { what, value, limit: MOST_STEPS.unsigned_abs() })
}

/// Sets a constant learning rate to what the file has, unless that is the configured one in the precision of the file.
fn set_rate<F: Float>(state: &mut OptimizerState<F>, rate: f64) -> Read<()> {
    #[allow(clippy::cast_possible_truncation, reason = "the precision of the file")]
    let same = matches!(state.learning_rate, LearningRate::Constant(known) if known as f32 == rate as f32);
    if !same {
        state.learning_rate = LearningRate::Constant(rate);
        let valid = state.learning_rate.validate(state.rule.kind());
        valid.map_err(|source| crate::persistence::rejected("learning rate", source))?;
    }
    Ok(())
}

/// The state of an optimizer as datasets.
pub(super) fn write_vars<'a, F: Float>(layout: &Layout<F>, state: &'a OptimizerState<F>) -> Vec<Data<'a, F>> {
    let data = |var| match var {
        Var::Iterations => Data::Integer(i64::try_from(state.iterations).unwrap_or(i64::MAX)),
        Var::LearningRate => Data::Scalar(F::of(state.current_rate())),
        Var::State { shape, ranges } => {
            Data::Floats { shape, pieces: ranges.into_iter().map(|range| state.moments(range)).collect() }
        }
        Var::Zeros(shape) => Data::Zeros(shape),
        Var::MomentumProduct => Data::Scalar(F::of(momentum_product(state))),
    };
    vars_of(&keras_variables(layout), state).into_iter().map(data).collect()
}

/// The update from which Nadam's momentum is constant: ½·0.96ᵗ is below 2⁻⁵³.
const SCHEDULE_END: u64 = 900;

/// `u₁ ⋯ u_t` of Nadam, with `u_t = β₁ (1 - ½·0.96ᵗ)`.
fn momentum_product<F: Float>(state: &OptimizerState<F>) -> f64 {
    let config = state.rule.config().map(|config| super::losses::fields_of(&config)).unwrap_or_default();
    let beta = config.get("beta_1").and_then(serde_json::Value::as_f64).unwrap_or(0.9);
    let updates = state.iterations / state.modifiers.accumulate.unwrap_or(1);
    let (mut decay, mut product) = (0.5, 1.0);
    for _ in 0..updates.min(SCHEDULE_END) {
        decay *= 0.96;
        product *= beta * (1.0 - decay);
    }
    #[allow(clippy::cast_precision_loss, reason = "the power underflows long before")]
    let rest = updates.saturating_sub(SCHEDULE_END) as f64;
    product * beta.powf(rest)
}
