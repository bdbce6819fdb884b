//! Where vertices lie within their ranks.
//!
//! Vertices that continue each other are aligned, so that chains and long connections are straight (as in Brandes and Köpf
//! 2002); the blocks of aligned vertices are then moved towards the ones to which they are connected.

use super::layering::Layering;

/// The distance between two boxes, a box and a passing connection, two connections.
const GAPS: [f64; 3] = [30.0, 22.0, 16.0];
/// Rounds in which blocks move; later ones change nothing that is seen.
const ROUNDS: usize = 240;
/// Passes over the distances in a round.
const PASSES: usize = 6;

/// The middle of each vertex; `size` is that of a box, `None` for a dummy vertex.
pub(super) fn positions(layering: &Layering, size: impl Fn(usize) -> Option<f64>) -> Vec<f64> {
    let block = blocks(layering);
    let distance = |a: usize, b: usize| {
        let gap = GAPS[usize::from(size(a).is_none()) + usize::from(size(b).is_none())];
        (size(a).unwrap_or(0.0) + size(b).unwrap_or(0.0)) / 2.0 + gap
    };
    // Each block is at least as far right of another one as the vertices of one rank require.
    let mut apart: Vec<(usize, usize, f64)> = Vec::new();
    for rank in &layering.ranks {
        apart
            .extend(rank.windows(2).map(|pair| (block[pair[0]], block[pair[1]], distance(pair[0], pair[1]))));
    }
    let n_blocks = block.iter().max().map_or(0, |last| last + 1);
    let mut pulls: Vec<Vec<usize>> = vec![Vec::new(); n_blocks];
    let mut mass = vec![0.0; n_blocks];
    for (vertex, below) in layering.below.iter().enumerate() {
        mass[block[vertex]] += if layering.is_dummy(vertex) { 0.1 } else { 1.0 };
        for &other in below.iter().filter(|&&other| block[other] != block[vertex]) {
            pulls[block[vertex]].push(block[other]);
            pulls[block[other]].push(block[vertex]);
        }
    }
    let mut at = vec![0.0; n_blocks];
    push_right(&mut at, &apart);
    for _ in 0..ROUNDS {
        let before = at.clone();
        for (at, pulls) in at.iter_mut().zip(&pulls).filter(|(_, pulls)| !pulls.is_empty()) {
            let mean = pulls.iter().map(|&other| before[other]).sum::<f64>() / pulls.len() as f64;
            *at += 0.5 * (mean - *at);
        }
        for _ in 0..PASSES {
            for &(left, right, distance) in &apart {
                let missing = distance - (at[right] - at[left]);
                if missing > 0.0 {
                    // The lighter block gives way.
                    let part = mass[right] / (mass[left] + mass[right]);
                    at[left] -= missing * part;
                    at[right] += missing * (1.0 - part);
                }
            }
        }
    }
    push_right(&mut at, &apart);
    snap(&mut at, &apart, &pulls);
    block.iter().map(|&block| at[block]).collect()
}

/// Aligns each block that is aligned with none with a connected one that is nearly in line, where the distances allow it.
fn snap(at: &mut [f64], apart: &[(usize, usize, f64)], pulls: &[Vec<usize>]) {
    const ALMOST: f64 = 6.0;
    let mut limits: Vec<Vec<(usize, usize, f64)>> = vec![Vec::new(); at.len()];
    for &limit in apart {
        limits[limit.0].push(limit);
        limits[limit.1].push(limit);
    }
    for block in 0..at.len() {
        let offset = |other: &usize| at[*other] - at[block];
        let nearest = pulls[block].iter().map(offset).min_by(|a, b| a.abs().total_cmp(&b.abs()));
        let Some(offset) = nearest.filter(|offset| *offset != 0.0 && offset.abs() < ALMOST) else { continue };
        let moved = at[block] + offset;
        let is_kept = |&(left, right, distance): &(usize, usize, f64)| {
            let place = |other: usize| if other == block { moved } else { at[other] };
            place(left) + distance <= place(right) + 1e-9
        };
        if limits[block].iter().all(is_kept) {
            at[block] = moved;
        }
    }
}

/// Moves blocks to the right until all distances are kept.
fn push_right(at: &mut [f64], apart: &[(usize, usize, f64)]) {
    // Left of means left of in every rank, so the longest chain of blocks bounds the passes.
    for _ in 0..=at.len() {
        let mut is_kept = true;
        for &(left, right, distance) in apart {
            if at[left] + distance > at[right] + 1e-9 {
                at[right] = at[left] + distance;
                is_kept = false;
            }
        }
        if is_kept {
            return;
        }
    }
}

/// The block of each vertex: a path of vertices that are aligned.
fn blocks(layering: &Layering) -> Vec<usize> {
    let n = layering.below.len();
    let places = layering.places();
    let next = partners(layering, &layering.below, &lengths(layering, false), &places);
    let previous = partners(layering, &layering.above, &lengths(layering, true), &places);
    let mut aligned = vec![None; n];
    for rank in &layering.ranks {
        let is_inner = |u: usize, v: usize| layering.is_dummy(u) && layering.is_dummy(v);
        let inner = rank
            .iter()
            .flat_map(|&u| layering.below[u].iter().map(move |&v| (u, v)))
            .filter(|&(u, v)| is_inner(u, v));
        let outer = rank.iter().filter_map(|&u| Some((u, next[u]?))).filter(|&(u, v)| previous[v] == Some(u));
        // Straight long connections come first; no two of the same rank cross.
        let mut kept: Vec<(usize, usize)> = Vec::new();
        for (u, v) in inner.chain(outer) {
            let crosses = |&(a, b): &(usize, usize)| {
                (places[a] < places[u]) != (places[b] < places[v]) || a == u || b == v
            };
            if !kept.iter().any(crosses) {
                kept.push((u, v));
                aligned[v] = Some(u);
            }
        }
    }
    let (mut block, mut n_blocks) = (vec![0; n], 0);
    for &vertex in layering.ranks.iter().flatten() {
        block[vertex] = match aligned[vertex] {
            Some(before) => block[before],
            None => {
                n_blocks += 1;
                n_blocks - 1
            }
        };
    }
    block
}

/// For each vertex, the number of boxes of the longest path that begins or ends at it.
fn lengths(layering: &Layering, from_above: bool) -> Vec<usize> {
    let neighbors = if from_above { &layering.above } else { &layering.below };
    let mut lengths = vec![0; layering.below.len()];
    let mut visit = |vertex: usize| {
        let longest = neighbors[vertex].iter().map(|&other| lengths[other]).max().unwrap_or(0);
        lengths[vertex] = longest + usize::from(!layering.is_dummy(vertex));
    };
    match from_above {
        true => layering.ranks.iter().flatten().for_each(|&vertex| visit(vertex)),
        false => layering.ranks.iter().rev().flatten().for_each(|&vertex| visit(vertex)),
    }
    lengths
}

/// The neighbor that continues each vertex: the one on the longest path; of several the middle one, if there is one.
fn partners(
    layering: &Layering,
    neighbors: &[Vec<usize>],
    lengths: &[usize],
    places: &[usize],
) -> Vec<Option<usize>> {
    let partner = |neighbors: &Vec<usize>| {
        // A box rather than a passing connection.
        let rating = |&vertex: &usize| (lengths[vertex], !layering.is_dummy(vertex));
        let best = neighbors.iter().map(rating).max()?;
        let mut longest: Vec<usize> =
            neighbors.iter().copied().filter(|vertex| rating(vertex) == best).collect();
        longest.sort_by_key(|&vertex| places[vertex]);
        (longest.len() % 2 == 1).then(|| longest[longest.len() / 2])
    };
    neighbors.iter().map(partner).collect()
}
