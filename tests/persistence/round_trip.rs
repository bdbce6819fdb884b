//! What is saved comes back to the bit.

use super::forge::Anatomy;
use super::models::{classifier, convolutional, samples, trained};
use axonal::losses::AnyLoss;
use axonal::metrics::AnyMetric;
use axonal::ndarray::{Array1, Array2};
use axonal::persistence::{LoadOptions, inspect_bytes};
use axonal::prelude::*;

#[test]
fn a_loaded_model_saves_to_the_same_bytes() {
    let bytes = trained().to_bytes().unwrap();
    assert_eq!(Model::<f32>::from_bytes(&bytes).unwrap().to_bytes().unwrap(), bytes);
    assert_eq!(trained().to_bytes().unwrap(), bytes);
}

/// A model with this loss, loaded from its file, computes the same of the same.
fn loss_comes_back(loss: impl Loss<f32> + 'static, units: usize, activation: Activation) {
    let name = format!("{loss:?}");
    let layers = Sequential::<f32>::new(3).add(Dense::new(units).activation(activation)).seed(5);
    let model = layers.compile(Sgd::default(), loss).unwrap_or_else(|error| panic!("{name}: {error}"));
    let file = model.to_bytes().unwrap();
    let loaded = Model::<f32>::from_bytes(&file).unwrap_or_else(|error| panic!("{name}: {error}"));
    assert_eq!(loaded.to_bytes().unwrap(), file, "{name}");
    let x = Array2::from_shape_fn((6, 3), |(row, column)| (row * 3 + column) as f32 / 20.0);
    let values = |x: &Array2<f32>| {
        // One-hot rows, which every loss of values takes.
        let y = Array2::from_shape_fn((6, units), |(row, column)| f32::from(u8::from(row % units == column)));
        let labels: Array1<usize> = (0..6).map(|row| row % units).collect();
        [&model, &loaded].map(|model| {
            let of_values = model.evaluate(x, &y).map(|evaluation| evaluation.loss().to_bits());
            of_values.or_else(|_| model.evaluate(x, &labels).map(|evaluation| evaluation.loss().to_bits()))
        })
    };
    let [before, after] = values(&x);
    assert_eq!(before.unwrap(), after.unwrap(), "{name}");
}

#[test]
fn every_loss_comes_back_with_its_settings() {
    use axonal::losses::*;
    let any = Activation::Linear;
    loss_comes_back(MeanSquaredError::default(), 2, any);
    loss_comes_back(MeanAbsoluteError::default(), 2, any);
    loss_comes_back(MeanAbsolutePercentageError::default(), 2, any);
    loss_comes_back(MeanSquaredLogarithmicError::default(), 2, any);
    loss_comes_back(Huber::default().delta(0.3), 2, any);
    loss_comes_back(LogCosh::default(), 2, any);
    loss_comes_back(CosineSimilarity::default(), 2, any);
    loss_comes_back(Hinge::default(), 2, any);
    loss_comes_back(SquaredHinge::default(), 2, any);
    loss_comes_back(CategoricalHinge::default(), 2, any);
    loss_comes_back(Poisson::default(), 2, Activation::Softplus);
    loss_comes_back(Dice::default(), 2, Activation::Sigmoid);
    loss_comes_back(Tversky::default().alpha(0.3).beta(0.9), 2, Activation::Sigmoid);
    loss_comes_back(BinaryCrossentropy::default().label_smoothing(0.2), 2, Activation::Sigmoid);
    loss_comes_back(
        BinaryFocalCrossentropy::default().gamma(1.5).label_smoothing(0.1),
        2,
        Activation::Sigmoid,
    );
    loss_comes_back(KlDivergence::default(), 3, Activation::Softmax);
    loss_comes_back(CategoricalCrossentropy::default().label_smoothing(0.2), 3, Activation::Softmax);
    loss_comes_back(CategoricalFocalCrossentropy::default().gamma(1.5), 3, Activation::Softmax);
    loss_comes_back(SparseCategoricalCrossentropy::default().ignore_class(2), 3, Activation::Softmax);
    loss_comes_back(Crossentropy::default(), 3, Activation::Softmax);
}

#[test]
fn training_goes_on_from_every_epoch_as_if_it_had_not_been_interrupted() {
    let (x, y) = samples();
    let options = || FitOptions::new().batch_size(16);
    let mut whole = classifier();
    whole.fit_with(&x, &y, options().epochs(6)).unwrap();
    for stop in 0..6 {
        let mut half = classifier();
        half.fit_with(&x, &y, options().epochs(stop)).unwrap();
        let mut resumed = Model::<f32>::from_bytes(&half.to_bytes().unwrap()).unwrap();
        resumed.fit_with(&x, &y, options().initial_epoch(stop).epochs(6)).unwrap();
        assert_eq!(resumed.to_bytes().unwrap(), whole.to_bytes().unwrap(), "stopped after {stop}");
    }
}

#[test]
fn a_learning_rate_that_was_changed_is_kept_and_the_compiled_one_too() {
    let mut model = trained();
    model.set_learning_rate(0.1 + 0.2).unwrap();
    let loaded = Model::<f32>::from_bytes(&model.to_bytes().unwrap()).unwrap();
    assert_eq!(loaded.learning_rate().to_bits(), (0.1 + 0.2_f64).to_bits());
    assert_eq!(loaded.unfitted().learning_rate(), 0.01);
    assert_eq!(loaded.unfitted().to_bytes().unwrap(), classifier().to_bytes().unwrap());
}

#[test]
fn weights_are_matched_by_name_and_shape() {
    let mut bytes = Vec::new();
    trained().save_weights_to(&mut bytes).unwrap();
    let mut same = classifier();
    assert!(same.weights_from_bytes(&bytes, LoadOptions::new()).unwrap().is_empty());
    assert_eq!(same.weights(), trained().weights());
    let mut from_model = classifier();
    from_model.weights_from_bytes(&trained().to_bytes().unwrap(), LoadOptions::new()).unwrap();
    assert_eq!(from_model.weights(), trained().weights());

    let mut wider: Model<f32> = Sequential::new(3)
        .add(Dense::new(8))
        .add(Dropout::new(0.1))
        .add(Dense::new(5))
        .compile(Adam::default(), MeanSquaredError::default())
        .unwrap();
    let before = wider.weights();
    let refused = wider.weights_from_bytes(&bytes, LoadOptions::new()).unwrap_err().to_string();
    assert_eq!(refused, "bytes: tensor \"2.dense/kernel\": expected shape (8, 5), got shape (8, 2)");
    assert_eq!(wider.weights(), before);
    let skipped = wider.weights_from_bytes(&bytes, LoadOptions::new().skip_mismatch(true)).unwrap();
    assert_eq!(skipped, ["2.dense/kernel", "2.dense/bias"]);
    assert_eq!(wider.weights()[0], trained().weights()[0]);
    assert_eq!(wider.weights()[2], before[2]);
}

#[test]
fn a_damaged_file_of_weights_changes_nothing() {
    let mut bytes = Vec::new();
    trained().save_weights_to(&mut bytes).unwrap();
    *bytes.last_mut().unwrap() ^= 1;
    let mut model = classifier();
    assert!(model.weights_from_bytes(&bytes, LoadOptions::new()).is_err());
    assert_eq!(model.weights(), classifier().weights());
}

#[test]
fn a_frozen_layer_and_weights_from_elsewhere_come_back() {
    let model = trained()
        .into_sequential()
        .freeze()
        .add(Dense::new(3))
        .compile(RmsProp::default(), MeanAbsoluteError::default())
        .unwrap();
    let loaded = Model::<f32>::from_bytes(&model.to_bytes().unwrap()).unwrap();
    assert_eq!(loaded.count_trainable_params(), 9);
    assert_eq!(loaded.unfitted().weights(), model.weights());
    assert_eq!(loaded.to_bytes().unwrap(), model.to_bytes().unwrap());
}

#[test]
fn inspection_tells_layers_and_tensors() {
    let found = inspect_bytes(&trained().to_bytes().unwrap()).unwrap();
    let kinds: Vec<_> = found.layers.iter().map(|layer| layer.kind.as_str()).collect();
    assert_eq!(kinds, ["dense", "dropout", "dense"]);
    let names: Vec<_> = found.tensors.iter().map(|tensor| tensor.name.as_str()).collect();
    let weights = ["0.dense/kernel", "0.dense/bias", "2.dense/kernel", "2.dense/bias"];
    assert_eq!(names, [&weights[..], &["optimizer/moments"]].concat());
    assert_eq!(found.optimizer.unwrap().kind, "adam");
}

#[test]
fn numbers_are_converted_by_choice_only() {
    let model = trained();
    let bytes = model.to_bytes().unwrap();
    let refused = Model::<f64>::from_bytes(&bytes).unwrap_err().to_string();
    assert!(refused.contains("0.dense/kernel") && refused.contains("f64"), "{refused}");
    let wide = Model::<f64>::from_bytes_with(&bytes, LoadOptions::new().convert_numbers(true)).unwrap();
    let options = LoadOptions::new().convert_numbers(true);
    let back = Model::<f32>::from_bytes_with(&wide.to_bytes().unwrap(), options).unwrap();
    assert_eq!(back.to_bytes().unwrap(), bytes);
}

#[test]
fn moving_statistics_averages_and_accumulated_gradients_come_back() {
    let x = Array2::from_shape_fn((12, 72), |(i, j)| ((i * 3 + j * 5) % 17) as f32 / 8.5 - 1.0);
    let x = x.into_shape_with_order([12, 6, 6, 2]).unwrap();
    let y: Array1<usize> = (0..12).map(|i| i % 3).collect();
    let mut whole = convolutional();
    let mut loaded = Model::<f32>::from_bytes(&whole.to_bytes().unwrap()).unwrap();
    for model in [&mut whole, &mut loaded] {
        // An odd number of steps: gradients are left waiting.
        model.fit_with(&x, &y, FitOptions::new().batch_size(4)).unwrap();
    }
    assert_eq!(loaded.to_bytes().unwrap(), whole.to_bytes().unwrap());
    assert_ne!(loaded.to_bytes().unwrap(), convolutional().to_bytes().unwrap());
}

#[test]
fn names_and_weighing_of_metrics_come_back() {
    let metrics = || -> [AnyMetric<f32>; 4] {
        [
            "mae".parse().unwrap(),
            AnyMetric::new(Accuracy::default()).named("hits"),
            AnyMetric::new(Accuracy::default()).weighted(),
            AnyMetric::new(AnyMetric::new(Precision::default().class_id(0)).weighted()).named("inner"),
        ]
    };
    let layers = Sequential::<f32>::new(3).add(Dense::new(1).activation(Activation::Sigmoid));
    let mut model = layers.compile(Sgd::new(0.1), "crossentropy".parse::<AnyLoss<f32>>().unwrap()).unwrap();
    for metric in metrics() {
        model = model.metric(metric);
    }
    let bytes = model.to_bytes().unwrap();
    let again = Model::<f32>::from_bytes(&bytes).unwrap();
    assert_eq!(again.to_bytes().unwrap(), bytes);
    let (x, y) = samples();
    let y = y.mapv(|label| label as f32);
    let weights = Array1::from_shape_fn(60, |i| (i % 3) as f32);
    let judge = |model: &Model<f32>| {
        let options = EvaluateOptions::new().sample_weight(&weights);
        let judged = model.evaluate_with(&x, &y, options).unwrap();
        ["mae", "hits", "accuracy", "inner"].map(|name| judged.get(name).unwrap())
    };
    assert_eq!(judge(&again), judge(&model));
    assert_ne!(judge(&model)[1], judge(&model)[2], "with and without weights");
}

#[test]
fn a_name_of_a_name_is_refused() {
    let layers = Sequential::<f32>::new(3).add(Dense::new(1));
    let model = layers.compile(Sgd::new(0.1), MeanSquaredError::default()).unwrap();
    let bytes = model.metric("mae".parse::<AnyMetric<f32>>().unwrap()).to_bytes().unwrap();
    for (inner, says) in
        [("named", "the kind of the metric that has the name"), ("mse", "unknown metric \"mse\"")]
    {
        let config = r#"{"kind":"mean_absolute_error","config":"{}","name":"mae","weighted":false}"#;
        let file = Anatomy::of(&bytes).replace(config, &config.replace("mean_absolute_error", inner)).file();
        let said = Model::<f32>::from_bytes(&file).unwrap_err().to_string();
        assert!(said.contains(says), "{said}");
    }
}
