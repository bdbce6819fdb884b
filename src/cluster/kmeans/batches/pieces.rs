//! Passes over batches of rows, cut into pieces of whole chunks.
//!
//! ```text
//!     batches     |   0   |   1   |                 2                  | 3 |
//!     chunks      |    0    |    1    |    2    |    3    |    4    |  5   |
//!     pieces      | copied            | in place                    | copied
//! ```
//! Sums over rows are made of chunks that are counted from the first row ([`ranks`](super::super::ranks)), so their bits do not
//! depend on how the rows are cut into batches. Of a large batch the chunks within it are read in place; small batches, and the
//! ends of large ones, are copied into a buffer of about a megabyte.

use super::row_batch::{BatchPasses, changed};
use crate::cluster::kmeans::normalize::normalize;
use crate::cluster::kmeans::ranks::CHUNK;
use crate::cluster::kmeans::samples::{Samples, in_range};
use crate::error::{Error, Result};
use crate::float::Float;
use crate::simd::vectorize;
use crate::validate;
use ndarray::{ArrayView1, ArrayView2};

/// Bytes of the buffer that gathers small batches.
const BUFFER_BYTES: usize = 1 << 20;

/// Consecutive rows that begin at a chunk and, unless they are the last ones, end at one.
#[derive(Debug)]
pub(crate) struct Piece<'p, F> {
    /// The number of its first row among all rows.
    pub(crate) first_row: usize,
    pub(crate) samples: Samples<'p, F>,
}

/// Called with each piece; returns whether the pass continues.
type VisitPiece<'v, F> = dyn FnMut(Piece<'_, F>) -> Result<bool> + 'v;

/// What the first pass has found, and every other full pass must find.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
struct Seen {
    rows: usize,
    checksum: u64,
}

/// Rows that are read in passes.
pub(crate) struct RowPasses<'s, F> {
    source: &'s mut dyn BatchPasses<F>,
    /// Whether rows are scaled to length 1.
    spherical: bool,
    /// Passes begun.
    begun: usize,
    /// Columns, and whether rows have weights; known after the first batch.
    form: Option<(usize, bool)>,
    first: Option<Seen>,
    /// Rows that wait for the end of their piece, and their weights.
    rows: Vec<F>,
    weights: Vec<F>,
}

impl<'s, F: Float> RowPasses<'s, F> {
    pub(crate) fn new(source: &'s mut dyn BatchPasses<F>, spherical: bool) -> Self {
        let (rows, weights) = (Vec::new(), Vec::new());
        Self { source, spherical, begun: 0, form: None, first: None, rows, weights }
    }

    /// Calls `visit` with all rows.
    pub(crate) fn for_each(&mut self, mut visit: impl FnMut(Piece<'_, F>) -> Result<()>) -> Result<()> {
        self.run(&mut |piece| visit(piece).map(|()| true))
    }

    /// Calls `visit` with the rows until it returns `false`.
    pub(crate) fn run(&mut self, visit: &mut VisitPiece<'_, F>) -> Result<()> {
        let pass = self.begun;
        self.begun += 1;
        self.source.begin(pass)?;
        let Self { source, form, first, rows, weights, spherical, .. } = self;
        rows.clear();
        weights.clear();
        let mut reading = Pass {
            pass,
            form,
            first: *first,
            rows,
            weights,
            spherical: *spherical,
            seen: Seen::default(),
            batches: 0,
            visit,
        };
        let mut continues = true;
        while continues {
            let more = source.next(&mut |x, weights| {
                continues = reading.batch(x, weights)?;
                Ok(())
            })?;
            if !more {
                return reading.end().map(|seen| self.first = seen);
            }
        }
        Ok(())
    }
}

/// A pass in progress.
struct Pass<'r, 'v, F> {
    pass: usize,
    form: &'r mut Option<(usize, bool)>,
    first: Option<Seen>,
    rows: &'r mut Vec<F>,
    weights: &'r mut Vec<F>,
    spherical: bool,
    /// The rows that `visit` has been called with.
    seen: Seen,
    batches: usize,
    visit: &'r mut VisitPiece<'v, F>,
}

impl<F: Float> Pass<'_, '_, F> {
    /// Visits the rows of a batch, or keeps them for a later piece. Returns whether the pass continues.
    fn batch(&mut self, x: ArrayView2<'_, F>, weights: Option<ArrayView1<'_, F>>) -> Result<bool> {
        self.batches += 1;
        let (d, _) = self.check(&x, weights.as_ref())?;
        let capacity = (BUFFER_BYTES / (d * size_of::<F>()) / CHUNK).max(1) * CHUNK;
        let weights = weights.map(|weights| weights.to_vec());
        let mut next = 0;
        while next < x.nrows() {
            let (buffered, left) = (self.rows.len() / d, x.nrows() - next);
            let whole = left - left % CHUNK;
            // What is missing to the end of a chunk, from which on rows are read in place.
            let missing = buffered.next_multiple_of(CHUNK) - buffered;
            let in_place = x.as_slice().filter(|_| !self.spherical && left >= capacity + missing);
            let taken = match in_place {
                Some(values) if missing == 0 => {
                    if !self.flush(d)? {
                        return Ok(false);
                    }
                    let weights = weights.as_ref().map(|weights| &weights[next..][..whole]);
                    let samples =
                        Samples { values: &values[next * d..][..whole * d], n_features: d, weights };
                    if !self.visit(samples)? {
                        return Ok(false);
                    }
                    whole
                }
                Some(_) => missing,
                None => left.min(capacity - buffered),
            };
            let was_visited = in_place.is_some() && missing == 0;
            if !was_visited {
                self.keep(&x, next, taken, weights.as_deref());
                if self.rows.len() == capacity * d && !self.flush(d)? {
                    return Ok(false);
                }
            }
            next += taken;
        }
        Ok(true)
    }

    /// Copies rows into the buffer.
    fn keep(&mut self, x: &ArrayView2<'_, F>, first: usize, count: usize, weights: Option<&[F]>) {
        let (start, d) = (self.rows.len(), x.ncols());
        match x.as_slice() {
            Some(values) => self.rows.extend_from_slice(&values[first * d..][..count * d]),
            None => (first..first + count).for_each(|row| self.rows.extend(x.row(row))),
        }
        if self.spherical {
            normalize(&mut self.rows[start..], d);
        }
        self.weights.extend_from_slice(weights.map_or(&[], |weights| &weights[first..][..count]));
    }

    /// Visits the rows of the buffer.
    fn flush(&mut self, n_features: usize) -> Result<bool> {
        if self.rows.is_empty() {
            return Ok(true);
        }
        let (rows, weights) = (std::mem::take(self.rows), std::mem::take(self.weights));
        let of_rows = (!weights.is_empty()).then_some(&weights[..]);
        let continues = self.visit(Samples { values: &rows, n_features, weights: of_rows });
        (*self.rows, *self.weights) = (rows, weights);
        self.rows.clear();
        self.weights.clear();
        continues
    }

    fn visit(&mut self, samples: Samples<'_, F>) -> Result<bool> {
        let first_row = self.seen.rows;
        for first in (0..samples.n_samples()).step_by(CHUNK) {
            let chunk = samples.slice(first, CHUNK.min(samples.n_samples() - first));
            let of_weights = chunk.weights.map_or(0, checksum);
            let own = checksum(chunk.values) ^ of_weights.rotate_left(17);
            self.seen.checksum = self.seen.checksum.wrapping_mul(0x0100_0000_01b3) ^ own;
        }
        self.seen.rows += samples.n_samples();
        self.check_rows(self.seen.rows, false)?;
        (self.visit)(Piece { first_row, samples })
    }

    /// Visits the last rows, and compares the pass with the first one.
    fn end(mut self) -> Result<Option<Seen>> {
        let d = self.form.map_or(1, |(d, _)| d);
        if !self.flush(d)? {
            return Ok(self.first);
        }
        self.check_rows(self.seen.rows, true)?;
        match self.first {
            Some(first) if first.checksum != self.seen.checksum => {
                Err(changed(self.pass, "the rows of the first pass".into(), "rows with other values".into()))
            }
            _ => Ok(Some(self.seen)),
        }
    }

    fn check_rows(&self, rows: usize, is_end: bool) -> Result<()> {
        match self.first {
            Some(first) if rows > first.rows || is_end && rows != first.rows => {
                let got = if is_end { rows.to_string() } else { format!("at least {rows}") };
                Err(changed(self.pass, format!("the {} rows of the first pass", first.rows), got))
            }
            _ => Ok(()),
        }
    }

    /// Checks a batch; returns the number of columns and whether rows have weights.
    fn check(&mut self, x: &ArrayView2<'_, F>, weights: Option<&ArrayView1<'_, F>>) -> Result<(usize, bool)> {
        let names = |what: &str| format!("{what} of batch {} of pass {}", self.batches, self.pass + 1);
        let own = (x.ncols(), weights.is_some());
        let form = *self.form.get_or_insert(own);
        if own.0 == 0 {
            let shape = format!("({}, 0)", x.nrows());
            return Err(Error::Empty { what: names("x"), shape, needed: "feature" });
        }
        if own.0 != form.0 {
            let expected = format!("{} columns, as the batches before", form.0);
            return Err(Error::shape(names("x"), expected, format!("{} columns", own.0)));
        }
        if own.1 != form.1 {
            let name = |weighted| if weighted { "weights" } else { "no weights" };
            let expected = format!("{}, as the batches before", name(form.1));
            return Err(Error::shape(names("sample_weight"), expected, name(own.1)));
        }
        if let Some(weights) = weights {
            validate::length(&names("sample_weight"), weights.len(), x.nrows())?;
        }
        // Later passes are compared with the first one.
        if self.pass == 0 {
            validate::finite(&names("x"), x)?;
            if self.spherical {
                in_range("KMeans", x.view())?;
            }
            if let Some(weights) = weights {
                validate::weights_or_zeros(&names("sample_weight"), &weights.to_vec(), x.nrows())?;
            }
        }
        Ok(form)
    }
}

/// A checksum of values in their order.
fn checksum<F: Float>(values: &[F]) -> u64 {
    const LANES: usize = 8;
    vectorize(
        #[inline(always)]
        || {
            let mut lanes = [0_u64; LANES];
            let (many, few) = values.as_chunks::<LANES>();
            for values in many {
                for (lane, value) in lanes.iter_mut().zip(values) {
                    *lane = lane.rotate_left(5) ^ value.as_f64().to_bits();
                }
            }
            for (lane, value) in lanes.iter_mut().zip(few) {
                *lane = lane.rotate_left(5) ^ value.as_f64().to_bits();
            }
            lanes.iter().fold(0, |sum: u64, lane| sum.wrapping_mul(0x9e37_79b9_7f4a_7c15) ^ lane)
        },
    )
}

#[cfg(test)]
mod tests {
    use super::super::row_batch::Reopened;
    use super::*;
    use ndarray::{Array2, s};

    /// The pieces of rows that are cut into batches of these lengths, one length after the other.
    fn pieces(x: &Array2<f32>, lens: &[usize]) -> Vec<(usize, Vec<f32>)> {
        let mut source = Reopened::new(|_| {
            let mut first = 0;
            let batches: Vec<_> = lens
                .iter()
                .cycle()
                .map_while(|len| {
                    let start = first;
                    first = (first + len).min(x.nrows());
                    (start < x.nrows()).then(|| Ok(x.slice(s![start..first, ..])))
                })
                .collect();
            Ok(batches)
        });
        let mut passes = RowPasses::new(&mut source, false);
        let mut found = Vec::new();
        for _ in 0..2 {
            found.clear();
            passes
                .for_each(|piece| {
                    found.push((piece.first_row, piece.samples.values.to_vec()));
                    Ok(())
                })
                .unwrap();
        }
        found
    }

    #[test]
    fn pieces_begin_at_chunks_and_have_all_rows_in_order() {
        // Wide rows, so that the buffer holds two chunks.
        let d = 128;
        let x = Array2::from_shape_fn((9000, d), |(row, column)| (row * d + column) as f32);
        for lens in
            [&[9000][..], &[1], &[1000], &[1024], &[700, 0, 6000], &[5000, 3], &[3, 5000], &[2048, 1, 4096]]
        {
            let pieces = pieces(&x, lens);
            let all: Vec<f32> = pieces.iter().flat_map(|(_, values)| values).copied().collect();
            assert_eq!(all, x.as_slice().unwrap(), "{lens:?}");
            let mut first = 0;
            for (index, (first_row, values)) in pieces.iter().enumerate() {
                assert_eq!(*first_row, first);
                first += values.len() / d;
                assert!(first.is_multiple_of(CHUNK) || index == pieces.len() - 1, "{lens:?}");
            }
        }
        assert_eq!(pieces(&x, &[9000]).len(), 2, "a large batch is read in place");
    }

    #[test]
    fn checksums_see_values_and_their_order() {
        let sum = |values: &[f32]| checksum(values);
        assert_ne!(sum(&[1.0, 2.0]), sum(&[2.0, 1.0]));
        assert_ne!(sum(&[0.0; 9]), sum(&[-0.0; 9]));
        let mut values: Vec<f32> = (0..20).map(|i| i as f32).collect();
        let before = sum(&values);
        values.swap(0, 8);
        assert_ne!(sum(&values), before);
    }
}
