//! Networks and clusterings as classifiers and regressors.

use super::graph::{Attribute, Dim, ElementType, Graph};
use super::{LABELS, OUTPUT, OnnxStep, Value, export_methods, unsaveable};
use crate::error::Result;
use crate::model_selection::{Classifier, Regressor};

export_methods!(
    [E: OnnxStep] Classifier<E>,
    "classifier",
    "`input`: that of the estimator. `labels`: int64, (batch), what `predict` returns.\n"
);

export_methods!(
    [E: OnnxStep] Regressor<E>,
    "regressor",
    "`input`: that of the estimator. `output`: f32, (batch), what `predict` returns.\n"
);

impl<E: OnnxStep> OnnxStep for Classifier<E> {
    fn input(&self) -> Result<Value> {
        self.estimator().input()
    }

    /// The labels of a clustering; of a network the column with the largest value, or whether a single one is above ½.
    fn append(&self, graph: &mut Graph, x: Value) -> Result<Vec<Value>> {
        let mut outputs = self.estimator().append(graph, x)?;
        if let Some(labels) = outputs.iter().position(|value| value.port == LABELS) {
            return Ok(vec![outputs.swap_remove(labels)]);
        }
        let scores =
            outputs.pop().ok_or_else(|| unsaveable("the classifier", "its estimator has no output"))?;
        let labels = match scores.sample[..] {
            [Dim::Fixed(1)] => {
                let column = flat(graph, &scores.name);
                let is_positive = graph.op_scalar("Greater", &column, 0.5);
                graph.cast(&is_positive, ElementType::Int64)
            }
            [_] => {
                let attributes = [("axis", Attribute::Int(1)), ("keepdims", Attribute::Int(0))];
                graph.op_with("ArgMax", &[&scores.name], attributes)
            }
            _ => {
                return Err(unsaveable(
                    "the classifier",
                    "its estimator gives more than one row of scores a sample",
                ));
            }
        };
        Ok(vec![Value::new(labels, LABELS, ElementType::Int64, [])])
    }
}

impl<E: OnnxStep> OnnxStep for Regressor<E> {
    fn input(&self) -> Result<Value> {
        self.estimator().input()
    }

    fn append(&self, graph: &mut Graph, x: Value) -> Result<Vec<Value>> {
        let value = self.estimator().append(graph, x)?.pop();
        let value = value.ok_or_else(|| unsaveable("the regressor", "its estimator has no output"))?;
        if value.sample.iter().any(|dim| *dim != Dim::Fixed(1)) {
            return Err(unsaveable("the regressor", "its estimator gives more than one value a sample"));
        }
        let column = flat(graph, &value.name);
        Ok(vec![Value::new(column, OUTPUT, ElementType::Float, [])])
    }
}

/// All values as one axis.
fn flat(graph: &mut Graph, x: &str) -> String {
    let shape = graph.ints(&[-1]);
    graph.op("Reshape", &[x, &shape])
}
