//! Mini-batches, bisection and the choice of starts, by their properties and the reference examples.

use axonal::cluster::{BisectingStrategy, elbow, elbow_by, kmeans_plusplus};
use axonal::datasets::make_blobs;
use axonal::metrics::{adjusted_rand_score, silhouette_score};
use axonal::ndarray::{Array1, Array2, Axis, array, s};
use axonal::prelude::*;
use axonal::rng::{Purpose, Rng};
use std::fmt::Debug;

fn says<T: Debug>(result: Result<T>, words: &str) {
    let message = result.unwrap_err().to_string();
    assert!(message.contains(words), "`{words}` is missing from: {message}");
}

fn blobs(n: usize) -> axonal::datasets::Dataset<f64> {
    make_blobs(n, &array![[0.0, 5.0, 0.0], [1.0, 1.0, 9.0], [9.0, 0.0, 0.0]], 0.7, 3).unwrap()
}

#[test]
fn mini_batches_find_what_all_rows_find() {
    let blobs = blobs(3000);
    for init in [KMeansInit::PlusPlus, KMeansInit::Random] {
        let mut kmeans = MiniBatchKMeans::new(3).init(init).batch_size(200).seed(5);
        let report = kmeans.fit(&blobs.data, ()).unwrap();
        assert!(adjusted_rand_score(&blobs.target, kmeans.labels().unwrap()).unwrap() > 0.99);
        assert_eq!(kmeans.labels().unwrap(), &kmeans.predict(&blobs.data).unwrap());
        let all = KMeans::new(3).n_init(3).fit(&blobs.data, ()).unwrap();
        assert!(report.inertia < 1.05 * all.inertia && report.converged);
        assert!((kmeans.score(&blobs.data, ()).unwrap() + report.inertia).abs() < 1e-6 * report.inertia);
    }
}

#[test]
fn passes_are_counted_in_rows_drawn() {
    let blobs = blobs(300);
    // With every rule for stopping off, exactly max_iter passes are made.
    let mut kmeans = MiniBatchKMeans::new(3).batch_size(30).max_iter(10).max_no_improvement(None).tol(0.0);
    let report = kmeans.fit(&blobs.data, ()).unwrap();
    assert_eq!((report.n_iter, kmeans.n_steps().unwrap(), report.converged), (10, 100, false));
    let mut kmeans = MiniBatchKMeans::new(3).batch_size(70).seed(1);
    let report = kmeans.fit(&blobs.data, ()).unwrap();
    assert_eq!(report.n_iter, (kmeans.n_steps().unwrap() * 70).div_ceil(300));
    // A tolerance ends it, too.
    let mut kmeans = MiniBatchKMeans::new(3).batch_size(30).max_iter(100).max_no_improvement(None).tol(1e-2);
    assert!(kmeans.fit(&blobs.data, ()).unwrap().converged);
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
    says(kmeans.partial_fit(&Array2::zeros((5, 2))), "expected 3 features");
    says(kmeans.partial_fit(&Array2::from_elem((5, 3), f64::NAN)), "NaN at [0, 0]");
    says(kmeans.unfitted().partial_fit(&Array2::zeros((2, 3))), "n_samples=2 should be >= n_clusters=3");
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
    kmeans.fit(&x, ()).unwrap();
    let moved = kmeans.cluster_centers().unwrap().rows().into_iter().filter(|c| c.sum().abs() > 1.0).count();
    assert!(moved > 9, "{moved} of 20 centers are among the half of the rows that differ");
    // More clusters than rows in a batch.
    let mut kmeans = MiniBatchKMeans::new(100).batch_size(10).init_size(10).max_iter(10);
    assert!(kmeans.fit(&x, ()).unwrap().inertia.is_finite());
}

#[test]
fn rows_without_weight_do_not_pull() {
    let x = array![[0.0f32], [1.0], [10.0], [11.0], [500.0]];
    let weights = array![1.0, 1.0, 1.0, 1.0, 0.0];
    let mut kmeans = MiniBatchKMeans::new(2).batch_size(4).max_iter(50).seed(3);
    kmeans.fit_weighted(&x, &weights).unwrap();
    assert!(kmeans.cluster_centers().unwrap().iter().all(|c| *c < 20.0));
    says(kmeans.fit_weighted(&x, &(-&weights)), "weight -1 at [0]");
}

#[test]
fn mini_batches_say_what_is_wrong() {
    let x = Array2::<f64>::ones((10, 2));
    let new = || MiniBatchKMeans::<f64>::new(2);
    says(MiniBatchKMeans::new(0).fit(&x, ()), "MiniBatchKMeans: n_clusters is 0");
    says(MiniBatchKMeans::new(11).fit(&x, ()), "n_clusters=11");
    says(new().batch_size(0).fit(&x, ()), "batch_size is 0");
    says(new().max_no_improvement(0).fit(&x, ()), "max_no_improvement is 0");
    says(new().reassignment_ratio(-0.1).fit(&x, ()), "reassignment_ratio is -0.1");
    says(new().tol(f64::NAN).fit(&x, ()), "tol is NaN");
    says(new().predict(&x), "this MiniBatchKMeans is not fitted yet");
    says(new().n_steps(), "before n_steps");
    says(new().init(KMeansInit::Centers(Array2::zeros((3, 2)))).fit(&x, ()), "expected (2, 2)");
    assert!(new().batch_size(usize::MAX).fit(&x, ()).is_ok());
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
    let report = kmeans.fit(&x, ()).unwrap();
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
    assert!((kmeans.score(&x, ()).unwrap() + report.inertia).abs() < 1e-9);
}

#[test]
fn bisection_splits_by_inertia_or_by_size() {
    // Many rows close together, and few that lie far apart.
    let x: Vec<f64> = (0..40).map(|row| f64::from(row) * 0.01).chain([100.0, 120.0]).collect();
    let x = Array2::from_shape_vec((42, 1), x).unwrap();
    let sizes = |strategy| {
        let mut kmeans = BisectingKMeans::new(3).strategy(strategy).n_init(5).seed(1);
        kmeans.fit(&x, ()).unwrap();
        let mut sizes = vec![0; 3];
        kmeans.labels().unwrap().iter().for_each(|&label| sizes[label] += 1);
        sizes.sort_unstable();
        sizes
    };
    assert_eq!(sizes(BisectingStrategy::BiggestInertia), [1, 1, 40]);
    assert_eq!(sizes(BisectingStrategy::LargestCluster), [2, 20, 20]);
}

#[test]
fn bisection_of_duplicates_ends() {
    let mut kmeans = BisectingKMeans::new(4);
    let report = kmeans.fit(&Array2::<f32>::ones((6, 2)), ()).unwrap();
    assert_eq!((report.distinct_clusters, report.inertia), (1, 0.0));
    let mut one = BisectingKMeans::new(1);
    assert_eq!(one.fit_predict(&array![[1.0], [3.0]]).unwrap(), array![0, 0]);
    assert_eq!(one.inertia().unwrap(), 2.0);
    let weights = array![0.0, 0.0, 0.0, 1.0, 1.0, 1.0];
    assert!(kmeans.fit_weighted(&array![[1.0f32], [2.0], [3.0], [4.0], [5.0], [6.0]], &weights).is_ok());
    let centers = KMeansInit::Centers(array![[1.0f32]]);
    says(BisectingKMeans::new(1).init(centers).fit(&array![[1.0f32]], ()), "init is Centers");
    says(BisectingKMeans::<f32>::new(2).labels(), "this BisectingKMeans is not fitted yet");
    says(BisectingKMeans::new(3).fit(&array![[1.0f32]], ()), "n_clusters=3");
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
    }
    let mut rng = Rng::new(0, Purpose::Clustering, 0);
    says(kmeans_plusplus(&x, 0, None, &mut rng), "n_clusters is 0");
    says(kmeans_plusplus(&x, 2, Some(0), &mut rng), "n_local_trials is 0");
    says(kmeans_plusplus(&x, 201, None, &mut rng), "n_clusters=201");
}

#[test]
fn the_elbow_is_at_the_number_of_blobs() {
    let blobs = blobs(300);
    let found = elbow(&KMeans::new(1).n_init(5), &blobs.data, 1..=8).unwrap();
    assert_eq!((found.knee, found.values.len()), (Some(3), 8));
    let by = elbow_by(&KMeans::new(1), &blobs.data, 2..=6, |labels: &Array1<usize>| {
        silhouette_score(&blobs.data, labels)
    });
    assert_eq!(by.unwrap().knee, Some(3));
    says(elbow(&KMeans::new(1), &blobs.data, [3, 2, 1]), "at least 3 rising numbers");
    says(elbow(&KMeans::new(1), &blobs.data, 0..4), "n_clusters is 0");
}
