mod record_input;
mod settings;
mod step;
mod table;

pub use record_input::RecordInput;
pub(crate) use settings::ColumnSettings;
pub(crate) use step::Step;
pub use step::{ColumnStep, ColumnSteps};

use crate::error::{Error, Result};
use crate::estimator::{Estimator, Fit, Transform};
use crate::float::Float;
use crate::validate;
use ndarray::{Array2, ArrayBase, Axis, Data, Ix2, concatenate};
use serde::{Deserialize, Serialize};

/// The name in errors.
const OWNER: &str = "ColumnTransformer";

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

/// Gives different columns to different transformers and puts what comes out side by side.
///
/// It takes an array, whose columns are selected by number, or a [`Table`](crate::datasets::Table), whose columns are
/// selected by name: [`OneHotEncoder`](super::OneHotEncoder) and [`OrdinalEncoder`](super::OrdinalEncoder) then learn the texts
/// themselves, so that a saved pipeline has everything that a service needs ([`RecordInput`]).
///
/// # Shapes
/// `x`: (n_samples, n_features). Out: the steps' columns in the order of the steps, then the remaining ones.
///
/// # Parameters
/// * `step`: a transformer and the numbers of its columns; a column may go to several steps.
/// * `columns`: the names of columns of a table, and a transformer or a tuple of transformers that are applied in a row.
/// * `remainder`: what becomes of columns that no step names. Default: [`Remainder::Drop`].
///
/// # Errors
/// A column that `x` does not have, nothing to put out, another number of features than `fit` saw, texts for a
/// transformer of numbers, a missing text unless the encoder ignores unknown categories, [`Error::NotFitted`] before
/// `fit`, and those of the steps.
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
///
/// Of a table, columns by name:
/// ```
/// use axonal::datasets::Table;
/// use axonal::ndarray::array;
/// use axonal::prelude::*;
///
/// # fn main() -> Result<()> {
/// let x = Table::<f64>::new().with_numbers("age", [20.0, f64::NAN, 40.0])?.with_texts("plan", ["pro", "basic", "pro"])?;
/// let mut columns = ColumnTransformer::new()
///     .columns(["age"], (SimpleImputer::mean(), MinMaxScaler::new()))
///     .columns(["plan"], OneHotEncoder::new());
/// assert_eq!(columns.fit_transform(&x)?, array![[0.0, 0.0, 1.0], [0.5, 1.0, 0.0], [1.0, 0.0, 1.0]]);
/// assert_eq!(columns.output_names()?, ["age", "plan_basic", "plan_pro"]);
/// # Ok(())
/// # }
/// ```
#[derive(Debug)]
pub struct ColumnTransformer<F> {
    groups: Vec<Group<F>>,
    remainder: Remainder,
    fitted: Option<FittedColumns>,
}

/// Columns, and the steps that are applied to them in a row.
#[derive(Debug, Clone)]
struct Group<F> {
    selection: Selection,
    steps: Vec<Step<F>>,
}

/// Columns by number or by name.
#[derive(Debug, Clone)]
enum Selection {
    Numbers(Vec<usize>),
    Names(Vec<String>),
}

/// What is known of the input after `fit`.
#[derive(Debug, Clone)]
struct FittedColumns {
    n_features: usize,
    /// The columns of a table that are used, in its order; empty after a fit to an array.
    inputs: Vec<InputColumn>,
    /// The positions of each group's columns among the inputs, or among the features of an array.
    positions: Vec<Vec<usize>>,
}

/// A column of a table.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct InputColumn {
    name: String,
    is_text: bool,
}

impl<F> Default for ColumnTransformer<F> {
    fn default() -> Self {
        Self { groups: Vec::new(), remainder: Remainder::Drop, fitted: None }
    }
}

impl<F> Clone for ColumnTransformer<F> {
    fn clone(&self) -> Self {
        let group =
            |group: &Group<F>| Group { selection: group.selection.clone(), steps: group.steps.clone() };
        Self {
            groups: self.groups.iter().map(group).collect(),
            remainder: self.remainder,
            fitted: self.fitted.clone(),
        }
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
        let selection = Selection::Numbers(columns.into());
        self.groups.push(Group { selection, steps: vec![Step::new(transformer)] });
        self
    }

    /// Gives the columns of these names to a transformer, or to a tuple of transformers, each of which takes the result of
    /// the one before. Texts go to a [`OneHotEncoder`](super::OneHotEncoder) or an
    /// [`OrdinalEncoder`](super::OrdinalEncoder) first.
    #[must_use]
    pub fn columns<N: Into<String>>(
        mut self,
        names: impl IntoIterator<Item = N>,
        steps: impl ColumnSteps<F>,
    ) -> Self {
        let selection = Selection::Names(names.into_iter().map(Into::into).collect());
        let steps = steps.into_steps().into_iter().map(Step::of_box).collect();
        self.groups.push(Group { selection, steps });
        self
    }

    /// What becomes of columns that no step names.
    #[must_use]
    pub fn remainder(mut self, remainder: Remainder) -> Self {
        self.remainder = remainder;
        self
    }

    /// The names of the columns that come out: those of the steps in their order, then the remaining ones. The columns of
    /// an array are called `x0`, `x1`, …; a step that makes new features numbers them after its type, as in `pca0`.
    ///
    /// # Errors
    /// [`Error::NotFitted`] before `fit`.
    pub fn output_names(&self) -> Result<Vec<String>> {
        let fitted = self.fitted("output_names")?;
        let name = |&position: &usize| match fitted.inputs.get(position) {
            Some(input) => input.name.clone(),
            None => format!("x{position}"),
        };
        let mut names = Vec::new();
        for (group, positions) in self.groups.iter().zip(&fitted.positions) {
            let inputs = positions.iter().map(name).collect();
            names.extend(group.steps.iter().try_fold(inputs, |names, step| step.output_names(names))?);
        }
        names.extend(self.passing(&fitted.positions, fitted.n_features).iter().map(name));
        Ok(names)
    }

    /// The number of columns that come out.
    ///
    /// # Errors
    /// [`Error::NotFitted`] before `fit`.
    pub fn n_outputs(&self) -> Result<usize> {
        Ok(self.output_names()?.len())
    }

    fn fitted(&self, method: &'static str) -> Result<&FittedColumns> {
        self.fitted.as_ref().ok_or(Error::NotFitted { estimator: OWNER, method })
    }

    /// The columns that pass through.
    fn passing(&self, positions: &[Vec<usize>], n_features: usize) -> Vec<usize> {
        if self.remainder == Remainder::Drop {
            return Vec::new();
        }
        let named = |column: &usize| positions.iter().any(|positions| positions.contains(column));
        (0..n_features).filter(|column| !named(column)).collect()
    }

    /// Refuses steps that name columns which are not there, and a transformer without output.
    fn check_positions(&self, positions: &[Vec<usize>], n_features: usize) -> Result<()> {
        if let Some(column) = positions.iter().flatten().find(|column| **column >= n_features) {
            let expected = format!("below {n_features}, the number of features");
            return Err(Error::invalid_parameter(OWNER, "columns", column, expected));
        }
        if self.groups.is_empty() && self.passing(positions, n_features).is_empty() {
            return Err(Error::invalid_parameter(OWNER, "steps", "empty", "at least 1 step"));
        }
        Ok(())
    }

    /// The columns of each group by number.
    fn numbers(&self) -> Result<Vec<Vec<usize>>> {
        let numbers = |group: &Group<F>| match &group.selection {
            Selection::Numbers(numbers) => Ok(numbers.clone()),
            Selection::Names(names) => {
                let expected = format!("a table, as columns are selected by name ({})", names.join(", "));
                Err(Error::shape(OWNER, expected, "an array, whose columns have no names"))
            }
        };
        self.groups.iter().map(numbers).collect()
    }
}

/// Fits steps in a row, the first of them to `x`.
fn fit_in_a_row<F: Float>(steps: &mut [Step<F>], mut x: Array2<F>) -> Result<()> {
    let last = steps.len().saturating_sub(1);
    for (number, step) in steps.iter_mut().enumerate() {
        step.fit(&x, ())?;
        if number < last {
            x = step.transform(&x)?;
        }
    }
    Ok(())
}

/// Arrays of equally many rows as one.
fn side_by_side<F: Float>(parts: &[Array2<F>]) -> Result<Array2<F>> {
    let views: Vec<_> = parts.iter().map(|part| part.view()).collect();
    concatenate(Axis(1), &views).map_err(|problem| Error::shape(OWNER, "equal rows", problem))
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

impl<F: Float> ColumnTransformer<F> {
    /// Fits the steps to the columns of `x`, an array or a [`Table`](crate::datasets::Table), replacing what an earlier fit
    /// learned. The trait [`Fit`] does the same for generic code.
    ///
    /// # Errors
    /// See [`ColumnTransformer`].
    pub fn fit<X: ?Sized>(&mut self, x: &X) -> Result<()>
    where
        Self: Fit<X, Report = ()>,
    {
        Fit::fit(self, x, ())
    }
}

impl<F: Float, S: Data<Elem = F>> Fit<ArrayBase<S, Ix2>> for ColumnTransformer<F> {
    type Report = ();

    fn fit(&mut self, x: &ArrayBase<S, Ix2>, (): ()) -> Result<()> {
        validate::not_empty("x", x)?;
        let positions = self.numbers()?;
        self.check_positions(&positions, x.ncols())?;
        validate::finite("x", &x.select(Axis(1), &self.passing(&positions, x.ncols())))?;
        for (group, columns) in self.groups.iter_mut().zip(&positions) {
            let [first, rest @ ..] = group.steps.as_mut_slice() else { continue };
            let part = x.select(Axis(1), columns);
            first.fit(&part, ()).map_err(|error| of_columns(error, columns))?;
            if !rest.is_empty() {
                fit_in_a_row(rest, first.transform(&part)?)?;
            }
        }
        self.fitted = Some(FittedColumns { n_features: x.ncols(), inputs: Vec::new(), positions });
        Ok(())
    }
}

impl<F: Float, S: Data<Elem = F>> Transform<ArrayBase<S, Ix2>> for ColumnTransformer<F> {
    type Output = Array2<F>;

    fn transform(&self, x: &ArrayBase<S, Ix2>) -> Result<Array2<F>> {
        let fitted = self.fitted("transform")?;
        if !fitted.inputs.is_empty() {
            let expected = "a table with the columns of fit";
            return Err(Error::shape(OWNER, expected, "an array, whose columns have no names"));
        }
        validate::features("x", &x.view(), fitted.n_features)?;
        let mut parts = Vec::with_capacity(self.groups.len() + 1);
        for (group, columns) in self.groups.iter().zip(&fitted.positions) {
            let Some((first, rest)) = group.steps.split_first() else { continue };
            let part = first.transform(&x.select(Axis(1), columns));
            let part = part.map_err(|error| of_columns(error, columns))?;
            parts.push(rest.iter().try_fold(part, |part, step| step.transform(&part))?);
        }
        let rest = x.select(Axis(1), &self.passing(&fitted.positions, fitted.n_features));
        validate::finite("x", &rest)?;
        parts.push(rest);
        side_by_side(&parts)
    }
}

impl<F: Float> Estimator for ColumnTransformer<F> {
    fn unfitted(&self) -> Self {
        let group = |group: &Group<F>| Group {
            selection: group.selection.clone(),
            steps: group.steps.iter().map(Step::unfitted).collect(),
        };
        Self { groups: self.groups.iter().map(group).collect(), remainder: self.remainder, fitted: None }
    }
}
