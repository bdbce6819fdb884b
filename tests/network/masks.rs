//! Padded sequences: what the layers, the loss and the metrics make of padding.

use crate::temporary::temporary_path;
use axonal::custom::{Backward, Forward, LossPass, Mask, MaskPass, Plan, Shape, TargetView};
use axonal::layers::{Masking, MergeMode, SimpleRnn, Softmax, TimeDistributed};
use axonal::losses::{Dice, Reduction};
use axonal::metrics::{LossMetric, R2Score};
use axonal::ndarray::{Array2, Array3, array, s};
use axonal::prelude::*;
use std::sync::Arc;

/// Sequences of three steps, and the same with two steps of padding behind.
fn sequences() -> (Array3<f64>, Array3<f64>) {
    let short =
        Array3::from_shape_fn((4, 3, 2), |(i, j, k)| ((i * 7 + j * 5 + k * 3) % 11) as f64 / 5.0 + 0.1);
    let mut padded = Array3::zeros((4, 5, 2));
    padded.slice_mut(s![.., ..3, ..]).assign(&short);
    (short, padded)
}

fn compiled(network: Sequential<f64>) -> Model<f64> {
    network.seed(3).compile(Sgd::new(0.1), MeanSquaredError::default()).unwrap()
}

#[test]
fn padding_does_not_change_an_answer() {
    let (short, padded) = sequences();
    let answer = |x: &Array3<f64>, layer: &dyn Fn() -> Arc<dyn Layer<f64>>| {
        let network =
            Sequential::new([x.shape()[1], 2]).add(Masking::default()).add(layer()).add(Dense::new(2));
        compiled(network).predict(x).unwrap()
    };
    let layers: [&dyn Fn() -> Arc<dyn Layer<f64>>; 6] = [
        &|| Arc::new(SimpleRnn::new(3)),
        &|| Arc::new(Lstm::new(3)),
        &|| Arc::new(Gru::new(3)),
        &|| Arc::new(Gru::new(3).reset_after(false).go_backwards(true)),
        &|| Arc::new(Bidirectional::new(Lstm::new(3))),
        &|| Arc::new(GlobalAveragePooling1D::default()),
    ];
    for layer in layers {
        let (want, got) = (answer(&short, layer), answer(&padded, layer));
        for (got, want) in got.iter().zip(&want) {
            assert!((got - want).abs() < 1e-12, "{:?}: {got}, want {want}", layer());
        }
    }
}

#[test]
fn padding_has_no_part_in_losses_metrics_and_gradients() {
    let (_, padded) = sequences();
    let network = || {
        compiled(
            Sequential::new([5, 2])
                .add(Masking::default())
                .add(Lstm::new(3).return_sequences(true))
                .add(Dropout::new(0.0))
                .add(Dense::new(1)),
        )
        .metric(MeanAbsoluteError::new())
        .metric(R2Score::default())
        .metric(LossMetric::new(Huber::default()))
    };
    let mut y = Array3::from_shape_fn((4, 5, 1), |(i, j, _)| (i + j) as f64 / 4.0);
    let (mut one, mut other) = (network(), network());
    let first = one.evaluate(&padded, &y).unwrap();
    one.fit_with(&padded, &y, FitOptions::new().epochs(2).batch_size(2)).unwrap();
    y.slice_mut(s![.., 3.., ..]).fill(1e6);
    assert_eq!(first, other.evaluate(&padded, &y).unwrap());
    other.fit_with(&padded, &y, FitOptions::new().epochs(2).batch_size(2)).unwrap();
    assert_eq!(one.predict(&padded).unwrap(), other.predict(&padded).unwrap());
}

#[test]
fn a_batch_of_padding_alone_has_no_loss() {
    let mut model = compiled(
        Sequential::new([3, 1])
            .add(Masking::default())
            .add(Gru::new(2).return_sequences(true))
            .add(Dense::new(1)),
    );
    let (x, y) = (Array3::<f64>::zeros((2, 3, 1)), Array3::<f64>::ones((2, 3, 1)));
    assert_eq!(model.evaluate(&x, &y).unwrap().get("loss"), Some(0.0));
    let before = model.predict(&x).unwrap();
    model.fit_with(&x, &y, FitOptions::new().epochs(1)).unwrap();
    assert_eq!(model.predict(&x).unwrap(), before);
}

#[test]
fn overlap_counts_the_weights_of_what_is_real() {
    let (prediction, target) = (array![[0.5, 0.25, 0.75, 0.5]], array![[1.0, 0.0, 1.0, 1.0]]);
    let value = |reduction, mask: Option<&[bool]>, weights: Option<&[f64]>| {
        let pass = LossPass::new(prediction.view(), TargetView::Values(target.view())).last_axis(1);
        Dice::default().reduction(reduction).compute(pass.mask(mask).weights(weights))
    };
    let plain = value(Reduction::SumOverBatchSize, None, None);
    let mask: &[bool] = &[true, true, false, true];
    // As in Keras, whose number for the batch is multiplied with each weight, and these are 4/3 and 0.
    assert!((value(Reduction::SumOverBatchSize, Some(mask), None) - plain).abs() < 1e-12);
    assert!((value(Reduction::Sum, Some(mask), None) - 3.0 * plain).abs() < 1e-12);
    assert!((value(Reduction::Sum, Some(mask), Some(&[0.5])) - 1.5 * plain).abs() < 1e-12);
}

#[test]
fn a_softmax_over_steps_gives_padding_no_share() {
    let model = compiled(
        Sequential::new([3, 1])
            .add(Masking::default())
            .add(Softmax::default().axis(1))
            .add(Flatten::default()),
    );
    let answer = model.predict(&array![[[2.0], [2.0], [0.0]], [[0.0], [0.0], [0.0]]]).unwrap();
    assert_eq!(answer, array![[0.5, 0.5, 0.0], [0.0, 0.0, 0.0]]);
}

fn refusal(network: Sequential<f64>) -> String {
    network
        .compile(Sgd::default(), MeanSquaredError::default())
        .expect_err("a network was accepted")
        .to_string()
}

#[test]
fn masks_that_do_not_suit_are_refused_with_their_shapes() {
    let message = refusal(
        Sequential::new(4)
            .add(Embedding::new(5, 3).mask_zero(true))
            .add(TimeDistributed::new(Reshape::new([3, 1])))
            .add(BatchNormalization::default()),
    );
    assert!(message.contains("layer 2.batch_normalization") && message.contains("(4, 3)"), "{message}");
    assert!(message.contains("a mask over (4)"), "{message}");
    let message = refusal(Sequential::new([4, 2]).add(Residual::new().add(Masking::default())));
    assert!(message.contains("that compute no mask") && message.contains("\"0.masking\""), "{message}");
    let message = refusal(Sequential::new([4, 2]).add(Masking::new(f64::NAN)));
    assert!(message.contains("mask_value") && message.contains("NaN"), "{message}");
    let one_way = Bidirectional::new(Lstm::new(2)).backward_layer(Lstm::new(2));
    let message = refusal(Sequential::new([4, 2]).add(one_way));
    assert!(message.contains("backward_layer") && message.contains("go_backwards(true)"), "{message}");
    let narrower = Bidirectional::new(Lstm::new(2)).backward_layer(Lstm::new(3).go_backwards(true));
    let message = refusal(Sequential::new([4, 2]).add(narrower.merge_mode(MergeMode::Sum)));
    assert!(message.contains("(2)") && message.contains("(3)"), "{message}");
}

/// Keeps every second step.
#[derive(Debug)]
struct Halve;

impl<F: Float> Layer<F> for Halve {
    fn kind(&self) -> &'static str {
        "test.halve"
    }

    fn plan(&self, input: &Shape) -> Result<Plan> {
        let steps = input.dims()[0] / 2;
        Ok(Plan::output([steps, 1]).input(input).derives_mask(steps))
    }

    fn forward(&self, Forward { x, mut y, .. }: Forward<'_, F>) {
        y.assign(&x.slice(s![.., ..;2]));
    }

    fn backward(&self, Backward { dy, mut dx, .. }: Backward<'_, F>) {
        dx.fill(F::zero());
        dx.slice_mut(s![.., ..;2]).assign(&dy);
    }

    fn mask(&self, MaskPass { mask, valid, .. }: MaskPass<'_, F>) {
        let mask = mask.expect("a mask to be derived from");
        let steps = mask.positions() / 2;
        valid
            .iter_mut()
            .enumerate()
            .for_each(|(at, valid)| *valid = mask.is_valid(at / steps, at % steps * 2));
    }
}

#[test]
fn a_layer_of_ones_own_derives_a_mask() {
    let x = array![[[1.0], [0.0], [3.0], [4.0]], [[5.0], [6.0], [0.0], [8.0]]];
    let network =
        Sequential::new([4, 1]).add(Masking::default()).add(Halve).add(GlobalAveragePooling1D::default());
    assert_eq!(compiled(network).predict(&x).unwrap(), array![[2.0], [5.0]]);
    let without = Sequential::new([4, 1]).add(Halve).add(GlobalAveragePooling1D::default());
    assert_eq!(compiled(without).predict(&x).unwrap(), array![[2.0], [2.5]]);
}

/// Sums up real steps, and forgets the mask on the way back.
#[derive(Debug)]
struct Forgetful;

impl<F: Float> Layer<F> for Forgetful {
    fn kind(&self) -> &'static str {
        "test.forgetful"
    }

    fn plan(&self, input: &Shape) -> Result<Plan> {
        Ok(Plan::output(1).input(input).uses_mask())
    }

    fn forward(&self, Forward { x, mut y, mask, .. }: Forward<'_, F>) {
        let real = |sample: usize, step: usize| mask.is_none_or(|mask: Mask<'_>| mask.is_valid(sample, step));
        for (sample, (x, mut y)) in x.rows().into_iter().zip(y.rows_mut()).enumerate() {
            y[0] = x.iter().enumerate().filter(|(step, _)| real(sample, *step)).map(|(_, &x)| x).sum();
        }
    }

    fn backward(&self, Backward { dy, mut dx, .. }: Backward<'_, F>) {
        let shape = dx.dim();
        dx.assign(&dy.broadcast(shape).unwrap());
    }
}

#[test]
fn the_checker_tries_layers_under_a_mask() {
    let failure = axonal::testing::check_layer(&Forgetful, [4, 1]).expect_err("a wrong layer").to_string();
    assert!(
        failure.contains("under the mask [1110, 0011, 1101, 0000, 0011]")
            && failure.contains("gradient toward the input"),
        "{failure}"
    );
}

#[test]
fn a_masked_network_comes_back_from_its_file() {
    let model = Sequential::<f64>::new(4)
        .add(Embedding::new(5, 3).mask_zero(true))
        .add(Bidirectional::new(Gru::new(2)).backward_layer(SimpleRnn::new(3).go_backwards(true)))
        .add(Dense::new(1))
        .compile(Sgd::default(), MeanSquaredError::default())
        .unwrap();
    let folder = temporary_path("masks");
    std::fs::create_dir_all(&folder).unwrap();
    let path = folder.join("model.axonal");
    model.save(&path).unwrap();
    let x: Array2<f64> = array![[1.0, 2.0, 0.0, 0.0], [4.0, 0.0, 3.0, 1.0]];
    let again = Model::<f64>::load(&path).unwrap();
    std::fs::remove_dir_all(&folder).unwrap();
    assert_eq!(again.predict(&x).unwrap(), model.predict(&x).unwrap());
}
