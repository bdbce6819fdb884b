//! The contract of an update rule, tried.

use super::finite_difference::close;
use super::guarded::Guarded;
use super::{CheckFailure, normals};
use crate::nn::optimizer::{Step, UpdateRule};
use crate::rng::{Purpose, Rng};

/// Tries the contract of an update rule, in `f64`: its hyperparameters are in range, its moments start finite,
/// it stays inside its slices, answers the same twice, keeps every number finite (for gradients of 0 and of
/// 1e30 too), and takes a quadratic downhill.
///
/// # Errors
/// What is wrong, with the likely cause.
///
/// # Examples
/// ```
/// use axonal::prelude::*;
/// use axonal::testing::check_optimizer;
///
/// check_optimizer(Adam::default().rule()).unwrap();
/// ```
pub fn check_optimizer<R: UpdateRule<f64> + ?Sized>(rule: &R) -> Result<(), CheckFailure> {
    let fail = |quantity: &str, problem: String| CheckFailure::new(rule.kind(), quantity, problem);
    rule.validate().map_err(|error| fail("validate", format!("refuses its own hyperparameters: {error}")))?;
    let moments = rule.moments();
    if let Some(index) = moments.iter().position(|v| !v.is_finite()) {
        return Err(fail("the moments", format!("start with {}", moments[index])).at(vec![index]));
    }
    let start = normals(&mut Rng::new(0, Purpose::Other, 3), 24);
    let zeros = vec![0.0; start.len()];
    let huge: Vec<f64> = start.iter().map(|w| w * 1e30).collect();
    for (name, grads) in [("of 0", &zeros), ("of 1e30", &huge)] {
        let mut walk = Walk::new(rule, &moments, &start);
        for number in 1..=3 {
            walk.step(grads, number)?;
        }
        let values = [walk.params.get(), walk.moments.get()].concat();
        if let Some(value) = values.iter().find(|v| !v.is_finite()) {
            let cause = "a division without an epsilon, or a square that overflows";
            return Err(fail("update", format!("makes {value} from gradients {name}")).cause(cause));
        }
    }
    let (once, again) = (descend(rule, &moments, &start, 1)?, descend(rule, &moments, &start, 1)?);
    if let Some(index) = (0..start.len()).find(|&index| once[index].to_bits() != again[index].to_bits()) {
        return Err(fail("the parameters", "are others the second time".into())
            .at(vec![index])
            .numbers(again[index], once[index])
            .cause("a number kept inside the rule; what changes belongs into the moments"));
    }
    if rule.elementwise() {
        parts_agree(rule, &moments, &start)?;
    }
    if let Some(factor) = rule.linear(0.01) {
        // The rate of a step of `Walk`; at w the gradient is w.
        let moved = descend(rule, &moments, &start, 3)?;
        let want = |index: usize| start[index] * (1.0 + factor).powi(3);
        if let Some(index) = (0..start.len()).find(|&index| !close(moved[index], want(index), 1e-12, 1e-12)) {
            return Err(fail("the parameters", "are not w + c·g for the c that the rule tells".into())
                .at(vec![index])
                .numbers(moved[index], want(index))
                .cause("linear answers with another factor than update moves by"));
        }
        if !moments.is_empty() {
            let cause = "a rule that keeps moments moves by more than its gradient";
            return Err(fail("linear", "is declared by a rule with moments".into()).cause(cause));
        }
    }
    let end = descend(rule, &moments, &start, 400)?;
    let height = |params: &[f64]| params.iter().map(|w| w * w).sum::<f64>();
    if height(&end) >= height(&start) {
        return Err(fail("400 steps", "do not lead downhill on Σw²/2".into())
            .numbers(height(&end), height(&start))
            .cause("the sign of the step is wrong, or the learning rate is not used"));
    }
    Ok(())
}

/// A rule that says that it is elementwise moves two halves as it moves the whole.
fn parts_agree<R: UpdateRule<f64> + ?Sized>(
    rule: &R,
    moments: &[f64],
    start: &[f64],
) -> Result<(), CheckFailure> {
    let whole = descend(rule, moments, start, 3)?;
    let (left, right) = start.split_at(start.len() / 3);
    let parts = [descend(rule, moments, left, 3)?, descend(rule, moments, right, 3)?].concat();
    match (0..start.len()).find(|&index| parts[index].to_bits() != whole[index].to_bits()) {
        None => Ok(()),
        Some(index) => {
            Err(CheckFailure::new(rule.kind(), "the parameters", "are others where they move in parts")
                .at(vec![index])
                .numbers(parts[index], whole[index])
                .cause("the rule looks at more than one number at a time, so it is not elementwise"))
        }
    }
}

/// The parameters after this number of steps on `Σw²/2`, whose gradient is w.
fn descend<R: UpdateRule<f64> + ?Sized>(
    rule: &R,
    moments: &[f64],
    start: &[f64],
    steps: u64,
) -> Result<Vec<f64>, CheckFailure> {
    let mut walk = Walk::new(rule, moments, start);
    for number in 1..=steps {
        let grads = walk.params.get().to_vec();
        walk.step(&grads, number)?;
    }
    Ok(walk.params.get().to_vec())
}

/// Parameters on their way.
struct Walk<'a, R: ?Sized> {
    rule: &'a R,
    params: Guarded,
    moments: Guarded,
}

impl<'a, R: UpdateRule<f64> + ?Sized> Walk<'a, R> {
    fn new(rule: &'a R, moments: &[f64], start: &[f64]) -> Self {
        let moments: Vec<f64> = moments.iter().flat_map(|&value| vec![value; start.len()]).collect();
        Self { rule, params: Guarded::of(start), moments: Guarded::of(&moments) }
    }

    fn step(&mut self, grads: &[f64], number: u64) -> Result<(), CheckFailure> {
        self.rule.update(Step::new(self.params.get_mut(), grads, self.moments.get_mut(), 0.01, number));
        for (name, guarded) in [("the parameters", &self.params), ("the moments", &self.moments)] {
            if guarded.trespassed().is_some() {
                let problem = format!("wrote outside {name}");
                return Err(CheckFailure::new(self.rule.kind(), "update", problem)
                    .cause("it wrote outside its slice"));
            }
        }
        Ok(())
    }
}
