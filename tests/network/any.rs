//! Optimizers, losses and metrics by name are saved as what they stand for.

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
    let weighted = named.metric("mse".parse::<AnyMetric<f32>>().unwrap().weighted());
    assert!(weighted.to_bytes().is_err(), "the weighting has no form in a file");
}
