//! Optimizers, losses and metrics by name are saved as what they denote.

use axonal::losses::AnyLoss;
use axonal::metrics::AnyMetric;
use axonal::optimizers::AnyOptimizer;
use axonal::prelude::*;

#[test]
fn a_model_of_parts_by_name_is_saved_as_one_of_the_parts_themselves() {
    let layers = || Sequential::<f32>::new(3).add(Dense::new(1)).seed(1);
    let named = layers()
        .compile("adam".parse::<AnyOptimizer<f32>>().unwrap(), "mse".parse::<AnyLoss<f32>>().unwrap())
        .unwrap()
        .metric("accuracy".parse::<AnyMetric<f32>>().unwrap());
    let direct =
        layers().compile(Adam::default(), MeanSquaredError::default()).unwrap().metric(Accuracy::default());
    assert_eq!(named.to_bytes().unwrap(), direct.to_bytes().unwrap());
    let error = || "mse".parse::<AnyMetric<f32>>().unwrap();
    let bytes = named.metric(error().weighted()).to_bytes().unwrap();
    assert_ne!(bytes, direct.metric(error()).to_bytes().unwrap(), "the weighting is saved");
    assert_eq!(Model::<f32>::from_bytes(&bytes).unwrap().to_bytes().unwrap(), bytes);
}
