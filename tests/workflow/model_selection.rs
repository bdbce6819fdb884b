//! Splitters, cross-validation and searches.

use crate::common::error_message;
use axonal::ndarray::{Array1, Array2, Array4, array};
use axonal::prelude::*;
use std::collections::BTreeSet;

#[test]
fn a_split_parts_the_samples_and_keeps_rows_together() {
    let x = Array2::from_shape_fn((101, 3), |(row, column)| (row * 3 + column) as f32);
    let y: Array1<usize> = (0..101).collect();
    let (x_train, x_test, y_train, y_test) = train_test_split(&x, &y, 0.2, 7).unwrap();
    // scikit-learn: the test part is rounded up.
    assert_eq!((x_train.nrows(), x_test.nrows(), y_train.len(), y_test.len()), (80, 21, 80, 21));
    let seen: BTreeSet<usize> = y_train.iter().chain(&y_test).copied().collect();
    assert_eq!(seen.len(), 101);
    for (row, &label) in x_train.rows().into_iter().chain(x_test.rows()).zip(y_train.iter().chain(&y_test)) {
        assert_eq!(row, x.row(label));
    }
    assert!(y_test.iter().any(|&label| label < 80) && y_test.windows(2).into_iter().any(|w| w[0] > w[1]));
    assert_eq!(train_test_split(&x, &y, 0.2, 7).unwrap().3, y_test);
    assert_ne!(train_test_split(&x, &y, 0.2, 8).unwrap().3, y_test);
}

#[test]
fn anything_with_samples_along_the_first_axis_can_be_split() {
    let images = Array4::<f32>::zeros((10, 4, 4, 1));
    let one_hot = Array2::<f32>::eye(10);
    let (train, test, _, targets) = train_test_split(&images, &one_hot, 0.3, 0).unwrap();
    assert_eq!((train.dim(), test.dim(), targets.dim()), ((7, 4, 4, 1), (3, 4, 4, 1), (3, 10)));
    let names: Vec<String> = (0..10).map(|i| i.to_string()).collect();
    let (_, _, train, test) = train_test_split(&images.view(), names.as_slice(), 0.5, 0).unwrap();
    assert_eq!((train.len(), test.len()), (5, 5));
}

#[test]
fn impossible_splits_are_refused() {
    let (x, y) = (Array2::<f64>::zeros((5, 2)), Array1::<bool>::from_elem(5, true));
    for bad in [0.0, 1.0, -0.1, f64::NAN] {
        assert!(error_message(train_test_split(&x, &y, bad, 0)).contains("expected 0 < test_size < 1"));
    }
    assert_eq!(
        error_message(train_test_split(&x, &y, 0.9, 0)),
        "train_test_split: test_size is 5 of 5 samples, with 0 for training, expected at least 1 sample in both parts"
    );
    assert_eq!(
        error_message(train_test_split(&x, &array![1, 2], 0.5, 0)),
        "y: expected 5 (one per sample), got 2"
    );
    assert!(train_test_split(&Array2::<f64>::zeros((0, 2)), &Array1::<usize>::zeros(0), 0.5, 0).is_err());
}
