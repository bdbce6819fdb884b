//! Snapshot of parameters, state, optimizer moments and counters after the last good epoch.

use crate::float::Float;
use crate::nn::callback::Numbers;
use crate::nn::model::Model;

/// The training state after the last good epoch, restored after a divergence.
pub(super) struct Snapshot<F> {
    pub(super) numbers: Numbers<F>,
    pub(super) epoch: Option<usize>,
}

impl<F: Float> Snapshot<F> {
    pub(super) fn of(model: &Model<F>, epoch: Option<usize>) -> Self {
        Self { numbers: Numbers::of(model), epoch }
    }

    /// Overwrites the snapshot with the model's current state, without allocating.
    pub(super) fn update(&mut self, model: &Model<F>, epoch: usize) {
        let Numbers { params, state, moments, .. } = &mut self.numbers;
        params.copy_from_slice(&model.params);
        state.copy_from_slice(&model.state);
        model.optimizer_state.copy_moments_to(moments);
        self.numbers.iterations = model.optimizer_state.iterations;
        self.numbers.epochs_trained = model.epochs_trained;
        self.numbers.steps_trained = model.steps_trained;
        self.epoch = Some(epoch);
    }

    pub(super) fn restore(&self, model: &mut Model<F>) {
        self.numbers.restore(model);
    }
}

impl<F: Float> Numbers<F> {
    pub(crate) fn of(model: &Model<F>) -> Self {
        let mut moments = vec![F::zero(); model.optimizer_state.moments_len()];
        model.optimizer_state.copy_moments_to(&mut moments);
        Self {
            params: model.params.to_vec(),
            state: model.state.to_vec(),
            moments,
            iterations: model.optimizer_state.iterations,
            epochs_trained: model.epochs_trained,
            steps_trained: model.steps_trained,
        }
    }

    /// Whether the lengths are those of the model.
    pub(crate) fn fit(&self, model: &Model<F>) -> bool {
        self.params.len() == model.params.len()
            && self.state.len() == model.state.len()
            && self.moments.len() == model.optimizer_state.moments_len()
    }

    /// Restores the model, whose lengths must [`fit`](Self::fit).
    pub(crate) fn restore(&self, model: &mut Model<F>) {
        model.params.copy_from_slice(&self.params);
        model.state.copy_from_slice(&self.state);
        model.optimizer_state.copy_moments_from(&self.moments);
        model.optimizer_state.iterations = self.iterations;
        model.epochs_trained = self.epochs_trained;
        model.steps_trained = self.steps_trained;
    }
}
