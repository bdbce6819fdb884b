//! Reshaping layers: they rearrange, repeat, pad or crop a sample without computing new values.

mod cropping;
mod flatten;
mod pad_crop;
mod permute;
mod repeat_vector;
mod reshape;
mod up_sampling;
mod zero_padding;

pub use cropping::{Cropping1D, Cropping2D};
pub use flatten::Flatten;
pub use permute::Permute;
pub use repeat_vector::RepeatVector;
pub use reshape::Reshape;
pub use up_sampling::{Interpolation, UpSampling1D, UpSampling2D};
pub use zero_padding::{ZeroPadding1D, ZeroPadding2D};
