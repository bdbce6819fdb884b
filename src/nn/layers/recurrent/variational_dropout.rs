//! Variational dropout of the inputs and states of a recurrent layer: one mask a sample, the same at every step.
//!
//! Gal and Ghahramani 2016, arXiv:1512.05287.

use super::super::{rows, rows_mut};
use super::cell::split_off_front;
use crate::float::Float;
use crate::linalg;
use crate::nn::layers::regularization::draw;
use crate::rng::RowRng;
use ndarray::{ArrayView2, ArrayViewMut2, s};
use std::ops::Range;

/// Rate and sizes of the dropout of one operand of a recurrent layer: its inputs or its states.
#[derive(Debug, Clone, Copy)]
pub(super) struct DropoutShape {
    /// Fraction of the values that are dropped.
    pub(super) rate: f64,
    /// Values of an operand's row: features or units.
    pub(super) width: usize,
    pub(super) units: usize,
    /// Masks a sample: 1 for all gates, or one for each gate.
    pub(super) masks: usize,
    pub(super) steps: usize,
}

impl DropoutShape {
    /// Values of the cache for each sample; 0 without dropout.
    pub(super) fn cache_per_sample(&self) -> usize {
        if self.rate == 0.0 { 0 } else { self.masks.saturating_add(self.steps).saturating_mul(self.width) }
    }

    /// Splits the buffers of the dropout off the front of a cache. They hold the masks of the last
    /// [`draw`](VariationalDropout::draw).
    pub(super) fn split_off<'a, F>(self, batch: usize, cache: &mut &'a mut [F]) -> VariationalDropout<'a, F> {
        let active = self.rate != 0.0;
        let [masks, steps] = if active { [self.masks, self.steps] } else { [0, 0] };
        VariationalDropout {
            shape: self,
            batch,
            active,
            masks: split_off_front(cache, masks * batch * self.width),
            masked: split_off_front(cache, steps * batch * self.width),
        }
    }

    /// No dropout, for some samples of a batch.
    pub(super) fn inactive<'a, F>(self, batch: usize) -> VariationalDropout<'a, F> {
        VariationalDropout { shape: self, batch, active: false, masks: &mut [], masked: &mut [] }
    }
}

/// The products of an operand under dropout, `x ∘ m` with a mask `m`, with a kernel.
///
/// Gates that share a mask, and all gates without dropout, share one product over their columns of the kernel.
#[derive(Debug)]
pub(super) struct VariationalDropout<'a, F> {
    shape: DropoutShape,
    batch: usize,
    /// Whether the masks apply.
    active: bool,
    /// 0 or 1 / (1 - rate), (masks, batch, width); empty without dropout.
    masks: &'a mut [F],
    /// Scratch space for the operand under one mask, (batch, steps, width); empty without dropout.
    masked: &'a mut [F],
}

impl<F: Float> VariationalDropout<'_, F> {
    /// Whether values are dropped.
    pub(super) fn is_active(&self) -> bool {
        self.active
    }

    /// Borrows the buffers.
    pub(super) fn reborrow(&mut self) -> VariationalDropout<'_, F> {
        let Self { shape, batch, active, masks, masked } = self;
        VariationalDropout { shape: *shape, batch: *batch, active: *active, masks, masked }
    }

    /// Draws the masks of all samples; without a generator (inference) every mask is 1.
    pub(super) fn draw(&mut self, rng: Option<RowRng>) {
        let DropoutShape { rate, width, masks, .. } = self.shape;
        let Some(rng) = rng.filter(|_| self.active) else {
            self.active = false;
            return self.masks.fill(F::one());
        };
        let kept = F::of(1.0 / (1.0 - rate));
        for sample in 0..self.batch {
            let mut draws = rng.row(sample);
            for mask in 0..masks {
                let mask = &mut self.masks[(mask * self.batch + sample) * width..][..width];
                draw(&mut draws, rate, [F::zero(), kept], None, mask);
            }
        }
    }

    /// Computes `a = (x ∘ m) · kernel + bias`, with `x`: (rows, width), `kernel`: (width, gates · units).
    pub(super) fn affine(
        &mut self,
        x: ArrayView2<'_, F>,
        kernel: ArrayView2<'_, F>,
        bias: Option<&[F]>,
        mut a: ArrayViewMut2<'_, F>,
    ) {
        if !self.active {
            return linalg::affine(x, kernel, bias, a);
        }
        match bias {
            Some(bias) => a.assign(&ndarray::aview1(bias)),
            None => a.fill(F::zero()),
        }
        let gates = a.ncols() / self.shape.units;
        self.add_product(0..gates, x, (kernel, &[]), a);
    }

    /// Adds `(x ∘ m) · kernel` to `a` in the columns of these gates. The kernel comes with its [`panels`](linalg::panels) only
    /// where nothing is dropped and these are all gates.
    pub(super) fn add_product(
        &mut self,
        gates: Range<usize>,
        x: ArrayView2<'_, F>,
        (kernel, panels): (ArrayView2<'_, F>, &[F]),
        mut a: ArrayViewMut2<'_, F>,
    ) {
        if !panels.is_empty() {
            return linalg::add_product(x, (kernel, panels), a);
        }
        for (mask, columns) in self.products(gates) {
            let (kernel, a) = (kernel.slice(s![.., columns.clone()]), a.slice_mut(s![.., columns]));
            linalg::gemm(F::one(), self.masked(mask, x), kernel, F::one(), a);
        }
    }

    /// Differentiates [`add_product`](Self::add_product) toward the kernel:
    /// `a += (x ∘ m) · kernel  =>  dkernel += (x ∘ m)ᵀ · da`.
    pub(super) fn add_kernel_gradient(
        &mut self,
        gates: Range<usize>,
        x: ArrayView2<'_, F>,
        da: ArrayView2<'_, F>,
        mut dkernel: ArrayViewMut2<'_, F>,
    ) {
        for (mask, columns) in self.products(gates) {
            let (da, dkernel) = (da.slice(s![.., columns.clone()]), dkernel.slice_mut(s![.., columns]));
            linalg::gemm(F::one(), self.masked(mask, x).t(), da, F::one(), dkernel);
        }
    }

    /// Differentiates [`add_product`](Self::add_product) toward the operand:
    /// `a += (x ∘ m) · kernel  =>  dx = beta · dx + (da · kernelᵀ) ∘ m`, with beta 0 or 1.
    pub(super) fn operand_gradient(
        &mut self,
        gates: Range<usize>,
        da: ArrayView2<'_, F>,
        kernel_t: ArrayView2<'_, F>,
        beta: F,
        mut dx: ArrayViewMut2<'_, F>,
    ) {
        if self.active && beta == F::zero() {
            dx.fill(F::zero());
        }
        for (mask, columns) in self.products(gates) {
            let (da, kernel_t) = (da.slice(s![.., columns.clone()]), kernel_t.slice(s![columns, ..]));
            if !self.active {
                linalg::gemm(F::one(), da, kernel_t, beta, dx.view_mut());
                continue;
            }
            let dmasked = &mut self.masked[..dx.len()];
            linalg::gemm(F::one(), da, kernel_t, F::zero(), rows_mut(dmasked, self.shape.width));
            let masks = SampleMasks::new(self.masks, mask, [self.batch, dx.nrows()], self.shape.width);
            for (row, (mut dx, dmasked)) in
                dx.rows_mut().into_iter().zip(dmasked.chunks_exact(self.shape.width)).enumerate()
            {
                let terms = dmasked.iter().zip(masks.of_row(row));
                dx.iter_mut().zip(terms).for_each(|(dx, (&dmasked, &m))| *dx += dmasked * m);
            }
        }
    }

    /// [`operand_gradient`](Self::operand_gradient) with a beta of 1; panels as in [`add_product`](Self::add_product).
    pub(super) fn add_operand_gradient(
        &mut self,
        gates: Range<usize>,
        da: ArrayView2<'_, F>,
        (kernel_t, panels): (ArrayView2<'_, F>, &[F]),
        dx: ArrayViewMut2<'_, F>,
    ) {
        if !panels.is_empty() {
            return linalg::add_product(da, (kernel_t, panels), dx);
        }
        self.operand_gradient(gates, da, kernel_t, F::one(), dx);
    }

    /// The operand under one of the masks, `x ∘ m`.
    fn masked<'s>(&'s mut self, mask: usize, x: ArrayView2<'s, F>) -> ArrayView2<'s, F> {
        if !self.active {
            return x;
        }
        let width = self.shape.width;
        let masks = SampleMasks::new(self.masks, mask, [self.batch, x.nrows()], width);
        for (row, (x, masked)) in x.rows().into_iter().zip(self.masked.chunks_exact_mut(width)).enumerate() {
            let terms = x.iter().zip(masks.of_row(row));
            masked.iter_mut().zip(terms).for_each(|(masked, (&x, &m))| *masked = x * m);
        }
        rows(&self.masked[..x.len()], width)
    }

    /// The products that these gates need: the mask of each, and the gates' columns of the kernel.
    fn products(&self, gates: Range<usize>) -> impl Iterator<Item = (usize, Range<usize>)> + use<F> {
        let DropoutShape { masks, units, .. } = self.shape;
        let mask_per_gate = self.active && masks > 1;
        let products = if mask_per_gate { gates.len() } else { 1 };
        let gates_per_product = gates.len() / products;
        (0..products).map(move |product| {
            let first = gates.start + product * gates_per_product;
            (if mask_per_gate { first } else { 0 }, first * units..(first + gates_per_product) * units)
        })
    }
}

/// One mask of every sample, for an operand with as many rows a sample as it has steps, or with one.
struct SampleMasks<'a, F> {
    /// (batch, width).
    masks: &'a [F],
    width: usize,
    rows_per_sample: usize,
}

impl<'a, F> SampleMasks<'a, F> {
    fn new(masks: &'a [F], mask: usize, [batch, rows]: [usize; 2], width: usize) -> Self {
        let batch = batch.max(1);
        let masks = &masks[mask * batch * width..][..batch * width];
        Self { masks, width, rows_per_sample: (rows / batch).max(1) }
    }

    fn of_row(&self, row: usize) -> &'a [F] {
        &self.masks[row / self.rows_per_sample * self.width..][..self.width]
    }
}
