//! The tree of a bisecting k-means: growth by splits, and the descent of new rows.

use crate::cluster::kmeans::assign::packed_centers::{PackedCenters, SquaredNorms};
use crate::cluster::kmeans::fitted::FittedCenters;
use crate::cluster::kmeans::samples::{RowCopies, Samples};
use crate::error::Result;
use crate::float::Float;

/// A cluster, and the two that it was split into.
pub(super) struct Node<F> {
    /// Left and right.
    pub(super) children: Option<(usize, usize)>,
    pub(super) rows: Vec<usize>,
    /// The inertia of these rows about the center of the node.
    pub(super) inertia: f64,
    /// The leaf of the largest score is split next.
    pub(super) score: f64,
    /// The split of a leaf that was computed ahead of its turn.
    pub(super) split: Option<Result<Split<F>>>,
}

/// The two parts of a leaf, and their centers.
pub(super) struct Split<F> {
    pub(super) sides: Vec<Node<F>>,
    /// (2, features)
    pub(super) centers: Vec<F>,
}

/// The tree while clusters are split; the root is the first node.
pub(super) struct GrowingTree<F> {
    pub(super) nodes: Vec<Node<F>>,
    /// A center for each node.
    pub(super) centers: Vec<F>,
}

/// The tree of clusters. Nodes are numbered: the leaves first, from left to right; then the inner nodes in the order of their
/// splits, so that the root comes first of them.
#[derive(Debug, Clone)]
pub(super) struct Tree {
    /// Left and right child of each inner node.
    pub(super) children: Vec<[usize; 2]>,
}

impl<F: Float> GrowingTree<F> {
    /// The inertia of the leaves.
    pub(super) fn inertia(&self) -> f64 {
        self.nodes.iter().filter(|node| node.children.is_none()).map(|node| node.inertia).sum()
    }

    /// The leaf to split: the one of the largest score among those with at least two rows, ties to the leftmost.
    pub(super) fn worst_leaf(&self) -> usize {
        let score = |leaf: usize| self.nodes[leaf].score;
        let larger = |worst: usize, leaf: usize| if score(leaf) > score(worst) { leaf } else { worst };
        self.splittable_leaves().into_iter().reduce(larger).unwrap_or(0)
    }

    /// The `count` leaves of the largest scores after the worst one that are not split ahead of their turn yet.
    pub(super) fn leaves_to_split_ahead(&self, worst: usize, count: usize) -> Vec<usize> {
        if count == 0 {
            return Vec::new();
        }
        let mut leaves = self.splittable_leaves();
        leaves.retain(|&leaf| leaf != worst && self.nodes[leaf].split.is_none());
        leaves.sort_by(|&a, &b| self.nodes[b].score.total_cmp(&self.nodes[a].score));
        leaves.truncate(count);
        leaves
    }

    /// The leaves with at least two rows, from left to right.
    fn splittable_leaves(&self) -> Vec<usize> {
        let (mut leaves, mut open) = (Vec::new(), vec![0]);
        while let Some(number) = open.pop() {
            let node = &self.nodes[number];
            if let Some((left, right)) = node.children {
                open.extend([right, left]);
            } else if node.rows.len() > 1 {
                leaves.push(number);
            }
        }
        leaves
    }

    /// Adds the parts of a leaf.
    pub(super) fn grow(&mut self, leaf: usize, split: Split<F>) {
        let first = self.nodes.len();
        self.nodes[leaf].rows = Vec::new();
        self.nodes[leaf].children = Some((first, first + 1));
        self.nodes.extend(split.sides);
        self.centers.extend(split.centers);
    }

    /// Numbers the nodes. Returns the tree, the label of every row, and the centers.
    pub(super) fn finish(self, n_samples: usize, n_features: usize) -> (Tree, Vec<u32>, Vec<F>) {
        let mut labels = vec![0; n_samples];
        let (mut order, mut inner, mut open) = (Vec::new(), Vec::new(), vec![0]);
        while let Some(number) = open.pop() {
            let node = &self.nodes[number];
            if let Some((left, right)) = node.children {
                inner.push(number);
                open.extend([right, left]);
                continue;
            }
            node.rows.iter().for_each(|&row| labels[row] = order.len() as u32);
            order.push(number);
        }
        // Inner nodes in the order of their children.
        inner.sort_unstable_by_key(|&number| self.nodes[number].children);
        order.extend(&inner);
        let mut places = vec![0; order.len()];
        order.iter().enumerate().for_each(|(place, &number)| places[number] = place);
        let children = inner.iter().filter_map(|&number| self.nodes[number].children);
        let children = children.map(|(left, right)| [places[left], places[right]]).collect();
        let center = |&number: &usize| &self.centers[number * n_features..][..n_features];
        (Tree { children }, labels, order.iter().flat_map(center).copied().collect())
    }
}

/// The mean of two values.
fn midpoint<F: Float>((a, b): (&F, &F)) -> F {
    F::of(0.5 * a.as_f64() + 0.5 * b.as_f64())
}

impl Tree {
    /// Whether every node but the root is a child once, of a node that was split before it.
    pub(super) fn is_valid(&self, n_clusters: usize) -> bool {
        let mut is_child = vec![false; n_clusters + self.children.len()];
        let fits = self.children.iter().enumerate().all(|(split, children)| {
            children.iter().all(|&child| {
                let later = child < n_clusters || child > n_clusters + split;
                later && is_child.get_mut(child).is_some_and(|is_child| !std::mem::replace(is_child, true))
            })
        });
        fits && self.children.len() + 1 == n_clusters
    }

    /// The leaf that each row reaches from the root, at each split by the nearer center.
    pub(super) fn descend<F: Float>(&self, samples: &Samples<'_, F>, fitted: &FittedCenters<F>) -> Vec<u32> {
        let (n_leaves, d) = (fitted.n_clusters, samples.n_features);
        let mut labels = vec![0; samples.n_samples()];
        let root = if self.children.is_empty() { 0 } else { n_leaves };
        let mut open: Vec<(usize, Vec<usize>)> = vec![(root, (0..samples.n_samples()).collect())];
        while let Some((number, rows)) = open.pop() {
            let Some([left, right]) = number.checked_sub(n_leaves).map(|split| self.children[split]) else {
                rows.into_iter().for_each(|row| labels[row] = number as u32);
                continue;
            };
            let mut pair = PackedCenters::new(2, d);
            let centers = [fitted.center(left), fitted.center(right)].concat();
            let middle: Vec<F> = centers[..d].iter().zip(&centers[d..]).map(midpoint).collect();
            let square: f64 =
                centers.iter().zip(middle.iter().cycle()).map(|(c, m)| (*c - *m).as_f64().powi(2)).sum();
            pair.set(&centers, &middle, SquaredNorms { typical: square, largest: f64::INFINITY });
            let copies = RowCopies::of(&Samples { weights: None, ..*samples }, &rows);
            let values = copies.samples().values;
            let mut sides = vec![0; rows.len()];
            pair.assign((values, &middle), false, &mut pair.buffers(rows.len()), &mut sides);
            let side =
                |side: u32| rows.iter().zip(&sides).filter(move |(_, s)| **s == side).map(|(row, _)| *row);
            open.push((left, side(0).collect()));
            open.push((right, side(1).collect()));
        }
        labels
    }
}
