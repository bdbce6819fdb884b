//! Transfer learning: a network that has learned the digits 0 to 4 learns 5 to 9 from a few examples, because its
//! first layers know already what strokes look like.
//!
//! `cargo run --release --example transfer_learning`

use axonal::ndarray::{Array1, Array2, Axis};
use axonal::prelude::*;

/// The images of the digits from `first` to `first + 4`, labelled 0 to 4.
fn five_digits(images: &Array2<f32>, labels: &Array1<usize>, first: usize) -> (Array2<f32>, Array1<usize>) {
    let rows: Vec<usize> =
        (0..labels.len()).filter(|&row| (first..first + 5).contains(&labels[row])).collect();
    (images.select(Axis(0), &rows), labels.select(Axis(0), &rows).mapv(|label| label - first))
}

fn main() -> Result<()> {
    let digits = axonal::datasets::load_digits::<f32>()?;
    let images = &digits.data / 16.0;
    let (x_low, y_low) = five_digits(&images, &digits.target, 0);
    let (x_high, y_high) = five_digits(&images, &digits.target, 5);
    // Of the new digits, 50 examples must do.
    let few = 50.0 / y_high.len() as f64;
    let (x_test, x_few, y_test, y_few) = train_test_split(&x_high, &y_high, few, 7)?;

    // 1. Train on the digits of which there are many.
    let mut first = Sequential::new(64)
        .add(Dense::new(64).activation(Activation::Relu))
        .add(Dense::new(32).activation(Activation::Relu))
        .add(Dense::new(5).activation(Activation::Softmax))
        .seed(1)
        .compile(Adam::default(), SparseCategoricalCrossentropy::default())?
        .metric(Accuracy::default());
    first.fit_with(&x_low, &y_low, FitOptions::new().epochs(30))?;
    println!("0 to 4: accuracy {:.3} on {} images", accuracy(&first, &x_low, &y_low)?, y_low.len());

    // 2. Take the head away, freeze the body, put a new head on.
    let mut head = first
        .into_sequential()
        .pop()
        .freeze()
        .add(Dense::new(5).activation(Activation::Softmax))
        .compile(Adam::new(0.01), SparseCategoricalCrossentropy::default())?
        .metric(Accuracy::default());
    println!("{}", head.summary());
    head.fit_with(&x_few, &y_few, FitOptions::new().epochs(40).batch_size(10))?;
    println!("5 to 9, new head alone:   accuracy {:.3}", accuracy(&head, &x_test, &y_test)?);

    // 3. Go on with all layers, in small steps.
    let mut all = head
        .into_sequential()
        .unfreeze()
        .compile(Adam::new(0.0005), SparseCategoricalCrossentropy::default())?
        .metric(Accuracy::default());
    let options = FitOptions::new().epochs(60).batch_size(10);
    let stopping = EarlyStopping::new("loss").patience(5).min_delta(1e-3).restore_best_weights(true);
    all.fit_with(&x_few, &y_few, options.callback(stopping))?;
    println!("5 to 9, all layers tuned: accuracy {:.3}", accuracy(&all, &x_test, &y_test)?);

    // For comparison: the same network from nothing, on the same 50 images.
    let mut alone = Sequential::new(64)
        .add(Dense::new(64).activation(Activation::Relu))
        .add(Dense::new(32).activation(Activation::Relu))
        .add(Dense::new(5).activation(Activation::Softmax))
        .seed(1)
        .compile(Adam::default(), SparseCategoricalCrossentropy::default())?
        .metric(Accuracy::default());
    alone.fit_with(&x_few, &y_few, FitOptions::new().epochs(100).batch_size(10))?;
    println!("5 to 9, from nothing:     accuracy {:.3}", accuracy(&alone, &x_test, &y_test)?);
    Ok(())
}

fn accuracy(model: &Model<f32>, x: &Array2<f32>, y: &Array1<usize>) -> Result<f64> {
    Ok(model.evaluate(x, y)?.get("accuracy").unwrap_or(f64::NAN))
}
