//! Logits and data at the ends of the number line: finite losses and gradients, against exact values.

use axonal::Float;
use axonal::ndarray::{Array1, Array2, array};
use axonal::nn::{Loss, LossPass, TargetView};
use axonal::prelude::*;

/// The loss of logits and its gradient.
fn of_logits<F: Float>(
    loss: &impl Loss<F>,
    logits: &Array2<F>,
    targets: TargetView<'_, F>,
) -> (f64, Array2<F>) {
    let mut gradient = Array2::from_elem(logits.dim(), F::nan());
    let value =
        loss.compute(LossPass::new(logits.view(), targets.view()).logits(true).gradient(gradient.view_mut()));
    (value, gradient)
}

fn rows<F: Float>() -> Array2<F> {
    let large = F::max_value().as_f64() / 2.0;
    let rows = array![
        [1e4, -1e4, 0.0],
        [-1e4, 1e4, 1e4],
        [large, -large, 0.0],
        [-large, -large, -large],
        [large, large, large],
        [0.0, 0.0, 0.0],
        [88.0, 89.0, 710.0],
        [-745.0, -104.0, 1e-30],
    ];
    rows.mapv(F::of)
}

fn crossentropies_are_finite<F: Float>() {
    let logits = rows::<F>();
    for label in 0..3 {
        let labels = vec![label; logits.nrows()];
        let mut hot = Array2::<F>::zeros(logits.dim());
        hot.column_mut(label).fill(F::one());
        let sparse = SparseCategoricalCrossentropy::default();
        let (value, gradient) = of_logits(&sparse, &logits, TargetView::Labels(&labels));
        let (dense_value, dense_gradient) =
            of_logits(&CategoricalCrossentropy::default(), &logits, TargetView::Values(hot.view()));
        let (binary_value, binary_gradient) =
            of_logits(&BinaryCrossentropy::default(), &logits, TargetView::Values(hot.view()));
        assert!(gradient.iter().chain(&dense_gradient).chain(&binary_gradient).all(|v| v.is_finite()));
        assert!(
            [value, dense_value, binary_value].iter().all(|v| *v >= 0.0),
            "{value} {dense_value} {binary_value}"
        );
        // Every softmax gradient sums to 0 over a row: p - y of two distributions.
        for row in gradient.rows() {
            assert!(row.iter().map(|v| v.as_f64()).sum::<f64>().abs() < 1e-6);
        }
        // f32::MAX is finite as f64, so the sum over the rows is exact there; in f64 it may round to infinity.
        assert_eq!(value.is_finite(), dense_value.is_finite());
    }
}

#[test]
fn crossentropies_of_extreme_logits_are_finite() {
    crossentropies_are_finite::<f32>();
    crossentropies_are_finite::<f64>();
    let logits = array![[1e4f64, -1e4, 0.0]];
    let (value, gradient) =
        of_logits(&SparseCategoricalCrossentropy::default(), &logits, TargetView::Labels(&[1]));
    assert_eq!((value, gradient), (2e4, array![[1.0, -1.0, 0.0]]));
    let targets = array![[0.0, 0.0, 1.0]];
    let (value, gradient) =
        of_logits(&BinaryCrossentropy::default(), &logits, TargetView::Values(targets.view()));
    assert!((value - (1e4 + 0.0 + 2f64.ln()) / 3.0).abs() < 1e-9);
    assert_eq!(gradient, array![[1.0 / 3.0, 0.0, -0.5 / 3.0]]);
}

#[test]
fn large_numbers_train_or_diverge_with_an_error_never_in_silence() {
    for scale in [1e10f32, 1e20, f32::MAX / 10.0] {
        let x = Array2::from_shape_fn((20, 3), |(i, j)| scale * if (i + j) % 2 == 0 { 1.0 } else { -0.5 });
        let y: Array1<usize> = (0..20).map(|i| i % 2).collect();
        let mut model = Sequential::new(3)
            .add(Dense::new(8).activation(Activation::Relu))
            .add(Dense::new(2).activation(Activation::Softmax))
            .compile(Sgd::new(0.1), SparseCategoricalCrossentropy::default())
            .unwrap();
        match model.fit_with(&x, &y, FitOptions::new().epochs(5)) {
            Ok(history) => assert!(history.loss().iter().all(|loss| loss.is_finite())),
            Err(error) => assert!(matches!(error, Error::Diverged { .. }), "{error}"),
        }
        assert!(
            model.weights().iter().all(|weight| weight.value.iter().all(|w| w.is_finite())),
            "at scale {scale}"
        );
    }
}
