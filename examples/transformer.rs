//! A transformer encoder: which of two words comes first in a sentence with padding?
//!
//! `cargo run --release --example transformer`

use axonal::ndarray::{Array1, Array2};
use axonal::prelude::*;

fn main() -> Result<()> {
    let (rows, length, words) = (900, 10, 12);
    // Words 1 and 2 stand at two places among others; 0 pads the end.
    let mut x = Array2::from_shape_fn((rows, length), |(i, j)| (3 + (i * 7 + j * 5) % (words - 3)) as u8);
    let mut first = Vec::with_capacity(rows);
    for (i, mut row) in x.rows_mut().into_iter().enumerate() {
        let len = length - i % 4;
        let (a, b) = (i / 2 % len, (i / 2 + 1 + i / 7 % (len - 1)) % len);
        (row[a], row[b]) = (1, 2);
        row.iter_mut().skip(len).for_each(|word| *word = 0);
        first.push(a < b);
    }
    let y = Array1::from(first);

    let attention =
        Residual::new().add(LayerNormalization::new()).add(MultiHeadAttention::new(2, 8).dropout(0.1));
    let feed_forward = Residual::new()
        .add(LayerNormalization::new())
        .add(Dense::new(32).activation(Activation::Gelu))
        .add(Dense::new(16));
    let mut model: Model<f32> = Sequential::new(length)
        .add(Embedding::new(words, 16).mask_zero(true))
        .add(PositionEmbedding::new(length))
        .add(attention)
        .add(feed_forward)
        .add(GlobalAveragePooling1D::new())
        .add(Dense::new(1).activation(Activation::Sigmoid))
        .seed(2)
        .compile(Adam::new(0.005), BinaryCrossentropy::new())?
        .metric(Accuracy::new());
    println!("{}", model.summary());
    let options = FitOptions::new().epochs(25).batch_size(30).validation_split(0.2);
    let history = model.fit_with(&x, &y, options)?;
    let accuracy = history.get("accuracy").and_then(|values| values.last()).copied().unwrap_or(0.0);
    println!("training accuracy {accuracy:.3}, {}", model.evaluate(&x, &y)?);
    assert!(accuracy > 0.9, "{accuracy}");
    Ok(())
}
