//! The rows of a fit, and how they are divided among the ranks of a group. A plain fit is a group of one.
//!
//! A fit gives the same bits for any number of ranks, because no sum depends on where a rank ends:
//!
//! - The sums of the clusters are integers ([`sums`](super::sums)), which add up to the same in any order.
//! - Any other sum over rows (moments, potentials of k-means++, inertia) is made of the sums of *chunks*: [`CHUNK`] rows each,
//!   counted from the first row of rank 0, and each on one rank ([`alignment`]). They are added along a binary tree over the
//!   numbers of the chunks ([`tree_sums`]), so that a rank sends one sum for each subtree that it holds, not one for each chunk.
//! - Maxima do not depend on the order; ties of rows are decided by their numbers among the rows of all ranks.
//!
//! The alternatives were exact sums of all terms, which would slow down the kernel of k-means++ by more than a tenth, and rows
//! that stay where they are, where the terms of every chunk that a boundary cuts would have to be exchanged in each step.

pub(crate) mod alignment;
pub(crate) mod gather;
pub(crate) mod tree_sums;

use super::samples::Samples;
use crate::distributed::{Collective, Reduction, agree};
use crate::error::Result;
use crate::float::Float;
use gather::RankRow;
use tree_sums::Block;

/// Rows of a chunk.
pub(crate) const CHUNK: usize = 1024;

/// The ranks among which the rows of a fit are divided, as one of them sees them.
#[derive(Debug)]
pub(crate) struct Ranks<'a> {
    /// `None` for a plain fit.
    group: Option<&'a dyn Collective>,
    rank: usize,
    /// The first row of each rank, and the number of all rows. Each begins a chunk, unless it is that number.
    starts: Vec<usize>,
    /// The subtrees that each rank holds.
    blocks: Vec<Block>,
}

impl<'a> Ranks<'a> {
    /// A plain fit on this many rows.
    pub(crate) fn alone(n_rows: usize) -> Self {
        let starts = vec![0, n_rows];
        Self { group: None, rank: 0, blocks: Block::of_ranks(&starts), starts }
    }

    fn new(group: &'a dyn Collective, starts: Vec<usize>) -> Self {
        Self { group: Some(group), rank: group.rank(), blocks: Block::of_ranks(&starts), starts }
    }

    /// The number of rows of all ranks.
    pub(crate) fn n_rows(&self) -> usize {
        self.starts.last().copied().unwrap_or(0)
    }

    /// The number of ranks.
    pub(crate) fn size(&self) -> usize {
        self.starts.len() - 1
    }

    /// The number of this rank.
    pub(crate) fn rank(&self) -> usize {
        self.rank
    }

    /// The group, if there are several ranks.
    pub(crate) fn group(&self) -> Option<&'a dyn Collective> {
        self.group
    }

    /// The number of this rank's first row among the rows of all ranks.
    pub(crate) fn first_row(&self) -> usize {
        self.starts[self.rank]
    }

    /// The first row of each rank, and the number of all rows.
    pub(crate) fn starts(&self) -> &[usize] {
        &self.starts
    }

    /// The rank that holds a row of all ranks, and its place there.
    pub(crate) fn locate(&self, row: usize) -> RankRow {
        let rank = self.starts.partition_point(|start| *start <= row).saturating_sub(1);
        RankRow { rank, place: row - self.starts[rank] }
    }

    /// The place among this rank's rows of a row of all ranks; `None` if another rank holds it.
    pub(crate) fn own(&self, row: usize) -> Option<usize> {
        (self.starts[self.rank]..self.starts[self.rank + 1]).contains(&row).then(|| row - self.first_row())
    }

    /// Returns the value if every rank has one; see [`agree`].
    pub(crate) fn agree<T>(&self, own: Result<T>) -> Result<T> {
        match self.group {
            Some(group) => agree(group, own),
            None => own,
        }
    }

    /// Replaces values by those of the rank that has set them; every other rank has left them zero.
    pub(crate) fn combine(&self, values: &mut [f64]) -> Result<()> {
        let Some(group) = self.group else { return Ok(()) };
        // As integers: a sum of `f64` would turn -0.0 into 0.0.
        let mut bits: Vec<u64> = values.iter().map(|value| value.to_bits()).collect();
        group.all_reduce((&mut bits).into(), Reduction::Sum)?;
        values.iter_mut().zip(bits).for_each(|(value, bits)| *value = f64::from_bits(bits));
        Ok(())
    }

    /// As [`combine`](Self::combine), for the numbers of rows.
    pub(crate) fn combine_rows(&self, rows: &mut [usize]) -> Result<()> {
        let Some(group) = self.group else { return Ok(()) };
        let mut numbers: Vec<u64> = rows.iter().map(|&row| row as u64).collect();
        group.all_reduce((&mut numbers).into(), Reduction::Sum)?;
        rows.iter_mut().zip(numbers).for_each(|(row, number)| *row = number as usize);
        Ok(())
    }

    /// Sums integers over the ranks; they wrap on overflow.
    pub(crate) fn sum(&self, values: &mut [i64]) -> Result<()> {
        self.group.map_or(Ok(()), |group| group.all_reduce(values.into(), Reduction::Sum))
    }

    /// The least of each value over the ranks.
    pub(crate) fn min(&self, values: &mut [u64]) -> Result<()> {
        self.group.map_or(Ok(()), |group| group.all_reduce(values.into(), Reduction::Min))
    }

    /// The greatest of each value over the ranks.
    pub(crate) fn max(&self, values: &mut [f64]) -> Result<()> {
        self.group.map_or(Ok(()), |group| group.all_reduce(values.into(), Reduction::Max))
    }

    /// Writes the values of rows, given by their numbers among those of all ranks, one row after the other.
    pub(crate) fn copy_rows<F: Float>(
        &self,
        samples: &Samples<'_, F>,
        rows: &[usize],
        values: &mut Vec<F>,
    ) -> Result<()> {
        values.clear();
        if self.group.is_none() {
            rows.iter().for_each(|&row| values.extend_from_slice(samples.row(row)));
            return Ok(());
        }
        let d = samples.n_features;
        let mut all = vec![0.0; rows.len() * d];
        for (values, &row) in all.chunks_exact_mut(d).zip(rows) {
            if let Some(own) = self.own(row) {
                values.iter_mut().zip(samples.row(own)).for_each(|(value, x)| *value = x.as_f64());
            }
        }
        self.combine(&mut all)?;
        values.extend(all.into_iter().map(F::of));
        Ok(())
    }

    /// How many of a count of each rank are on the ranks before this one, and on all.
    pub(crate) fn count_before(&self, own: usize) -> Result<(usize, usize)> {
        let mut counts = vec![0; self.size()];
        counts[self.rank] = own;
        self.combine_rows(&mut counts)?;
        Ok((counts[..self.rank].iter().sum(), counts.iter().sum()))
    }
}
