//! Layers made of others.
//!
//! They hold their layers behind [`Arc`](std::sync::Arc)s, for one float type; their parameters, state and
//! caches are parts of the outer ones.

mod bidirectional;
mod residual;
mod time_distributed;

pub use bidirectional::{Bidirectional, MergeMode};
pub use residual::Residual;
pub use time_distributed::TimeDistributed;

use crate::error::{Error, Result};
use crate::float::Float;
use crate::nn::layer::{ActivityPenalty, Layer, Nested, Plan};

/// How deep layers may lie inside each other; as deep as files may have them.
const MAX_DEPTH: usize = 16;

/// Refuses layers that lie too deep inside each other.
fn check_depth(owner: &'static str, plan: Plan) -> Result<Plan> {
    fn depth(plan: &Plan) -> usize {
        1 + plan.nested_layers().iter().map(|nested| depth(&nested.plan)).max().unwrap_or(0)
    }
    let depth = depth(&plan);
    if depth <= MAX_DEPTH {
        return Ok(plan);
    }
    let expected = format!("at most {MAX_DEPTH} layers inside each other");
    Err(Error::invalid_parameter(owner, "depth", depth, expected))
}

/// The activity penalties of a nested layer with the output `y`, and of the layers nested in it. `cache` is its own.
fn penalty_of<F: Float>(layer: &dyn Layer<F>, nested: &Nested, cache: &[F], y: &[F]) -> f64 {
    let plan = &nested.plan;
    let own = plan.declared_activity_regularizer().map_or(0.0, |regularizer| regularizer.penalty(y));
    own + penalty_inside(layer, plan, cache, y)
}

/// The activity penalties of the layers nested in a layer.
fn penalty_inside<F: Float>(layer: &dyn Layer<F>, plan: &Plan, cache: &[F], y: &[F]) -> f64 {
    if !plan.penalizes_nested_outputs() {
        return 0.0;
    }
    let y = super::rows(y, plan.output_shape().size());
    layer.activity_penalty(ActivityPenalty::new(cache, y, plan))
}

/// Adds the gradient of a nested layer's activity penalty on its output `y`.
fn add_penalty_gradient<F: Float>(nested: &Nested, samples: usize, y: &[F], dy: &mut [F]) {
    if samples == usize::MAX {
        return;
    }
    if let Some(regularizer) = nested.plan.declared_activity_regularizer() {
        regularizer.add_gradient(1.0 / samples.max(1) as f64, y, dy);
    }
}
