//! k-means against scikit-learn, number by number: the cases of `parity/sklearn/kmeans`, written by
//! `parity/sklearn/make_kmeans.py` from `parity/sklearn/kmeans_cases.json` (scikit-learn 1.9).
//!
//! Labels, iterations and predictions are equal; everything else within 1e-7 in `f64` and 1e-4 in `f32`, relative
//! to numbers above 1.

use axonal::metrics;
use axonal::ndarray::{Array1, Array2};
use axonal::prelude::*;
use serde_json::Value;
use std::path::Path;

fn number(value: &Value) -> f64 {
    value.as_f64().expect("a number")
}

fn matrix<F: Float>(value: &Value) -> Array2<F> {
    let rows = value.as_array().expect("rows");
    let columns = rows[0].as_array().expect("a row").len();
    Array2::from_shape_fn((rows.len(), columns), |(row, column)| F::of(number(&rows[row][column])))
}

fn labels(value: &Value) -> Vec<usize> {
    value.as_array().expect("labels").iter().map(|label| number(label) as usize).collect()
}

fn close(what: &str, got: f64, want: f64, tolerance: f64) {
    assert!((got - want).abs() <= tolerance * want.abs().max(1.0), "{what}: got {got}, want {want}");
}

fn all_close<F: Float>(what: &str, got: &Array2<F>, want: &Value, tolerance: f64) {
    let want = matrix::<f64>(want);
    assert_eq!(got.dim(), want.dim(), "{what}");
    got.iter().zip(&want).for_each(|(got, want)| close(what, got.as_f64(), *want, tolerance));
}

fn agrees<F: Float>(name: &str, case: &Value, tolerance: f64) {
    let given = &case["case"];
    let x = matrix::<F>(&case["x"]);
    let init = KMeansInit::Centers(matrix(&case["init"]));
    let mut kmeans = KMeans::new(number(&given["k"]) as usize).init(init);
    kmeans = kmeans.max_iter(given["max_iter"].as_u64().unwrap_or(300) as usize);
    kmeans = kmeans.tol(given["tol"].as_f64().unwrap_or(1e-4));
    let report = match case["sample_weight"].as_array() {
        Some(weights) => {
            let weights: Array1<F> = weights.iter().map(|w| F::of(number(w))).collect();
            kmeans.fit_weighted(&x, &weights).unwrap()
        }
        None => kmeans.fit(&x).unwrap(),
    };
    assert_eq!(kmeans.labels().unwrap().to_vec(), labels(&case["labels"]), "{name}: labels");
    assert_eq!(report.n_iter, number(&case["n_iter"]) as usize, "{name}: n_iter");
    let new = matrix::<F>(&case["new"]);
    assert_eq!(kmeans.predict(&new).unwrap().to_vec(), labels(&case["predict"]), "{name}: predict");
    let at = |what: &str| format!("{name}: {what}");
    all_close(&at("centers"), kmeans.cluster_centers().unwrap(), &case["cluster_centers"], tolerance);
    all_close(&at("transform"), &kmeans.transform(&new).unwrap(), &case["transform"], tolerance);
    close(&at("inertia"), report.inertia, number(&case["inertia"]), tolerance);
    let truth: Array1<usize> = labels(&case["truth"]).into();
    let found = kmeans.labels().unwrap();
    for (name, got) in [
        ("adjusted_rand", metrics::adjusted_rand_score(&truth, found)),
        ("nmi", metrics::normalized_mutual_info_score(&truth, found)),
        ("v_measure", metrics::v_measure_score(&truth, found)),
    ] {
        close(&at(name), got.unwrap(), number(&case[name]), 1e-12);
    }
    for (name, got) in [
        ("silhouette", metrics::silhouette_score(&x, found)),
        ("calinski_harabasz", metrics::calinski_harabasz_score(&x, found)),
        ("davies_bouldin", metrics::davies_bouldin_score(&x, found)),
    ] {
        match case[name].as_f64() {
            Some(want) => close(&at(name), got.unwrap(), want, tolerance),
            None => assert!(got.is_err(), "{}", at(name)),
        }
    }
    close(&at("score"), kmeans.score(&new).unwrap(), number(&case["score"]), tolerance);
}

#[test]
fn every_case_of_scikit_learn_is_reproduced() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/parity/sklearn/kmeans");
    let mut n_cases = 0;
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        let name = path.file_stem().unwrap().to_string_lossy().into_owned();
        let case: Value = serde_json::from_str(&std::fs::read_to_string(&path).unwrap()).unwrap();
        if case["case"]["dtype"] == "float32" {
            agrees::<f32>(&name, &case, 1e-4);
        } else {
            agrees::<f64>(&name, &case, 1e-7);
        }
        n_cases += 1;
    }
    assert_eq!(n_cases, 12);
}
