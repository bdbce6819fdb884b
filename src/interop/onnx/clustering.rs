//! k-means: distances to the centers and the nearest center.

use super::graph::{Attribute, ElementType, Graph};
use super::proto::Elements;
use super::scaling::unit_rows;
use super::{DISTANCES, LABELS, OnnxStep, Value, export_methods};
use crate::cluster::{KMeans, MiniBatchKMeans};
use crate::error::Result;
use crate::float::Float;
use ndarray::{Array2, Axis};

/// Declares the methods of a clustering by centers.
macro_rules! clustering {
    ($clustering:ident, $name:literal) => {
        export_methods!(
            [F: Float] $clustering<F>,
            $name,
            "`input`: f32, (batch, features). `labels`: int64, (batch), what `predict` returns. `distances`: f32, (batch, \
             clusters), what `transform` returns.\n"
        );

        impl<F: Float> OnnxStep for $clustering<F> {
            fn input(&self) -> Result<Value> {
                let fitted = self.learned("export_onnx")?;
                Ok(Value::input(ElementType::Float, [fitted.cluster_centers().ncols()]))
            }

            fn append(&self, graph: &mut Graph, x: Value) -> Result<Vec<Value>> {
                let fitted = self.learned("export_onnx")?;
                x.require_numbers($name, Some(fitted.cluster_centers().ncols()))?;
                let outer = graph.set_scope($name);
                let outputs = nearest(graph, &x.name, fitted.cluster_centers(), fitted.spherical);
                graph.set_scope(outer);
                Ok(outputs)
            }
        }
    };
}

clustering!(KMeans, "kmeans");
clustering!(MiniBatchKMeans, "mini_batch_kmeans");

/// Labels and distances, by `‖x − c‖² = ‖x‖² − 2 x · c + ‖c‖²` in f64. The mean of the centers is subtracted first, since
/// the formula cancels where points and centers are far from the origin.
fn nearest<F: Float>(graph: &mut Graph, x: &str, centers: &Array2<F>, spherical: bool) -> Vec<Value> {
    let centers = centers.mapv(F::as_f64);
    let (n_clusters, n_features) = centers.dim();
    let mean = centers.mean_axis(Axis(0)).unwrap_or_default();
    let centers = centers - &mean;
    let squares: Vec<f64> = centers.rows().into_iter().map(|center| center.dot(&center)).collect();
    let factors: Vec<f64> = centers.t().iter().map(|value| -2.0 * value).collect();

    let mut x = graph.cast(x, ElementType::Double);
    if spherical {
        x = unit_rows(graph, &x);
    }
    let mean = graph.constant("mean", &[1, n_features], Elements::F64(mean.to_vec()));
    let x = graph.op("Sub", &[&x, &mean]);
    let factors = graph.constant("centers", &[n_features, n_clusters], Elements::F64(factors));
    let product = graph.op("MatMul", &[&x, &factors]);
    let squares = graph.constant("squares", &[1, n_clusters], Elements::F64(squares));
    let relative = graph.op("Add", &[&product, &squares]);
    let attributes = [("axis", Attribute::Int(1)), ("keepdims", Attribute::Int(0))];
    let labels = graph.op_with("ArgMin", &[&relative], attributes);

    let x_squares = graph.op("Mul", &[&x, &x]);
    let x_square = graph.reduce("ReduceSum", &x_squares, &[1], true);
    let square = graph.op("Add", &[&relative, &x_square]);
    let zero = graph.double(0.0);
    let square = graph.op("Max", &[&square, &zero]);
    let distance = graph.op("Sqrt", &[&square]);
    let distance = graph.cast(&distance, ElementType::Float);
    vec![
        Value::new(labels, LABELS, ElementType::Int64, []),
        Value::new(distance, DISTANCES, ElementType::Float, [n_clusters]),
    ]
}
