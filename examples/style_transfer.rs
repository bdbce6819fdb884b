//! Merging the style of two images: the first gives the content, the second the style (Gatys, Ecker and Bethge 2015,
//! arXiv:1508.06576). The features come from convolutions with random weights, which suffice for stripes and shapes.
//!
//! `cargo run --release --example style_transfer`

use axonal::ndarray::{Array2, Array4, ArrayD, Axis};
use axonal::prelude::*;

const SIDE: usize = 16;
const LAYERS: [&str; 2] = ["fine", "coarse"];

fn picture(pixel: impl Fn(usize, usize) -> f64) -> Array4<f64> {
    Array4::from_shape_fn((1, SIDE, SIDE, 1), |(_, i, j, _)| pixel(i, j))
}

/// The features of a layer as rows of positions, and their Gram matrix over the channels.
fn gram(features: &ArrayD<f64>) -> Result<(Array2<f64>, Array2<f64>)> {
    let channels = features.shape()[3];
    let rows = features.len() / channels;
    let values = features.iter().copied().collect();
    let matrix = Array2::from_shape_vec((rows, channels), values)
        .map_err(|_| Error::shape("gram", "features of an image", "another shape"))?;
    let gram = matrix.t().dot(&matrix) / rows as f64;
    Ok((matrix, gram))
}

fn main() -> Result<()> {
    let model: Model<f64> = Sequential::new([SIDE, SIDE, 1])
        .add(Conv2D::new(12, 3).padding(Padding::Same).activation(Activation::Tanh))
        .named("fine")
        .add(MaxPooling2D::new(2))
        .add(Conv2D::new(16, 3).padding(Padding::Same).activation(Activation::Tanh))
        .named("coarse")
        .add(GlobalAveragePooling2D::new())
        .seed(8)
        .compile(Sgd::new(0.1), MeanSquaredError::new())?;
    let content = picture(|i, j| if (i as f64 - 7.5).hypot(j as f64 - 7.5) < 5.0 { 1.0 } else { 0.0 });
    let style = picture(|i, j| if (i + j) % 4 < 2 { 1.0 } else { 0.0 });

    let wanted_content = model.activations(&content, &LAYERS)?;
    let wanted_style: Vec<Array2<f64>> = model
        .activations(&style, &LAYERS)?
        .iter()
        .map(|features| gram(features).map(|(_, gram)| gram))
        .collect::<Result<_>>()?;
    let loss = |image: &Array4<f64>| -> Result<(f64, Vec<ArrayD<f64>>)> {
        let seen = model.activations(image, &LAYERS)?;
        let (mut loss, mut gradients) = (0.0, Vec::new());
        for (index, features) in seen.iter().enumerate() {
            let (matrix, own) = gram(features)?;
            let difference = &own - &wanted_style[index];
            loss += difference.mapv(|v| v * v).sum();
            // G = FᵀF / n  =>  dF = 4 F (G - G_style) / n
            let mut gradient = matrix.dot(&difference) * (4.0 / matrix.nrows() as f64);
            if index == 1 {
                let delta = features - &wanted_content[1];
                loss += 0.05 * delta.mapv(|v| v * v).mean().unwrap_or(0.0);
                let scale = 0.1 / delta.len() as f64;
                gradient.iter_mut().zip(&delta).for_each(|(slot, d)| *slot += scale * d);
            }
            let shaped = ArrayD::from_shape_vec(features.shape(), gradient.into_iter().collect());
            gradients.push(shaped.map_err(|_| Error::shape("loss", "features", "another shape"))?);
        }
        Ok((loss, gradients))
    };

    let mut image = content.clone();
    let before = loss(&image)?.0;
    for _ in 0..150 {
        let gradients = loss(&image)?.1;
        let (_, dx) = model.input_gradient_of(&image, &LAYERS, |_| gradients)?;
        let scale = 0.03 / dx.iter().fold(1e-12_f64, |largest, v| largest.max(v.abs()));
        image.zip_mut_with(&dx, |pixel, gradient| *pixel = (*pixel - scale * gradient).clamp(0.0, 1.0));
    }
    let after = loss(&image)?.0;
    for (title, image) in [("content", &content), ("style", &style), ("both", &image)] {
        println!("{title}:");
        for row in image.index_axis(Axis(0), 0).axis_iter(Axis(0)) {
            let shade = |v: &f64| [' ', '.', ':', '+', '#'][(v * 4.0).round() as usize];
            println!("  {}", row.iter().map(shade).collect::<String>());
        }
    }
    println!("loss {before:.4} before, {after:.4} after");
    assert!(after < 0.3 * before);
    Ok(())
}
