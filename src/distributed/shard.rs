//! The part of some data that one rank reads.

use std::ops::Range;

/// The part of rank `rank` of `size` ranks: a contiguous range of rows or of files, in the order of the ranks, whose lengths
/// differ by one at most.
///
/// # Examples
/// ```
/// use axonal::distributed::Shard;
///
/// let shard = Shard::of(1, 3);
/// assert_eq!(shard.rows(10), 3..6);
/// let files = ["a.csv", "b.csv", "c.csv", "d.csv"];
/// assert_eq!(shard.items(&files), ["b.csv"]);
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Shard {
    rank: usize,
    size: usize,
}

impl Shard {
    /// The part of rank `rank` of `size` ranks. A rank beyond the last has an empty part; a size of 0 counts as 1.
    #[must_use]
    pub fn of(rank: usize, size: usize) -> Self {
        Self { rank, size: size.max(1) }
    }

    /// The rows of this part out of `n` rows.
    #[must_use]
    pub fn rows(&self, n: usize) -> Range<usize> {
        self.start(n, self.rank)..self.start(n, self.rank.saturating_add(1))
    }

    /// The items of this part: files, say.
    #[must_use]
    pub fn items<'i, T>(&self, items: &'i [T]) -> &'i [T] {
        &items[self.rows(items.len())]
    }

    /// The first row of a rank: n · rank / size, without overflow.
    fn start(&self, n: usize, rank: usize) -> usize {
        let rank = rank.min(self.size);
        n / self.size * rank + n % self.size * rank / self.size
    }
}

#[cfg(test)]
mod tests {
    use super::Shard;

    #[test]
    fn the_parts_cover_all_rows_once_and_differ_by_one_at_most() {
        for size in 1..9 {
            for n in [0, 1, 5, 8, 100, 101] {
                let parts: Vec<_> = (0..size).map(|rank| Shard::of(rank, size).rows(n)).collect();
                assert_eq!(parts.iter().cloned().flatten().collect::<Vec<_>>(), (0..n).collect::<Vec<_>>());
                let lens = || parts.iter().map(std::iter::ExactSizeIterator::len);
                assert!(lens().max().unwrap() - lens().min().unwrap() <= 1, "{parts:?}");
            }
        }
        assert_eq!(Shard::of(7, 3).rows(10), 10..10);
        assert_eq!(Shard::of(0, 0).rows(10), 0..10);
        assert_eq!(Shard::of(1, 2).rows(usize::MAX).end, usize::MAX);
    }
}
