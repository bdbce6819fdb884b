//! How a window slides over an image: the geometry of convolutions and pooling.

use crate::error::{Error, Result};
use crate::nn::layer::Shape;
use serde::{Deserialize, Serialize};
use std::ops::Range;

/// What lies beyond the edges of a sequence or an image.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum Padding {
    /// Nothing: the window stays inside.
    #[default]
    Valid,
    /// Zeros, so that at a stride of 1 the output is as large as the input; an odd one stands at the end.
    Same,
    /// Zeros before the beginning only, so that a step sees no later one. For sequences.
    Causal,
}

/// A size in rows and columns; a single number stands for both.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Size2D([usize; 2]);

impl Size2D {
    /// Rows and columns.
    #[must_use]
    pub fn dims(self) -> [usize; 2] {
        self.0
    }
}

impl From<usize> for Size2D {
    fn from(size: usize) -> Self {
        Self([size, size])
    }
}

impl From<[usize; 2]> for Size2D {
    fn from(dims: [usize; 2]) -> Self {
        Self(dims)
    }
}

impl From<(usize, usize)> for Size2D {
    fn from((rows, columns): (usize, usize)) -> Self {
        Self([rows, columns])
    }
}

/// A window's size, steps and spread in rows and columns; a sequence is an image of one row.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Sliding {
    pub(crate) size: [usize; 2],
    pub(crate) strides: [usize; 2],
    pub(crate) dilation: [usize; 2],
    pub(crate) padding: Padding,
    /// The padding across the rows; a sequence has none.
    pub(crate) sequence: bool,
}

/// A window over images of a given size.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Window {
    pub(crate) input: [usize; 2],
    pub(crate) output: [usize; 2],
    pub(crate) size: [usize; 2],
    pub(crate) strides: [usize; 2],
    pub(crate) dilation: [usize; 2],
    /// How many zeros stand before the first row and column.
    pub(crate) before: [usize; 2],
}

/// Rows, columns and channels of a sample: (steps, channels) or (rows, columns, channels).
pub(crate) fn image(owner: &str, sequence: bool, input: &Shape) -> Result<([usize; 2], usize)> {
    match *input.dims() {
        [steps, channels] if sequence => Ok(([1, steps], channels)),
        [rows, columns, channels] if !sequence => Ok(([rows, columns], channels)),
        _ => {
            let expected =
                if sequence { "samples (steps, channels)" } else { "samples (rows, columns, channels)" };
            Err(Error::shape(owner, expected, input))
        }
    }
}

/// The shape of what comes out, with so many channels.
pub(crate) fn output_shape(sequence: bool, [rows, columns]: [usize; 2], channels: usize) -> Shape {
    if sequence { [columns, channels].into() } else { [rows, columns, channels].into() }
}

impl Sliding {
    /// The window over images of this size.
    pub(crate) fn over(&self, owner: &str, input: [usize; 2]) -> Result<Window> {
        self.check(owner)?;
        let (mut output, mut before) = ([1; 2], [0; 2]);
        for axis in 0..2 {
            let (n, stride) = (input[axis], self.strides[axis]);
            let span = self.span(axis);
            (output[axis], before[axis]) = match self.padding {
                _ if self.sequence && axis == 0 => (1, 0),
                Padding::Valid if n < span => {
                    let what = if span == self.size[axis] { "window" } else { "dilated window" };
                    let name = if self.sequence { "steps" } else { ["rows", "columns"][axis] };
                    return Err(Error::shape(
                        owner,
                        format!("at least {span} {name}, the size of the {what}"),
                        format!("{n}; use a smaller one, or Padding::Same"),
                    ));
                }
                Padding::Valid => ((n - span) / stride + 1, 0),
                Padding::Same => {
                    let output = n.div_ceil(stride);
                    (output, (output.saturating_sub(1) * stride + span).saturating_sub(n) / 2)
                }
                Padding::Causal => (n.saturating_sub(1) / stride + 1, span - 1),
            };
        }
        let Self { size, strides, dilation, .. } = *self;
        Ok(Window { input, output, size, strides, dilation, before })
    }

    /// The window over what a transposed convolution makes of images of this size. By default an input's step covers
    /// `stride` of the output; `output_padding` says how much the last one covers beyond the least that there can be.
    pub(crate) fn under(
        &self,
        owner: &str,
        output: [usize; 2],
        output_padding: Option<[usize; 2]>,
    ) -> Result<Window> {
        self.check(owner)?;
        let (mut input, mut before) = ([1; 2], [0; 2]);
        for axis in 0..2 {
            let (n, stride, span) = (output[axis], self.strides[axis], self.span(axis));
            let more = output_padding.map(|padding| padding[axis]);
            if let Some(more) = more.filter(|&more| more >= stride) {
                let expected = format!("less than the stride {stride}");
                return Err(Error::invalid_parameter(owner, "output_padding", more, expected));
            }
            // How much of the output the last number of the input covers, and the window's part before the first.
            let (last, cut) = match self.padding {
                Padding::Valid => (more.map_or(span.max(stride), |more| span.saturating_add(more)), 0),
                Padding::Same => {
                    let last = more.map_or(stride, |more| span % 2 + more);
                    (last, span.saturating_sub(last) / 2)
                }
                Padding::Causal => {
                    let expected = "Padding::Valid or Padding::Same";
                    return Err(Error::invalid_parameter(owner, "padding", "causal", expected));
                }
            };
            (input[axis], before[axis]) =
                (n.saturating_sub(1).saturating_mul(stride).saturating_add(last), cut);
        }
        let Self { size, strides, dilation, .. } = *self;
        Ok(Window { input, output, size, strides, dilation, before })
    }

    /// How far the window reaches.
    fn span(&self, axis: usize) -> usize {
        (self.size[axis].saturating_sub(1)).saturating_mul(self.dilation[axis]).saturating_add(1)
    }

    fn check(&self, owner: &str) -> Result<()> {
        let names = [("size", self.size), ("strides", self.strides), ("dilation_rate", self.dilation)];
        for (name, values) in names {
            if values.contains(&0) {
                return Err(Error::invalid_parameter(owner, name, 0, "at least 1"));
            }
            // Far beyond any image, and small enough that positions do not overflow.
            if values.iter().any(|&value| value > 1 << 20) {
                return Err(Error::invalid_parameter(
                    owner,
                    name,
                    values[1].max(values[0]),
                    "at most 1048576",
                ));
            }
        }
        if self.padding == Padding::Causal && !self.sequence {
            let expected = "Padding::Valid or Padding::Same; causal padding is for sequences";
            return Err(Error::invalid_parameter(owner, "padding", "causal", expected));
        }
        Ok(())
    }
}

impl Window {
    /// How many places the window takes.
    pub(crate) fn positions(&self) -> usize {
        self.output[0].saturating_mul(self.output[1])
    }

    /// How many numbers of a channel it covers.
    pub(crate) fn taps(&self) -> usize {
        self.size[0] * self.size[1]
    }

    /// Whether it covers one place of the image, each in turn.
    pub(crate) fn is_pointwise(&self) -> bool {
        self.size == [1, 1] && self.strides == [1, 1] && self.before == [0, 0] && self.input == self.output
    }

    /// Which taps lie inside of the image, with the window at place `at` of an axis.
    #[inline(always)]
    pub(crate) fn inside(&self, axis: usize, at: usize) -> Range<usize> {
        let (start, dilation) = (at * self.strides[axis], self.dilation[axis]);
        let first = self.before[axis].saturating_sub(start).div_ceil(dilation);
        let room = (self.input[axis] + self.before[axis]).saturating_sub(start).div_ceil(dilation);
        let end = self.size[axis].min(room);
        first.min(end)..end
    }

    /// The place in the image of a tap that lies inside.
    #[inline(always)]
    pub(crate) fn place(&self, axis: usize, at: usize, tap: usize) -> usize {
        at * self.strides[axis] + tap * self.dilation[axis] - self.before[axis]
    }

    /// Calls `each` with the position of the window, the tap and the place in the image, for all that lie inside.
    #[inline(always)]
    pub(crate) fn each(&self, mut each: impl FnMut(usize, usize, usize)) {
        for row in 0..self.output[0] {
            for column in 0..self.output[1] {
                for tap_row in self.inside(0, row) {
                    let y = self.place(0, row, tap_row);
                    for tap_column in self.inside(1, column) {
                        let x = self.place(1, column, tap_column);
                        let tap = tap_row * self.size[1] + tap_column;
                        each(row * self.output[1] + column, tap, y * self.input[1] + x);
                    }
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sliding(size: usize, stride: usize, dilation: usize, padding: Padding) -> Sliding {
        Sliding { size: [1, size], strides: [1, stride], dilation: [1, dilation], padding, sequence: true }
    }

    #[test]
    fn outputs_and_paddings_are_those_of_keras() {
        // (n, size, stride, dilation, padding) -> (output, before), from keras.md §2.8 and §6.8.
        let cases = [
            ((7, 3, 1, 1, Padding::Valid), (5, 0)),
            ((7, 3, 2, 1, Padding::Valid), (3, 0)),
            ((7, 3, 1, 1, Padding::Same), (7, 1)),
            ((8, 3, 2, 1, Padding::Same), (4, 0)),
            ((7, 4, 1, 1, Padding::Same), (7, 1)),
            ((7, 3, 1, 2, Padding::Same), (7, 2)),
            ((7, 3, 1, 2, Padding::Causal), (7, 4)),
            ((7, 3, 2, 1, Padding::Causal), (4, 2)),
            ((7, 1, 3, 1, Padding::Same), (3, 0)),
        ];
        for ((n, size, stride, dilation, padding), want) in cases {
            let window = sliding(size, stride, dilation, padding).over("test", [1, n]).unwrap();
            assert_eq!(
                (window.output[1], window.before[1]),
                want,
                "{n} {size} {stride} {dilation} {padding:?}"
            );
        }
    }

    #[test]
    fn transposed_outputs_and_what_is_cut_off_are_those_of_keras() {
        // (n, size, stride, dilation, padding, output padding) -> (output, cut off before), from
        // `compute_conv_transpose_padding_args_for_jax` and `compute_conv_transpose_output_shape` of Keras 3.15.
        let cases = [
            ((4, 3, 2, 1, Padding::Valid, None), (9, 0)),
            ((4, 2, 3, 1, Padding::Valid, None), (12, 0)),
            ((4, 3, 2, 1, Padding::Valid, Some(0)), (9, 0)),
            ((4, 3, 2, 1, Padding::Valid, Some(1)), (10, 0)),
            ((4, 2, 3, 1, Padding::Valid, Some(0)), (11, 0)),
            ((4, 3, 1, 2, Padding::Valid, Some(0)), (8, 0)),
            ((4, 3, 2, 1, Padding::Same, None), (8, 0)),
            ((4, 3, 2, 1, Padding::Same, Some(0)), (7, 1)),
            ((4, 3, 2, 1, Padding::Same, Some(1)), (8, 0)),
            ((4, 4, 2, 1, Padding::Same, Some(1)), (7, 1)),
            ((4, 4, 3, 1, Padding::Same, Some(2)), (11, 1)),
            ((4, 5, 2, 1, Padding::Same, Some(0)), (7, 2)),
            ((4, 5, 1, 2, Padding::Same, Some(0)), (4, 4)),
            ((1, 2, 3, 1, Padding::Same, Some(2)), (2, 0)),
        ];
        for ((n, size, stride, dilation, padding, more), want) in cases {
            let sliding = Sliding { sequence: false, ..sliding(size, stride, dilation, padding) };
            let sliding =
                Sliding { size: [size; 2], strides: [stride; 2], dilation: [dilation; 2], ..sliding };
            let window = sliding.under("test", [n, n], more.map(|more| [more, more])).unwrap();
            let what = format!("{n} {size} {stride} {dilation} {padding:?} {more:?}");
            assert_eq!((window.input[1], window.before[1]), want, "{what}");
        }
        let error = sliding(3, 2, 1, Padding::Same).under("test", [1, 4], Some([0, 2])).unwrap_err();
        assert_eq!(error.to_string(), "test: output_padding is 2, expected less than the stride 2");
    }

    #[test]
    fn each_visits_what_a_plain_loop_visits() {
        for n in 1..9 {
            for (size, stride, dilation) in [(1, 1, 1), (3, 1, 1), (3, 2, 1), (2, 3, 2), (4, 1, 2)] {
                for padding in [Padding::Valid, Padding::Same, Padding::Causal] {
                    let Ok(window) = sliding(size, stride, dilation, padding).over("test", [1, n]) else {
                        continue;
                    };
                    let mut want = Vec::new();
                    for at in 0..window.output[1] {
                        for tap in 0..size {
                            let place = (at * stride + tap * dilation) as isize - window.before[1] as isize;
                            if (0..n as isize).contains(&place) {
                                want.push((at, tap, place as usize));
                            }
                        }
                    }
                    let mut got = Vec::new();
                    window.each(|at, tap, place| got.push((at, tap, place)));
                    assert_eq!(got, want);
                }
            }
        }
    }
}
