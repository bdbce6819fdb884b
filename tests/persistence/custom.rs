//! Recipes of other crates in files.

use super::models;
use axonal::LoadErrorKind;
use axonal::custom::{
    Backward, Config, Forward, LossPass, MetricBatch, OutputMeaning, Plan, Registry, RuleOptimizer, Shape,
    Step, TargetView, UpdateRule,
};
use axonal::metrics::Direction;
use axonal::ndarray::{Array2, Array3, s};
use axonal::persistence::LoadOptions;
use axonal::prelude::*;
use serde::{Deserialize, Serialize};

#[derive(Debug, Clone, Serialize, Deserialize)]
struct Scale {
    factor: f64,
}

impl<F: Float> Layer<F> for Scale {
    fn kind(&self) -> &'static str {
        "test.scale"
    }
    fn plan(&self, input: &Shape) -> Result<Plan> {
        Ok(Plan::output(input.clone()))
    }
    fn forward(&self, Forward { x, mut y, .. }: Forward<'_, F>) {
        y.assign(&x.mapv(|x| x * F::of(self.factor)));
    }
    fn backward(&self, Backward { dy, mut dx, .. }: Backward<'_, F>) {
        dx.assign(&dy.mapv(|dy| dy * F::of(self.factor)));
    }
    fn config(&self) -> Option<Config> {
        Config::of(self)
    }
}

#[derive(Debug, Serialize, Deserialize)]
struct Quartic {}

impl<F: Float> Loss<F> for Quartic {
    fn kind(&self) -> &'static str {
        "test.quartic"
    }
    fn compute(&self, pass: LossPass<'_, F>) -> f64 {
        let TargetView::Values(targets) = pass.targets else { return f64::NAN };
        let error = &pass.prediction - &targets;
        let count = F::of(error.len() as f64);
        if let Some(mut gradient) = pass.gradient {
            gradient.assign(&error.mapv(|e| F::of(4.0) * e * e * e / count));
        }
        (error.mapv(|e| e.powi(4)).sum() / count).as_f64()
    }
    fn config(&self) -> Option<Config> {
        Config::of(self)
    }
}

#[derive(Debug, Serialize, Deserialize)]
struct Mean {}

impl<F: Float> Metric<F> for Mean {
    fn kind(&self) -> &'static str {
        "test.mean"
    }
    fn totals(&self, _: &Shape) -> usize {
        2
    }
    fn update(&self, batch: MetricBatch<'_, F>, totals: &mut [f64]) {
        totals[0] += batch.prediction.iter().map(|v| v.as_f64()).sum::<f64>();
        totals[1] += batch.prediction.len() as f64;
    }
    fn value(&self, totals: &[f64]) -> f64 {
        totals[0] / totals[1]
    }
    fn direction(&self) -> Direction {
        Direction::Unknown
    }
    fn config(&self) -> Option<Config> {
        Config::of(self)
    }
}

#[derive(Debug, Clone, Serialize, Deserialize)]
struct SignSgd {}

impl<F: Float> UpdateRule<F> for SignSgd {
    fn kind(&self) -> &'static str {
        "test.sign_sgd"
    }
    fn update(&self, Step { params, grads, learning_rate, .. }: Step<'_, F>) {
        let rate = F::of(learning_rate);
        params.iter_mut().zip(grads).for_each(|(w, g)| *w -= rate * g.signum());
    }
    fn config(&self) -> Option<Config> {
        Config::of(self)
    }
}

pub(crate) fn everything_custom() -> Model<f32> {
    Sequential::new(3)
        .add(Scale { factor: 0.1 + 0.2 })
        .add(Dense::new(1))
        .compile(RuleOptimizer::from_rule(SignSgd {}, 0.01), Quartic {})
        .unwrap()
        .metric(Mean {})
}

pub(crate) fn full() -> Registry<f32> {
    Registry::new()
        .layer::<Scale>("test.scale")
        .loss::<Quartic>("test.quartic")
        .metric::<Mean>("test.mean")
        .optimizer::<SignSgd>("test.sign_sgd")
}

#[test]
fn all_four_families_come_back_through_a_registry() {
    let (x, y) = models::samples();
    let y = y.mapv(|label| label as f32);
    let mut model = everything_custom();
    let mut loaded = Model::from_bytes_with(&model.to_bytes().unwrap(), &full()).unwrap();
    for model in [&mut model, &mut loaded] {
        model.fit_with(&x, &y, FitOptions::new().epochs(3)).unwrap();
    }
    assert_eq!(loaded.to_bytes().unwrap(), model.to_bytes().unwrap());
}

#[test]
fn each_missing_registration_is_named() {
    let bytes = everything_custom().to_bytes().unwrap();
    let registries = [
        (Registry::new(), "layer \"test.scale\""),
        (Registry::new().layer::<Scale>("test.scale"), "loss \"test.quartic\""),
        (
            Registry::new().layer::<Scale>("test.scale").loss::<Quartic>("test.quartic"),
            "metric \"test.mean\"",
        ),
        (
            Registry::new()
                .layer::<Scale>("test.scale")
                .loss::<Quartic>("test.quartic")
                .metric::<Mean>("test.mean"),
            "optimizer \"test.sign_sgd\"",
        ),
    ];
    for (registry, named) in registries {
        let said = Model::<f32>::from_bytes_with(&bytes, &registry).unwrap_err().to_string();
        assert!(said.contains(&format!("unknown {named}")), "{said}");
    }
}

#[test]
fn registrations_that_cannot_be_are_refused() {
    let bytes = models::trained().to_bytes().unwrap();
    for (registry, problem) in [
        (Registry::new().layer::<Scale>("dense"), "a kind of this crate"),
        (Registry::new().layer::<Scale>("scale"), "lacks a namespace"),
        (Registry::new().layer::<Scale>("test.scale").layer::<Scale>("test.scale"), "twice"),
        (Registry::new().optimizer::<SignSgd>("adam"), "a kind of this crate"),
    ] {
        let said = Model::<f32>::from_bytes_with(&bytes, &registry).unwrap_err().to_string();
        assert!(said.contains(problem), "{said}");
    }
    let other = Registry::new().layer::<Scale>("test.other");
    assert!(Model::<f32>::from_bytes_with(&bytes, &other).is_ok());
    let file = super::forge::Anatomy::of(&everything_custom().to_bytes().unwrap());
    let said =
        Model::<f32>::from_bytes_with(&file.replace("test.scale", "test.other").file(), &other).unwrap_err();
    assert!(
        matches!(&said, axonal::Error::Load { problem, .. } if matches!(**problem, LoadErrorKind::Rejected { .. })),
        "{said}"
    );
}

/// A layer without a configuration, one that poses as dropout, and one without a namespace.
#[derive(Debug)]
struct Nameless(&'static str, Option<&'static str>);

impl<F: Float> Layer<F> for Nameless {
    fn kind(&self) -> &'static str {
        self.0
    }
    fn plan(&self, input: &Shape) -> Result<Plan> {
        Ok(Plan::output(input.clone()))
    }
    fn forward(&self, Forward { x, mut y, .. }: Forward<'_, F>) {
        y.assign(&x);
    }
    fn backward(&self, Backward { dy, mut dx, .. }: Backward<'_, F>) {
        dx.assign(&dy);
    }
    fn config(&self) -> Option<Config> {
        self.1.map(Config::from_json)
    }
}

#[test]
fn what_would_not_come_back_is_not_saved() {
    let refused = |layer: Nameless| {
        let model: Model<f32> =
            Sequential::new(2).add(layer).compile(Sgd::default(), MeanSquaredError::default()).unwrap();
        let said = model.to_bytes().unwrap_err().to_string();
        assert!(model.save_weights_to(Vec::new()).is_ok());
        said
    };
    assert_eq!(
        refused(Nameless("test.nameless", None)),
        "layer 0.test.nameless cannot be saved: its config() returns None, as that of a closure does and of a \
         hyperparameter that is not finite; use a type with serde's derives whose config() returns Config::of(self), or \
         save_weights"
    );
    assert!(
        refused(Nameless("dropout", Some("{\"rate\":0.5}"))).contains("a kind of this crate, and differs")
    );
    assert!(refused(Nameless("nameless", Some("{}"))).contains("has no namespace"));

    let closure: Model<f32> = Sequential::new(2)
        .add(Dense::new(1))
        .compile(Adam::new(|step: u64| 0.1 / (step + 1) as f64), MeanSquaredError::default())
        .unwrap();
    let said = closure.to_bytes().unwrap_err().to_string();
    assert!(said.starts_with("the learning rate cannot be saved: it is a function of the step"), "{said}");

    let kept = models::classifier().with_fit_options(FitOptions::new().callback(super::custom::Quiet));
    assert!(kept.to_bytes().unwrap_err().to_string().contains("with_fit_options"));
    // What fits keep is saved, but for custom callbacks; those that write files come back on request only.
    let logger = CsvLogger::new("never-written.csv");
    let options =
        || FitOptions::new().epochs(3).callback(EarlyStopping::new("loss")).callback(logger.clone());
    let kept = models::classifier().with_fit_options(options().callback_factory(|| Quiet));
    let bytes = kept.to_bytes().unwrap();
    let loaded = Model::<f32>::from_bytes(&bytes).unwrap();
    let plain = models::classifier()
        .with_fit_options(FitOptions::new().epochs(3).callback(EarlyStopping::new("loss")));
    assert_eq!(loaded.to_bytes().unwrap(), plain.to_bytes().unwrap());
    let trusted = Model::<f32>::from_bytes_with(&bytes, LoadOptions::new().file_callbacks(true)).unwrap();
    assert_eq!(trusted.to_bytes().unwrap(), bytes);
    let mut borrowed = EarlyStopping::new("loss");
    let mut one_run = models::classifier().with_fit_options(FitOptions::new().callback(&mut borrowed));
    let (x, y) = models::samples();
    assert!(one_run.fit(&x, &y).unwrap_err().to_string().contains("callback without settings"));

    let mut scale: Model<f32> = Sequential::new(2)
        .add(Scale { factor: f64::NAN })
        .compile(Sgd::default(), MeanSquaredError::default())
        .unwrap();
    let said = scale.to_bytes().unwrap_err().to_string();
    assert!(said.contains("its config() returns None") && said.contains("not finite"), "{said}");
    scale = scale.with_fit_options(FitOptions::new().validation_split(f64::NAN));
    assert!(scale.to_bytes().is_err());
}

struct Quiet;

impl<F: Float> Callback<F> for Quiet {}

/// A loss of classes that says nothing of the outputs, as one of an earlier version.
#[derive(Debug, Serialize, Deserialize)]
struct Silent {}

/// The same, which takes outputs for probabilities.
#[derive(Debug, Serialize, Deserialize)]
struct OfProbabilities {}

macro_rules! loss_of_classes {
    ($loss:ident, $meaning:ident) => {
        impl<F: Float> Loss<F> for $loss {
            fn kind(&self) -> &'static str {
                "test.of_classes"
            }
            fn output_meaning(&self, _: &Shape) -> OutputMeaning {
                OutputMeaning::$meaning
            }
            fn compute(&self, pass: LossPass<'_, F>) -> f64 {
                CategoricalCrossentropy::default().compute(pass)
            }
            fn config(&self) -> Option<Config> {
                Config::of(self)
            }
        }
    };
}
loss_of_classes!(Silent, Values);
loss_of_classes!(OfProbabilities, Distribution);

#[test]
fn a_file_of_outputs_that_compile_refuses_still_loads() {
    let network = || Sequential::<f32>::new(3).add(Dense::new(2));
    assert!(network().compile(Sgd::default(), OfProbabilities {}).is_err());
    let model = network().compile(Sgd::default(), Silent {}).unwrap();
    let registry = Registry::new().loss::<OfProbabilities>("test.of_classes");
    let loaded = Model::from_bytes_with(&model.to_bytes().unwrap(), &registry).unwrap();
    assert_eq!(loaded.weights(), model.weights());
    // Compiled anew, it is refused.
    assert!(loaded.into_sequential().compile(Sgd::default(), OfProbabilities {}).is_err());
}

#[test]
fn penalties_inside_other_layers_come_back_from_a_file() {
    let inner = Gru::new(2).activity_regularizer(Regularizer::l2(10.0));
    let network = Sequential::<f64>::new([3, 2]).add(Bidirectional::new(inner));
    let model = network.compile(Sgd::default(), MeanSquaredError::default()).unwrap();
    let x = Array3::from_shape_fn((4, 3, 2), |(i, j, k)| (i + 2 * j + 3 * k) as f64 / 7.0 - 0.5);
    let y = Array2::<f64>::zeros((4, 4));
    let loaded: Model<f64> = Model::from_bytes(&model.to_bytes().unwrap()).unwrap();
    assert_eq!(loaded.evaluate(&x, &y).unwrap(), model.evaluate(&x, &y).unwrap());
    let mean = model.predict(&x).unwrap().mapv(|v| v * v).mean().unwrap();
    // The penalty: 10 Σy² over 4 samples, of 16 numbers.
    let (loss, want) = (model.evaluate(&x, &y).unwrap().loss(), mean + 40.0 * mean);
    assert!((loss - want).abs() < 1e-12 * want, "{loss}, want {want}");
}

/// A layer that puts out the last step of a sequence, as one of an earlier version.
#[derive(Debug, Serialize, Deserialize)]
struct LastStep {}

/// The same, which declares that it reads a sequence.
#[derive(Debug, Serialize, Deserialize)]
struct LastStepOfSequence {}

macro_rules! last_step {
    ($layer:ident, $declare:expr) => {
        impl<F: Float> Layer<F> for $layer {
            fn kind(&self) -> &'static str {
                "test.last_step"
            }
            fn plan(&self, input: &Shape) -> Result<Plan> {
                Ok($declare(Plan::output(input.last()).input(input)))
            }
            fn forward(&self, Forward { x, mut y, .. }: Forward<'_, F>) {
                let first = x.ncols() - y.ncols();
                y.assign(&x.slice(s![.., first..]));
            }
            fn backward(&self, Backward { dy, mut dx, .. }: Backward<'_, F>) {
                let first = dx.ncols() - dy.ncols();
                dx.fill(F::zero());
                dx.slice_mut(s![.., first..]).assign(&dy);
            }
            fn config(&self) -> Option<Config> {
                Config::of(self)
            }
        }
    };
}
last_step!(LastStep, |plan: Plan| plan);
last_step!(LastStepOfSequence, Plan::reads_sequence);

#[test]
fn a_file_of_any_layer_in_a_bidirectional_still_loads() {
    let compiled = |layer: Bidirectional<f32>| {
        Sequential::new([3, 2]).add(layer).compile(Sgd::default(), MeanSquaredError::default())
    };
    assert!(compiled(Bidirectional::new(LastStep {})).is_err());
    let model = compiled(Bidirectional::new(LastStepOfSequence {})).unwrap();
    let registry = Registry::new().layer::<LastStep>("test.last_step");
    let loaded = Model::from_bytes_with(&model.to_bytes().unwrap(), &registry).unwrap();
    let x = Array3::from_shape_fn((2, 3, 2), |(i, j, k)| (i + 2 * j + 4 * k) as f32);
    assert_eq!(loaded.predict(&x).unwrap(), model.predict(&x).unwrap());
}
