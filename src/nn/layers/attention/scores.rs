//! Scores of queries and keys: dot products (Luong), and additive ones (Bahdanau).
//!
//! ```text
//! dot        S = scale · Q Kᵀ                     blocks of 64 queries, one product each
//! additive   Sᵢⱼ = Σ w ⊙ tanh(qᵢ + kⱼ)            one query at a time: T = tanh(qᵢ + K), (keys, dim), then S = T w
//! ```
//!
//! The scratch of additive scores holds `T` of one query. The backward pass computes the scores of a block, and with them `T`,
//! directly before their gradient, so that the hyperbolic tangent is evaluated once in each pass.

use crate::activation::Activation;
use crate::float::Float;
use crate::linalg::{add_rows, gemm, matrix, matrix_mut};
use ndarray::{ArrayView2, ArrayViewMut2};

/// Queries of a block of dot products.
const BLOCK: usize = 64;

/// The cost of a hyperbolic tangent in multiply-adds.
const TANH_OPS: usize = 8;

/// How the score of a query and a key is computed.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) enum Scores {
    /// `scale · q·k`.
    Dot { scale: f64 },
    /// `Σ w ⊙ tanh(q + k)` with one weight for each feature.
    Additive,
}

/// The queries of a block, the keys that they see, and the weights of additive scores.
pub(super) struct Operands<'a, F> {
    pub(super) queries: ArrayView2<'a, F>,
    pub(super) keys: ArrayView2<'a, F>,
    pub(super) weights: &'a [F],
}

/// Where the gradients go: those of the queries are written, the others added.
pub(super) struct ScoreGradients<'a, F> {
    pub(super) queries: ArrayViewMut2<'a, F>,
    pub(super) keys: ArrayViewMut2<'a, F>,
    pub(super) weights: &'a mut [F],
}

impl Scores {
    /// The number of queries of a block.
    pub(super) fn block(self) -> usize {
        match self {
            Self::Dot { .. } => BLOCK,
            Self::Additive => 1,
        }
    }

    pub(super) fn weights_len(self, dim: usize) -> usize {
        match self {
            Self::Dot { .. } => 0,
            Self::Additive => dim,
        }
    }

    /// The elements of `T`.
    pub(super) fn scratch_len(self, keys: usize, dim: usize) -> usize {
        match self {
            Self::Dot { .. } => 0,
            Self::Additive => keys.saturating_mul(dim),
        }
    }

    /// The multiply-adds of one score.
    pub(super) fn ops(self, dim: usize) -> usize {
        match self {
            Self::Dot { .. } => dim,
            Self::Additive => dim.saturating_mul(TANH_OPS),
        }
    }

    /// Computes the scores of a block, (queries, keys), and `T` of its query.
    pub(super) fn compute<F: Float>(self, operands: &Operands<'_, F>, tanh: &mut [F], scores: &mut [F]) {
        let Operands { queries, keys, weights } = operands;
        let (n_keys, dim) = keys.dim();
        match self {
            Self::Dot { scale } => {
                let scores = matrix_mut(scores, queries.nrows(), n_keys);
                gemm(F::of(scale), queries.view(), keys.t(), F::zero(), scores);
            }
            Self::Additive => {
                let tanh = &mut tanh[..n_keys * dim];
                for (query, scores) in queries.rows().into_iter().zip(scores.chunks_exact_mut(n_keys)) {
                    for (sums, key) in tanh.chunks_exact_mut(dim).zip(keys.rows()) {
                        sums.iter_mut().zip(&query).zip(&key).for_each(|((sum, &q), &k)| *sum = q + k);
                    }
                    Activation::Tanh.apply(dim, tanh);
                    let (tanh, weights) = (matrix(tanh, n_keys, dim), matrix(weights, dim, 1));
                    gemm(F::one(), tanh, weights, F::zero(), matrix_mut(scores, n_keys, 1));
                }
            }
        }
    }

    /// The gradients of a block from those of its scores. `tanh` is what [`compute`](Self::compute) has left for the block.
    pub(super) fn backward<F: Float>(
        self,
        operands: &Operands<'_, F>,
        tanh: &mut [F],
        d_scores: &[F],
        gradients: ScoreGradients<'_, F>,
    ) {
        let Operands { queries, keys, weights } = operands;
        let ScoreGradients { queries: mut d_queries, keys: mut d_keys, weights: d_weights } = gradients;
        let (n_keys, dim) = keys.dim();
        match self {
            Self::Dot { scale } => {
                // S = scale · Q Kᵀ  =>  dQ = scale · dS K, dK += scale · dSᵀ Q
                let d_scores = matrix(d_scores, queries.nrows(), n_keys);
                gemm(F::of(scale), d_scores, keys.view(), F::zero(), d_queries);
                gemm(F::of(scale), d_scores.t(), queries.view(), F::one(), d_keys);
            }
            Self::Additive => {
                let tanh = &mut tanh[..n_keys * dim];
                // S = T w  =>  dw += Tᵀ dS
                let d_column = matrix(d_scores, n_keys, 1);
                gemm(
                    F::one(),
                    matrix(tanh, n_keys, dim).t(),
                    d_column,
                    F::one(),
                    matrix_mut(d_weights, dim, 1),
                );
                // T = tanh(q + K)  =>  dq = Σ G and dK += G with G = dS wᵀ ⊙ (1 − T²)
                for ((values, &d_score), mut d_key) in
                    tanh.chunks_exact_mut(dim).zip(d_scores).zip(d_keys.rows_mut())
                {
                    for ((value, &weight), d_key) in values.iter_mut().zip(*weights).zip(&mut d_key) {
                        *value = d_score * weight * (F::one() - *value * *value);
                        *d_key += *value;
                    }
                }
                d_queries.fill(F::zero());
                if let Some(d_query) = d_queries.as_slice_mut() {
                    add_rows(matrix(tanh, n_keys, dim), d_query);
                }
            }
        }
    }
}
