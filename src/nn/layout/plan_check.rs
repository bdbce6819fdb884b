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
    plan.check_size(&owner)
}
