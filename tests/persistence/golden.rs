//! Files of released formats, with inputs and answers: read for ever, to the bit. They are written once, by
//! `write_golden_files` below, and never again.

use super::forge::crc;
use super::models;
use axonal::callbacks::Checkpoint;
use axonal::cluster::{BisectingKMeans, MiniBatchKMeans};
use axonal::custom::Run;
use axonal::ndarray::{Array1, Array2};
use axonal::prelude::*;
use std::fs;
use std::path::{Path, PathBuf};

fn golden() -> PathBuf {
    folder("0.1")
}

fn folder(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/golden").join(name)
}

/// The variants of k-means, which came to files after the others.
fn clusterings() -> PathBuf {
    folder("0.1-clusterings")
}

/// Inputs that are exact in any float.
fn inputs() -> Array2<f32> {
    Array2::from_shape_fn((7, 3), |(i, j)| ((i * 3 + j * 5) % 11) as f32 / 8.0 - 0.5)
}

fn read_floats(path: &Path) -> Vec<f32> {
    let bytes = fs::read(path).unwrap();
    bytes.chunks_exact(4).map(|four| f32::from_le_bytes(four.try_into().unwrap())).collect()
}

/// The same to a few units in the last place: another processor sums in another order.
fn assert_near(got: impl IntoIterator<Item = f32>, name: &str) {
    assert_near_those_of(got, &golden().join(name));
}

fn assert_near_those_of(got: impl IntoIterator<Item = f32>, path: &Path) {
    let want = read_floats(path);
    let got: Vec<f32> = got.into_iter().collect();
    assert_eq!(got.len(), want.len());
    for (got, want) in got.iter().zip(&want) {
        assert!((got - want).abs() <= 1e-5 * want.abs().max(1e-3), "{}: {got}, want {want}", path.display());
    }
}

#[test]
fn golden_files_are_as_they_were_written() {
    for folder in [golden(), clusterings(), folder("0.1-checkpoints")] {
        let stated = fs::read_to_string(folder.join("sums.txt")).unwrap();
        assert_eq!(sums(&folder), stated, "golden files are never changed, added to or regenerated");
    }
}

/// The checksums of the files of a folder.
fn sums(folder: &Path) -> String {
    let mut sums: Vec<String> = fs::read_dir(folder)
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .filter(|path| path.extension().is_some_and(|extension| extension != "txt"))
        .map(|path| {
            let name = path.file_name().unwrap().to_string_lossy().into_owned();
            format!("{:08x} {name}\n", crc(&fs::read(&path).unwrap()))
        })
        .collect();
    sums.sort_by(|a, b| a[9..].cmp(&b[9..]));
    sums.concat()
}

#[test]
fn golden_clusterings_answer_and_go_on_as_they_did() {
    let folder = clusterings();
    let mut kmeans = MiniBatchKMeans::<f32>::load(folder.join("mini_batch.axonal")).unwrap();
    assert_near_those_of(kmeans.transform(&inputs()).unwrap(), &folder.join("mini_batch.answers"));
    kmeans.partial_fit(&inputs()).unwrap();
    assert_near_those_of(kmeans.transform(&inputs()).unwrap(), &folder.join("mini_batch.next_step.answers"));
    let kmeans = BisectingKMeans::<f32>::load(folder.join("bisecting.axonal")).unwrap();
    assert_near_those_of(kmeans.transform(&inputs()).unwrap(), &folder.join("bisecting.answers"));
    let labels = kmeans.predict(&inputs()).unwrap();
    assert_near_those_of(labels.iter().map(|&label| label as f32), &folder.join("bisecting.labels"));
}

/// The run of the golden checkpoints, which were taken after 13 of 14 epochs, two of them validated.
fn checkpointed_run(callback: impl Callback<f32>) -> History {
    let x = Array2::from_shape_fn((6, 2), |(i, j)| ((i * 3 + j * 5) % 7) as f32 / 8.0 - 0.5);
    let y = Array1::from_shape_fn(6, |i| (i % 3) as f32 / 4.0);
    let network = Sequential::new(2).add(Dense::new(1)).seed(3);
    let mut model = network.compile(Sgd::new(0.125), MeanSquaredError::default()).unwrap();
    let options = FitOptions::new().epochs(14).batch_size(2).validation_data(&x, &y).validation_freq(6);
    model.fit_with(&x, &y, options.callback(callback)).unwrap()
}

/// Checkpoints of versions that did not keep the epochs of validations, with the history's values as text and as tensors.
#[test]
fn golden_checkpoints_resume_with_the_epochs_of_their_validations() {
    struct Resume(Option<Checkpoint<f32>>);
    impl Callback<f32> for Resume {
        fn on_train_begin(&mut self, run: &mut Run<'_, f32>) -> Result<()> {
            self.0.take().map_or(Ok(()), |checkpoint| run.resume(checkpoint))
        }
    }
    let uninterrupted = checkpointed_run(Resume(None));
    assert_eq!(uninterrupted.epochs_of("val_loss"), Some(&[5, 11][..]));
    for name in ["values_as_text", "values_as_tensors"] {
        let bytes = fs::read(folder("0.1-checkpoints").join(format!("{name}.axonal"))).unwrap();
        let checkpoint = Checkpoint::<f32>::from_bytes(&bytes).unwrap();
        let history = checkpoint.history();
        assert_eq!((history.epochs(), history.get("val_loss").unwrap().len()), (13, 2), "{name}");
        assert_eq!(history.epochs_of("loss").unwrap(), history.epoch_indices());
        let resumed = checkpointed_run(Resume(Some(checkpoint)));
        for key in ["loss", "val_loss", "learning_rate"] {
            assert_eq!(resumed.epochs_of(key), uninterrupted.epochs_of(key), "{name}: {key}");
            let near = |(got, want): (&f64, &f64)| (got - want).abs() <= 1e-5 * want.abs();
            assert!(
                resumed.get(key).unwrap().iter().zip(uninterrupted.get(key).unwrap()).all(near),
                "{name}: {key}"
            );
        }
    }
}

/// Writes the clusterings' files; refuses where there are any.
#[test]
#[ignore = "run once, before the folder exists"]
fn write_golden_clusterings() {
    let folder = clusterings();
    assert!(!folder.exists(), "golden files are written once");
    fs::create_dir_all(&folder).unwrap();
    let floats = |name: &str, values: Vec<f32>| {
        let bytes: Vec<u8> = values.into_iter().flat_map(f32::to_le_bytes).collect();
        fs::write(folder.join(name), bytes).unwrap();
    };
    let mut kmeans = models::mini_batch();
    kmeans.save(folder.join("mini_batch.axonal")).unwrap();
    floats("mini_batch.answers", kmeans.transform(&inputs()).unwrap().into_iter().collect());
    kmeans.partial_fit(&inputs()).unwrap();
    floats("mini_batch.next_step.answers", kmeans.transform(&inputs()).unwrap().into_iter().collect());
    let kmeans = models::bisecting();
    kmeans.save(folder.join("bisecting.axonal")).unwrap();
    floats("bisecting.answers", kmeans.transform(&inputs()).unwrap().into_iter().collect());
    floats(
        "bisecting.labels",
        kmeans.predict(&inputs()).unwrap().iter().map(|&label| label as f32).collect(),
    );
    fs::write(folder.join("sums.txt"), sums(&folder)).unwrap();
}

#[test]
fn golden_models_answer_as_they_did_and_save_as_they_are() {
    for name in ["classifier", "regressor"] {
        let bytes = fs::read(golden().join(format!("{name}.axonal"))).unwrap();
        let model = Model::<f32>::from_bytes(&bytes).unwrap();
        let answers = if name == "classifier" {
            model.predict(&inputs()).unwrap()
        } else {
            model.predict(&inputs().into_shape_with_order([7, 3, 1]).unwrap()).unwrap()
        };
        assert_near(answers.iter().copied(), &format!("{name}.answers"));
        let again = Model::<f32>::from_bytes(&model.to_bytes().unwrap()).unwrap();
        assert_eq!(again.weights(), model.weights());
    }
}

#[test]
fn golden_training_goes_on_as_it_did() {
    let mut model = Model::<f32>::load(golden().join("classifier.axonal")).unwrap();
    let (x, y) = models::samples();
    model.fit_with(&x, &y, FitOptions::new().batch_size(16)).unwrap();
    assert_near(model.predict(&inputs()).unwrap(), "classifier.next_epoch.answers");
}

#[test]
fn golden_weights_kmeans_and_scaler_are_read() {
    let mut model = models::classifier();
    model.load_weights(golden().join("classifier.weights")).unwrap();
    assert_near(model.predict(&inputs()).unwrap(), "classifier.answers");
    let kmeans = KMeans::<f32>::load(golden().join("kmeans.axonal")).unwrap();
    assert_near(kmeans.transform(&inputs()).unwrap(), "kmeans.answers");
    let scaler = StandardScaler::load(golden().join("scaler.axonal")).unwrap();
    assert_near(scaler.transform(&inputs()).unwrap(), "scaler.answers");
}

/// Writes the files of a release that has none yet; refuses where there are any.
#[test]
#[ignore = "run once for each release, in an empty directory"]
fn write_golden_files() {
    assert!(!golden().exists(), "golden files are written once");
    fs::create_dir_all(golden()).unwrap();
    let floats = |name: &str, values: Vec<f32>| {
        let bytes: Vec<u8> = values.into_iter().flat_map(f32::to_le_bytes).collect();
        fs::write(golden().join(name), bytes).unwrap();
    };
    let mut model = models::trained();
    model.save(golden().join("classifier.axonal")).unwrap();
    model.save_weights(golden().join("classifier.weights")).unwrap();
    floats("classifier.answers", model.predict(&inputs()).unwrap().into_iter().collect());
    let (x, y) = models::samples();
    model.fit_with(&x, &y, FitOptions::new().batch_size(16)).unwrap();
    floats("classifier.next_epoch.answers", model.predict(&inputs()).unwrap().into_iter().collect());
    let model = models::regressor();
    model.save(golden().join("regressor.axonal")).unwrap();
    let nd = inputs().into_shape_with_order([7, 3, 1]).unwrap();
    floats("regressor.answers", model.predict(&nd).unwrap().into_iter().collect());
    let kmeans = models::kmeans();
    kmeans.save(golden().join("kmeans.axonal")).unwrap();
    floats("kmeans.answers", kmeans.transform(&inputs()).unwrap().into_iter().collect());
    let mut scaler = StandardScaler::new();
    scaler.fit(&x).unwrap();
    scaler.save(golden().join("scaler.axonal")).unwrap();
    floats("scaler.answers", scaler.transform(&inputs()).unwrap().into_iter().collect());
    fs::write(golden().join("sums.txt"), sums(&golden())).unwrap();
}
