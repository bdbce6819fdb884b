//! A curve through noisy points, in double precision: y = sin(3x) + x.
//!
//! `cargo run --release --example regression`

use axonal::ndarray::{Array1, Array2, Axis};
use axonal::prelude::*;
use axonal::rng::{Purpose, Rng};

fn curve(x: f64) -> f64 {
    (3.0 * x).sin() + x
}

fn main() -> Result<()> {
    let mut rng = Rng::new(11, Purpose::Dataset, 0);
    let x = Array2::from_shape_fn((600, 1), |_| rng.uniform() * 4.0 - 2.0);
    let y: Array1<f64> = x.iter().map(|&x| curve(x) + 0.1 * rng.normal()).collect();

    let mut model = Sequential::new(1)
        .add(Dense::new(32).activation(Activation::Tanh))
        .add(Dense::new(32).activation(Activation::Tanh))
        .add(Dense::new(1))
        .seed(5)
        .compile(Adam::new(0.01), MeanSquaredError::default())?
        .metric(axonal::metrics::RootMeanSquaredError::default());
    let options = FitOptions::new().epochs(400).batch_size(32).validation_split(0.2);
    let history = model.fit_with(&x, &y, options)?;
    let error = |key: &str| history.get(key).and_then(|values| values.last()).copied().unwrap_or(f64::NAN);
    println!(
        "root mean squared error: training {:.3}, validation {:.3} (the noise alone is 0.1)\n",
        error("root_mean_squared_error"),
        error("val_root_mean_squared_error")
    );

    let grid = Array1::linspace(-2.0, 2.0, 17).insert_axis(Axis(1));
    let answers = model.predict(&grid)?;
    println!("    x    curve  network");
    for (x, answer) in grid.iter().zip(&answers) {
        println!("{x:5.2}  {:7.3}  {answer:7.3}", curve(*x));
    }
    Ok(())
}
