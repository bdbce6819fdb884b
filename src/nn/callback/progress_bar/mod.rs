//! Progress of a training run on the terminal.

mod line;
mod output;

use super::{Callback, CallbackSettings, Run};
use crate::error::Result;
use crate::float::Float;
use crate::host::Timer;
use indicatif::ProgressStyle;
use line::Line;
use output::Output;
use std::fmt;
use std::io::Write;
use std::time::Duration;

/// Shows the progress of a run as Keras does: on a terminal a bar that moves with the batches, anywhere else (a file, a
/// pipe) one line per epoch.
///
/// ```text
/// Epoch 3/10
///  90/188 ━━━━━━━━━━━━━━━━━━━━ 0s 6ms/step - loss: 0.5100 - accuracy: 0.8900
/// ```
///
/// The line of a running epoch is cut to the width of the terminal; that of a finished one has all metrics, wrapped.
/// Colors follow `NO_COLOR` and `CLICOLOR_FORCE`.
///
/// # Examples
/// ```
/// use axonal::ndarray::array;
/// use axonal::prelude::*;
///
/// # fn main() -> Result<()> {
/// let mut model = Sequential::new(1).add(Dense::new(1)).compile(Sgd::new(0.1), MeanSquaredError::default())?;
/// let options = FitOptions::new().epochs(2).callback(ProgressBar::new());
/// model.fit_with(&array![[0.0], [1.0]], &array![1.0, 3.0], options)?;
/// # Ok(())
/// # }
/// ```
pub struct ProgressBar<'a> {
    output: Output<'a>,
    to_stdout: bool,
    /// Whether "Epoch 3/10" is still to be written.
    header_due: bool,
    /// When the epoch began, and how many of its batches had been done before.
    begun: (Timer, usize),
    drawn: Option<Timer>,
    /// The bar of the running epoch, with its last line.
    bar: Option<(indicatif::ProgressBar, String)>,
}

/// No bar is drawn sooner after the one before.
const PAUSE: Duration = Duration::from_millis(50);

impl Default for ProgressBar<'_> {
    fn default() -> Self {
        Self::new()
    }
}

impl<'a> ProgressBar<'a> {
    /// To standard output: a bar if that is a terminal, else lines.
    #[must_use]
    pub fn new() -> Self {
        Self { to_stdout: true, ..Self::with_output(Output::stdout()) }
    }

    /// To any writer: a bar for a terminal, of 80 columns unless [`columns`](Self::columns) says otherwise, else lines.
    #[must_use]
    pub fn to(out: impl Write + 'a, terminal: bool) -> Self {
        Self::with_output(Output::writer(out, terminal))
    }

    /// The width of the terminal behind the writer of [`to`](Self::to). That of standard output is known.
    #[must_use]
    pub fn columns(mut self, columns: u16) -> Self {
        self.output.set_columns(columns);
        self
    }

    fn with_output(output: Output<'a>) -> Self {
        Self {
            output,
            to_stdout: false,
            header_due: true,
            begun: (Timer::start(), 0),
            drawn: None,
            bar: None,
        }
    }

    fn header(&mut self, epoch: usize, epochs: usize) {
        if std::mem::take(&mut self.header_due) && epochs > 1 && self.output.columns().is_some() {
            self.output.line(&format!("Epoch {}/{epochs}", epoch + 1));
        }
    }

    /// Replaces the line of the running epoch.
    fn draw(&mut self, line: String) {
        let (bar, last) = self.bar.get_or_insert_with(|| {
            let bar = indicatif::ProgressBar::with_draw_target(None, self.output.target());
            // The template has no other key, and is always valid.
            if let Ok(style) = ProgressStyle::with_template("{msg}") {
                bar.set_style(style);
            }
            (bar, String::new())
        });
        bar.set_message(line.clone());
        *last = line;
        self.output.flush();
        self.drawn = Some(Timer::start());
    }

    /// Takes the line of the running epoch away, and answers what it was.
    fn clear(&mut self) -> Option<String> {
        let (bar, last) = self.bar.take()?;
        bar.finish_and_clear();
        self.output.flush();
        Some(last)
    }

    /// Seconds since the epoch began, and for each of its steps.
    fn timing(&self, done: usize) -> (f64, f64) {
        let steps = done.saturating_sub(self.begun.1).max(1);
        let elapsed = self.begun.0.elapsed().as_secs_f64();
        (elapsed, elapsed / steps as f64)
    }
}

impl<F: Float> Callback<F> for ProgressBar<'_> {
    fn on_train_begin(&mut self, _: &mut Run<'_, F>) -> Result<()> {
        self.clear();
        (self.header_due, self.begun, self.drawn) = (true, (Timer::start(), 0), None);
        Ok(())
    }

    fn on_epoch_begin(&mut self, _: &mut Run<'_, F>) -> Result<()> {
        (self.header_due, self.begun, self.drawn) = (true, (Timer::start(), 0), None);
        Ok(())
    }

    fn on_batch_end(&mut self, run: &mut Run<'_, F>) -> Result<()> {
        if self.header_due && run.batch() > 0 {
            // A resumed run begins in the midst of an epoch.
            self.begun.1 = run.batch();
        }
        self.header(run.epoch(), run.epochs());
        if self.drawn.is_some_and(|drawn| drawn.elapsed() < PAUSE) {
            return Ok(());
        }
        let Some(columns) = self.output.columns() else { return Ok(()) };
        let (done, batches) = (run.batch() + 1, run.batches());
        let (elapsed, seconds_per_step) = self.timing(done);
        let left = seconds_per_step * batches.saturating_sub(done) as f64;
        let seconds = if batches > 0 { left } else { elapsed };
        self.draw(Line { done, batches, seconds, seconds_per_step, logs: run.logs() }.running(columns));
        Ok(())
    }

    fn on_epoch_end(&mut self, run: &mut Run<'_, F>) -> Result<()> {
        self.header(run.epoch(), run.epochs());
        self.clear();
        let done = run.batch() + 1;
        let (seconds, seconds_per_step) = self.timing(done);
        let line =
            Line { done, batches: done.max(run.batches()), seconds, seconds_per_step, logs: run.logs() };
        let text = match self.output.columns() {
            Some(columns) => line.finished(columns),
            None => format!("Epoch {}/{} - {}", run.epoch() + 1, run.epochs(), line.plain()),
        };
        self.output.line(&text);
        Ok(())
    }

    fn on_train_end(&mut self, _: &mut Run<'_, F>) -> Result<()> {
        // An epoch that did not come to its end leaves its last line.
        if let Some(last) = self.clear() {
            self.output.line(&last);
        }
        Ok(())
    }

    fn settings(&self) -> Option<CallbackSettings<F>> {
        self.to_stdout.then(|| CallbackSettings::factory(ProgressBar::new))
    }

    fn first_rank_only(&self) -> bool {
        true
    }
}

impl fmt::Debug for ProgressBar<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ProgressBar").field("output", &self.output).finish_non_exhaustive()
    }
}
