//! Regularization layers: dropout, noise and activity penalties.

mod activity_regularization;
mod alpha_dropout;
mod dropout;
mod dropout_mask;
mod gaussian_dropout;
mod gaussian_noise;
mod spatial_dropout;

pub use activity_regularization::ActivityRegularization;
pub use alpha_dropout::AlphaDropout;
pub use dropout::Dropout;
pub use gaussian_dropout::GaussianDropout;
pub use gaussian_noise::GaussianNoise;
pub use spatial_dropout::{SpatialDropout1D, SpatialDropout2D};

pub(super) use dropout_mask::{check_rate, draw};
