//! What holds for any bytes whatever: the bodies of the fuzz targets, which a test replays over their corpus.
#![allow(dead_code, reason = "each fuzz target uses its own")]

#[cfg(feature = "keras")]
#[path = "fuzz/keras.rs"]
pub(crate) mod keras;
#[cfg(feature = "keras")]
#[path = "fuzz/mutations.rs"]
pub(crate) mod mutations;
// The fuzz crate includes this file, too.
#[allow(clippy::duplicate_mod, reason = "the other one is the test crate's")]
#[path = "../common/temporary.rs"]
mod temporary;
#[path = "fuzz/zip.rs"]
mod zip;

use axonal::callbacks::Checkpoint;
use axonal::cluster::{BisectingKMeans, MiniBatchKMeans};
use axonal::layers::{
    AveragePooling2D, Conv2DTranspose, Cropping2D, DepthwiseConv2D, GaussianNoise, GlobalMaxPooling1D,
    GroupNormalization, MaxPooling1D, Permute, RepeatVector, RmsNormalization, SeparableConv2D, SimpleRnn,
    TimeDistributed, UpSampling2D, ZeroPadding2D,
};
use axonal::ndarray::{Array1, Array2, ArrayD, IxDyn};
use axonal::optimizers::Adafactor;
use axonal::persistence::{Limits, LoadOptions, inspect_bytes};
use axonal::prelude::*;
use axonal::preprocessing::{MaxAbsScaler, Normalizer, OrdinalEncoder, PolynomialFeatures, RobustScaler};

/// Any bytes, through every door that takes a file.
pub fn load_bytes(bytes: &[u8]) {
    let _ = inspect_bytes(bytes);
    let _ = Model::<f32>::from_bytes(bytes);
    let _ = Model::<f64>::from_bytes_with(bytes, LoadOptions::new().convert_numbers(true));
    let _ = KMeans::<f32>::from_bytes(bytes);
    let _ = MiniBatchKMeans::<f64>::from_bytes(bytes);
    let _ = BisectingKMeans::<f32>::from_bytes(bytes);
    let _ = Checkpoint::<f32>::from_bytes(bytes);
    let _ = StandardScaler::from_bytes(bytes);
    let _ = OneHotEncoder::from_bytes(bytes);
    let _ = ColumnTransformer::<f32>::from_bytes(bytes);
    let _ = Pipeline::<StandardScaler, Classifier<Model<f32>>>::from_bytes(bytes);
}

/// A structure and numbers in a frame whose lengths and checksums are right, and so in the files within: an error, or
/// something that answers, learns and saves to bytes which load again. Only the doors for what the file says it is are
/// tried, and one more that its bytes choose: any other refuses it by its kind.
pub fn load_repaired(bytes: &[u8]) {
    let Some(file) = repaired(bytes, 0) else { return };
    let _ = inspect_bytes(&file);
    let chosen = usize::from(bytes[44]) % DOORS.len();
    let kind = kind_of(&file);
    for (index, (name, door)) in DOORS.iter().enumerate() {
        if *name == kind || index == chosen {
            door(&file);
        }
    }
}

/// What a file says it is: its content, or the kind of its estimator.
fn kind_of(file: &[u8]) -> &str {
    // A text that is written with its length in one byte in front.
    fn text(bytes: &[u8]) -> Option<(&[u8], &[u8])> {
        let (&len, rest) = bytes.split_first()?;
        rest.split_at_checked(usize::from(len))
    }
    match file[12] {
        1 => "model",
        2 => "weights",
        4 => "checkpoint",
        _ => {
            let writer = file.get(64..).and_then(text);
            let kind = writer.and_then(|(_, rest)| text(rest)).map(|(kind, _)| kind);
            kind.and_then(|kind| std::str::from_utf8(kind).ok()).unwrap_or_default()
        }
    }
}

fn options<F: Float>() -> LoadOptions<'static, F> {
    let mut limits = Limits::default();
    limits.max_activation_bytes = 1 << 18;
    LoadOptions::new().limits(limits)
}

/// Two rows to be transformed.
fn rows(n_features: usize) -> Array2<f32> {
    Array2::from_elem((2, n_features), 0.5)
}

type Door = fn(&[u8]);

/// Loads a clustering, and asks it.
macro_rules! clustering {
    ($type:ident) => {
        |file| {
            let Ok(clustering) = $type::<f32>::from_bytes(file) else { return };
            saves_again(&clustering, $type::to_bytes, $type::from_bytes);
            if let Ok(centers) = clustering.cluster_centers() {
                let x = rows(centers.ncols());
                let labels = clustering.predict(&x).expect("rows of its features");
                assert!(labels.iter().all(|&label| label < centers.nrows()));
                let _ = clustering.transform(&x);
            }
        }
    };
}

macro_rules! transformer {
    ($type:ty) => {
        |file| {
            let Ok(transformer) = <$type>::from_bytes_with(file, options::<f32>()) else { return };
            let _ = transformer.transform(&rows(3));
            saves_again(&transformer, <$type>::to_bytes, |bytes| <$type>::from_bytes(bytes));
        }
    };
}

type Scalers = Pipeline<StandardScaler, MinMaxScaler>;
type Table = Pipeline<ColumnTransformer<f32>, Pipeline<StandardScaler, Classifier<Model<f32>>>>;

/// What loads a file, by what the file says it is.
const DOORS: [(&str, Door); 18] = [
    ("model", |file| {
        let Ok(model) = Model::<f32>::from_bytes_with(file, options()) else { return };
        saves_again(&model, Model::to_bytes, Model::from_bytes);
        learns(model);
    }),
    ("weights", |file| {
        let layers = Sequential::<f32>::new(2).add(Dense::new(2)).add(BatchNormalization::default());
        let mut model = layers.compile(Sgd::default(), MeanSquaredError::default()).expect("a small network");
        for skip in [false, true] {
            if model.weights_from_bytes(file, options().skip_mismatch(skip)).is_ok() {
                assert!(model.weights().iter().all(|weight| weight.value.iter().all(|w| w.is_finite())));
            }
        }
    }),
    ("checkpoint", |file| {
        let Ok(checkpoint) = Checkpoint::<f32>::from_bytes(file) else { return };
        saves_again(&checkpoint, Checkpoint::to_bytes, Checkpoint::from_bytes);
    }),
    ("kmeans", clustering!(KMeans)),
    ("mini_batch_kmeans", clustering!(MiniBatchKMeans)),
    ("bisecting_kmeans", clustering!(BisectingKMeans)),
    ("standard_scaler", transformer!(StandardScaler)),
    ("min_max_scaler", transformer!(MinMaxScaler)),
    ("max_abs_scaler", transformer!(MaxAbsScaler)),
    ("robust_scaler", transformer!(RobustScaler)),
    ("normalizer", transformer!(Normalizer)),
    ("one_hot_encoder", transformer!(OneHotEncoder)),
    ("ordinal_encoder", transformer!(OrdinalEncoder)),
    ("simple_imputer", transformer!(SimpleImputer)),
    ("polynomial_features", transformer!(PolynomialFeatures)),
    ("column_transformer", transformer!(ColumnTransformer<f32>)),
    ("label_encoder", |file| {
        let Ok(labels) = LabelEncoder::from_bytes(file) else { return };
        saves_again(&labels, LabelEncoder::to_bytes, LabelEncoder::from_bytes);
    }),
    ("pipeline", |file| {
        if let Ok(scalers) = Scalers::from_bytes_with(file, options::<f32>()) {
            let _ = scalers.transform(&rows(3));
            saves_again(&scalers, Scalers::to_bytes, Scalers::from_bytes);
        }
        if let Ok(table) = Table::from_bytes_with(file, options::<f32>()) {
            let _ = table.predict(&rows(3));
            saves_again(&table, Table::to_bytes, Table::from_bytes);
        }
    }),
];

fn saves_again<T>(loaded: &T, save: fn(&T) -> Result<Vec<u8>>, load: fn(&[u8]) -> Result<T>) {
    let saved = save(loaded).expect("what was loaded can be saved");
    let again = load(&saved).expect("what was saved can be loaded");
    assert!(save(&again).expect("and saved again") == saved, "another file of the same");
}

/// Answers and takes a step, or says why not.
fn learns(mut model: Model<f32>) {
    let mut shape = vec![2];
    shape.extend_from_slice(model.input_shape().dims());
    let x = ArrayD::from_elem(IxDyn(&shape), 0.5_f32);
    let _ = model.predict(&x);
    let options = || FitOptions::new().epochs(1).batch_size(2);
    let _ = model.fit_with(&x, &Array1::<usize>::zeros(2), options());
    let _ = model.fit_with(&x, &Array1::<f32>::zeros(2), options());
    let _ = model.predict(&x);
}

/// CRC-32 of each byte.
const CRCS: [u32; 256] = {
    let mut crcs = [0; 256];
    let mut byte = 0;
    while byte < 256 {
        let mut crc = byte as u32;
        let mut bit = 0;
        while bit < 8 {
            crc = (crc >> 1) ^ if crc & 1 == 1 { 0xedb8_8320 } else { 0 };
            bit += 1;
        }
        crcs[byte] = crc;
        byte += 1;
    }
    crcs
};

fn crc(bytes: &[u8]) -> u32 {
    !bytes.iter().fold(!0_u32, |crc, byte| (crc >> 8) ^ CRCS[usize::from(crc as u8 ^ byte)])
}

const MAGIC: &[u8] = b"\x89AXN\r\n\x1a\n";

/// The same parts with lengths and checksums that fit; the parts are where the header says, as far as they go.
fn repaired(bytes: &[u8], depth: usize) -> Option<Vec<u8>> {
    let mut header: [u8; 64] = bytes.get(..64)?.try_into().ok()?;
    let rest = &bytes[64..];
    let stated = u64::from_le_bytes(header[24..32].try_into().ok()?);
    let structure = &rest[..usize::try_from(stated).unwrap_or(usize::MAX).min(rest.len())];
    let numbers_at = (64 + structure.len()).next_multiple_of(64);
    let mut numbers = bytes.get(numbers_at..).unwrap_or_default().to_vec();
    repair_inside(&mut numbers, depth);
    header[..12].copy_from_slice(b"\x89AXN\r\n\x1a\n\x01\0\0\0");
    header[16..24].copy_from_slice(&((numbers_at + numbers.len()) as u64).to_le_bytes());
    header[24..32].copy_from_slice(&(structure.len() as u64).to_le_bytes());
    header[32..40].copy_from_slice(&(numbers.len() as u64).to_le_bytes());
    header[40..44].copy_from_slice(&crc(structure).to_le_bytes());
    header[44..48].copy_from_slice(&crc(&numbers).to_le_bytes());
    header[48..60].fill(0);
    let own = crc(&header[..60]);
    header[60..].copy_from_slice(&own.to_le_bytes());
    let mut file = [&header[..], structure].concat();
    file.resize(numbers_at, 0);
    file.extend(numbers);
    Some(file)
}

/// Repairs the files among the numbers, whose lengths stay.
fn repair_inside(numbers: &mut [u8], depth: usize) {
    let mut at = 0;
    while let Some(found) = numbers[at..].windows(MAGIC.len()).position(|eight| eight == MAGIC) {
        at += found;
        let Some(Ok(stated)) = numbers.get(at + 16..at + 24).map(<[u8; 8]>::try_from) else { return };
        let end = usize::try_from(u64::from_le_bytes(stated)).unwrap_or(0).saturating_add(at);
        if depth < 8
            && let Some(inner) = numbers.get_mut(at..end)
            && let Some(file) = repaired(inner, depth + 1)
            && file.len() == inner.len()
        {
            inner.copy_from_slice(&file);
            at = end;
        } else {
            at += 1;
        }
    }
}

/// Layers whose kinds and hyperparameters the bytes choose: refused by `compile`, or trained for a batch and asked.
pub fn network(bytes: &[u8]) {
    let mut choices = bytes.iter().map(|&byte| usize::from(byte));
    let mut next = |bound: usize| choices.next().unwrap_or_default() % bound;
    let dims: Vec<usize> = (0..1 + next(3)).map(|_| next(9)).collect();
    let mut layers = Sequential::<f32>::new(dims);
    for _ in 0..next(5) {
        let (a, b, c) = (next(5), next(4), next(3));
        let padding = [Padding::Valid, Padding::Same, Padding::Causal][c];
        let share = [0.0, 0.5, 1.0, -1.0, 1e-9, 1e9, f64::NAN][next(7)];
        layers = match next(30) {
            0 => layers.add(Dense::new(a).activation(Activation::Softmax)),
            1 => layers.add(Dense::new(a).activation(Activation::Gelu).use_bias(c > 0)),
            2 => layers.add(Dropout::new(share)),
            3 => layers.add(Flatten::default()),
            4 => layers.add(Reshape::new([a, b])),
            5 => layers.add(Conv1D::new(a, b).padding(padding).strides(1 + c).groups(b)),
            6 => layers.add(Conv2D::new(a, [b, c]).padding(padding).dilation_rate([c, b])),
            7 => layers.add(Conv2DTranspose::new(a, b).padding(padding).strides(b)),
            8 => layers.add(DepthwiseConv2D::new(a).padding(padding)),
            9 => layers.add(SeparableConv2D::new(a, b).padding(padding)),
            10 => layers.add(MaxPooling1D::new(a).strides(b).padding(padding)),
            11 => layers.add(MaxPooling2D::new([a, b]).padding(padding)),
            12 => layers.add(AveragePooling2D::new([a, b]).padding(padding)),
            13 => layers.add(GlobalAveragePooling2D::default()),
            14 => layers.add(GlobalMaxPooling1D::default()),
            15 => layers.add(BatchNormalization::default()),
            16 => layers.add(LayerNormalization::default()),
            17 => layers.add(GroupNormalization::new(a).epsilon(share)),
            18 => layers.add(RmsNormalization::default()),
            19 => layers.add(Embedding::new(a, b)),
            20 => layers.add(Permute::new(vec![a, b])),
            21 => layers.add(RepeatVector::new(a)),
            22 => layers.add(ZeroPadding2D::new([a, b])),
            23 => layers.add(Cropping2D::new([a, b])),
            24 => layers.add(UpSampling2D::new([a, b])),
            25 => layers.add(Lstm::new(a).return_sequences(c > 0)),
            26 => layers.add(Gru::new(a).return_sequences(c > 0)),
            27 => layers.add(Bidirectional::new(SimpleRnn::new(a))),
            28 => layers.add(TimeDistributed::new(Dense::new(a))),
            _ => layers.add(Residual::new().add(Dense::new(a)).add(GaussianNoise::new(share))),
        };
    }
    let rate = [0.1, 0.0, -1.0, 1e30, f64::NAN][next(5)];
    let compiled = match next(5) {
        0 => layers.compile(Sgd::new(rate).momentum(0.9), MeanSquaredError::default()),
        1 => layers.compile(Adam::new(rate).clipnorm(1.0), SparseCategoricalCrossentropy::default()),
        2 => layers.compile(RmsProp::new(rate), BinaryCrossentropy::default()),
        3 => layers.compile(AdamW::new(rate).ema(0.9), Huber::default()),
        _ => layers.compile(Adafactor::new(rate), MeanAbsoluteError::default()),
    };
    if let Ok(model) = compiled {
        if let Ok(saved) = model.to_bytes() {
            let again = Model::<f32>::from_bytes(&saved).expect("what was saved can be loaded");
            assert!(again.to_bytes().expect("and saved again") == saved, "another file of the same");
        }
        #[cfg(feature = "onnx")]
        let _ = model.to_onnx();
        learns(model);
    }
}

/// Bytes as a safetensors file, and as a header and tensor data behind a length that fits: an error that changes nothing, or
/// finite weights.
#[cfg(feature = "safetensors")]
pub fn safetensors(bytes: &[u8]) {
    let layers = Sequential::<f32>::new(2).add(Dense::new(2)).add(BatchNormalization::default());
    let mut model = layers.compile(Sgd::new(0.1), MeanSquaredError::default()).expect("a network");
    let header = bytes.iter().position(|&byte| byte == 0).unwrap_or(bytes.len()) as u64;
    let framed = [&header.to_le_bytes()[..], bytes].concat();
    for file in [bytes, &framed] {
        for skip in [false, true] {
            let before = model.weights();
            match model.safetensors_from_bytes(file, options().skip_mismatch(skip)) {
                Ok(_) => {
                    assert!(model.weights().iter().all(|weight| weight.value.iter().all(|w| w.is_finite())))
                }
                Err(_) => assert_eq!(model.weights(), before),
            }
        }
    }
}

/// A table of text: an error with its place, or numbers that are finite.
#[cfg(feature = "csv")]
pub fn table(bytes: &[u8]) {
    use axonal::datasets::{CsvReader, Missing};
    let Some((&choice, text)) = bytes.split_first() else { return };
    let reader = CsvReader::new()
        .header(choice & 1 == 0)
        .delimiter([b',', b';', b'\t', b'"'][usize::from(choice >> 1) % 4]);
    let reader = if choice & 16 != 0 { reader.decimal(b',') } else { reader };
    let kept = choice & 8 != 0;
    let reader = reader.missing(if kept { Missing::Nan } else { Missing::Error });
    if let Ok(table) = reader.read_from::<f64>("fuzz", text) {
        assert!(table.data.iter().all(|value| value.is_finite() || (kept && value.is_nan())));
        let last = table.names.last().cloned().unwrap_or_default();
        if let Ok(dataset) = table.classes(&last) {
            assert!(dataset.target.iter().all(|class| *class < dataset.target_names.len()));
        }
        // Each number is the rounding of what stands there.
        let double = reader.read_from::<f64>("fuzz", text).map(|table| table.data);
        if let (Ok(single), Ok(double)) = (reader.read_from::<f32>("fuzz", text), double) {
            let rounded = |(single, double): (&f32, &f64)| {
                single.is_nan() || (f64::from(*single) - double).abs() <= double.abs() * 1e-7 + 1e-44
            };
            assert!(single.data.iter().zip(&double).all(rounded));
        }
    }
}

/// Arrays of NumPy and of the MNIST files, through the doors that take a path.
pub fn arrays(bytes: &[u8]) {
    use axonal::datasets::{read_idx, read_npy};
    let folder = if std::path::Path::new("/dev/shm").is_dir() {
        "/dev/shm".into()
    } else {
        temporary::temporary_folder()
    };
    let path = folder.join(format!("axonal-arrays-{}", temporary::process_id()));
    let bytes = if bytes.starts_with(b"PK") { &zip::repaired(bytes)[..] } else { bytes };
    std::fs::write(&path, bytes).expect("a place for a file");
    let _ = read_idx::<u8>(&path);
    let _ = read_idx::<f32>(&path);
    let _ = read_npy::<f32, IxDyn>(&path);
    let _ = read_npy::<i64, IxDyn>(&path);
    let _ = LabelEncoder::from_file(&path);
    #[cfg(feature = "npz")]
    if let Ok(mut archive) = axonal::datasets::NpzReader::open(&path) {
        for name in archive.names() {
            let _ = archive.read::<f32, IxDyn>(&name);
        }
    }
    let _ = std::fs::remove_file(&path);
}
