//! Serialized hyperparameters.

use super::Layer;
use super::reject_non_finite::all_finite;
use crate::error::{Error, Result};
use crate::float::Float;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;
use std::sync::Arc;

/// The hyperparameters of a layer, loss, optimizer or metric, as JSON.
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
    /// Serializes the fields of a recipe. `None` if a value has no JSON form, as NaN and the infinities.
    #[must_use]
    pub fn of<T: Serialize + ?Sized>(recipe: &T) -> Option<Self> {
        if !all_finite(recipe) {
            return None;
        }
        serde_json::to_string(recipe).ok().map(Self)
    }

    /// Creates a configuration from its JSON text.
    #[must_use]
    pub fn from_json(text: impl Into<String>) -> Self {
        Self(text.into())
    }

    /// The configuration as JSON text.
    #[must_use]
    pub fn as_json(&self) -> &str {
        &self.0
    }

    /// Deserializes the recipe; `kind` names it in the error.
    ///
    /// # Errors
    /// Text that is not the recipe's JSON.
    pub fn read<T: DeserializeOwned>(&self, kind: &str) -> Result<T> {
        serde_json::from_str(&self.0).map_err(|problem| Error::configuration(kind, &self.0, &problem))
    }
}

/// The kind and hyperparameters of a layer nested in the configuration of another.
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
    /// The configuration of a layer; `None` if it has none.
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

/// Function that builds nested layers from their kinds and configurations, up to a depth limit.
pub(crate) type InnerLayers<'a, F> = dyn Fn(&str, &Config) -> Result<Arc<dyn Layer<F>>> + 'a;
