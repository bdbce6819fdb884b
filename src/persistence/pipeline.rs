//! Pipelines and what reads the answers of an estimator: files of which each step is a file within.

use super::file::Draft;
use super::persist::{Part, Persist, file_methods};
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
pub(super) fn row_of<'a>(kind: &str, steps: Vec<(&str, Draft<'a>)>) -> Result<Draft<'a>> {
    let parts: Result<Vec<_>> = steps.into_iter().map(|(name, draft)| draft.within(name)).collect();
    Draft::estimator(kind, "{}", parts?)
}

/// The two steps of a pipeline.
pub(super) fn two_steps<A, B>(
    part: Part<'_>,
    transformer: impl FnOnce(Part<'_>) -> Result<A>,
    estimator: impl FnOnce(Part<'_>) -> Result<B>,
) -> Result<Pipeline<A, B>> {
    part.composite(
        PIPELINE,
        |_: &Nothing| 2,
        |_, parts| {
            let transformer = parts.next("transformer", transformer)?;
            Ok(Pipeline::new(transformer, parts.next("estimator", estimator)?))
        },
    )
}

impl<T: Persist, E: Persist> Persist for Pipeline<T, E> {
    fn draft(&self) -> Result<Draft<'_>> {
        let steps = [("transformer", self.transformer().draft()?), ("estimator", self.estimator().draft()?)];
        row_of(PIPELINE, steps.into())
    }

    fn restore(part: Part<'_>) -> Result<Self> {
        two_steps(part, T::restore, E::restore)
    }
}

macro_rules! wrappers {
    ($($wrapper:ident, $kind:literal;)*) => {$(
        impl<E: Persist> Persist for $wrapper<E> {
            fn draft(&self) -> Result<Draft<'_>> {
                row_of($kind, vec![("estimator", self.estimator().draft()?)])
            }

            fn restore(part: Part<'_>) -> Result<Self> {
                let estimator = part.composite($kind, |_: &Nothing| 1, |_, parts| parts.next("estimator", E::restore));
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
