//! Dropout of what the gates of a recurrent layer see, the same at each step.

use super::super::{rows, rows_mut};
use super::sequence::take;
use crate::float::Float;
use crate::linalg;
use crate::nn::layers::regularization::draw;
use crate::rng::RowRng;
use ndarray::{ArrayView2, ArrayViewMut2, s};
use std::ops::Range;

/// What is multiplied with a kernel: the inputs of all steps, or the states before one.
///
/// The kernel's columns belong to the gates in turn. All gates see their rows through one vector of factors a sample,
/// or each gate through its own; without dropout there are no factors, and the gates' products are one.
///
/// Gal and Ghahramani 2016, arXiv:1512.05287.
#[derive(Debug)]
pub(super) struct Operand<'a, F> {
    /// 0 or 1 / (1 - rate), (vectors, batch, width); empty without dropout.
    factors: &'a mut [F],
    /// Room for rows times their factors, (batch, steps, width); empty without dropout.
    seen: &'a mut [F],
    /// Whether the gates see the rows as they are.
    whole: bool,
    dropout: VariationalDropout,
    batch: usize,
}

/// The share that is dropped of an operand, and its sizes.
#[derive(Debug, Clone, Copy)]
pub(super) struct VariationalDropout {
    pub(super) rate: f64,
    /// Numbers of a row.
    pub(super) width: usize,
    pub(super) units: usize,
    /// Vectors of factors a sample: 1, or one for each gate.
    pub(super) vectors: usize,
    pub(super) steps: usize,
}

impl VariationalDropout {
    /// How many numbers of a cache an operand needs for each sample.
    pub(super) fn cache_per_sample(&self) -> usize {
        if self.rate == 0.0 { 0 } else { self.vectors.saturating_add(self.steps).saturating_mul(self.width) }
    }

    /// The operand, whose blocks are cut off the front of a cache; its factors are those of an earlier
    /// [`draw`](Operand::draw).
    pub(super) fn operand<'a, F>(self, batch: usize, cache: &mut &'a mut [F]) -> Operand<'a, F> {
        let whole = self.rate == 0.0;
        let [factors, seen] = if whole { [0, 0] } else { [self.vectors, self.steps] };
        Operand {
            factors: take(cache, factors * batch * self.width),
            seen: take(cache, seen * batch * self.width),
            whole,
            dropout: self,
            batch,
        }
    }
}

impl<F: Float> Operand<'_, F> {
    /// Draws the factors of each sample; without a generator, all is seen.
    pub(super) fn draw(&mut self, rng: Option<RowRng>) {
        let VariationalDropout { rate, width, vectors, .. } = self.dropout;
        let Some(rng) = rng.filter(|_| !self.whole) else {
            self.whole = true;
            return self.factors.fill(F::one());
        };
        let kept = F::of(1.0 / (1.0 - rate));
        for sample in 0..self.batch {
            let mut draws = rng.row(sample);
            for vector in 0..vectors {
                let factors = &mut self.factors[(vector * self.batch + sample) * width..][..width];
                draw(&mut draws, rate, [F::zero(), kept], None, factors);
            }
        }
    }

    /// The rows as the gates of a vector see them.
    fn seen<'s>(&'s mut self, vector: usize, a: ArrayView2<'s, F>) -> ArrayView2<'s, F> {
        if self.whole {
            return a;
        }
        let (batch, width) = (self.batch.max(1), self.dropout.width);
        let factors = &self.factors[vector * batch * width..][..batch * width];
        let rows_per_sample = (a.nrows() / batch).max(1);
        for (row, (a, seen)) in a.rows().into_iter().zip(self.seen.chunks_exact_mut(width)).enumerate() {
            let factors = &factors[row / rows_per_sample * width..][..width];
            seen.iter_mut().zip(a.iter().zip(factors)).for_each(|(seen, (&a, &factor))| *seen = a * factor);
        }
        rows(&self.seen[..a.len()], width)
    }

    /// The gates that see the rows alike, with their vector and their columns of the kernel.
    fn parts(&self, gates: Range<usize>) -> impl Iterator<Item = (usize, Range<usize>)> + use<F> {
        let VariationalDropout { vectors, units, .. } = self.dropout;
        let parts = if vectors > 1 && !self.whole { gates.len() } else { 1 };
        let each = gates.len() / parts;
        (0..parts).map(move |part| {
            let first = gates.start + part * each;
            (
                if parts > 1 { first } else { gates.start.min(vectors - 1) },
                first * units..(first + each) * units,
            )
        })
    }

    /// `sums = (a ∘ factors) · kernel + bias`.
    pub(super) fn affine(
        &mut self,
        a: ArrayView2<'_, F>,
        kernel: ArrayView2<'_, F>,
        bias: Option<&[F]>,
        mut sums: ArrayViewMut2<'_, F>,
    ) {
        if self.whole {
            return linalg::affine(a, kernel, bias, sums);
        }
        match bias {
            Some(bias) => sums.assign(&ndarray::aview1(bias)),
            None => sums.fill(F::zero()),
        }
        let gates = sums.ncols() / self.dropout.units;
        self.add_product(0..gates, a, kernel, sums);
    }

    /// `sums += (a ∘ factors) · kernel`, in the columns of these gates.
    pub(super) fn add_product(
        &mut self,
        gates: Range<usize>,
        a: ArrayView2<'_, F>,
        kernel: ArrayView2<'_, F>,
        mut sums: ArrayViewMut2<'_, F>,
    ) {
        for (vector, columns) in self.parts(gates) {
            let (kernel, sums) = (kernel.slice(s![.., columns.clone()]), sums.slice_mut(s![.., columns]));
            linalg::gemm(F::one(), self.seen(vector, a), kernel, F::one(), sums);
        }
    }

    /// `dkernel += (a ∘ factors)ᵀ · dsums`, in the columns of these gates.
    pub(super) fn add_kernel_gradient(
        &mut self,
        gates: Range<usize>,
        a: ArrayView2<'_, F>,
        dsums: ArrayView2<'_, F>,
        mut dkernel: ArrayViewMut2<'_, F>,
    ) {
        for (vector, columns) in self.parts(gates) {
            let (dsums, dkernel) = (dsums.slice(s![.., columns.clone()]), dkernel.slice_mut(s![.., columns]));
            linalg::gemm(F::one(), self.seen(vector, a).t(), dsums, F::one(), dkernel);
        }
    }

    /// `da = beta da + (dsums · transposed) ∘ factors`, from the columns of these gates; `transposed` is the
    /// kernel's, and beta 0 or 1.
    pub(super) fn pass_back(
        &mut self,
        gates: Range<usize>,
        dsums: ArrayView2<'_, F>,
        transposed: ArrayView2<'_, F>,
        beta: F,
        mut da: ArrayViewMut2<'_, F>,
    ) {
        let (batch, width) = (self.batch.max(1), self.dropout.width);
        if !self.whole && beta == F::zero() {
            da.fill(F::zero());
        }
        for (vector, columns) in self.parts(gates) {
            let dsums = dsums.slice(s![.., columns.clone()]);
            let transposed = transposed.slice(s![columns, ..]);
            if self.whole {
                linalg::gemm(F::one(), dsums, transposed, beta, da.view_mut());
                continue;
            }
            let seen = &mut self.seen[..da.len()];
            linalg::gemm(F::one(), dsums, transposed, F::zero(), rows_mut(seen, width));
            let factors = &self.factors[vector * batch * width..][..batch * width];
            let rows_per_sample = (da.nrows() / batch).max(1);
            for (row, (mut da, seen)) in da.rows_mut().into_iter().zip(seen.chunks_exact(width)).enumerate() {
                let factors = &factors[row / rows_per_sample * width..][..width];
                da.iter_mut().zip(seen.iter().zip(factors)).for_each(|(da, (&d, &factor))| *da += d * factor);
            }
        }
    }
}
