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
use crate::nn::layer::Plan;

/// How deep layers may lie inside of each other; as deep as files may have them.
const MAX_DEPTH: usize = 16;

/// Refuses layers that lie too deep inside of each other.
fn check_depth(owner: &'static str, plan: Plan) -> Result<Plan> {
    fn depth(plan: &Plan) -> usize {
        1 + plan.nested_layers().iter().map(|nested| depth(&nested.plan)).max().unwrap_or(0)
    }
    let depth = depth(&plan);
    if depth <= MAX_DEPTH {
        return Ok(plan);
    }
    let expected = format!("at most {MAX_DEPTH} layers inside of each other");
    Err(Error::invalid_parameter(owner, "depth", depth, expected))
}
