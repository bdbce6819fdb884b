//! A run that is interrupted anywhere and resumed ends as one that was not, to the bit.

use crate::temporary::temporary_path;
use axonal::callbacks::{Checkpoint, JsonLogger, LambdaCallback};
use axonal::custom::Run;
use axonal::ndarray::{Array1, Array2, s};
use axonal::optimizers::{AnyOptimizer, Ftrl, Nadam};
use axonal::prelude::*;
use std::fs;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::{Path, PathBuf};

struct Folder(PathBuf);

impl Folder {
    fn new(name: &str) -> Self {
        let path = temporary_path(&format!("resume-{name}"));
        let _ = fs::remove_dir_all(&path);
        fs::create_dir_all(&path).unwrap();
        Self(path)
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

fn data() -> (Array2<f32>, Array1<usize>) {
    let x = Array2::from_shape_fn((39, 4), |(i, j)| (((i * 31 + j * 17) % 97) as f32 / 48.5 - 1.0).sin());
    let y =
        x.rows().into_iter().map(|row| usize::from(row[0] > row[1]) + usize::from(row[2] > 0.0)).collect();
    (x, y)
}

fn network(optimizer: AnyOptimizer<f32>) -> Model<f32> {
    Sequential::new(4)
        .add(Dense::new(8).activation(Activation::Relu))
        .add(BatchNormalization::default())
        .add(Dropout::new(0.3))
        .add(Dense::new(3).activation(Activation::Softmax))
        .seed(11)
        .compile(optimizer, SparseCategoricalCrossentropy::default())
        .unwrap()
        .metric(Accuracy::default())
}

fn optimizers() -> [(&'static str, AnyOptimizer<f32>); 6] {
    [
        ("sgd", Sgd::new(0.05).momentum(0.9).nesterov(true).any()),
        ("adam", Adam::new(0.01).ema(0.9).any()),
        ("adamw", AdamW::new(0.01).global_clipnorm(1.0).any()),
        ("rmsprop", RmsProp::new(0.01).centered(true).any()),
        ("nadam", Nadam::new(0.01).accumulate(3).any()),
        ("ftrl", Ftrl::new(0.1).any()),
    ]
}

/// 40 batches: five epochs of eight, the last of each a short one. Every callback remembers something.
fn fit(
    model: &mut Model<f32>,
    folder: &Path,
    mut also: impl FnMut(&mut Run<'_, f32>) -> Result<()>,
    backup: BackupAndRestore,
    token: &StopToken,
) -> Result<History> {
    let (x, y) = data();
    let (x_val, y_val) = (x.slice(s![..9, ..]).mapv(|v| -v), y.slice(s![..9]).to_owned());
    let options = FitOptions::new()
        .epochs(5)
        .batch_size(5)
        .validation_data(&x_val, &y_val)
        .callback(backup)
        .callback(ReduceLrOnPlateau::new("val_loss").factor(0.5).patience(1).min_delta(0.1))
        .callback(EarlyStopping::new("val_loss").patience(4).restore_best_weights(true))
        .callback(ModelCheckpoint::new(folder.join("best.axonal")).save_best_only(true))
        .callback(CsvLogger::new(folder.join("log.csv")))
        .callback(LambdaCallback::new().on_batch_end(&mut also))
        .stop_token(token);
    model.fit_with(&x, &y, options)
}

fn number(run: &Run<'_, f32>) -> usize {
    run.epoch() * run.batches() + run.batch() + 1
}

/// All that a run leaves: the model, the history, the files of its callbacks.
fn left(model: &Model<f32>, history: &History, folder: &Path) -> (Vec<u8>, String, Vec<u8>, Vec<u8>) {
    let read = |name| fs::read(folder.join(name)).unwrap();
    (model.to_bytes().unwrap(), format!("{history:?}"), read("best.axonal"), read("log.csv"))
}

#[test]
fn a_run_interrupted_at_any_batch_and_resumed_ends_with_the_same_bits() {
    let folder = Folder::new("token");
    let backups = folder.0.join("backups");
    let backup = || BackupAndRestore::new(&backups);
    for (name, optimizer) in optimizers() {
        let mut whole = network(optimizer.clone());
        let mut batches = 0;
        let count = |_: &mut Run<'_, f32>| {
            batches += 1;
            Ok(())
        };
        let history = fit(&mut whole, &folder.0, count, backup(), &StopToken::new()).unwrap();
        assert_eq!((batches, history.epochs()), (40, 5), "{name}");
        let expected = left(&whole, &history, &folder.0);
        for last in 1..=40 {
            let (token, mut model) = (StopToken::new(), network(optimizer.clone()));
            let press = |run: &mut Run<'_, f32>| {
                if number(run) == last {
                    token.stop();
                }
                Ok(())
            };
            let history = fit(&mut model, &folder.0, press, backup(), &token).unwrap();
            assert_eq!(history.stopped(), Some("interrupted"), "{name}, batch {last}");
            let (mut model, mut batches) = (network(optimizer.clone()), 0);
            let count = |_: &mut Run<'_, f32>| {
                batches += 1;
                Ok(())
            };
            let history = fit(&mut model, &folder.0, count, backup(), &StopToken::new()).unwrap();
            assert_eq!(batches, 40 - last, "{name}: batches are neither lost nor repeated");
            assert!(left(&model, &history, &folder.0) == expected, "{name}, interrupted at batch {last}");
            assert_eq!(fs::read_dir(&backups).unwrap().count(), 0, "a complete run keeps no checkpoint");
        }
    }
}

/// Epochs 2 to 7 in batches of 20, validated after every third: the history of a resumed run has the same epochs.
#[test]
fn a_resumed_history_has_the_epochs_of_its_validations() {
    let folder = Folder::new("validated");
    let (x, y) = data();
    let run = |last: Option<usize>, backup: &Path| {
        let token = StopToken::new();
        let mut batches = 0;
        let count = LambdaCallback::new().on_batch_end(|_| {
            batches += 1;
            if Some(batches) == last {
                token.stop();
            }
            Ok(())
        });
        let options = FitOptions::new().initial_epoch(1).epochs(7).batch_size(20).validation_split(0.2);
        let options = options.validation_freq(3).stop_token(&token);
        let options = options
            .callback(BackupAndRestore::new(backup))
            .callback(JsonLogger::new(backup.join("log.jsonl")));
        network(Sgd::new(0.05).any()).fit_with(&x, &y, options.callback(count)).unwrap()
    };
    let whole = run(None, &folder.0);
    let log = fs::read(folder.0.join("log.jsonl")).unwrap();
    assert_eq!(whole.epochs_of("val_loss"), Some(&[2, 5][..]));
    assert_eq!(whole.epochs_of("loss"), Some(&[1, 2, 3, 4, 5, 6][..]));
    for last in 1..=12 {
        assert_eq!(run(Some(last), &folder.0).stopped(), Some("interrupted"), "batch {last}");
        assert_eq!(run(None, &folder.0), whole, "interrupted at batch {last}");
        assert!(fs::read(folder.0.join("log.jsonl")).unwrap() == log, "interrupted at batch {last}");
    }
    let lines: Vec<serde_json::Value> =
        std::str::from_utf8(&log).unwrap().lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let validated: Vec<u64> = lines
        .iter()
        .filter(|line| line.get("val_loss").is_some())
        .map(|line| line["epoch"].as_u64().unwrap())
        .collect();
    assert_eq!(validated, [2, 5]);
}

#[test]
#[cfg_attr(panic = "abort", ignore = "catches panics")]
fn a_run_that_breaks_off_repeats_what_came_after_its_checkpoint() {
    let folder = Folder::new("panic");
    let backup = || BackupAndRestore::new(folder.0.join("backups")).every_batches(3);
    let optimizer = || optimizers()[1].1.clone();
    let mut whole = network(optimizer());
    let history = fit(&mut whole, &folder.0, |_| Ok(()), backup(), &StopToken::new()).unwrap();
    let expected = left(&whole, &history, &folder.0);
    for last in 1..=40 {
        let mut model = network(optimizer());
        let die = |run: &mut Run<'_, f32>| {
            assert!(number(run) != last, "as a process may");
            Ok(())
        };
        let died =
            catch_unwind(AssertUnwindSafe(|| fit(&mut model, &folder.0, die, backup(), &StopToken::new())));
        assert!(died.is_err(), "batch {last}");
        let (mut model, mut first) = (network(optimizer()), None);
        let note = |run: &mut Run<'_, f32>| {
            first.get_or_insert(number(run));
            Ok(())
        };
        let history = fit(&mut model, &folder.0, note, backup(), &StopToken::new()).unwrap();
        assert!(left(&model, &history, &folder.0) == expected, "broken off at batch {last}");
        // Every third batch and every epoch's end, as far as the run has come.
        let done = (0..last).rev().find(|done| done % 3 == 0 || done % 8 == 0).unwrap();
        assert_eq!(first, Some(done + 1), "broken off at batch {last}");
    }
}

/// A run that was interrupted, with both of its checkpoints: at the end of the first epoch, and at batch 11.
fn interrupted(folder: &Path, backup: BackupAndRestore) {
    let token = StopToken::new();
    let press = |run: &mut Run<'_, f32>| {
        if number(run) == 11 {
            token.stop();
        }
        Ok(())
    };
    fit(&mut network(optimizers()[0].1.clone()), folder, press, backup, &token).unwrap();
}

#[test]
fn the_older_checkpoint_serves_where_the_newer_is_damaged() {
    let folder = Folder::new("damage");
    let backups = folder.0.join("backups");
    let mut whole = network(optimizers()[0].1.clone());
    let history =
        fit(&mut whole, &folder.0, |_| Ok(()), BackupAndRestore::new(&backups), &StopToken::new()).unwrap();
    let expected = left(&whole, &history, &folder.0);
    let resume = || {
        let (mut model, mut first) = (network(optimizers()[0].1.clone()), None);
        let note = |run: &mut Run<'_, f32>| {
            first.get_or_insert(number(run));
            Ok(())
        };
        let history = fit(&mut model, &folder.0, note, BackupAndRestore::new(&backups), &StopToken::new())?;
        assert!(left(&model, &history, &folder.0) == expected);
        Result::<_>::Ok(first.unwrap())
    };
    let damage = |name: &str, how: &dyn Fn(&mut Vec<u8>)| {
        let mut bytes = fs::read(backups.join(name)).unwrap();
        how(&mut bytes);
        fs::write(backups.join(name), bytes).unwrap();
    };
    type Damage = fn(&mut Vec<u8>);
    let ways: [Damage; 4] =
        [|bytes| bytes.truncate(1000), |bytes| bytes[700] ^= 1, Vec::clear, |bytes| bytes.push(0)];
    for way in ways {
        interrupted(&folder.0, BackupAndRestore::new(&backups));
        damage("backup-1.axonal", &way);
        assert_eq!(resume().unwrap(), 9, "from the end of the first epoch");
        interrupted(&folder.0, BackupAndRestore::new(&backups));
        damage("backup-0.axonal", &way);
        assert_eq!(resume().unwrap(), 12, "the newer one is sound");
        interrupted(&folder.0, BackupAndRestore::new(&backups));
        damage("backup-0.axonal", &way);
        damage("backup-1.axonal", &way);
        let message = resume().unwrap_err().to_string();
        assert!(message.contains("backup-"), "{message}");
        fs::remove_dir_all(&backups).unwrap();
    }
}

#[test]
fn a_checkpoint_of_another_run_is_refused_and_kept() {
    let folder = Folder::new("other");
    let backup = || BackupAndRestore::new(folder.0.join("backups"));
    interrupted(&folder.0, backup());
    let message =
        fit(&mut network(Adam::default().any()), &folder.0, |_| Ok(()), backup(), &StopToken::new())
            .unwrap_err()
            .to_string();
    assert!(
        message.contains("of another run") && message.contains("adam") && message.contains("sgd"),
        "{message}"
    );
    let files = fs::read_dir(folder.0.join("backups")).unwrap().count();
    assert_eq!(files, 2);
}

#[test]
fn a_run_over_an_iterator_passes_over_the_batches_it_has_had() {
    let folder = Folder::new("stream");
    let (x, y) = data();
    let batches = || {
        let (x, y) = (&x, &y);
        (0..).map(move |batch: usize| {
            let start = batch * 5 % 35;
            let n = 3 + batch % 3;
            (x.slice(s![start..start + n, ..]).to_owned(), y.slice(s![start..start + n]).to_owned())
        })
    };
    fn options<'a>() -> FitOptions<'a, f32> {
        FitOptions::new().epochs(4).steps_per_epoch(6)
    }
    let mut whole = network(Adam::default().any());
    whole.fit_batches(batches(), options().callback(LambdaCallback::new())).unwrap();
    for last in 1..24 {
        let backup = || BackupAndRestore::new(folder.0.join("backups"));
        let token = StopToken::new();
        let press = LambdaCallback::new().on_batch_end(|run| {
            if number(run) == last {
                token.stop();
            }
            Ok(())
        });
        let mut model = network(Adam::default().any());
        let options_ = options().callback(backup()).callback(press).stop_token(&token);
        model.fit_batches(batches(), options_).unwrap();
        let mut model = network(Adam::default().any());
        let history = model
            .fit_batches(batches(), options().callback(backup()).callback(LambdaCallback::new()))
            .unwrap();
        assert_eq!((history.epochs(), history.stopped()), (4, None));
        assert!(model.to_bytes().unwrap() == whole.to_bytes().unwrap(), "batch {last}");
    }
}

#[test]
fn every_flipped_bit_of_a_checkpoint_is_found() {
    let folder = Folder::new("bits");
    interrupted(&folder.0, BackupAndRestore::new(folder.0.join("backups")));
    let bytes = fs::read(folder.0.join("backups/backup-1.axonal")).unwrap();
    assert!(Checkpoint::<f32>::from_bytes(&bytes).is_ok());
    for at in 0..bytes.len() {
        let mut damaged = bytes.clone();
        damaged[at] ^= 1 << (at % 8);
        assert!(Checkpoint::<f32>::from_bytes(&damaged).is_err(), "byte {at}");
    }
    for len in (0..bytes.len()).step_by(7) {
        assert!(Checkpoint::<f32>::from_bytes(&bytes[..len]).is_err(), "{len} bytes");
    }
    let message = Checkpoint::<f64>::from_bytes(&bytes).unwrap_err().to_string();
    assert!(message.contains("f64"), "{message}");
    assert!(Model::<f32>::from_bytes(&bytes).is_err());
    let found = axonal::persistence::inspect_bytes(&bytes).unwrap();
    assert_eq!(found.tensors[0].name, "model/params");
}
