//! Softmax as a layer, over any axes.

use super::super::turned::axes_of;
use crate::activation::Activation;
use crate::error::Result;
use crate::float::Float;
use crate::nn::layer::{Backward, Config, Forward, Layer, Plan, Shape};
use serde::{Deserialize, Serialize};

/// Keras's `Softmax` layer: `e^xᵢ / Σ e^xⱼ` over one axis, or over several together.
///
/// # Shapes
/// Any; it comes out as it went in.
///
/// # Parameters
/// None to be trained. `axis`: one or several, counted as Keras does, the batch axis being 0; the last by default.
///
/// # Errors
/// In `compile`: no axis, or one that the sample does not have.
///
/// # Masks
/// Over other axes than the last, what a layer before has masked (see [`Masking`](crate::nn::Masking)) has no share and
/// comes out as 0; over the last, padded steps are computed like the others.
///
/// # Examples
/// ```
/// use axonal::ndarray::array;
/// use axonal::prelude::*;
/// # fn main() -> Result<()> {
/// let model = Sequential::new(2).add(Softmax::default()).compile(Adam::default(), MeanSquaredError::default())?;
/// assert_eq!(model.predict(&array![[3.0, 3.0]])?, array![[0.5, 0.5]]);
///
/// let of_images = Softmax::default().axis([1, 2]);
/// # let _ = of_images;
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
/// use axonal::nn::Axes;
///
/// assert_ne!(Axes::from(-1), Axes::from([1, 2]));
/// ```
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Axes(List);

/// In a file one axis is a number.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(untagged)]
enum List {
    One(isize),
    Several(Vec<isize>),
}

impl Axes {
    fn as_slice(&self) -> &[isize] {
        match &self.0 {
            List::One(axis) => std::slice::from_ref(axis),
            List::Several(axes) => axes,
        }
    }
}

impl From<isize> for Axes {
    fn from(axis: isize) -> Self {
        Self(List::One(axis))
    }
}

impl From<Vec<isize>> for Axes {
    fn from(axes: Vec<isize>) -> Self {
        Self(List::Several(axes))
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
    /// Sets the axis, or the axes over which the shares together are 1.
    #[must_use]
    pub fn axis(mut self, axis: impl Into<Axes>) -> Self {
        self.axis = axis.into();
        self
    }

    /// How the numbers of a sample share; `None` over the last axis alone, which is left to the container.
    fn shares<'a>(&'a self, plan: Option<&'a Plan>) -> Option<Shares<'a>> {
        let dims = plan?.input_shape().dims();
        let shares = Shares { axes: self.axis.as_slice(), dims };
        let last = (0..dims.len()).all(|axis| shares.over(axis) == (axis + 1 == dims.len()));
        (!last).then_some(shares)
    }
}

/// The axes of a softmax over samples of these lengths.
struct Shares<'a> {
    axes: &'a [isize],
    dims: &'a [usize],
}

impl Shares<'_> {
    /// Whether the numbers along an axis share.
    fn over(&self, axis: usize) -> bool {
        let (axis, rank) = (axis.cast_signed(), self.dims.len().cast_signed());
        self.axes.iter().any(|&over| over == axis + 1 || over == axis - rank)
    }

    /// How many groups there are whose shares are 1.
    fn groups(&self) -> usize {
        (0..self.dims.len()).filter(|&axis| !self.over(axis)).map(|axis| self.dims[axis]).product()
    }

    /// The group of the number at a place of the sample.
    fn group(&self, place: usize) -> usize {
        let (mut rest, mut group, mut stride) = (place, 0, 1);
        for (axis, &length) in self.dims.iter().enumerate().rev() {
            if !self.over(axis) {
                group += rest % length * stride;
                stride *= length;
            }
            rest /= length;
        }
        group
    }
}

impl<F: Float> Layer<F> for Softmax {
    fn kind(&self) -> &'static str {
        "softmax"
    }

    fn plan(&self, input: &Shape) -> Result<Plan> {
        axes_of("softmax", self.axis.as_slice(), input)?;
        let plan = Plan::output(input.clone()).input(input).passes_mask();
        Ok(match self.shares(Some(&plan)).map(|shares| shares.groups()) {
            // The container hands the logits to a cross-entropy.
            None => plan.activation(Activation::Softmax),
            // The largest number and the sum of each group.
            Some(groups) => plan.uses_mask().batch_cache(groups.saturating_mul(2)),
        })
    }

    fn forward(&self, Forward { x, mut y, cache, mask, plan, .. }: Forward<'_, F>) {
        y.assign(&x);
        let (Some(shares), Some(y)) = (self.shares(plan), y.as_slice_mut()) else { return };
        let (largest, sums) = cache.split_at_mut(shares.groups());
        let columns = x.ncols().max(1);
        for (sample, y) in y.chunks_exact_mut(columns).enumerate() {
            let real = |place: usize| {
                mask.is_none_or(|mask| mask.is_real(sample, place * mask.positions() / columns))
            };
            largest.fill(F::neg_infinity());
            sums.fill(F::zero());
            for (place, &y) in y.iter().enumerate().filter(|(place, _)| real(*place)) {
                let largest = &mut largest[shares.group(place)];
                *largest = largest.max(y);
            }
            for (place, y) in y.iter_mut().enumerate() {
                let group = shares.group(place);
                *y = if real(place) { (*y - largest[group]).exp() } else { F::zero() };
                sums[group] += *y;
            }
            for (place, y) in y.iter_mut().enumerate().filter(|(place, _)| real(*place)) {
                *y /= sums[shares.group(place)];
            }
        }
    }

    fn backward(&self, Backward { y, dy, mut dx, cache, plan, .. }: Backward<'_, F>) {
        dx.assign(&dy);
        let (Some(shares), Some(y), Some(dx)) = (self.shares(plan), y.as_slice(), dx.as_slice_mut()) else {
            return;
        };
        let (dots, columns) = (&mut cache[..shares.groups()], dy.ncols().max(1));
        for (y, dx) in y.chunks_exact(columns).zip(dx.chunks_exact_mut(columns)) {
            // dxᵢ = yᵢ (dyᵢ - Σ dyⱼ yⱼ); padding has a y of 0
            dots.fill(F::zero());
            for (place, (&y, &dy)) in y.iter().zip(&*dx).enumerate() {
                dots[shares.group(place)] += dy * y;
            }
            for (place, (&y, dx)) in y.iter().zip(dx.iter_mut()).enumerate() {
                *dx = y * (*dx - dots[shares.group(place)]);
            }
        }
    }

    fn config(&self) -> Option<Config> {
        Config::of(self)
    }
}
