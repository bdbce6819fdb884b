//! Event files: their framing and contents here, and TensorBoard's own reader where it is installed
//! (`parity/tensorboard/check.py`).

use crate::temporary::temporary_path;
use axonal::callbacks::{TensorBoard, UpdateFreq};
use axonal::ndarray::{Array1, Array2};
use axonal::prelude::*;
use std::path::{Path, PathBuf};

fn folder(name: &str) -> PathBuf {
    let folder = temporary_path(&format!("board-{name}"));
    let _ = std::fs::remove_dir_all(&folder);
    folder
}

fn data() -> (Array2<f32>, Array1<f32>) {
    let x = Array2::from_shape_fn((40, 3), |(i, j)| ((i * 7 + j * 5) % 11) as f32 / 11.0);
    let y = x.rows().into_iter().map(|row| row[0] - row[2]).collect();
    (x, y)
}

fn model() -> Model<f32> {
    Sequential::new(3)
        .add(Dense::new(4).activation(Activation::Tanh))
        .add(Dense::new(1))
        .seed(3)
        .compile(Adam::new(0.01), MeanSquaredError::default())
        .unwrap()
        .metric(RootMeanSquaredError::default())
}

/// CRC-32C, bit by bit, as TFRecord masks it.
fn masked(bytes: &[u8]) -> u32 {
    let mut crc = !0_u32;
    for byte in bytes {
        crc ^= u32::from(*byte);
        for _ in 0..8 {
            crc = if crc & 1 == 1 { (crc >> 1) ^ 0x82f6_3b78 } else { crc >> 1 };
        }
    }
    (!crc).rotate_right(15).wrapping_add(0xa282_ead8)
}

/// The messages of the only file in a folder.
fn records(folder: &Path) -> Vec<Vec<u8>> {
    let files: Vec<_> = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect();
    assert_eq!(files.len(), 1, "{files:?}");
    let bytes = std::fs::read(&files[0]).unwrap();
    let (mut rest, mut records) = (bytes.as_slice(), Vec::new());
    while !rest.is_empty() {
        let (length, tail) = rest.split_at(8);
        let (crc, tail) = tail.split_at(4);
        assert_eq!(crc, masked(length).to_le_bytes());
        let (message, tail) = tail.split_at(u64::from_le_bytes(length.try_into().unwrap()) as usize);
        let (crc, tail) = tail.split_at(4);
        assert_eq!(crc, masked(message).to_le_bytes());
        records.push(message.to_vec());
        rest = tail;
    }
    records
}

fn contains(message: &[u8], text: &str) -> bool {
    message.windows(text.len()).any(|part| part == text.as_bytes())
}

#[test]
fn event_files_hold_the_values_of_the_run() {
    let (folder, (x, y)) = (folder("run"), data());
    let board = TensorBoard::new(folder.join("deep/logs"))
        .histogram_freq(2)
        .update_freq(UpdateFreq::Batch)
        .text("notes", "A **bold** note.");
    let mut model = model();
    let options = FitOptions::new().epochs(3).batch_size(8).validation_split(0.2).callback(board);
    let history = model.fit_with(&x, &y, options).unwrap();
    let train = records(&folder.join("deep/logs/train"));
    assert!(contains(&train[0], "brain.Event:2"));
    assert!(contains(&train[1], "A **bold** note.") && contains(&train[1], "0.dense"));
    // The version, the texts, four batches in each of three epochs, the epochs.
    assert_eq!(train.len(), 2 + 3 * 4 + 3);
    let histograms = train.iter().filter(|message| contains(message, "0.dense/kernel/histogram")).count();
    assert_eq!(histograms, 2, "epochs 0 and 2");
    let loss = (history.loss()[2] as f32).to_le_bytes();
    assert!(train.last().unwrap().windows(4).any(|part| part == loss));
    let validation = records(&folder.join("deep/logs/validation"));
    assert_eq!(validation.len(), 1 + 3);
    assert!(contains(&validation[1], "epoch_loss") && !contains(&validation[1], "val_loss"));
    if let Ok(python) = std::env::var("AXONAL_TENSORBOARD_PYTHON") {
        check(&python, &folder, &history, &model);
    }
    std::fs::remove_dir_all(&folder).unwrap();
}

/// Runs `check.py`.
fn check(python: &str, folder: &Path, history: &History, model: &Model<f32>) {
    let values: serde_json::Map<String, serde_json::Value> =
        history.keys().map(|key| (key.to_owned(), history.get(key).unwrap().into())).collect();
    let weights: serde_json::Map<String, serde_json::Value> =
        model.weights().iter().map(|weight| (weight.name.clone(), weight.value.len().into())).collect();
    let names: Vec<&String> = values.keys().collect();
    let expected = serde_json::json!({"names": names, "values": values, "weights": weights, "batches": 12});
    let path = folder.join("history.json");
    std::fs::write(&path, expected.to_string()).unwrap();
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/parity/tensorboard/check.py");
    let outcome = std::process::Command::new(python)
        .arg(script)
        .arg(folder.join("deep/logs"))
        .arg(&path)
        .output()
        .unwrap();
    assert!(outcome.status.success(), "{}", String::from_utf8_lossy(&outcome.stderr));
}

#[test]
fn what_cannot_be_written_is_an_error_before_the_first_batch() {
    let (folder, (x, y)) = (folder("refused"), data());
    std::fs::create_dir_all(&folder).unwrap();
    std::fs::write(folder.join("file"), "").unwrap();
    let mut model = model();
    let before = model.weights();
    let mut fit = |board: TensorBoard| {
        let options = FitOptions::new().epochs(2).callback(board);
        model.fit_with(&x, &y, options).unwrap_err().to_string()
    };
    assert!(fit(TensorBoard::new(folder.join("file"))).contains("file"));
    assert!(fit(TensorBoard::new(&folder).update_freq(UpdateFreq::Batches(0))).contains("update_freq"));
    assert_eq!(model.weights(), before);
    std::fs::remove_dir_all(&folder).unwrap();
}

#[test]
fn a_second_run_adds_files_and_replaces_none() {
    let (folder, (x, y)) = (folder("twice"), data());
    for _ in 0..2 {
        let options = FitOptions::new().callback(TensorBoard::new(&folder).write_steps_per_second(true));
        model().fit_with(&x, &y, options).unwrap();
    }
    assert_eq!(std::fs::read_dir(folder.join("train")).unwrap().count(), 2);
    assert!(!folder.join("validation").exists());
    std::fs::remove_dir_all(&folder).unwrap();
}
