//! Saving the model while it is trained.

use super::atomic;
use super::path_template::PathTemplate;
use crate::error::{Error, Result};
use crate::float::Float;
use crate::nn::callback::{
    Callback, CallbackSettings, CallbackState, Monitor, Run, create_folder, create_folder_of,
};
use crate::nn::metric::Direction;
use serde::{Deserialize, Serialize};
use std::path::PathBuf;

/// Saves the model, or its weights, after every epoch or every few batches, as Keras's callback of this name.
///
/// The path may have numbers in it: `{epoch:02}` (counted from 1), `{batch}` (where it saves every few batches;
/// counted from 1), and whatever the logs have, as in `{val_loss:.4}`. Without them, each save replaces the one
/// before. A save replaces a file whole or not at all.
///
/// Folders that are missing are created: before the first batch, unless their names have such numbers in them. The name of
/// a folder that exists is taken as it is, braces and all; elsewhere a brace is written twice, as in `{{`.
///
/// # Parameters
/// | setter | default |
/// |---|---|
/// | `monitor` | `val_loss`; of meaning with `save_best_only` |
/// | `direction` | the metric's own; losses fall |
/// | `save_best_only` | false |
/// | `initial_value_threshold` | none: a value that the first save must beat |
/// | `save_weights_only` | false: the whole model |
/// | `every_batches` | after each epoch |
///
/// # Errors
/// Before the first batch: names that the run does not have, in the path or to monitor; a folder that cannot be created or
/// written to. At a save: what [`Model::save`](crate::models::Model::save) refuses.
///
/// # Examples
/// ```
/// use axonal::ndarray::array;
/// use axonal::prelude::*;
///
/// # fn main() -> Result<()> {
/// # let folder = std::env::temp_dir().join(format!("axonal-doc-checkpoint-{}", std::process::id()));
/// # std::fs::create_dir_all(&folder).unwrap();
/// let mut model = Sequential::new(1).add(Dense::new(1)).compile(Sgd::new(0.1), MeanSquaredError::default())?;
/// let best = ModelCheckpoint::new(folder.join("best.axonal")).monitor("loss").save_best_only(true);
/// let each = ModelCheckpoint::new(folder.join("epoch-{epoch:02}.axonal")).save_weights_only(true);
/// let options = FitOptions::new().epochs(3).callback(best).callback(each);
/// model.fit_with(&array![[0.0], [1.0]], &array![1.0, 3.0], options)?;
/// assert_eq!(Model::<f64>::load(folder.join("best.axonal"))?.weights(), model.weights());
/// assert!(folder.join("epoch-03.axonal").exists());
/// # std::fs::remove_dir_all(&folder).unwrap();
/// # Ok(())
/// # }
/// ```
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ModelCheckpoint {
    path: PathBuf,
    monitor: Monitor,
    save_best_only: bool,
    save_weights_only: bool,
    initial_value_threshold: Option<f64>,
    every_batches: Option<usize>,
    /// The path with the folders that existed when the run began.
    #[serde(skip)]
    template: Option<PathTemplate>,
    #[serde(skip)]
    seen: Seen,
}

/// What was seen so far.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
struct Seen {
    best: Option<f64>,
    batches: usize,
}

const OWNER: &str = "ModelCheckpoint";

impl ModelCheckpoint {
    /// Saves to this path, which may be a template.
    #[must_use]
    pub fn new(path: impl Into<PathBuf>) -> Self {
        Self {
            path: path.into(),
            monitor: Monitor::new("val_loss"),
            save_best_only: false,
            save_weights_only: false,
            initial_value_threshold: None,
            every_batches: None,
            template: None,
            seen: Seen::default(),
        }
    }

    /// The number by which the best is known.
    #[must_use]
    pub fn monitor(mut self, name: impl Into<String>) -> Self {
        self.monitor.name = name.into();
        self
    }

    /// Whether higher or lower is better.
    #[must_use]
    pub fn direction(mut self, direction: Direction) -> Self {
        self.monitor.direction = direction;
        self
    }

    /// Saves only where the monitored number is better than at every save before.
    #[must_use]
    pub fn save_best_only(mut self, best_only: bool) -> Self {
        self.save_best_only = best_only;
        self
    }

    /// Saves the weights without layers, optimizer and counters.
    #[must_use]
    pub fn save_weights_only(mut self, weights_only: bool) -> Self {
        self.save_weights_only = weights_only;
        self
    }

    /// The value that the first best must beat: that of an earlier run, say.
    #[must_use]
    pub fn initial_value_threshold(mut self, value: f64) -> Self {
        self.initial_value_threshold = Some(value);
        self
    }

    /// Saves after every `batches` batches, counted over all epochs, instead of after each epoch.
    #[must_use]
    pub fn every_batches(mut self, batches: usize) -> Self {
        self.every_batches = Some(batches);
        self
    }

    fn save<F: Float>(&mut self, run: &Run<'_, F>) -> Result<()> {
        if self.save_best_only {
            let Some(value) = self.monitor.value(run) else { return Ok(()) };
            if !self.monitor.improved(value, self.seen.best) {
                return Ok(());
            }
            self.seen.best = Some(value);
        }
        let path = self.path_of(run)?;
        create_folder_of(&path)?;
        if self.save_weights_only { run.model().save_weights(path) } else { run.model().save(path) }
    }

    #[allow(clippy::cast_precision_loss, reason = "a number in a file's name")]
    fn path_of<F: Float>(&self, run: &Run<'_, F>) -> Result<PathBuf> {
        let Some(template) = &self.template else { return Ok(self.path.clone()) };
        template.fill(OWNER, |name| match name {
            "epoch" => Some((run.epoch() + 1) as f64),
            "batch" => Some((run.batch() + 1) as f64),
            name => run.logs().get(name),
        })
    }

    /// Creates the folders that are known before the first epoch, and checks that a save can write there.
    fn prepare(template: &PathTemplate) -> Result<()> {
        match template.constant(OWNER)? {
            Some(path) => {
                create_folder_of(&path)?;
                atomic::check(&path)
            }
            None => {
                create_folder(template.folder())?;
                atomic::check_folder(template.folder())
            }
        }
    }
}

impl<F: Float> Callback<F> for ModelCheckpoint {
    fn on_train_begin(&mut self, run: &mut Run<'_, F>) -> Result<()> {
        self.seen = Seen { best: self.initial_value_threshold, batches: 0 };
        if self.every_batches == Some(0) {
            return Err(Error::invalid_parameter(OWNER, "every_batches", 0, "at least 1"));
        }
        let names = if self.every_batches.is_some() { run.batch_names() } else { run.names() };
        if self.save_best_only {
            self.monitor.begin(OWNER, run, names)?;
        }
        let mut known = vec!["epoch"];
        known.extend(self.every_batches.map(|_| "batch"));
        known.extend(names.iter().map(String::as_str));
        let template = PathTemplate::new(&self.path);
        template.validate(OWNER, &known)?;
        Self::prepare(&template)?;
        self.template = Some(template);
        Ok(())
    }

    fn on_batch_end(&mut self, run: &mut Run<'_, F>) -> Result<()> {
        let Some(every) = self.every_batches else { return Ok(()) };
        self.seen.batches += 1;
        if self.seen.batches.is_multiple_of(every) { self.save(run) } else { Ok(()) }
    }

    fn on_epoch_end(&mut self, run: &mut Run<'_, F>) -> Result<()> {
        if self.every_batches.is_none() { self.save(run) } else { Ok(()) }
    }

    fn state(&self) -> Result<CallbackState<F>> {
        CallbackState::of(&self.seen)
    }

    fn load_state(&mut self, state: CallbackState<F>) -> Result<()> {
        self.seen = state.read()?;
        Ok(())
    }

    fn settings(&self) -> Option<CallbackSettings<F>> {
        Some(CallbackSettings::saved_as("model_checkpoint", self))
    }

    fn first_rank_only(&self) -> bool {
        true
    }
}
