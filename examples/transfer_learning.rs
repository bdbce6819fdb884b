//! Transfer learning: a network trained on digits is adapted to another task, whether a digit is odd, with
//! which only 40 examples have an answer. Its first layers know already what digits look like.
//!
//! `cargo run --release --example transfer_learning`

use axonal::ndarray::{Array1, Array2};
use axonal::prelude::*;

/// The layers that both questions have in common.
fn body() -> Sequential<f32> {
    Sequential::new(64)
        .add(Dense::new(64).activation(Activation::Relu))
        .add(Dense::new(32).activation(Activation::Relu))
        .seed(1)
}

fn main() -> Result<()> {
    let digits = axonal::datasets::load_digits::<f32>()?;
    let images = &digits.data / 16.0;
    let (x_train, x_rest, y_train, y_rest) = train_test_split(&images, &digits.target, 0.4, 7)?;
    let odd = y_rest.mapv(|digit| digit % 2 == 1);
    let (x_test, x_few, odd_test, odd_few) = train_test_split(&x_rest, &odd, 40.0 / odd.len() as f64, 8)?;

    // 1. Train on the question of which there are many examples.
    let mut reader = body()
        .add(Dense::new(10).activation(Activation::Softmax))
        .compile(Adam::default(), SparseCategoricalCrossentropy::default())?
        .metric(Accuracy::default());
    reader.fit_with(&x_train, &y_train, FitOptions::new().epochs(40))?;
    let accuracy = reader.evaluate(&x_rest, &y_rest)?.get("accuracy").unwrap_or(f64::NAN);
    println!("which digit, {} examples: accuracy {accuracy:.3}", y_train.len());

    // 2. Take the head away, freeze the body, put a new head on.
    let mut head = reader
        .into_sequential()
        .pop()
        .freeze()
        .add(Dense::new(1).activation(Activation::Sigmoid))
        .compile(Adam::new(0.02), BinaryCrossentropy::default())?
        .metric(Accuracy::default());
    head.fit_with(&x_few, &odd_few, FitOptions::new().epochs(100).batch_size(10))?;
    println!("odd or even, {} examples", odd_few.len());
    println!("  a new head alone:   accuracy {:.3}", accuracy_of(&head, &x_test, &odd_test)?);

    // 3. Fine-tune all layers with a small learning rate.
    let mut tuned = head
        .into_sequential()
        .unfreeze()
        .compile(Adam::new(0.0003), BinaryCrossentropy::default())?
        .metric(Accuracy::default());
    let stopping = EarlyStopping::new("loss").patience(5).min_delta(1e-3).restore_best_weights(true);
    tuned.fit_with(&x_few, &odd_few, FitOptions::new().epochs(60).batch_size(10).callback(stopping))?;
    println!("  all layers tuned:   accuracy {:.3}", accuracy_of(&tuned, &x_test, &odd_test)?);

    // For comparison: the same layers from nothing, on the same 40 examples.
    let mut alone = body()
        .add(Dense::new(1).activation(Activation::Sigmoid))
        .compile(Adam::default(), BinaryCrossentropy::default())?
        .metric(Accuracy::default());
    alone.fit_with(&x_few, &odd_few, FitOptions::new().epochs(100).batch_size(10))?;
    println!("  from nothing:       accuracy {:.3}", accuracy_of(&alone, &x_test, &odd_test)?);
    Ok(())
}

fn accuracy_of(model: &Model<f32>, x: &Array2<f32>, y: &Array1<bool>) -> Result<f64> {
    Ok(model.evaluate(x, y)?.get("accuracy").unwrap_or(f64::NAN))
}
