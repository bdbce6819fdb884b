//! The model's numbers at the end of the last good epoch.

use crate::float::Float;
use crate::nn::model::Model;

/// A model's numbers at the end of the last good epoch, to go back to.
pub(super) struct LastGood<F> {
    params: Vec<F>,
    state: Vec<F>,
    moments: Vec<F>,
    iterations: u64,
    epochs_trained: u64,
    steps_trained: u64,
    pub(super) epoch: Option<usize>,
}

impl<F: Float> LastGood<F> {
    pub(super) fn of(model: &Model<F>, epoch: Option<usize>) -> Self {
        Self {
            params: model.params.clone(),
            state: model.state.clone(),
            moments: model.updater.moments.clone(),
            iterations: model.updater.iterations,
            epochs_trained: model.epochs_trained,
            steps_trained: model.steps_trained,
            epoch,
        }
    }

    /// Takes over the model's numbers; allocates nothing.
    pub(super) fn update(&mut self, model: &Model<F>, epoch: usize) {
        self.params.copy_from_slice(&model.params);
        self.state.copy_from_slice(&model.state);
        self.moments.copy_from_slice(&model.updater.moments);
        self.iterations = model.updater.iterations;
        self.epochs_trained = model.epochs_trained;
        self.steps_trained = model.steps_trained;
        self.epoch = Some(epoch);
    }

    pub(super) fn restore(&self, model: &mut Model<F>) {
        model.params.copy_from_slice(&self.params);
        model.state.copy_from_slice(&self.state);
        model.updater.moments.copy_from_slice(&self.moments);
        model.updater.iterations = self.iterations;
        model.epochs_trained = self.epochs_trained;
        model.steps_trained = self.steps_trained;
    }
}
