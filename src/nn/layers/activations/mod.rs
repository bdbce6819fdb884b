//! Activation layers.

mod activation_layer;
mod elu;
mod leaky_relu;
mod prelu;
mod relu;
mod softmax;

pub use activation_layer::ActivationLayer;
pub use elu::Elu;
pub use leaky_relu::LeakyRelu;
pub use prelu::PRelu;
pub use relu::Relu;
pub use softmax::{Axes, Softmax};
