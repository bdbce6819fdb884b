use crate::error::Result;
use crate::estimator::{Fit, Transform};

/// `fit` and `transform` on the same data, in one call. Every transformer has it.
///
/// # Examples
/// ```
/// use axonal::ndarray::array;
/// use axonal::prelude::*;
///
/// # fn main() -> Result<()> {
/// assert_eq!(MinMaxScaler::new().fit_transform(&array![[2.0], [4.0]])?, array![[0.0], [1.0]]);
/// # Ok(())
/// # }
/// ```
pub trait FitTransform<X: ?Sized>: Fit<X> + Transform<X> {
    /// Learns from `x` and re-expresses it.
    ///
    /// # Errors
    /// Those of `fit` and `transform`.
    fn fit_transform(&mut self, x: &X) -> Result<Self::Output> {
        self.fit(x, ())?;
        self.transform(x)
    }
}

impl<X: ?Sized, T: Fit<X> + Transform<X>> FitTransform<X> for T {}
