//! Softmax as a layer, over one or several axes.

use crate::activation::Activation;
use crate::error::Result;
use crate::float::Float;
use crate::nn::layer::{Backward, Config, Forward, Layer, Plan, Shape};
use crate::nn::layers::axis_permutation::axes_of;
use serde::{Deserialize, Serialize};

/// Softmax over one axis, or jointly over several: `e^xᵢ / Σ e^xⱼ`. Keras's `Softmax` layer.
///
/// # Shapes
/// Any, unchanged.
///
/// # Parameters
/// No trainable parameters. `axis`: one axis or several, counted as Keras does (0 is the batch); the last by default.
///
/// # Errors
/// In `compile`: no axis; an axis that the sample does not have.
///
/// # Masks
/// If other axes than the last are normalized, padded positions (see [`Masking`](crate::layers::Masking)) have
/// probability 0. Over the last axis, padded steps are computed like valid ones.
///
/// # Examples
/// ```
/// use axonal::ndarray::array;
/// use axonal::layers::Softmax;
/// use axonal::prelude::*;
/// # fn main() -> Result<()> {
/// let model = Sequential::new(2).add(Softmax::new()).compile(Adam::default(), MeanSquaredError::default())?;
/// assert_eq!(model.predict(&array![[3.0, 3.0]])?, array![[0.5, 0.5]]);
///
/// let spatial = Softmax::new().axis([1, 2]);
/// # let _ = spatial;
/// # Ok(())
/// # }
/// ```
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Softmax {
    axis: Axes,
}

/// One axis or several, counted as Keras does: 0 is the batch, -1 the last.
///
/// # Examples
/// ```
/// use axonal::layers::Axes;
///
/// assert_ne!(Axes::from(-1), Axes::from([1, 2]));
/// ```
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Axes(AxisList);

/// The serialized form: one axis is a number, several are a list.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(untagged)]
enum AxisList {
    One(isize),
    Several(Vec<isize>),
}

impl Axes {
    fn as_slice(&self) -> &[isize] {
        match &self.0 {
            AxisList::One(axis) => std::slice::from_ref(axis),
            AxisList::Several(axes) => axes,
        }
    }
}

impl From<isize> for Axes {
    fn from(axis: isize) -> Self {
        Self(AxisList::One(axis))
    }
}

impl From<Vec<isize>> for Axes {
    fn from(axes: Vec<isize>) -> Self {
        Self(AxisList::Several(axes))
    }
}

impl<const N: usize> From<[isize; N]> for Axes {
    fn from(axes: [isize; N]) -> Self {
        axes.to_vec().into()
    }
}

impl Default for Softmax {
    fn default() -> Self {
        Self { axis: (-1).into() }
    }
}

impl Softmax {
    /// Creates a softmax over the last axis.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Sets the axis, or the axes over which the probabilities sum to 1.
    #[must_use]
    pub fn axis(mut self, axis: impl Into<Axes>) -> Self {
        self.axis = axis.into();
        self
    }

    /// Returns the groups that are normalized; `None` over the last axis alone, which the container computes.
    fn groups<'a>(&'a self, plan: Option<&'a Plan>) -> Option<SoftmaxGroups<'a>> {
        let dims = plan?.input_shape().dims();
        let groups = SoftmaxGroups { axes: self.axis.as_slice(), dims };
        let last_only = (0..dims.len()).all(|axis| groups.normalizes(axis) == (axis + 1 == dims.len()));
        (!last_only).then_some(groups)
    }
}

/// The groups of a sample's elements whose probabilities sum to 1: one for each position along the other axes.
struct SoftmaxGroups<'a> {
    axes: &'a [isize],
    dims: &'a [usize],
}

impl SoftmaxGroups<'_> {
    /// Returns whether an axis is one of those that are normalized.
    fn normalizes(&self, axis: usize) -> bool {
        let (axis, rank) = (axis.cast_signed(), self.dims.len().cast_signed());
        self.axes.iter().any(|&normalized| normalized == axis + 1 || normalized == axis - rank)
    }

    /// Returns the number of groups.
    fn count(&self) -> usize {
        (0..self.dims.len()).filter(|&axis| !self.normalizes(axis)).map(|axis| self.dims[axis]).product()
    }

    /// Returns the group of an element of the sample.
    fn group_of(&self, index: usize) -> usize {
        let (mut rest, mut group, mut stride) = (index, 0, 1);
        for (axis, &length) in self.dims.iter().enumerate().rev() {
            if !self.normalizes(axis) {
                group += rest % length * stride;
                stride *= length;
            }
            rest /= length;
        }
        group
    }
}

impl<F: Float> Layer<F> for Softmax {
    crate::float::precompiled::into_arc!(Softmax: Layer<F>);

    fn kind(&self) -> &'static str {
        "softmax"
    }

    fn plan(&self, input: &Shape) -> Result<Plan> {
        axes_of("softmax", self.axis.as_slice(), input)?;
        let plan = Plan::output(input.clone()).input(input).passes_mask();
        Ok(match self.groups(Some(&plan)).map(|groups| groups.count()) {
            // A declared softmax lets the container pass the logits to a cross-entropy.
            None => plan.activation(Activation::Softmax),
            // The maximum and the sum of each group.
            Some(groups) => plan.uses_mask().batch_cache(groups.saturating_mul(2)),
        })
    }

    fn forward(&self, Forward { x, mut y, cache, mask, plan, .. }: Forward<'_, F>) {
        y.assign(&x);
        let (Some(groups), Some(y)) = (self.groups(plan), y.as_slice_mut()) else { return };
        let (maxima, sums) = cache.split_at_mut(groups.count());
        let columns = x.ncols().max(1);
        for (sample, y) in y.chunks_exact_mut(columns).enumerate() {
            let valid = |index: usize| {
                mask.is_none_or(|mask| mask.is_valid(sample, index * mask.positions() / columns))
            };
            maxima.fill(F::neg_infinity());
            sums.fill(F::zero());
            for (index, &y) in y.iter().enumerate().filter(|(index, _)| valid(*index)) {
                let maximum = &mut maxima[groups.group_of(index)];
                *maximum = maximum.max(y);
            }
            for (index, y) in y.iter_mut().enumerate() {
                let group = groups.group_of(index);
                *y = if valid(index) { (*y - maxima[group]).exp() } else { F::zero() };
                sums[group] += *y;
            }
            for (index, y) in y.iter_mut().enumerate().filter(|(index, _)| valid(*index)) {
                *y /= sums[groups.group_of(index)];
            }
        }
    }

    fn backward(&self, Backward { y, dy, mut dx, cache, plan, .. }: Backward<'_, F>) {
        dx.assign(&dy);
        let (Some(groups), Some(y), Some(dx)) = (self.groups(plan), y.as_slice(), dx.as_slice_mut()) else {
            return;
        };
        let (dots, columns) = (&mut cache[..groups.count()], dy.ncols().max(1));
        for (y, dx) in y.chunks_exact(columns).zip(dx.chunks_exact_mut(columns)) {
            // y = softmax(x)  =>  dxᵢ = yᵢ (dyᵢ - Σ dyⱼ yⱼ); the y of padding is 0
            dots.fill(F::zero());
            for (index, (&y, &dy)) in y.iter().zip(&*dx).enumerate() {
                dots[groups.group_of(index)] += dy * y;
            }
            for (index, (&y, dx)) in y.iter().zip(dx.iter_mut()).enumerate() {
                *dx = y * (*dx - dots[groups.group_of(index)]);
            }
        }
    }

    fn config(&self) -> Option<Config> {
        Config::of(self)
    }
}
