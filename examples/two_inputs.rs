//! Two inputs and two outputs: hours studied and a text of token ids give a grade and whether the student passes.
//!
//! `cargo run --release --example two_inputs`

use axonal::ndarray::{Array1, Array2};
use axonal::prelude::*;

fn main() -> Result<()> {
    let rows = 400;
    // Hours of study and the midterm grade; eight words of a comment, where word 7 stands for praise.
    let numbers = Array2::from_shape_fn((rows, 2), |(i, j)| ((i * (3 + 4 * j)) % 20) as f32 / 20.0);
    let words = Array2::from_shape_fn((rows, 8), |(i, j)| ((i * 5 + j * 3) % 12) as u8);
    let praise = |row: usize| words.row(row).iter().filter(|&&word| word == 7).count() as f32;
    let grade: Array1<f32> =
        (0..rows).map(|i| 0.6 * numbers[[i, 0]] + 0.3 * numbers[[i, 1]] + 0.2 * praise(i)).collect();
    let passes: Array1<bool> = grade.mapv(|grade| grade > 0.5);

    let (number, word) = (Input::new("numbers", 2), Input::new("words", 8));
    let comment = word.then(Embedding::new(12, 4)).then(GlobalAveragePooling1D::new());
    let features =
        Concatenate::new().of([&number, &comment]).then(Dense::new(32).activation(Activation::Relu));
    let deeper = Add::new().of([&features, &features.then(Dense::new(32).activation(Activation::Relu))]);
    let mut model: Model<f32> = Graph::new([&number, &word])
        .output("grade", &deeper.then(Dense::new(1)), MeanSquaredError::new())
        .output(
            "passes",
            &deeper.then(Dense::new(1).activation(Activation::Sigmoid)),
            BinaryCrossentropy::new(),
        )
        .seed(1)
        .compile(Adam::new(0.01))?
        .metric_of("passes", Accuracy::new());
    println!("{}", model.summary());

    let (x, y) = ((&numbers, &words), (&grade, &passes));
    model.fit_with(x, y, FitOptions::new().epochs(60).batch_size(32).validation_split(0.2))?;
    let scores = model.evaluate(x, y)?;
    println!("{scores}");
    assert!(scores.get("passes_accuracy").unwrap_or(0.0) > 0.95);
    Ok(())
}
