//! What a layer is handed when it computes.

use super::{Mask, Plan};
use crate::float::Float;
use crate::rng::RowRng;
use ndarray::{ArrayView2, ArrayViewMut2};
use std::ops::Range;

/// Whether a network learns or answers.
///
/// Random numbers and writable state exist only while training, so that dropout without a generator, or a
/// moving average that changes during inference, cannot be written down.
#[derive(Debug)]
pub enum Mode<'a, F> {
    /// `fit` and `train_on_batch`.
    Train {
        /// Random numbers, addressed by the sample's row.
        rng: RowRng,
        /// The layer's state (moving statistics), to be updated.
        state: &'a mut [F],
    },
    /// `predict` and `evaluate`.
    Infer {
        /// The layer's state, as it is.
        state: &'a [F],
    },
}

impl<F> Mode<'_, F> {
    /// The same mode for a shorter time, for a layer that calls another.
    pub fn reborrow(&mut self) -> Mode<'_, F> {
        match self {
            Mode::Train { rng, state } => Mode::Train { rng: *rng, state },
            Mode::Infer { state } => Mode::Infer { state },
        }
    }

    /// The layer's state, to be read.
    #[must_use]
    pub fn state(&self) -> &[F] {
        match self {
            Mode::Train { state, .. } => state,
            Mode::Infer { state } => state,
        }
    }

    /// Whether the network learns.
    #[must_use]
    pub fn is_training(&self) -> bool {
        matches!(self, Mode::Train { .. })
    }
}

/// The views of a forward pass.
///
/// # Shapes
/// `x`: (batch, n_in), `y`: (batch, n_out), row-major, with n the product of the sample shape; a layer that
/// works on several axes finds them in `plan`.
#[derive(Debug)]
#[non_exhaustive]
pub struct Forward<'a, F> {
    /// The input.
    pub x: ArrayView2<'a, F>,
    /// The output, to be overwritten whole.
    pub y: ArrayViewMut2<'a, F>,
    /// The parameters, in the order in which the plan declares them.
    pub params: &'a [F],
    /// What `forward` wants to hand to `backward`, of the length that the plan declares for this batch.
    pub cache: &'a mut [F],
    /// Training or inference, with the state.
    pub mode: Mode<'a, F>,
    /// Which positions of the input are real, where a layer before has said so.
    pub mask: Option<Mask<'a>>,
    /// The layer's plan, where the caller has one; a container always has.
    pub plan: Option<&'a Plan>,
}

impl<'a, F: Float> Forward<'a, F> {
    /// The views of a forward pass; [`planned`](Self::planned) adds the plan.
    pub fn new(
        x: ArrayView2<'a, F>,
        y: ArrayViewMut2<'a, F>,
        params: &'a [F],
        cache: &'a mut [F],
        mode: Mode<'a, F>,
    ) -> Self {
        Self { x, y, params, cache, mode, mask: None, plan: None }
    }

    /// Adds the mask of the input.
    #[must_use]
    pub fn masked(mut self, mask: Option<Mask<'a>>) -> Self {
        self.mask = mask;
        self
    }

    /// Adds the plan, which layers over several axes (convolutions, pooling, recurrence) read their geometry
    /// from.
    #[must_use]
    pub fn planned(mut self, plan: &'a Plan) -> Self {
        self.plan = Some(plan);
        self
    }
}

/// The views of a backward pass.
///
/// # Shapes
/// `x`, `dx`: (batch, n_in), `y`, `dy`: (batch, n_out), row-major.
#[derive(Debug)]
#[non_exhaustive]
pub struct Backward<'a, F> {
    /// The input of the forward pass.
    pub x: ArrayView2<'a, F>,
    /// The output of the forward pass. Where the plan declares an activation, this is the activated output.
    pub y: ArrayView2<'a, F>,
    /// The gradient toward the output; it may be used up as scratch space.
    pub dy: ArrayViewMut2<'a, F>,
    /// The gradient toward the input, to be overwritten whole.
    pub dx: ArrayViewMut2<'a, F>,
    /// False for the first layer of a network: then `dx` is scratch space and need not be computed.
    pub dx_needed: bool,
    /// The parameters.
    pub params: &'a [F],
    /// False where the plan declares [`gradient_rows`](Plan::gradient_rows) and the container asks for the gradients
    /// toward the parameters by rows: then `grads` is empty, and `dy` must be left as it is.
    pub grads_needed: bool,
    /// The gradients toward the parameters, to be *added* to.
    pub grads: &'a mut [F],
    /// What `forward` has left; it may be used up.
    pub cache: &'a mut [F],
    /// The batch size of the network, by which the gradients of activity penalties are divided. Inside
    /// [`TimeDistributed`](crate::nn::TimeDistributed), where a row is one step, it is not the number of rows.
    pub samples: usize,
    /// The mask of the forward pass.
    pub mask: Option<Mask<'a>>,
    /// The layer's plan, where the caller has one; a container always has.
    pub plan: Option<&'a Plan>,
}

impl<'a, F: Float> Backward<'a, F> {
    /// The views of a backward pass, with `dx` needed; [`planned`](Self::planned) adds the plan.
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
        }
    }

    /// Sets the number of samples, where it is not the number of rows.
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

    /// Says whether `dx` will be read.
    #[must_use]
    pub fn dx_needed(mut self, needed: bool) -> Self {
        self.dx_needed = needed;
        self
    }

    /// Says whether the gradients toward the parameters are wanted.
    #[must_use]
    pub fn grads_needed(mut self, needed: bool) -> Self {
        self.grads_needed = needed;
        self
    }
}

/// The views from which a layer writes what samples leave to those of the next batch.
#[derive(Debug)]
#[non_exhaustive]
pub struct Carry<'a, F> {
    /// What the forward pass has left for the way back.
    pub cache: &'a mut [F],
    /// The layer's state, to be moved.
    pub state: &'a mut [F],
    /// How many samples there were.
    pub batch: usize,
    /// The layer's plan.
    pub plan: &'a Plan,
}

impl<'a, F: Float> Carry<'a, F> {
    /// The views after a forward pass.
    pub fn new(cache: &'a mut [F], state: &'a mut [F], batch: usize, plan: &'a Plan) -> Self {
        Self { cache, state, batch, plan }
    }
}

/// The views from which a layer computes the activity penalties of its nested layers.
#[derive(Debug, Clone, Copy)]
#[non_exhaustive]
pub struct ActivityPenalty<'a, F> {
    /// The layer's cache after the forward pass.
    pub cache: &'a [F],
    /// The layer's output, after its declared activation: (batch, n_out).
    pub y: ArrayView2<'a, F>,
    /// The layer's plan.
    pub plan: &'a Plan,
}

impl<'a, F: Float> ActivityPenalty<'a, F> {
    /// The views after a forward pass.
    pub fn new(cache: &'a [F], y: ArrayView2<'a, F>, plan: &'a Plan) -> Self {
        Self { cache, y, plan }
    }
}

/// The views from which a layer computes the gradient toward some of its parameters.
#[derive(Debug)]
#[non_exhaustive]
pub struct Gradient<'a, F> {
    /// The input of the forward pass, (batch, n_in).
    pub x: ArrayView2<'a, F>,
    /// The gradient toward the output, (batch, n_out), as [`Layer::backward`](super::Layer::backward) was handed it.
    pub dy: ArrayView2<'a, F>,
    /// Which of the rows that the plan declares by [`gradient_rows`](Plan::gradient_rows).
    pub rows: Range<usize>,
    /// The gradient toward these rows, to be *overwritten*; with `add`, what it is to be *added* to.
    pub grads: &'a mut [F],
    /// True only where the plan [adds gradients](Plan::adds_gradients).
    pub add: bool,
}

impl<'a, F: Float> Gradient<'a, F> {
    /// The views of a gradient.
    pub fn new(x: ArrayView2<'a, F>, dy: ArrayView2<'a, F>, rows: Range<usize>, grads: &'a mut [F]) -> Self {
        Self { x, dy, rows, grads, add: false }
    }

    /// Whether the gradient is added to what there is.
    #[must_use]
    pub fn adding(mut self, add: bool) -> Self {
        self.add = add;
        self
    }
}
