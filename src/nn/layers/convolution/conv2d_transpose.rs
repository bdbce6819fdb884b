//! The transposed convolution over images.

use super::super::window::{Padding, Size2D, Sliding, Window, image};
use super::super::{rows, rows_mut};
use super::kernel_and_bias::{KernelAndBias, kernel_and_bias_setters};
use super::patches::Patches;
use crate::activation::Activation;
use crate::error::{Error, Result};
use crate::float::Float;
use crate::initializer::Initializer;
use crate::linalg;
use crate::nn::constraint::Constraint;
use crate::nn::layer::{Backward, Config, Forward, Layer, Plan, Shape};
use crate::nn::regularizer::Regularizer;
use serde::{Deserialize, Serialize};

/// A transposed convolution: each number of the image is spread over a window of a larger one, which is the
/// gradient of a convolution toward its input.
///
/// # Shapes
/// (rows, columns, channels) comes out as (rows, columns, filters), with `n` along an axis becoming
/// `n · stride + max(size - stride, 0)`, or `n · stride` with `Padding::Same`. With an `output_padding` `p` it becomes
/// `(n - 1) · stride + size + p`, or `(n - 1) · stride + size mod 2 + p` with `Padding::Same`. The size is that of the
/// dilated window, `(size - 1) · dilation + 1`.
///
/// # Parameters
/// | name | shape | initializer | default |
/// |---|---|---|---|
/// | `kernel` | (kernel rows, kernel columns, filters, channels) | `kernel_initializer` | Glorot uniform |
/// | `bias` | (filters) | `bias_initializer` | zeros; absent with `use_bias(false)` |
///
/// # Errors
/// In `compile`: samples of another rank; no filters; sizes, strides or dilations of 0; causal padding; an
/// `output_padding` that is not below the stride.
///
/// # Examples
/// ```
/// use axonal::prelude::*;
/// # fn main() -> Result<()> {
/// let model: Model<f32> = Sequential::new([7, 7, 8])
///     .add(Conv2DTranspose::new(4, 3).strides(2).padding(Padding::Same))
///     .compile(Adam::default(), MeanSquaredError::default())?;
/// assert_eq!(model.output_shape(), &Shape::from([14, 14, 4]));
/// # Ok(())
/// # }
/// ```
///
/// # References
/// Dumoulin and Visin 2016, arXiv:1603.07285.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Conv2DTranspose {
    filters: usize,
    kernel_size: Size2D,
    #[serde(default = "one")]
    strides: Size2D,
    #[serde(default)]
    padding: Padding,
    #[serde(default)]
    output_padding: Option<Size2D>,
    #[serde(default = "one")]
    dilation_rate: Size2D,
    #[serde(default)]
    weights: KernelAndBias,
}

fn one() -> Size2D {
    1.into()
}

impl Conv2DTranspose {
    /// So many filters over windows of this size.
    pub fn new(filters: usize, kernel_size: impl Into<Size2D>) -> Self {
        Self {
            filters,
            kernel_size: kernel_size.into(),
            strides: one(),
            padding: Padding::Valid,
            output_padding: None,
            dilation_rate: one(),
            weights: KernelAndBias::default(),
        }
    }

    /// How far apart the windows of neighbouring numbers are; 1 by default.
    #[must_use]
    pub fn strides(mut self, strides: impl Into<Size2D>) -> Self {
        self.strides = strides.into();
        self
    }

    /// Whether the edges are cut off; no by default.
    #[must_use]
    pub fn padding(mut self, padding: Padding) -> Self {
        self.padding = padding;
        self
    }

    /// How many rows and columns the output has at its end beyond the fewest that make an input of this size, so that
    /// one of the sizes that a strided convolution makes equal can be chosen. By default it is as much as makes the
    /// output a multiple of the input.
    #[must_use]
    pub fn output_padding(mut self, output_padding: impl Into<Size2D>) -> Self {
        self.output_padding = Some(output_padding.into());
        self
    }

    /// How far apart the window's places are; 1 by default.
    #[must_use]
    pub fn dilation_rate(mut self, dilation_rate: impl Into<Size2D>) -> Self {
        self.dilation_rate = dilation_rate.into();
        self
    }

    kernel_and_bias_setters!();

    /// What the windows see of the larger image, and the channels of the smaller one.
    fn patches(&self, input: &Shape) -> Result<(Patches, usize)> {
        let (dims, channels) = image("conv2d_transpose", false, input)?;
        if self.filters == 0 {
            return Err(Error::invalid_parameter("conv2d_transpose", "filters", 0, "at least 1"));
        }
        let sliding = Sliding {
            size: self.kernel_size.dims(),
            strides: self.strides.dims(),
            dilation: self.dilation_rate.dims(),
            padding: self.padding,
            sequence: false,
        };
        let window = sliding.under("conv2d_transpose", dims, self.output_padding.map(Size2D::dims))?;
        Ok((Patches { window, channels: self.filters, seen: 0..self.filters }, channels))
    }

    fn planned(&self, plan: Option<&Plan>) -> Option<(Patches, usize)> {
        plan.and_then(|plan| self.patches(plan.input_shape()).ok())
    }
}

impl<F: Float> Layer<F> for Conv2DTranspose {
    fn kind(&self) -> &'static str {
        "conv2d_transpose"
    }

    fn plan(&self, input: &Shape) -> Result<Plan> {
        let (patches, channels) = self.patches(input)?;
        let Window { input: larger, size, .. } = patches.window;
        let plan = Plan::output([larger[0], larger[1], self.filters]).input(input);
        let plan = self.weights.kernel(plan, "kernel", [size[0], size[1], self.filters, channels]);
        // The patches of one sample, and the transposed kernel.
        let cache = patches.window.positions().saturating_add(channels).saturating_mul(patches.width());
        Ok(self.weights.rest(plan, self.filters).batch_cache(cache))
    }

    fn forward(&self, Forward { x, mut y, params, cache, plan, .. }: Forward<'_, F>) {
        let Some((patches, channels)) = self.planned(plan) else { return y.fill(F::nan()) };
        let (Some(x), Some(y)) = (x.as_slice(), y.as_slice_mut()) else { return };
        let (kernel, bias) = params.split_at(patches.width() * channels);
        let (matrix, transposed) = cache.split_at_mut(patches.window.positions() * patches.width());
        rows_mut(transposed, patches.width()).assign(&rows(kernel, channels).t());
        let inputs = patches.window.positions() * channels;
        let outputs = y.len() / (x.len() / inputs).max(1);
        for (x, y) in x.chunks_exact(inputs).zip(y.chunks_exact_mut(outputs)) {
            // patches of y = x · kernelᵀ; y = their sum, plus the bias
            let product = rows_mut(matrix, patches.width());
            linalg::gemm(F::one(), rows(x, channels), rows(transposed, patches.width()), F::zero(), product);
            y.fill(F::zero());
            if self.weights.use_bias {
                y.chunks_exact_mut(self.filters).for_each(|y| y.copy_from_slice(bias));
            }
            patches.scatter(matrix, y);
        }
    }

    fn backward(&self, pass: Backward<'_, F>) {
        let Backward { x, dy, mut dx, dx_needed, params, grads, cache, plan, .. } = pass;
        let Some((patches, channels)) = self.planned(plan) else { return dx.fill(F::nan()) };
        let (Some(x), Some(dy), Some(dx)) = (x.as_slice(), dy.as_slice(), dx.as_slice_mut()) else { return };
        let kernel = rows(&params[..patches.width() * channels], channels);
        let (dkernel, dbias) = grads.split_at_mut(kernel.len());
        linalg::add_rows(rows(dy, self.filters), dbias);
        let mut dkernel = rows_mut(dkernel, channels);
        let matrix = &mut cache[..patches.window.positions() * patches.width()];
        let inputs = patches.window.positions() * channels;
        let outputs = dy.len() / (x.len() / inputs).max(1);
        let samples = x.chunks_exact(inputs).zip(dx.chunks_exact_mut(inputs));
        for ((x, dx), dy) in samples.zip(dy.chunks_exact(outputs)) {
            // dkernel += (patches of dy)ᵀ · x, dx = patches of dy · kernel
            patches.gather(dy, matrix);
            let seen = rows(matrix, patches.width());
            linalg::gemm(F::one(), seen.t(), rows(x, channels), F::one(), dkernel.view_mut());
            if dx_needed {
                linalg::gemm(F::one(), seen, kernel, F::zero(), rows_mut(dx, channels));
            }
        }
    }

    fn config(&self) -> Option<Config> {
        Config::of(self)
    }
}
