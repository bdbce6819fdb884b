//! What a progress bar writes over a whole run.

use axonal::ndarray::{Array1, Array2};
use axonal::prelude::*;

fn written(terminal: bool, epochs: usize) -> String {
    let x = Array2::<f32>::from_shape_fn((40, 3), |(i, j)| ((i * 7 + j * 5) % 13) as f32 / 13.0);
    let y = Array1::<f32>::from_iter(x.column(0).iter().copied());
    let network = Sequential::new(3).add(Dense::new(1));
    let mut model = network.compile(Sgd::new(0.1), MeanSquaredError::default()).unwrap();
    let mut out = Vec::new();
    let options = FitOptions::new().epochs(epochs).batch_size(10).validation_split(0.25);
    model.fit_with(&x, &y, options.callback(ProgressBar::to(&mut out, terminal))).unwrap();
    String::from_utf8(out).unwrap()
}

#[test]
fn a_file_gets_one_plain_line_an_epoch() {
    let text = written(false, 3);
    let lines: Vec<&str> = text.lines().collect();
    assert_eq!(lines.len(), 3);
    for (epoch, line) in lines.iter().enumerate() {
        assert!(line.starts_with(&format!("Epoch {}/3 - 3/3 - 0s - ", epoch + 1)), "{line}");
        assert!(line.contains("/step - loss: ") && line.contains(" - val_loss: "), "{line}");
    }
    assert!(!text.contains(['\x1b', '\r']));
}

#[test]
fn a_terminal_gets_a_bar_that_ends_full() {
    let text = written(true, 2);
    assert!(text.contains("Epoch 1/2\n") && text.contains("Epoch 2/2\n"));
    let last = text.trim_end().rsplit('\r').next().unwrap();
    assert!(last.starts_with("\x1b[1m3/3\x1b[0m \x1b[32m━━━━━━━━━━━━━━━━━━━━\x1b[0m"), "{last:?}");
    assert!(text.ends_with('\n'));
    assert!(!written(true, 1).contains("Epoch"), "one epoch needs no heading");
}
