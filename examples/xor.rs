//! Exclusive or: the smallest problem that one neuron cannot solve, and three can.
//!
//! `cargo run --release --example xor`

use axonal::ndarray::array;
use axonal::prelude::*;

fn main() -> Result<()> {
    let x = array![[0.0, 0.0], [0.0, 1.0], [1.0, 0.0], [1.0, 1.0]];
    let y = array![0, 1, 1, 0];

    let mut model = Sequential::new(2)
        .add(Dense::new(8).activation(Activation::Tanh))
        .add(Dense::new(1).activation(Activation::Sigmoid))
        .seed(1)
        .compile(Adam::new(0.1), BinaryCrossentropy::default())?;
    let history = model.fit_with(&x, &y, FitOptions::new().epochs(300))?;
    println!("loss {:.4} → {:.4}", history.loss()[0], history.loss()[299]);

    let answers = model.predict(&x)?;
    for (inputs, answer) in x.rows().into_iter().zip(&answers) {
        println!("{} xor {} = {answer:.3}", inputs[0], inputs[1]);
    }
    Ok(())
}
