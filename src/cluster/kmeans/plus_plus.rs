//! Greedy k-means++: each center is drawn among the rows with a probability that grows with the squared distance
//! to the centers so far, and of several such draws the one is kept that leaves the least inertia.

use super::distance::squared_distance;
use super::samples::Samples;
use crate::float::Float;
use crate::parallel::{for_each, zip_chunks};
use crate::simd::vectorize;

/// Rows whose distances one piece of work keeps up to date.
const PIECE: usize = 1024;

/// A piece of the rows, and what it adds to the sums over all of them.
struct Piece {
    first_row: usize,
    /// Σ w·D over the rows, D the squared distance to the nearest center so far.
    potential: f64,
    /// What that sum would be with each of the candidates.
    candidates: Vec<f64>,
}

/// The rows chosen as centers.
///
/// `draw` answers with numbers uniform on [0, 1): one for the first center, `n_trials` for each other.
pub(crate) fn choose<F: Float>(
    samples: &Samples<'_, F>,
    n_clusters: usize,
    n_trials: usize,
    draw: &mut dyn FnMut() -> f64,
) -> Vec<usize> {
    let n = samples.n_samples();
    let mut closest = vec![F::infinity(); n];
    let mut pieces: Vec<_> = (0..n)
        .step_by(PIECE)
        .map(|first_row| Piece { first_row, potential: 0.0, candidates: vec![0.0; n_trials] })
        .collect();
    let mut chosen = Vec::with_capacity(n_clusters);
    let mut candidates = Vec::with_capacity(n_trials);
    chosen.push(by_weight(samples, draw()));
    while let Some(&last) = chosen.last().filter(|_| chosen.len() < n_clusters) {
        draw_near(samples, last, &mut pieces, &mut closest);
        let potential: f64 = pieces.iter().map(|piece| piece.potential).sum();
        candidates.clear();
        for _ in 0..n_trials {
            let uniform = draw();
            // Where every row is a center already, one is as good as the other.
            let row = by_distance(samples, &pieces, &closest, uniform * potential)
                .unwrap_or_else(|| by_weight(samples, uniform));
            candidates.push(row);
        }
        try_candidates(samples, &candidates, &mut pieces, &closest);
        chosen.push(candidates[best_trial(&pieces, n_trials)]);
    }
    chosen
}

/// How many candidates scikit-learn tries for each center.
pub(crate) fn default_trials(n_clusters: usize) -> usize {
    2 + (n_clusters as f64).ln() as usize
}

/// The row at which the running sum of the weights passes a share of their total.
fn by_weight<F: Float>(samples: &Samples<'_, F>, share: f64) -> usize {
    let n = samples.n_samples();
    let total: f64 = (0..n).map(|row| samples.weight(row)).sum();
    pass(0..n, share * total, |row| samples.weight(row)).unwrap_or(0)
}

/// The row at which the running sum of w·D passes `target`; `None` where all distances are zero.
fn by_distance<F: Float>(
    samples: &Samples<'_, F>,
    pieces: &[Piece],
    closest: &[F],
    target: f64,
) -> Option<usize> {
    let piece = pass(0..pieces.len(), target, |piece| pieces[piece].potential)?;
    let before: f64 = pieces[..piece].iter().map(|piece| piece.potential).sum();
    let first = pieces[piece].first_row;
    let rows = first..(first + PIECE).min(closest.len());
    pass(rows, target - before, |row| samples.weight(row) * closest[row].as_f64())
}

/// The first index at which the running sum of masses exceeds `target`; where rounding keeps the sum below it, the
/// last index that has a mass at all.
fn pass(indices: std::ops::Range<usize>, target: f64, mass: impl Fn(usize) -> f64) -> Option<usize> {
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

/// Takes a new center into the closest distances.
fn draw_near<F: Float>(samples: &Samples<'_, F>, center: usize, pieces: &mut [Piece], closest: &mut [F]) {
    let center = samples.row(center);
    zip_chunks(samples.values.len(), pieces, closest, PIECE, |piece, closest| {
        let part = samples.part(piece.first_row, closest.len());
        piece.potential = vectorize(
            #[inline(always)]
            || {
                let mut potential = 0.0;
                for (row, closest) in closest.iter_mut().enumerate() {
                    *closest = closest.min(squared_distance(part.row(row), center));
                    potential += part.weight(row) * closest.as_f64();
                }
                potential
            },
        );
    });
}

/// The sums that each candidate would leave.
fn try_candidates<F: Float>(
    samples: &Samples<'_, F>,
    candidates: &[usize],
    pieces: &mut [Piece],
    closest: &[F],
) {
    let operations = samples.values.len().saturating_mul(candidates.len());
    for_each(operations, pieces, |piece| {
        let first = piece.first_row;
        let closest = &closest[first..(first + PIECE).min(closest.len())];
        vectorize(
            #[inline(always)]
            || {
                piece.candidates.fill(0.0);
                for (row, closest) in closest.iter().enumerate() {
                    let (x, weight) = (samples.row(first + row), samples.weight(first + row));
                    for (potential, &candidate) in piece.candidates.iter_mut().zip(candidates) {
                        let distance = squared_distance(x, samples.row(candidate));
                        *potential += weight * closest.min(distance).as_f64();
                    }
                }
            },
        );
    });
}

/// The candidate that leaves the least, of equal ones the first.
fn best_trial(pieces: &[Piece], n_trials: usize) -> usize {
    let potential = |trial: usize| pieces.iter().map(|piece| piece.candidates[trial]).sum::<f64>();
    (1..n_trials)
        .fold((0, potential(0)), |best, trial| {
            let left = potential(trial);
            if left < best.1 { (trial, left) } else { best }
        })
        .0
}
