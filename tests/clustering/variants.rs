//! Mini-batches, bisection and the choice of starts, by their properties and the reference examples.

use crate::common::assert_error_contains;
use axonal::cluster::BisectingKMeans;
use axonal::cluster::{BisectingStrategy, elbow, elbow_with, kmeans_plusplus, kmeans_plusplus_weighted};
use axonal::datasets::{load_iris, make_blobs};
use axonal::metrics::{adjusted_rand_score, silhouette_score};
use axonal::ndarray::{Array1, Array2, ArrayView2, Axis, array, concatenate, s};
use axonal::prelude::*;
use axonal::rng::{Purpose, Rng};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

fn blobs(n: usize) -> axonal::datasets::Dataset<f64> {
    make_blobs(n, &array![[0.0, 5.0, 0.0], [1.0, 1.0, 9.0], [9.0, 0.0, 0.0]], 0.7, 3).unwrap()
}

#[test]
fn mini_batches_find_what_all_rows_find() {
    let blobs = blobs(3000);
    for init in [KMeansInit::PlusPlus, KMeansInit::Random] {
        let mut kmeans = MiniBatchKMeans::new(3).init(init).batch_size(200).seed(5);
        let report = kmeans.fit(&blobs.data).unwrap();
        assert!(adjusted_rand_score(&blobs.target, kmeans.labels().unwrap()).unwrap() > 0.99);
        assert_eq!(kmeans.labels().unwrap(), &kmeans.predict(&blobs.data).unwrap());
        let all = KMeans::new(3).n_init(3).fit(&blobs.data).unwrap();
        assert!(report.inertia < 1.05 * all.inertia && report.converged);
        assert!((kmeans.score(&blobs.data).unwrap() + report.inertia).abs() < 1e-6 * report.inertia);
    }
}

#[test]
fn passes_are_counted_in_rows_drawn() {
    let blobs = blobs(300);
    // With every rule for stopping off, exactly max_iter passes are made.
    let mut kmeans = MiniBatchKMeans::new(3).batch_size(30).max_iter(10).max_no_improvement(None).tol(0.0);
    let report = kmeans.fit(&blobs.data).unwrap();
    assert_eq!((report.n_iter, kmeans.n_steps().unwrap(), report.converged), (10, 100, false));
    let mut kmeans = MiniBatchKMeans::new(3).batch_size(70).seed(1);
    let report = kmeans.fit(&blobs.data).unwrap();
    assert_eq!(report.n_iter, (kmeans.n_steps().unwrap() * 70).div_ceil(300));
    // A tolerance ends it, too.
    let mut kmeans = MiniBatchKMeans::new(3).batch_size(30).max_iter(100).max_no_improvement(None).tol(1e-2);
    assert!(kmeans.fit(&blobs.data).unwrap().converged);
}

#[test]
fn a_tolerance_or_patience_ends_the_passes() {
    let blobs = blobs(100);
    let centers = array![[0.0, 5.0, 0.0], [1.0, 1.0, 9.0], [9.0, 0.0, 0.0]];
    let new =
        || MiniBatchKMeans::new(3).init(KMeansInit::Centers(centers.clone())).batch_size(20).max_iter(10);
    for kmeans in [new().tol(1e-4).max_no_improvement(None), new().tol(0.0).max_no_improvement(10)] {
        let report = kmeans.clone().fit(&blobs.data).unwrap();
        assert!(report.converged && 1 < report.n_iter && report.n_iter < 10, "{kmeans:?}: {report:?}");
    }
    assert!(!new().tol(0.0).max_no_improvement(None).fit(&blobs.data).unwrap().converged);
}

#[test]
fn starts_are_drawn_from_three_batches_or_three_rows_a_cluster() {
    let blobs = blobs(100);
    let rows_seen = |kmeans: MiniBatchKMeans<f64>| {
        let seen = Arc::new(AtomicUsize::new(0));
        let noted = seen.clone();
        let init = KMeansInit::function(move |x, k, _| {
            noted.store(x.nrows(), Ordering::Relaxed);
            Ok(x.slice(s![..k, ..]).to_owned())
        });
        kmeans.init(init).n_init(1).fit(&blobs.data).unwrap();
        seen.load(Ordering::Relaxed)
    };
    let new = || MiniBatchKMeans::new(10);
    assert_eq!(rows_seen(new().batch_size(5)), 15);
    assert_eq!(rows_seen(new().batch_size(1)), 30);
    assert_eq!(rows_seen(new().batch_size(5).init_size(101)), 100);
    assert_eq!(rows_seen(new().batch_size(5).init_size(3)), 30, "fewer rows than clusters are no choice");
    assert_eq!(rows_seen(new().batch_size(5).init_size(12)), 12);
}

#[test]
fn pieces_from_any_start_find_the_blobs() {
    let centers = crate::clustering::seeded::centers_of_the_reference_tests();
    let (x, truth) = crate::clustering::numpy_random::make_blobs(100, &centers, 42);
    let given = KMeansInit::Centers(centers.clone());
    let computed = KMeansInit::function(move |_, _, _| Ok(centers.clone()));
    for init in [KMeansInit::Random, KMeansInit::PlusPlus, given, computed] {
        let mut kmeans = MiniBatchKMeans::new(3).init(init).n_init(10).seed(0);
        (0..100).for_each(|_| kmeans.partial_fit(&x).unwrap());
        assert_eq!(adjusted_rand_score(&truth, &kmeans.predict(&x).unwrap()).unwrap(), 1.0);
        assert_eq!(
            kmeans.labels().unwrap(),
            &kmeans.predict(&x).unwrap(),
            "of the last piece, about the new centers"
        );
        assert!((kmeans.inertia().unwrap() + kmeans.score(&x).unwrap()).abs() < 1e-9);
    }
}

#[test]
fn weights_of_pieces_pull_as_repeated_rows_do() {
    let x = array![[0.0f64], [1.0], [10.0], [13.0]];
    let weights = array![3.0, 1.0, 2.0, 1.0];
    let start = || MiniBatchKMeans::new(2).init(KMeansInit::Centers(array![[0.0], [10.0]]));
    let (mut weighted, mut repeated) = (start(), start());
    let rows = [0, 0, 0, 1, 2, 2, 3];
    for _ in 0..3 {
        weighted.partial_fit_weighted(&x, &weights).unwrap();
        repeated.partial_fit(&x.select(Axis(0), &rows)).unwrap();
    }
    for kmeans in [&weighted, &repeated] {
        let off = kmeans.cluster_centers().unwrap() - &array![[0.25], [11.0]];
        assert!(off.iter().all(|v| v.abs() < 1e-12), "{off}");
        assert!((kmeans.inertia().unwrap() - 6.75).abs() < 1e-12);
    }
    assert!((weighted.score_weighted(&x, &weights).unwrap() + 6.75).abs() < 1e-12);
    assert_error_contains(weighted.partial_fit_weighted(&x, &array![1.0, 1.0, 1.0]), "expected 4");
    assert_error_contains(
        weighted.partial_fit_weighted(&x, &array![0.0, 0.0, 0.0, 0.0]),
        "all weights are zero",
    );
    // Weights whose sum over the pieces leaves the range change nothing.
    let centers = weighted.cluster_centers().unwrap().clone();
    let huge = Array1::from_elem(4, 1e306);
    let pieces = (0..1000).map(|_| weighted.partial_fit_weighted(&x, &huge));
    assert_error_contains(pieces.into_iter().find(Result::is_err).unwrap(), "scale them down");
    assert!(weighted.cluster_centers().unwrap().iter().all(|c| c.is_finite()));
    assert_ne!(weighted.cluster_centers().unwrap(), &centers);
}

#[test]
fn pieces_go_on_where_a_fit_ended() {
    let blobs = blobs(600);
    let mut kmeans = MiniBatchKMeans::new(3).batch_size(100).seed(1);
    kmeans.fit(&blobs.data).unwrap();
    let steps = kmeans.n_steps().unwrap();
    let centers = kmeans.cluster_centers().unwrap().clone();
    kmeans.partial_fit(&blobs.data.slice(s![..50, ..])).unwrap();
    assert_eq!(kmeans.n_steps().unwrap(), steps + 1);
    let moved = (kmeans.cluster_centers().unwrap() - &centers).mapv(f64::abs);
    assert!(moved.iter().any(|v| *v > 0.0) && moved.iter().all(|v| *v < 0.2), "{moved}");
    // And a fit starts anew.
    let mut fresh = MiniBatchKMeans::new(3).batch_size(100).seed(1);
    assert_eq!(kmeans.fit(&blobs.data).unwrap(), fresh.fit(&blobs.data).unwrap());
    assert_eq!(kmeans.fit_transform(&blobs.data).unwrap(), fresh.transform(&blobs.data).unwrap());
}

#[test]
fn pieces_of_the_data_lead_to_the_same_clusters() {
    let blobs = blobs(3000);
    let mut kmeans = MiniBatchKMeans::new(3).seed(2);
    for piece in blobs.data.axis_chunks_iter(Axis(0), 100) {
        kmeans.partial_fit(&piece).unwrap();
    }
    assert_eq!(kmeans.n_steps().unwrap(), 30);
    let labels = kmeans.predict(&blobs.data).unwrap();
    assert!(adjusted_rand_score(&blobs.target, &labels).unwrap() > 0.99);
    assert_error_contains(kmeans.partial_fit(&Array2::zeros((5, 2))), "expected 3 features");
    assert_error_contains(kmeans.partial_fit(&Array2::from_elem((5, 3), f64::NAN)), "NaN at [0, 0]");
    assert_error_contains(
        kmeans.unfitted().partial_fit(&Array2::zeros((2, 3))),
        "n_samples=2 should be >= n_clusters=3",
    );
    // Less rows than clusters are enough later on.
    kmeans.partial_fit(&blobs.data.slice(s![..1, ..])).unwrap();
}

#[test]
fn centers_are_the_running_means_of_what_they_won() {
    // Two groups so far apart that no row ever changes sides.
    let x = array![[0.0f64], [100.0], [2.0], [104.0]];
    let mut kmeans = MiniBatchKMeans::new(2).init(KMeansInit::Centers(array![[1.0], [99.0]]));
    kmeans.partial_fit(&x).unwrap();
    assert_eq!(kmeans.cluster_centers().unwrap(), &array![[1.0], [102.0]]);
    kmeans.partial_fit(&array![[4.0], [106.0], [108.0]]).unwrap();
    let centers = kmeans.cluster_centers().unwrap();
    assert!((centers[[0, 0]] - 2.0).abs() < 1e-12, "the mean of 0, 2, 4");
    assert!((centers[[1, 0]] - 104.5).abs() < 1e-12, "the mean of 100, 104, 106, 108");
}

#[test]
fn centers_that_win_nothing_are_moved_onto_rows() {
    let mut x = Array2::<f64>::zeros((600, 10));
    let mut rng = Rng::new(4, Purpose::Other, 0);
    x.slice_mut(s![..;2, ..]).mapv_inplace(|_| rng.normal() + 5.0);
    let mut kmeans = MiniBatchKMeans::new(20).batch_size(50).init(KMeansInit::Random).seed(0);
    kmeans.fit(&x).unwrap();
    let moved = kmeans.cluster_centers().unwrap().rows().into_iter().filter(|c| c.sum().abs() > 1.0).count();
    assert!(moved > 9, "{moved} of 20 centers are among the half of the rows that differ");
    // The same with batches of all rows, and piece by piece.
    let x = x.slice(s![..100, ..]);
    let differ = |kmeans: &MiniBatchKMeans<f64>| {
        let centers = kmeans.cluster_centers().unwrap();
        centers.rows().into_iter().filter(|c| c.iter().any(|v| *v != 0.0)).count()
    };
    for seed in 0..5 {
        let mut kmeans = MiniBatchKMeans::new(20).batch_size(200).init(KMeansInit::Random).seed(seed);
        kmeans.fit(&x).unwrap();
        assert!(differ(&kmeans) > 9, "{} of 20, seed {seed}", differ(&kmeans));
        let mut kmeans = MiniBatchKMeans::new(20).init(KMeansInit::Random).seed(seed);
        (0..100).for_each(|_| kmeans.partial_fit(&x).unwrap());
        assert!(differ(&kmeans) > 9, "{} of 20 by pieces, seed {seed}", differ(&kmeans));
    }
    // More clusters than rows in a batch.
    for init_size in [10, 600] {
        let mut kmeans = MiniBatchKMeans::new(100).batch_size(10).init_size(init_size).max_iter(10);
        assert!(kmeans.fit(&blobs(600).data).unwrap().inertia.is_finite());
    }
}

#[test]
fn centers_that_win_few_rows_are_moved_after_ten_rows_a_cluster() {
    // 50 rows near 0, and one that keeps the center near 9 far below half of the largest count.
    let x = Array2::from_shape_fn((51, 1), |(row, _)| if row < 50 { row as f64 / 100.0 } else { 9.0 });
    let starts = KMeansInit::Centers(array![[0.0], [9.0]]);
    let farthest = |ratio: f64, pieces: usize| {
        let mut kmeans = MiniBatchKMeans::new(2).init(starts.clone()).reassignment_ratio(ratio).seed(1);
        let mut farthest = Vec::new();
        for _ in 0..pieces {
            kmeans.partial_fit(&x).unwrap();
            farthest.push(kmeans.cluster_centers().unwrap()[[1, 0]]);
        }
        farthest
    };
    // After 51 rows 2 clusters are due, so the first piece moves it onto another row; without a ratio it stays.
    assert_eq!(farthest(0.0, 3), [9.0; 3]);
    assert!(farthest(0.5, 3).iter().any(|&center| center < 1.0));
}

#[test]
fn rows_without_weight_do_not_pull() {
    let x = array![[0.0f32], [1.0], [10.0], [11.0], [500.0]];
    let weights = array![1.0, 1.0, 1.0, 1.0, 0.0];
    let mut kmeans = MiniBatchKMeans::new(2).batch_size(4).max_iter(50).seed(3);
    kmeans.fit_weighted(&x, &weights).unwrap();
    assert!(kmeans.cluster_centers().unwrap().iter().all(|c| *c < 20.0));
    assert_error_contains(kmeans.fit_weighted(&x, &(-&weights)), "weight -1 at [0]");
    // Nor are they starts, or what centers are moved onto, however few the others are.
    let x = Array2::from_shape_fn(
        (3000, 2),
        |(row, feature)| if row < 2990 { 900.0 } else { (row + feature) as f64 },
    );
    let weights = Array1::from_shape_fn(3000, |row| f64::from(u8::from(row >= 2990)));
    for init in [KMeansInit::PlusPlus, KMeansInit::Random] {
        for seed in 0..5 {
            let mut kmeans =
                MiniBatchKMeans::new(5).init(init.clone()).batch_size(30).init_size(30).seed(seed);
            kmeans.fit_weighted(&x, &weights).unwrap();
            let centers = kmeans.cluster_centers().unwrap();
            assert!(centers.iter().all(|c| *c > 2000.0), "{init:?}, seed {seed}: {centers}");
            // Nearly every center is below this part of the largest count.
            let mut kmeans = MiniBatchKMeans::new(5).init(init.clone()).reassignment_ratio(0.99).seed(seed);
            (0..20).for_each(|_| kmeans.partial_fit_weighted(&x, &weights).unwrap());
            assert!(
                kmeans.cluster_centers().unwrap().iter().all(|c| *c > 2000.0),
                "{init:?} by pieces, seed {seed}"
            );
        }
    }
    let mut random = MiniBatchKMeans::new(11).init(KMeansInit::Random);
    assert_error_contains(
        random.fit_weighted(&x, &weights),
        "10 weights are above zero, random centers need n_clusters=11 of them",
    );
}

#[test]
fn mini_batches_say_what_is_wrong() {
    let x = Array2::<f64>::ones((10, 2));
    let new = || MiniBatchKMeans::<f64>::new(2);
    assert_error_contains(MiniBatchKMeans::new(0).fit(&x), "MiniBatchKMeans: n_clusters is 0");
    assert_error_contains(MiniBatchKMeans::new(11).fit(&x), "n_clusters=11");
    assert_error_contains(new().batch_size(0).fit(&x), "batch_size is 0");
    assert_error_contains(new().max_no_improvement(0).fit(&x), "max_no_improvement is 0");
    assert_error_contains(new().reassignment_ratio(-0.1).fit(&x), "reassignment_ratio is -0.1");
    assert_error_contains(new().tol(f64::NAN).fit(&x), "tol is NaN");
    assert_error_contains(new().predict(&x), "this MiniBatchKMeans is not fitted yet");
    assert_error_contains(new().n_steps(), "before n_steps");
    assert_error_contains(new().init(KMeansInit::Centers(Array2::zeros((3, 2)))).fit(&x), "expected (2, 2)");
    assert!(new().batch_size(usize::MAX).fit(&x).is_ok());
}

#[test]
fn bisection_numbers_its_clusters_from_left_to_right() {
    // The example of scikit-learn's documentation, up to the names of the clusters.
    let x = array![
        [1.0f64, 1.0],
        [10.0, 1.0],
        [3.0, 1.0],
        [10.0, 0.0],
        [2.0, 1.0],
        [10.0, 2.0],
        [10.0, 8.0],
        [10.0, 9.0],
        [10.0, 10.0]
    ];
    let mut kmeans = BisectingKMeans::new(3).n_init(10).seed(0);
    let report = kmeans.fit(&x).unwrap();
    let labels = kmeans.labels().unwrap();
    assert_eq!(adjusted_rand_score(&array![0, 2, 0, 2, 0, 2, 1, 1, 1], labels).unwrap(), 1.0);
    let mut centers: Vec<Vec<f64>> = kmeans
        .cluster_centers()
        .unwrap()
        .rows()
        .into_iter()
        .map(|c| c.mapv(|v: f64| (v * 1e9).round() / 1e9).to_vec())
        .collect();
    centers.sort_by(|a, b| a.partial_cmp(b).unwrap());
    assert_eq!(centers, [[2.0, 1.0], [10.0, 1.0], [10.0, 9.0]]);
    assert!((report.inertia - 6.0).abs() < 1e-9);
    assert_eq!(report.history.len(), 3);
    assert!((report.history[2] - report.inertia).abs() < 1e-9, "{:?}", report.history);
    let new = array![[12.0, 3.0], [0.0, 0.0]];
    assert_eq!(kmeans.predict(&new).unwrap(), array![labels[1], labels[0]]);
    assert_eq!(&kmeans.predict(&x).unwrap(), labels);
    assert_eq!(kmeans.transform(&new).unwrap().dim(), (2, 3));
    assert!((kmeans.score(&x).unwrap() + report.inertia).abs() < 1e-9);
}

#[test]
fn bisection_splits_by_inertia_or_by_size() {
    // Many rows close together, and few that lie far apart.
    let x: Vec<f64> = (0..40).map(|row| f64::from(row) * 0.01).chain([100.0, 120.0]).collect();
    let x = Array2::from_shape_vec((42, 1), x).unwrap();
    let sizes = |strategy| {
        let mut kmeans = BisectingKMeans::new(3).strategy(strategy).n_init(5).seed(1);
        kmeans.fit(&x).unwrap();
        let mut sizes = vec![0; 3];
        kmeans.labels().unwrap().iter().for_each(|&label| sizes[label] += 1);
        sizes.sort_unstable();
        sizes
    };
    assert_eq!(sizes(BisectingStrategy::BiggestInertia), [1, 1, 40]);
    assert_eq!(sizes(BisectingStrategy::LargestCluster), [2, 20, 20]);
}

#[test]
fn of_clusters_of_one_size_the_leftmost_is_split() {
    // Two splits leave the clusters {0, 1}, {40, 41} and {100, 101} in the order of the tree.
    let x = array![[0.0], [1.0], [40.0], [41.0], [100.0], [101.0]];
    for seed in 0..10 {
        let fit = |k| {
            let mut kmeans =
                BisectingKMeans::new(k).strategy(BisectingStrategy::LargestCluster).n_init(5).seed(seed);
            kmeans.fit(&x).unwrap();
            kmeans.labels().unwrap().clone()
        };
        let (three, four) = (fit(3), fit(4));
        let split = |label: usize| {
            let of: Vec<usize> = (0..6).filter(|&row| three[row] == label).map(|row| four[row]).collect();
            of[0] != of[1]
        };
        assert!(split(0) && !split(1) && !split(2), "seed {seed}: {three} {four}");
    }
}

#[test]
fn bisection_agrees_in_both_precisions_and_on_one_feature() {
    for d in [1, 3] {
        let double = blobs(200).data.slice(s![.., ..d]).to_owned();
        let single = double.mapv(|v| v as f32);
        let (mut one, mut two) = (BisectingKMeans::new(5).seed(3), BisectingKMeans::new(5).seed(3));
        let (a, b) = (one.fit(&single).unwrap().inertia, two.fit(&double).unwrap().inertia);
        assert!((a - b).abs() < 1e-4 * b, "{a} {b}");
        assert_eq!(one.labels().unwrap(), two.labels().unwrap());
        assert_eq!(two.fit_transform(&double).unwrap(), two.transform(&double).unwrap());
    }
}

#[test]
fn bisection_of_duplicates_ends() {
    let mut kmeans = BisectingKMeans::new(4);
    let report = kmeans.fit(&Array2::<f32>::ones((6, 2))).unwrap();
    assert_eq!((report.distinct_clusters, report.inertia), (1, 0.0));
    let mut one = BisectingKMeans::new(1);
    assert_eq!(one.fit_predict(&array![[1.0], [3.0]]).unwrap(), array![0, 0]);
    assert_eq!(one.inertia().unwrap(), 2.0);
    let weights = array![0.0, 0.0, 0.0, 1.0, 1.0, 1.0];
    assert!(kmeans.fit_weighted(&array![[1.0f32], [2.0], [3.0], [4.0], [5.0], [6.0]], &weights).is_ok());
    let centers = KMeansInit::Centers(array![[1.0f32]]);
    assert_error_contains(BisectingKMeans::new(1).init(centers).fit(&array![[1.0f32]]), "init is Centers");
    assert_error_contains(BisectingKMeans::<f32>::new(2).labels(), "this BisectingKMeans is not fitted yet");
    assert_error_contains(BisectingKMeans::new(3).fit(&array![[1.0f32]]), "n_clusters=3");
}

#[test]
fn starts_are_rows_in_any_layout() {
    let x = blobs(200).data;
    for seed in 0..10 {
        let mut rng = Rng::new(seed, Purpose::Clustering, 0);
        let (centers, rows) = kmeans_plusplus(&x, 7, None, &mut rng).unwrap();
        assert_eq!(centers, x.select(Axis(0), &rows));
        let fortran = x.t().as_standard_layout().into_owned();
        let mut rng = Rng::new(seed, Purpose::Clustering, 0);
        assert_eq!(kmeans_plusplus(&fortran.t(), 7, None, &mut rng).unwrap().1, rows);
        for feature in 0..3 {
            let limits = |x: &Array2<f64>| {
                let column = x.column(feature);
                (column.fold(f64::MAX, |a, b| a.min(*b)), column.fold(f64::MIN, |a, b| a.max(*b)))
            };
            assert!(limits(&centers).0 >= limits(&x).0 && limits(&centers).1 <= limits(&x).1);
        }
        let single = x.mapv(|v| v as f32);
        let (centers, rows) = kmeans_plusplus(&single, 7, Some(1), &mut rng).unwrap();
        assert_eq!(centers, single.select(Axis(0), &rows));
    }
    let mut rng = Rng::new(0, Purpose::Clustering, 0);
    assert_error_contains(kmeans_plusplus(&x, 0, None, &mut rng), "n_clusters is 0");
    assert_error_contains(kmeans_plusplus(&x, 2, Some(0), &mut rng), "n_local_trials is 0");
    assert_error_contains(kmeans_plusplus(&x, 2, Some(1 << 30), &mut rng), "n_local_trials is 1073741824");
    let close = x.mapv(|x| x * 1e-170);
    assert_error_contains(kmeans_plusplus(&close, 2, None, &mut rng), "scale");
    assert_error_contains(kmeans_plusplus(&x, 201, None, &mut rng), "n_clusters=201");
    for (wrong, word) in
        [(f64::NAN, "NaN"), (f64::INFINITY, "inf"), (f64::NEG_INFINITY, "inf"), (-1e160, "scale x down")]
    {
        for row in [0, 117, 199] {
            let mut bad = x.clone();
            bad[[row, 1]] = wrong;
            assert_error_contains(kmeans_plusplus(&bad, 2, None, &mut rng), word);
            assert_error_contains(kmeans_plusplus(&bad, 2, None, &mut rng), &format!("[{row}, 1]"));
            let mut weights = Array1::ones(200);
            weights[row] = 0.0;
            assert_error_contains(kmeans_plusplus_weighted(&bad, &weights, 2, None, &mut rng), word);
        }
    }
}

#[test]
fn starts_among_weighted_rows_are_drawn_by_their_weights() {
    let x = blobs(100).data;
    let draw = |weights: &Array1<f64>, seed| {
        let mut rng = Rng::new(seed, Purpose::Clustering, 0);
        kmeans_plusplus_weighted(&x, weights, 5, None, &mut rng).unwrap()
    };
    let half = Array1::from_shape_fn(100, |row| (row % 2) as f64);
    let mut differs = false;
    for seed in 0..20 {
        let (centers, rows) = draw(&half, seed);
        assert_eq!(centers, x.select(Axis(0), &rows));
        assert!(rows.iter().all(|row| row % 2 == 1), "{rows:?}");
        let mut rng = Rng::new(seed, Purpose::Clustering, 0);
        let plain = kmeans_plusplus(&x, 5, None, &mut rng).unwrap().1;
        assert_eq!(draw(&Array1::ones(100), seed).1, plain);
        let uneven = Array1::from_shape_fn(100, |row| 1.0 + (row % 10) as f64);
        differs |= draw(&uneven, seed).1 != plain;
    }
    assert!(differs, "weights drew the same rows as none from every seed");
    let mut rng = Rng::new(0, Purpose::Clustering, 0);
    let mut with =
        |weights: &Array1<f64>, k, trials| kmeans_plusplus_weighted(&x, weights, k, trials, &mut rng);
    let ones = Array1::<f64>::ones(100);
    assert_error_contains(with(&Array1::ones(99), 2, None), "expected 100");
    assert_error_contains(with(&Array1::zeros(100), 2, None), "all weights are zero");
    assert_error_contains(with(&Array1::from_elem(100, -1.0), 2, None), "weight -1 at [0] is negative");
    assert_error_contains(with(&(&ones * 1e308), 2, None), "scale them down");
    assert_error_contains(with(&ones, 0, None), "n_clusters is 0");
    assert_error_contains(with(&ones, 101, None), "n_samples=100 should be >= n_clusters=101");
    for trials in [0, 101, usize::MAX] {
        assert_error_contains(with(&ones, 2, Some(trials)), "expected 1 to n_samples = 100");
    }
}

#[test]
fn the_elbow_is_at_the_number_of_blobs() {
    let blobs = blobs(300);
    let found = elbow(&KMeans::new(1).n_init(5), &blobs.data, 1..=8).unwrap();
    assert_eq!((found.knee, found.values.len()), (Some(3), 8));
    let by = elbow_with(&KMeans::new(1), &blobs.data, 2..=6, |labels: &Array1<usize>| {
        silhouette_score(&blobs.data, labels)
    });
    assert_eq!(by.unwrap().knee, Some(3));
    assert_error_contains(elbow(&KMeans::new(1), &blobs.data, [3, 2, 1]), "at least 3 rising numbers");
    assert_error_contains(elbow(&KMeans::new(1), &blobs.data, 0..4), "n_clusters is 0");
    assert_error_contains(
        elbow(&KMeans::new(1), &blobs.data, 5..5),
        "n_clusters is [], expected at least 3 rising numbers",
    );
    assert_error_contains(
        elbow(&KMeans::new(1), &blobs.data, 299..=302),
        "n_samples=300 should be >= n_clusters=301",
    );
    assert_error_contains(
        elbow(&KMeans::new(1), &blobs.data, 1..),
        "n_samples=300 should be >= n_clusters=301",
    );
    assert_error_contains(
        elbow_with(&KMeans::new(1), &blobs.data, 2..6, |_| Ok(f64::NAN)),
        "score is NaN for 2 clusters",
    );
    assert_eq!((found.measure, found.n_clusters), ("inertia", (1..=8).collect::<Vec<_>>()));
}

#[test]
fn a_number_of_clusters_without_a_score_leaves_the_others_theirs() {
    let x = array![[0.0], [0.1], [5.0], [5.1], [9.0], [9.1]];
    let silhouettes = |x: &Array2<f64>, numbers| {
        elbow_with(&KMeans::new(1).n_init(5), x, numbers, |labels| silhouette_score(x, labels))
    };
    // One cluster has no silhouette, and neither have rows that are all alone.
    let found = silhouettes(&x, 1..=6).unwrap();
    assert_eq!((found.knee, &found.n_clusters[..]), (Some(3), &[2, 3, 4, 5][..]));
    let skipped: Vec<usize> = found.skipped.iter().map(|(k, _)| *k).collect();
    assert_eq!((skipped, found.values.len()), (vec![1, 6], 4));
    assert!(found.skipped[0].1.contains("labels is 1 distinct"), "{:?}", found.skipped);
    assert!(found.skipped[1].1.contains("labels is 6 distinct"), "{:?}", found.skipped);
    let table = found.to_string();
    let lines: Vec<&str> = table.lines().collect();
    assert_eq!(lines.len(), 7, "{table}");
    assert!(lines[0].starts_with("n_clusters") && lines[0].ends_with("score"), "{table}");
    assert!(lines[1].starts_with("         1") && lines[1].contains("labels is 1 distinct"), "{table}");
    assert!(lines[3].starts_with("         3") && lines[3].ends_with("<- knee"), "{table}");
    // More clusters than distinct rows: the silhouette of those that are found.
    let doubled = concatenate![Axis(0), x.slice(s![..4, ..]), x.slice(s![..4, ..])];
    let found = silhouettes(&doubled, 2..=8).unwrap();
    assert_eq!((found.n_clusters.len(), found.skipped.len()), (7, 0));
    assert_eq!(found.values[2..], [1.0; 5]);
    // Rows that are all equal collapse to one cluster whatever the number: no value at all is an error.
    assert_error_contains(silhouettes(&Array2::ones((6, 2)), 2..=5), "labels is 1 distinct");
    let flat = elbow(&KMeans::new(1), &Array2::<f32>::ones((6, 2)), 1..=4).unwrap();
    assert_eq!((flat.knee, &flat.values[..]), (None, &[0.0; 4][..]));
    assert_eq!(flat.to_string().lines().nth(1), Some("         1  0.000000"));
    // A score of the caller's own.
    let odd = elbow_with(&KMeans::new(1), &x, 1..=5, |labels: &Array1<usize>| {
        let k = labels.iter().max().map_or(0, |label| label + 1);
        Ok(if k == 4 { f64::INFINITY } else { -(k as f64) })
    });
    let odd = odd.unwrap();
    assert_eq!((odd.knee, &odd.n_clusters[..]), (Some(1), &[1, 2, 3, 5][..]));
    assert!(odd.skipped[0].1.contains("score is inf for 4 clusters"), "{:?}", odd.skipped);
}

/// scikit-learn 1.9's numbers for `BisectingKMeans(k, init=lambda x, k, random_state: x[[0, -1]])` on iris.
#[test]
fn bisection_of_iris_is_scikit_learns() {
    let iris = load_iris::<f64>().unwrap().data;
    let weights = Array1::from_shape_fn(150, |row| 1.0 + (row % 4) as f64);
    let new = iris.slice(s![..;7, ..]).mapv(|v| v + 0.3);
    for (k, weighted, inertia, sizes, predicted) in [
        (2, false, 152.347951760358, vec![53, 97], "0000000011111111111111"),
        (2, true, 374.4319791073124, vec![53, 97], "0000000011111111111111"),
        (5, false, 56.30502270381835, vec![50, 3, 38, 34, 25], "0000000023223342222222"),
        (5, true, 139.21615134700951, vec![50, 3, 37, 35, 25], "0000000023223342232222"),
        (8, false, 32.12159403341755, vec![28, 22, 3, 12, 26, 17, 17, 25], "0000001045446573344444"),
        (8, true, 75.86541156935895, vec![22, 28, 3, 12, 25, 18, 17, 25], "0000001045446573464444"),
    ] {
        for strategy in [BisectingStrategy::BiggestInertia, BisectingStrategy::LargestCluster] {
            let ends = KMeansInit::function(|x: ArrayView2<'_, f64>, _, _: &mut Rng| {
                Ok(x.select(Axis(0), &[0, x.nrows() - 1]))
            });
            let mut kmeans = BisectingKMeans::new(k).init(ends).strategy(strategy);
            let report = match weighted {
                true => kmeans.fit_weighted(&iris, &weights),
                false => kmeans.fit(&iris),
            };
            let got = report.unwrap().inertia;
            assert!(
                (got - inertia).abs() < 1e-9 * inertia,
                "k = {k}, weighted: {weighted}: {got}, {inertia}"
            );
            let labels = kmeans.labels().unwrap();
            let size = |cluster: usize| labels.iter().filter(|&&label| label == cluster).count();
            assert_eq!((0..k).map(size).collect::<Vec<_>>(), sizes, "k = {k}, weighted: {weighted}");
            let answers: String = kmeans.predict(&new).unwrap().iter().map(ToString::to_string).collect();
            assert_eq!(answers, predicted, "k = {k}, weighted: {weighted}");
        }
    }
}

/// scikit-learn 1.9's numbers for pieces of iris, its rows taken 67 apart.
#[test]
fn pieces_of_iris_lead_where_scikit_learn_comes_to() {
    let order: Vec<usize> = (0..150).map(|row| row * 67 % 150).collect();
    let x = load_iris::<f64>().unwrap().data.select(Axis(0), &order);
    let weights = Array1::from_shape_fn(150, |row| 1.0 + (row % 4) as f64);
    let pieces = [s![..60, ..], s![60..100, ..], s![100.., ..]];
    let close = |got: f64, want: f64| assert!((got - want).abs() < 1e-9 * want, "got {got}, want {want}");
    let new = || MiniBatchKMeans::new(4).init(KMeansInit::Centers(x.slice(s![..4, ..]).to_owned()));

    let mut kmeans = new();
    for (inertia, sizes) in [
        (20.919097282572075, [17, 10, 13, 10]),
        (20.495606961881165, [17, 9, 13, 11]),
        (20.392347928016356, [17, 9, 13, 11]),
        (20.346565889187417, [17, 9, 12, 12]),
        (20.30505805611323, [17, 10, 12, 11]),
    ] {
        pieces.iter().for_each(|piece| kmeans.partial_fit(&x.slice(piece)).unwrap());
        close(kmeans.inertia().unwrap(), inertia);
        let labels = kmeans.labels().unwrap();
        assert_eq!([0, 1, 2, 3].map(|c| labels.iter().filter(|&&label| label == c).count()), sizes);
    }
    assert_eq!(kmeans.n_steps().unwrap(), 15);
    close(kmeans.cluster_centers().unwrap()[[2, 3]], 2.1138728323699447);
    close(kmeans.cluster_centers().unwrap()[[3, 2]], 4.76268656716418);

    let mut kmeans = new();
    for (piece, rows) in pieces.iter().zip([0..60, 60..100, 100..150]) {
        kmeans.partial_fit_weighted(&x.slice(piece), &weights.slice(s![rows])).unwrap();
    }
    close(kmeans.inertia().unwrap(), 54.67139216969495);
    close(kmeans.cluster_centers().unwrap()[[1, 3]], 1.2274193548387098);
    close(kmeans.cluster_centers().unwrap()[[2, 2]], 5.68640776699029);
    let labels: String = kmeans.labels().unwrap().iter().map(ToString::to_string).collect();
    assert_eq!(labels, "20103233020301312010103232020103232020101212020103");
}
