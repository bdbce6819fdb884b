//! k-means on three blobs: learn, ask where new points belong, check an answer by hand, and choose the number of
//! clusters.
//!
//! `cargo run --release --example kmeans`

use axonal::cluster::elbow;
use axonal::datasets::make_blobs;
use axonal::metrics::{adjusted_rand_score, silhouette_score};
use axonal::ndarray::array;
use axonal::prelude::*;

fn main() -> Result<()> {
    let blobs = make_blobs::<f64>(300, &array![[0.0, 0.0], [8.0, 8.0], [0.0, 8.0]], 0.8, 7)?;

    let mut kmeans = KMeans::new(3).n_init(4).seed(42);
    let report = kmeans.fit(&blobs.data, ())?;
    println!("{report}");
    println!("centers:\n{:.2}", kmeans.cluster_centers()?);
    println!("sizes: {}", kmeans.cluster_sizes()?);
    let agreement = adjusted_rand_score(&blobs.target, kmeans.labels()?)?;
    println!("agreement with the blobs (adjusted Rand): {agreement:.3}");

    // Where do new points belong?
    let new_points = array![[7.5, 8.2], [0.3, -0.4], [3.0, 7.0]];
    let labels = kmeans.predict(&new_points)?;
    for (point, &label) in new_points.rows().into_iter().zip(&labels) {
        // The nearest center by √Σ(x − y)², found by hand.
        let centers = kmeans.cluster_centers()?.rows().into_iter();
        let distances: Vec<f64> = centers.map(|c| (&point - &c).mapv(|v| v * v).sum().sqrt()).collect();
        let nearest = (0..3).min_by(|&a, &b| distances[a].total_cmp(&distances[b]));
        println!("{point:.1} -> cluster {label}, distances {distances:.2?}");
        assert_eq!(Some(label), nearest);
    }

    // A small k merges blobs, a large one splits them: the silhouette falls on both sides.
    println!("\n k   inertia   silhouette");
    let by_inertia = elbow(&KMeans::new(1).n_init(4).seed(42), &blobs.data, 1..=8)?;
    for (&k, inertia) in by_inertia.n_clusters.iter().zip(&by_inertia.values) {
        let silhouette = if k == 1 {
            "-".to_owned()
        } else {
            let labels = KMeans::new(k).n_init(4).seed(42).fit_predict(&blobs.data)?;
            format!("{:.3}", silhouette_score(&blobs.data, &labels)?)
        };
        println!("{k:2} {inertia:9.1}   {silhouette:>10}");
    }
    println!("the elbow of the inertia is at k = {:?}", by_inertia.knee.unwrap_or_default());
    assert_eq!(by_inertia.knee, Some(3));
    Ok(())
}
