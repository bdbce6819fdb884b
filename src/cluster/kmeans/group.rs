//! Rows side by side: groups of them, one row a lane, as the search reads them.

use crate::float::Float;

/// Features that are transposed together.
const SIDE: usize = 8;

/// A thread's room for the rows that it searches centers for.
#[derive(Debug, Clone)]
pub(crate) struct Room<F> {
    /// Rows of a group.
    pub(super) lanes: usize,
    /// For each group its features less their mean, for each feature a line of its lanes.
    pub(super) features: Vec<F>,
    /// For each row the smallest score so far, and whose it is.
    pub(super) smallest: Vec<F>,
    pub(super) nearest: Vec<F>,
}

impl<F: Float> Room<F> {
    /// Room for so many rows, rounded up to whole groups.
    pub(super) fn new(lanes: usize, n_rows: usize, n_features: usize) -> Self {
        let rows = n_rows.next_multiple_of(lanes);
        Self {
            lanes,
            features: vec![F::zero(); rows * n_features],
            smallest: vec![F::zero(); rows],
            nearest: vec![F::zero(); rows],
        }
    }

    /// How many rows fit.
    pub(crate) fn rows(&self) -> usize {
        self.smallest.len()
    }

    /// Takes over rows, and the mean from them. Lanes without a row keep what they had. Answers how many places
    /// the groups with a row have.
    #[inline(always)]
    pub(super) fn load(&mut self, rows: &[F], mean: &[F]) -> usize {
        match self.lanes {
            4 => self.load_lanes::<4>(rows, mean),
            8 => self.load_lanes::<8>(rows, mean),
            16 => self.load_lanes::<16>(rows, mean),
            _ => self.load_lanes::<32>(rows, mean),
        }
    }

    #[inline(always)]
    fn load_lanes<const L: usize>(&mut self, rows: &[F], mean: &[F]) -> usize {
        let d = mean.len();
        let mut places = 0;
        for (rows, group) in rows.chunks(L * d).zip(self.features.chunks_exact_mut(L * d)) {
            load_group::<F, L>(group, rows, mean);
            places += L;
        }
        places
    }
}

/// Takes over up to `L` rows as a group.
#[inline(always)]
fn load_group<F: Float, const L: usize>(group: &mut [F], rows: &[F], mean: &[F]) {
    let d = mean.len();
    let lanes = group.as_chunks_mut::<L>().0;
    if rows.len() < L * d {
        for (lane, row) in rows.chunks_exact(d).enumerate() {
            for ((lanes, x), mean) in lanes.iter_mut().zip(row).zip(mean) {
                lanes[lane] = *x - *mean;
            }
        }
        return;
    }
    let (sides, rest) = lanes.as_chunks_mut::<SIDE>();
    let (means, mean_rest) = mean.as_chunks::<SIDE>();
    // Squares on the way, read in rows and written in columns, each at fixed places.
    let mut square = [[F::zero(); SIDE]; L];
    for (side, (lanes, mean)) in sides.iter_mut().zip(means).enumerate() {
        for (lane, square) in square.iter_mut().enumerate() {
            if let Some(x) = rows[lane * d + side * SIDE..].first_chunk::<SIDE>() {
                *square = *x;
            }
        }
        for feature in 0..SIDE {
            lanes[feature] = column(&square, feature, mean[feature]);
        }
    }
    for (feature, (lanes, mean)) in rest.iter_mut().zip(mean_rest).enumerate() {
        let first = d - mean_rest.len() + feature;
        let mut column = [F::zero(); L];
        for (x, row) in column.iter_mut().zip(rows.chunks_exact(d)) {
            *x = row[first];
        }
        *lanes = column.map(
            #[inline(always)]
            |x| x - *mean,
        );
    }
}

/// A feature of every row of a square, less its mean.
#[inline(always)]
fn column<F: Float, const L: usize>(square: &[[F; SIDE]; L], feature: usize, mean: F) -> [F; L] {
    let mut column = [F::zero(); L];
    for lane in 0..L {
        column[lane] = square[lane][feature] - mean;
    }
    column
}
