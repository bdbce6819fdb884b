//! Copies of rows of several ranks, on every rank: each rank sends its own rows, in their own type.

use super::Ranks;
use crate::cluster::kmeans::samples::{RowCopies, Samples};
use crate::error::{Error, Result};
use crate::float::Float;

/// A row of one of the ranks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct RankRow {
    pub(crate) rank: usize,
    /// Its place among the rows of that rank. Other ranks need not know it.
    pub(crate) place: usize,
}

impl<F: Float> RowCopies<F> {
    /// Copies rows of all ranks, in this order.
    pub(crate) fn of_ranks(
        (samples, ranks): (&Samples<'_, F>, &Ranks<'_>),
        rows: &[RankRow],
    ) -> Result<Self> {
        let mut copies = Self::empty(samples.n_features);
        copies.replace_by((samples, ranks), rows)?;
        Ok(copies)
    }

    /// Copies rows of all ranks to the memory of these.
    pub(crate) fn replace_by(
        &mut self,
        (samples, ranks): (&Samples<'_, F>, &Ranks<'_>),
        rows: &[RankRow],
    ) -> Result<()> {
        gather(ranks, (samples.values, self.n_features), rows, &mut self.values)?;
        let Some(weights) = samples.weights else {
            self.weights = None;
            return Ok(());
        };
        gather(ranks, (weights, 1), rows, self.weights.get_or_insert_default())
    }
}

/// Replaces `gathered` by lines of `width` values of all ranks, of which `values` are those of this one.
fn gather<F: Float>(
    ranks: &Ranks<'_>,
    (values, width): (&[F], usize),
    rows: &[RankRow],
    gathered: &mut Vec<F>,
) -> Result<()> {
    let line = |row: &RankRow| &values[row.place * width..][..width];
    gathered.clear();
    gathered.reserve_exact(rows.len() * width);
    let Some(group) = ranks.group() else {
        rows.iter().for_each(|row| gathered.extend_from_slice(line(row)));
        return Ok(());
    };
    let own = rows.iter().filter(|row| row.rank == ranks.rank()).flat_map(line);
    let all = group.all_gather(&to_bytes(own.copied()))?;
    let of_ranks: Vec<Vec<F>> = all.iter().map(|bytes| from_bytes(bytes)).collect();
    let mut rest: Vec<&[F]> = of_ranks.iter().map(Vec::as_slice).collect();
    for row in rows {
        let Some((line, others)) = rest[row.rank].split_at_checked(width) else {
            let problem = "sent fewer rows than were drawn of it; let every rank run the same program";
            return Err(Error::Distributed { rank: row.rank, problem: problem.into() });
        };
        gathered.extend_from_slice(line);
        rest[row.rank] = others;
    }
    Ok(())
}

fn to_bytes<F: Float>(values: impl Iterator<Item = F>) -> Vec<u8> {
    if size_of::<F>() == size_of::<f32>() {
        values.flat_map(|value| (value.as_f64() as f32).to_le_bytes()).collect()
    } else {
        values.flat_map(|value| value.as_f64().to_le_bytes()).collect()
    }
}

fn from_bytes<F: Float>(bytes: &[u8]) -> Vec<F> {
    if size_of::<F>() == size_of::<f32>() {
        bytes.as_chunks().0.iter().map(|bytes| F::of(f64::from(f32::from_le_bytes(*bytes)))).collect()
    } else {
        bytes.as_chunks().0.iter().map(|bytes| F::of(f64::from_le_bytes(*bytes))).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::super::alignment::AlignedRows;
    use super::*;
    use crate::distributed::{Collective, Threads};

    fn check<F: Float>() {
        let all: Vec<F> =
            (0..2 * 3000).map(|i| F::of(if i == 7 { -0.0 } else { 0.1 * f64::from(i) })).collect();
        let weights: Vec<F> = (0..3000).map(|i| F::of(1.0 / f64::from(1 + i))).collect();
        let drawn = [2999, 0, 3, 2047, 3, 1024];
        let want: Vec<u64> =
            drawn.iter().flat_map(|row| &all[2 * row..][..2]).map(|x| x.as_f64().to_bits()).collect();
        for ends in [&[3000][..], &[1024, 3000], &[0, 2048, 3000], &[1024, 2048, 3000, 3000]] {
            Threads::run(ends.len(), |group| {
                let own = if group.rank() == 0 { 0 } else { ends[group.rank() - 1] }..ends[group.rank()];
                let (values, weights) = (&all[2 * own.start..2 * own.end], Some(&weights[own]));
                let aligned = AlignedRows::new(group, Samples { values, n_features: 2, weights })?;
                let rows: Vec<RankRow> = drawn.iter().map(|row| aligned.ranks.locate(*row)).collect();
                let gathered = RowCopies::of_ranks((&aligned.samples(), &aligned.ranks), &rows)?;
                let bits: Vec<u64> = gathered.samples().values.iter().map(|x| x.as_f64().to_bits()).collect();
                assert_eq!(bits, want);
                assert_eq!(gathered.samples().weight(3), F::of(1.0 / 2048.0).as_f64());
                Ok(())
            })
            .unwrap();
        }
    }

    #[test]
    fn rows_of_all_ranks_are_copied_in_the_order_of_the_draws() {
        check::<f32>();
        check::<f64>();
    }
}
