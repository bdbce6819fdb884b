//! The gradient of an embedding as TensorFlow hands it to Keras: one row for each occurrence of an index.
//!
//! Keras's rules square (or take the absolute value of) these rows before they are summed, so that their moments see
//! `Σ g²` where the gradient's square is `(Σ g)²`. Keras's other backends, and this crate, square the gradient itself.
//! The runs here were made on TensorFlow, so the runner follows it: [`Observed`] notes the sums, and [`Unsummed`]
//! shifts the rule's moments ahead of each update by what that makes of them. The crate's own layer and rules do the
//! rest.

use crate::keras_config::Built;
use axonal::nn::{AnyRule, Backward, Config, Forward, Optimizer, Plan, Step};
use axonal::prelude::*;
use std::sync::{Arc, Mutex};

/// What a rule's moment takes up of the squares.
#[derive(Debug, Clone, Copy)]
enum Moment {
    /// `v = β v + (1 - β) Σ g²`, the moment of this place.
    Mean { place: usize, beta: f64 },
    /// `v += Σ g²`
    Sum,
    /// `u = max(β u, Σ |g|)`
    Largest { beta: f64 },
}

/// The moment of a class of optimizers, `None` where it only adds gradients up; an error names what waits.
fn moment(class: &str, number: impl Fn(&str) -> Option<f64>) -> Built<Option<Moment>> {
    let beta = number("beta_2").unwrap_or(0.999);
    Ok(Some(match class {
        "SGD" | "Lion" => return Ok(None),
        "Adam" | "AdamW" | "Nadam" | "Lamb" => Moment::Mean { place: 1, beta },
        "RMSprop" => Moment::Mean { place: 0, beta: number("rho").unwrap_or(0.9) },
        "Adagrad" => Moment::Sum,
        "Adamax" => Moment::Largest { beta },
        other => return Err(format!("the unsummed gradients of an embedding in {other}")),
    }))
}

/// What the layer notes and the rule takes: `Σ g²` or `Σ |g|` over the occurrences, for each number of the vectors.
#[derive(Debug, Clone)]
pub struct Occurrences {
    moment: Moment,
    sums: Arc<Mutex<Vec<f64>>>,
}

impl Occurrences {
    pub fn of(class: &str, number: impl Fn(&str) -> Option<f64>) -> Built<Option<Self>> {
        Ok(moment(class, number)?.map(|moment| Self { moment, sums: Arc::default() }))
    }
}

/// An embedding that notes the gradients of its occurrences.
#[derive(Debug)]
pub struct Observed {
    pub layer: Embedding,
    pub output_dim: usize,
    pub occurrences: Occurrences,
}

impl Layer<f64> for Observed {
    fn kind(&self) -> &'static str {
        Layer::<f64>::kind(&self.layer)
    }

    fn plan(&self, input: &Shape) -> axonal::Result<Plan> {
        Layer::<f64>::plan(&self.layer, input)
    }

    fn forward(&self, pass: Forward<'_, f64>) {
        self.layer.forward(pass);
    }

    fn backward(&self, pass: Backward<'_, f64>) {
        {
            let mut sums = self.occurrences.sums.lock().unwrap();
            sums.resize(pass.params.len(), 0.0);
            let dy: Vec<f64> = pass.dy.iter().copied().collect();
            for (&index, dy) in pass.x.iter().zip(dy.chunks_exact(self.output_dim)) {
                let sums = &mut sums[index as usize * self.output_dim..][..self.output_dim];
                for (sum, g) in sums.iter_mut().zip(dy) {
                    *sum += if matches!(self.occurrences.moment, Moment::Largest { .. }) {
                        g.abs()
                    } else {
                        g * g
                    };
                }
            }
        }
        self.layer.backward(pass);
    }
}

/// A rule whose moments take up the gradients of an embedding before they are summed.
#[derive(Debug)]
pub struct Unsummed {
    pub rule: AnyRule<f64>,
    pub occurrences: Occurrences,
}

impl Optimizer<f64> for Unsummed {
    fn kind(&self) -> &'static str {
        self.rule.kind()
    }

    fn moments(&self) -> Vec<f64> {
        self.rule.moments()
    }

    fn update(&self, step: Step<'_, f64>) {
        // The embedding stands first; where frozen layers cut the parameters into runs, it is in the first of them.
        let sums = std::mem::take(&mut *self.occurrences.sums.lock().unwrap());
        let len = step.params.len();
        for (i, (&sum, &g)) in sums.iter().zip(step.grads).enumerate() {
            match self.occurrences.moment {
                Moment::Mean { place, beta } => {
                    step.moments[place * len + i] += (1.0 - beta) / beta * (sum - g * g);
                }
                Moment::Sum => step.moments[i] += sum - g * g,
                Moment::Largest { beta } => {
                    step.moments[len + i] = step.moments[len + i].max(sum / beta);
                }
            }
        }
        self.rule.update(step);
    }

    fn config(&self) -> Option<Config> {
        self.rule.config()
    }
}
