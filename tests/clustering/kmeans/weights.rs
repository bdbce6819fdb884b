//! Rows that weigh more than others.

use super::*;

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
    let b = plain.clone().tol(0.0).fit(&repeated_x).unwrap();
    assert_near(a.inertia, b.inertia, 1e-12);
    assert_eq!(a.n_iter, b.n_iter);
    weighted.fit_weighted(&x, &weights).unwrap();
    plain.fit(&repeated_x).unwrap();
    assert_eq!(plain.labels().unwrap(), &weighted.labels().unwrap().select(Axis(0), &repeated));
    assert_near(weighted.score_weighted(&x, &weights).unwrap(), -weighted.inertia().unwrap(), 1e-12);

    let heavy = Array1::from_shape_fn(100, |row| if row == 42 { 1e6 } else { 1.0 });
    let mut kmeans = KMeans::new(4);
    kmeans.fit_weighted(&x, &heavy).unwrap();
    let distance = kmeans.transform(&x.slice(s![42..43, ..])).unwrap().fold(f64::INFINITY, |a, b| a.min(*b));
    assert!(distance < 1e-3, "{distance}");
}

#[test]
fn heavy_rows_pull_the_centers_to_them() {
    // As in faiss' test: half of the rows weigh a thousand times as much, and come out less than half as far away.
    let x = normal::<f32>(1000, 8, 6);
    let weights = Array1::from_shape_fn(1000, |row| if row < 500 { 1000.0 } else { 1.0 });
    let mut kmeans = KMeans::new(250);
    kmeans.fit_weighted(&x, &weights).unwrap();
    let distance = |rows| -kmeans.score(&x.slice(rows)).unwrap();
    let (heavy, light) = (distance(s![..500, ..]), distance(s![500.., ..]));
    assert!(light > 2.0 * heavy, "{light} {heavy}");
    let mut plain = KMeans::new(250);
    plain.fit(&x).unwrap();
    let distance = |rows| -plain.score(&x.slice(rows)).unwrap();
    assert!(distance(s![500.., ..]) < 1.3 * distance(s![..500, ..]));
}

#[test]
fn weights_change_where_the_centers_start() {
    let blobs = make_blobs::<f64>(200, &(normal::<f64>(10, 10, 3) * 5.0), 1.0, 8).unwrap();
    let mut rng = Rng::new(1, Purpose::Other, 0);
    let weights: Array1<f64> = (0..200).map(|_| rng.uniform()).collect();
    for init in [KMeansInit::PlusPlus, KMeansInit::Random] {
        // Enough clusters that an iteration leaves nearly all of them at their initial rows.
        let start = |weights: &Array1<f64>| {
            let mut kmeans = KMeans::new(100).init(init.clone()).n_init(1).max_iter(1).seed(5);
            kmeans.fit_weighted(&blobs.data, weights).unwrap();
            let mut rows: Vec<usize> = Vec::new();
            for (row, x) in blobs.data.rows().into_iter().enumerate() {
                let is_center = |c: &Array1<f64>| (c - &x).iter().all(|v| v.abs() < 1e-9);
                if kmeans.cluster_centers().unwrap().rows().into_iter().any(|c| is_center(&c.to_owned())) {
                    rows.push(row);
                }
            }
            rows
        };
        let (plain, weighted) = (start(&Array1::ones(200)), start(&weights));
        assert!(plain.len() > 20 && weighted.len() > 20 && plain != weighted, "{init:?}");
        assert_eq!(start(&Array1::ones(200)), plain);
    }
}

#[test]
fn the_scale_of_the_weights_is_free() {
    let x = normal::<f64>(120, 2, 9);
    let mut plain = KMeans::new(5).seed(4);
    plain.fit(&x).unwrap();
    for scale in [1.0, 0.25, 64.0] {
        let mut weighted = KMeans::new(5).seed(4);
        weighted.fit_weighted(&x, &Array1::from_elem(120, scale)).unwrap();
        assert_eq!(weighted.labels().unwrap(), plain.labels().unwrap());
        assert_near(weighted.inertia().unwrap(), scale * plain.inertia().unwrap(), 1e-12);
        let moved = weighted.cluster_centers().unwrap() - plain.cluster_centers().unwrap();
        assert!(moved.iter().all(|v| v.abs() < 1e-12));
    }
    let mut batches = MiniBatchKMeans::new(5).seed(4).batch_size(40);
    batches.fit(&x).unwrap();
    let mut rng = Rng::new(2, Purpose::Other, 0);
    let uneven: Array1<f64> = (0..120).map(|_| rng.uniform()).collect();
    let (mut once, mut half) = (KMeans::new(5).seed(4), MiniBatchKMeans::new(5).seed(4).batch_size(40));
    once.fit_weighted(&x, &uneven).unwrap();
    half.fit_weighted(&x, &uneven).unwrap();
    let (once_centers, half_centers) =
        (once.cluster_centers().unwrap().clone(), half.cluster_centers().unwrap().clone());
    once.fit_weighted(&x, &(&uneven * 0.5)).unwrap();
    half.fit_weighted(&x, &(&uneven * 0.5)).unwrap();
    assert!((once.cluster_centers().unwrap() - &once_centers).iter().all(|v| v.abs() < 1e-12));
    assert!((half.cluster_centers().unwrap() - &half_centers).iter().all(|v| v.abs() < 1e-12));
    // The mini-batches draw in proportion to the weights: with equal ones not the same rows, but as good ones.
    half.fit_weighted(&x, &Array1::ones(120)).unwrap();
    assert_near(half.score(&x).unwrap(), batches.score(&x).unwrap(), 0.2);
}
