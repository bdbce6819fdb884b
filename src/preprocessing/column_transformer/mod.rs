use crate::error::{Error, Result};
use crate::estimator::{AnyEstimator, Estimator, Fit, Transform};
use crate::float::Float;
use crate::validate;
use ndarray::{Array2, ArrayBase, Axis, Data, Ix2, concatenate};
use serde::{Deserialize, Serialize};
use std::fmt;

/// What becomes of the columns that no step names.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[non_exhaustive]
pub enum Remainder {
    /// They are left out.
    #[default]
    Drop,
    /// They follow behind the others, as they are.
    Passthrough,
}

/// A transformer that can be a step of a [`ColumnTransformer`]. Nothing to implement: every transformer from a table
/// to a table is one.
pub trait ColumnStep<F>: AnyEstimator + fmt::Debug + Send + Sync {
    /// Learns from the step's columns.
    ///
    /// # Errors
    /// Those of the transformer.
    fn fit_columns(&mut self, x: &Array2<F>) -> Result<()>;

    /// The step's columns, re-expressed.
    ///
    /// # Errors
    /// Those of the transformer.
    fn transform_columns(&self, x: &Array2<F>) -> Result<Array2<F>>;

    /// A copy as it is.
    fn boxed_copy(&self) -> Box<dyn ColumnStep<F>>;

    /// A copy that has learned nothing.
    fn boxed_unfitted(&self) -> Box<dyn ColumnStep<F>>;
}

impl<F, T> ColumnStep<F> for T
where
    T: Estimator
        + Fit<Array2<F>>
        + Transform<Array2<F>, Output = Array2<F>>
        + fmt::Debug
        + Send
        + Sync
        + 'static,
{
    fn fit_columns(&mut self, x: &Array2<F>) -> Result<()> {
        Fit::fit(self, x, ()).map(drop)
    }

    fn transform_columns(&self, x: &Array2<F>) -> Result<Array2<F>> {
        Transform::transform(self, x)
    }

    fn boxed_copy(&self) -> Box<dyn ColumnStep<F>> {
        Box::new(self.clone())
    }

    fn boxed_unfitted(&self) -> Box<dyn ColumnStep<F>> {
        Box::new(Estimator::unfitted(self))
    }
}

/// A transformer whose type is not known any more.
#[derive(Debug)]
pub(crate) struct Step<F>(Box<dyn ColumnStep<F>>);

impl<F: 'static> Step<F> {
    pub(crate) fn new(transformer: impl ColumnStep<F> + 'static) -> Self {
        Self(Box::new(transformer))
    }

    /// The transformer, of whatever type.
    pub(crate) fn inside(&self) -> &dyn AnyEstimator {
        &*self.0
    }
}

impl<F> Clone for Step<F> {
    fn clone(&self) -> Self {
        Self(self.0.boxed_copy())
    }
}

impl<F> Fit<Array2<F>> for Step<F> {
    type Report = ();

    fn fit(&mut self, x: &Array2<F>, (): ()) -> Result<()> {
        self.0.fit_columns(x)
    }
}

impl<F> Transform<Array2<F>> for Step<F> {
    type Output = Array2<F>;

    fn transform(&self, x: &Array2<F>) -> Result<Array2<F>> {
        self.0.transform_columns(x)
    }
}

impl<F> Estimator for Step<F> {
    fn unfitted(&self) -> Self {
        Self(self.0.boxed_unfitted())
    }
}

/// A column transformer but for its steps, for files.
#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct ColumnSettings {
    /// The columns of each step.
    columns: Vec<Vec<usize>>,
    remainder: Remainder,
    n_features: Option<usize>,
}

impl ColumnSettings {
    pub(crate) fn n_steps(&self) -> usize {
        self.columns.len()
    }
}

/// Gives different columns to different transformers and puts what comes out side by side.
///
/// # Shapes
/// `x`: (n_samples, n_features). Out: the steps' columns in the order of the steps, then the remaining ones.
///
/// # Parameters
/// * `step`: a transformer and the numbers of its columns; a column may go to several steps.
/// * `remainder`: what becomes of columns that no step names. Default: [`Remainder::Drop`].
///
/// # Errors
/// A column that `x` does not have, nothing to put out, another number of features than `fit` saw,
/// [`Error::NotFitted`] before `fit`, and those of the steps.
///
/// # Examples
/// ```
/// use axonal::ndarray::array;
/// use axonal::prelude::*;
///
/// # fn main() -> Result<()> {
/// // An age, and which of three towns.
/// let x = array![[20.0, 2.0], [40.0, 0.0], [60.0, 1.0]];
/// let mut columns = ColumnTransformer::new()
///     .step(MinMaxScaler::new(), [0])
///     .step(OneHotEncoder::new(), [1]);
/// assert_eq!(
///     columns.fit_transform(&x)?,
///     array![[0.0, 0.0, 0.0, 1.0], [0.5, 1.0, 0.0, 0.0], [1.0, 0.0, 1.0, 0.0]]
/// );
/// # Ok(())
/// # }
/// ```
#[derive(Debug)]
pub struct ColumnTransformer<F> {
    steps: Vec<(Step<F>, Vec<usize>)>,
    remainder: Remainder,
    n_features: Option<usize>,
}

impl<F> Default for ColumnTransformer<F> {
    fn default() -> Self {
        Self { steps: Vec::new(), remainder: Remainder::Drop, n_features: None }
    }
}

impl<F> Clone for ColumnTransformer<F> {
    fn clone(&self) -> Self {
        let steps = self.steps.iter().map(|(step, columns)| (step.clone(), columns.clone())).collect();
        Self { steps, ..*self }
    }
}

impl<F: Float> ColumnTransformer<F> {
    /// Without steps yet.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Gives the columns of these numbers to `transformer`.
    #[must_use]
    pub fn step(mut self, transformer: impl ColumnStep<F> + 'static, columns: impl Into<Vec<usize>>) -> Self {
        self.steps.push((Step::new(transformer), columns.into()));
        self
    }

    /// What becomes of columns that no step names.
    #[must_use]
    pub fn remainder(mut self, remainder: Remainder) -> Self {
        self.remainder = remainder;
        self
    }

    /// The settings, for files.
    pub(crate) fn settings(&self) -> ColumnSettings {
        let columns = self.steps.iter().map(|(_, columns)| columns.clone()).collect();
        ColumnSettings { columns, remainder: self.remainder, n_features: self.n_features }
    }

    /// The steps, of whatever type.
    pub(crate) fn steps(&self) -> impl Iterator<Item = &dyn AnyEstimator> {
        self.steps.iter().map(|(step, _)| step.inside())
    }

    /// A transformer of these settings and as many steps as they say.
    pub(crate) fn of_settings(settings: ColumnSettings, steps: Vec<Step<F>>) -> Result<Self> {
        let ColumnSettings { columns, remainder, n_features } = settings;
        let columns = Self { steps: steps.into_iter().zip(columns).collect(), remainder, n_features };
        if let Some(n_features) = n_features {
            columns.check_columns(n_features)?;
        }
        Ok(columns)
    }

    /// The columns that pass through.
    fn passing(&self, n_features: usize) -> Vec<usize> {
        let named = |column: &usize| self.steps.iter().any(|(_, columns)| columns.contains(column));
        let remaining = (0..n_features).filter(|column| !named(column));
        if self.remainder == Remainder::Passthrough { remaining.collect() } else { Vec::new() }
    }

    /// Refuses steps that name columns which are not there, and a transformer without output.
    fn check_columns(&self, n_features: usize) -> Result<()> {
        for (_, columns) in &self.steps {
            if let Some(column) = columns.iter().find(|column| **column >= n_features) {
                let expected = format!("below {n_features}, the number of features");
                return Err(Error::invalid_parameter("ColumnTransformer", "columns", column, expected));
            }
        }
        if self.steps.is_empty() && self.passing(n_features).is_empty() {
            return Err(Error::invalid_parameter("ColumnTransformer", "steps", "empty", "at least 1 step"));
        }
        Ok(())
    }
}

/// The error of a step, whose `x` was these columns, with the column's number in the whole.
fn of_columns(mut error: Error, columns: &[usize]) -> Error {
    let column = match &mut error {
        Error::NonFinite { what, index, .. } if what == "x" => index.get_mut(1),
        Error::TooLarge { what: "x", index, .. } => index.get_mut(1),
        _ => None,
    };
    if let Some(column) = column
        && let Some(number) = columns.get(*column)
    {
        *column = *number;
    }
    error
}

crate::estimator::inherent_fit!(ColumnTransformer<F>, ());

impl<F: Float, S: Data<Elem = F>> Fit<ArrayBase<S, Ix2>> for ColumnTransformer<F> {
    type Report = ();

    fn fit(&mut self, x: &ArrayBase<S, Ix2>, (): ()) -> Result<()> {
        validate::not_empty("x", x)?;
        self.check_columns(x.ncols())?;
        validate::finite("x", &x.select(Axis(1), &self.passing(x.ncols())))?;
        for (step, columns) in &mut self.steps {
            step.fit(&x.select(Axis(1), columns), ()).map_err(|error| of_columns(error, columns))?;
        }
        self.n_features = Some(x.ncols());
        Ok(())
    }
}

impl<F: Float, S: Data<Elem = F>> Transform<ArrayBase<S, Ix2>> for ColumnTransformer<F> {
    type Output = Array2<F>;

    fn transform(&self, x: &ArrayBase<S, Ix2>) -> Result<Array2<F>> {
        let not_fitted = Error::NotFitted { estimator: "ColumnTransformer", method: "transform" };
        let n_features = self.n_features.ok_or(not_fitted)?;
        validate::features("x", &x.view(), n_features)?;
        let mut parts = Vec::with_capacity(self.steps.len() + 1);
        for (step, columns) in &self.steps {
            let part = step.transform(&x.select(Axis(1), columns));
            parts.push(part.map_err(|error| of_columns(error, columns))?);
        }
        let passing = self.passing(n_features);
        let rest = x.select(Axis(1), &passing);
        validate::finite("x", &rest)?;
        parts.push(rest);
        let views: Vec<_> = parts.iter().map(|part| part.view()).collect();
        concatenate(Axis(1), &views)
            .map_err(|problem| Error::shape("ColumnTransformer", "equal rows", problem))
    }
}

impl<F: Float> Estimator for ColumnTransformer<F> {
    fn unfitted(&self) -> Self {
        let steps = self.steps.iter().map(|(step, columns)| (step.unfitted(), columns.clone())).collect();
        Self { steps, remainder: self.remainder, n_features: None }
    }
}
