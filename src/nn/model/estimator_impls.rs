//! Implementations of the estimator traits for [`Model`].

use crate::error::Result;
use crate::estimator::{Estimator, Fit, Predict, Score};
use crate::float::Float;
use crate::nn::fit_options::PredictOptions;
use crate::nn::history::History;
use crate::nn::metric::Direction;
use crate::nn::model::Model;
use crate::nn::targets::Targets;
use ndarray::{Array2, ArrayBase, Data, Dimension};

impl<'y, F: Float, S: Data<Elem = F>, D: Dimension, Y: Into<Targets<'y, F>>> Fit<ArrayBase<S, D>, Y>
    for Model<F>
{
    type Report = History;

    /// Trains with the options of [`Model::with_fit_options`]; a second call continues training.
    fn fit(&mut self, x: &ArrayBase<S, D>, y: Y) -> Result<History> {
        let options = self.kept_options()?;
        self.fit_with(x, y, options)
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

impl<F: Float, S: Data<Elem = F>, D: Dimension> Predict<ArrayBase<S, D>> for Model<F> {
    type Output = Array2<F>;

    /// The network's outputs, (batch, outputs). Works before `fit`, too, with the initial weights.
    fn predict(&self, x: &ArrayBase<S, D>) -> Result<Array2<F>> {
        self.predict_with(x, PredictOptions::new())
    }
}

impl<'y, F: Float, S: Data<Elem = F>, D: Dimension, Y: Into<Targets<'y, F>>> Score<ArrayBase<S, D>, Y>
    for Model<F>
{
    /// The first metric, negated if lower is better; without metrics, the negative loss.
    fn score(&self, x: &ArrayBase<S, D>, y: Y) -> Result<f64> {
        let evaluation = self.evaluate(x, y)?;
        let Some(metric) = self.metrics.first() else { return Ok(-evaluation.loss()) };
        let value = evaluation.iter().nth(1).map_or(f64::NAN, |(_, value)| value);
        Ok(if metric.direction() == Direction::Down { -value } else { value })
    }
}

impl<F: Float> Estimator for Model<F> {
    /// The model with the weights it had after [`Sequential::compile`](crate::models::Sequential::compile).
    fn unfitted(&self) -> Self {
        let mut fresh = self.clone();
        fresh.start_over();
        fresh
    }
}
