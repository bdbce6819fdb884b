//! Dot products of two inputs along axes.

use crate::error::{Error, Result};
use crate::float::Float;
use crate::nn::layer::{Backward, Config, Forward, MergeInputs, Plan, Shape};
use crate::nn::layers::axes::{Runs, axis_of};
use crate::nn::node::Merge;
use serde::{Deserialize, Serialize};

/// Computes the dot products of two inputs along one axis of each.
///
/// # Shapes
/// Two inputs whose contracted axes have one length. The output has the other axes of the first input, then those of the second; (1)
/// if there are none.
///
/// # Parameters
/// No trainable parameters. `axes`: the axis of each input, as in Keras: 1 is the first axis of a sample, −1 the last. `normalize`:
/// divides the vectors by their Euclidean norm before, so that the products are cosine similarities; off by default.
///
/// # Errors
/// In `compile`: a number of inputs other than 2; an axis that an input does not have; contracted axes of different lengths.
///
/// # Examples
/// ```
/// use axonal::layers::Dot;
/// use axonal::ndarray::array;
/// use axonal::prelude::*;
///
/// # fn main() -> Result<()> {
/// let (a, b) = (Input::new("a", 2), Input::new("b", 2));
/// let y = Dot::new(-1, -1).of([&a, &b]);
/// let model = Graph::new([&a, &b]).output("y", &y, MeanSquaredError::new()).compile(Sgd::new(0.1))?;
/// assert_eq!(model.predict((&array![[1.0, 2.0]], &array![[3.0, 4.0]]))?, array![[11.0]]);
/// # Ok(())
/// # }
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Dot {
    axes: [isize; 2],
    normalize: bool,
}

/// Vectors along one axis of a sample.
#[derive(Debug, Clone, Copy)]
struct Vectors {
    /// The number of vectors.
    n: usize,
    /// The length of a vector and the distance of its elements.
    runs: Runs,
}

impl Vectors {
    /// The place of element `element` of vector `vector` in the sample.
    fn at(&self, vector: usize, element: usize) -> usize {
        let Runs { length, inner } = self.runs;
        vector / inner * inner * length + element * inner + vector % inner
    }
}

/// Values below this squared norm count as this, as in Keras's `normalize`.
const MIN_SQUARED_NORM: f64 = 1e-12;

impl Dot {
    /// Creates a layer that contracts `axis_of_first` of the first input with `axis_of_second` of the second.
    #[must_use]
    pub fn new(axis_of_first: isize, axis_of_second: isize) -> Self {
        Self { axes: [axis_of_first, axis_of_second], normalize: false }
    }

    /// Sets whether vectors are divided by their Euclidean norm before.
    #[must_use]
    pub fn normalize(mut self, normalize: bool) -> Self {
        self.normalize = normalize;
        self
    }

    /// The vectors of both inputs and the output shape.
    fn output(&self, inputs: MergeInputs<'_>) -> Result<([Vectors; 2], Shape)> {
        let [a, b] = inputs.shapes() else {
            return Err(Error::shape("dot", "2 inputs", inputs.len()));
        };
        let axes = [axis_of("dot", self.axes[0], a)?, axis_of("dot", self.axes[1], b)?];
        let vectors = |shape: &Shape, axis: usize| {
            let runs = Runs::along(axis, shape);
            Vectors { n: shape.size() / runs.length.max(1), runs }
        };
        let (va, vb) = (vectors(a, axes[0]), vectors(b, axes[1]));
        if va.runs.length != vb.runs.length {
            return Err(Error::shape("dot", "contracted axes of one length", inputs.to_string()));
        }
        let others = |shape: &Shape, axis: usize| {
            let dims = shape.dims().iter().enumerate().filter(move |(index, _)| *index != axis);
            dims.map(|(_, &dim)| dim).collect::<Vec<_>>()
        };
        let mut dims = others(a, axes[0]);
        dims.extend(others(b, axes[1]));
        if dims.is_empty() {
            dims.push(1);
        }
        Ok(([va, vb], Shape::from(dims)))
    }

    /// The reciprocal norm of a vector; 1 without `normalize`.
    fn scale<F: Float>(&self, vectors: Vectors, x: &[F], vector: usize) -> F {
        if !self.normalize {
            return F::one();
        }
        let squares = (0..vectors.runs.length).map(|element| x[vectors.at(vector, element)].powi(2));
        F::one() / squares.sum::<F>().max(F::of(MIN_SQUARED_NORM)).sqrt()
    }
}

impl<F: Float> Merge<F> for Dot {
    crate::float::precompiled::into_arc!(Dot: Merge<F>);

    fn kind(&self) -> &'static str {
        "dot"
    }

    fn plan(&self, inputs: MergeInputs<'_>) -> Result<Plan> {
        Ok(Plan::output(self.output(inputs)?.1))
    }

    fn forward(&self, inputs: MergeInputs<'_>, Forward { x, mut y, .. }: Forward<'_, F>) {
        let Ok(([va, vb], _)) = self.output(inputs) else { return };
        for (x, mut y) in x.rows().into_iter().zip(y.rows_mut()) {
            let (Some(x), Some(y)) = (x.as_slice(), y.as_slice_mut()) else { continue };
            let (a, b) = (&x[inputs.columns(0)], &x[inputs.columns(1)]);
            for (place, y) in y.iter_mut().enumerate() {
                let (i, j) = (place / vb.n, place % vb.n);
                let products = (0..va.runs.length).map(|element| a[va.at(i, element)] * b[vb.at(j, element)]);
                *y = products.sum::<F>() * self.scale(va, a, i) * self.scale(vb, b, j);
            }
        }
    }

    fn backward(&self, inputs: MergeInputs<'_>, Backward { x, y, dy, mut dx, .. }: Backward<'_, F>) {
        let Ok(([va, vb], _)) = self.output(inputs) else { return };
        dx.fill(F::zero());
        for (((x, y), dy), mut dx) in x.rows().into_iter().zip(y.rows()).zip(dy.rows()).zip(dx.rows_mut()) {
            let (Some(x), Some(dx)) = (x.as_slice(), dx.as_slice_mut()) else { continue };
            let (a, b) = (&x[inputs.columns(0)], &x[inputs.columns(1)]);
            let (da, db) = dx.split_at_mut(inputs.columns(0).len());
            for (place, (&y, &dy)) in y.iter().zip(dy).enumerate() {
                let (i, j) = (place / vb.n, place % vb.n);
                let (sa, sb) = (self.scale(va, a, i), self.scale(vb, b, j));
                for element in 0..va.runs.length {
                    let (p, q) = (va.at(i, element), vb.at(j, element));
                    // y = (a·b) sa sb  =>  da = dy (b sa sb − y sa² a), db alike; without norms sa = sb = 1 and dy b.
                    let (ua, ub) = (a[p] * sa, b[q] * sb);
                    let (by_norm_a, by_norm_b) =
                        if self.normalize { (y * ua * sa, y * ub * sb) } else { (F::zero(), F::zero()) };
                    da[p] += dy * (ub * sa - by_norm_a);
                    db[q] += dy * (ua * sb - by_norm_b);
                }
            }
        }
    }

    fn config(&self) -> Option<Config> {
        Config::of(self)
    }
}
