//! The rows that pruning leaves undecided: they are gathered, or read in place where they are many, and searched. Those whose
//! center rests are first compared with the centers that moved.

use super::gaps::GapSearch;
use super::{Pruning, is_undecided};
use crate::cluster::kmeans::assign::labels::{Reassigned, UNDECIDED, decode, relabel_and_record};
use crate::cluster::kmeans::assign::packed_centers::PackedCenters;
use crate::cluster::kmeans::assign::packed_rows::PackedRows;
use crate::float::Float;
use crate::linalg::distance::squared_distance;
use crate::simd::{prefetch, vectorize};
use std::ops::Range;

/// Numbers of rows, with memory for those of a block.
#[derive(Debug)]
pub(crate) struct RowList {
    rows: Vec<u32>,
    count: usize,
}

impl RowList {
    fn new(block: usize) -> Self {
        Self { rows: vec![0; block], count: 0 }
    }

    /// A buffer for the numbers of `len` rows.
    pub(super) fn buffer(&mut self, len: usize) -> &mut [u32] {
        &mut self.rows[..len]
    }

    /// Selects the first `count` rows of the buffer.
    pub(super) fn truncate(&mut self, count: usize) {
        self.count = count;
    }

    fn push(&mut self, row: u32) {
        self.rows[self.count] = row;
        self.count += 1;
    }

    fn rows(&self) -> &[u32] {
        &self.rows[..self.count]
    }

    pub(crate) fn count(&self) -> usize {
        self.count
    }
}

/// The rows of a block that pruning leaves undecided.
#[derive(Debug)]
pub(crate) struct UndecidedRows {
    /// Those that have to be searched among all centers.
    pub(crate) searched: RowList,
    /// The first of them, where they are consecutive.
    pub(super) first: Option<usize>,
    /// Those of clusters that rest, which are compared with the centers that moved.
    pub(crate) resting: RowList,
}

impl UndecidedRows {
    /// Selects consecutive rows to be searched.
    pub(super) fn set_all(&mut self, first: usize, count: usize) {
        self.first = Some(first);
        self.searched.truncate(count);
        self.resting.truncate(0);
    }

    pub(crate) fn are_consecutive(&self) -> bool {
        self.first.is_some()
    }
}

/// Scratch buffers for rows that are gathered and searched together.
#[derive(Debug)]
pub(crate) struct GatheredRows<F> {
    pub(crate) undecided: UndecidedRows,
    rows: Vec<F>,
    search: GapSearch<F>,
}

impl<F: Float> GatheredRows<F> {
    /// Buffers for blocks of `block` rows, of which up to `n_rows` are searched together.
    pub(crate) fn new(block: usize, n_rows: usize, n_features: usize) -> Self {
        Self {
            undecided: UndecidedRows {
                searched: RowList::new(block),
                first: None,
                resting: RowList::new(block),
            },
            rows: vec![F::zero(); n_rows * n_features],
            search: GapSearch::new(n_rows),
        }
    }
}

/// All rows of the data with their gaps and labels.
pub(crate) struct PrunedRows<'a, F> {
    pub(crate) values: &'a [F],
    pub(crate) gaps: &'a mut [f32],
    pub(crate) labels: &'a mut [u32],
}

/// Compares the undecided rows of clusters that rest with the centers that moved. Those that this does not decide are added to
/// the undecided rows.
pub(crate) fn compare_with_moved<F: Float>(
    PrunedRows { values, gaps, labels }: PrunedRows<'_, F>,
    mean: &[F],
    (pruning, centers): (&Pruning<F>, &PackedCenters<F>),
    (buffers, gathered): (&mut PackedRows<F>, &mut GatheredRows<F>),
) {
    let (d, rounding, moved) = (mean.len(), pruning.rounding, &pruning.moved.packed);
    let margin = rounding.margin();
    let row_of = |row: usize| &values[row * d..][..d];
    let together = buffers.rows();
    let UndecidedRows { searched, resting, .. } = &mut gathered.undecided;
    for resting in resting.rows().chunks(together) {
        gather(&mut gathered.rows, resting, d, row_of);
        let places = buffers.load(&gathered.rows[..resting.len() * d], mean, &[]);
        gathered.search.search_moved(
            (buffers, places),
            rounding,
            moved,
            #[inline(always)]
            |place| match resting.get(place) {
                Some(&row) => {
                    let x = &gathered.rows[place * d..][..d];
                    squared_distance(x, centers.center(labels[row as usize])).as_f64().sqrt()
                }
                None => 0.0,
            },
        );
        for (&row, &gap) in resting.iter().zip(&gathered.search.gaps) {
            let kept = &mut gaps[row as usize];
            if is_undecided(gap, margin) {
                searched.push(row);
            } else {
                *kept = kept.min(gap);
            }
        }
    }
}

/// Searches a range of the undecided rows, no more than the buffers hold, and records those whose label changed.
pub(crate) fn assign_undecided<F: Float>(
    rows: PrunedRows<'_, F>,
    mean: &[F],
    (pruning, centers): (&Pruning<F>, &PackedCenters<F>),
    (buffers, gathered): (&mut PackedRows<F>, &mut GatheredRows<F>),
    places: Range<usize>,
    reassigned: &mut Vec<Reassigned>,
) {
    let PrunedRows { values, gaps, labels } = rows;
    let d = mean.len();
    let row_of = |row: usize| &values[row * d..][..d];
    let search = &mut gathered.search;
    if let Some(first) = gathered.undecided.first {
        let range = first + places.start..first + places.end;
        let (own, next) = values[range.start * d..].split_at(range.len() * d);
        let [while_packing, while_searching] = centers.split_prefetch(next, range.len());
        let places = buffers.load(own, mean, while_packing);
        search.search((buffers, places), pruning.rounding, centers, while_searching);
        gaps[range.clone()].copy_from_slice(&search.gaps[..range.len()]);
        let compare_directly = |place: usize| centers.nearest_directly(row_of(range.start + place));
        let (labels, first) = (&mut labels[range.clone()], range.start as u32);
        return relabel_and_record(labels, buffers.nearest(), first, reassigned, compare_directly);
    }
    let undecided = &gathered.undecided.searched.rows()[places];
    gather(&mut gathered.rows, undecided, d, row_of);
    let places = buffers.load(&gathered.rows[..undecided.len() * d], mean, &[]);
    search.search((buffers, places), pruning.rounding, centers, &[]);
    for ((&row, &gap), &code) in undecided.iter().zip(&search.gaps).zip(buffers.nearest()) {
        let (label, mut nearest) = (&mut labels[row as usize], decode(code));
        if nearest >= UNDECIDED {
            nearest = centers.nearest_directly(row_of(row as usize));
        }
        gaps[row as usize] = gap;
        if *label != nearest {
            reassigned.push(Reassigned { row, from: *label });
            *label = nearest;
        }
    }
}

/// Copies scattered rows one after the other.
fn gather<'a, F: Float>(
    gathered: &mut [F],
    rows: &[u32],
    n_features: usize,
    row_of: impl Fn(usize) -> &'a [F],
) {
    /// How many rows ahead a row is prefetched.
    const AHEAD: usize = 8;
    vectorize(
        #[inline(always)]
        || {
            for (index, (own, &row)) in gathered.chunks_exact_mut(n_features).zip(rows).enumerate() {
                if let Some(&next) = rows.get(index + AHEAD) {
                    prefetch(row_of(next as usize).as_ptr(), n_features);
                }
                copy(own, row_of(row as usize));
            }
        },
    );
}

/// Copies a row, which is too short to call `memcpy` for.
#[inline(always)]
fn copy<F: Float>(to: &mut [F], from: &[F]) {
    let ((many_to, to), (many_from, from)) = (to.as_chunks_mut::<16>(), from.as_chunks::<16>());
    many_to.iter_mut().zip(many_from).for_each(|(to, from)| *to = *from);
    to.iter_mut().zip(from).for_each(|(to, from)| *to = *from);
}
