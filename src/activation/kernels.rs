//! Loops that apply a function to an array, as kernels that are compiled for each instruction set.
//!
//! The functions are items marked `#[inline(always)]`, not closures: a long closure would remain a call to baseline
//! code. The results are the same on every processor, because no kernel uses a fused multiply-add.

use crate::float::Float;
use crate::simd::{Kernel, dispatch};

/// Computes v := f(v).
pub(super) fn map<F: Float>(values: &mut [F], function: impl Fn(F) -> F) {
    dispatch(Map { values, function: Unary(function) });
}

/// Computes v := f(parameter, v).
pub(super) fn map_with<F: Float, P: Copy>(values: &mut [F], parameter: P, function: impl Fn(P, F) -> F) {
    dispatch(Map { values, function: WithParameter(parameter, function) });
}

/// Computes dy := dy·f(v).
pub(super) fn scale<F: Float>(dy: &mut [F], of: &[F], derivative: impl Fn(F) -> F) {
    dispatch(Scale { dy, of, derivative: Unary(derivative) });
}

/// Computes dy := dy·f(parameter, v).
pub(super) fn scale_with<F: Float, P: Copy>(
    dy: &mut [F],
    of: &[F],
    parameter: P,
    derivative: impl Fn(P, F) -> F,
) {
    dispatch(Scale { dy, of, derivative: WithParameter(parameter, derivative) });
}

/// Applies a function of rows of length `width` to an array, unless the rows are empty.
pub(super) fn map_rows<F: Float>(width: usize, values: &mut [F], function: impl Fn(usize, &mut [F])) {
    if width > 0 {
        dispatch(MapRows { width, values, function });
    }
}

/// Applies the gradient of a function of rows, unless the rows are empty.
pub(super) fn scale_rows<F: Float>(
    width: usize,
    y: &[F],
    dy: &mut [F],
    gradient: impl Fn(usize, &[F], &mut [F]),
) {
    if width > 0 {
        dispatch(ScaleRows { width, y, dy, gradient });
    }
}

/// A function of one element. It is a trait because the call of a closure cannot be `#[inline(always)]`.
trait ScalarFn<F> {
    fn call(&self, v: F) -> F;
}

/// A function without a parameter.
struct Unary<G>(G);

impl<F, G: Fn(F) -> F> ScalarFn<F> for Unary<G> {
    #[inline(always)]
    fn call(&self, v: F) -> F {
        (self.0)(v)
    }
}

/// A function with a parameter.
struct WithParameter<P, G>(P, G);

impl<F, P: Copy, G: Fn(P, F) -> F> ScalarFn<F> for WithParameter<P, G> {
    #[inline(always)]
    fn call(&self, v: F) -> F {
        (self.1)(self.0, v)
    }
}

struct Map<'a, F, G> {
    values: &'a mut [F],
    function: G,
}

impl<F: Float, G: ScalarFn<F>> Kernel for Map<'_, F, G> {
    type Output = ();

    #[inline(always)]
    fn run<const FMA: bool>(self) {
        for v in self.values {
            // For functions that return some v unchanged, the compiler would emit masked stores, which are slow. It
            // cannot see that v + 0 is v.
            *v = self.function.call(*v + F::zero());
        }
    }
}

struct Scale<'a, F, G> {
    dy: &'a mut [F],
    of: &'a [F],
    derivative: G,
}

impl<F: Float, G: ScalarFn<F>> Kernel for Scale<'_, F, G> {
    type Output = ();

    #[inline(always)]
    fn run<const FMA: bool>(self) {
        for (dy, &v) in self.dy.iter_mut().zip(self.of) {
            *dy *= self.derivative.call(v);
        }
    }
}

struct MapRows<'a, F, G> {
    width: usize,
    values: &'a mut [F],
    function: G,
}

impl<F, G: Fn(usize, &mut [F])> Kernel for MapRows<'_, F, G> {
    type Output = ();

    #[inline(always)]
    fn run<const FMA: bool>(self) {
        (self.function)(self.width, self.values);
    }
}

struct ScaleRows<'a, F, G> {
    width: usize,
    y: &'a [F],
    dy: &'a mut [F],
    gradient: G,
}

impl<F, G: Fn(usize, &[F], &mut [F])> Kernel for ScaleRows<'_, F, G> {
    type Output = ();

    #[inline(always)]
    fn run<const FMA: bool>(self) {
        (self.gradient)(self.width, self.y, self.dy);
    }
}
