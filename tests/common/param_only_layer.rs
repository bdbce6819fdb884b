//! A network that is nothing but its weights, and a loss that is any function of them: what an optimizer does,
//! with all of its modifiers, seen from outside.
#![allow(dead_code, reason = "each test program uses its part")]

use axonal::custom::{Backward, Forward, LossPass, Plan, RuleOptimizer, Shape, UpdateRule};
use axonal::layers::Constraint;
use axonal::ndarray::{Array2, ArrayD};
use axonal::prelude::*;
use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

/// A layer whose output is its weight.
#[derive(Debug)]
struct FreeWeights(Vec<usize>, Option<Constraint>);

impl<F: Float> Layer<F> for FreeWeights {
    fn kind(&self) -> &'static str {
        "test.free_weights"
    }

    fn plan(&self, _: &Shape) -> Result<Plan> {
        let shape = Shape::from(self.0.as_slice());
        Ok(Plan::output(shape.size()).param("w", shape, Initializer::Zeros).constraint(self.1))
    }

    fn forward(&self, Forward { mut y, params, .. }: Forward<'_, F>) {
        y.iter_mut().zip(params).for_each(|(y, w)| *y = *w);
    }

    fn backward(&self, Backward { dy, grads, .. }: Backward<'_, F>) {
        grads.iter_mut().zip(&dy).for_each(|(g, dy)| *g += *dy);
    }
}

/// The value and the gradient of a function of the weights, which may depend on the step.
type Function = dyn Fn(usize, &[f64]) -> (f64, Vec<f64>) + Send + Sync;

struct Objective(Arc<Function>, AtomicUsize);

impl fmt::Debug for Objective {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Objective")
    }
}

impl<F: Float> Loss<F> for Objective {
    fn kind(&self) -> &'static str {
        "test.objective"
    }

    fn compute(&self, pass: LossPass<'_, F>) -> f64 {
        let w: Vec<f64> = pass.prediction.iter().map(|w| w.as_f64()).collect();
        let (value, slope) = (self.0)(self.1.fetch_add(1, Ordering::Relaxed), &w);
        if let Some(mut gradient) = pass.gradient {
            gradient.iter_mut().zip(slope).for_each(|(g, slope)| *g = F::of(slope));
        }
        value
    }
}

/// Weights on their way.
pub struct Walk(Model<f64>);

impl Walk {
    pub fn new<R: UpdateRule<f64> + 'static>(
        optimizer: RuleOptimizer<R>,
        shape: &[usize],
        start: &[f64],
        constraint: Option<Constraint>,
        function: impl Fn(usize, &[f64]) -> (f64, Vec<f64>) + Send + Sync + 'static,
    ) -> Result<Self> {
        let mut model = Sequential::new(1)
            .add(FreeWeights(shape.to_vec(), constraint))
            .compile(optimizer, Objective(Arc::new(function), AtomicUsize::new(0)))?;
        let start = ArrayD::from_shape_vec(shape, start.to_vec()).expect("a start of this shape");
        model.set_weight("0.test.free_weights/w", &start)?;
        Ok(Self(model))
    }

    /// Weights that are pushed along given gradients, one after the other.
    pub fn along<R: UpdateRule<f64> + 'static>(
        optimizer: RuleOptimizer<R>,
        shape: &[usize],
        start: &[f64],
        grads: Vec<Vec<f64>>,
    ) -> Result<Self> {
        Self::new(optimizer, shape, start, None, move |step, _| (0.0, grads[step].clone()))
    }

    /// One step; the weights after it.
    pub fn step(&mut self) -> Vec<f64> {
        let n = self.weights().len();
        let (x, y) = (Array2::<f64>::zeros((1, 1)), Array2::<f64>::zeros((1, n)));
        self.0.train_on_batch(&x, &y).expect("a step");
        self.weights()
    }

    pub fn weights(&self) -> Vec<f64> {
        self.0.weights()[0].value.iter().copied().collect()
    }

    pub fn model(&mut self) -> &mut Model<f64> {
        &mut self.0
    }
}

pub fn assert_close(name: &str, got: &[f64], want: &[f64], tolerance: f64) {
    assert_eq!(got.len(), want.len(), "{name}");
    for (got, want) in got.iter().zip(want) {
        assert!((got - want).abs() <= tolerance * want.abs().max(1.0), "{name}: got {got}, want {want}");
    }
}
