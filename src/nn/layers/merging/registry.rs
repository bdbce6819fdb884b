//! The registry of merge layer kinds: the names under which files store them, and the types they load.

use super::{Add, Average, Concatenate, Dot, Maximum, Minimum, Multiply, Subtract};
use crate::error::Result;
use crate::float::Float;
use crate::nn::layer::Config;
use crate::nn::layers::attention::{AdditiveAttention, Attention, GroupQueryAttention, MultiHeadAttention};
use crate::nn::node::Merge;
use std::sync::Arc;

macro_rules! catalog {
    ($($kind:literal => $layer:ty,)*) => {
        /// The kinds of all merge layers of this crate. Kinds are never removed or renamed.
        pub(crate) const KINDS: &[&str] = &[$($kind),*];

        /// Creates a merge layer from its kind and hyperparameters; `None` for an unknown kind.
        pub(crate) fn from_config<F: Float>(kind: &str, config: &Config) -> Option<Result<Arc<dyn Merge<F>>>> {
            Some(match kind {
                $($kind => config.read::<$layer>(kind).map(|layer| Arc::new(layer) as Arc<dyn Merge<F>>),)*
                _ => return None,
            })
        }
    };
}

catalog! {
    "add" => Add,
    "subtract" => Subtract,
    "multiply" => Multiply,
    "average" => Average,
    "maximum" => Maximum,
    "minimum" => Minimum,
    "concatenate" => Concatenate,
    "dot" => Dot,
    "multi_head_attention" => MultiHeadAttention,
    "group_query_attention" => GroupQueryAttention,
    "attention" => Attention,
    "additive_attention" => AdditiveAttention,
}
