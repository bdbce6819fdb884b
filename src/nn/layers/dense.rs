//! The fully connected layer, `y = activation(x · kernel + bias)`.

use crate::activation::Activation;
use crate::error::{Error, Result};
use crate::float::Float;
use crate::initializer::Initializer;
use crate::linalg::{self, matrix, matrix_mut};
use crate::nn::constraint::Constraint;
use crate::nn::layer::{Backward, Config, Forward, Gradient, Layer, Plan, Shape};
use crate::nn::layers::defaults::{glorot_uniform, yes, zeros};
use crate::nn::layers::kernel_and_bias::kernel_and_bias_setters;
use crate::nn::layers::positive::require_positive;
use crate::nn::regularizer::Regularizer;
use ndarray::{ArrayView2, Axis};
use serde::{Deserialize, Serialize};

/// Fully connected layer: `y = activation(x · kernel + bias)`, on the last axis of the input.
///
/// # Shapes
/// (…, n) becomes (…, units).
///
/// # Parameters
/// | name | shape | initializer | default |
/// |---|---|---|---|
/// | `kernel` | (n, units) | `kernel_initializer` | Glorot uniform |
/// | `bias` | (units) | `bias_initializer` | zeros; absent with `use_bias(false)` |
///
/// # Errors
/// In `compile`: `units` of 0; samples without axes.
///
/// # Examples
/// ```
/// use axonal::prelude::*;
///
/// let layer = Dense::new(128).activation(Activation::Relu).kernel_initializer(Initializer::HeNormal);
/// # let _ = layer;
/// ```
///
/// # References
/// Glorot and Bengio 2010, "Understanding the difficulty of training deep feedforward neural networks".
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Dense {
    units: usize,
    #[serde(default)]
    activation: Activation,
    #[serde(default = "yes")]
    use_bias: bool,
    #[serde(default = "glorot_uniform")]
    kernel_initializer: Initializer,
    #[serde(default = "zeros")]
    bias_initializer: Initializer,
    #[serde(default)]
    kernel_regularizer: Option<Regularizer>,
    #[serde(default)]
    bias_regularizer: Option<Regularizer>,
    #[serde(default)]
    activity_regularizer: Option<Regularizer>,
    #[serde(default)]
    kernel_constraint: Option<Constraint>,
    #[serde(default)]
    bias_constraint: Option<Constraint>,
}

impl Dense {
    /// Creates a layer with `units` output features.
    #[must_use]
    pub fn new(units: usize) -> Self {
        Self {
            units,
            activation: Activation::Linear,
            use_bias: true,
            kernel_initializer: Initializer::GlorotUniform,
            bias_initializer: Initializer::Zeros,
            kernel_regularizer: None,
            bias_regularizer: None,
            activity_regularizer: None,
            kernel_constraint: None,
            bias_constraint: None,
        }
    }

    kernel_and_bias_setters!();

    /// Splits the parameters into the kernel, (n, units), and the bias.
    fn kernel_and_bias<'a, F: Float>(&self, params: &'a [F]) -> (ArrayView2<'a, F>, Option<&'a [F]>) {
        let (kernel, bias) = params.split_at(params.len() - if self.use_bias { self.units } else { 0 });
        (matrix(kernel, kernel.len() / self.units, self.units), self.use_bias.then_some(bias))
    }
}

impl<F: Float> Layer<F> for Dense {
    crate::float::precompiled::into_arc!(Dense: Layer<F>);

    fn kind(&self) -> &'static str {
        "dense"
    }

    fn plan(&self, input: &Shape) -> Result<Plan> {
        require_positive("dense", &[("units", self.units)])?;
        if input.rank() == 0 {
            return Err(Error::shape("dense", "samples with at least 1 axis", input));
        }
        let plan = Plan::output(input.with_last(self.units))
            .passes_mask()
            .param("kernel", [input.last(), self.units], self.kernel_initializer.clone())
            .regularizer(self.kernel_regularizer)
            .constraint(self.kernel_constraint);
        let plan = if self.use_bias {
            plan.param("bias", self.units, self.bias_initializer.clone())
                .regularizer(self.bias_regularizer)
                .constraint(self.bias_constraint)
        } else {
            plan
        };
        // The bias is the last gradient row, after those of the kernel.
        let plan = plan.gradient_rows(self.units).adds_gradients();
        Ok(plan.activation(self.activation).activity_regularizer(self.activity_regularizer))
    }

    fn forward(&self, Forward { x, mut y, params, .. }: Forward<'_, F>) {
        let (kernel, bias) = self.kernel_and_bias(params);
        if x.ncols() == kernel.nrows() {
            // y: (batch, units) = x: (batch, n) · kernel: (n, units) + bias: (units)
            return linalg::affine(x, kernel, bias, y);
        }
        // Samples with several axes: the product is over the last axis, so each position is a row.
        if let (Some(x), Some(y)) = (x.as_slice(), y.as_slice_mut()) {
            let rows = x.len() / kernel.nrows();
            linalg::affine(matrix(x, rows, kernel.nrows()), kernel, bias, matrix_mut(y, rows, self.units));
        }
    }

    fn backward(&self, pass: Backward<'_, F>) {
        let Backward { x, dy, mut dx, dx_needed, params, grads_needed, grads, .. } = pass;
        let (kernel, _) = self.kernel_and_bias(params);
        let (Some(x), Some(dy), Some(dx)) = (x.as_slice(), dy.as_slice(), dx.as_slice_mut()) else { return };
        let rows = dy.len() / self.units;
        let (x, dy) = (matrix(x, rows, kernel.nrows()), matrix(dy, rows, self.units));
        // y = x · kernel + bias  =>  dkernel += xᵀ · dy, dbias += Σ dy over the batch, dx = dy · kernelᵀ
        if grads_needed {
            let (dkernel, dbias) = grads.split_at_mut(kernel.len());
            linalg::gemm(F::one(), x.t(), dy, F::one(), matrix_mut(dkernel, kernel.nrows(), self.units));
            linalg::add_rows(dy, dbias);
        }
        if dx_needed {
            linalg::gemm(F::one(), dy, kernel.t(), F::zero(), matrix_mut(dx, rows, kernel.nrows()));
        }
    }

    fn gradient(&self, Gradient { x, dy, rows, grads, add }: Gradient<'_, F>) {
        let (Some(x), Some(dy)) = (x.as_slice(), dy.as_slice()) else { return };
        let n = dy.len() / self.units;
        let (x, dy) = (matrix(x, n, x.len() / n), matrix(dy, n, self.units));
        let kernel_rows = rows.start.min(x.ncols())..rows.end.min(x.ncols());
        let (dkernel, dbias) = grads.split_at_mut(kernel_rows.len() * self.units);
        // dkernel = xᵀ · dy, for some columns of x; dbias = Σ dy over the batch
        let dkernel = matrix_mut(dkernel, kernel_rows.len(), self.units);
        let beta = if add { F::one() } else { F::zero() };
        linalg::gemm(F::one(), x.slice_axis(Axis(1), kernel_rows.into()).t(), dy, beta, dkernel);
        if !add {
            dbias.fill(F::zero());
        }
        linalg::add_rows(dy, dbias);
    }

    fn config(&self) -> Option<Config> {
        Config::of(self)
    }
}
