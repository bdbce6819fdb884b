//! ONNX files, against answers of onnxruntime: `scripts/interop/onnx.py` checks files by this program and records
//! `onnx_golden.json`.

use super::onnx_cases::{self, Case, compiled};
use super::onnx_graphs::{self, GraphCase};
use super::{onnx_random, onnx_reader};
use crate::temporary::temporary_path;
use axonal::cluster::MiniBatchKMeans;
use axonal::ndarray::{Array2, ArrayBase, ArrayD, Axis, Data, Dimension, array};
use axonal::prelude::*;
use axonal::preprocessing::{
    DropCategory, HandleUnknown, Impute, MaxAbsScaler, Norm, Normalizer, RobustScaler,
};
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::PathBuf;

/// Number of random networks.
const RANDOM: usize = 60;

/// A file, and what the crate answers.
#[derive(Serialize)]
struct Exported {
    name: String,
    #[serde(skip)]
    file: Vec<u8>,
    runs: Vec<Run>,
}

#[derive(Serialize)]
struct Run {
    inputs: BTreeMap<String, Tensor>,
    outputs: BTreeMap<String, Tensor>,
}

#[derive(Serialize)]
struct Tensor {
    shape: Vec<usize>,
    values: Values,
}

#[derive(Serialize)]
#[serde(untagged)]
enum Values {
    /// Missing values are null.
    Numbers(Vec<Option<f32>>),
    Labels(Vec<usize>),
    Texts(Vec<&'static str>),
}

impl Run {
    /// A run with one input.
    fn new(input: Tensor, outputs: impl IntoIterator<Item = (&'static str, Tensor)>) -> Self {
        let outputs = outputs.into_iter().map(|(name, tensor)| (name.to_owned(), tensor)).collect();
        Self { inputs: [("input".to_owned(), input)].into(), outputs }
    }
}

fn numbers<S: Data<Elem = f32>, D: Dimension>(array: &ArrayBase<S, D>) -> Tensor {
    let values = array.iter().map(|&value| (!value.is_nan()).then_some(value)).collect();
    Tensor { shape: array.shape().to_vec(), values: Values::Numbers(values) }
}

fn labels<S: Data<Elem = usize>, D: Dimension>(array: &ArrayBase<S, D>) -> Tensor {
    Tensor { shape: array.shape().to_vec(), values: Values::Labels(array.iter().copied().collect()) }
}

/// Odd and even batches. Masks and padding differ between them.
const BATCHES: [usize; 3] = [3, 1, 8];

fn exported(case: &Case) -> Exported {
    let run = |batch: usize| {
        let x = case.samples(batch, batch);
        let mut shape = vec![batch];
        shape.extend_from_slice(case.model.input_shape().dims());
        let x = x.into_dyn().into_shape_with_order(shape).unwrap();
        let y = case.model.predict_nd(&x).unwrap_or_else(|problem| panic!("{}: {problem}", case.name));
        Run::new(numbers(&x), [("output", numbers(&y))])
    };
    let file = case.model.to_onnx().unwrap_or_else(|problem| panic!("{}: {problem}", case.name));
    Exported { name: case.name.clone(), file, runs: BATCHES.map(run).into() }
}

fn exported_graph(case: &GraphCase) -> Exported {
    let run = |batch: usize| {
        let samples = case.samples(batch);
        let predictions =
            case.model.predict_all(&samples).unwrap_or_else(|problem| panic!("{}: {problem}", case.name));
        let names = case.model.input_shapes().into_iter().map(|(name, _)| name.to_owned());
        let inputs: BTreeMap<_, _> = names.zip(samples.iter().map(numbers)).collect();
        let outputs = case.model.output_shapes().into_iter().map(|(name, _)| {
            // An output of the graph needs another name than the inputs.
            let known = if inputs.contains_key(name) { format!("{name}_1") } else { name.to_owned() };
            (known, numbers(predictions.get(name).unwrap()))
        });
        Run { outputs: outputs.collect(), inputs }
    };
    let file = case.model.to_onnx().unwrap_or_else(|problem| panic!("{}: {problem}", case.name));
    Exported { name: case.name.clone(), file, runs: BATCHES.map(run).into() }
}

/// Rows far from the origin, for scalers and clusterings.
fn table(rows: usize, seed: usize) -> Array2<f32> {
    Array2::from_shape_fn((rows, 4), |(i, j)| {
        let value = (i * 31 + j * 17 + i * j * 3 + seed * 29) % 97;
        value as f32 / 16.0 + [0.0, 100.0, -1000.0, 1.0][j]
    })
}

/// An estimator, with its answers for batches.
fn of_table(
    name: &str,
    file: Vec<u8>,
    answer: impl Fn(&Array2<f32>) -> Vec<(&'static str, Tensor)>,
) -> Exported {
    let run = |batch: usize| {
        let x = table(batch, batch);
        Run::new(numbers(&x), answer(&x))
    };
    Exported { name: name.into(), file, runs: BATCHES.map(run).into() }
}

fn transformer<T: Transform<Array2<f32>, Output = Array2<f32>>>(
    name: &str,
    file: Vec<u8>,
    transformer: &T,
) -> Exported {
    of_table(name, file, |x| vec![("output", numbers(&transformer.transform(x).unwrap()))])
}

/// Fits and exports transformers.
macro_rules! transformers {
    ($all:ident, $x:ident: $($name:literal => $transformer:expr;)*) => {$(
        let mut fitted = $transformer;
        Fit::fit(&mut fitted, &$x, ()).unwrap();
        $all.push(transformer($name, fitted.to_onnx().unwrap(), &fitted));
    )*};
}

fn estimators() -> Vec<Exported> {
    let x = table(40, 0);
    let mut all = Vec::new();
    transformers!(all, x:
        "standard_scaler" => StandardScaler::new();
        "standard_scaler without mean" => StandardScaler::new().with_mean(false);
        "min_max_scaler" => MinMaxScaler::new();
        "min_max_scaler clipped" => MinMaxScaler::new().feature_range(-1.0, 0.5).clip(true);
        "max_abs_scaler" => MaxAbsScaler::new();
        "robust_scaler" => RobustScaler::new();
        "normalizer L1" => Normalizer::new().norm(Norm::L1);
        "normalizer L2" => Normalizer::new();
        "normalizer max" => Normalizer::new().norm(Norm::Max);
        "pca" => Pca::new(2);
        "pca whitened" => Pca::new(3).whiten(true);
        "pipeline of two scalers" => Pipeline::new(RobustScaler::new(), MinMaxScaler::new());
        "pipeline of distances" => Pipeline::new(KMeans::new(3).seed(1), StandardScaler::new());
    );
    for impute in [Impute::Mean, Impute::Median, Impute::Constant(-7.0)] {
        let mut imputer = SimpleImputer::new().strategy(impute);
        imputer.fit(&x).unwrap();
        let holes = |x: &Array2<f32>| {
            let mut holes = x.clone();
            holes.iter_mut().step_by(3).for_each(|value| *value = f32::NAN);
            holes
        };
        let mut case = of_table(&format!("simple_imputer {impute:?}"), imputer.to_onnx().unwrap(), |x| {
            vec![("output", numbers(&imputer.transform(&holes(x)).unwrap()))]
        });
        case.runs.iter_mut().zip(BATCHES).for_each(|(run, batch)| {
            run.inputs = [("input".to_owned(), numbers(&holes(&table(batch, batch))))].into()
        });
        all.push(case);
    }
    all.extend(clusterings(&x));
    all.extend(encoders());
    all.extend(pipelines(&x));
    all
}

fn clusterings(x: &Array2<f32>) -> Vec<Exported> {
    let mut all = Vec::new();
    for (name, kmeans) in [("kmeans", KMeans::new(5)), ("kmeans spherical", KMeans::new(3).spherical(true))] {
        let mut kmeans = kmeans.seed(1);
        kmeans.fit(x).unwrap();
        all.push(of_table(name, kmeans.to_onnx().unwrap(), |x| {
            let distances = numbers(&kmeans.transform(x).unwrap());
            vec![("labels", labels(&kmeans.predict(x).unwrap())), ("distances", distances)]
        }));
    }
    let mut batches = MiniBatchKMeans::new(4).seed(1);
    batches.fit(x).unwrap();
    all.push(of_table("mini_batch_kmeans", batches.to_onnx().unwrap(), |x| {
        let distances = numbers(&batches.transform(x).unwrap());
        vec![("labels", labels(&batches.predict(x).unwrap())), ("distances", distances)]
    }));
    all
}

fn encoders() -> Vec<Exported> {
    let codes = Array2::from_shape_fn((12, 2), |(i, j)| ((i * 5 + j * 3) % 4) as f32 * 0.1);
    let words = array![["red", "s"], ["green", "m"], ["blue", "s"], ["red", "m"]];
    let mut all = Vec::new();
    for drop in [DropCategory::None, DropCategory::First, DropCategory::IfBinary] {
        let mut encoder = OneHotEncoder::new().drop(drop).handle_unknown(HandleUnknown::Ignore);
        encoder.fit(&codes).unwrap();
        let run = |batch: usize| {
            let x = Array2::from_shape_fn((batch, 2), |(i, j)| ((i * 3 + j) % 5) as f32 * 0.1);
            let y = encoder.transform(&x).unwrap();
            Run::new(numbers(&x), [("output", numbers(&y))])
        };
        let file = encoder.to_onnx().unwrap();
        all.push(Exported { name: format!("one_hot_encoder {drop:?}"), file, runs: BATCHES.map(run).into() });
        let mut encoder = OneHotEncoder::new().drop(drop);
        encoder.fit(&words).unwrap();
        let run = |batch: usize| {
            let x = words.select(Axis(0), &(0..batch).map(|row| row * 3 % 4).collect::<Vec<_>>());
            let y = encoder.transform(&x).unwrap().mapv(|value: f64| value as f32);
            let texts = Values::Texts(x.iter().copied().collect());
            Run::new(Tensor { shape: x.shape().to_vec(), values: texts }, [("output", numbers(&y))])
        };
        let file = encoder.to_onnx().unwrap();
        all.push(Exported {
            name: format!("one_hot_encoder of text {drop:?}"),
            file,
            runs: BATCHES.map(run).into(),
        });
    }
    all
}

fn pipelines(x: &Array2<f32>) -> Vec<Exported> {
    let mut scaler = StandardScaler::new();
    scaler.fit(x).unwrap();
    let network = |outputs: usize, activation| {
        compiled(
            Sequential::new(4)
                .add(Dense::new(8).activation(Activation::Gelu))
                .add(Dense::new(outputs).activation(activation)),
            1.0,
        )
    };
    let classes = Pipeline::new(scaler.clone(), Classifier::new(network(3, Activation::Softmax)));
    let binary = Pipeline::new(scaler.clone(), Classifier::new(network(1, Activation::Sigmoid)));
    let value = Pipeline::new(scaler.clone(), Regressor::new(network(1, Activation::Linear)));
    let steps = Sequential::new(4).add(Reshape::new([2, 2])).add(Lstm::new(3));
    let steps = Pipeline::new(Pipeline::new(SimpleImputer::new(), scaler), compiled(steps, 1.0));
    let mut clusters = Pipeline::new(MinMaxScaler::new(), KMeans::new(3).seed(1));
    clusters.fit(x, ()).unwrap();
    let mut imputer = SimpleImputer::new();
    imputer.fit(x).unwrap();
    let (parts, steps) = steps.into_parts();
    let steps = Pipeline::new(Pipeline::new(imputer, parts.into_parts().1), steps);
    let nearest = clusters.to_onnx().unwrap();
    vec![
        of_table("pipeline of a classifier", classes.to_onnx().unwrap(), |x| {
            vec![("labels", labels(&classes.predict(x).unwrap()))]
        }),
        of_table("pipeline of a binary classifier", binary.to_onnx().unwrap(), |x| {
            vec![("labels", labels(&binary.predict(x).unwrap()))]
        }),
        of_table("pipeline of a regressor", value.to_onnx().unwrap(), |x| {
            vec![("output", numbers(&value.predict(x).unwrap().mapv(|value| value as f32)))]
        }),
        of_table("pipeline of three steps", steps.to_onnx().unwrap(), |x| {
            vec![("output", numbers(&steps.predict(x).unwrap()))]
        }),
        of_table("pipeline of a clustering", nearest, |x| {
            vec![("labels", labels(&clusters.predict(x).unwrap()))]
        }),
    ]
}

/// Every kind of layer, and random networks.
fn networks(scale: f32) -> Vec<Exported> {
    let cases = onnx_cases::all(scale).into_iter().chain(onnx_random::networks(RANDOM, scale));
    let graphs = onnx_graphs::all(scale);
    let all: Vec<Exported> =
        cases.map(|case| exported(&case)).chain(graphs.iter().map(exported_graph)).collect();
    let names: BTreeSet<&str> = all.iter().map(|case| &*case.name).collect();
    assert_eq!(names.len(), all.len(), "names are keys of the recorded answers");
    all
}

/// Networks of f64, whose weights are rounded.
fn wide_networks() -> Vec<Exported> {
    let layers =
        |layers: Sequential<f64>| layers.compile(Adam::default(), MeanSquaredError::default()).unwrap();
    let networks = [
        layers(Sequential::new(5).add(Dense::new(7).activation(Activation::Gelu)).add(Dense::new(3))),
        layers(
            Sequential::new([6, 2])
                .add(Lstm::new(4).return_sequences(true))
                .add(Gru::new(3).reset_after(false)),
        ),
        layers(
            Sequential::new([6, 6, 2])
                .add(Conv2D::new(3, 3))
                .add(BatchNormalization::default())
                .add(Flatten::default()),
        ),
    ];
    let exported = |(number, model): (usize, &Model<f64>)| {
        let run = |batch: usize| {
            let mut shape = vec![batch];
            shape.extend_from_slice(model.input_shape().dims());
            let x = ArrayD::from_shape_fn(shape, |index| {
                let place: usize =
                    index.slice().iter().enumerate().map(|(axis, at)| (axis * 5 + 3) * at).sum();
                f64::from((place % 23) as u8) / 16.0 - 0.7
            });
            let y = model.predict_nd(&x.mapv(|value| f64::from(value as f32))).unwrap();
            let [x, y] = [x, y].map(|array| array.mapv(|value| value as f32));
            Run::new(numbers(&x), [("output", numbers(&y))])
        };
        Exported {
            name: format!("network of f64 {number}"),
            file: model.to_onnx().unwrap(),
            runs: BATCHES.map(run).into(),
        }
    };
    networks.iter().enumerate().map(exported).collect()
}

/// FNV-1a, 64 bits.
fn digest(bytes: &[u8]) -> String {
    let hash = bytes.iter().fold(0xcbf2_9ce4_8422_2325_u64, |hash, &byte| {
        (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3)
    });
    format!("{hash:016x}")
}

/// Answers of onnxruntime for the first batch of a case: the first values of each output.
#[derive(Deserialize)]
struct Golden {
    /// Of the graph that onnxruntime has run; empty where numbers of the graph depend on the machine.
    digest: String,
    outputs: BTreeMap<String, Vec<f64>>,
}

fn golden() -> BTreeMap<String, Golden> {
    let path = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/persistence/interop/onnx_golden.json");
    serde_json::from_str(&fs::read_to_string(path).unwrap()).unwrap()
}

fn compare(golden: &Golden, case: &Exported) {
    for (name, tensor) in &case.runs[0].outputs {
        let expected = &golden.outputs[name];
        let got: Vec<f64> = match &tensor.values {
            Values::Numbers(values) => values.iter().map(|value| value.map_or(f64::NAN, f64::from)).collect(),
            Values::Labels(labels) => labels.iter().map(|&label| label as f64).collect(),
            Values::Texts(_) => panic!("outputs are numbers"),
        };
        assert!(
            got.len() == expected.len() || got.len() > expected.len() && expected.len() >= 48,
            "{}: {name}",
            case.name
        );
        for (got, expected) in got.iter().zip(expected) {
            let close = (got - expected).abs() <= 1e-5 * expected.abs().max(1.0);
            assert!(close, "{}: {name}: {got}, and onnxruntime computes {expected}", case.name);
        }
    }
}

/// Writes the files, and what the crate answers, for onnxruntime.
#[test]
#[ignore = "writes files for scripts/interop/onnx.py"]
fn write_cases() {
    let folder = PathBuf::from(std::env::var_os("AXONAL_ONNX_CASES").expect("the folder for the files"));
    let exact =
        networks(1.0).into_iter().map(|case| (Some(digest(&onnx_reader::parse(&case.file).graph)), case));
    let estimators = estimators().into_iter().map(|case| (Some(String::new()), case));
    // Weights and inputs with all bits; their answers are not recorded.
    let rounded = networks(0.731_058_6).into_iter().chain(wide_networks()).map(|case| (None, case));
    let mut index = Vec::new();
    for (number, (digest, case)) in exact.chain(estimators).chain(rounded).enumerate() {
        fs::write(folder.join(format!("{number}.onnx")), &case.file).unwrap();
        index.push(serde_json::json!({ "digest": digest, "case": case }));
    }
    fs::write(folder.join("cases.json"), serde_json::to_string(&index).unwrap()).unwrap();
}

#[test]
fn exported_networks_are_those_that_onnxruntime_has_run() {
    let golden = golden();
    for case in networks(1.0) {
        let document = onnx_reader::parse(&case.file);
        assert_eq!((&*document.producer, &*document.producer_version), ("axonal", env!("CARGO_PKG_VERSION")));
        assert_eq!(document.opset, 17);
        let names = |names: &[String]| names.iter().cloned().collect::<BTreeSet<_>>();
        assert_eq!(names(&document.inputs), case.runs[0].inputs.keys().cloned().collect());
        assert_eq!(names(&document.outputs), case.runs[0].outputs.keys().cloned().collect());
        let known = golden
            .get(&case.name)
            .unwrap_or_else(|| panic!("{} is new; run scripts/interop/onnx.py", case.name));
        assert_eq!(
            known.digest,
            digest(&document.graph),
            "{} is new; run scripts/interop/onnx.py",
            case.name
        );
        compare(known, &case);
    }
}

#[test]
fn exported_estimators_answer_as_in_onnxruntime() {
    let golden = golden();
    for case in estimators() {
        let document = onnx_reader::parse(&case.file);
        assert_eq!(document.properties, [("axonal_version".into(), env!("CARGO_PKG_VERSION").into())]);
        assert!(!document.outputs.is_empty(), "{}", case.name);
        compare(&golden[&case.name], &case);
    }
}

#[test]
fn names_of_weights_and_layers_are_kept() {
    let layers = Sequential::new(4).add(Residual::new().add(Dense::new(4))).add(Dense::new(2));
    let model: Model<f32> = layers.compile(Adam::default(), MeanSquaredError::default()).unwrap();
    let document = onnx_reader::parse(&model.to_onnx().unwrap());
    for weight in model.weights() {
        assert!(document.constants.contains(&weight.name), "{} in {:?}", weight.name, document.constants);
    }
    assert_eq!(document.ops, ["Gemm", "Add", "Gemm", "Identity"]);
}

#[test]
fn recurrent_layers_are_operators_where_these_can_express_them() {
    let ops = |layers: Sequential<f32>| {
        let model = layers.compile(Adam::default(), MeanSquaredError::default()).unwrap();
        onnx_reader::parse(&model.to_onnx().unwrap()).ops
    };
    assert!(ops(Sequential::new([4, 2]).add(Lstm::new(3))).contains(&"LSTM".into()));
    assert!(ops(Sequential::new([4, 2]).add(Gru::new(3))).contains(&"GRU".into()));
    let masked = ops(Sequential::new(4).add(Embedding::new(5, 2).mask_zero(true)).add(Gru::new(3)));
    assert!(masked.contains(&"Scan".into()) && masked.contains(&"Scan/Where".into()), "{masked:?}");
    // A mask that no layer uses is not computed.
    let unused = ops(Sequential::new(4).add(Embedding::new(5, 2).mask_zero(true)).add(Dense::new(3)));
    assert!(!unused.contains(&"Equal".into()), "{unused:?}");
}

/// A layer of another crate.
#[derive(Debug, Clone, Serialize, Deserialize)]
struct Double {}

impl<F: Float> Layer<F> for Double {
    fn kind(&self) -> &'static str {
        "mycrate.double"
    }

    fn plan(&self, input: &axonal::custom::Shape) -> Result<axonal::custom::Plan> {
        Ok(axonal::custom::Plan::output(input.clone()))
    }

    fn forward(&self, axonal::custom::Forward { x, mut y, .. }: axonal::custom::Forward<'_, F>) {
        y.assign(&x);
    }

    fn backward(&self, axonal::custom::Backward { dy, mut dx, .. }: axonal::custom::Backward<'_, F>) {
        dx.assign(&dy);
    }

    fn config(&self) -> Option<axonal::custom::Config> {
        axonal::custom::Config::of(self)
    }
}

#[test]
fn what_onnx_cannot_represent_is_an_error_with_its_name() {
    let refused = |layers: Sequential<f32>, name: &str| {
        let model = layers.compile(Adam::default(), MeanSquaredError::default()).unwrap();
        let problem = model.to_onnx().unwrap_err();
        assert!(matches!(problem, Error::Unsaveable { .. }), "{problem:?}");
        assert!(problem.to_string().contains(name), "{problem}");
    };
    refused(Sequential::new(4).add(Dense::new(2)).add(Double {}), "layer 1.mycrate.double");
    refused(Sequential::new(4).add(Residual::new().add(Double {})), "layer 0.residual/0.mycrate.double");
    refused(Sequential::new([3, 2]).add(Lstm::new(2).stateful(4)), "layer 0.lstm");
    let mut encoder = OneHotEncoder::new();
    encoder.fit(&array![[0.1_f64], [0.1 + 1e-12]]).unwrap();
    assert!(encoder.to_onnx().unwrap_err().to_string().contains("equal in f32"));
    let unfitted = Pipeline::new(StandardScaler::new(), KMeans::<f32>::new(2));
    assert!(matches!(unfitted.to_onnx(), Err(Error::NotFitted { estimator: "StandardScaler", .. })));
    let (mut two, mut three) = (StandardScaler::new(), StandardScaler::new());
    two.fit(&array![[1.0, 2.0], [2.0, 1.0]]).unwrap();
    three.fit(&array![[1.0, 2.0, 3.0], [2.0, 1.0, 0.0]]).unwrap();
    let network = compiled(Sequential::new([2, 1]).add(Flatten::default()), 1.0);
    let problem = Pipeline::new(two.clone(), network).to_onnx().unwrap_err().to_string();
    assert!(problem.contains("the network: expected samples of shape (2, 1)"), "{problem}");
    let problem = Pipeline::new(two, three).to_onnx().unwrap_err().to_string();
    assert_eq!(problem, "standard_scaler: expected 3 features, got 2 from the step before");
}

#[test]
fn weights_beyond_f32_are_refused() {
    let layers = Sequential::<f64>::new(2).add(Dense::new(1));
    let mut model = layers.compile(Adam::default(), MeanSquaredError::default()).unwrap();
    model.set_weight("0.dense/kernel", &array![[1.0], [1e300]]).unwrap();
    let problem = model.to_onnx().unwrap_err().to_string();
    assert!(problem.contains("layer 0.dense") && problem.contains("1e300 is not finite in f32"), "{problem}");
}

#[test]
fn files_are_replaced_whole() {
    let path = temporary_path("file.onnx");
    fs::write(&path, "something else").unwrap();
    let model = compiled(Sequential::new(3).add(Dense::new(2)), 1.0);
    model.export_onnx(&path).unwrap();
    assert_eq!(fs::read(&path).unwrap(), model.to_onnx().unwrap());
    fs::remove_file(&path).unwrap();
    let nowhere = model.export_onnx(path.join("nowhere/model.onnx"));
    assert!(matches!(nowhere, Err(Error::Save { .. })), "{nowhere:?}");
}
