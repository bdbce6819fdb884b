//! Transformers: values that scikit-learn gives, ways back, refusals.
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test fails by panicking")]

use axonal::ndarray::{Array2, array, s};
use axonal::prelude::*;

fn says<T>(result: Result<T>) -> String {
    result.err().expect("bad input was accepted").to_string()
}

fn close(got: &Array2<f64>, want: &Array2<f64>, tolerance: f64) {
    assert_eq!(got.dim(), want.dim());
    assert!(
        got.iter().zip(want).all(|(g, w)| (g - w).abs() <= tolerance * w.abs().max(1.0)),
        "{got}\n{want}"
    );
}

#[test]
fn standard_scaler_gives_mean_zero_and_variance_one() {
    let x = array![[1.0, -1.0, 2.0], [2.0, 0.0, 0.0], [0.0, 1.0, -1.0]];
    let mut scaler = StandardScaler::new();
    scaler.fit(&x, ()).unwrap();
    // scikit-learn's user guide, "Standardization, or mean removal and variance scaling".
    let want = array![
        [0.0, -1.22474487, 1.33630621],
        [1.22474487, 0.0, -0.26726124],
        [-1.22474487, 1.22474487, -1.06904497]
    ];
    close(&scaler.transform(&x).unwrap(), &want, 1e-8);
    assert!((&scaler.mean().unwrap() - &array![1.0, 0.0, 1.0 / 3.0]).iter().all(|v| v.abs() < 1e-15));
    close(&scaler.inverse_transform(&want).unwrap(), &x, 1e-8);
}

#[test]
fn a_constant_feature_is_centered_and_not_blown_up() {
    // 0.1 has no exact sum: the mean of its copies is off by a rounding, and so is the variance from 0.
    let mut x = Array2::from_elem((1000, 2), 0.1_f64);
    x.slice_mut(s![.., 1]).fill(1e8 + 0.1);
    let mut scaler = StandardScaler::new();
    scaler.fit(&x, ()).unwrap();
    assert_eq!(scaler.scale().unwrap(), array![1.0, 1.0]);
    assert!(scaler.transform(&x).unwrap().iter().all(|v| v.abs() < 1e-6));
}

#[test]
fn a_small_spread_around_a_large_mean_survives() {
    let x = Array2::from_shape_fn((1000, 1), |(row, _)| 1e9 + (row % 2) as f64);
    let mut scaler = StandardScaler::new();
    scaler.fit(&x, ()).unwrap();
    assert_eq!((scaler.mean().unwrap()[0], scaler.variance().unwrap()[0]), (1e9 + 0.5, 0.25));
}

#[test]
fn one_scaler_serves_both_precisions_and_any_layout() {
    let x = Array2::from_shape_fn((20, 3), |(row, column)| ((row * 7 + column * 3) % 11) as f64);
    let mut scaler = StandardScaler::new();
    scaler.fit(&x, ()).unwrap();
    let z = scaler.transform(&x).unwrap();
    assert_eq!(scaler.transform(&x.mapv(|v| v as f32)).unwrap(), z.mapv(|v| v as f32));
    let wide = Array2::from_shape_fn((3, 40), |(column, row)| x[[row / 2, column]]);
    let view = wide.slice(s![.., ..;2]);
    let mut other = scaler.unfitted();
    other.fit(&view.t(), ()).unwrap();
    assert_eq!(other, scaler);
    assert_eq!(other.transform(&view.t()).unwrap(), z);
}

#[test]
fn the_switches_of_standard_scaler_leave_out_their_half() {
    let x = array![[1.0], [5.0]];
    let transformed = |mut scaler: StandardScaler| {
        scaler.fit(&x, ()).unwrap();
        let z = scaler.transform(&x).unwrap();
        assert_eq!(scaler.inverse_transform(&z).unwrap(), x);
        z
    };
    assert_eq!(transformed(StandardScaler::new().with_mean(false)), array![[0.5], [2.5]]);
    assert_eq!(transformed(StandardScaler::new().with_std(false)), array![[-2.0], [2.0]]);
}

#[test]
fn standard_scaler_refuses_what_it_cannot_use() {
    let mut scaler = StandardScaler::new();
    let x = array![[1.0, 2.0], [3.0, 5.0]];
    assert_eq!(
        says(scaler.transform(&x)),
        "this StandardScaler is not fitted yet: call fit before transform"
    );
    assert!(says(scaler.inverse_transform(&x)).contains("inverse_transform"));
    assert!(says(scaler.fit(&Array2::<f32>::zeros((0, 2)), ())).contains("at least 1 sample"));
    assert!(says(scaler.fit(&Array2::<f32>::zeros((2, 0)), ())).contains("at least 1 feature"));
    assert!(says(scaler.fit(&array![[1.0, f64::NAN]], ())).contains("NaN at [0, 1]"));
    scaler.fit(&x, ()).unwrap();
    assert_eq!(says(scaler.transform(&array![[1.0]])), "x: expected 2 features a row, got 1 features");
    assert!(says(scaler.transform(&array![[f64::INFINITY, 0.0]])).contains("inf at [0, 0]"));
    assert_eq!(scaler.transform(&Array2::<f32>::zeros((0, 2))).unwrap().dim(), (0, 2));
    assert!(says(scaler.unfitted().transform(&x)).contains("not fitted"));
}
