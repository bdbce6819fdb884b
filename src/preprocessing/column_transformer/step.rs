//! The steps of a column transformer: transformers of any type, in a row.

use crate::error::{Error, Result};
use crate::estimator::{AnyEstimator, Estimator, Fit, Transform};
use crate::float::Float;
use crate::preprocessing::category_columns::{CategoryColumns, CategoryEncoder};
use crate::preprocessing::{OneHotEncoder, OrdinalEncoder, PolynomialFeatures};
use ndarray::Array2;
use std::fmt;

/// A transformer that can be a step of a [`ColumnTransformer`](super::ColumnTransformer). Nothing to implement: every
/// transformer from a table to a table is one.
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

/// What [`ColumnTransformer::columns`](super::ColumnTransformer::columns) applies to its columns: a transformer, or a tuple of
/// transformers, each applied to the result of the one before.
pub trait ColumnSteps<F> {
    /// The transformers in the order of their application.
    fn into_steps(self) -> Vec<Box<dyn ColumnStep<F>>>;
}

impl<F: Float, T: ColumnStep<F> + Estimator + 'static> ColumnSteps<F> for T {
    fn into_steps(self) -> Vec<Box<dyn ColumnStep<F>>> {
        vec![Box::new(self)]
    }
}

macro_rules! tuples_of_steps {
    ($(($($step:ident $place:tt),+);)*) => {$(
        impl<F: Float, $($step: ColumnSteps<F>),+> ColumnSteps<F> for ($($step,)+) {
            fn into_steps(self) -> Vec<Box<dyn ColumnStep<F>>> {
                let mut steps = Vec::new();
                $(steps.extend(self.$place.into_steps());)+
                steps
            }
        }
    )*};
}
tuples_of_steps! {
    (A 0, B 1);
    (A 0, B 1, C 2);
    (A 0, B 1, C 2, D 3);
}

/// A transformer whose type is not known any more.
#[derive(Debug)]
pub(crate) struct Step<F>(Box<dyn ColumnStep<F>>);

impl<F: Float> Step<F> {
    pub(crate) fn new(transformer: impl ColumnStep<F> + 'static) -> Self {
        Self(Box::new(transformer))
    }

    pub(super) fn of_box(step: Box<dyn ColumnStep<F>>) -> Self {
        Self(step)
    }

    /// The transformer, of whatever type.
    pub(crate) fn inside(&self) -> &dyn AnyEstimator {
        &*self.0
    }

    fn downcast<T: 'static>(&self) -> Option<&T> {
        self.inside().as_any().downcast_ref()
    }

    /// Whether the transformer takes texts.
    pub(super) fn encodes(&self) -> bool {
        self.downcast::<OneHotEncoder>().is_some() || self.downcast::<OrdinalEncoder>().is_some()
    }

    /// Learns the categories of columns of a table.
    pub(super) fn fit_categories(&mut self, x: &CategoryColumns<'_, F>) -> Result<()> {
        let encoder = self.0.as_any_mut();
        if let Some(encoder) = encoder.downcast_mut::<OneHotEncoder>() {
            return encoder.fit_categories(x);
        }
        match encoder.downcast_mut::<OrdinalEncoder>() {
            Some(encoder) => encoder.fit_categories(x),
            None => Err(Error::shape("x", "numbers", "texts")),
        }
    }

    /// Encodes columns of a table.
    pub(super) fn transform_categories(&self, x: &CategoryColumns<'_, F>) -> Result<Array2<F>> {
        if let Some(encoder) = self.downcast::<OneHotEncoder>() {
            return encoder.transform_categories(x);
        }
        match self.downcast::<OrdinalEncoder>() {
            Some(encoder) => encoder.transform_categories(x),
            None => Err(Error::shape("x", "numbers", "texts")),
        }
    }

    /// The names of the columns that the step makes of columns of these names.
    pub(super) fn output_names(&self, names: Vec<String>) -> Result<Vec<String>> {
        if let Some(encoder) = self.downcast::<OneHotEncoder>() {
            return encoder.feature_names(&names);
        }
        if let Some(features) = self.downcast::<PolynomialFeatures>() {
            return features.feature_names(&names);
        }
        if self.encodes() {
            return Ok(names);
        }
        // How many columns come out does not depend on the values.
        let width = self.0.transform_columns(&Array2::zeros((1, names.len())))?.ncols();
        if width == names.len() {
            return Ok(names);
        }
        let kind: String = format!("{:?}", self.0).chars().take_while(char::is_ascii_alphanumeric).collect();
        Ok((0..width).map(|number| format!("{}{number}", kind.to_lowercase())).collect())
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
