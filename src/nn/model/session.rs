//! One call of `fit`: epochs, validation, callbacks, and what to do when numbers run away.

use super::data::Samples;
use super::feed::Feed;
use super::last_good::LastGood;
use super::scores::Scores;
use super::trainer::Divergence;
use crate::error::{Error, Result};
use crate::float::Float;
use crate::nn::callback::{Callback, Checkpoint, Ending, Position, Progress, Run, StopToken};
use crate::nn::fit_options::{OnDivergence, PlainOptions, Verbose};
use crate::nn::history::{History, Logs};
use crate::nn::layout::Layout;
use crate::nn::model::Model;
use crate::nn::workspace::Workspace;
use std::io::Write as _;
use std::sync::Arc;
use std::time::Instant;

/// The callbacks of a run.
pub(super) type Callbacks<'c, F> = [Box<dyn Callback<F> + 'c>];

/// What is learned from, what is judged by, and where the run stands.
pub(super) struct Session<'a, F, S> {
    pub(super) feed: S,
    held_out: Option<(&'a Samples<'a, F>, Workspace<F>, Scores<F>)>,
    pub(super) options: &'a PlainOptions,
    token: Option<StopToken>,
    /// The architecture that the buffers were made for.
    layout: Arc<Layout<F>>,
    /// The loss and the metrics, then the same of the validation, then the learning rate.
    epoch_logs: Logs,
    pub(super) progress: Progress,
    pub(super) position: Position,
    pub(super) last_good: LastGood<F>,
    pub(super) history: History,
    /// The checkpoint that a callback wants to go on from.
    resume: Option<Checkpoint<F>>,
}

impl<'a, F: Float, S: Feed<F>> Session<'a, F, S> {
    pub(super) fn new(
        model: &Model<F>,
        feed: S,
        held_out: Option<&'a Samples<'a, F>>,
        options: &'a PlainOptions,
        token: Option<StopToken>,
    ) -> Result<Self> {
        let held_out = match held_out {
            Some(held_out) => {
                // As in Keras: a loss that is a sum, or one of a batch as a whole, depends on the batch.
                // The batches of an iterator are not known before the first one.
                let batch = if feed.batch_size() == 0 { 32 } else { feed.batch_size() };
                let batch =
                    model.layout.batch_size("validation data", held_out.len(), batch)?.min(held_out.len());
                Some((held_out, Workspace::new(&model.layout, batch)?, Scores::new(model)?))
            }
            None => None,
        };
        let mut names = model.score_names();
        if held_out.is_some() {
            names.extend(model.score_names().iter().map(|name| format!("val_{name}")));
        }
        names.push("learning_rate".into());
        let progress = Progress {
            epochs: options.epochs,
            batches: feed.batches(),
            names: names.clone(),
            logs: Logs::with_keys(model.score_names()),
            ..Progress::default()
        };
        Ok(Self {
            feed,
            held_out,
            options,
            token,
            layout: model.layout.clone(),
            epoch_logs: Logs::with_keys(names),
            progress,
            position: Position { epoch: options.initial_epoch, ..Position::default() },
            last_good: LastGood::of(model, None),
            history: History::default(),
            resume: None,
        })
    }

    pub(super) fn run(mut self, model: &mut Model<F>, callbacks: &mut Callbacks<'_, F>) -> Result<History> {
        let begun = self.begin(model, callbacks);
        let outcome = begun.and_then(|()| self.epochs(model, callbacks));
        match &outcome {
            Ok(()) => model.optimizer_state.overwrite_with_ema(&mut model.params),
            Err(_) => self.progress.ending = Ending::Failed,
        }
        // Callbacks close their files and restore their weights also where the run failed.
        let closed = self.call(model, callbacks, |callback, run| callback.on_train_end(run));
        outcome?;
        closed?;
        if let Some(reason) = self.progress.stop {
            self.history.stop(reason);
        } else if self.progress.ending == Ending::Interrupted {
            self.history.stop("interrupted".into());
        }
        Ok(self.history)
    }

    /// Tells the callbacks, and goes on from a checkpoint where one of them has such.
    fn begin(&mut self, model: &mut Model<F>, callbacks: &mut Callbacks<'_, F>) -> Result<()> {
        let mut slot = None;
        let mut outcome = Ok(());
        for callback in &mut *callbacks {
            let progress = &mut self.progress;
            let told = callback.on_train_begin(&mut Run { model, progress, resume: Some(&mut slot) });
            outcome = outcome.and(told);
        }
        outcome.and(self.check_architecture(model))?;
        self.resume = slot;
        match self.resume.take() {
            Some(checkpoint) => self.go_on_from(checkpoint, model, callbacks),
            None => Ok(()),
        }
    }

    fn epochs(&mut self, model: &mut Model<F>, callbacks: &mut Callbacks<'_, F>) -> Result<()> {
        let first = self.position;
        for epoch in first.epoch..self.options.epochs {
            // Some batches of the epoch may have been done before a checkpoint.
            let done = if epoch == first.epoch { first.batch } else { 0 };
            self.progress.epoch = epoch;
            self.look_at_token();
            if self.progress.ending == Ending::Interrupted {
                break;
            }
            let begun = Instant::now();
            if done == 0 {
                if self.progress.stop.is_none() {
                    self.call(model, callbacks, |callback, run| callback.on_epoch_begin(run))?;
                }
                if self.progress.stop.is_some() {
                    break;
                }
            }
            if self.attempts(model, callbacks, done)? == 0 {
                self.out_of_batches()?;
                break;
            }
            self.end_epoch(model, callbacks, begun)?;
        }
        Ok(())
    }

    /// The batches of an epoch, again and again while numbers run away and the options say to go on; answers how
    /// many batches were done.
    fn attempts(
        &mut self,
        model: &mut Model<F>,
        callbacks: &mut Callbacks<'_, F>,
        mut done: usize,
    ) -> Result<usize> {
        loop {
            match self.batches(model, callbacks, done)? {
                Ok(done) => return Ok(done),
                Err(divergence) => self.recover(model, divergence)?,
            }
            done = 0;
        }
    }

    /// The steps of one epoch, from the batch of number `done` on.
    fn batches(
        &mut self,
        model: &mut Model<F>,
        callbacks: &mut Callbacks<'_, F>,
        mut done: usize,
    ) -> Result<std::result::Result<usize, Divergence>> {
        if done == 0 {
            self.feed.scores().reset();
        }
        // At a batch's end there is no validation yet; the epoch before had one.
        self.progress.logs.truncate(1 + model.metrics.len());
        self.feed.begin_epoch(model, done);
        while self.progress.stop.is_none() && self.progress.ending != Ending::Interrupted {
            self.progress.batch = done;
            if callbacks.is_empty() {
                let begun = done;
                let (now, stepped) = self.feed.steps(model, begun, self.token.as_ref())?;
                done = now;
                self.position.batch = done;
                self.position.taken += (done - begun) as u64;
                self.progress.batch = done;
                match stepped {
                    None => {
                        self.progress.batch = done.saturating_sub(1);
                        break;
                    }
                    Some(Err(divergence)) => return Ok(Err(divergence)),
                    Some(Ok(())) => self.look_at_token(),
                }
                continue;
            }
            match self.feed.step(model, done)? {
                None => {
                    self.progress.batch = done.saturating_sub(1);
                    break;
                }
                Some(Err(divergence)) => return Ok(Err(divergence)),
                Some(Ok(())) => done += 1,
            }
            self.position.batch = done;
            self.position.taken += 1;
            self.look_at_token();
            self.feed.scores().write(&mut self.progress.logs, 0);
            self.call(model, callbacks, |callback, run| callback.on_batch_end(run))?;
            self.look_at_token();
            // What is interrupted is meant to go on some day.
            self.progress.checkpoint_requested |= self.progress.ending == Ending::Interrupted;
            self.hand_out_checkpoint(model, callbacks)?;
        }
        // A gradient too large for its type shows in the weights at the latest.
        let finite = model.params.iter().chain(&model.state).fold(true, |finite, w| finite & w.is_finite());
        Ok(if finite {
            Ok(done)
        } else {
            Err(Divergence { quantity: "weights", loss: f64::NAN, stray: None })
        })
    }

    /// Back to the last good epoch: with a smaller learning rate and on, or with an error.
    fn recover(&mut self, model: &mut Model<F>, divergence: Divergence) -> Result<()> {
        let (epoch, batch, rate) = (self.progress.epoch, self.progress.batch, model.learning_rate());
        self.last_good.restore(model);
        match self.options.on_divergence {
            // Smaller steps make no index of a number that is none.
            OnDivergence::RestoreAndReduce { factor, times }
                if self.history.recoveries().len() < times && divergence.stray.is_none() =>
            {
                let smaller = model.optimizer_state.learning_rate.clone().scaled(factor);
                model.optimizer_state.learning_rate = smaller;
                self.history.recover(epoch, rate, model.learning_rate());
                self.position.batch = 0;
                // The epoch's running means hold nothing of what was taken back.
                let first = self.progress.names.iter().take(1 + model.metrics.len()).cloned().collect();
                self.progress.logs = Logs::with_keys(first);
                Ok(())
            }
            _ => Err(divergence.at(epoch, batch, rate, self.last_good.epoch)),
        }
    }

    fn end_epoch(
        &mut self,
        model: &mut Model<F>,
        callbacks: &mut Callbacks<'_, F>,
        begun: Instant,
    ) -> Result<()> {
        let epoch = self.progress.epoch;
        model.epochs_trained += 1;
        self.last_good.update(model, epoch + 1);
        self.judge(model, epoch)?;
        self.progress.logs.assign(&self.epoch_logs);
        (self.position.epoch, self.position.batch) = (epoch + 1, 0);
        if self.feed.exhausted() && epoch + 1 < self.options.epochs {
            self.progress.stop.get_or_insert_with(|| RAN_OUT.into());
        }
        self.call(model, callbacks, |callback, run| callback.on_epoch_end(run))?;
        self.history.push(epoch, &self.progress.logs);
        self.print(begun);
        self.hand_out_checkpoint(model, callbacks)
    }

    /// An epoch had no batch at all.
    fn out_of_batches(&mut self) -> Result<()> {
        if self.position.taken == 0 {
            return Err(Error::Empty { what: "batches".into(), shape: "()".into(), needed: "batch" });
        }
        self.progress.stop.get_or_insert_with(|| RAN_OUT.into());
        Ok(())
    }

    /// The numbers of the epoch: training, validation, learning rate.
    fn judge(&mut self, model: &Model<F>, epoch: usize) -> Result<()> {
        let validated = (epoch + 1).is_multiple_of(self.options.validation_freq)
            && self.progress.ending != Ending::Interrupted;
        self.epoch_logs.clear();
        for name in self.progress.names.iter().filter(|name| validated || !name.starts_with("val_")) {
            self.epoch_logs.insert(name, 0.0);
        }
        self.feed.scores().write(&mut self.epoch_logs, 0);
        if let (true, Some((samples, workspace, scores))) = (validated, &mut self.held_out) {
            scores.reset();
            model.score_samples(samples, workspace, scores)?;
            scores.write(&mut self.epoch_logs, 1 + model.metrics.len());
        }
        self.epoch_logs.insert("learning_rate", model.learning_rate());
        Ok(())
    }

    fn look_at_token(&mut self) {
        if self.token.as_ref().is_some_and(StopToken::is_stopped) {
            self.progress.ending = Ending::Interrupted;
        }
    }

    /// Tells every callback, in the order in which they were added; the first error wins, the others are told
    /// nevertheless.
    pub(super) fn call(
        &mut self,
        model: &mut Model<F>,
        callbacks: &mut Callbacks<'_, F>,
        hook: impl Fn(&mut dyn Callback<F>, &mut Run<'_, F>) -> Result<()>,
    ) -> Result<()> {
        let mut outcome = Ok(());
        for callback in callbacks {
            let mut run = Run { model: &mut *model, progress: &mut self.progress, resume: None };
            outcome = outcome.and(hook(&mut **callback, &mut run));
        }
        outcome.and(self.check_architecture(model))
    }

    /// The buffers of the run are made for one architecture, so no callback may exchange it.
    fn check_architecture(&self, model: &Model<F>) -> Result<()> {
        if Arc::ptr_eq(&self.layout, &model.layout) {
            return Ok(());
        }
        Err(Error::Misplaced {
            context: "a callback's model_mut",
            option: "another model in place of the one that is trained",
            hint: "give its weights to this one by set_weights or load_weights",
        })
    }

    fn print(&self, begun: Instant) {
        if self.options.verbose == Verbose::Silent {
            return;
        }
        let (epoch, epochs) = (self.progress.epoch + 1, self.progress.epochs);
        let seconds = begun.elapsed().as_secs_f64();
        // A closed pipe is no reason to stop training.
        let _ =
            writeln!(std::io::stdout(), "epoch {epoch}/{epochs} - {seconds:.2}s - {}", self.progress.logs);
    }
}

/// Why a run over an iterator ends early.
const RAN_OUT: &str = "the batches ran out";
