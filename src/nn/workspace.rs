//! Forward and backward passes of a network, with buffers allocated once for a maximum batch size.

use crate::buffer::Buffer;
use crate::error::{Error, Result};
use crate::float::Float;
use crate::linalg::{matrix, matrix_mut};
use crate::nn::batch_split;
use crate::nn::layer::{ActivityPenalty, Backward, Carry, Forward, Mask, MaskPass, Mode};
use crate::nn::layout::{Layout, Node, zeros};
use crate::rng::RowRng;
use crate::validate;
use ndarray::ArrayView2;

/// The activations and caches of a network for batches up to a capacity.
///
/// Made by [`Model::workspace`](crate::models::Model::workspace) for
/// [`Model::predict_into`](crate::models::Model::predict_into); each thread needs its own.
#[derive(Debug, Clone)]
pub struct Workspace<F> {
    capacity: usize,
    /// The input batch, if it is not read in place.
    pub(crate) input: Buffer<F>,
    nodes: Vec<Buffers<F>>,
    /// The state after the last batch, in networks that carry state from batch to batch; otherwise empty.
    state: Vec<F>,
    /// The carried ranges of the state.
    carried: Vec<std::ops::Range<usize>>,
}

/// The buffers of one layer.
#[derive(Debug, Clone)]
struct Buffers<F> {
    /// The pre-activation, if the activation's derivative needs it; otherwise empty.
    z: Buffer<F>,
    y: Buffer<F>,
    cache: Buffer<F>,
    /// The mask that the layer computes.
    mask: Vec<bool>,
}

/// The gradients of the activations, allocated once for a maximum batch size.
#[derive(Debug)]
pub(crate) struct Deltas<F> {
    /// Gradients of the current layer's output and input; swapped after each layer.
    dy: Buffer<F>,
    dx: Buffer<F>,
}

/// The random seed of one training step.
#[derive(Debug, Clone, Copy)]
pub(crate) struct StepNoise {
    pub(crate) seed: u64,
    pub(crate) step: u64,
}

impl<F: Float> Workspace<F> {
    /// Allocates buffers, including `input` for gathered batches.
    pub(crate) fn with_input(layout: &Layout<F>, capacity: usize) -> Result<Self> {
        let elements = layout.input.size().saturating_mul(capacity);
        Ok(Self { input: Buffer::zeros("the batch", elements)?, ..Self::new(layout, capacity)? })
    }

    /// Allocates buffers for batches that are read in place.
    pub(crate) fn new(layout: &Layout<F>, capacity: usize) -> Result<Self> {
        let nodes = layout.nodes.iter().map(|node| {
            let outputs = node.output_len().saturating_mul(capacity);
            Ok(Buffers {
                z: Buffer::zeros("activations", if node.activation().needs_input() { outputs } else { 0 })?,
                y: Buffer::zeros("activations", outputs)?,
                cache: Buffer::zeros("layer caches", node.plan.cache_len(capacity))?,
                mask: all_valid(node.made_mask.saturating_mul(capacity))?,
            })
        });
        let nodes = nodes.collect::<Result<_>>()?;
        Ok(Self {
            capacity,
            input: Buffer::zeros("the batch", 0)?,
            nodes,
            state: zeros("the state", if layout.batch.is_some() { layout.state_len } else { 0 })?,
            carried: layout.carried().collect(),
        })
    }

    /// Sets the carried state, in networks that have one.
    pub(crate) fn start_from(&mut self, state: &[F]) {
        if !self.state.is_empty() {
            self.state.copy_from_slice(state);
        }
    }

    /// Resets the carried state of stateful layers to zero.
    pub fn reset_state(&mut self) {
        for range in &self.carried {
            self.state[range.clone()].fill(F::zero());
        }
    }

    /// The maximum batch size.
    #[must_use]
    pub fn capacity(&self) -> usize {
        self.capacity
    }

    /// Whether the buffers have the sizes that this network needs.
    pub(crate) fn fits(&self, layout: &Layout<F>) -> bool {
        self.input.len() == layout.input.size() * self.capacity
            && self.nodes.len() == layout.nodes.len()
            && self.carried.iter().cloned().eq(layout.carried())
            && self.nodes.iter().zip(&layout.nodes).all(|(buffers, node)| {
                buffers.y.len() == node.output_len() * self.capacity
                    && buffers.cache.len() == node.plan.cache_len(self.capacity)
                    && (buffers.z.is_empty() || buffers.z.len() == buffers.y.len())
                    && buffers.z.is_empty() != node.activation().needs_input()
                    && buffers.mask.len() == node.made_mask * self.capacity
            })
    }

    /// The output of the last pass, (batch, outputs).
    pub(crate) fn output(&self, batch: usize) -> &[F] {
        self.nodes.last().map_or(&[], |buffers| &buffers.y[..buffers.y.len() / self.capacity.max(1) * batch])
    }

    /// The mask of the output of the last pass.
    pub(crate) fn output_mask(&self, layout: &Layout<F>, batch: usize) -> Option<&[bool]> {
        let index = layout.output_mask?;
        Some(&self.nodes.get(index)?.mask[..layout.nodes[index].made_mask * batch])
    }

    /// The output, mutable, to apply an activation in place.
    pub(crate) fn output_mut(&mut self, batch: usize) -> &mut [F] {
        let capacity = self.capacity.max(1);
        match self.nodes.last_mut() {
            Some(buffers) => {
                let len = buffers.y.len() / capacity * batch;
                &mut buffers.y[..len]
            }
            None => &mut [],
        }
    }

    /// The forward pass of inference. With `logits`, the last activation is skipped.
    pub(crate) fn infer(
        &mut self,
        layout: &Layout<F>,
        params: &[F],
        state: &[F],
        x: Option<ArrayView2<'_, F>>,
        batch: usize,
        logits: bool,
    ) {
        let mut carried = std::mem::take(&mut self.state);
        for index in 0..layout.nodes.len() {
            let node = &layout.nodes[index];
            let state = if node.plan.batch_size().is_some() { &*carried } else { state };
            let mode = Mode::Infer { state: &state[node.state.clone()] };
            self.forward_node(layout, index, params, mode, x, batch, logits);
            if node.plan.batch_size().is_some() {
                self.carry(node, index, &mut carried, batch);
            }
        }
        self.state = carried;
    }

    /// Updates the carried state of a layer.
    fn carry(&mut self, node: &Node<F>, index: usize, state: &mut [F], batch: usize) {
        let cache = &mut self.nodes[index].cache[..node.plan.cache_len(batch)];
        node.layer.carry(Carry::new(cache, &mut state[node.state.clone()], batch, &node.plan));
    }

    /// Errors if an embedding received an invalid index in the last pass. Skips the first layer, whose input is checked before
    /// the pass.
    pub(crate) fn check_indices(&self, layout: &Layout<F>, batch: usize) -> Result<()> {
        for (before, node) in self.nodes.iter().zip(layout.nodes.iter().skip(1)) {
            if let Some(len) = node.plan.declared_indices() {
                let columns = node.input_len();
                let x = matrix(&before.y[..batch * columns], batch, columns);
                validate::indices(&format!("the input of layer {}", node.name), &x, len)?;
            }
        }
        Ok(())
    }

    /// The forward pass of training: as [`infer`](Self::infer), with noise and state updates.
    #[allow(clippy::too_many_arguments, reason = "the buffers of one pass, each borrowed separately")]
    pub(crate) fn train(
        &mut self,
        layout: &Layout<F>,
        params: &[F],
        state: &mut [F],
        noise: StepNoise,
        x: Option<ArrayView2<'_, F>>,
        batch: usize,
        logits: bool,
    ) {
        for (index, node) in layout.nodes.iter().enumerate() {
            let all = &mut *state;
            let state = &mut all[node.state.clone()];
            // As in Keras, a frozen layer does not update its statistics; frozen dropout, which has no state, still drops.
            let mode = if node.trainable || state.is_empty() {
                Mode::Train { rng: RowRng::new(noise.seed, index as u64, noise.step), state }
            } else {
                Mode::Infer { state }
            };
            self.forward_node(layout, index, params, mode, x, batch, logits);
            if node.plan.batch_size().is_some() {
                self.carry(node, index, all, batch);
            }
        }
    }

    /// The forward pass of one layer and its activation.
    #[allow(clippy::too_many_arguments, reason = "the buffers of one pass, each borrowed separately")]
    fn forward_node(
        &mut self,
        layout: &Layout<F>,
        index: usize,
        params: &[F],
        mode: Mode<'_, F>,
        x: Option<ArrayView2<'_, F>>,
        batch: usize,
        logits: bool,
    ) {
        let node = &layout.nodes[index];
        let (before, rest) = self.nodes.split_at_mut(index);
        let Some(Buffers { z, y, cache, mask: made }) = rest.first_mut() else { return };
        let x = input_of(before, &self.input, x, node, batch);
        let mask = mask_of(before, layout, node, batch);
        if node.made_mask > 0 {
            let valid = &mut made[..batch * node.made_mask];
            node.layer.mask(MaskPass::new(x, mask, valid).planned(&node.plan));
        }
        let outputs = node.output_len();
        let y = &mut y[..batch * outputs];
        let cache = &mut cache[..node.plan.cache_len(batch)];
        let pass = Forward::new(x, matrix_mut(y, batch, outputs), &params[node.params.clone()], cache, mode);
        batch_split::forward(node, pass.masked(mask.filter(|_| node.plan.declares_using_mask())));
        if node.activation().needs_input() {
            z[..y.len()].copy_from_slice(y);
        }
        if !(logits && index + 1 == layout.nodes.len()) {
            batch_split::activate(node, batch, y);
        }
    }

    /// The backward pass. `deltas` holds the gradient of the network's output, or, with `logits`, of the last pre-activation.
    /// Layers that compute parameter gradients by rows are passed to `by_rows`, with all parameters, all gradients, the
    /// layer's input and the gradient of its output, which `by_rows` may overwrite. Stops and returns false if a gradient is not
    /// finite.
    #[allow(clippy::too_many_arguments, reason = "the buffers of one pass, each borrowed separately")]
    pub(crate) fn backward(
        &mut self,
        layout: &Layout<F>,
        params: &mut [F],
        grads: &mut [F],
        deltas: &mut Deltas<F>,
        x: Option<ArrayView2<'_, F>>,
        batch: usize,
        logits: bool,
        mut by_rows: impl FnMut(usize, &mut [F], &mut [F], ArrayView2<'_, F>, &mut [F]),
    ) -> bool {
        let first = layout.nodes.iter().position(|node| node.trainable && !node.params.is_empty());
        let Some(first) = first else { return true };
        for index in (first..layout.nodes.len()).rev() {
            let node = &layout.nodes[index];
            let (before, rest) = self.nodes.split_at_mut(index);
            let Some(Buffers { z, y, cache, .. }) = rest.first_mut() else { return true };
            let x = input_of(before, &self.input, x, node, batch);
            let (inputs, outputs) = (node.input_len(), node.output_len());
            let y = &y[..batch * outputs];
            let dy = &mut deltas.dy[..batch * outputs];
            if let Some(regularizer) = node.plan.declared_activity_regularizer() {
                regularizer.add_gradient(1.0 / batch as f64, y, dy);
            }
            let activated = !(logits && index + 1 == layout.nodes.len());
            let z = if z.is_empty() { &[] } else { &z[..batch * outputs] };
            if !batch_split::differentiate(node, batch, activated, [z, y], dy) {
                return false;
            }
            let rows = node.plan.declared_gradient_rows().is_some();
            let own_grads = if rows { &mut [] } else { &mut grads[node.params.clone()] };
            own_grads.fill(F::zero());
            let pass = Backward::new(
                x,
                matrix(y, batch, outputs),
                matrix_mut(dy, batch, outputs),
                matrix_mut(&mut deltas.dx[..batch * inputs], batch, inputs),
                &params[node.params.clone()],
                own_grads,
                &mut cache[..node.plan.cache_len(batch)],
            );
            let mask = mask_of(before, layout, node, batch).filter(|_| node.plan.declares_using_mask());
            batch_split::backward(node, pass.masked(mask).dx_needed(index > first).grads_needed(!rows));
            if rows && node.trainable {
                by_rows(index, params, grads, x, dy);
            }
            std::mem::swap(&mut deltas.dy, &mut deltas.dx);
        }
        true
    }

    /// The sum of all activity penalties, divided by the batch size.
    pub(crate) fn activity_penalty(&self, layout: &Layout<F>, batch: usize) -> f64 {
        let penalties =
            layout.nodes.iter().zip(&self.nodes).filter(|(node, _)| node.plan.penalizes_outputs());
        let penalties = penalties.map(|(node, buffers)| {
            let y = &buffers.y[..batch * node.output_len()];
            let own =
                node.plan.declared_activity_regularizer().map_or(0.0, |regularizer| regularizer.penalty(y));
            if !node.plan.penalizes_nested_outputs() {
                return own;
            }
            let cache = &buffers.cache[..node.plan.cache_len(batch)];
            let pass = ActivityPenalty::new(cache, matrix(y, batch, node.output_len()), &node.plan);
            own + node.layer.activity_penalty(pass)
        });
        penalties.sum::<f64>() / batch.max(1) as f64
    }
}

impl<F: Float> Deltas<F> {
    pub(crate) fn new(layout: &Layout<F>, capacity: usize) -> Result<Self> {
        let widest =
            layout.nodes.iter().map(|node| node.input_len().max(node.output_len())).max().unwrap_or(0);
        let len = widest.saturating_mul(capacity);
        Ok(Self { dy: Buffer::zeros("gradients", len)?, dx: Buffer::zeros("gradients", len)? })
    }

    /// The gradient of the output, which the loss writes.
    pub(crate) fn output_mut(&mut self, len: usize) -> &mut [F] {
        &mut self.dy[..len]
    }
}

/// The input of a layer: the output of the previous layer, or the batch.
fn input_of<'a, F>(
    before: &'a [Buffers<F>],
    input: &'a [F],
    x: Option<ArrayView2<'a, F>>,
    node: &Node<F>,
    batch: usize,
) -> ArrayView2<'a, F> {
    let columns = node.plan.input_shape().size();
    match (before.last(), x) {
        (Some(buffers), _) => matrix(&buffers.y[..batch * columns], batch, columns),
        (None, Some(x)) => x,
        (None, None) => matrix(&input[..batch * columns], batch, columns),
    }
}

/// The mask of a layer's input.
fn mask_of<'a, F>(
    before: &'a [Buffers<F>],
    layout: &Layout<F>,
    node: &Node<F>,
    batch: usize,
) -> Option<Mask<'a>> {
    let index = node.mask?;
    let positions = layout.nodes[index].made_mask;
    Some(Mask::new(&before.get(index)?.mask[..batch * positions], positions))
}

/// Allocates a mask with all positions valid; errors if memory is insufficient.
fn all_valid(len: usize) -> Result<Vec<bool>> {
    let mut valid = Vec::new();
    valid.try_reserve_exact(len).map_err(|_| Error::OutOfMemory { what: "masks".into(), bytes: len })?;
    valid.resize(len, true);
    Ok(valid)
}
