//! How far a run has come, on the terminal.

use super::{Callback, Run};
use crate::error::Result;
use crate::float::Float;
use crate::nn::history::Logs;
use std::fmt;
use std::io::{self, IsTerminal, Write};
use std::time::{Duration, Instant};

/// Shows the progress of a run as Keras does: on a terminal a bar that moves with the batches, anywhere else (a file, a
/// pipe) one line an epoch.
///
/// ```text
/// Epoch 3/10
///  90/188 ━━━━━━━━━━━━━━━━━━━━ 0s 6ms/step - loss: 0.5100 - accuracy: 0.8900
/// ```
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
    out: Box<dyn Write + 'a>,
    terminal: bool,
    /// Whether "Epoch 3/10" is still to be written.
    header_due: bool,
    /// When the epoch began, and how many of its batches had been done before.
    begun: (Instant, usize),
    drawn: Option<Instant>,
    /// The characters of the line that stands there.
    width: usize,
}

/// The characters of a bar.
const BAR: usize = 20;
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
        Self::to(io::stdout(), io::stdout().is_terminal())
    }

    /// To any writer: a bar for a terminal, else lines.
    #[must_use]
    pub fn to(out: impl Write + 'a, terminal: bool) -> Self {
        let begun = (Instant::now(), 0);
        Self { out: Box::new(out), terminal, header_due: true, begun, drawn: None, width: 0 }
    }

    fn header(&mut self, epoch: usize, epochs: usize) {
        if std::mem::take(&mut self.header_due) && epochs > 1 && self.terminal {
            self.write(&format!("Epoch {}/{epochs}\n", epoch + 1));
        }
    }

    /// Replaces the line that stands there.
    fn draw(&mut self, line: &str, end: &str) {
        let visible = visible_len(line);
        let padding = " ".repeat(self.width.saturating_sub(visible));
        self.write(&format!("\r{line}{padding}{end}"));
        self.width = if end.is_empty() { visible } else { 0 };
    }

    fn write(&mut self, text: &str) {
        // A closed pipe is no reason to stop training.
        let _ = self.out.write_all(text.as_bytes()).and_then(|()| self.out.flush());
    }

    fn timing(&self, done: usize) -> Timing {
        let steps = done.saturating_sub(self.begun.1).max(1);
        let elapsed = self.begun.0.elapsed().as_secs_f64();
        Timing { elapsed, per_step: elapsed / steps as f64 }
    }
}

/// How long an epoch has taken, and each of its steps, in seconds.
struct Timing {
    elapsed: f64,
    per_step: f64,
}

impl<F: Float> Callback<F> for ProgressBar<'_> {
    fn on_train_begin(&mut self, _: &mut Run<'_, F>) -> Result<()> {
        (self.header_due, self.begun, self.drawn, self.width) = (true, (Instant::now(), 0), None, 0);
        Ok(())
    }

    fn on_epoch_begin(&mut self, _: &mut Run<'_, F>) -> Result<()> {
        (self.header_due, self.begun, self.drawn) = (true, (Instant::now(), 0), None);
        Ok(())
    }

    fn on_batch_end(&mut self, run: &mut Run<'_, F>) -> Result<()> {
        if self.header_due && run.batch() > 0 {
            // A resumed run begins in the midst of an epoch.
            self.begun.1 = run.batch();
        }
        self.header(run.epoch(), run.epochs());
        if self.terminal && self.drawn.is_none_or(|drawn| drawn.elapsed() >= PAUSE) {
            let done = run.batch() + 1;
            let timing = self.timing(done);
            let left = timing.per_step * run.batches().saturating_sub(done) as f64;
            let seconds = if run.batches() > 0 { left } else { timing.elapsed };
            let line = bar(done, run.batches(), seconds, timing.per_step, run.logs());
            self.draw(&line, "");
            self.drawn = Some(Instant::now());
        }
        Ok(())
    }

    fn on_epoch_end(&mut self, run: &mut Run<'_, F>) -> Result<()> {
        self.header(run.epoch(), run.epochs());
        let done = run.batch() + 1;
        let Timing { elapsed, per_step } = self.timing(done);
        if self.terminal {
            let line = bar(done, done.max(run.batches()), elapsed, per_step, run.logs());
            self.draw(&line, "\n");
        } else {
            let epoch = format!("Epoch {}/{}", run.epoch() + 1, run.epochs());
            let (seconds, step) = (clock(elapsed), step_time(per_step));
            self.write(&format!("{epoch} - {done}/{done} - {seconds} - {step} - {}\n", run.logs()));
        }
        Ok(())
    }

    fn on_train_end(&mut self, _: &mut Run<'_, F>) -> Result<()> {
        if self.width > 0 {
            self.write("\n");
            self.width = 0;
        }
        Ok(())
    }
}

/// The line of a terminal, with its colors.
fn bar(done: usize, batches: usize, seconds: f64, per_step: f64, logs: &Logs) -> String {
    let behind = format!("\x1b[1m{}\x1b[0m {} - {logs}", clock(seconds), step_time(per_step));
    if batches == 0 {
        return format!("\x1b[1m{done:7}/Unknown\x1b[0m {behind}");
    }
    let filled = (BAR * done.min(batches)) / batches;
    let (green, white) = ("━".repeat(filled), "━".repeat(BAR - filled));
    let width = batches.to_string().len();
    format!("\x1b[1m{done:width$}/{batches}\x1b[0m \x1b[32m{green}\x1b[0m\x1b[37m{white}\x1b[0m {behind}")
}

/// `7s`, `3:05`, `1:00:09`.
#[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "seconds of a run")]
fn clock(seconds: f64) -> String {
    let seconds = seconds.round() as u64;
    let (hours, minutes, rest) = (seconds / 3600, seconds / 60 % 60, seconds % 60);
    match (hours, minutes) {
        (0, 0) => format!("{rest}s"),
        (0, _) => format!("{minutes}:{rest:02}"),
        _ => format!("{hours}:{minutes:02}:{rest:02}"),
    }
}

fn step_time(seconds: f64) -> String {
    match seconds {
        seconds if seconds >= 1.0 || seconds == 0.0 => format!("{seconds:.0}s/step"),
        seconds if seconds >= 1e-3 => format!("{:.0}ms/step", seconds * 1e3),
        seconds => format!("{:.0}us/step", seconds * 1e6),
    }
}

/// The characters that a line takes on the terminal: those of the colors are not seen.
fn visible_len(line: &str) -> usize {
    let mut parts = line.split('\x1b');
    let first = parts.next().map_or(0, |part| part.chars().count());
    first + parts.map(|part| part.split_once('m').map_or(0, |(_, rest)| rest.chars().count())).sum::<usize>()
}

impl fmt::Debug for ProgressBar<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ProgressBar").field("terminal", &self.terminal).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn logs() -> Logs {
        let mut logs = Logs::default();
        logs.insert("accuracy", 0.59);
        logs.insert("loss", 5e-4);
        logs
    }

    /// The bytes that Keras writes, for its order of the logs.
    #[test]
    fn a_bar_looks_as_that_of_keras() {
        let nine = "━".repeat(9);
        let expected = format!(
            "\x1b[1m 90/188\x1b[0m \x1b[32m{nine}\x1b[0m\x1b[37m{nine}━━\x1b[0m \x1b[1m0s\x1b[0m 6ms/step - \
             accuracy: 0.5900 - loss: 5.0000e-04"
        );
        assert_eq!(bar(90, 188, 0.4, 0.006, &logs()).replace("5.0000e-4", "5.0000e-04"), expected);
        assert!(bar(3, 0, 0.0, 0.0, &logs()).starts_with("\x1b[1m      3/Unknown"));
        assert_eq!(visible_len(&expected), 7 + 1 + 20 + 1 + 2 + 1 + 8 + 3 + 16 + 3 + 16);
    }

    #[test]
    fn times_are_written_as_keras_writes_them() {
        assert_eq!([0.4, 59.0, 61.0, 3661.0].map(clock), ["0s", "59s", "1:01", "1:01:01"]);
        assert_eq!([0.0, 2.0, 0.011, 5e-5].map(step_time), ["0s/step", "2s/step", "11ms/step", "50us/step"]);
    }

    #[test]
    fn a_shorter_line_leaves_nothing_of_a_longer_one() {
        let mut out = Vec::new();
        let mut progress = ProgressBar::to(&mut out, true);
        progress.draw("a long line", "");
        progress.draw("short", "\n");
        drop(progress);
        assert_eq!(String::from_utf8(out).unwrap(), "\ra long line\rshort      \n");
    }
}
