//! The layers, one a file.

mod activation_layer;
mod dense;
mod dropout;
mod flatten;
mod reshape;

pub use activation_layer::ActivationLayer;
pub use dense::Dense;
pub use dropout::Dropout;
pub use flatten::Flatten;
pub use reshape::Reshape;
