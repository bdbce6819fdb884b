//! Geometry of sliding windows over sequences and images, which convolutions and pooling share: output sizes, padding,
//! and the input positions under a window.

use crate::error::{Error, Result};
use crate::nn::layer::Shape;
use serde::{Deserialize, Serialize};
use std::ops::Range;

/// Padding at the edges of a sequence or an image.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum Padding {
    /// No padding: every window lies inside the input.
    #[default]
    Valid,
    /// Zeros on both sides, so that with a stride of 1 the output is as large as the input. An odd zero goes to the
    /// end.
    Same,
    /// Zeros at the beginning only, so that an output step depends on no later input step. For sequences.
    Causal,
}

/// A size in rows and columns; a single number sets both.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Size2D([usize; 2]);

impl Size2D {
    /// Returns the rows and columns.
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

/// The spatial axes of a sample; the channels are last. A sequence is computed as an image of one row.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Grid {
    /// (steps, channels).
    Sequence,
    /// (rows, columns, channels).
    Image,
}

impl Grid {
    /// Splits a sample shape into its rows and columns, and its channels.
    pub(crate) fn split(self, owner: &str, sample: &Shape) -> Result<([usize; 2], usize)> {
        match (self, sample.dims()) {
            (Self::Sequence, &[steps, channels]) => Ok(([1, steps], channels)),
            (Self::Image, &[rows, columns, channels]) => Ok(([rows, columns], channels)),
            (Self::Sequence, _) => Err(Error::shape(owner, "samples (steps, channels)", sample)),
            (Self::Image, _) => Err(Error::shape(owner, "samples (rows, columns, channels)", sample)),
        }
    }

    /// Joins rows, columns and channels to a sample shape.
    pub(crate) fn shape(self, [rows, columns]: [usize; 2], channels: usize) -> Shape {
        match self {
            Self::Sequence => [columns, channels].into(),
            Self::Image => [rows, columns, channels].into(),
        }
    }
}

/// A size along the spatial axes: `usize` for sequences, [`Size2D`] for images.
pub(crate) trait Extent: Copy {
    /// The samples that such sizes belong to.
    const GRID: Grid;

    /// Returns the size in rows and columns.
    fn rows_columns(self) -> [usize; 2];
}

impl Extent for usize {
    const GRID: Grid = Grid::Sequence;

    fn rows_columns(self) -> [usize; 2] {
        [1, self]
    }
}

impl Extent for Size2D {
    const GRID: Grid = Grid::Image;

    fn rows_columns(self) -> [usize; 2] {
        self.dims()
    }
}

/// The hyperparameters of a sliding window, in rows and columns.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct WindowSpec {
    pub(crate) grid: Grid,
    pub(crate) size: [usize; 2],
    pub(crate) strides: [usize; 2],
    pub(crate) dilation_rate: [usize; 2],
    pub(crate) padding: Padding,
}

/// A sliding window over inputs of one size.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Window {
    pub(crate) input: [usize; 2],
    pub(crate) output: [usize; 2],
    pub(crate) size: [usize; 2],
    pub(crate) strides: [usize; 2],
    pub(crate) dilation_rate: [usize; 2],
    /// Zeros before the first row and the first column.
    pub(crate) padding_before: [usize; 2],
}

/// Largest size, stride and dilation rate: far beyond any image, and small enough that positions do not overflow.
const MAX_EXTENT: usize = 1 << 20;

impl WindowSpec {
    pub(crate) fn new<S: Extent>(size: S, strides: S, dilation_rate: S, padding: Padding) -> Self {
        Self {
            grid: S::GRID,
            size: size.rows_columns(),
            strides: strides.rows_columns(),
            dilation_rate: dilation_rate.rows_columns(),
            padding,
        }
    }

    /// Computes the window over inputs of these rows and columns.
    pub(crate) fn for_input(&self, owner: &str, input: [usize; 2]) -> Result<Window> {
        self.validate(owner)?;
        let (mut output, mut padding_before) = ([1; 2], [0; 2]);
        for axis in 0..2 {
            let (n, stride, span) = (input[axis], self.strides[axis], self.span(axis));
            (output[axis], padding_before[axis]) = match self.padding {
                _ if self.grid == Grid::Sequence && axis == 0 => (1, 0),
                Padding::Valid if n < span => return Err(self.input_too_small(owner, axis, n)),
                Padding::Valid => (((n - span) / stride).saturating_add(1), 0),
                Padding::Same => {
                    let output = n.div_ceil(stride);
                    let reach = output.saturating_sub(1).saturating_mul(stride).saturating_add(span);
                    (output, reach.saturating_sub(n) / 2)
                }
                Padding::Causal => ((n.saturating_sub(1) / stride).saturating_add(1), span - 1),
            };
        }
        Ok(self.window(input, output, padding_before))
    }

    /// Computes the window of a transposed convolution whose input has these rows and columns. The window slides over
    /// the transposed convolution's output, so the result's `input` and `output` are swapped.
    ///
    /// Without `output_padding` the output has at least `stride` positions for each of the input; with it, Keras's
    /// formula applies, which adds `output_padding` to the size of the smallest output.
    pub(crate) fn for_transposed_output(
        &self,
        owner: &str,
        output: [usize; 2],
        output_padding: Option<[usize; 2]>,
    ) -> Result<Window> {
        self.validate(owner)?;
        let (mut input, mut padding_before) = ([1; 2], [0; 2]);
        for axis in 0..2 {
            let (n, stride, span) = (output[axis], self.strides[axis], self.span(axis));
            let extra = output_padding.map(|padding| padding[axis]);
            if let Some(extra) = extra.filter(|&extra| extra >= stride) {
                let expected = format!("less than the stride {stride}");
                return Err(Error::invalid_parameter(owner, "output_padding", extra, expected));
            }
            // The output positions that the last input position adds, and the part of the first window that is cropped.
            let (last, cropped) = match self.padding {
                Padding::Valid => (extra.map_or(span.max(stride), |extra| span.saturating_add(extra)), 0),
                Padding::Same => {
                    let last = extra.map_or(stride, |extra| span % 2 + extra);
                    (last, span.saturating_sub(last) / 2)
                }
                Padding::Causal => {
                    let expected = "Padding::Valid or Padding::Same";
                    return Err(Error::invalid_parameter(owner, "padding", "causal", expected));
                }
            };
            (input[axis], padding_before[axis]) =
                (n.saturating_sub(1).saturating_mul(stride).saturating_add(last), cropped);
        }
        Ok(self.window(input, output, padding_before))
    }

    fn window(&self, input: [usize; 2], output: [usize; 2], padding_before: [usize; 2]) -> Window {
        let Self { size, strides, dilation_rate, .. } = *self;
        Window { input, output, size, strides, dilation_rate, padding_before }
    }

    /// Returns the size of the dilated window.
    fn span(&self, axis: usize) -> usize {
        (self.size[axis].saturating_sub(1)).saturating_mul(self.dilation_rate[axis]).saturating_add(1)
    }

    fn input_too_small(&self, owner: &str, axis: usize, n: usize) -> Error {
        let span = self.span(axis);
        let window = if span == self.size[axis] { "window" } else { "dilated window" };
        let axis = match self.grid {
            Grid::Sequence => "steps",
            Grid::Image => ["rows", "columns"][axis],
        };
        let expected = format!("at least {span} {axis}, the size of the {window}");
        Error::shape(owner, expected, format!("{n}; use a smaller {window}, or Padding::Same"))
    }

    fn validate(&self, owner: &str) -> Result<()> {
        let extents = [("size", self.size), ("strides", self.strides), ("dilation_rate", self.dilation_rate)];
        for (name, values) in extents {
            if values.contains(&0) {
                return Err(Error::invalid_parameter(owner, name, 0, "at least 1"));
            }
            let largest = values[0].max(values[1]);
            if largest > MAX_EXTENT {
                let expected = format!("at most {MAX_EXTENT}");
                return Err(Error::invalid_parameter(owner, name, largest, expected));
            }
        }
        if self.padding == Padding::Causal && self.grid != Grid::Sequence {
            let expected = "Padding::Valid or Padding::Same; causal padding is for sequences";
            return Err(Error::invalid_parameter(owner, "padding", "causal", expected));
        }
        Ok(())
    }
}

impl Window {
    /// Returns the number of output positions.
    pub(crate) fn positions(&self) -> usize {
        self.output[0].saturating_mul(self.output[1])
    }

    /// Returns the number of input positions.
    pub(crate) fn input_positions(&self) -> usize {
        self.input[0].saturating_mul(self.input[1])
    }

    /// Returns the number of elements of the window in one channel.
    pub(crate) fn taps(&self) -> usize {
        self.size[0].saturating_mul(self.size[1])
    }

    /// Returns whether the window maps each input position to the same output position (a 1 × 1 convolution).
    pub(crate) fn is_pointwise(&self) -> bool {
        self.size == [1, 1]
            && self.strides == [1, 1]
            && self.padding_before == [0, 0]
            && self.input == self.output
    }

    /// Returns the taps that lie inside the input along an axis, with the window at `position`.
    #[inline(always)]
    pub(crate) fn valid_taps(&self, axis: usize, position: usize) -> Range<usize> {
        let (start, dilation) = (position * self.strides[axis], self.dilation_rate[axis]);
        let first = self.padding_before[axis].saturating_sub(start).div_ceil(dilation);
        let beyond = (self.input[axis] + self.padding_before[axis]).saturating_sub(start).div_ceil(dilation);
        let end = self.size[axis].min(beyond);
        first.min(end)..end
    }

    /// Returns the input index under a valid tap along an axis.
    #[inline(always)]
    pub(crate) fn input_index(&self, axis: usize, position: usize, tap: usize) -> usize {
        position * self.strides[axis] + tap * self.dilation_rate[axis] - self.padding_before[axis]
    }

    /// Calls `visit` with each output position, valid tap and input position, in row-major order.
    #[inline(always)]
    pub(crate) fn for_each_tap(&self, mut visit: impl FnMut(usize, usize, usize)) {
        for row in 0..self.output[0] {
            for column in 0..self.output[1] {
                for tap_row in self.valid_taps(0, row) {
                    let y = self.input_index(0, row, tap_row);
                    for tap_column in self.valid_taps(1, column) {
                        let x = self.input_index(1, column, tap_column);
                        let tap = tap_row * self.size[1] + tap_column;
                        visit(row * self.output[1] + column, tap, y * self.input[1] + x);
                    }
                }
            }
        }
    }
}

/// The setters of layers that have the fields `strides`, `padding` and `dilation_rate`; they take sizes as `$size`.
macro_rules! window_setters {
    ($size:ty) => {
        /// Sets the strides; 1 by default.
        #[must_use]
        pub fn strides(mut self, strides: $size) -> Self {
            self.strides = strides.into();
            self
        }

        /// Sets the padding; [`Padding::Valid`], that is none, by default.
        #[must_use]
        pub fn padding(mut self, padding: Padding) -> Self {
            self.padding = padding;
            self
        }

        /// Sets the dilation rate, the distance between neighboring elements of the window in the input; 1 by default.
        #[must_use]
        pub fn dilation_rate(mut self, dilation_rate: $size) -> Self {
            self.dilation_rate = dilation_rate.into();
            self
        }
    };
}
pub(crate) use window_setters;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn outputs_and_paddings_equal_keras() {
        // (n, size, stride, dilation, padding) -> (output, padding before), by Keras's formulas.
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
            let window = WindowSpec::new(size, stride, dilation, padding).for_input("test", [1, n]).unwrap();
            assert_eq!(
                (window.output[1], window.padding_before[1]),
                want,
                "{n} {size} {stride} {dilation} {padding:?}"
            );
        }
    }

    #[test]
    fn transposed_outputs_and_cropping_equal_keras() {
        // (n, size, stride, dilation, padding, output padding) -> (output, cropped before), from
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
        for ((n, size, stride, dilation, padding, extra), want) in cases {
            let [size2d, strides, dilation_rate] = [size, stride, dilation].map(Size2D::from);
            let spec = WindowSpec::new(size2d, strides, dilation_rate, padding);
            let window =
                spec.for_transposed_output("test", [n, n], extra.map(|extra| [extra, extra])).unwrap();
            let case = format!("{n} {size} {stride} {dilation} {padding:?} {extra:?}");
            assert_eq!((window.input[1], window.padding_before[1]), want, "{case}");
        }
        let spec = WindowSpec::new(3, 2, 1, Padding::Same);
        let error = spec.for_transposed_output("test", [1, 4], Some([0, 2])).unwrap_err();
        assert_eq!(error.to_string(), "test: output_padding is 2, expected less than the stride 2");
    }

    #[test]
    fn for_each_tap_visits_the_taps_of_a_plain_loop() {
        for n in 1..9 {
            for (size, stride, dilation) in [(1, 1, 1), (3, 1, 1), (3, 2, 1), (2, 3, 2), (4, 1, 2)] {
                for padding in [Padding::Valid, Padding::Same, Padding::Causal] {
                    let spec = WindowSpec::new(size, stride, dilation, padding);
                    let Ok(window) = spec.for_input("test", [1, n]) else { continue };
                    let mut want = Vec::new();
                    for position in 0..window.output[1] {
                        for tap in 0..size {
                            let padded = position * stride + tap * dilation;
                            let index = padded as isize - window.padding_before[1] as isize;
                            if (0..n as isize).contains(&index) {
                                want.push((position, tap, index as usize));
                            }
                        }
                    }
                    let mut got = Vec::new();
                    window.for_each_tap(|position, tap, index| got.push((position, tap, index)));
                    assert_eq!(got, want);
                }
            }
        }
    }
}
