//! Customers into segments: scale, choose how many by elbow and silhouette, describe each in its own units.
//!
//! `cargo run --release --example segmentation`

use axonal::metrics::{adjusted_rand_score, silhouette_score};
use axonal::ndarray::{Array2, array};
use axonal::prelude::*;

const FEATURES: [&str; 3] = ["age", "orders a year", "basket (EUR)"];

fn main() -> Result<()> {
    // Four habits: the young who order often and little, families, occasional big spenders, regulars.
    let habits = array![[24.0, 40.0, 18.0], [38.0, 22.0, 75.0], [55.0, 3.0, 240.0], [61.0, 15.0, 40.0]];
    let spread = array![4.0, 3.0, 12.0];
    let mut customers = axonal::datasets::make_blobs::<f64>(600, &(&habits / &spread), 1.0, 5)?;
    customers.data *= &spread;

    // Without scaling the basket, measured in large numbers, would decide alone.
    let mut scaler = StandardScaler::new();
    let x = scaler.fit_transform(&customers.data)?;

    println!("segments    inertia  silhouette");
    let (mut best, mut best_silhouette) = (None, f64::NEG_INFINITY);
    for n_clusters in 2..=8 {
        let mut kmeans = KMeans::new(n_clusters).n_init(10).seed(0);
        let inertia = kmeans.fit(&x)?.inertia;
        let silhouette = silhouette_score(&x, kmeans.labels()?)?;
        let bar = "#".repeat((inertia / 40.0).round() as usize);
        println!("{n_clusters:>8} {inertia:>10.1} {silhouette:>11.3}  {bar}");
        if silhouette > best_silhouette {
            (best, best_silhouette) = (Some(kmeans), silhouette);
        }
    }
    let Some(kmeans) = best else { return Ok(()) };

    let labels = kmeans.labels()?;
    let centers: Array2<f64> = scaler.inverse_transform(kmeans.cluster_centers()?)?;
    println!("\nsegment  customers  {:>8}  {:>14}  {:>13}", FEATURES[0], FEATURES[1], FEATURES[2]);
    for (segment, center) in centers.rows().into_iter().enumerate() {
        let n_customers = labels.iter().filter(|label| **label == segment).count();
        println!(
            "{segment:>7}  {n_customers:>9}  {:>8.1}  {:>14.1}  {:>13.1}",
            center[0], center[1], center[2]
        );
    }
    let agreement = adjusted_rand_score(&customers.target, labels)?;
    println!("\nagreement with the habits the data were made of: {agreement:.3}");

    // Scaler and clustering in one: a new customer's segment.
    let mut segmenter = Pipeline::new(StandardScaler::new(), kmeans.unfitted());
    segmenter.fit(&customers.data, ())?;
    let newcomer = array![[26.0, 35.0, 20.0]];
    println!("a newcomer {newcomer} belongs to segment {}", segmenter.predict(&newcomer)?[0]);
    Ok(())
}
