//! Weights in safetensors files. `python.safetensors` was written by Python's `safetensors`, see
//! `scripts/interop/safetensors.py`.

use crate::memory::peak_of;
use crate::temporary::{temporary_folder, temporary_path};
use axonal::LoadErrorKind;
use axonal::ndarray::Array2;
use axonal::persistence::{Limits, LoadOptions};
use axonal::prelude::*;
use std::fs;

fn network<F: Float>(seed: u64) -> Model<F> {
    let layers = Sequential::new(4)
        .add(Dense::new(3).activation(Activation::Tanh))
        .add(BatchNormalization::default())
        .add(Dense::new(2));
    layers.seed(seed).compile(Adam::default(), MeanSquaredError::default()).unwrap()
}

fn load<F: Float>(model: &mut Model<F>, bytes: &[u8]) -> Result<Vec<String>> {
    model.safetensors_from_bytes(bytes, LoadOptions::new())
}

/// The problem of a file; the model must stay as it was.
fn problem(model: &mut Model<f32>, bytes: &[u8]) -> LoadErrorKind {
    let before = model.weights();
    let error = load(model, bytes).unwrap_err();
    assert_eq!(model.weights(), before);
    match error {
        Error::Load { problem, .. } => *problem,
        other => panic!("{other:?}"),
    }
}

/// A file with this header and these tensor data.
fn file(header: &str, data: &[u8]) -> Vec<u8> {
    [&(header.len() as u64).to_le_bytes()[..], header.as_bytes(), data].concat()
}

#[test]
fn weights_come_back_to_the_bit() {
    let (model, mut other) = (network::<f32>(1), network::<f32>(2));
    let bytes = model.to_safetensors().unwrap();
    assert_eq!(load(&mut other, &bytes).unwrap(), Vec::<String>::new());
    assert_eq!(other.weights(), model.weights());
    assert_eq!(other.to_safetensors().unwrap(), bytes, "equal models make equal files");
    let (wide, mut again) = (network::<f64>(1), network::<f64>(2));
    load(&mut again, &wide.to_safetensors().unwrap()).unwrap();
    assert_eq!(again.weights(), wide.weights());
}

#[test]
fn files_and_bytes_are_the_same() {
    let path = temporary_path("file.safetensors");
    let (model, mut other) = (network::<f32>(1), network::<f32>(2));
    model.save_safetensors(&path).unwrap();
    assert_eq!(fs::read(&path).unwrap(), model.to_safetensors().unwrap());
    other.load_safetensors(&path).unwrap();
    assert_eq!(other.weights(), model.weights());
    // A damaged file changes nothing: NaN in the last tensor, after all others were read.
    let mut damaged = fs::read(&path).unwrap();
    let end = damaged.len();
    damaged[end - 4..].copy_from_slice(&f32::NAN.to_le_bytes());
    fs::write(&path, damaged).unwrap();
    let mut third = network::<f32>(3);
    let before = third.weights();
    let message = third.load_safetensors(&path).unwrap_err().to_string();
    assert!(message.contains("2.dense/bias") && message.contains("NaN"), "{message}");
    assert_eq!(third.weights(), before);
    fs::remove_file(&path).unwrap();
    assert!(matches!(third.load_safetensors(&path), Err(Error::Io { .. })));
    assert!(third.load_safetensors(temporary_folder()).unwrap_err().to_string().contains("a directory"));
}

#[test]
fn the_header_names_the_architecture() {
    let bytes = network::<f32>(1).to_safetensors().unwrap();
    let len = u64::from_le_bytes(bytes[..8].try_into().unwrap()) as usize;
    assert_eq!(len % 8, 0);
    let header: serde_json::Value = serde_json::from_slice(&bytes[8..8 + len]).unwrap();
    assert_eq!(header["0.dense/kernel"]["shape"], serde_json::json!([4, 3]));
    assert_eq!(header["1.batch_normalization/moving_mean"]["dtype"], "F32");
    let architecture = header["__metadata__"]["architecture"].as_str().unwrap();
    let architecture: serde_json::Value = serde_json::from_str(architecture).unwrap();
    assert_eq!(architecture["axonal"], env!("CARGO_PKG_VERSION"));
    assert_eq!(architecture["input_shape"], serde_json::json!([4]));
    assert_eq!(architecture["layers"][0]["config"]["activation"], "tanh");
    assert_eq!(architecture["layers"][1]["kind"], "batch_normalization");
}

#[test]
fn all_floating_point_types_of_python_are_read() {
    let bytes = include_bytes!("python.safetensors");
    let layers = Sequential::<f32>::new(2).add(Dense::new(2)).add(Dense::new(2));
    let mut model = layers.compile(Adam::default(), MeanSquaredError::default()).unwrap();
    load(&mut model, bytes).unwrap();
    let values: Vec<Vec<f32>> =
        model.weights().iter().map(|weight| weight.value.iter().copied().collect()).collect();
    // F16, F32, BF16, F64.
    assert_eq!(values[0], [1.0, -2.5, 65504.0, 6.097_555e-5]);
    assert_eq!(values[1], [0.1, -3.5]);
    assert_eq!(values[2], [1.0, -2.5, 3.389_531_4e38, 0.100_097_656]);
    assert_eq!(values[3], [0.1, 1e-30]);
    let layers = Sequential::<f64>::new(2).add(Dense::new(2)).add(Dense::new(2));
    let mut wide = layers.compile(Adam::default(), MeanSquaredError::default()).unwrap();
    load(&mut wide, bytes).unwrap();
    assert_eq!(wide.weights()[3].value.iter().copied().collect::<Vec<_>>(), [0.1, 1e-30]);
}

#[test]
fn mismatches_are_named_or_skipped() {
    let bytes = network::<f32>(1).to_safetensors().unwrap();
    let wider = || {
        let layers =
            Sequential::new(4).add(Dense::new(9)).add(BatchNormalization::default()).add(Dense::new(2));
        layers.compile(Adam::default(), MeanSquaredError::default()).unwrap()
    };
    let named = |problem: LoadErrorKind| match problem {
        LoadErrorKind::Tensor { tensor, expected, got } => (tensor, expected, got),
        other => panic!("{other:?}"),
    };
    assert_eq!(
        named(problem(&mut wider(), &bytes)),
        ("0.dense/kernel".into(), "shape (4, 9)".into(), "shape (4, 3)".into())
    );
    let short = Sequential::new(4).add(Dense::new(3));
    let mut short = short.compile(Adam::default(), MeanSquaredError::default()).unwrap();
    let (_, expected, _) = named(problem(&mut short, &bytes));
    assert_eq!(expected, "only weights that the model has");
    let (tensor, _, got) = named(problem(&mut network(2), &short.to_safetensors().unwrap()));
    assert_eq!((&*tensor, &*got), ("1.batch_normalization/gamma", "no such tensor in the file"));
    let mut partly = wider();
    let skipped = partly.safetensors_from_bytes(&bytes, LoadOptions::new().skip_mismatch(true)).unwrap();
    assert_eq!(skipped.len(), 7, "{skipped:?}");
    assert_eq!(partly.weights()[7].value, network::<f32>(1).weights()[7].value);
    let integers = file(r#"{"0.dense/bias":{"dtype":"I32","shape":[1],"data_offsets":[0,4]}}"#, &[0; 4]);
    let one = Sequential::new(1).add(Dense::new(1).use_bias(false));
    let mut one = one.compile(Adam::default(), MeanSquaredError::default()).unwrap();
    let integers_of_kernel =
        String::from_utf8_lossy(&integers[8..]).replace("bias", "kernel").replace("[1]", "[1,1]");
    let (header, data) = integers_of_kernel.split_at(integers_of_kernel.len() - 4);
    let (_, expected, got) = named(problem(&mut one, &file(header, data.as_bytes())));
    assert_eq!((&*expected, &*got), ("elements of type F16, BF16, F32 or F64", "I32"));
}

#[test]
fn values_that_do_not_fit_are_refused() {
    let layers = || Sequential::new(1).add(Dense::new(1).use_bias(false));
    let header = r#"{"0.dense/kernel":{"dtype":"F64","shape":[1,1],"data_offsets":[0,8]}}"#;
    let large = file(header, &1e300_f64.to_le_bytes());
    let mut model = layers().compile(Adam::default(), MeanSquaredError::default()).unwrap();
    assert!(matches!(problem(&mut model, &large), LoadErrorKind::NonFinite { index: 0, .. }));
    model.set_weight("0.dense/kernel", &axonal::ndarray::array![[2.0_f32]]).unwrap();
    load(&mut model, &file(header, &0.5_f64.to_le_bytes())).unwrap();
    assert_eq!(model.weights()[0].value.iter().copied().collect::<Vec<_>>(), [0.5]);
}

#[test]
fn other_files_are_recognized() {
    let model = &mut network(1);
    for (bytes, got) in
        [(&b"PK\x03\x04 and more of it"[..], "a ZIP archive"), (b"", "an empty file"), (b"{}", "text")]
    {
        match problem(model, bytes) {
            LoadErrorKind::Format { got: found, .. } => assert!(found.contains(got), "{found}"),
            other => panic!("{other:?}"),
        }
    }
    let bytes = model.to_safetensors().unwrap();
    let longer = [&bytes[..], &[0]].concat();
    assert!(matches!(problem(model, &longer), LoadErrorKind::Trailing { extra: 1, .. }));
    let mut limits = Limits::default();
    limits.max_file_bytes = 10;
    let refused = model.safetensors_from_bytes(&bytes, LoadOptions::new().limits(limits)).unwrap_err();
    assert!(refused.to_string().contains("bytes of the file"), "{refused}");
    let mut limits = Limits::default();
    limits.max_structure_bytes = 16;
    let refused = model.safetensors_from_bytes(&bytes, LoadOptions::new().limits(limits)).unwrap_err();
    assert!(refused.to_string().contains("bytes of the header"), "{refused}");
}

/// A load takes at most the length of the file and a MiB, from memory and from disk.
fn load_within_the_bound(model: &mut Model<f32>, file: &[u8]) -> Result<Vec<String>> {
    let path = temporary_path("bound.safetensors");
    fs::write(&path, file).unwrap();
    let options = || LoadOptions::new().skip_mismatch(true);
    let (from_disk, peak) = peak_of(|| model.load_safetensors_with(&path, options()));
    assert!(peak <= file.len() + (1 << 20), "from disk: {peak} bytes for a file of {}", file.len());
    let (from_memory, peak) = peak_of(|| model.safetensors_from_bytes(file, options()));
    assert!(peak <= file.len() + (1 << 20), "from memory: {peak} bytes for a file of {}", file.len());
    assert_eq!(from_disk.is_ok(), from_memory.is_ok());
    fs::remove_file(path).unwrap();
    from_memory
}

#[test]
fn memory_is_bounded_by_the_length_of_the_file() {
    let layers = Sequential::new(256).add(Dense::new(512)).add(Dense::new(512));
    let mut model = layers.compile(Adam::default(), MeanSquaredError::default()).unwrap();
    let bytes = model.to_safetensors().unwrap();
    assert!(load_within_the_bound(&mut model, &bytes).unwrap().is_empty());
    let many = |count: usize, tensor: &dyn Fn(usize) -> String| {
        file(&format!("{{{}}}", (0..count).map(tensor).collect::<Vec<_>>().join(",")), &[])
    };
    for count in [10, 500, 1_000, 5_000, 50_000] {
        let small = |name: usize| format!(r#""{name}":{{"dtype":"U8","shape":[0],"data_offsets":[0,0]}}"#);
        let long = |name: usize| {
            format!(r#""{name}":{{"dtype":"U8","shape":[0{}],"data_offsets":[0,0]}}"#, ",1".repeat(40))
        };
        let _ = load_within_the_bound(&mut model, &many(count, &small));
        let _ = load_within_the_bound(&mut model, &many(count, &long));
        let metadata = |name: usize| format!(r#""{name}":"""#);
        let metadata = many(count, &metadata);
        let header = String::from_utf8(metadata[8..].to_vec()).unwrap();
        let _ = load_within_the_bound(&mut model, &file(&format!(r#"{{"__metadata__":{header}}}"#), &[]));
        let lists = format!(r#"{{"a":{{"shape":[{}]}}}}"#, vec!["[]"; count].join(","));
        let _ = load_within_the_bound(&mut model, &file(&lists, &[]));
        let nested = format!(r#"{{"a":{{"shape":{}}}}}"#, "[[],[]".repeat(count.min(100)));
        let _ = load_within_the_bound(&mut model, &file(&nested, &[]));
    }
}

#[test]
fn headers_that_expand_in_memory_are_refused() {
    let zeros = vec!["0"; 1 << 20].join(",");
    let header = format!(r#"{{"a":{{"dtype":"F32","shape":[{zeros}],"data_offsets":[0,0]}}}}"#);
    assert!(matches!(problem(&mut network(1), &file(&header, &[])), LoadErrorKind::Limit { .. }));
}

#[test]
fn crafted_headers_are_errors() {
    let headers = [
        "{}",
        "[]",
        "null",
        r#"{"a":1}"#,
        r#"{"0.dense/kernel":{"dtype":"F32","shape":[4,3],"data_offsets":[0,47]}}"#,
        r#"{"0.dense/kernel":{"dtype":"F32","shape":[4,3],"data_offsets":[8,56]}}"#,
        r#"{"0.dense/kernel":{"dtype":"F32","shape":[4,3],"data_offsets":[48,0]}}"#,
        r#"{"0.dense/kernel":{"dtype":"F32","shape":[18446744073709551615,4],"data_offsets":[0,48]}}"#,
        r#"{"0.dense/kernel":{"dtype":"F32","shape":[-1],"data_offsets":[0,48]}}"#,
        r#"{"0.dense/kernel":{"dtype":"F99","shape":[4,3],"data_offsets":[0,48]}}"#,
        r#"{"0.dense/kernel":{"dtype":"F32","shape":[0],"data_offsets":[0,18446744073709551615]}}"#,
        r#"{"a":{"dtype":"F32","shape":[12],"data_offsets":[0,48]},"b":{"dtype":"F32","shape":[12],"data_offsets":[0,48]}}"#,
    ];
    for header in headers {
        problem(&mut network(1), &file(header, &[0; 48]));
    }
    let nested = format!("{}{}", "[".repeat(5_000), "]".repeat(5_000));
    problem(&mut network(1), &file(&nested, &[]));
}

#[test]
fn every_truncation_and_every_flipped_byte_is_an_error_or_other_values() {
    let bytes = network::<f32>(1).to_safetensors().unwrap();
    let mut model = network::<f32>(2);
    for end in 0..bytes.len() {
        problem(&mut model, &bytes[..end]);
    }
    let mut others = 0;
    for position in 0..bytes.len() {
        for flip in [0x01, 0x80, 0xff] {
            let mut damaged = bytes.clone();
            damaged[position] ^= flip;
            let before = model.weights();
            match load(&mut model, &damaged) {
                Ok(_) => others += 1,
                Err(_) => assert_eq!(model.weights(), before, "byte {position}"),
            }
            assert!(model.predict(&Array2::<f32>::zeros((1, 4))).is_ok());
        }
    }
    assert!(others > 100, "tensor data have no checksum");
}

/// Writes a file, and its values as JSON, for Python.
#[test]
#[ignore = "writes files for scripts/interop/safetensors.py"]
fn write_file() {
    let path =
        std::path::PathBuf::from(std::env::var_os("AXONAL_SAFETENSORS").expect("the path of the file"));
    let model = network::<f32>(1);
    model.save_safetensors(&path).unwrap();
    let weights = model.weights();
    let values = weights.iter().map(|weight| {
        let values: Vec<f32> = weight.value.iter().copied().collect();
        (weight.name.clone(), serde_json::json!({ "shape": weight.value.shape(), "values": values }))
    });
    let values: serde_json::Map<String, serde_json::Value> = values.collect();
    fs::write(path.with_extension("json"), serde_json::to_string(&values).unwrap()).unwrap();
}

#[test]
fn random_edits_of_the_header_change_nothing_or_weights() {
    const TOKENS: [&str; 16] = [
        "0",
        "-1",
        "18446744073709551615",
        "1e400",
        "\"F16\"",
        "\"BF16\"",
        "\"F64\"",
        "\"I8\"",
        "[]",
        "[[",
        "{}",
        "}",
        ",",
        "null",
        "\"0.dense/bias\"",
        "\u{0}",
    ];
    let bytes = network::<f32>(1).to_safetensors().unwrap();
    let len = u64::from_le_bytes(bytes[..8].try_into().unwrap()) as usize;
    let header = String::from_utf8(bytes[8..8 + len].to_vec()).unwrap();
    let mut model = network::<f32>(2);
    let mut state = 1_u64;
    let mut below = |bound: usize| {
        state = state.wrapping_mul(6364136223846793005).wrapping_add(1442695040888963407);
        (state >> 33) as usize % bound
    };
    for _ in 0..5_000 {
        let (start, token) = (below(header.len()), TOKENS[below(TOKENS.len())]);
        let end = (start + below(12)).min(header.len());
        let edited = [&header[..start], token, &header[end..]].concat();
        let before = model.weights();
        if load(&mut model, &file(&edited, &bytes[8 + len..])).is_err() {
            assert_eq!(model.weights(), before, "{edited}");
        }
    }
}
