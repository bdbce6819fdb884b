//! Clusters that lose all their rows, and rows that are fewer than clusters.

use super::*;

#[test]
fn relocated_clusters_come_out_in_either_order() {
    let x = array![[0.0, 0.0], [0.5, 0.0], [0.5, 1.0], [1.0, 1.0]];
    let mut kmeans = KMeans::new(2).init(KMeansInit::Centers(array![[0.5, 0.5], [3.0, 3.0]]));
    let report = kmeans.fit(&x).unwrap();
    let labels = kmeans.labels().unwrap().to_vec();
    assert!(labels == [0, 0, 1, 1] || labels == [1, 1, 0, 0], "{labels:?}");
    assert_near(report.inertia, 0.25, 1e-12);
    assert_eq!(report.n_iter, 3);
}

#[test]
fn an_empty_cluster_takes_over_the_farthest_point() {
    let mut kmeans = KMeans::new(2).init(KMeansInit::Centers(array![[-1.0], [10.0]]));
    kmeans.fit_weighted(&array![[-1.0], [1.0]], &array![1.9, 0.1]).unwrap();
    assert_eq!(kmeans.labels().unwrap(), &array![0, 1]);
    let centers = kmeans.cluster_centers().unwrap();
    assert_near(centers[[0, 0]], -1.0, 1e-12);
    assert_near(centers[[1, 0]], 1.0, 1e-12);
    assert!(kmeans.inertia().unwrap() < 1e-12);
}

#[test]
fn a_cluster_that_stays_empty_never_takes_a_sum_for_a_center() {
    let mut kmeans = KMeans::new(3).init(KMeansInit::Centers(array![[100.0], [0.0], [4.0]]));
    let report = kmeans.fit(&array![[0.0], [0.0], [4.0], [4.0]]).unwrap();
    assert_eq!(kmeans.cluster_centers().unwrap(), &array![[0.0], [0.0], [4.0]]);
    assert_eq!(report.inertia, 0.0);
}

#[test]
fn a_relocation_is_not_taken_for_convergence() {
    // The third cluster takes over one of three equal rows, which then stay with the first, and so is empty once more;
    // the row that it takes over next leaves its old cluster only in the iteration after.
    let x = array![[0.0], [0.0], [0.0], [100.0], [102.0]];
    let mut kmeans = KMeans::new(3).init(KMeansInit::Centers(array![[10.0], [101.0], [1000.0]]));
    let report = kmeans.fit(&x).unwrap();
    assert_eq!(kmeans.labels().unwrap(), &array![0, 0, 0, 2, 1]);
    assert_eq!(kmeans.cluster_centers().unwrap(), &array![[0.0], [102.0], [100.0]]);
    assert_eq!((report.inertia, report.converged, report.distinct_clusters), (0.0, true, 3));
    assert_eq!(kmeans.labels().unwrap(), &kmeans.predict(&x).unwrap());
}

#[test]
fn duplicates_leave_clusters_empty_and_are_reported() {
    let x = array![[0.0, 0.0], [1.0, 1.0], [1.0, 1.0], [1.0, 0.0], [0.0, 1.0]];
    let mut kmeans = from_rows(&x, &[0, 1, 2, 3, 4]);
    let report = kmeans.fit(&x).unwrap();
    assert_eq!(kmeans.labels().unwrap(), &array![0, 1, 1, 3, 4]);
    assert_eq!(kmeans.cluster_centers().unwrap(), &x);
    assert_eq!((report.n_iter, report.inertia, report.distinct_clusters), (1, 0.0, 4));
    assert_eq!(report.empty_clusters, [2]);
    assert!(report.to_string().contains("4 distinct clusters found, fewer than n_clusters=5"), "{report}");

    let x = array![[0.0f32, 0.0], [0.0, 1.0], [1.0, 0.0], [1.0, 0.0]];
    assert_eq!(KMeans::new(4).fit(&x).unwrap().distinct_clusters, 3);
    let five = Array2::from_shape_fn((1000, 3), |(row, _)| (row % 5) as f32);
    assert_eq!(KMeans::new(10).fit(&five).unwrap().inertia, 0.0);
    let same = KMeans::new(7).init(KMeansInit::Random).fit(&Array2::<f64>::ones((1000, 2))).unwrap();
    assert_eq!((same.distinct_clusters, same.inertia), (1, 0.0));
}
