//! Will the student pass? Hours studied and the midterm grade in, the probability of passing the final out.
//!
//! A neuron turns its inputs into a number; layers of neurons turn "hours studied and the midterm grade" into a
//! probability. Training shows the network students whose result is known, compares, and moves the weights a
//! little against the error: forward, compare, backward, again and again.
//!
//! `cargo run --release --example pass_the_final`

use axonal::ndarray::{Array1, Array2, array};
use axonal::prelude::*;

fn main() -> Result<()> {
    // 400 students. By the rule that the network does not know, one passes when 0.6 · hours + 0.08 · midterm
    // exceeds 8.
    let x = Array2::from_shape_fn((400, 2), |(row, column)| match column {
        0 => (row % 20) as f64,
        _ => 40.0 + ((row * 7) % 60) as f64,
    });
    let y: Array1<bool> = x.rows().into_iter().map(|s| 0.6 * s[0] + 0.08 * s[1] > 8.0).collect();
    let (x_train, x_test, y_train, y_test) = train_test_split(&x, &y, 0.25, 3)?;

    // Hours and grades have other units and ranges: bring both to mean 0 and deviation 1.
    let mut scaler = StandardScaler::new();
    scaler.fit(&x_train)?;

    let mut model = Sequential::new(2)
        .add(Dense::new(8).activation(Activation::Tanh))
        .add(Dense::new(1).activation(Activation::Sigmoid))
        .seed(1)
        .compile(Adam::new(0.05), BinaryCrossentropy::default())?
        .metric(Accuracy::default());
    let history = model.fit_with(
        &scaler.transform(&x_train)?,
        &y_train,
        FitOptions::new().epochs(60).batch_size(32),
    )?;
    for epoch in [0, 9, 29, 59] {
        let accuracy = history.get("accuracy").map_or(f64::NAN, |values| values[epoch]);
        println!("epoch {:2}: loss {:.4}, accuracy {accuracy:.3}", epoch + 1, history.loss()[epoch]);
    }
    let scores = model.evaluate(&scaler.transform(&x_test)?, &y_test)?;
    println!("students that it has not seen: {scores}\n");

    let students = array![[18.0, 90.0], [10.0, 60.0], [6.0, 55.0], [1.0, 45.0]];
    let probabilities = model.predict(&scaler.transform(&students)?)?;
    println!("hours  midterm  probability of passing");
    for (student, probability) in students.rows().into_iter().zip(&probabilities) {
        println!("{:5}  {:7}  {probability:.3}", student[0], student[1]);
    }
    Ok(())
}
