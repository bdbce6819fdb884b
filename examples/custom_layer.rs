//! A custom layer in six steps: written, proven right, trained, and what the checker says of a wrong one.
//!
//! `cargo run --release --example custom_layer`

use axonal::custom::{Backward, Config, Forward, Plan, Shape};
use axonal::ndarray::{Array1, Array2};
use axonal::prelude::*;
use axonal::testing::check_layer;
use serde::{Deserialize, Serialize};

/// Gaussian bumps: y = exp(-γ ⊙ x²), with one learnable γ for each feature.
// 1. A recipe: hyperparameters only, no numbers that training changes, no float type.
#[derive(Debug, Clone, Serialize, Deserialize)]
struct Bump {
    /// γ at the start.
    gamma: f64,
}

impl<F: Float> Layer<F> for Bump {
    // 2. A name with a namespace.
    fn kind(&self) -> &'static str {
        "example.bump"
    }

    // 3. What the layer needs: the output's shape, parameters and how they start, and caches.
    fn plan(&self, input: &Shape) -> Result<Plan> {
        if !self.gamma.is_finite() {
            return Err(Error::invalid_parameter("example.bump", "gamma", self.gamma, "a finite number"));
        }
        Ok(Plan::output(input.clone()).param("gamma", input.clone(), Initializer::Constant(self.gamma)))
    }

    // 4. Forward: overwrite y.
    fn forward(&self, Forward { x, mut y, params: gamma, .. }: Forward<'_, F>) {
        for (x, mut y) in x.rows().into_iter().zip(y.rows_mut()) {
            for i in 0..gamma.len() {
                y[i] = (-gamma[i] * x[i] * x[i]).exp();
            }
        }
    }

    // 5. Backward: overwrite dx, ADD to the gradients; each line differentiates one of forward.
    fn backward(&self, Backward { x, y, dy, mut dx, params: gamma, grads: dgamma, .. }: Backward<'_, F>) {
        for row in 0..x.nrows() {
            for i in 0..gamma.len() {
                // y = exp(-γ x²)  =>  dx = dy y (-2 γ x), dγ += dy y (-x²)
                let slope = dy[[row, i]] * y[[row, i]];
                dx[[row, i]] = -F::of(2.0) * slope * gamma[i] * x[[row, i]];
                dgamma[i] -= slope * x[[row, i]] * x[[row, i]];
            }
        }
    }

    // 6. For files: the recipe as data. (Optional: without it a model saves its weights only.)
    fn config(&self) -> Option<Config> {
        Config::of(self)
    }
}

/// The same, with the 2 forgotten.
#[derive(Debug)]
struct WrongBump;

impl<F: Float> Layer<F> for WrongBump {
    fn kind(&self) -> &'static str {
        "example.wrong_bump"
    }
    fn plan(&self, input: &Shape) -> Result<Plan> {
        Ok(Plan::output(input.clone()))
    }
    fn forward(&self, Forward { x, mut y, .. }: Forward<'_, F>) {
        y.zip_mut_with(&x, |y, &x| *y = (-x * x).exp());
    }
    fn backward(&self, Backward { x, y, dy, mut dx, .. }: Backward<'_, F>) {
        dx.assign(&dy);
        dx.zip_mut_with(&y, |dx, &y| *dx *= y);
        dx.zip_mut_with(&x, |dx, &x| *dx *= -x);
    }
}

fn main() -> Result<()> {
    match check_layer(&Bump { gamma: 1.0 }, 5) {
        Ok(()) => println!("example.bump holds the contract of a layer"),
        Err(failure) => println!("{failure}"),
    }
    if let Err(failure) = check_layer(&WrongBump, 5) {
        println!("{failure}");
    }

    // A ring around the origin, which one layer of bumps finds easily.
    let x = Array2::from_shape_fn((400, 2), |(i, j)| ((i * (7 + 12 * j)) % 101) as f32 / 25.0 - 2.0);
    let y: Array1<u8> = x
        .rows()
        .into_iter()
        .map(|row| u8::from((0.5..2.0).contains(&(row[0] * row[0] + row[1] * row[1]))))
        .collect();
    let mut model = Sequential::new(2)
        .add(Dense::new(16))
        .add(Bump { gamma: 1.0 })
        .add(Dense::new(1).activation(Activation::Sigmoid))
        .seed(1)
        .compile(Adam::new(0.02), BinaryCrossentropy::default())?
        .metric(Accuracy::default());
    let history = model.fit_with(&x, &y, FitOptions::new().epochs(60))?;
    let accuracy = history.get("accuracy").and_then(|values| values.last()).copied().unwrap_or(f64::NAN);
    println!("loss {:.4} -> {:.4}, accuracy {accuracy:.3}", history.loss()[0], history.loss()[59]);
    Ok(())
}
