//! The registry of this crate's update rules: by kind, as files name them.

use super::adadelta::AdadeltaRule;
use super::adafactor::AdafactorRule;
use super::adagrad::AdagradRule;
use super::adam::AdamRule;
use super::adamax::AdamaxRule;
use super::ftrl::FtrlRule;
use super::lamb::LambRule;
use super::lion::LionRule;
use super::nadam::NadamRule;
use super::rmsprop::RmsPropRule;
use super::rule::UpdateRule;
use super::sgd::SgdRule;
use crate::error::Result;
use crate::float::Float;
use crate::nn::layer::Config;
use serde::de::DeserializeOwned;
use std::sync::Arc;

/// The kinds of this crate's rules in files. Append only: a file names its optimizer by its kind.
pub(crate) const KINDS: &[&str] = &[
    "adam",
    "rmsprop",
    "sgd",
    "adadelta",
    "adafactor",
    "adagrad",
    "adamax",
    "adamw",
    "ftrl",
    "lamb",
    "lion",
    "nadam",
];

/// Creates the rule of a kind from its hyperparameters; `None` if the kind is unknown.
pub(crate) fn from_config<F: Float>(kind: &str, config: &Config) -> Option<Result<Arc<dyn UpdateRule<F>>>> {
    Some(match kind {
        "adadelta" => read::<F, AdadeltaRule>(kind, config),
        "adafactor" => read::<F, AdafactorRule>(kind, config),
        "adagrad" => read::<F, AdagradRule>(kind, config),
        "adam" => read::<F, AdamRule<false>>(kind, config),
        "adamax" => read::<F, AdamaxRule>(kind, config),
        "adamw" => read::<F, AdamRule<true>>(kind, config),
        "ftrl" => read::<F, FtrlRule>(kind, config),
        "lamb" => read::<F, LambRule>(kind, config),
        "lion" => read::<F, LionRule>(kind, config),
        "nadam" => read::<F, NadamRule>(kind, config),
        "rmsprop" => read::<F, RmsPropRule>(kind, config),
        "sgd" => read::<F, SgdRule>(kind, config),
        _ => return None,
    })
}

fn read<F: Float, R: UpdateRule<F> + DeserializeOwned + 'static>(
    kind: &str,
    config: &Config,
) -> Result<Arc<dyn UpdateRule<F>>> {
    Ok(Arc::new(config.read::<R>(kind)?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn all_kinds_and_no_others_are_known() {
        let invalid = Config::from_json("[");
        for kind in KINDS {
            assert!(from_config::<f32>(kind, &invalid).is_some_and(|made| made.is_err()), "{kind}");
        }
        assert!(from_config::<f32>("Adam", &invalid).is_none());
    }
}
