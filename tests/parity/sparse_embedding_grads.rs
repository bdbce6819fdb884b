//! The gradient of an embedding as TensorFlow hands it to Keras: one row for each occurrence of an index.
//!
//! Keras's rules square (or take the absolute value of) these rows before they are summed, so that their moments see
//! `Σ g²` where the gradient's square is `(Σ g)²`. Keras's other backends, and this crate, square the gradient itself.
//! The runs here were made on TensorFlow, so the runner follows it: [`Observed`] notes the rows, and [`Unsummed`]
//! clips as Keras does and shifts the rule's moments by what the rows make of them. The crate's own layer and rules do
//! the rest.

use crate::parity::keras_config::Built;
use axonal::custom::{Backward, Config, Forward, MaskPass, Plan, Shape, Step, UpdateRule};
use axonal::optimizers::AnyRule;
use axonal::prelude::*;
use serde_json::Value;
use std::sync::{Arc, Mutex};

/// What a rule makes of the rows' squares.
#[derive(Debug, Clone, Copy)]
enum Moment {
    /// It only adds gradients up.
    None,
    /// `v = β v + (1 - β) Σ g²`, the moment of this place.
    Mean { place: usize, beta: f64 },
    /// `v += Σ g²`
    Sum,
    /// `u = max(β u, Σ |g|)`
    Largest { beta: f64 },
    /// All that it keeps depends on `Σ g²`, and its step is the gradient times something of that.
    Scale,
    /// `n += Σ g²`, and `z` by the difference of `n^power`.
    Ftrl { power: f64 },
}

impl Moment {
    /// Of a class of optimizers.
    fn of(class: &str, number: impl Fn(&str) -> Option<f64>) -> Built<Self> {
        let beta = number("beta_2").unwrap_or(0.999);
        Ok(match class {
            "SGD" | "Lion" => Self::None,
            "Adam" | "AdamW" | "Nadam" | "Lamb" => Self::Mean { place: 1, beta },
            "RMSprop" => Self::Mean { place: 0, beta: number("rho").unwrap_or(0.9) },
            "Adagrad" => Self::Sum,
            "Adamax" => Self::Largest { beta },
            "Adadelta" | "Adafactor" => Self::Scale,
            "Ftrl" => Self::Ftrl { power: -number("learning_rate_power").unwrap_or(-0.5) },
            other => return Err(format!("the unsummed gradients of an embedding in {other}")),
        })
    }
}

/// How Keras clips.
#[derive(Debug, Clone, Copy)]
enum Clip {
    None,
    Value(f64),
    /// The norm of each array.
    Norm(f64),
    Global(f64),
}

/// An index, as the place where its row begins, and the gradient of one occurrence.
type Row = (usize, Vec<f64>);

/// What the layer notes and the rule takes: the gradient's rows, each with its index.
#[derive(Debug, Clone)]
pub struct Occurrences {
    moment: Moment,
    clip: Clip,
    rows: Arc<Mutex<Vec<Row>>>,
}

impl Occurrences {
    /// For an optimizer of Keras.
    pub fn of(class: &str, optimizer: &Value) -> Built<Self> {
        let number = |key: &str| optimizer[key].as_f64();
        let clip = match (number("clipvalue"), number("clipnorm"), number("global_clipnorm")) {
            (Some(limit), ..) => Clip::Value(limit),
            (_, Some(limit), _) => Clip::Norm(limit),
            (.., Some(limit)) => Clip::Global(limit),
            _ => Clip::None,
        };
        Ok(Self { moment: Moment::of(class, number)?, clip, rows: Arc::default() })
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
            let mut rows = self.occurrences.rows.lock().unwrap();
            let dy: Vec<f64> = pass.dy.iter().copied().collect();
            let occurrences = pass.x.iter().zip(dy.chunks_exact(self.output_dim));
            rows.extend(occurrences.map(|(&index, dy)| (index as usize * self.output_dim, dy.to_vec())));
        }
        self.layer.backward(pass);
    }

    fn mask(&self, pass: MaskPass<'_, f64>) {
        Layer::<f64>::mask(&self.layer, pass);
    }
}

/// A rule whose moments take up the gradients of an embedding before they are summed. It clips, too.
#[derive(Debug)]
pub struct Unsummed {
    pub rule: AnyRule<f64>,
    pub occurrences: Occurrences,
}

fn square(values: &[f64]) -> f64 {
    values.iter().map(|v| v * v).sum()
}

/// Clips the gradients of all arrays, of which the first is the embedding's. By the norm of all, the
/// rows are summed on the way.
fn clip(clip: Clip, rows: &mut Vec<(usize, Vec<f64>)>, grads: &mut [f64], arrays: &[std::ops::Range<usize>]) {
    let unsummed: f64 = rows.iter().map(|(_, row)| square(row)).sum();
    let (embedding, others) = arrays.split_first().expect("an embedding");
    let scale = |grads: &mut [f64], norm: f64, limit: f64| {
        let factor = limit / norm.max(limit);
        grads.iter_mut().for_each(|g| *g *= factor);
    };
    match clip {
        Clip::None => return,
        Clip::Value(limit) => {
            rows.iter_mut().flat_map(|(_, row)| row).for_each(|g| *g = g.clamp(-limit, limit));
            grads.iter_mut().for_each(|g| *g = g.clamp(-limit, limit));
            grads[embedding.clone()].fill(0.0);
            for (at, row) in rows.iter() {
                grads[*at..].iter_mut().zip(row).for_each(|(sum, g)| *sum += g);
            }
            return;
        }
        Clip::Norm(limit) => {
            scale(&mut grads[embedding.clone()], unsummed.sqrt(), limit);
            rows.iter_mut().for_each(|(_, row)| scale(row, unsummed.sqrt(), limit));
            for array in others {
                let norm = square(&grads[array.clone()]).sqrt();
                scale(&mut grads[array.clone()], norm, limit);
            }
            return;
        }
        Clip::Global(limit) => {
            let others: f64 = others.iter().map(|array| square(&grads[array.clone()])).sum();
            scale(grads, (unsummed + others).sqrt(), limit);
        }
    }
    *rows = vec![(embedding.start, grads[embedding.clone()].to_vec())];
}

impl UpdateRule<f64> for Unsummed {
    fn kind(&self) -> &'static str {
        self.rule.kind()
    }

    fn moments(&self) -> Vec<f64> {
        self.rule.moments()
    }

    fn update(&self, step: Step<'_, f64>) {
        // The embedding stands first; where frozen layers cut the parameters into runs, it is in the first of them.
        let mut rows = std::mem::take(&mut *self.occurrences.rows.lock().unwrap());
        if rows.is_empty() {
            return self.rule.update(step);
        }
        let Step { params, grads, moments, learning_rate, number, arrays, .. } = step;
        let (len, mut grads) = (params.len(), grads.to_vec());
        let ranges: Vec<_> = arrays.iter().map(|array| array.range.clone()).collect();
        clip(self.occurrences.clip, &mut rows, &mut grads, &ranges);
        let moment = self.occurrences.moment;
        let mut sums = vec![0.0; arrays[0].range.len()];
        for (at, row) in &rows {
            for (sum, g) in sums[*at..].iter_mut().zip(row) {
                *sum += if matches!(moment, Moment::Largest { .. }) { g.abs() } else { g * g };
            }
        }
        for (i, &sum) in sums.iter().enumerate() {
            let more = sum - grads[i] * grads[i];
            match moment {
                Moment::None | Moment::Scale => {}
                Moment::Mean { place, beta } => moments[place * len + i] += (1.0 - beta) / beta * more,
                Moment::Sum => moments[i] += more,
                Moment::Largest { beta } => moments[len + i] = moments[len + i].max(sum / beta),
                Moment::Ftrl { power } => {
                    let shifted = moments[i] + more;
                    moments[len + i] +=
                        (moments[i].powf(power) - shifted.powf(power)) / learning_rate * params[i];
                    moments[i] = shifted;
                }
            }
        }
        if !matches!(moment, Moment::Scale) {
            return self
                .rule
                .update(Step::new(params, &grads, moments, learning_rate, number).arrays(arrays));
        }
        let (before, summed) = (params[..sums.len()].to_vec(), grads.clone());
        grads.iter_mut().zip(&sums).for_each(|(g, sum)| *g = sum.sqrt());
        self.rule.update(Step::new(params, &grads, moments, learning_rate, number).arrays(arrays));
        for (i, before) in before.iter().enumerate() {
            let share = if grads[i] == 0.0 { 0.0 } else { summed[i] / grads[i] };
            params[i] = before + (params[i] - before) * share;
        }
    }

    fn config(&self) -> Option<Config> {
        self.rule.config()
    }
}
