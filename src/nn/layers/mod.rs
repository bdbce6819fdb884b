//! The layers, one a file.

mod activation_layer;
mod dense;
mod dropout;
mod flatten;
mod reshape;

pub use activation_layer::ActivationLayer;
pub use dense::Dense;
pub use dropout::Dropout;
pub use flatten::Flatten;
pub use reshape::Reshape;

use crate::error::Result;
use crate::float::Float;
use crate::nn::layer::{Config, InnerLayers, Layer};
use serde::de::DeserializeOwned;
use std::sync::Arc;

/// The kinds of these layers in files. Append only: a file names its layers by them.
pub(crate) const KINDS: &[&str] = &["activation", "dense", "dropout", "flatten", "reshape"];

/// The layer of a kind from its hyperparameters; `None` for a kind that is not one of these. Layers that hold
/// others make them by `inner`.
pub(crate) fn from_config<F: Float>(
    kind: &str,
    config: &Config,
    inner: &InnerLayers<'_, F>,
) -> Option<Result<Arc<dyn Layer<F>>>> {
    let _ = inner;
    Some(match kind {
        "activation" => read::<F, ActivationLayer>(kind, config),
        "dense" => read::<F, Dense>(kind, config),
        "dropout" => read::<F, Dropout>(kind, config),
        "flatten" => read::<F, Flatten>(kind, config),
        "reshape" => read::<F, Reshape>(kind, config),
        _ => return None,
    })
}

fn read<F: Float, L: Layer<F> + DeserializeOwned + 'static>(
    kind: &str,
    config: &Config,
) -> Result<Arc<dyn Layer<F>>> {
    Ok(Arc::new(config.read::<L>(kind)?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_kind_is_known_and_no_other() {
        let nothing = Config::from_json("[");
        let inner = |_: &str, _: &Config| unreachable!("no layer here holds another");
        for kind in KINDS {
            assert!(from_config::<f32>(kind, &nothing, &inner).is_some_and(|made| made.is_err()), "{kind}");
        }
        assert!(from_config::<f32>("Dense", &nothing, &inner).is_none());
    }

    #[test]
    fn kinds_are_append_only() {
        assert!(KINDS.starts_with(&["activation", "dense", "dropout", "flatten", "reshape"]));
    }
}
