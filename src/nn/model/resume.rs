//! Taking checkpoints of a training run and resuming from them.

use super::ranks::RankRows;
use super::training_loop::{Callbacks, TrainingLoop, runs_on};
use crate::error::{Error, Result};
use crate::float::Float;
use crate::nn::callback::{CallbackState, Checkpoint, Ending, Numbers, Rate};
use crate::nn::model::Model;
use crate::nn::optimizer::LearningRate;

impl<F: Float> TrainingLoop<'_, F> {
    /// Passes a checkpoint to every callback if one of them requested it.
    pub(super) fn emit_checkpoint(
        &mut self,
        model: &mut Model<F>,
        callbacks: &mut Callbacks<'_, F>,
    ) -> Result<()> {
        if !std::mem::take(&mut self.progress.checkpoint_requested) {
            return Ok(());
        }
        let emitted = if self.progress.rank == 0 { self.emit(model, callbacks) } else { Ok(()) };
        self.agree(emitted)
    }

    fn emit(&mut self, model: &Model<F>, callbacks: &mut Callbacks<'_, F>) -> Result<()> {
        let checkpoint = self.checkpoint(model, callbacks)?;
        let mut outcome = Ok(());
        for callback in callbacks {
            outcome = outcome.and(callback.on_checkpoint(&checkpoint));
        }
        outcome
    }

    /// The checkpoint of the current position.
    fn checkpoint(&mut self, model: &Model<F>, callbacks: &Callbacks<'_, F>) -> Result<Checkpoint<F>> {
        let states: Result<Vec<CallbackState<F>>> =
            callbacks.iter().map(|callback| callback.state()).collect();
        let numbers = Numbers::of(model);
        let last_good = (self.last_good.numbers != numbers).then(|| self.last_good.numbers.clone());
        let rate = match &model.optimizer_state.learning_rate {
            LearningRate::Constant(rate) => Rate::Constant(*rate),
            schedule => Rate::Factor(schedule.factor()),
        };
        Ok(Checkpoint {
            identity: self.identity(model, callbacks.len()),
            position: self.position,
            stop: self.progress.stop.clone(),
            history: self.history.clone(),
            epochs_known: true,
            totals: self.source.scores().sums(),
            rate,
            numbers,
            last_good: (self.last_good.epoch, last_good),
            callbacks: states?,
        })
    }

    /// Restores model, callbacks, position and history from a checkpoint of this run.
    pub(super) fn resume_from(
        &mut self,
        checkpoint: Checkpoint<F>,
        model: &mut Model<F>,
        callbacks: &mut Callbacks<'_, F>,
    ) -> Result<()> {
        let identity = self.identity(model, callbacks.len());
        let (last_good_epoch, last_good) = checkpoint.last_good;
        let last_good = last_good.unwrap_or_else(|| checkpoint.numbers.clone());
        // Between epochs a run may continue with another number of ranks.
        let same_run = checkpoint.identity == identity
            || checkpoint.position.batch == 0
                && without_ranks(&checkpoint.identity) == without_ranks(&identity);
        let same = same_run
            && checkpoint.numbers.fit(model)
            && last_good.fit(model)
            && checkpoint.callbacks.len() == callbacks.len()
            && matches!(checkpoint.rate, Rate::Constant(_))
                == model.optimizer_state.learning_rate.is_constant()
            && self.source.scores().set_sums(&checkpoint.totals);
        if !same {
            let got = format!("of another run ({})", checkpoint.identity);
            let expected = format!("one of this run ({identity}); delete it to start over");
            return Err(Error::invalid_parameter("Run::resume", "checkpoint", got, expected));
        }
        if self.progress.rank != 0 {
            // Rank 0 holds the sums of all ranks.
            self.source.scores().reset();
        }
        for (callback, state) in callbacks.iter_mut().zip(checkpoint.callbacks) {
            if runs_on(self.progress.rank, &**callback) {
                callback.load_state(state)?;
            }
        }
        self.source.skip(checkpoint.position.taken)?;
        match checkpoint.rate {
            Rate::Constant(rate) => model.set_learning_rate(rate)?,
            Rate::Factor(factor) => {
                let compiled = model.optimizer_state.compiled_rate.clone();
                let relative = factor / compiled.factor();
                model.optimizer_state.learning_rate =
                    if relative == 1.0 { compiled } else { compiled.scaled(relative) };
            }
        }
        checkpoint.numbers.restore(model);
        (self.last_good.numbers, self.last_good.epoch) = (last_good, last_good_epoch);
        (self.position, self.history) = (checkpoint.position, checkpoint.history);
        if !checkpoint.epochs_known {
            self.history.assume_validation_freq(self.options.validation_freq);
        }
        self.progress.stop = checkpoint.stop;
        self.progress.ending = Ending::Complete;
        Ok(())
    }

    /// A description of everything that must be equal for a checkpoint to be resumed.
    fn identity(&self, model: &Model<F>, n_callbacks: usize) -> String {
        let weights: Vec<String> =
            model.layout.variables.iter().map(|v| format!("{} {}", v.name, v.shape)).collect();
        let layers: Vec<&str> = model.layout.nodes.iter().map(|node| node.name.as_str()).collect();
        format!(
            "{}; layers {}; weights {}; {} with {}; {}; seed {}; {}; {n_callbacks} callbacks",
            F::NAME,
            layers.join(", "),
            weights.join(", "),
            losses_of(model),
            model.optimizer_state.rule.kind(),
            model.score_names().join(", "),
            model.seed,
            self.source.identity(),
        )
    }
}

/// A description of a run without the rows of each rank.
fn without_ranks(identity: &str) -> Vec<&str> {
    let part = |part: &'_ str| -> usize {
        // Behind the rows, the order.
        if part.trim_start().starts_with(RankRows::PREFIX) { part.find(',').unwrap_or(0) } else { 0 }
    };
    identity.split(';').map(|text| &text[part(text)..]).collect()
}

/// The losses of the outputs: the kind for a chain, with names and weights for a graph.
fn losses_of<F: Float>(model: &Model<F>) -> String {
    let losses = model.outputs.iter().map(|output| match output.name.as_str() {
        "" => output.loss.kind().to_string(),
        name => format!("{name} {} {}", output.loss.kind(), output.loss_weight),
    });
    losses.collect::<Vec<_>>().join(", ")
}
