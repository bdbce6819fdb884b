//! Scalers in files: settings and statistics as JSON, for they are few numbers.

use super::Checked;
use super::file::{Draft, WRITER};
use super::frame::{Content, HEADER_LEN};
use super::limits::Limits;
use super::registry::{check_text, rejected};
use super::source::{Opened, Source};
use super::structured::{EstimatorRecord, Recipe, Records};
use crate::error::{Error, FileProblem, Result, excerpt};
use crate::nn::Config;
use crate::preprocessing::{MaxAbsScaler, MinMaxScaler, Normalizer, RobustScaler, StandardScaler};
use serde::Serialize;
use serde::de::DeserializeOwned;
use std::io::{Read, Write};
use std::path::Path;

/// A transformer that has a form in files.
trait Saved: Serialize + DeserializeOwned {
    const KIND: &'static str;

    /// What would be wrong with one that `fit` cannot have left behind.
    fn problem(&self) -> Option<&'static str>;
}

macro_rules! saved {
    ($($scaler:ty, $kind:literal, |$self:ident| $problem:expr;)*) => {$(
        impl Saved for $scaler {
            const KIND: &'static str = $kind;

            fn problem(&self) -> Option<&'static str> {
                let $self = self;
                $problem
            }
        }

        impl $scaler {
            /// Saves the settings and what was learned. The file is replaced whole or not at all, and is durable when
            /// this returns.
            ///
            /// # Errors
            /// What the system refuses; settings that are not finite ([`Error::Unsaveable`]).
            pub fn save(&self, path: impl AsRef<Path>) -> Result<()> {
                draft(self)?.save(path.as_ref())
            }

            /// As [`save`](Self::save), to a writer; it is flushed at the end.
            ///
            /// # Errors
            /// As [`save`](Self::save).
            pub fn save_to(&self, mut writer: impl Write) -> Result<()> {
                draft(self)?.save_to(&mut writer)
            }

            /// As [`save`](Self::save), to memory.
            ///
            /// # Errors
            /// As [`save`](Self::save).
            pub fn to_bytes(&self) -> Result<Vec<u8>> {
                let mut bytes = Vec::new();
                self.save_to(&mut bytes)?;
                Ok(bytes)
            }

            /// Loads what [`save`](Self::save) has saved.
            ///
            /// # Errors
            /// As [`Model::load`](crate::nn::Model::load).
            pub fn load(path: impl AsRef<Path>) -> Result<Self> {
                let limits = Limits::default();
                read(Source::open(path.as_ref(), &limits)?, &limits)
            }

            /// As [`load`](Self::load), from memory.
            ///
            /// # Errors
            /// As [`load`](Self::load).
            pub fn from_bytes(bytes: &[u8]) -> Result<Self> {
                let limits = Limits::default();
                read(Source::bytes(bytes, &limits)?, &limits)
            }
        }
    )*};
}

saved! {
    StandardScaler, "standard_scaler", |scaler| match (scaler.mean(), scaler.variance(), scaler.scale()) {
        (Ok(mean), Ok(variance), Ok(scale)) => {
            let lengths = mean.len() == variance.len() && mean.len() == scale.len() && !mean.is_empty();
            unless(lengths && scale.iter().all(|scale| *scale > 0.0), "a mean, a variance and a positive scale for each feature")
        }
        _ => None,
    };
    MinMaxScaler, "min_max_scaler", |scaler| match (scaler.data_min(), scaler.data_max()) {
        (Ok(min), Ok(max)) => {
            let ordered = min.iter().zip(&max).all(|(min, max)| min <= max);
            unless(min.len() == max.len() && !min.is_empty() && ordered, "a minimum and a maximum for each feature")
        }
        _ => None,
    };
    MaxAbsScaler, "max_abs_scaler", |scaler| scaler.max_abs().ok().and_then(|max| {
        unless(!max.is_empty() && max.iter().all(|max| *max >= 0.0), "a maximum of at least 0 for each feature")
    });
    RobustScaler, "robust_scaler", |scaler| match (scaler.center(), scaler.scale()) {
        (Ok(center), Ok(scale)) => {
            let lengths = center.len() == scale.len() && !center.is_empty();
            unless(lengths && scale.iter().all(|scale| *scale > 0.0), "a center and a positive scale for each feature")
        }
        _ => None,
    };
    Normalizer, "normalizer", |_scaler| None;
}

fn unless(sound: bool, expected: &'static str) -> Option<&'static str> {
    (!sound).then_some(expected)
}

fn draft<T: Saved>(scaler: &T) -> Result<Draft<'static, f64>> {
    let unsaveable = || Error::Unsaveable {
        what: format!("this {}", T::KIND),
        reason: "its numbers are not finite".into(),
        hint: "set finite ones and fit it again".into(),
    };
    let config = Config::of(scaler).ok_or_else(unsaveable)?;
    // JSON has no word for NaN; what does not come back is not written.
    config.read::<T>(T::KIND).map_err(|_| unsaveable())?;
    let mut draft = Draft::new(Content::Estimator);
    draft.record(&EstimatorRecord {
        writer: WRITER.into(),
        recipe: Recipe { kind: T::KIND.into(), config: config.as_json().into() },
        n_tensors: 0,
    })?;
    draft.tensors(Vec::new())?;
    Ok(draft)
}

fn read<T: Saved, R: Read>(source: Source<R>, limits: &Limits) -> Result<T> {
    let mut opened = source.structure(&[Content::Estimator], limits)?;
    let scaler = read_record(&opened, limits).map_err(|problem| problem.in_file(&opened.name))?;
    opened.numbers(|_| Ok(Ok(())))?;
    Ok(scaler)
}

fn read_record<T: Saved, R: Read>(opened: &Opened<R>, limits: &Limits) -> Checked<T> {
    let mut records = Records::new(&opened.structure, HEADER_LEN as u64);
    let head: EstimatorRecord = records.next("an estimator")?;
    if head.recipe.kind != T::KIND {
        let found = format!("{:?}", excerpt(&head.recipe.kind));
        return Err(FileProblem::Content { expected: format!("{:?}", T::KIND), found });
    }
    let end = records.offset();
    records.finish()?;
    if head.n_tensors != 0 || opened.header.numbers_len != 0 {
        let (expected, got) = ("no tensors".into(), format!("{} of them", head.n_tensors));
        return Err(FileProblem::Malformed { offset: end, expected, got });
    }
    let config = Config::from_json(head.recipe.config);
    // One text is the whole file here.
    let whole = Limits { max_config_bytes: usize::MAX, ..limits.clone() };
    check_text(&config, &whole)?;
    let scaler: T = config.read(T::KIND).map_err(|source| rejected(T::KIND, source))?;
    match scaler.problem() {
        None => Ok(scaler),
        Some(expected) => Err(FileProblem::Malformed {
            offset: HEADER_LEN as u64,
            expected: expected.into(),
            got: "others".into(),
        }),
    }
}
