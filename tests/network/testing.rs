//! The checkers let right layers pass and say of broken ones what is broken.

use axonal::custom::{
    Backward, Forward, Gradient, LossPass, MetricBatch, Mode, Plan, Shape, Step, TargetView, UpdateRule,
};
use axonal::layers::ActivationLayer;
use axonal::linalg::add_rows;
use axonal::losses::*;
use axonal::metrics::{BinaryAccuracy, CategoricalAccuracy, Direction, SparseCategoricalAccuracy};
use axonal::ndarray::{ArrayView2, array, aview1};
use axonal::prelude::*;
use axonal::testing::{
    Check, CheckLoss, Predictions, assert_close, check_layer, check_layer_with, check_loss, check_loss_with,
    check_metric, check_optimizer,
};
use std::sync::atomic::{AtomicU64, Ordering};

/// What is wrong with an otherwise right layer y = x · W + b, W being square.
#[derive(Debug, Clone, Copy, PartialEq)]
enum Bug {
    None,
    KernelNeverWritten,
    KernelTransposed,
    KernelHalved,
    KernelDoubled,
    KernelTimesThree,
    KernelNegated,
    KernelOfLastSampleOnly,
    KernelDividedByBatch,
    KernelTimesBatch,
    KernelAssigned,
    BiasShifted,
    BiasOnlyWhereDxIsNeeded,
    DxLeftInPart,
    DxAddedTo,
    DxNotTransposed,
    YLeftInPart,
    YAddedTo,
    YFromFirstRow,
    CacheNotWritten,
    CacheTooShort,
    OwnRandomness,
    OwnNoiseForTheBatch,
    PlanChanges,
    ActivationTwice,
    NestedActivation,
    RefusesEverything,
}

#[derive(Debug)]
struct Linear(Bug, AtomicU64);

fn linear(bug: Bug) -> Linear {
    Linear(bug, AtomicU64::new(0))
}

fn square<F>(values: &[F]) -> ArrayView2<'_, F> {
    let n = values.len().isqrt();
    ArrayView2::from_shape((n, n), values).unwrap()
}

impl<F: Float> Layer<F> for Linear {
    fn kind(&self) -> &'static str {
        "test.linear"
    }

    fn plan(&self, input: &Shape) -> Result<Plan> {
        let n = input.size();
        if self.0 == Bug::RefusesEverything {
            return Err(Error::shape("test.linear", "nothing at all", input));
        }
        let extra =
            if self.0 == Bug::PlanChanges { self.1.fetch_add(1, Ordering::Relaxed) as usize } else { 0 };
        let plan = Plan::output(n)
            .param("kernel", [n, n], Initializer::GlorotUniform)
            .param("bias", n, Initializer::Zeros)
            .cache(if self.0 == Bug::CacheTooShort { 0 } else { n } + extra);
        Ok(match self.0 {
            Bug::ActivationTwice => plan.activation(Activation::Tanh),
            Bug::NestedActivation => {
                plan.nested("inner", Layer::<F>::plan(&Dense::new(2).activation(Activation::Relu), input)?)
            }
            _ => plan,
        })
    }

    fn forward(&self, Forward { x, mut y, params, cache, mode, .. }: Forward<'_, F>) {
        let n = x.ncols();
        let (kernel, bias) = (square(&params[..n * n]), &params[n * n..]);
        let mut z = x.dot(&kernel);
        for mut row in z.rows_mut() {
            row.iter_mut().zip(bias).for_each(|(z, &b)| *z += b);
        }
        if self.0 == Bug::YFromFirstRow {
            let first = z.row(0).to_owned();
            z.rows_mut().into_iter().for_each(|mut row| row += &first);
        }
        if self.0 == Bug::OwnRandomness {
            z += F::of(1e-3 * self.1.fetch_add(1, Ordering::Relaxed) as f64);
        }
        if let (Bug::OwnNoiseForTheBatch, Mode::Train { rng, .. }) = (self.0, &mode) {
            let mut draws = rng.row(0);
            z.mapv_inplace(|z| z + F::of(draws.normal()));
        }
        match self.0 {
            Bug::YLeftInPart => {
                y.columns_mut().into_iter().zip(z.columns()).skip(1).for_each(|(mut y, z)| y.assign(&z));
            }
            Bug::YAddedTo => y += &z,
            _ => y.assign(&z),
        }
        if self.0 != Bug::CacheNotWritten {
            cache[..x.len()].iter_mut().zip(&x).for_each(|(slot, &x)| *slot = x);
        }
    }

    fn backward(&self, pass: Backward<'_, F>) {
        let Backward { y, mut dy, mut dx, dx_needed, params, grads, cache, .. } = pass;
        let n = y.ncols();
        let batch = F::of(y.nrows() as f64);
        if self.0 == Bug::ActivationTwice {
            dy.zip_mut_with(&y, |dy, &y| *dy *= F::one() - y * y);
        }
        let x = ArrayView2::from_shape(y.dim(), &cache[..y.len()]).unwrap();
        let kernel = square(&params[..n * n]);
        let mut dkernel = x.t().dot(&dy);
        match self.0 {
            Bug::KernelNeverWritten => dkernel.fill(F::zero()),
            Bug::KernelTransposed => dkernel = dkernel.reversed_axes(),
            Bug::KernelHalved => dkernel.mapv_inplace(|v| v / F::of(2.0)),
            Bug::KernelDoubled => dkernel.mapv_inplace(|v| v * F::of(2.0)),
            Bug::KernelTimesThree => dkernel.mapv_inplace(|v| v * F::of(3.0)),
            Bug::KernelNegated => dkernel.mapv_inplace(|v| -v),
            Bug::KernelDividedByBatch => dkernel.mapv_inplace(|v| v / batch),
            Bug::KernelTimesBatch => dkernel.mapv_inplace(|v| v * batch),
            Bug::KernelOfLastSampleOnly => {
                let last = y.nrows() - 1;
                dkernel =
                    axonal::ndarray::Array2::from_shape_fn((n, n), |(i, j)| x[[last, i]] * dy[[last, j]]);
            }
            _ => {}
        }
        for (grad, &value) in grads.iter_mut().zip(&dkernel) {
            *grad = if self.0 == Bug::KernelAssigned { value } else { *grad + value };
        }
        if dx_needed || self.0 != Bug::BiasOnlyWhereDxIsNeeded {
            for row in dy.rows() {
                for (j, &value) in row.iter().enumerate() {
                    let shift = usize::from(self.0 == Bug::BiasShifted);
                    grads[n * n + (j + shift) % n] += value;
                }
            }
        }
        let right = if self.0 == Bug::DxNotTransposed { dy.dot(&kernel) } else { dy.dot(&kernel.t()) };
        match self.0 {
            Bug::DxLeftInPart => {
                dx.columns_mut()
                    .into_iter()
                    .zip(right.columns())
                    .skip(1)
                    .for_each(|(mut to, from)| to.assign(&from));
            }
            Bug::DxAddedTo => dx += &right,
            _ => dx.assign(&right),
        }
    }
}

#[test]
fn right_layers_pass() {
    check_layer(&linear(Bug::None), 4).unwrap();
    check_layer(&Dense::new(3).activation(Activation::Relu), 5).unwrap();
    check_layer(&Dense::new(3).activation(Activation::Softmax), [2, 5]).unwrap();
    check_layer(&Dense::new(3).activation(Activation::Gelu).use_bias(false), 5).unwrap();
    check_layer(&Dropout::new(0.4), [3, 4]).unwrap();
    check_layer(&Flatten::default(), [3, 4]).unwrap();
    check_layer(&ActivationLayer::new(Activation::Mish), 6).unwrap();
    check_layer_with(&Dense::new(2), 3, Check { batch: 1, seed: 9, ..Check::default() }).unwrap();
}

#[test]
#[cfg_attr(panic = "abort", ignore = "catches panics")]
fn broken_layers_are_caught_with_the_right_words() {
    let input = "the gradient toward the input";
    let kernel = "the gradient toward parameter \"kernel\"";
    let bias = "the gradient toward parameter \"bias\"";
    let output = "the output y";
    let cases = [
        (Bug::KernelNeverWritten, kernel, "never written"),
        (Bug::KernelTransposed, kernel, "transposed"),
        (Bug::KernelHalved, kernel, "a factor of two is missing"),
        (Bug::KernelDoubled, kernel, "a factor of two too much"),
        (Bug::KernelTimesThree, kernel, "3.0000 times"),
        (Bug::KernelNegated, kernel, "the sign is wrong"),
        (Bug::KernelOfLastSampleOnly, kernel, "the sum over the batch is missing"),
        (Bug::KernelDividedByBatch, kernel, "divided by the batch size"),
        (Bug::KernelTimesBatch, kernel, "multiplied by the batch size"),
        (Bug::KernelAssigned, kernel, "must add to it"),
        (Bug::BiasShifted, bias, "in the wrong positions"),
        (Bug::BiasOnlyWhereDxIsNeeded, bias, "dx_needed is false for the first layer"),
        (Bug::DxLeftInPart, input, "dx is not overwritten there"),
        (Bug::DxAddedTo, input, "backward adds to dx"),
        (Bug::DxNotTransposed, input, "backward does not differentiate what forward computes"),
        (Bug::YLeftInPart, output, "y is not overwritten there"),
        (Bug::YAddedTo, output, "forward adds to y"),
        (Bug::YFromFirstRow, "the gradient toward", "backward does not differentiate"),
        (Bug::CacheNotWritten, kernel, "backward reads from the cache what forward did not write"),
        (Bug::CacheTooShort, "forward", "the plan declares another length than is used"),
        (Bug::OwnRandomness, output, "random numbers that do not come from the pass"),
        (Bug::OwnNoiseForTheBatch, output, "noise is not drawn by row"),
        (Bug::PlanChanges, "plan", "immutable recipe"),
        (Bug::ActivationTwice, kernel, "backward does not differentiate what forward computes"),
        (Bug::NestedActivation, "plan", "only a container applies"),
        (Bug::RefusesEverything, "plan", "nothing at all"),
    ];
    for (bug, quantity, words) in cases {
        let failure = check_layer(&linear(bug), 4).expect_err("a broken layer passed");
        let message = failure.to_string();
        assert!(message.starts_with("test.linear: "), "{bug:?}: {message}");
        assert!(failure.quantity().starts_with(quantity), "{bug:?}: {message}");
        assert!(message.contains(words), "{bug:?}: {message}");
        assert_eq!(format!("{failure:?}"), message);
    }
}

#[test]
fn a_failure_tells_where_and_both_numbers() {
    let failure = check_layer(&linear(Bug::KernelDoubled), 4).unwrap_err();
    assert_eq!(failure.subject(), "test.linear");
    assert_eq!(failure.index().unwrap().len(), 2);
    let (got, expected) = (failure.got().unwrap(), failure.expected().unwrap());
    assert!((got / expected - 2.0).abs() < 1e-6);
    assert!((failure.relative_error().unwrap() - 0.5).abs() < 1e-6);
    assert!(failure.to_string().contains("(relative error 5.00e-1)"), "{failure}");
    assert_eq!(failure.likely_cause(), "a factor of two too much");
}

/// y = x - moving mean; forward leaves what backward needs only while training.
#[derive(Debug)]
struct Centering;

impl<F: Float> Layer<F> for Centering {
    fn kind(&self) -> &'static str {
        "test.centering"
    }
    fn plan(&self, input: &Shape) -> Result<Plan> {
        Ok(Plan::output(input.clone()).state("mean", 1, Initializer::Zeros).cache(1))
    }
    fn forward(&self, Forward { x, mut y, cache, mode, .. }: Forward<'_, F>) {
        let mean = mode.state()[0];
        y.assign(&x.mapv(|x| (x - mean) * (x - mean)));
        if let Mode::Train { state, .. } = mode {
            cache.fill(mean);
            state[0] = F::of(0.5);
        }
    }
    fn backward(&self, Backward { x, dy, mut dx, cache, .. }: Backward<'_, F>) {
        dx.assign(&dy);
        dx.zip_mut_with(&x, |dx, &x| *dx *= F::of(2.0) * (x - cache[0]));
    }
}

#[test]
fn a_frozen_layer_that_cannot_be_trained_through_is_caught() {
    let message = check_layer(&Centering, 3).unwrap_err().to_string();
    assert!(
        message.contains("forward leaves nothing in the cache for backward during inference"),
        "{message}"
    );
}

/// A batch's mean taken away, without saying that samples depend on each other.
#[derive(Debug)]
struct BatchMean(bool);

impl<F: Float> Layer<F> for BatchMean {
    fn kind(&self) -> &'static str {
        "test.batch_mean"
    }
    fn plan(&self, input: &Shape) -> Result<Plan> {
        let plan = Plan::output(input.clone());
        Ok(if self.0 { plan.rows_depend() } else { plan })
    }
    fn forward(&self, Forward { x, mut y, .. }: Forward<'_, F>) {
        let mean = x.sum_axis(axonal::ndarray::Axis(0)) / F::of(x.nrows() as f64);
        y.assign(&(&x - &mean));
    }
    fn backward(&self, Backward { dy, mut dx, .. }: Backward<'_, F>) {
        let mean = dy.sum_axis(axonal::ndarray::Axis(0)) / F::of(dy.nrows() as f64);
        dx.assign(&(&dy - &mean));
    }
}

#[test]
fn samples_that_depend_on_each_other_must_say_so() {
    check_layer(&BatchMean(true), 3).unwrap();
    let message = check_layer(&BatchMean(false), 3).unwrap_err().to_string();
    assert!(message.contains("the plan should declare rows_depend"), "{message}");
}

#[test]
fn losses_of_the_library_pass() {
    check_loss(&MeanSquaredError::default(), 3).unwrap();
    check_loss(&MeanAbsoluteError::default(), [2, 3]).unwrap();
    check_loss(&BinaryCrossentropy::default(), 3).unwrap();
    check_loss(&CategoricalCrossentropy::default(), 4).unwrap();
    check_loss(&SparseCategoricalCrossentropy::default(), [2, 4]).unwrap();
    let unit = CheckLoss { predictions: Predictions::Unit, ..CheckLoss::default() };
    check_loss_with(&MeanSquaredError::default(), 3, unit).unwrap();
    check_loss(&Huber::default(), 3).unwrap();
    check_loss(&LogCosh::default(), 3).unwrap();
    check_loss(&CosineSimilarity::default(), 3).unwrap();
    check_loss(&Hinge::default(), 3).unwrap();
    check_loss(&SquaredHinge::default(), 3).unwrap();
    check_loss(&CategoricalHinge::default(), 4).unwrap();
    check_loss(&BinaryFocalCrossentropy::default(), 3).unwrap();
    check_loss(&CategoricalFocalCrossentropy::default(), 4).unwrap();
    check_loss_with(&MeanAbsolutePercentageError::default(), 3, unit).unwrap();
    check_loss_with(&MeanSquaredLogarithmicError::default(), 3, unit).unwrap();
    check_loss_with(&Poisson::default(), 3, unit).unwrap();
    let whole_batch = CheckLoss { whole_batch: true, ..unit };
    check_loss_with(&Dice::default(), 3, whole_batch).unwrap();
    check_loss_with(&Tversky::default().alpha(0.3).beta(0.9), 3, whole_batch).unwrap();
    let message = check_loss_with(&Dice::default(), 3, unit).unwrap_err().to_string();
    assert!(message.contains("a sample of weight 0"), "{message}");
    let simplex = CheckLoss { predictions: Predictions::Simplex, ..CheckLoss::default() };
    check_loss_with(&KlDivergence::default(), 4, simplex).unwrap();
}

/// The mean squared error with something wrong.
#[derive(Debug)]
struct Squared(&'static str);

impl<F: Float> Loss<F> for Squared {
    fn kind(&self) -> &'static str {
        "test.squared"
    }
    fn compute(&self, pass: LossPass<'_, F>) -> f64 {
        let TargetView::Values(targets) = pass.targets else { return f64::NAN };
        let error = &pass.prediction - &targets;
        let count = F::of(error.len() as f64);
        let weight = |row: usize| pass.weights.map_or(F::one(), |weights| weights[row]);
        let mut slope = error.mapv(|e| (e + e) / count);
        let mut value = 0.0;
        for (row, (e, mut slope)) in error.rows().into_iter().zip(slope.rows_mut()).enumerate() {
            value += (e.mapv(|e| e * e).sum() * weight(row) / count).as_f64();
            if self.0 != "weights" {
                slope.mapv_inplace(|v| v * weight(row));
            }
        }
        if let Some(mut gradient) = pass.gradient {
            match self.0 {
                "half" => gradient.assign(&slope.mapv(|v| v / F::of(2.0))),
                "added" => gradient += &slope,
                "sum" => gradient.assign(&slope.mapv(|v| v * F::of(targets.nrows() as f64))),
                _ => gradient.assign(&slope),
            }
        } else if self.0 == "value" {
            value += 1.0;
        }
        value
    }
}

#[test]
fn broken_losses_are_caught_with_the_right_words() {
    check_loss(&Squared("nothing"), 3).unwrap();
    let cases = [
        ("half", "a factor of two"),
        ("added", "not overwritten"),
        ("sum", "the mean over the batch"),
        ("weights", "the sample weights are not used"),
        ("value", "differs when no gradient is requested"),
    ];
    for (wrong, words) in cases {
        let message = check_loss(&Squared(wrong), 3).unwrap_err().to_string();
        assert!(message.starts_with("test.squared: ") && message.contains(words), "{wrong}: {message}");
    }
}

#[test]
fn metrics_of_the_library_pass() {
    check_metric(&Accuracy::default(), 4).unwrap();
    check_metric(&BinaryAccuracy::default(), 1).unwrap();
    check_metric(&CategoricalAccuracy::default(), 4).unwrap();
    check_metric(&SparseCategoricalAccuracy::default(), [2, 4]).unwrap();
}

/// The mean output, with something wrong.
#[derive(Debug)]
struct MeanOutput(&'static str);

impl<F: Float> Metric<F> for MeanOutput {
    fn kind(&self) -> &'static str {
        "test.mean_output"
    }
    fn totals(&self, _: &Shape) -> usize {
        2
    }
    fn update(&self, batch: MetricBatch<'_, F>, totals: &mut [f64]) {
        if self.0 == "assigned" {
            totals.fill(0.0);
        }
        for (row, outputs) in batch.prediction.rows().into_iter().enumerate() {
            let weight = if self.0 == "weights" { 1.0 } else { batch.weight(row) };
            totals[0] += weight * outputs.iter().map(|v| v.as_f64()).sum::<f64>();
            totals[1] += weight;
        }
    }
    fn value(&self, totals: &[f64]) -> f64 {
        if self.0 == "value" { f64::NAN } else { totals[0] / totals[1] }
    }
    fn direction(&self) -> Direction {
        Direction::Up
    }
}

#[test]
fn broken_metrics_are_caught_with_the_right_words() {
    check_metric(&MeanOutput("nothing"), 3).unwrap();
    for (wrong, words) in [
        ("weights", "the weights (MetricBatch::weight) are not used"),
        ("assigned", "two halves"),
        ("value", "is NaN"),
    ] {
        let message = check_metric(&MeanOutput(wrong), 1).map(|()| "nothing").unwrap_err().to_string();
        assert!(message.starts_with("test.mean_output: ") && message.contains(words), "{wrong}: {message}");
    }
}

#[test]
fn optimizers_of_the_library_pass() {
    check_optimizer(Sgd::default().rule()).unwrap();
    check_optimizer(Adam::default().rule()).unwrap();
    check_optimizer(RmsProp::default().rule()).unwrap();
}

/// A bias per feature whose gradient is computed by rows, with a defect.
#[derive(Debug)]
struct Shifted(&'static str);

impl<F: Float> Layer<F> for Shifted {
    fn kind(&self) -> &'static str {
        "test.shifted"
    }
    fn plan(&self, input: &Shape) -> Result<Plan> {
        let plan = Plan::output(input.clone()).param("shift", input.clone(), Initializer::Zeros);
        Ok(plan.gradient_rows(if self.0 == "length" { input.size() + 1 } else { 1 }).adds_gradients())
    }
    fn forward(&self, Forward { x, mut y, params, .. }: Forward<'_, F>) {
        y.assign(&(&x + &aview1(params)));
    }
    fn backward(&self, Backward { dy, mut dx, grads_needed, grads, .. }: Backward<'_, F>) {
        if grads_needed {
            add_rows(dy.view(), grads);
        }
        if grads_needed || self.0 != "dx" {
            dx.assign(&dy);
        }
    }
    fn gradient(&self, Gradient { dy, rows, grads, add, .. }: Gradient<'_, F>) {
        let rows = if self.0 == "first" { 0..rows.len() } else { rows };
        if add && self.0 != "overwritten" {
            return grads.iter_mut().zip(rows).for_each(|(g, row)| *g += dy.column(row).sum());
        }
        match self.0 {
            "missing" => {}
            "beyond" => add_rows(dy.view(), grads),
            _ => grads.iter_mut().zip(rows).for_each(|(g, row)| *g = dy.column(row).sum()),
        }
    }
}

#[test]
#[cfg_attr(panic = "abort", ignore = "catches panics")]
fn wrong_gradients_by_rows_are_caught_with_the_right_words() {
    check_layer(&Shifted("nothing"), 6).unwrap();
    for (wrong, words) in [
        ("missing", "does not overwrite these rows"),
        ("first", "or in which rows they mean"),
        ("beyond", "panicked"),
        ("dx", "where the parameters' is not needed"),
        ("overwritten", "where it is added to existing gradients"),
        ("length", "does not divide the parameters"),
    ] {
        let message = check_layer(&Shifted(wrong), 6).unwrap_err().to_string();
        assert!(message.starts_with("test.shifted: ") && message.contains(words), "{wrong}: {message}");
    }
    let model = Sequential::<f64>::new(6).add(Shifted("length"));
    let message = model.compile(Sgd::default(), MeanSquaredError::default()).unwrap_err().to_string();
    assert!(message.contains("expected a multiple of 7 parameters"), "{message}");
}

/// Gradient descent, with something wrong.
#[derive(Debug)]
struct Descent(&'static str, AtomicU64);

impl<F: Float> UpdateRule<F> for Descent {
    fn kind(&self) -> &'static str {
        "test.descent"
    }
    fn moments(&self) -> Vec<f64> {
        if self.0 == "moments" { vec![f64::INFINITY] } else { Vec::new() }
    }
    fn elementwise(&self) -> bool {
        self.0 == "norm"
    }
    fn linear(&self, learning_rate: f64) -> Option<f64> {
        (self.0 == "linear").then_some(learning_rate)
    }
    fn update(&self, Step { params, grads, learning_rate, .. }: Step<'_, F>) {
        let mut rate = F::of(learning_rate) * if self.0 == "sign" { -F::one() } else { F::one() };
        if self.0 == "norm" {
            rate /= F::one() + grads.iter().fold(F::zero(), |sum, &g| sum + g.abs());
        }
        let kept = F::of(self.1.fetch_add(1, Ordering::Relaxed) as f64);
        for (w, &g) in params.iter_mut().zip(grads) {
            match self.0 {
                "division" => *w -= rate * g / g.abs(),
                "kept" => *w -= rate * g * kept,
                _ => *w -= rate * g,
            }
        }
    }
}

#[test]
fn broken_optimizers_are_caught_with_the_right_words() {
    let descent = |wrong| Descent(wrong, AtomicU64::new(0));
    check_optimizer(&descent("nothing")).unwrap();
    for (wrong, words) in [
        ("sign", "do not lead downhill"),
        ("division", "a division without an epsilon"),
        ("kept", "a number kept inside the rule"),
        ("moments", "start with inf"),
        ("norm", "so it is not elementwise"),
        ("linear", "another factor than update moves by"),
    ] {
        let message = check_optimizer(&descent(wrong)).unwrap_err().to_string();
        assert!(message.starts_with("test.descent: ") && message.contains(words), "{wrong}: {message}");
    }
}

#[test]
#[cfg_attr(panic = "abort", ignore = "catches panics")]
fn close_arrays_pass_and_others_are_named_by_their_worst_place() {
    assert_close(&array![1.0, 1000.0], &array![1.0 + 1e-7, 1000.0 + 1e-4], 1e-6);
    let panic = std::panic::catch_unwind(|| {
        assert_close(&array![[1.0, 2.0], [3.0, 4.0]], &array![[1.0, 2.1], [3.0, 5.0]], 1e-6);
    });
    let message = panic.unwrap_err().downcast_ref::<String>().unwrap().clone();
    assert!(message.contains("at [1, 1]: expected 5e0, got 4e0"), "{message}");
    assert!(std::panic::catch_unwind(|| assert_close(&array![f64::NAN], &array![1.0], 1.0)).is_err());
    assert!(std::panic::catch_unwind(|| assert_close(&array![1.0], &array![1.0, 2.0], 1.0)).is_err());
}
