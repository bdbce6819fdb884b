//! Padding masks.

use super::Plan;
use crate::float::Float;
use ndarray::ArrayView2;

/// A padding mask: which positions of a batch are valid and which are padding.
///
/// A mask covers the leading axes of a sample: the steps of a sequence (steps, features), the words of a document
/// (sentences, words, features).
///
/// # Examples
/// ```
/// use axonal::custom::Mask;
///
/// // Two sequences of three steps; the second has one step and two of padding.
/// let mask = Mask::new(&[true, true, true, true, false, false], 3);
/// assert!(mask.is_valid(0, 2) && !mask.is_valid(1, 2));
/// assert_eq!(mask.positions(), 3);
/// ```
#[derive(Debug, Clone, Copy)]
pub struct Mask<'a> {
    valid: &'a [bool],
    positions: usize,
    /// Length of the runs read in reverse order, if any.
    reversed: Option<usize>,
    /// The samples that this mask covers: `first`, `first + stride`, …
    first: usize,
    stride: usize,
}

impl<'a> Mask<'a> {
    /// Creates a mask from a flag for each position, (batch, positions); true means valid.
    #[must_use]
    pub fn new(valid: &'a [bool], positions: usize) -> Self {
        Self { valid, positions, reversed: None, first: 0, stride: 1 }
    }

    /// Number of positions of a sample.
    #[must_use]
    pub fn positions(&self) -> usize {
        self.positions
    }

    /// Whether a position of a sample is valid. Positions beyond the end of the mask are.
    #[must_use]
    pub fn is_valid(&self, sample: usize, position: usize) -> bool {
        let sample = sample.saturating_mul(self.stride).saturating_add(self.first);
        let index = sample.saturating_mul(self.positions).saturating_add(position);
        // Beyond the mask, also where the reversed index would be.
        if index >= self.valid.len() {
            return true;
        }
        let index = match self.reversed {
            Some(run) => index / run * run + (run - 1 - index % run),
            None => index,
        };
        self.valid.get(index).copied().unwrap_or(true)
    }

    /// The mask of the samples with their positions in reverse order.
    pub(crate) fn reversed(self) -> Self {
        let reversed = if self.reversed.is_some() { None } else { Some(self.positions.max(1)) };
        Self { reversed, ..self }
    }

    /// The mask after splitting each sample into `parts` samples.
    pub(crate) fn split(self, parts: usize) -> Self {
        Self { positions: self.positions / parts.max(1), ..self }
    }

    /// The mask of part `part` of each sample, after splitting each sample into `parts` parts.
    pub(crate) fn part(self, parts: usize, part: usize) -> Self {
        Self { first: part, stride: parts, ..self.split(parts) }
    }
}

/// The arguments of [`Layer::mask`](super::Layer::mask), which computes a mask before the forward pass.
#[derive(Debug)]
#[non_exhaustive]
pub struct MaskPass<'a, F> {
    /// The input, (batch, n_in).
    pub x: ArrayView2<'a, F>,
    /// The mask of the input, if any.
    pub mask: Option<Mask<'a>>,
    /// Output: which positions of the layer's output are valid, (batch, positions). The plan declares the shape. Every element
    /// must be overwritten.
    pub valid: &'a mut [bool],
    /// The layer's plan; a container always sets it.
    pub plan: Option<&'a Plan>,
}

impl<'a, F: Float> MaskPass<'a, F> {
    /// Creates the arguments without a plan; [`planned`](Self::planned) adds it.
    pub fn new(x: ArrayView2<'a, F>, mask: Option<Mask<'a>>, valid: &'a mut [bool]) -> Self {
        Self { x, mask, valid, plan: None }
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
            .flat_map(|sample| (0..mask.positions()).map(move |position| mask.is_valid(sample, position)))
            .collect()
    }

    #[test]
    fn masks_are_reversed_and_split_without_copying() {
        let valid = [true, false, false, true, true, true, false, false];
        let mask = Mask::new(&valid, 4);
        assert_eq!(all(mask.reversed(), 2), [true, false, false, true, false, false, true, true]);
        assert_eq!(all(mask.reversed().reversed(), 2), valid);
        assert_eq!(all(mask.split(2), 4), valid);
        assert_eq!(all(mask.split(2).reversed(), 4), [false, true, true, false, true, true, false, false]);
        assert_eq!(all(mask.reversed().split(2), 4), all(mask.reversed(), 2));
        assert_eq!(all(mask.part(2, 0), 2), [true, false, true, true]);
        assert_eq!(all(mask.part(2, 1).reversed(), 2), [true, false, false, false]);
        assert!(mask.is_valid(7, 0));
        assert!(mask.is_valid(usize::MAX, usize::MAX) && mask.reversed().is_valid(usize::MAX, 3));
    }
}
