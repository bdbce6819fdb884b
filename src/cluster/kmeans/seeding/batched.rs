//! Initial centers from passes over batches: those that a plain fit chooses.
//!
//! Greedy k-means++ keeps the distance of each row to its nearest center. Here it is computed again from all centers so far,
//! with the bits of the kernel. A center takes two passes: one to fetch the candidates, which were drawn by the sums of the
//! chunks, and one to score them.

use super::KMeansInit;
use super::candidates::{Candidates, SeedingStrategy};
use super::draws::{first_above, row_by_distance};
use super::plus_plus::{best_trial, default_trials, distances_to, set_distances};
use super::random_rows::{check_count, key, sample_without_replacement, smallest};
use super::row_chunk::{RowChunk, chunks};
use crate::cluster::kmeans::batches::pieces::{Piece, RowPasses};
use crate::cluster::kmeans::batches::survey::Survey;
use crate::cluster::kmeans::ranks::CHUNK;
use crate::cluster::kmeans::ranks::tree_sums::{SequentialSums, TreeSums};
use crate::cluster::kmeans::samples::Samples;
use crate::error::Result;
use crate::float::Float;
use crate::parallel::zip_chunks;
use crate::rng::Rng;
use crate::simd::vectorize;

/// The initial centers, (k, d) in row-major order.
pub(crate) fn initial_centers<F: Float>(
    init: &KMeansInit<F>,
    (passes, survey): (&mut RowPasses<'_, F>, &Survey<F>),
    n_clusters: usize,
    rng: &mut Rng,
) -> Result<Vec<F>> {
    match init {
        KMeansInit::Centers(centers) => Ok(centers.iter().copied().collect()),
        KMeansInit::Random if survey.heaviest.is_none() => {
            let drawn = sample_without_replacement(survey.n_rows(), n_clusters, rng);
            rows_in_order(passes, &drawn, survey.n_features())
        }
        KMeansInit::Random => {
            let drawn = draw_by_weight(passes, survey, n_clusters, rng)?;
            rows_in_order(passes, &drawn, survey.n_features())
        }
        _ => {
            let n_trials = default_trials(n_clusters);
            PlusPlus::new(passes, survey, n_trials).choose(n_clusters, &mut || rng.uniform())
        }
    }
}

/// Copies the rows with these numbers among those with weight, in ascending order, and their weights.
pub(crate) fn copy_rows<F: Float>(
    passes: &mut RowPasses<'_, F>,
    numbers: &[usize],
) -> Result<(Vec<F>, Vec<F>)> {
    let (mut values, mut weights) = (Vec::new(), Vec::new());
    let mut left = numbers.iter().copied().peekable();
    let mut number = 0;
    passes.run(&mut |Piece { samples, .. }| {
        for row in (0..samples.n_samples()).filter(|&row| samples.weight(row) > 0.0) {
            if left.next_if_eq(&number).is_some() {
                values.extend_from_slice(samples.row(row));
                weights.extend(samples.weights.map(|weights| weights[row]));
            }
            number += 1;
        }
        Ok(left.peek().is_some())
    })?;
    Ok((values, weights))
}

/// The values of these rows, in this order.
fn rows_in_order<F: Float>(
    passes: &mut RowPasses<'_, F>,
    rows: &[usize],
    n_features: usize,
) -> Result<Vec<F>> {
    let mut values = vec![F::zero(); rows.len() * n_features];
    passes.for_each(|Piece { first_row, samples }| {
        let own = first_row..first_row + samples.n_samples();
        for (slot, row) in values.chunks_exact_mut(n_features).zip(rows).filter(|(_, row)| own.contains(row))
        {
            slot.copy_from_slice(samples.row(row - first_row));
        }
        Ok(())
    })?;
    Ok(values)
}

/// Draws distinct rows, one after the other in proportion to the weights of the remaining ones.
fn draw_by_weight<F: Float>(
    passes: &mut RowPasses<'_, F>,
    survey: &Survey<F>,
    n_clusters: usize,
    rng: &mut Rng,
) -> Result<Vec<usize>> {
    check_count(survey.with_weight, n_clusters)?;
    let mut keys: Vec<(f64, usize)> = Vec::new();
    passes.for_each(|Piece { first_row, samples }| {
        let weights = samples.weights.unwrap_or(&[]).iter().enumerate().filter(|(_, w)| **w > F::zero());
        keys.extend(weights.map(|(row, weight)| (key(*weight, rng), first_row + row)));
        keys = smallest(std::mem::take(&mut keys), n_clusters);
        Ok(())
    })?;
    Ok(keys.into_iter().map(|(_, row)| row).collect())
}

/// A row that was drawn: its chunk, and what is left of the target of the running sum at its beginning.
#[derive(Debug, Clone, Copy)]
struct DrawnRow {
    chunk: usize,
    target: f64,
    /// Whether the sum is that of the weights, not of weighted squared distances.
    by_weight: bool,
}

/// Greedy k-means++ over passes.
struct PlusPlus<'p, 's, F> {
    passes: &'p mut RowPasses<'s, F>,
    survey: &'p Survey<F>,
    n_trials: usize,
    candidates: Candidates<F>,
    /// The centers so far, (j, d).
    chosen: Vec<F>,
    /// A line for each chunk: the sums of w·D with each of the candidates as one more center.
    potentials: Vec<f64>,
    /// The distances of the rows of a piece.
    distances: Vec<F>,
}

impl<'p, 's, F: Float> PlusPlus<'p, 's, F> {
    fn new(passes: &'p mut RowPasses<'s, F>, survey: &'p Survey<F>, n_trials: usize) -> Self {
        let max_weight = survey.heaviest.unwrap_or(1.0);
        // The rows of a piece; more chunks than threads.
        let shape = (survey.n_rows().min(64 * CHUNK), survey.n_features());
        let candidates = Candidates::with_max_weight(shape, n_trials, SeedingStrategy::AllRows, max_weight);
        let (chosen, potentials, distances) = (Vec::new(), Vec::new(), Vec::new());
        Self { passes, survey, n_trials, candidates, chosen, potentials, distances }
    }

    fn choose(mut self, n_clusters: usize, draw: &mut dyn FnMut() -> f64) -> Result<Vec<F>> {
        let (survey, d) = (self.survey, self.survey.n_features());
        let weights = survey.weight_sums();
        let first = self.drawn_by_weight(&weights, draw());
        self.fetch(&[first])?;
        self.chosen.extend_from_slice(self.candidates.row(0));
        let (mut width, mut best, mut sums) = (1, 0, self.potential_of_first()?);
        while self.chosen.len() < n_clusters * d {
            let potential = sums.total(best);
            let drawn: Vec<DrawnRow> = (0..self.n_trials)
                .map(|_| {
                    let uniform = draw();
                    let Some(place) = sums.locate(best, uniform * potential) else {
                        // Where every row coincides with a center, any row will do.
                        return self.drawn_by_weight(&weights, uniform);
                    };
                    let (chunk, target) = place.chunk(|chunk| self.potentials[chunk * width + best]);
                    DrawnRow { chunk, target, by_weight: false }
                })
                .collect();
            self.fetch(&drawn)?;
            sums = self.score(potential)?;
            (width, best) = (self.n_trials, best_trial(&sums, self.n_trials));
            let center = self.candidates.row(best).to_vec();
            self.chosen.extend(center);
        }
        Ok(self.chosen)
    }

    fn drawn_by_weight(&self, weights: &TreeSums<'_>, share: f64) -> DrawnRow {
        let place = weights.locate(0, share * weights.total(0));
        let found = place.map(|place| place.chunk(|chunk| self.survey.chunk_weights[chunk]));
        let (chunk, target) = found.unwrap_or((0, 0.0));
        DrawnRow { chunk, target, by_weight: true }
    }

    /// Makes candidates of drawn rows.
    fn fetch(&mut self, drawn: &[DrawnRow]) -> Result<()> {
        let d = self.survey.n_features();
        let (mut rows, mut values) = (vec![0; drawn.len()], vec![F::zero(); drawn.len() * d]);
        let mut left = drawn.len();
        let Self { passes, candidates, chosen, .. } = self;
        let (known, last) = split_last(chosen, d);
        passes.run(&mut |Piece { first_row, samples }| {
            let own = first_row / CHUNK..(first_row + samples.n_samples()).div_ceil(CHUNK);
            for (index, drawn) in drawn.iter().enumerate().filter(|(_, drawn)| own.contains(&drawn.chunk)) {
                let first = drawn.chunk * CHUNK - first_row;
                let chunk = samples.slice(first, CHUNK.min(samples.n_samples() - first));
                let row = row_of(drawn, &chunk, candidates, (known, last));
                rows[index] = first_row + first + row;
                values[index * d..][..d].copy_from_slice(chunk.row(row));
                left -= 1;
            }
            Ok(left > 0)
        })?;
        (self.candidates.rows, self.candidates.values) = (rows, values);
        Ok(())
    }

    /// The sum of w·D about the first center.
    fn potential_of_first(&mut self) -> Result<TreeSums<'p>> {
        let mut sums = SequentialSums::new(1);
        let Self { passes, chosen, potentials, distances, .. } = self;
        potentials.clear();
        passes.for_each(|Piece { samples, .. }| {
            distances.resize(samples.n_samples(), F::zero());
            let mut chunks = chunks(distances, &mut [], &mut [], 0);
            set_distances(&samples, chosen, &mut chunks);
            potentials.extend(chunks.iter().map(|chunk| chunk.potential));
            chunks.iter().for_each(|chunk| sums.push(&[chunk.potential]));
            Ok(())
        })?;
        Ok(sums.into_tree(&self.survey.ranks))
    }

    /// The sums of w·D that each candidate would leave of `potential`.
    fn score(&mut self, potential: f64) -> Result<TreeSums<'p>> {
        let (d, n_trials) = (self.survey.n_features(), self.n_trials);
        let mut sums = SequentialSums::new(n_trials);
        let Self { passes, candidates, chosen, potentials, distances, .. } = self;
        potentials.clear();
        let (known, last) = split_last(chosen, d);
        passes.for_each(|Piece { samples, .. }| {
            distances.resize(samples.n_samples(), F::zero());
            let operations = samples.values.len().saturating_mul(known.len() / d);
            let mut first_rows: Vec<usize> = (0..samples.n_samples()).step_by(CHUNK).collect();
            zip_chunks(operations, &mut first_rows, distances, CHUNK, |first, distances| {
                known_distances(&samples.slice(*first, distances.len()), candidates, known, distances);
            });
            let mut chunks = chunks(distances, &mut [], &mut [], n_trials);
            candidates.score(&samples, potential, last, &mut chunks);
            for chunk in &chunks {
                potentials.extend_from_slice(&chunk.candidate_potentials);
                sums.push(&chunk.candidate_potentials);
            }
            Ok(())
        })?;
        Ok(sums.into_tree(&self.survey.ranks))
    }
}

/// The centers whose distances are known, and the last one, which is merged with the next candidates; of a single center the
/// distances are known.
fn split_last<F>(chosen: &[F], n_features: usize) -> (&[F], Option<&[F]>) {
    if chosen.len() <= n_features {
        return (chosen, None);
    }
    let (known, last) = chosen.split_at(chosen.len() - n_features);
    (known, Some(last))
}

/// The squared distances of rows to the nearest of the known centers, with the bits of a plain fit.
fn known_distances<F: Float>(
    rows: &Samples<'_, F>,
    candidates: &Candidates<F>,
    known: &[F],
    distances: &mut [F],
) {
    let (first, others) = known.split_at(rows.n_features);
    vectorize(
        #[inline(always)]
        || distances_to(rows, first, distances),
    );
    candidates.merge(rows, others, distances);
}

/// The place of a drawn row in its chunk.
fn row_of<F: Float>(
    drawn: &DrawnRow,
    rows: &Samples<'_, F>,
    candidates: &Candidates<F>,
    (known, last): (&[F], Option<&[F]>),
) -> usize {
    let n = rows.n_samples();
    if drawn.by_weight {
        return first_above(0..n, drawn.target, |row| rows.weight(row)).unwrap_or(0);
    }
    let mut distances = vec![F::zero(); n];
    known_distances(rows, candidates, known, &mut distances);
    let chunk = RowChunk {
        first_row: 0,
        distances: &mut distances,
        centers: &mut [],
        closer: &mut [],
        potential: 0.0,
        candidate_potentials: Vec::new(),
    };
    row_by_distance(rows, &chunk, last, drawn.target)
}
