//! Points, their clusters by k-means, and the cluster of every pixel of the plane.

use axonal::ndarray::Array2;
use axonal::prelude::*;

/// Points in the unit square and the clustering fitted to them.
#[derive(Debug, Default)]
pub struct Clusters {
    points: Vec<[f32; 2]>,
    fitted: Option<KMeans<f32>>,
}

impl Clusters {
    /// Removes all points.
    pub fn clear(&mut self) {
        *self = Self::default();
    }

    /// Adds a point; the clustering is that of the points before until [`fit`](Self::fit).
    pub fn add(&mut self, point: [f32; 2]) {
        self.points.push(point);
    }

    /// The number of points.
    #[must_use]
    pub fn len(&self) -> usize {
        self.points.len()
    }

    /// Whether there are no points.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.points.is_empty()
    }

    /// Clusters the points, from the best of ten starts.
    ///
    /// # Errors
    /// That of `KMeans::fit` for fewer points than clusters or a coordinate that is not finite.
    pub fn fit(&mut self, n_clusters: usize) -> Result<()> {
        self.fitted = None;
        let mut kmeans = KMeans::new(n_clusters).n_init(10).seed(42);
        kmeans
            .fit(&Array2::from_shape_fn((self.points.len(), 2), |(point, axis)| self.points[point][axis]))?;
        self.fitted = Some(kmeans);
        Ok(())
    }

    /// The clustering, after [`fit`](Self::fit).
    #[must_use]
    pub fn fitted(&self) -> Option<&KMeans<f32>> {
        self.fitted.as_ref()
    }

    /// The cluster of each pixel of an image of the unit square, row by row; empty before [`fit`](Self::fit).
    ///
    /// # Errors
    /// That of `KMeans::predict`; none is expected.
    pub fn map(&self, side: usize) -> Result<Vec<usize>> {
        let Some(kmeans) = &self.fitted else { return Ok(Vec::new()) };
        let pixels = Array2::from_shape_fn((side * side, 2), |(pixel, axis)| {
            let index = if axis == 0 { pixel % side } else { pixel / side };
            (index as f32 + 0.5) / side as f32
        });
        Ok(kmeans.predict(&pixels)?.into_iter().collect())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn three_groups_are_three_clusters_and_the_map_is_voronois() {
        let groups = [[0.2, 0.25], [0.75, 0.3], [0.5, 0.8]];
        let mut clusters = Clusters::default();
        for [x, y] in groups {
            for (dx, dy) in [(0.05, 0.0), (-0.05, 0.0), (0.0, 0.05), (0.0, -0.05)] {
                clusters.add([x + dx, y + dy]);
            }
        }
        assert!(clusters.map(4).unwrap().is_empty() && clusters.fitted().is_none());
        clusters.fit(3).unwrap();
        let centers = clusters.fitted().unwrap().cluster_centers().unwrap().clone();
        for [x, y] in groups {
            let distance = |center: usize| (centers[[center, 0]] - x).hypot(centers[[center, 1]] - y);
            assert!((0..3).any(|center| distance(center) < 1e-6), "no center at {x}, {y}: {centers}");
        }
        let map = clusters.map(40).unwrap();
        for (pixel, &cluster) in map.iter().enumerate() {
            let (x, y) = ((pixel % 40) as f32 / 40.0 + 0.0125, (pixel / 40) as f32 / 40.0 + 0.0125);
            let distance = |center: usize| (centers[[center, 0]] - x).hypot(centers[[center, 1]] - y);
            assert!((0..3).all(|other| distance(cluster) <= distance(other) + 1e-6), "pixel {pixel}");
        }
    }

    #[test]
    fn too_few_points_are_an_error_and_leave_no_clustering() {
        let mut clusters = Clusters::default();
        clusters.add([0.5, 0.5]);
        assert!(clusters.fit(1).is_ok() && clusters.fit(2).is_err() && clusters.fitted().is_none());
        clusters.clear();
        assert!(clusters.is_empty());
    }
}
