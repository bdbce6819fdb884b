//! Scalers, imputation and principal components. They compute in f64, as `transform` does, and round the result.

use super::graph::{Dim, ElementType, Graph};
use super::proto::Elements;
use super::{OnnxStep, Value, export_methods, unsaveable};
use crate::error::Result;
#[cfg(feature = "pca")]
use crate::preprocessing::Pca;
use crate::preprocessing::{
    MaxAbsScaler, MinMaxScaler, Norm, Normalizer, RobustScaler, SimpleImputer, StandardScaler,
};

/// Declares the methods of transformers with (batch, features) in and out.
macro_rules! transformer_methods {
    ($($transformer:ty, $name:literal;)*) => {$(
        export_methods!(
            [] $transformer,
            $name,
            "`input`: f32, (batch, features). `output`: f32, (batch, features), what `transform` returns.\n"
        );
    )*};
}

transformer_methods! {
    StandardScaler, "standard_scaler";
    MinMaxScaler, "min_max_scaler";
    MaxAbsScaler, "max_abs_scaler";
    RobustScaler, "robust_scaler";
    Normalizer, "normalizer";
    SimpleImputer, "simple_imputer";
}
#[cfg(feature = "pca")]
transformer_methods! { Pca, "pca"; }

/// A row of f64, one for each feature.
fn row(graph: &mut Graph, name: &str, values: Vec<f64>) -> String {
    graph.constant(name, &[1, values.len()], Elements::F64(values))
}

/// Appends a transformer: what it computes in f64, in a scope, rounded to f32.
fn in_double(
    graph: &mut Graph,
    scope: &str,
    x: &Value,
    n_features: Option<usize>,
    compute: impl FnOnce(&mut Graph, &str) -> String,
) -> Result<String> {
    x.require_numbers(scope, n_features)?;
    let outer = graph.set_scope(scope);
    let wide = graph.cast(&x.name, ElementType::Double);
    let y = compute(graph, &wide);
    let rounded = graph.cast(&y, ElementType::Float);
    graph.set_scope(outer);
    Ok(rounded)
}

/// `(x − offset) / divisor` by feature.
fn standardize(graph: &mut Graph, x: &str, offset: Vec<f64>, divisor: Vec<f64>) -> String {
    let offset = row(graph, "offset", offset);
    let centered = graph.op("Sub", &[x, &offset]);
    let divisor = row(graph, "divisor", divisor);
    graph.op("Div", &[&centered, &divisor])
}

impl OnnxStep for StandardScaler {
    fn input(&self) -> Result<Value> {
        Ok(Value::input(ElementType::Float, [self.offset_and_divisor("export_onnx")?.0.len()]))
    }

    fn append(&self, graph: &mut Graph, x: Value) -> Result<Vec<Value>> {
        let (offset, divisor) = self.offset_and_divisor("export_onnx")?;
        let n_features = offset.len();
        let y = in_double(graph, "standard_scaler", &x, Some(n_features), |graph, x| {
            standardize(graph, x, offset, divisor)
        })?;
        Ok(vec![Value::features(y, n_features)])
    }
}

impl OnnxStep for RobustScaler {
    fn input(&self) -> Result<Value> {
        Ok(Value::input(ElementType::Float, [self.center_and_scale("export_onnx")?.0.len()]))
    }

    fn append(&self, graph: &mut Graph, x: Value) -> Result<Vec<Value>> {
        let (center, scale) = self.center_and_scale("export_onnx")?;
        let n_features = center.len();
        let y = in_double(graph, "robust_scaler", &x, Some(n_features), |graph, x| {
            standardize(graph, x, center, scale)
        })?;
        Ok(vec![Value::features(y, n_features)])
    }
}

impl OnnxStep for MinMaxScaler {
    fn input(&self) -> Result<Value> {
        Ok(Value::input(ElementType::Float, [self.seen("export_onnx")?.min.len()]))
    }

    /// `lo + (x − min) / (max − min) · (hi − lo)`, limited to the range if `clip` is set.
    fn append(&self, graph: &mut Graph, x: Value) -> Result<Vec<Value>> {
        let (seen, (lo, hi)) = (self.seen("export_onnx")?, self.feature_range);
        let n_features = seen.min.len();
        let widths = seen
            .min
            .iter()
            .zip(&seen.max)
            .map(|(&min, &max)| if max == min { 1.0 } else { max - min })
            .collect();
        let y = in_double(graph, "min_max_scaler", &x, Some(n_features), |graph, x| {
            let share = standardize(graph, x, seen.min.clone(), widths);
            let (lower, upper, width) = (graph.double(lo), graph.double(hi), graph.double(hi - lo));
            let scaled = graph.op("Mul", &[&share, &width]);
            let y = graph.op("Add", &[&scaled, &lower]);
            if self.clip { graph.op("Clip", &[&y, &lower, &upper]) } else { y }
        })?;
        Ok(vec![Value::features(y, n_features)])
    }
}

impl OnnxStep for MaxAbsScaler {
    fn input(&self) -> Result<Value> {
        Ok(Value::input(ElementType::Float, [self.fitted("export_onnx")?.len()]))
    }

    fn append(&self, graph: &mut Graph, x: Value) -> Result<Vec<Value>> {
        let max_abs = self.fitted("export_onnx")?;
        let divisor = max_abs.iter().map(|&max| if max == 0.0 { 1.0 } else { max }).collect();
        let y = in_double(graph, "max_abs_scaler", &x, Some(max_abs.len()), |graph, x| {
            let divisor = row(graph, "divisor", divisor);
            graph.op("Div", &[x, &divisor])
        })?;
        Ok(vec![Value::features(y, max_abs.len())])
    }
}

impl OnnxStep for Normalizer {
    fn input(&self) -> Result<Value> {
        let input = Value::input(ElementType::Float, []);
        Ok(Value { sample: vec![Dim::Symbolic("features")], ..input })
    }

    /// `x / ‖x‖` by row; rows of zeros stay.
    fn append(&self, graph: &mut Graph, x: Value) -> Result<Vec<Value>> {
        let (norm, sample) = (self.norm, x.sample.clone());
        let y = in_double(graph, "normalizer", &x, None, |graph, x| {
            let norm = row_norm(graph, x, norm);
            divided_by_norm(graph, x, &norm)
        })?;
        Ok(vec![Value { sample, ..Value::features(y, 0) }])
    }
}

/// The norm of each row, (batch, 1).
fn row_norm(graph: &mut Graph, x: &str, norm: Norm) -> String {
    match norm {
        Norm::L1 => {
            let magnitudes = graph.op("Abs", &[x]);
            graph.reduce("ReduceSum", &magnitudes, &[1], true)
        }
        Norm::Max => {
            let magnitudes = graph.op("Abs", &[x]);
            graph.reduce("ReduceMax", &magnitudes, &[1], true)
        }
        Norm::L2 => {
            let squares = graph.op("Mul", &[x, x]);
            let sum = graph.reduce("ReduceSum", &squares, &[1], true);
            graph.op("Sqrt", &[&sum])
        }
    }
}

/// `x / norm`, where a norm of 0 counts as 1.
fn divided_by_norm(graph: &mut Graph, x: &str, norm: &str) -> String {
    let (zero, one) = (graph.double(0.0), graph.double(1.0));
    let is_zero = graph.op("Equal", &[norm, &zero]);
    let divisor = graph.op("Where", &[&is_zero, &one, norm]);
    graph.op("Div", &[x, &divisor])
}

/// Rows of length 1, but for rows of zeros.
pub(super) fn unit_rows(graph: &mut Graph, x: &str) -> String {
    let norm = row_norm(graph, x, Norm::L2);
    divided_by_norm(graph, x, &norm)
}

impl OnnxStep for SimpleImputer {
    fn input(&self) -> Result<Value> {
        Ok(Value::input(ElementType::Float, [self.fitted("export_onnx")?.len()]))
    }

    /// The statistic of the feature where `x` is NaN, else `x`.
    #[allow(clippy::cast_possible_truncation, reason = "checked to be finite")]
    fn append(&self, graph: &mut Graph, x: Value) -> Result<Vec<Value>> {
        let statistics: Vec<f32> = self.fitted("export_onnx")?.iter().map(|&value| value as f32).collect();
        let n_features = statistics.len();
        x.require_numbers("simple_imputer", Some(n_features))?;
        if statistics.iter().any(|value| !value.is_finite()) {
            return Err(unsaveable("SimpleImputer", "a replacement does not fit into f32"));
        }
        let outer = graph.set_scope("simple_imputer");
        let statistics = graph.tensor("statistics", &[1, n_features], statistics);
        let is_missing = graph.op("IsNaN", &[&x.name]);
        let y = graph.op("Where", &[&is_missing, &statistics, &x.name]);
        graph.set_scope(outer);
        Ok(vec![Value::features(y, n_features)])
    }
}

#[cfg(feature = "pca")]
impl OnnxStep for Pca {
    fn input(&self) -> Result<Value> {
        Ok(Value::input(ElementType::Float, [self.learned("export_onnx")?.mean.len()]))
    }

    /// `(x − mean) · componentsᵀ`, divided by the deviations if `whiten` is set.
    fn append(&self, graph: &mut Graph, x: Value) -> Result<Vec<Value>> {
        let learned = self.learned("export_onnx")?;
        let (n_components, n_features) = learned.components.dim();
        let transposed: Vec<f64> = learned.components.t().iter().copied().collect();
        let y = in_double(graph, "pca", &x, Some(n_features), |graph, x| {
            let mean = row(graph, "mean", learned.mean.to_vec());
            let centered = graph.op("Sub", &[x, &mean]);
            let elements = Elements::F64(transposed);
            let components = graph.constant("components", &[n_features, n_components], elements);
            let projected = graph.op("MatMul", &[&centered, &components]);
            let stretch = row(graph, "deviations", self.stretch(learned).to_vec());
            graph.op("Div", &[&projected, &stretch])
        })?;
        Ok(vec![Value::features(y, n_components)])
    }
}
