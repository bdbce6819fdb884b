//! The arrays passed to a network as inputs, of any number type: [`Inputs`], [`InputArray`].

use super::Float;
use super::zeros::zeros;
use crate::error::{Error, Result};
use ndarray::{ArrayBase, ArrayViewD, Data, Dimension, IxDyn, RawData, ViewRepr};

/// An element type of arrays that networks accept: floats, integers, `bool`.
pub trait Element: Copy + 'static {}

/// An element type of the inputs of a network of `F`: `F` itself, any integer, `bool`. Integers, as token ids, are converted.
#[diagnostic::on_unimplemented(
    message = "arrays of `{Self}` are not inputs of a network of `{F}`",
    note = "inputs are arrays of the network's own float type, of integers or of `bool`; convert others by `x.mapv(|v| v as f32)`"
)]
pub trait InputElement<F>: Element {
    /// Wraps an array.
    #[doc(hidden)]
    fn input(array: ArrayViewD<'_, Self>) -> InputArray<'_, F>
    where
        Self: Sized;
}

/// One input of a network: samples along the first axis.
#[derive(Debug, Clone)]
pub struct InputArray<'a, F>(pub(crate) Elements<'a, F>);

macro_rules! elements {
    ($($variant:ident $integer:ty)*) => {
        /// The array by its element type. The types are written out: an alias would make the lifetime invariant.
        #[derive(Debug, Clone)]
        pub(crate) enum Elements<'a, F> {
            Values(ArrayBase<ViewRepr<&'a F>, IxDyn, F>),
            $($variant(ArrayBase<ViewRepr<&'a $integer>, IxDyn, $integer>),)*
        }

        $(impl Element for $integer {}
        impl<F: Float> InputElement<F> for $integer {
            fn input(array: ArrayViewD<'_, Self>) -> InputArray<'_, F> {
                InputArray(Elements::$variant(array))
            }
        })*

        impl<'a, F: Float> InputArray<'a, F> {
            /// The shape, with the batch axis first.
            #[must_use]
            pub fn shape(&self) -> &[usize] {
                match &self.0 {
                    Elements::Values(array) => array.shape(),
                    $(Elements::$variant(array) => array.shape(),)*
                }
            }

            /// The values as floats: a view if they are, else a converted copy.
            pub(crate) fn into_values(self, what: &str) -> Result<ndarray::CowArray<'a, F, IxDyn>> {
                // Each type adds its loop to the size of a program, and nothing else.
                let shape = IxDyn(self.shape());
                let mut values = match &self.0 {
                    Elements::Values(_) => Vec::new(),
                    _ => zeros(what, shape.size())?,
                };
                match self.0 {
                    Elements::Values(array) => return Ok(array.into()),
                    $(Elements::$variant(array) => convert(&array, &mut values),)*
                }
                let converted = ndarray::ArrayD::from_shape_vec(shape, values);
                converted.map(Into::into).map_err(|_| Error::shape(what, "an array", "another number of elements"))
            }

            /// The samples as rows of a matrix, if they are floats in standard layout.
            pub(crate) fn as_rows(&self, columns: usize) -> Option<ndarray::ArrayView2<'_, F>> {
                let Elements::Values(array) = &self.0 else { return None };
                let rows = array.shape().first().copied()?;
                array.to_slice().and_then(|values| ndarray::ArrayView2::from_shape((rows, columns), values).ok())
            }

            /// Copies the rows `start..end` to `out`, flattened.
            pub(crate) fn copy_rows(&self, start: usize, end: usize, out: &mut [F]) {
                match &self.0 {
                    Elements::Values(array) => copy_rows(array, start, end, out, |value| value),
                    $(Elements::$variant(array) => copy_rows(array, start, end, out, <$integer as ToFloat>::to::<F>),)*
                }
            }
        }
    };
}
elements! { Bool bool U8 u8 U16 u16 U32 u32 U64 u64 Usize usize I8 i8 I16 i16 I32 i32 I64 i64 Isize isize }

/// Conversion of an integer to the float type of a network, rounded.
trait ToFloat: Copy {
    fn to<F: Float>(self) -> F;
}

macro_rules! to_float {
    ($($integer:ty)*) => {$(
        impl ToFloat for $integer {
            #[allow(clippy::cast_precision_loss, clippy::cast_lossless, reason = "inputs are rounded to the network's type")]
            fn to<F: Float>(self) -> F {
                F::of(self as f64)
            }
        }
    )*};
}
to_float!(u8 u16 u32 u64 usize i8 i16 i32 i64 isize);

impl ToFloat for bool {
    fn to<F: Float>(self) -> F {
        if self { F::one() } else { F::zero() }
    }
}

/// Converts the elements of an array, in logical order. Arrays of integers are seldom in another layout than the standard one;
/// for these, a slow loop that is small.
#[inline(never)]
fn convert<F: Float, T: ToFloat>(array: &ArrayViewD<'_, T>, values: &mut [F]) {
    if let Some(elements) = array.to_slice() {
        return values.iter_mut().zip(elements).for_each(|(slot, value)| *slot = value.to::<F>());
    }
    let mut index = vec![0; array.ndim()];
    for slot in values {
        if let Some(value) = array.get(&index[..]) {
            *slot = value.to::<F>();
        }
        advance(&mut index, array.shape());
    }
}

/// Advances an index to the next element in logical order.
fn advance(index: &mut [usize], shape: &[usize]) {
    for (place, &len) in index.iter_mut().zip(shape).rev() {
        *place += 1;
        if *place < len {
            return;
        }
        *place = 0;
    }
}

fn copy_rows<F, T: Copy>(
    array: &ArrayViewD<'_, T>,
    start: usize,
    end: usize,
    out: &mut [F],
    convert: impl Fn(T) -> F,
) {
    let rows = array.slice_axis(ndarray::Axis(0), ndarray::Slice::from(start..end));
    out.iter_mut().zip(rows.iter()).for_each(|(slot, &value)| *slot = convert(value));
}

macro_rules! float_inputs {
    ($($float:ty)*) => {$(
        impl Element for $float {}
        impl InputElement<$float> for $float {
            fn input(array: ArrayViewD<'_, Self>) -> InputArray<'_, $float> {
                InputArray(Elements::Values(array))
            }
        }
    )*};
}
float_inputs!(f32 f64);

impl<'a, F, S, D> From<&'a ArrayBase<S, D>> for InputArray<'a, F>
where
    S: Data<Elem: InputElement<F>>,
    D: Dimension,
{
    fn from(array: &'a ArrayBase<S, D>) -> Self {
        <S as RawData>::Elem::input(array.view().into_dyn())
    }
}

/// The inputs of a network: an array, or for a [`Graph`](crate::models::Graph) with several inputs a tuple or a slice of
/// arrays in the order of the inputs.
///
/// # Examples
/// ```
/// use axonal::models::Inputs;
/// use axonal::ndarray::{Array1, Array2};
///
/// let (words, image) = (Array2::<u32>::zeros((5, 12)), Array2::<f32>::zeros((5, 64)));
/// let several: Inputs<'_, f32> = (&words, &image).into();
/// assert_eq!(several.len(), 5);
/// let one: Inputs<'_, f32> = (&image).into();
/// assert_eq!(one.len(), 5);
/// ```
#[derive(Debug, Clone)]
pub struct Inputs<'a, F>(pub(crate) Arrays<'a, F>);

/// One array without an allocation, or several.
#[derive(Debug, Clone)]
pub(crate) enum Arrays<'a, F> {
    One(InputArray<'a, F>),
    Several(Vec<InputArray<'a, F>>),
}

impl<'a, F: Float> Inputs<'a, F> {
    /// The number of samples of the first array; 0 without arrays.
    #[must_use]
    pub fn len(&self) -> usize {
        self.arrays().first().map_or(0, |array| array.shape().first().copied().unwrap_or(1))
    }

    /// Whether there are no samples.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The arrays in the order of the inputs.
    pub(crate) fn arrays(&self) -> &[InputArray<'a, F>] {
        match &self.0 {
            Arrays::One(array) => std::slice::from_ref(array),
            Arrays::Several(arrays) => arrays,
        }
    }
}

impl<'a, F, S, D> From<&'a ArrayBase<S, D>> for Inputs<'a, F>
where
    S: Data<Elem: InputElement<F>>,
    D: Dimension,
{
    fn from(array: &'a ArrayBase<S, D>) -> Self {
        Self(Arrays::One(array.into()))
    }
}

impl<'a, F, S, D, const N: usize> From<[&'a ArrayBase<S, D>; N]> for Inputs<'a, F>
where
    S: Data<Elem: InputElement<F>>,
    D: Dimension,
{
    fn from(arrays: [&'a ArrayBase<S, D>; N]) -> Self {
        Self(Arrays::Several(arrays.into_iter().map(Into::into).collect()))
    }
}

impl<'a, F, S, D> From<&'a [ArrayBase<S, D>]> for Inputs<'a, F>
where
    S: Data<Elem: InputElement<F>>,
    D: Dimension,
{
    fn from(arrays: &'a [ArrayBase<S, D>]) -> Self {
        Self(Arrays::Several(arrays.iter().map(Into::into).collect()))
    }
}

impl<'a, F, S, D> From<&'a Vec<ArrayBase<S, D>>> for Inputs<'a, F>
where
    S: Data<Elem: InputElement<F>>,
    D: Dimension,
{
    fn from(arrays: &'a Vec<ArrayBase<S, D>>) -> Self {
        arrays.as_slice().into()
    }
}

macro_rules! input_tuples {
    ($(($($array:ident)*))*) => {$(
        impl<'a, F, $($array: Into<InputArray<'a, F>>),*> From<($($array,)*)> for Inputs<'a, F> {
            #[allow(non_snake_case, reason = "the names of the type parameters")]
            fn from(($($array,)*): ($($array,)*)) -> Self {
                Self(Arrays::Several(vec![$($array.into()),*]))
            }
        }
    )*};
}
input_tuples! { (A) (A B) (A B C) (A B C D) (A B C D E) (A B C D E G) (A B C D E G H) (A B C D E G H I) }
