//! Numbers that run away: the run ends with an error, or resumes from the last good epoch; the model stays sound.

use axonal::callbacks::LambdaCallback;
use axonal::models::OnDivergence;
use axonal::ndarray::{Array1, Array2};
use axonal::optimizers::AnyOptimizer;
use axonal::prelude::*;
use axonal::schedules::LearningRate;

fn data() -> (Array2<f32>, Array1<f32>) {
    let x = Array2::from_shape_fn((64, 3), |(i, j)| ((i * 7 + j * 5) % 13) as f32 - 6.0);
    let y = x.rows().into_iter().map(|row| row[0] - 2.0 * row[1] + row[2]).collect();
    (x, y)
}

/// Every optimizer of the crate, at a learning rate.
fn optimizers(rate: impl Into<LearningRate> + Clone) -> Vec<AnyOptimizer<f32>> {
    let names = [
        "sgd",
        "rmsprop",
        "adam",
        "adamw",
        "adadelta",
        "adagrad",
        "adamax",
        "adafactor",
        "nadam",
        "ftrl",
        "lion",
        "lamb",
    ];
    names.map(|name| name.parse::<AnyOptimizer<f32>>().unwrap().learning_rate(rate.clone())).into()
}

fn network(optimizer: AnyOptimizer<f32>) -> Model<f32> {
    Sequential::new(3)
        .add(Dense::new(5))
        .add(Dense::new(5))
        .add(Dense::new(1))
        .seed(3)
        .compile(optimizer, MeanSquaredError::default())
        .unwrap()
}

fn sound(model: &Model<f32>) {
    assert!(model.weights().iter().all(|weight| weight.value.iter().all(|w| w.is_finite())));
    let bytes = model.to_bytes().unwrap();
    assert!(Model::<f32>::from_bytes(&bytes).is_ok());
}

/// The first epoch goes well; then a callback multiplies the weights, so that the next step overflows, whatever the
/// optimizer.
fn explode<'a>(at: usize) -> LambdaCallback<'a, f32> {
    let mut done = false;
    LambdaCallback::new().on_batch_end(move |run| {
        if run.epoch() == at && !done {
            done = true;
            let mut weights = run.model().weights();
            weights.iter_mut().for_each(|weight| weight.value.fill(1e30));
            run.model_mut().set_weights(&weights)?;
        }
        Ok(())
    })
}

fn schedules() -> [LearningRate; 3] {
    [LearningRate::from(1e-3), CosineDecay::new(1e-3, 100).into(), (|_: u64| 1e-3).into()]
}

#[test]
fn every_optimizer_ends_at_its_last_good_epoch_with_and_without_clipping_schedules_and_callbacks() {
    let (x, y) = data();
    for rate in schedules() {
        for (index, optimizer) in optimizers(rate).into_iter().enumerate() {
            let variants =
                [optimizer.clone(), optimizer.clone().clipvalue(1.0), optimizer.global_clipnorm(1.0)];
            for optimizer in variants {
                let mut good = network(optimizer.clone());
                good.fit_with(&x, &y, FitOptions::new().epochs(2).batch_size(16)).unwrap();
                let mut model = network(optimizer);
                let mut ended = false;
                let error = {
                    let end = LambdaCallback::new().on_train_end(|run| {
                        ended = !run.completed();
                        Ok(())
                    });
                    let options =
                        FitOptions::new().epochs(4).batch_size(16).callback(explode(2)).callback(end);
                    model.fit_with(&x, &y, options).unwrap_err()
                };
                let Error::Diverged { epoch, batch, last_good_epoch, .. } = error else { panic!("{error}") };
                assert_eq!((epoch, batch, last_good_epoch), (3, 2, Some(2)), "optimizer {index}");
                assert_eq!(model.weights(), good.weights(), "optimizer {index}");
                assert!(ended, "callbacks receive the end of training");
                if index == 0 {
                    continue;
                }
                model.fit_with(&x, &y, FitOptions::new().epochs(1).batch_size(16)).unwrap();
            }
        }
    }
}

#[test]
fn a_rate_too_large_diverges_without_callbacks_and_the_model_keeps_its_weights() {
    let (x, y) = data();
    for optimizer in optimizers(1e30) {
        let mut model = network(optimizer);
        let before = model.weights();
        // Some rules bound their steps; what they make of such a rate is large, and not a number at last.
        match model.fit_with(&x, &y, FitOptions::new().epochs(3).batch_size(16)) {
            Err(Error::Diverged { last_good_epoch: None, .. }) => assert_eq!(model.weights(), before),
            Err(Error::Diverged { .. }) | Ok(_) => {}
            Err(error) => panic!("{error}"),
        }
        assert!(model.weights().iter().all(|weight| weight.value.iter().all(|w| w.is_finite())));
    }
}

#[test]
fn a_run_goes_on_from_its_last_good_epoch_with_a_smaller_rate() {
    let (x, y) = data();
    for rate in schedules() {
        for optimizer in optimizers(rate.clone()) {
            let mut model = network(optimizer.clipnorm(10.0));
            let policy = OnDivergence::RestoreAndReduce { factor: 0.25, times: 2 };
            let options = FitOptions::new().epochs(4).batch_size(16).on_divergence(policy);
            let history = model.fit_with(&x, &y, options.callback(explode(1)).callback(explode(3))).unwrap();
            assert_eq!((history.epochs(), history.epoch_indices()), (4, &[0, 1, 2, 3][..]));
            let recoveries = history.recoveries();
            assert_eq!((recoveries.len(), recoveries[0].epoch, recoveries[1].epoch), (2, 1, 3));
            // Epoch e ends before step 4 (e + 1): what the schedule says there, reduced as often as it was.
            for (epoch, (&got, reduced)) in
                history.get("learning_rate").unwrap().iter().zip([1.0, 0.25, 0.25, 0.0625]).enumerate()
            {
                let want = rate.at(4 * (epoch as u64 + 1)) * reduced;
                assert!((got - want).abs() <= 1e-12, "epoch {epoch}: {got}, want {want}");
            }
            assert!(history.loss().iter().all(|loss| loss.is_finite()));
            if rate.is_constant() {
                sound(&model);
            }
        }
    }
}

#[test]
fn a_rate_far_too_large_comes_down_by_itself() {
    let (x, y) = data();
    let mut model = network(Sgd::new(10.0).any());
    let policy = OnDivergence::RestoreAndReduce { factor: 0.1, times: 10 };
    let options = FitOptions::new().epochs(60).batch_size(16);
    let history = model.fit_with(&x, &y, options.on_divergence(policy)).unwrap();
    assert!(!history.recoveries().is_empty());
    assert!(model.learning_rate() < 0.1);
    assert!(history.loss()[59] < 0.5, "{:?}", history.loss()[59]);
    sound(&model);
}

#[test]
fn one_divergence_more_than_allowed_ends_the_run() {
    let (x, y) = data();
    let mut model = network(Adam::default().any());
    let policy = OnDivergence::RestoreAndReduce { factor: 0.5, times: 1 };
    let options = FitOptions::new().epochs(4).batch_size(16).on_divergence(policy);
    let error = model.fit_with(&x, &y, options.callback(explode(1)).callback(explode(3))).unwrap_err();
    assert!(matches!(error, Error::Diverged { epoch: 4, last_good_epoch: Some(3), .. }), "{error}");
    sound(&model);
    for factor in [0.0, 1.0, -0.5, f64::NAN] {
        let policy = OnDivergence::RestoreAndReduce { factor, times: 1 };
        let message =
            model.fit_with(&x, &y, FitOptions::new().on_divergence(policy)).unwrap_err().to_string();
        assert!(message.contains("factor") && message.contains("0 < factor < 1"), "{message}");
    }
}

#[test]
fn the_policy_is_kept_with_a_model_and_its_file() {
    let policy = OnDivergence::RestoreAndReduce { factor: 0.5, times: 3 };
    let (x, y) = data();
    let mut model =
        network(Sgd::new(10.0).any()).with_fit_options(FitOptions::new().epochs(2).on_divergence(policy));
    let mut loaded = Model::<f32>::from_bytes(&model.to_bytes().unwrap()).unwrap();
    let (one, other) = (model.fit(&x, &y), loaded.fit(&x, &y));
    assert_eq!(format!("{one:?}"), format!("{other:?}"));
    assert_eq!(model.weights(), loaded.weights());
}

#[test]
fn validation_and_best_weights_survive_a_recovery() {
    let (x, y) = data();
    let mut model = network(Adam::new(0.01).any());
    let policy = OnDivergence::RestoreAndReduce { factor: 0.5, times: 3 };
    let options = FitOptions::new().epochs(6).batch_size(16).validation_split(0.25).on_divergence(policy);
    let stopping = EarlyStopping::new("val_loss").patience(10).restore_best_weights(true);
    let history = model.fit_with(&x, &y, options.callback(explode(2)).callback(stopping)).unwrap();
    assert_eq!((history.epochs(), history.get("val_loss").unwrap().len()), (6, 6));
    sound(&model);
}
