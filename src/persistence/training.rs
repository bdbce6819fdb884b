//! What a model's file says beside layers and numbers: how it is trained, and where the training stands.

use super::Checked;
use super::kept_callbacks::{CallbackRecord, records_of};
use super::limits::Limits;
use super::registry::{bounded, check_text, rejected};
use crate::error::{Error, LoadErrorKind, Result};
use crate::float::Float;
use crate::nn::fit_options::PlainOptions;
use crate::nn::layer::Config;
use crate::nn::model::Model;
use crate::nn::optimizer::LearningRate;
use crate::nn::optimizer::Modifiers;
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;

/// The settings of the training and its counters. Names that are unknown are refused, missing ones take defaults where
/// there are any.
#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Training {
    /// The learning rate at this moment, which callbacks may have changed.
    learning_rate: Box<RawValue>,
    /// The learning rate as compiled.
    compiled_learning_rate: Box<RawValue>,
    #[serde(default)]
    pub(super) modifiers: Modifiers,
    #[serde(default)]
    pub(super) fit_options: PlainOptions,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub(super) callbacks: Vec<CallbackRecord>,
    pub(super) seed: u64,
    pub(super) epochs_trained: u64,
    pub(super) steps_trained: u64,
    pub(super) iterations: u64,
    /// Whether the input shape was inferred.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub(super) deferred: bool,
}

/// The most that a counter can have come to; far from where counting would overflow.
const MOST_STEPS: u64 = 1 << 60;

impl Training {
    pub(super) fn of<F: Float>(model: &Model<F>) -> Result<Self> {
        model.check_kept_options()?;
        model.fit_options.validate()?;
        let optimizer_state = &model.optimizer_state;
        Ok(Self {
            learning_rate: rate_text(&optimizer_state.learning_rate)?,
            compiled_learning_rate: rate_text(&optimizer_state.compiled_rate)?,
            modifiers: optimizer_state.modifiers.clone(),
            fit_options: model.fit_options.clone(),
            callbacks: records_of(&model.callbacks),
            seed: model.seed,
            epochs_trained: model.epochs_trained,
            steps_trained: model.steps_trained,
            iterations: optimizer_state.iterations,
            deferred: model.is_deferred(),
        })
    }

    pub(super) fn to_json(&self) -> Result<String> {
        serde_json::to_string(self).map_err(|problem| Error::Unsaveable {
            what: "the training".into(),
            reason: problem.to_string(),
            hint: "use save_weights".into(),
        })
    }

    /// The settings, checked as the builders check them; `optimizer` names the rule in errors.
    pub(super) fn from_json(text: &str, optimizer: &str, limits: &Limits) -> Checked<Self> {
        let config = Config::from_json(bounded(text, limits)?);
        check_text(&config, limits)?;
        let training: Self = config.read("training").map_err(|source| rejected("training", source))?;
        let counters = [
            ("epochs_trained", training.epochs_trained),
            ("steps_trained", training.steps_trained),
            ("iterations", training.iterations),
        ];
        for (name, value) in counters {
            if value > MOST_STEPS {
                return Err(LoadErrorKind::Limit { what: name.into(), value, limit: MOST_STEPS });
            }
        }
        training.fit_options.validate().map_err(|source| rejected("fit options", source))?;
        training.modifiers.validate(optimizer).map_err(|source| rejected("optimizer", source))?;
        Ok(training)
    }

    /// The learning rate at the moment of the save, and as compiled.
    pub(super) fn learning_rates(&self, optimizer: &str) -> Checked<(LearningRate, LearningRate)> {
        let rate = |text: &RawValue| {
            let rate = rate_from(text)?;
            rate.validate(optimizer)?;
            Ok(rate)
        };
        let both = rate(&self.learning_rate).and_then(|now| Ok((now, rate(&self.compiled_learning_rate)?)));
        both.map_err(|source| rejected("learning rate", source))
    }
}

fn rate_text(rate: &LearningRate) -> Result<Box<RawValue>> {
    serde_json::value::to_raw_value(rate).map_err(|_| Error::Unsaveable {
        what: "the learning rate".into(),
        reason: "it is a function of the step, which has no form in a file".into(),
        hint: "use one of the schedules, or save_weights".into(),
    })
}

fn rate_from(text: &RawValue) -> Result<LearningRate> {
    Config::from_json(text.get()).read("learning rate")
}
