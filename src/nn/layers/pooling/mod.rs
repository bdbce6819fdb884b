//! Layers that make images and sequences smaller.

mod average_pool;
mod average_pooling1d;
mod average_pooling2d;
mod global_average_pooling1d;
mod global_average_pooling2d;
mod global_max_pooling1d;
mod global_max_pooling2d;
mod max_pool;
mod max_pooling1d;
mod max_pooling2d;

pub use average_pooling1d::AveragePooling1D;
pub use average_pooling2d::AveragePooling2D;
pub use global_average_pooling1d::GlobalAveragePooling1D;
pub use global_average_pooling2d::GlobalAveragePooling2D;
pub use global_max_pooling1d::GlobalMaxPooling1D;
pub use global_max_pooling2d::GlobalMaxPooling2D;
pub use max_pooling1d::MaxPooling1D;
pub use max_pooling2d::MaxPooling2D;

use super::window::Padding;
use crate::error::{Error, Result};

/// Refuses causal padding, which pooling does not have.
fn no_causal(owner: &'static str, padding: Padding) -> Result<Padding> {
    match padding {
        Padding::Causal => {
            let expected = "Padding::Valid or Padding::Same";
            Err(Error::invalid_parameter(owner, "padding", "causal", expected))
        }
        padding => Ok(padding),
    }
}
