//! A callback of closures.

use super::{Callback, Run};
use crate::error::Result;
use crate::float::Float;
use std::fmt;

/// What is done at one kind of moment.
type Hook<'a, F> = Box<dyn FnMut(&mut Run<'_, F>) -> Result<()> + 'a>;

/// A callback made of closures.
///
/// # Examples
/// ```
/// use axonal::ndarray::array;
/// use axonal::callbacks::LambdaCallback;
/// use axonal::prelude::*;
///
/// # fn main() -> Result<()> {
/// let mut losses = Vec::new();
/// let mut model = Sequential::new(1).add(Dense::new(1)).compile(Sgd::new(0.1), MeanSquaredError::default())?;
/// let record = LambdaCallback::new().on_batch_end(|run| {
///     losses.extend(run.logs().get("loss"));
///     Ok(())
/// });
/// let options = FitOptions::new().epochs(3).batch_size(1).callback(record);
/// model.fit_with(&array![[0.0], [1.0]], &array![1.0, 3.0], options)?;
/// assert_eq!(losses.len(), 6);
/// # Ok(())
/// # }
/// ```
pub struct LambdaCallback<'a, F> {
    train_begin: Option<Hook<'a, F>>,
    epoch_begin: Option<Hook<'a, F>>,
    batch_end: Option<Hook<'a, F>>,
    epoch_end: Option<Hook<'a, F>>,
    train_end: Option<Hook<'a, F>>,
}

impl<F> Default for LambdaCallback<'_, F> {
    fn default() -> Self {
        Self { train_begin: None, epoch_begin: None, batch_end: None, epoch_end: None, train_end: None }
    }
}

impl<'a, F: Float> LambdaCallback<'a, F> {
    /// A callback that does nothing yet.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// What to do before the first batch.
    #[must_use]
    pub fn on_train_begin(mut self, hook: impl FnMut(&mut Run<'_, F>) -> Result<()> + 'a) -> Self {
        self.train_begin = Some(Box::new(hook));
        self
    }

    /// What to do before each epoch.
    #[must_use]
    pub fn on_epoch_begin(mut self, hook: impl FnMut(&mut Run<'_, F>) -> Result<()> + 'a) -> Self {
        self.epoch_begin = Some(Box::new(hook));
        self
    }

    /// What to do after each batch.
    #[must_use]
    pub fn on_batch_end(mut self, hook: impl FnMut(&mut Run<'_, F>) -> Result<()> + 'a) -> Self {
        self.batch_end = Some(Box::new(hook));
        self
    }

    /// What to do after each epoch and its validation.
    #[must_use]
    pub fn on_epoch_end(mut self, hook: impl FnMut(&mut Run<'_, F>) -> Result<()> + 'a) -> Self {
        self.epoch_end = Some(Box::new(hook));
        self
    }

    /// What to do at the end of the run, however it ends.
    #[must_use]
    pub fn on_train_end(mut self, hook: impl FnMut(&mut Run<'_, F>) -> Result<()> + 'a) -> Self {
        self.train_end = Some(Box::new(hook));
        self
    }
}

fn call<F>(hook: &mut Option<Hook<'_, F>>, run: &mut Run<'_, F>) -> Result<()> {
    hook.as_mut().map_or(Ok(()), |hook| hook(run))
}

impl<F: Float> Callback<F> for LambdaCallback<'_, F> {
    fn on_train_begin(&mut self, run: &mut Run<'_, F>) -> Result<()> {
        call(&mut self.train_begin, run)
    }

    fn on_epoch_begin(&mut self, run: &mut Run<'_, F>) -> Result<()> {
        call(&mut self.epoch_begin, run)
    }

    fn on_batch_end(&mut self, run: &mut Run<'_, F>) -> Result<()> {
        call(&mut self.batch_end, run)
    }

    fn on_epoch_end(&mut self, run: &mut Run<'_, F>) -> Result<()> {
        call(&mut self.epoch_end, run)
    }

    fn on_train_end(&mut self, run: &mut Run<'_, F>) -> Result<()> {
        call(&mut self.train_end, run)
    }
}

impl<F> fmt::Debug for LambdaCallback<'_, F> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("LambdaCallback")
    }
}
