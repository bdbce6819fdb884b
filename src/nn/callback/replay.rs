//! A run without training, in which a number of the logs takes given values: for the tests of callbacks.

use super::{Callback, Progress, Run};
use crate::nn::history::Logs;
use crate::nn::layers::Dense;
use crate::nn::loss::MeanSquaredError;
use crate::nn::metric::Accuracy;
use crate::nn::optimizer::Sgd;
use crate::nn::sequential::Sequential;

/// How a replayed run has ended.
pub(super) struct Replay {
    pub(super) epochs: usize,
    /// Every weight of epoch e is e.
    pub(super) weight: f32,
    pub(super) learning_rate: f64,
}

/// Tells `callback` of an epoch for each value, until it stops the run; the learning rate begins at 0.1.
pub(super) fn replay(callback: &mut dyn Callback<f32>, name: &str, values: &[f64]) -> Replay {
    let network = Sequential::new(1).add(Dense::new(1));
    let mut model = network
        .compile(Sgd::new(0.1), MeanSquaredError::default())
        .unwrap_or_else(|error| panic!("{error}"))
        .metric(Accuracy::default());
    let names = ["loss", "accuracy", "val_loss", "val_accuracy", "learning_rate"].map(String::from).to_vec();
    let mut progress = Progress { epochs: values.len(), names: names.clone(), ..Progress::default() };
    let told = |outcome: crate::error::Result<()>| outcome.unwrap_or_else(|error| panic!("{error}"));
    told(callback.on_train_begin(&mut Run { model: &mut model, progress: &mut progress, resume: None }));
    let mut epochs = 0;
    for (epoch, &value) in values.iter().enumerate() {
        model.params.fill(epoch as f32);
        progress.epoch = epoch;
        progress.logs = Logs::with_keys(names.clone());
        progress.logs.insert(name, value);
        told(callback.on_epoch_end(&mut Run { model: &mut model, progress: &mut progress, resume: None }));
        epochs += 1;
        if progress.stop.is_some() {
            break;
        }
    }
    told(callback.on_train_end(&mut Run { model: &mut model, progress: &mut progress, resume: None }));
    Replay { epochs, weight: model.params[0], learning_rate: model.learning_rate() }
}
