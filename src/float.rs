//! The element types that the crate is generic over: `f32` and `f64`.

use crate::simd::SimdElement;
use ndarray::NdFloat;
use std::iter::Sum;

pub(crate) mod elementary;
mod elements;
pub(crate) mod inputs;
pub(crate) mod lanes;
pub(crate) mod precompiled;
pub(crate) mod scaled;
pub(crate) mod targets;
pub(crate) mod zeros;

/// A floating-point type: `f32` or `f64`.
///
/// The trait is sealed. Arithmetic and functions (`exp`, `sqrt`, `max`, …) come from [`ndarray::NdFloat`], so an
/// array of `F` has all of ndarray's methods.
///
/// # Examples
/// ```
/// use axonal::Float;
///
/// fn sigmoid<F: Float>(z: F) -> F {
///     F::one() / (F::one() + (-z).exp())
/// }
/// assert_eq!(sigmoid(0.0_f32), 0.5);
/// assert_eq!(sigmoid(f64::of(0.0)), 0.5);
/// ```
#[diagnostic::on_unimplemented(
    message = "`{Self}` is not a float type of this crate",
    label = "expected `f32` or `f64`",
    note = "the trait is sealed; convert the data with `mapv`, for example `x.mapv(|value| value as f32)`"
)]
pub trait Float:
    NdFloat
    + Sum
    + for<'a> Sum<&'a Self>
    + Default
    + std::str::FromStr
    + serde::Serialize
    + serde::de::DeserializeOwned
    + SimdElement
    + elementary::Elementary
    + inputs::InputElement<Self>
    + targets::TargetElement<Self>
{
    /// The name of the type in files: `"f32"` or `"f64"`.
    const NAME: &'static str;

    /// Rounds to the nearest value of this type.
    fn of(value: f64) -> Self;

    /// Converts to `f64` exactly.
    fn as_f64(self) -> f64;

    /// Calls the function that this crate has compiled for this type.
    #[doc(hidden)]
    fn run<'a, 'b, O: precompiled::Operation>(input: O::Input<'a, 'b, Self>) -> O::Output<'a, 'b, Self>;
}

impl Float for f32 {
    const NAME: &'static str = "f32";

    #[inline(always)]
    #[allow(clippy::cast_possible_truncation, reason = "rounding to the nearest f32 is the purpose")]
    fn of(value: f64) -> Self {
        value as f32
    }

    #[inline(always)]
    fn as_f64(self) -> f64 {
        f64::from(self)
    }

    #[inline]
    fn run<'a, 'b, O: precompiled::Operation>(input: O::Input<'a, 'b, Self>) -> O::Output<'a, 'b, Self> {
        O::run_f32(input)
    }
}

impl Float for f64 {
    const NAME: &'static str = "f64";

    #[inline(always)]
    fn of(value: f64) -> Self {
        value
    }

    #[inline(always)]
    fn as_f64(self) -> f64 {
        self
    }

    #[inline]
    fn run<'a, 'b, O: precompiled::Operation>(input: O::Input<'a, 'b, Self>) -> O::Output<'a, 'b, Self> {
        O::run_f64(input)
    }
}
