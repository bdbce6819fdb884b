//! Layers that move numbers without changing them.

mod cropping1d;
mod cropping2d;
mod flatten;
mod frame;
mod permute;
mod repeat_vector;
mod reshape;
mod up_sampling1d;
mod up_sampling2d;
mod zero_padding1d;
mod zero_padding2d;

pub use cropping1d::Cropping1D;
pub use cropping2d::Cropping2D;
pub use flatten::Flatten;
pub use permute::Permute;
pub use repeat_vector::RepeatVector;
pub use reshape::Reshape;
pub use up_sampling1d::UpSampling1D;
pub use up_sampling2d::{Interpolation, UpSampling2D};
pub use zero_padding1d::ZeroPadding1D;
pub use zero_padding2d::ZeroPadding2D;
