use super::{check_fit, check_transform};
use crate::error::{Error, Result};
use crate::estimator::{Estimator, Fit, Transform};
use crate::float::Float;
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
/// More than 2²⁰ products or none at all, data without rows or columns, NaN or infinities in it, another number of
/// features than `fit` saw, [`Error::NotFitted`] before `fit`.
///
/// # Examples
/// ```
/// use axonal::ndarray::array;
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
pub struct PolynomialFeatures {
    degree: usize,
    interaction_only: bool,
    include_bias: bool,
    learned: Option<Products>,
}

/// The products, each by the numbers of its factors, ascending.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
struct Products {
    n_features: usize,
    factors: Vec<Vec<usize>>,
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
        Self { degree, interaction_only: false, include_bias: true, learned: None }
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
        let products = self.fitted("feature_names")?;
        if names.len() != products.n_features {
            return Err(Error::shape("names", format!("{} names", products.n_features), names.len()));
        }
        let power = |run: &[usize]| match run {
            [feature] => names[*feature].as_ref().to_owned(),
            _ => format!("{}^{}", names[run[0]].as_ref(), run.len()),
        };
        let name = |factors: &Vec<usize>| match factors.as_slice() {
            [] => "1".to_owned(),
            factors => factors.chunk_by(|a, b| a == b).map(power).collect::<Vec<_>>().join(" "),
        };
        Ok(products.factors.iter().map(name).collect())
    }

    fn fitted(&self, method: &'static str) -> Result<&Products> {
        self.learned.as_ref().ok_or(Error::NotFitted { estimator: "PolynomialFeatures", method })
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
    fn products(&self, n_features: usize) -> Vec<Vec<usize>> {
        let mut all: Vec<Vec<usize>> = if self.include_bias { vec![vec![]] } else { vec![] };
        let mut last: Vec<Vec<usize>> = vec![vec![]];
        for _ in 0..self.degree {
            let mut next = Vec::new();
            for factors in &last {
                let first = factors.last().map_or(0, |feature| feature + usize::from(self.interaction_only));
                next.extend(
                    (first..n_features)
                        .map(|feature| factors.iter().copied().chain([feature]).collect::<Vec<usize>>()),
                );
            }
            if next.is_empty() {
                break;
            }
            all.extend_from_slice(&next);
            last = next;
        }
        all
    }
}

impl<F: Float, S: Data<Elem = F>> Fit<ArrayBase<S, Ix2>> for PolynomialFeatures {
    type Report = ();

    fn fit(&mut self, x: &ArrayBase<S, Ix2>, (): ()) -> Result<()> {
        check_fit(x)?;
        let n_features = x.ncols();
        let refuse = |expected: String| {
            Error::invalid_parameter("PolynomialFeatures", "degree", self.degree, expected)
        };
        // One feature has a product for every degree, each longer than the one before.
        if self.degree > 1000 && !self.interaction_only {
            return Err(refuse("at most 1000".into()));
        }
        if self.count(n_features) > MOST_PRODUCTS {
            return Err(refuse(format!("at most {MOST_PRODUCTS} products of {n_features} features")));
        }
        let factors = self.products(n_features);
        if factors.is_empty() {
            return Err(refuse("at least 1, or include_bias".into()));
        }
        self.learned = Some(Products { n_features, factors });
        Ok(())
    }
}

impl<F: Float, S: Data<Elem = F>> Transform<ArrayBase<S, Ix2>> for PolynomialFeatures {
    type Output = Array2<F>;

    fn transform(&self, x: &ArrayBase<S, Ix2>) -> Result<Array2<F>> {
        let products = self.fitted("transform")?;
        check_transform(x, products.n_features)?;
        let mut out = super::zeros("PolynomialFeatures", (x.nrows(), products.factors.len()))?;
        for (x, mut out) in x.rows().into_iter().zip(out.rows_mut()) {
            for (product, factors) in out.iter_mut().zip(&products.factors) {
                *product = factors.iter().fold(F::one(), |product, &feature| product * x[feature]);
            }
        }
        Ok(out)
    }
}

impl Estimator for PolynomialFeatures {
    fn unfitted(&self) -> Self {
        Self { learned: None, ..self.clone() }
    }
}
