//! k-means and its variants in files: they answer and continue learning as before, and nothing unsound gets in.

use super::forge::Anatomy;
use super::memory::peak_of;
use super::models;
use axonal::cluster::{BisectingKMeans, MiniBatchKMeans};
use axonal::ndarray::{Array2, array};
use axonal::prelude::*;

#[test]
fn a_mini_batch_kmeans_goes_on_learning_to_the_bit() {
    let (x, _) = models::samples();
    let mut kmeans = models::mini_batch();
    let mut again = MiniBatchKMeans::<f32>::from_bytes(&kmeans.to_bytes().unwrap()).unwrap();
    for piece in [10, 25, 60] {
        let piece = x.slice(axonal::ndarray::s![..piece, ..]);
        kmeans.partial_fit(&piece).unwrap();
        again.partial_fit(&piece).unwrap();
        assert_eq!(again.to_bytes().unwrap(), kmeans.to_bytes().unwrap());
        assert_eq!(again.n_steps().unwrap(), kmeans.n_steps().unwrap());
    }
    assert_eq!(again.fit_predict(&x).unwrap(), kmeans.fit_predict(&x).unwrap());
}

#[test]
fn a_bisecting_kmeans_goes_down_the_same_tree() {
    let (x, _) = models::samples();
    for n_clusters in [1, 2, 5, 9] {
        let mut kmeans = BisectingKMeans::new(n_clusters).n_init(2).seed(1);
        kmeans.fit(&x).unwrap();
        let again = BisectingKMeans::<f32>::from_bytes(&kmeans.to_bytes().unwrap()).unwrap();
        assert_eq!(again.predict(&x).unwrap(), *kmeans.labels().unwrap());
        assert_eq!(again.cluster_centers().unwrap(), kmeans.cluster_centers().unwrap());
        assert_eq!(again.score(&x).unwrap(), kmeans.score(&x).unwrap());
        assert_eq!(again.inertia().unwrap(), kmeans.inertia().unwrap());
    }
}

#[test]
fn what_has_not_learned_is_saved_too() {
    let centers = KMeansInit::Centers(array![[1.0, 2.0], [0.1 + 0.2, 4.0]]);
    let kmeans = MiniBatchKMeans::<f64>::new(2).init(centers).max_no_improvement(None).init_size(40);
    let again = MiniBatchKMeans::<f64>::from_bytes(&kmeans.to_bytes().unwrap()).unwrap();
    assert_eq!(format!("{again:?}"), format!("{kmeans:?}"));
    let kmeans = BisectingKMeans::<f32>::new(4).max_iter(7);
    let again = BisectingKMeans::<f32>::from_bytes(&kmeans.to_bytes().unwrap()).unwrap();
    assert_eq!(format!("{again:?}"), format!("{kmeans:?}"));
    let function = KMeansInit::function(|_, _, _| Ok(array![[1.0]]));
    let said = MiniBatchKMeans::<f64>::new(1).init(function).to_bytes().unwrap_err().to_string();
    assert!(said.contains("start from a function"), "{said}");
}

#[test]
fn settings_out_of_range_are_refused() {
    let edited = |file: Vec<u8>, old: &str, new: &str| Anatomy::of(&file).edit(old, new).file();
    let refused = |what: &str, loaded: Result<()>| {
        let said = loaded.expect_err(what).to_string();
        assert!(said.contains("max_iter"), "{said}");
    };
    let file = KMeans::<f32>::new(4).max_iter(7).to_bytes().unwrap();
    let file = edited(file, "\"max_iter\":7", "\"max_iter\":0");
    refused("KMeans", KMeans::<f32>::from_bytes(&file).map(drop));
    let file = MiniBatchKMeans::<f32>::new(4).max_iter(7).to_bytes().unwrap();
    let file = edited(file, "\"max_iter\":7", "\"max_iter\":0");
    refused("MiniBatchKMeans", MiniBatchKMeans::<f32>::from_bytes(&file).map(drop));
    let file = BisectingKMeans::<f32>::new(4).max_iter(7).to_bytes().unwrap();
    let file = edited(file, "\"max_iter\":7", "\"max_iter\":0");
    refused("BisectingKMeans", BisectingKMeans::<f32>::from_bytes(&file).map(drop));
}

#[test]
fn one_clustering_is_not_another() {
    let said = KMeans::<f32>::from_bytes(&models::mini_batch().to_bytes().unwrap()).unwrap_err().to_string();
    assert_eq!(said, "bytes: expected a KMeans, but the file holds \"mini_batch_kmeans\"");
    assert!(BisectingKMeans::<f32>::from_bytes(&models::kmeans().to_bytes().unwrap()).is_err());
    assert!(BisectingKMeans::<f64>::from_bytes(&models::bisecting().to_bytes().unwrap()).is_err());
}

#[test]
fn clusterings_are_steps_of_tables() {
    let (x, _) = models::samples();
    let mut columns = ColumnTransformer::<f32>::new()
        .step(MiniBatchKMeans::new(3).seed(1), [0, 1])
        .step(BisectingKMeans::new(4).seed(1), [1, 2]);
    columns.fit(&x).unwrap();
    let again = ColumnTransformer::<f32>::from_bytes(&columns.to_bytes().unwrap()).unwrap();
    assert_eq!(again.transform(&x).unwrap(), columns.transform(&x).unwrap());
}

/// A file of five leaves with other children of its four inner clusters.
fn with_children(children: [u64; 8]) -> Result<BisectingKMeans<f32>> {
    let mut file = Anatomy::of(&models::bisecting().to_bytes().unwrap());
    let at = file.numbers.len() - 64;
    file.numbers[at..].copy_from_slice(&children.map(u64::to_le_bytes).concat());
    BisectingKMeans::from_bytes(&file.file())
}

#[test]
fn a_tree_that_is_none_is_refused() {
    assert!(with_children([6, 7, 0, 1, 2, 8, 3, 4]).is_ok());
    for children in [
        [6, 7, 0, 1, 2, 8, 3, 3],
        [6, 7, 0, 1, 2, 5, 3, 4],
        [0, 1, 7, 8, 2, 6, 3, 4],
        [6, 7, 0, 1, 2, 8, 3, 9],
        [6, 7, 0, 1, 2, 8, 3, u64::MAX],
    ] {
        let said = with_children(children).unwrap_err().to_string();
        assert!(said.contains("two clusters for each that was split"), "{children:?}: {said}");
    }
}

#[test]
fn clusterings_take_the_memory_of_their_files() {
    let x = Array2::from_shape_fn((60, 30_000), |(i, j)| ((i * 7 + j * 13) % 31) as f32 / 7.0);
    let beyond = |file: Vec<u8>, load: fn(&[u8]) -> Result<()>| {
        let (loaded, peak) = peak_of(|| load(&file));
        loaded.unwrap();
        assert!(peak <= file.len() + (1 << 20), "{peak} bytes for a file of {}", file.len());
    };
    for n_clusters in [1, 13] {
        let mut kmeans = KMeans::new(n_clusters).max_iter(2);
        kmeans.fit(&x).unwrap();
        beyond(kmeans.to_bytes().unwrap(), |file| KMeans::<f32>::from_bytes(file).map(drop));
        let mut kmeans = MiniBatchKMeans::new(n_clusters).max_iter(1);
        kmeans.fit(&x).unwrap();
        beyond(kmeans.to_bytes().unwrap(), |file| MiniBatchKMeans::<f32>::from_bytes(file).map(drop));
        let mut kmeans = BisectingKMeans::new(n_clusters).max_iter(2);
        kmeans.fit(&x).unwrap();
        beyond(kmeans.to_bytes().unwrap(), |file| BisectingKMeans::<f32>::from_bytes(file).map(drop));
    }
}
