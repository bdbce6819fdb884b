//! Attention of one head without projections: what [`Attention`](super::Attention) and
//! [`AdditiveAttention`](super::AdditiveAttention) have in common.
//!
//! Both compute the scores by [`Heads`] of one head. A learned scale `s` multiplies the operands, not the scores:
//!
//! | form | scores | by [`Scores`] |
//! |---|---|---|
//! | dot | `s · q·k` | dot products of `s·q` and `k` |
//! | concat | `c Σ tanh(s·(q + k))` | additive ones of `s·q` and `s·k` with all weights `c` |
//! | additive | `Σ w ⊙ tanh(q + k)` | additive ones with the weights `w` |

use super::batch::{Batch, Gradients, Samples};
use super::heads::Heads;
use super::projection::Part;
use super::scores::Scores;
use super::validity::Validity;
use crate::error::{Error, Result};
use crate::float::Float;
use crate::linalg::{add_rows, gemm, matrix, matrix_mut};
use crate::nn::layer::{Backward, Forward, Mask, MergeInputs, Plan};
use crate::nn::layers::defaults::{glorot_uniform, ones};
use crate::nn::layers::regularization::check_rate;
use ndarray::{ArrayView2, Axis, s};

/// How scores are computed from queries and keys.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Form {
    Dot,
    Concat,
    Additive,
}

/// The options of both layers.
#[derive(Debug, Clone, Copy)]
pub(super) struct SingleHead {
    pub(super) kind: &'static str,
    pub(super) form: Form,
    pub(super) use_scale: bool,
    pub(super) dropout: f64,
    pub(super) causal: bool,
}

/// The sizes of one attention, and where its inputs are in a row.
struct Geometry {
    heads: Heads,
    /// Query, key and value.
    parts: [Part; 3],
}

/// Implements a layer by its [`SingleHead`], which `head()` returns: the setters of the options that both layers have, and [`Merge`].
macro_rules! by_single_head {
    ($layer:ident) => {
        impl $layer {
            /// Sets the fraction of attention weights to drop in training, 0 ≤ rate < 1.
            #[must_use]
            pub fn dropout(mut self, rate: f64) -> Self {
                self.dropout = rate;
                self
            }

            /// Sets whether a position reads only from itself and earlier positions (Keras's `use_causal_mask`).
            #[must_use]
            pub fn causal(mut self, causal: bool) -> Self {
                self.causal = causal;
                self
            }
        }

        impl<F: Float> Merge<F> for $layer {
            crate::float::precompiled::into_arc!($layer: Merge<F>);

            fn kind(&self) -> &'static str {
                self.head().kind
            }

            fn plan(&self, inputs: MergeInputs<'_>) -> Result<Plan> {
                self.head().plan(inputs)
            }

            fn forward(&self, inputs: MergeInputs<'_>, pass: Forward<'_, F>) {
                self.head().forward(inputs, pass);
            }

            fn backward(&self, inputs: MergeInputs<'_>, pass: Backward<'_, F>) {
                self.head().backward(inputs, pass);
            }

            fn mask_shape(&self, inputs: MergeInputs<'_>, masked: &[bool]) -> Option<Shape> {
                super::query_mask_shape(inputs, masked)
            }

            fn mask(&self, inputs: MergeInputs<'_>, pass: MaskPass<'_, F>) {
                super::query_mask(inputs, pass);
            }

            fn config(&self) -> Option<Config> {
                Config::of(self)
            }
        }
    };
}
pub(super) use by_single_head;

impl SingleHead {
    /// The sizes for the inputs query and value, or query, value and key.
    fn geometry(&self, inputs: MergeInputs<'_>) -> Result<Geometry> {
        let kind = self.kind;
        check_rate(kind, "dropout", self.dropout)?;
        let roles = match inputs.len() {
            2 => [0, 1, 1],
            3 => [0, 2, 1],
            n => return Err(Error::shape(kind, "2 or 3 inputs: query, value and key", n)),
        };
        if let Some(other) = inputs.shapes().iter().find(|shape| shape.rank() != 2) {
            return Err(Error::shape(kind, "samples (steps, features)", other));
        }
        let parts = roles.map(|index| {
            let dims = inputs.shapes()[index].dims();
            let (columns, positions) = (inputs.columns(index), inputs.positions(index));
            Part { columns, positions, steps: dims[0], features: dims[1] }
        });
        let [query, key, value] = &parts;
        if key.steps != value.steps {
            return Err(Error::shape(kind, "keys and values of one number of steps", inputs.to_string()));
        }
        if query.features != key.features {
            let expected = "queries and keys of one number of features; apply a Dense to one of them";
            return Err(Error::shape(kind, expected, inputs.to_string()));
        }
        let heads = Heads {
            queries: query.steps,
            keys: key.steps,
            n_heads: 1,
            n_kv_heads: 1,
            key_dim: query.features,
            value_dim: value.features,
            scores: if self.form == Form::Dot { Scores::Dot { scale: 1.0 } } else { Scores::Additive },
            causal: self.causal,
            has_dropout: self.dropout > 0.0,
        };
        Ok(Geometry { heads, parts })
    }

    /// Which of the queries and keys the learned scale multiplies.
    fn scaled(&self) -> [bool; 2] {
        [self.use_scale && self.form != Form::Additive, self.use_scale && self.form == Form::Concat]
    }

    /// The lengths of the copies of queries and keys that are multiplied by the scale.
    fn scaled_lens(&self, heads: &Heads) -> [usize; 2] {
        let [queries, keys] = self.scaled();
        [if queries { heads.queries_len() } else { 0 }, if keys { heads.keys_len() } else { 0 }]
    }

    pub(super) fn plan(&self, inputs: MergeInputs<'_>) -> Result<Plan> {
        let Geometry { heads, .. } = self.geometry(inputs)?;
        let mut plan = Plan::output([heads.queries, heads.value_dim]).passes_mask().uses_mask();
        if self.use_scale {
            plan = match self.form {
                Form::Additive => plan.param("scale", heads.key_dim, glorot_uniform()),
                Form::Dot | Form::Concat => plan.param("scale", [], ones()),
            };
        }
        if self.form == Form::Concat {
            plan = plan.param("concat_score_weight", [], ones());
        }
        let gradients =
            [heads.queries_len(), heads.keys_len(), heads.values_len(), heads.score_weights_len()];
        let lens = gradients.into_iter().chain(self.scaled_lens(&heads));
        let plan = lens.fold(plan, Plan::cache).batch_cache(heads.score_weights_len());
        Ok(plan.cache(heads.dropout_len()).cache(heads.scratch_len()))
    }

    /// The learned scale of the operands, and the rest of the parameters: the weights of additive scores.
    fn split_params<'p, F: Float>(&self, params: &'p [F]) -> (F, &'p [F]) {
        match params.split_first() {
            Some((&scale, rest)) if self.scaled()[0] => (scale, rest),
            _ => (F::one(), params),
        }
    }

    pub(super) fn forward<F: Float>(&self, inputs: MergeInputs<'_>, pass: Forward<'_, F>) {
        let Ok(Geometry { heads, parts }) = self.geometry(inputs) else { return };
        let Forward { x, mut y, params, cache, mode, mask, .. } = pass;
        let (Some(elements), Some(y)) = (x.as_slice(), y.as_slice_mut()) else { return };
        let Buffers { kept, scratch, .. } = Buffers::split(self, &heads, x.nrows(), cache);
        let (scale, weights) = self.split_params(params);
        match weights {
            [] => kept.score_weights.fill(F::one()),
            [weight] => kept.score_weights.fill(*weight),
            weights => kept.score_weights.copy_from_slice(weights),
        }
        for (part, copy) in parts.iter().zip([&mut *kept.queries, &mut *kept.keys]) {
            let rows = copy.chunks_exact_mut(part.columns.len().max(1));
            for (copy, row) in rows.zip(elements.chunks_exact(x.ncols().max(1))) {
                copy.iter_mut().zip(&row[part.columns.clone()]).for_each(|(copy, &x)| *copy = scale * x);
            }
        }
        heads.draw_dropout(self.dropout, mode, kept.dropout);
        let batch = self.batch(&parts, inputs, elements, &kept);
        heads.forward(batch, scratch, &validity(mask, &parts), y);
    }

    /// The operands of a batch: those of the inputs, or their scaled copies.
    fn batch<'a, F>(
        &self,
        parts: &[Part; 3],
        inputs: MergeInputs<'_>,
        elements: &'a [F],
        kept: &'a Kept<'_, F>,
    ) -> Batch<'a, F> {
        let [query, key, value] = parts;
        let input = |part: &Part| Samples { elements, stride: inputs.total_len(), start: part.columns.start };
        let operand = |part: &Part, is_scaled: bool, copy: &'a [F]| {
            if is_scaled { Samples::contiguous(copy, part.columns.len()) } else { input(part) }
        };
        let [queries_scaled, keys_scaled] = self.scaled();
        Batch {
            queries: operand(query, queries_scaled, kept.queries),
            keys: operand(key, keys_scaled, kept.keys),
            values: input(value),
            score_weights: kept.score_weights,
            dropout: kept.dropout,
        }
    }

    pub(super) fn backward<F: Float>(&self, inputs: MergeInputs<'_>, pass: Backward<'_, F>) {
        let Ok(Geometry { heads, parts }) = self.geometry(inputs) else { return };
        let Backward { x, dy, mut dx, dx_needed, params, grads, cache, mask, .. } = pass;
        let (Some(elements), Some(dy)) = (x.as_slice(), dy.as_slice()) else { return };
        if !dx_needed && params.is_empty() {
            return;
        }
        let Buffers { kept, mut gradients, scratch } = Buffers::split(self, &heads, x.nrows(), cache);
        let batch = self.batch(&parts, inputs, elements, &kept);
        heads.backward(batch, scratch, &validity(mask, &parts), dy, gradients.reborrow());
        self.add_param_gradients(&parts, x, &gradients, grads);
        if let Some(dx) = dx.as_slice_mut().filter(|_| dx_needed) {
            let scale = self.split_params(params).0;
            self.write_input_gradients(&parts, inputs, scale, &gradients, dx);
        }
    }

    /// Adds the gradients of the parameters, from those of the operands and of the weights of additive scores.
    fn add_param_gradients<F: Float>(
        &self,
        parts: &[Part; 3],
        x: ArrayView2<'_, F>,
        gradients: &Gradients<'_, F>,
        grads: &mut [F],
    ) {
        let (d_scale, d_weights) = grads.split_at_mut(usize::from(self.scaled()[0]));
        let scaled = parts.iter().zip([&*gradients.queries, &*gradients.keys]).zip(self.scaled());
        for ((part, d_operand), _) in scaled.filter(|(_, is_scaled)| *is_scaled) {
            // operand = scale · input  =>  dscale += Σ input ⊙ doperand
            let len = part.columns.len();
            for (row, d_operand) in x.rows().into_iter().zip(d_operand.chunks_exact(len.max(1))) {
                let input = row.slice(s![part.columns.clone()]).insert_axis(Axis(0));
                let d_operand = matrix(d_operand, len, 1);
                gemm(F::one(), input, d_operand, F::one(), matrix_mut(d_scale, 1, 1));
            }
        }
        // The weights of the scores are copies of one parameter, or a parameter each.
        if !d_weights.is_empty() {
            let (rows, width) = (gradients.score_weights.len() / d_weights.len(), d_weights.len());
            add_rows(matrix(gradients.score_weights, rows, width), d_weights);
        }
    }

    /// Writes the gradients of the inputs, from those of queries, keys and values.
    fn write_input_gradients<F: Float>(
        &self,
        parts: &[Part; 3],
        inputs: MergeInputs<'_>,
        scale: F,
        gradients: &Gradients<'_, F>,
        dx: &mut [F],
    ) {
        let [queries_scaled, keys_scaled] = self.scaled();
        let scale_of = |is_scaled: bool| if is_scaled { scale } else { F::one() };
        let factors = [scale_of(queries_scaled), scale_of(keys_scaled), F::one()];
        let gradients = [&*gradients.queries, &*gradients.keys, &*gradients.values];
        for (sample, dx) in dx.chunks_exact_mut(inputs.total_len().max(1)).enumerate() {
            for (role, ((part, gradient), &factor)) in parts.iter().zip(gradients).zip(&factors).enumerate() {
                let len = part.columns.len();
                let slots = dx[part.columns.clone()].iter_mut().zip(&gradient[sample * len..][..len]);
                // The roles of one input add their gradients.
                if parts[..role].iter().any(|other| other.columns == part.columns) {
                    slots.for_each(|(slot, &d)| *slot += factor * d);
                } else {
                    slots.for_each(|(slot, &d)| *slot = factor * d);
                }
            }
        }
    }
}

/// Padded values have no weight, and the output of a padded query is 0.
fn validity<'a>(mask: Option<Mask<'a>>, [query, _, value]: &[Part; 3]) -> Validity<'a> {
    let (queries, keys) = (query.positions.clone(), [value.positions.clone(), value.positions.clone()]);
    Validity { mask, queries, keys, zeroes_padding: true }
}

/// What the forward pass leaves in the cache for the backward pass.
struct Kept<'a, F> {
    /// The scaled copies of queries and keys; empty without.
    queries: &'a mut [F],
    keys: &'a mut [F],
    score_weights: &'a mut [F],
    dropout: &'a mut [F],
}

/// The parts of the cache of a batch.
struct Buffers<'a, F> {
    kept: Kept<'a, F>,
    gradients: Gradients<'a, F>,
    scratch: &'a mut [F],
}

impl<'a, F> Buffers<'a, F> {
    fn split(layer: &SingleHead, heads: &Heads, n: usize, cache: &'a mut [F]) -> Self {
        let mut rest = cache;
        let mut take = |len: usize| {
            let (own, others) = std::mem::take(&mut rest).split_at_mut(len);
            rest = others;
            own
        };
        let [queries, keys] = layer.scaled_lens(heads).map(|len| take(n * len));
        let score_weights = take(heads.score_weights_len());
        let kept = Kept { queries, keys, score_weights, dropout: take(n * heads.dropout_len()) };
        let gradients = Gradients {
            queries: take(n * heads.queries_len()),
            keys: take(n * heads.keys_len()),
            values: take(n * heads.values_len()),
            score_weights: take(n * heads.score_weights_len()),
        };
        Self { kept, gradients, scratch: take(n * heads.scratch_len()) }
    }
}
