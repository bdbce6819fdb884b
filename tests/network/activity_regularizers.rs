//! Penalties on the outputs of layers inside other layers are part of the loss and of the gradient, as in Keras; and only
//! layers that read sequences go into a `Bidirectional`.

use axonal::custom::{ActivityPenalty, Backward, Forward, Plan, Shape};
use axonal::layers::{ActivityRegularization, MergeMode, SimpleRnn, TimeDistributed};
use axonal::ndarray::{Array2, Array3, s};
use axonal::prelude::*;
use axonal::testing::check_layer;

fn steps() -> Array3<f64> {
    Array3::from_shape_fn((5, 4, 3), |(i, j, k)| ((i * 7 + j * 5 + k * 3) % 11) as f64 / 5.0 - 1.0)
}

/// The loss of a network over sequences, and its answers.
fn evaluated<L: Layer<f64> + 'static>(layer: L, batch_size: usize) -> (f64, Vec<f64>) {
    let model =
        Sequential::new([4, 3]).add(layer).seed(3).compile(Sgd::default(), MeanSquaredError::default());
    let model = model.unwrap();
    let answers = model.predict(&steps()).unwrap();
    let y = answers.clone().into_shape_with_order([&[5], model.output_shape().dims()].concat());
    // The targets are the answers, so that the loss is the penalty.
    let options = EvaluateOptions::new().batch_size(batch_size);
    (model.evaluate_with(&steps(), &y.unwrap(), options).unwrap().loss(), answers.iter().copied().collect())
}

fn squares(values: &[f64]) -> f64 {
    values.iter().map(|v| v * v).sum()
}

#[test]
fn the_penalty_inside_a_bidirectional_is_that_of_both_answers() {
    for return_sequences in [false, true] {
        for batch_size in [5, 2, 1] {
            let layers: [(&str, Bidirectional<f64>); 3] = [
                (
                    "gru",
                    Bidirectional::new(
                        Gru::new(2)
                            .return_sequences(return_sequences)
                            .activity_regularizer(Regularizer::l2(10.0)),
                    ),
                ),
                (
                    "lstm",
                    Bidirectional::new(
                        Lstm::new(2)
                            .return_sequences(return_sequences)
                            .activity_regularizer(Regularizer::l2(10.0)),
                    ),
                ),
                (
                    "simple_rnn",
                    Bidirectional::new(
                        SimpleRnn::new(2)
                            .return_sequences(return_sequences)
                            .activity_regularizer(Regularizer::l2(10.0)),
                    ),
                ),
            ];
            for (name, layer) in layers {
                let (loss, answers) = evaluated(layer, batch_size);
                // The mean over batches of each one's sum over its size, weighted by size: the sum over all rows.
                let want = 10.0 * squares(&answers) / 5.0;
                assert!(
                    (loss - want).abs() < 1e-12 * want,
                    "{name} in batches of {batch_size}: {loss}, want {want}"
                );
            }
        }
    }
    // With a separate layer per direction, both count.
    let penalty = |l1, l2| Regularizer::l1_l2(l1, l2);
    let both = Bidirectional::new(Gru::new(2).activity_regularizer(penalty(0.0, 2.0)))
        .backward_layer(Lstm::new(3).go_backwards(true).activity_regularizer(penalty(4.0, 0.0)));
    let (loss, answers) = evaluated(both, 5);
    let want: f64 = answers
        .chunks_exact(5)
        .map(|row| 2.0 * squares(&row[..2]) + 4.0 * row[2..].iter().map(|v| v.abs()).sum::<f64>())
        .sum();
    assert!((loss - want / 5.0).abs() < 1e-12 * want, "{loss}, want {}", want / 5.0);
    assert_eq!(evaluated(Bidirectional::new(Gru::new(2)), 5).0, 0.0);
}

#[test]
fn the_penalty_inside_a_residual_is_that_of_each_layer() {
    let x = Array2::from_shape_fn((6, 3), |(i, j)| ((i * 5 + j * 7) % 9) as f64 / 4.0 - 1.0);
    let first = || Dense::new(4).activation(Activation::Tanh);
    let second = || Dense::new(3).activation(Activation::Softplus);
    let penalized = |l2: f64, l1: f64| {
        Residual::new()
            .add(first().activity_regularizer(Regularizer::l2(l2)))
            .add(ActivityRegularization::new(l1, 0.0))
            .add(second().activity_regularizer(Regularizer::l1(l1)))
    };
    let loss = |layer: Residual<f64>| {
        let network = Sequential::new(3).add(layer).seed(2);
        let model = network.compile(Sgd::default(), MeanSquaredError::default()).unwrap();
        (model.evaluate(&x, &Array2::<f64>::zeros((6, 3))).unwrap().loss(), model)
    };
    let (plain, model) = loss(penalized(0.0, 0.0));
    let (with, _) = loss(penalized(3.0, 0.5));
    // The answers of each layer, from a network of the same weights.
    let chain = Sequential::new(3).add(first()).add(second());
    let mut chain = chain.compile(Sgd::default(), MeanSquaredError::default()).unwrap();
    let weights = model.weights();
    for (name, weight) in chain.weights().iter().map(|weight| weight.name.clone()).zip(&weights) {
        chain.set_weight(&name, &weight.value).unwrap();
    }
    let after_second = chain.predict(&x).unwrap();
    let after_first =
        chain.into_sequential().pop().compile(Sgd::default(), MeanSquaredError::default()).unwrap();
    let after_first = after_first.predict(&x).unwrap();
    let absolute: f64 = after_first.iter().chain(&after_second).map(|v| v.abs()).sum();
    let want = plain + (3.0 * after_first.iter().map(|v| v * v).sum::<f64>() + 0.5 * absolute) / 6.0;
    assert!((with - want).abs() < 1e-12 * want, "{with}, want {want}");
}

#[test]
fn penalties_at_every_step_are_divided_by_the_number_of_samples() {
    let penalty = || Regularizer::l2(2.0);
    // Directly inside, and deeper: y = x + tanh(…), so that what is penalized is the answer less the input.
    let direct =
        TimeDistributed::new(Dense::new(2).activation(Activation::Tanh).activity_regularizer(penalty()));
    let (loss, answers) = evaluated(direct, 5);
    let want = 2.0 * squares(&answers) / 5.0;
    assert!((loss - want).abs() < 1e-12 * want, "{loss}, want {want}");
    let deeper =
        Residual::new().add(Dense::new(3).activation(Activation::Tanh).activity_regularizer(penalty()));
    for batch_size in [5, 2] {
        let (loss, answers) = evaluated(TimeDistributed::new(deeper.clone()), batch_size);
        let inside: Vec<f64> = answers.iter().zip(&steps()).map(|(y, x)| y - x).collect();
        let want = 2.0 * squares(&inside) / 5.0;
        assert!((loss - want).abs() < 1e-12 * want, "{loss}, want {want}");
    }
}

#[test]
fn f32_agrees_with_f64() {
    let layer = || {
        let inner = Gru::new(2).return_sequences(true).activity_regularizer(Regularizer::l1_l2(0.5, 1.5));
        (inner.clone(), inner)
    };
    let (narrow, wide) = layer();
    let model = Sequential::<f32>::new([4, 3]).add(Bidirectional::new(narrow)).seed(1);
    let model = model.compile(Sgd::default(), MeanSquaredError::default()).unwrap();
    let mut same = Sequential::<f64>::new([4, 3]).add(Bidirectional::new(wide));
    same = same.seed(1);
    let mut same = same.compile(Sgd::default(), MeanSquaredError::default()).unwrap();
    for weight in model.weights() {
        same.set_weight(&weight.name, &weight.value.mapv(f64::from)).unwrap();
    }
    let y = Array3::<f64>::zeros((5, 4, 4));
    let narrow = model.evaluate(&steps().mapv(|v| v as f32), &y.mapv(|v| v as f32)).unwrap().loss();
    let wide = same.evaluate(&steps(), &y).unwrap().loss();
    assert!((narrow - wide).abs() < 1e-5 * wide, "{narrow}, {wide}");
}

#[test]
fn the_gradients_of_nested_penalties_are_those_of_their_values() {
    let penalty = || Regularizer::l1_l2(0.3, 0.7);
    for mode in [MergeMode::Concat, MergeMode::Sum, MergeMode::Ave, MergeMode::Mul] {
        let inner = Gru::new(2).return_sequences(true).activity_regularizer(penalty());
        check_layer(&Bidirectional::new(inner).merge_mode(mode), [4, 3]).unwrap();
    }
    let backwards = SimpleRnn::new(2).go_backwards(true).activity_regularizer(penalty());
    let both = Bidirectional::new(Lstm::new(2).activity_regularizer(penalty())).backward_layer(backwards);
    check_layer(&both, [4, 3]).unwrap();
    let chain = Residual::new()
        .add(Dense::new(4).activation(Activation::Tanh).activity_regularizer(penalty()))
        .add(Dense::new(3).activity_regularizer(penalty()));
    check_layer(&chain, 3).unwrap();
    check_layer(&TimeDistributed::new(chain.clone()), [2, 3]).unwrap();
    check_layer(&TimeDistributed::new(TimeDistributed::new(chain.clone())), [2, 2, 3]).unwrap();
    let deep = Residual::new().add(chain).add(ActivityRegularization::new(0.1, 0.2));
    check_layer(&deep, 3).unwrap();
}

/// A layer made of a dense one, whose answer is doubled.
#[derive(Debug)]
struct Doubled {
    inner: Dense,
    declares: bool,
}

impl<F: Float> Layer<F> for Doubled {
    fn kind(&self) -> &'static str {
        "test.doubled"
    }
    fn plan(&self, input: &Shape) -> Result<Plan> {
        let inner = Layer::<F>::plan(&self.inner, input)?.input(input);
        let width = inner.output_shape().size();
        let plan =
            Plan::output(inner.output_shape().clone()).input(input).cache(2 * width).nested("inner", inner);
        Ok(if self.declares { plan.nested_penalties() } else { plan })
    }
    fn forward(&self, pass: Forward<'_, F>) {
        let Forward { x, mut y, params, cache, mode, plan, .. } = pass;
        let (Some(nested), batch) = (plan.and_then(|plan| plan.nested_layers().first()), x.nrows()) else {
            return;
        };
        let (own, inside) = cache.split_at_mut(nested.cache(batch).start);
        let mut answer = axonal::ndarray::ArrayViewMut2::from_shape(y.dim(), &mut own[..y.len()]).unwrap();
        self.inner.forward(Forward::new(x, answer.view_mut(), params, inside, mode).planned(&nested.plan));
        y.assign(&answer.mapv(|v| v + v));
    }
    fn backward(&self, pass: Backward<'_, F>) {
        let Backward { x, dy, dx, dx_needed, params, grads, cache, samples, plan, .. } = pass;
        let (Some(nested), batch) = (plan.and_then(|plan| plan.nested_layers().first()), x.nrows()) else {
            return;
        };
        let (own, inside) = cache.split_at_mut(nested.cache(batch).start);
        let (answer, danswer) = own.split_at_mut(own.len() / 2);
        // y = 2 answer  =>  danswer = 2 dy, and the gradient of the penalty on the answer
        danswer.iter_mut().zip(&dy).for_each(|(d, &dy)| *d = dy + dy);
        if let Some(penalty) = nested.plan.declared_activity_regularizer() {
            penalty.add_gradient(1.0 / samples as f64, answer, danswer);
        }
        let answer = axonal::ndarray::ArrayView2::from_shape(dy.dim(), answer).unwrap();
        let danswer = axonal::ndarray::ArrayViewMut2::from_shape(dy.dim(), danswer).unwrap();
        let pass = Backward::new(x, answer, danswer, dx, params, grads, inside);
        self.inner.backward(pass.dx_needed(dx_needed).samples(samples).planned(&nested.plan));
    }
    fn activity_penalty(&self, ActivityPenalty { cache, y, plan, .. }: ActivityPenalty<'_, F>) -> f64 {
        let penalty = plan.nested_layers()[0].plan.declared_activity_regularizer();
        penalty.map_or(0.0, |penalty| penalty.penalty(&cache[..y.len()]))
    }
}

#[test]
fn layers_of_other_crates_take_care_of_penalties_inside_or_are_refused() {
    let doubled =
        |declares, l2| Doubled { inner: Dense::new(2).activity_regularizer(Regularizer::l2(l2)), declares };
    check_layer(&doubled(true, 0.5), 3).unwrap();
    let (loss, answers) = evaluated(doubled(true, 0.5), 5);
    let want = 0.5 * squares(&answers) / 4.0 / 5.0;
    assert!((loss - want).abs() < 1e-12 * want, "{loss}, want {want}");
    // Inside another layer, too.
    check_layer(&TimeDistributed::new(doubled(true, 0.5)), [2, 3]).unwrap();
    let refused = |layer: Arc<dyn Layer<f64>>| {
        let network = Sequential::new([4, 3]).add(layer);
        network.compile(Sgd::default(), MeanSquaredError::default()).unwrap_err().to_string()
    };
    for layer in [
        Arc::new(doubled(false, 0.5)) as Arc<dyn Layer<f64>>,
        Arc::new(TimeDistributed::new(doubled(false, 0.5))),
        Arc::new(Residual::new().add(doubled(false, 0.5)).add(Dense::new(3))),
    ] {
        let message = refused(layer);
        for word in ["test.doubled", "activity regularizer", "inner", "nested_penalties", "layer 0."] {
            if word != "test.doubled" {
                assert!(message.contains(word), "`{word}` is missing from: {message}");
            }
        }
    }
    assert!(check_layer(&doubled(false, 0.5), 3).is_err());
    let plain = Doubled { inner: Dense::new(2), declares: false };
    let network = Sequential::<f64>::new(3).add(plain).compile(Sgd::default(), MeanSquaredError::default());
    assert!(network.is_ok());
    let negative = Bidirectional::new(Gru::new(2).activity_regularizer(Regularizer::l2(-1.0)));
    let message = refused(Arc::new(negative));
    assert!(message.contains("l2 is -1") && message.contains("bidirectional"), "{message}");
}

use std::sync::Arc;

#[test]
fn only_layers_that_read_sequences_go_into_a_bidirectional() {
    let compiled = |layer: Bidirectional<f64>| {
        Sequential::new([4, 3]).add(layer).compile(Sgd::default(), MeanSquaredError::default())
    };
    for layer in [
        Bidirectional::new(Dense::new(2)),
        Bidirectional::new(Conv1D::new(2, 2)),
        Bidirectional::new(TimeDistributed::new(Dense::new(2))),
        Bidirectional::new(Bidirectional::new(Gru::new(2).return_sequences(true))),
        Bidirectional::new(Residual::new().add(Gru::new(3).return_sequences(true))),
        Bidirectional::new(Gru::new(2)).backward_layer(Reversed { declares: false }),
    ] {
        let message = compiled(layer).unwrap_err().to_string();
        assert!(message.contains("layer 0.bidirectional: expected a recurrent layer"), "{message}");
        assert!(message.contains("reads_sequence") && message.len() <= 300, "{message}");
    }
    for layer in [
        Bidirectional::new(Gru::new(2)),
        Bidirectional::new(Lstm::new(2).return_sequences(true)),
        Bidirectional::new(Arc::new(SimpleRnn::new(2)) as Arc<dyn Layer<f64>>),
        Bidirectional::new(Gru::new(3)).backward_layer(Reversed { declares: true }),
    ] {
        compiled(layer).unwrap();
    }
    let message = compiled(Bidirectional::new(Dense::new(2))).unwrap_err().to_string();
    assert!(message.contains("got dense"), "{message}");
    let nested =
        Sequential::<f64>::new([2, 4, 3]).add(TimeDistributed::new(Bidirectional::new(Dense::new(2))));
    assert!(nested.compile(Sgd::default(), MeanSquaredError::default()).is_err());
}

/// Puts out the first step of a sequence that it reads from its end.
#[derive(Debug)]
struct Reversed {
    declares: bool,
}

impl<F: Float> Layer<F> for Reversed {
    fn kind(&self) -> &'static str {
        "test.reversed"
    }
    fn plan(&self, input: &Shape) -> Result<Plan> {
        let plan = Plan::output(input.last()).input(input).reads_backwards();
        Ok(if self.declares { plan.reads_sequence() } else { plan })
    }
    fn forward(&self, Forward { x, mut y, .. }: Forward<'_, F>) {
        let width = y.ncols();
        y.assign(&x.slice(s![.., ..width]));
    }
    fn backward(&self, Backward { dy, mut dx, .. }: Backward<'_, F>) {
        dx.fill(F::zero());
        dx.slice_mut(s![.., ..dy.ncols()]).assign(&dy);
    }
}
