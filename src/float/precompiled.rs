//! Functions that are compiled in this crate for `f32` and `f64`, instead of in every crate that calls them.
//!
//! The compiler translates a generic function where its types are known, so a program that trains a `Model<f32>` would
//! translate the whole training loop again after every edit. [`Float`](super::Float) has two types only, and both can be
//! translated here: [`precompiled!`] turns the body of a generic function into two functions that are not generic, and
//! [`Float::run`](super::Float::run) calls that of the type. `scripts/build_times` measures what a dependent crate pays.

use super::Float;

/// A function that exists for both float types. Implemented by [`precompiled!`].
pub trait Operation {
    /// The arguments, as a tuple.
    type Input<'a, 'b, F: Float>;
    /// The result.
    type Output<'a, 'b, F: Float>;

    /// The function for `f32`.
    fn run_f32<'a, 'b>(input: Self::Input<'a, 'b, f32>) -> Self::Output<'a, 'b, f32>;

    /// The function for `f64`.
    fn run_f64<'a, 'b>(input: Self::Input<'a, 'b, f64>) -> Self::Output<'a, 'b, f64>;
}

/// Defines a generic function whose body is compiled in this crate for both float types. The two lifetimes and the float
/// type are always declared: `fn name<'a, 'b, F>(…) -> … { … }`.
macro_rules! precompiled {
    ($(
        $(#[$attribute:meta])*
        $visibility:vis fn $name:ident<$a:lifetime, $b:lifetime, $float:ident>($($argument:ident: $type:ty),* $(,)?) -> $output:ty
        $body:block
    )*) => {$(
        $(#[$attribute])*
        #[allow(clippy::extra_unused_lifetimes, reason = "not every function has references among its arguments")]
        $visibility fn $name<$a, $b, $float: $crate::float::Float>($($argument: $type),*) -> $output {
            fn generic<$a, $b, $float: $crate::float::Float>($($argument: $type),*) -> $output $body
            struct Compiled;
            impl $crate::float::precompiled::Operation for Compiled {
                type Input<$a, $b, $float: $crate::float::Float> = ($($type,)*);
                type Output<$a, $b, $float: $crate::float::Float> = $output;
                fn run_f32<$a, $b>(
                    ($($argument,)*): Self::Input<$a, $b, f32>,
                ) -> Self::Output<$a, $b, f32> {
                    generic($($argument),*)
                }
                fn run_f64<$a, $b>(
                    ($($argument,)*): Self::Input<$a, $b, f64>,
                ) -> Self::Output<$a, $b, f64> {
                    generic($($argument),*)
                }
            }
            $float::run::<Compiled>(($($argument,)*))
        }
    )*};
}

/// The method `into_arc` of a trait implementation for one of this crate's types: makes the trait object in this crate, so
/// that the methods are compiled here.
macro_rules! into_arc {
    ($type:ty: $family:path) => {
        fn into_arc(self) -> std::sync::Arc<dyn $family> {
            $crate::float::precompiled::precompiled! {
                fn shared<'a, 'b, F>(value: $type) -> std::sync::Arc<dyn $family> {
                    std::sync::Arc::new(value)
                }
            }
            shared(self)
        }
    };
}

pub(crate) use {into_arc, precompiled};
