//! Runs a layer as a container does, with separate buffers.

use super::CheckFailure;
use super::guarded::Guarded;
use crate::activation::Activation;
use crate::nn::layer::{ActivityPenalty, Backward, Forward, Gradient, Layer, Mask, MaskPass, Mode, Plan};
use crate::rng::RowRng;
use ndarray::{ArrayView2, ArrayViewMut2};
use std::panic::{AssertUnwindSafe, catch_unwind};

/// Whether a pass is one of training.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Purpose {
    Train,
    Infer,
}

/// A layer and what it is run with.
pub(super) struct Harness<'a> {
    pub(super) layer: &'a dyn Layer<f64>,
    pub(super) plan: &'a Plan,
    pub(super) params: Vec<f64>,
    pub(super) state: Vec<f64>,
    pub(super) rng: RowRng,
    /// By how many samples the penalties on outputs of layers inside are divided.
    pub(super) samples: usize,
    /// What a mask says of each position of each row, for layers that use one; empty without a mask.
    pub(super) real: Vec<bool>,
}

/// What a forward pass leaves.
#[derive(Clone)]
pub(super) struct Passed {
    pub(super) batch: usize,
    /// The place of its first sample among those of the whole batch.
    first_row: usize,
    pub(super) x: Vec<f64>,
    /// Before the declared activation.
    pub(super) z: Vec<f64>,
    /// After it.
    pub(super) y: Vec<f64>,
    pub(super) cache: Vec<f64>,
    pub(super) state: Vec<f64>,
    /// The penalties on the outputs of layers inside.
    pub(super) penalty: f64,
}

/// What a backward pass leaves.
pub(super) struct Returned {
    pub(super) grads: Vec<f64>,
    pub(super) dx: Vec<f64>,
}

impl Harness<'_> {
    pub(super) fn inputs(&self) -> usize {
        self.plan.input_shape().size()
    }

    pub(super) fn outputs(&self) -> usize {
        self.plan.output_shape().size()
    }

    /// How many positions of a sample a mask covers: all axes but the last.
    pub(super) fn positions(&self) -> usize {
        self.inputs() / self.plan.input_shape().last().max(1)
    }

    /// The mask of the samples from a row on.
    fn mask(&self, first_row: usize) -> Option<Mask<'_>> {
        let real = self.real.get(first_row * self.positions()..).filter(|_| !self.real.is_empty())?;
        Some(Mask::new(real, self.positions()))
    }

    /// The mask that the layer makes, into a place that says `fill`.
    pub(super) fn made_mask(&self, x: &[f64], fill: bool) -> Result<Vec<bool>, CheckFailure> {
        let batch = x.len() / self.inputs().max(1);
        let positions = self.plan.mask_shape().map_or(0, crate::nn::layer::Shape::size);
        let mut real = vec![fill; batch * positions];
        self.called("mask", || {
            let pass = MaskPass::new(view(x, batch, self.inputs()), self.mask(0), &mut real);
            self.layer.mask(pass.planned(self.plan));
        })?;
        Ok(real)
    }

    fn activation(&self) -> Activation {
        self.plan.declared_activation()
    }

    fn fail(&self, quantity: &str, problem: impl Into<String>) -> CheckFailure {
        CheckFailure::new(self.layer.kind(), quantity, problem)
    }

    /// The forward pass with the declared activation, into buffers that hold `fill`.
    pub(super) fn forward(
        &self,
        purpose: Purpose,
        x: &[f64],
        first_row: usize,
        fill: f64,
    ) -> Result<Passed, CheckFailure> {
        let batch = x.len() / self.inputs().max(1);
        let mut y = Guarded::new(batch * self.outputs(), fill);
        let mut cache = Guarded::new(self.plan.cache_len(batch), fill);
        let mut state = Guarded::of(&self.state);
        let mode = match purpose {
            Purpose::Train => Mode::Train { rng: self.rng.offset(first_row), state: state.get_mut() },
            Purpose::Infer => Mode::Infer { state: state.get() },
        };
        self.called("forward", || {
            let x = view(x, batch, self.inputs());
            let y = view_mut(y.get_mut(), batch, self.outputs());
            let pass = Forward::new(x, y, &self.params, cache.get_mut(), mode);
            self.layer.forward(pass.masked(self.mask(first_row)).planned(self.plan));
        })?;
        for (name, guarded) in [("the output y", &y), ("the cache", &cache), ("the state", &state)] {
            self.unharmed("forward", name, guarded)?;
        }
        let z = y.get().to_vec();
        let mut y = z.clone();
        self.activation().apply(self.plan.output_shape().last(), &mut y);
        let (cache, state) = (cache.get().to_vec(), state.get().to_vec());
        let penalty = self.penalty(&cache, &y, batch)?;
        Ok(Passed { batch, first_row, x: x.to_vec(), z, y, cache, state, penalty })
    }

    /// The penalties on the outputs of layers inside, over the number of samples.
    #[allow(clippy::cast_precision_loss, reason = "a batch of a test is small")]
    fn penalty(&self, cache: &[f64], y: &[f64], batch: usize) -> Result<f64, CheckFailure> {
        let mut penalty = 0.0;
        if self.plan.penalizes_nested_outputs() {
            self.called("activity_penalty", || {
                let y = view(y, batch, self.outputs());
                penalty = self.layer.activity_penalty(ActivityPenalty::new(cache, y, self.plan));
            })?;
        }
        Ok(penalty / self.samples.max(1) as f64)
    }

    /// The backward pass from the gradient toward the activated output, adding to `grads`, into a `dx` that
    /// holds `fill`.
    pub(super) fn backward(
        &self,
        passed: &Passed,
        dy: &[f64],
        grads: &[f64],
        fill: f64,
        dx_needed: bool,
    ) -> Result<Returned, CheckFailure> {
        let batch = passed.batch;
        let mut dy = Guarded::of(dy);
        let z = if self.activation().needs_input() { &passed.z[..] } else { &[] };
        self.activation().gradient(self.plan.output_shape().last(), z, &passed.y, dy.get_mut());
        let mut grads = Guarded::of(grads);
        let mut dx = Guarded::new(batch * self.inputs(), fill);
        let mut cache = Guarded::of(&passed.cache);
        self.called("backward", || {
            let pass = Backward::new(
                view(&passed.x, batch, self.inputs()),
                view(&passed.y, batch, self.outputs()),
                view_mut(dy.get_mut(), batch, self.outputs()),
                view_mut(dx.get_mut(), batch, self.inputs()),
                &self.params,
                grads.get_mut(),
                cache.get_mut(),
            );
            let pass = pass.samples(self.samples).dx_needed(dx_needed).masked(self.mask(passed.first_row));
            self.layer.backward(pass.planned(self.plan));
        })?;
        let all = [("the gradients", &grads), ("dx", &dx), ("dy", &dy), ("the cache", &cache)];
        for (name, guarded) in all {
            self.unharmed("backward", name, guarded)?;
        }
        Ok(Returned { grads: grads.get().to_vec(), dx: dx.get().to_vec() })
    }

    /// The backward pass without the gradients toward the parameters, and these by rows: some of them, then the others.
    /// With `add` they are added to numbers, which are then taken off again.
    pub(super) fn by_rows(
        &self,
        passed: &Passed,
        dy: &[f64],
        row: usize,
        add: bool,
    ) -> Result<Returned, CheckFailure> {
        let before = if add { 0.5 } else { f64::NAN };
        let batch = passed.batch;
        let mut dy = Guarded::of(dy);
        let z = if self.activation().needs_input() { &passed.z[..] } else { &[] };
        self.activation().gradient(self.plan.output_shape().last(), z, &passed.y, dy.get_mut());
        let mut dx = Guarded::new(batch * self.inputs(), f64::NAN);
        let mut cache = Guarded::of(&passed.cache);
        self.called("backward without grads", || {
            let pass = Backward::new(
                view(&passed.x, batch, self.inputs()),
                view(&passed.y, batch, self.outputs()),
                view_mut(dy.get_mut(), batch, self.outputs()),
                view_mut(dx.get_mut(), batch, self.inputs()),
                &self.params,
                &mut [],
                cache.get_mut(),
            );
            let pass = pass.samples(self.samples).grads_needed(false).masked(self.mask(passed.first_row));
            self.layer.backward(pass.planned(self.plan));
        })?;
        self.unharmed("backward", "dx", &dx)?;
        let rows = self.params.len() / row;
        let mut grads = Vec::with_capacity(self.params.len());
        for rows in [0..rows / 3, rows / 3..rows] {
            let mut part = Guarded::new(rows.len() * row, before);
            self.called("gradient", || {
                let x = view(&passed.x, batch, self.inputs());
                let dy = view(dy.get(), batch, self.outputs());
                self.layer.gradient(Gradient::new(x, dy, rows, part.get_mut()).adding(add));
            })?;
            self.unharmed("gradient", "the gradients", &part)?;
            grads.extend(part.get().iter().map(|g| if add { g - before } else { *g }));
        }
        Ok(Returned { grads, dx: dx.get().to_vec() })
    }

    /// Calls the layer; a panic is a failure with its message.
    fn called(&self, what: &str, call: impl FnOnce()) -> Result<(), CheckFailure> {
        catch_unwind(AssertUnwindSafe(call)).map_err(|panic| {
            let text = panic.downcast_ref::<String>().cloned();
            let text = text.or_else(|| panic.downcast_ref::<&str>().map(ToString::to_string));
            let cause = "an index outside of a slice: the plan declares another length than is used, or shapes \
                         do not agree";
            self.fail(what, format!("panicked: {}", text.unwrap_or_default())).cause(cause)
        })
    }

    fn unharmed(&self, what: &str, buffer: &str, guarded: &Guarded) -> Result<(), CheckFailure> {
        match guarded.trespassed() {
            None => Ok(()),
            Some(place) => {
                let problem = format!("wrote outside {buffer}, at {place} of {}", guarded.get().len());
                Err(self.fail(what, problem).cause("it wrote outside its slice"))
            }
        }
    }
}

#[allow(clippy::expect_used, reason = "the harness makes every buffer of rows × columns")]
fn view(values: &[f64], rows: usize, columns: usize) -> ArrayView2<'_, f64> {
    ArrayView2::from_shape((rows, columns), values).expect("rows × columns")
}

#[allow(clippy::expect_used, reason = "the harness makes every buffer of rows × columns")]
fn view_mut(values: &mut [f64], rows: usize, columns: usize) -> ArrayViewMut2<'_, f64> {
    ArrayViewMut2::from_shape((rows, columns), values).expect("rows × columns")
}
