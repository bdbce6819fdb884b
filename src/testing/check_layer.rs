//! The contract of a layer, tried.

use super::diagnosis::Symptoms;
use super::finite_difference::{Comparison, close, compare_again, first};
use super::harness::{Harness, Passed, Purpose, Returned};
use super::{CheckFailure, normals, unravel};
use crate::nn::layer::{ActivityPenalty, Backward, Carry, Forward, Gradient, Layer, MaskPass, Plan, Shape};
use crate::rng::{Purpose as Use, Rng, RowRng};
use std::ops::Range;

/// How thoroughly [`check_layer_with`] looks.
///
/// # Examples
/// ```
/// use axonal::prelude::*;
/// use axonal::testing::{Check, check_layer_with};
///
/// check_layer_with(&Dense::new(3), 4, Check { batch: 2, seed: 7, ..Check::default() }).unwrap();
/// ```
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Check {
    /// Samples in a batch; 5 by default. A batch of 1 is compared with it.
    pub batch: usize,
    /// The relative error allowed between a gradient and its central difference; 1e-6 by default.
    pub tolerance: f64,
    /// Where the inputs, parameters and noise come from.
    pub seed: u64,
    /// For layers whose input is an index: inputs are whole numbers below this, and have no gradient.
    pub integers: Option<usize>,
    /// How many numbers of each gradient are compared at most, drawn at random; 500 by default.
    pub most: usize,
}

impl Default for Check {
    fn default() -> Self {
        Self { batch: 5, tolerance: 1e-6, seed: 0, integers: None, most: 500 }
    }
}

impl Check {
    /// Creates the default settings.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }
}

/// Tries the whole contract of a layer on samples of this shape; see [`check_layer_with`].
///
/// # Errors
/// What is wrong, with the likely cause.
///
/// # Examples
/// ```
/// use axonal::prelude::*;
/// use axonal::testing::check_layer;
///
/// check_layer(&Dense::new(3).activation(Activation::Gelu), 5).unwrap();
/// ```
pub fn check_layer<L: Layer<f64> + ?Sized>(layer: &L, shape: impl Into<Shape>) -> Result<(), CheckFailure> {
    check_layer_with(layer, shape, Check::default())
}

/// Tries the whole contract of a layer, in `f64`, with a declared activation applied as a container does:
///
/// - `plan` accepts the shape, and says the same twice;
/// - `forward` overwrites all of `y` (which holds NaN before), is finite, and answers the same twice;
/// - the gradients toward the input and toward every parameter are those of central differences, in training
///   and, for a layer with state, after an inference too (which is how a frozen layer is trained through);
/// - `backward` overwrites all of `dx`, reads nothing from the cache that `forward` did not write, adds to the
///   gradients (they double when it runs twice), and gives the same ones where `dx` is not needed;
/// - where the plan declares rows of gradients, `gradient` by rows equals `backward` as a whole;
/// - a sample's answer, noise and gradients do not depend on the samples beside it, unless the plan says so;
/// - where the plan declares nested penalties, `activity_penalty` is a part of what the gradients are those of;
/// - nothing is written outside the slices, and inference leaves the state as it is;
/// - where the plan declares that the layer uses a mask, all of this holds under one as well; a mask that the layer makes
///   is overwritten whole.
///
/// Inputs and parameters are random, so kinks (of relu, of a maximum) are almost never hit; where one is, any
/// slope between those of its two sides is right.
///
/// # Errors
/// What is wrong, with the likely cause.
pub fn check_layer_with<L: Layer<f64> + ?Sized>(
    layer: &L,
    shape: impl Into<Shape>,
    check: Check,
) -> Result<(), CheckFailure> {
    inspect(&Borrowed(layer), shape.into(), check)
}

/// A layer behind a reference. The checker is compiled once, for any layer, and not for each anew.
#[derive(Debug)]
struct Borrowed<'a, L: ?Sized>(&'a L);

impl<L: Layer<f64> + ?Sized> Layer<f64> for Borrowed<'_, L> {
    fn kind(&self) -> &'static str {
        self.0.kind()
    }

    fn plan(&self, input: &Shape) -> crate::error::Result<Plan> {
        self.0.plan(input)
    }

    fn forward(&self, pass: Forward<'_, f64>) {
        self.0.forward(pass);
    }

    fn backward(&self, pass: Backward<'_, f64>) {
        self.0.backward(pass);
    }

    fn gradient(&self, pass: Gradient<'_, f64>) {
        self.0.gradient(pass);
    }

    fn mask(&self, pass: MaskPass<'_, f64>) {
        self.0.mask(pass);
    }

    fn carry(&self, pass: Carry<'_, f64>) {
        self.0.carry(pass);
    }

    fn activity_penalty(&self, pass: ActivityPenalty<'_, f64>) -> f64 {
        self.0.activity_penalty(pass)
    }
}

fn inspect(layer: &dyn Layer<f64>, shape: Shape, check: Check) -> Result<(), CheckFailure> {
    let fail = |problem: String| CheckFailure::new(layer.kind(), "plan", problem);
    let plan = layer.plan(&shape).map_err(|error| fail(format!("refuses samples of {shape}: {error}")))?;
    let again = layer
        .plan(&shape)
        .map_err(|error| fail(format!("refuses samples of {shape} when called a second time: {error}")))?;
    if format!("{plan:?}") != format!("{again:?}") {
        return Err(fail("returns another plan when called a second time".into())
            .cause("a layer is an immutable recipe; what changes belongs into its state"));
    }
    if let Some(problem) = plan.problem() {
        return Err(fail(format!("is not valid: expected {}, got {problem}", plan.expected())));
    }
    if let Some((expected, got)) = plan.refusal() {
        return Err(fail(format!("is refused by compile, which expects {expected}: {got}")));
    }
    let plan = plan.input(shape);
    let batch = plan.batch_size().unwrap_or(check.batch.max(1));
    let harness = Harness {
        layer,
        samples: batch,
        params: parameters(&plan, check.seed),
        state: state(&plan, check.seed),
        rng: RowRng::new(check.seed, 1, 1),
        plan: &plan,
        real: Vec::new(),
    };
    let mut inspection = Inspection { harness, check: Check { batch, ..check } };
    inspection.whole()?;
    if plan.declares_using_mask() {
        let mut rng = Rng::new(check.seed, Use::Other, 3);
        let positions = inspection.harness.positions();
        let all = inspection.check.batch * positions;
        inspection.harness.real = (0..all).map(|_| rng.uniform() < 0.6).collect();
        let under_mask = |failure: CheckFailure| failure.under_mask(&inspection.harness.real, positions);
        inspection.whole().map_err(under_mask)?;
    }
    Ok(())
}

/// The initial parameters, moved off zeros and ones.
fn parameters(plan: &Plan, seed: u64) -> Vec<f64> {
    let mut params = Vec::new();
    for (index, spec) in plan.params().iter().enumerate() {
        let mut rng = Rng::new(seed, Use::Initialization, index as u64);
        let mut values = vec![0.0; spec.shape.size()];
        spec.initializer.fill(spec.shape.dims(), &mut rng, &mut values);
        params.extend(values.iter().map(|value| value + 0.5 * rng.normal()));
    }
    params
}

/// The initial state, moved upward, because variances must stay positive.
fn state(plan: &Plan, seed: u64) -> Vec<f64> {
    let mut state = Vec::new();
    for (index, spec) in plan.state_specs().iter().enumerate() {
        let mut rng = Rng::new(seed, Use::Initialization, 1000 + index as u64);
        let mut values = vec![0.0; spec.shape.size()];
        spec.initializer.fill(spec.shape.dims(), &mut rng, &mut values);
        state.extend(values.iter().map(|value| value + 0.1 + 0.5 * rng.uniform()));
    }
    state
}

/// The outputs, and the penalties on those of layers inside.
fn with_penalty(passed: Passed) -> Vec<f64> {
    let mut outputs = passed.y;
    outputs.push(passed.penalty);
    outputs
}

/// A layer under inspection.
struct Inspection<'a> {
    harness: Harness<'a>,
    check: Check,
}

/// One gradient: of the input, or of one parameter.
struct Differentiated {
    name: String,
    /// Its shape, with the batch axis first for the input.
    dims: Vec<usize>,
    /// Its place in the parameters; `None` for the input.
    range: Option<Range<usize>>,
}

impl Inspection<'_> {
    /// Tries everything.
    fn whole(&self) -> Result<(), CheckFailure> {
        self.mask_is_overwritten()?;
        self.forward_overwrites(Purpose::Train)?;
        self.forward_overwrites(Purpose::Infer)?;
        self.gradients(Purpose::Train)?;
        if !self.harness.state.is_empty() {
            self.gradients(Purpose::Infer)?;
        }
        if self.harness.plan.rows_independent() {
            self.rows_stand_alone(Purpose::Train)?;
            self.rows_stand_alone(Purpose::Infer)?;
        }
        Ok(())
    }

    fn mask_is_overwritten(&self) -> Result<(), CheckFailure> {
        let Some(mask) = self.harness.plan.mask_shape() else { return Ok(()) };
        let x = self.x(self.check.batch);
        let [first, second] = [self.harness.made_mask(&x, true)?, self.harness.made_mask(&x, false)?];
        match first.iter().zip(&second).position(|(first, second)| first != second) {
            None => Ok(()),
            Some(index) => {
                let place = unravel(index, &[&[self.check.batch], mask.dims()].concat());
                Err(self.fail("the mask", "is not overwritten").at(place))
            }
        }
    }

    fn fail(&self, quantity: impl Into<String>, problem: impl Into<String>) -> CheckFailure {
        CheckFailure::new(self.harness.layer.kind(), quantity, problem)
    }

    /// The samples that all is tried on.
    #[allow(clippy::cast_precision_loss, reason = "indices of a test are small")]
    fn x(&self, batch: usize) -> Vec<f64> {
        let mut rng = Rng::new(self.check.seed, Use::Other, 0);
        let len = batch * self.harness.inputs();
        match self.check.integers {
            Some(bound) => (0..len).map(|_| rng.below(bound) as f64).collect(),
            None => normals(&mut rng, len),
        }
    }

    /// The gradient toward the output: random, so that no mistake cancels out.
    fn dy(&self, batch: usize) -> Vec<f64> {
        normals(&mut Rng::new(self.check.seed, Use::Other, 1), batch * self.harness.outputs())
    }

    /// The output's place, with the batch axis first.
    fn output_place(&self, index: usize, batch: usize) -> Vec<usize> {
        unravel(index, &[&[batch], self.harness.plan.output_shape().dims()].concat())
    }

    fn forward_overwrites(&self, purpose: Purpose) -> Result<(), CheckFailure> {
        let batch = self.check.batch;
        let x = self.x(batch);
        let passed = self.harness.forward(purpose, &x, 0, f64::NAN)?;
        if let Some(index) = passed.z.iter().position(|v| !v.is_finite()) {
            let zero = self.harness.forward(purpose, &x, 0, 0.0)?.z;
            let one = self.harness.forward(purpose, &x, 0, 1.0)?.z;
            let cause = match (zero.get(index), one.get(index)) {
                (Some(&zero), Some(&one)) if zero == 0.0 && one == 1.0 => "y is not overwritten there",
                (Some(&zero), Some(&one)) if close(one - zero, 1.0, 1e-9, 1.0) => {
                    "forward adds to y, which is not overwritten"
                }
                (Some(zero), Some(one)) if zero.is_finite() && one.is_finite() => {
                    "forward reads y or the cache before it writes them"
                }
                _ => "the formula is not finite for ordinary inputs",
            };
            let problem = format!("is {}", passed.z[index]);
            return Err(self.fail("the output y", problem).at(self.output_place(index, batch)).cause(cause));
        }
        if let Some(index) = passed.state.iter().position(|v| !v.is_finite()) {
            let problem = format!("became {}", passed.state[index]);
            return Err(self.fail("the state", problem).at(vec![index]));
        }
        let same = |a: &[f64], b: &[f64]| a.iter().zip(b).position(|(a, b)| a.to_bits() != b.to_bits());
        let again = self.harness.forward(purpose, &x, 0, f64::NAN)?;
        if let Some(index) = same(&passed.z, &again.z) {
            return Err(self
                .fail("the output y", "is another the second time")
                .at(self.output_place(index, batch))
                .numbers(again.z[index], passed.z[index])
                .cause("random numbers that do not come from the pass, or a number kept inside the layer"));
        }
        if purpose == Purpose::Infer
            && let Some(index) = same(&passed.state, &self.harness.state)
        {
            return Err(self.fail("the state", "changed during inference").at(vec![index]));
        }
        Ok(())
    }

    /// The gradients toward the input and all parameters, in every respect.
    fn gradients(&self, purpose: Purpose) -> Result<(), CheckFailure> {
        let batch = self.check.batch;
        let (x, dy) = (self.x(batch), self.dy(batch));
        let passed = self.harness.forward(purpose, &x, 0, f64::NAN)?;
        let zeros = vec![0.0; self.harness.params.len()];
        let returned = self.harness.backward(&passed, &dy, &zeros, f64::NAN, true)?;
        self.finite(purpose, &passed, &dy, &returned)?;
        self.doubles(&passed, &dy, &returned)?;
        let unneeded = self.harness.backward(&passed, &dy, &zeros, f64::NAN, false)?;
        if let Some(index) =
            (0..zeros.len()).find(|&index| !close(unneeded.grads[index], returned.grads[index], 1e-9, 1e-6))
        {
            return Err(self
                .in_parameter(index, "is another where dx is not needed")
                .numbers(unneeded.grads[index], returned.grads[index])
                .cause("dx_needed is false for the first layer: only dx may be left out then"));
        }
        self.rows_agree(&passed, &dy, &returned)?;
        for gradient in self.each_gradient(batch) {
            self.differentiates(purpose, &gradient, &passed, &dy, &returned)?;
        }
        Ok(())
    }

    /// The gradients by rows are those of the whole.
    fn rows_agree(&self, passed: &Passed, dy: &[f64], whole: &Returned) -> Result<(), CheckFailure> {
        let Some(row) = self.harness.plan.declared_gradient_rows() else { return Ok(()) };
        if self.harness.params.len().checked_rem(row) != Some(0) {
            let problem = format!("declares rows of {row} for {} parameters", self.harness.params.len());
            return Err(self.fail("plan", problem).cause("gradient_rows does not divide the parameters"));
        }
        let parts = self.harness.by_rows(passed, dy, row, false)?;
        for (index, (&got, &want)) in parts.grads.iter().zip(&whole.grads).enumerate() {
            if !close(got, want, 1e-9, 1e-6) {
                let cause = if got.is_nan() {
                    "gradient does not overwrite these rows (or the layer declares gradient_rows without it)"
                } else {
                    "gradient and backward differ in their formula, or in which rows they mean"
                };
                let problem = "is another by rows";
                return Err(self.in_parameter(index, problem).numbers(got, want).cause(cause));
            }
        }
        if self.harness.plan.declares_adding_gradients() {
            let added = self.harness.by_rows(passed, dy, row, true)?;
            let differs =
                added.grads.iter().zip(&whole.grads).position(|(&got, &want)| !close(got, want, 1e-9, 1e-6));
            if let Some(index) = differs {
                return Err(self
                    .in_parameter(index, "differs where it is added to existing gradients")
                    .numbers(added.grads[index], whole.grads[index])
                    .cause("gradient overwrites although add is true, or adds a part of it only"));
            }
        }
        match parts.dx.iter().zip(&whole.dx).position(|(&got, &want)| !close(got, want, 1e-9, 1e-6)) {
            None => Ok(()),
            Some(index) => Err(self
                .fail("the gradient toward the input", "is another where the parameters' is not needed")
                .at(unravel(index, &[&[passed.batch], self.harness.plan.input_shape().dims()].concat()))
                .numbers(parts.dx[index], whole.dx[index])
                .cause(
                    "grads_needed is false: only the gradients toward the parameters may be left out then",
                )),
        }
    }

    fn each_gradient(&self, batch: usize) -> Vec<Differentiated> {
        let mut start = 0;
        let mut all: Vec<Differentiated> = self
            .harness
            .plan
            .params()
            .iter()
            .map(|spec| {
                let range = start..start + spec.shape.size();
                start = range.end;
                let name = format!("the gradient toward parameter {:?}", spec.name);
                Differentiated { name, dims: spec.shape.dims().to_vec(), range: Some(range) }
            })
            .collect();
        if self.check.integers.is_none() {
            let dims = [&[batch], self.harness.plan.input_shape().dims()].concat();
            all.push(Differentiated { name: "the gradient toward the input".into(), dims, range: None });
        }
        all
    }

    /// A failure at a place of the parameters.
    fn in_parameter(&self, index: usize, problem: impl Into<String>) -> CheckFailure {
        for gradient in self.each_gradient(1) {
            if let Some(range) = gradient.range.filter(|range| range.contains(&index)) {
                let place = unravel(index - range.start, &gradient.dims);
                return self.fail(gradient.name, problem).at(place);
            }
        }
        self.fail("the gradient toward the parameters", problem)
    }

    fn finite(
        &self,
        purpose: Purpose,
        passed: &Passed,
        dy: &[f64],
        returned: &Returned,
    ) -> Result<(), CheckFailure> {
        let from_cache = match purpose {
            Purpose::Train => "backward reads from the cache what forward did not write",
            Purpose::Infer => {
                "forward leaves nothing in the cache for backward during inference; a frozen layer with state \
                 is trained through in that mode"
            }
        };
        if let Some(index) = returned.dx.iter().position(|v| !v.is_finite()) {
            let dims = [&[passed.batch], self.harness.plan.input_shape().dims()].concat();
            let zeros = vec![0.0; self.harness.params.len()];
            let zero = self.harness.backward(passed, dy, &zeros, 0.0, true)?.dx[index];
            let one = self.harness.backward(passed, dy, &zeros, 1.0, true)?.dx[index];
            let cause = if zero == 0.0 && one == 1.0 {
                "dx is not overwritten there"
            } else if close(one - zero, 1.0, 1e-9, 1.0) {
                "backward adds to dx, which must be overwritten"
            } else {
                from_cache
            };
            let problem = format!("is {}", returned.dx[index]);
            let place = unravel(index, &dims);
            return Err(self.fail("the gradient toward the input", problem).at(place).cause(cause));
        }
        match returned.grads.iter().position(|v| !v.is_finite()) {
            None => Ok(()),
            Some(index) => {
                let problem = format!("is {}", returned.grads[index]);
                Err(self.in_parameter(index, problem).cause(from_cache))
            }
        }
    }

    /// Run twice, the gradients double; and nothing else changes.
    fn doubles(&self, passed: &Passed, dy: &[f64], once: &Returned) -> Result<(), CheckFailure> {
        let twice = self.harness.backward(passed, dy, &once.grads, f64::NAN, true)?;
        // A gradient that is zero but for rounding, as that of a key's bias, doubles only roughly.
        let largest = once.grads.iter().fold(0.0_f64, |largest, g| largest.max(g.abs()));
        let scale = (1e-3 * largest).max(1e-9);
        for (index, (&twice, &once)) in twice.grads.iter().zip(&once.grads).enumerate() {
            if close(twice, 2.0 * once, 1e-9, scale) {
                continue;
            }
            let cause = if close(twice, once, 1e-9, scale) {
                "the gradient is assigned; backward must add to it"
            } else {
                "backward does not add to the gradient (it must neither be read otherwise nor be overwritten)"
            };
            let problem = "does not double when backward runs twice";
            return Err(self.in_parameter(index, problem).numbers(twice, 2.0 * once).cause(cause));
        }
        Ok(())
    }

    /// One gradient against central differences.
    fn differentiates(
        &self,
        purpose: Purpose,
        gradient: &Differentiated,
        passed: &Passed,
        dy: &[f64],
        returned: &Returned,
    ) -> Result<(), CheckFailure> {
        let all = match &gradient.range {
            Some(range) => &returned.grads[range.clone()],
            None => &returned.dx,
        };
        let places = self.places(all.len());
        let got: Vec<f64> = places.iter().map(|&place| all[place]).collect();
        let mut want = Vec::with_capacity(places.len());
        // The penalties on outputs of layers inside are one more output.
        let dy_and_penalty = [dy, &[1.0]].concat();
        for &place in &places {
            want.push(first(&dy_and_penalty, &mut self.moved(purpose, gradient, passed, place))?);
        }
        #[allow(clippy::cast_precision_loss, reason = "a count of a test is small")]
        let scale = (want.iter().map(|w| w * w).sum::<f64>() / want.len().max(1) as f64).sqrt().max(1e-3);
        let mut worst: Option<(usize, f64)> = None;
        for (at, &place) in places.iter().enumerate() {
            if close(got[at], want[at], self.check.tolerance, scale) {
                continue;
            }
            let outputs = &mut self.moved(purpose, gradient, passed, place);
            match compare_again(got[at], &dy_and_penalty, self.check.tolerance, scale, outputs)? {
                Comparison::Agrees => want[at] = got[at],
                Comparison::Differs(value) => {
                    let error = (got[at] - value).abs();
                    if worst.is_none_or(|(at, _)| error > (got[at] - want[at]).abs()) {
                        worst = Some((at, value));
                    }
                }
            }
        }
        let Some((at, value)) = worst else { return Ok(()) };
        let whole = places.len() == all.len();
        let symptoms = Symptoms {
            got: &got,
            want: &want,
            dims: whole.then_some(&gradient.dims),
            batch: passed.batch,
            per_sample: &self.per_sample(purpose, gradient, passed, dy, &places)?,
        };
        let problem = match purpose {
            Purpose::Train => "is not the central difference",
            Purpose::Infer => "is not the central difference after an inference (as in a frozen layer)",
        };
        Err(self
            .fail(gradient.name.clone(), problem)
            .at(unravel(places[at], &gradient.dims))
            .numbers(got[at], value)
            .cause(symptoms.cause()))
    }

    /// The positions to compare: all of them, or a random sample.
    fn places(&self, len: usize) -> Vec<usize> {
        if len <= self.check.most {
            return (0..len).collect();
        }
        let mut places = Rng::new(self.check.seed, Use::Other, 2).permutation(len);
        places.truncate(self.check.most);
        places
    }

    /// The activated outputs with one number of the parameters or of the input moved.
    fn moved<'b>(
        &'b self,
        purpose: Purpose,
        gradient: &'b Differentiated,
        passed: &'b Passed,
        place: usize,
    ) -> impl FnMut(f64) -> Result<Vec<f64>, CheckFailure> + 'b {
        move |step| match &gradient.range {
            Some(range) => {
                let mut params = self.harness.params.clone();
                params[range.start + place] += step;
                let Harness { layer, plan, rng, samples, .. } = self.harness;
                let (state, real) = (self.harness.state.clone(), self.harness.real.clone());
                let harness = Harness { layer, plan, params, state, rng, samples, real };
                Ok(with_penalty(harness.forward(purpose, &passed.x, 0, f64::NAN)?))
            }
            None => {
                let mut x = passed.x.clone();
                x[place] += step;
                Ok(with_penalty(self.harness.forward(purpose, &x, 0, f64::NAN)?))
            }
        }
    }

    /// What each sample alone adds to the gradient of a parameter.
    fn per_sample(
        &self,
        purpose: Purpose,
        gradient: &Differentiated,
        passed: &Passed,
        dy: &[f64],
        places: &[usize],
    ) -> Result<Vec<Vec<f64>>, CheckFailure> {
        let Some(range) = &gradient.range else { return Ok(Vec::new()) };
        let (inputs, outputs) = (self.harness.inputs(), self.harness.outputs());
        let zeros = vec![0.0; self.harness.params.len()];
        let alone = |row: usize| {
            let x = &passed.x[row * inputs..][..inputs];
            let passed = self.harness.forward(purpose, x, row, f64::NAN)?;
            let dy = &dy[row * outputs..][..outputs];
            let grads = self.harness.backward(&passed, dy, &zeros, 0.0, true)?.grads;
            Ok(places.iter().map(|place| grads[range.start + place]).collect())
        };
        (0..passed.batch).map(alone).collect()
    }

    /// Each sample by itself has the answer and the gradients that it has in the batch.
    fn rows_stand_alone(&self, purpose: Purpose) -> Result<(), CheckFailure> {
        let batch = self.check.batch;
        let (inputs, outputs) = (self.harness.inputs(), self.harness.outputs());
        let (x, dy) = (self.x(batch), self.dy(batch));
        let whole = self.harness.forward(purpose, &x, 0, f64::NAN)?;
        let zeros = vec![0.0; self.harness.params.len()];
        let learns = purpose == Purpose::Train || !self.harness.state.is_empty();
        let all = if learns { Some(self.harness.backward(&whole, &dy, &zeros, 0.0, true)?) } else { None };
        let mut grads = zeros.clone();
        let cause = "a sample's result depends on its neighbours: an index over the batch is wrong, or the plan \
                     should declare rows_depend";
        let drawn = "noise is not drawn by row (rng.row of the sample's row)";
        for row in 0..batch {
            let alone = self.harness.forward(purpose, &x[row * inputs..][..inputs], row, f64::NAN)?;
            let expected = &whole.y[row * outputs..][..outputs];
            if let Some(index) = (0..outputs).find(|&i| !close(alone.y[i], expected[i], 1e-9, 1e-6)) {
                let infer =
                    self.harness.forward(Purpose::Infer, &x[row * inputs..][..inputs], row, f64::NAN)?;
                let infers_alike = purpose == Purpose::Train && infer.y != alone.y;
                let cause = if infers_alike { drawn } else { cause };
                return Err(self
                    .fail("the output y", "of a sample differs between batch size 1 and a larger batch")
                    .at(self.output_place(row * outputs + index, batch))
                    .numbers(alone.y[index], expected[index])
                    .cause(cause));
            }
            let Some(all) = &all else { continue };
            let returned =
                self.harness.backward(&alone, &dy[row * outputs..][..outputs], &grads, 0.0, true)?;
            grads = returned.grads;
            let expected = &all.dx[row * inputs..][..inputs];
            if let Some(index) = (0..inputs).find(|&i| !close(returned.dx[i], expected[i], 1e-9, 1e-6)) {
                let dims = [&[batch], self.harness.plan.input_shape().dims()].concat();
                return Err(self
                    .fail(
                        "the gradient toward the input",
                        "of a sample differs between batch size 1 and a larger batch",
                    )
                    .at(unravel(row * inputs + index, &dims))
                    .numbers(returned.dx[index], expected[index])
                    .cause(cause));
            }
        }
        let Some(all) = all else { return Ok(()) };
        match (0..grads.len()).find(|&i| !close(grads[i], all.grads[i], 1e-8, 1e-6)) {
            None => Ok(()),
            Some(index) => Err(self
                .in_parameter(index, "of the batch is not the sum over its samples")
                .numbers(all.grads[index], grads[index])
                .cause("the sum over the batch is missing or wrong")),
        }
    }
}
