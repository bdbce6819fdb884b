//! Pipelines and what reads the answers of an estimator: files of which each step is a file within.

use super::file::Encoder;
use super::persist::{Persist, Section, file_methods};
use crate::error::Result;
use crate::model_selection::{Classifier, Regressor};
use crate::pipeline::Pipeline;
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

macro_rules! wrappers {
    ($($wrapper:ident, $kind:literal;)*) => {$(
        impl<E: Persist> Persist for $wrapper<E> {
            fn encode(&self) -> Result<Encoder<'_>> {
                row_of($kind, vec![("estimator", self.estimator().encode()?)])
            }

            fn decode(section: Section<'_>) -> Result<Self> {
                let estimator = section.composite($kind, |_: &Nothing| 1, |_, parts| parts.next("estimator", E::decode));
                estimator.map(Self::new)
            }
        }
    )*};
}

wrappers! {
    Classifier, "classifier";
    Regressor, "regressor";
}

file_methods! {
    [T: Persist, E: Persist] Pipeline<T, E>;
    [E: Persist] Classifier<E>;
    [E: Persist] Regressor<E>;
}
