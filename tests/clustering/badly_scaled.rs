//! Columns of different units, values far from the origin, squares at the ends of the range: the nearest center is that of
//! the smallest distance, clusters of equal rows have no inertia, and inertias do not cancel. Expected values are computed
//! here, in `f64` and from differences, or are closed forms: scikit-learn's own expand ‖x‖² − 2x·c + ‖c‖².

use axonal::cluster::BisectingKMeans;
use axonal::cluster::{BisectingStrategy, kmeans_plusplus_weighted};
use axonal::ndarray::{Array1, Array2, Axis, array, concatenate, s};
use axonal::prelude::*;
use axonal::rng::{Purpose, Rng};

/// The first of the smallest values of each row.
fn argmin<F: Float>(distances: &Array2<F>) -> Array1<usize> {
    let first = |row: axonal::ndarray::ArrayView1<'_, F>| {
        (0..row.len()).reduce(|best, other| if row[other] < row[best] { other } else { best }).unwrap()
    };
    distances.rows().into_iter().map(first).collect()
}

/// Age, income and number of children of forty people, of whom each comes twice.
fn people<F: Float>() -> Array2<F> {
    Array2::from_shape_fn((40, 3), |(row, column)| {
        let person = row % 20;
        F::of(match column {
            0 => 18.0 + (person * 7 % 50) as f64,
            1 => {
                if person < 17 {
                    18_000.0 + (person / 4) as f64 * 11_000.0
                } else {
                    400_000.0 * (person - 16) as f64
                }
            }
            _ => (person % 4) as f64,
        })
    })
}

/// Normal values in steps of a quarter, columns in these units in turn, all moved by an offset.
fn values<F: Float>(n: usize, units: &[f64], offset: f64, seed: u64) -> Array2<F> {
    let mut rng = Rng::new(seed, Purpose::Other, 7);
    Array2::from_shape_fn((n, units.len()), |(_, column)| {
        F::of(offset + units[column] * (4.0 * rng.normal()).round() / 4.0)
    })
}

/// Data of all kinds, by name.
fn data<F: Float>() -> Vec<(&'static str, Array2<F>)> {
    let of = |rows: &[f64]| Array2::from_shape_fn((rows.len(), 1), |(row, _)| F::of(rows[row]));
    let (small, large) = (F::min_positive_value().as_f64().sqrt(), F::max_value().as_f64().sqrt());
    vec![
        ("thousands", of(&[0.0, 1.0, 1e4])),
        ("billions", of(&[0.0, 1.0, 1e9])),
        ("steps beside millions", of(&[0.0, 1.0, 2.0, 3.0, 1e6, 1e6 + 1.0, -1e6])),
        ("people", people()),
        ("two units", values(300, &[1.0, 1e5], 0.0, 1)),
        ("four units", values(300, &[1e-3, 1.0, 1e3, 1e6], 0.0, 2)),
        (
            "an outlier",
            concatenate![Axis(0), values(200, &[1.0, 1.0], 0.0, 3), array![[F::of(1e7), F::of(1e7)]]],
        ),
        ("far away", values(300, &[1.0, 1.0, 1.0], 5e4, 4)),
        ("farther away", values(300, &[1.0, 1.0], -1e7, 5)),
        ("one column far away", values(300, &[1.0, 1.0], 0.0, 6) + &array![[F::of(1e6), F::zero()]]),
        ("small squares", values(100, &[1e10 * small, 1e10 * small], 0.0, 7)),
        ("large squares", values(100, &[large / 200.0, large / 300.0], 0.0, 8)),
        ("both", values(100, &[large / 200.0, small], 0.0, 9)),
        ("many columns", values(150, &[1.0; 40], 300.0, 10)),
    ]
}

fn labels_are_argmins<F: Float>() {
    for (name, x) in data::<F>() {
        let n = x.nrows();
        let new = concatenate![Axis(0), x.slice(s![..;2, ..]).mapv(|v| v * F::of(0.75)), x];
        for k in [2, 3, 7, 17, 40].into_iter().filter(|&k| k <= n) {
            let given = KMeansInit::Centers(x.slice(s![..k, ..]).to_owned());
            for init in [KMeansInit::PlusPlus, KMeansInit::Random, given] {
                for max_iter in [1, 300] {
                    let mut kmeans = KMeans::new(k).init(init.clone()).max_iter(max_iter).tol(0.0).n_init(1);
                    kmeans.fit(&x).unwrap();
                    assert_eq!(
                        kmeans.labels().unwrap(),
                        argmin(&kmeans.transform(&x).unwrap()),
                        "{name}, k = {k}"
                    );
                    assert_eq!(
                        kmeans.predict(&new).unwrap(),
                        argmin(&kmeans.transform(&new).unwrap()),
                        "{name}, k = {k}"
                    );
                }
                let mut batches = MiniBatchKMeans::new(k).init(init).batch_size(64).max_iter(5);
                batches.fit(&x).unwrap();
                assert_eq!(
                    batches.labels().unwrap(),
                    argmin(&batches.transform(&x).unwrap()),
                    "{name}, k = {k}"
                );
                batches.partial_fit(&x).unwrap();
                assert_eq!(
                    batches.labels().unwrap(),
                    argmin(&batches.transform(&x).unwrap()),
                    "{name}, k = {k}"
                );
                assert_eq!(
                    batches.predict(&new).unwrap(),
                    argmin(&batches.transform(&new).unwrap()),
                    "{name}, k = {k}"
                );
            }
            let mut spherical = KMeans::new(k).spherical(true);
            spherical.fit(&x).unwrap();
            assert_eq!(
                spherical.labels().unwrap(),
                argmin(&spherical.transform(&x).unwrap()),
                "{name}, k = {k}"
            );
        }
    }
}

#[test]
fn labels_and_answers_are_the_nearest_centers_by_transform() {
    labels_are_argmins::<f32>();
    labels_are_argmins::<f64>();
}

#[test]
fn one_is_nearer_to_one_than_to_zero() {
    fn beside<F: Float>(large: f64) {
        let x = array![[F::zero()], [F::one()], [F::of(large)]];
        let mut kmeans = KMeans::new(3).init(KMeansInit::Centers(x.clone()));
        let report = kmeans.fit(&x).unwrap();
        assert_eq!((kmeans.labels().unwrap(), report.inertia), (&array![0, 1, 2], 0.0), "beside {large:e}");
        assert_eq!(kmeans.cluster_centers().unwrap(), &x);
        assert_eq!(kmeans.predict(&array![[F::one()]]).unwrap(), array![1]);
        let mut batches =
            MiniBatchKMeans::new(3).init(KMeansInit::Centers(x.clone())).reassignment_ratio(0.0);
        let report = batches.fit(&x).unwrap();
        assert_eq!((batches.labels().unwrap(), report.inertia), (&array![0, 1, 2], 0.0), "beside {large:e}");
        let mut halves = BisectingKMeans::new(3).init(KMeansInit::PlusPlus);
        assert_eq!(halves.fit(&x).unwrap().inertia, 0.0, "beside {large:e}");
        assert_eq!(halves.predict(&x).unwrap(), *halves.labels().unwrap());
    }
    for large in [1e2, 1e4, 1e6, 1e9, 1e12, 1e18] {
        beside::<f32>(large);
        beside::<f64>(large);
        beside::<f32>(-large);
    }
    for large in [1e30, 1e60, 1e150] {
        beside::<f64>(large);
    }
}

fn no_inertia<F: Float>() {
    for (name, x) in data::<F>() {
        let mut distinct: Vec<Vec<u64>> = x
            .rows()
            .into_iter()
            .map(|row| row.iter().map(|v| (v.as_f64() + 0.0).to_bits()).collect())
            .collect();
        distinct.sort();
        distinct.dedup();
        let k = distinct.len();
        // Squares below the range of `F` are no distance.
        let all_apart = name != "both";
        let weights = Array1::from_shape_fn(x.nrows(), |row| F::of([0.3, 1.0, 7.1][row % 3]));
        for weighted in [false, true] {
            let mut kmeans = KMeans::new(k).seed(3);
            let report = match weighted {
                true => kmeans.fit_weighted(&x, &weights),
                false => kmeans.fit(&x),
            };
            let report = report.unwrap();
            assert_eq!(report.inertia, 0.0, "{name}, {k} distinct rows, weighted: {weighted}");
            assert_eq!(report.history.last(), Some(&0.0), "{name}, weighted: {weighted}");
            if all_apart {
                assert_eq!(report.distinct_clusters, k, "{name}, weighted: {weighted}");
                assert_eq!(kmeans.score(&x).unwrap(), 0.0);
                let centers = kmeans.cluster_centers().unwrap();
                assert_eq!(
                    centers.select(Axis(0), kmeans.labels().unwrap().as_slice().unwrap()),
                    x,
                    "{name}"
                );
            }
        }
    }
}

#[test]
fn as_many_clusters_as_distinct_rows_have_no_inertia() {
    no_inertia::<f32>();
    no_inertia::<f64>();
    assert_eq!(KMeans::new(20).fit(&people::<f32>()).unwrap().distinct_clusters, 20);
}

/// Values that whole steps of their column cannot count: 10⁻³⁰ beside 1.
#[test]
fn clusters_of_equal_rows_have_that_row_for_a_center() {
    for tiny in [1e-10, 1e-20, 1e-30, 1e-100] {
        let x = array![[0.0], [tiny], [3.0 * tiny], [1.0], [tiny], [1.0]];
        let mut kmeans = KMeans::new(4).init(KMeansInit::Centers(x.slice(s![..4, ..]).to_owned()));
        assert_eq!(kmeans.fit(&x).unwrap().inertia, 0.0, "{tiny:e}");
        assert_eq!(kmeans.cluster_centers().unwrap(), x.slice(s![..4, ..]), "{tiny:e}");
    }
    let x = array![[0.1, 0.7], [0.1, 0.7], [0.1, 0.7], [3.3, 0.9], [3.3, 0.9]];
    let report = KMeans::new(2).fit_weighted(&x, &array![0.1, 0.2, 0.3, 1e-3, 7.0]).unwrap();
    assert_eq!((report.inertia, report.history.last()), (0.0, Some(&0.0)));
}

/// Lloyd's iteration in `f64`, from differences: the inertia of the labels about the means made of them.
fn history_of<F: Float>(x: &Array2<F>, start: &Array2<F>, n_iter: usize) -> Vec<f64> {
    let x = x.mapv(|v| v.as_f64());
    let mut centers = start.mapv(|v| v.as_f64());
    let square =
        |row: usize, centers: &Array2<f64>, c: usize| (&x.row(row) - &centers.row(c)).mapv(|v| v * v).sum();
    let iteration = |_| {
        let nearest = |row| {
            (0..centers.nrows())
                .min_by(|&a, &b| square(row, &centers, a).total_cmp(&square(row, &centers, b)))
        };
        let labels: Vec<usize> = (0..x.nrows()).filter_map(nearest).collect();
        for (cluster, mut center) in centers.rows_mut().into_iter().enumerate() {
            let rows: Vec<usize> = (0..x.nrows()).filter(|&row| labels[row] == cluster).collect();
            if let Some(mean) = x.select(Axis(0), &rows).mean_axis(Axis(0)) {
                let offset = (&x.select(Axis(0), &rows) - &mean).mean_axis(Axis(0)).unwrap();
                center.assign(&(mean + offset));
            }
        }
        (0..x.nrows()).map(|row| square(row, &centers, labels[row])).sum()
    };
    (0..n_iter).map(iteration).collect()
}

fn histories<F: Float>(tolerance: f64) {
    // Pairs and clouds so tight that the spread less what the centers explain is rounding.
    let cloud = |centers: &[f64], width: f64| {
        let mut rng = Rng::new(1, Purpose::Other, 2);
        Array2::from_shape_fn((40 * centers.len(), 2), |(row, _)| {
            F::of(centers[row % centers.len()] + width * rng.normal())
        })
    };
    for (name, x, k) in [
        ("unit", cloud(&[0.0, 3.0, 5.0], 1.0), 5),
        ("tight", cloud(&[0.0, 1e4, 3e4], 0.01), 3),
        ("tight, a cluster too many", cloud(&[0.0, 1e4, 3e4], 0.01), 4),
        ("tighter", cloud(&[-1e6, 1e6], 1.0), 4),
        ("far away", cloud(&[5e4, 5e4 + 30.0], 1.0), 2),
    ] {
        let start = x.slice(s![..k, ..]).to_owned();
        let mut kmeans = KMeans::new(k).init(KMeansInit::Centers(start.clone())).tol(0.0);
        let report = kmeans.fit(&x).unwrap();
        let want = history_of(&x, &start, report.n_iter);
        for (got, want) in report.history.iter().zip(&want) {
            assert!((got - want).abs() <= tolerance * want, "{name}: {:?}, want {want:?}", report.history);
        }
        assert!(report.history.is_sorted_by(|a, b| a >= b), "{name}: {:?}", report.history);
        assert!(
            (report.history[report.n_iter - 1] - report.inertia).abs() <= 1e-6 * report.inertia,
            "{name}"
        );
    }
}

#[test]
fn the_history_is_the_inertia_of_each_iteration() {
    // Centers of `f32` are themselves rounded.
    histories::<f32>(2e-3);
    histories::<f64>(1e-8);
    // An empty cluster is relocated on the way; scikit-learn 1.9 ends with the same inertia after as many iterations.
    let x = people::<f64>();
    let report =
        KMeans::new(5).init(KMeansInit::Centers(x.slice(s![..5, ..]).to_owned())).tol(0.0).fit(&x).unwrap();
    assert!(report.history.is_sorted_by(|a, b| a >= b), "{:?}", report.history);
    assert!((report.inertia / 1_452_008_017.777_777_7 - 1.0).abs() < 1e-9, "{}", report.inertia);
    assert_eq!(report.n_iter, 7);
    // 0.00096 where 2048 was reported.
    let x = array![[0.0_f32], [0.04], [1e4], [1e4]];
    let report = KMeans::new(2).init(KMeansInit::Centers(array![[0.0], [1e4]])).fit(&x).unwrap();
    assert!(report.history.iter().all(|inertia| (inertia / 8e-4 - 1.0).abs() < 1e-6), "{:?}", report.history);
}

fn bisections<F: Float>() {
    let x = array![[0.0, 0.0], [0.0, 0.5], [1e9, 0.0], [1e9, 0.25], [2e9, 1.0], [2e9, 1.5]].mapv(F::of);
    for strategy in [BisectingStrategy::BiggestInertia, BisectingStrategy::LargestCluster] {
        let mut halves = BisectingKMeans::new(3).n_init(8).strategy(strategy);
        let report = halves.fit(&x).unwrap();
        // 0.5 and 0.5 apart, and 0.25: half the squares.
        let close = |got: f64, want: f64| assert!((got - want).abs() <= 1e-6 * want, "{:?}", report.history);
        assert_eq!(report.history.len(), 3);
        close(report.history[0], 4e18);
        close(report.history[1], 1e18);
        close(report.history[2], 0.28125);
        close(report.inertia, 0.28125);
        assert_eq!(halves.predict(&x).unwrap(), *halves.labels().unwrap());
    }
    for (name, x) in data::<F>() {
        let mut pair = BisectingKMeans::new(2);
        pair.fit(&x).unwrap();
        assert_eq!(pair.predict(&x).unwrap(), argmin(&pair.transform(&x).unwrap()), "{name}");
        for k in [2, 3, 5] {
            if k > x.nrows() {
                continue;
            }
            let mut halves = BisectingKMeans::new(k).n_init(2).seed(1);
            let report = halves.fit(&x).unwrap();
            assert_eq!(halves.predict(&x).unwrap(), *halves.labels().unwrap(), "{name}, k = {k}");
            assert!(
                report.history.is_sorted_by(|a, b| *a >= b * (1.0 - 1e-9)),
                "{name}: {:?}",
                report.history
            );
            assert!((report.history[k - 1] - report.inertia).abs() <= 1e-9 * report.inertia, "{name}");
        }
    }
}

#[test]
fn bisections_compare_siblings_exactly_and_report_true_inertias() {
    bisections::<f32>();
    bisections::<f64>();
}

/// `f32` with mean 5·10⁴ and spread 1, against `f64`.
#[test]
fn far_from_the_origin_distances_are_those_to_the_centers() {
    let x = values::<f32>(400, &[1.0, 1.0, 1.0], 5e4, 11);
    let mut kmeans = KMeans::new(6).seed(2);
    let report = kmeans.fit(&x).unwrap();
    let (centers, transformed) = (kmeans.cluster_centers().unwrap(), kmeans.transform(&x).unwrap());
    let exact = Array2::from_shape_fn((400, 6), |(row, cluster)| {
        let terms = x
            .row(row)
            .into_iter()
            .zip(centers.row(cluster))
            .map(|(x, c)| (f64::from(*x) - f64::from(*c)).powi(2));
        terms.sum::<f64>().sqrt()
    });
    for (got, want) in transformed.iter().zip(&exact) {
        assert!((f64::from(*got) - want).abs() <= 1e-6 * want, "{got}, want {want}");
    }
    let labels = kmeans.labels().unwrap();
    for (row, &label) in labels.iter().enumerate() {
        let least = exact.row(row).iter().copied().fold(f64::INFINITY, f64::min);
        assert!(exact[[row, label]] <= least * (1.0 + 1e-6), "row {row}");
    }
    let inertia: f64 = labels.iter().enumerate().map(|(row, &label)| exact[[row, label]].powi(2)).sum();
    assert!((report.inertia / inertia - 1.0).abs() < 1e-6, "{}, want {inertia}", report.inertia);
    assert!((-kmeans.score(&x).unwrap() / inertia - 1.0).abs() < 1e-6);
}

/// Products of such weights and squared distances underflow in `f32`.
#[test]
fn starts_among_tiny_weights_are_distinct_rows() {
    for unit in [1e-44_f32, 1e-40, 1e-30, 1.0, 1e30] {
        let x = Array2::from_shape_fn((60, 2), |(row, column)| ((row % 12) * (column + 1)) as f32 * 1e-3);
        let weights = Array1::from_shape_fn(60, |row| unit * (1 + row % 3) as f32);
        let mut rng = Rng::new(5, Purpose::Clustering, 0);
        let (_, rows) = kmeans_plusplus_weighted(&x, &weights, 12, None, &mut rng).unwrap();
        let mut kinds: Vec<usize> = rows.iter().map(|row| row % 12).collect();
        kinds.sort_unstable();
        assert_eq!(kinds, (0..12).collect::<Vec<_>>(), "{unit:e}");
        assert_eq!(KMeans::new(12).fit_weighted(&x, &weights).unwrap().distinct_clusters, 12, "{unit:e}");
    }
}
