//! The embedded data sets and the generators.

use crate::common::error_message;
use axonal::datasets::*;
use axonal::ndarray::{Array2, Axis, array};

#[cfg(feature = "datasets")]
mod embedded {
    use super::*;

    fn counts(target: &axonal::ndarray::Array1<usize>, n_classes: usize) -> Vec<usize> {
        (0..n_classes).map(|class| target.iter().filter(|label| **label == class).count()).collect()
    }

    fn column_means(data: &Array2<f64>) -> Vec<f64> {
        data.mean_axis(Axis(0)).unwrap().to_vec()
    }

    /// Counts and means as scikit-learn 1.9 gives them for its own copies.
    #[test]
    fn the_embedded_sets_are_those_of_scikit_learn() {
        let iris = load_iris::<f64>().unwrap();
        assert_eq!(counts(&iris.target, 3), [50, 50, 50]);
        let want = [5.843333333333334, 3.0573333333333337, 3.7580000000000005, 1.1993333333333336];
        assert!(column_means(&iris.data).iter().zip(want).all(|(got, want)| (got - want).abs() < 1e-12));

        let wine = load_wine::<f64>().unwrap();
        assert_eq!(counts(&wine.target, 3), [59, 71, 48]);
        assert!((column_means(&wine.data)[12] - 746.8932584269663).abs() < 1e-9);

        let tumours = load_breast_cancer::<f64>().unwrap();
        assert_eq!(counts(&tumours.target, 2), [212, 357]);
        assert_eq!(tumours.target_names, ["malignant", "benign"]);
        assert!((column_means(&tumours.data)[0] - 14.127291739894552).abs() < 1e-12);
        assert!((column_means(&tumours.data)[29] - 0.0839458172231986).abs() < 1e-12);

        let digits = load_digits::<f64>().unwrap();
        assert_eq!(counts(&digits.target, 10), [178, 182, 177, 183, 181, 182, 181, 179, 174, 180]);
        assert!((digits.data.mean().unwrap() - 4.884164579855314).abs() < 1e-12);
        assert_eq!(digits.data.row(0).to_vec()[..8], [0.0, 0.0, 5.0, 13.0, 9.0, 1.0, 0.0, 0.0]);
    }

    #[test]
    fn single_precision_is_the_rounding_of_double() {
        let (single, double) = (load_wine::<f32>().unwrap(), load_wine::<f64>().unwrap());
        assert_eq!(single.data, double.data.mapv(|v| v as f32));
    }

    #[test]
    fn every_feature_and_class_has_a_name() {
        for set in [load_iris::<f32>(), load_wine(), load_breast_cancer(), load_digits()] {
            let set = set.unwrap();
            assert_eq!(set.feature_names.len(), set.n_features());
            assert_eq!(set.target_names.len(), 1 + *set.target.iter().max().unwrap());
            assert_eq!(set.target.len(), set.n_samples());
            assert!(!set.description.is_empty());
        }
    }

    #[test]
    fn display_shows_the_shape_and_the_first_rows() {
        let shown = load_digits::<f32>().unwrap().to_string();
        let lines: Vec<&str> = shown.lines().collect();
        assert_eq!(lines.len(), 8, "{shown}");
        assert!(lines[0].starts_with("1797 samples, 64 features, 10 classes (0, 1, 2"), "{shown}");
        assert!(lines[1].ends_with("pixel_0_5  …  target"), "{shown}");
        assert_eq!(lines[7], "… 1792 more");
    }
}

#[test]
fn blobs_lie_around_their_centers() {
    let centers = array![[-4.0, 0.0], [4.0, 1.0], [0.0, 9.0]];
    let blobs = make_blobs::<f64>(3001, &centers, 0.5, 3).unwrap();
    for class in 0..3 {
        let rows: Vec<usize> = (0..3001).filter(|&row| blobs.target[row] == class).collect();
        assert_eq!(rows.len(), 1000 + usize::from(class < 1));
        let points = blobs.data.select(Axis(0), &rows);
        let (mean, deviation) = (points.mean_axis(Axis(0)).unwrap(), points.std_axis(Axis(0), 0.0));
        assert!((&mean - &centers.row(class)).iter().all(|v| v.abs() < 0.06), "{mean}");
        assert!(deviation.iter().all(|v| (v - 0.5).abs() < 0.04), "{deviation}");
    }
    assert_ne!(blobs.target.to_vec()[..9], [0, 1, 2, 0, 1, 2, 0, 1, 2]);
}

#[test]
fn moons_and_circles_lie_on_their_curves() {
    let moons = make_moons::<f64>(101, 0.0, 1).unwrap();
    assert_eq!(moons.target.sum(), 51);
    for (point, &label) in moons.data.rows().into_iter().zip(&moons.target) {
        let (x, y) = if label == 0 { (point[0], point[1]) } else { (1.0 - point[0], 0.5 - point[1]) };
        assert!((x.hypot(y) - 1.0).abs() < 1e-12 && y > -1e-12);
    }
    let circles = make_circles::<f64>(100, 0.3, 0.0, 1).unwrap();
    for (point, &label) in circles.data.rows().into_iter().zip(&circles.target) {
        assert!((point[0].hypot(point[1]) - [1.0, 0.3][label]).abs() < 1e-12);
    }
    let sum = circles.data.sum_axis(Axis(0));
    assert!(sum.iter().all(|v| v.abs() < 1e-12), "evenly spaced points balance: {sum}");
    let noisy = make_moons::<f64>(101, 0.2, 1).unwrap();
    let deviation = (&noisy.data - &moons.data).std(0.0);
    assert!((deviation - 0.2).abs() < 0.05, "{deviation}");
}

#[test]
fn noise_has_the_asked_deviation_around_the_line() {
    let (exact, noisy) = (make_regression::<f64>(2000, 3, 0.0, 5), make_regression::<f64>(2000, 3, 7.0, 5));
    let (exact, noisy) = (exact.unwrap(), noisy.unwrap());
    assert_eq!(exact.data, noisy.data);
    let deviation = (&noisy.target - &exact.target).std(0.0);
    assert!((deviation - 7.0).abs() < 0.4, "{deviation}");
}

#[test]
fn the_same_seed_gives_the_same_data_in_both_precisions() {
    let make = |seed| make_moons::<f64>(40, 0.3, seed).unwrap();
    assert_eq!(make(4), make(4));
    assert_ne!(make(4).data, make(5).data);
    assert_eq!(make_moons::<f32>(40, 0.3, 4).unwrap().data, make(4).data.mapv(|v| v as f32));
}

#[test]
fn bad_parameters_are_named() {
    let centers = array![[0.0, 0.0]];
    assert_eq!(
        error_message(make_blobs::<f64>(0, &centers, 1.0, 0)),
        "make_blobs: n_samples is 0, expected at least 1, and no more than fit into memory"
    );
    assert!(error_message(make_blobs::<f64>(usize::MAX, &centers, 1.0, 0)).contains("n_samples"));
    assert!(error_message(make_moons::<f64>(usize::MAX / 16, 1.0, 0)).contains("n_samples"));
    assert!(error_message(make_blobs::<f64>(9, &centers, -1.0, 0)).contains("cluster_std is -1"));
    assert!(error_message(make_blobs::<f64>(9, &centers, f64::NAN, 0)).contains("cluster_std is NaN"));
    assert!(
        error_message(make_blobs::<f64>(9, &array![[f64::NAN]], 1.0, 0))
            .contains("centers contains NaN at [0, 0]")
    );
    assert!(error_message(make_blobs::<f64>(9, &Array2::zeros((0, 2)), 1.0, 0)).contains("centers is empty"));
    assert!(error_message(make_circles::<f64>(9, 1.0, 0.0, 0)).contains("factor is 1"));
    assert!(error_message(make_circles::<f64>(9, 0.5, f64::INFINITY, 0)).contains("noise is inf"));
    assert!(error_message(make_regression::<f64>(9, 0, 0.0, 0)).contains("n_features is 0"));
    assert!(error_message(Dataset::new(centers, array![0, 1])).contains("target: expected 1"));
}
