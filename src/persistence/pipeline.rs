//! Pipelines and what reads the answers of an estimator: files of which each step is a file within.

use super::file::Encoder;
use super::persist::{Persist, Section, file_methods};
use crate::class_weight::ClassWeight;
use crate::error::{Error, Result};
use crate::model_selection::{Classifier, ClassifierParts, Regressor};
use crate::nn::layer::Config;
use crate::pipeline::Pipeline;
use crate::preprocessing::LabelEncoder;
use serde::{Deserialize, Serialize};

/// No settings.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Nothing {}

pub(super) const PIPELINE: &str = "pipeline";

/// A file of steps without further settings.
pub(super) fn row_of<'a>(kind: &str, steps: Vec<(&str, Encoder<'a>)>) -> Result<Encoder<'a>> {
    let parts: Result<Vec<_>> = steps.into_iter().map(|(name, encoder)| encoder.within(name)).collect();
    Encoder::estimator(kind, "{}", parts?)
}

/// The two steps of a pipeline.
pub(super) fn two_steps<A, B>(
    section: Section<'_>,
    transformer: impl FnOnce(Section<'_>) -> Result<A>,
    estimator: impl FnOnce(Section<'_>) -> Result<B>,
) -> Result<Pipeline<A, B>> {
    section.composite(
        PIPELINE,
        |_: &Nothing| 2,
        |_, parts| {
            let transformer = parts.next("transformer", transformer)?;
            Ok(Pipeline::new(transformer, parts.next("estimator", estimator)?))
        },
    )
}

impl<T: Persist, E: Persist> Persist for Pipeline<T, E> {
    fn encode(&self) -> Result<Encoder<'_>> {
        let steps =
            [("transformer", self.transformer().encode()?), ("estimator", self.estimator().encode()?)];
        row_of(PIPELINE, steps.into())
    }

    fn decode(section: Section<'_>) -> Result<Self> {
        two_steps(section, T::decode, E::decode)
    }
}

/// What a classifier has beside its estimator. Files of earlier versions have none of it.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct ClassifierSettings {
    #[serde(default, skip_serializing_if = "Option::is_none")]
    class_weight: Option<ClassWeight>,
    /// Whether the names of the classes are a part of the file.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    classes: bool,
}

const CLASSIFIER: &str = "classifier";

impl<E: Persist> Persist for Classifier<E> {
    fn encode(&self) -> Result<Encoder<'_>> {
        let (class_weight, classes) = self.settings();
        let mut parts = vec![self.estimator().encode()?.within("estimator")?];
        let has_classes = classes.classes().is_ok();
        if has_classes {
            parts.push(classes.encode()?.within("classes")?);
        }
        let settings = ClassifierSettings { class_weight: class_weight.cloned(), classes: has_classes };
        let config = Config::of(&settings).ok_or_else(|| Error::Unsaveable {
            what: "class_weight".into(),
            reason: "a weight is not finite".into(),
            hint: "set finite weights".into(),
        })?;
        Encoder::estimator(CLASSIFIER, config.as_json(), parts)
    }

    fn decode(section: Section<'_>) -> Result<Self> {
        section.composite(
            CLASSIFIER,
            |settings: &ClassifierSettings| 1 + usize::from(settings.classes),
            |settings, parts| {
                let estimator = parts.next("estimator", E::decode)?;
                let classes = if settings.classes {
                    parts.next("classes", LabelEncoder::decode)?
                } else {
                    LabelEncoder::new()
                };
                let class_weight = settings.class_weight;
                Ok(Self::of_parts(ClassifierParts { estimator, class_weight, classes }))
            },
        )
    }
}

impl<E: Persist> Persist for Regressor<E> {
    fn encode(&self) -> Result<Encoder<'_>> {
        row_of("regressor", vec![("estimator", self.estimator().encode()?)])
    }

    fn decode(section: Section<'_>) -> Result<Self> {
        let estimator =
            section.composite("regressor", |_: &Nothing| 1, |_, parts| parts.next("estimator", E::decode));
        estimator.map(Self::new)
    }
}

file_methods! {
    [T: Persist, E: Persist] Pipeline<T, E>;
    [E: Persist] Classifier<E>;
    [E: Persist] Regressor<E>;
}
