//! Hyperparameters as data, for files.

use crate::error::{Error, Result};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

/// The hyperparameters of a recipe (a layer, loss, optimizer or metric), as named values.
///
/// # Examples
/// ```
/// use axonal::nn::Config;
///
/// #[derive(Debug, PartialEq, serde::Serialize, serde::Deserialize)]
/// struct Scale {
///     factor: f64,
/// }
///
/// let config = Config::of(&Scale { factor: 2.5 }).unwrap();
/// assert_eq!(config.as_json(), r#"{"factor":2.5}"#);
/// assert_eq!(config.read::<Scale>("scale").unwrap(), Scale { factor: 2.5 });
/// ```
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Config(String);

impl Config {
    /// The fields of a recipe; `None` where they cannot be written down.
    #[must_use]
    pub fn of<T: Serialize + ?Sized>(recipe: &T) -> Option<Self> {
        serde_json::to_string(recipe).ok().map(Self)
    }

    /// A configuration from its JSON text, as a file holds it.
    #[must_use]
    pub fn from_json(text: impl Into<String>) -> Self {
        Self(text.into())
    }

    /// The configuration as JSON text.
    #[must_use]
    pub fn as_json(&self) -> &str {
        &self.0
    }

    /// The recipe back from its fields; `kind` names it in the error.
    ///
    /// # Errors
    /// Text that is not the recipe's JSON.
    pub fn read<T: DeserializeOwned>(&self, kind: &str) -> Result<T> {
        serde_json::from_str(&self.0).map_err(|problem| Error::Parse {
            source_name: format!("configuration of {kind:?}"),
            line: problem.line(),
            column: problem.column(),
            expected: problem.to_string(),
            got: self.0.chars().take(64).collect(),
        })
    }
}
