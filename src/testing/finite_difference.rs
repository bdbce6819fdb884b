//! Central differences, with an eye for kinks.

use super::CheckFailure;

/// The steps tried, one after the other: the first is exact for smooth functions, the smaller ones stay on one
/// side of a kink nearby.
const STEPS: [f64; 3] = [1e-5, 1e-6, 1e-7];

/// How one number of a gradient compares.
pub(super) enum Comparison {
    /// It agrees with a difference, or lies between the two one-sided ones at a kink.
    Agrees,
    /// It does not; the number that the differences give.
    Differs(f64),
}

/// `Σ weights · (after - before)`: the change of a weighted sum without the cancellation of two sums.
pub(super) fn change(weights: &[f64], before: &[f64], after: &[f64]) -> f64 {
    weights.iter().zip(before.iter().zip(after)).map(|(w, (b, a))| w * (a - b)).sum()
}

/// Whether two numbers agree, for numbers of this scale.
pub(super) fn close(got: f64, want: f64, tolerance: f64, scale: f64) -> bool {
    (got - want).abs() <= tolerance * got.abs().max(want.abs()).max(scale)
}

/// The central difference of the first step. `outputs` gives the function's values with the variable moved.
pub(super) fn central(
    weights: &[f64],
    step: f64,
    outputs: &mut impl FnMut(f64) -> Result<Vec<f64>, CheckFailure>,
) -> Result<f64, CheckFailure> {
    let (before, after) = (outputs(-step)?, outputs(step)?);
    Ok(change(weights, &before, &after) / (2.0 * step))
}

/// The central difference that gradients are compared with at first.
pub(super) fn first(
    weights: &[f64],
    outputs: &mut impl FnMut(f64) -> Result<Vec<f64>, CheckFailure>,
) -> Result<f64, CheckFailure> {
    central(weights, STEPS[0], outputs)
}

/// Compares again where the first difference disagrees, which a kink near the point may be the reason for.
pub(super) fn compare_again(
    got: f64,
    weights: &[f64],
    tolerance: f64,
    scale: f64,
    outputs: &mut impl FnMut(f64) -> Result<Vec<f64>, CheckFailure>,
) -> Result<Comparison, CheckFailure> {
    let mut want = f64::NAN;
    for step in STEPS {
        // A smaller step leaves fewer digits.
        let tolerance = tolerance.max(1e-14 / step);
        want = central(weights, step, outputs)?;
        if close(got, want, tolerance, scale) {
            return Ok(Comparison::Agrees);
        }
    }
    let step = STEPS[1];
    let (left, here, right) = (outputs(-step)?, outputs(0.0)?, outputs(step)?);
    let (left, right) = (change(weights, &left, &here) / step, change(weights, &here, &right) / step);
    let slack = 1e-4 * left.abs().max(right.abs()).max(scale);
    let kink = (left - right).abs() > 10.0 * slack && left.abs().max(right.abs()) < 1e-3 / step;
    if kink && got >= left.min(right) - slack && got <= left.max(right) + slack {
        return Ok(Comparison::Agrees);
    }
    Ok(Comparison::Differs(want))
}
