//! Scaled dot-product attention of several heads, in blocks of queries.
//!
//! For each sample, head and block of up to 64 queries:
//!
//! ```text
//! S = scale · Q_block · Kᵀ        (block, keys)      keys behind the last valid one, or behind the block if
//! P = softmax(S)                                     causal, are left out
//! O_block = P · V                 (block, values)
//! ```
//!
//! The matrix of all weights, (queries, keys), is never kept: the backward pass computes each block of P again, one of five
//! products, as in FlashAttention (Dao et al. 2022, arXiv:2205.14135). Only the factors of dropout on the weights are kept.
//!
//! The samples are divided into fixed chunks that threads share, so that results do not depend on the threads.

use crate::activation::Activation;
use crate::float::Float;
use crate::linalg::{gemm, matrix, matrix_mut};
use crate::nn::layer::Mask;
use crate::parallel;
use ndarray::{ArrayView2, ArrayViewMut2, s};
use std::ops::Range;

/// Queries of a block.
const BLOCK: usize = 64;

/// Chunks of a batch.
const CHUNKS: usize = 8;

/// Sizes of the attention of one sample.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Heads {
    pub(super) queries: usize,
    pub(super) keys: usize,
    pub(super) n_heads: usize,
    /// Heads of keys and values; each serves `n_heads / n_kv_heads` heads of queries.
    pub(super) n_kv_heads: usize,
    pub(super) key_dim: usize,
    pub(super) value_dim: usize,
    pub(super) causal: bool,
    pub(super) has_dropout: bool,
}

/// Which queries and keys of a batch are valid: positions of one mask, or all.
#[derive(Debug, Clone)]
pub(super) struct Validity<'a> {
    pub(super) mask: Option<Mask<'a>>,
    pub(super) queries: Range<usize>,
    /// The positions of keys and of values; a key counts if both are valid.
    pub(super) keys: [Range<usize>; 2],
}

impl Validity<'_> {
    fn query(&self, sample: usize, query: usize) -> bool {
        self.mask.is_none_or(|mask| mask.is_valid(sample, self.queries.start + query))
    }

    fn key(&self, sample: usize, key: usize) -> bool {
        self.mask.is_none_or(|mask| self.keys.iter().all(|keys| mask.is_valid(sample, keys.start + key)))
    }
}

/// The projected queries, keys and values of a batch, and the buffers of a pass.
pub(super) struct Batch<'a, F> {
    pub(super) queries: &'a [F],
    pub(super) keys: &'a [F],
    pub(super) values: &'a [F],
    /// The factors of dropout on the weights; empty without dropout.
    pub(super) dropout: &'a [F],
    /// Two blocks for each sample.
    pub(super) scratch: &'a mut [F],
}

/// The gradients of queries, keys and values.
pub(super) struct Gradients<'a, F> {
    pub(super) queries: &'a mut [F],
    pub(super) keys: &'a mut [F],
    pub(super) values: &'a mut [F],
}

/// Takes the first `len` elements of a slice.
fn take<'a, F>(rest: &mut &'a mut [F], len: usize) -> &'a mut [F] {
    let (first, others) = std::mem::take(rest).split_at_mut(len);
    *rest = others;
    first
}

impl Heads {
    pub(super) fn queries_len(&self) -> usize {
        self.queries.saturating_mul(self.n_heads).saturating_mul(self.key_dim)
    }

    pub(super) fn keys_len(&self) -> usize {
        self.keys.saturating_mul(self.n_kv_heads).saturating_mul(self.key_dim)
    }

    pub(super) fn values_len(&self) -> usize {
        self.keys.saturating_mul(self.n_kv_heads).saturating_mul(self.value_dim)
    }

    pub(super) fn outputs_len(&self) -> usize {
        self.queries.saturating_mul(self.n_heads).saturating_mul(self.value_dim)
    }

    pub(super) fn dropout_len(&self) -> usize {
        let weights = self.n_heads.saturating_mul(self.queries).saturating_mul(self.keys);
        if self.has_dropout { weights } else { 0 }
    }

    pub(super) fn scratch_len(&self) -> usize {
        self.queries.min(BLOCK).saturating_mul(self.keys).saturating_mul(2)
    }

    /// Multiply-adds of the products of one sample.
    fn ops(&self) -> usize {
        let pairs = self.n_heads.saturating_mul(self.queries).saturating_mul(self.keys);
        pairs.saturating_mul(self.key_dim.saturating_add(self.value_dim))
    }

    /// Computes the outputs, (samples · queries, heads · value_dim).
    pub(super) fn forward<F: Float>(&self, batch: Batch<'_, F>, valid: &Validity<'_>, outputs: &mut [F]) {
        let n = outputs.len() / self.outputs_len().max(1);
        let chunk = n.div_ceil(CHUNKS).max(1);
        let (mut outputs, mut scratch) = (outputs, batch.scratch);
        let mut first = 0;
        let mut chunks: [_; CHUNKS] = std::array::from_fn(|_| {
            let samples = first..(first + chunk).min(n);
            first = samples.end;
            let outputs = take(&mut outputs, samples.len() * self.outputs_len());
            let scratch = take(&mut scratch, samples.len() * self.scratch_len());
            (samples, outputs, scratch)
        });
        let (queries, keys, values, dropout) = (batch.queries, batch.keys, batch.values, batch.dropout);
        parallel::for_each_split(self.ops().saturating_mul(n), &mut chunks, &|(
            samples,
            outputs,
            scratch,
        )| {
            let outputs = outputs.chunks_exact_mut(self.outputs_len().max(1));
            for (sample, outputs) in samples.clone().zip(outputs) {
                let inputs = self.sample(sample, queries, keys, values, dropout);
                self.forward_sample(sample, inputs, valid, scratch, outputs);
            }
        });
    }

    /// The matrices of one sample.
    fn sample<'a, F>(
        &self,
        sample: usize,
        queries: &'a [F],
        keys: &'a [F],
        values: &'a [F],
        dropout: &'a [F],
    ) -> Sample<'a, F> {
        let part = |values: &'a [F], len: usize| &values[sample * len..][..len];
        Sample {
            queries: matrix(part(queries, self.queries_len()), self.queries, self.n_heads * self.key_dim),
            keys: matrix(part(keys, self.keys_len()), self.keys, self.n_kv_heads * self.key_dim),
            values: matrix(part(values, self.values_len()), self.keys, self.n_kv_heads * self.value_dim),
            dropout: part(dropout, if dropout.is_empty() { 0 } else { self.dropout_len() }),
        }
    }

    fn forward_sample<F: Float>(
        &self,
        sample: usize,
        inputs: Sample<'_, F>,
        valid: &Validity<'_>,
        scratch: &mut [F],
        outputs: &mut [F],
    ) {
        let mut outputs = matrix_mut(outputs, self.queries, self.n_heads * self.value_dim);
        let n_keys = self.last_key(sample, valid);
        for head in 0..self.n_heads {
            for start in (0..self.queries).step_by(BLOCK) {
                let block = start..(start + BLOCK).min(self.queries);
                let width = self.width(n_keys, &block);
                let weights = &mut scratch[..block.len() * width];
                self.weights(sample, &inputs, valid, head, block.clone(), weights);
                self.drop(inputs.dropout, head, &block, weights);
                let values = inputs.values.slice(s![..width, self.value_columns(head)]);
                let out = outputs.slice_mut(s![block.clone(), self.output_columns(head)]);
                gemm(F::one(), matrix(weights, block.len(), width), values, F::zero(), out);
                for query in block.clone().filter(|&query| self.is_empty(sample, valid, query, width)) {
                    let mut out = outputs.slice_mut(s![query, self.output_columns(head)]);
                    self.mean_of_values(&inputs, head, &mut out);
                }
            }
        }
    }

    /// Without a valid key, all keys have one weight: the output is the mean of the values.
    fn mean_of_values<F: Float>(
        &self,
        inputs: &Sample<'_, F>,
        head: usize,
        out: &mut ndarray::ArrayViewMut1<'_, F>,
    ) {
        let scale = F::one() / F::of(self.keys.max(1) as f64);
        out.fill(F::zero());
        for row in inputs.values.slice(s![.., self.value_columns(head)]).rows() {
            out.iter_mut().zip(row).for_each(|(out, &value)| *out += value * scale);
        }
    }

    /// The number of keys up to the last valid one.
    fn last_key(&self, sample: usize, valid: &Validity<'_>) -> usize {
        (0..self.keys).rev().find(|&key| valid.key(sample, key)).map_or(0, |key| key + 1)
    }

    /// The number of keys that a block of queries sees.
    fn width(&self, n_keys: usize, block: &Range<usize>) -> usize {
        if self.causal { n_keys.min(block.end) } else { n_keys }
    }

    /// Whether a query is padding or sees no valid key.
    fn is_empty(&self, sample: usize, valid: &Validity<'_>, query: usize, width: usize) -> bool {
        let width = if self.causal { width.min(query + 1) } else { width };
        !valid.query(sample, query) || !(0..width).any(|key| valid.key(sample, key))
    }

    fn query_columns(&self, head: usize) -> Range<usize> {
        head * self.key_dim..(head + 1) * self.key_dim
    }

    fn output_columns(&self, head: usize) -> Range<usize> {
        head * self.value_dim..(head + 1) * self.value_dim
    }

    /// The head of keys and values that serves a head of queries.
    fn kv_head(&self, head: usize) -> usize {
        head / (self.n_heads / self.n_kv_heads.max(1)).max(1)
    }

    fn key_columns(&self, head: usize) -> Range<usize> {
        self.query_columns(self.kv_head(head))
    }

    fn value_columns(&self, head: usize) -> Range<usize> {
        self.output_columns(self.kv_head(head))
    }

    fn scale<F: Float>(&self) -> F {
        F::of(1.0 / (self.key_dim as f64).sqrt())
    }

    /// Computes the weights of a block of queries, (queries, keys); zero where a query sees no key.
    fn weights<F: Float>(
        &self,
        sample: usize,
        inputs: &Sample<'_, F>,
        valid: &Validity<'_>,
        head: usize,
        block: Range<usize>,
        weights: &mut [F],
    ) {
        let width = weights.len() / block.len().max(1);
        if width == 0 {
            return;
        }
        let queries = inputs.queries.slice(s![block.clone(), self.query_columns(head)]);
        let keys = inputs.keys.slice(s![..width, self.key_columns(head)]);
        gemm(self.scale(), queries, keys.t(), F::zero(), matrix_mut(weights, block.len(), width));
        if !self.causal && valid.mask.is_none() {
            return Activation::Softmax.apply(width, weights);
        }
        // Far below every score, and finite: its exponential is 0.
        let excluded = F::min_value() / F::of(4.0);
        for (query, row) in block.clone().zip(weights.chunks_exact_mut(width)) {
            for (key, score) in row.iter_mut().enumerate() {
                if (self.causal && key > query) || !valid.key(sample, key) {
                    *score = excluded;
                }
            }
        }
        Activation::Softmax.apply(width, weights);
        for (query, row) in block.zip(weights.chunks_exact_mut(width)) {
            if self.is_empty(sample, valid, query, width) {
                row.fill(F::zero());
            }
        }
    }

    /// Multiplies weights by the factors of dropout.
    fn drop<F: Float>(&self, dropout: &[F], head: usize, block: &Range<usize>, weights: &mut [F]) {
        let width = weights.len() / block.len().max(1);
        if dropout.is_empty() || width == 0 {
            return;
        }
        for (query, row) in block.clone().zip(weights.chunks_exact_mut(width)) {
            let factors = &dropout[(head * self.queries + query) * self.keys..];
            row.iter_mut().zip(factors).for_each(|(weight, &factor)| *weight *= factor);
        }
    }

    /// Computes the gradients of queries, keys and values from those of the outputs.
    pub(super) fn backward<F: Float>(
        &self,
        batch: Batch<'_, F>,
        valid: &Validity<'_>,
        d_outputs: &[F],
        gradients: Gradients<'_, F>,
    ) {
        let n = d_outputs.len() / self.outputs_len().max(1);
        let chunk = n.div_ceil(CHUNKS).max(1);
        let Gradients { queries: mut d_queries, keys: mut d_keys, values: mut d_values } = gradients;
        let mut scratch = batch.scratch;
        let mut first = 0;
        let mut chunks: [_; CHUNKS] = std::array::from_fn(|_| {
            let samples = first..(first + chunk).min(n);
            first = samples.end;
            let gradients = Gradients {
                queries: take(&mut d_queries, samples.len() * self.queries_len()),
                keys: take(&mut d_keys, samples.len() * self.keys_len()),
                values: take(&mut d_values, samples.len() * self.values_len()),
            };
            (samples.clone(), gradients, take(&mut scratch, samples.len() * self.scratch_len()))
        });
        let (queries, keys, values, dropout) = (batch.queries, batch.keys, batch.values, batch.dropout);
        let ops = self.ops().saturating_mul(n).saturating_mul(2);
        parallel::for_each_split(ops, &mut chunks, &|(samples, gradients, scratch)| {
            for (place, sample) in samples.clone().enumerate() {
                let inputs = self.sample(sample, queries, keys, values, dropout);
                let d_outputs = &d_outputs[sample * self.outputs_len()..][..self.outputs_len()];
                let part = |place: usize, len: usize| place * len..(place + 1) * len;
                let gradients = Gradients {
                    queries: &mut gradients.queries[part(place, self.queries_len())],
                    keys: &mut gradients.keys[part(place, self.keys_len())],
                    values: &mut gradients.values[part(place, self.values_len())],
                };
                self.backward_sample(sample, &inputs, valid, scratch, d_outputs, gradients);
            }
        });
    }

    fn backward_sample<F: Float>(
        &self,
        sample: usize,
        inputs: &Sample<'_, F>,
        valid: &Validity<'_>,
        scratch: &mut [F],
        d_outputs: &[F],
        gradients: Gradients<'_, F>,
    ) {
        gradients.queries.fill(F::zero());
        gradients.keys.fill(F::zero());
        gradients.values.fill(F::zero());
        let d_outputs = matrix(d_outputs, self.queries, self.n_heads * self.value_dim);
        let mut d_queries = matrix_mut(gradients.queries, self.queries, self.n_heads * self.key_dim);
        let mut d_keys = matrix_mut(gradients.keys, self.keys, self.n_kv_heads * self.key_dim);
        let mut d_values = matrix_mut(gradients.values, self.keys, self.n_kv_heads * self.value_dim);
        let n_keys = self.last_key(sample, valid);
        let (first, second) = scratch.split_at_mut(scratch.len() / 2);
        for head in 0..self.n_heads {
            for start in (0..self.queries).step_by(BLOCK) {
                let block = start..(start + BLOCK).min(self.queries);
                let width = self.width(n_keys, &block);
                let (weights, d_weights) =
                    (&mut first[..block.len() * width], &mut second[..block.len() * width]);
                let d_out = d_outputs.slice(s![block.clone(), self.output_columns(head)]);
                self.empty_rows_backward(sample, valid, head, block.clone(), width, d_out, &mut d_values);
                if width == 0 {
                    continue;
                }
                self.weights(sample, inputs, valid, head, block.clone(), weights);
                let values = inputs.values.slice(s![..width, self.value_columns(head)]);
                // O = (P ⊙ factors) V  =>  dP = factors ⊙ (dO Vᵀ), dV += (P ⊙ factors)ᵀ dO
                gemm(F::one(), d_out, values.t(), F::zero(), matrix_mut(d_weights, block.len(), width));
                self.drop(inputs.dropout, head, &block, d_weights);
                // P = softmax(S)  =>  dS = P ⊙ (dP - Σ dP ⊙ P)
                Activation::Softmax.gradient(width, &[], weights, d_weights);
                self.drop(inputs.dropout, head, &block, weights);
                let weights = matrix(weights, block.len(), width);
                let own = d_values.slice_mut(s![..width, self.value_columns(head)]);
                gemm(F::one(), weights.t(), d_out, F::one(), own);
                // S = scale · Q Kᵀ  =>  dQ = scale · dS K, dK += scale · dSᵀ Q
                let d_scores = matrix(d_weights, block.len(), width);
                let keys = inputs.keys.slice(s![..width, self.key_columns(head)]);
                let queries = inputs.queries.slice(s![block.clone(), self.query_columns(head)]);
                gemm(
                    self.scale(),
                    d_scores,
                    keys,
                    F::zero(),
                    d_queries.slice_mut(s![block, self.query_columns(head)]),
                );
                let own = d_keys.slice_mut(s![..width, self.key_columns(head)]);
                gemm(self.scale(), d_scores.t(), queries, F::one(), own);
            }
        }
    }

    /// The gradients of the values from queries without a valid key, whose output is the mean of the values.
    #[allow(clippy::too_many_arguments, reason = "the position of a block and its two matrices")]
    fn empty_rows_backward<F: Float>(
        &self,
        sample: usize,
        valid: &Validity<'_>,
        head: usize,
        block: Range<usize>,
        width: usize,
        d_out: ArrayView2<'_, F>,
        d_values: &mut ArrayViewMut2<'_, F>,
    ) {
        if valid.mask.is_none() && width > 0 {
            return;
        }
        let scale = F::one() / F::of(self.keys.max(1) as f64);
        for (query, d_out) in block.zip(d_out.rows()) {
            if self.is_empty(sample, valid, query, width) {
                for mut row in d_values.slice_mut(s![.., self.value_columns(head)]).rows_mut() {
                    row.iter_mut().zip(&d_out).for_each(|(slot, &d)| *slot += d * scale);
                }
            }
        }
    }
}

/// The projections of one sample.
struct Sample<'a, F> {
    queries: ArrayView2<'a, F>,
    keys: ArrayView2<'a, F>,
    values: ArrayView2<'a, F>,
    dropout: &'a [F],
}
