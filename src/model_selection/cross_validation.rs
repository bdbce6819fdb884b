use super::fold::checked_folds;
use super::{Fold, FoldTargets, Samples, Splitter};
use crate::error::Result;
use crate::estimator::{Estimator, Fit, Score};
use crate::host::Timer;
use ndarray::Array1;
use std::fmt;
use std::time::Duration;

/// Whatever can be fitted to and scored on folds of `X` and `Y`. Nothing to implement: every [`Estimator`] that
/// fits and scores, with a reference to targets or without targets, is one.
pub trait FoldEstimator<X: Samples + ?Sized, Y: FoldTargets>: Estimator {
    /// Learns from one part.
    ///
    /// # Errors
    /// Those of [`Fit::fit`].
    fn fit_part(&mut self, x: &X::Owned, y: &Y::Owned) -> Result<()>;

    /// The score on one part.
    ///
    /// # Errors
    /// Those of [`Score::score`].
    fn score_part(&self, x: &X::Owned, y: &Y::Owned) -> Result<f64>;
}

// Two implementations by the form of `Y`, rather than one over an associated type of it: the compiler then waits
// with the estimator's bounds until it has seen the targets, and callers need no type annotations.
impl<X, Y, E> FoldEstimator<X, &Y> for E
where
    X: Samples + ?Sized,
    Y: Samples + ?Sized,
    E: Estimator + for<'a> Fit<X::Owned, &'a Y::Owned> + for<'a> Score<X::Owned, &'a Y::Owned>,
{
    fn fit_part(&mut self, x: &X::Owned, y: &Y::Owned) -> Result<()> {
        self.fit(x, y).map(drop)
    }

    fn score_part(&self, x: &X::Owned, y: &Y::Owned) -> Result<f64> {
        self.score(x, y)
    }
}

impl<X: Samples + ?Sized, E: Estimator + Fit<X::Owned> + Score<X::Owned>> FoldEstimator<X, ()> for E {
    fn fit_part(&mut self, x: &X::Owned, (): &()) -> Result<()> {
        self.fit(x, ()).map(drop)
    }

    fn score_part(&self, x: &X::Owned, (): &()) -> Result<f64> {
        self.score(x, ())
    }
}

/// The scores of an estimator on the test parts, fitted anew on each training part.
///
/// The score is the estimator's own ([`Score`]); wrap it into a
/// [`Classifier`](super::Classifier) or [`Regressor`](super::Regressor) for accuracy or R².
///
/// # Shapes
/// `x`: samples along the first axis; `y`: a reference to as many targets, or `()`. One score for each fold.
///
/// # Errors
/// Those of the splitter, and of the estimator's `fit` and `score`.
///
/// # Examples
/// ```
/// use axonal::ndarray::array;
/// use axonal::prelude::*;
///
/// # fn main() -> Result<()> {
/// /// Answers with the mean of what it saw; the score is minus the mean squared error.
/// #[derive(Clone, Default)]
/// struct Mean(f64);
/// impl Fit<Array2<f64>, &Array1<f64>> for Mean {
///     type Report = ();
///     fn fit(&mut self, _: &Array2<f64>, y: &Array1<f64>) -> Result<()> {
///         self.0 = y.mean().unwrap_or(0.0);
///         Ok(())
///     }
/// }
/// impl Score<Array2<f64>, &Array1<f64>> for Mean {
///     fn score(&self, _: &Array2<f64>, y: &Array1<f64>) -> Result<f64> {
///         Ok(-y.mapv(|y| (y - self.0).powi(2)).mean().unwrap_or(0.0))
///     }
/// }
/// impl Estimator for Mean {
///     fn unfitted(&self) -> Self {
///         Self::default()
///     }
/// }
/// # use axonal::ndarray::{Array1, Array2};
/// let (x, y) = (Array2::zeros((4, 1)), array![1.0, 1.0, 5.0, 5.0]);
/// assert_eq!(cross_val_score(&Mean::default(), &x, &y, KFold::new(2))?, array![-16.0, -16.0]);
/// # Ok(())
/// # }
/// ```
pub fn cross_val_score<X: Samples + ?Sized, Y: FoldTargets>(
    estimator: &impl FoldEstimator<X, Y>,
    x: &X,
    y: Y,
    splitter: impl Splitter<Y>,
) -> Result<Array1<f64>> {
    y.check(x.n_samples())?;
    let folds = checked_folds(&splitter, x.n_samples(), y)?;
    folds.iter().map(|fold| FoldData::<X, Y>::of(x, y, fold).score(estimator)).collect()
}

/// What came of each fold: scores, times, the fitted estimator.
///
/// # Shapes
/// As [`cross_val_score`].
///
/// # Errors
/// As [`cross_val_score`].
///
/// # Examples
/// ```
/// use axonal::prelude::*;
///
/// # fn main() -> Result<()> {
/// let blobs = axonal::datasets::make_blobs::<f64>(90, &axonal::ndarray::array![[0.0], [9.0]], 0.5, 1)?;
/// let validation = cross_validate(&KMeans::new(2).seed(0), &blobs.data, (), KFold::new(3).shuffle(1))?;
/// let centers = validation.folds[0].estimator.cluster_centers()?;
/// assert_eq!(centers.dim(), (2, 1));
/// assert_eq!(validation.test_scores().len(), 3);
/// # Ok(())
/// # }
/// ```
pub fn cross_validate<X: Samples + ?Sized, Y: FoldTargets, E: FoldEstimator<X, Y>>(
    estimator: &E,
    x: &X,
    y: Y,
    splitter: impl Splitter<Y>,
) -> Result<CrossValidation<E>> {
    y.check(x.n_samples())?;
    let validate = |fold: Fold| {
        let data = FoldData::<X, Y>::of(x, y, &fold);
        let start = Timer::start();
        let estimator = data.fit(estimator)?;
        let fit_time = start.elapsed();
        let start = Timer::start();
        let test_score = data.test_score(&estimator)?;
        let score_time = start.elapsed();
        let train_score = data.train_score(&estimator)?;
        Ok(FoldReport { test_score, train_score, fit_time, score_time, estimator, fold })
    };
    let folds =
        checked_folds(&splitter, x.n_samples(), y)?.into_iter().map(validate).collect::<Result<_>>()?;
    Ok(CrossValidation { folds })
}

/// Copies of the four parts of one fold.
pub(super) struct FoldData<X: Samples + ?Sized, Y: FoldTargets> {
    x_train: X::Owned,
    x_test: X::Owned,
    y_train: Y::Owned,
    y_test: Y::Owned,
}

impl<X: Samples + ?Sized, Y: FoldTargets> FoldData<X, Y> {
    pub(super) fn of(x: &X, y: Y, fold: &Fold) -> Self {
        Self {
            x_train: x.take(&fold.train),
            x_test: x.take(&fold.test),
            y_train: y.take(&fold.train),
            y_test: y.take(&fold.test),
        }
    }

    /// The samples of the test part.
    pub(super) fn x_test(&self) -> &X::Owned {
        &self.x_test
    }

    /// The estimator, fitted to the training part from where it was before any `fit`.
    pub(super) fn fit<E: FoldEstimator<X, Y>>(&self, estimator: &E) -> Result<E> {
        let mut fresh = estimator.unfitted();
        fresh.fit_part(&self.x_train, &self.y_train)?;
        Ok(fresh)
    }

    /// The score of a fitted estimator on the training part.
    pub(super) fn train_score(&self, fitted: &impl FoldEstimator<X, Y>) -> Result<f64> {
        fitted.score_part(&self.x_train, &self.y_train)
    }

    /// The score of a fitted estimator on the test part.
    pub(super) fn test_score(&self, fitted: &impl FoldEstimator<X, Y>) -> Result<f64> {
        fitted.score_part(&self.x_test, &self.y_test)
    }

    /// The score on the test part after fitting to the training part.
    pub(super) fn score(&self, estimator: &impl FoldEstimator<X, Y>) -> Result<f64> {
        self.test_score(&self.fit(estimator)?)
    }
}

/// What [`cross_validate`] found, fold by fold.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct CrossValidation<E> {
    /// One report for each fold, in the splitter's order.
    pub folds: Vec<FoldReport<E>>,
}

/// One fold of [`cross_validate`].
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct FoldReport<E> {
    /// The score on the samples kept back.
    pub test_score: f64,
    /// The score on the samples learned from.
    pub train_score: f64,
    /// How long `fit` took; zero where there is no clock (`wasm32-unknown-unknown`).
    pub fit_time: Duration,
    /// How long scoring the test part took; zero where there is no clock.
    pub score_time: Duration,
    /// The estimator as fitted on this fold.
    pub estimator: E,
    /// Which rows were learned from and judged by.
    pub fold: Fold,
}

impl<E> CrossValidation<E> {
    /// The scores on the test parts.
    #[must_use]
    pub fn test_scores(&self) -> Vec<f64> {
        self.folds.iter().map(|fold| fold.test_score).collect()
    }

    /// The mean of the scores on the test parts.
    #[must_use]
    pub fn mean(&self) -> f64 {
        mean_and_std(&self.test_scores()).0
    }

    /// The standard deviation (divided by n) of the scores on the test parts.
    #[must_use]
    pub fn std(&self) -> f64 {
        mean_and_std(&self.test_scores()).1
    }
}

/// Mean and population standard deviation.
#[allow(clippy::cast_precision_loss, reason = "a number of folds")]
pub(super) fn mean_and_std(scores: &[f64]) -> (f64, f64) {
    let n = scores.len() as f64;
    let mean = scores.iter().sum::<f64>() / n;
    (mean, (scores.iter().map(|score| (score - mean).powi(2)).sum::<f64>() / n).sqrt())
}

impl<E> fmt::Display for CrossValidation<E> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "fold  test score  train score   fit time")?;
        for (number, fold) in self.folds.iter().enumerate() {
            let seconds = fold.fit_time.as_secs_f64();
            writeln!(
                f,
                "{number:>4}  {:>10.4}  {:>11.4}  {seconds:>8.3}s",
                fold.test_score, fold.train_score
            )?;
        }
        write!(f, "mean  {:>10.4} ± {:.4}", self.mean(), self.std())
    }
}
