//! Metrics where rounding is hard: equal values, large offsets, the ends of the range, unequal weights. The expected values
//! were computed in exact arithmetic (`parity/sklearn/metrics/generate.py`).

use crate::common::error_message;
use axonal::metrics::Average;
use axonal::metrics::*;
use axonal::ndarray::{Array1, Array2, array};
use serde_json::Value;

fn cases(kind: &str) -> Vec<Value> {
    let cases: Vec<Value> =
        serde_json::from_str(include_str!("../parity/sklearn/metrics/cases.json")).unwrap();
    let cases: Vec<Value> = cases.into_iter().filter(|case| case["kind"] == kind).collect();
    assert!(cases.len() > 20, "{} cases of {kind}", cases.len());
    cases
}

fn floats(value: &Value) -> Array1<f64> {
    value.as_array().unwrap().iter().map(|value| value.as_str().unwrap().parse().unwrap()).collect()
}

fn labels(value: &Value) -> Array1<usize> {
    value.as_array().unwrap().iter().map(|value| value.as_u64().unwrap() as usize).collect()
}

fn weights(case: &Value) -> Option<Array1<f64>> {
    (!case["w"].is_null()).then(|| floats(&case["w"]))
}

fn want(case: &Value, metric: &str) -> f64 {
    case["want"][metric].as_str().unwrap().parse().unwrap()
}

/// An error, relative to itself: 1e-200 is measured as exactly as 1.
fn is_error(case: &Value, metric: &str, got: f64) {
    let want = want(case, metric);
    let close = got == want || (got - want).abs() <= 1e-12 * want + 1e-322;
    assert!(close, "{} {metric}: got {got:?}, want {want:?}", case["name"]);
}

/// A score, of which 1 is the best.
fn is_score(case: &Value, metric: &str, got: f64) {
    let want = want(case, metric);
    let close = got == want || (got - want).abs() <= 1e-12 * want.abs().max(1.0);
    assert!(close || got.is_nan() && want.is_nan(), "{} {metric}: got {got:?}, want {want:?}", case["name"]);
}

#[test]
fn regression_metrics_are_exact() {
    for case in cases("values") {
        let (t, p) = (floats(&case["t"]), floats(&case["p"]));
        let Some(w) = weights(&case) else {
            is_score(&case, "r2", r2_score(&t, &p).unwrap());
            is_score(&case, "explained", explained_variance_score(&t, &p).unwrap());
            is_error(&case, "mse", mean_squared_error(&t, &p).unwrap());
            is_error(&case, "rmse", root_mean_squared_error(&t, &p).unwrap());
            is_error(&case, "mae", mean_absolute_error(&t, &p).unwrap());
            is_error(&case, "mape", mean_absolute_percentage_error(&t, &p).unwrap());
            is_error(&case, "pinball", mean_pinball_loss(&t, &p, 0.3).unwrap());
            is_error(&case, "median", median_absolute_error(&t, &p).unwrap());
            is_error(&case, "max", max_error(&t, &p).unwrap());
            continue;
        };
        is_score(&case, "r2", weighted::r2_score(&t, &p, &w).unwrap());
        is_score(&case, "explained", weighted::explained_variance_score(&t, &p, &w).unwrap());
        is_error(&case, "mse", weighted::mean_squared_error(&t, &p, &w).unwrap());
        is_error(&case, "rmse", weighted::root_mean_squared_error(&t, &p, &w).unwrap());
        is_error(&case, "mae", weighted::mean_absolute_error(&t, &p, &w).unwrap());
        is_error(&case, "mape", weighted::mean_absolute_percentage_error(&t, &p, &w).unwrap());
        is_error(&case, "pinball", weighted::mean_pinball_loss(&t, &p, 0.3, &w).unwrap());
    }
}

#[test]
fn scores_of_classes_are_exact() {
    for case in cases("classes") {
        let (y, p) = (labels(&case["y"]), labels(&case["p"]));
        let matrix = match weights(&case) {
            Some(w) => ConfusionMatrix::weighted(&y, &p, &w),
            None => ConfusionMatrix::new(&y, &p),
        };
        let matrix = matrix.unwrap();
        let mean = |average| matrix.score(average).unwrap();
        let got = [
            ("accuracy", matrix.accuracy()),
            ("balanced", matrix.balanced_accuracy()),
            ("matthews", matrix.matthews()),
            ("kappa", matrix.kappa()),
            ("f1_macro", mean(Average::Macro).f1),
            ("f1_weighted", mean(Average::Weighted).f1),
            ("jaccard_macro", mean(Average::Macro).jaccard),
        ];
        for (metric, got) in got {
            is_score(&case, metric, got);
            // The best and the worst score, and chance, are hit to the bit, and no score leaves its range.
            assert!(got.is_nan() || got <= 1.0, "{} {metric}: {got}", case["name"]);
            let want = want(&case, metric);
            if want == 0.0 && case["name"].as_str().unwrap().starts_with("constant") || want == 1.0 {
                assert_eq!(got, want, "{} {metric}", case["name"]);
            }
        }
    }
}

#[test]
fn scores_of_rankings_are_exact() {
    for case in cases("scores") {
        let (y, s) = (labels(&case["y"]), floats(&case["s"]));
        let (auc, average) = match weights(&case) {
            Some(w) => (weighted::roc_auc_score(&y, &s, &w), weighted::average_precision_score(&y, &s, &w)),
            None => (roc_auc_score(&y, &s), average_precision_score(&y, &s)),
        };
        is_score(&case, "auc", auc.unwrap());
        is_score(&case, "average_precision", average.unwrap());
    }
}

#[test]
fn equal_values_are_equal_in_f32_and_in_several_outputs() {
    for n in [2, 7, 10, 1000] {
        for value in [0.1_f32, 1.0 / 3.0, 1e8, 1e-30, 3e38] {
            let t = Array1::from_elem(n, value);
            assert_eq!(r2_score(&t, &t).unwrap(), 1.0);
            assert_eq!(r2_score(&t, &(&t * 0.5)).unwrap(), 0.0);
            assert_eq!(explained_variance_score(&t, &(&t * 0.5)).unwrap(), 1.0);
        }
        let t = Array2::from_shape_fn((n, 2), |(row, output)| if output == 0 { 0.1 } else { row as f64 });
        // The constant output is missed and scores 0, the other one is hit and scores 1.
        let mut p = t.clone();
        p.column_mut(0).fill(0.3);
        assert_eq!(r2_score(&t, &p).unwrap(), 0.5);
        assert_eq!(explained_variance_score(&t, &p).unwrap(), 1.0);
    }
}

#[test]
fn areas_of_extreme_coordinates_are_finite() {
    assert_eq!(auc(&array![-1.7e308, 1.7e308], &array![0.25, 0.25]).unwrap(), 0.85e308);
    assert_eq!(auc(&array![0.0, 0.5], &array![1.7e308, 1.7e308]).unwrap(), 0.85e308);
    assert_eq!(auc(&array![0.0, 2.0], &array![1.7e308, 1.7e308]).unwrap(), f64::INFINITY);
    assert_eq!(auc(&array![2.0, 1.0, 0.0], &array![1.0, 1.0, 3.0]).unwrap(), 3.0);
}

#[test]
fn rows_that_are_no_distributions_are_refused() {
    let y = array![0, 1, 2];
    let good = array![[0.5, 0.25, 0.25], [0.1, 0.8, 0.1], [0.0, 0.0, 1.0]];
    assert!(log_loss(&y, &good).is_ok() && roc_auc_ovr_score(&y, &good, Average::Macro).is_ok());
    for (row, bad) in
        [[0.5, 0.2, 0.2], [0.5, 0.5, 0.5], [0.0, 0.0, 0.0], [0.3, 0.3, 0.3999]].into_iter().enumerate()
    {
        let row = row % 3;
        let mut p = good.clone();
        p.row_mut(row).assign(&array![bad[0], bad[1], bad[2]]);
        let sum: f64 = bad.iter().sum();
        for message in [
            error_message(log_loss(&y, &p)),
            error_message(weighted::log_loss(&y, &p, &array![1.0, 2.0, 3.0])),
            error_message(roc_auc_ovr_score(&y, &p, Average::Macro)),
            error_message(roc_auc_ovr_score(&y, &p, Average::Weighted)),
        ] {
            assert!(message.contains(&format!("a row {row} that sums to {sum}")), "{message}");
            assert!(message.contains("divide each row by its sum"), "{message}");
        }
    }
    // Logits.
    assert!(error_message(roc_auc_ovr_score(&y, &(&good * 20.0), Average::Macro)).contains("softmax"));
    assert!(
        error_message(roc_auc_ovr_score(
            &y,
            &good.mapv(|p| if p == 1.0 { f64::NAN } else { p }),
            Average::Macro
        ))
        .contains("NaN at [2, 2]")
    );
}

#[test]
fn rounded_probabilities_pass() {
    // A softmax over many classes in f32, and the same numbers as f64.
    let mut state = 1_u32;
    let mut logit = || {
        state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        (state >> 16) as f32 / 6000.0
    };
    let mut p = Array2::from_shape_simple_fn((60, 30), || logit().exp());
    for mut row in p.rows_mut() {
        let sum: f32 = row.iter().sum();
        row.mapv_inplace(|value| value / sum);
    }
    let y: Array1<usize> = (0..60).map(|row| row % 30).collect();
    assert!(log_loss(&y, &p).is_ok() && roc_auc_ovr_score(&y, &p, Average::Macro).is_ok());
    let wide = p.mapv(f64::from);
    assert!(log_loss(&y, &wide).is_ok() && roc_auc_ovr_score(&y, &wide, Average::Macro).is_ok());
    // scikit-learn allows f32 a sum within √ε of 1 in log_loss, and 1e-5 in roc_auc_score.
    let off = array![[0.5_f32, 0.5002], [0.5, 0.5]];
    assert!(log_loss(&array![0, 1], &off).is_ok());
    assert!(error_message(roc_auc_ovr_score(&array![0, 1], &off, Average::Macro)).contains("a row 0"));
    assert!(error_message(log_loss(&array![0, 1], &off.mapv(f64::from))).contains("a row 0"));
}

#[test]
fn f_beta_of_any_beta_is_finite() {
    let (y, p) = (array![0, 1, 1, 1], array![0, 1, 1, 0]);
    let score = |beta| fbeta_score(&y, &p, beta, Average::Binary).unwrap();
    assert_eq!(score(1e200), 2.0 / 3.0, "recall");
    assert_eq!(score(f64::INFINITY), 2.0 / 3.0);
    assert_eq!(score(1e-200), 1.0, "precision");
}
