//! A comparison of two clusterings of the same rows.

/// A comparison of two labelings: whether the rows of each cluster of the first have one label in the second.
#[derive(Debug)]
pub(crate) struct ClusterMatch {
    /// The least label of each cluster, and the greatest, the latter with all bits inverted.
    labels: Vec<u64>,
}

impl ClusterMatch {
    pub(crate) fn new(n_clusters: usize) -> Self {
        Self { labels: vec![u64::MAX; 2 * n_clusters] }
    }

    /// Adds the labels of some rows.
    pub(crate) fn add(&mut self, a: &[u32], b: &[u32]) {
        let n_clusters = self.labels.len() / 2;
        let (least, greatest) = self.labels.split_at_mut(n_clusters);
        for (&a, &b) in a.iter().zip(b) {
            let (cluster, label) = (a as usize, u64::from(b));
            least[cluster] = least[cluster].min(label);
            greatest[cluster] = greatest[cluster].min(!label);
        }
    }

    /// The labels, to be reduced to the least ones of several ranks.
    pub(crate) fn labels_mut(&mut self) -> &mut [u64] {
        &mut self.labels
    }

    pub(crate) fn is_same(&self) -> bool {
        let (least, greatest) = self.labels.split_at(self.labels.len() / 2);
        least.iter().zip(greatest).all(|(least, greatest)| *least == u64::MAX || *least == !greatest)
    }
}
