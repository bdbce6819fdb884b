//! Implementations of the estimator traits for [`Model`].

use crate::error::Result;
use crate::estimator::{Estimator, Fit, Predict, Score};
use crate::float::Float;
use crate::float::inputs::{InputArray, InputElement, Inputs};
use crate::float::precompiled::precompiled;
use crate::float::targets::Targets;
use crate::nn::fit_options::PredictOptions;
use crate::nn::history::History;
use crate::nn::metric::Direction;
use crate::nn::model::Model;
use crate::nn::model::fit::fit_kept;
use ndarray::{Array2, ArrayBase, Data, Dimension};

impl<'y, F, S, D, Y> Fit<ArrayBase<S, D>, Y> for Model<F>
where
    F: Float,
    S: Data<Elem: InputElement<F>>,
    D: Dimension,
    Y: Into<Targets<'y, F>>,
{
    type Report = History;

    /// Trains with the options of [`Model::with_fit_options`]; a second call continues training.
    fn fit(&mut self, x: &ArrayBase<S, D>, y: Y) -> Result<History> {
        fit_kept(self, x.into(), y.into())
    }

    fn fit_class_weighted(
        &mut self,
        x: &ArrayBase<S, D>,
        y: Y,
        class_weight: &[(usize, f64)],
    ) -> Result<History> {
        let options = self.kept_options()?.class_weight(class_weight.to_vec());
        self.fit_with(x, y, options)
    }
}

impl<F: Float, S: Data<Elem: InputElement<F>>, D: Dimension> Predict<ArrayBase<S, D>> for Model<F> {
    type Output = Array2<F>;

    /// The outputs of a network with one output, (batch, outputs). Works before `fit`, too, with the initial weights.
    fn predict(&self, x: &ArrayBase<S, D>) -> Result<Array2<F>> {
        self.predict_with(x, PredictOptions::new())
    }
}

impl<'y, F, S, D, Y> Score<ArrayBase<S, D>, Y> for Model<F>
where
    F: Float,
    S: Data<Elem: InputElement<F>>,
    D: Dimension,
    Y: Into<Targets<'y, F>>,
{
    /// The first metric, negated if lower is better; without metrics, the negative loss.
    fn score(&self, x: &ArrayBase<S, D>, y: Y) -> Result<f64> {
        score_of(self, x.into(), y.into())
    }
}

macro_rules! tuples {
    ($(($($array:ident)*))*) => {$(
        impl<'x, 'y, F: Float, $($array: Into<InputArray<'x, F>> + Copy,)* Y: Into<Targets<'y, F>>>
            Fit<($($array,)*), Y> for Model<F>
        {
            type Report = History;

            fn fit(&mut self, x: &($($array,)*), y: Y) -> Result<History> {
                fit_kept(self, (*x).into(), y.into())
            }
        }

        impl<'x, F: Float, $($array: Into<InputArray<'x, F>> + Copy,)*> Predict<($($array,)*)> for Model<F> {
            type Output = Array2<F>;

            fn predict(&self, x: &($($array,)*)) -> Result<Array2<F>> {
                self.predict_with(*x, PredictOptions::new())
            }
        }

        impl<'x, 'y, F: Float, $($array: Into<InputArray<'x, F>> + Copy,)* Y: Into<Targets<'y, F>>>
            Score<($($array,)*), Y> for Model<F>
        {
            fn score(&self, x: &($($array,)*), y: Y) -> Result<f64> {
                score_of(self, (*x).into(), y.into())
            }
        }
    )*};
}
tuples! { (A B) (A B C) (A B C D) }

impl<F: Float> Model<F> {
    /// The first metric of the first output that has one, negated if lower is better; without metrics, the negative loss.
    fn score_of(&self, x: Inputs<'_, F>, y: Targets<'_, F>) -> Result<f64> {
        let evaluation = self.evaluate(x, y)?;
        let metric = self.outputs.iter().find_map(|output| output.metrics.first());
        let Some(metric) = metric else { return Ok(-evaluation.loss()) };
        let value = evaluation.iter().nth(self.n_losses()).map_or(f64::NAN, |(_, value)| value);
        Ok(if metric.direction() == Direction::Down { -value } else { value })
    }
}

precompiled! {
    fn score_of<'a, 'b, F>(model: &'a Model<F>, x: Inputs<'b, F>, y: Targets<'b, F>) -> Result<f64> {
        model.score_of(x, y)
    }

    fn unfitted<'a, 'b, F>(model: &'a Model<F>) -> Model<F> {
        let mut fresh = model.clone();
        fresh.start_over();
        fresh
    }
}

impl<F: Float> Estimator for Model<F> {
    /// The model with the weights it had after [`Sequential::compile`](crate::models::Sequential::compile).
    fn unfitted(&self) -> Self {
        unfitted(self)
    }
}
