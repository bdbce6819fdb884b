//! Multi-head attention, and its form with fewer heads of keys and values.

use super::batch::{Batch, Gradients, Samples};
use super::heads::Heads;
use super::projection::{Part, project, project_backward};
use super::scores::Scores;
use super::validity::Validity;
use crate::error::{Error, Result};
use crate::float::Float;
use crate::initializer::Initializer;
use crate::nn::layer::{Backward, Config, Forward, Layer, Mask, MergeInputs, Plan, Shape};
use crate::nn::layers::defaults::{glorot_uniform, yes, zeros};
use crate::nn::layers::positive::require_positive;
use crate::nn::layers::regularization::check_rate;
use crate::nn::node::Merge;
use serde::{Deserialize, Serialize};

/// Multi-head attention: each position of a sequence reads from all positions, weighted by the similarity of queries and keys.
///
/// As a layer of a chain or applied by [`then`](crate::models::Node::then) it is self-attention: queries, keys and values are
/// computed from one sequence. In a graph, [`of`](crate::custom::Merge::of)`([&query, &value])` or `([&query, &value, &key])`
/// attends from one sequence to another.
///
/// `softmax(Q Kᵀ / √key_dim) V` for each head; the heads' outputs are joined and projected to the output.
///
/// # Shapes
/// (steps, features) becomes (steps, features) of the query, or (steps, `output_dim`). The value and the key may have other numbers
/// of steps and features than the query.
///
/// # Parameters
/// `query/kernel`: (features, heads, key_dim), `key/kernel` alike, `value/kernel`: (features, heads, value_dim),
/// `attention_output/kernel`: (heads, value_dim, output_dim), each with a `bias` unless `use_bias` is false.
///
/// | option | default |
/// |---|---|
/// | `num_heads`, `key_dim` | required |
/// | `value_dim` | `key_dim` |
/// | `output_dim` | the features of the query |
/// | `dropout` | 0: of the attention weights, in training |
/// | `use_bias` | true |
/// | `causal` | false: a position reads from later ones, too |
/// | `kernel_initializer`, `bias_initializer` | Glorot uniform, zeros |
///
/// # Masks
/// Uses padding masks: padded keys get no weight. The output has the mask of the query.
///
/// # Errors
/// In `compile`: a size of 0; a dropout rate outside [0, 1); inputs other than (steps, features); keys and values of different
/// numbers of steps; a number of inputs other than 2 or 3.
///
/// # Examples
/// ```
/// use axonal::prelude::*;
///
/// # fn main() -> Result<()> {
/// let model: Model<f32> = Sequential::new([10, 16])
///     .add(MultiHeadAttention::new(4, 8).causal(true))
///     .compile(Adam::new(0.01), MeanSquaredError::new())?;
/// assert_eq!(model.output_shape().dims(), [10, 16]);
/// assert_eq!(model.count_params(), 3 * (16 * 32 + 32) + 32 * 16 + 16);
/// # Ok(())
/// # }
/// ```
///
/// # References
/// Vaswani et al. 2017, arXiv:1706.03762.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct MultiHeadAttention {
    num_heads: usize,
    key_dim: usize,
    #[serde(default)]
    value_dim: Option<usize>,
    #[serde(default)]
    output_dim: Option<usize>,
    #[serde(default)]
    dropout: f64,
    #[serde(default = "yes")]
    use_bias: bool,
    #[serde(default)]
    causal: bool,
    #[serde(default = "glorot_uniform")]
    kernel_initializer: Initializer,
    #[serde(default = "zeros")]
    bias_initializer: Initializer,
}

/// Attention in which groups of query heads share one head of keys and values.
///
/// With as many key-value heads as query heads it is [`MultiHeadAttention`], with one it is multi-query attention.
///
/// # Shapes
/// As [`MultiHeadAttention`], with `head_dim` as the size of queries, keys and values.
///
/// # Parameters
/// `query/kernel`: (features, num_query_heads, head_dim), `key/kernel` and `value/kernel`: (features, num_key_value_heads,
/// head_dim), `attention_output/kernel`: (num_query_heads, head_dim, features), each with a `bias` unless `use_bias` is false.
/// `dropout`, `use_bias`, `causal` and the initializers as in [`MultiHeadAttention`].
///
/// # Errors
/// In `compile`: as [`MultiHeadAttention`]; a number of query heads that is no multiple of that of the key-value heads.
///
/// # Examples
/// ```
/// use axonal::layers::GroupQueryAttention;
/// use axonal::prelude::*;
///
/// # fn main() -> Result<()> {
/// let model: Model<f32> = Sequential::new([10, 16])
///     .add(GroupQueryAttention::new(8, 4, 2))
///     .compile(Adam::new(0.01), MeanSquaredError::new())?;
/// assert_eq!(model.weights()[2].value.shape(), [16, 2, 8]);
/// # Ok(())
/// # }
/// ```
///
/// # References
/// Ainslie et al. 2023, arXiv:2305.13245.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct GroupQueryAttention {
    head_dim: usize,
    num_query_heads: usize,
    num_key_value_heads: usize,
    #[serde(default)]
    dropout: f64,
    #[serde(default = "yes")]
    use_bias: bool,
    #[serde(default)]
    causal: bool,
    #[serde(default = "glorot_uniform")]
    kernel_initializer: Initializer,
    #[serde(default = "zeros")]
    bias_initializer: Initializer,
}

macro_rules! attention_setters {
    () => {
        /// Sets the fraction of attention weights to drop in training, 0 ≤ rate < 1.
        #[must_use]
        pub fn dropout(mut self, rate: f64) -> Self {
            self.dropout = rate;
            self
        }

        /// Sets whether the projections have biases.
        #[must_use]
        pub fn use_bias(mut self, use_bias: bool) -> Self {
            self.use_bias = use_bias;
            self
        }

        /// Sets whether a position reads only from itself and earlier positions (Keras's `use_causal_mask`).
        #[must_use]
        pub fn causal(mut self, causal: bool) -> Self {
            self.causal = causal;
            self
        }

        /// Sets the initializer of the kernels.
        #[must_use]
        pub fn kernel_initializer(mut self, initializer: Initializer) -> Self {
            self.kernel_initializer = initializer;
            self
        }

        /// Sets the initializer of the biases.
        #[must_use]
        pub fn bias_initializer(mut self, initializer: Initializer) -> Self {
            self.bias_initializer = initializer;
            self
        }
    };
}

impl MultiHeadAttention {
    /// Creates a layer of `num_heads` heads with queries and keys of `key_dim` values.
    #[must_use]
    pub fn new(num_heads: usize, key_dim: usize) -> Self {
        Self {
            num_heads,
            key_dim,
            value_dim: None,
            output_dim: None,
            dropout: 0.0,
            use_bias: true,
            causal: false,
            kernel_initializer: glorot_uniform(),
            bias_initializer: zeros(),
        }
    }

    /// Sets the size of a head's values.
    #[must_use]
    pub fn value_dim(mut self, value_dim: usize) -> Self {
        self.value_dim = Some(value_dim);
        self
    }

    /// Sets the number of output features (Keras's `output_shape`).
    #[must_use]
    pub fn output_dim(mut self, output_dim: usize) -> Self {
        self.output_dim = Some(output_dim);
        self
    }

    attention_setters!();

    fn options(&self) -> Options<'_> {
        Options {
            kind: "multi_head_attention",
            n_heads: self.num_heads,
            n_kv_heads: self.num_heads,
            key_dim: self.key_dim,
            value_dim: self.value_dim.unwrap_or(self.key_dim),
            output_dim: self.output_dim,
            dropout: self.dropout,
            use_bias: self.use_bias,
            causal: self.causal,
            initializers: [&self.kernel_initializer, &self.bias_initializer],
        }
    }
}

impl GroupQueryAttention {
    /// Creates a layer of `num_query_heads` heads of queries and `num_key_value_heads` heads of keys and values, each of
    /// `head_dim` values.
    #[must_use]
    pub fn new(head_dim: usize, num_query_heads: usize, num_key_value_heads: usize) -> Self {
        Self {
            head_dim,
            num_query_heads,
            num_key_value_heads,
            dropout: 0.0,
            use_bias: true,
            causal: false,
            kernel_initializer: glorot_uniform(),
            bias_initializer: zeros(),
        }
    }

    attention_setters!();

    fn options(&self) -> Options<'_> {
        Options {
            kind: "group_query_attention",
            n_heads: self.num_query_heads,
            n_kv_heads: self.num_key_value_heads,
            key_dim: self.head_dim,
            value_dim: self.head_dim,
            output_dim: None,
            dropout: self.dropout,
            use_bias: self.use_bias,
            causal: self.causal,
            initializers: [&self.kernel_initializer, &self.bias_initializer],
        }
    }
}

/// The options of both layers.
#[derive(Debug, Clone, Copy)]
struct Options<'a> {
    kind: &'static str,
    n_heads: usize,
    n_kv_heads: usize,
    key_dim: usize,
    value_dim: usize,
    output_dim: Option<usize>,
    dropout: f64,
    use_bias: bool,
    causal: bool,
    /// Of kernels and of biases.
    initializers: [&'a Initializer; 2],
}

/// The sizes of one attention: its heads, the features of its inputs, and where the inputs stand in a row.
struct Geometry {
    heads: Heads,
    /// Query, key and value.
    parts: [Part; 3],
    output_dim: usize,
}

/// The parameters of one projection.
#[derive(Clone, Copy)]
struct Weights<'a, F> {
    kernel: &'a [F],
    bias: Option<&'a [F]>,
}

impl Options<'_> {
    /// The sizes for these inputs: one for self-attention; query and value; or query, value and key.
    fn geometry(&self, shapes: &[Shape]) -> Result<Geometry> {
        let Self { kind, n_heads, n_kv_heads, key_dim, value_dim, .. } = *self;
        let sizes = [
            ("num_heads", n_heads),
            ("num_kv_heads", n_kv_heads),
            ("key_dim", key_dim),
            ("value_dim", value_dim),
        ];
        require_positive(kind, &sizes)?;
        if let Some(output_dim) = self.output_dim {
            require_positive(kind, &[("output_dim", output_dim)])?;
        }
        check_rate(kind, "dropout", self.dropout)?;
        if !n_heads.is_multiple_of(n_kv_heads) {
            let expected = format!("a divisor of {n_heads}, the number of query heads");
            return Err(Error::invalid_parameter(kind, "num_key_value_heads", n_kv_heads, expected));
        }
        let inputs = MergeInputs::new(shapes);
        if let Some(other) = shapes.iter().find(|shape| shape.rank() != 2) {
            return Err(Error::shape(kind, "samples (steps, features)", other));
        }
        let roles = match shapes.len() {
            1 => [0, 0, 0],
            2 => [0, 1, 1],
            3 => [0, 2, 1],
            n => return Err(Error::shape(kind, "2 or 3 inputs: query, value and key", n)),
        };
        let part = |index: usize| {
            let dims = shapes[index].dims();
            Part {
                columns: inputs.columns(index),
                positions: inputs.positions(index),
                steps: dims[0],
                features: dims[1],
            }
        };
        let parts = roles.map(part);
        if parts[1].steps != parts[2].steps {
            return Err(Error::shape(kind, "keys and values of one number of steps", inputs.to_string()));
        }
        let output_dim = self.output_dim.unwrap_or(parts[0].features);
        let heads = Heads {
            queries: parts[0].steps,
            keys: parts[1].steps,
            n_heads,
            n_kv_heads,
            key_dim,
            value_dim,
            scores: Scores::Dot { scale: 1.0 / (key_dim as f64).sqrt() },
            causal: self.causal,
            has_dropout: self.dropout > 0.0,
        };
        Ok(Geometry { heads, parts, output_dim })
    }

    fn plan(&self, shapes: &[Shape]) -> Result<Plan> {
        let Geometry { heads, parts, output_dim } = self.geometry(shapes)?;
        let [kernel_initializer, bias_initializer] = self.initializers;
        let mut plan = Plan::output([heads.queries, output_dim]).passes_mask().uses_mask();
        let projections = [
            ("query", parts[0].features, self.n_heads, self.key_dim),
            ("key", parts[1].features, self.n_kv_heads, self.key_dim),
            ("value", parts[2].features, self.n_kv_heads, self.value_dim),
        ];
        for (name, features, n_heads, dim) in projections {
            plan = plan.param(format!("{name}/kernel"), [features, n_heads, dim], kernel_initializer.clone());
            if self.use_bias {
                plan = plan.param(format!("{name}/bias"), [n_heads, dim], bias_initializer.clone());
            }
        }
        let shape = [self.n_heads, self.value_dim, output_dim];
        plan = plan.param("attention_output/kernel", shape, kernel_initializer.clone());
        if self.use_bias {
            plan = plan.param("attention_output/bias", output_dim, bias_initializer.clone());
        }
        let projected = [heads.queries_len(), heads.keys_len(), heads.values_len(), heads.outputs_len()];
        let projected = projected.iter().fold(0_usize, |sum, len| sum.saturating_add(*len));
        Ok(plan.cache(projected.saturating_mul(2)).cache(heads.dropout_len()).cache(heads.scratch_len()))
    }

    /// The lengths of the kernels and biases: query, key, value, output.
    fn lens(&self, geometry: &Geometry) -> [(usize, usize); 4] {
        let Geometry { parts, output_dim, .. } = geometry;
        let widths =
            [self.n_heads * self.key_dim, self.n_kv_heads * self.key_dim, self.n_kv_heads * self.value_dim];
        let projection = |part: usize| (parts[part].features * widths[part], widths[part]);
        let output = (self.n_heads * self.value_dim * output_dim, *output_dim);
        [projection(0), projection(1), projection(2), output]
            .map(|(kernel, bias)| (kernel, if self.use_bias { bias } else { 0 }))
    }

    fn weights<'p, F>(&self, geometry: &Geometry, params: &'p [F]) -> [Weights<'p, F>; 4] {
        let mut rest = params;
        self.lens(geometry).map(|(kernel, bias)| {
            let (own, others) = rest.split_at(kernel + bias);
            rest = others;
            let (kernel, bias) = own.split_at(kernel);
            Weights { kernel, bias: self.use_bias.then_some(bias) }
        })
    }

    fn forward<F: Float>(&self, shapes: &[Shape], pass: Forward<'_, F>) {
        let Ok(geometry) = self.geometry(shapes) else { return };
        let Forward { x, mut y, params, cache, mode, mask, .. } = pass;
        let (heads, n) = (geometry.heads, x.nrows());
        let weights = self.weights(&geometry, params);
        let buffers = Buffers::split(&heads, n, cache);
        let projected = [&mut *buffers.queries, &mut *buffers.keys, &mut *buffers.values];
        for ((part, weights), out) in geometry.parts.iter().zip(&weights).zip(projected) {
            project(x, part, weights.kernel, weights.bias, out);
        }
        heads.draw_dropout(self.dropout, mode, buffers.dropout);
        let valid = validity(mask, &geometry);
        let batch = Batch {
            queries: Samples::contiguous(buffers.queries, heads.queries_len()),
            keys: Samples::contiguous(buffers.keys, heads.keys_len()),
            values: Samples::contiguous(buffers.values, heads.values_len()),
            score_weights: &[],
            dropout: buffers.dropout,
        };
        heads.forward(batch, buffers.scratch, &valid, buffers.outputs);
        let output = output_part(&geometry);
        let joined = crate::linalg::matrix(buffers.outputs, n, heads.outputs_len());
        if let Some(y) = y.as_slice_mut() {
            project(joined, &output, weights[3].kernel, weights[3].bias, y);
        }
    }

    fn backward<F: Float>(&self, shapes: &[Shape], pass: Backward<'_, F>) {
        let Ok(geometry) = self.geometry(shapes) else { return };
        let Backward { x, dy, mut dx, dx_needed, params, grads, cache, mask, .. } = pass;
        let (heads, n) = (geometry.heads, x.nrows());
        let weights = self.weights(&geometry, params);
        let buffers = Buffers::split(&heads, n, cache);
        let [d_query, d_key, d_value, d_output] = split_grads(self.lens(&geometry), grads);
        let Some(dy) = dy.as_slice() else { return };
        // y = O · W + b  =>  dO = dy · Wᵀ, dW += Oᵀ · dy, db += Σ dy
        let joined = crate::linalg::matrix(buffers.outputs, n, heads.outputs_len());
        let d_joined = crate::linalg::matrix_mut(&mut *buffers.d_outputs, n, heads.outputs_len());
        let output = output_part(&geometry);
        project_backward(joined, &output, weights[3].kernel, dy, d_output, Some((d_joined, false)));
        let valid = validity(mask, &geometry);
        let batch = Batch {
            queries: Samples::contiguous(buffers.queries, heads.queries_len()),
            keys: Samples::contiguous(buffers.keys, heads.keys_len()),
            values: Samples::contiguous(buffers.values, heads.values_len()),
            score_weights: &[],
            dropout: buffers.dropout,
        };
        let gradients = Gradients {
            queries: &mut *buffers.d_queries,
            keys: &mut *buffers.d_keys,
            values: &mut *buffers.d_values,
            score_weights: &mut [],
        };
        heads.backward(batch, buffers.scratch, &valid, buffers.d_outputs, gradients);
        let d_projected = [&*buffers.d_queries, &*buffers.d_keys, &*buffers.d_values];
        let d_weights = [d_query, d_key, d_value];
        for (role, ((d_projected, d_weights), weights)) in
            d_projected.into_iter().zip(d_weights).zip(&weights).enumerate()
        {
            let part = &geometry.parts[role];
            // Roles of one input add their gradients.
            let adds = geometry.parts[..role].iter().any(|other| other.columns == part.columns);
            let dx = dx_needed.then(|| (dx.view_mut(), adds));
            project_backward(x, part, weights.kernel, d_projected, d_weights, dx);
        }
    }
}

/// The joined outputs of the heads as the input of the last projection.
fn output_part(geometry: &Geometry) -> Part {
    let heads = &geometry.heads;
    let features = heads.n_heads * heads.value_dim;
    Part { columns: 0..heads.outputs_len(), positions: 0..heads.queries, steps: heads.queries, features }
}

fn validity<'a>(mask: Option<Mask<'a>>, geometry: &Geometry) -> Validity<'a> {
    let [query, key, value] = &geometry.parts;
    Validity {
        mask,
        queries: query.positions.clone(),
        keys: [key.positions.clone(), value.positions.clone()],
        zeroes_padding: false,
    }
}

/// The gradients of kernel and bias of each projection.
fn split_grads<F>(lens: [(usize, usize); 4], grads: &mut [F]) -> [(&mut [F], &mut [F]); 4] {
    let mut rest = grads;
    lens.map(|(kernel, bias)| {
        let (own, others) = std::mem::take(&mut rest).split_at_mut(kernel + bias);
        rest = others;
        own.split_at_mut(kernel)
    })
}

/// The parts of the cache of a batch.
struct Buffers<'a, F> {
    queries: &'a mut [F],
    keys: &'a mut [F],
    values: &'a mut [F],
    outputs: &'a mut [F],
    d_queries: &'a mut [F],
    d_keys: &'a mut [F],
    d_values: &'a mut [F],
    d_outputs: &'a mut [F],
    dropout: &'a mut [F],
    scratch: &'a mut [F],
}

impl<'a, F> Buffers<'a, F> {
    fn split(heads: &Heads, n: usize, cache: &'a mut [F]) -> Self {
        let mut rest = cache;
        let mut take = |len: usize| {
            let (own, others) = std::mem::take(&mut rest).split_at_mut(n * len);
            rest = others;
            own
        };
        let lens = [heads.queries_len(), heads.keys_len(), heads.values_len(), heads.outputs_len()];
        let [queries, keys, values, outputs] = lens.map(&mut take);
        let [d_queries, d_keys, d_values, d_outputs] = lens.map(&mut take);
        let (dropout, scratch) = (take(heads.dropout_len()), take(heads.scratch_len()));
        Self { queries, keys, values, outputs, d_queries, d_keys, d_values, d_outputs, dropout, scratch }
    }
}

macro_rules! attention_layer {
    ($layer:ident $kind:literal) => {
        impl<F: Float> Layer<F> for $layer {
            $crate::float::precompiled::into_arc!($layer: Layer<F>);

            fn kind(&self) -> &'static str {
                $kind
            }

            fn plan(&self, input: &Shape) -> Result<Plan> {
                self.options().plan(std::slice::from_ref(input))
            }

            fn forward(&self, pass: Forward<'_, F>) {
                if let Some(plan) = pass.plan {
                    self.options().forward(std::slice::from_ref(plan.input_shape()), pass);
                }
            }

            fn backward(&self, pass: Backward<'_, F>) {
                if let Some(plan) = pass.plan {
                    self.options().backward(std::slice::from_ref(plan.input_shape()), pass);
                }
            }

            fn config(&self) -> Option<Config> {
                Config::of(self)
            }
        }

        impl<F: Float> Merge<F> for $layer {
            $crate::float::precompiled::into_arc!($layer: Merge<F>);

            fn kind(&self) -> &'static str {
                $kind
            }

            fn plan(&self, inputs: MergeInputs<'_>) -> Result<Plan> {
                if inputs.len() < 2 {
                    return Err(Error::shape($kind, "2 or 3 inputs: query, value and key", inputs.len()));
                }
                self.options().plan(inputs.shapes())
            }

            fn forward(&self, inputs: MergeInputs<'_>, pass: Forward<'_, F>) {
                self.options().forward(inputs.shapes(), pass);
            }

            fn backward(&self, inputs: MergeInputs<'_>, pass: Backward<'_, F>) {
                self.options().backward(inputs.shapes(), pass);
            }

            fn mask_shape(&self, inputs: MergeInputs<'_>, masked: &[bool]) -> Option<Shape> {
                super::query_mask_shape(inputs, masked)
            }

            fn mask(&self, inputs: MergeInputs<'_>, pass: crate::nn::layer::MaskPass<'_, F>) {
                super::query_mask(inputs, pass);
            }

            fn config(&self) -> Option<Config> {
                Config::of(self)
            }
        }
    };
}

attention_layer!(MultiHeadAttention "multi_head_attention");
attention_layer!(GroupQueryAttention "group_query_attention");
