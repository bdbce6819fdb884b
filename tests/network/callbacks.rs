//! Callbacks as their users meet them: files, errors, interruptions.

use crate::temporary::temporary_path;
use axonal::callbacks::{JsonLogger, LambdaCallback, LearningRateScheduler};
use axonal::custom::Run;
use axonal::ndarray::{Array1, Array2};
use axonal::prelude::*;
use std::fs;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::PathBuf;

/// A folder of a test's own, removed at its end.
struct Folder(PathBuf);

impl Folder {
    fn new(name: &str) -> Self {
        let path = temporary_path(&format!("callbacks-{name}"));
        let _ = fs::remove_dir_all(&path);
        fs::create_dir_all(&path).unwrap();
        Self(path)
    }

    fn file(&self, name: &str) -> PathBuf {
        self.0.join(name)
    }

    fn names(&self) -> Vec<String> {
        let entries = fs::read_dir(&self.0).unwrap();
        let mut names: Vec<String> =
            entries.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
        names.sort();
        names
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

fn data() -> (Array2<f32>, Array1<f32>) {
    let x = Array2::from_shape_fn((40, 3), |(i, j)| (((i * 7 + j * 5) % 13) as f32 / 6.5 - 1.0).sin());
    let y = x.rows().into_iter().map(|row| row[0] - 0.5 * row[1] + 0.1).collect();
    (x, y)
}

fn model() -> Model<f32> {
    Sequential::new(3)
        .add(Dense::new(4).activation(Activation::Tanh))
        .add(Dense::new(1))
        .seed(1)
        .compile(Adam::new(0.01), MeanSquaredError::default())
        .unwrap()
        .metric(RootMeanSquaredError::default())
}

fn options<'a>() -> FitOptions<'a, f32> {
    FitOptions::new().epochs(4).batch_size(10)
}

#[test]
fn names_that_a_run_does_not_have_are_told_before_the_first_batch() {
    let (x, y) = data();
    let folder = Folder::new("names");
    let mut model = model();
    let before = model.weights();
    let mut says = |options: FitOptions<'_, f32>| model.fit_with(&x, &y, options).unwrap_err().to_string();
    let known = "; known: loss, root_mean_squared_error, learning_rate";
    let unknown = format!("unknown monitor \"val_loss\"{known}");
    assert_eq!(says(options().callback(EarlyStopping::new("val_loss"))), unknown);
    assert_eq!(says(options().callback(ReduceLrOnPlateau::new("val_loss"))), unknown);
    let path = folder.file("m.axonal");
    assert_eq!(says(options().callback(ModelCheckpoint::new(&path).save_best_only(true))), unknown);
    // At a batch's end there is no validation yet.
    let at_batches = ModelCheckpoint::new(&path).monitor("val_loss").save_best_only(true).every_batches(2);
    let message = says(options().validation_split(0.5).callback(at_batches));
    assert_eq!(message, "unknown monitor \"val_loss\"; known: loss, root_mean_squared_error");
    let message = says(options().callback(ModelCheckpoint::new(folder.file("{los}.axonal"))));
    assert_eq!(
        message,
        "unknown name in braces in a path \"los\"; known: epoch, loss, root_mean_squared_error, learning_rate"
    );
    let message = says(options().callback(EarlyStopping::new("learning_rate")));
    assert!(message.contains("EarlyStopping: monitor is learning_rate") && message.contains("direction"));
    assert_eq!(model.weights(), before);
    assert!(folder.names().is_empty());
}

#[test]
fn settings_out_of_range_are_errors_before_the_first_batch() {
    let (x, y) = data();
    let folder = Folder::new("settings");
    let mut model = model();
    let mut says = |options: FitOptions<'_, f32>| model.fit_with(&x, &y, options).unwrap_err().to_string();
    let reduce = || ReduceLrOnPlateau::new("loss");
    assert!(says(options().callback(reduce().factor(1.0))).contains("factor is 1, expected 0 <= factor < 1"));
    assert!(says(options().callback(reduce().factor(f64::NAN))).contains("factor is NaN"));
    assert!(says(options().callback(reduce().min_learning_rate(-1.0))).contains("min_learning_rate is -1"));
    assert!(
        says(options().callback(EarlyStopping::new("loss").min_delta(f64::NAN))).contains("min_delta is NaN")
    );
    let every = ModelCheckpoint::new(folder.file("m")).every_batches(0);
    assert!(says(options().callback(every)).contains("every_batches is 0"));
    assert!(
        says(options().callback(BackupAndRestore::new(&folder.0).every_batches(0))).contains("every_batches")
    );
    let log = CsvLogger::new(folder.file("log.csv")).separator('.');
    assert!(says(options().callback(log)).contains("separator is ."));
    assert!(
        says(options().callback(LearningRateScheduler::new(|_, _| -1.0))).contains("learning_rate is -1")
    );
}

#[test]
fn a_schedule_and_a_callback_that_sets_the_rate_exclude_each_other() {
    let (x, y) = data();
    let network = Sequential::new(3).add(Dense::new(1));
    let mut model =
        network.compile(Sgd::new(CosineDecay::new(0.1, 10)), MeanSquaredError::default()).unwrap();
    for options in [
        options().callback(ReduceLrOnPlateau::new("loss")),
        options().callback(LearningRateScheduler::new(|_, rate| rate)),
    ] {
        let message = model.fit_with(&x, &y, options).unwrap_err().to_string();
        assert!(message.contains("follows a schedule"), "{message}");
    }
}

#[test]
fn logs_have_a_line_an_epoch_and_can_be_continued() {
    let (x, y) = data();
    let folder = Folder::new("logs");
    let (csv, json) = (folder.file("log.csv"), folder.file("log.jsonl"));
    fs::write(&csv, "what was there before, and is longer than what comes; ".repeat(50)).unwrap();
    let mut model = model();
    let fit = |model: &mut Model<f32>, append| {
        let options = options().epochs(2).validation_split(0.25).validation_freq(2);
        let csv = CsvLogger::new(&csv).separator(';').append(append);
        let json = JsonLogger::new(&json).append(append);
        model.fit_with(&x, &y, options.callback(csv).callback(json)).unwrap()
    };
    let history = fit(&mut model, false);
    let text = fs::read_to_string(&csv).unwrap();
    let lines: Vec<&str> = text.lines().collect();
    // Keras's order: the epoch, then the names in alphabetical order.
    assert_eq!(
        lines[0],
        "epoch;learning_rate;loss;root_mean_squared_error;val_loss;val_root_mean_squared_error"
    );
    let (loss, error) = (history.loss(), history.get("root_mean_squared_error").unwrap());
    assert_eq!(lines[1], format!("0;0.01;{:?};{:?};NA;NA", loss[0], error[0]));
    let validation = history.get("val_loss").unwrap()[0];
    assert!(lines[2].starts_with(&format!("1;0.01;{:?};{:?};{validation:?};", loss[1], error[1])));
    assert_eq!(lines.len(), 3);
    let text = fs::read_to_string(&json).unwrap();
    let first: serde_json::Value = serde_json::from_str(text.lines().next().unwrap()).unwrap();
    assert_eq!((first["epoch"].as_u64(), first["loss"].as_f64()), (Some(0), Some(loss[0])));
    assert!(first.get("val_loss").is_none());

    fit(&mut model, true);
    let text = fs::read_to_string(&csv).unwrap();
    assert_eq!((text.lines().count(), text.matches("epoch").count()), (5, 1));
    assert_eq!(fs::read_to_string(&json).unwrap().lines().count(), 4);
    fit(&mut model, false);
    assert_eq!(fs::read_to_string(&csv).unwrap().lines().count(), 3);
}

#[test]
fn checkpoints_carry_the_numbers_of_their_moment_in_their_names() {
    let (x, y) = data();
    let folder = Folder::new("templates");
    let mut model = model();
    let each = ModelCheckpoint::new(folder.file("e-{epoch:02}-{loss:.3f}.axonal"));
    let batches = ModelCheckpoint::new(folder.file("b-{epoch}-{batch}.axonal"));
    let batches = batches.save_weights_only(true).every_batches(3);
    let history = model.fit_with(&x, &y, options().callback(each).callback(batches)).unwrap();
    let mut expected: Vec<String> = history
        .loss()
        .iter()
        .enumerate()
        .map(|(e, loss)| format!("e-{:02}-{loss:.3}.axonal", e + 1))
        .collect();
    // Sixteen batches, four an epoch: the third, sixth, ninth, twelfth and fifteenth.
    expected.extend(["b-1-3", "b-2-2", "b-3-1", "b-3-4", "b-4-3"].map(|name| format!("{name}.axonal")));
    expected.sort();
    assert_eq!(folder.names(), expected);
    let last = folder.names().into_iter().rfind(|name| name.starts_with("e-04")).unwrap();
    assert_eq!(Model::<f32>::load(folder.file(&last)).unwrap().weights(), model.weights());
    let weights = folder.file("b-1-3.axonal");
    assert!(Model::<f32>::load(&weights).is_err(), "weights alone are no model");
    model.load_weights(&weights).unwrap();
}

/// Like Keras, which creates the folders of a checkpoint; a folder that cannot be created ends the run before it begins.
#[test]
fn missing_folders_are_created_before_the_first_epoch() {
    let (x, y) = data();
    let folder = Folder::new("missing");
    let mut model = model();
    let before = model.weights();
    fs::write(folder.file("file"), "").unwrap();
    let mut says = |options: FitOptions<'_, f32>| {
        let message = model.fit_with(&x, &y, options).unwrap_err().to_string();
        assert_eq!(model.weights(), before, "{message}");
        message
    };
    for name in ["file/m.axonal", "file/deep/m-{epoch}.axonal", "file/{epoch}/m.axonal"] {
        let message = says(options().callback(ModelCheckpoint::new(folder.file(name))));
        assert!(message.contains("file") && message.contains(": cannot create "), "{message}");
    }
    for message in [
        says(options().callback(CsvLogger::new(folder.file("file/log.csv")))),
        says(options().callback(JsonLogger::new(folder.file("file/deep/log.jsonl")))),
        says(options().callback(BackupAndRestore::new(folder.file("file/backup")))),
    ] {
        assert!(message.contains("cannot create the folder: "), "{message}");
    }
    // An obstacle at the file's path is reported before the first epoch, too.
    fs::create_dir(folder.file("folder")).unwrap();
    let message = says(options().callback(ModelCheckpoint::new(folder.file("folder"))));
    assert!(message.ends_with("cannot replace it: expected a regular file, found a directory"), "{message}");
    let message = says(options().callback(CsvLogger::new(folder.file("folder"))));
    assert!(message.ends_with("expected a regular file, found a directory"), "{message}");

    let options = options()
        .callback(ModelCheckpoint::new(folder.file("a/b/m.axonal")))
        .callback(ModelCheckpoint::new(folder.file("c/m-{epoch}.axonal")))
        .callback(ModelCheckpoint::new(folder.file("d/{epoch}/m.axonal")))
        .callback(CsvLogger::new(folder.file("e/f/log.csv")))
        .callback(JsonLogger::new(folder.file("g/log.jsonl")))
        .callback(BackupAndRestore::new(folder.file("h/i")));
    model.fit_with(&x, &y, options).unwrap();
    for name in ["a/b/m.axonal", "c/m-4.axonal", "d/1/m.axonal", "d/4/m.axonal"] {
        assert!(Model::<f32>::load(folder.file(name)).is_ok(), "{name}");
    }
    for name in ["e/f/log.csv", "g/log.jsonl", "h/i"] {
        assert!(folder.file(name).exists(), "{name}");
    }
}

#[test]
fn braces_in_the_name_of_a_folder_that_exists_are_no_template() {
    let (x, y) = data();
    let folder = Folder::new("braces");
    fs::create_dir_all(folder.file("run{1}/{los}")).unwrap();
    let mut model = model();
    let two = |name: &str| options().epochs(2).callback(ModelCheckpoint::new(folder.file(name)));
    model.fit_with(&x, &y, two("run{1}/m-{epoch}.axonal")).unwrap();
    model.fit_with(&x, &y, two("run{1}/{los}/m.axonal")).unwrap();
    model.fit_with(&x, &y, two("run{{2}}/m.axonal")).unwrap();
    for name in ["run{1}/m-1.axonal", "run{1}/m-2.axonal", "run{1}/{los}/m.axonal", "run{2}/m.axonal"] {
        assert!(folder.file(name).exists(), "{name}");
    }
    let message = model.fit_with(&x, &y, two("run{3}/m.axonal")).unwrap_err().to_string();
    let known = "known: epoch, loss, root_mean_squared_error, learning_rate";
    assert_eq!(message, format!("unknown name in braces in a path \"3\"; {known}"));
    assert_eq!(folder.names(), ["run{1}", "run{2}"]);
}

#[test]
fn a_log_of_other_columns_is_not_appended_to() {
    let (x, y) = data();
    let folder = Folder::new("columns");
    let path = folder.file("log.csv");
    let run = |model: &mut Model<f32>, separator| {
        let log = CsvLogger::new(&path).separator(separator).append(true);
        model.fit_with(&x, &y, options().epochs(1).callback(log))
    };
    let mut model = model();
    let before = model.weights();
    let own = "epoch,learning_rate,loss,root_mean_squared_error";
    for (text, header) in [
        ("epoch,accuracy,learning_rate,loss\n0,0.5,0.1,0.3\n", "epoch,accuracy,learning_rate,loss"),
        (
            "epoch,learning_rate,loss,root_mean_squared_error,val_loss\n",
            "epoch,learning_rate,loss,root_mean_squared_error,val_loss",
        ),
        ("epoch,learning_rate,loss\r\n", "epoch,learning_rate,loss"),
        (
            "epoch;learning_rate;loss;root_mean_squared_error\n",
            "epoch;learning_rate;loss;root_mean_squared_error",
        ),
        ("epoch,learning_rate,loss,root_mean_squared_error", own),
        ("\n", ""),
    ] {
        fs::write(&path, text).unwrap();
        let message = run(&mut model, ',').unwrap_err().to_string();
        assert!(
            message.starts_with("CsvLogger: append is true for ") && message.contains("log.csv"),
            "{message}"
        );
        assert!(message.contains(&format!("has the columns {header:?}, expected")), "{message}");
        assert!(message.contains(&format!("the columns of this run, {own:?}")), "{message}");
        assert_eq!(fs::read_to_string(&path).unwrap(), text, "the log is as it was");
    }
    assert_eq!(model.weights(), before);
    // The same columns, an empty file, and one that is not there, are continued; so is an unfinished line.
    for (text, lines) in [
        (format!("{own}\n7,0.5,0.1,0.2\n"), 3),
        (format!("{own}\r\n"), 2),
        (String::new(), 2),
        (format!("{own}\n7,0.5"), 3),
    ] {
        fs::write(&path, &text).unwrap();
        run(&mut model, ',').unwrap();
        let log = fs::read_to_string(&path).unwrap();
        assert!(log.starts_with(&text) && log.lines().count() == lines, "{log}");
        assert!(log.lines().last().unwrap().starts_with("0,0.01,"), "{log}");
    }
    fs::remove_file(&path).unwrap();
    run(&mut model, '\t').unwrap();
    run(&mut model, '\t').unwrap();
    assert_eq!(fs::read_to_string(&path).unwrap().lines().count(), 3);
}

#[cfg(unix)]
#[test]
fn a_pipe_in_place_of_a_log_is_an_error_before_the_first_epoch() {
    let (x, y) = data();
    let folder = Folder::new("pipe");
    let pipe = folder.file("log");
    assert!(std::process::Command::new("mkfifo").arg(&pipe).status().unwrap().success());
    let mut model = model();
    for options in [
        options().callback(CsvLogger::new(&pipe)),
        options().callback(JsonLogger::new(&pipe).append(true)),
        options().callback(ModelCheckpoint::new(&pipe)),
    ] {
        let message = model.fit_with(&x, &y, options).unwrap_err().to_string();
        assert!(message.contains("expected a regular file, found a pipe"), "{message}");
    }
}

#[test]
fn the_best_model_is_saved_and_nothing_that_is_worse_than_the_threshold() {
    let (x, y) = data();
    let folder = Folder::new("best");
    let best =
        || ModelCheckpoint::new(folder.file("best-{epoch}.axonal")).monitor("loss").save_best_only(true);
    let mut model = model();
    let history = model.fit_with(&x, &y, options().callback(best())).unwrap();
    assert_eq!(folder.names().len(), 4, "the loss falls at each epoch: {:?}", history.loss());
    let threshold = history.loss()[3] / 1e6;
    let none = Folder::new("none");
    let never = ModelCheckpoint::new(none.file("m.axonal")).monitor("loss").save_best_only(true);
    model.fit_with(&x, &y, options().callback(never.initial_value_threshold(threshold))).unwrap();
    assert!(none.names().is_empty());
}

/// Fails or panics at one of its hooks.
struct Fails(&'static str, bool);

impl Fails {
    fn at(&self, hook: &str) -> Result<()> {
        if self.0 != hook {
            return Ok(());
        }
        assert!(!self.1, "as a callback may");
        Err(Error::Callback { name: "Fails".into(), source: "on purpose".into() })
    }
}

impl<F: Float> Callback<F> for Fails {
    fn on_train_begin(&mut self, _: &mut Run<'_, F>) -> Result<()> {
        self.at("train_begin")
    }

    fn on_epoch_begin(&mut self, run: &mut Run<'_, F>) -> Result<()> {
        if run.epoch() == 1 { self.at("epoch_begin") } else { Ok(()) }
    }

    fn on_batch_end(&mut self, run: &mut Run<'_, F>) -> Result<()> {
        if (run.epoch(), run.batch()) == (1, 2) { self.at("batch_end") } else { Ok(()) }
    }

    fn on_epoch_end(&mut self, run: &mut Run<'_, F>) -> Result<()> {
        if run.epoch() == 1 { self.at("epoch_end") } else { Ok(()) }
    }

    fn on_train_end(&mut self, _: &mut Run<'_, F>) -> Result<()> {
        self.at("train_end")
    }
}

#[test]
#[cfg_attr(panic = "abort", ignore = "catches panics")]
fn a_callback_that_fails_or_panics_leaves_a_model_that_answers_and_learns() {
    let (x, y) = data();
    for hook in ["train_begin", "epoch_begin", "batch_end", "epoch_end", "train_end"] {
        for panics in [false, true] {
            let mut model = model();
            let mut ended = false;
            let outcome = {
                let end = LambdaCallback::new().on_train_end(|_| {
                    ended = true;
                    Ok(())
                });
                let options = options().callback(Fails(hook, panics)).callback(end);
                catch_unwind(AssertUnwindSafe(|| model.fit_with(&x, &y, options)))
            };
            match outcome {
                Ok(fitted) => {
                    assert_eq!(fitted.unwrap_err().to_string(), "callback Fails: on purpose", "{hook}");
                    assert!(ended, "the others receive the end of training");
                }
                Err(_) => assert!(panics),
            }
            assert!(model.predict(&x).unwrap().iter().all(|v| v.is_finite()), "{hook}");
            let before = model.evaluate(&x, &y).unwrap().loss();
            model.fit_with(&x, &y, options().epochs(30)).unwrap();
            assert!(model.evaluate(&x, &y).unwrap().loss() < before, "{hook}");
        }
    }
}

#[test]
fn the_model_of_a_run_cannot_be_exchanged_but_its_weights_can() {
    let (x, y) = data();
    let mut trained = model();
    let other = model();
    let exchange = LambdaCallback::new().on_batch_end(|run| {
        *run.model_mut() = other
            .clone()
            .into_sequential()
            .add(Dense::new(1))
            .compile(Adam::default(), MeanSquaredError::default())?;
        Ok(())
    });
    let message = trained.fit_with(&x, &y, options().callback(exchange)).unwrap_err().to_string();
    assert!(message.contains("another model") && message.contains("set_weights"), "{message}");

    let weights = other.weights();
    let mut trained = model();
    let put_back = LambdaCallback::new().on_train_end(|run| run.model_mut().set_weights(&weights));
    trained.fit_with(&x, &y, options().callback(put_back)).unwrap();
    assert_eq!(trained.weights(), other.weights());
}

#[test]
fn a_token_ends_a_run_after_the_batch_at_hand() {
    let (x, y) = data();
    let token = StopToken::new();
    let mut model = model();
    let mut batches = 0;
    let history = {
        let press = LambdaCallback::new().on_batch_end(|run| {
            batches += 1;
            if (run.epoch(), run.batch()) == (1, 0) {
                token.stop();
            }
            Ok(())
        });
        let options = options().epochs(100).validation_split(0.25).stop_token(&token).callback(press);
        model.fit_with(&x, &y, options).unwrap()
    };
    assert_eq!((history.epochs(), history.stopped(), batches), (2, Some("interrupted"), 4));
    assert_eq!(history.get("val_loss").unwrap().len(), 1, "an interrupted epoch is not validated");
    assert!(model.predict(&x).is_ok());
    let history = model.fit_with(&x, &y, options().stop_token(&token)).unwrap();
    assert_eq!((history.epochs(), history.stopped()), (0, Some("interrupted")));
    token.reset();
    assert_eq!(model.fit_with(&x, &y, options().stop_token(&token)).unwrap().epochs(), 4);
}

#[test]
fn another_thread_interrupts_a_run_without_callbacks() {
    let (x, y) = data();
    let token = StopToken::new();
    let mut model = model();
    let history = std::thread::scope(|scope| {
        scope.spawn(|| {
            std::thread::sleep(std::time::Duration::from_millis(50));
            token.stop();
        });
        model.fit_with(&x, &y, options().epochs(usize::MAX).stop_token(&token)).unwrap()
    });
    assert_eq!(history.stopped(), Some("interrupted"));
    assert!(history.epochs() > 0);
}

#[test]
fn early_stopping_gives_the_weights_of_the_best_epoch_back() {
    let (x, y) = data();
    let (x_val, y_val) = (x.mapv(|v| v * 0.9), y.mapv(|v| v + 0.05));
    let mut model = model();
    let mut stopping = EarlyStopping::new("val_loss").patience(3).restore_best_weights(true);
    let options = options().epochs(2000).validation_data(&x_val, &y_val).callback(&mut stopping);
    let history = model.fit_with(&x, &y, options).unwrap();
    let losses = history.get("val_loss").unwrap();
    let (epoch, best) = stopping.best().unwrap();
    assert_eq!(best, losses.iter().copied().fold(f64::INFINITY, f64::min));
    assert_eq!((losses[epoch], stopping.stopped_epoch()), (best, Some(epoch + 3)));
    assert_eq!(history.stopped().unwrap(), format!("val_loss has not improved since epoch {}", epoch + 1));
    assert!((model.evaluate(&x_val, &y_val).unwrap().loss() - best).abs() < 1e-7);
}
