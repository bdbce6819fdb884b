//! Buffers for the gradients of activations, shared by layers whose gradients are not needed at the same time.
//!
//! The backward pass visits the layers in reverse order. The gradient of a layer's output is needed from the visit of the
//! last layer that reads the output until the visit of the layer itself. In a chain two buffers alternate:
//!
//! ```text
//! layer        3    2    1    0
//! reads dy     A    B    A    B
//! writes dx    B    A    B    (A)
//! ```
//!
//! In a graph, an output that several layers read has a sum of gradients: the first writes its part into the buffer, the
//! others write theirs into a scratch buffer, from which it is added.

use crate::buffer::Buffer;
use crate::error::Result;
use crate::float::Float;
use crate::nn::layout::{Layout, Source};

/// Where a layer writes the gradient of its input.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Destination {
    slot: usize,
    /// Whether the gradient is used.
    needed: bool,
    /// Whether the slot is the scratch buffer, from which the gradient is distributed to the sources.
    scratch: bool,
}

impl Destination {
    pub(crate) fn is_needed(self) -> bool {
        self.needed
    }
}

/// Which gradients a backward pass computes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Wanted {
    /// Those of the trainable parameters.
    Params,
    /// Those of the inputs.
    Inputs,
}

/// The gradients of the activations, allocated once for a maximum batch size.
#[derive(Debug)]
pub(crate) struct Deltas<F> {
    wanted: Wanted,
    buffers: Vec<Buffer<F>>,
    /// For each layer, the buffer that holds the gradient of its output.
    slots: Vec<usize>,
    /// For each input of the network, the buffer of its gradient.
    input_slots: Vec<Option<usize>>,
    /// For each layer that is visited, where the gradient of its input goes.
    destinations: Vec<Option<Destination>>,
    /// For each layer and input, whether the gradient is added to one that is there already.
    adds: Vec<Vec<Option<bool>>>,
}

impl<F: Float> Deltas<F> {
    /// Plans and allocates the buffers for a pass from the outputs of the layers `seeds`.
    pub(crate) fn new(layout: &Layout<F>, seeds: &[usize], wanted: Wanted, capacity: usize) -> Result<Self> {
        let needs = needed_layers(layout, seeds, wanted);
        let n = layout.nodes.len();
        let mut slots = Slots::default();
        let mut of_layer = vec![usize::MAX; n];
        let mut of_input = vec![None; layout.inputs.len()];
        let mut written = vec![false; n];
        let (mut destinations, mut adds) = (vec![None; n], vec![Vec::new(); n]);
        if wanted == Wanted::Inputs {
            for (slot, input) in of_input.iter_mut().zip(&layout.inputs) {
                *slot = Some(slots.take(input.shape.size()));
            }
        }
        let mut input_written = vec![false; layout.inputs.len()];
        for &seed in seeds.iter().filter(|&&seed| needs[seed]) {
            if !written[seed] {
                of_layer[seed] = slots.take(layout.nodes[seed].output_len());
                written[seed] = true;
            }
        }
        for index in (0..n).rev() {
            if !needs[index] || !written[index] {
                continue;
            }
            let node = &layout.nodes[index];
            let mut direct = None;
            for &source in &node.inputs {
                let is_needed = match source {
                    Source::Input(_) => wanted == Wanted::Inputs,
                    Source::Node(before) => needs[before],
                };
                let is_written = match source {
                    Source::Input(input) => std::mem::replace(&mut input_written[input], is_needed),
                    Source::Node(before) if is_needed && !written[before] => {
                        of_layer[before] = slots.take(layout.nodes[before].output_len());
                        written[before] = true;
                        false
                    }
                    Source::Node(_) => true,
                };
                adds[index].push(is_needed.then_some(is_written));
                if is_needed && !is_written && !node.joins_inputs() {
                    direct = match source {
                        Source::Input(input) => of_input[input],
                        Source::Node(before) => Some(of_layer[before]),
                    };
                }
            }
            let needed = adds[index].iter().any(Option::is_some);
            destinations[index] = Some(match direct {
                Some(slot) => Destination { slot, needed, scratch: false },
                None => {
                    let slot = slots.take(node.input_len());
                    slots.release(slot);
                    Destination { slot, needed, scratch: true }
                }
            });
            slots.release(of_layer[index]);
        }
        let buffers = slots.lens.iter().map(|len| Buffer::zeros("gradients", len.saturating_mul(capacity)));
        Ok(Self {
            wanted,
            buffers: buffers.collect::<Result<_>>()?,
            slots: of_layer,
            input_slots: of_input,
            destinations,
            adds,
        })
    }

    /// Where the gradient of the layer's input goes; `None` if the layer is not visited.
    pub(crate) fn destination(&self, layer: usize) -> Option<Destination> {
        self.destinations[layer]
    }

    /// Whether the penalties of activity regularizers have gradients, as in training.
    pub(crate) fn with_penalties(&self) -> bool {
        self.wanted == Wanted::Params
    }

    /// Whether the gradient of a layer's output is used.
    pub(crate) fn visits(&self, layer: usize) -> bool {
        self.destinations[layer].is_some()
    }

    /// The gradient of a layer's output, which the loss writes.
    pub(crate) fn output_mut(&mut self, layer: usize, len: usize) -> &mut [F] {
        match self.slots.get(layer).and_then(|&slot| self.buffers.get_mut(slot)) {
            Some(buffer) => &mut buffer[..len],
            None => &mut [],
        }
    }

    /// The gradient of an input of the network after a pass.
    pub(crate) fn input(&self, input: usize, len: usize) -> &[F] {
        self.input_slots[input].map_or(&[], |slot| &self.buffers[slot][..len])
    }

    /// Sets the gradients of all inputs to zero, for inputs that a pass does not reach.
    pub(crate) fn clear_inputs(&mut self) {
        for slot in self.input_slots.iter().flatten() {
            self.buffers[*slot].fill(F::zero());
        }
    }

    /// The gradients of a layer's output and input.
    pub(crate) fn pair(
        &mut self,
        layer: usize,
        destination: Destination,
        outputs: usize,
        inputs: usize,
    ) -> (&mut [F], &mut [F]) {
        let (dy, dx) = (self.slots[layer], destination.slot);
        let (dy, dx) = two(&mut self.buffers, dy, dx);
        (&mut dy[..outputs], &mut dx[..inputs])
    }

    /// Copies or adds a gradient in the scratch buffer to the gradients of the layer's sources.
    pub(crate) fn distribute(&mut self, layout: &Layout<F>, layer: usize, batch: usize) {
        let Some(Destination { slot, needed: true, scratch: true }) = self.destinations[layer] else {
            return;
        };
        let node = &layout.nodes[layer];
        let total = node.input_len();
        let mut start = 0;
        for (&source, adds) in node.inputs.iter().zip(&self.adds[layer]) {
            let (to, len) = match source {
                Source::Input(input) => (self.input_slots[input], layout.inputs[input].shape.size()),
                Source::Node(before) => (Some(self.slots[before]), layout.nodes[before].output_len()),
            };
            if let (&Some(adds), Some(to)) = (adds, to) {
                let (from, to) = two(&mut self.buffers, slot, to);
                let rows = from.chunks_exact(total).map(|row| &row[start..start + len]);
                for (to, from) in to.chunks_exact_mut(len).zip(rows).take(batch) {
                    if adds {
                        to.iter_mut().zip(from).for_each(|(to, &from)| *to += from);
                    } else {
                        to.copy_from_slice(from);
                    }
                }
            }
            start += len;
        }
    }
}

/// The layers that a pass visits: those that lead from a wanted gradient to a seed.
fn needed_layers<F: Float>(layout: &Layout<F>, seeds: &[usize], wanted: Wanted) -> Vec<bool> {
    let mut needs = Vec::with_capacity(layout.nodes.len());
    for node in &layout.nodes {
        let is_own = wanted == Wanted::Params && node.trainable && !node.params.is_empty();
        let is_after = node.inputs.iter().any(|source| match *source {
            Source::Input(_) => wanted == Wanted::Inputs,
            Source::Node(before) => needs[before],
        });
        needs.push(is_own || is_after);
    }
    let mut leads = vec![false; layout.nodes.len()];
    for &seed in seeds {
        leads[seed] = true;
    }
    for index in (0..layout.nodes.len()).rev().filter(|&index| needs[index]) {
        if leads[index] {
            for source in &layout.nodes[index].inputs {
                if let Source::Node(before) = *source {
                    leads[before] = true;
                }
            }
        }
    }
    needs.iter().zip(leads).map(|(&needed, leads)| needed && leads).collect()
}

/// Two different buffers, mutable.
fn two<F>(buffers: &mut [Buffer<F>], a: usize, b: usize) -> (&mut [F], &mut [F]) {
    match buffers.get_disjoint_mut([a, b]) {
        Ok([a, b]) => (a, b),
        Err(_) => (&mut [], &mut []),
    }
}

/// Buffers that are taken and released while the pass is planned.
#[derive(Default)]
struct Slots {
    /// Values for each sample.
    lens: Vec<usize>,
    free: Vec<usize>,
}

impl Slots {
    /// Takes a free buffer, or a new one, and makes it at least `len` long.
    fn take(&mut self, len: usize) -> usize {
        // The free buffer whose length is nearest.
        let nearest = (0..self.free.len()).min_by_key(|&place| self.lens[self.free[place]].abs_diff(len));
        let slot = match nearest {
            Some(place) => self.free.swap_remove(place),
            None => {
                self.lens.push(0);
                self.lens.len() - 1
            }
        };
        self.lens[slot] = self.lens[slot].max(len);
        slot
    }

    fn release(&mut self, slot: usize) {
        self.free.push(slot);
    }
}
