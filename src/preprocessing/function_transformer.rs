use super::overflow::check_result;
use super::{check_fit, check_transform};
use crate::error::{Error, Result};
use crate::estimator::{Estimator, Fit, Transform};
use crate::float::Float;
use ndarray::{Array2, ArrayBase, Data, Ix2};
use serde::{Deserialize, Serialize, Serializer};
use std::fmt;
use std::sync::Arc;

/// A function of one number that has a name in files.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum ElementFunction {
    /// x
    #[default]
    Identity,
    /// ln(1 + x), for counts and amounts that start at 0.
    Log1p,
    /// eˣ − 1
    Expm1,
    /// ln x
    Log,
    /// eˣ
    Exp,
    /// √x
    Sqrt,
    /// x²
    Square,
    /// |x|
    Abs,
    /// 1 / x
    Reciprocal,
}

impl ElementFunction {
    fn of(self, x: f64) -> f64 {
        match self {
            Self::Identity => x,
            Self::Log1p => x.ln_1p(),
            Self::Expm1 => x.exp_m1(),
            Self::Log => x.ln(),
            Self::Exp => x.exp(),
            Self::Sqrt => x.sqrt(),
            Self::Square => x * x,
            Self::Abs => x.abs(),
            Self::Reciprocal => 1.0 / x,
        }
    }

    /// The inverse, where there is one: of a square that for values of at least 0.
    fn inverse(self) -> Option<Self> {
        match self {
            Self::Identity => Some(Self::Identity),
            Self::Log1p => Some(Self::Expm1),
            Self::Expm1 => Some(Self::Log1p),
            Self::Log => Some(Self::Exp),
            Self::Exp => Some(Self::Log),
            Self::Sqrt => Some(Self::Square),
            Self::Square => Some(Self::Sqrt),
            Self::Abs => None,
            Self::Reciprocal => Some(Self::Reciprocal),
        }
    }
}

/// A function of one number.
#[derive(Clone)]
enum Function {
    Named(ElementFunction),
    Closure(Arc<dyn Fn(f64) -> f64 + Send + Sync>),
}

impl Function {
    fn of(&self, x: f64) -> f64 {
        match self {
            Self::Named(function) => function.of(x),
            Self::Closure(function) => function(x),
        }
    }
}

impl fmt::Debug for Function {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Named(function) => function.fmt(f),
            Self::Closure(_) => f.write_str("closure"),
        }
    }
}

/// Two closures are equal if they are one.
impl PartialEq for Function {
    fn eq(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::Named(a), Self::Named(b)) => a == b,
            (Self::Closure(a), Self::Closure(b)) => Arc::ptr_eq(a, b),
            _ => false,
        }
    }
}

/// Applies a function to every value.
///
/// [`named`](Self::named) functions come back from files; a closure ([`new`](Self::new)) has no form in a file.
///
/// # Shapes
/// `x`: (n_samples, n_features); the same out.
///
/// # Parameters
/// * `inverse`: the function of `inverse_transform`. Default: that of a named function, none for a closure.
///
/// # Errors
/// Data without rows or columns, NaN or infinities, another number of features than `fit` saw, a result that is NaN or infinite
/// (ln 0), [`Error::NotFitted`] before `fit`; [`Error::Unsaveable`] when a closure is saved.
///
/// # Examples
/// ```
/// use axonal::ndarray::array;
/// use axonal::preprocessing::{ElementFunction, FunctionTransformer};
/// use axonal::prelude::*;
///
/// # fn main() -> Result<()> {
/// let mut log = FunctionTransformer::named(ElementFunction::Log1p);
/// let z = log.fit_transform(&array![[0.0, 1.0]])?;
/// assert_eq!(z, array![[0.0, 2.0_f64.ln()]]);
/// assert_eq!(log.inverse_transform(&z)?, array![[0.0, 1.0]]);
///
/// let mut clipped = FunctionTransformer::new(|x| x.clamp(0.0, 1.0));
/// assert_eq!(clipped.fit_transform(&array![[-3.0, 0.5]])?, array![[0.0, 0.5]]);
/// # Ok(())
/// # }
/// ```
#[derive(Debug, Clone, PartialEq)]
pub struct FunctionTransformer {
    function: Function,
    inverse: Option<Function>,
    n_features: Option<usize>,
}

/// The fields in files.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Settings {
    function: ElementFunction,
    inverse: Option<ElementFunction>,
    n_features: Option<usize>,
}

impl Default for FunctionTransformer {
    fn default() -> Self {
        Self::named(ElementFunction::Identity)
    }
}

impl FunctionTransformer {
    /// Applies a closure.
    #[must_use]
    pub fn new(function: impl Fn(f64) -> f64 + Send + Sync + 'static) -> Self {
        Self { function: Function::Closure(Arc::new(function)), inverse: None, n_features: None }
    }

    /// Applies a function that has a name in files, with its inverse.
    #[must_use]
    pub fn named(function: ElementFunction) -> Self {
        let inverse = function.inverse().map(Function::Named);
        Self { function: Function::Named(function), inverse, n_features: None }
    }

    /// Sets the function of [`inverse_transform`](Self::inverse_transform).
    #[must_use]
    pub fn inverse(mut self, inverse: impl Fn(f64) -> f64 + Send + Sync + 'static) -> Self {
        self.inverse = Some(Function::Closure(Arc::new(inverse)));
        self
    }

    /// Applies the inverse function.
    ///
    /// # Errors
    /// As `transform`, and no inverse.
    pub fn inverse_transform<F: Float, S: Data<Elem = F>>(&self, z: &ArrayBase<S, Ix2>) -> Result<Array2<F>> {
        let n_features = self.fitted("inverse_transform")?;
        let Some(inverse) = &self.inverse else {
            return Err(Error::invalid_parameter("FunctionTransformer", "inverse", "none", "a function"));
        };
        apply("z", z, n_features, inverse)
    }

    fn fitted(&self, method: &'static str) -> Result<usize> {
        self.n_features.ok_or(Error::NotFitted { estimator: "FunctionTransformer", method })
    }

    /// What has no form in a file.
    pub(crate) fn unsaveable(&self) -> Option<&'static str> {
        match (&self.function, &self.inverse) {
            (Function::Closure(_), _) => Some("its function is a closure"),
            (_, Some(Function::Closure(_))) => Some("its inverse is a closure"),
            _ => None,
        }
    }

    /// Whether `fit` can have left this behind.
    pub(crate) fn is_sound(&self) -> bool {
        self.n_features != Some(0)
    }
}

fn apply<F: Float>(
    what: &'static str,
    x: &ArrayBase<impl Data<Elem = F>, Ix2>,
    n_features: usize,
    function: &Function,
) -> Result<Array2<F>> {
    check_transform(x, n_features)?;
    let result = Array2::from_shape_vec(x.dim(), x.iter().map(|x| F::of(function.of(x.as_f64()))).collect())
        .map_err(|_| Error::shape(what, "a matrix", "another shape"))?;
    check_result(("FunctionTransformer", what), x, result, true)
}

crate::estimator::inherent_fit!(FunctionTransformer, Float, ());

impl<F: Float, S: Data<Elem = F>> Fit<ArrayBase<S, Ix2>> for FunctionTransformer {
    type Report = ();

    /// Keeps the number of features.
    fn fit(&mut self, x: &ArrayBase<S, Ix2>, (): ()) -> Result<()> {
        check_fit(x)?;
        self.n_features = Some(x.ncols());
        Ok(())
    }
}

impl<F: Float, S: Data<Elem = F>> Transform<ArrayBase<S, Ix2>> for FunctionTransformer {
    type Output = Array2<F>;

    fn transform(&self, x: &ArrayBase<S, Ix2>) -> Result<Array2<F>> {
        apply("x", x, self.fitted("transform")?, &self.function)
    }
}

impl Estimator for FunctionTransformer {
    fn unfitted(&self) -> Self {
        Self { n_features: None, ..self.clone() }
    }
}

/// Named functions only.
impl Serialize for FunctionTransformer {
    fn serialize<S: Serializer>(&self, serializer: S) -> std::result::Result<S::Ok, S::Error> {
        let refuse = || serde::ser::Error::custom("a closure cannot be serialized; use a named function");
        let named = |function: &Function| match function {
            Function::Named(function) => Ok(*function),
            Function::Closure(_) => Err(refuse()),
        };
        let inverse = self.inverse.as_ref().map(named).transpose()?;
        Settings { function: named(&self.function)?, inverse, n_features: self.n_features }
            .serialize(serializer)
    }
}

impl<'de> Deserialize<'de> for FunctionTransformer {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> std::result::Result<Self, D::Error> {
        let Settings { function, inverse, n_features } = Settings::deserialize(deserializer)?;
        Ok(Self { function: Function::Named(function), inverse: inverse.map(Function::Named), n_features })
    }
}
