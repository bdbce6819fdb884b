//! 2D transposed convolution over images.

use super::im2col::Im2col;
use crate::activation::Activation;
use crate::error::Result;
use crate::float::Float;
use crate::initializer::Initializer;
use crate::linalg;
use crate::nn::constraint::Constraint;
use crate::nn::layer::{Backward, Config, Forward, Layer, Plan, Shape};
use crate::nn::layers::defaults::one;
use crate::nn::layers::kernel_and_bias::{KernelAndBias, kernel_and_bias_setters};
use crate::nn::layers::passes::geometry_layer;
use crate::nn::layers::positive::require_positive;
use crate::nn::layers::rows::{rows, rows_mut};
use crate::nn::layers::window::{Padding, Size2D, WindowSpec, window_setters};
use crate::nn::regularizer::Regularizer;
use serde::{Deserialize, Serialize};

/// 2D transposed convolution over images: each input position adds a window of the larger output, weighted by its
/// channels. It is the gradient of a convolution with respect to its input.
///
/// # Shapes
/// (rows, columns, channels) becomes (rows, columns, filters). An axis of length `n` becomes `n · stride + max(size -
/// stride, 0)`, or `n · stride` with [`Padding::Same`]. With an `output_padding` of `p` it becomes `(n - 1) · stride
/// + size + p`, or `(n - 1) · stride + size mod 2 + p` with [`Padding::Same`]. Here `size` is the size of the dilated
/// window, `(size - 1) · dilation_rate + 1`.
///
/// # Parameters
/// | name | shape | initializer | default |
/// |---|---|---|---|
/// | `kernel` | (kernel rows, kernel columns, filters, channels) | `kernel_initializer` | Glorot uniform |
/// | `bias` | (filters) | `bias_initializer` | zeros; absent with `use_bias(false)` |
///
/// # Errors
/// In `compile`: samples of another rank; filters, sizes, strides or dilation rates of 0; causal padding; an
/// `output_padding` that is not less than the stride.
///
/// # Examples
/// ```
/// use axonal::custom::Shape;
/// use axonal::layers::Conv2DTranspose;
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

impl Conv2DTranspose {
    /// Creates a transposed convolution with this number of filters and this window size.
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

    window_setters!(impl Into<Size2D>);

    /// Sets the rows and columns that are added at the end of the smallest output. A strided convolution maps several
    /// input sizes to one output size; this chooses among them. By default the output is a multiple of the input.
    #[must_use]
    pub fn output_padding(mut self, output_padding: impl Into<Size2D>) -> Self {
        self.output_padding = Some(output_padding.into());
        self
    }

    kernel_and_bias_setters!(weights);

    fn geometry(&self, kind: &'static str, input: &Shape) -> Result<TransposedCorrelation<'_>> {
        let spec = WindowSpec::new(self.kernel_size, self.strides, self.dilation_rate, self.padding);
        let (dims, channels) = spec.grid.split(kind, input)?;
        require_positive(kind, &[("filters", self.filters)])?;
        let output_padding = self.output_padding.map(Size2D::dims);
        let window = spec.for_transposed_output(kind, dims, output_padding)?;
        let im2col = Im2col { window, channels: self.filters, channel_range: 0..self.filters };
        Ok(TransposedCorrelation { im2col, channels, weights: &self.weights })
    }
}

geometry_layer!(Conv2DTranspose: "conv2d_transpose");

/// Geometry of a transposed convolution: forward is the backward pass of a convolution from the output to the input.
#[derive(Debug)]
struct TransposedCorrelation<'a> {
    /// The patches of the output.
    im2col: Im2col,
    /// The number of input channels.
    channels: usize,
    weights: &'a KernelAndBias,
}

impl TransposedCorrelation<'_> {
    /// Declares the output shape, the parameters and the cache.
    fn plan(&self, input: &Shape) -> Plan {
        let ([rows, columns], [kernel_rows, kernel_columns]) =
            (self.im2col.window.input, self.im2col.window.size);
        let plan = Plan::output([rows, columns, self.filters()]).input(input);
        let kernel = [kernel_rows, kernel_columns, self.filters(), self.channels];
        let plan = self.weights.kernel(plan, "kernel", kernel);
        self.weights.bias_and_activation(plan, self.filters()).batch_cache(self.batch_cache())
    }

    fn filters(&self) -> usize {
        self.im2col.channels
    }

    /// Returns the length of the patches of one sample.
    fn patches_len(&self) -> usize {
        self.im2col.window.positions().saturating_mul(self.im2col.patch_len())
    }

    /// Returns the length of the cache: the patches of one sample, and the transposed kernel.
    fn batch_cache(&self) -> usize {
        self.im2col.window.positions().saturating_add(self.channels).saturating_mul(self.im2col.patch_len())
    }

    /// Returns the length of an input sample.
    fn input_len(&self) -> usize {
        self.im2col.window.positions().saturating_mul(self.channels)
    }

    fn forward<F: Float>(&self, Forward { x, mut y, params, cache, .. }: Forward<'_, F>) {
        let (Some(x), Some(y)) = (x.as_slice(), y.as_slice_mut()) else { return };
        let (channels, patch_len) = (self.channels, self.im2col.patch_len());
        let (kernel, bias) = params.split_at(patch_len * channels);
        let (patches, transposed) = cache.split_at_mut(self.patches_len());
        rows_mut(transposed, patch_len).assign(&rows(kernel, channels).t());
        let output_len = y.len() / (x.len() / self.input_len()).max(1);
        for (x, y) in x.chunks_exact(self.input_len()).zip(y.chunks_exact_mut(output_len)) {
            // patches = x · kernelᵀ, y = bias + the patches, each added at its position
            let product = rows_mut(patches, patch_len);
            linalg::gemm(F::one(), rows(x, channels), rows(transposed, patch_len), F::zero(), product);
            y.fill(F::zero());
            if self.weights.use_bias {
                y.chunks_exact_mut(self.filters()).for_each(|y| y.copy_from_slice(bias));
            }
            self.im2col.scatter_add(patches, y);
        }
    }

    fn backward<F: Float>(&self, pass: Backward<'_, F>) {
        let Backward { x, dy, mut dx, dx_needed, params, grads, cache, .. } = pass;
        let (Some(x), Some(dy), Some(dx)) = (x.as_slice(), dy.as_slice(), dx.as_slice_mut()) else { return };
        let (channels, patch_len) = (self.channels, self.im2col.patch_len());
        let kernel = rows(&params[..patch_len * channels], channels);
        let (dkernel, dbias) = grads.split_at_mut(kernel.len());
        linalg::add_rows(rows(dy, self.filters()), dbias);
        let mut dkernel = rows_mut(dkernel, channels);
        let patches = &mut cache[..self.patches_len()];
        let output_len = dy.len() / (x.len() / self.input_len()).max(1);
        let samples = x.chunks_exact(self.input_len()).zip(dx.chunks_exact_mut(self.input_len()));
        for ((x, dx), dy) in samples.zip(dy.chunks_exact(output_len)) {
            // patches of y = x · kernelᵀ  =>  dkernel += (patches of dy)ᵀ · x, dx = patches of dy · kernel
            self.im2col.gather(dy, patches);
            let patches = rows(patches, patch_len);
            linalg::gemm(F::one(), patches.t(), rows(x, channels), F::one(), dkernel.view_mut());
            if dx_needed {
                linalg::gemm(F::one(), patches, kernel, F::zero(), rows_mut(dx, channels));
            }
        }
    }
}
