//! k-means by its properties, after scikit-learn's own tests and those of faiss, and the golden numbers of both. Which
//! test denotes which is listed in `mod.rs`.

mod empty_clusters;
mod reproducible;
mod weights;

use crate::common::{assert_error_contains, assert_near};
use axonal::cluster::BisectingKMeans;
use axonal::datasets::{load_iris, make_blobs};
use axonal::metrics::{adjusted_rand_score, silhouette_samples, v_measure_score};
use axonal::ndarray::{Array1, Array2, ArrayView2, Axis, ShapeBuilder, array, concatenate, s};
use axonal::prelude::*;
use axonal::rng::{Purpose, Rng};
use proptest::prelude::*;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

fn normal<F: Float>(n: usize, d: usize, seed: u64) -> Array2<F> {
    let mut rng = Rng::new(seed, Purpose::Other, 9);
    Array2::from_shape_fn((n, d), |_| F::of(rng.normal()))
}

fn from_rows(x: &Array2<f64>, rows: &[usize]) -> KMeans<f64> {
    KMeans::new(rows.len()).init(KMeansInit::Centers(x.select(Axis(0), rows)))
}

fn golden<F: Float>() {
    let of = |x: &Array2<f64>| x.mapv(F::of);
    let x = of(&array![[0.0, 0.0], [0.5, 0.0], [0.5, 1.0], [1.0, 1.0]]);
    let mut kmeans = KMeans::new(2).init(KMeansInit::Centers(of(&array![[0.0, 0.0], [1.0, 1.0]])));
    let report = kmeans.fit_weighted(&x, &array![3.0, 1.0, 1.0, 3.0].mapv(F::of)).unwrap();
    assert_eq!(kmeans.labels().unwrap(), &array![0, 0, 1, 1]);
    assert_eq!(kmeans.cluster_centers().unwrap(), of(&array![[0.125, 0.0], [0.875, 1.0]]));
    assert_eq!((report.inertia, report.n_iter), (0.375, 2));
    assert_eq!(kmeans.cluster_sizes().unwrap(), array![2, 2]);
}

#[test]
fn the_golden_cases_come_out() {
    golden::<f32>();
    golden::<f64>();
    let iris = load_iris::<f64>().unwrap().data;
    let eight: Vec<usize> = (0..8).map(|i| 19 * i).collect();
    // scikit-learn's numbers, but for the single iteration, where it comes to 259.67: one row is as near to rows 0 and 1 in
    // decimals, and nearer to row 0 in exact arithmetic with the values as they are stored.
    for (rows, max_iter, sizes, inertia, n_iter) in [
        (vec![0, 50, 100], 300, vec![50, 62, 38], 78.851441426146, 4),
        (vec![0, 1, 2], 300, vec![39, 61, 50], 78.85566582597727, 12),
        (vec![0, 1, 2], 1, vec![71, 29, 50], 251.15811720700174, 1),
        (eight, 300, vec![19, 13, 18, 7, 21, 21, 29, 22], 36.07264377787972, 8),
    ] {
        let mut kmeans = from_rows(&iris, &rows).max_iter(max_iter);
        let report = kmeans.fit(&iris).unwrap();
        assert_eq!(kmeans.cluster_sizes().unwrap().to_vec(), sizes, "{rows:?}");
        assert_eq!(report.n_iter, n_iter, "{rows:?}");
        assert_eq!(report.converged, max_iter > 1);
        assert_near(report.inertia, inertia, 1e-9);
    }
    let weights: Array1<f64> = (0..150).map(|row| 1.0 + f64::from(row % 4)).collect();
    let mut kmeans = from_rows(&iris, &[0, 50, 100]);
    let report = kmeans.fit_weighted(&iris, &weights).unwrap();
    assert_near(report.inertia, 195.69365853658542, 1e-9);
    assert_near(kmeans.cluster_centers().unwrap()[[0, 3]], 0.257723577, 1e-8);
    assert_eq!(report.n_iter, 4);
}

#[test]
fn without_a_tolerance_the_labels_settle() {
    let x = normal::<f64>(5000, 10, 1);
    let mut kmeans = KMeans::new(5).init(KMeansInit::Random).n_init(1).tol(0.0).max_iter(300).seed(2);
    let report = kmeans.fit(&x).unwrap();
    assert!(report.converged && report.n_iter < 300, "{}", report.n_iter);
    assert_near(report.inertia, *report.history.last().unwrap(), 1e-12);
}

#[test]
fn every_start_finds_separated_blobs() {
    let centers = array![[0.0, 5.0, 0.0, 0.0, 0.0], [1.0, 1.0, 4.0, 0.0, 0.0], [1.0, 0.0, 0.0, 5.0, 1.0]];
    let blobs = make_blobs::<f64>(100, &centers, 0.5, 42).unwrap();
    let function = KMeansInit::function(|x: ArrayView2<'_, f64>, k, rng| {
        Ok(x.select(Axis(0), &(0..k).map(|_| rng.below(x.nrows())).collect::<Vec<_>>()))
    });
    for init in [KMeansInit::PlusPlus, KMeansInit::Random, function, KMeansInit::Centers(centers.clone())] {
        let mut kmeans = KMeans::new(3).init(init.clone()).n_init(10).seed(42);
        kmeans.fit(&blobs.data).unwrap();
        assert_near(v_measure_score(&blobs.target, kmeans.labels().unwrap()).unwrap(), 1.0, 1e-12);
        assert_eq!(kmeans.fit_predict(&blobs.data).unwrap(), kmeans.predict(&blobs.data).unwrap());
        let mut mini_batch = MiniBatchKMeans::new(3).init(init).n_init(10).seed(42);
        let labels = mini_batch.fit_predict(&blobs.data).unwrap();
        assert_near(v_measure_score(&blobs.target, &labels).unwrap(), 1.0, 1e-12);
    }
}

#[test]
fn without_a_number_of_runs_scikit_learns_is_made() {
    let x = normal::<f64>(100, 10, 4);
    let calls = Arc::new(AtomicUsize::new(0));
    let counted = calls.clone();
    let function = KMeansInit::function(move |x: ArrayView2<'_, f64>, k, _: &mut Rng| {
        counted.fetch_add(1, Ordering::Relaxed);
        Ok(x.slice(s![..k, ..]).to_owned())
    });
    KMeans::new(5).init(function.clone()).fit(&x).unwrap();
    assert_eq!(calls.swap(0, Ordering::Relaxed), 10);
    MiniBatchKMeans::new(5).init(function).fit(&x).unwrap();
    assert_eq!(calls.load(Ordering::Relaxed), 3);
    // Where the starts are drawn, by what comes of them.
    for (init, n_init, other) in [(KMeansInit::PlusPlus, 1, 10), (KMeansInit::Random, 10, 1)] {
        let fit = |kmeans: KMeans<f64>, seed| kmeans.init(init.clone()).seed(seed).fit(&x).unwrap();
        let mut differs = false;
        for seed in 0..5 {
            let without = fit(KMeans::new(5), seed);
            assert_eq!(without, fit(KMeans::new(5).n_init(n_init), seed));
            differs |= without != fit(KMeans::new(5).n_init(other), seed);
        }
        assert!(differs, "{init:?}: one run and ten came to the same from every seed");
    }
    for (init, n_init, other) in [(KMeansInit::PlusPlus, 1, 3), (KMeansInit::Random, 3, 1)] {
        let fit = |kmeans: MiniBatchKMeans<f64>, seed| kmeans.init(init.clone()).seed(seed).fit(&x).unwrap();
        let mut differs = false;
        for seed in 0..5 {
            let without = fit(MiniBatchKMeans::new(5), seed);
            assert_eq!(without, fit(MiniBatchKMeans::new(5).n_init(n_init), seed));
            differs |= without != fit(MiniBatchKMeans::new(5).n_init(other), seed);
        }
        assert!(differs, "{init:?}: one start and three came to the same from every seed");
    }
}

#[test]
fn given_centers_are_run_from_once() {
    let x = normal::<f64>(200, 3, 5);
    let once = from_rows(&x, &[0, 1, 2]).fit(&x).unwrap();
    assert_eq!(from_rows(&x, &[0, 1, 2]).n_init(10).fit(&x).unwrap(), once);
}

#[test]
fn the_layout_of_the_data_does_not_matter() {
    let x = normal::<f32>(300, 4, 7);
    let mut kmeans = KMeans::new(4).seed(1);
    let report = kmeans.fit(&x).unwrap();
    let centers = kmeans.cluster_centers().unwrap().clone();
    let mut fortran = Array2::zeros((300, 4).f());
    fortran.assign(&x);
    let mut gaps = Array2::zeros((600, 8));
    gaps.slice_mut(s![..;2, ..;2]).assign(&x);
    let backward = x.slice(s![..;-1, ..;-1]).to_owned();
    for view in [fortran.view(), gaps.slice(s![..;2, ..;2]), backward.slice(s![..;-1, ..;-1])] {
        let mut kmeans = KMeans::new(4).seed(1);
        assert_eq!(kmeans.fit(&view).unwrap(), report);
        assert_eq!(kmeans.cluster_centers().unwrap(), &centers);
        assert_eq!(kmeans.predict(&view).unwrap(), kmeans.predict(&x).unwrap());
        assert_eq!(kmeans.transform(&view).unwrap(), kmeans.transform(&x).unwrap());
        let batches = |x: ArrayView2<'_, f32>| {
            let mut kmeans = MiniBatchKMeans::new(4).seed(1).batch_size(50);
            (kmeans.fit(&x).unwrap(), kmeans.cluster_centers().unwrap().clone())
        };
        assert_eq!(batches(view), batches(x.view()));
        let halves = |x: ArrayView2<'_, f32>| {
            let mut kmeans = BisectingKMeans::new(4).seed(1);
            (kmeans.fit(&x).unwrap(), kmeans.cluster_centers().unwrap().clone())
        };
        assert_eq!(halves(view), halves(x.view()));
    }
}

#[test]
fn the_data_and_what_was_given_stay_as_they_were() {
    let x = normal::<f64>(80, 3, 7) + 100.0;
    let weights = Array1::from_shape_fn(80, |row| 0.5 + (row % 3) as f64);
    let (x_before, weights_before) = (x.clone(), weights.clone());
    let start = x.slice(s![..4, ..]).to_owned();
    let mut kmeans = KMeans::new(4).init(KMeansInit::Centers(start));
    let first = kmeans.fit_weighted(&x, &weights).unwrap();
    let centers = kmeans.cluster_centers().unwrap().clone();
    kmeans.predict(&x).unwrap();
    kmeans.transform(&x).unwrap();
    kmeans.score_weighted(&x, &weights).unwrap();
    assert_eq!(kmeans.cluster_centers().unwrap(), &centers, "an answer moved a center");
    // A second fit starts anew, from the given centers as they were given, and comes to the same.
    assert_eq!(kmeans.fit_weighted(&x, &weights).unwrap(), first);
    assert_eq!(kmeans.cluster_centers().unwrap(), &centers);
    MiniBatchKMeans::new(4).fit_weighted(&x, &weights).unwrap();
    BisectingKMeans::new(4).fit_weighted(&x, &weights).unwrap();
    assert_eq!((x, weights), (x_before, weights_before));
}

#[test]
fn whole_numbers_cluster_as_reals() {
    let whole = array![[0, 0], [10, 10], [12, 9], [-1, 1], [2, 0], [8, 10]];
    let x = whole.mapv(f64::from);
    for init in [KMeansInit::PlusPlus, KMeansInit::Centers(x.slice(s![..2, ..]).to_owned())] {
        let labels = KMeans::new(2).init(init.clone()).n_init(5).fit_predict(&x).unwrap();
        assert_near(v_measure_score(&array![0, 1, 1, 0, 0, 1], &labels).unwrap(), 1.0, 1e-12);
        let labels = MiniBatchKMeans::new(2).init(init).n_init(5).fit_predict(&x).unwrap();
        assert_near(v_measure_score(&array![0, 1, 1, 0, 0, 1], &labels).unwrap(), 1.0, 1e-12);
    }
}

/// Lloyd's iteration as the textbook has it: the labels, the centers, and the iterations with the one that confirms.
fn textbook(x: &Array2<f64>, start: &Array2<f64>, tol: f64) -> (Vec<usize>, Array2<f64>, usize) {
    let mean_variance = x.var_axis(Axis(0), 0.0).mean().unwrap();
    let nearest = |centers: &Array2<f64>| -> Vec<usize> {
        let distance = |row: usize, c: usize| {
            x.row(row).iter().zip(centers.row(c)).map(|(a, b)| (a - b).powi(2)).sum::<f64>()
        };
        let of_row = |row: usize| {
            (0..centers.nrows()).min_by(|&a, &b| distance(row, a).total_cmp(&distance(row, b))).unwrap()
        };
        (0..x.nrows()).map(of_row).collect()
    };
    let (mut centers, mut before) = (start.clone(), Vec::new());
    for n_iter in 1..=300 {
        let labels = nearest(&centers);
        let mut means = Array2::<f64>::zeros(centers.dim());
        let mut sizes = vec![0.0; centers.nrows()];
        for (row, &label) in x.rows().into_iter().zip(&labels) {
            let mut mean = means.row_mut(label);
            mean += &row;
            sizes[label] += 1.0;
        }
        means.rows_mut().into_iter().zip(&sizes).for_each(|(mut mean, size)| mean /= *size);
        let moved = (&means - &centers).mapv(|v| v * v).sum();
        centers = means;
        if labels == before {
            return (labels, centers, n_iter);
        }
        if moved <= tol * mean_variance {
            return (nearest(&centers), centers, n_iter);
        }
        before = labels;
    }
    panic!("300 iterations")
}

#[test]
fn skipping_rows_changes_neither_labels_nor_iterations_at_any_tolerance() {
    // Enough clusters and numbers for bounds; as in the reference noise and blobs, the negatives cut off.
    let noise = normal::<f64>(2000, 10, 3).mapv(|v| v.max(0.0));
    let centers = normal::<f64>(20, 10, 4) * 4.0;
    let blobs = make_blobs::<f64>(2000, &centers, 1.0, 5).unwrap().data.mapv(|v| v.max(0.0));
    for x in [noise, blobs] {
        let start = x.slice(s![..20, ..]).to_owned();
        for tol in [1e-2, 1e-8, 1e-100, 0.0] {
            let mut kmeans = KMeans::new(20).init(KMeansInit::Centers(start.clone())).tol(tol);
            let report = kmeans.fit(&x).unwrap();
            let (labels, centers, n_iter) = textbook(&x, &start, tol);
            assert_eq!(report.n_iter, n_iter, "tol {tol}");
            assert_eq!(kmeans.labels().unwrap().to_vec(), labels, "tol {tol}");
            assert!(
                (kmeans.cluster_centers().unwrap() - &centers).iter().all(|v| v.abs() < 1e-9),
                "tol {tol}"
            );
        }
    }
}

#[test]
fn a_tolerance_ends_a_run_before_its_iterations_are_spent() {
    let x = normal::<f64>(1000, 8, 1);
    let n_iter = |tol| {
        let report = from_rows(&x, &[0, 1, 2, 3, 4, 5]).max_iter(1000).tol(tol).fit(&x).unwrap();
        assert!(report.converged);
        report.n_iter
    };
    assert!(n_iter(1e-1) < n_iter(1e-3) && n_iter(1e-3) <= n_iter(0.0) && n_iter(0.0) < 1000);
}

#[test]
fn as_many_clusters_as_rows_are_those_rows() {
    let x = normal::<f32>(50, 4, 6);
    let mut kmeans = KMeans::new(50);
    let report = kmeans.fit(&x).unwrap();
    assert_eq!((report.inertia, report.distinct_clusters), (0.0, 50));
    let centers =
        kmeans.cluster_centers().unwrap().select(Axis(0), kmeans.labels().unwrap().as_slice().unwrap());
    assert!((&centers - &x).iter().all(|v| v.abs() < 1e-6));
}

#[test]
fn one_cluster_is_the_weighted_mean() {
    let x = normal::<f64>(300, 3, 2) + 5.0;
    let weights = Array1::from_shape_fn(300, |row| (row % 5) as f64);
    let mean =
        |weights: &Array1<f64>| (&x * &weights.view().insert_axis(Axis(1))).sum_axis(Axis(0)) / weights.sum();
    for (weights, max_iter) in [(Array1::ones(300), 300), (weights, 1)] {
        let mut kmeans = KMeans::new(1).max_iter(max_iter);
        let report = kmeans.fit_weighted(&x, &weights).unwrap();
        assert!(
            (&kmeans.cluster_centers().unwrap().row(0) - &mean(&weights)).iter().all(|v| v.abs() < 1e-12)
        );
        assert!(report.n_iter <= 2 && report.empty_clusters.is_empty());
        let mut bisecting = BisectingKMeans::new(1);
        bisecting.fit_weighted(&x, &weights).unwrap();
        assert!(
            (&bisecting.cluster_centers().unwrap().row(0) - &mean(&weights)).iter().all(|v| v.abs() < 1e-12)
        );
        assert_near(bisecting.inertia().unwrap(), report.inertia, 1e-12);
    }
}

#[test]
fn a_second_fit_on_other_data_forgets_the_first() {
    let (first, second) = (normal::<f64>(60, 2, 1), normal::<f64>(90, 5, 2) + 3.0);
    let mut twice = KMeans::new(4).seed(3);
    twice.fit(&first).unwrap();
    let report = twice.fit(&second).unwrap();
    let mut once = KMeans::new(4).seed(3);
    assert_eq!(once.fit(&second).unwrap(), report);
    assert_eq!(once.cluster_centers().unwrap(), twice.cluster_centers().unwrap());
    assert_eq!(once.labels().unwrap(), twice.labels().unwrap());
    assert!(twice.predict(&first).is_err());
}

#[test]
fn clusters_of_few_blobs_are_found_and_numbered_without_gaps() {
    let centers = array![[0.0, 0.0], [4.0, 4.0], [0.0, 5.0]];
    for seed in 0..5 {
        let blobs = make_blobs::<f64>(50, &centers, 0.5, seed).unwrap();
        let mut kmeans = KMeans::new(3).n_init(3).seed(seed);
        let mut batches = MiniBatchKMeans::new(3).n_init(3).seed(seed);
        let mut halves = BisectingKMeans::new(3).n_init(3).seed(seed);
        kmeans.fit(&blobs.data).unwrap();
        batches.fit(&blobs.data).unwrap();
        halves.fit(&blobs.data).unwrap();
        for labels in
            [kmeans.labels(), batches.labels(), halves.labels()].map(|labels| labels.unwrap().clone())
        {
            assert!(adjusted_rand_score(&blobs.target, &labels).unwrap() > 0.4);
            let mut names = labels.to_vec();
            names.sort_unstable();
            names.dedup();
            assert_eq!(names, [0, 1, 2]);
        }
        assert_eq!(&kmeans.clone().fit_predict(&blobs.data).unwrap(), kmeans.labels().unwrap());
        assert_eq!(&batches.clone().fit_predict(&blobs.data).unwrap(), batches.labels().unwrap());
        assert_eq!(&halves.clone().fit_predict(&blobs.data).unwrap(), halves.labels().unwrap());
    }
}

#[test]
fn more_iterations_and_more_runs_are_never_worse() {
    let x = normal::<f64>(400, 6, 3);
    let after = |max_iter| {
        let mut kmeans = from_rows(&x, &[0, 1, 2, 3]).max_iter(max_iter);
        kmeans.fit(&x).unwrap();
        kmeans.score(&x).unwrap()
    };
    assert!(after(10) > after(1));
    let runs = |n_init| KMeans::new(6).init(KMeansInit::Random).n_init(n_init).fit(&x).unwrap().inertia;
    let inertias = [1, 3, 10, 25].map(runs);
    assert!(inertias.windows(2).all(|pair| pair[1] <= pair[0]), "{inertias:?}");
    assert!(inertias[3] < inertias[0]);
    let inertia = |k| KMeans::new(k).fit(&x).unwrap().inertia;
    assert!(inertia(64) < inertia(32));
    assert_eq!(inertia(400), 0.0);
}

#[test]
fn labels_are_what_predict_answers() {
    for (seed, max_iter) in [(1, 2), (2, 100), (3, 7)] {
        let x = normal::<f32>(999, 5, seed) + 100.0;
        let mut kmeans = KMeans::new(11).max_iter(max_iter).seed(seed).tol(0.0);
        kmeans.fit(&x).unwrap();
        assert_eq!(&kmeans.predict(&x).unwrap(), kmeans.labels().unwrap());
        assert_eq!(kmeans.predict(kmeans.cluster_centers().unwrap()).unwrap(), Array1::from_iter(0..11));
        assert_near(kmeans.score(&x).unwrap(), -kmeans.inertia().unwrap(), 1e-5);
    }
}

#[test]
fn centers_of_a_fit_are_its_fixed_point() {
    let x = normal::<f64>(500, 2, 8);
    let mut kmeans = KMeans::new(5).tol(0.0);
    kmeans.fit(&x).unwrap();
    let centers = kmeans.cluster_centers().unwrap().clone();
    let mut again = KMeans::new(5).tol(0.0).init(KMeansInit::Centers(centers.clone()));
    assert!(again.fit(&x).unwrap().n_iter <= 2);
    assert!((again.cluster_centers().unwrap() - &centers).iter().all(|v| v.abs() < 1e-12));
}

/// The kernel against the plain formula.
fn distances_are_the_plain_ones<F: Float>(tolerance: f64) {
    for (n, d, k) in [(1, 1, 1), (33, 7, 5), (300, 17, 9), (40, 64, 40)] {
        let x = normal::<F>(n, d, 4).mapv(|v| v + F::of(3.0));
        let mut kmeans = KMeans::new(k).max_iter(2);
        let transformed = kmeans.fit_transform(&x).unwrap();
        assert_eq!(transformed, kmeans.transform(&x).unwrap());
        let centers = kmeans.cluster_centers().unwrap();
        for ((row, cluster), distance) in transformed.indexed_iter() {
            let difference = |feature| x[[row, feature]].as_f64() - centers[[cluster, feature]].as_f64();
            assert_near(
                distance.as_f64(),
                (0..d).map(|f| difference(f).powi(2)).sum::<f64>().sqrt(),
                tolerance,
            );
        }
    }
}

#[test]
fn distances_are_the_plain_ones_in_both_precisions() {
    distances_are_the_plain_ones::<f64>(1e-12);
    distances_are_the_plain_ones::<f32>(1e-5);
}

#[test]
fn inertias_are_weighted_sums_of_squared_distances() {
    fn in_precision<F: Float>(tolerance: f64) {
        let (x, new) = (normal::<F>(100, 10, 1), normal::<F>(500, 10, 2));
        let weights: Array1<F> = (0..500).map(|row| F::of(0.25 * (row % 7) as f64)).collect();
        let mut kmeans = KMeans::new(5);
        kmeans.fit(&x).unwrap();
        let (labels, centers) = (kmeans.predict(&new).unwrap(), kmeans.cluster_centers().unwrap());
        let square = |row: usize| -> f64 {
            let center = centers.row(labels[row]);
            new.row(row).iter().zip(center).map(|(a, b)| (a.as_f64() - b.as_f64()).powi(2)).sum()
        };
        let plain: f64 = (0..500).map(square).sum();
        let weighted: f64 = (0..500).map(|row| weights[row].as_f64() * square(row)).sum();
        assert_near(kmeans.score(&new).unwrap(), -plain, tolerance);
        assert_near(kmeans.score_weighted(&new, &weights).unwrap(), -weighted, tolerance);
        let one_by_one = kmeans.cluster_inertias(&new).unwrap();
        for cluster in 0..5 {
            assert_near(
                one_by_one[cluster],
                (0..500).filter(|&row| labels[row] == cluster).map(square).sum(),
                tolerance,
            );
        }
        assert_near(one_by_one.sum(), plain, tolerance);
    }
    in_precision::<f64>(1e-12);
    in_precision::<f32>(1e-5);
}

#[test]
fn transform_answers_with_distances() {
    let x = normal::<f64>(60, 9, 4);
    let mut kmeans = KMeans::new(4);
    let transformed = kmeans.fit_transform(&x).unwrap();
    let centers = kmeans.cluster_centers().unwrap();
    for ((row, cluster), distance) in transformed.indexed_iter() {
        let want = (&x.row(row) - &centers.row(cluster)).mapv(|v| v * v).sum().sqrt();
        assert_near(*distance, want, 1e-12);
    }
    assert!(kmeans.transform(centers).unwrap().diag().iter().all(|v| *v == 0.0));
    assert_eq!(kmeans.predict(&Array2::<f64>::zeros((0, 9))).unwrap().len(), 0);
    assert_eq!(kmeans.transform(&Array2::<f64>::zeros((0, 9))).unwrap().dim(), (0, 4));
}

#[test]
fn single_and_double_precision_agree() {
    let centers = array![[0.0, 5.0, 0.0], [1.0, 1.0, 4.0], [1.0, 0.0, 0.0], [9.0, 9.0, 9.0]];
    let blobs = make_blobs::<f32>(300, &centers.mapv(|v| v as f32), 1.0, 0).unwrap();
    let double = blobs.data.mapv(f64::from);
    let start = [0, 1, 2, 3];
    let mut one = KMeans::new(4).init(KMeansInit::Centers(blobs.data.select(Axis(0), &start)));
    let mut two = from_rows(&double, &start);
    let (a, b) = (one.fit(&blobs.data).unwrap(), two.fit(&double).unwrap());
    assert_near(a.inertia, b.inertia, 1e-4);
    assert_eq!((one.labels().unwrap(), a.n_iter), (two.labels().unwrap(), b.n_iter));
    one.cluster_centers()
        .unwrap()
        .iter()
        .zip(two.cluster_centers().unwrap())
        .for_each(|(a, b)| assert_near(f64::from(*a), *b, 1e-4));
}

#[test]
fn one_iteration_is_assign_average_assign() {
    let x = normal::<f64>(100, 5, 2);
    let start = x.slice(s![..6, ..]).to_owned();
    let nearest = |centers: &Array2<f64>| -> Vec<usize> {
        x.rows()
            .into_iter()
            .map(|row| {
                let distance = |c: &usize| (&row - &centers.row(*c)).mapv(|v| v * v).sum();
                (0..6).min_by(|a, b| distance(a).total_cmp(&distance(b))).unwrap()
            })
            .collect()
    };
    let labels = nearest(&start);
    let means: Vec<Array1<f64>> = (0..6)
        .map(|c| {
            let rows: Vec<usize> = (0..100).filter(|&row| labels[row] == c).collect();
            x.select(Axis(0), &rows).mean_axis(Axis(0)).unwrap()
        })
        .collect();
    let means = axonal::ndarray::stack(Axis(0), &means.iter().map(|m| m.view()).collect::<Vec<_>>()).unwrap();
    let mut kmeans = KMeans::new(6).init(KMeansInit::Centers(start)).max_iter(1);
    assert_eq!(kmeans.fit(&x).unwrap().n_iter, 1);
    assert_eq!(kmeans.labels().unwrap().to_vec(), nearest(&means));
    assert!((kmeans.cluster_centers().unwrap() - &means).iter().all(|v| v.abs() < 1e-12));
}

#[test]
fn the_inertia_does_not_cancel() {
    // ‖x‖² − 2x·c + ‖c‖² is 0 in single precision here.
    let x = array![[1.0f32 + 1e-4], [1.0 - 1e-4], [-1.0 + 1e-4], [-1.0 - 1e-4]];
    let mut kmeans = KMeans::new(2).init(KMeansInit::Centers(array![[1.0], [-1.0]]));
    let inertia = kmeans.fit(&x).unwrap().inertia;
    assert!((inertia - 4e-8).abs() < 2e-9, "{inertia}");
}

#[test]
fn far_from_the_origin_the_labels_are_the_same() {
    // Whole numbers: the shift itself must not round.
    let x = normal::<f64>(400, 3, 12).mapv(|v| (v * 64.0).round());
    let start = x.slice(s![..7, ..]).to_owned();
    let mut near = KMeans::new(7).init(KMeansInit::Centers(start.clone()));
    let report = near.fit(&x).unwrap();
    for shift in [1e6, -1e9] {
        let mut far = KMeans::new(7).init(KMeansInit::Centers(&start + shift));
        let shifted = far.fit(&(&x + shift)).unwrap();
        assert_eq!(far.labels().unwrap(), near.labels().unwrap());
        assert_eq!(shifted.n_iter, report.n_iter);
        assert_near(shifted.inertia, report.inertia, 1e-6);
    }
}

#[test]
fn what_is_wrong_is_said() {
    let x = normal::<f64>(10, 3, 0);
    assert_error_contains(KMeans::new(11).fit(&x), "KMeans: n_samples=10 should be >= n_clusters=11");
    assert_error_contains(KMeans::new(0).fit(&x), "KMeans: n_clusters is 0, expected at least 1");
    assert_error_contains(KMeans::new(2).n_init(0).fit(&x), "n_init is 0");
    assert_error_contains(KMeans::new(2).max_iter(0).fit(&x), "max_iter is 0");
    assert_error_contains(KMeans::new(2).max_points_per_center(0).fit(&x), "max_points_per_center is 0");
    for tol in [-1.0, f64::NAN, f64::INFINITY] {
        assert_error_contains(KMeans::new(2).tol(tol).fit(&x), "tol is");
    }
    for (k, d) in [(1, 3), (3, 3), (2, 2), (2, 4)] {
        let init = KMeansInit::Centers(Array2::zeros((k, d)));
        assert_error_contains(KMeans::new(2).init(init).fit(&x), "initial centers: expected (2, 3)");
    }
    assert_error_contains(
        KMeans::new(2).init(KMeansInit::Centers(Array2::from_elem((2, 3), f64::NAN))).fit(&x),
        "NaN at [0, 0]",
    );
    let wrong = KMeansInit::function(|_, _, _| Ok(Array2::<f64>::zeros((1, 1))));
    assert_error_contains(KMeans::new(2).init(wrong).fit(&x), "got (1, 1)");
    assert_error_contains(KMeans::new(2).fit(&Array2::<f32>::zeros((0, 3))), "empty");
    assert_error_contains(KMeans::new(2).fit(&Array2::<f32>::zeros((3, 0))), "feature");
    for value in [f64::NAN, f64::INFINITY, f64::NEG_INFINITY] {
        let mut bad = x.clone();
        bad[[6, 2]] = value;
        assert_error_contains(KMeans::new(2).fit(&bad), "[6, 2]");
    }
    let mut kmeans = KMeans::new(2);
    assert_error_contains(kmeans.predict(&x), "this KMeans is not fitted yet: call fit before predict");
    assert_error_contains(kmeans.inertia(), "before inertia");
    for (weights, words) in [
        (Array1::ones(9), "expected 10"),
        (Array1::zeros(10), "all weights are zero"),
        (Array1::from_elem(10, -1.0), "weight -1 at [0]"),
        (Array1::from_elem(10, f64::NAN), "NaN"),
        (Array1::from_elem(10, 1e308), "scale them down"),
    ] {
        assert_error_contains(kmeans.fit_weighted(&x, &weights), words);
    }
    let mut one = Array1::zeros(10);
    one[3] = 1.0;
    assert_error_contains(
        KMeans::new(2).init(KMeansInit::Random).fit_weighted(&x, &one),
        "1 weights are above zero",
    );
    kmeans.fit(&x).unwrap();
    assert_error_contains(kmeans.predict(&Array2::zeros((2, 4))), "expected 3 features a row, got 4");
    assert_error_contains(kmeans.predict(&Array2::from_elem((2, 3), f64::NAN)), "NaN at [0, 0]");
    // A fit that fails leaves what was learned.
    assert!(kmeans.fit(&Array2::zeros((1, 3))).is_err());
    assert_eq!(kmeans.labels().unwrap().len(), 10);
    assert!(kmeans.unfitted().labels().is_err());
}

#[test]
fn values_without_squares_are_refused() {
    let mut x = normal::<f32>(20, 2, 0);
    let mut kmeans = KMeans::new(2);
    kmeans.fit(&x).unwrap();
    x[[4, 1]] = 1e20;
    assert_error_contains(
        kmeans.fit(&x),
        "x is 1e20 at [4, 1], expected values whose squared distances stay within",
    );
    assert_error_contains(kmeans.predict(&x), "1e20 at [4, 1]");
    // Far away together is no trouble.
    let far = array![[1e20f64], [1e20], [-1e20], [-1e20]];
    assert_eq!(KMeans::new(2).fit(&far).unwrap().inertia, 0.0);
    assert_error_contains(KMeans::new(1).fit(&array![[1e308], [1e308], [-1e308]]), "e308 at");
}

#[test]
fn directions_cluster_by_their_cosine() {
    let x = array![[1.0, 0.01], [50.0, 0.2], [0.03, 2.0], [0.1, 90.0], [-3.0, 0.1], [-70.0, -0.4]];
    let mut kmeans = KMeans::new(3).spherical(true).n_init(5);
    kmeans.fit(&x).unwrap();
    let labels = kmeans.labels().unwrap();
    assert!((0..3).all(|pair| labels[2 * pair] == labels[2 * pair + 1]), "{labels}");
    assert_eq!(kmeans.predict(&(&x * 1e-3)).unwrap(), labels);
    let centers = kmeans.cluster_centers().unwrap();
    centers.rows().into_iter().for_each(|center| assert_near(center.dot(&center), 1.0, 1e-12));
    let cosines =
        x.rows().into_iter().zip(labels).map(|(row, &c)| row.dot(&centers.row(c)) / row.dot(&row).sqrt());
    assert_near(kmeans.inertia().unwrap(), cosines.map(|cosine| 2.0 * (1.0 - cosine)).sum(), 1e-9);
}

#[test]
fn a_part_of_the_rows_can_be_learned_from() {
    let blobs = make_blobs::<f32>(4000, &array![[0.0, 0.0], [9.0, 0.0], [0.0, 9.0]], 1.0, 5).unwrap();
    let mut kmeans = KMeans::new(3).max_points_per_center(50).n_init(3);
    let report = kmeans.fit(&blobs.data).unwrap();
    let labels = kmeans.labels().unwrap();
    assert!(adjusted_rand_score(&blobs.target, labels).unwrap() > 0.99);
    assert_eq!(labels, kmeans.predict(&blobs.data).unwrap());
    assert_near(kmeans.score(&blobs.data).unwrap(), -report.inertia, 1e-5);
    let whole = KMeans::new(3).n_init(3).fit(&blobs.data).unwrap();
    assert!(report.inertia >= whole.inertia && report.inertia < 1.1 * whole.inertia);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn the_inertia_falls_with_every_iteration(n in 8usize..120, d in 1usize..20, k in 1usize..8, seed in 0u64..1000) {
        let x = normal::<f64>(n, d, seed);
        let mut kmeans = KMeans::new(k).seed(seed).tol(0.0);
        let report = kmeans.fit(&x).unwrap();
        prop_assert!(report.history.windows(2).all(|pair| pair[1] <= pair[0] * (1.0 + 1e-12)));
        prop_assert!(report.inertia >= 0.0 && report.n_iter == report.history.len());
        prop_assert!(kmeans.cluster_centers().unwrap().iter().all(|c| c.is_finite()));
    }

    #[test]
    fn a_rows_label_does_not_depend_on_the_rows_beside_it(
        n in 1usize..80, d in 1usize..20, k in 1usize..40, first in 0usize..40, seed in 0u64..1000,
    ) {
        let x = normal::<f32>(n.max(k), d, seed);
        let mut kmeans = KMeans::new(k).seed(seed).max_iter(3);
        kmeans.fit(&x).unwrap();
        let all = kmeans.predict(&x).unwrap();
        let first = first.min(x.nrows() - 1);
        prop_assert_eq!(kmeans.predict(&x.slice(s![first.., ..])).unwrap(), all.slice(s![first..]));
        prop_assert_eq!(kmeans.predict(&x.slice(s![first..=first, ..])).unwrap()[0], all[first]);
        let twice = concatenate(Axis(0), &[x.slice(s![..;-1, ..]), x.view()]).unwrap();
        let labels = kmeans.predict(&twice).unwrap();
        prop_assert_eq!(labels.slice(s![..x.nrows();-1]), &all);
        prop_assert_eq!(labels.slice(s![x.nrows()..]), &all);
    }
}
