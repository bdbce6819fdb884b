//! Files made to do harm, with checksums that are right: what each is refused for.

use super::forge::{Anatomy, varint};
use super::memory::peak_of;
use super::models;
use axonal::LoadErrorKind;
use axonal::custom::{Config, MetricBatch, Shape};
use axonal::metrics::SensitivityAtSpecificity;
use axonal::ndarray::Array2;
use axonal::persistence::{Limits, LoadOptions};
use axonal::prelude::*;
use std::time::{Duration, Instant};

fn anatomy() -> Anatomy {
    Anatomy::of(&models::trained().to_bytes().unwrap())
}

/// The configuration of the classifier's dropout, as its file has it.
fn dropout_config() -> String {
    Config::of(&Dropout::new(0.1)).unwrap().as_json().into()
}

/// What a load says; it takes no more memory than the file and a MiB.
fn refusal(file: &[u8]) -> String {
    let (loaded, peak) = peak_of(|| Model::<f32>::from_bytes(file).map(drop));
    assert!(peak <= file.len() + (1 << 20), "{peak} bytes for a file of {}", file.len());
    loaded.expect_err("a hostile file was accepted").to_string()
}

#[test]
fn huge_shapes_are_refused_without_memory_for_them() {
    for dim in [0, 1, 2, 8, 1 << 31, 1 << 32, 1 << 63, u64::MAX] {
        for other in [0, 1, 2, 7, 1 << 31, 1 << 32, 1 << 63, u64::MAX] {
            let said = refusal(&anatomy().reshape("0.dense/kernel", &[3, 8], &[dim, other]).file());
            assert!(said.contains("\"0.dense/kernel\""), "{said}");
        }
    }
    let said = refusal(&anatomy().reshape("0.dense/kernel", &[3, 8], &[4, 8]).file());
    assert_eq!(said, "bytes: tensor \"0.dense/kernel\": expected shape (3, 8), got shape (4, 8)");
    let said = refusal(&anatomy().reshape("0.dense/bias", &[8], &[1; 9]).file());
    assert!(said.contains("more than 8 axes"), "{said}");
}

#[test]
fn many_small_bombs_are_refused_as_one() {
    // Ten thousand layers of a million units each, and a count of four billion of them.
    let head = anatomy();
    let at = head.structure.windows(5).position(|window| window == b"dense").unwrap() - 1;
    let mut layer = varint(5);
    layer.extend(b"dense");
    layer.extend(varint(17));
    layer.extend(br#"{"units":1000000}"#);
    layer.push(1);
    let mut bomb = head.clone();
    bomb.structure.splice(at..at, layer.repeat(10_000));
    let said = refusal(&bomb.clone().file());
    assert!(said.contains("\"dense\"") || said.contains("byte "), "{said}");
    for count in [4, 1000, 1001, u64::from(u32::MAX)] {
        let mut bomb = bomb.clone();
        // The input's shape (one axis of 3) and then the number of layers.
        let head = bomb.structure.windows(3).position(|window| window == [1, 3, 3]).unwrap();
        bomb.structure.splice(head + 2..head + 3, varint(count));
        let said = refusal(&bomb.file());
        assert!(!said.is_empty());
        assert_eq!(said.contains("layers: "), count > 1000, "{said}");
    }
}

#[test]
fn lengths_that_lie_are_refused() {
    let file = models::trained().to_bytes().unwrap();
    for (field, value) in [(16, 0), (16, u64::MAX), (24, u64::MAX), (24, 0), (32, u64::MAX), (32, 4)] {
        let mut lying = file.clone();
        lying[field..field + 8].copy_from_slice(&u64::to_le_bytes(value));
        let own = super::forge::crc(&lying[..60]);
        lying[60..64].copy_from_slice(&own.to_le_bytes());
        refusal(&lying);
    }
}

#[test]
fn a_later_format_and_unknown_flags_are_refused() {
    let mut later = anatomy();
    later.header[8] = 2;
    let said = refusal(&later.file());
    assert_eq!(
        said,
        "bytes: written in format 2, but this version of the crate reads formats 1 to 1; upgrade it"
    );
    for flag in 48..60 {
        let mut flagged = anatomy();
        flagged.header[flag] = 1;
        assert!(refusal(&flagged.file()).contains("upgrade the crate"));
    }
    let mut newer_revision = anatomy();
    newer_revision.header[10] = 9;
    assert!(Model::<f32>::from_bytes(&newer_revision.file()).is_ok());
}

#[test]
fn other_files_are_not_ours() {
    for bytes in [&b""[..], b"\x89PNG\r\n\x1a\n----", b"PK\x03\x04", b"\x89HDF\r\n\x1a\n", b"x"] {
        assert!(refusal(bytes).contains("expected a file saved by this crate"));
    }
    let text_mode: Vec<u8> =
        models::trained().to_bytes().unwrap().into_iter().filter(|byte| *byte != b'\r').collect();
    assert!(refusal(&text_mode).contains("expected a file saved by this crate"));
}

#[test]
fn numbers_that_are_not_finite_are_named() {
    for (value, text) in [(f32::NAN, "NaN"), (f32::INFINITY, "inf"), (f32::NEG_INFINITY, "-inf")] {
        let mut file = anatomy();
        file.numbers[4 * 26..4 * 27].copy_from_slice(&value.to_le_bytes());
        let said = refusal(&file.file());
        assert_eq!(
            said,
            format!("bytes: tensor \"0.dense/bias\": {text} at index 2, expected finite numbers")
        );
    }
}

#[test]
fn hyperparameters_are_checked_as_the_builders_check_them() {
    for (old, new, says) in [
        ("\"rate\":0.1", "\"rate\":1.0", "dropout: rate is 1, expected 0 <= rate < 1"),
        ("\"units\":8", "\"units\":0", "dense: units is 0, expected at least 1"),
        ("\"beta_1\":0.9", "\"beta_1\":1.9", "beta_1"),
        ("\"clipnorm\":1.1", "\"clipnorm\":0.0", "clipnorm"),
        ("\"batch_size\":32", "\"batch_size\":00", "training"),
        ("\"batch_size\":32", "\"batch_size\":-1", "training"),
        ("\"units\":8", "\"utins\":8", "utins"),
        ("\"constant\":0.01}", "\"constant\":-0.1}", "learning"),
        ("\"units\":8", "\"units\":9", "0.dense/kernel"),
        ("2.dense/bias", "2.dense/bia5", "2.dense/bia5"),
    ] {
        let said = refusal(&anatomy().edit(old, new).file());
        assert!(said.contains(says), "{old} -> {new}: {said}");
    }
}

#[test]
fn counters_near_overflow_are_refused() {
    let file = anatomy().edit("\"epochs_trained\":2,", "\"epochs_trained\":2,");
    let structure = String::from_utf8_lossy(&file.structure).into_owned();
    let start = structure.find("{\"learning_rate\"").unwrap();
    let text = &structure[start..start + structure[start..].find("}\u{5}").map_or(0, |end| end + 1)];
    let text = if text.is_empty() { &structure[start..] } else { text };
    // The text ends where the braces are closed.
    let mut depth = 0;
    let end = text
        .bytes()
        .position(|byte| {
            depth += i32::from(byte == b'{') - i32::from(byte == b'}');
            depth == 0
        })
        .unwrap();
    let text = &text[..=end];
    for counter in ["epochs_trained", "steps_trained", "iterations"] {
        let key = format!("\"{counter}\":");
        let at = text.find(&key).unwrap() + key.len();
        let digits = text[at..].bytes().take_while(u8::is_ascii_digit).count();
        let huge = format!("{}{}{}", &text[..at], u64::MAX, &text[at + digits..]);
        let said = refusal(&anatomy().replace(text, &huge).file());
        assert!(said.contains(counter), "{said}");
    }
}

#[test]
fn kinds_that_nobody_knows_are_refused() {
    let said = refusal(&anatomy().replace("dropout", "Dropout").file());
    assert_eq!(said, "bytes: unknown layer \"Dropout\"; register it by Registry::layer and use load_with");
    // A look-alike with a Cyrillic letter, terminal codes, and a name of a MiB.
    for name in ["dr\u{43e}pout", "\u{1b}[2J", &"x".repeat(1 << 18)] {
        let said = refusal(&anatomy().replace("dropout", name).file());
        assert!(said.contains("unknown layer") && said.len() < 300, "{said}");
        assert!(!said.contains('\u{1b}'), "{said:?}");
    }
}

#[test]
fn deep_nesting_is_refused_on_a_small_stack() {
    let work = || {
        for levels in [33, 101, 129, 1_000, 100_000] {
            for (open, close) in [("[", "]"), ("{\"a\":", "}")] {
                let config = format!("{}1{}", open.repeat(levels), close.repeat(levels));
                let file = anatomy().replace(&dropout_config(), &config).file();
                let said = Model::<f32>::from_bytes(&file).unwrap_err().to_string();
                assert!(
                    said.contains("depth of brackets") || said.contains("bytes of one") || levels < 101,
                    "{said}"
                );
            }
        }
        let mut limits = Limits::default();
        limits.max_config_bytes = usize::MAX;
        let config = "[".repeat(1_000_000);
        let file = anatomy().replace(&dropout_config(), &config).file();
        let said =
            Model::<f32>::from_bytes_with(&file, LoadOptions::new().limits(limits)).unwrap_err().to_string();
        assert!(said.contains("depth of brackets in a configuration: 1000000"), "{said}");
    };
    std::thread::Builder::new().stack_size(256 << 10).spawn(work).unwrap().join().unwrap();
}

#[test]
fn a_network_that_would_need_much_to_answer_is_refused() {
    let wide: Model<f32> = Sequential::new(1)
        .add(Dense::new(1 << 16))
        .compile(Sgd::default(), MeanSquaredError::default())
        .unwrap();
    let file = wide.to_bytes().unwrap();
    let mut limits = Limits::default();
    limits.max_activation_bytes = 1 << 10;
    let error = Model::<f32>::from_bytes_with(&file, LoadOptions::new().limits(limits)).unwrap_err();
    let axonal::Error::Load { problem, .. } = error else { panic!("{error}") };
    assert!(matches!(*problem, LoadErrorKind::Limit { value: 262_148, limit: 1024, .. }), "{problem}");
}

#[test]
fn both_sides_of_every_limit_are_as_stated() {
    let file = models::trained().to_bytes().unwrap();
    let structure = anatomy().structure.len() as u64;
    let try_limits = |set: &dyn Fn(&mut Limits)| {
        let mut limits = Limits::default();
        set(&mut limits);
        Model::<f32>::from_bytes_with(&file, LoadOptions::new().limits(limits))
    };
    assert!(try_limits(&|limits| limits.max_file_bytes = file.len() as u64).is_ok());
    assert!(try_limits(&|limits| limits.max_file_bytes = file.len() as u64 - 1).is_err());
    assert!(try_limits(&|limits| limits.max_structure_bytes = structure).is_ok());
    assert!(try_limits(&|limits| limits.max_structure_bytes = structure - 1).is_err());
    assert!(try_limits(&|limits| limits.max_layers = 3).is_ok());
    assert!(try_limits(&|limits| limits.max_layers = 2).is_err());
    assert!(try_limits(&|limits| limits.max_depth = 1).is_ok());
    assert!(try_limits(&|limits| limits.max_depth = 0).is_err());
    assert!(try_limits(&|limits| limits.max_config_bytes = 10).is_err());
}

#[test]
fn many_short_values_do_not_grow_in_memory() {
    let config = format!("{{\"target_shape\":[{}1]}}", "1,".repeat(120_000));
    let file = anatomy().replace("dropout", "reshape").replace(&dropout_config(), &config).file();
    assert!(refusal(&file).contains("values in the configurations"));
    let config = format!("{{\"target_shape\":[{}1]}}", "1,".repeat(30_000));
    let file = anatomy().replace("dropout", "reshape").replace(&dropout_config(), &config).file();
    assert!(refusal(&file).contains("layer"));
}

#[test]
fn kmeans_and_scalers_check_what_they_learned() {
    let file = models::kmeans().to_bytes().unwrap();
    assert!(Model::<f32>::from_bytes(&file).unwrap_err().to_string().contains("expected a model"));
    assert!(KMeans::<f32>::from_bytes(&models::trained().to_bytes().unwrap()).is_err());
    assert!(StandardScaler::from_bytes(&file).unwrap_err().to_string().contains("kmeans"));
    let mut label = Anatomy::of(&file);
    let last = label.numbers.len() - 8;
    label.numbers[last] = 3;
    let said = KMeans::<f32>::from_bytes(&label.file()).unwrap_err().to_string();
    assert!(said.contains("labels is 3, expected labels below 3"), "{said}");
    let mut scaler = StandardScaler::new();
    scaler.fit(&models::samples().0).unwrap();
    let said = |file: Anatomy| StandardScaler::from_bytes(&file.file()).unwrap_err().to_string();
    let file = || Anatomy::of(&scaler.to_bytes().unwrap());
    let mut zero = file();
    let last = zero.numbers.len() - 8;
    zero.numbers[last..].fill(0);
    assert!(said(zero).contains("a positive scale for each feature"));
    let mut shorter = file().reshape("variance", &[3], &[2]);
    shorter.numbers.drain(8..16);
    assert!(said(shorter).contains("a mean, a variance and a positive scale for each feature"));
    assert!(said(file().reshape("variance", &[3], &[1 << 60])).contains("bytes of numbers"));
}

/// Thresholds out of range are refused by the load, and many metrics with many thresholds by their totals together.
#[test]
fn metrics_that_would_need_much_to_evaluate_are_refused() {
    let file = |n: usize| {
        let network = Sequential::<f32>::new(1).add(Dense::new(1).activation(Activation::Sigmoid));
        let model = network.compile(Sgd::default(), BinaryCrossentropy::default()).unwrap();
        let model = (0..n).fold(model, |model, _| model.metric(Auc::default().num_thresholds(1 << 20)));
        let specificity = SensitivityAtSpecificity::new(0.5).num_thresholds(1 << 20);
        Anatomy::of(&model.metric(specificity).to_bytes().unwrap())
    };
    for (kind, rest) in
        [("auc", r#""curve":"roc","summation":"interpolation"}"#), ("sensitivity_at_specificity", "")]
    {
        let config = |n: &str| match kind {
            "auc" => format!(r#"{{"num_thresholds":{n},{rest}"#),
            _ => format!(r#"{{"specificity":0.5,"num_thresholds":{n}}}"#),
        };
        let with = |n: &str| file(1).replace(&config("1048576"), &config(n)).file();
        for n in [0, 1, (1_u64 << 20) + 1, 1 << 40, 1 << 62, (1 << 63) + 1, u64::MAX] {
            let said = refusal(&with(&n.to_string()));
            let wanted = match usize::try_from(n) {
                Ok(n) => format!("num_thresholds is {n}, expected 2 to 1048576"),
                Err(_) => format!("expected usize, got integer `{n}`"),
            };
            assert!(said.contains(&wanted), "{said}");
        }
        assert!(Model::<f32>::from_bytes(&with("2")).is_ok());
    }
    // 64 × 2 × 2^20 totals of eight bytes are a GiB.
    let said = refusal(&file(64).file());
    assert!(said.contains("totals of the metrics: ") && said.contains("at most 1073741824"), "{said}");
    assert!(Model::<f32>::from_bytes(&file(50).file()).is_ok());
}

/// A metric of another crate with more totals than memory is an error of the evaluation, not an abort.
#[test]
fn totals_that_memory_does_not_hold_are_an_error() {
    #[derive(Debug)]
    struct Greedy(usize);
    impl<F: Float> Metric<F> for Greedy {
        fn kind(&self) -> &'static str {
            "test.greedy"
        }
        fn totals(&self, _: &Shape) -> usize {
            self.0
        }
        fn update(&self, _: MetricBatch<'_, F>, _: &mut [f64]) {}
        fn value(&self, _: &[f64]) -> f64 {
            0.0
        }
    }
    let (x, y) = (Array2::<f32>::ones((2, 1)), Array2::<f32>::ones((2, 1)));
    // 32 bits address no more than there may be.
    let least = if usize::BITS == 64 { usize::MAX >> 14 } else { usize::MAX / 8 };
    for n in [least, usize::MAX / 8, usize::MAX] {
        let network = Sequential::<f32>::new(1).add(Dense::new(1));
        let model = network.compile(Sgd::default(), MeanSquaredError::default()).unwrap();
        let mut model = model.metric(Greedy(n));
        for error in [
            model.evaluate(&x, &y).map(drop).unwrap_err(),
            model.fit_with(&x, &y, FitOptions::new()).map(drop).unwrap_err(),
            model.train_on_batch(&x, &y).map(drop).unwrap_err(),
            model.fit_batches([(x.clone(), y.clone())], FitOptions::new()).map(drop).unwrap_err(),
        ] {
            let said = error.to_string();
            assert!(
                said.starts_with("cannot allocate ") && said.contains("totals of metric test.greedy"),
                "{said}"
            );
        }
        let failure = axonal::testing::check_metric(&Greedy(n), 1).unwrap_err().to_string();
        assert!(failure.contains("the number of totals"), "{failure}");
    }
}

/// Files of other formats are named, not shown as bytes.
#[test]
fn a_file_of_another_format_is_named() {
    let cases: [(&[u8], &str); 8] = [
        (b"PK\x03\x04\x14\x00\x00\x00", "a zip archive, as .keras, .npz and .pt files are"),
        (b"\x89HDF\r\n\x1a\n\x00", "an HDF5 file, as .h5 and .hdf5 files are"),
        (b"\x1f\x8b\x08\x00\x00", "a file compressed with gzip"),
        (b"\x80\x05\x95\x00", "a Python pickle, as .pkl and older .pt files are"),
        (b"\x10\x00\x00\x00\x00\x00\x00\x00{\"a\":{}}", "a safetensors file"),
        (b"\x08\x08\x12\x07pytorch", "an ONNX model"),
        (b"epoch,loss\n0,0.5\n", "a text file"),
        (b"", "an empty file"),
    ];
    for (bytes, kind) in cases {
        let expected = format!("bytes: expected a file saved by this crate, found {kind}");
        assert_eq!(refusal(bytes), expected);
        assert_eq!(KMeans::<f32>::from_bytes(bytes).unwrap_err().to_string(), expected);
        assert_eq!(axonal::persistence::inspect_bytes(bytes).unwrap_err().to_string(), expected);
    }
}

#[cfg(unix)]
#[test]
fn devices_pipes_and_directories_end_at_once() {
    let begun = Instant::now();
    for path in ["/dev/zero", "/dev/null", "/dev/random", "/", "."] {
        let said = Model::<f32>::load(path).unwrap_err().to_string();
        assert!(said.contains("expected a regular file, found a"), "{said}");
        assert!(models::classifier().save(path).is_err(), "{path}");
    }
    let directory = models::directory("pipe");
    let pipe = directory.join("pipe");
    assert!(std::process::Command::new("mkfifo").arg(&pipe).status().unwrap().success());
    assert!(
        Model::<f32>::load(&pipe).unwrap_err().to_string().contains("expected a regular file, found a pipe")
    );
    assert!(
        models::classifier()
            .save(&pipe)
            .unwrap_err()
            .to_string()
            .contains("expected a regular file, found a pipe")
    );
    assert!(begun.elapsed() < Duration::from_secs(1));
    std::fs::remove_dir_all(directory).unwrap();
}

/// A wrapper of layers, `levels` deep, with `padding` behind the innermost configuration's brace.
fn nested(levels: usize, padding: usize) -> String {
    let mut config = format!("{{\"rate\":0.1,\"noise_shape\":null{}}}", " ".repeat(padding));
    let mut kind = "dropout";
    for _ in 0..levels {
        config = format!("{{\"layers\":[{{\"kind\":\"{kind}\",\"config\":{config}}}]}}");
        kind = "residual";
    }
    config
}

#[test]
fn layers_inside_of_layers_do_not_multiply_a_long_text() {
    for (levels, padding) in
        [(1, 100_000), (1, 250_000), (8, 15_000), (8, 200_000), (15, 10), (15, 8_000), (15, 250_000)]
    {
        let file = anatomy()
            .replace("dropout", "residual")
            .replace(&dropout_config(), &nested(levels, padding))
            .file();
        let (loaded, peak) = peak_of(|| Model::<f32>::from_bytes(&file).map(drop));
        assert!(
            peak <= file.len() + (1 << 20),
            "{levels} {padding}: {peak} bytes for a file of {}",
            file.len()
        );
        let fits = padding * (3 * levels + 1) / 2 < 230_000;
        assert_eq!(loaded.is_ok(), fits, "{levels} {padding}: {:?}", loaded.err());
    }
}

/// The most memory beyond a file's length that loading it takes, in bytes.
fn beyond<T>(file: &[u8], load: impl Fn(&[u8]) -> Result<T>) -> isize {
    let (_, peak) = peak_of(|| load(file).map(drop));
    peak as isize - file.len() as isize
}

#[test]
fn long_files_take_their_length_and_a_mib() {
    let spare = 1 << 20;
    for length in [100_000, 250_000, 15_000_000] {
        let config = format!("{{\"rate\":0.1,\"noise_shape\":null{}}}", " ".repeat(length));
        let file = anatomy().replace(&dropout_config(), &config).file();
        assert!(beyond(&file, Model::<f32>::from_bytes) <= spare, "{length}");
    }
    let x = Array2::from_shape_fn((2, 60_000), |(i, j)| (i * 7 + j * 13) as f64 / 7.0);
    let mut scaler = StandardScaler::new();
    scaler.fit(&x).unwrap();
    let file = scaler.to_bytes().unwrap();
    assert_eq!(StandardScaler::from_bytes(&file).unwrap(), scaler);
    assert!(beyond(&file, StandardScaler::from_bytes) <= spare);
    let network = Sequential::<f32>::new(1000)
        .add(Dense::new(1000))
        .compile(Adam::default(), MeanSquaredError::default())
        .unwrap();
    let file = network.to_bytes().unwrap();
    assert!(beyond(&file, Model::<f32>::from_bytes) <= spare);
    let mut damaged = Anatomy::of(&file);
    let last = damaged.numbers.len() - 4;
    damaged.numbers[last..].copy_from_slice(&f32::NAN.to_le_bytes());
    assert!(beyond(&damaged.file(), Model::<f32>::from_bytes) <= spare);
}
