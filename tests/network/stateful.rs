//! Layers that remember the batch before.

use crate::temporary::temporary_path;
use axonal::layers::{SimpleRnn, TimeDistributed};
use axonal::ndarray::{Array2, Array3, s};
use axonal::prelude::*;

fn x(samples: usize, steps: usize) -> Array3<f64> {
    Array3::from_shape_fn((samples, steps, 2), |(i, j, k)| ((i * 7 + j * 5 + k * 3) % 11) as f64 / 5.0 - 1.0)
}

fn model(layer: impl Layer<f64> + 'static, steps: usize) -> Model<f64> {
    let network = Sequential::new([steps, 2]).add(layer).add(Dense::new(1)).seed(2);
    network.compile(Sgd::new(0.1), MeanSquaredError::default()).unwrap()
}

/// A long sequence in two halves is answered as in one piece.
fn goes_on(whole: impl Layer<f64> + 'static, stateful: impl Layer<f64> + 'static) {
    let x = x(2, 6);
    let whole = model(whole, 6);
    let want = whole.predict(&x).unwrap();
    // First the first halves of both sequences, then the second ones.
    let mut halves = Array3::zeros((4, 3, 2));
    halves.slice_mut(s![..2, .., ..]).assign(&x.slice(s![.., ..3, ..]));
    halves.slice_mut(s![2.., .., ..]).assign(&x.slice(s![.., 3.., ..]));
    // The states are counted where initial weights are drawn, so those receive over.
    let mut model = model(stateful, 3);
    let mut weights = model.weights();
    for weight in &mut weights {
        if let Some(same) = whole.weights().into_iter().find(|same| same.name == weight.name) {
            *weight = same;
        }
    }
    model.set_weights(&weights).unwrap();
    for _ in 0..2 {
        let got = model.predict(&halves).unwrap();
        let off = (&got.slice(s![2.., ..]) - &want).iter().fold(0.0, |off: f64, v| off.max(v.abs()));
        assert!(off < 1e-12, "{got} for {want}");
    }
    // A workspace resumes from call to call.
    let mut workspace = model.workspace(2).unwrap();
    let mut out = Array2::zeros((2, 1));
    let rows = halves.into_shape_with_order((4, 6)).unwrap();
    let mut answers = Vec::new();
    for _ in 0..2 {
        workspace.reset_state();
        for half in [0, 2] {
            model.predict_into(&rows.slice(s![half..half + 2, ..]), &mut workspace, &mut out).unwrap();
        }
        answers.push(out.clone());
    }
    assert!((&answers[0] - &want).iter().all(|off| off.abs() < 1e-12));
    assert_eq!(answers[0], answers[1]);
}

#[test]
fn a_sequence_in_parts_is_answered_as_in_one_piece() {
    goes_on(SimpleRnn::new(3), SimpleRnn::new(3).stateful(2));
    goes_on(Lstm::new(3), Lstm::new(3).stateful(2));
    goes_on(Gru::new(3), Gru::new(3).stateful(2));
    goes_on(Gru::new(3).reset_after(false), Gru::new(3).reset_after(false).stateful(2));
}

#[test]
fn training_moves_the_state_of_the_model_and_answers_do_not() {
    let (x, y) = (x(8, 3), Array2::<f64>::ones((8, 1)));
    let mut trained = model(Lstm::new(3).stateful(4), 3);
    let states = |model: &Model<f64>| -> Vec<f64> {
        let weights = model.weights();
        let remembered =
            weights.iter().filter(|weight| weight.name.ends_with("/h") || weight.name.ends_with("/c"));
        remembered.flat_map(|weight| weight.value.iter().copied().collect::<Vec<_>>()).collect()
    };
    assert_eq!(states(&trained), [0.0; 24]);
    trained.fit_with(&x, &y, FitOptions::new().batch_size(4).shuffle(false)).unwrap();
    let after = states(&trained);
    assert!(after.iter().all(|&v| v != 0.0), "{after:?}");
    let first = trained.evaluate(&x, &y).unwrap();
    assert_eq!(trained.evaluate(&x, &y).unwrap(), first);
    assert_eq!(states(&trained), after);
    trained.reset_state();
    assert_eq!(states(&trained), [0.0; 24]);
    assert_ne!(trained.evaluate(&x, &y).unwrap(), first);
}

fn message<T>(result: Result<T>) -> String {
    result.err().expect("a batch of another size was accepted").to_string()
}

#[test]
fn batches_of_another_size_are_refused() {
    let (x, y) = (x(8, 3), Array2::<f64>::ones((8, 1)));
    let mut model = model(Gru::new(3).stateful(4), 3);
    let refused = [
        message(model.fit_with(&x, &y, FitOptions::new().batch_size(8))),
        message(model.fit_with(&x, &y, FitOptions::new().batch_size(4).validation_split(0.25))),
        message(model.train_on_batch(&x.slice(s![..3, .., ..]), &y.slice(s![..3, ..]))),
        message(model.fit_batches([(x.clone(), y.clone())], FitOptions::new())),
        message(model.predict(&x.slice(s![..5, .., ..]))),
        message(model.evaluate(&x.slice(s![..5, .., ..]), &y.slice(s![..5, ..]))),
        message(model.workspace(3)),
    ];
    for message in refused {
        assert!(message.contains("layer 0.gru") && message.contains('4'), "{message}");
    }
    let mut workspace = model.workspace(4).unwrap();
    let rows = x.clone().into_shape_with_order((8, 6)).unwrap();
    let mut out = Array2::zeros((3, 1));
    message(model.predict_into(&rows.slice(s![..3, ..]), &mut workspace, &mut out));
    model.train_on_batch(&x.slice(s![..4, .., ..]), &y.slice(s![..4, ..])).unwrap();

    let compile =
        |network: Sequential<f64>| message(network.compile(Sgd::default(), MeanSquaredError::default()));
    let two = Sequential::new([3, 2])
        .add(Lstm::new(2).return_sequences(true).stateful(4))
        .add(Gru::new(2).stateful(5));
    let said = compile(two);
    assert!(said.contains("layer 1.gru") && said.contains("0.lstm") && said.contains('5'), "{said}");
    let said = compile(Sequential::new([3, 2]).add(Lstm::new(2).stateful(0)));
    assert!(said.contains("stateful") && said.contains("at least 1"), "{said}");
    let said = compile(Sequential::new([2, 3, 2]).add(TimeDistributed::new(Lstm::new(2).stateful(4))));
    assert!(said.contains("stateful"), "{said}");
}

#[test]
fn a_stateful_network_trains_on_from_its_file() {
    let (x, y) = (x(8, 3), Array2::<f64>::ones((8, 1)));
    let options = || FitOptions::new().batch_size(4).shuffle(false);
    let layer = || {
        Residual::new()
            .add(Lstm::new(2).stateful(4).return_sequences(true))
            .add(BatchNormalization::default())
    };
    let network = Sequential::new([3, 2])
        .add(layer())
        .add(Bidirectional::new(Gru::new(2).stateful(4)))
        .add(Dense::new(1));
    let mut model = network.compile(Adam::default(), MeanSquaredError::default()).unwrap();
    model.fit_with(&x, &y, options()).unwrap();
    let folder = temporary_path("stateful");
    std::fs::create_dir_all(&folder).unwrap();
    let path = folder.join("model.axonal");
    model.save(&path).unwrap();
    let mut again = Model::<f64>::load(&path).unwrap();
    std::fs::remove_dir_all(&folder).unwrap();
    model.fit_with(&x, &y, options()).unwrap();
    again.fit_with(&x, &y, options()).unwrap();
    assert_eq!(again.predict(&x).unwrap(), model.predict(&x).unwrap());
}
