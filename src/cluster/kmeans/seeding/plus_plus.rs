//! Greedy k-means++: each center is drawn among the rows with a probability proportional to the squared distance D to the
//! centers so far, and of several such draws the one is kept that leaves the least inertia.
//!
//! The sum Σ w·D, the potential, is kept by chunks of rows; a draw ([`draws`](super::draws)) first selects a chunk by its potential,
//! then a row in it.

use super::candidates::{Candidates, SeedingStrategy};
use super::draws::{WeightDraws, locate_distance, row_by_distance};
use super::row_chunk::{RowChunk, chunks};
use crate::cluster::kmeans::ranks::tree_sums::TreeSums;
use crate::cluster::kmeans::ranks::{CHUNK, Ranks};
use crate::cluster::kmeans::samples::Samples;
use crate::error::Result;
use crate::float::Float;
use crate::linalg::distance::squared_distance;
use crate::parallel;
use crate::simd::{prefetch, vectorize};

/// Rows that were chosen as centers.
#[derive(Debug, Default)]
pub(crate) struct Chosen<F> {
    /// Their numbers among the rows of all ranks.
    pub(crate) rows: Vec<usize>,
    /// Their values, (k, d).
    pub(crate) values: Vec<F>,
}

impl<F: Float> Chosen<F> {
    fn push(&mut self, row: usize, values: &[F]) {
        self.rows.push(row);
        self.values.extend_from_slice(values);
    }
}

/// Chooses rows of all ranks as centers, of rows that were checked.
///
/// `draw` returns numbers uniform on [0, 1), the same on every rank: one for the first center, `n_trials` for each other.
pub(crate) fn choose<F: Float>(
    rows: (&Samples<'_, F>, &Ranks<'_>),
    n_clusters: usize,
    n_trials: usize,
    draw: &mut dyn FnMut() -> f64,
) -> Result<Chosen<F>> {
    let strategy = SeedingStrategy::for_sizes(n_clusters, rows.0.n_features);
    choose_with(rows, (n_clusters, n_trials), strategy, (&|| Ok(()), draw))
}

/// [`choose`] by a strategy. Where the distances to the first center are so large that others may have no square in the range of
/// `F`, `check_range` decides whether to continue.
pub(super) fn choose_with<F: Float>(
    (samples, ranks): (&Samples<'_, F>, &Ranks<'_>),
    (n_clusters, n_trials): (usize, usize),
    strategy: SeedingStrategy,
    (check_range, draw): (&dyn Fn() -> Result<()>, &mut dyn FnMut() -> f64),
) -> Result<Chosen<F>> {
    let (n, d) = (samples.n_samples(), samples.n_features);
    let mut candidates = Candidates::new((samples, ranks), n_trials, strategy)?;
    let n_marks = if strategy == SeedingStrategy::SkipClose { n } else { 0 };
    let (mut distances, mut centers, mut closer) =
        (vec![F::infinity(); n], vec![0; n_marks], vec![0; n_marks]);
    let mut chunks = chunks(&mut distances, &mut centers, &mut closer, n_trials);
    let draws = Draws { samples, ranks, by_weight: WeightDraws::new(*samples, ranks)? };
    draws.first(draw(), &mut candidates)?;
    let mut chosen = Chosen::default();
    chosen.push(candidates.rows[0], candidates.row(0));
    set_distances(samples, &chosen.values, &mut chunks);
    let mut sums = TreeSums::new(ranks);
    sums.compute(1, |chunk| std::slice::from_ref(&chunks[chunk].potential))?;
    // Rows at a squared distance of D from a third one lie within 4 D of each other.
    let in_range = 4.0 * sums.total(0) < F::max_value().as_f64();
    if !in_range {
        check_range()?;
    }
    let mut best = 0;
    while chosen.rows.len() < n_clusters {
        let last_values = &chosen.values[chosen.values.len() - d..];
        // The distances to the first center are known.
        let is_missing = strategy == SeedingStrategy::AllRows && chosen.rows.len() > 1;
        let last = is_missing.then_some(last_values);
        let potential = sums.total(best);
        draws.candidates(n_trials, (&sums, best, &chunks), last, draw, &mut candidates)?;
        candidates.set_skip_limits(&chosen.values, d);
        candidates.score(samples, potential, last, &mut chunks);
        sums.compute(n_trials, |chunk| &chunks[chunk].candidate_potentials)?;
        best = best_trial(&sums, n_trials);
        chunks.iter_mut().for_each(|chunk| chunk.potential = chunk.candidate_potentials[best]);
        chosen.push(candidates.rows[best], candidates.row(best));
        if strategy == SeedingStrategy::SkipClose {
            merge_last(samples, &chosen, &mut chunks, candidates.bit(best));
        }
    }
    Ok(chosen)
}

/// Draws among the rows of all ranks.
struct Draws<'a, F> {
    samples: &'a Samples<'a, F>,
    ranks: &'a Ranks<'a>,
    by_weight: WeightDraws<'a, F>,
}

impl<F: Float> Draws<'_, F> {
    /// Draws the first center as the only candidate.
    fn first(&self, uniform: f64, candidates: &mut Candidates<F>) -> Result<()> {
        candidates.rows.clear();
        candidates.rows.push(self.by_weight.row(uniform).map_or(0, |row| self.ranks.first_row() + row));
        self.share(candidates)
    }

    /// Draws candidates for the next center.
    fn candidates(
        &self,
        n_trials: usize,
        (sums, column, chunks): (&TreeSums<'_>, usize, &[RowChunk<'_, F>]),
        last: Option<&[F]>,
        draw: &mut dyn FnMut() -> f64,
        candidates: &mut Candidates<F>,
    ) -> Result<()> {
        let potential = sums.total(column);
        candidates.rows.clear();
        for _ in 0..n_trials {
            let uniform = draw();
            let row = match locate_distance((self.ranks, sums, column), chunks, uniform * potential) {
                Some(place) => {
                    place.map(|(chunk, target)| row_by_distance(self.samples, &chunks[chunk], last, target))
                }
                // Where every row coincides with a center, any row will do.
                None => self.by_weight.row(uniform),
            };
            candidates.rows.push(row.map_or(0, |row| self.ranks.first_row() + row));
        }
        self.share(candidates)
    }

    /// Copies the candidates, which each rank has found some of, to all ranks.
    fn share(&self, candidates: &mut Candidates<F>) -> Result<()> {
        self.ranks.combine_rows(&mut candidates.rows)?;
        self.ranks.copy_rows(self.samples, &candidates.rows, &mut candidates.values)
    }
}

/// How many candidates scikit-learn tries for each center.
pub(crate) fn default_trials(n_clusters: usize) -> usize {
    2 + (n_clusters as f64).ln() as usize
}

/// Computes the distances of all rows to the first center.
pub(super) fn set_distances<F: Float>(
    samples: &Samples<'_, F>,
    center: &[F],
    chunks: &mut [RowChunk<'_, F>],
) {
    parallel::for_each(samples.values.len(), chunks, |chunk| {
        let rows = samples.slice(chunk.first_row, chunk.distances.len());
        vectorize(
            #[inline(always)]
            || {
                distances_to(&rows, center, chunk.distances);
            },
        );
        let masses = chunk.distances.iter().enumerate().map(|(row, d)| rows.weight(row) * d.as_f64());
        chunk.potential = masses.sum();
    });
}

/// The squared distances of rows to a center.
#[inline(always)]
pub(super) fn distances_to<F: Float>(rows: &Samples<'_, F>, center: &[F], distances: &mut [F]) {
    for (row, distance) in distances.iter_mut().enumerate() {
        *distance = squared_distance(rows.row(row), center);
    }
}

/// Merges the last center into the distances of the rows that have a bit of `mask`.
fn merge_last<F: Float>(
    samples: &Samples<'_, F>,
    chosen: &Chosen<F>,
    chunks: &mut [RowChunk<'_, F>],
    mask: u32,
) {
    /// How many rows ahead a row is prefetched.
    const AHEAD: usize = 8;
    let earlier = chosen.rows.len() - 1;
    let center = &chosen.values[earlier * samples.n_features..];
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
                        chunk.centers[row] = earlier as u32;
                    }
                }
            },
        );
    });
}

/// The candidate that leaves the least potential, ties to the first.
pub(super) fn best_trial(sums: &TreeSums<'_>, n_trials: usize) -> usize {
    (1..n_trials)
        .fold((0, sums.total(0)), |best, trial| {
            let left = sums.total(trial);
            if left < best.1 { (trial, left) } else { best }
        })
        .0
}

#[cfg(test)]
#[path = "../../../../tests/clustering/mersenne_twister.rs"]
mod mersenne_twister;

#[cfg(test)]
mod tests {
    use super::super::draws::first_above;
    use super::SeedingStrategy::{AllRows, SkipClose};
    use super::mersenne_twister::MersenneTwister;
    use super::*;
    use crate::rng::{Purpose, Rng};

    fn chosen<F: Float>(
        samples: &Samples<'_, F>,
        n_clusters: usize,
        n_trials: usize,
        draw: &mut dyn FnMut() -> f64,
    ) -> Vec<usize> {
        let ranks = Ranks::alone(samples.n_samples());
        choose((samples, &ranks), n_clusters, n_trials, draw).unwrap().rows
    }

    fn chosen_with(
        samples: &Samples<'_, f32>,
        sizes: (usize, usize),
        strategy: SeedingStrategy,
        draw: &mut dyn FnMut() -> f64,
    ) -> Vec<usize> {
        let ranks = Ranks::alone(samples.n_samples());
        choose_with((samples, &ranks), sizes, strategy, (&|| Ok(()), draw)).unwrap().rows
    }

    fn of_iris(n_clusters: usize, seed: u32) -> Vec<usize> {
        let iris = crate::datasets::load_iris::<f64>().unwrap();
        let samples = Samples { values: iris.data.as_slice().unwrap(), n_features: 4, weights: None };
        let mut twister = MersenneTwister::new(seed);
        chosen(&samples, n_clusters, default_trials(n_clusters), &mut || twister.uniform())
    }

    /// What scikit-learn chooses with these seeds of numpy's generator.
    #[test]
    fn with_numpys_generator_the_choice_is_scikit_learns() {
        let x = [1.0, 2.0, 1.0, 4.0, 1.0, 0.0, 10.0, 2.0, 10.0, 4.0, 10.0, 0.0];
        let samples = Samples { values: &x, n_features: 2, weights: None };
        let mut twister = MersenneTwister::new(0);
        assert_eq!(chosen(&samples, 2, 2, &mut || twister.uniform()), [3, 2]);
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
        let weight = |row: usize| samples.weight(row);
        let total: f64 = (0..n).map(weight).sum();
        let mut chosen = vec![first_above(0..n, draw() * total, weight).unwrap()];
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
                    let fast = chosen_with(&samples, (40, 9), strategy, &mut || rng.uniform());
                    assert_eq!(fast, want, "d = {d}, {strategy:?}");
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
            let all = chosen_with(&samples, (60, 9), AllRows, &mut || a.uniform());
            let skipped = chosen_with(&samples, (60, 9), SkipClose, &mut || b.uniform());
            assert_eq!(all, skipped, "n = {n}");
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
            assert_eq!(chosen_with(&samples, (12, 41), strategy, &mut || rng.uniform()), want);
        }
    }

    #[test]
    fn more_centers_than_distinct_rows_can_be_chosen() {
        let x: Vec<f32> = (0..60).map(|row| (row % 5) as f32).collect();
        let samples = Samples { values: &x, n_features: 1, weights: None };
        let mut rng = Rng::new(1, Purpose::Clustering, 0);
        let chosen = chosen(&samples, 10, 4, &mut || rng.uniform());
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
            assert!(chosen(&samples, 20, 5, &mut || rng.uniform()).iter().all(|row| row % 2 == 1));
        }
    }
}
