//! Dreaming and saliency: a network learns to tell rings from crosses; then an image is changed so that an inner layer responds
//! more strongly, and the pixels that decide about a class are marked.
//!
//! `cargo run --release --example deep_dream`

use axonal::ndarray::{Array1, Array2, Array4, Axis};
use axonal::prelude::*;

const SIDE: usize = 12;

/// A ring or a cross around a moving center.
fn image(number: usize) -> Array2<f32> {
    let center = |step: usize| 5.0 + ((number / step) % 3) as f32 - 0.5;
    let (row, column) = (center(2), center(6));
    Array2::from_shape_fn((SIDE, SIDE), |(i, j)| {
        let (a, b) = (i as f32 - row, j as f32 - column);
        let on = if number.is_multiple_of(2) {
            ((a * a + b * b).sqrt() - 3.5).abs() < 0.8
        } else {
            (a.abs() < 0.8 || b.abs() < 0.8) && a.abs().max(b.abs()) < 4.0
        };
        f32::from(u8::from(on))
    })
}

fn show(title: &str, image: &Array2<f32>) {
    let largest = image.iter().fold(1e-9_f32, |largest, v| largest.max(v.abs()));
    println!("{title}");
    for row in image.rows() {
        let shade =
            |v: &f32| [' ', '.', ':', '+', '#'][((v.abs() / largest) * 4.0).round().min(4.0) as usize];
        println!("  {}", row.iter().map(shade).collect::<String>());
    }
}

fn main() -> Result<()> {
    let n = 180;
    let mut x = Array4::zeros((n, SIDE, SIDE, 1));
    for (number, mut slot) in x.axis_iter_mut(Axis(0)).enumerate() {
        slot.index_axis_mut(Axis(2), 0).assign(&image(number));
    }
    let y: Array1<usize> = (0..n).map(|number| number % 2).collect();
    let mut model = Sequential::new([SIDE, SIDE, 1])
        .add(Conv2D::new(6, 3).activation(Activation::Relu))
        .named("edges")
        .add(MaxPooling2D::new(2))
        .add(Flatten::new())
        .add(Dense::new(2).activation(Activation::Softmax))
        .seed(3)
        .compile(Adam::new(0.01), SparseCategoricalCrossentropy::new())?
        .metric(Accuracy::new());
    model.fit_with(&x, &y, FitOptions::new().epochs(12).batch_size(20))?;
    println!("accuracy {:.3}", model.evaluate(&x, &y)?.get("accuracy").unwrap_or(f64::NAN));

    // Saliency: how the probability of "cross" depends on each pixel (Simonyan et al. 2014, arXiv:1312.6034).
    let one = x.slice_axis(Axis(0), (1..2).into()).to_owned();
    let (_, saliency) = model.input_gradient(&one, |y| {
        let mut dy = Array2::zeros(y.raw_dim());
        dy[[0, 1]] = 1.0;
        dy
    })?;
    let plane = |image: &Array4<f32>| image.index_axis(Axis(0), 0).index_axis(Axis(2), 0).to_owned();
    show("a cross:", &plane(&one));
    show("what decides:", &plane(&saliency));

    // Gradient ascent on the image raises the mean square of the layer "edges" (Mordvintsev et al. 2015).
    let energy = |image: &Array4<f32>| -> Result<f32> {
        let seen = model.activations(image, &["edges"])?;
        Ok(seen.iter().map(|values| values.mapv(|v| v * v).mean().unwrap_or(0.0)).sum())
    };
    let mut dream =
        Array4::from_shape_fn((1, SIDE, SIDE, 1), |(_, i, j, _)| ((i * 7 + j * 5) % 4) as f32 / 8.0);
    let before = energy(&dream)?;
    for _ in 0..40 {
        let (_, dx) = model.input_gradient_of(&dream, &["edges"], |seen| {
            seen.iter().map(|values| values.mapv(|v| 2.0 * v / values.len() as f32)).collect()
        })?;
        let scale = 0.05 / dx.iter().fold(1e-9_f32, |largest, v| largest.max(v.abs()));
        dream.zip_mut_with(&dx, |pixel, gradient| *pixel = (*pixel + scale * gradient).clamp(0.0, 1.0));
    }
    show("a dream:", &plane(&dream));
    let after = energy(&dream)?;
    println!("energy of the layer: {before:.4} before, {after:.4} after");
    assert!(after > 2.0 * before);
    Ok(())
}
