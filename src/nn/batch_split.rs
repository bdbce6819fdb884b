//! Passes of a layer over a large batch, split by rows into chunks that threads share.
//!
//! The chunks depend on the layer and the batch alone, never on the threads, so that the backward pass finds each
//! chunk's cache where the forward pass left it. Noise is addressed by row and does not depend on the chunks.

use crate::activation::Activation;
use crate::float::Float;
use crate::nn::layer::{Backward, Forward, Mode};
use crate::nn::layout::PlannedLayer;
use crate::parallel;
use crate::parallel::thresholds::{MIN_OPS_TO_SPLIT_BATCH, OPS_PER_CHECK, OPS_PER_MOVE};
use crate::rng::RowRng;
use crate::validate;
use ndarray::{ArrayViewMut2, Axis};

/// Chunks of a split batch: enough for the threads of a small pool, few enough that each is worth a fork.
const CHUNKS: usize = 8;

/// Ops of a pass that reads or writes `elements` of each row.
fn pass_ops(rows: usize, elements: usize) -> usize {
    rows.saturating_mul(elements).saturating_mul(OPS_PER_MOVE)
}

/// Rows of a chunk of a pass of `ops`; `None` if it is too small to split.
fn chunk_rows(rows: usize, ops: usize) -> Option<usize> {
    (rows > 1 && ops >= MIN_OPS_TO_SPLIT_BATCH).then(|| rows.div_ceil(CHUNKS))
}

/// As [`chunk_rows`], for a layer; `None` also if the layer cannot be split: it has parameters, state, nested layers
/// or a cache for the whole batch, combines rows, or reads the mask of the whole batch.
fn layer_chunk_rows<F>(node: &PlannedLayer<F>, batch: usize) -> Option<usize> {
    let plan = &node.plan;
    let splittable = plan.rows_independent()
        && node.params.is_empty()
        && node.state.is_empty()
        && plan.nested_layers().is_empty()
        && !plan.declares_using_mask()
        && plan.cache_len(0) == 0;
    let elements = node.input_len().saturating_add(node.output_len());
    chunk_rows(batch, pass_ops(batch, elements)).filter(|_| splittable)
}

/// Runs the forward pass of a layer.
pub(super) fn forward<'a, F: Float>(node: &'a PlannedLayer<F>, pass: Forward<'a, F>) {
    let batch = pass.x.nrows();
    let Some(rows) = layer_chunk_rows(node, batch) else {
        return node.layer.forward(pass.planned(&node.plan));
    };
    let (elements, noise) = (node.input_len() + node.output_len(), noise_of(&pass.mode));
    let (mut x, mut y, mut cache, follows) = (pass.x, pass.y, pass.cache, pass.backward_follows);
    let mut first_row = 0;
    let mut chunks: [_; CHUNKS] = std::array::from_fn(|_| {
        let rows = rows.min(x.nrows());
        let (chunk_x, rest_x) = x.split_at(Axis(0), rows);
        let (chunk_y, rest_y) = take(&mut y).split_at(Axis(0), rows);
        let (chunk_cache, rest_cache) = std::mem::take(&mut cache).split_at_mut(node.plan.cache_len(rows));
        (x, y, cache) = (rest_x, rest_y, rest_cache);
        let mode = match noise {
            Some(noise) => Mode::Train { rng: noise.offset(first_row), state: &mut [] },
            None => Mode::Infer { state: &[] },
        };
        first_row += rows;
        (rows > 0).then(|| Forward::new(chunk_x, chunk_y, &[], chunk_cache, mode).before_backward(follows))
    });
    parallel::for_each_split(pass_ops(batch, elements), &mut chunks, &|chunk| {
        if let Some(pass) = chunk.take() {
            node.layer.forward(pass.planned(&node.plan));
        }
    });
}

/// Runs the backward pass of a layer.
pub(super) fn backward<'a, F: Float>(node: &'a PlannedLayer<F>, pass: Backward<'a, F>) {
    let batch = pass.x.nrows();
    let Some(rows) = layer_chunk_rows(node, batch) else {
        return node.layer.backward(pass.planned(&node.plan));
    };
    let elements = node.input_len() + node.output_len();
    let (dx_needed, grads_needed) = (pass.dx_needed, pass.grads_needed);
    let Backward { mut x, mut y, mut dy, mut dx, mut cache, .. } = pass;
    let mut chunks: [_; CHUNKS] = std::array::from_fn(|_| {
        let rows = rows.min(x.nrows());
        let (chunk_x, rest_x) = x.split_at(Axis(0), rows);
        let (chunk_y, rest_y) = y.split_at(Axis(0), rows);
        let (chunk_dy, rest_dy) = take(&mut dy).split_at(Axis(0), rows);
        let (chunk_dx, rest_dx) = take(&mut dx).split_at(Axis(0), rows);
        let (chunk_cache, rest_cache) = std::mem::take(&mut cache).split_at_mut(node.plan.cache_len(rows));
        (x, y, dy, dx, cache) = (rest_x, rest_y, rest_dy, rest_dx, rest_cache);
        let pass = || Backward::new(chunk_x, chunk_y, chunk_dy, chunk_dx, &[], &mut [], chunk_cache);
        (rows > 0).then(pass).map(|pass| pass.dx_needed(dx_needed).grads_needed(grads_needed))
    });
    parallel::for_each_split(pass_ops(batch, elements), &mut chunks, &|chunk| {
        if let Some(pass) = chunk.take() {
            node.layer.backward(pass.planned(&node.plan));
        }
    });
}

/// Applies the activation of a layer to its output, in place.
pub(super) fn activate<F: Float>(node: &PlannedLayer<F>, batch: usize, y: &mut [F]) {
    let (activation, width) = (node.activation(), node.plan.output_shape().last());
    let ops = pass_ops(batch, node.output_len());
    let Some(rows) = chunk_rows(batch, ops).filter(|_| activation != Activation::Linear) else {
        return activation.apply(width, y);
    };
    let mut chunks = y.chunks_mut(rows * node.output_len());
    let mut chunks: [_; CHUNKS] = std::array::from_fn(|_| chunks.next());
    parallel::for_each_split(ops, &mut chunks, &|chunk| {
        if let Some(y) = chunk {
            activation.apply(width, y);
        }
    });
}

/// Multiplies `dy` by the derivative of the layer's activation, if the activation was applied. Returns whether all of
/// `dy` is finite.
pub(super) fn differentiate<F: Float>(
    node: &PlannedLayer<F>,
    batch: usize,
    activated: bool,
    [z, y]: [&[F]; 2],
    dy: &mut [F],
) -> bool {
    let (activation, width) = (node.activation(), node.plan.output_shape().last());
    let differentiate_chunk = |z: &[F], y: &[F], dy: &mut [F]| {
        if activated {
            activation.gradient(width, z, y, dy);
        }
        validate::all_finite(dy)
    };
    let ops = if activated && activation != Activation::Linear {
        pass_ops(batch, node.output_len())
    } else {
        dy.len().saturating_mul(OPS_PER_CHECK)
    };
    let Some(rows) = chunk_rows(batch, ops) else { return differentiate_chunk(z, y, dy) };
    let len = rows * node.output_len();
    let (mut zs, mut ys, mut dys) = (z.chunks(len), y.chunks(len), dy.chunks_mut(len));
    let mut chunks: [_; CHUNKS] = std::array::from_fn(|_| {
        let (y, dy) = (ys.next()?, dys.next()?);
        Some((zs.next().unwrap_or_default(), y, dy, true))
    });
    parallel::for_each_split(ops, &mut chunks, &|chunk| {
        if let Some((z, y, dy, finite)) = chunk {
            *finite = differentiate_chunk(z, y, dy);
        }
    });
    chunks.iter().flatten().all(|chunk| chunk.3)
}

/// The generator of a training pass.
fn noise_of<F>(mode: &Mode<'_, F>) -> Option<RowRng> {
    match mode {
        Mode::Train { rng, .. } => Some(*rng),
        Mode::Infer { .. } => None,
    }
}

/// Moves a view out and leaves an empty one in its place.
fn take<'a, F>(matrix: &mut ArrayViewMut2<'a, F>) -> ArrayViewMut2<'a, F> {
    std::mem::replace(matrix, ArrayViewMut2::from(&mut [[]; 0] as &mut [[F; 0]; 0]))
}
