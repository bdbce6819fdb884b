//! Checks of the plan of a layer.

use crate::error::{Error, Result};
use crate::nn::layer::Plan;

/// Errors if a plan is inconsistent or needs more than [`MAX_ELEMENTS`] values.
pub(super) fn check_plan(name: &str, plan: &Plan) -> Result<()> {
    let owner = format!("layer {name}");
    if let Some(problem) = plan.problem() {
        return Err(Error::shape(owner, plan.expected(), problem));
    }
    if let Some(len) = plan.declared_gradient_rows()
        && plan.params_len().checked_rem(len) != Some(0)
    {
        let expected = format!("a multiple of {len} parameters, the row length declared by gradient_rows");
        return Err(Error::shape(owner, expected, plan.params_len()));
    }
    if plan.output_shape().size() == 0 {
        return Err(Error::shape(owner, "an output with axes of at least 1", plan.output_shape()));
    }
    plan.declared_activation().validate().map_err(|error| error.in_layer(name))?;
    for spec in plan.params() {
        spec.initializer.validate_for(spec.shape.dims()).map_err(|error| error.in_layer(name))?;
        if let Some(regularizer) = spec.regularizer {
            regularizer.validate(&format!("{owner}/{}", spec.name))?;
        }
        if let Some(constraint) = spec.constraint {
            constraint.validate(&format!("{owner}/{}", spec.name))?;
        }
    }
    if let Some(regularizer) = plan.declared_activity_regularizer() {
        regularizer.validate(&owner)?;
    }
    let elements = plan.params_len().saturating_add(plan.state_len()).saturating_add(plan.cache_len(1));
    let elements = elements.saturating_add(plan.output_shape().size());
    if elements > MAX_ELEMENTS {
        return Err(Error::OutOfMemory { what: owner, bytes: elements.saturating_mul(8) });
    }
    Ok(())
}

/// Maximum number of parameters, and of state values, of a network: as many `f64` as one allocation holds (2^28 values
/// where `usize` has 32 bits), and at most 2^48, more than any machine has memory for.
pub(super) const MAX_ELEMENTS: usize = {
    let addressable = isize::MAX as u64 / size_of::<f64>() as u64;
    (if addressable < 1 << 48 { addressable } else { 1 << 48 }) as usize
};
