//! The rectified linear unit with a learned slope.

use super::super::{axis_of, whole_rows, zeros};
use crate::error::Result;
use crate::float::Float;
use crate::initializer::Initializer;
use crate::nn::constraint::Constraint;
use crate::nn::layer::{Backward, Config, Forward, Layer, Plan, Shape};
use crate::nn::regularizer::Regularizer;
use serde::{Deserialize, Serialize};

/// Keras's `PReLU` layer: `x` above 0, `alpha ⊙ x` below, with a learned slope for each number of the sample.
///
/// # Shapes
/// Any; it comes out as it went in.
///
/// # Parameters
/// | name | shape | initializer | default |
/// |---|---|---|---|
/// | `alpha` | the sample's, with 1 along the `shared_axes` | `alpha_initializer` | zeros |
///
/// # Errors
/// In `compile`: a shared axis that the sample does not have.
///
/// # Examples
/// ```
/// use axonal::prelude::*;
/// // One slope for each channel of an image.
/// let layer = PRelu::default().shared_axes([1, 2]);
/// # let _ = layer;
/// ```
///
/// # References
/// He, Zhang, Ren and Sun 2015, arXiv:1502.01852.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct PRelu {
    alpha_initializer: Initializer,
    alpha_regularizer: Option<Regularizer>,
    alpha_constraint: Option<Constraint>,
    shared_axes: Vec<isize>,
}

impl Default for PRelu {
    fn default() -> Self {
        Self {
            alpha_initializer: zeros(),
            alpha_regularizer: None,
            alpha_constraint: None,
            shared_axes: Vec::new(),
        }
    }
}

impl PRelu {
    /// How the slopes start.
    #[must_use]
    pub fn alpha_initializer(mut self, initializer: Initializer) -> Self {
        self.alpha_initializer = initializer;
        self
    }

    /// A penalty on the slopes.
    #[must_use]
    pub fn alpha_regularizer(mut self, regularizer: Regularizer) -> Self {
        self.alpha_regularizer = Some(regularizer);
        self
    }

    /// What the slopes are projected to after each update.
    #[must_use]
    pub fn alpha_constraint(mut self, constraint: Constraint) -> Self {
        self.alpha_constraint = Some(constraint);
        self
    }

    /// The axes along which the slopes are the same; counted as Keras does, the batch axis being 0.
    #[must_use]
    pub fn shared_axes(mut self, axes: impl Into<Vec<isize>>) -> Self {
        self.shared_axes = axes.into();
        self
    }

    /// The slope's index for each number of a sample.
    fn slopes(&self, input: &Shape) -> impl Fn(usize) -> usize {
        let shared = |axis: usize| {
            self.shared_axes
                .iter()
                .any(|&shared| axis_of("", shared, input).is_ok_and(|shared| shared == axis))
        };
        // (length, stride among the slopes) of each axis, the last first.
        let mut axes = Vec::with_capacity(input.rank());
        let mut stride = 1;
        for (axis, &dim) in input.dims().iter().enumerate().rev() {
            axes.push((dim.max(1), if shared(axis) { 0 } else { stride }));
            stride *= if shared(axis) { 1 } else { dim };
        }
        move |index| {
            let mut rest = index;
            axes.iter().fold(0, |slope, &(dim, stride)| {
                let at = rest % dim;
                rest /= dim;
                slope + at * stride
            })
        }
    }
}

impl<F: Float> Layer<F> for PRelu {
    fn kind(&self) -> &'static str {
        "p_re_lu"
    }

    fn plan(&self, input: &Shape) -> Result<Plan> {
        let mut dims = input.dims().to_vec();
        for &axis in &self.shared_axes {
            dims[axis_of("p_re_lu", axis, input)?] = 1;
        }
        Ok(Plan::output(input.clone())
            .passes_mask()
            .input(input)
            .param("alpha", dims, self.alpha_initializer.clone())
            .regularizer(self.alpha_regularizer)
            .constraint(self.alpha_constraint))
    }

    fn forward(&self, Forward { x, mut y, params: alpha, plan, .. }: Forward<'_, F>) {
        let input = plan.map_or_else(|| Shape::from(x.ncols()), |plan| plan.input_shape().clone());
        let slope = self.slopes(&input);
        for (x, y) in whole_rows(x.as_slice(), y.as_slice_mut(), input.size()) {
            for (index, (y, &x)) in y.iter_mut().zip(x).enumerate() {
                *y = if x > F::zero() { x } else { alpha[slope(index)] * x };
            }
        }
    }

    fn backward(&self, pass: Backward<'_, F>) {
        let Backward { x, dy, mut dx, params: alpha, grads: dalpha, plan, .. } = pass;
        let input = plan.map_or_else(|| Shape::from(x.ncols()), |plan| plan.input_shape().clone());
        let slope = self.slopes(&input);
        let Some(dy) = dy.as_slice() else { return };
        let rows = whole_rows(x.as_slice(), dx.as_slice_mut(), input.size());
        for ((x, dx), dy) in rows.zip(dy.chunks_exact(input.size().max(1))) {
            for (index, ((dx, &x), &dy)) in dx.iter_mut().zip(x).zip(dy).enumerate() {
                // y = x  =>  dx = dy;  y = alpha x  =>  dx = alpha dy, dalpha += x dy
                if x > F::zero() {
                    *dx = dy;
                } else {
                    *dx = alpha[slope(index)] * dy;
                    dalpha[slope(index)] += x * dy;
                }
            }
        }
    }

    fn config(&self) -> Option<Config> {
        Config::of(self)
    }
}
