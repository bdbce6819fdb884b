//! The state of greedy k-means++ for a chunk of the rows.

use crate::cluster::kmeans::ranks::CHUNK;

/// A chunk of the rows, and its part of the sums over all rows.
#[derive(Debug)]
pub(crate) struct RowChunk<'a, F> {
    /// The place of its first row among those of this rank.
    pub(crate) first_row: usize,
    /// The squared distance D of each row to its nearest center; where no rows are skipped, the last center is merged
    /// with the next candidates.
    pub(crate) distances: &'a mut [F],
    /// The nearest center of each row, and a bit for each candidate that was closer; empty where no rows are skipped.
    pub(crate) centers: &'a mut [u32],
    pub(crate) closer: &'a mut [u32],
    /// Σ w·D over the rows, the last center included.
    pub(crate) potential: f64,
    /// That sum with each of the candidates as one more center.
    pub(crate) candidate_potentials: Vec<f64>,
}

/// Cuts rows into chunks. `centers` and `closer` may be empty.
pub(crate) fn chunks<'a, F>(
    distances: &'a mut [F],
    centers: &'a mut [u32],
    closer: &'a mut [u32],
    n_trials: usize,
) -> Vec<RowChunk<'a, F>> {
    let cut = |marks: &'a mut [u32]| marks.chunks_mut(CHUNK).chain(std::iter::repeat_with(Default::default));
    let marks = cut(centers).zip(cut(closer));
    let chunks = distances.chunks_mut(CHUNK).zip(marks).enumerate();
    chunks
        .map(|(chunk, (distances, (centers, closer)))| RowChunk {
            first_row: chunk * CHUNK,
            distances,
            centers,
            closer,
            potential: 0.0,
            candidate_potentials: vec![0.0; n_trials],
        })
        .collect()
}
