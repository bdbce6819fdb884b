//! The passes over a block of numbers, as kernels that are compiled for each instruction set.
//!
//! Functions come as items that are `#[inline(always)]`, not as closures: a long closure would stay a call to baseline
//! code. The answers are the same on every processor, so nothing here multiplies and adds in one instruction.

use crate::float::Float;
use crate::simd::{Kernel, dispatch};

/// v := f(v).
pub(super) fn map<F: Float>(values: &mut [F], function: impl Fn(F) -> F) {
    dispatch(Map { values, function: Plain(function) });
}

/// v := f(parameter, v).
pub(super) fn map_with<F: Float, P: Copy>(values: &mut [F], parameter: P, function: impl Fn(P, F) -> F) {
    dispatch(Map { values, function: With(parameter, function) });
}

/// dy := dy·f(v).
pub(super) fn scale<F: Float>(dy: &mut [F], of: &[F], derivative: impl Fn(F) -> F) {
    dispatch(Scale { dy, of, derivative: Plain(derivative) });
}

/// dy := dy·f(parameter, v).
pub(super) fn scale_with<F: Float, P: Copy>(
    dy: &mut [F],
    of: &[F],
    parameter: P,
    derivative: impl Fn(P, F) -> F,
) {
    dispatch(Scale { dy, of, derivative: With(parameter, derivative) });
}

/// Calls a function of the rows of a block, unless the rows are empty.
pub(super) fn map_rows<F: Float>(width: usize, values: &mut [F], function: impl Fn(usize, &mut [F])) {
    if width > 0 {
        dispatch(MapRows { width, values, function });
    }
}

/// Calls the gradient of a function of rows, unless the rows are empty.
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

/// A function of one number; a trait of its own because the call of a closure cannot be `#[inline(always)]`.
trait Function<F> {
    fn call(&self, v: F) -> F;
}

struct Plain<G>(G);

impl<F, G: Fn(F) -> F> Function<F> for Plain<G> {
    #[inline(always)]
    fn call(&self, v: F) -> F {
        (self.0)(v)
    }
}

struct With<P, G>(P, G);

impl<F, P: Copy, G: Fn(P, F) -> F> Function<F> for With<P, G> {
    #[inline(always)]
    fn call(&self, v: F) -> F {
        (self.1)(self.0, v)
    }
}

struct Map<'a, F, G> {
    values: &'a mut [F],
    function: G,
}

impl<F: Float, G: Function<F>> Kernel for Map<'_, F, G> {
    type Output = ();

    #[inline(always)]
    fn run<const FMA: bool>(self) {
        for v in self.values {
            // Where f(v) is v itself, the compiler would store under a mask, which is slow; of v + 0 it cannot know.
            *v = self.function.call(*v + F::zero());
        }
    }
}

struct Scale<'a, F, G> {
    dy: &'a mut [F],
    of: &'a [F],
    derivative: G,
}

impl<F: Float, G: Function<F>> Kernel for Scale<'_, F, G> {
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
