//! Whole fits of scikit-learn from its own seeds, with numpy's generator in the place of ours.

use crate::clustering::numpy_random::{kmeans_plusplus, make_blobs};
use axonal::datasets::load_iris;
use axonal::ndarray::{Array2, Axis, array};
use axonal::prelude::*;

fn close(got: f64, want: f64) {
    assert!((got - want).abs() <= 1e-9 * want.abs(), "got {got}, want {want}");
}

/// The start that scikit-learn makes with `random_state=seed`.
fn seeded(n_clusters: usize, seed: u32) -> KMeans<f64> {
    let init = KMeansInit::function(move |x, n_clusters, _| {
        Ok(x.select(Axis(0), &kmeans_plusplus(x, n_clusters, seed)))
    });
    KMeans::new(n_clusters).init(init).n_init(1)
}

/// The data of scikit-learn's `test_k_means.py`.
pub(crate) fn centers_of_the_reference_tests() -> Array2<f64> {
    array![[0.0, 5.0, 0.0, 0.0, 0.0], [1.0, 1.0, 4.0, 0.0, 0.0], [1.0, 0.0, 0.0, 5.0, 1.0]]
}

#[test]
fn seeded_runs_on_iris_are_scikit_learns() {
    let iris = load_iris::<f64>().unwrap().data;
    for (k, seed, rows, inertia, n_iter) in [
        (3, 0, vec![82, 46, 112], 78.85566582597727, 7),
        (3, 1, vec![62, 0, 77], 78.85566582597727, 10),
        (3, 42, vec![56, 37, 59], 78.85566582597727, 11),
        (8, 0, vec![82, 46, 145, 105, 3, 127, 78, 93], 30.064593073593088, 6),
    ] {
        let mean = iris.mean_axis(Axis(0)).unwrap();
        assert_eq!(kmeans_plusplus((&iris - &mean).view(), k, seed), rows);
        let report = seeded(k, seed).fit(&iris).unwrap();
        close(report.inertia, inertia);
        assert_eq!(report.n_iter, n_iter, "{k} clusters from seed {seed}");
    }
}

#[test]
fn the_blobs_of_the_reference_tests_are_clustered_as_there() {
    let centers = centers_of_the_reference_tests();
    let (x, truth) = make_blobs(100, &centers, 42);
    let first =
        [0.17777960443356855, 0.2436872114919123, 0.24496657110872277, 4.49305682462887, 0.5289616943816773];
    x.row(0).iter().zip(first).for_each(|(got, want)| close(*got, want));
    close(x.sum(), 602.4189972943242);
    let mut kmeans = KMeans::new(3).init(KMeansInit::Centers(centers));
    let report = kmeans.fit(&x).unwrap();
    assert_eq!(kmeans.labels().unwrap(), &truth);
    assert_eq!(kmeans.cluster_sizes().unwrap(), array![34, 33, 33]);
    close(report.inertia, 465.1052438635284);
    assert_eq!(report.n_iter, 2);
    for (seed, inertia, n_iter) in [(0, 324.84110400760324, 4), (42, 326.6050355688297, 7)] {
        let report = seeded(8, seed).fit(&x).unwrap();
        close(report.inertia, inertia);
        assert_eq!(report.n_iter, n_iter, "seed {seed}");
    }
}
