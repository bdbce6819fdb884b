//! Passes that take each row of a batch by itself: in parts that threads share, where a batch is large.
//!
//! The parts depend on the layer and the batch alone, never on the threads, so that what a layer leaves in its cache
//! for the way back lies where it will look for it.

use crate::activation::Activation;
use crate::float::Float;
use crate::nn::layer::{Backward, Forward, Mode};
use crate::nn::layout::Node;
use crate::parallel;
use ndarray::{ArrayViewMut2, Axis};

/// The parts of a batch.
const PARTS: usize = 8;

/// Multiply-adds from which a pass is made in parts.
const WORTH: usize = 1 << 22;

/// What it costs to move so many rows of `numbers`.
fn operations(rows: usize, numbers: usize) -> usize {
    rows.saturating_mul(numbers).saturating_mul(parallel::MOVE)
}

/// The rows of a part, where a pass over so many rows of `numbers` is made in parts.
fn rows_of_part(rows: usize, numbers: usize) -> Option<usize> {
    (rows > 1 && operations(rows, numbers) >= WORTH).then(|| rows.div_ceil(PARTS))
}

/// As [`rows_of_part`], for a layer: one without numbers of its own, whose rows have nothing to do with each other, and
/// which asks for no mask of the whole batch.
fn rows_for<F>(node: &Node<F>, batch: usize) -> Option<usize> {
    let plan = &node.plan;
    let alone = plan.rows_independent()
        && node.params.is_empty()
        && node.state.is_empty()
        && plan.nested_layers().is_empty()
        && !plan.declares_using_mask()
        && plan.cache_len(0) == 0;
    rows_of_part(batch, node.input_len().saturating_add(node.output_len())).filter(|_| alone)
}

/// The forward pass of a layer.
pub(super) fn forward<'a, F: Float>(node: &'a Node<F>, pass: Forward<'a, F>) {
    let batch = pass.x.nrows();
    let Some(rows) = rows_for(node, batch) else {
        return node.layer.forward(pass.planned(&node.plan));
    };
    let (numbers, noise) = (node.input_len() + node.output_len(), noise(&pass.mode));
    let (mut x, mut y, mut cache) = (pass.x, pass.y, pass.cache);
    let mut begin = 0;
    let mut parts: [_; PARTS] = std::array::from_fn(|_| {
        let rows = rows.min(x.nrows());
        let (own_x, other_x) = x.split_at(Axis(0), rows);
        let (own_y, other_y) = take(&mut y).split_at(Axis(0), rows);
        let (own_cache, other_cache) = std::mem::take(&mut cache).split_at_mut(node.plan.cache_len(rows));
        (x, y, cache) = (other_x, other_y, other_cache);
        let mode = match noise {
            Some(noise) => Mode::Train { rng: noise.offset(begin), state: &mut [] },
            None => Mode::Infer { state: &[] },
        };
        begin += rows;
        (rows > 0).then(|| Forward::new(own_x, own_y, &[], own_cache, mode))
    });
    parallel::share(operations(batch, numbers), &mut parts, &|part| {
        if let Some(pass) = part.take() {
            node.layer.forward(pass.planned(&node.plan));
        }
    });
}

/// The backward pass of a layer.
pub(super) fn backward<'a, F: Float>(node: &'a Node<F>, pass: Backward<'a, F>) {
    let batch = pass.x.nrows();
    let Some(rows) = rows_for(node, batch) else {
        return node.layer.backward(pass.planned(&node.plan));
    };
    let numbers = node.input_len() + node.output_len();
    let (dx_needed, grads_needed) = (pass.dx_needed, pass.grads_needed);
    let Backward { mut x, mut y, mut dy, mut dx, mut cache, .. } = pass;
    let mut parts: [_; PARTS] = std::array::from_fn(|_| {
        let rows = rows.min(x.nrows());
        let (own_x, other_x) = x.split_at(Axis(0), rows);
        let (own_y, other_y) = y.split_at(Axis(0), rows);
        let (own_dy, other_dy) = take(&mut dy).split_at(Axis(0), rows);
        let (own_dx, other_dx) = take(&mut dx).split_at(Axis(0), rows);
        let (own_cache, other_cache) = std::mem::take(&mut cache).split_at_mut(node.plan.cache_len(rows));
        (x, y, dy, dx, cache) = (other_x, other_y, other_dy, other_dx, other_cache);
        let pass = || Backward::new(own_x, own_y, own_dy, own_dx, &[], &mut [], own_cache);
        (rows > 0).then(pass).map(|pass| pass.dx_needed(dx_needed).grads_needed(grads_needed))
    });
    parallel::share(operations(batch, numbers), &mut parts, &|part| {
        if let Some(pass) = part.take() {
            node.layer.backward(pass.planned(&node.plan));
        }
    });
}

/// [`Activation::apply`] to the output of a layer.
pub(super) fn activate<F: Float>(node: &Node<F>, batch: usize, y: &mut [F]) {
    let (activation, width) = (node.activation(), node.plan.output_shape().last());
    let Some(rows) = rows_of_part(batch, node.output_len()).filter(|_| activation != Activation::Linear)
    else {
        return activation.apply(width, y);
    };
    let mut parts = y.chunks_mut(rows * node.output_len());
    let mut parts: [_; PARTS] = std::array::from_fn(|_| parts.next());
    parallel::share(operations(batch, node.output_len()), &mut parts, &|part| {
        if let Some(y) = part {
            activation.apply(width, y);
        }
    });
}

/// [`Activation::gradient`] of the output of a layer, where `activated`; and whether every number of it is finite.
pub(super) fn differentiate<F: Float>(
    node: &Node<F>,
    batch: usize,
    activated: bool,
    [z, y]: [&[F]; 2],
    dy: &mut [F],
) -> bool {
    let (activation, width) = (node.activation(), node.plan.output_shape().last());
    let work = |z: &[F], y: &[F], dy: &mut [F]| {
        if activated {
            activation.gradient(width, z, y, dy);
        }
        dy.iter().fold(true, |finite, v| finite & v.is_finite())
    };
    let Some(rows) = rows_of_part(batch, node.output_len()) else { return work(z, y, dy) };
    let len = rows * node.output_len();
    let (mut zs, mut ys, mut dys) = (z.chunks(len), y.chunks(len), dy.chunks_mut(len));
    let mut parts: [_; PARTS] = std::array::from_fn(|_| {
        let (y, dy) = (ys.next()?, dys.next()?);
        Some((zs.next().unwrap_or_default(), y, dy, true))
    });
    parallel::share(operations(batch, node.output_len()), &mut parts, &|part| {
        if let Some((z, y, dy, finite)) = part {
            *finite = work(z, y, dy);
        }
    });
    parts.iter().flatten().all(|part| part.3)
}

fn noise<F>(mode: &Mode<'_, F>) -> Option<crate::rng::RowRng> {
    match mode {
        Mode::Train { rng, .. } => Some(*rng),
        Mode::Infer { .. } => None,
    }
}

/// What is there, an empty matrix being left in its place.
fn take<'a, F>(matrix: &mut ArrayViewMut2<'a, F>) -> ArrayViewMut2<'a, F> {
    std::mem::replace(matrix, ArrayViewMut2::from(&mut [[]; 0] as &mut [[F; 0]; 0]))
}
