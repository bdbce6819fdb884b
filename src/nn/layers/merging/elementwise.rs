//! Elementwise merge layers: `Add`, `Subtract`, `Multiply`, `Average`, `Maximum`, `Minimum`.

use super::broadcast::{Runs, broadcast_shape};
use crate::error::{Error, Result};
use crate::float::Float;
use crate::nn::layer::{Backward, Config, Forward, Mask, MaskPass, MergeInputs, Plan, Shape};
use crate::nn::node::Merge;
use serde::{Deserialize, Serialize};

/// The elementwise operations.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Operation {
    Add,
    Subtract,
    Multiply,
    Average,
    Maximum,
    Minimum,
}

impl Operation {
    /// Combines the values of the inputs so far with the next one.
    fn combine<F: Float>(self, y: F, x: F) -> F {
        match self {
            Self::Add | Self::Average => y + x,
            Self::Subtract => y - x,
            Self::Multiply => y * x,
            Self::Maximum => {
                if x > y {
                    x
                } else {
                    y
                }
            }
            Self::Minimum => {
                if x < y {
                    x
                } else {
                    y
                }
            }
        }
    }

    /// The derivative of the output with respect to input `index`, where `values(i)` is the value of input `i`. Where several
    /// inputs are the largest or smallest, the first one has the gradient.
    fn derivative<F: Float>(self, n: usize, index: usize, values: impl Fn(usize) -> F) -> F {
        let is_first = |better: fn(F, F) -> bool| {
            let own = values(index);
            (0..n).all(|other| match other < index {
                true => better(own, values(other)),
                false => !better(values(other), own),
            })
        };
        match self {
            Self::Add => F::one(),
            Self::Subtract => {
                if index == 0 {
                    F::one()
                } else {
                    -F::one()
                }
            }
            Self::Average => F::one() / F::of(n as f64),
            Self::Multiply => (0..n)
                .filter(|&other| other != index)
                .fold(F::one(), |product, other| product * values(other)),
            Self::Maximum => {
                if is_first(|a, b| a > b) {
                    F::one()
                } else {
                    F::zero()
                }
            }
            Self::Minimum => {
                if is_first(|a, b| a < b) {
                    F::one()
                } else {
                    F::zero()
                }
            }
        }
    }

    /// The output shape.
    fn shape(self, kind: &str, inputs: MergeInputs<'_>) -> Result<Shape> {
        let n = inputs.len();
        if n < 2 || (self == Self::Subtract && n != 2) {
            let expected = if self == Self::Subtract { "2 inputs" } else { "at least 2 inputs" };
            return Err(Error::shape(kind, expected, n));
        }
        broadcast_shape(kind, inputs)
    }

    fn forward<F: Float>(self, inputs: MergeInputs<'_>, output: &Shape, pass: Forward<'_, F>) {
        let Forward { x, mut y, .. } = pass;
        let scale = F::one() / F::of(inputs.len() as f64);
        for (x, mut y) in x.rows().into_iter().zip(y.rows_mut()) {
            let (Some(x), Some(y)) = (x.as_slice(), y.as_slice_mut()) else { continue };
            for (index, shape) in inputs.shapes().iter().enumerate() {
                let (x, runs) = (&x[inputs.columns(index)], Runs::new(shape, output));
                for start in (0..y.len()).step_by(runs.len) {
                    let (offset, y) = (runs.offset(start), &mut y[start..start + runs.len]);
                    for (i, y) in y.iter_mut().enumerate() {
                        let value = x[offset + i * runs.step];
                        *y = if index == 0 { value } else { self.combine(*y, value) };
                    }
                }
            }
            if self == Self::Average {
                y.iter_mut().for_each(|y| *y *= scale);
            }
        }
    }

    fn backward<F: Float>(self, inputs: MergeInputs<'_>, output: &Shape, pass: Backward<'_, F>) {
        let Backward { x, dy, mut dx, .. } = pass;
        let n = inputs.len();
        for ((x, dy), mut dx) in x.rows().into_iter().zip(dy.rows()).zip(dx.rows_mut()) {
            let (Some(x), Some(dy), Some(dx)) = (x.as_slice(), dy.as_slice(), dx.as_slice_mut()) else {
                continue;
            };
            for (index, shape) in inputs.shapes().iter().enumerate() {
                let (dx, runs) = (&mut dx[inputs.columns(index)], Runs::new(shape, output));
                dx.fill(F::zero());
                for (place, &dy) in dy.iter().enumerate() {
                    let value = |other: usize| {
                        let runs = Runs::new(&inputs.shapes()[other], output);
                        x[inputs.columns(other).start + element(&runs, place)]
                    };
                    // y = f(x_0, x_1, …)  =>  dx_i = dy ∂f/∂x_i, summed over repetitions
                    dx[element(&runs, place)] += dy * self.derivative(n, index, value);
                }
            }
        }
    }
}

/// The element of an input for an element of the output.
fn element(runs: &Runs<'_>, place: usize) -> usize {
    let start = place / runs.len * runs.len;
    runs.offset(start) + (place - start) * runs.step
}

/// Keras's rule: the output has a mask only if all inputs have one; a position is valid if it is valid in any input.
fn any_valid<F>(inputs: MergeInputs<'_>, pass: MaskPass<'_, F>) {
    let MaskPass { mask: Some(mask), valid, .. } = pass else { return };
    let positions = inputs.positions(0).len();
    for (index, valid) in valid.iter_mut().enumerate() {
        let (sample, position) = (index / positions.max(1), index % positions.max(1));
        let in_input = |input: usize| Mask::is_valid(&mask, sample, input * positions + position);
        *valid = (0..inputs.len()).any(in_input);
    }
}

macro_rules! elementwise {
    ($($name:ident $kind:literal $doc:literal $formula:literal $example:literal)*) => {$(
        #[doc = $doc]
        ///
        /// # Shapes
        /// All inputs of one shape, which is that of the output. Axes of length 1, and missing leading axes, are repeated.
        ///
        /// # Masks
        /// If all inputs have a padding mask, a position of the output is valid where it is valid in any input.
        ///
        /// # Errors
        /// In `compile`: fewer than two inputs; shapes that do not fit.
        ///
        /// # Examples
        /// ```
        #[doc = concat!("use axonal::layers::", stringify!($name), ";")]
        /// use axonal::ndarray::array;
        /// use axonal::prelude::*;
        ///
        /// # fn main() -> Result<()> {
        /// let (a, b) = (Input::new("a", 2), Input::new("b", 2));
        #[doc = concat!("let y = ", stringify!($name), "::new().of([&a, &b]);")]
        /// let model = Graph::new([&a, &b]).output("y", &y, MeanSquaredError::new()).compile(Sgd::new(0.1))?;
        #[doc = concat!("assert_eq!(model.predict((&array![[4.0, 1.0]], &array![[2.0, 5.0]]))?, ", $example, ");")]
        /// # Ok(())
        /// # }
        /// ```
        #[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
        #[serde(deny_unknown_fields)]
        pub struct $name {}

        impl $name {
            #[doc = concat!("Creates the layer: ", $formula, ".")]
            #[must_use]
            pub fn new() -> Self {
                Self {}
            }
        }

        impl<F: Float> Merge<F> for $name {
            $crate::float::precompiled::into_arc!($name: Merge<F>);

            fn kind(&self) -> &'static str {
                $kind
            }

            fn plan(&self, inputs: MergeInputs<'_>) -> Result<Plan> {
                Ok(Plan::output(Operation::$name.shape($kind, inputs)?))
            }

            fn forward(&self, inputs: MergeInputs<'_>, pass: Forward<'_, F>) {
                if let Ok(output) = Operation::$name.shape($kind, inputs) {
                    Operation::$name.forward(inputs, &output, pass);
                }
            }

            fn backward(&self, inputs: MergeInputs<'_>, pass: Backward<'_, F>) {
                if let Ok(output) = Operation::$name.shape($kind, inputs) {
                    Operation::$name.backward(inputs, &output, pass);
                }
            }

            fn mask_shape(&self, inputs: MergeInputs<'_>, masked: &[bool]) -> Option<Shape> {
                let (first, rest) = inputs.shapes().split_first()?;
                let dims = first.dims();
                let all = masked.iter().all(|&masked| masked) && rest.iter().all(|shape| shape == first);
                all.then(|| Shape::from(&dims[..dims.len().saturating_sub(1)]))
            }

            fn mask(&self, inputs: MergeInputs<'_>, pass: MaskPass<'_, F>) {
                any_valid(inputs, pass);
            }

            fn config(&self) -> Option<Config> {
                Config::of(self)
            }
        }
    )*};
}

elementwise! {
    Add "add" "Adds its inputs element by element: `y = x₀ + x₁ + …`." "the sum of the inputs" "array![[6.0, 6.0]]"
    Subtract "subtract" "Subtracts the second input from the first: `y = x₀ − x₁`." "the difference of two inputs" "array![[2.0, -4.0]]"
    Multiply "multiply" "Multiplies its inputs element by element: `y = x₀ · x₁ · …`." "the product of the inputs" "array![[8.0, 5.0]]"
    Average "average" "Averages its inputs element by element: `y = (x₀ + x₁ + …) / n`." "the mean of the inputs" "array![[3.0, 3.0]]"
    Maximum "maximum" "Takes the largest of its inputs, element by element." "the maximum of the inputs" "array![[4.0, 5.0]]"
    Minimum "minimum" "Takes the smallest of its inputs, element by element." "the minimum of the inputs" "array![[2.0, 1.0]]"
}
