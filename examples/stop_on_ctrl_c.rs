//! Ctrl-C ends the training after the batch at hand; the next start resumes from there, to the bit.
//!
//! `cargo run --release --example stop_on_ctrl_c`, press Ctrl-C, and run it again.

use axonal::prelude::*;

fn main() -> Result<()> {
    let digits = axonal::datasets::load_digits::<f32>()?;
    let images = &digits.data / 16.0;
    let mut model = Sequential::new(64)
        .add(Dense::new(128).activation(Activation::Relu))
        .add(Dropout::new(0.2))
        .add(Dense::new(10).activation(Activation::Softmax))
        .seed(42)
        .compile(Adam::default(), SparseCategoricalCrossentropy::default())?
        .metric(Accuracy::default());

    let token = StopToken::new();
    let handler = token.clone();
    if let Err(problem) = ctrlc::set_handler(move || handler.stop()) {
        println!("Ctrl-C ends this program at once: {problem}");
    }
    let backups = std::env::temp_dir().join("axonal-stop-on-ctrl-c");
    let options = FitOptions::new()
        .epochs(30)
        .validation_split(0.1)
        .verbose(Verbose::Epochs)
        .callback(BackupAndRestore::new(&backups))
        .stop_token(&token);
    let history = model.fit_with(&images, &digits.target, options)?;

    match history.stopped() {
        Some(reason) => println!("{reason} in epoch {}; start again to continue", history.epochs()),
        None => println!("trained for {} epochs, loss {:.4}", history.epochs(), history.loss()[29]),
    }
    Ok(())
}
