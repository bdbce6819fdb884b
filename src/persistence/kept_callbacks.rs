//! The callbacks that a model keeps, in files.

use super::limits::{Limits, MemoryBudget};
use super::registry::rejected;
use super::{BackupAndRestore, Checked, ModelCheckpoint};
use crate::error::{LoadErrorKind, excerpt};
use crate::float::Float;
use crate::nn::callback::{
    Callback, CallbackSettings, CsvLogger, EarlyStopping, JsonLogger, ReduceLrOnPlateau,
};
use crate::nn::layer::Config;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;

/// A callback as its kind and its settings.
#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct CallbackRecord {
    kind: String,
    config: Box<RawValue>,
}

/// Memory of a kept callback beside its text, in bytes.
const CALLBACK: u64 = 512;

/// The callbacks that have a form in a file; the others are left out.
pub(super) fn records_of<F: Float>(callbacks: &[CallbackSettings<F>]) -> Vec<CallbackRecord> {
    let saved = callbacks.iter().filter_map(CallbackSettings::saved);
    let record = |(kind, config): &(&'static str, Config)| {
        let config = RawValue::from_string(config.as_json().into()).ok()?;
        Some(CallbackRecord { kind: (*kind).into(), config })
    };
    saved.filter_map(record).collect()
}

/// The callbacks of a file. Those that write files are left out unless `writing` is set: a file from elsewhere must not
/// choose the paths that a later `fit` writes to.
pub(super) fn callbacks_from<F: Float>(
    records: &[CallbackRecord],
    writing: bool,
    limits: &Limits,
    budget: &MemoryBudget,
) -> Checked<Vec<CallbackSettings<F>>> {
    if records.len() > limits.max_layers {
        let (value, limit) = (records.len() as u64, limits.max_layers as u64);
        return Err(LoadErrorKind::Limit { what: "callbacks".into(), value, limit });
    }
    budget.take(CALLBACK.saturating_mul(records.len() as u64))?;
    let mut callbacks = Vec::new();
    for CallbackRecord { kind, config } in records {
        let config = config.get();
        let (settings, writes) = match kind.as_str() {
            "early_stopping" => (read::<F, EarlyStopping<F>>(kind, config)?, false),
            "reduce_lr_on_plateau" => (read::<F, ReduceLrOnPlateau>(kind, config)?, false),
            "csv_logger" => (read::<F, CsvLogger>(kind, config)?, true),
            "json_logger" => (read::<F, JsonLogger>(kind, config)?, true),
            "model_checkpoint" => (read::<F, ModelCheckpoint>(kind, config)?, true),
            "backup_and_restore" => (read::<F, BackupAndRestore>(kind, config)?, true),
            kind => return Err(LoadErrorKind::UnknownKind { what: "callback", kind: excerpt(kind) }),
        };
        if writing || !writes {
            callbacks.extend(settings);
        }
    }
    Ok(callbacks)
}

/// The settings of a callback of type `C`.
fn read<F: Float, C: Callback<F> + DeserializeOwned>(
    kind: &str,
    config: &str,
) -> Checked<Option<CallbackSettings<F>>> {
    let callback: C = Config::from_json(config).read(kind).map_err(|source| rejected("callbacks", source))?;
    Ok(callback.settings())
}
