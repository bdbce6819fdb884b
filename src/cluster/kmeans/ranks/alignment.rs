//! The exchange of rows after which every chunk is on one rank.
//!
//! ```text
//!     chunks      |       0       |       1       |       2       |   3   |
//!     before      | rank 0    | rank 1  | rank 2                  | rank 3|
//!     after       | rank 0        | rank 1        | rank 2        | rank 3|
//! ```
//! A chunk goes to the rank of its first row; so a rank passes fewer rows than a chunk has, all from its beginning. A rank whose
//! last chunk was cut copies its rows; the others borrow what is left of them.

use super::{CHUNK, Ranks};
use crate::cluster::kmeans::samples::Samples;
use crate::distributed::{Collective, gather_u64};
use crate::error::Result;
use crate::float::Float;
use std::borrow::Cow;

/// The rows of a rank in whole chunks.
#[derive(Debug)]
pub(crate) struct AlignedRows<'a, F: Float> {
    pub(crate) ranks: Ranks<'a>,
    pub(crate) values: Cow<'a, [F]>,
    weights: Option<Cow<'a, [F]>>,
    n_features: usize,
    /// The number of this rank's rows before the exchange.
    n_before: usize,
    /// How many rows each rank passes to earlier ones.
    passed: Vec<usize>,
}

impl<'a, F: Float> AlignedRows<'a, F> {
    /// Exchanges rows with the other ranks.
    pub(crate) fn new(group: &'a dyn Collective, samples: Samples<'a, F>) -> Result<Self> {
        let before = starts(&gather_u64(group, samples.n_samples() as u64)?);
        let n_rows = before.last().copied().unwrap_or(0);
        let after: Vec<usize> = before.iter().map(|row| row.next_multiple_of(CHUNK).min(n_rows)).collect();
        let passed = before.windows(2).zip(&after).map(|(own, after)| own[1].min(*after) - own[0]).collect();
        let ranks = Ranks::new(group, after);
        let aligned = Self {
            ranks,
            values: Cow::default(),
            weights: None,
            n_features: samples.n_features,
            n_before: samples.n_samples(),
            passed,
        };
        aligned.exchange(samples)
    }

    /// Passes rows on, and takes others over.
    fn exchange(self, samples: Samples<'a, F>) -> Result<Self> {
        let (own, taken) = self.exchanged();
        let d = self.n_features;
        let move_rows = |values: &'a [F], width: usize| -> Result<Cow<'a, [F]>> {
            let mut exchanged = vec![0.0; self.passed.iter().sum::<usize>() * width];
            let (passed, kept) = values.split_at(own.len() * width);
            let places = &mut exchanged[own.start * width..own.end * width];
            places.iter_mut().zip(passed).for_each(|(place, x)| *place = x.as_f64());
            self.ranks.combine(&mut exchanged)?;
            let taken = &exchanged[taken.start * width..taken.end * width];
            if taken.is_empty() {
                return Ok(kept.into());
            }
            let mut rows = Vec::with_capacity(kept.len() + taken.len());
            rows.extend_from_slice(kept);
            rows.extend(taken.iter().map(|x| F::of(*x)));
            Ok(rows.into())
        };
        let values = move_rows(samples.values, d)?;
        let weights = samples.weights.map(|weights| move_rows(weights, 1)).transpose()?;
        Ok(Self { values, weights, ..self })
    }

    /// The places among all exchanged rows of those that this rank passes, and of those that it takes over.
    fn exchanged(&self) -> (std::ops::Range<usize>, std::ops::Range<usize>) {
        let rank = self.ranks.rank();
        let first: usize = self.passed[..rank].iter().sum();
        let end = first + self.passed[rank];
        let kept = self.n_before - self.passed[rank];
        let taken = self.ranks.starts[rank + 1] - self.ranks.starts[rank] - kept;
        // The next ranks pass them, in the order of the rows.
        (first..end, end..end + taken)
    }

    /// The rows.
    pub(crate) fn samples(&self) -> Samples<'_, F> {
        Samples { values: &self.values, n_features: self.n_features, weights: self.weights.as_deref() }
    }

    /// The labels of the rows that this rank had before the exchange, from the labels of those that it has now.
    pub(crate) fn labels(&self, labels: &[u32]) -> Result<Vec<u32>> {
        let (own, taken) = self.exchanged();
        let (kept, others) = labels.split_at(labels.len() - taken.len());
        let mut exchanged = vec![0; self.passed.iter().sum()];
        exchanged[taken].iter_mut().zip(others).for_each(|(place, label)| *place = *label as usize);
        self.ranks.combine_rows(&mut exchanged)?;
        let passed = exchanged[own].iter().map(|label| *label as u32);
        Ok(passed.chain(kept.iter().copied()).collect())
    }
}

/// The first row of each rank, and the number of all.
fn starts(counts: &[u64]) -> Vec<usize> {
    let ends = counts.iter().scan(0, |end, count| {
        *end += *count as usize;
        Some(*end)
    });
    std::iter::once(0).chain(ends).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::distributed::Threads;

    #[test]
    fn every_chunk_goes_to_one_rank_and_its_labels_come_back() {
        let splits: [&[usize]; 8] = [
            &[0, 1500, 3000],
            &[0, 2048, 3000],
            &[0, 10, 20, 30],
            &[0, 0, 0, 3000],
            &[0, 1000, 1010, 1020, 5000],
            &[0, 1000, 1000, 1024, 1025, 1025],
            &[0, 1, 1024, 2049, 2049],
            &[0, 3000, 3000, 3000],
        ];
        for starts in splits {
            let n = *starts.last().unwrap();
            let values: Vec<f32> = (0..2 * n).map(|i| if i % 7 == 3 { -0.0 } else { i as f32 }).collect();
            let weights: Vec<f32> = (0..n).map(|i| i as f32 / 3.0).collect();
            let ranges = Threads::run(starts.len() - 1, |group| {
                let (first, end) = (starts[group.rank()], starts[group.rank() + 1]);
                let all = Samples { values: &values, n_features: 2, weights: Some(&weights) };
                let aligned = AlignedRows::new(group, all.slice(first, end - first))?;
                let (first_row, samples) = (aligned.ranks.first_row(), aligned.samples());
                let want = all.slice(first_row, samples.n_samples());
                assert!(samples.values.iter().zip(want.values).all(|(a, b)| a.to_bits() == b.to_bits()));
                assert_eq!((samples.values.len(), samples.weights), (want.values.len(), want.weights));
                let labels: Vec<u32> =
                    (first_row..).take(samples.n_samples()).map(|row| row as u32).collect();
                assert!(aligned.labels(&labels)?.into_iter().eq(first as u32..end as u32));
                Ok(first_row..first_row + samples.n_samples())
            })
            .unwrap();
            let is_chunk_start = |row: usize| row.is_multiple_of(CHUNK) || row == n;
            assert!(
                ranges.windows(2).all(|pair| pair[0].end == pair[1].start && is_chunk_start(pair[0].end))
            );
            assert_eq!((ranges[0].start, ranges[ranges.len() - 1].end), (0, n));
        }
    }
}
