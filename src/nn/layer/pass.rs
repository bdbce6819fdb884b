//! Arguments of the layer methods: [`Forward`], [`Backward`], [`Gradient`], [`Carry`], [`ActivityPenalty`].

use super::{Mask, Plan};
use crate::distributed::Collective;
use crate::float::Float;
use crate::rng::RowRng;
use ndarray::{ArrayView2, ArrayViewMut2};
use std::ops::Range;

/// Training or inference mode of a pass.
///
/// Only training mode provides random numbers and mutable state, so inference can neither drop units nor change moving
/// averages.
#[derive(Debug)]
pub enum Mode<'a, F> {
    /// Training: `fit` and `train_on_batch`.
    Train {
        /// Random number generator, addressed by the sample's row.
        rng: RowRng,
        /// The layer's state (moving statistics), mutable.
        state: &'a mut [F],
    },
    /// Inference: `predict` and `evaluate`.
    Infer {
        /// The layer's state, read-only.
        state: &'a [F],
    },
}

impl<F> Mode<'_, F> {
    /// Reborrows the mode, for a layer that calls a nested layer.
    pub fn reborrow(&mut self) -> Mode<'_, F> {
        match self {
            Mode::Train { rng, state } => Mode::Train { rng: *rng, state },
            Mode::Infer { state } => Mode::Infer { state },
        }
    }

    /// The layer's state, read-only.
    #[must_use]
    pub fn state(&self) -> &[F] {
        match self {
            Mode::Train { state, .. } => state,
            Mode::Infer { state } => state,
        }
    }

    /// Whether this is training mode.
    #[must_use]
    pub fn is_training(&self) -> bool {
        matches!(self, Mode::Train { .. })
    }
}

/// The arguments of [`Layer::forward`](super::Layer::forward).
///
/// # Shapes
/// `x`: (batch, n_in), `y`: (batch, n_out), row-major; n_in and n_out are the products of the sample shapes, which `plan`
/// holds.
#[derive(Debug)]
#[non_exhaustive]
pub struct Forward<'a, F> {
    /// The input.
    pub x: ArrayView2<'a, F>,
    /// The output; every element must be overwritten.
    pub y: ArrayViewMut2<'a, F>,
    /// The parameters, in the order in which the plan declares them.
    pub params: &'a [F],
    /// Cache for values that `backward` needs, of the length that the plan declares for this batch.
    pub cache: &'a mut [F],
    /// Training or inference, with the state.
    pub mode: Mode<'a, F>,
    /// The padding mask of the input, if a previous layer computes one.
    pub mask: Option<Mask<'a>>,
    /// The layer's plan; a container always sets it.
    pub plan: Option<&'a Plan>,
    /// The ranks of a [distributed](crate::distributed) training step, for a layer that declares
    /// [`synchronizes`](Plan::synchronizes).
    pub group: Option<&'a dyn Collective>,
    /// Whether a backward pass may follow. False in `predict` and `evaluate`: then a layer need not fill what only
    /// `backward` reads from the cache.
    pub backward_follows: bool,
}

impl<'a, F: Float> Forward<'a, F> {
    /// Creates the arguments without mask and plan; [`masked`](Self::masked) and [`planned`](Self::planned) add them.
    pub fn new(
        x: ArrayView2<'a, F>,
        y: ArrayViewMut2<'a, F>,
        params: &'a [F],
        cache: &'a mut [F],
        mode: Mode<'a, F>,
    ) -> Self {
        Self { x, y, params, cache, mode, mask: None, plan: None, group: None, backward_follows: true }
    }

    /// Says whether a backward pass may follow.
    #[must_use]
    pub fn before_backward(mut self, backward_follows: bool) -> Self {
        self.backward_follows = backward_follows;
        self
    }

    /// Adds the mask of the input.
    #[must_use]
    pub fn masked(mut self, mask: Option<Mask<'a>>) -> Self {
        self.mask = mask;
        self
    }

    /// Adds the ranks of a distributed training step.
    #[must_use]
    pub fn grouped(mut self, group: Option<&'a dyn Collective>) -> Self {
        self.group = group;
        self
    }

    /// Adds the plan, from which layers over several axes (convolutions, pooling, recurrence) read their shapes.
    #[must_use]
    pub fn planned(mut self, plan: &'a Plan) -> Self {
        self.plan = Some(plan);
        self
    }
}

/// The arguments of [`Layer::backward`](super::Layer::backward).
///
/// # Shapes
/// `x`, `dx`: (batch, n_in), `y`, `dy`: (batch, n_out), row-major.
#[derive(Debug)]
#[non_exhaustive]
pub struct Backward<'a, F> {
    /// The input of the forward pass.
    pub x: ArrayView2<'a, F>,
    /// The output of the forward pass, after the activation that the plan declares, if any.
    pub y: ArrayView2<'a, F>,
    /// The gradient of the loss with respect to the output; may be overwritten as scratch space.
    pub dy: ArrayViewMut2<'a, F>,
    /// The gradient of the loss with respect to the input; every element must be overwritten.
    pub dx: ArrayViewMut2<'a, F>,
    /// False for the first trainable layer of a network: then `dx` need not be computed and may be used as scratch space.
    pub dx_needed: bool,
    /// The parameters.
    pub params: &'a [F],
    /// False if the plan declares [`gradient_rows`](Plan::gradient_rows) and the container computes the parameter gradients by
    /// [`Layer::gradient`](super::Layer::gradient): then `grads` is empty, and `dy` must not be changed.
    pub grads_needed: bool,
    /// The parameter gradients, to which the layer *adds*.
    pub grads: &'a mut [F],
    /// The cache that `forward` filled; may be overwritten.
    pub cache: &'a mut [F],
    /// The batch size of the network, by which the gradients of activity penalties are divided. Inside
    /// [`TimeDistributed`](crate::layers::TimeDistributed) it differs from the number of rows, since each row is a step.
    /// `usize::MAX` in passes without penalties, which compute the gradient of the network's inputs.
    pub samples: usize,
    /// The mask of the forward pass.
    pub mask: Option<Mask<'a>>,
    /// The layer's plan; a container always sets it.
    pub plan: Option<&'a Plan>,
    /// The ranks of the forward pass.
    pub group: Option<&'a dyn Collective>,
}

impl<'a, F: Float> Backward<'a, F> {
    /// Creates the arguments with all gradients needed and without mask and plan.
    pub fn new(
        x: ArrayView2<'a, F>,
        y: ArrayView2<'a, F>,
        dy: ArrayViewMut2<'a, F>,
        dx: ArrayViewMut2<'a, F>,
        params: &'a [F],
        grads: &'a mut [F],
        cache: &'a mut [F],
    ) -> Self {
        Self {
            x,
            y,
            dy,
            dx,
            dx_needed: true,
            params,
            grads_needed: true,
            grads,
            cache,
            samples: x.nrows(),
            mask: None,
            plan: None,
            group: None,
        }
    }

    /// Sets the batch size of the network, if it differs from the number of rows.
    #[must_use]
    pub fn samples(mut self, samples: usize) -> Self {
        self.samples = samples;
        self
    }

    /// Adds the mask, as [`Forward::masked`].
    #[must_use]
    pub fn masked(mut self, mask: Option<Mask<'a>>) -> Self {
        self.mask = mask;
        self
    }

    /// Adds the plan, as [`Forward::planned`].
    #[must_use]
    pub fn planned(mut self, plan: &'a Plan) -> Self {
        self.plan = Some(plan);
        self
    }

    /// Adds the ranks, as [`Forward::grouped`].
    #[must_use]
    pub fn grouped(mut self, group: Option<&'a dyn Collective>) -> Self {
        self.group = group;
        self
    }

    /// Sets whether `dx` must be computed.
    #[must_use]
    pub fn dx_needed(mut self, needed: bool) -> Self {
        self.dx_needed = needed;
        self
    }

    /// Sets whether the parameter gradients must be computed.
    #[must_use]
    pub fn grads_needed(mut self, needed: bool) -> Self {
        self.grads_needed = needed;
        self
    }
}

/// The arguments of [`Layer::carry`](super::Layer::carry), which writes the state carried to the next batch.
#[derive(Debug)]
#[non_exhaustive]
pub struct Carry<'a, F> {
    /// The cache that the forward pass filled.
    pub cache: &'a mut [F],
    /// The layer's state, to be updated.
    pub state: &'a mut [F],
    /// The batch size.
    pub batch: usize,
    /// The layer's plan.
    pub plan: &'a Plan,
}

impl<'a, F: Float> Carry<'a, F> {
    /// Creates the arguments.
    pub fn new(cache: &'a mut [F], state: &'a mut [F], batch: usize, plan: &'a Plan) -> Self {
        Self { cache, state, batch, plan }
    }
}

/// The arguments of [`Layer::activity_penalty`](super::Layer::activity_penalty), the penalties on the outputs of nested layers.
#[derive(Debug, Clone, Copy)]
#[non_exhaustive]
pub struct ActivityPenalty<'a, F> {
    /// The cache that the forward pass filled.
    pub cache: &'a [F],
    /// The layer's output, after its declared activation: (batch, n_out).
    pub y: ArrayView2<'a, F>,
    /// The layer's plan.
    pub plan: &'a Plan,
}

impl<'a, F: Float> ActivityPenalty<'a, F> {
    /// Creates the arguments.
    pub fn new(cache: &'a [F], y: ArrayView2<'a, F>, plan: &'a Plan) -> Self {
        Self { cache, y, plan }
    }
}

/// The arguments of [`Layer::gradient`](super::Layer::gradient), the gradient of some rows of the parameters.
#[derive(Debug)]
#[non_exhaustive]
pub struct Gradient<'a, F> {
    /// The input of the forward pass, (batch, n_in).
    pub x: ArrayView2<'a, F>,
    /// The gradient of the loss with respect to the output, (batch, n_out), as passed to
    /// [`Layer::backward`](super::Layer::backward).
    pub dy: ArrayView2<'a, F>,
    /// The range of parameter rows; the plan declares their length by [`gradient_rows`](Plan::gradient_rows).
    pub rows: Range<usize>,
    /// The gradient of these rows, to be *overwritten*; with `add`, the values to *add* the gradient to.
    pub grads: &'a mut [F],
    /// Whether to add. True only if the plan declares [`adds_gradients`](Plan::adds_gradients).
    pub add: bool,
}

impl<'a, F: Float> Gradient<'a, F> {
    /// Creates the arguments, with `add` false.
    pub fn new(x: ArrayView2<'a, F>, dy: ArrayView2<'a, F>, rows: Range<usize>, grads: &'a mut [F]) -> Self {
        Self { x, dy, rows, grads, add: false }
    }

    /// Sets whether to add the gradient to `grads`.
    #[must_use]
    pub fn adding(mut self, add: bool) -> Self {
        self.add = add;
        self
    }
}
