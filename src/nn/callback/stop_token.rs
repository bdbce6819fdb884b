//! A flag that ends a run from outside.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

/// Interrupts a training run from another thread or a signal handler: `fit` ends after the batch it is at, with
/// `Ok` and a history whose [`stopped`](crate::models::History::stopped) says "interrupted".
///
/// All clones are one flag. An interrupted epoch is not validated; its training numbers are in the history.
///
/// # Examples
/// ```
/// use axonal::ndarray::array;
/// use axonal::callbacks::LambdaCallback;
/// use axonal::prelude::*;
///
/// # fn main() -> Result<()> {
/// let token = StopToken::new();
/// let other = token.clone();
/// let mut model = Sequential::new(1).add(Dense::new(1)).compile(Sgd::new(0.1), MeanSquaredError::default())?;
/// // Another thread would do this at some moment; here the third epoch does.
/// let press = LambdaCallback::new().on_epoch_end(move |run| {
///     if run.epoch() == 2 {
///         other.stop();
///     }
///     Ok(())
/// });
/// let options = FitOptions::new().epochs(1000).callback(press).stop_token(&token);
/// let history = model.fit_with(&array![[0.0], [1.0]], &array![1.0, 3.0], options)?;
/// assert_eq!((history.epochs(), history.stopped()), (3, Some("interrupted")));
/// # Ok(())
/// # }
/// ```
#[derive(Debug, Clone, Default)]
pub struct StopToken(Arc<AtomicBool>);

impl StopToken {
    /// A token that no caller has stopped yet.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Interrupts the runs that were given this token, now and later.
    pub fn stop(&self) {
        self.0.store(true, Ordering::Relaxed);
    }

    /// Lets later runs begin again.
    pub fn reset(&self) {
        self.0.store(false, Ordering::Relaxed);
    }

    /// Whether somebody has called [`stop`](Self::stop).
    #[must_use]
    pub fn is_stopped(&self) -> bool {
        self.0.load(Ordering::Relaxed)
    }
}
