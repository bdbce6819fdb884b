use super::cross_validation::{FoldData, FoldEstimator, mean_and_std};
use super::fold::checked_folds;
use super::{FoldTargets, Samples, Splitter};
use crate::error::{Error, Result};
use crate::parallel;
use crate::rng::{Purpose, Rng};
use std::fmt;

/// Tries every candidate by cross-validation and fits the best one to all samples.
///
/// A candidate is a value of any type; a closure makes an estimator of it. With the feature `rayon` the fits run in
/// parallel on the caller's pool; the result is the same at any number of threads.
///
/// # Parameters
/// * `candidates`: what to try. A grid is an iterator over the products.
/// * `build`: makes the estimator of a candidate.
/// * `splitter`: the folds, the same for every candidate.
///
/// # Errors
/// No candidates, and those of the closure, the splitter, `fit` and `score`.
///
/// # Examples
/// ```
/// use axonal::prelude::*;
///
/// # fn main() -> Result<()> {
/// let blobs = axonal::datasets::make_blobs::<f64>(90, &axonal::ndarray::array![[0.0], [5.0], [9.0]], 0.5, 1)?;
/// let grid = [2, 3].into_iter().flat_map(|k| [1, 4].map(|n_init| (k, n_init)));
/// let build = |&(k, n_init): &(usize, usize)| Ok(KMeans::new(k).n_init(n_init).seed(0));
/// let report = GridSearch::new(grid, build, KFold::new(3).shuffle(0)).fit(&blobs.data, ())?;
/// assert_eq!(report.best_params.0, 3);
/// assert_eq!(report.best_estimator.predict(&blobs.data)?.len(), 90);
/// # Ok(())
/// # }
/// ```
pub struct GridSearch<P, B, C> {
    candidates: Vec<P>,
    build: B,
    splitter: C,
}

impl<P: fmt::Debug, B, C: fmt::Debug> fmt::Debug for GridSearch<P, B, C> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("GridSearch")
            .field("candidates", &self.candidates)
            .field("splitter", &self.splitter)
            .finish_non_exhaustive()
    }
}

impl<P: Clone + Sync, B, C> GridSearch<P, B, C> {
    /// Every one of `candidates`.
    pub fn new<E>(candidates: impl IntoIterator<Item = P>, build: B, splitter: C) -> Self
    where
        B: Fn(&P) -> Result<E>,
    {
        Self { candidates: candidates.into_iter().collect(), build, splitter }
    }

    /// Cross-validates the candidates and fits the best one to all of `x` and `y`.
    ///
    /// # Errors
    /// See [`GridSearch`].
    pub fn fit<X, Y, E>(&self, x: &X, y: Y) -> Result<SearchReport<P, E>>
    where
        X: Samples<Owned: Sync> + ?Sized,
        Y: FoldTargets<Owned: Sync>,
        E: FoldEstimator<X, Y> + Send,
        B: Fn(&P) -> Result<E> + Sync,
        C: Splitter<Y>,
    {
        y.check(x.n_samples())?;
        if self.candidates.is_empty() {
            return Err(Error::invalid_parameter("GridSearch", "candidates", "empty", "at least 1"));
        }
        let folds = checked_folds(&self.splitter, x.n_samples(), y)?;
        let data: Vec<FoldData<X, Y>> = folds.iter().map(|fold| FoldData::of(x, y, fold)).collect();
        let (params, build) = (&self.candidates, &self.build);
        let score = |job: usize| data[job % data.len()].score(&build(&params[job / data.len()])?);
        let scores = run_jobs(self.candidates.len() * data.len(), score)?;
        drop(data);

        let candidates = rank(&self.candidates, scores.chunks_exact(folds.len()));
        let best = candidates.iter().position(|candidate| candidate.rank == 1).unwrap_or(0);
        let mut best_estimator = (self.build)(&self.candidates[best])?;
        let every_row: Vec<usize> = (0..x.n_samples()).collect();
        best_estimator.fit_part(&x.take(&every_row), &y.take(&every_row))?;
        Ok(SearchReport {
            best_params: self.candidates[best].clone(),
            best_score: candidates[best].mean,
            best_estimator,
            candidates,
        })
    }
}

/// The scores of all jobs in order, computed in parallel where there are threads; or the first job's error.
fn run_jobs(n_jobs: usize, job: impl Fn(usize) -> Result<f64> + Sync) -> Result<Vec<f64>> {
    let mut scores: Vec<(usize, Result<f64>)> = (0..n_jobs).map(|index| (index, Ok(f64::NAN))).collect();
    // A job is a fit, which is worth a fork of any size.
    parallel::for_each(usize::MAX, &mut scores, |(index, score)| *score = job(*index));
    scores.into_iter().map(|(_, score)| score).collect()
}

/// Candidates with their scores and ranks: the highest mean is first, NaN last, equals share a rank.
fn rank<'a, P: Clone>(params: &[P], scores: impl Iterator<Item = &'a [f64]>) -> Vec<Candidate<P>> {
    let mut candidates: Vec<Candidate<P>> = (params.iter().zip(scores))
        .map(|(params, scores)| {
            let (mean, std) = mean_and_std(scores);
            Candidate { params: params.clone(), scores: scores.to_vec(), mean, std, rank: 0 }
        })
        .collect();
    let height = |mean: f64| if mean.is_nan() { f64::NEG_INFINITY } else { mean };
    let heights: Vec<f64> = candidates.iter().map(|candidate| height(candidate.mean)).collect();
    for (candidate, own) in candidates.iter_mut().zip(&heights) {
        candidate.rank = 1 + heights.iter().filter(|other| *other > own).count();
    }
    candidates
}

/// Tries random candidates: [`GridSearch`] over what a closure draws.
///
/// # Parameters
/// * `n_iter`: how many candidates.
/// * `draw`: makes a candidate of random numbers.
/// * `build`, `splitter`: as in [`GridSearch`].
/// * `seed`: which random numbers. Default: 0.
///
/// # Errors
/// As [`GridSearch`].
///
/// # Examples
/// ```
/// use axonal::model_selection::{KFold, RandomSearch};
/// use axonal::prelude::*;
/// use axonal::rng::Rng;
///
/// # fn main() -> Result<()> {
/// let blobs = axonal::datasets::make_blobs::<f64>(90, &axonal::ndarray::array![[0.0], [5.0], [9.0]], 0.5, 1)?;
/// let draw = |rng: &mut Rng| 1 + rng.below(3);
/// let search = RandomSearch::new(6, draw, |k: &usize| Ok(KMeans::new(*k).seed(0)), KFold::new(3)).seed(1);
/// assert_eq!(search.fit(&blobs.data, ())?.candidates.len(), 6);
/// # Ok(())
/// # }
/// ```
pub struct RandomSearch<D, B, C> {
    n_iter: usize,
    draw: D,
    build: B,
    splitter: C,
    seed: u64,
}

impl<D, B, C: fmt::Debug> fmt::Debug for RandomSearch<D, B, C> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RandomSearch")
            .field("n_iter", &self.n_iter)
            .field("splitter", &self.splitter)
            .field("seed", &self.seed)
            .finish_non_exhaustive()
    }
}

impl<D, B, C> RandomSearch<D, B, C> {
    /// `n_iter` candidates that `draw` makes.
    pub fn new<P, E>(n_iter: usize, draw: D, build: B, splitter: C) -> Self
    where
        D: Fn(&mut Rng) -> P,
        B: Fn(&P) -> Result<E>,
    {
        Self { n_iter, draw, build, splitter, seed: 0 }
    }

    /// Which random numbers.
    #[must_use]
    pub fn seed(mut self, seed: u64) -> Self {
        self.seed = seed;
        self
    }

    /// Cross-validates the candidates and fits the best one to all of `x` and `y`.
    ///
    /// # Errors
    /// See [`GridSearch`].
    pub fn fit<X, Y, P, E>(&self, x: &X, y: Y) -> Result<SearchReport<P, E>>
    where
        X: Samples<Owned: Sync> + ?Sized,
        Y: FoldTargets<Owned: Sync>,
        P: Clone + Sync,
        E: FoldEstimator<X, Y> + Send,
        D: Fn(&mut Rng) -> P,
        B: Fn(&P) -> Result<E> + Sync,
        C: Splitter<Y>,
    {
        let mut rng = Rng::new(self.seed, Purpose::Split, 3);
        let candidates: Vec<P> = (0..self.n_iter).map(|_| (self.draw)(&mut rng)).collect();
        GridSearch::new(candidates, &self.build, &self.splitter).fit(x, y)
    }
}

/// What a search found.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct SearchReport<P, E> {
    /// The candidate with the highest mean score, the first of equals.
    pub best_params: P,
    /// Its mean score over the folds.
    pub best_score: f64,
    /// Its estimator, fitted to all samples.
    pub best_estimator: E,
    /// All candidates, in the order in which they were given.
    pub candidates: Vec<Candidate<P>>,
}

/// One candidate of a search.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub struct Candidate<P> {
    /// What was tried.
    pub params: P,
    /// The score of each fold.
    pub scores: Vec<f64>,
    /// The mean of the scores.
    pub mean: f64,
    /// The standard deviation (divided by n) of the scores.
    pub std: f64,
    /// 1 for the highest mean; equals share a rank.
    pub rank: usize,
}

impl<P: fmt::Debug, E> fmt::Display for SearchReport<P, E> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "rank        mean ± std     candidate")?;
        let mut ranked: Vec<_> = self.candidates.iter().collect();
        ranked.sort_by_key(|candidate| candidate.rank);
        for Candidate { params, mean, std, rank, .. } in ranked {
            write!(f, "\n{rank:>4}  {mean:>10.4} ± {std:.4}  {params:?}")?;
        }
        Ok(())
    }
}
