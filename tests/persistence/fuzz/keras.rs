//! What holds for any bytes as a Keras file: the bodies of two fuzz targets.
//!
//! A `.keras` file is a ZIP archive with a checksum on each member, which nearly every random change breaks. An input of
//! the target `keras` is therefore the configuration as JSON, a zero byte and the HDF5 file of the weights; the target
//! packs them into an archive. An HDF5 file has no checksums.

use super::zip::{archive, members, repaired};
use axonal::models::Body;
use axonal::ndarray::ArrayD;
use axonal::persistence::{Limits, LoadOptions};
use axonal::prelude::*;
use std::path::{Path, PathBuf};

/// The member of an archive that describes the model, and the one of its weights.
const CONFIG: &str = "config.json";
const WEIGHTS: &str = "model.weights.h5";

/// A configuration and weights in an archive whose lengths and checksums are right, or an archive whose checksums are.
pub(crate) fn keras(bytes: &[u8]) {
    let file = if bytes.starts_with(b"PK") {
        repaired(bytes)
    } else {
        let (config, weights) = parts(bytes);
        archive(&[(CONFIG, config), (WEIGHTS, weights)])
    };
    let path = place("keras");
    load(&path, &file);
    let _ = std::fs::remove_file(&path);
}

/// An HDF5 file: a legacy model, or weights for a small network.
pub(crate) fn hdf5(bytes: &[u8]) {
    let path = place("hdf5");
    load(&path, bytes);
    let mut model = small_network();
    let before = model.weights();
    match model.load_keras_weights(&path) {
        Ok(()) => assert!(model.weights().iter().all(|weight| weight.value.iter().all(|w| w.is_finite()))),
        Err(_) => assert_eq!(model.weights(), before),
    }
    let _ = std::fs::remove_file(&path);
}

/// The network that the target `hdf5` loads weights into.
pub(crate) fn small_network() -> Model<f32> {
    let layers = Sequential::<f32>::new(2).add(Dense::new(2)).add(BatchNormalization::default()).seed(1);
    layers.compile(Sgd::new(0.1).momentum(0.5), MeanSquaredError::default()).expect("a network")
}

/// A file name of this thread, in memory where there is such a folder.
fn place(target: &str) -> PathBuf {
    let shared = Path::new("/dev/shm");
    let folder = if shared.is_dir() { shared.to_owned() } else { super::temporary::temporary_folder() };
    let process = super::temporary::process_id();
    folder.join(format!("axonal-{target}-{process}-{:?}", std::thread::current().id()))
}

/// Loads a file through every door: an error, or a model that learns and that other doors load as well.
fn load(path: &Path, file: &[u8]) {
    std::fs::write(path, file).expect("a place for a file");
    let options = || {
        let mut limits = Limits::default();
        limits.max_activation_bytes = 1 << 18;
        LoadOptions::<f32>::new().limits(limits)
    };
    let body = Body::<f32>::load_keras_with(path, options());
    let model = Model::<f32>::load_keras_with(path, options());
    if let Ok(model) = model {
        assert!(body.is_ok(), "the layers alone are refused: {}", body.expect_err("an error"));
        assert!(model.weights().iter().all(|weight| weight.value.iter().all(|w| w.is_finite())));
        super::saves_again(&model, Model::to_bytes, Model::from_bytes);
        saves_for_keras_again(path, &model);
        if model.input_shapes().len() == 1 {
            super::learns(model);
        }
    } else if body.is_ok() {
        let _ = Sequential::<f32>::load_keras_with(path, options());
    }
}

/// What was loaded and can be saved for Keras has the same weights again.
fn saves_for_keras_again(path: &Path, model: &Model<f32>) {
    if model.save_keras(path).is_ok() {
        let again = Model::<f32>::load_keras(path).expect("what was saved for Keras can be loaded");
        let values = |model: &Model<f32>| -> Vec<ArrayD<f32>> {
            model.weights().into_iter().map(|weight| weight.value).collect()
        };
        assert_eq!(values(&again), values(model));
    }
}

/// The configuration before the first zero byte, and the weights behind it.
pub(super) fn parts(bytes: &[u8]) -> (&[u8], &[u8]) {
    match bytes.iter().position(|&byte| byte == 0) {
        Some(zero) => (&bytes[..zero], &bytes[zero + 1..]),
        None => (bytes, &[]),
    }
}

/// An archive as an input of the target `keras` that changes of length leave whole.
pub(crate) fn unpacked(file: &[u8]) -> Option<Vec<u8>> {
    let mut found = [None, None];
    for (entry, _, member) in members(file) {
        let name = file.get(entry + 46..)?;
        for (place, wanted) in found.iter_mut().zip([CONFIG, WEIGHTS]) {
            if name.starts_with(wanted.as_bytes()) {
                *place = file.get(member.clone());
            }
        }
    }
    let [Some(config), Some(weights)] = found else { return None };
    Some([config, &[0], weights].concat())
}
