//! Putting data into the form that estimators like: scaled, encoded, completed, combined.
//!
//! Every transformer learns with `fit` ([`Fit`](crate::estimator::Fit)) and applies with `transform`
//! ([`Transform`](crate::estimator::Transform)); [`FitTransform::fit_transform`] does both. What was learned is f64, so that one
//! fitted transformer serves f32 and f64 data, and NaN is refused everywhere but in [`SimpleImputer`].

mod category;
mod category_columns;
mod column_transformer;
mod fit_transform;
mod function_transformer;
mod k_bins_discretizer;
mod label_binarizer;
mod label_encoder;
mod max_abs_scaler;
mod min_max_scaler;
mod normalizer;
mod one_hot_encoder;
mod ordinal_encoder;
mod overflow;
#[cfg(feature = "pca")]
mod pca;
mod polynomial_features;
mod robust_scaler;
mod simple_imputer;
mod standard_scaler;
mod to_categorical;

pub use category::{Category, CategoryValue};
pub(crate) use column_transformer::{ColumnSettings, Step};
pub use column_transformer::{ColumnStep, ColumnSteps, ColumnTransformer, RecordInput, Remainder};
pub use fit_transform::FitTransform;
pub use function_transformer::{ElementFunction, FunctionTransformer};
pub use k_bins_discretizer::{BinEncoding, BinStrategy, KBinsDiscretizer, QuantileMethod};
pub use label_binarizer::LabelBinarizer;
pub use label_encoder::LabelEncoder;
pub use max_abs_scaler::MaxAbsScaler;
pub use min_max_scaler::MinMaxScaler;
pub use normalizer::{Norm, Normalizer};
pub use one_hot_encoder::{DropCategory, HandleUnknown, OneHotEncoder};
pub use ordinal_encoder::OrdinalEncoder;
#[cfg(feature = "pca")]
pub use pca::{Pca, PcaComponents, PcaSolver};
#[cfg(feature = "pca")]
pub(crate) use pca::{PcaNumbers, PcaSettings};
pub use polynomial_features::PolynomialFeatures;
pub use robust_scaler::RobustScaler;
pub use simple_imputer::{Impute, SimpleImputer};
pub use standard_scaler::StandardScaler;
pub use to_categorical::{ClassNumber, to_categorical};

use self::overflow::check_learned;
use crate::error::{Error, Result};
use crate::estimator::Estimator;
use crate::float::Float;
use crate::validate;
use ndarray::{Array2, ArrayBase, Data, Ix2};

/// What a transformer has learned, as numbers beside its settings: for files.
pub(crate) trait Statistics: Estimator {
    /// What each list of numbers is.
    const NAMES: &'static [&'static str];

    /// The lists in the order of their names; `None` before `fit`.
    fn statistics(&self) -> Option<Vec<&[f64]>>;

    /// With these lists, in the order of their names, as what was learned.
    fn with_statistics(self, statistics: Vec<Vec<f64>>) -> Self;
}

/// What an encoder knows, as lists beside its settings: for files.
pub(crate) trait Categorical: Estimator {
    /// One of what it knows.
    type Item: Known;
    /// The bytes that `misfit` takes for each category.
    const CHECKED_BY: u64 = 0;

    /// The categories of each feature; `None` before `fit`.
    fn known(&self) -> Option<Vec<&[Self::Item]>>;

    /// With these categories as what was learned.
    fn with_known(self, lists: Vec<Vec<Self::Item>>) -> Self;

    /// A copy without categories, also without those that the caller gave.
    fn without_known(&self) -> Self {
        self.unfitted()
    }

    /// What categories must be, where these are not so.
    fn misfit(lists: &[&[Self::Item]]) -> Option<&'static str>;

    /// What the categories of this encoder must be, where these are not so.
    fn problem(&self, lists: &[&[Self::Item]]) -> Option<&'static str> {
        let _ = self;
        Self::misfit(lists)
    }

    /// The bytes that `problem` and lookups take for each feature and for each category.
    fn checked_by(&self) -> (u64, u64) {
        (0, Self::CHECKED_BY)
    }
}

/// A category as a number or a text.
pub(crate) trait Known: Sized {
    /// Its text; `None` for a number.
    fn text(&self) -> Option<&str>;

    /// The bits of its number.
    fn bits(&self) -> u64;

    fn text_mut(&mut self) -> Option<&mut String>;

    /// `None` where it is no category.
    fn of_number(number: f64) -> Option<Self>;

    fn of_text(text: String) -> Option<Self>;
}

/// The next list.
fn taken(statistics: &mut impl Iterator<Item = Vec<f64>>) -> Vec<f64> {
    statistics.next().unwrap_or_default()
}

/// Refuses data that no transformer can learn from: without rows or columns, or not finite.
fn check_fit<F: Float, S: Data<Elem = F>>(x: &ArrayBase<S, Ix2>) -> Result<()> {
    validate::not_empty("x", x)?;
    validate::copyable("x", x)?;
    validate::finite("x", x)
}

/// Refuses data of another number of features than was learned from, or not finite.
fn check_transform<F: Float, S: Data<Elem = F>>(x: &ArrayBase<S, Ix2>, n_features: usize) -> Result<()> {
    validate::features("x", &x.view(), n_features)?;
    validate::copyable("x", x)?;
    validate::finite("x", x)
}

/// Zeros to write a result of this shape into, unless no memory can hold it.
fn zeros<F: Float>(owner: &'static str, shape: (usize, usize)) -> Result<Array2<F>> {
    let len = shape.0.checked_mul(shape.1);
    if len.is_some_and(|len| Vec::<F>::new().try_reserve_exact(len).is_ok()) {
        return Ok(Array2::zeros(shape));
    }
    let got = format!("{} rows and {} columns", shape.0, shape.1);
    Err(Error::invalid_parameter(owner, "output", got, "a size that fits into memory"))
}

/// `of(so far, value)` folded over each column, from `start`.
fn fold_columns<F: Float, S: Data<Elem = F>>(
    x: &ArrayBase<S, Ix2>,
    start: f64,
    of: impl Fn(f64, f64) -> f64,
) -> Vec<f64> {
    let mut folded = vec![start; x.ncols()];
    for row in x.rows() {
        folded.iter_mut().zip(row).for_each(|(folded, value)| *folded = of(*folded, value.as_f64()));
    }
    folded
}

/// A scale to divide by; 1 for constant columns.
fn divisor(spread: f64) -> f64 {
    if spread == 0.0 { 1.0 } else { spread }
}

/// The `q`-quantile (0 to 1) of ascending numbers, linear between neighbours.
#[allow(
    clippy::cast_precision_loss,
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "a position among numbers in memory"
)]
fn quantile(sorted: &[f64], q: f64) -> f64 {
    let Some(last) = sorted.len().checked_sub(1) else { return f64::NAN };
    let position = q * last as f64;
    let (below, above) = (sorted[position.floor() as usize], sorted[(position.ceil() as usize).min(last)]);
    let t = position.fract();
    if !(above - below).is_finite() {
        return below * (1.0 - t) + above * t;
    }
    // From the nearer end, so that the result never leaves the interval.
    if t < 0.5 { below + (above - below) * t } else { above - (above - below) * (1.0 - t) }
}
