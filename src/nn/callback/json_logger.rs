//! The numbers of each epoch as a line of JSON.

use super::log_file::LogFile;
use super::{Callback, CallbackSettings, CallbackState, Run};
use crate::error::Result;
use crate::float::Float;
use serde::{Deserialize, Serialize};
use std::path::PathBuf;

/// Writes one JSON object per line after each epoch: `{"epoch":0,"loss":0.5,…}`, the epoch counted from 0.
/// A number that JSON cannot hold (NaN, an infinity) is `null`.
///
/// The folder of the file is created where it is missing.
///
/// # Errors
/// A folder that cannot be created or a file that cannot be written, before the first batch.
///
/// # Examples
/// ```
/// use axonal::ndarray::array;
/// use axonal::callbacks::JsonLogger;
/// use axonal::prelude::*;
///
/// # fn main() -> Result<()> {
/// # let path = std::env::temp_dir().join(format!("axonal-doc-json-{}.jsonl", std::process::id()));
/// let mut model = Sequential::new(1).add(Dense::new(1)).compile(Sgd::new(0.1), MeanSquaredError::default())?;
/// let options = FitOptions::new().epochs(2).callback(JsonLogger::new(&path));
/// model.fit_with(&array![[0.0], [1.0]], &array![1.0, 3.0], options)?;
/// let text = std::fs::read_to_string(&path).unwrap();
/// assert!(text.starts_with("{\"epoch\":0,\"loss\":") && text.lines().count() == 2);
/// # std::fs::remove_file(&path).unwrap();
/// # Ok(())
/// # }
/// ```
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct JsonLogger {
    file: LogFile,
}

impl JsonLogger {
    /// A logger into the file of this name.
    #[must_use]
    pub fn new(path: impl Into<PathBuf>) -> Self {
        Self { file: LogFile::new(path.into()) }
    }

    /// Whether lines are added to a file that is there already; they are not by default.
    #[must_use]
    pub fn append(mut self, append: bool) -> Self {
        self.file.append(append);
        self
    }
}

impl<F: Float> Callback<F> for JsonLogger {
    fn on_train_begin(&mut self, _: &mut Run<'_, F>) -> Result<()> {
        self.file.open(None).map(drop)
    }

    fn on_epoch_end(&mut self, run: &mut Run<'_, F>) -> Result<()> {
        // By hand, to keep the order of the logs.
        let mut line = format!("{{\"epoch\":{}", run.epoch());
        for (name, value) in run.logs().iter() {
            line += &format!(",{}:{}", serde_json::Value::from(name), serde_json::Value::from(value));
        }
        self.file.write(None, &(line + "}"))
    }

    fn on_train_end(&mut self, _: &mut Run<'_, F>) -> Result<()> {
        self.file.close();
        Ok(())
    }

    fn state(&self) -> Result<CallbackState<F>> {
        CallbackState::of(&self.file.len())
    }

    fn load_state(&mut self, state: CallbackState<F>) -> Result<()> {
        self.file.go_on(state.read()?);
        Ok(())
    }

    fn settings(&self) -> Option<CallbackSettings<F>> {
        Some(CallbackSettings::saved_as("json_logger", self))
    }

    fn first_rank_only(&self) -> bool {
        true
    }
}
