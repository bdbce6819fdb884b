//! Transformers in files: settings as JSON, statistics as numbers.

use super::file::Encoder;
use super::header::HEADER_LEN;
use super::persist::{Persist, Section, file_methods};
use crate::error::{Error, LoadErrorKind, Result};
use crate::preprocessing::{
    FunctionTransformer, KBinsDiscretizer, MaxAbsScaler, MinMaxScaler, Normalizer, PolynomialFeatures,
    RobustScaler, SimpleImputer, StandardScaler,
};

macro_rules! saved {
    ($encode:ident, $read:path: $($transformer:ty, $kind:literal, |$self:ident| $problem:expr;)*) => {
        $(
            impl Persist for $transformer {
                fn encode(&self) -> Result<Encoder<'_>> {
                    Encoder::$encode($kind, self)
                }

                fn decode(section: Section<'_>) -> Result<Self> {
                    let name = section.name().to_owned();
                    let $self: Self = $read(section, $kind)?;
                    let problem: Option<&'static str> = $problem;
                    match problem {
                        None => Ok($self),
                        Some(expected) => Err(misfit(expected).in_file(&name)),
                    }
                }
            }
        )*
        file_methods! { $([] $transformer;)* }
    };
}

saved! { of_statistics, Section::read_statistics:
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
    KBinsDiscretizer, "k_bins_discretizer", |bins| {
        unless(bins.is_sound(), "ascending edges, as many as n_edges says")
    };
    SimpleImputer, "simple_imputer", |imputer| imputer.statistics().ok().and_then(|statistics| {
        unless(!statistics.is_empty(), "a number for each feature")
    });
}

saved! { of, Section::read:
    Normalizer, "normalizer", |normalizer| None;
    PolynomialFeatures, "polynomial_features", |features| {
        unless(features.is_sound(), "a degree and a number of features that together give a bounded number of products")
    };
}

impl Persist for FunctionTransformer {
    fn encode(&self) -> Result<Encoder<'_>> {
        if let Some(reason) = self.unsaveable() {
            return Err(Error::Unsaveable {
                what: "this FunctionTransformer".into(),
                reason: format!("{reason}, which has no form in a file"),
                hint: "use FunctionTransformer::named, or implement Transform and Persist for a type".into(),
            });
        }
        Encoder::of("function_transformer", self)
    }

    fn decode(section: Section<'_>) -> Result<Self> {
        let name = section.name().to_owned();
        let transformer: Self = section.read("function_transformer")?;
        match unless(transformer.is_sound(), "at least 1 feature") {
            None => Ok(transformer),
            Some(expected) => Err(misfit(expected).in_file(&name)),
        }
    }
}

file_methods! { [] FunctionTransformer; }

fn unless(sound: bool, expected: &'static str) -> Option<&'static str> {
    (!sound).then_some(expected)
}

fn misfit(expected: &str) -> LoadErrorKind {
    LoadErrorKind::Malformed { offset: HEADER_LEN as u64, expected: expected.into(), got: "others".into() }
}
