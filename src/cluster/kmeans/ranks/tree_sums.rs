//! Sums over chunks of rows along a binary tree, and the search of the chunk at which a running sum passes a target.
//!
//! ```text
//!     chunks      0   1   2   3   4   5   6         a rank holds    it sends the sums of
//!     tree        └─┬─┘   └─┬─┘   └─┬─┘   │         0 1 2           [0, 1], [2]
//!                   └───┬───┘       └──┬──┘         3 4 5 6         [3], [4, 5], [6]
//!                       └──────┬───────┘
//! ```
//! A node is the sum of its two halves; halves without chunks count 0. The shape depends on the number of chunks alone, and so
//! do the bits of the sum. Chunks of a rank are consecutive: they consist of few whole subtrees, here called *blocks*.

use super::{CHUNK, Ranks};
use crate::error::Result;

/// A subtree whose chunks are all on one rank, and that is part of no larger such one: `len` chunks, a power of two, from
/// `first` on, a multiple of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Block {
    first: usize,
    len: usize,
    rank: usize,
}

impl Block {
    /// The blocks of all ranks in order. `starts` are the ranks' first rows, and the number of rows.
    pub(super) fn of_ranks(starts: &[usize]) -> Vec<Self> {
        let mut blocks = Vec::new();
        for (rank, range) in starts.windows(2).enumerate() {
            let (mut first, end) = (range[0].div_ceil(CHUNK), range[1].div_ceil(CHUNK));
            while first < end {
                let longest = 1 << (end - first).ilog2();
                let len = if first == 0 { longest } else { longest.min(1 << first.trailing_zeros()) };
                blocks.push(Self { first, len, rank });
                first += len;
            }
        }
        blocks
    }
}

/// Where a running sum passes its target.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Place {
    pub(crate) rank: usize,
    /// The chunks among which it does, counted from the first one of the rank.
    first: usize,
    len: usize,
    /// What is left of the target at their beginning.
    target: f64,
}

/// Sums over all rows, several side by side: one line for each block.
#[derive(Debug)]
pub(crate) struct TreeSums<'r> {
    ranks: &'r Ranks<'r>,
    width: usize,
    lines: Vec<f64>,
}

impl<'r> TreeSums<'r> {
    /// Sums that are not computed yet.
    pub(crate) fn new(ranks: &'r Ranks<'r>) -> Self {
        Self { ranks, width: 0, lines: Vec::new() }
    }

    /// Computes `width` sums side by side. `line` returns those of a chunk of this rank.
    pub(crate) fn compute<'l>(&mut self, width: usize, line: impl Fn(usize) -> &'l [f64]) -> Result<()> {
        self.width = width;
        self.lines.clear();
        for block in &self.ranks.blocks {
            if block.rank == self.ranks.rank {
                let first = block.first - self.ranks.first_row() / CHUNK;
                push_block(&mut self.lines, self.width, (first..first + block.len).map(&line));
            } else {
                self.lines.resize(self.lines.len() + self.width, 0.0);
            }
        }
        self.ranks.combine(&mut self.lines)
    }

    /// The sum of a column over all rows.
    pub(crate) fn total(&self, column: usize) -> f64 {
        self.node(0, self.root(), column)
    }

    /// The sums of all columns over all rows.
    pub(crate) fn totals(self) -> Vec<f64> {
        // The line of the only block, or of none.
        if self.lines.len() == self.width {
            return self.lines;
        }
        (0..self.width).map(|column| self.total(column)).collect()
    }

    /// The number of chunks of the root, a power of two.
    fn root(&self) -> usize {
        self.ranks.n_rows().div_ceil(CHUNK).next_power_of_two()
    }

    /// The place in `lines` of the block that is this node, if there is one.
    fn block(&self, first: usize, len: usize) -> Option<usize> {
        let found = self.ranks.blocks.binary_search_by_key(&first, |block| block.first);
        found.ok().filter(|&place| self.ranks.blocks[place].len == len)
    }

    fn node(&self, first: usize, len: usize, column: usize) -> f64 {
        if first * CHUNK >= self.ranks.n_rows() || len == 0 {
            return 0.0;
        }
        match self.block(first, len) {
            Some(place) => self.lines[place * self.width + column],
            None => self.node(first, len / 2, column) + self.node(first + len / 2, len / 2, column),
        }
    }

    /// The block in which the running sum of a column, whose terms are not negative, exceeds `target`; where rounding keeps the
    /// sum below it, the last one with a term above 0. `None` if no term is.
    pub(crate) fn locate(&self, column: usize, target: f64) -> Option<Place> {
        if self.total(column) <= 0.0 {
            return None;
        }
        let sum = |first, len| self.node(first, len, column);
        let is_leaf = |first, len| len < 2 || self.block(first, len).is_some();
        let (first, len, target) = descend((0, self.root(), target), sum, is_leaf);
        let Block { rank, .. } = self.ranks.blocks[self.block(first, len)?];
        let first = first - self.ranks.starts[rank] / CHUNK;
        Some(Place { rank, first, len, target })
    }
}

impl Place {
    /// The chunk at which the running sum passes the target, and what is left of the target at its beginning. `value` returns
    /// the term of a chunk; to be called on the rank of the place.
    pub(crate) fn chunk(&self, value: impl Fn(usize) -> f64) -> (usize, f64) {
        let sum = |first, len| sum_of(&value, first, len);
        let (chunk, _, target) = descend((self.first, self.len, self.target), sum, |_, len| len < 2);
        (chunk, target)
    }
}

/// Descends from a node to the leaf in which the running sum passes the target.
fn descend(
    (mut first, mut len, mut target): (usize, usize, f64),
    sum: impl Fn(usize, usize) -> f64,
    is_leaf: impl Fn(usize, usize) -> bool,
) -> (usize, usize, f64) {
    while !is_leaf(first, len) {
        len /= 2;
        let left = sum(first, len);
        if target >= left && sum(first + len, len) > 0.0 {
            (first, target) = (first + len, target - left);
        }
    }
    (first, len, target)
}

/// Sums over chunks that come one after the other, all on one rank.
#[derive(Debug)]
pub(crate) struct SequentialSums {
    width: usize,
    /// The sums of the subtrees that are complete and part of no larger complete one.
    lines: Vec<f64>,
    n_chunks: usize,
}

impl SequentialSums {
    /// `width` sums side by side, over no chunks.
    pub(crate) fn new(width: usize) -> Self {
        Self { width, lines: Vec::new(), n_chunks: 0 }
    }

    /// Adds the next chunk.
    pub(crate) fn push(&mut self, line: &[f64]) {
        push_line(&mut self.lines, self.width, self.n_chunks, line);
        self.n_chunks += 1;
    }

    /// The sums over all rows, of which `ranks` holds as many as there were in the chunks.
    pub(crate) fn into_tree<'r>(self, ranks: &'r Ranks<'r>) -> TreeSums<'r> {
        debug_assert_eq!((ranks.size(), self.n_chunks), (1, ranks.n_rows().div_ceil(CHUNK)));
        TreeSums { ranks, width: self.width, lines: self.lines }
    }
}

/// The sum of a subtree of `len` chunks.
fn sum_of(value: &impl Fn(usize) -> f64, first: usize, len: usize) -> f64 {
    if len < 2 {
        return value(first);
    }
    sum_of(value, first, len / 2) + sum_of(value, first + len / 2, len / 2)
}

/// Appends the sum of the lines of a block, of which there is a power of two. Both halves of a node are added as soon as the
/// second is complete: no more than one line for each level is kept.
fn push_block<'l>(lines: &mut Vec<f64>, width: usize, block: impl Iterator<Item = &'l [f64]>) {
    block.enumerate().for_each(|(index, line)| push_line(lines, width, index, line));
}

/// Appends the line of the chunk with this index.
fn push_line(lines: &mut Vec<f64>, width: usize, index: usize, line: &[f64]) {
    lines.extend_from_slice(&line[..width]);
    for _ in 0..(index + 1).trailing_zeros() {
        let end = lines.len() - width;
        let (left, right) = lines.split_at_mut(end);
        left[end - width..].iter_mut().zip(right).for_each(|(left, right)| *left += *right);
        lines.truncate(end);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::distributed::{Collective, Threads};
    use crate::rng::{Purpose, Rng};

    fn sums<'r>(ranks: &'r Ranks<'r>, own: &[[f64; 2]]) -> TreeSums<'r> {
        let mut sums = TreeSums::new(ranks);
        sums.compute(2, |chunk| &own[chunk]).unwrap();
        sums
    }

    /// Terms of all sizes: their sum depends on the order.
    #[test]
    fn sums_and_searches_do_not_depend_on_the_ranks() {
        let mut rng = Rng::new(5, Purpose::Other, 0);
        for n_chunks in [1, 2, 3, 7, 8, 21] {
            let n_rows = n_chunks * CHUNK - 3;
            let term = |rng: &mut Rng| (9.0 * rng.normal()).exp();
            let chunks: Vec<[f64; 2]> = (0..n_chunks).map(|_| [term(&mut rng), term(&mut rng)]).collect();
            let plain = Ranks::alone(n_rows);
            let plain = sums(&plain, &chunks);
            let mut sequential = SequentialSums::new(2);
            chunks.iter().for_each(|line| sequential.push(line));
            assert_eq!(sequential.lines, plain.lines);
            let want = [plain.total(0), plain.total(1)];
            let exact: f64 = chunks.iter().map(|line| line[1]).sum();
            assert!((want[1] - exact).abs() <= 1e-14 * exact);
            let targets: Vec<f64> = (0..40).map(|_| rng.uniform() * want[1]).collect();
            let chunk_of = |sums: &TreeSums<'_>, target, first: usize| {
                let place = sums.locate(1, target).unwrap();
                let (chunk, rest) = place.chunk(|chunk| chunks[first + chunk][1]);
                (place.rank, (first + chunk, rest))
            };
            for size in 1..5 {
                let cuts: Vec<usize> =
                    (0..=size).map(|rank| n_chunks * rank * rank / (size * size)).collect();
                Threads::run(size, |group| {
                    let starts = cuts.iter().map(|cut| (cut * CHUNK).min(n_rows)).collect();
                    let (own, ranks) = (cuts[group.rank()], Ranks::new(group, starts));
                    let sums = sums(&ranks, &chunks[own..cuts[group.rank() + 1]]);
                    assert_eq!([sums.total(0), sums.total(1)], want);
                    for &target in &targets {
                        if sums.locate(1, target).unwrap().rank == group.rank() {
                            assert_eq!(chunk_of(&sums, target, own).1, chunk_of(&plain, target, 0).1);
                        }
                    }
                    Ok(())
                })
                .unwrap();
            }
        }
    }

    #[test]
    fn a_target_is_passed_where_the_running_sum_exceeds_it() {
        let terms = [0.0, 2.0, 0.0, 1.0, 3.0, 0.0];
        let ranks = Ranks::alone(terms.len() * CHUNK);
        let mut sums = TreeSums::new(&ranks);
        sums.compute(1, |chunk| &terms[chunk..=chunk]).unwrap();
        let chunk = |target| sums.locate(0, target).unwrap().chunk(|chunk| terms[chunk]);
        assert_eq!([0.0, 1.9, 2.0, 2.5, 3.0, 5.9].map(chunk).map(|(chunk, _)| chunk), [1, 1, 3, 3, 4, 4]);
        assert_eq!(chunk(5.5), (4, 2.5));
        // Beyond the sum: the last one that is not empty.
        assert_eq!(chunk(7.0).0, 4);
        sums.compute(1, |_| &[0.0]).unwrap();
        assert_eq!(sums.locate(0, 0.0), None);
    }
}
