//! Pipelines: their steps in a row.

use super::graph::Graph;
use super::{OnnxStep, Value, export_methods, unsaveable};
use crate::error::Result;
use crate::pipeline::Pipeline;

export_methods!(
    [T: OnnxStep, E: OnnxStep] Pipeline<T, E>,
    "pipeline",
    "`input`: what the first step takes. Outputs: those of the last step.\n"
);

impl<T: OnnxStep, E: OnnxStep> OnnxStep for Pipeline<T, E> {
    fn input(&self) -> Result<Value> {
        self.transformer().input()
    }

    fn append(&self, graph: &mut Graph, x: Value) -> Result<Vec<Value>> {
        let transformed = self.transformer().append(graph, x)?.pop();
        let transformed = transformed.ok_or_else(|| unsaveable("the pipeline", "a step has no output"))?;
        self.estimator().append(graph, transformed)
    }
}
