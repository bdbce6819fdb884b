//! `PredictOptions::training`: predictions as a step of the training computes them.
use axonal::ndarray::{Array2, array};
use axonal::prelude::*;

#[test]
fn predictions_in_training_mode_drop_by_step_and_row() {
    let x = Array2::<f64>::ones((40, 10));
    let model = Sequential::new(10)
        .add(Dropout::new(0.5))
        .seed(3)
        .compile(Sgd::default(), MeanSquaredError::default())
        .unwrap();
    let sampled = |step, batch_size| {
        let options = PredictOptions::new().training(step).batch_size(batch_size);
        model.predict_with(&x, options).unwrap()
    };
    let first = sampled(0, 256);
    assert!(first.iter().all(|&value| value == 0.0 || value == 2.0));
    let kept = first.iter().filter(|&&value| value > 0.0).count();
    assert!((140..260).contains(&kept), "{kept}");
    assert_eq!(first, sampled(0, 7));
    assert_ne!(first, sampled(1, 256));
    // A step of the training draws the same.
    let mut trained = model.clone();
    let loss = trained.train_on_batch(&x, &Array2::<f64>::zeros((40, 10))).unwrap();
    let want = first.iter().map(|value| value * value).sum::<f64>() / 400.0;
    assert!((loss.get("loss").unwrap() - want).abs() < 1e-12);
}

#[test]
fn predictions_in_training_mode_normalize_by_the_batch_and_change_nothing() {
    let x: Array2<f64> = array![[1.0, 10.0], [3.0, 30.0], [5.0, 20.0]];
    let model = Sequential::new(2)
        .add(BatchNormalization::default().epsilon(1e-12))
        .compile(Sgd::default(), MeanSquaredError::default())
        .unwrap();
    let before = model.weights();
    let normalized = model.predict_with(&x, PredictOptions::new().training(0)).unwrap();
    let unit = 1.5_f64.sqrt();
    let want = array![[-unit, -unit], [0.0, unit], [unit, 0.0]];
    assert!(normalized.iter().zip(&want).all(|(a, b): (&f64, &f64)| (a - b).abs() < 1e-9), "{normalized}");
    assert_eq!(model.weights(), before);
    assert_eq!(
        model.predict(&x).unwrap().mapv(|value| (value * 1e6).round()),
        x.mapv(|value: f64| (value * 1e6).round())
    );
}
