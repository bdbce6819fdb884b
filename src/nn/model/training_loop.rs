//! The training loop of one call of `fit`: epochs, validation, callbacks, recovery from divergence.

use super::batch_source::StepSource;
use super::evaluate::Scores;
use super::ranks::{Ranks, agreed};
use super::snapshot::Snapshot;
use super::trainer::{Divergence, StepOutcome};
use super::validation::Validate;
use crate::error::{Error, Result};
use crate::float::Float;
use crate::host::Timer;
use crate::log_event::log_event;
use crate::nn::callback::{Callback, Checkpoint, Ending, Position, Progress, Run, StopToken, epoch_line};
use crate::nn::fit_options::{OnDivergence, PlainOptions, Verbose};
use crate::nn::history::{History, Logs};
use crate::nn::layout::Layout;
use crate::nn::model::Model;
use crate::validate;
use std::io::Write as _;
use std::sync::Arc;

/// The callbacks of a run.
pub(super) type Callbacks<'c, F> = [Box<dyn Callback<F> + 'c>];

/// A hook of a callback. A function pointer, because a closure type for each hook would compile the loop over the callbacks again.
type Hook<F> = fn(&mut dyn Callback<F>, &mut Run<'_, F>) -> Result<()>;

/// The state of a training run: batches, validation data, position, logs and history.
pub(super) struct TrainingLoop<'a, F> {
    pub(super) source: Box<dyn StepSource<F> + 'a>,
    /// The validation data, with the buffers and sums to evaluate them.
    validation: Option<Box<dyn Validate<F> + 'a>>,
    pub(super) options: &'a PlainOptions,
    token: Option<StopToken>,
    /// The layout that the buffers were allocated for.
    layout: Arc<Layout<F>>,
    /// Training loss and metrics, validation loss and metrics, learning rate, in this order.
    epoch_logs: Logs,
    pub(super) progress: Progress,
    pub(super) position: Position,
    pub(super) last_good: Snapshot<F>,
    pub(super) history: History,
    /// The checkpoint that a callback asked to resume from.
    resume: Option<Checkpoint<F>>,
    ranks: Option<MergedScores<'a, F>>,
}

/// The other ranks of a distributed run, with a buffer for the sums of losses and metrics of all of them.
struct MergedScores<'a, F> {
    ranks: &'a dyn Ranks<F>,
    merged: Scores<F>,
}

impl<'a, F: Float> TrainingLoop<'a, F> {
    pub(super) fn new(
        model: &Model<F>,
        source: Box<dyn StepSource<F> + 'a>,
        validation: Option<Box<dyn Validate<F> + 'a>>,
        options: &'a PlainOptions,
        token: Option<StopToken>,
        ranks: Option<&'a dyn Ranks<F>>,
    ) -> Result<Self> {
        let mut names = model.score_names();
        if validation.is_some() {
            names.extend(model.score_names().iter().map(|name| format!("val_{name}")));
        }
        names.push("learning_rate".into());
        let progress = Progress {
            epochs: options.epochs,
            batches: source.batches(),
            names: names.clone(),
            logs: Logs::with_keys(model.score_names()),
            rank: ranks.map_or(0, |ranks| ranks.group().rank()),
            ..Progress::default()
        };
        let merged = |ranks| Ok::<_, Error>(MergedScores { ranks, merged: Scores::new(model)? });
        // The ranks stop together, after a step in which one of their tokens was stopped.
        let token = ranks.map_or(token, |ranks| Some(ranks.agreed_stop()));
        Ok(Self {
            ranks: ranks.map(merged).transpose()?,
            source,
            validation,
            options,
            token,
            layout: model.layout.clone(),
            epoch_logs: Logs::with_keys(names),
            progress,
            position: Position { epoch: options.initial_epoch, ..Position::default() },
            last_good: Snapshot::of(model, None),
            history: History::default(),
            resume: None,
        })
    }

    /// Trains, calls every hook, and returns the history.
    pub(super) fn run(mut self, model: &mut Model<F>, callbacks: &mut Callbacks<'_, F>) -> Result<History> {
        log_event!(debug, "training epochs {} to {}", self.position.epoch + 1, self.options.epochs);
        let begun = self.begin(model, callbacks);
        let outcome = begun.and_then(|()| self.epochs(model, callbacks));
        match &outcome {
            Ok(()) => model.optimizer_state.overwrite_with_ema(&mut model.params),
            Err(_) => self.progress.ending = Ending::Failed,
        }
        // Callbacks close their files and restore weights even if training failed.
        let closed = self.call_hook(model, callbacks, |callback, run| callback.on_train_end(run));
        outcome?;
        self.agree(closed)?;
        if let Some(reason) = &self.progress.stop {
            log_event!(info, "training stopped after epoch {}: {reason}", self.progress.epoch + 1);
        }
        if let Some(reason) = self.progress.stop {
            self.history.stop(reason);
        } else if self.progress.ending == Ending::Interrupted {
            self.history.stop("interrupted".into());
        }
        Ok(self.history)
    }

    /// Calls `on_train_begin`; then resumes from a checkpoint if a callback supplied one.
    fn begin(&mut self, model: &mut Model<F>, callbacks: &mut Callbacks<'_, F>) -> Result<()> {
        let mut slot = None;
        let mut outcome = Ok(());
        let rank = self.progress.rank;
        for callback in callbacks.iter_mut().filter(|callback| runs_on(rank, &***callback)) {
            let progress = &mut self.progress;
            let result = callback.on_train_begin(&mut Run { model, progress, resume: Some(&mut slot) });
            outcome = outcome.and(result);
        }
        self.agree(outcome.and(self.check_architecture(model)))?;
        self.resume = slot;
        if let Some(ranks) = &self.ranks {
            self.resume = ranks.ranks.broadcast_checkpoint(self.resume.take())?;
        }
        let resumed = match self.resume.take() {
            Some(checkpoint) => self.resume_from(checkpoint, model, callbacks),
            None => Ok(()),
        };
        self.agree(resumed)?;
        match &self.ranks {
            Some(ranks) => ranks.ranks.require_same_params(model, self.position.epoch),
            None => Ok(()),
        }
    }

    /// Runs the epochs that remain.
    fn epochs(&mut self, model: &mut Model<F>, callbacks: &mut Callbacks<'_, F>) -> Result<()> {
        let first = self.position;
        for epoch in first.epoch..self.options.epochs {
            // A resumed epoch continues after the batches done before its checkpoint.
            let done = if epoch == first.epoch { first.batch } else { 0 };
            self.progress.epoch = epoch;
            self.poll_stop_token();
            if self.progress.ending == Ending::Interrupted {
                break;
            }
            let begun = Timer::start();
            if done == 0 {
                if self.progress.stop.is_none() {
                    self.call(model, callbacks, |callback, run| callback.on_epoch_begin(run))?;
                }
                if self.progress.stop.is_some() {
                    break;
                }
            }
            if self.run_epoch_with_recovery(model, callbacks, done)? == 0 {
                self.end_without_batches()?;
                break;
            }
            self.end_epoch(model, callbacks, begun)?;
        }
        Ok(())
    }

    /// Trains one epoch from batch index `done`; after a divergence that the options allow to recover from, repeats it from its
    /// first batch. Returns the number of batches trained.
    fn run_epoch_with_recovery(
        &mut self,
        model: &mut Model<F>,
        callbacks: &mut Callbacks<'_, F>,
        mut done: usize,
    ) -> Result<usize> {
        loop {
            match self.run_batches(model, callbacks, done)? {
                EpochOutcome::Finished { batches } => return Ok(batches),
                EpochOutcome::Diverged(divergence) => self.recover(model, divergence)?,
            }
            done = 0;
        }
    }

    /// Trains the batches of one epoch from index `done`, without recovery.
    fn run_batches(
        &mut self,
        model: &mut Model<F>,
        callbacks: &mut Callbacks<'_, F>,
        mut done: usize,
    ) -> Result<EpochOutcome> {
        if done == 0 {
            self.source.scores().reset();
        }
        // Batch logs have no validation entries; remove those of the previous epoch.
        self.progress.logs.truncate(model.n_scores());
        let begun = self.source.begin_epoch(model, done);
        self.agree(begun)?;
        while self.progress.stop.is_none() && self.progress.ending != Ending::Interrupted {
            self.progress.batch = done;
            if callbacks.is_empty() {
                let begun = done;
                let (now, outcome) = self.source.steps(model, begun, self.token.as_ref())?;
                done = now;
                self.position.batch = done;
                self.position.taken += (done - begun) as u64;
                self.progress.batch = done;
                match outcome {
                    StepOutcome::EndOfEpoch => {
                        self.progress.batch = done.saturating_sub(1);
                        break;
                    }
                    StepOutcome::Diverged(divergence) => return Ok(EpochOutcome::Diverged(divergence)),
                    StepOutcome::Trained => self.poll_stop_token(),
                }
                continue;
            }
            match self.source.step(model, done)? {
                StepOutcome::EndOfEpoch => {
                    self.progress.batch = done.saturating_sub(1);
                    break;
                }
                StepOutcome::Diverged(divergence) => return Ok(EpochOutcome::Diverged(divergence)),
                StepOutcome::Trained => done += 1,
            }
            self.position.batch = done;
            self.position.taken += 1;
            self.poll_stop_token();
            self.gather_on_first_rank()?;
            self.source.scores().write(&mut self.progress.logs, 0);
            if let Some(ranks) = &self.ranks {
                ranks.merged.write(&mut self.progress.logs, 0);
            }
            self.call(model, callbacks, |callback, run| callback.on_batch_end(run))?;
            self.poll_stop_token();
            // An interrupted run requests a checkpoint, to be resumable.
            self.progress.checkpoint_requested |= self.progress.ending == Ending::Interrupted;
            self.emit_checkpoint(model, callbacks)?;
        }
        // A gradient that overflows in the last update is detected in the weights.
        let finite = validate::all_finite(&model.params) && validate::all_finite(&model.state);
        Ok(if finite {
            EpochOutcome::Finished { batches: done }
        } else {
            EpochOutcome::Diverged(Divergence { quantity: "weights", loss: f64::NAN, invalid_index: None })
        })
    }

    /// Restores the last good epoch and reduces the learning rate, or returns [`Error::Diverged`], as the options say.
    fn recover(&mut self, model: &mut Model<F>, divergence: Divergence) -> Result<()> {
        let (epoch, batch, rate) = (self.progress.epoch, self.progress.batch, model.learning_rate());
        self.last_good.restore(model);
        match self.options.on_divergence {
            // A smaller learning rate cannot fix an invalid index.
            OnDivergence::RestoreAndReduce { factor, times }
                if self.history.recoveries().len() < times && divergence.invalid_index.is_none() =>
            {
                let smaller = model.optimizer_state.learning_rate.clone().scaled(factor);
                model.optimizer_state.learning_rate = smaller;
                self.history.recover(epoch, rate, model.learning_rate());
                log_event!(
                    warn,
                    "the {} is not finite in epoch {}, batch {}: restored the last good epoch, learning rate {rate} \
                     reduced to {}",
                    divergence.quantity,
                    epoch + 1,
                    batch + 1,
                    model.learning_rate()
                );
                self.position.batch = 0;
                // Discard the running means of the batches that were rolled back.
                let first = self.progress.names.iter().take(model.n_scores()).cloned().collect();
                self.progress.logs = Logs::with_keys(first);
                Ok(())
            }
            _ => Err(divergence.at(epoch, batch, rate, self.last_good.epoch)),
        }
    }

    /// Takes the snapshot, validates, calls `on_epoch_end`, and records the epoch in the history.
    fn end_epoch(
        &mut self,
        model: &mut Model<F>,
        callbacks: &mut Callbacks<'_, F>,
        begun: Timer,
    ) -> Result<()> {
        let epoch = self.progress.epoch;
        model.epochs_trained += 1;
        self.last_good.update(model, epoch + 1);
        if let Some(ranks) = &self.ranks {
            ranks.ranks.require_same_params(model, epoch + 1)?;
        }
        self.validate(model, epoch)?;
        self.progress.logs.assign(&self.epoch_logs);
        (self.position.epoch, self.position.batch) = (epoch + 1, 0);
        if self.is_exhausted()? && epoch + 1 < self.options.epochs {
            self.progress.stop.get_or_insert_with(|| RAN_OUT.into());
        }
        self.call(model, callbacks, |callback, run| callback.on_epoch_end(run))?;
        self.history.push(epoch, &self.progress.logs);
        log_event!(info, "epoch {}/{}: {}", epoch + 1, self.options.epochs, self.progress.logs);
        self.print(begun);
        self.emit_checkpoint(model, callbacks)
    }

    /// Stops a run whose source has no further batch; errors if it had none at all.
    fn end_without_batches(&mut self) -> Result<()> {
        if self.position.taken == 0 {
            return Err(Error::Empty { what: "batches".into(), shape: "()".into(), needed: "batch" });
        }
        self.progress.stop.get_or_insert_with(|| RAN_OUT.into());
        Ok(())
    }

    /// Fills the epoch logs: training scores, validation scores if this epoch is validated, learning rate.
    fn validate(&mut self, model: &Model<F>, epoch: usize) -> Result<()> {
        let validated = (epoch + 1).is_multiple_of(self.options.validation_freq)
            && self.progress.ending != Ending::Interrupted;
        self.epoch_logs.clear();
        for name in self.progress.names.iter().filter(|name| validated || !name.starts_with("val_")) {
            self.epoch_logs.insert(name, 0.0);
        }
        of_all_ranks(&mut self.ranks, Ok(self.source.scores()))?.write(&mut self.epoch_logs, 0);
        if let (true, Some(validation)) = (validated, &mut self.validation) {
            let scores = of_all_ranks(&mut self.ranks, validation.evaluate(model))?;
            scores.write(&mut self.epoch_logs, model.n_scores());
        }
        self.epoch_logs.insert("learning_rate", model.learning_rate());
        Ok(())
    }

    /// Marks the run as interrupted if the stop token is set.
    fn poll_stop_token(&mut self) {
        if self.token.as_ref().is_some_and(StopToken::is_stopped) {
            self.progress.ending = Ending::Interrupted;
        }
    }

    /// Combines the sums of all ranks and gives them to rank 0, whose checkpoints hold them. Done after every batch of a run
    /// with callbacks, so that the order of the additions, and the bits, do not depend on where a run was interrupted.
    fn gather_on_first_rank(&mut self) -> Result<()> {
        let Some(MergedScores { ranks, merged }) = &mut self.ranks else { return Ok(()) };
        let scores = self.source.scores();
        ranks.merge_scores(scores, merged)?;
        scores.reset();
        if self.progress.rank == 0 {
            scores.set_sums(&merged.sums());
        }
        Ok(())
    }

    /// Whether no rank has more batches.
    fn is_exhausted(&self) -> Result<bool> {
        let own = self.source.exhausted();
        match &self.ranks {
            Some(ranks) => ranks.ranks.any(!own).map(|any| !any),
            None => Ok(own),
        }
    }

    /// In a distributed run an error of any rank is an error of all.
    pub(super) fn agree<T>(&self, own: Result<T>) -> Result<T> {
        agreed(self.ranks.as_ref().map(|ranks| ranks.ranks), own)
    }

    /// Calls `hook` of every callback in the order in which they were added. All are called even if one fails; the first error
    /// is returned. The ranks of a distributed run agree on the outcome.
    pub(super) fn call(
        &mut self,
        model: &mut Model<F>,
        callbacks: &mut Callbacks<'_, F>,
        hook: Hook<F>,
    ) -> Result<()> {
        let outcome = self.call_hook(model, callbacks, hook);
        match &self.ranks {
            Some(ranks) if !callbacks.is_empty() => ranks.ranks.agree_on_hook(outcome, &mut self.progress),
            _ => outcome,
        }
    }

    fn call_hook(
        &mut self,
        model: &mut Model<F>,
        callbacks: &mut Callbacks<'_, F>,
        hook: Hook<F>,
    ) -> Result<()> {
        let mut outcome = Ok(());
        let rank = self.progress.rank;
        for callback in callbacks.iter_mut().filter(|callback| runs_on(rank, &***callback)) {
            let mut run = Run { model: &mut *model, progress: &mut self.progress, resume: None };
            outcome = outcome.and(hook(&mut **callback, &mut run));
        }
        outcome.and(self.check_architecture(model))
    }

    /// Errors if a callback replaced the model: the run's buffers are allocated for one layout.
    fn check_architecture(&self, model: &Model<F>) -> Result<()> {
        if Arc::ptr_eq(&self.layout, &model.layout) {
            return Ok(());
        }
        Err(Error::Misplaced {
            context: "a callback's model_mut",
            option: "another model in place of the one that is trained",
            hint: "copy the weights into the trained model by set_weights or load_weights",
        })
    }

    /// Prints the line of an epoch, unless silent.
    fn print(&self, begun: Timer) {
        if self.options.verbose == Verbose::Silent || self.progress.rank != 0 {
            return;
        }
        let (epoch, epochs) = (self.progress.epoch + 1, self.progress.epochs);
        let (seconds, batches) = (begun.elapsed().as_secs_f64(), self.progress.batch + 1);
        #[allow(clippy::cast_precision_loss, reason = "batches of an epoch")]
        let line = epoch_line(batches, seconds, seconds / batches as f64, &self.progress.logs);
        let head = if epochs > 1 { format!("Epoch {epoch}/{epochs}\n") } else { String::new() };
        // Ignore a closed pipe: training continues without output.
        let _ = writeln!(std::io::stdout(), "{head}{line}");
    }
}

/// The sums of losses and metrics of all ranks, or the own ones without other ranks.
fn of_all_ranks<'s, F: Float>(
    ranks: &'s mut Option<MergedScores<'_, F>>,
    own: Result<&'s mut Scores<F>>,
) -> Result<&'s Scores<F>> {
    match ranks {
        Some(MergedScores { ranks, merged }) => {
            ranks.merge_scores(agreed(Some(*ranks), own)?, merged)?;
            Ok(merged)
        }
        None => own.map(|own| &*own),
    }
}

/// Whether a callback runs on this rank.
pub(super) fn runs_on<F: Float>(rank: usize, callback: &(dyn Callback<F> + '_)) -> bool {
    rank == 0 || !callback.first_rank_only()
}

/// The outcome of the batches of one epoch.
enum EpochOutcome {
    /// The epoch ended, or the run was stopped, after this many batches.
    Finished {
        batches: usize,
    },
    Diverged(Divergence),
}

/// The reason that the history gives for a run whose iterator ended early.
const RAN_OUT: &str = "the batches ran out";
