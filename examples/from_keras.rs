//! A network that Keras has trained on the digits of scikit-learn is loaded, evaluated, trained further and saved for
//! Keras again. `examples/data/digits.keras` was made by `scripts/interop/keras_round_trips.py digits`.
//!
//! `cargo run --release --example from_keras --features keras`

use axonal::ndarray::s;
use axonal::prelude::*;

fn main() -> Result<()> {
    let digits = axonal::datasets::load_digits::<f32>()?;
    // The rows that Keras has trained on come first.
    let (x_train, x_test) = (digits.data.slice(s![..1400, ..]), digits.data.slice(s![1400.., ..]));
    let (y_train, y_test) = (digits.target.slice(s![..1400]), digits.target.slice(s![1400..]));

    // Layers, weights, loss, metrics, and the optimizer with its state.
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/examples/data/digits.keras");
    let mut model = Model::<f32>::load_keras(path)?;
    println!("{}", model.summary());
    let accuracy = |model: &Model<f32>| -> Result<f64> {
        Ok(model.evaluate(&x_test, &y_test)?.get("accuracy").unwrap_or(f64::NAN))
    };
    println!("as Keras left it:      accuracy {:.4}", accuracy(&model)?);

    // Training continues with Adam's moments, and with the rows that were seen before.
    model.fit_with(&x_train, &y_train, FitOptions::new().epochs(10).batch_size(32))?;
    println!("after 10 more epochs:  accuracy {:.4}", accuracy(&model)?);

    // Keras reads this file: keras.models.load_model("digits.keras").
    let saved = std::env::temp_dir().join("digits.keras");
    model.save_keras(&saved)?;
    println!("saved for Keras in {}", saved.display());
    assert_eq!(Model::<f32>::load_keras(&saved)?.predict(&x_test)?, model.predict(&x_test)?);

    // The same layers and weights for another question: only the last layer is new.
    let mut odd = Sequential::<f32>::load_keras(path)?
        .pop()
        .freeze()
        .add(Dense::new(1).activation(Activation::Sigmoid))
        .compile(Adam::new(0.01), BinaryCrossentropy::default())?
        .metric(Accuracy::default());
    odd.fit_with(&x_train, &y_train.mapv(|digit| digit % 2), FitOptions::new().epochs(10))?;
    let scores = odd.evaluate(&x_test, &y_test.mapv(|digit| digit % 2))?;
    println!("odd or even:           accuracy {:.4}", scores.get("accuracy").unwrap_or(f64::NAN));
    Ok(())
}
