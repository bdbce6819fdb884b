//! Callbacks that a model keeps for every `fit`.

use super::{Callback, CallbackState, Checkpoint, Run};
use crate::error::Result;
use crate::float::Float;
use crate::nn::layer::Config;
use serde::Serialize;
use std::fmt;
use std::sync::Arc;

/// A callback as settings: what [`Model::with_fit_options`](crate::models::Model::with_fit_options) keeps. Every fit starts
/// from a fresh callback.
///
/// [`Callback::settings`] returns it. Callbacks of this crate that consist of plain settings have it; a custom callback
/// returns [`CallbackSettings::of`] itself, and closures are passed as a factory
/// ([`FitOptions::callback_factory`](crate::models::FitOptions::callback_factory)).
///
/// # Examples
/// ```
/// use axonal::custom::{CallbackSettings, Run};
/// use axonal::prelude::*;
///
/// /// Stops as soon as the loss is below a limit.
/// #[derive(Debug, Clone)]
/// struct StopBelow(f64);
///
/// impl<F: Float> Callback<F> for StopBelow {
///     fn on_epoch_end(&mut self, run: &mut Run<'_, F>) -> Result<()> {
///         if run.logs().get("loss").is_some_and(|loss| loss < self.0) {
///             run.stop("good enough");
///         }
///         Ok(())
///     }
///
///     fn settings(&self) -> Option<CallbackSettings<F>> {
///         Some(CallbackSettings::of(self))
///     }
/// }
///
/// # fn main() -> Result<()> {
/// let x = axonal::ndarray::array![[0.0], [1.0]];
/// let mut model = Sequential::new(1)
///     .add(Dense::new(1))
///     .compile(Sgd::new(0.3), MeanSquaredError::default())?
///     .with_fit_options(FitOptions::new().epochs(1000).callback(StopBelow(1e-3)));
/// let history = model.fit(&x, &axonal::ndarray::array![1.0, 3.0])?;
/// assert_eq!(history.stopped(), Some("good enough"));
/// # Ok(())
/// # }
/// ```
pub struct CallbackSettings<F> {
    make: Arc<dyn Fn() -> Box<dyn Callback<F>> + Send + Sync>,
    /// The kind and the settings in a file; `None` for callbacks without a form in a file.
    saved: Option<(&'static str, Config)>,
}

impl<F: Float> CallbackSettings<F> {
    /// Keeps a copy of a callback; each fit clones the copy.
    #[must_use]
    pub fn of<C: Callback<F> + Clone + Send + Sync + 'static>(callback: &C) -> Self {
        let original = callback.clone();
        Self { make: Arc::new(move || Box::new(original.clone())), saved: None }
    }

    /// Calls `make` for each fit.
    #[must_use]
    pub fn factory<C: Callback<F> + 'static>(make: impl Fn() -> C + Send + Sync + 'static) -> Self {
        Self { make: Arc::new(move || Box::new(make())), saved: None }
    }

    /// As [`of`](Self::of), for a callback of this crate, which model files know by its kind.
    pub(crate) fn saved_as<C>(kind: &'static str, callback: &C) -> Self
    where
        C: Callback<F> + Clone + Serialize + Send + Sync + 'static,
    {
        Self { saved: Config::of(callback).map(|config| (kind, config)), ..Self::of(callback) }
    }

    /// A fresh callback.
    #[must_use]
    pub fn make(&self) -> Box<dyn Callback<F>> {
        (self.make)()
    }

    /// The kind and the settings in a file.
    pub(crate) fn saved(&self) -> Option<&(&'static str, Config)> {
        self.saved.as_ref()
    }
}

impl<F> Clone for CallbackSettings<F> {
    fn clone(&self) -> Self {
        Self { make: self.make.clone(), saved: self.saved.clone() }
    }
}

impl<F> fmt::Debug for CallbackSettings<F> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("CallbackSettings")
            .field(&self.saved.as_ref().map_or("custom", |(kind, _)| kind))
            .finish()
    }
}

/// A callback made by a factory, which a model can keep.
pub(crate) struct FromFactory<F> {
    callback: Box<dyn Callback<F>>,
    settings: CallbackSettings<F>,
}

impl<F: Float> FromFactory<F> {
    pub(crate) fn new(settings: CallbackSettings<F>) -> Self {
        Self { callback: settings.make(), settings }
    }
}

impl<F: Float> Callback<F> for FromFactory<F> {
    fn on_train_begin(&mut self, run: &mut Run<'_, F>) -> Result<()> {
        self.callback.on_train_begin(run)
    }

    fn on_epoch_begin(&mut self, run: &mut Run<'_, F>) -> Result<()> {
        self.callback.on_epoch_begin(run)
    }

    fn on_batch_end(&mut self, run: &mut Run<'_, F>) -> Result<()> {
        self.callback.on_batch_end(run)
    }

    fn on_epoch_end(&mut self, run: &mut Run<'_, F>) -> Result<()> {
        self.callback.on_epoch_end(run)
    }

    fn on_train_end(&mut self, run: &mut Run<'_, F>) -> Result<()> {
        self.callback.on_train_end(run)
    }

    fn on_checkpoint(&mut self, checkpoint: &Checkpoint<F>) -> Result<()> {
        self.callback.on_checkpoint(checkpoint)
    }

    fn state(&self) -> Result<CallbackState<F>> {
        self.callback.state()
    }

    fn load_state(&mut self, state: CallbackState<F>) -> Result<()> {
        self.callback.load_state(state)
    }

    fn settings(&self) -> Option<CallbackSettings<F>> {
        Some(self.settings.clone())
    }

    fn first_rank_only(&self) -> bool {
        self.callback.first_rank_only()
    }
}
