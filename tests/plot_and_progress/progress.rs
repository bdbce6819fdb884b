//! What a progress bar writes over a whole run.

use super::terminal::Terminal;
use axonal::callbacks::LambdaCallback;
use axonal::metrics::AnyMetric;
use axonal::ndarray::{Array1, Array2};
use axonal::prelude::*;
use std::time::Duration;

/// A run of three batches an epoch, each of which takes long enough for a separate bar.
fn train(epochs: usize, bar: ProgressBar<'_>) {
    let x = Array2::<f32>::from_shape_fn((40, 3), |(i, j)| ((i * 7 + j * 5) % 13) as f32 / 13.0);
    let y = Array1::<f32>::from_iter(x.column(0).iter().copied());
    let network = Sequential::new(3).add(Dense::new(1));
    let model = network.compile(Sgd::new(0.1), MeanSquaredError::default()).unwrap();
    let mut model = model.metric("mae".parse::<AnyMetric<f32>>().unwrap());
    let slow = LambdaCallback::new().on_batch_end(|_| {
        std::thread::sleep(Duration::from_millis(60));
        Ok(())
    });
    let options = FitOptions::new().epochs(epochs).batch_size(10).validation_split(0.25);
    model.fit_with(&x, &y, options.callback(slow).callback(bar)).unwrap();
}

fn written(epochs: usize, columns: Option<u16>) -> String {
    let mut out = Vec::new();
    let bar = ProgressBar::to(&mut out, columns.is_some()).columns(columns.unwrap_or(0));
    train(epochs, bar);
    String::from_utf8(out).unwrap()
}

#[test]
fn a_file_gets_one_plain_line_per_epoch() {
    let text = written(3, None);
    let lines: Vec<&str> = text.lines().collect();
    assert_eq!(lines.len(), 3);
    for (epoch, line) in lines.iter().enumerate() {
        assert!(line.starts_with(&format!("Epoch {}/3 - 3/3 - 0s - ", epoch + 1)), "{line}");
        assert!(line.contains("/step - loss: ") && line.contains(" - val_loss: "), "{line}");
    }
    assert!(text.ends_with('\n') && !text.replace('\n', "").contains(char::is_control));
}

/// Lines wider than the terminal used to leave a line behind at each redraw.
#[test]
fn a_terminal_of_any_width_shows_each_epoch_once() {
    for columns in [24, 40, 80, 120, 200] {
        let screen = Terminal::of(columns.into(), &written(2, Some(columns)));
        let lines = screen.lines();
        let second = lines.iter().position(|line| line == "Epoch 2/2").unwrap();
        assert_eq!(lines[0], "Epoch 1/2");
        for epoch in [&lines[1..second], &lines[second + 1..]] {
            assert!(epoch[0].starts_with("3/3 ━"), "{columns}: {lines:#?}");
            // Each metric once, in the order of the logs.
            let scores: Vec<&str> = epoch
                .iter()
                .flat_map(|line| line.split(" - ").map(str::trim))
                .filter_map(|part| part.split_once(": ").map(|(name, _)| name))
                .collect();
            assert_eq!(
                scores,
                ["loss", "mae", "val_loss", "val_mae", "learning_rate"],
                "{columns}: {lines:#?}"
            );
        }
        assert_eq!(screen.wraps_of_redrawn(), 0, "{columns}: no line that is redrawn may wrap");
    }
}

#[test]
fn a_bar_ends_full_and_one_epoch_needs_no_heading() {
    let lines = Terminal::of(80, &written(1, Some(80))).lines();
    assert!(
        lines[0].starts_with("3/3 ━━━━━━━━━━━━━━━━━━━━ 0s ") && lines[0].contains(" - loss: "),
        "{lines:#?}"
    );
    assert!(lines[1].starts_with("  val_") && lines.len() == 2, "{lines:#?}");
}

/// A run that fails in an epoch leaves the line of that epoch, and the cursor on the next one.
#[test]
fn an_epoch_that_fails_leaves_its_line() {
    let mut out = Vec::new();
    let x = Array2::<f32>::ones((4, 1));
    let network = Sequential::new(1).add(Dense::new(1));
    let mut model = network.compile(Sgd::new(0.1), MeanSquaredError::default()).unwrap();
    let fails = LambdaCallback::new()
        .on_epoch_end(|run| Err(Error::invalid_parameter("test", "epoch", run.epoch(), "none")));
    let options = FitOptions::new().callback(fails).callback(ProgressBar::to(&mut out, true));
    assert!(model.fit_with(&x, &Array1::<f32>::ones(4), options).is_err());
    let text = String::from_utf8(out).unwrap();
    assert!(Terminal::of(80, &text).lines()[0].starts_with("1/1 ━━"), "{text:?}");
    assert!(text.ends_with('\n'));
}
