//! The numbers of each epoch as a table in a text file.

use super::log_file::LogFile;
use super::{Callback, CallbackSettings, CallbackState, Run};
use crate::error::{Error, Result};
use crate::float::Float;
use serde::{Deserialize, Serialize};
use std::path::PathBuf;

/// Writes a line of comma-separated values after each epoch: the epoch, counted from 0, then every number of the
/// logs, in the order of their names, as Keras does. A number that an epoch does not have is `NA`.
///
/// # Parameters
/// | setter | default |
/// |---|---|
/// | `append` | false: what is in the file is replaced; true: lines are added, without a second header |
/// | `separator` | `,` |
///
/// The folder of the file is created where it is missing.
///
/// # Errors
/// A folder that cannot be created, a file that cannot be written, or one to append to whose columns are not those of
/// the run, all before the first batch.
///
/// # Examples
/// ```
/// use axonal::ndarray::array;
/// use axonal::prelude::*;
///
/// # fn main() -> Result<()> {
/// # let path = std::env::temp_dir().join(format!("axonal-doc-csv-{}.csv", std::process::id()));
/// let mut model = Sequential::new(1).add(Dense::new(1)).compile(Sgd::new(0.1), MeanSquaredError::default())?;
/// let options = FitOptions::new().epochs(2).callback(CsvLogger::new(&path));
/// let history = model.fit_with(&array![[0.0], [1.0]], &array![1.0, 3.0], options)?;
/// let text = std::fs::read_to_string(&path).unwrap();
/// assert!(text.starts_with("epoch,learning_rate,loss\n0,0.1,"));
/// # std::fs::remove_file(&path).unwrap();
/// # Ok(())
/// # }
/// ```
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct CsvLogger {
    file: LogFile,
    separator: char,
}

impl CsvLogger {
    /// A logger into the file of this name.
    #[must_use]
    pub fn new(path: impl Into<PathBuf>) -> Self {
        Self { file: LogFile::new(path.into()), separator: ',' }
    }

    /// Whether lines are added to a file that is there already.
    #[must_use]
    pub fn append(mut self, append: bool) -> Self {
        self.file.append(append);
        self
    }

    /// What stands between the values.
    #[must_use]
    pub fn separator(mut self, separator: char) -> Self {
        self.separator = separator;
        self
    }

    fn join(&self, first: &str, rest: impl Iterator<Item = String>) -> String {
        rest.fold(first.to_string(), |line, value| format!("{line}{}{value}", self.separator))
    }

    /// The names of the columns.
    fn header(&self, names: &[String]) -> String {
        self.join("epoch", sorted(names).iter().map(|name| self.quoted(name)))
    }

    /// A field, in quotes where it holds a separator, a quote or an end of line.
    fn quoted(&self, name: &str) -> String {
        if name.contains([self.separator, '"', '\n', '\r']) {
            return format!("\"{}\"", name.replace('"', "\"\""));
        }
        name.into()
    }
}

/// The names in alphabetical order, as Keras writes them.
fn sorted(names: &[String]) -> Vec<String> {
    let mut names = names.to_vec();
    names.sort_unstable();
    names
}

impl<F: Float> Callback<F> for CsvLogger {
    fn on_train_begin(&mut self, run: &mut Run<'_, F>) -> Result<()> {
        if self.separator.is_alphanumeric() || "+-.\"\n\r".contains(self.separator) {
            let expected = "a character that numbers and quotes do not use";
            return Err(Error::invalid_parameter("CsvLogger", "separator", self.separator, expected));
        }
        let header = self.header(run.names());
        let Some(other) = self.file.open(Some(&header))? else { return Ok(()) };
        let path = self.file.path().display();
        let value = format!("true for {path}, which has the columns {other:?}");
        let expected = format!(
            "the columns of this run, {header:?}; log to another file, or replace this one by append(false)"
        );
        Err(Error::invalid_parameter("CsvLogger", "append", value, expected))
    }

    fn on_epoch_end(&mut self, run: &mut Run<'_, F>) -> Result<()> {
        let names = sorted(run.names());
        let header = self.header(run.names());
        let value = |name: &String| run.logs().get(name).map_or("NA".into(), |value| format!("{value:?}"));
        let line = self.join(&run.epoch().to_string(), names.iter().map(value));
        self.file.write(Some(&header), &line)
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
        Some(CallbackSettings::saved_as("csv_logger", self))
    }

    fn first_rank_only(&self) -> bool {
        true
    }
}
