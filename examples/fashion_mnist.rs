//! A small convolutional network on Fashion-MNIST: 60,000 images of clothes to learn from, 10,000 to be tested by.
//!
//! `cargo run --release --features gzip --example fashion_mnist -- FOLDER [EPOCHS]`
//!
//! The folder holds the four files of the data set as they are published (`train-images-idx3-ubyte.gz`, …), or
//! unpacked ones. Without a folder the embedded digits take their place.

use axonal::datasets::{load_digits, load_idx};
use axonal::metrics::confusion_matrix;
use axonal::ndarray::{Array1, Array2};
use axonal::prelude::*;
use std::path::{Path, PathBuf};
use std::time::Instant;

type Samples = (Array2<f32>, Array1<usize>);

/// A file of the data set, packed or not.
fn file(folder: &Path, name: &str) -> PathBuf {
    let packed = folder.join(format!("{name}.gz"));
    if packed.exists() { packed } else { folder.join(name) }
}

fn load(folder: &Path, part: &str) -> Result<Samples> {
    let images = file(folder, &format!("{part}-images-idx3-ubyte"));
    let data = load_idx::<f32>(images, file(folder, &format!("{part}-labels-idx1-ubyte")))?;
    Ok((data.data, data.target))
}

/// Training and test samples, the side of the square images, and the largest pixel.
fn samples(folder: Option<&Path>) -> Result<(Samples, Samples, usize, f64)> {
    if let Some(folder) = folder {
        return Ok((load(folder, "train")?, load(folder, "t10k")?, 28, 255.0));
    }
    println!("no folder given, so the embedded digits take the place of Fashion-MNIST");
    let digits = load_digits::<f32>()?;
    let (x_train, x_test, y_train, y_test) = train_test_split(&digits.data, &digits.target, 0.2, 1)?;
    Ok(((x_train, y_train), (x_test, y_test), 8, 16.0))
}

fn main() -> Result<()> {
    let mut arguments = std::env::args_os().skip(1);
    let folder = arguments.next().map(PathBuf::from);
    let epochs = arguments.next().and_then(|epochs| epochs.to_str()?.parse().ok()).unwrap_or(3);
    let ((x_train, y_train), (x_test, y_test), side, largest) = samples(folder.as_deref())?;

    let mut model = Sequential::new(side * side)
        .add(Rescaling::new(1.0 / largest))
        .add(Reshape::new([side, side, 1]))
        .add(Conv2D::new(32, 3).activation(Activation::Relu))
        .add(MaxPooling2D::new(2))
        .add(Conv2D::new(64, 3).activation(Activation::Relu).padding(Padding::Same))
        .add(MaxPooling2D::new(2).padding(Padding::Same))
        .add(Flatten::default())
        .add(Dropout::new(0.25))
        .add(Dense::new(10).activation(Activation::Softmax))
        .seed(7)
        .compile(Adam::default(), SparseCategoricalCrossentropy::default())?
        .metric(Accuracy::default());
    println!("{}", model.summary());

    let begun = Instant::now();
    let options = FitOptions::new().epochs(epochs).batch_size(64).verbose(Verbose::Epochs);
    model.fit_with(&x_train, &y_train, options)?;
    println!("{:.2} s an epoch", begun.elapsed().as_secs_f64() / epochs as f64);

    let scores = model.evaluate(&x_test, &y_test)?;
    println!("test accuracy {:.4}", scores.get("accuracy").unwrap_or(f64::NAN));
    println!("{}", confusion_matrix(&y_test, &model.predict_classes(&x_test)?)?);
    Ok(())
}
