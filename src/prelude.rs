//! Everything a program needs, in one line: `use axonal::prelude::*;`.

pub use crate::error::{Error, Result};
pub use crate::estimator::{Estimator, Fit, Predict, Score, Transform};
pub use crate::float::Float;
pub use crate::model_selection::train_test_split;
pub use crate::preprocessing::StandardScaler;
