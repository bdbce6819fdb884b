//! The corpus of the fuzz targets, replayed: every input that once found a fault or a new path.

use super::{fuzz_targets, models};
use axonal::metrics::AnyMetric;
use axonal::prelude::*;
use std::fs;
use std::path::{Path, PathBuf};

type Target = fn(&[u8]);

/// The targets that this build has.
fn targets() -> Vec<(&'static str, Target)> {
    vec![
        ("load_bytes", fuzz_targets::load_bytes),
        ("load_repaired", fuzz_targets::load_repaired),
        ("network", fuzz_targets::network),
        #[cfg(feature = "csv")]
        ("table", fuzz_targets::table),
        ("arrays", fuzz_targets::arrays),
        #[cfg(feature = "safetensors")]
        ("safetensors", fuzz_targets::safetensors),
        #[cfg(feature = "keras")]
        ("keras", fuzz_targets::keras::keras),
        #[cfg(feature = "keras")]
        ("hdf5", fuzz_targets::keras::hdf5),
    ]
}

fn corpus(target: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/corpus").join(target)
}

#[test]
fn the_corpus_of_every_fuzz_target_is_replayed() {
    for (name, target) in targets() {
        let mut inputs = 0;
        for input in fs::read_dir(corpus(name)).unwrap() {
            target(&fs::read(input.unwrap().path()).unwrap());
            inputs += 1;
        }
        assert!(inputs >= 3, "{name} has {inputs} inputs");
    }
}

/// Small files of every kind, to start fuzzing from; run where a format or a kind is new.
#[test]
#[ignore = "writes the first inputs of the fuzz targets"]
fn write_first_inputs() {
    let small: Model<f32> = Sequential::new(2)
        .add(Dense::new(2).activation(Activation::Relu))
        .add(Residual::new().add(Dropout::new(0.5)))
        .add(Dense::new(1))
        .compile(Adam::default(), MeanSquaredError::default())
        .unwrap();
    let mut encoder = OneHotEncoder::new();
    encoder.fit(&models::kinds()).unwrap();
    let small = small.metric("mae".parse::<AnyMetric<f32>>().unwrap());
    let mut small_weights = Vec::new();
    small.save_weights_to(&mut small_weights).unwrap();
    let checkpoint = models::checkpoint();
    let files = [
        ("model", small.to_bytes().unwrap()),
        ("convolutional", models::convolutional().to_bytes().unwrap()),
        ("recurrent", models::recurrent().to_bytes().unwrap()),
        ("kmeans", models::kmeans().to_bytes().unwrap()),
        ("mini_batch", models::mini_batch().to_bytes().unwrap()),
        ("bisecting", models::bisecting().to_bytes().unwrap()),
        ("weights", small_weights),
        ("checkpoint", checkpoint),
        ("encoder", encoder.to_bytes().unwrap()),
        ("pipeline", models::table_pipeline().to_bytes().unwrap()),
    ];
    for target in ["load_bytes", "load_repaired"] {
        fs::create_dir_all(corpus(target)).unwrap();
        for (name, bytes) in &files {
            fs::write(corpus(target).join(name), bytes).unwrap();
        }
    }
    let texts: [(&str, &str, &[u8]); 12] = [
        ("network", "dense", b"\0\x04\x02\x03\x01\x01\x00\x01\x02\x02\x00\x01\x01"),
        ("network", "images", b"\x02\x06\x06\x02\x03\x03\x02\x01\x00\x06\x02\x02\x00\x01\x0b"),
        ("network", "sequences", b"\x01\x05\x03\x02\x03\x01\x01\x00\x19\x02\x01\x01\x00\x1a"),
        ("table", "numbers", b"\0a,b\n1,2.5\n-3e4,0\n"),
        ("table", "texts", b"\0name,kind\n\"x, \"\"y\"\"\",1\r\nz,2\n"),
        ("table", "missing", b"\x09,1\nNaN,2\n"),
        ("arrays", "idx", b"\0\0\x08\x02\0\0\0\x02\0\0\0\x02\x01\x02\x03\x04"),
        ("arrays", "npy", b"\x93NUMPY\x01\0\x46\0{'descr': '<f4', 'fortran_order': False, 'shape': (1,), }            \n\0\0\x80\x3f"),
        ("safetensors", "file", b"\x41\0\0\0\0\0\0\0{\"0.dense/bias\":{\"dtype\":\"F32\",\"shape\":[2],\"data_offsets\":[0,8]}}\0\0\x80\x3f\0\0\0\0"),
        ("safetensors", "header", b"{\"0.dense/bias\":{\"dtype\":\"F16\",\"shape\":[2],\"data_offsets\":[0,4]}}\0\x3c\0\0"),
        ("safetensors", "metadata", b"{\"__metadata__\":{\"a\":\"b\"},\"x\":{\"dtype\":\"F64\",\"shape\":[0],\"data_offsets\":[0,0]}}"),
        ("arrays", "gzip", b"\x1f\x8b\x08\0\0\0\0\0\0\x03\x63\x60\xe0\x60\x60\x62\x60\0\0"),
    ];
    for (target, name, bytes) in texts {
        fs::create_dir_all(corpus(target)).unwrap();
        fs::write(corpus(target).join(name), bytes).unwrap();
    }
}

/// Small Keras files, to start fuzzing from beside those in `keras/`.
#[cfg(feature = "keras")]
#[test]
#[ignore = "writes the first inputs of the fuzz targets"]
fn write_first_keras_inputs() {
    let dense = || Sequential::<f32>::new(2).add(Dense::new(2).activation(Activation::Relu)).seed(1);
    let plain = dense().compile(Sgd::new(0.1), MeanSquaredError::default()).unwrap();
    let block = Residual::new().add(Dense::new(2)).add(Dropout::new(0.5));
    let adam = dense().add(block).compile(Adam::default(), BinaryCrossentropy::default()).unwrap();
    let sequence = Sequential::<f32>::new([3, 2]).add(Bidirectional::new(Lstm::new(1)));
    let recurrent = sequence.compile(RmsProp::default(), MeanSquaredError::default()).unwrap();
    let path = crate::temporary::temporary_path("first-inputs");
    for target in ["keras", "hdf5"] {
        fs::create_dir_all(corpus(target)).unwrap();
    }
    let small = fuzz_targets::keras::small_network();
    for (name, model) in [("dense", plain), ("adam", adam), ("recurrent", recurrent), ("small", small)] {
        model.save_keras(&path).unwrap();
        let file = fs::read(&path).unwrap();
        fs::write(corpus("keras").join(name), fuzz_targets::keras::unpacked(&file).unwrap()).unwrap();
        if name == "dense" {
            fs::write(corpus("keras").join("archive"), file).unwrap();
        }
        model.save_keras_weights(&path).unwrap();
        fs::copy(&path, corpus("hdf5").join(name)).unwrap();
    }
    fs::remove_file(&path).unwrap();
}

/// Fields of the files that Keras has written, changed one to three at a time; `AXONAL_MUTATIONS` for each file.
#[cfg(feature = "keras")]
#[test]
fn changed_fields_of_keras_files_end_in_an_error_or_a_sound_model() {
    let runs = std::env::var("AXONAL_MUTATIONS").map_or(20, |runs| runs.parse().unwrap());
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/persistence/keras");
    let mut files: Vec<_> = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect();
    files.retain(|path| path.extension().is_some_and(|extension| extension == "h5" || extension == "keras"));
    files.sort();
    assert!(files.len() >= 20);
    for path in files {
        let file = fs::read(&path).unwrap();
        for seed in 0..runs {
            let changed = fuzz_targets::mutations::mutate_fields(&file, seed);
            if changed.starts_with(b"\x89HDF") {
                fuzz_targets::keras::hdf5(&changed);
            } else {
                fuzz_targets::keras::keras(&changed);
            }
        }
    }
}
