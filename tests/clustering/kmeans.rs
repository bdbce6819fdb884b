//! k-means by its properties, after scikit-learn's own tests (`sklearn/cluster/tests/test_k_means.py`), the ones
//! of faiss, and the golden numbers of both. The number-by-number cases are in `kmeans_parity.rs`, the choice of
//! starts seed for seed beside the code of k-means++, mini-batches and bisection in `kmeans_variants.rs`.
//!
//! | scikit-learn's test | here |
//! |---|---|
//! | `kmeans_results`, `relocated_clusters`, `empty_cluster_relocated`, `relocating_with_duplicates`, `warns_less_centers` | `the_golden_cases_come_out`, `relocated_clusters_come_out_in_either_order`, `an_empty_cluster_takes_over_the_farthest_point`, `duplicates_leave_clusters_empty_and_are_reported` |
//! | `relocate_empty_clusters`, `is_same_clustering`, `euclidean_distance` | beside the code: `relocation`, `kmeans`, `distance` |
//! | `convergence`, `elkan_results` (here: iterations of all rows) | `without_a_tolerance_the_labels_settle` |
//! | `all_init`, `n_init_auto`, `warning_n_init_precomputed_centers` | `every_start_finds_separated_blobs`, `given_centers_are_run_from_once` |
//! | `fortran_aligned_data`, `kmeans_copyx`, `sample_weight_unchanged`, `centers_not_mutated` | `the_layout_of_the_data_does_not_matter`, inputs are shared references |
//! | `score_max_iter`, `n_init` | `more_iterations_and_more_runs_are_never_worse` |
//! | `predict`, `predict_does_not_change_centers`, `init_fitted_centers` | `labels_are_what_predict_answers`, `centers_of_a_fit_are_its_fixed_point` |
//! | `transform`, `fit_transform` | `transform_answers_with_distances` |
//! | `float_precision`, `integer_input` | `single_and_double_precision_agree` |
//! | `weighted_vs_repeated`, `unit_weights`, `scaled_weights`, `sample_weight_init`, `sample_weight_zero` | `a_weight_is_a_number_of_rows`, `the_scale_of_the_weights_is_free` |
//! | `1_iteration`, `elkan_iter_attribute` | `one_iteration_is_assign_average_assign` |
//! | `inertia` | `the_inertia_does_not_cancel`, parity cases |
//! | `equal_in_diff_n_threads` | `the_bits_do_not_depend_on_threads` |
//! | `wrong_params` | `what_is_wrong_is_said` |
//! | faiss: objective falls, more centers, few distinct points, heavy weights, redo | `the_inertia_falls_with_every_iteration`, `more_iterations_and_more_runs_are_never_worse`, `duplicates_leave_clusters_empty_and_are_reported` |

use axonal::datasets::{load_iris, make_blobs};
use axonal::metrics::{adjusted_rand_score, v_measure_score};
use axonal::ndarray::{Array1, Array2, ArrayView2, Axis, ShapeBuilder, array, concatenate, s};
use axonal::prelude::*;
use axonal::rng::{Purpose, Rng};
use proptest::prelude::*;
use std::fmt::Debug;

fn normal<F: Float>(n: usize, d: usize, seed: u64) -> Array2<F> {
    let mut rng = Rng::new(seed, Purpose::Other, 9);
    Array2::from_shape_fn((n, d), |_| F::of(rng.normal()))
}

fn from_rows(x: &Array2<f64>, rows: &[usize]) -> KMeans<f64> {
    KMeans::new(rows.len()).init(KMeansInit::Centers(x.select(Axis(0), rows)))
}

fn close(got: f64, want: f64, tolerance: f64) {
    assert!((got - want).abs() <= tolerance * want.abs().max(1.0), "got {got}, want {want}");
}

fn says<T: Debug>(result: Result<T>, words: &str) {
    let message = result.unwrap_err().to_string();
    assert!(message.contains(words), "`{words}` is missing from: {message}");
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
    for (rows, max_iter, sizes, inertia, n_iter) in [
        (vec![0, 50, 100], 300, vec![50, 62, 38], 78.851441426146, 4),
        (vec![0, 1, 2], 300, vec![39, 61, 50], 78.85566582597727, 12),
        (vec![0, 1, 2], 1, vec![71, 29, 50], 259.6720819259259, 1),
        (eight, 300, vec![19, 13, 18, 7, 21, 21, 29, 22], 36.07264377787972, 8),
    ] {
        let mut kmeans = from_rows(&iris, &rows).max_iter(max_iter);
        let report = kmeans.fit(&iris, ()).unwrap();
        assert_eq!(kmeans.cluster_sizes().unwrap().to_vec(), sizes, "{rows:?}");
        assert_eq!(report.n_iter, n_iter, "{rows:?}");
        assert_eq!(report.converged, max_iter > 1);
        close(report.inertia, inertia, 1e-9);
    }
    let weights: Array1<f64> = (0..150).map(|row| 1.0 + f64::from(row % 4)).collect();
    let mut kmeans = from_rows(&iris, &[0, 50, 100]);
    let report = kmeans.fit_weighted(&iris, &weights).unwrap();
    close(report.inertia, 195.69365853658542, 1e-9);
    close(kmeans.cluster_centers().unwrap()[[0, 3]], 0.257723577, 1e-8);
    assert_eq!(report.n_iter, 4);
}

#[test]
fn relocated_clusters_come_out_in_either_order() {
    let x = array![[0.0, 0.0], [0.5, 0.0], [0.5, 1.0], [1.0, 1.0]];
    let mut kmeans = KMeans::new(2).init(KMeansInit::Centers(array![[0.5, 0.5], [3.0, 3.0]]));
    let report = kmeans.fit(&x, ()).unwrap();
    let labels = kmeans.labels().unwrap().to_vec();
    assert!(labels == [0, 0, 1, 1] || labels == [1, 1, 0, 0], "{labels:?}");
    close(report.inertia, 0.25, 1e-12);
    assert_eq!(report.n_iter, 3);
}

#[test]
fn an_empty_cluster_takes_over_the_farthest_point() {
    let mut kmeans = KMeans::new(2).init(KMeansInit::Centers(array![[-1.0], [10.0]]));
    kmeans.fit_weighted(&array![[-1.0], [1.0]], &array![1.9, 0.1]).unwrap();
    assert_eq!(kmeans.labels().unwrap(), &array![0, 1]);
    let centers = kmeans.cluster_centers().unwrap();
    close(centers[[0, 0]], -1.0, 1e-12);
    close(centers[[1, 0]], 1.0, 1e-12);
    assert!(kmeans.inertia().unwrap() < 1e-12);
}

#[test]
fn a_cluster_that_stays_empty_never_takes_a_sum_for_a_center() {
    let mut kmeans = KMeans::new(3).init(KMeansInit::Centers(array![[100.0], [0.0], [4.0]]));
    let report = kmeans.fit(&array![[0.0], [0.0], [4.0], [4.0]], ()).unwrap();
    assert_eq!(kmeans.cluster_centers().unwrap(), &array![[0.0], [0.0], [4.0]]);
    assert_eq!(report.inertia, 0.0);
}

#[test]
fn duplicates_leave_clusters_empty_and_are_reported() {
    let x = array![[0.0, 0.0], [1.0, 1.0], [1.0, 1.0], [1.0, 0.0], [0.0, 1.0]];
    let mut kmeans = from_rows(&x, &[0, 1, 2, 3, 4]);
    let report = kmeans.fit(&x, ()).unwrap();
    assert_eq!(kmeans.labels().unwrap(), &array![0, 1, 1, 3, 4]);
    assert_eq!(kmeans.cluster_centers().unwrap(), &x);
    assert_eq!((report.n_iter, report.inertia, report.distinct_clusters), (1, 0.0, 4));
    assert_eq!(report.empty_clusters, [2]);
    assert!(report.to_string().contains("4 distinct clusters found, fewer than n_clusters=5"), "{report}");

    let x = array![[0.0f32, 0.0], [0.0, 1.0], [1.0, 0.0], [1.0, 0.0]];
    assert_eq!(KMeans::new(4).fit(&x, ()).unwrap().distinct_clusters, 3);
    let five = Array2::from_shape_fn((1000, 3), |(row, _)| (row % 5) as f32);
    assert_eq!(KMeans::new(10).fit(&five, ()).unwrap().inertia, 0.0);
    let same = KMeans::new(7).init(KMeansInit::Random).fit(&Array2::<f64>::ones((1000, 2)), ()).unwrap();
    assert_eq!((same.distinct_clusters, same.inertia), (1, 0.0));
}

#[test]
fn without_a_tolerance_the_labels_settle() {
    let x = normal::<f64>(5000, 10, 1);
    let mut kmeans = KMeans::new(5).init(KMeansInit::Random).n_init(1).tol(0.0).max_iter(300).seed(2);
    let report = kmeans.fit(&x, ()).unwrap();
    assert!(report.converged && report.n_iter < 300, "{}", report.n_iter);
    close(report.inertia, *report.history.last().unwrap(), 1e-12);
}

#[test]
fn every_start_finds_separated_blobs() {
    let centers = array![[0.0, 5.0, 0.0, 0.0, 0.0], [1.0, 1.0, 4.0, 0.0, 0.0], [1.0, 0.0, 0.0, 5.0, 1.0]];
    let blobs = make_blobs::<f64>(100, &centers, 0.5, 42).unwrap();
    let function = KMeansInit::function(|x: ArrayView2<'_, f64>, k, rng| {
        Ok(x.select(Axis(0), &(0..k).map(|_| rng.below(x.nrows())).collect::<Vec<_>>()))
    });
    for init in [KMeansInit::PlusPlus, KMeansInit::Random, function, KMeansInit::Centers(centers.clone())] {
        let mut kmeans = KMeans::new(3).init(init).n_init(10).seed(42);
        kmeans.fit(&blobs.data, ()).unwrap();
        close(v_measure_score(&blobs.target, kmeans.labels().unwrap()).unwrap(), 1.0, 1e-12);
        assert_eq!(kmeans.fit_predict(&blobs.data).unwrap(), kmeans.predict(&blobs.data).unwrap());
    }
}

#[test]
fn given_centers_are_run_from_once() {
    let x = normal::<f64>(200, 3, 5);
    let once = from_rows(&x, &[0, 1, 2]).fit(&x, ()).unwrap();
    assert_eq!(from_rows(&x, &[0, 1, 2]).n_init(10).fit(&x, ()).unwrap(), once);
}

#[test]
fn the_layout_of_the_data_does_not_matter() {
    let x = normal::<f32>(300, 4, 7);
    let mut kmeans = KMeans::new(4).seed(1);
    let report = kmeans.fit(&x, ()).unwrap();
    let centers = kmeans.cluster_centers().unwrap().clone();
    let mut fortran = Array2::zeros((300, 4).f());
    fortran.assign(&x);
    let mut gaps = Array2::zeros((600, 8));
    gaps.slice_mut(s![..;2, ..;2]).assign(&x);
    let backward = x.slice(s![..;-1, ..;-1]).to_owned();
    for view in [fortran.view(), gaps.slice(s![..;2, ..;2]), backward.slice(s![..;-1, ..;-1])] {
        let mut kmeans = KMeans::new(4).seed(1);
        assert_eq!(kmeans.fit(&view, ()).unwrap(), report);
        assert_eq!(kmeans.cluster_centers().unwrap(), &centers);
        assert_eq!(kmeans.predict(&view).unwrap(), kmeans.predict(&x).unwrap());
        assert_eq!(kmeans.transform(&view).unwrap(), kmeans.transform(&x).unwrap());
    }
}

#[test]
fn more_iterations_and_more_runs_are_never_worse() {
    let x = normal::<f64>(400, 6, 3);
    let after = |max_iter| {
        let mut kmeans = from_rows(&x, &[0, 1, 2, 3]).max_iter(max_iter);
        kmeans.fit(&x, ()).unwrap();
        kmeans.score(&x, ()).unwrap()
    };
    assert!(after(10) > after(1));
    let runs = |n_init| KMeans::new(6).init(KMeansInit::Random).n_init(n_init).fit(&x, ()).unwrap().inertia;
    let inertias = [1, 3, 10, 25].map(runs);
    assert!(inertias.windows(2).all(|pair| pair[1] <= pair[0]), "{inertias:?}");
    assert!(inertias[3] < inertias[0]);
    let inertia = |k| KMeans::new(k).fit(&x, ()).unwrap().inertia;
    assert!(inertia(64) < inertia(32));
    assert_eq!(inertia(400), 0.0);
}

#[test]
fn labels_are_what_predict_answers() {
    for (seed, max_iter) in [(1, 2), (2, 100), (3, 7)] {
        let x = normal::<f32>(999, 5, seed) + 100.0;
        let mut kmeans = KMeans::new(11).max_iter(max_iter).seed(seed).tol(0.0);
        kmeans.fit(&x, ()).unwrap();
        assert_eq!(&kmeans.predict(&x).unwrap(), kmeans.labels().unwrap());
        assert_eq!(kmeans.predict(kmeans.cluster_centers().unwrap()).unwrap(), Array1::from_iter(0..11));
        close(kmeans.score(&x, ()).unwrap(), -kmeans.inertia().unwrap(), 1e-5);
    }
}

#[test]
fn centers_of_a_fit_are_its_fixed_point() {
    let x = normal::<f64>(500, 2, 8);
    let mut kmeans = KMeans::new(5).tol(0.0);
    kmeans.fit(&x, ()).unwrap();
    let centers = kmeans.cluster_centers().unwrap().clone();
    let mut again = KMeans::new(5).tol(0.0).init(KMeansInit::Centers(centers.clone()));
    assert!(again.fit(&x, ()).unwrap().n_iter <= 2);
    assert!((again.cluster_centers().unwrap() - &centers).iter().all(|v| v.abs() < 1e-12));
}

#[test]
fn transform_answers_with_distances() {
    let x = normal::<f64>(60, 9, 4);
    let mut kmeans = KMeans::new(4);
    let transformed = kmeans.fit_transform(&x).unwrap();
    let centers = kmeans.cluster_centers().unwrap();
    for ((row, cluster), distance) in transformed.indexed_iter() {
        let want = (&x.row(row) - &centers.row(cluster)).mapv(|v| v * v).sum().sqrt();
        close(*distance, want, 1e-12);
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
    let (a, b) = (one.fit(&blobs.data, ()).unwrap(), two.fit(&double, ()).unwrap());
    close(a.inertia, b.inertia, 1e-4);
    assert_eq!((one.labels().unwrap(), a.n_iter), (two.labels().unwrap(), b.n_iter));
    one.cluster_centers()
        .unwrap()
        .iter()
        .zip(two.cluster_centers().unwrap())
        .for_each(|(a, b)| close(f64::from(*a), *b, 1e-4));
}

#[test]
fn a_weight_is_a_number_of_rows() {
    let x = normal::<f64>(100, 3, 6);
    let counts: Vec<usize> = (0..100).map(|row| row % 4).collect();
    let weights: Array1<f64> = counts.iter().map(|&count| count as f64).collect();
    let repeated: Vec<usize> = (0..100).flat_map(|row| vec![row; counts[row]]).collect();
    let repeated_x = x.select(Axis(0), &repeated);
    let start = [1, 2, 3, 5];
    let (mut weighted, mut plain) = (from_rows(&x, &start), from_rows(&x, &start));
    // The tolerance is scaled by the variance of the rows, which leaves weights aside.
    let a = weighted.clone().tol(0.0).fit_weighted(&x, &weights).unwrap();
    let b = plain.clone().tol(0.0).fit(&repeated_x, ()).unwrap();
    close(a.inertia, b.inertia, 1e-12);
    assert_eq!(a.n_iter, b.n_iter);
    weighted.fit_weighted(&x, &weights).unwrap();
    plain.fit(&repeated_x, ()).unwrap();
    assert_eq!(plain.labels().unwrap(), &weighted.labels().unwrap().select(Axis(0), &repeated));
    close(weighted.score_weighted(&x, &weights).unwrap(), -weighted.inertia().unwrap(), 1e-12);

    let heavy = Array1::from_shape_fn(100, |row| if row == 42 { 1e6 } else { 1.0 });
    let mut kmeans = KMeans::new(4);
    kmeans.fit_weighted(&x, &heavy).unwrap();
    let distance = kmeans.transform(&x.slice(s![42..43, ..])).unwrap().fold(f64::INFINITY, |a, b| a.min(*b));
    assert!(distance < 1e-3, "{distance}");
}

#[test]
fn the_scale_of_the_weights_is_free() {
    let x = normal::<f64>(120, 2, 9);
    let mut plain = KMeans::new(5).seed(4);
    plain.fit(&x, ()).unwrap();
    for scale in [1.0, 0.25, 64.0] {
        let mut weighted = KMeans::new(5).seed(4);
        weighted.fit_weighted(&x, &Array1::from_elem(120, scale)).unwrap();
        assert_eq!(weighted.labels().unwrap(), plain.labels().unwrap());
        close(weighted.inertia().unwrap(), scale * plain.inertia().unwrap(), 1e-12);
    }
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
    assert_eq!(kmeans.fit(&x, ()).unwrap().n_iter, 1);
    assert_eq!(kmeans.labels().unwrap().to_vec(), nearest(&means));
    assert!((kmeans.cluster_centers().unwrap() - &means).iter().all(|v| v.abs() < 1e-12));
}

#[test]
fn the_inertia_does_not_cancel() {
    // ‖x‖² − 2x·c + ‖c‖² is 0 in single precision here.
    let x = array![[1.0f32 + 1e-4], [1.0 - 1e-4], [-1.0 + 1e-4], [-1.0 - 1e-4]];
    let mut kmeans = KMeans::new(2).init(KMeansInit::Centers(array![[1.0], [-1.0]]));
    let inertia = kmeans.fit(&x, ()).unwrap().inertia;
    assert!((inertia - 4e-8).abs() < 2e-9, "{inertia}");
}

#[test]
fn far_from_the_origin_the_labels_are_the_same() {
    // Whole numbers: the shift itself must not round.
    let x = normal::<f64>(400, 3, 12).mapv(|v| (v * 64.0).round());
    let start = x.slice(s![..7, ..]).to_owned();
    let mut near = KMeans::new(7).init(KMeansInit::Centers(start.clone()));
    let report = near.fit(&x, ()).unwrap();
    for shift in [1e6, -1e9] {
        let mut far = KMeans::new(7).init(KMeansInit::Centers(&start + shift));
        let shifted = far.fit(&(&x + shift), ()).unwrap();
        assert_eq!(far.labels().unwrap(), near.labels().unwrap());
        assert_eq!(shifted.n_iter, report.n_iter);
        close(shifted.inertia, report.inertia, 1e-6);
    }
}

#[cfg(feature = "rayon")]
#[test]
fn the_bits_do_not_depend_on_threads() {
    let few = normal::<f32>(6_000, 10, 1);
    let many = normal::<f64>(2_000, 8, 2);
    let of = |n_threads: usize| {
        let pool = rayon_pool(n_threads);
        pool.install(|| {
            let mut seen = Vec::new();
            for seed in 0..20 {
                let mut kmeans = KMeans::new(9).seed(seed).max_iter(3);
                let report = kmeans.fit(&few, ()).unwrap();
                seen.push((kmeans.labels().unwrap().clone(), report.inertia.to_bits()));
                assert!(report.history.iter().all(|v| v.is_finite()));
            }
            // So many clusters that the sums are added up cluster by cluster.
            let mut kmeans = KMeans::new(150).seed(3).max_iter(3);
            let report = kmeans.fit(&many, ()).unwrap();
            seen.push((kmeans.labels().unwrap().clone(), report.inertia.to_bits()));
            let centers: Vec<u64> = kmeans.cluster_centers().unwrap().iter().map(|c| c.to_bits()).collect();
            (seen, centers)
        })
    };
    let alone = of(1);
    for n_threads in [2, 8] {
        assert!(of(n_threads) == alone, "{n_threads} threads");
    }
}

#[cfg(feature = "rayon")]
fn rayon_pool(n_threads: usize) -> rayon::ThreadPool {
    rayon::ThreadPoolBuilder::new().num_threads(n_threads).build().unwrap()
}

#[test]
fn what_is_wrong_is_said() {
    let x = normal::<f64>(10, 3, 0);
    says(KMeans::new(11).fit(&x, ()), "KMeans: n_samples=10 should be >= n_clusters=11");
    says(KMeans::new(0).fit(&x, ()), "KMeans: n_clusters is 0, expected at least 1");
    says(KMeans::new(2).n_init(0).fit(&x, ()), "n_init is 0");
    says(KMeans::new(2).max_iter(0).fit(&x, ()), "max_iter is 0");
    says(KMeans::new(2).max_points_per_center(0).fit(&x, ()), "max_points_per_center is 0");
    for tol in [-1.0, f64::NAN, f64::INFINITY] {
        says(KMeans::new(2).tol(tol).fit(&x, ()), "tol is");
    }
    for (k, d) in [(1, 3), (3, 3), (2, 2), (2, 4)] {
        let init = KMeansInit::Centers(Array2::zeros((k, d)));
        says(KMeans::new(2).init(init).fit(&x, ()), "initial centers: expected (2, 3)");
    }
    says(
        KMeans::new(2).init(KMeansInit::Centers(Array2::from_elem((2, 3), f64::NAN))).fit(&x, ()),
        "NaN at [0, 0]",
    );
    let wrong = KMeansInit::function(|_, _, _| Ok(Array2::<f64>::zeros((1, 1))));
    says(KMeans::new(2).init(wrong).fit(&x, ()), "got (1, 1)");
    says(KMeans::new(2).fit(&Array2::<f32>::zeros((0, 3)), ()), "empty");
    says(KMeans::new(2).fit(&Array2::<f32>::zeros((3, 0)), ()), "feature");
    for value in [f64::NAN, f64::INFINITY, f64::NEG_INFINITY] {
        let mut bad = x.clone();
        bad[[6, 2]] = value;
        says(KMeans::new(2).fit(&bad, ()), "[6, 2]");
    }
    let mut kmeans = KMeans::new(2);
    says(kmeans.predict(&x), "this KMeans is not fitted yet: call fit before predict");
    says(kmeans.inertia(), "before inertia");
    for (weights, words) in [
        (Array1::ones(9), "expected 10"),
        (Array1::zeros(10), "all weights are zero"),
        (Array1::from_elem(10, -1.0), "weight -1 at [0]"),
        (Array1::from_elem(10, f64::NAN), "NaN"),
        (Array1::from_elem(10, 1e308), "scale them down"),
    ] {
        says(kmeans.fit_weighted(&x, &weights), words);
    }
    let mut one = Array1::zeros(10);
    one[3] = 1.0;
    says(KMeans::new(2).init(KMeansInit::Random).fit_weighted(&x, &one), "1 weights are above zero");
    kmeans.fit(&x, ()).unwrap();
    says(kmeans.predict(&Array2::zeros((2, 4))), "expected 3 features a row, got 4");
    says(kmeans.predict(&Array2::from_elem((2, 3), f64::NAN)), "NaN at [0, 0]");
    // A fit that fails leaves what was learned.
    assert!(kmeans.fit(&Array2::zeros((1, 3)), ()).is_err());
    assert_eq!(kmeans.labels().unwrap().len(), 10);
    assert!(kmeans.unfitted().labels().is_err());
}

#[test]
fn values_without_squares_are_refused() {
    let mut x = normal::<f32>(20, 2, 0);
    let mut kmeans = KMeans::new(2);
    kmeans.fit(&x, ()).unwrap();
    x[[4, 1]] = 1e20;
    says(kmeans.fit(&x, ()), "x is 1e20 at [4, 1], expected values whose squared distances stay within");
    says(kmeans.predict(&x), "1e20 at [4, 1]");
    // Far away together is no trouble.
    let far = array![[1e20f64], [1e20], [-1e20], [-1e20]];
    assert_eq!(KMeans::new(2).fit(&far, ()).unwrap().inertia, 0.0);
    says(KMeans::new(1).fit(&array![[1e308], [1e308], [-1e308]], ()), "e308 at");
}

#[test]
fn directions_cluster_by_their_cosine() {
    let x = array![[1.0, 0.01], [50.0, 0.2], [0.03, 2.0], [0.1, 90.0], [-3.0, 0.1], [-70.0, -0.4]];
    let mut kmeans = KMeans::new(3).spherical(true).n_init(5);
    kmeans.fit(&x, ()).unwrap();
    let labels = kmeans.labels().unwrap();
    assert!((0..3).all(|pair| labels[2 * pair] == labels[2 * pair + 1]), "{labels}");
    assert_eq!(kmeans.predict(&(&x * 1e-3)).unwrap(), labels);
    let centers = kmeans.cluster_centers().unwrap();
    centers.rows().into_iter().for_each(|center| close(center.dot(&center), 1.0, 1e-12));
    let cosines =
        x.rows().into_iter().zip(labels).map(|(row, &c)| row.dot(&centers.row(c)) / row.dot(&row).sqrt());
    close(kmeans.inertia().unwrap(), cosines.map(|cosine| 2.0 * (1.0 - cosine)).sum(), 1e-9);
}

#[test]
fn a_part_of_the_rows_can_be_learned_from() {
    let blobs = make_blobs::<f32>(4000, &array![[0.0, 0.0], [9.0, 0.0], [0.0, 9.0]], 1.0, 5).unwrap();
    let mut kmeans = KMeans::new(3).max_points_per_center(50).n_init(3);
    let report = kmeans.fit(&blobs.data, ()).unwrap();
    let labels = kmeans.labels().unwrap();
    assert!(adjusted_rand_score(&blobs.target, labels).unwrap() > 0.99);
    assert_eq!(labels, kmeans.predict(&blobs.data).unwrap());
    close(kmeans.score(&blobs.data, ()).unwrap(), -report.inertia, 1e-5);
    let whole = KMeans::new(3).n_init(3).fit(&blobs.data, ()).unwrap();
    assert!(report.inertia >= whole.inertia && report.inertia < 1.1 * whole.inertia);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn the_inertia_falls_with_every_iteration(n in 8usize..120, d in 1usize..20, k in 1usize..8, seed in 0u64..1000) {
        let x = normal::<f64>(n, d, seed);
        let mut kmeans = KMeans::new(k).seed(seed).tol(0.0);
        let report = kmeans.fit(&x, ()).unwrap();
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
        kmeans.fit(&x, ()).unwrap();
        let all = kmeans.predict(&x).unwrap();
        let first = first.min(x.nrows() - 1);
        prop_assert_eq!(kmeans.predict(&x.slice(s![first.., ..])).unwrap(), all.slice(s![first..]));
        prop_assert_eq!(kmeans.predict(&x.slice(s![first..=first, ..])).unwrap()[0], all[first]);
        let twice = concatenate(Axis(0), &[x.slice(s![..;-1, ..]), x.view()]).unwrap();
        prop_assert_eq!(kmeans.predict(&twice).unwrap().slice_move(s![x.nrows()..]), all);
    }
}
