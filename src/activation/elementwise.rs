//! Elementwise activation functions and their derivatives.
//!
//! A derivative is a function of the output `y` if `y` determines it, so that training need not keep the input. All
//! functions are branch-free arithmetic, which the compiler vectorizes.

use crate::float::Float;
use crate::float::elementary::{
    clamp_max, clamp_min, exp, expm1, log1p_unit, normal_cdf_pdf, select, sigmoid, softplus, tanh,
};

/// SELU's constants (Klambauer et al. 2017): the scale, and the scale times α.
const SELU_SCALE: f64 = 1.050_700_987_355_480_5;
const SELU_SCALED_ALPHA: f64 = 1.758_099_340_847_376_6;

/// max(z, 0); keeps NaN.
#[inline(always)]
pub(super) fn relu<F: Float>(z: F) -> F {
    clamp_min(z, F::zero())
}

#[inline(always)]
pub(super) fn relu_derivative<F: Float>(y: F) -> F {
    heaviside(y > F::zero())
}

/// Keras's `relu` with all of its parameters.
#[derive(Clone, Copy)]
pub(super) struct BoundedRelu<F> {
    pub(super) slope: F,
    pub(super) max: F,
    pub(super) threshold: F,
}

impl<F: Float> BoundedRelu<F> {
    #[inline(always)]
    pub(super) fn apply(self, z: F) -> F {
        // NaN fails both comparisons and is kept.
        let below = self.slope * (z - self.threshold);
        clamp_max(select(z <= self.threshold, below, z), self.max)
    }

    #[inline(always)]
    pub(super) fn derivative(self, z: F) -> F {
        let slope_above = heaviside(z < self.max);
        select(z > self.threshold, slope_above, self.slope)
    }
}

#[inline(always)]
pub(super) fn leaky_relu<F: Float>(slope: F, z: F) -> F {
    select(z < F::zero(), slope * z, z)
}

#[inline(always)]
pub(super) fn leaky_relu_derivative<F: Float>(slope: F, y: F) -> F {
    select(y > F::zero(), F::one(), slope)
}

#[inline(always)]
pub(super) fn elu<F: Float>(alpha: F, z: F) -> F {
    select(z > F::zero(), z, alpha * expm1(z))
}

#[inline(always)]
pub(super) fn elu_derivative<F: Float>(alpha: F, y: F) -> F {
    select(y > F::zero(), F::one(), y + alpha)
}

#[inline(always)]
pub(super) fn selu<F: Float>(z: F) -> F {
    select(z > F::zero(), F::of(SELU_SCALE) * z, F::of(SELU_SCALED_ALPHA) * expm1(z))
}

#[inline(always)]
pub(super) fn selu_derivative<F: Float>(y: F) -> F {
    select(y > F::zero(), F::of(SELU_SCALE), y + F::of(SELU_SCALED_ALPHA))
}

#[inline(always)]
pub(super) fn celu<F: Float>(alpha: F, z: F) -> F {
    select(z > F::zero(), z, alpha * expm1(z / alpha))
}

#[inline(always)]
pub(super) fn celu_derivative<F: Float>(alpha: F, y: F) -> F {
    select(y > F::zero(), F::one(), y / alpha + F::one())
}

#[inline(always)]
pub(super) fn gelu<F: Float>(z: F) -> F {
    z * normal_cdf_pdf(z).0
}

#[inline(always)]
pub(super) fn gelu_derivative<F: Float>(z: F) -> F {
    let (below, density) = normal_cdf_pdf(z);
    below + z * density
}

/// 2u with u = √(2/π)·(z + 0.044715 z³): ½(1 + tanh u) is the sigmoid of 2u.
#[inline(always)]
fn gelu_tanh_argument<F: Float>(z: F) -> F {
    F::of(1.595_769_121_605_730_8) * (z + F::of(0.044_715) * (z * z * z))
}

#[inline(always)]
pub(super) fn gelu_tanh<F: Float>(z: F) -> F {
    z * sigmoid(gelu_tanh_argument(z))
}

#[inline(always)]
pub(super) fn gelu_tanh_derivative<F: Float>(z: F) -> F {
    // Beyond 40 the sigmoid is constant; the bound keeps z³ finite.
    let z = clamp_min(clamp_max(z, F::of(40.0)), F::of(-40.0));
    let s = sigmoid(gelu_tanh_argument(z));
    let slope = F::of(1.595_769_121_605_730_8) * (F::one() + F::of(3.0 * 0.044_715) * (z * z));
    s + z * (s * (F::one() - s)) * slope
}

#[inline(always)]
pub(super) fn logistic<F: Float>(z: F) -> F {
    sigmoid(z)
}

#[inline(always)]
pub(super) fn logistic_derivative<F: Float>(y: F) -> F {
    y * (F::one() - y)
}

#[inline(always)]
pub(super) fn hard_sigmoid<F: Float>(z: F) -> F {
    clamp_min(clamp_max(z / F::of(6.0) + F::of(0.5), F::one()), F::zero())
}

#[inline(always)]
pub(super) fn hard_sigmoid_derivative<F: Float>(y: F) -> F {
    select(y > F::zero() && y < F::one(), F::of(1.0 / 6.0), F::zero())
}

#[inline(always)]
pub(super) fn log_sigmoid<F: Float>(z: F) -> F {
    clamp_max(z, F::zero()) - log1p_unit(exp(-z.abs()))
}

#[inline(always)]
pub(super) fn log_sigmoid_derivative<F: Float>(y: F) -> F {
    -expm1(y)
}

#[inline(always)]
pub(super) fn sparse_sigmoid<F: Float>(z: F) -> F {
    clamp_min(clamp_max(z * F::of(0.5) + F::of(0.5), F::one()), F::zero())
}

#[inline(always)]
pub(super) fn sparse_sigmoid_derivative<F: Float>(y: F) -> F {
    select(y > F::zero() && y < F::one(), F::of(0.5), F::zero())
}

#[inline(always)]
pub(super) fn hyperbolic_tangent<F: Float>(z: F) -> F {
    tanh(z)
}

#[inline(always)]
pub(super) fn hyperbolic_tangent_derivative<F: Float>(y: F) -> F {
    F::one() - y * y
}

#[inline(always)]
pub(super) fn hard_tanh<F: Float>(z: F) -> F {
    clamp_min(clamp_max(z, F::one()), -F::one())
}

#[inline(always)]
pub(super) fn hard_tanh_derivative<F: Float>(y: F) -> F {
    heaviside(y.abs() < F::one())
}

#[inline(always)]
pub(super) fn tanh_shrink<F: Float>(z: F) -> F {
    z - tanh(z)
}

#[inline(always)]
pub(super) fn tanh_shrink_derivative<F: Float>(z: F) -> F {
    let t = tanh(z);
    t * t
}

#[inline(always)]
pub(super) fn soft_shrink<F: Float>(threshold: F, z: F) -> F {
    z - clamp_min(clamp_max(z, threshold), -threshold)
}

#[inline(always)]
pub(super) fn hard_shrink<F: Float>(threshold: F, z: F) -> F {
    select(z.abs() <= threshold, F::zero(), z)
}

/// The derivative of soft shrink and hard shrink.
#[inline(always)]
pub(super) fn shrink_derivative<F: Float>(y: F) -> F {
    heaviside(y != F::zero())
}

#[inline(always)]
pub(super) fn soft_plus<F: Float>(z: F) -> F {
    softplus(z)
}

#[inline(always)]
pub(super) fn soft_plus_derivative<F: Float>(y: F) -> F {
    -expm1(-y)
}

#[inline(always)]
pub(super) fn softsign<F: Float>(z: F) -> F {
    z / (F::one() + z.abs())
}

#[inline(always)]
pub(super) fn softsign_derivative<F: Float>(z: F) -> F {
    let inverse = F::one() / (F::one() + z.abs());
    inverse * inverse
}

#[inline(always)]
pub(super) fn silu<F: Float>(z: F) -> F {
    z * sigmoid(z)
}

#[inline(always)]
pub(super) fn silu_derivative<F: Float>(z: F) -> F {
    let s = sigmoid(z);
    s * (F::one() + z * (F::one() - s))
}

#[inline(always)]
pub(super) fn hard_silu<F: Float>(z: F) -> F {
    z * hard_sigmoid(z)
}

#[inline(always)]
pub(super) fn hard_silu_derivative<F: Float>(z: F) -> F {
    let ramp = z / F::of(3.0) + F::of(0.5);
    select(z < F::of(-3.0), F::zero(), select(z > F::of(3.0), F::one(), ramp))
}

/// Bound on z: beyond it tanh(softplus(z)) is 1, and below it e²ᶻ does not overflow.
const MISH_RANGE: f64 = 24.0;

#[inline(always)]
pub(super) fn mish<F: Float>(z: F) -> F {
    // tanh(ln(1 + e)) = n/(n + 2) with n = e² + 2e.
    let e = exp(clamp_max(z, F::of(MISH_RANGE)));
    let n = e * (e + F::of(2.0));
    z * (n / (n + F::of(2.0)))
}

#[inline(always)]
pub(super) fn mish_derivative<F: Float>(z: F) -> F {
    let (one, two) = (F::one(), F::of(2.0));
    let z = clamp_max(z, F::of(MISH_RANGE));
    let e = exp(z);
    let n = e * (e + two);
    let inverse = one / (n + two);
    // d/dz n/(n + 2) = 4e(e + 1)/(n + 2)², in an order without overflow.
    n * inverse + z * (two * inverse) * (two * e * (e + one) * inverse)
}

#[inline(always)]
pub(super) fn exponential<F: Float>(z: F) -> F {
    exp(z)
}

#[inline(always)]
pub(super) fn exponential_derivative<F: Float>(y: F) -> F {
    y
}

/// (z + √(z² + b))/2; below 0, where the sum would cancel, (b/2)/(√(z² + b) − z).
#[inline(always)]
pub(super) fn squareplus<F: Float>(b: F, z: F) -> F {
    let (half, size) = (F::of(0.5), z.abs());
    let root = select(size < F::of(1e15), (z * z + b).sqrt(), size);
    let sum = root + size;
    // For b = 0 it is ReLU, with 0/0 at 0.
    let below = select(sum > F::zero(), half * b / sum, sum);
    select(z < F::zero(), below, half * root + half * size)
}

/// The derivative, from z = y − b/(4y).
#[inline(always)]
pub(super) fn squareplus_derivative<F: Float>(b: F, y: F) -> F {
    let derivative = F::one() / (F::one() + F::of(0.25) * b / y / y);
    select(y > F::zero(), derivative, F::zero())
}

#[inline(always)]
pub(super) fn sparse_plus<F: Float>(z: F) -> F {
    let half = F::of(0.5) * (z + F::one());
    let parabola = select(z > -F::one(), half * half, F::zero() * half);
    select(z < F::one(), parabola, z)
}

#[inline(always)]
pub(super) fn sparse_plus_derivative<F: Float>(y: F) -> F {
    clamp_max(y.sqrt(), F::one())
}

#[inline(always)]
fn heaviside<F: Float>(on: bool) -> F {
    select(on, F::one(), F::zero())
}
