//! k-means on three blobs: learn, ask where new points belong, check an answer by hand, and choose the number of
//! clusters.
//!
//! `cargo run --release --example kmeans`; with `--features plot` and a folder it also draws what it found:
//! `cargo run --release --example kmeans --features plot -- FOLDER`

use axonal::cluster::{Elbow, elbow, elbow_with};
use axonal::datasets::make_blobs;
use axonal::metrics::{adjusted_rand_score, silhouette_score};
use axonal::ndarray::{Array2, array};
use axonal::prelude::*;

fn main() -> Result<()> {
    let blobs = make_blobs::<f64>(300, &array![[0.0, 0.0], [8.0, 8.0], [0.0, 8.0]], 0.8, 7)?;

    let mut kmeans = KMeans::new(3).n_init(4).seed(42);
    let report = kmeans.fit(&blobs.data)?;
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
    let any = KMeans::new(1).n_init(4).seed(42);
    let by_inertia = elbow(&any, &blobs.data, 1..=8)?;
    let by_silhouette = elbow_with(&any, &blobs.data, 2..=8, |labels| silhouette_score(&blobs.data, labels))?;
    println!("\n k   inertia   silhouette");
    for (&k, inertia) in by_inertia.n_clusters.iter().zip(&by_inertia.values) {
        let silhouette = by_silhouette.n_clusters.iter().position(|&other| other == k);
        let silhouette = silhouette.map_or("-".to_owned(), |at| format!("{:.3}", by_silhouette.values[at]));
        println!("{k:2} {inertia:9.1}   {silhouette:>10}");
    }
    println!("the elbow of the inertia is at k = {:?}", by_inertia.knee.unwrap_or_default());
    println!("the best silhouette is that of k = {:?}", by_silhouette.knee.unwrap_or_default());
    assert_eq!((by_inertia.knee, by_silhouette.knee), (Some(3), Some(3)));

    draw(&blobs.data, &new_points, &by_inertia, &by_silhouette)
}

/// The clusters for a small k, the right one and a large one, each with the new points; and both elbows.
#[cfg(feature = "plot")]
fn draw(
    points: &Array2<f64>,
    new_points: &Array2<f64>,
    by_inertia: &Elbow,
    by_silhouette: &Elbow,
) -> Result<()> {
    use axonal::plot::ClusterPlot;

    let folder = std::env::args().nth(1).map_or_else(std::env::temp_dir, std::path::PathBuf::from);
    for k in [2, 3, 8] {
        let mut kmeans = KMeans::new(k).n_init(4).seed(42);
        let report = kmeans.fit(points)?;
        let path = folder.join(format!("kmeans_{k}_clusters.svg"));
        ClusterPlot::new(points, kmeans.labels()?)
            .centers(kmeans.cluster_centers()?)
            .new_points(new_points, &kmeans.predict(new_points)?)
            .title(format!("{k} clusters, inertia {:.0}", report.inertia))
            .axes("x", "y")
            .save(&path)?;
        println!("wrote {}", path.display());
    }
    for (elbow, name) in [(by_inertia, "inertia"), (by_silhouette, "silhouette")] {
        let path = folder.join(format!("kmeans_elbow_{name}.svg"));
        elbow.plot(&path)?;
        println!("wrote {}", path.display());
    }
    Ok(())
}

#[cfg(not(feature = "plot"))]
fn draw(_: &Array2<f64>, _: &Array2<f64>, _: &Elbow, _: &Elbow) -> Result<()> {
    println!("with --features plot the clusters and the elbows are drawn");
    Ok(())
}
