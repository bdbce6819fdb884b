//! Which positions of a batch are padding.

use super::Plan;
use crate::float::Float;
use ndarray::ArrayView2;

/// Which positions of a batch are real; the others are padding, which brings samples to one length.
///
/// A mask covers the leading axes of a sample: of a sequence (steps, features) its steps, of sentences of words
/// (sentences, words, features) the words.
///
/// # Examples
/// ```
/// use axonal::custom::Mask;
///
/// // Two sequences of three steps, the second of which ends early.
/// let mask = Mask::new(&[true, true, true, true, false, false], 3);
/// assert!(mask.is_real(0, 2) && !mask.is_real(1, 2));
/// assert_eq!(mask.positions(), 3);
/// ```
#[derive(Debug, Clone, Copy)]
pub struct Mask<'a> {
    real: &'a [bool],
    positions: usize,
    /// The length of the runs that are read from their ends, if any are.
    turned: Option<usize>,
}

impl<'a> Mask<'a> {
    /// A mask from what it says of each position: (batch, positions).
    #[must_use]
    pub fn new(real: &'a [bool], positions: usize) -> Self {
        Self { real, positions, turned: None }
    }

    /// How many positions a sample has.
    #[must_use]
    pub fn positions(&self) -> usize {
        self.positions
    }

    /// Whether a position of a sample is real; what the mask does not reach is.
    #[must_use]
    pub fn is_real(&self, sample: usize, position: usize) -> bool {
        let index = sample * self.positions + position;
        let index = match self.turned {
            Some(run) => index / run * run + (run - 1 - index % run),
            None => index,
        };
        self.real.get(index).copied().unwrap_or(true)
    }

    /// The mask of the same samples turned round, whose last position comes first.
    pub(crate) fn turned(self) -> Self {
        let turned = if self.turned.is_some() { None } else { Some(self.positions.max(1)) };
        Self { turned, ..self }
    }

    /// The mask of the parts of the samples, each part a sample by itself.
    pub(crate) fn split(self, parts: usize) -> Self {
        Self { positions: self.positions / parts.max(1), ..self }
    }
}

/// What a layer that makes a mask is handed, before its forward pass.
#[derive(Debug)]
#[non_exhaustive]
pub struct MaskPass<'a, F> {
    /// The input, (batch, n_in).
    pub x: ArrayView2<'a, F>,
    /// The mask of the input, if there is one.
    pub mask: Option<Mask<'a>>,
    /// Which positions of the output are real, to be overwritten whole: (batch, positions), of the shape that the plan
    /// declares.
    pub real: &'a mut [bool],
    /// The layer's plan, where the caller has one; a container always has.
    pub plan: Option<&'a Plan>,
}

impl<'a, F: Float> MaskPass<'a, F> {
    /// The views of a mask in the making; [`planned`](Self::planned) adds the plan.
    pub fn new(x: ArrayView2<'a, F>, mask: Option<Mask<'a>>, real: &'a mut [bool]) -> Self {
        Self { x, mask, real, plan: None }
    }

    /// Adds the plan, as [`Forward::planned`](super::Forward::planned).
    #[must_use]
    pub fn planned(mut self, plan: &'a Plan) -> Self {
        self.plan = Some(plan);
        self
    }
}

#[cfg(test)]
mod tests {
    use super::Mask;

    fn all(mask: Mask<'_>, samples: usize) -> Vec<bool> {
        (0..samples)
            .flat_map(|sample| (0..mask.positions()).map(move |position| mask.is_real(sample, position)))
            .collect()
    }

    #[test]
    fn a_mask_turns_and_splits_without_a_copy() {
        let real = [true, false, false, true, true, true, false, false];
        let mask = Mask::new(&real, 4);
        assert_eq!(all(mask.turned(), 2), [true, false, false, true, false, false, true, true]);
        assert_eq!(all(mask.turned().turned(), 2), real);
        assert_eq!(all(mask.split(2), 4), real);
        assert_eq!(all(mask.split(2).turned(), 4), [false, true, true, false, true, true, false, false]);
        assert_eq!(all(mask.turned().split(2), 4), all(mask.turned(), 2));
        assert!(mask.is_real(7, 0));
    }
}
