//! The trait [`FitWith`]: training with the options of one run, also through pipelines.

use crate::error::{Error, Result};
use crate::float::Float;
use crate::float::inputs::InputElement;
use crate::float::targets::Targets;
use crate::nn::fit_options::{FitOptions, Validation};
use crate::nn::history::History;
use crate::nn::model::Model;
use ndarray::{ArrayBase, Data, Dimension};

/// Training with the options of one run: networks, and pipelines and classifiers that end in one.
///
/// The validation data are of the same kind as `x`. A pipeline transforms them with what its steps have learned from `x`.
///
/// # Examples
/// ```
/// use axonal::models::FitWith;
/// use axonal::ndarray::{Array1, Array2};
/// use axonal::prelude::*;
///
/// fn train<E: for<'y> FitWith<f32, Array2<f32>, &'y Array1<f32>>>(
///     estimator: &mut E,
///     x: &Array2<f32>,
///     y: &Array1<f32>,
/// ) -> Result<usize> {
///     let options = FitOptions::new().epochs(3);
///     Ok(estimator.fit_with_validation(x, y, Some((x, y)), options)?.epochs())
/// }
/// # fn main() -> Result<()> {
/// let mut network = Sequential::new(2).add(Dense::new(1)).compile(Adam::default(), MeanSquaredError::default())?;
/// assert_eq!(train(&mut network, &Array2::ones((4, 2)), &Array1::ones(4))?, 3);
/// # Ok(())
/// # }
/// ```
pub trait FitWith<F: Float, X: ?Sized, Y> {
    /// Fits to `x` and `y`, and evaluates on the validation data after each epoch.
    ///
    /// # Errors
    /// As [`Model::fit_with`].
    fn fit_with_validation(
        &mut self,
        x: &X,
        y: Y,
        validation: Option<(&X, Y)>,
        options: FitOptions<'_, F>,
    ) -> Result<History>;
}

impl<'y, F: Float, S: Data<Elem: InputElement<F>>, D: Dimension, Y: Into<Targets<'y, F>>>
    FitWith<F, ArrayBase<S, D>, Y> for Model<F>
{
    fn fit_with_validation(
        &mut self,
        x: &ArrayBase<S, D>,
        y: Y,
        validation: Option<(&ArrayBase<S, D>, Y)>,
        options: FitOptions<'_, F>,
    ) -> Result<History> {
        let Some((x_validation, y_validation)) = validation else { return self.fit_with(x, y, options) };
        let mut options = options;
        if options.validation.is_some() {
            return Err(Error::Misplaced {
                context: "fit_with_validation",
                option: "validation_data among the options beside the argument",
                hint: "pass validation data once",
            });
        }
        options.validation = Some(Validation { x: x_validation.into(), y: y_validation.into() });
        self.fit_with(x, y, options)
    }
}
