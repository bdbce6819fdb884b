//! The interface of a recurrent cell: one time step of one sample, forward and backward, on slices.
//!
//! Notation, with `∘` the elementwise product and ₋₁ for the previous step:
//!
//! | symbol | shape | meaning |
//! |---|---|---|
//! | `x` | (features) | input of a step |
//! | `W` | (features, gates · units) | kernel |
//! | `R` | (units, gates · units) | recurrent kernel |
//! | `b` | (gates · units) | bias |
//! | `h` | (units) | output, the first vector of the state |
//! | `a` | (gates · units) | pre-activations, `a = x · W + h₋₁ · R + b` |
//!
//! The columns of `W` and `R` belong to the gates one after the other, so the first `units` values of `a` are those of
//! the first gate. A candidate value counts as a gate here.

use super::options::RecurrentOptions;
use crate::activation::Activation;
use crate::error::Result;
use crate::float::Float;
use crate::float::lanes::WIDE_BLOCK;
use crate::initializer::Initializer;
use crate::nn::layers::blocks::{BLOCK, blocks};
use crate::simd::vectorize;
use std::ops::Range;

/// The equations of one time step of a recurrent layer.
///
/// [`scan`](super::scan) calls them for every step of every sample that is not padding. The gradient through the
/// products with `W` and `R` is the scan's; a cell differentiates what lies between the pre-activations and the state.
pub(super) trait Cell: Sync {
    /// The layer's name in messages and files.
    const KIND: &'static str;

    /// Number of gates: blocks of `units` columns in both kernels.
    const GATES: usize;

    /// Names of the state's vectors, `units` values each, that a step leaves to the next one. The first is the output `h`.
    const STATES: &'static [&'static str];

    /// Length of the output `h`.
    fn units(&self) -> usize;

    /// The options that all recurrent layers share.
    fn options(&self) -> &RecurrentOptions;

    /// How `h₋₁` reaches the pre-activations.
    fn recurrence(&self) -> Recurrence {
        Recurrence::Joint
    }

    /// Vectors of `units` values that a forward step leaves in `saved` for the backward step.
    fn saved_vectors(&self) -> usize {
        0
    }

    /// Initializer of the bias.
    fn bias_initializer(&self) -> Initializer {
        self.options().bias_initializer.clone()
    }

    /// Checks the options that this cell alone has.
    fn validate(&self) -> Result<()> {
        Ok(())
    }

    /// Computes the gates and the new state from the pre-activations and the previous state.
    fn forward_step<F: Float>(&self, step: ForwardStep<'_, F>);

    /// Computes the gradient toward the pre-activations and the previous state from the gradient toward the new state.
    fn backward_step<F: Float>(&self, step: BackwardStep<'_, F>);

    /// Writes the reset state `r ∘ h₋₁` to `step.recurrent`, before [`forward_step`](Self::forward_step). The last gate's
    /// columns of `step.a` do not have their product with `R` yet. Called for [`Recurrence::ResetState`] only.
    fn reset_state<F: Float>(&self, step: ForwardStep<'_, F>) {
        let _ = step;
    }

    /// Differentiates [`reset_state`](Self::reset_state), after [`backward_step`](Self::backward_step). `dreset` is the
    /// gradient toward the reset state, (units). Called for [`Recurrence::ResetState`] only.
    fn reset_state_backward<F: Float>(&self, step: BackwardStep<'_, F>, dreset: &[F]) {
        let _ = (step, dreset);
    }
}

/// A cell whose forward step with the default activations is computed for blocks of units, in one pass.
pub(super) trait BlockStep {
    /// The forward step of at most `N` units, marked `#[inline(always)]`; the same bits as [`Cell::forward_step`] with any
    /// activations.
    fn block_step<F: Float, const N: usize>(units: usize, block: Range<usize>, step: &mut ForwardStep<'_, F>);
}

/// The forward step in blocks of all units.
pub(super) fn step_in_blocks<C: BlockStep, F: Float>(units: usize, mut step: ForwardStep<'_, F>) {
    vectorize(
        #[inline(always)]
        || {
            let wide = units - units % WIDE_BLOCK;
            for block in blocks::<WIDE_BLOCK>(0..wide) {
                C::block_step::<F, WIDE_BLOCK>(units, block, &mut step);
            }
            for block in blocks::<BLOCK>(wide..units) {
                C::block_step::<F, BLOCK>(units, block, &mut step);
            }
        },
    );
}

/// How the previous output reaches the pre-activations through the recurrent kernel.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Recurrence {
    /// One sum for each gate: `a = x · W + h₋₁ · R + b`.
    Joint,
    /// Two sums, each with a bias: `a = x · W + b₀` and `u = h₋₁ · R + b₁`, so that a gate can scale `u`.
    Separate,
    /// [`Joint`](Self::Joint) for all gates but the last one, whose columns of `R` multiply the reset state `r ∘ h₋₁`.
    ResetState,
}

impl Recurrence {
    /// The vectors of `units` values that a step of one sample keeps for it: `u`, or the reset state.
    pub(super) fn vectors(self, gates: usize) -> usize {
        match self {
            Self::Joint => 0,
            Self::Separate => gates,
            Self::ResetState => 1,
        }
    }

    /// The gates whose columns of `R` multiply `h₋₁` itself.
    pub(super) fn direct_gates(self, gates: usize) -> Range<usize> {
        if self == Self::ResetState { 0..gates - 1 } else { 0..gates }
    }
}

/// A forward step of one sample.
#[derive(Debug)]
pub(super) struct ForwardStep<'a, F> {
    /// Pre-activations, (gates · units). The backward step finds what the forward step leaves here.
    pub(super) a: &'a mut [F],
    /// `u`, (gates · units), for [`Recurrence::Separate`]; the reset state, (units), for [`Recurrence::ResetState`].
    pub(super) recurrent: &'a mut [F],
    /// Activated gates, (gates · units), to be overwritten.
    pub(super) gates: &'a mut [F],
    /// Further values for the backward step, (saved vectors · units), to be overwritten.
    pub(super) saved: &'a mut [F],
    /// The previous state, (states · units), to be overwritten by the new one.
    pub(super) state: &'a mut [F],
}

/// A backward step of one sample.
#[derive(Debug)]
pub(super) struct BackwardStep<'a, F> {
    /// Pre-activations, (gates · units), to be overwritten by their gradient `da`.
    pub(super) a: &'a mut [F],
    /// `u`, (gates · units), to be overwritten by its gradient `du`, for [`Recurrence::Separate`]; the reset state for
    /// [`Recurrence::ResetState`].
    pub(super) recurrent: &'a mut [F],
    /// Activated gates, (gates · units).
    pub(super) gates: &'a [F],
    /// What the forward step saved.
    pub(super) saved: &'a [F],
    /// The state before the step, (states · units).
    pub(super) previous: &'a [F],
    /// The state after the step, (states · units).
    pub(super) state: &'a [F],
    /// The gradient toward the state after the step, (states · units), to be overwritten by the gradient toward the state
    /// before it, without the part that flows through `R`.
    pub(super) dstate: &'a mut [F],
    /// Scratch space for the gradient toward the gates, (gates · units).
    pub(super) dgates: &'a mut [F],
}

/// Differentiates `gates = activation(a)` for a range of gates: reads the gradient toward them from `dgates` and writes
/// `da` to `a`.
pub(super) fn activation_backward<F: Float>(
    activation: Activation,
    units: usize,
    gates: Range<usize>,
    step: &mut BackwardStep<'_, F>,
) {
    let range = gates.start * units..gates.end * units;
    let dgates = &mut step.dgates[range.clone()];
    activation.gradient(units, &step.a[range.clone()], &step.gates[range.clone()], dgates);
    step.a[range].copy_from_slice(dgates);
}

/// The first `N` vectors of `units` values of a row.
pub(super) fn vectors<const N: usize, F>(row: &[F], units: usize) -> [&[F]; N] {
    std::array::from_fn(|index| &row[index * units..][..units])
}

/// The first `N` vectors of `units` values of a row, mutable.
pub(super) fn vectors_mut<const N: usize, F>(mut row: &mut [F], units: usize) -> [&mut [F]; N] {
    std::array::from_fn(|_| split_off_front(&mut row, units))
}

/// Splits the first `len` values off a slice.
pub(super) fn split_off_front<'a, F>(slice: &mut &'a mut [F], len: usize) -> &'a mut [F] {
    let (front, rest) = std::mem::take(slice).split_at_mut(len);
    *slice = rest;
    front
}
