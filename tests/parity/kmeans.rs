//! A k-means run of scikit-learn from given centers.

use crate::parity::keras_config::Built;
use crate::parity::{Difference, Outcome, flat, shape};
use axonal::ndarray::{Array1, Array2};
use axonal::prelude::*;
use serde_json::Value;

pub fn run(content: &Value) -> Outcome {
    let case = &content["case"];
    let name = case["name"].as_str().unwrap_or("k-means").to_string();
    if case["dtype"].as_str() == Some("float32") {
        (name, fit::<f32>(content).map(|difference| (difference, 1e-4)))
    } else {
        (name, fit::<f64>(content).map(|difference| (difference, 1e-7)))
    }
}

fn matrix<F: Float>(value: &Value) -> Array2<F> {
    let shape = shape(value);
    let values = flat(value).into_iter().map(F::of).collect();
    Array2::from_shape_vec((shape[0], shape[1]), values).expect("a matrix")
}

fn whole(value: &Value) -> Vec<usize> {
    flat(value).into_iter().map(|v| v as usize).collect()
}

fn fit<F: Float>(content: &Value) -> Built<Difference> {
    let case = &content["case"];
    let (x, new) = (matrix::<F>(&content["x"]), matrix::<F>(&content["new"]));
    let mut kmeans = KMeans::new(case["k"].as_u64().unwrap_or_default() as usize)
        .init(KMeansInit::Centers(matrix(&content["init"])))
        .max_iter(case["max_iter"].as_u64().unwrap_or(300) as usize)
        .tol(case["tol"].as_f64().unwrap_or(1e-4));
    let report = if content["sample_weight"].is_null() {
        kmeans.fit(&x)
    } else {
        let weights: Array1<F> = flat(&content["sample_weight"]).into_iter().map(F::of).collect();
        kmeans.fit_weighted(&x, &weights)
    }
    .map_err(|error| error.to_string())?;
    let mut difference = Difference::default();
    let reals = |values: &Array2<F>| -> Vec<f64> { values.iter().map(|v| v.as_f64()).collect() };
    difference.equal("labels", &kmeans.labels().unwrap().to_vec(), &whole(&content["labels"]));
    difference.equal("n_iter", &[report.n_iter], &whole(&content["n_iter"]));
    difference.equal("predict", &kmeans.predict(&new).unwrap().to_vec(), &whole(&content["predict"]));
    let centers = reals(kmeans.cluster_centers().unwrap());
    difference.numbers("cluster_centers", &centers, &flat(&content["cluster_centers"]));
    difference.numbers("transform", &reals(&kmeans.transform(&new).unwrap()), &flat(&content["transform"]));
    difference.number("inertia", report.inertia, flat(&content["inertia"])[0]);
    difference.number("score", kmeans.score(&new).unwrap(), flat(&content["score"])[0]);
    Ok(difference)
}
