//! Column transformers in files: each step is a file within, whose kind says what it becomes.

use super::file::Encoder;
use super::limits::lists_of;
use super::persist::{Persist, Section, file_methods};
use super::pipeline::{PIPELINE, row_of, two_steps};
use super::registry::rejected;
use crate::cluster::{BisectingKMeans, KMeans, MiniBatchKMeans};
use crate::error::{Error, LoadErrorKind, Result, excerpt};
use crate::estimator::AnyEstimator;
use crate::float::Float;
#[cfg(feature = "pca")]
use crate::preprocessing::Pca;
use crate::preprocessing::{
    CategoryValue, ColumnSettings, ColumnTransformer, MaxAbsScaler, MinMaxScaler, Normalizer, OneHotEncoder,
    OrdinalEncoder, PolynomialFeatures, RobustScaler, SimpleImputer, StandardScaler, Step,
};

const KIND: &str = "column_transformer";

impl<F: Float + CategoryValue<Code = F>> Persist for ColumnTransformer<F> {
    fn encode(&self) -> Result<Encoder<'_>> {
        let config =
            serde_json::to_string(&self.settings()).map_err(|problem| unsaveable(problem.to_string()))?;
        let parts =
            self.steps().enumerate().map(|(number, step)| encoder_of::<F>(step)?.within(number.to_string()));
        Encoder::estimator(KIND, &config, parts.collect::<Result<_>>()?)
    }

    fn decode(section: Section<'_>) -> Result<Self> {
        let name = section.name().to_owned();
        // Names take a string each beside their places in lists.
        let lists = section.config().map_or(0, lists_of);
        section.budget().take(2 * lists).map_err(|problem| problem.in_file(&name))?;
        section.composite(KIND, ColumnSettings::n_steps, |settings, parts| {
            let steps: Result<Vec<_>> = (0..settings.n_steps())
                .map(|number| parts.next(format_args!("step {number}"), step))
                .collect();
            Self::of_settings(settings, steps?).map_err(|source| rejected(KIND, source).in_file(&name))
        })
    }
}

file_methods! { [F: Float + CategoryValue<Code = F>] ColumnTransformer<F>; }

fn unsaveable(reason: String) -> Error {
    Error::Unsaveable {
        what: "a step of this ColumnTransformer".into(),
        reason,
        hint: "use transformers of this crate and pipelines of them".into(),
    }
}

/// The transformers that a file may name as a step.
macro_rules! steps {
    ($($(#[$attribute:meta])? $kind:literal => $transformer:ty,)*) => {
        /// The draft of a step, whichever of this crate it is.
        fn encoder_of<F: Float + CategoryValue<Code = F>>(step: &dyn AnyEstimator) -> Result<Encoder<'_>> {
            let any = step.as_any();
            $($(#[$attribute])? if let Some(step) = any.downcast_ref::<$transformer>() {
                return step.encode();
            })*
            if let Some(step) = any.downcast_ref::<Step<F>>() {
                return encoder_of::<F>(step.inside());
            }
            match step.steps()[..] {
                [transformer, estimator] => {
                    let steps = vec![
                        ("transformer", encoder_of::<F>(transformer)?),
                        ("estimator", encoder_of::<F>(estimator)?),
                    ];
                    row_of(PIPELINE, steps)
                }
                _ => Err(unsaveable("it is not one of this crate".into())),
            }
        }

        /// The step that a part holds.
        fn step<F: Float + CategoryValue<Code = F>>(section: Section<'_>) -> Result<Step<F>> {
            section.check_depth()?;
            match section.kind()?.as_str() {
                $($(#[$attribute])? $kind => <$transformer>::decode(section).map(Step::new),)*
                PIPELINE => two_steps(section, step::<F>, step::<F>).map(Step::new),
                kind => {
                    let expected = "a transformer of this crate as a step".into();
                    let problem = LoadErrorKind::Content { expected, found: format!("{:?}", excerpt(kind)) };
                    Err(problem.in_file(section.name()))
                }
            }
        }
    };
}

steps! {
    "standard_scaler" => StandardScaler,
    "min_max_scaler" => MinMaxScaler,
    "max_abs_scaler" => MaxAbsScaler,
    "robust_scaler" => RobustScaler,
    "normalizer" => Normalizer,
    "one_hot_encoder" => OneHotEncoder,
    "ordinal_encoder" => OrdinalEncoder,
    "simple_imputer" => SimpleImputer,
    "polynomial_features" => PolynomialFeatures,
    #[cfg(feature = "pca")]
    "pca" => Pca,
    "kmeans" => KMeans<F>,
    "mini_batch_kmeans" => MiniBatchKMeans<F>,
    "bisecting_kmeans" => BisectingKMeans<F>,
    "column_transformer" => ColumnTransformer<F>,
}
