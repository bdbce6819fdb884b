//! Input at the edges of the number range: nothing panics, hangs, or returns meaningless values.

use crate::common::assert_error_contains;
use axonal::cluster::BisectingKMeans;
use axonal::cluster::elbow;
use axonal::metrics::{adjusted_rand_score, inertia};
use axonal::ndarray::{Array1, Array2, array, s};
use axonal::prelude::*;

fn base() -> Array2<f64> {
    array![[0.0, 1.0], [0.1, 1.2], [5.0, 4.0], [5.2, 4.1], [9.0, 0.0], [9.1, 0.1]]
}

/// Fits everything there is, and asks everything of it. `Ok` is the inertia and the labels of each.
fn fits<F: Float>(x: &Array2<F>, k: usize) -> Result<Vec<(f64, Array1<usize>)>> {
    let mut fits = Vec::new();
    for init in [KMeansInit::PlusPlus, KMeansInit::Random] {
        let mut kmeans = KMeans::new(k).init(init.clone());
        let report = kmeans.fit(x)?;
        assert!(report.history.iter().all(|v| v.is_finite()) && report.n_iter >= 1);
        assert_eq!(&kmeans.predict(x)?, kmeans.labels()?);
        assert!(kmeans.transform(x)?.iter().chain(kmeans.cluster_centers()?).all(|v| v.is_finite()));
        assert!(kmeans.score(x)?.is_finite());
        fits.push((report.inertia, kmeans.labels()?.clone()));
        let mut batches = MiniBatchKMeans::new(k).init(init.clone()).n_init(5);
        let report = batches.fit(x)?;
        assert_eq!(&batches.predict(x)?, batches.labels()?);
        assert!(batches.transform(x)?.iter().chain(batches.cluster_centers()?).all(|v| v.is_finite()));
        fits.push((report.inertia, batches.labels()?.clone()));
        if batches.partial_fit(&x.slice(s![..1, ..])).is_ok() {
            assert!(batches.inertia()?.is_finite());
        }
        let mut halves = BisectingKMeans::new(k).init(init).n_init(5);
        let report = halves.fit(x)?;
        assert_eq!(&halves.predict(x)?, halves.labels()?);
        assert!(halves.score(x)?.is_finite());
        fits.push((report.inertia, halves.labels()?.clone()));
    }
    assert!(fits.iter().all(|(inertia, _)| inertia.is_finite() && *inertia >= 0.0));
    Ok(fits)
}

#[test]
fn data_of_any_magnitude_is_clustered_or_refused() {
    fn at<F: Float>(scale: f64, fitting: std::ops::Range<f64>) {
        let x = base().mapv(|v| F::of(v * scale));
        match fits(&x, 3) {
            Ok(fits) => {
                assert!(fitting.contains(&scale), "{scale:e}");
                // As at scale 1, where they find the clusters.
                let want = self::fits(&base(), 3).unwrap();
                assert_eq!(adjusted_rand_score(&array![0, 0, 1, 1, 2, 2], &want[0].1).unwrap(), 1.0);
                for ((inertia, labels), (want, want_labels)) in fits.into_iter().zip(want) {
                    assert_eq!(adjusted_rand_score(&labels, &want_labels).unwrap(), 1.0, "{scale:e}");
                    assert!(
                        (inertia / scale / scale / want - 1.0).abs() < 1e-3,
                        "{scale:e}: {inertia:e}, {want}"
                    );
                }
            }
            Err(error) => {
                assert!(!fitting.contains(&scale), "{scale:e}: {error}");
                assert!(error.to_string().contains("KMeans: x is"), "{error}");
                assert!(
                    error.to_string().contains("squared distances stay within the range of f"),
                    "{error}"
                );
            }
        }
    }
    for scale in [1e37, 1e25, 4e18, 1e15, 1.0, 1e-15, 1e-19, 1e-21, 1e-30, 1e-40, 1e-44] {
        at::<f32>(scale, 1e-20..1e18);
    }
    for scale in [1e307, 1e200, 1e153, 1e150, 1e100, 1.0, 1e-100, 1e-150, 1e-160, 1e-200, 1e-310, 5e-324] {
        at::<f64>(scale, 1e-154..1e152);
    }
    // The error names the estimator.
    assert_error_contains(MiniBatchKMeans::new(2).fit(&(base() * 1e200)), "MiniBatchKMeans: x is");
    assert_error_contains(
        BisectingKMeans::new(2).fit(&(base() * 1e-200)),
        "BisectingKMeans: x is spread so little",
    );
}

#[test]
fn what_a_fit_accepts_can_be_asked_for() {
    // Equal rows far away, and rows that lie as far apart as can be.
    for x in [
        Array2::from_elem((4, 2), 1e30_f32),
        array![[5e18, 0.0], [-5e18, 0.0]],
        array![[1e30, 1.0], [1e30, 2.0]],
    ] {
        for (fit, (inertia, labels)) in fits(&x, 2).unwrap().into_iter().enumerate() {
            // By mini-batches of two rows a center may come to lie between them.
            assert!(inertia == 0.0 || fit % 3 == 1, "fit {fit} of {x}: {labels}, {inertia}");
        }
    }
    let mut kmeans = KMeans::new(1);
    kmeans.fit(&Array2::from_elem((4, 2), 1e30_f32)).unwrap();
    assert_error_contains(
        kmeans.transform(&array![[1e30_f32, 0.0]]),
        "x is 0e0 at [0, 1], expected values whose squared distances",
    );
    assert_error_contains(kmeans.predict(&array![[1e30_f32, f32::NAN]]), "NaN at [0, 1]");
    assert_error_contains(kmeans.score(&Array2::<f32>::zeros((0, 2))), "x is empty");
    let mut batches = MiniBatchKMeans::new(1);
    batches.fit(&Array2::from_elem((4, 2), 1e30_f32)).unwrap();
    batches.partial_fit(&Array2::from_elem((1, 2), 1e30_f32)).unwrap();
    assert_error_contains(batches.partial_fit(&Array2::<f32>::zeros((1, 2))), "squared distances");
}

#[test]
fn as_few_rows_and_columns_as_can_be_are_clustered() {
    for (x, k, distinct) in [
        (array![[3.0]], 1, 1),
        (Array2::ones((5, 1)), 5, 1),
        (Array2::zeros((5, 2)), 3, 1),
        (array![[1.0], [1.0], [2.0]], 3, 2),
        (base(), 6, 6),
        (base(), 1, 1),
    ] {
        for init in
            [KMeansInit::PlusPlus, KMeansInit::Random, KMeansInit::Centers(x.slice(s![..k, ..]).to_owned())]
        {
            let report = KMeans::new(k).init(init).spherical(distinct == 1).fit(&x).unwrap();
            assert_eq!((report.distinct_clusters, report.empty_clusters.len()), (distinct, k - distinct));
        }
        let all_found =
            fits(&x, k).unwrap().into_iter().all(|(_, labels)| labels.iter().all(|label| *label < k));
        assert!(all_found);
    }
}

#[test]
fn centers_out_of_reach_are_refused() {
    let x = base().mapv(|v| v as f32);
    let centers = |far: f32| array![[far, 0.0], [-far, 1.0]];
    let function = |far: f32| KMeansInit::function(move |_, _, _| Ok(centers(far)));
    for far in [1e19, 1e30, f32::MAX] {
        let words = "init is initial center 0";
        assert_error_contains(KMeans::new(2).init(KMeansInit::Centers(centers(far))).fit(&x), words);
        assert_error_contains(KMeans::new(2).init(function(far)).fit(&x), words);
        assert_error_contains(KMeans::new(2).spherical(true).init(function(far)).fit(&x), words);
        assert_error_contains(MiniBatchKMeans::new(2).init(function(far)).fit(&x), words);
        assert_error_contains(MiniBatchKMeans::new(2).init(function(far)).partial_fit(&x), words);
        assert_error_contains(BisectingKMeans::new(2).init(function(far)).fit(&x), words);
    }
    assert!(KMeans::new(2).init(function(1e15)).fit(&x).unwrap().inertia.is_finite());
    // A function that answers with something else.
    for (answer, words) in [
        (Array2::from_elem((2, 2), f32::NAN), "initial centers contains NaN at [0, 0]"),
        (Array2::zeros((0, 0)), "expected (2, 2) (n_clusters, features of x), got (0, 0)"),
        (Array2::zeros((3, 2)), "got (3, 2)"),
        (Array2::zeros((2, 3)), "got (2, 3)"),
    ] {
        let init = || {
            KMeansInit::function({
                let answer = answer.clone();
                move |_, _, _| Ok(answer.clone())
            })
        };
        assert_error_contains(KMeans::new(2).init(init()).fit(&x), words);
        assert_error_contains(MiniBatchKMeans::new(2).init(init()).fit(&x), words);
        assert_error_contains(MiniBatchKMeans::new(2).init(init()).partial_fit(&x), words);
        assert_error_contains(BisectingKMeans::new(2).init(init()).fit(&x), words);
    }
    // Its own error comes through.
    let refuses = KMeansInit::function(|_, _, _| Err(axonal::Error::invalid_parameter("mine", "k", 2, "3")));
    assert_error_contains(KMeans::<f32>::new(2).init(refuses).fit(&x), "mine: k is 2, expected 3");
}

#[test]
fn weights_of_any_magnitude_count_or_are_refused() {
    let x = base();
    let want = KMeans::new(3).fit(&x).unwrap().inertia;
    let with = |weight: f64| {
        let weights = Array1::from_elem(6, weight);
        let mut kmeans = KMeans::new(3);
        let report = kmeans.fit_weighted(&x, &weights)?;
        assert!((report.inertia / weight / want - 1.0).abs() < 1e-9, "{weight:e}");
        BisectingKMeans::new(3).fit_weighted(&x, &weights)?;
        MiniBatchKMeans::new(3).partial_fit_weighted(&x, &weights)?;
        MiniBatchKMeans::new(3).fit_weighted(&x, &weights)
    };
    for weight in [1e300, 1e100, 1e-100, 1e-290] {
        with(weight).unwrap();
    }
    for (weight, words) in [
        (1e307, "scale them down"),
        (1e308, "scale them down"),
        (1e-300, "scale them up"),
        (5e-324, "scale them up"),
    ] {
        assert_error_contains(with(weight), words);
        let weights = Array1::from_elem(6, weight);
        assert_error_contains(MiniBatchKMeans::new(3).fit_weighted(&x, &weights), words);
        assert_error_contains(MiniBatchKMeans::new(3).partial_fit_weighted(&x, &weights), words);
        assert_error_contains(BisectingKMeans::new(3).fit_weighted(&x, &weights), words);
    }
    for weight in [1e38_f32, 1e-38, 1e-45] {
        let weights = Array1::from_elem(6, weight);
        let inertia = KMeans::new(3).fit_weighted(&x.mapv(|v| v as f32), &weights).unwrap().inertia;
        assert!((inertia / f64::from(weight) / want - 1.0).abs() < 1e-4, "{weight:e}");
    }
    // One row that outweighs all others by far: its center is that row.
    let mut uneven = Array1::ones(6);
    uneven[2] = 1e200;
    let mut kmeans = KMeans::new(3);
    kmeans.fit_weighted(&x, &uneven).unwrap();
    assert_eq!(kmeans.cluster_centers().unwrap().row(kmeans.labels().unwrap()[2]), x.row(2));
    assert_error_contains(
        kmeans.score_weighted(&(&x * 100.0), &Array1::from_elem(6, 1e308)),
        "scale them down",
    );
    assert_error_contains(kmeans.score_weighted(&x, &Array1::from_elem(5, 1.0)), "expected 6");
    assert_error_contains(
        kmeans.score_weighted(&x, &Array1::from_elem(6, -1.0)),
        "weight -1 at [0] is negative",
    );
    // Fewer rows of weight than clusters.
    let two = array![1.0, 1.0, 0.0, 0.0, 0.0, 0.0];
    let report = KMeans::new(3).fit_weighted(&x, &two).unwrap();
    assert_eq!((report.inertia, report.distinct_clusters), (0.0, 2));
    assert_eq!(KMeans::new(3).max_points_per_center(1).fit_weighted(&x, &two).unwrap().inertia, 0.0);
    assert!(BisectingKMeans::new(3).fit_weighted(&x, &two).unwrap().inertia < 1e-12);
}

#[test]
fn numbers_as_large_as_can_be_are_no_trouble() {
    let x = base();
    let most = usize::MAX;
    assert_error_contains(
        KMeans::<f64>::new(most).fit(&x),
        &format!("n_samples=6 should be >= n_clusters={most}"),
    );
    assert_error_contains(MiniBatchKMeans::<f64>::new(most).fit(&x), "n_samples=6");
    assert_error_contains(BisectingKMeans::<f64>::new(most).fit(&x), "n_samples=6");
    assert_error_contains(elbow(&KMeans::new(1), &x, most - 3..most), "n_samples=6");
    let whole = KMeans::new(2).fit(&x).unwrap();
    assert_eq!(KMeans::new(2).max_iter(most).max_points_per_center(most).fit(&x).unwrap(), whole);
    assert!(KMeans::new(2).max_points_per_center(1).fit(&x).unwrap().inertia >= whole.inertia);
    let batches = MiniBatchKMeans::new(2).max_iter(most).batch_size(most).init_size(most);
    assert!(batches.max_no_improvement(3).fit(&x).unwrap().converged);
    assert!(BisectingKMeans::new(2).max_iter(most).fit(&x).unwrap().inertia > 0.0);
    for tol in [f64::MAX, f64::MIN_POSITIVE] {
        assert!(KMeans::new(2).tol(tol).fit(&x).unwrap().converged);
    }
}

#[test]
fn directions_without_length_are_left_where_they_are() {
    let spherical = |k| KMeans::new(k).spherical(true);
    let mut kmeans = spherical(2);
    kmeans.fit(&array![[0.0, 0.0], [0.0, 0.0], [2.0, 0.0]]).unwrap();
    assert_eq!(kmeans.labels().unwrap()[0], kmeans.labels().unwrap()[1]);
    assert_ne!(kmeans.labels().unwrap()[0], kmeans.labels().unwrap()[2]);
    assert_eq!(spherical(2).fit(&Array2::<f64>::zeros((3, 2))).unwrap().distinct_clusters, 1);
    // Opposite directions have no mean direction.
    let report = spherical(1).fit(&array![[3.0, 0.0], [-1.0, 0.0]]).unwrap();
    assert_eq!(report.inertia, 2.0);
    // Lengths do not count, whatever they are.
    let lengths = array![[1e-30_f32], [1e15], [1.0], [1e-20], [7.0], [1e-35]];
    let x = base().mapv(|v| v as f32 + 0.1);
    let fit = |x: &Array2<f32>| KMeans::new(3).spherical(true).fit_predict(x).unwrap();
    assert_eq!(fit(&(&x * &lengths)), fit(&x));
}

#[test]
fn questions_of_another_shape_are_refused() {
    let (x, wrong) = (base(), Array2::<f64>::zeros((2, 3)));
    let words = "expected 2 features a row, got 3 features";
    let (mut kmeans, mut batches, mut halves) =
        (KMeans::new(2), MiniBatchKMeans::new(2), BisectingKMeans::new(2));
    assert_error_contains(kmeans.transform(&x), "this KMeans is not fitted yet: call fit before transform");
    assert_error_contains(batches.score(&x), "this MiniBatchKMeans is not fitted yet: call fit before score");
    assert_error_contains(
        halves.predict(&x),
        "this BisectingKMeans is not fitted yet: call fit before predict",
    );
    kmeans.fit(&x).unwrap();
    batches.fit(&x).unwrap();
    halves.fit(&x).unwrap();
    assert_error_contains(kmeans.predict(&wrong), words);
    assert_error_contains(kmeans.transform(&wrong), words);
    assert_error_contains(kmeans.score(&wrong), words);
    assert_error_contains(kmeans.cluster_inertias(&wrong), words);
    assert_error_contains(batches.predict(&wrong), words);
    assert_error_contains(batches.transform(&wrong), words);
    assert_error_contains(batches.score(&wrong), words);
    assert_error_contains(batches.partial_fit(&wrong), words);
    assert_error_contains(halves.predict(&wrong), words);
    assert_error_contains(halves.transform(&wrong), words);
    assert_error_contains(halves.score(&wrong), words);
    assert_error_contains(kmeans.predict(&Array2::<f64>::zeros((0, 5))), "got 5 features");
    assert_error_contains(kmeans.predict(&Array2::<f64>::zeros((3, 0))), "got 0 features");
    for empty in [Array2::<f64>::zeros((0, 2)), Array2::zeros((3, 0)), Array2::zeros((0, 0))] {
        assert_error_contains(KMeans::new(1).fit(&empty), "is empty");
        assert_error_contains(MiniBatchKMeans::new(1).fit(&empty), "is empty");
        assert_error_contains(MiniBatchKMeans::new(1).partial_fit(&empty), "is empty");
        assert_error_contains(BisectingKMeans::new(1).fit(&empty), "is empty");
        assert_error_contains(inertia(&empty, &Array1::<usize>::zeros(empty.nrows())), "is empty");
    }
    assert_error_contains(batches.score(&x.slice(s![..0, ..])), "is empty");
    assert_error_contains(halves.score(&x.slice(s![..0, ..])), "is empty");
}
