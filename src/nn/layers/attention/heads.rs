//! Attention of several heads, in blocks of queries.
//!
//! For each sample, head and block of queries, 64 for dot products:
//!
//! ```text
//! S = scores(Q_block, K)          (block, keys)      keys behind the last valid one, or behind the block if
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
use crate::nn::layer::Mode;
use crate::nn::layers::regularization::draw;
use crate::parallel;
use ndarray::{ArrayView2, ArrayViewMut2, s};
use std::ops::Range;

use super::batch::{Batch, Gradients, Sample};
use super::scores::{Operands, ScoreGradients, Scores};
use super::validity::Validity;

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
    pub(super) scores: Scores,
    pub(super) causal: bool,
    pub(super) has_dropout: bool,
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

    /// The number of weights of the scores.
    pub(super) fn score_weights_len(&self) -> usize {
        self.scores.weights_len(self.key_dim)
    }

    pub(super) fn scratch_len(&self) -> usize {
        let block = self.queries.min(self.scores.block());
        block.saturating_mul(self.keys).saturating_mul(2).saturating_add(self.tanh_len())
    }

    /// The length of the scratch of the scores.
    fn tanh_len(&self) -> usize {
        self.scores.scratch_len(self.keys, self.key_dim)
    }

    /// Multiply-adds of the products of one sample.
    fn ops(&self) -> usize {
        let pairs = self.n_heads.saturating_mul(self.queries).saturating_mul(self.keys);
        pairs.saturating_mul(self.scores.ops(self.key_dim).saturating_add(self.value_dim))
    }

    /// Draws the factors of dropout on the weights of a batch; all are 1 in inference.
    pub(super) fn draw_dropout<F: Float>(&self, rate: f64, mode: Mode<'_, F>, factors: &mut [F]) {
        if !self.has_dropout {
            return;
        }
        let Mode::Train { rng, .. } = mode else { return factors.fill(F::one()) };
        let keep = F::of(1.0 / (1.0 - rate));
        for (row, factors) in factors.chunks_exact_mut(self.dropout_len().max(1)).enumerate() {
            draw(&mut rng.row(row), rate, [F::zero(), keep], None, factors);
        }
    }

    /// Computes the outputs, (samples · queries, heads · value_dim).
    ///
    /// `scratch`: two blocks for each sample, and what the scores need.
    pub(super) fn forward<F: Float>(
        &self,
        batch: Batch<'_, F>,
        scratch: &mut [F],
        valid: &Validity<'_>,
        outputs: &mut [F],
    ) {
        let n = outputs.len() / self.outputs_len().max(1);
        let chunk = n.div_ceil(CHUNKS).max(1);
        let (mut outputs, mut scratch) = (outputs, scratch);
        let mut first = 0;
        let mut chunks: [_; CHUNKS] = std::array::from_fn(|_| {
            let samples = first..(first + chunk).min(n);
            first = samples.end;
            let outputs = take(&mut outputs, samples.len() * self.outputs_len());
            let scratch = take(&mut scratch, samples.len() * self.scratch_len());
            (samples, outputs, scratch)
        });
        parallel::for_each_split(self.ops().saturating_mul(n), &mut chunks, &|(
            samples,
            outputs,
            scratch,
        )| {
            let outputs = outputs.chunks_exact_mut(self.outputs_len().max(1));
            for (sample, outputs) in samples.clone().zip(outputs) {
                let inputs = self.sample(sample, batch);
                self.forward_sample(sample, inputs, valid, scratch, outputs);
            }
        });
    }

    /// The matrices of one sample.
    fn sample<'a, F>(&self, sample: usize, batch: Batch<'a, F>) -> Sample<'a, F> {
        let Batch { queries, keys, values, score_weights, dropout } = batch;
        let dropout_len = if dropout.is_empty() { 0 } else { self.dropout_len() };
        let (queries, keys) = (queries.get(sample, self.queries_len()), keys.get(sample, self.keys_len()));
        let values = values.get(sample, self.values_len());
        Sample {
            queries: matrix(queries, self.queries, self.n_heads * self.key_dim),
            keys: matrix(keys, self.keys, self.n_kv_heads * self.key_dim),
            values: matrix(values, self.keys, self.n_kv_heads * self.value_dim),
            score_weights,
            dropout: &dropout[sample * dropout_len..][..dropout_len],
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
        let (tanh, scratch) = scratch.split_at_mut(self.tanh_len());
        for head in 0..self.n_heads {
            for start in (0..self.queries).step_by(self.scores.block()) {
                let block = start..(start + self.scores.block()).min(self.queries);
                let width = self.width(n_keys, &block);
                let weights = &mut scratch[..block.len() * width];
                self.weights(sample, &inputs, valid, head, block.clone(), (&mut *tanh, &mut *weights));
                self.drop(inputs.dropout, head, &block, weights);
                let values = inputs.values.slice(s![..width, self.value_columns(head)]);
                let out = outputs.slice_mut(s![block.clone(), self.output_columns(head)]);
                gemm(F::one(), matrix(weights, block.len(), width), values, F::zero(), out);
                for query in block.clone().filter(|&query| self.reads_mean(sample, valid, query, width)) {
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

    /// Whether the output of a query is the mean of the values.
    fn reads_mean(&self, sample: usize, valid: &Validity<'_>, query: usize, width: usize) -> bool {
        !valid.has_zero_output(sample, query) && self.is_empty(sample, valid, query, width)
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

    /// The queries of a block and the keys that they see.
    fn operands<'a, F>(
        &self,
        inputs: &'a Sample<'_, F>,
        head: usize,
        block: Range<usize>,
        width: usize,
    ) -> Operands<'a, F> {
        Operands {
            queries: inputs.queries.slice(s![block, self.query_columns(head)]),
            keys: inputs.keys.slice(s![..width, self.key_columns(head)]),
            weights: inputs.score_weights,
        }
    }

    /// Computes the weights of a block of queries, (queries, keys); zero where a query sees no key.
    fn weights<F: Float>(
        &self,
        sample: usize,
        inputs: &Sample<'_, F>,
        valid: &Validity<'_>,
        head: usize,
        block: Range<usize>,
        (tanh, weights): (&mut [F], &mut [F]),
    ) {
        let width = weights.len() / block.len().max(1);
        if width == 0 {
            return;
        }
        self.scores.compute(&self.operands(inputs, head, block.clone(), width), tanh, weights);
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
        scratch: &mut [F],
        valid: &Validity<'_>,
        d_outputs: &[F],
        gradients: Gradients<'_, F>,
    ) {
        let n = d_outputs.len() / self.outputs_len().max(1);
        let chunk = n.div_ceil(CHUNKS).max(1);
        let Gradients { queries: mut d_queries, keys: mut d_keys, values: mut d_values, .. } = gradients;
        let mut d_score_weights = gradients.score_weights;
        let mut scratch = scratch;
        let mut first = 0;
        let mut chunks: [_; CHUNKS] = std::array::from_fn(|_| {
            let samples = first..(first + chunk).min(n);
            first = samples.end;
            let gradients = Gradients {
                queries: take(&mut d_queries, samples.len() * self.queries_len()),
                keys: take(&mut d_keys, samples.len() * self.keys_len()),
                values: take(&mut d_values, samples.len() * self.values_len()),
                score_weights: take(&mut d_score_weights, samples.len() * self.score_weights_len()),
            };
            (samples.clone(), gradients, take(&mut scratch, samples.len() * self.scratch_len()))
        });
        let ops = self.ops().saturating_mul(n).saturating_mul(2);
        parallel::for_each_split(ops, &mut chunks, &|(samples, gradients, scratch)| {
            for (place, sample) in samples.clone().enumerate() {
                let inputs = self.sample(sample, batch);
                let d_outputs = &d_outputs[sample * self.outputs_len()..][..self.outputs_len()];
                let part = |place: usize, len: usize| place * len..(place + 1) * len;
                let gradients = Gradients {
                    queries: &mut gradients.queries[part(place, self.queries_len())],
                    keys: &mut gradients.keys[part(place, self.keys_len())],
                    values: &mut gradients.values[part(place, self.values_len())],
                    score_weights: &mut gradients.score_weights[part(place, self.score_weights_len())],
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
        gradients.score_weights.fill(F::zero());
        let d_outputs = matrix(d_outputs, self.queries, self.n_heads * self.value_dim);
        let mut d_queries = matrix_mut(gradients.queries, self.queries, self.n_heads * self.key_dim);
        let mut d_keys = matrix_mut(gradients.keys, self.keys, self.n_kv_heads * self.key_dim);
        let mut d_values = matrix_mut(gradients.values, self.keys, self.n_kv_heads * self.value_dim);
        let n_keys = self.last_key(sample, valid);
        let (tanh, scratch) = scratch.split_at_mut(self.tanh_len());
        let (first, second) = scratch.split_at_mut(scratch.len() / 2);
        for head in 0..self.n_heads {
            for start in (0..self.queries).step_by(self.scores.block()) {
                let block = start..(start + self.scores.block()).min(self.queries);
                let width = self.width(n_keys, &block);
                let (weights, d_weights) =
                    (&mut first[..block.len() * width], &mut second[..block.len() * width]);
                let d_out = d_outputs.slice(s![block.clone(), self.output_columns(head)]);
                self.empty_rows_backward(sample, valid, head, block.clone(), width, d_out, &mut d_values);
                if width == 0 {
                    continue;
                }
                self.weights(sample, inputs, valid, head, block.clone(), (&mut *tanh, &mut *weights));
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
                let gradients = ScoreGradients {
                    queries: d_queries.slice_mut(s![block.clone(), self.query_columns(head)]),
                    keys: d_keys.slice_mut(s![..width, self.key_columns(head)]),
                    weights: &mut *gradients.score_weights,
                };
                let operands = self.operands(inputs, head, block, width);
                self.scores.backward(&operands, tanh, d_weights, gradients);
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
            if self.reads_mean(sample, valid, query, width) {
                for mut row in d_values.slice_mut(s![.., self.value_columns(head)]).rows_mut() {
                    row.iter_mut().zip(&d_out).for_each(|(slot, &d)| *slot += d * scale);
                }
            }
        }
    }
}
