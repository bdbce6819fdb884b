//! The ranks of boxes, and the dummy vertices of connections that pass ranks.

use super::MAX_VERTICES;

/// Vertices in ranks: first the boxes, then dummy vertices, so that every connection leads from a rank to the next one.
#[derive(Debug)]
pub(super) struct Layering {
    /// The vertices of each rank, in their order.
    pub(super) ranks: Vec<Vec<usize>>,
    /// The vertices of the next rank to which each vertex is connected.
    pub(super) below: Vec<Vec<usize>>,
    /// The vertices of the rank before.
    pub(super) above: Vec<Vec<usize>>,
    /// The vertices of each connection, from one box to the other.
    pub(super) paths: Vec<Vec<usize>>,
    pub(super) n_boxes: usize,
}

impl Layering {
    /// Ranks for connections without circles; `None` if there are too many dummy vertices.
    pub(super) fn of(edges: &[(usize, usize)], n_boxes: usize) -> Option<Self> {
        let ranks = ranks(edges, n_boxes);
        let n_ranks = ranks.iter().max().map_or(0, |last| last + 1);
        let passed: usize = edges.iter().map(|&(from, to)| ranks[to] - ranks[from] - 1).sum();
        if n_boxes.saturating_add(passed).saturating_add(edges.len()) > MAX_VERTICES {
            return None;
        }
        let mut layering = Self {
            ranks: vec![Vec::new(); n_ranks],
            below: vec![Vec::new(); n_boxes + passed],
            above: vec![Vec::new(); n_boxes + passed],
            paths: Vec::with_capacity(edges.len()),
            n_boxes,
        };
        ranks.iter().enumerate().for_each(|(vertex, &rank)| layering.ranks[rank].push(vertex));
        let mut dummies = n_boxes..;
        for &(from, to) in edges {
            let mut path = vec![from];
            for (rank, dummy) in (ranks[from] + 1..ranks[to]).zip(&mut dummies) {
                layering.ranks[rank].push(dummy);
                path.push(dummy);
            }
            path.push(to);
            for pair in path.windows(2) {
                layering.below[pair[0]].push(pair[1]);
                layering.above[pair[1]].push(pair[0]);
            }
            layering.paths.push(path);
        }
        Some(layering)
    }

    pub(super) fn is_dummy(&self, vertex: usize) -> bool {
        vertex >= self.n_boxes
    }

    /// The place of each vertex in its rank.
    pub(super) fn places(&self) -> Vec<usize> {
        let mut places = vec![0; self.below.len()];
        for rank in &self.ranks {
            rank.iter().enumerate().for_each(|(place, &vertex)| places[vertex] = place);
        }
        places
    }
}

/// The rank of each box: the length of the longest path to it. A box that reads nothing is moved to its first reader.
fn ranks(edges: &[(usize, usize)], n_boxes: usize) -> Vec<usize> {
    let mut below: Vec<Vec<usize>> = vec![Vec::new(); n_boxes];
    let mut open = vec![0; n_boxes];
    for &(from, to) in edges {
        below[from].push(to);
        open[to] += 1;
    }
    let sources: Vec<usize> = (0..n_boxes).filter(|&vertex| open[vertex] == 0).collect();
    let (mut ranks, mut ready) = (vec![0; n_boxes], sources.clone());
    while let Some(vertex) = ready.pop() {
        for &next in &below[vertex] {
            ranks[next] = ranks[next].max(ranks[vertex] + 1);
            open[next] -= 1;
            if open[next] == 0 {
                ready.push(next);
            }
        }
    }
    for source in sources {
        ranks[source] = below[source].iter().map(|&next| ranks[next] - 1).min().unwrap_or(0);
    }
    ranks
}
