//! Everything a program needs, in one line: `use axonal::prelude::*;`.

pub use crate::cluster::{KMeans, KMeansInit};
pub use crate::error::{Error, Result};
pub use crate::estimator::{Estimator, Fit, Predict, Score, Transform};
pub use crate::float::Float;
