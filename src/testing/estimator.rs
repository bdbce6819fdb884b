//! What every estimator keeps to: bad input is refused and named, good input is answered alike in any layout.

use super::CheckFailure;
use crate::error::{Error, Result};
use crate::estimator::{Estimator, Fit, Predict, Transform};
use ndarray::{Array, Array2, ArrayView2, Axis, RemoveAxis, ShapeBuilder, s};
use std::any::type_name;
use std::fmt::Debug;

type Checked = std::result::Result<(), CheckFailure>;

/// Checks an estimator that predicts, on data `x` with targets `y` (or `()`), as scikit-learn's `check_estimator`
/// does: NaN, infinities, data without rows or columns and another number of features are errors in `fit` and in
/// `predict`, each naming the problem; an unfitted estimator answers or says that it is not fitted; two fits of one
/// thing are equal to the bit; `predict` changes nothing, does not depend on the layout, and answers rows alone as it
/// answers them together; neither changes the data.
///
/// # Shapes
/// `x`: (n, d), at least 4 rows and 2 columns.
///
/// # Errors
/// The first check that fails.
///
/// # Examples
/// ```
/// use axonal::ndarray::Array2;
/// use axonal::prelude::*;
/// use axonal::testing::check_estimator;
///
/// let x = Array2::from_shape_fn((30, 3), |(i, j)| ((i * 7 + j * 5) % 11) as f64);
/// check_estimator(&KMeans::new(3), &x, ()).unwrap();
/// ```
pub fn check_estimator<E, Y, A, D>(estimator: &E, x: &Array2<f64>, y: Y) -> Checked
where
    E: Estimator
        + for<'v> Fit<ArrayView2<'v, f64>, Y>
        + for<'v> Predict<ArrayView2<'v, f64>, Output = Array<A, D>>,
    Y: Copy,
    A: PartialEq + Debug + Clone,
    D: RemoveAxis,
{
    let answer = |estimator: &E, x: ArrayView2<'_, f64>| estimator.predict(&x);
    Conformance { name: type_name::<E>(), estimator, x, y, method: "predict" }.run(answer)
}

/// Checks an estimator that re-expresses data, as [`check_estimator`] checks one that predicts.
///
/// # Errors
/// The first check that fails.
///
/// # Examples
/// ```
/// use axonal::ndarray::Array2;
/// use axonal::prelude::*;
/// use axonal::testing::check_transformer;
///
/// let x = Array2::from_shape_fn((30, 3), |(i, j)| ((i * 7 + j * 5) % 11) as f64);
/// check_transformer(&StandardScaler::new(), &x).unwrap();
/// ```
pub fn check_transformer<E, A, D>(estimator: &E, x: &Array2<f64>) -> Checked
where
    E: Estimator
        + for<'v> Fit<ArrayView2<'v, f64>>
        + for<'v> Transform<ArrayView2<'v, f64>, Output = Array<A, D>>,
    A: PartialEq + Debug + Clone,
    D: RemoveAxis,
{
    let answer = |estimator: &E, x: ArrayView2<'_, f64>| estimator.transform(&x);
    Conformance { name: type_name::<E>(), estimator, x, y: (), method: "transform" }.run(answer)
}

/// An estimator under test, with data that it can learn from.
struct Conformance<'a, E, Y> {
    name: &'static str,
    estimator: &'a E,
    x: &'a Array2<f64>,
    y: Y,
    /// How it answers: "predict" or "transform".
    method: &'static str,
}

impl<E, Y: Copy> Conformance<'_, E, Y>
where
    E: Estimator + for<'v> Fit<ArrayView2<'v, f64>, Y>,
{
    fn run<A, D>(&self, answer: impl Fn(&E, ArrayView2<'_, f64>) -> Result<Array<A, D>>) -> Checked
    where
        A: PartialEq + Debug + Clone,
        D: RemoveAxis,
    {
        let unfitted = self.estimator.unfitted();
        if let Err(error) = answer(&unfitted, self.x.view())
            && !matches!(error, Error::NotFitted { .. })
        {
            return self
                .fails(self.method, format!("says {error:?} before fit, expected NotFitted or an answer"));
        }
        let fitted = self.fitted()?;
        self.refuses_bad_data(&fitted, &answer)?;
        let whole =
            answer(&fitted, self.x.view()).map_err(|error| self.failure(self.method, error.to_string()))?;
        let again = answer(&self.fitted()?, self.x.view());
        if !again.is_ok_and(|again| again == whole) {
            return self.fails("fit", "two fits of one thing differ".into());
        }
        self.answers_alike(&fitted, &whole, &answer)
    }

    fn fitted(&self) -> std::result::Result<E, CheckFailure> {
        let mut estimator = self.estimator.unfitted();
        let before = self.x.clone();
        estimator.fit(&self.x.view(), self.y).map_err(|error| self.failure("fit", error.to_string()))?;
        if before != *self.x {
            return Err(self.failure("fit", "it has changed the data"));
        }
        Ok(estimator)
    }

    fn refuses_bad_data<A, D>(
        &self,
        fitted: &E,
        answer: &impl Fn(&E, ArrayView2<'_, f64>) -> Result<Array<A, D>>,
    ) -> Checked {
        let with = |value: f64| {
            let mut x = self.x.clone();
            x[[1, 1]] = value;
            x
        };
        let (n, d) = self.x.dim();
        let cases = [
            ("NaN", with(f64::NAN), "NaN"),
            ("inf", with(f64::INFINITY), "inf"),
            ("-inf", with(f64::NEG_INFINITY), "inf"),
            ("data without columns", Array2::zeros((n, 0)), ""),
        ];
        for (what, x, word) in &cases {
            let outcome = self.estimator.unfitted().fit(&x.view(), self.y).map(drop);
            self.must_name("fit", what, word, outcome)?;
            self.must_name(self.method, what, word, answer(fitted, x.view()).map(drop))?;
        }
        let empty = Array2::zeros((0, d));
        self.must_name(
            "fit",
            "data without rows",
            "",
            self.estimator.unfitted().fit(&empty.view(), self.y).map(drop),
        )?;
        for columns in [d - 1, d + 1] {
            let other = Array2::zeros((n, columns));
            self.must_name(
                self.method,
                "another number of features",
                "",
                answer(fitted, other.view()).map(drop),
            )?;
        }
        Ok(())
    }

    /// In any layout, alone and together, in any order.
    fn answers_alike<A, D>(
        &self,
        fitted: &E,
        whole: &Array<A, D>,
        answer: &impl Fn(&E, ArrayView2<'_, f64>) -> Result<Array<A, D>>,
    ) -> Checked
    where
        A: PartialEq + Debug + Clone,
        D: RemoveAxis,
    {
        let (n, d) = self.x.dim();
        let mut columns_first = Array2::zeros((n, d).f());
        columns_first.assign(self.x);
        let reversed = self.x.slice(s![..;-1, ..]).to_owned();
        let mut gaps = Array2::zeros((2 * n, 2 * d));
        gaps.slice_mut(s![..;2, ..;2]).assign(self.x);
        let layouts = [
            ("column-major data", columns_first.view()),
            ("reversed data", reversed.slice(s![..;-1, ..])),
            ("data with gaps", gaps.slice(s![..;2, ..;2])),
        ];
        for (what, x) in layouts {
            if !answer(fitted, x).is_ok_and(|answers| answers == *whole) {
                return self.fails(self.method, format!("{what} are answered otherwise"));
            }
        }
        for row in 0..n {
            let alone = answer(fitted, self.x.slice(s![row..=row, ..]));
            let same =
                alone.is_ok_and(|alone| alone.index_axis(Axis(0), 0) == whole.index_axis(Axis(0), row));
            if !same {
                return self
                    .fails(self.method, format!("row {row} alone is answered otherwise than among others"));
            }
        }
        Ok(())
    }

    fn must_name(&self, method: &str, what: &str, word: &str, outcome: Result<()>) -> Checked {
        match outcome {
            Ok(()) => self.fails(method, format!("{what} is accepted")),
            Err(error) if !error.to_string().contains(word) => {
                self.fails(method, format!("{what} is refused without a word of it: {error}"))
            }
            Err(_) => Ok(()),
        }
    }

    fn failure(&self, quantity: &str, problem: impl Into<String>) -> CheckFailure {
        CheckFailure::new(self.name, quantity, problem)
    }

    fn fails(&self, quantity: &str, problem: String) -> Checked {
        Err(self.failure(quantity, problem))
    }
}
