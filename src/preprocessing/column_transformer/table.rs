//! A column transformer over a table: columns by name, texts as texts.

use super::{
    ColumnTransformer, FittedColumns, InputColumn, OWNER, Remainder, Selection, Step, fit_in_a_row,
    side_by_side,
};
use crate::datasets::Table;
use crate::error::{Error, Result};
use crate::estimator::{Fit, Transform};
use crate::float::Float;
use crate::preprocessing::category_columns::{CategoryColumn, CategoryColumns};
use crate::validate;
use ndarray::{Array2, Axis};

/// The columns of a table that a transformer uses, by their places in the table.
struct TableColumns<'a, F> {
    table: &'a Table<F>,
    places: Vec<usize>,
    inputs: &'a [InputColumn],
}

impl<F: Float> TableColumns<'_, F> {
    /// The columns at these positions as numbers.
    fn numbers(&self, positions: &[usize]) -> Array2<F> {
        let places: Vec<usize> = positions.iter().map(|&position| self.places[position]).collect();
        self.table.data.select(Axis(1), &places)
    }

    /// The columns at these positions as categories.
    fn categories(&self, positions: &[usize]) -> CategoryColumns<'_, F> {
        let column = |&position: &usize| {
            let (place, input) = (self.places[position], &self.inputs[position]);
            CategoryColumn {
                name: &input.name,
                values: self.table.data.column(place),
                texts: input.is_text.then_some(self.table.categories[place].as_slice()),
            }
        };
        CategoryColumns { columns: positions.iter().map(column).collect() }
    }

    /// Errors if one of these columns is text.
    fn check_numbers(&self, positions: &[usize]) -> Result<()> {
        let text = positions.iter().map(|&position| &self.inputs[position]).find(|input| input.is_text);
        let Some(input) = text else { return Ok(()) };
        let expected = "numbers; give texts to a OneHotEncoder or an OrdinalEncoder first";
        Err(Error::shape(format!("column {:?}", input.name), expected, "texts"))
    }

    fn fit_step(&self, step: &mut Step<F>, positions: &[usize]) -> Result<()> {
        if step.encodes() {
            return step.fit_categories(&self.categories(positions));
        }
        self.check_numbers(positions)?;
        step.fit(&self.numbers(positions), ()).map_err(|error| self.named(error, positions))
    }

    fn transform_step(&self, step: &Step<F>, positions: &[usize]) -> Result<Array2<F>> {
        if step.encodes() {
            return step.transform_categories(&self.categories(positions));
        }
        self.check_numbers(positions)?;
        step.transform(&self.numbers(positions)).map_err(|error| self.named(error, positions))
    }

    /// The error of a step with the name of its column.
    fn named(&self, error: Error, positions: &[usize]) -> Error {
        match error {
            Error::NonFinite { what, value, index } if what == "x" && index.len() == 2 => {
                let input = positions.get(index[1]).and_then(|&position| self.inputs.get(position));
                let what = input.map_or(what, |input| format!("column {:?}", input.name));
                Error::NonFinite { what, value, index: vec![index[0]] }
            }
            other => other,
        }
    }
}

impl<F: Float> ColumnTransformer<F> {
    /// The columns that the transformer uses of a table, and the positions of each group's columns among them.
    fn inputs_of(&self, x: &Table<F>) -> Result<(Vec<InputColumn>, Vec<Vec<usize>>)> {
        let n_columns = x.names.len();
        let place = |name: &String| {
            let found = x.names.iter().position(|other| other == name);
            found.ok_or_else(|| Error::unknown_name("column", name, x.names.iter().take(100)))
        };
        let places = |selection: &Selection| match selection {
            Selection::Numbers(numbers) => Ok(numbers.clone()),
            Selection::Names(names) => names.iter().map(place).collect::<Result<Vec<_>>>(),
        };
        let groups: Vec<Vec<usize>> =
            self.groups.iter().map(|group| places(&group.selection)).collect::<Result<_>>()?;
        self.check_positions(&groups, n_columns)?;
        let mut used = vec![self.remainder == Remainder::Passthrough; n_columns];
        groups.iter().flatten().for_each(|&place| used[place] = true);
        let mut position = vec![0; n_columns];
        let mut inputs = Vec::new();
        for place in (0..n_columns).filter(|&place| used[place]) {
            position[place] = inputs.len();
            let is_text = !x.categories[place].is_empty();
            inputs.push(InputColumn { name: x.names[place].clone(), is_text });
        }
        let positions = groups.iter().map(|places| places.iter().map(|&place| position[place]).collect());
        Ok((inputs, positions.collect()))
    }

    /// The places of the inputs in a table, with their kinds checked.
    fn places_of(&self, inputs: &[InputColumn], x: &Table<F>) -> Result<Vec<usize>> {
        let place = |InputColumn { name, is_text }: &InputColumn| {
            let Some(place) = x.names.iter().position(|other| other == name) else {
                return Err(Error::unknown_name("column", name, x.names.iter().take(100)));
            };
            let has_texts = !x.categories[place].is_empty();
            // A column without any value may be either.
            let empty = || x.data.column(place).iter().all(|value| value.is_nan());
            match (*is_text, has_texts) {
                (true, false) if !empty() => {
                    Err(Error::shape(format!("column {name:?}"), "texts, as in fit", "numbers"))
                }
                (false, true) => Err(Error::shape(format!("column {name:?}"), "numbers, as in fit", "texts")),
                _ => Ok(place),
            }
        };
        inputs.iter().map(place).collect()
    }
}

impl<F: Float> Fit<Table<F>> for ColumnTransformer<F> {
    type Report = ();

    fn fit(&mut self, x: &Table<F>, (): ()) -> Result<()> {
        x.check_columns()?;
        validate::not_empty("x", &x.data)?;
        let (inputs, positions) = self.inputs_of(x)?;
        let columns = TableColumns { table: x, places: self.places_of(&inputs, x)?, inputs: &inputs };
        let passing = self.passing(&positions, inputs.len());
        columns.check_numbers(&passing)?;
        validate::finite("x", &columns.numbers(&passing)).map_err(|error| columns.named(error, &passing))?;
        for (group, positions) in self.groups.iter_mut().zip(&positions) {
            let [first, rest @ ..] = group.steps.as_mut_slice() else { continue };
            columns.fit_step(first, positions)?;
            if rest.is_empty() {
                continue;
            }
            fit_in_a_row(rest, columns.transform_step(first, positions)?)?;
        }
        self.fitted = Some(FittedColumns { n_features: inputs.len(), inputs, positions });
        Ok(())
    }
}

impl<F: Float> Transform<Table<F>> for ColumnTransformer<F> {
    type Output = Array2<F>;

    fn transform(&self, x: &Table<F>) -> Result<Array2<F>> {
        let fitted = self.fitted("transform")?;
        x.check_columns()?;
        if fitted.inputs.is_empty() {
            let expected = "an array, as in fit; fit to a table to transform tables";
            return Err(Error::shape(OWNER, expected, "a table"));
        }
        let columns =
            TableColumns { table: x, places: self.places_of(&fitted.inputs, x)?, inputs: &fitted.inputs };
        let mut parts = Vec::with_capacity(self.groups.len() + 1);
        for (group, positions) in self.groups.iter().zip(&fitted.positions) {
            let Some((first, rest)) = group.steps.split_first() else { continue };
            let part = columns.transform_step(first, positions)?;
            parts.push(rest.iter().try_fold(part, |part, step| step.transform(&part))?);
        }
        let passing = self.passing(&fitted.positions, fitted.n_features);
        columns.check_numbers(&passing)?;
        let rest = columns.numbers(&passing);
        validate::finite("x", &rest).map_err(|error| columns.named(error, &passing))?;
        parts.push(rest);
        side_by_side(&parts)
    }
}
