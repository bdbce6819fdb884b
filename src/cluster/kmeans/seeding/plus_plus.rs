//! Greedy k-means++: each center is drawn among the rows with a probability proportional to the squared distance D to the
//! centers so far, and of several such draws the one is kept that leaves the least inertia.
//!
//! The sum Σ w·D, the potential, is kept by chunks of rows; a draw first selects a chunk by its potential, then a row in it.

use super::candidates::{Candidates, SeedingStrategy};
use super::row_chunk::{CHUNK, RowChunk, chunks};
use crate::cluster::kmeans::distance::squared_distance;
use crate::cluster::kmeans::samples::{Samples, elements, in_range, in_rows};
use crate::cluster::kmeans::{check_counts, moments_of};
use crate::error::{Error, Result};
use crate::float::Float;
use crate::parallel;
use crate::rng::Rng;
use crate::simd::{prefetch, vectorize};
use crate::validate;
use ndarray::{Array2, ArrayBase, Axis, Data, Ix1, Ix2};

/// Chooses centers among the rows by greedy k-means++: the centers (k, d), and the rows that they are.
///
/// `n_local_trials` rows are drawn for each center, by default 2 + ⌊ln k⌋.
///
/// # Errors
/// No data; NaN, infinities, or values whose squared distances leave the range of `F`; fewer rows than clusters; no
/// clusters; no trials, or more than there are rows.
///
/// # Examples
/// ```
/// use axonal::cluster::kmeans_plusplus;
/// use axonal::ndarray::array;
/// use axonal::rng::{Purpose, Rng};
///
/// let x = array![[1.0, 2.0], [1.0, 4.0], [10.0, 2.0], [10.0, 4.0]];
/// let (centers, rows) = kmeans_plusplus(&x, 2, None, &mut Rng::new(0, Purpose::Clustering, 0))?;
/// assert_eq!(centers.row(0), x.row(rows[0]));
/// assert_ne!(rows[0] / 2, rows[1] / 2, "the second center lies in the other group");
/// # Ok::<(), axonal::Error>(())
/// ```
///
/// # References
/// Arthur and Vassilvitskii, k-means++: the advantages of careful seeding, 2007.
pub fn kmeans_plusplus<F: Float>(
    x: &ArrayBase<impl Data<Elem = F>, Ix2>,
    n_clusters: usize,
    n_local_trials: Option<usize>,
    rng: &mut Rng,
) -> Result<(Array2<F>, Vec<usize>)> {
    choose_among("kmeans_plusplus", x, None, (n_clusters, n_local_trials), rng)
}

/// [`kmeans_plusplus`] among weighted rows: a row is the likelier to be drawn the more it weighs, and one without weight
/// never is.
///
/// # Errors
/// As `kmeans_plusplus`; weights that are negative, not finite, all zero, or not one for each row.
///
/// # Examples
/// ```
/// use axonal::cluster::kmeans_plusplus_weighted;
/// use axonal::ndarray::array;
/// use axonal::rng::{Purpose, Rng};
///
/// let x = array![[1.0, 2.0], [1.0, 4.0], [10.0, 2.0], [10.0, 4.0]];
/// let weights = array![1.0, 0.0, 0.0, 1.0];
/// let mut rng = Rng::new(0, Purpose::Clustering, 0);
/// let (_, mut rows) = kmeans_plusplus_weighted(&x, &weights, 2, None, &mut rng)?;
/// rows.sort();
/// assert_eq!(rows, [0, 3]);
/// # Ok::<(), axonal::Error>(())
/// ```
pub fn kmeans_plusplus_weighted<F: Float>(
    x: &ArrayBase<impl Data<Elem = F>, Ix2>,
    sample_weight: &ArrayBase<impl Data<Elem = F>, Ix1>,
    n_clusters: usize,
    n_local_trials: Option<usize>,
    rng: &mut Rng,
) -> Result<(Array2<F>, Vec<usize>)> {
    let weights = sample_weight.to_vec();
    choose_among("kmeans_plusplus_weighted", x, Some(&weights), (n_clusters, n_local_trials), rng)
}

fn choose_among<F: Float>(
    owner: &'static str,
    x: &ArrayBase<impl Data<Elem = F>, Ix2>,
    weights: Option<&[F]>,
    (n_clusters, n_local_trials): (usize, Option<usize>),
    rng: &mut Rng,
) -> Result<(Array2<F>, Vec<usize>)> {
    validate::not_empty("x", x)?;
    if let Some(weights) = weights {
        validate::sample_weights("sample_weight", weights, x.nrows())?;
    }
    if n_clusters == 0 {
        return Err(Error::invalid_parameter(owner, "n_clusters", 0, "at least 1"));
    }
    check_counts(owner, n_clusters, x.nrows())?;
    let n_trials = n_local_trials.unwrap_or(default_trials(n_clusters));
    if n_local_trials.is_some_and(|trials| trials == 0 || trials > x.nrows()) {
        let expected = format!("1 to n_samples = {}", x.nrows());
        return Err(Error::invalid_parameter(owner, "n_local_trials", n_trials, expected));
    }
    let given = x.view();
    let x = in_rows(given)?;
    let samples = Samples { values: elements(&x), n_features: x.ncols(), weights };
    let small = F::of(F::min_positive_value().as_f64().sqrt() / F::epsilon().as_f64());
    if weights.is_some() {
        in_range(owner, given)?;
    }
    if weights.is_some() || samples.values.iter().all(|x| x.abs() < small) {
        // Values or weights so small that squared distances may underflow.
        moments_of(owner, &samples)?;
    }
    let strategy = SeedingStrategy::for_sizes(n_clusters, samples.n_features);
    let check_range = || in_range(owner, given);
    let rows =
        choose_with(&samples, (n_clusters, n_trials), strategy, (&check_range, &mut || rng.uniform()))?;
    Ok((x.select(Axis(0), &rows), rows))
}

/// Chooses rows as centers, of rows that were checked.
///
/// `draw` returns numbers uniform on [0, 1): one for the first center, `n_trials` for each other.
pub(crate) fn choose<F: Float>(
    samples: &Samples<'_, F>,
    n_clusters: usize,
    n_trials: usize,
    draw: &mut dyn FnMut() -> f64,
) -> Vec<usize> {
    let strategy = SeedingStrategy::for_sizes(n_clusters, samples.n_features);
    choose_with(samples, (n_clusters, n_trials), strategy, (&|| Ok(()), draw)).unwrap_or_default()
}

/// [`choose`] by a strategy. Where the distances to the first center are so large that others may have no square in the range of
/// `F`, `check_range` decides whether to continue.
fn choose_with<F: Float>(
    samples: &Samples<'_, F>,
    (n_clusters, n_trials): (usize, usize),
    strategy: SeedingStrategy,
    (check_range, draw): (&dyn Fn() -> Result<()>, &mut dyn FnMut() -> f64),
) -> Result<Vec<usize>> {
    let n = samples.n_samples();
    let mut candidates = Candidates::new(samples, n_trials, strategy);
    let n_marks = if strategy == SeedingStrategy::SkipClose { n } else { 0 };
    let (mut distances, mut centers, mut closer) =
        (vec![F::infinity(); n], vec![0; n_marks], vec![0; n_marks]);
    let mut chunks = chunks(&mut distances, &mut centers, &mut closer, n_trials);
    let mut chosen = vec![sample_by_weight(samples, draw())];
    set_distances(samples, samples.row(chosen[0]), &mut chunks);
    let potential = |chunks: &[RowChunk<'_, F>]| chunks.iter().map(|chunk| chunk.potential).sum::<f64>();
    // Rows at a squared distance of D from a third one lie within 4 D of each other.
    let in_range = 4.0 * potential(&chunks) < F::max_value().as_f64();
    if !in_range {
        check_range()?;
    }
    let mut last = None;
    while chosen.len() < n_clusters {
        let potential = potential(&chunks);
        candidates.rows.clear();
        for _ in 0..n_trials {
            let uniform = draw();
            // Where every row coincides with a center, any row will do.
            let row = sample_by_distance(samples, &chunks, last, uniform * potential)
                .unwrap_or_else(|| sample_by_weight(samples, uniform));
            candidates.rows.push(row);
        }
        candidates.set_skip_limits(samples, &chosen);
        candidates.score(samples, potential, last, &mut chunks);
        let best = best_trial(&chunks, n_trials);
        chunks.iter_mut().for_each(|chunk| chunk.potential = chunk.candidate_potentials[best]);
        chosen.push(candidates.rows[best]);
        match strategy {
            SeedingStrategy::SkipClose => merge_last(samples, &chosen, &mut chunks, candidates.bit(best)),
            SeedingStrategy::AllRows => last = Some(samples.row(candidates.rows[best])),
        }
    }
    Ok(chosen)
}

/// How many candidates scikit-learn tries for each center.
pub(crate) fn default_trials(n_clusters: usize) -> usize {
    2 + (n_clusters as f64).ln() as usize
}

/// The row at which the running sum of the weights passes a share of their total.
fn sample_by_weight<F: Float>(samples: &Samples<'_, F>, share: f64) -> usize {
    let n = samples.n_samples();
    let total: f64 = (0..n).map(|row| samples.weight(row)).sum();
    first_above(0..n, share * total, |row| samples.weight(row)).unwrap_or(0)
}

/// The row at which the running sum of w·D passes `target`; `None` where all distances are zero.
fn sample_by_distance<F: Float>(
    samples: &Samples<'_, F>,
    chunks: &[RowChunk<'_, F>],
    last: Option<&[F]>,
    target: f64,
) -> Option<usize> {
    let chunk = first_above(0..chunks.len(), target, |chunk| chunks[chunk].potential)?;
    let before: f64 = chunks[..chunk].iter().map(|chunk| chunk.potential).sum();
    let RowChunk { first_row, distances, .. } = &chunks[chunk];
    let distance = |row: usize| match last {
        Some(last) => {
            let own = squared_distance(samples.row(first_row + row), last);
            if own < distances[row] { own } else { distances[row] }
        }
        None => distances[row],
    };
    let row = vectorize(
        #[inline(always)]
        || {
            let mass = |row: usize| samples.weight(first_row + row) * distance(row).as_f64();
            first_above(0..distances.len(), target - before, mass)
        },
    )?;
    Some(first_row + row)
}

/// The first index at which the running sum of masses exceeds `target`; where rounding keeps the sum below it, the last index
/// with a mass above 0.
fn first_above(indices: std::ops::Range<usize>, target: f64, mass: impl Fn(usize) -> f64) -> Option<usize> {
    let (mut sum, mut last) = (0.0, None);
    for index in indices {
        let mass = mass(index);
        if mass > 0.0 {
            sum += mass;
            last = Some(index);
            if sum > target {
                break;
            }
        }
    }
    last
}

/// Computes the distances of all rows to the first center.
fn set_distances<F: Float>(samples: &Samples<'_, F>, center: &[F], chunks: &mut [RowChunk<'_, F>]) {
    parallel::for_each(samples.values.len(), chunks, |chunk| {
        let rows = samples.slice(chunk.first_row, chunk.distances.len());
        vectorize(
            #[inline(always)]
            || {
                for (row, distance) in chunk.distances.iter_mut().enumerate() {
                    *distance = squared_distance(rows.row(row), center);
                }
            },
        );
        let masses = chunk.distances.iter().enumerate().map(|(row, d)| rows.weight(row) * d.as_f64());
        chunk.potential = masses.sum();
    });
}

/// Merges the last center into the distances of the rows that have a bit of `mask`.
fn merge_last<F: Float>(
    samples: &Samples<'_, F>,
    chosen: &[usize],
    chunks: &mut [RowChunk<'_, F>],
    mask: u32,
) {
    /// How many rows ahead a row is prefetched.
    const AHEAD: usize = 8;
    let Some((&last, earlier)) = chosen.split_last() else { return };
    let center = samples.row(last);
    parallel::for_each(samples.values.len(), chunks, |chunk| {
        let all = samples.slice(chunk.first_row, chunk.closer.len());
        vectorize(
            #[inline(always)]
            || {
                let (mut rows, mut count) = ([0; CHUNK], 0);
                for (row, closer) in chunk.closer.iter().enumerate() {
                    rows[count] = row;
                    count += usize::from(closer & mask != 0);
                }
                for (place, &row) in rows[..count].iter().enumerate() {
                    let ahead = rows[(place + AHEAD).min(count - 1)];
                    prefetch(all.row(ahead).as_ptr(), samples.n_features);
                    let distance = squared_distance(all.row(row), center);
                    if distance < chunk.distances[row] {
                        chunk.distances[row] = distance;
                        chunk.centers[row] = earlier.len() as u32;
                    }
                }
            },
        );
    });
}

/// The candidate that leaves the least potential, ties to the first.
fn best_trial<F>(chunks: &[RowChunk<'_, F>], n_trials: usize) -> usize {
    let potential = |trial: usize| chunks.iter().map(|chunk| chunk.candidate_potentials[trial]).sum::<f64>();
    (1..n_trials)
        .fold((0, potential(0)), |best, trial| {
            let left = potential(trial);
            if left < best.1 { (trial, left) } else { best }
        })
        .0
}

#[cfg(test)]
#[path = "../../../../tests/clustering/mersenne_twister.rs"]
mod mersenne_twister;

#[cfg(test)]
mod tests {
    use super::SeedingStrategy::{AllRows, SkipClose};
    use super::mersenne_twister::MersenneTwister;
    use super::*;
    use crate::rng::Purpose;

    fn of_iris(n_clusters: usize, seed: u32) -> Vec<usize> {
        let iris = crate::datasets::load_iris::<f64>().unwrap();
        let samples = Samples { values: iris.data.as_slice().unwrap(), n_features: 4, weights: None };
        let mut twister = MersenneTwister::new(seed);
        choose(&samples, n_clusters, default_trials(n_clusters), &mut || twister.uniform())
    }

    /// What scikit-learn chooses with these seeds of numpy's generator.
    #[test]
    fn with_numpys_generator_the_choice_is_scikit_learns() {
        let x = [1.0, 2.0, 1.0, 4.0, 1.0, 0.0, 10.0, 2.0, 10.0, 4.0, 10.0, 0.0];
        let samples = Samples { values: &x, n_features: 2, weights: None };
        let mut twister = MersenneTwister::new(0);
        assert_eq!(choose(&samples, 2, 2, &mut || twister.uniform()), [3, 2]);
        assert_eq!(of_iris(3, 0), [82, 46, 112]);
        assert_eq!(of_iris(3, 1), [62, 0, 77]);
        assert_eq!(of_iris(3, 42), [56, 37, 59]);
        assert_eq!(of_iris(8, 0), [82, 46, 145, 105, 3, 127, 78, 93]);
    }

    fn noise(n: usize, d: usize) -> Vec<f32> {
        let mut rng = Rng::new(7, Purpose::Other, 0);
        (0..n * d).map(|_| rng.normal() as f32).collect()
    }

    /// The same choice by plain code.
    fn choose_plainly(
        samples: &Samples<'_, f32>,
        n_clusters: usize,
        n_trials: usize,
        draw: &mut dyn FnMut() -> f64,
    ) -> Vec<usize> {
        let n = samples.n_samples();
        let distance = |a: usize, b: usize| -> f64 {
            samples.row(a).iter().zip(samples.row(b)).map(|(a, b)| f64::from(a - b).powi(2)).sum()
        };
        let mut chosen = vec![sample_by_weight(samples, draw())];
        while chosen.len() < n_clusters {
            let mass: Vec<f64> = (0..n)
                .map(|row| {
                    samples.weight(row)
                        * chosen.iter().map(|&c| distance(row, c)).fold(f64::INFINITY, f64::min)
                })
                .collect();
            let total: f64 = mass.iter().sum();
            let trials: Vec<usize> =
                (0..n_trials).map(|_| first_above(0..n, draw() * total, |row| mass[row]).unwrap()).collect();
            let left = |&candidate: &usize| -> f64 {
                (0..n).map(|row| mass[row].min(samples.weight(row) * distance(row, candidate))).sum()
            };
            let best = trials.iter().copied().min_by(|a, b| left(a).total_cmp(&left(b))).unwrap();
            chosen.push(best);
        }
        chosen
    }

    #[test]
    fn the_strategy_does_not_change_the_choice() {
        for d in [3, 16, 33] {
            let x = noise(700, d);
            let weights: Vec<f32> = (0..700).map(|row| (row % 5) as f32).collect();
            // Their sums leave the range of the rows' type.
            let heavy: Vec<f32> = weights.iter().map(|weight| weight * 8e37).collect();
            for weights in [None, Some(weights.as_slice()), Some(heavy.as_slice())] {
                let samples = Samples { values: &x, n_features: d, weights };
                let rng = || Rng::new(3, Purpose::Clustering, 0);
                let mut other = rng();
                let want = choose_plainly(&samples, 40, 9, &mut || other.uniform());
                for (strategy, mut rng) in [(AllRows, rng()), (SkipClose, rng())] {
                    let fast = choose_with(&samples, (40, 9), strategy, (&|| Ok(()), &mut || rng.uniform()));
                    assert_eq!(fast.unwrap(), want, "d = {d}, {strategy:?}");
                }
            }
        }
    }

    /// The last group of a chunk repeats a row, and may look as if its rows were consecutive.
    #[test]
    fn the_rows_of_the_last_group_are_scored_as_they_are() {
        // Whole numbers, whose distances and sums are exact.
        let x: Vec<f32> = noise(700, 33).iter().map(|x| (3.0 * x).round()).collect();
        for n in 660..692 {
            let samples = Samples { values: &x[..n * 33], n_features: 33, weights: None };
            let (mut a, mut b) = (Rng::new(3, Purpose::Clustering, 0), Rng::new(3, Purpose::Clustering, 0));
            let all = choose_with(&samples, (60, 9), AllRows, (&|| Ok(()), &mut || a.uniform()));
            let skipped = choose_with(&samples, (60, 9), SkipClose, (&|| Ok(()), &mut || b.uniform()));
            assert_eq!(all.unwrap(), skipped.unwrap(), "n = {n}");
        }
    }

    #[test]
    fn more_trials_than_are_recorded_make_the_same_choice() {
        let x = noise(300, 5);
        let samples = Samples { values: &x, n_features: 5, weights: None };
        let rng = || Rng::new(4, Purpose::Clustering, 0);
        let mut other = rng();
        let want = choose_plainly(&samples, 12, 41, &mut || other.uniform());
        for (strategy, mut rng) in [(AllRows, rng()), (SkipClose, rng())] {
            let draw = &mut || rng.uniform();
            let fast = choose_with(&samples, (12, 41), strategy, (&|| Ok(()), draw));
            assert_eq!(fast.unwrap(), want);
        }
    }

    #[test]
    fn more_centers_than_distinct_rows_can_be_chosen() {
        let x: Vec<f32> = (0..60).map(|row| (row % 5) as f32).collect();
        let samples = Samples { values: &x, n_features: 1, weights: None };
        let mut rng = Rng::new(1, Purpose::Clustering, 0);
        let chosen = choose(&samples, 10, 4, &mut || rng.uniform());
        let mut first: Vec<f32> = chosen[..5].iter().map(|&row| x[row]).collect();
        first.sort_by(f32::total_cmp);
        assert_eq!((chosen.len(), first), (10, vec![0.0, 1.0, 2.0, 3.0, 4.0]));
    }

    #[test]
    fn rows_without_weight_are_never_chosen() {
        let x = noise(100, 2);
        let weights: Vec<f32> = (0..100).map(|row| (row % 2) as f32).collect();
        let samples = Samples { values: &x, n_features: 2, weights: Some(&weights) };
        for seed in 0..20 {
            let mut rng = Rng::new(seed, Purpose::Clustering, 0);
            assert!(choose(&samples, 20, 5, &mut || rng.uniform()).iter().all(|row| row % 2 == 1));
        }
    }
}
