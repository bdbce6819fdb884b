use super::overflow::too_large;
use super::{check_fit, check_transform};
use crate::error::{Error, Result};
use crate::estimator::{Estimator, Fit, Transform};
use crate::float::Float;
use crate::float::scaled::{exponent, times_power_of_two};
use ndarray::{Array2, ArrayBase, Data, Ix2};
use serde::{Deserialize, Serialize};

/// Adds the products of features up to a degree: from (a, b) to (1, a, b, a², ab, b²).
///
/// # Shapes
/// `x`: (n_samples, n_features). Out: (n_samples, number of products), by degree, and in the order of the features within one.
///
/// # Parameters
/// * `degree`: the highest number of factors. Default: 2.
/// * `interaction_only`: no feature twice in a product. Default: false.
/// * `include_bias`: begin with a column of ones. Default: true.
///
/// # Errors
/// More than 2²⁰ products or none at all, products that are not representable, data without rows or columns, NaN or infinities in it, another number of
/// features than `fit` saw, [`Error::NotFitted`] before `fit`.
///
/// # Examples
/// ```
/// use axonal::ndarray::array;
/// use axonal::preprocessing::PolynomialFeatures;
/// use axonal::prelude::*;
///
/// # fn main() -> Result<()> {
/// let mut squares = PolynomialFeatures::new(2);
/// assert_eq!(squares.fit_transform(&array![[2.0, 3.0]])?, array![[1.0, 2.0, 3.0, 4.0, 6.0, 9.0]]);
/// assert_eq!(squares.feature_names(&["a", "b"])?, ["1", "a", "b", "a^2", "a b", "b^2"]);
/// # Ok(())
/// # }
/// ```
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PolynomialFeatures {
    degree: usize,
    interaction_only: bool,
    include_bias: bool,
    n_features: Option<usize>,
}

/// Products, each by the numbers of its factors, ascending, one behind the other. They follow from the settings and
/// the number of features, so they are worked out where they are needed: a file need not be trusted with them.
#[derive(Debug, Default)]
struct Products {
    factors: Vec<usize>,
    /// Where the factors of each product end.
    ends: Vec<usize>,
}

impl Products {
    fn len(&self) -> usize {
        self.ends.len()
    }

    fn get(&self, product: usize) -> &[usize] {
        let start = product.checked_sub(1).map_or(0, |before| self.ends[before]);
        &self.factors[start..self.ends[product]]
    }

    /// Appends a product of `product` and one more feature.
    fn push(&mut self, product: Option<usize>, feature: Option<usize>) {
        if let Some(product) = product {
            let start = product.checked_sub(1).map_or(0, |before| self.ends[before]);
            self.factors.extend_from_within(start..self.ends[product]);
        }
        self.factors.extend(feature);
        self.ends.push(self.factors.len());
    }
}

impl Default for PolynomialFeatures {
    fn default() -> Self {
        Self::new(2)
    }
}

/// More columns than this are a mistake.
const MOST_PRODUCTS: usize = 1 << 20;

impl PolynomialFeatures {
    /// Products of up to `degree` factors.
    #[must_use]
    pub fn new(degree: usize) -> Self {
        Self { degree, interaction_only: false, include_bias: true, n_features: None }
    }

    /// Whether no feature may be twice in a product.
    #[must_use]
    pub fn interaction_only(mut self, interaction_only: bool) -> Self {
        self.interaction_only = interaction_only;
        self
    }

    /// Whether to begin with a column of ones.
    #[must_use]
    pub fn include_bias(mut self, include_bias: bool) -> Self {
        self.include_bias = include_bias;
        self
    }

    /// The names of the columns that come out: `a^2 b` for a²b.
    ///
    /// # Errors
    /// [`Error::NotFitted`] before `fit`, or another number of names than features.
    pub fn feature_names(&self, names: &[impl AsRef<str>]) -> Result<Vec<String>> {
        let n_features = self.fitted("feature_names")?;
        if names.len() != n_features {
            return Err(Error::shape("names", format!("{n_features} names"), names.len()));
        }
        let power = |run: &[usize]| match run {
            [feature] => names[*feature].as_ref().to_owned(),
            _ => format!("{}^{}", names[run[0]].as_ref(), run.len()),
        };
        let name = |factors: &[usize]| match factors {
            [] => "1".to_owned(),
            factors => factors.chunk_by(|a, b| a == b).map(power).collect::<Vec<_>>().join(" "),
        };
        let products = self.products(n_features);
        Ok((0..products.len()).map(|product| name(products.get(product))).collect())
    }

    fn fitted(&self, method: &'static str) -> Result<usize> {
        self.n_features.ok_or(Error::NotFitted { estimator: "PolynomialFeatures", method })
    }

    /// Whether `fit` can have left this behind.
    pub(crate) fn is_sound(&self) -> bool {
        self.n_features.is_none_or(|n_features| n_features > 0 && self.check(n_features).is_ok())
    }

    /// How many products there are but for the bias, up to one more than are allowed.
    fn count(&self, n_features: usize) -> usize {
        let (mut total, mut of_degree) = (0_u128, 1_u128);
        for degree in 1..=self.degree {
            // Choices of `degree` features, with or without taking one again, from the choices of one fewer.
            let factor = if self.interaction_only {
                (n_features + 1).saturating_sub(degree)
            } else {
                n_features.saturating_add(degree - 1)
            };
            of_degree = of_degree * factor as u128 / degree as u128;
            total += of_degree;
            if of_degree == 0 || total > MOST_PRODUCTS as u128 {
                break;
            }
        }
        usize::try_from(total).unwrap_or(usize::MAX)
    }

    /// The products of each degree, grown from those of the degree before.
    fn products(&self, n_features: usize) -> Products {
        let mut all = Products::default();
        all.push(None, None);
        let mut last = 0..1;
        for _ in 0..self.degree {
            let next = all.len();
            for product in last {
                let last_factor = all.get(product).last();
                let first = last_factor.map_or(0, |feature| feature + usize::from(self.interaction_only));
                (first..n_features).for_each(|feature| all.push(Some(product), Some(feature)));
            }
            if all.len() == next {
                break;
            }
            last = next..all.len();
        }
        if !self.include_bias {
            all.ends.remove(0);
        }
        all
    }

    /// Rejects settings that produce no or too many output features for this number of input features.
    fn check(&self, n_features: usize) -> Result<()> {
        let refuse = |expected: String| {
            Error::invalid_parameter("PolynomialFeatures", "degree", self.degree, expected)
        };
        // One feature has a product for every degree, each longer than the one before.
        if self.degree > 1000 && !self.interaction_only {
            return Err(refuse("at most 1000".into()));
        }
        let count = self.count(n_features);
        if count > MOST_PRODUCTS {
            return Err(refuse(format!("at most {MOST_PRODUCTS} products of {n_features} features")));
        }
        if count == 0 && !self.include_bias {
            return Err(refuse("at least 1, or include_bias".into()));
        }
        Ok(())
    }
}

/// A product whose partial products over- or underflow, which the whole need not: exponents are added apart.
fn product_of_extremes<F: Float>(factors: impl Iterator<Item = f64>) -> F {
    let (significand, power) = factors.fold((1.0, 0), |(significand, power), factor| {
        let product = significand * times_power_of_two(factor, -exponent(factor));
        let shift = exponent(product);
        (times_power_of_two(product, -shift), power + exponent(factor) + shift)
    });
    F::of(times_power_of_two(significand, power))
}

crate::estimator::inherent_fit!(PolynomialFeatures, Float, ());

impl<F: Float, S: Data<Elem = F>> Fit<ArrayBase<S, Ix2>> for PolynomialFeatures {
    type Report = ();

    fn fit(&mut self, x: &ArrayBase<S, Ix2>, (): ()) -> Result<()> {
        check_fit(x)?;
        self.check(x.ncols())?;
        self.n_features = Some(x.ncols());
        Ok(())
    }
}

impl<F: Float, S: Data<Elem = F>> Transform<ArrayBase<S, Ix2>> for PolynomialFeatures {
    type Output = Array2<F>;

    fn transform(&self, x: &ArrayBase<S, Ix2>) -> Result<Array2<F>> {
        let n_features = self.fitted("transform")?;
        check_transform(x, n_features)?;
        let products = self.products(n_features);
        let mut out = super::zeros("PolynomialFeatures", (x.nrows(), products.len()))?;
        for (row, (x, mut out)) in x.rows().into_iter().zip(out.rows_mut()).enumerate() {
            for (product, value) in out.iter_mut().enumerate() {
                let factors = products.get(product);
                *value = factors.iter().fold(F::one(), |so_far, &feature| so_far * x[feature]);
                if !value.is_normal() {
                    *value = product_of_extremes(factors.iter().map(|&feature| x[feature].as_f64()));
                }
                if !value.is_finite() {
                    let magnitude = |feature: &usize| x[*feature].as_f64().abs();
                    let most =
                        factors.iter().rev().copied().max_by(|a, b| magnitude(a).total_cmp(&magnitude(b)));
                    let column = most.unwrap_or_default();
                    let names = ("PolynomialFeatures", "x");
                    return Err(too_large::<F>(names, [row, column], x[column].as_f64()));
                }
            }
        }
        Ok(out)
    }
}

impl Estimator for PolynomialFeatures {
    fn unfitted(&self) -> Self {
        Self { n_features: None, ..self.clone() }
    }
}
