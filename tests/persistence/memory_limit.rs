//! How much memory a load takes: the length of the file and a MiB, from memory and from disk, whether it is accepted or
//! not.

use super::forge::Anatomy;
use super::memory::peak_of;
use super::models;
use axonal::callbacks::Checkpoint;
use axonal::cluster::BisectingKMeans;
use axonal::custom::Run;
use axonal::layers::TimeDistributed;
use axonal::ndarray::Array2;
use axonal::persistence::{Limits, LoadOptions, inspect, inspect_bytes};
use axonal::prelude::*;
use axonal::preprocessing::OrdinalEncoder;
use std::path::Path;

const SPARE: usize = 1 << 20;

/// Loads a file from memory and from disk, and looks into it, each within the bound; the error of the load, if any.
fn bounded<T>(
    name: &str,
    file: &[u8],
    from_bytes: impl Fn(&[u8]) -> Result<T>,
    from_path: impl Fn(&Path) -> Result<T>,
) -> Option<String> {
    let held = |door: &str, peak: usize| {
        println!("{name}, {door}: {peak} bytes for a file of {}", file.len());
        assert!(peak <= file.len() + SPARE, "{name}, {door}: {peak} bytes for a file of {}", file.len());
    };
    let folder = models::directory(&format!("bound-{:?}", std::thread::current().id()));
    let path = folder.join("file");
    std::fs::write(&path, file).unwrap();
    let (loaded, peak) = peak_of(|| from_bytes(file).map(drop));
    held("from memory", peak);
    let (from_disk, peak) = peak_of(|| from_path(&path).map(drop));
    held("from disk", peak);
    assert_eq!(loaded.is_ok(), from_disk.is_ok(), "{name}");
    held("described from memory", peak_of(|| inspect_bytes(file).map(drop)).1);
    held("described from disk", peak_of(|| inspect(&path).map(drop)).1);
    std::fs::remove_dir_all(folder).unwrap();
    loaded.err().map(|error| error.to_string())
}

fn bounded_model(name: &str, file: &[u8]) -> Option<String> {
    bounded(name, file, Model::<f32>::from_bytes, |path| Model::load(path))
}

macro_rules! bounded_estimator {
    ($name:literal, $type:ty, $estimator:expr) => {
        bounded(
            $name,
            &$estimator.to_bytes().unwrap(),
            |bytes| <$type>::from_bytes(bytes),
            |path| <$type>::load(path),
        )
    };
}

fn file_of(layers: Sequential<f32>) -> Vec<u8> {
    layers.compile(Sgd::default(), MeanSquaredError::default()).unwrap().to_bytes().unwrap()
}

/// Many layers, each made by `add`.
fn many(
    n_layers: usize,
    input: &[usize],
    add: impl Fn(Sequential<f32>, usize) -> Sequential<f32>,
) -> Vec<u8> {
    file_of((0..n_layers).fold(Sequential::new(input.to_vec()), add))
}

#[test]
fn many_layers_that_are_alike_are_loaded() {
    // One or two weights, and enough of them to matter.
    for (n_layers, width) in [(500, 1), (1000, 1), (1000, 64)] {
        let files = [
            ("dense", many(n_layers, &[width], |layers, _| layers.add(Dense::new(width)))),
            ("dropout", many(n_layers, &[width], |layers, _| layers.add(Dropout::new(0.1)))),
            (
                "normalization",
                many(n_layers, &[width], |layers, _| layers.add(BatchNormalization::default())),
            ),
            (
                "over time",
                many(n_layers, &[1, width], |layers, _| layers.add(TimeDistributed::new(Dense::new(width)))),
            ),
            (
                "block",
                many(n_layers, &[width], |layers, _| layers.add(Residual::new().add(Dense::new(width)))),
            ),
        ];
        for (name, file) in files {
            let said = bounded_model(name, &file);
            assert!(said.is_none() || (n_layers, width) == (1000, 1), "{n_layers} of {name}: {said:?}");
        }
    }
}

#[test]
fn many_different_layers_are_loaded_or_refused_within_the_bound() {
    let rate = |index: usize| 0.5 / (index + 1) as f64;
    let small = many(900, &[1], |layers, index| layers.add(Dropout::new(rate(index))));
    assert_eq!(bounded_model("different dropouts", &small), None);
    let normalized = |layers: Sequential<f32>, index| {
        layers.add(BatchNormalization::default().epsilon(rate(index)).momentum(1.0 - rate(index)))
    };
    let few = file_of((0..300).fold(Sequential::new(1), normalized));
    assert_eq!(bounded_model("300 different normalizations", &few), None);
    let thousand = many(1000, &[1], normalized);
    let said = bounded_model("1000 different normalizations", &thousand);
    assert!(said.is_some_and(|said| said.contains("bytes of memory beyond the length of the file")));
    let mut limits = Limits::default();
    limits.max_extra_bytes = 16 << 20;
    assert!(Model::<f32>::from_bytes_with(&thousand, LoadOptions::new().limits(limits)).is_ok());
    // Again with weights that weigh something.
    let wide = (0..350).fold(Sequential::new(100), normalized);
    assert_eq!(bounded_model("350 different normalizations of 100", &file_of(wide)), None);
}

#[test]
fn layers_inside_of_layers_are_loaded_or_refused_within_the_bound() {
    let block = |n: usize, first: usize| {
        (0..n).fold(Residual::new(), |block, index| block.add(Dropout::new(0.5 / (first + index + 1) as f64)))
    };
    for (n_blocks, n) in [(1, 100), (1, 700), (1, 2000), (1, 4000), (30, 20), (100, 2000)] {
        let layers = (0..n_blocks).fold(Sequential::new(1), |layers, index| layers.add(block(n, index * n)));
        let said = bounded_model(&format!("{n_blocks} blocks of {n}"), &file_of(layers));
        assert_eq!(said.is_none(), n <= 100, "{n_blocks} blocks of {n}: {said:?}");
    }
}

#[test]
fn many_metrics_are_loaded_within_the_bound() {
    let layers = Sequential::<f32>::new(1).add(Dense::new(1).activation(Activation::Sigmoid));
    let mut model = layers.compile(Sgd::default(), BinaryCrossentropy::default()).unwrap();
    for index in 0..1000 {
        model = model.metric(Auc::default().num_thresholds(100 + index));
    }
    assert_eq!(bounded_model("metrics", &model.to_bytes().unwrap()), None);
}

#[test]
fn encoders_and_clusterings_take_what_their_files_do() {
    let mut encoder = OneHotEncoder::new();
    encoder.fit(&Array2::from_shape_fn((100_000, 1), |(i, _)| i as f64)).unwrap();
    assert_eq!(bounded_estimator!("numbers", OneHotEncoder, encoder), None);
    assert_eq!(OneHotEncoder::from_bytes(&encoder.to_bytes().unwrap()).unwrap(), encoder);
    encoder.fit(&Array2::from_shape_fn((100_000, 1), |(i, _)| i.to_string())).unwrap();
    assert_eq!(bounded_estimator!("texts", OneHotEncoder, encoder), None);
    assert_eq!(OneHotEncoder::from_bytes(&encoder.to_bytes().unwrap()).unwrap(), encoder);
    let mut ordinal = OrdinalEncoder::new();
    ordinal.fit(&Array2::from_shape_fn((1, 30_000), |(_, j)| j as f64)).unwrap();
    assert_eq!(bounded_estimator!("features", OrdinalEncoder, ordinal), None);
    let labels = LabelEncoder::from_classes((0..100_000).rev().map(|index| index.to_string())).unwrap();
    assert_eq!(bounded_estimator!("labels", LabelEncoder, labels), None);
    assert_eq!(LabelEncoder::from_bytes(&labels.to_bytes().unwrap()).unwrap(), labels);
    let x = Array2::from_shape_fn((2000, 300), |(i, j)| ((i * 7919 + j * 104_729) % 1000) as f32);
    let mut kmeans = KMeans::new(500).max_iter(1).n_init(1);
    kmeans.fit(&x).unwrap();
    assert_eq!(bounded_estimator!("kmeans", KMeans<f32>, kmeans), None);
    let mut bisecting = BisectingKMeans::new(200).max_iter(1);
    bisecting.fit(&x).unwrap();
    assert_eq!(bounded_estimator!("bisecting", BisectingKMeans<f32>, bisecting), None);
}

/// As versions before the tables wrote them.
#[test]
fn encoders_of_earlier_files_are_read_within_the_bound() {
    for n in [2, 9_000, 200_000] {
        let categories: Vec<String> = (0..n).map(|index| format!("{{\"Number\":{index}.0}}")).collect();
        let config = format!(
            "{{\"unknown\":\"Error\",\"drop\":\"None\",\"categories\":[[{}]]}}",
            categories.join(",")
        );
        let empty = OneHotEncoder::new().to_bytes().unwrap();
        let old = r#"{"unknown":"Error","drop":"None","categories":null}"#;
        let file = Anatomy::of(&empty).replace(old, &config).file();
        let said =
            bounded("earlier file", &file, OneHotEncoder::from_bytes, |path| OneHotEncoder::load(path));
        assert_eq!(said.is_none(), n < 10_000, "{n}: {said:?}");
        if n == 2 {
            let mut encoder = OneHotEncoder::new();
            encoder.fit(&Array2::from_shape_fn((2, 1), |(i, _)| i as f64)).unwrap();
            assert_eq!(OneHotEncoder::from_bytes(&file).unwrap(), encoder);
        }
    }
}

/// A text column with 100,000 categories and as many class names, in a pipeline over a table.
#[test]
fn text_columns_with_many_categories_are_loaded_within_the_bound() {
    use axonal::datasets::{Labels, Table};
    let names = || (0..100_000).map(|index| format!("customer {index}"));
    let x = Table::<f64>::new().with_texts("id", names()).unwrap();
    let y = Labels::new(names()).unwrap();
    let columns = ColumnTransformer::<f64>::new().columns(["id"], OrdinalEncoder::new());
    type Service = Classifier<Pipeline<ColumnTransformer<f64>, Model<f64>>>;
    let network = Sequential::<f64>::deferred().add(Dense::new(1));
    let network = network.compile(Sgd::new(1e-12), MeanSquaredError::default()).unwrap();
    let mut classifier: Service = Classifier::new(Pipeline::new(columns, network));
    classifier.fit_with(&x, &y, None, FitOptions::new().batch_size(100_000)).unwrap();
    assert_eq!(bounded_estimator!("service", Service, classifier), None);
    let loaded = Service::from_bytes(&classifier.to_bytes().unwrap()).unwrap();
    assert_eq!(loaded.classes().unwrap().len(), 100_000);

    let given: Vec<String> = names().rev().collect();
    let ordinal = OrdinalEncoder::new().with_categories([given]).unwrap();
    assert_eq!(bounded_estimator!("given categories", OrdinalEncoder, ordinal), None);
}

/// Kept callbacks, however many a file names, and column names.
#[test]
fn kept_callbacks_and_column_names_are_loaded_or_refused_within_the_bound() {
    for n in [1, 200, 900, 5000] {
        let options =
            (0..n).fold(FitOptions::<f32>::new(), |options, _| options.callback(EarlyStopping::new("loss")));
        let network = Sequential::<f32>::new(1).add(Dense::new(1));
        let network = network.compile(Sgd::default(), MeanSquaredError::default()).unwrap();
        let said = bounded_model("callbacks", &network.with_fit_options(options).to_bytes().unwrap());
        assert!(n > 200 || said.is_none(), "{n}: {said:?}");
    }
    for n in [10, 2000] {
        let names: Vec<String> = (0..n).map(|column| format!("c{column}")).collect();
        let columns = ColumnTransformer::<f64>::new().columns(names, StandardScaler::new());
        let said = bounded_estimator!("names", ColumnTransformer<f64>, columns);
        assert_eq!(said, None, "{n}");
    }
}

#[test]
fn many_parts_are_loaded_within_the_bound() {
    let x = Array2::from_shape_fn((10, 999), |(i, j)| ((i * 7 + j) % 5) as f64);
    let mut columns = ColumnTransformer::<f64>::new();
    for column in 0..999 {
        columns = if column % 2 == 0 {
            columns.step(StandardScaler::new(), [column])
        } else {
            columns.step(OneHotEncoder::new(), [column])
        };
    }
    columns.fit(&x).unwrap();
    assert_eq!(bounded_estimator!("columns", ColumnTransformer<f64>, columns), None);
    // Each part is small; together they would be large.
    let inner = (0..200).fold(Sequential::<f32>::new(1), |layers, index| {
        layers.add(BatchNormalization::default().epsilon(0.1 / (index + 1) as f64))
    });
    let network = || {
        let network = inner.clone().compile(Sgd::default(), MeanSquaredError::default()).unwrap();
        Regressor::new(network)
    };
    type Two = Pipeline<Regressor<Model<f32>>, Pipeline<Regressor<Model<f32>>, Regressor<Model<f32>>>>;
    let pipeline: Two = Pipeline::new(network(), Pipeline::new(network(), network()));
    let said = bounded("networks", &pipeline.to_bytes().unwrap(), Two::from_bytes, |path| Two::load(path));
    assert!(said.is_some_and(|said| said.contains("bytes of memory beyond the length of the file")));
}

#[test]
fn a_few_bytes_of_weights_do_not_copy_a_large_model() {
    let mut model: Model<f32> = Sequential::new(2000)
        .add(Dense::new(1000))
        .compile(Sgd::default(), MeanSquaredError::default())
        .unwrap();
    let small: Model<f32> =
        Sequential::new(1).add(Dense::new(1)).compile(Sgd::default(), MeanSquaredError::default()).unwrap();
    let mut file = Vec::new();
    small.save_weights_to(&mut file).unwrap();
    let options = || LoadOptions::new().skip_mismatch(true);
    let (skipped, peak) = peak_of(|| model.weights_from_bytes(&file, options()));
    assert_eq!(skipped.unwrap().len(), 2);
    assert!(peak <= file.len() + SPARE, "{peak}");
    // Very many tensors without a number.
    let mut many = Anatomy::of(&file);
    let writer = usize::from(many.structure[0]);
    many.numbers.clear();
    many.structure.truncate(1 + writer);
    for (count, accepted) in [(15_000_u64, true), (1_000_000, false)] {
        let mut many = many.clone();
        many.structure.extend(super::forge::varint(count));
        many.structure.extend([1, b'9', 0, 1, 0].repeat(count as usize));
        let file = many.file();
        let (skipped, peak) = peak_of(|| model.weights_from_bytes(&file, options()).map(drop));
        assert_eq!(skipped.is_ok(), accepted, "{skipped:?}");
        assert!(peak <= file.len() + SPARE, "{peak} for {}", file.len());
        let (_, peak) = peak_of(|| inspect_bytes(&file).map(drop));
        assert!(peak <= file.len() + SPARE, "{peak} for {}", file.len());
    }
}

/// Keeps the last checkpoint in memory.
#[derive(Default)]
struct Keep(Vec<u8>);

impl Callback<f64> for Keep {
    fn on_epoch_end(&mut self, run: &mut Run<'_, f64>) -> Result<()> {
        if run.epoch() % 1000 == 999 {
            run.request_checkpoint();
        }
        Ok(())
    }

    fn on_checkpoint(&mut self, checkpoint: &Checkpoint<f64>) -> Result<()> {
        self.0 = checkpoint.to_bytes()?;
        Ok(())
    }
}

#[test]
fn a_checkpoint_of_a_long_run_takes_what_its_file_does() {
    let mut keep = Keep::default();
    let layers = Sequential::new(1).add(Dense::new(1));
    let mut model = layers.compile(Sgd::new(0.1), MeanSquaredError::default()).unwrap();
    let x = Array2::from_elem((1, 1), 0.5);
    let options = FitOptions::new().epochs(20_000).callback(&mut keep);
    model.fit_with(&x, &Array2::from_elem((1, 1), 1.0), options).unwrap();
    let (checkpoint, peak) = peak_of(|| Checkpoint::<f64>::from_bytes(&keep.0).unwrap());
    assert!(peak <= keep.0.len() + SPARE, "{peak} for {}", keep.0.len());
    assert_eq!(checkpoint.to_bytes().unwrap(), keep.0);
    assert_eq!(checkpoint.history().epochs(), 20_000);
}
