use super::cross_validation::FoldData;
use super::fold::checked_folds;
use super::{Fold, FoldEstimator, FoldTargets, Samples, Splitter};
use crate::error::{Error, Result};
use crate::estimator::Predict;
use crate::validate;
use ndarray::{Array, Axis, RemoveAxis};

/// The predictions of test parts, put together in the order of the samples.
pub trait FoldPredictions: Sized {
    /// Joins the predictions of each part; row `i` of `parts` joined one behind the other becomes row `rows[i]`.
    ///
    /// # Errors
    /// Parts of other lengths than their rows, or of different shapes.
    fn join(parts: Vec<Self>, rows: &[usize]) -> Result<Self>;
}

impl<T: Clone, D: RemoveAxis> FoldPredictions for Array<T, D> {
    fn join(parts: Vec<Self>, rows: &[usize]) -> Result<Self> {
        let views: Vec<_> = parts.iter().map(|part| part.view()).collect();
        let shapes =
            || parts.iter().map(|part| validate::shape_text(part.shape())).collect::<Vec<_>>().join(", ");
        let expected = "one prediction for each row, of one shape in all folds";
        let all = ndarray::concatenate(Axis(0), &views)
            .map_err(|_| Error::shape("cross_val_predict", expected, shapes()))?;
        if all.len_of(Axis(0)) != rows.len() {
            return Err(Error::shape("cross_val_predict", expected, shapes()));
        }
        Ok(all.select(Axis(0), &inverse(rows)))
    }
}

impl<T: Clone> FoldPredictions for Vec<T> {
    fn join(parts: Vec<Self>, rows: &[usize]) -> Result<Self> {
        let all: Vec<T> = parts.into_iter().flatten().collect();
        validate::length("cross_val_predict", all.len(), rows.len())?;
        Ok(inverse(rows).into_iter().map(|place| all[place].clone()).collect())
    }
}

/// The position of each row in `rows`, which holds each number below its length once.
fn inverse(rows: &[usize]) -> Vec<usize> {
    let mut places = vec![0; rows.len()];
    rows.iter().enumerate().for_each(|(place, &row)| places[row] = place);
    places
}

/// Predicts each sample by the estimator that was fitted without its fold.
///
/// Every sample must be in exactly one test part, as with [`KFold`](super::KFold). Do not score the joined predictions in
/// place of [`cross_val_score`](super::cross_val_score): folds may differ in size, and not every score is a mean over samples.
///
/// # Shapes
/// `x`, `y` as in [`cross_val_score`](super::cross_val_score). Out: the estimator's predictions, one for each sample, in
/// the order of `x`.
///
/// # Errors
/// Those of the splitter and of the estimator's `fit` and `predict`; a splitter whose test parts overlap or leave out samples;
/// predictions whose shape differs between folds.
///
/// # Examples
/// ```
/// use axonal::model_selection::cross_val_predict;
/// use axonal::prelude::*;
///
/// # fn main() -> Result<()> {
/// let blobs = axonal::datasets::make_blobs::<f64>(60, &axonal::ndarray::array![[0.0], [9.0]], 0.5, 1)?;
/// let network = Sequential::new(1)
///     .add(Dense::new(1).activation(Activation::Sigmoid))
///     .compile(Adam::new(0.1), BinaryCrossentropy::default())?
///     .with_fit_options(FitOptions::new().epochs(50));
/// let classifier = Classifier::new(Pipeline::new(StandardScaler::new(), network));
/// let predicted = cross_val_predict(&classifier, &blobs.data, &blobs.target, KFold::new(3))?;
/// assert_eq!(axonal::metrics::accuracy_score(&blobs.target, &predicted)?, 1.0);
/// # Ok(())
/// # }
/// ```
pub fn cross_val_predict<X, Y, E>(
    estimator: &E,
    x: &X,
    y: Y,
    splitter: impl Splitter<Y>,
) -> Result<<E as Predict<X::Owned>>::Output>
where
    X: Samples + ?Sized,
    Y: FoldTargets,
    E: FoldEstimator<X, Y> + Predict<X::Owned, Output: FoldPredictions>,
{
    y.check(x.n_samples())?;
    let folds = checked_folds(&splitter, x.n_samples(), y)?;
    let rows = partitioned(&folds, x.n_samples())?;
    let predict = |fold: &Fold| {
        let data = FoldData::<X, Y>::of(x, y, fold);
        data.fit(estimator)?.predict(data.x_test())
    };
    FoldPredictions::join(folds.iter().map(predict).collect::<Result<_>>()?, &rows)
}

/// The rows of all test parts in order; errors unless each sample is in exactly one.
fn partitioned(folds: &[Fold], n_samples: usize) -> Result<Vec<usize>> {
    let rows: Vec<usize> = folds.iter().flat_map(|fold| fold.test.iter().copied()).collect();
    let mut times = vec![0_usize; n_samples];
    rows.iter().for_each(|&row| times[row] = times[row].saturating_add(1));
    match times.iter().position(|&times| times != 1) {
        None => Ok(rows),
        Some(row) => {
            let got = format!("one that tests row {row} {} times", times[row]);
            let expected = "each sample in exactly one test part, as KFold has it";
            Err(Error::invalid_parameter("cross_val_predict", "splitter", got, expected))
        }
    }
}
