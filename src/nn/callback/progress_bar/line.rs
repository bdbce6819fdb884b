//! The text of a progress bar: while an epoch runs, after it, and where there is no terminal.

use super::super::epoch_line::{clock, epoch_line, scores, step_time};
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
        for score in scores(self.logs) {
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
        for score in scores(self.logs) {
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
        epoch_line(self.done, self.seconds, self.seconds_per_step, self.logs)
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
}
