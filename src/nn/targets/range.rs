//! Valid ranges of target values.

use crate::error::{Error, Result};
use crate::float::Float;
use crate::nn::layer::Shape;

/// The range of valid target values of a loss or metric. Training and evaluation check the targets once, before computing
/// anything; class labels are checked against the number of classes instead.
///
/// # Examples
/// ```
/// use axonal::ndarray::array;
/// use axonal::prelude::*;
///
/// # fn main() -> Result<()> {
/// let model = Sequential::new(1)
///     .add(Dense::new(1).activation(Activation::Sigmoid))
///     .compile(Adam::default(), BinaryCrossentropy::default())?;
/// let error = model.evaluate(&array![[0.0], [1.0]], &array![1.0, 2.0]).unwrap_err().to_string();
/// assert!(error.starts_with("y[1]: expected a target from 0 to 1 for binary_crossentropy, got 2"));
/// # Ok(())
/// # }
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[non_exhaustive]
pub enum TargetRange {
    /// Any finite value.
    #[default]
    Any,
    /// At least 0: counts, rates, distributions whether normalized or not.
    NonNegative,
    /// From 0 to 1: probabilities, one-hot and multi-hot rows. A rounding error of 1e-6 is allowed.
    UnitInterval,
    /// −1 and 1, or 0 and 1; all targets must use the same encoding.
    Signs,
    /// As [`UnitInterval`](Self::UnitInterval), or −1 and 1 for all targets.
    UnitIntervalOrSigns,
}

/// Tolerance of the bounds 0 and 1.
const TOLERANCE: f64 = 1e-6;

impl TargetRange {
    /// Errors at the first target outside the range. `what` is the name of the array, `owner` the loss or metric. `values` are
    /// rows of the output's size.
    pub(crate) fn check<F: Float>(self, what: &str, owner: &str, output: &Shape, values: &[F]) -> Result<()> {
        let Some(first) = self.first_outside(values) else { return Ok(()) };
        let value = values[first];
        // A value valid alone, but not in the encoding of the previous targets.
        let other = values.iter().position(|&t| (t == F::zero() || t == -F::one()) && t != value);
        let got = match other.filter(|&other| {
            self == Self::Signs && other < first && (value == F::zero() || value == -F::one())
        }) {
            Some(other) => format!("{value} beside {} at {:?}", values[other], index_of(other, output)),
            None => value.to_string(),
        };
        let (range, hint) = self.expected_and_hint();
        let what = format!("{what}{:?}", index_of(first, output));
        let row = first / output.size().max(1);
        let expected = format!("{range} for {owner}");
        Err(Error::TargetValue { what, row, value: got, expected, hint })
    }

    /// The position of the first target outside the range.
    fn first_outside<F: Float>(self, values: &[F]) -> Option<usize> {
        let (zero, one) = (F::zero(), F::one());
        let (low, high) = (-F::of(TOLERANCE), one + F::of(TOLERANCE));
        let unit = |t: F| low <= t && t <= high;
        match self {
            Self::Any => None,
            Self::NonNegative => first_not(values, |t| t >= zero),
            Self::UnitInterval => first_not(values, unit),
            Self::UnitIntervalOrSigns => {
                let first = first_not(values, unit)?;
                first_not(values, |t| t == one || t == -one)?;
                first_not(values, |t| unit(t) || t == -one).or(Some(first))
            }
            Self::Signs => first_not(values, |t| t == zero || t == one || t == -one).or_else(|| {
                // The first target other than 1 determines the encoding.
                let low = *values.iter().find(|&&t| t != one)?;
                first_not(values, |t| t == one || t == low)
            }),
        }
    }

    /// The expectation and the hint of the error.
    fn expected_and_hint(self) -> (&'static str, &'static str) {
        match self {
            Self::Any => ("a finite target", ""),
            Self::NonNegative => (
                "a target of at least 0",
                "counts and densities are not negative; use MeanSquaredError for values of any sign",
            ),
            Self::UnitInterval | Self::UnitIntervalOrSigns => (
                "a target from 0 to 1",
                "encode two classes as 0 and 1, several as one-hot rows (to_categorical), and scale other values",
            ),
            Self::Signs => {
                ("targets that are -1 and 1, or 0 and 1,", "encode the two classes by one of these pairs")
            }
        }
    }
}

/// The position of the first value that is not allowed.
fn first_not<F: Float>(values: &[F], allowed: impl Fn(F) -> bool) -> Option<usize> {
    const CHUNK: usize = 1024;
    // No early exit within a chunk, so that the compiler can vectorize it.
    let all = |chunk: &[F]| chunk.iter().fold(true, |all, &value| all & allowed(value));
    let chunk = values.chunks(CHUNK).position(|chunk| !all(chunk))?;
    let start = chunk * CHUNK;
    values[start..].iter().position(|&value| !allowed(value)).map(|place| start + place)
}

/// The multi-dimensional index, row first, of a flat position in an array of targets.
fn index_of(place: usize, output: &Shape) -> Vec<usize> {
    let size = output.size().max(1);
    let mut index = vec![place / size];
    if size > 1 {
        let (mut rest, mut stride) = (place % size, size);
        for &dim in output.dims() {
            stride /= dim.max(1);
            index.push(rest / stride.max(1));
            rest %= stride.max(1);
        }
    }
    index
}

#[cfg(test)]
mod tests {
    use super::{TargetRange, index_of};
    use crate::nn::layer::Shape;

    const NONE: Option<usize> = None;

    #[test]
    fn the_first_target_out_of_range_is_found() {
        use TargetRange::{Any, NonNegative, Signs, UnitInterval, UnitIntervalOrSigns};
        let cases: &[(TargetRange, &[f64], Option<usize>)] = &[
            (Any, &[-1e300, 1e300], NONE),
            (NonNegative, &[0.0, -0.0, 1e9], NONE),
            (NonNegative, &[3.0, -1e-9], Some(1)),
            (UnitInterval, &[0.0, 0.3, 1.0, 1.0 + 5e-7, -5e-7], NONE),
            (UnitInterval, &[0.0, 1.00001], Some(1)),
            (UnitInterval, &[-1.0, 1.0], Some(0)),
            (UnitInterval, &[1.0, 0.0, 255.0, 2.0], Some(2)),
            (Signs, &[1.0, 1.0], NONE),
            (Signs, &[-1.0, 1.0, -1.0], NONE),
            (Signs, &[0.0, 1.0, 0.0], NONE),
            (Signs, &[1.0, -1.0, 0.0], Some(2)),
            (Signs, &[0.0, 1.0, -1.0], Some(2)),
            (Signs, &[0.0, 0.5, -1.0], Some(1)),
            (Signs, &[1.0, 2.0], Some(1)),
            (UnitIntervalOrSigns, &[-1.0, 1.0, 1.0], NONE),
            (UnitIntervalOrSigns, &[0.0, 0.5, 1.0], NONE),
            (UnitIntervalOrSigns, &[0.0, 1.0, 2.0], Some(2)),
            (UnitIntervalOrSigns, &[-1.0, 1.0, 2.0], Some(2)),
            (UnitIntervalOrSigns, &[-1.0, 1.0, 0.0], Some(0)),
            (UnitIntervalOrSigns, &[], NONE),
            (Signs, &[], NONE),
        ];
        for (range, values, first) in cases {
            assert_eq!(range.first_outside(values), *first, "{range:?} {values:?}");
            let narrow: Vec<f32> = values.iter().map(|&v| v as f32).collect();
            if values.iter().all(|v| v.abs() < 1e30) {
                assert_eq!(range.first_outside(&narrow), *first, "{range:?} {values:?} in f32");
            }
        }
    }

    #[test]
    fn errors_name_index_value_range_and_hint() {
        let check = |range: TargetRange, output: &Shape, values: &[f64]| {
            range.check("y", "hinge", output, values).unwrap_err().to_string()
        };
        assert_eq!(
            check(TargetRange::Signs, &Shape::from(1), &[1.0, -1.0, 0.0]),
            "y[2]: expected targets that are -1 and 1, or 0 and 1, for hinge, got 0 beside -1 at [1]; encode the two \
             classes by one of these pairs"
        );
        assert!(check(TargetRange::Signs, &Shape::from(1), &[0.0, -1.0]).contains("got -1 beside 0 at [0]"));
        assert!(check(TargetRange::Signs, &Shape::from(1), &[1.0, 3.0]).contains("y[1]"));
        let grid = Shape::from([2, 3]);
        assert_eq!(index_of(6 + 4, &grid), [1, 1, 1]);
        let mut values = [0.0; 12];
        values[10] = -2.5;
        assert!(
            check(TargetRange::NonNegative, &grid, &values)
                .starts_with("y[1, 1, 1]: expected a target of at")
        );
    }
}
