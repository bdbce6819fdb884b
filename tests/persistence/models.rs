//! Models and data that the tests save.

use axonal::ndarray::{Array1, Array2};
use axonal::prelude::*;

/// A classifier with dropout, regularizers and two metrics, not yet trained.
pub(crate) fn classifier() -> Model<f32> {
    Sequential::new(3)
        .add(Dense::new(8).activation(Activation::Elu).kernel_regularizer(Regularizer::l2(0.1 + 0.2)))
        .add(Dropout::new(0.1))
        .add(Dense::new(2).activation(Activation::Softmax))
        .seed(u64::MAX - 9)
        .compile(Adam::new(0.01).clipnorm(1.1), SparseCategoricalCrossentropy::default())
        .unwrap()
        .metric(Accuracy::default())
        .metric(SparseCategoricalAccuracy::default())
}

/// What the classifier learns from.
pub(crate) fn samples() -> (Array2<f32>, Array1<usize>) {
    let x = Array2::from_shape_fn((60, 3), |(i, j)| ((i * 5 + j * 11) % 23) as f32 / 11.5 - 1.0);
    let y = x.rows().into_iter().map(|row| usize::from(row[0] > row[1])).collect();
    (x, y)
}

/// The classifier after two epochs.
pub(crate) fn trained() -> Model<f32> {
    let mut model = classifier();
    let (x, y) = samples();
    model.fit_with(&x, &y, FitOptions::new().epochs(2).batch_size(16)).unwrap();
    model
}
