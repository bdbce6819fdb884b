//! The text of a progress bar: while an epoch runs, after it, and where there is no terminal.

use crate::nn::history::Logs;
use console::{measure_text_width, style, truncate_str};

/// What a progress bar shows of an epoch.
#[derive(Debug)]
pub(super) struct Line<'l> {
    pub(super) done: usize,
    /// Batches of the epoch; 0 while that is not known.
    pub(super) batches: usize,
    /// Remaining seconds while the epoch runs, and the seconds it took after its end.
    pub(super) seconds: f64,
    pub(super) seconds_per_step: f64,
    pub(super) logs: &'l Logs,
}

/// The longest bar, in columns.
const BAR: usize = 20;
/// A terminal of fewer columns gets a shorter bar and no time per step while an epoch runs.
const NARROW: usize = 60;

impl Line<'_> {
    /// One line of fewer than `columns` columns: metrics that do not fit are cut off.
    pub(super) fn running(&self, columns: usize) -> String {
        let mut line = self.head(columns);
        if columns >= NARROW {
            line = format!("{line} {}", step_time(self.seconds_per_step));
        }
        for score in self.scores() {
            line = format!("{line} - {score}");
        }
        // A character in the last column wraps the line on some terminals.
        truncate_str(&line, columns.saturating_sub(1).max(1), "…").into_owned()
    }

    /// All metrics, wrapped between them to lines of at most `columns` columns.
    pub(super) fn finished(&self, columns: usize) -> String {
        let mut line = format!("{} {}", self.head(columns), step_time(self.seconds_per_step));
        let indent = " ".repeat(self.batches.max(self.done).to_string().len().min(columns / 4) + 1);
        let mut text = String::new();
        let mut separator = " - ";
        for score in self.scores() {
            let width = measure_text_width(&line) + separator.len() + measure_text_width(&score);
            if width > columns {
                text = text + &line + "\n";
                (line, separator) = (indent.clone(), "");
            }
            line = line + separator + &score;
            separator = " - ";
        }
        text + &line
    }

    /// Without colors and without a bar.
    pub(super) fn plain(&self) -> String {
        let (done, seconds) = (self.done, clock(self.seconds));
        let scores: Vec<String> = self.scores().collect();
        format!("{done}/{done} - {seconds} - {} - {}", step_time(self.seconds_per_step), scores.join(" - "))
    }

    /// The count of batches, the bar and the time.
    fn head(&self, columns: usize) -> String {
        let time = style(clock(self.seconds)).bold();
        if self.batches == 0 {
            return format!("{} {time}", style(format!("{:7}/Unknown", self.done)).bold());
        }
        let bar = if columns < NARROW { columns / 5 } else { BAR };
        let filled = bar * self.done.min(self.batches) / self.batches;
        let (green, white) = (style("━".repeat(filled)).green(), style("━".repeat(bar - filled)).white());
        let width = self.batches.to_string().len();
        let count = style(format!("{:width$}/{}", self.done, self.batches)).bold();
        format!("{count} {green}{white} {time}")
    }

    /// `loss: 0.5100`, …: names of custom metrics may hold control characters, which would move the cursor.
    fn scores(&self) -> impl Iterator<Item = String> {
        let scores =
            self.logs.iter().map(|(key, value)| Logs::score(key, value).replace(char::is_control, " "));
        scores.collect::<Vec<_>>().into_iter()
    }
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

#[cfg(test)]
mod tests {
    use super::*;
    use console::strip_ansi_codes;

    fn logs() -> Logs {
        let mut logs = Logs::default();
        for (key, value) in [("accuracy", 0.59), ("loss", 5e-4), ("val_accuracy", 0.61), ("val_loss", 0.25)] {
            logs.insert(key, value);
        }
        logs
    }

    fn line(logs: &Logs, done: usize, batches: usize) -> Line<'_> {
        Line { done, batches, seconds: 0.4, seconds_per_step: 0.006, logs }
    }

    /// The text that Keras writes, for its order of the logs.
    #[test]
    fn a_running_epoch_looks_as_in_keras() {
        let logs = logs();
        let text = line(&logs, 90, 188).running(200);
        let expected = format!(
            " 90/188 {} 0s 6ms/step - accuracy: 0.5900 - loss: 5.0000e-04 - val_accuracy: 0.6100 - val_loss: 0.2500",
            "━".repeat(20)
        );
        assert_eq!(strip_ansi_codes(&text).replace("e-4", "e-04"), expected);
        let unknown = line(&logs, 3, 0).running(200);
        assert!(
            strip_ansi_codes(&unknown).starts_with("      3/Unknown 0s 6ms/step - accuracy"),
            "{unknown}"
        );
    }

    #[test]
    fn no_line_is_wider_than_the_terminal() {
        let mut logs = logs();
        logs.insert("精度", 0.5);
        for columns in 1..200 {
            for (done, batches) in [(1, 188), (188, 188), (3, 0), (123_456, 123_456)] {
                let running = line(&logs, done, batches).running(columns);
                let width = measure_text_width(&running);
                assert!(width < columns.max(2), "{columns}: {width} {running}");
                let finished = line(&logs, done, batches.max(done)).finished(columns);
                let finished = strip_ansi_codes(&finished).into_owned();
                for (key, value) in logs.iter() {
                    assert!(finished.contains(&Logs::score(key, value)), "{columns}: {key} in {finished}");
                }
                let widest = finished.lines().map(measure_text_width).max().unwrap();
                assert!(widest <= columns || columns < 44, "{columns}: {widest}\n{finished}");
            }
        }
    }

    #[test]
    fn a_finished_epoch_wraps_between_its_metrics() {
        let logs = logs();
        let text = line(&logs, 188, 188).finished(80);
        let expected = format!(
            "188/188 {} 0s 6ms/step - accuracy: 0.5900 - loss: 5.0000e-4\n    val_accuracy: 0.6100 - val_loss: 0.2500",
            "━".repeat(20)
        );
        assert_eq!(strip_ansi_codes(&text), expected);
    }

    #[test]
    fn control_characters_in_a_name_stay_out_of_the_line() {
        let mut logs = Logs::default();
        logs.insert("a\nb\x1b[2Jc\r", 0.5);
        for text in [line(&logs, 1, 2).plain(), line(&logs, 1, 2).running(99), line(&logs, 1, 2).finished(99)]
        {
            assert!(strip_ansi_codes(&text).contains("a b [2Jc : 0.5000"), "{text:?}");
        }
    }

    #[test]
    fn times_are_written_as_keras_writes_them() {
        assert_eq!([0.4, 59.0, 61.0, 3661.0].map(clock), ["0s", "59s", "1:01", "1:01:01"]);
        assert_eq!([0.0, 2.0, 0.011, 5e-5].map(step_time), ["0s/step", "2s/step", "11ms/step", "50us/step"]);
    }
}
