//! The main job on real input: handwritten digits, over ten seeds.

use axonal::prelude::*;

#[test]
fn a_small_network_reads_handwritten_digits_whatever_the_seed() {
    let digits = axonal::datasets::load_digits::<f32>().unwrap();
    let images = &digits.data / 16.0;
    let accuracy = |seed: u64| {
        let (x_train, x_test, y_train, y_test) =
            train_test_split(&images, &digits.target, 0.2, seed).unwrap();
        let mut model = Sequential::new(64)
            .add(Dense::new(128).activation(Activation::Relu))
            .add(Dropout::new(0.2))
            .add(Dense::new(64).activation(Activation::Relu))
            .add(Dense::new(10).activation(Activation::Softmax))
            .seed(seed)
            .compile(Adam::default(), SparseCategoricalCrossentropy::default())
            .unwrap()
            .metric(Accuracy::default());
        model.fit_with(&x_train, &y_train, FitOptions::new().epochs(20).batch_size(32)).unwrap();
        model.score(&x_test, &y_test).unwrap()
    };
    let accuracies: Vec<f64> = (0..10).map(accuracy).collect();
    let mean = accuracies.iter().sum::<f64>() / 10.0;
    assert!(mean >= 0.96, "mean {mean} of {accuracies:?}");
    assert!(accuracies.iter().all(|accuracy| *accuracy > 0.93), "{accuracies:?}");
    println!("mean {mean:.4} of {accuracies:.3?}");
}
