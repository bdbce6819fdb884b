//! The arrays passed to a network as targets, of any number type: [`Targets`].

use super::Float;
use super::inputs::Element;
use ndarray::{ArrayBase, ArrayViewD, CowRepr, Data, Dimension, IxDyn, RawData};

/// An element type of the targets of a network of `F`: `F` itself, any integer, `bool`.
#[diagnostic::on_unimplemented(
    message = "arrays of `{Self}` are not targets of a network of `{F}`",
    note = "targets are arrays of the network's own float type, of integers or of `bool`; convert others by `y.mapv(|v| v as f32)`"
)]
pub trait TargetElement<F>: Element {
    /// Converts an array to targets.
    #[doc(hidden)]
    fn target(array: ArrayViewD<'_, Self>) -> TargetArray<'_, F>
    where
        Self: Sized;
}

/// The targets of one output: one row for each sample.
#[derive(Debug, Clone)]
pub struct TargetArray<'a, F>(pub(crate) TargetValues<'a, F>);

/// The values by their type. The array type is written out: an alias would make the lifetime invariant.
#[derive(Debug, Clone)]
pub(crate) enum TargetValues<'a, F> {
    Values(ArrayBase<CowRepr<'a, F>, IxDyn, F>),
    Integers { shape: Vec<usize>, values: Vec<i128> },
}

impl<F> TargetArray<'_, F> {
    /// The number of samples.
    pub(crate) fn len(&self) -> usize {
        self.shape().first().copied().unwrap_or(1)
    }

    /// The shape, with the batch axis first.
    #[must_use]
    pub fn shape(&self) -> &[usize] {
        match &self.0 {
            TargetValues::Values(values) => values.shape(),
            TargetValues::Integers { shape, .. } => shape,
        }
    }
}

/// The targets of a network: an array, or for a [`Graph`](crate::models::Graph) with several outputs a tuple or a slice of
/// arrays in the order of the outputs. Elements may be floats, integers or `bool`; one output may also have a slice or a vector.
///
/// # Examples
/// ```
/// use axonal::ndarray::array;
/// use axonal::models::Targets;
///
/// let (classes, floats) = (array![2u8, 0, 1], array![[0.5f32], [1.0]]);
/// let labels: Targets<'_, f32> = (&classes).into();
/// let values: Targets<'_, f32> = (&floats).into();
/// let booleans: Targets<'_, f32> = [true, false].as_slice().into();
/// assert_eq!((labels.len(), values.len(), booleans.len()), (3, 2, 2));
/// let booleans = array![1u8, 0];
/// let several: Targets<'_, f32> = (&booleans, &floats).into();
/// assert_eq!(several.len(), 2);
/// ```
#[derive(Debug, Clone)]
pub struct Targets<'a, F>(pub(crate) TargetArrays<'a, F>);

/// The targets of one output, or of several.
#[derive(Debug, Clone)]
pub(crate) enum TargetArrays<'a, F> {
    One(TargetArray<'a, F>),
    Several(Vec<TargetArray<'a, F>>),
}

impl<'a, F> Targets<'a, F> {
    /// The number of samples of the first array; 0 without arrays.
    #[must_use]
    pub fn len(&self) -> usize {
        match &self.0 {
            TargetArrays::One(array) => array.len(),
            TargetArrays::Several(arrays) => arrays.first().map_or(0, TargetArray::len),
        }
    }

    /// Whether there are no samples.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The shape of the first array, with the batch axis first; empty without arrays.
    #[must_use]
    pub fn shape(&self) -> &[usize] {
        match &self.0 {
            TargetArrays::One(array) => array.shape(),
            TargetArrays::Several(arrays) => arrays.first().map_or(&[], TargetArray::shape),
        }
    }

    /// The arrays in the order of the outputs.
    pub(crate) fn into_arrays(self) -> Vec<TargetArray<'a, F>> {
        match self.0 {
            TargetArrays::One(array) => vec![array],
            TargetArrays::Several(arrays) => arrays,
        }
    }
}

impl<'a, F, S, D> From<&'a ArrayBase<S, D>> for TargetArray<'a, F>
where
    S: Data<Elem: TargetElement<F>>,
    D: Dimension,
{
    fn from(array: &'a ArrayBase<S, D>) -> Self {
        <S as RawData>::Elem::target(array.view().into_dyn())
    }
}

impl<'a, F, T: TargetElement<F>> From<&'a [T]> for TargetArray<'a, F> {
    fn from(slice: &'a [T]) -> Self {
        T::target(ndarray::aview1(slice).into_dyn())
    }
}

impl<'a, F, T: TargetElement<F>> From<&'a Vec<T>> for TargetArray<'a, F> {
    fn from(vector: &'a Vec<T>) -> Self {
        vector.as_slice().into()
    }
}

impl<'a, F, T: TargetElement<F>, const N: usize> From<&'a [T; N]> for TargetArray<'a, F> {
    fn from(array: &'a [T; N]) -> Self {
        array.as_slice().into()
    }
}

impl<'a, F, S, D> From<&'a ArrayBase<S, D>> for Targets<'a, F>
where
    S: Data<Elem: TargetElement<F>>,
    D: Dimension,
{
    fn from(array: &'a ArrayBase<S, D>) -> Self {
        Self(TargetArrays::One(array.into()))
    }
}

impl<'a, F, T: TargetElement<F>> From<&'a [T]> for Targets<'a, F> {
    fn from(slice: &'a [T]) -> Self {
        Self(TargetArrays::One(slice.into()))
    }
}

impl<'a, F, T: TargetElement<F>> From<&'a Vec<T>> for Targets<'a, F> {
    fn from(vector: &'a Vec<T>) -> Self {
        Self(TargetArrays::One(vector.into()))
    }
}

impl<'a, F, T: TargetElement<F>, const N: usize> From<&'a [T; N]> for Targets<'a, F> {
    fn from(array: &'a [T; N]) -> Self {
        Self(TargetArrays::One(array.into()))
    }
}

impl<'a, F, S, D, const N: usize> From<[&'a ArrayBase<S, D>; N]> for Targets<'a, F>
where
    S: Data<Elem: TargetElement<F>>,
    D: Dimension,
{
    fn from(arrays: [&'a ArrayBase<S, D>; N]) -> Self {
        Self(TargetArrays::Several(arrays.into_iter().map(Into::into).collect()))
    }
}

impl<'a, F, S, D> From<&'a [ArrayBase<S, D>]> for Targets<'a, F>
where
    S: Data<Elem: TargetElement<F>>,
    D: Dimension,
{
    fn from(arrays: &'a [ArrayBase<S, D>]) -> Self {
        Self(TargetArrays::Several(arrays.iter().map(Into::into).collect()))
    }
}

macro_rules! target_tuples {
    ($(($($array:ident)*))*) => {$(
        impl<'a, F, $($array: Into<TargetArray<'a, F>>),*> From<($($array,)*)> for Targets<'a, F> {
            #[allow(non_snake_case, reason = "the names of the type parameters")]
            fn from(($($array,)*): ($($array,)*)) -> Self {
                Self(TargetArrays::Several(vec![$($array.into()),*]))
            }
        }
    )*};
}
target_tuples! { (A) (A B) (A B C) (A B C D) (A B C D E) (A B C D E G) (A B C D E G H) (A B C D E G H I) }

macro_rules! value_targets {
    ($($float:ty)*) => {$(
        impl TargetElement<$float> for $float {
            fn target(array: ArrayViewD<'_, Self>) -> TargetArray<'_, $float> {
                TargetArray(TargetValues::Values(array.into()))
            }
        }
    )*};
}
value_targets!(f32 f64);

macro_rules! integer_targets {
    ($($integer:ty)*) => {$(
        impl<F: Float> TargetElement<F> for $integer {
            #[allow(clippy::cast_lossless, clippy::cast_possible_wrap, reason = "i128 represents all of these types")]
            fn target(array: ArrayViewD<'_, Self>) -> TargetArray<'_, F> {
                // Broadcast targets that fit no memory are refused when they are prepared.
                let mut values = Vec::new();
                if values.try_reserve_exact(array.len()).is_ok() {
                    values.extend(array.iter().map(|&v| v as i128));
                }
                TargetArray(TargetValues::Integers { shape: array.shape().to_vec(), values })
            }
        }
    )*};
}
integer_targets!(bool u8 u16 u32 u64 usize i8 i16 i32 i64 isize);
