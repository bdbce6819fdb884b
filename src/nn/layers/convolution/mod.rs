//! Convolution layers: 1D and 2D, transposed, depthwise and separable.

mod batch_chunks;
mod conv1d;
mod conv2d;
mod conv2d_transpose;
mod correlation;
mod depthwise;
mod depthwise_conv2d;
mod im2col;
mod padded_images;
mod separable_conv2d;
mod window_product;

pub use conv1d::Conv1D;
pub use conv2d::Conv2D;
pub use conv2d_transpose::Conv2DTranspose;
pub use depthwise_conv2d::DepthwiseConv2D;
pub use separable_conv2d::SeparableConv2D;
