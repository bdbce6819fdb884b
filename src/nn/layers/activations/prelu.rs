//! The parametric rectified linear unit (PReLU), whose slope is learned.

use crate::error::Result;
use crate::float::Float;
use crate::initializer::Initializer;
use crate::nn::constraint::Constraint;
use crate::nn::layer::{Backward, Config, Forward, Layer, Plan, Shape};
use crate::nn::layers::axes::axis_of;
use crate::nn::layers::defaults::zeros;
use crate::nn::layers::rows::whole_rows;
use crate::nn::regularizer::Regularizer;
use serde::{Deserialize, Serialize};

/// Parametric rectified linear unit: `x` for `x > 0`, else `alpha ⊙ x`, with a learned slope for each element of a
/// sample. Keras's `PReLU` layer.
///
/// # Shapes
/// Any, unchanged.
///
/// # Parameters
/// | name | shape | initializer | default |
/// |---|---|---|---|
/// | `alpha` | the sample shape, with 1 along the `shared_axes` | `alpha_initializer` | zeros |
///
/// # Errors
/// In `compile`: a shared axis that the sample does not have.
///
/// # Examples
/// ```
/// use axonal::layers::PRelu;
/// use axonal::prelude::*;
/// // One slope for each channel of an image.
/// let layer = PRelu::new().shared_axes([1, 2]);
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
    /// Creates a layer with a slope for each element of a sample.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Sets the initializer of the slopes; zeros by default.
    #[must_use]
    pub fn alpha_initializer(mut self, initializer: Initializer) -> Self {
        self.alpha_initializer = initializer;
        self
    }

    /// Sets the regularizer of the slopes; none by default.
    #[must_use]
    pub fn alpha_regularizer(mut self, regularizer: Regularizer) -> Self {
        self.alpha_regularizer = Some(regularizer);
        self
    }

    /// Sets the constraint that the slopes are projected onto after each update; none by default.
    #[must_use]
    pub fn alpha_constraint(mut self, constraint: Constraint) -> Self {
        self.alpha_constraint = Some(constraint);
        self
    }

    /// Sets the axes along which the slopes are shared, counted as Keras does (0 is the batch); none by default.
    #[must_use]
    pub fn shared_axes(mut self, axes: impl Into<Vec<isize>>) -> Self {
        self.shared_axes = axes.into();
        self
    }

    /// Returns the function from the index of a sample's element to the index of its slope.
    fn slope_index(&self, input: &Shape) -> impl Fn(usize) -> usize {
        let shared = |axis: usize| {
            self.shared_axes
                .iter()
                .any(|&shared| axis_of("", shared, input).is_ok_and(|shared| shared == axis))
        };
        // The length of each axis and its stride among the slopes, last axis first.
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
    crate::float::precompiled::into_arc!(PRelu: Layer<F>);

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
        let slope_of = self.slope_index(&input);
        for (x, y) in whole_rows(x.as_slice(), y.as_slice_mut(), input.size()) {
            for (index, (y, &x)) in y.iter_mut().zip(x).enumerate() {
                *y = if x > F::zero() { x } else { alpha[slope_of(index)] * x };
            }
        }
    }

    fn backward(&self, pass: Backward<'_, F>) {
        let Backward { x, dy, mut dx, params: alpha, grads: dalpha, plan, .. } = pass;
        let input = plan.map_or_else(|| Shape::from(x.ncols()), |plan| plan.input_shape().clone());
        let slope_of = self.slope_index(&input);
        let Some(dy) = dy.as_slice() else { return };
        let rows = whole_rows(x.as_slice(), dx.as_slice_mut(), input.size());
        for ((x, dx), dy) in rows.zip(dy.chunks_exact(input.size().max(1))) {
            for (index, ((dx, &x), &dy)) in dx.iter_mut().zip(x).zip(dy).enumerate() {
                // y = x  =>  dx = dy; y = alpha x  =>  dx = alpha dy, dalpha += x dy
                if x > F::zero() {
                    *dx = dy;
                } else {
                    *dx = alpha[slope_of(index)] * dy;
                    dalpha[slope_of(index)] += x * dy;
                }
            }
        }
    }

    fn config(&self) -> Option<Config> {
        Config::of(self)
    }
}
