//! Segmentation with skip connections (Ronneberger, Fischer and Brox 2015, arXiv:1505.04597): which pixels of a noisy image
//! belong to the disk?
//!
//! `cargo run --release --example unet`; with `--features plot` it also draws the network into `target/unet-model.svg`.

use axonal::layers::UpSampling2D;
use axonal::ndarray::Array4;
use axonal::prelude::*;

const SIDE: usize = 16;

fn main() -> Result<()> {
    let n = 120;
    let inside = |number: usize, i: usize, j: usize| {
        let (row, column) = (4 + number % 7, 4 + number / 7 % 7);
        (i as f32 - row as f32).hypot(j as f32 - column as f32) < 3.0
    };
    let noise = |number: usize, i: usize, j: usize| ((number * 31 + i * 17 + j * 13) % 11) as f32 / 22.0;
    let x = Array4::from_shape_fn((n, SIDE, SIDE, 1), |(number, i, j, _)| {
        noise(number, i, j) + if inside(number, i, j) { 0.5 } else { 0.0 }
    });
    let y = Array4::from_shape_fn((n, SIDE, SIDE, 1), |(number, i, j, _)| u8::from(inside(number, i, j)));

    let convolution = |filters| Conv2D::new(filters, 3).padding(Padding::Same).activation(Activation::Relu);
    let image = Input::new("image", [SIDE, SIDE, 1]);
    let fine = image.then(convolution(6));
    let coarse = fine.then(MaxPooling2D::new(2)).then(convolution(12));
    let deep = coarse.then(MaxPooling2D::new(2)).then(convolution(16));
    // Each level of the way up sees the features of the same level on the way down.
    let up = Concatenate::new().of([&deep.then(UpSampling2D::new(2)), &coarse]).then(convolution(12));
    let up = Concatenate::new().of([&up.then(UpSampling2D::new(2)), &fine]).then(convolution(6));
    let mask = up.then(Conv2D::new(1, 1).activation(Activation::Sigmoid));
    let mut model: Model<f32> = Graph::new([&image])
        .output("mask", &mask, BinaryCrossentropy::new())
        .seed(4)
        .compile(Adam::new(0.01))?
        .metric(axonal::metrics::BinaryAccuracy::new());
    println!("{}", model.summary());
    #[cfg(feature = "plot")]
    model.plot().show_layer_activations(true).save("target/unet-model.svg")?;
    let history = model.fit_with(&x, &y, FitOptions::new().epochs(20).batch_size(10))?;
    let accuracy = history.get("binary_accuracy").and_then(|values| values.last()).copied().unwrap_or(0.0);
    println!("pixels right: {accuracy:.4}");
    assert!(accuracy > 0.95, "{accuracy}");
    Ok(())
}
