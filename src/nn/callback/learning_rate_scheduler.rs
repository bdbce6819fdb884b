//! A learning rate for each epoch.

use super::{Callback, Run};
use crate::error::Result;
use crate::float::Float;
use std::fmt;

/// Sets the learning rate before each epoch to what a function of the epoch (counted from 0) and of the learning
/// rate so far answers.
///
/// For a rate that depends on the step alone, give the optimizer a schedule instead.
///
/// # Errors
/// A rate that is negative or not finite; a learning rate that follows a schedule already.
///
/// # Examples
/// ```
/// use axonal::ndarray::array;
/// use axonal::callbacks::LearningRateScheduler;
/// use axonal::prelude::*;
///
/// # fn main() -> Result<()> {
/// let mut model = Sequential::new(1).add(Dense::new(1)).compile(Sgd::new(0.1), MeanSquaredError::default())?;
/// let halved = LearningRateScheduler::new(|epoch, rate| if epoch < 2 { rate } else { rate / 2.0 });
/// let options = FitOptions::new().epochs(4).callback(halved);
/// let history = model.fit_with(&array![[0.0], [1.0]], &array![1.0, 3.0], options)?;
/// assert_eq!(history.get("learning_rate"), Some(&[0.1, 0.1, 0.05, 0.025][..]));
/// # Ok(())
/// # }
/// ```
pub struct LearningRateScheduler<'a>(Box<dyn FnMut(usize, f64) -> f64 + 'a>);

impl<'a> LearningRateScheduler<'a> {
    /// Calls `rate` with the epoch and the learning rate so far.
    #[must_use]
    pub fn new(rate: impl FnMut(usize, f64) -> f64 + 'a) -> Self {
        Self(Box::new(rate))
    }
}

impl<F: Float> Callback<F> for LearningRateScheduler<'_> {
    fn on_train_begin(&mut self, run: &mut Run<'_, F>) -> Result<()> {
        // A schedule of the optimizer's own is an error before the first batch.
        run.set_learning_rate(run.learning_rate())
    }

    fn on_epoch_begin(&mut self, run: &mut Run<'_, F>) -> Result<()> {
        let rate = (self.0)(run.epoch(), run.learning_rate());
        run.set_learning_rate(rate)
    }
}

impl fmt::Debug for LearningRateScheduler<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("LearningRateScheduler")
    }
}
