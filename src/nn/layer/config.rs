//! Hyperparameters as data, for files.

use super::Layer;
use super::finite::all_finite;
use crate::error::{Error, Result};
use crate::float::Float;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;
use std::sync::Arc;

/// The hyperparameters of a recipe (a layer, loss, optimizer or metric), as named values.
///
/// # Examples
/// ```
/// use axonal::custom::Config;
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
    /// The fields of a recipe; `None` where they cannot be written down, as NaN and the infinities cannot.
    #[must_use]
    pub fn of<T: Serialize + ?Sized>(recipe: &T) -> Option<Self> {
        if !all_finite(recipe) {
            return None;
        }
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
            got: crate::error::quoted(&self.0),
            hint: String::new(),
        })
    }
}

/// A layer inside of the configuration of another: its kind and its hyperparameters.
///
/// # Examples
/// ```
/// use axonal::custom::LayerConfig;
/// use axonal::prelude::*;
///
/// let inner = LayerConfig::of::<f32>(&Dropout::new(0.5)).unwrap();
/// assert_eq!(inner.kind(), "dropout");
/// assert_eq!(serde_json::to_string(&inner).unwrap(), r#"{"kind":"dropout","config":{"rate":0.5,"noise_shape":null}}"#);
/// ```
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct LayerConfig {
    kind: String,
    config: Box<RawValue>,
}

impl LayerConfig {
    /// The configuration of a layer; `None` where it has none.
    pub fn of<F: Float>(layer: &dyn Layer<F>) -> Option<Self> {
        let config = RawValue::from_string(layer.config()?.0).ok()?;
        Some(Self { kind: layer.kind().into(), config })
    }

    /// The layer's kind.
    #[must_use]
    pub fn kind(&self) -> &str {
        &self.kind
    }

    /// The layer's hyperparameters.
    #[must_use]
    pub fn config(&self) -> Config {
        Config(self.config.get().into())
    }
}

/// Makes the layers inside of another one from their kinds and configurations, to a depth limit.
pub(crate) type InnerLayers<'a, F> = dyn Fn(&str, &Config) -> Result<Arc<dyn Layer<F>>> + 'a;
