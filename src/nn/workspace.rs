//! Forward and backward passes of a network, with buffers allocated once for a maximum batch size.

use crate::buffer::Buffer;
use crate::distributed::Collective;
use crate::error::{Error, Result};
use crate::float::Float;
use crate::linalg::{matrix, matrix_mut};
use crate::nn::batch_split;
use crate::nn::gradient_slots::Deltas;
use crate::nn::layer::{ActivityPenalty, Backward, Carry, Forward, Mask, MaskPass, Mode};
use crate::nn::layout::{Layout, PlannedLayer, Source, zeros};
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
    /// The batch of each input. The first one is empty if it is the only one and is read in place.
    pub(crate) inputs: Vec<Buffer<F>>,
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
    /// The inputs of a merge layer, side by side, and their masks.
    joined: Buffer<F>,
    joined_mask: Vec<bool>,
}

/// The address of the random numbers of a batch in training.
#[derive(Debug, Clone, Copy)]
pub(crate) struct StepNoise<'g> {
    pub(crate) seed: u64,
    pub(crate) step: u64,
    /// The number of the first row.
    pub(crate) first_row: usize,
    /// The ranks of a distributed step.
    pub(crate) group: Option<&'g dyn Collective>,
}

impl StepNoise<'_> {
    /// The mode of a layer in training. As in Keras, a frozen layer does not update its statistics; frozen dropout, which has no
    /// state, still drops.
    fn mode<'s, F>(&self, node: &PlannedLayer<F>, index: usize, state: &'s mut [F]) -> Mode<'s, F> {
        if node.trainable || state.is_empty() {
            let rng = RowRng::new(self.seed, index as u64, self.step).offset(self.first_row);
            Mode::Train { rng, state }
        } else {
            Mode::Infer { state }
        }
    }
}

/// The mode of a pass, with the state of all layers.
#[derive(Debug)]
pub(crate) enum PassState<'s, F> {
    /// What recurrent layers carry lies in the workspace.
    Infer {
        state: &'s [F],
        /// Whether a backward pass follows, which computes the gradient of the inputs.
        backward_follows: bool,
    },
    Train(&'s mut [F], StepNoise<'s>),
}

impl<'s, F> PassState<'s, F> {
    /// Inference that no backward pass follows.
    pub(crate) fn infer(state: &'s [F]) -> Self {
        PassState::Infer { state, backward_follows: false }
    }

    /// The mode for a batch that begins with this row.
    pub(crate) fn at(&mut self, first_row: usize) -> PassState<'_, F> {
        match self {
            &mut Self::Infer { state, backward_follows } => PassState::Infer { state, backward_follows },
            Self::Train(state, noise) => PassState::Train(state, StepNoise { first_row, ..*noise }),
        }
    }
}

/// The batch of all ranks that a batch is a part of.
#[derive(Clone, Copy)]
pub(crate) struct GlobalPass<'g> {
    /// The number of rows, by which the gradients of activity penalties are divided.
    pub(crate) rows: usize,
    /// The ranks, if layers exchange values with them.
    pub(crate) group: Option<&'g dyn Collective>,
}

impl GlobalPass<'_> {
    /// A batch without other ranks.
    pub(crate) fn alone(rows: usize) -> Self {
        Self { rows, group: None }
    }
}

impl<F: Float> Workspace<F> {
    /// Allocates buffers, including `input` for gathered batches.
    pub(crate) fn with_input(layout: &Layout<F>, capacity: usize) -> Result<Self> {
        Ok(Self { inputs: Self::input_buffers(layout, capacity)?, ..Self::new(layout, capacity)? })
    }

    fn input_buffers(layout: &Layout<F>, capacity: usize) -> Result<Vec<Buffer<F>>> {
        let lens = layout.inputs.iter().map(|input| input.shape.size().saturating_mul(capacity));
        lens.map(|len| Buffer::zeros("the batch", len)).collect()
    }

    /// Allocates buffers for batches that are read in place, if the network has one input; several are gathered.
    pub(crate) fn new(layout: &Layout<F>, capacity: usize) -> Result<Self> {
        let nodes = layout.nodes.iter().map(|node| {
            let outputs = node.output_len().saturating_mul(capacity);
            Ok(Buffers {
                z: Buffer::zeros("activations", if node.activation().needs_input() { outputs } else { 0 })?,
                y: Buffer::zeros("activations", outputs)?,
                cache: Buffer::zeros("layer caches", node.plan.cache_len(capacity))?,
                mask: all_valid(node.made_mask.saturating_mul(capacity))?,
                joined: Buffer::zeros(
                    "activations",
                    if node.joins_inputs() { node.input_len().saturating_mul(capacity) } else { 0 },
                )?,
                joined_mask: all_valid(node.mask_lens().iter().sum::<usize>().saturating_mul(capacity))?,
            })
        });
        let nodes = nodes.collect::<Result<_>>()?;
        Ok(Self {
            capacity,
            inputs: match layout.inputs.len() {
                1 => vec![Buffer::zeros("the batch", 0)?],
                _ => Self::input_buffers(layout, capacity)?,
            },
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
        self.inputs.len() == layout.inputs.len()
            && self
                .inputs
                .iter()
                .zip(&layout.inputs)
                .all(|(buffer, input)| buffer.len() == input.shape.size().saturating_mul(self.capacity))
            && self.nodes.len() == layout.nodes.len()
            && self.carried.iter().cloned().eq(layout.carried())
            && self.nodes.iter().zip(&layout.nodes).all(|(buffers, node)| {
                buffers.y.len() == node.output_len() * self.capacity
                    && buffers.cache.len() == node.plan.cache_len(self.capacity)
                    && (buffers.z.is_empty() || buffers.z.len() == buffers.y.len())
                    && buffers.z.is_empty() != node.activation().needs_input()
                    && buffers.mask.len() == node.made_mask * self.capacity
                    && buffers.joined.len()
                        == if node.joins_inputs() { node.input_len() * self.capacity } else { 0 }
                    && buffers.joined_mask.len() == node.mask_lens().iter().sum::<usize>() * self.capacity
            })
    }

    /// Copies rows of the inputs into the buffers of a batch.
    pub(crate) fn copy_inputs<S: ndarray::Data<Elem = F>>(
        &mut self,
        xs: &[ndarray::ArrayBase<S, ndarray::Ix2>],
        rows: std::ops::Range<usize>,
    ) {
        for (buffer, x) in self.inputs.iter_mut().zip(xs) {
            let values = x.slice(ndarray::s![rows.clone(), ..]);
            buffer.iter_mut().zip(values).for_each(|(slot, &value)| *slot = value);
        }
    }

    /// The output of a layer in the last pass, (batch, outputs).
    pub(crate) fn layer_output(&self, index: usize, batch: usize) -> &[F] {
        self.nodes
            .get(index)
            .map_or(&[], |buffers| &buffers.y[..buffers.y.len() / self.capacity.max(1) * batch])
    }

    /// The mask that a layer computed in the last pass.
    pub(crate) fn mask_by(&self, layout: &Layout<F>, maker: Option<usize>, batch: usize) -> Option<&[bool]> {
        let index = maker?;
        Some(&self.nodes.get(index)?.mask[..layout.nodes[index].made_mask * batch])
    }

    /// The output of a layer, mutable, to apply an activation in place.
    pub(crate) fn layer_output_mut(&mut self, index: usize, batch: usize) -> &mut [F] {
        let capacity = self.capacity.max(1);
        match self.nodes.get_mut(index) {
            Some(buffers) => {
                let len = buffers.y.len() / capacity * batch;
                &mut buffers.y[..len]
            }
            None => &mut [],
        }
    }

    /// The forward pass. The activations of the layers in `logits` are skipped.
    pub(crate) fn forward(
        &mut self,
        layout: &Layout<F>,
        params: &[F],
        mut state: PassState<'_, F>,
        x: Option<ArrayView2<'_, F>>,
        batch: usize,
        logits: &[usize],
    ) {
        let mut carried = std::mem::take(&mut self.state);
        let (group, backward_follows) = match &state {
            PassState::Infer { backward_follows, .. } => (None, *backward_follows),
            PassState::Train(_, noise) => (noise.group, true),
        };
        for (index, node) in layout.nodes.iter().enumerate() {
            let (own, carries) = (node.state.clone(), node.plan.batch_size().is_some());
            let mode = match &mut state {
                PassState::Infer { .. } if carries => Mode::Infer { state: &carried[own] },
                PassState::Infer { state, .. } => Mode::Infer { state: &state[own] },
                PassState::Train(state, noise) => noise.mode(node, index, &mut state[own]),
            };
            self.forward_node(layout, index, params, mode, group, backward_follows, x, batch, logits);
            if carries {
                let state = match &mut state {
                    PassState::Infer { .. } => &mut carried[..],
                    PassState::Train(state, _) => &mut **state,
                };
                self.carry(node, index, state, batch);
            }
        }
        self.state = carried;
    }

    /// Updates the carried state of a layer.
    fn carry(&mut self, node: &PlannedLayer<F>, index: usize, state: &mut [F], batch: usize) {
        let cache = &mut self.nodes[index].cache[..node.plan.cache_len(batch)];
        node.layer.carry(Carry::new(cache, &mut state[node.state.clone()], batch, &node.plan));
    }

    /// Errors if an embedding received an invalid index in the last pass. Skips layers that read an input of the network, which
    /// is checked before the pass.
    pub(crate) fn check_indices(&self, layout: &Layout<F>, batch: usize) -> Result<()> {
        for node in &layout.nodes {
            let Some(len) = node.plan.declared_indices() else { continue };
            if let [Source::Node(source)] = node.inputs[..] {
                let columns = node.input_len();
                let x = matrix(&self.nodes[source].y[..batch * columns], batch, columns);
                validate::indices(&format!("the input of layer {}", node.name), &x, len)?;
            }
        }
        Ok(())
    }

    /// The forward pass of one layer and its activation.
    #[allow(clippy::too_many_arguments, reason = "the buffers of one pass, each borrowed separately")]
    fn forward_node(
        &mut self,
        layout: &Layout<F>,
        index: usize,
        params: &[F],
        mode: Mode<'_, F>,
        group: Option<&dyn Collective>,
        backward_follows: bool,
        x: Option<ArrayView2<'_, F>>,
        batch: usize,
        logits: &[usize],
    ) {
        let node = &layout.nodes[index];
        let (before, rest) = self.nodes.split_at_mut(index);
        let Some(Buffers { z, y, cache, mask: made, joined, joined_mask }) = rest.first_mut() else { return };
        let (x, mask) = if node.joins_inputs() {
            let sources = Sources { before, inputs: &self.inputs, x, layout, batch };
            (sources.join(node, joined), sources.join_masks(node, joined_mask))
        } else {
            (input_of(before, &self.inputs, x, node, batch), mask_of(before, layout, node, batch))
        };
        if node.made_mask > 0 {
            let valid = &mut made[..batch * node.made_mask];
            node.layer.mask(MaskPass::new(x, mask, valid).planned(&node.plan));
        }
        let outputs = node.output_len();
        let y = &mut y[..batch * outputs];
        let cache = &mut cache[..node.plan.cache_len(batch)];
        let pass = Forward::new(x, matrix_mut(y, batch, outputs), &params[node.params.clone()], cache, mode);
        let mask = mask.filter(|_| node.plan.declares_using_mask());
        batch_split::forward(node, pass.masked(mask).grouped(group).before_backward(backward_follows));
        if node.activation().needs_input() {
            z[..y.len()].copy_from_slice(y);
        }
        if !logits.contains(&index) {
            batch_split::activate(node, batch, y);
        }
    }

    /// The backward pass. `deltas` holds the gradients of the network's outputs: for a layer in `logits`, of its
    /// pre-activation. Layers that compute parameter gradients by rows are passed to `by_rows`, with all parameters, all
    /// gradients, the layer's input and the gradient of its output, which `by_rows` may overwrite. Stops and returns false if a
    /// gradient is not finite.
    #[allow(clippy::too_many_arguments, reason = "the buffers of one pass, each borrowed separately")]
    pub(crate) fn backward(
        &mut self,
        layout: &Layout<F>,
        params: &mut [F],
        grads: &mut [F],
        deltas: &mut Deltas<F>,
        x: Option<ArrayView2<'_, F>>,
        batch: usize,
        global: GlobalPass<'_>,
        logits: &[usize],
        mut by_rows: impl FnMut(usize, &mut [F], &mut [F], ArrayView2<'_, F>, &mut [F]),
    ) -> bool {
        // The gradients of shared weights are sums over several layers.
        for node in layout.nodes.iter().filter(|node| node.is_shared && node.shares.is_none()) {
            grads[node.params.clone()].fill(F::zero());
        }
        let with_penalties = deltas.with_penalties();
        let mut finite = true;
        for index in (0..layout.nodes.len()).rev() {
            let Some(destination) = deltas.destination(index) else { continue };
            let node = &layout.nodes[index];
            let (before, rest) = self.nodes.split_at_mut(index);
            let Some(Buffers { z, y, cache, joined, joined_mask, .. }) = rest.first_mut() else {
                return true;
            };
            let (inputs, outputs) = (node.input_len(), node.output_len());
            let (x, mask) = if node.joins_inputs() {
                let positions = node.mask_lens().iter().sum::<usize>();
                let mask = (positions > 0).then(|| Mask::new(&joined_mask[..batch * positions], positions));
                (matrix(&joined[..batch * inputs], batch, inputs), mask)
            } else {
                (input_of(before, &self.inputs, x, node, batch), mask_of(before, layout, node, batch))
            };
            let y = &y[..batch * outputs];
            let (dy, dx) = deltas.pair(index, destination, batch * outputs, batch * inputs);
            if let Some(regularizer) = node.plan.declared_activity_regularizer().filter(|_| with_penalties) {
                regularizer.add_gradient(1.0 / global.rows as f64, y, dy);
            }
            let z = if z.is_empty() { &[] } else { &z[..batch * outputs] };
            finite &= batch_split::differentiate(node, batch, !logits.contains(&index), [z, y], dy);
            // Other ranks wait for the exchanges of the remaining layers.
            if !finite && global.group.is_none() {
                return false;
            }
            let rows = node.grads_by_rows().is_some();
            let own_grads = if rows { &mut [] } else { &mut grads[node.params.clone()] };
            if !node.is_shared {
                own_grads.fill(F::zero());
            }
            let pass = Backward::new(
                x,
                matrix(y, batch, outputs),
                matrix_mut(dy, batch, outputs),
                matrix_mut(dx, batch, inputs),
                &params[node.params.clone()],
                own_grads,
                &mut cache[..node.plan.cache_len(batch)],
            );
            let mask = mask.filter(|_| node.plan.declares_using_mask());
            let pass = pass.masked(mask).dx_needed(destination.is_needed());
            let pass =
                pass.samples(if with_penalties { global.rows } else { usize::MAX }).grouped(global.group);
            batch_split::backward(node, pass.grads_needed(!rows));
            if rows && node.trainable {
                by_rows(index, params, grads, x, dy);
            }
            deltas.distribute(layout, index, batch);
        }
        finite
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

/// The values that a layer can read: outputs of the layers before it and the inputs of the network.
struct Sources<'a, F> {
    before: &'a [Buffers<F>],
    inputs: &'a [Buffer<F>],
    /// The batch of the only input, if it is read in place.
    x: Option<ArrayView2<'a, F>>,
    layout: &'a Layout<F>,
    batch: usize,
}

impl<F: Float> Sources<'_, F> {
    /// Copies the inputs of a merge layer side by side into `joined`.
    fn join<'j>(&self, node: &PlannedLayer<F>, joined: &'j mut [F]) -> ArrayView2<'j, F> {
        let total = node.input_len();
        let mut start = 0;
        for (&source, &len) in node.inputs.iter().zip(node.input_lens()) {
            for row in 0..self.batch {
                let slot = &mut joined[row * total + start..][..len];
                match (source, self.x) {
                    (Source::Node(index), _) => {
                        slot.copy_from_slice(&self.before[index].y[row * len..][..len])
                    }
                    (Source::Input(_), Some(x)) => {
                        slot.iter_mut().zip(x.row(row)).for_each(|(slot, &v)| *slot = v)
                    }
                    (Source::Input(index), None) => {
                        slot.copy_from_slice(&self.inputs[index][row * len..][..len])
                    }
                }
            }
            start += len;
        }
        matrix(&joined[..self.batch * total], self.batch, total)
    }

    /// Copies the masks of the inputs of a merge layer side by side; the positions of an input without a mask are valid.
    fn join_masks<'j>(&self, node: &PlannedLayer<F>, joined: &'j mut [bool]) -> Option<Mask<'j>> {
        let total: usize = node.mask_lens().iter().sum();
        let mut start = 0;
        for (&source, &len) in node.inputs.iter().zip(node.mask_lens()) {
            for row in 0..self.batch {
                let slot = &mut joined[row * total + start..][..len];
                match self.layout.mask_of(source) {
                    // Without `uses_mask`, a mask may cover fewer axes; then it does not count.
                    Some(maker) if self.layout.nodes[maker].made_mask == len => {
                        slot.copy_from_slice(&self.before[maker].mask[row * len..][..len]);
                    }
                    _ => slot.fill(true),
                }
            }
            start += len;
        }
        (total > 0).then(|| Mask::new(&joined[..self.batch * total], total))
    }
}

/// The input of a layer with one input: the output of another layer, or the batch.
fn input_of<'a, F>(
    before: &'a [Buffers<F>],
    inputs: &'a [Buffer<F>],
    x: Option<ArrayView2<'a, F>>,
    node: &PlannedLayer<F>,
    batch: usize,
) -> ArrayView2<'a, F> {
    let columns = node.plan.input_shape().size();
    match (node.inputs[0], x) {
        (Source::Node(index), _) => matrix(&before[index].y[..batch * columns], batch, columns),
        (Source::Input(_), Some(x)) => x,
        (Source::Input(index), None) => matrix(&inputs[index][..batch * columns], batch, columns),
    }
}

/// The mask of the input of a layer with one input.
fn mask_of<'a, F: Float>(
    before: &'a [Buffers<F>],
    layout: &Layout<F>,
    node: &PlannedLayer<F>,
    batch: usize,
) -> Option<Mask<'a>> {
    let index = layout.mask_of(node.inputs[0])?;
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
