//! The line of a finished epoch, as Keras prints it.

use crate::nn::history::Logs;

/// `188/188 - 1s - 6ms/step - loss: 0.5100 - accuracy: 0.8900`
pub(crate) fn epoch_line(batches: usize, seconds: f64, seconds_per_step: f64, logs: &Logs) -> String {
    let scores: Vec<String> = scores(logs).collect();
    let (clock, step_time) = (clock(seconds), step_time(seconds_per_step));
    format!("{batches}/{batches} - {clock} - {step_time} - {}", scores.join(" - "))
}

/// `loss: 0.5100`, …: names of custom metrics may hold control characters, which would move the cursor.
pub(super) fn scores(logs: &Logs) -> impl Iterator<Item = String> {
    logs.iter().map(|(key, value)| Logs::score(key, value).replace(char::is_control, " "))
}

/// `7s`, `3:05`, `1:00:09`.
#[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "seconds of a run")]
pub(super) fn clock(seconds: f64) -> String {
    let seconds = seconds.round() as u64;
    let (hours, minutes, rest) = (seconds / 3600, seconds / 60 % 60, seconds % 60);
    match (hours, minutes) {
        (0, 0) => format!("{rest}s"),
        (0, _) => format!("{minutes}:{rest:02}"),
        _ => format!("{hours}:{minutes:02}:{rest:02}"),
    }
}

pub(super) fn step_time(seconds: f64) -> String {
    match seconds {
        seconds if seconds >= 1.0 || seconds == 0.0 => format!("{seconds:.0}s/step"),
        seconds if seconds >= 1e-3 => format!("{:.0}ms/step", seconds * 1e3),
        seconds => format!("{:.0}us/step", seconds * 1e6),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_written_as_keras_writes_them() {
        assert_eq!([0.4, 59.0, 61.0, 3661.0].map(clock), ["0s", "59s", "1:01", "1:01:01"]);
        assert_eq!([0.0, 2.0, 0.011, 5e-5].map(step_time), ["0s/step", "2s/step", "11ms/step", "50us/step"]);
    }

    #[test]
    fn the_line_of_an_epoch_is_that_of_verbose_2() {
        let mut logs = Logs::default();
        logs.insert("accuracy", 0.59);
        logs.insert("loss", 0.51);
        let line = epoch_line(188, 1.1, 0.006, &logs);
        assert_eq!(line, "188/188 - 1s - 6ms/step - accuracy: 0.5900 - loss: 0.5100");
    }
}
