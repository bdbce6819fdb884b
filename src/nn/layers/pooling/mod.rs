//! Pooling layers: the maximum or the average of each channel, over windows or over whole samples.

mod average_pooling;
mod global_average_pooling;
mod global_max_pooling;
mod global_pooling;
mod max_pooling;
mod window_pooling;

pub use average_pooling::{AveragePooling1D, AveragePooling2D};
pub use global_average_pooling::{GlobalAveragePooling1D, GlobalAveragePooling2D};
pub use global_max_pooling::{GlobalMaxPooling1D, GlobalMaxPooling2D};
pub use max_pooling::{MaxPooling1D, MaxPooling2D};
