//! Transformers and whole pipelines in files.

use super::forge::Anatomy;
use super::models::{directory, kinds, samples, table_pipeline};
use axonal::custom::Registry;
use axonal::ndarray::{Array2, array};
use axonal::persistence::{Encoder, LoadOptions, Persist, Section, inspect_bytes};
use axonal::prelude::*;
use axonal::preprocessing::{MaxAbsScaler, Normalizer, OrdinalEncoder, PolynomialFeatures, RobustScaler};
use std::fmt::Debug;

/// Saves a fitted and an unfitted estimator, and compares what comes back.
fn comes_back<T: Persist + Estimator + Debug>(
    estimator: &T,
    to_bytes: fn(&T) -> Result<Vec<u8>>,
    load: fn(&[u8]) -> Result<T>,
) {
    for estimator in [estimator.clone(), estimator.unfitted()] {
        let bytes = to_bytes(&estimator).unwrap();
        let again = load(&bytes).unwrap();
        assert_eq!(format!("{again:?}"), format!("{estimator:?}"));
        assert_eq!(to_bytes(&again).unwrap(), bytes);
    }
}

macro_rules! come_back {
    ($($estimator:expr => $type:ty,)*) => {$(
        comes_back::<$type>(&$estimator, |estimator| estimator.to_bytes(), |bytes| <$type>::from_bytes(bytes));
    )*};
}

/// An estimator after its fit.
fn after<T: Fit<Array2<f32>>>(mut estimator: T, x: &Array2<f32>) -> T {
    estimator.fit(x, ()).unwrap();
    estimator
}

#[test]
fn every_transformer_comes_back_to_the_bit() {
    let (x, _) = samples();
    let (x, words) = (&x, array![["red", "small"], ["blue", "lar\"ge\n"], ["red", ""]]);
    let mut by_word = OneHotEncoder::new();
    by_word.fit(&words).unwrap();
    let mut numbered = OrdinalEncoder::new().handle_unknown(HandleUnknown::Ignore);
    numbered.fit(&words).unwrap();
    let mut labels = LabelEncoder::new();
    labels.fit(["dog", "cat"].as_slice()).unwrap();
    come_back! {
        after(StandardScaler::new(), x) => StandardScaler,
        after(MinMaxScaler::new(), x) => MinMaxScaler,
        after(MaxAbsScaler::new(), x) => MaxAbsScaler,
        after(RobustScaler::new(), x) => RobustScaler,
        after(Normalizer::new(), x) => Normalizer,
        after(OneHotEncoder::new(), &kinds()) => OneHotEncoder,
        by_word => OneHotEncoder,
        numbered => OrdinalEncoder,
        labels => LabelEncoder,
        after(SimpleImputer::new(), x) => SimpleImputer,
        after(PolynomialFeatures::new(3).interaction_only(true), x) => PolynomialFeatures,
        after(ColumnTransformer::<f32>::new().step(OneHotEncoder::new(), [1]), &kinds()) => ColumnTransformer<f32>,
        after(Pipeline::new(SimpleImputer::new(), OneHotEncoder::new()), &kinds()) => Pipeline<SimpleImputer, OneHotEncoder>,
        after(Pipeline::new(StandardScaler::new(), KMeans::new(3)), x) => Pipeline<StandardScaler, KMeans<f32>>,
    }
    #[cfg(feature = "pca")]
    come_back! { after(Pca::new(2).whiten(true), x) => Pca, }
}

#[test]
fn a_pipeline_of_a_network_comes_back_from_one_file() {
    let (x, y) = samples();
    let directory = directory("pipeline");
    let path = directory.join("pipeline.axonal");
    let pipeline = table_pipeline();
    pipeline.save(&path).unwrap();
    assert_eq!(std::fs::read_dir(&directory).unwrap().count(), 1);
    let mut again = super::models::TablePipeline::load(&path).unwrap();
    assert_eq!(again.to_bytes().unwrap(), pipeline.to_bytes().unwrap());
    assert_eq!(again.predict(&x).unwrap(), pipeline.predict(&x).unwrap());
    assert_eq!(again.score(&x, &y).unwrap(), pipeline.score(&x, &y).unwrap());
    // Unfitted and fitted anew, it is what the first one was: the steps have come back with their types.
    again = again.unfitted();
    assert!(again.predict(&x).is_err());
    again.fit(&x, &y).unwrap();
    assert_eq!(again.to_bytes().unwrap(), pipeline.to_bytes().unwrap());
    std::fs::remove_dir_all(directory).unwrap();
}

#[test]
fn a_pipeline_that_is_loaded_as_another_is_refused() {
    let bytes = table_pipeline().to_bytes().unwrap();
    let said = Pipeline::<StandardScaler, KMeans<f32>>::from_bytes(&bytes).unwrap_err().to_string();
    assert_eq!(
        said,
        "bytes, transformer: expected \"standard_scaler\", but the file holds \"column_transformer\""
    );
    assert!(StandardScaler::from_bytes(&bytes).unwrap_err().to_string().contains("holds \"pipeline\""));
    assert!(Model::<f32>::from_bytes(&bytes).unwrap_err().to_string().contains("expected a model"));
    let scaler = StandardScaler::new().to_bytes().unwrap();
    let said = Pipeline::<StandardScaler, KMeans<f32>>::from_bytes(&scaler).unwrap_err().to_string();
    assert!(said.contains("expected \"pipeline\""), "{said}");
}

#[test]
fn inspection_tells_the_steps_of_a_pipeline() {
    let found = inspect_bytes(&table_pipeline().to_bytes().unwrap()).unwrap();
    assert_eq!(found.layers[0].kind, "pipeline");
    let names: Vec<_> = found.tensors.iter().map(|part| (part.name.as_str(), part.number.name())).collect();
    assert_eq!(names, [("transformer", "u8"), ("estimator", "u8")]);
}

#[test]
fn networks_of_kinds_of_ones_own_need_their_registry_inside_of_pipelines_too() {
    let (x, y) = samples();
    let mut pipeline = Pipeline::new(StandardScaler::new(), super::custom::everything_custom());
    pipeline.fit(&x, &y.mapv(|class| class as f32)).unwrap();
    let bytes = pipeline.to_bytes().unwrap();
    type Custom = Pipeline<StandardScaler, Model<f32>>;
    let said = Custom::from_bytes(&bytes).unwrap_err().to_string();
    assert!(said.starts_with("bytes, estimator: unknown layer"), "{said}");
    let again = Custom::from_bytes_with(&bytes, &super::custom::full()).unwrap();
    assert_eq!(again.predict(&x).unwrap(), pipeline.predict(&x).unwrap());
    let of_other_numbers = Custom::from_bytes_with(&bytes, &Registry::<f64>::new());
    assert!(of_other_numbers.unwrap_err().to_string().contains("unknown layer"));
}

/// A transformer that no file can name.
#[derive(Debug, Clone)]
struct Foreign;

impl Estimator for Foreign {
    fn unfitted(&self) -> Self {
        Self
    }
}

impl Fit<Array2<f32>> for Foreign {
    type Report = ();
    fn fit(&mut self, _: &Array2<f32>, (): ()) -> Result<()> {
        Ok(())
    }
}

impl Transform<Array2<f32>> for Foreign {
    type Output = Array2<f32>;
    fn transform(&self, x: &Array2<f32>) -> Result<Array2<f32>> {
        Ok(x.clone())
    }
}

#[test]
fn what_cannot_be_named_is_not_saved() {
    let columns = ColumnTransformer::<f32>::new().step(Foreign, [0]);
    let said = columns.to_bytes().unwrap_err().to_string();
    assert!(said.contains("not one of this crate") && said.contains("pipelines of them"), "{said}");
    let inside = ColumnTransformer::<f32>::new().step(Pipeline::new(StandardScaler::new(), Foreign), [0]);
    assert!(inside.to_bytes().is_err());
}

/// A file of as many values as no load takes.
#[derive(Clone, serde::Serialize, serde::Deserialize)]
struct Long(Vec<u8>);

impl Persist for Long {
    fn encode(&self) -> Result<Encoder<'_>> {
        Encoder::of("test.long", self)
    }
    fn decode(section: Section<'_>) -> Result<Self> {
        section.read("test.long")
    }
}

#[test]
fn what_could_not_be_loaded_is_not_saved() {
    let said =
        Pipeline::new(StandardScaler::new(), Long(vec![0; 1 << 20])).to_bytes().unwrap_err().to_string();
    assert!(said.contains("more than a load takes"), "{said}");
    let short = Pipeline::new(StandardScaler::new(), Long(vec![7; 1000])).to_bytes().unwrap();
    assert_eq!(Pipeline::<StandardScaler, Long>::from_bytes(&short).unwrap().estimator().0.len(), 1000);
}

#[test]
fn steps_within_steps_are_refused_beyond_the_limit() {
    let nested = |levels: usize| {
        let mut columns = ColumnTransformer::<f32>::new().step(StandardScaler::new(), [0]);
        for _ in 0..levels {
            columns = ColumnTransformer::new().step(columns, [0]);
        }
        columns.to_bytes().unwrap()
    };
    let work = move || {
        assert!(ColumnTransformer::<f32>::from_bytes(&nested(15)).is_ok());
        for levels in [16, 40] {
            let said = ColumnTransformer::<f32>::from_bytes(&nested(levels)).unwrap_err().to_string();
            assert!(said.contains("depth of files within files: 17, at most 16"), "{said}");
        }
    };
    std::thread::Builder::new().stack_size(512 << 10).spawn(work).unwrap().join().unwrap();
    let mut limits = axonal::persistence::Limits::default();
    limits.max_depth = 1;
    let options = LoadOptions::<f32>::new().limits(limits);
    assert!(ColumnTransformer::<f32>::from_bytes_with(&nested(1), options).is_err());
}

#[test]
fn transformers_check_what_they_learned() {
    let refused = |file: Anatomy, load: fn(&[u8]) -> Result<()>, says: &str| {
        let said = load(&file.file()).unwrap_err().to_string();
        assert!(said.contains(says), "{said}");
    };
    let of = |bytes: Result<Vec<u8>>| Anatomy::of(&bytes.unwrap());
    let one_hot = |bytes: &[u8]| OneHotEncoder::from_bytes(bytes).map(drop);
    let encoder = after(OneHotEncoder::new(), &kinds());
    // Two counts, 1 and 4, and then three words for each category: what it is, its number, the length of its text.
    let with = |word: usize, value: u64| {
        let mut file = of(encoder.to_bytes());
        file.numbers[8 * word..8 * word + 8].copy_from_slice(&value.to_le_bytes());
        file
    };
    refused(with(6, 3.0_f64.to_bits()), one_hot, "ascending categories");
    refused(with(6, f64::NAN.to_bits()), one_hot, "tensor \"categories\": expected finite numbers");
    refused(with(5, 2), one_hot, "tensor \"categories\"");
    refused(with(8, 1), one_hot, "tensor \"categories\"");
    refused(with(7, 1), one_hot, "tensor \"categories\"");
    for count in [0, 2, 5, u64::MAX] {
        refused(
            with(0, count),
            one_hot,
            "tensor \"n_categories\": expected as many as there are in the table",
        );
    }
    refused(of(encoder.to_bytes()).reshape("texts", &[0], &[1]), one_hot, "bytes of numbers");
    refused(of(encoder.to_bytes()).edit("\"unknown\"", "\"unknwon\""), one_hot, "unknwon");
    let labels = LabelEncoder::from_classes(["a", "b"]).unwrap();
    let load = |bytes: &[u8]| LabelEncoder::from_bytes(bytes).map(drop);
    let text = |bytes: &[u8]| {
        let mut file = of(labels.to_bytes());
        let at = file.numbers.len() - 2;
        file.numbers[at..].copy_from_slice(bytes);
        file
    };
    refused(text(b"aa"), load, "each of them once");
    refused(text(b"a\xff"), load, "tensor \"texts\": expected UTF-8");
    let polynomial = after(PolynomialFeatures::new(2), &kinds());
    let load = |bytes: &[u8]| PolynomialFeatures::from_bytes(bytes).map(drop);
    let many = of(polynomial.to_bytes()).replace(
        "{\"degree\":2,\"interaction_only\":false,\"include_bias\":true,\"n_features\":2}",
        "{\"degree\":9,\"interaction_only\":false,\"include_bias\":true,\"n_features\":2000000}",
    );
    refused(many, load, "bounded number of products");
    let columns = after(ColumnTransformer::<f32>::new().step(StandardScaler::new(), [1]), &kinds());
    let load = |bytes: &[u8]| ColumnTransformer::<f32>::from_bytes(bytes).map(drop);
    refused(of(columns.to_bytes()).edit("[[1]]", "[[5]]"), load, "columns is 5, expected below 2");
    refused(of(columns.to_bytes()).edit("[[1]]", "[   ]"), load, "expected 0 parts, got 1");
}

/// Names of a file end up in messages: cut, and without anything that a terminal would obey.
#[test]
fn messages_quote_files_within_bounds() {
    let encoder = Anatomy::of(&Normalizer::new().to_bytes().unwrap());
    let hostile = format!("{{\"\\u001b[2J{}\":1}}", "x".repeat(10_000));
    let file = encoder.replace("{\"norm\":\"L2\"}", &hostile).file();
    let said = Normalizer::from_bytes(&file).unwrap_err().to_string();
    assert!(said.len() < 400 && !said.contains('\u{1b}'), "{} {said:?}", said.len());
}
