//! A flat view of points of many features.

use ndarray::{Array1, Array2, ArrayView2, Axis};

/// The plane of the largest variance: the mean of the points, and two directions.
#[derive(Debug)]
pub(super) struct Plane {
    mean: Array1<f64>,
    /// (features, 2)
    directions: Array2<f64>,
    /// Whether the points already have two features, so that no projection is needed.
    pub(super) own: bool,
}

/// Passes of the power iteration; the picture changes by less than a pixel long before.
const PASSES: usize = 100;

impl Plane {
    pub(super) fn of(points: ArrayView2<'_, f64>) -> Self {
        let features = points.ncols();
        if features == 2 {
            return Self { mean: Array1::zeros(2), directions: Array2::eye(2), own: true };
        }
        let mean = points.mean_axis(Axis(0)).unwrap_or_else(|| Array1::zeros(features));
        let centred = &points - &mean;
        let mut directions = Array2::<f64>::zeros((features, 2));
        for column in 0..2 {
            // Any start will do that is not at right angles to what is looked for.
            let mut direction =
                Array1::from_shape_fn(features, |i| 1.0 + ((i * 7 + column * 3) % 11) as f64 / 11.0);
            for _ in 0..PASSES {
                for earlier in 0..column {
                    let earlier = directions.column(earlier).to_owned();
                    let along = direction.dot(&earlier);
                    direction = direction - &earlier * along;
                }
                let next = centred.t().dot(&centred.dot(&direction));
                let norm = next.dot(&next).sqrt();
                if !(norm > 0.0 && norm.is_finite()) {
                    break;
                }
                direction = next / norm;
            }
            let norm = direction.dot(&direction).sqrt();
            directions.column_mut(column).assign(&(direction / norm));
        }
        Self { mean, directions, own: false }
    }

    /// The points' two coordinates in the plane.
    pub(super) fn project(&self, points: ArrayView2<'_, f64>) -> Array2<f64> {
        (&points - &self.mean).dot(&self.directions)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_plane_of_the_largest_variance_is_found() {
        // Long along (1, 1, 0), half as long along (0, 0, 1), flat along (1, -1, 0).
        let points = Array2::from_shape_fn((60, 3), |(row, feature)| {
            let (a, b) = ((row as f64 * 0.7).sin() * 8.0, (row as f64 * 1.9).cos() * 2.0);
            [a, a, b][feature] + 5.0
        });
        let plane = Plane::of(points.view());
        let first = plane.directions.column(0);
        assert!((first[0].abs() - 0.5_f64.sqrt()).abs() < 1e-2 && (first[0] - first[1]).abs() < 1e-6);
        assert!(plane.directions.column(1)[2].abs() > 0.99);
        let flat = plane.project(points.view());
        assert!(flat.mean_axis(Axis(0)).unwrap().iter().all(|mean| mean.abs() < 1e-9));
    }
}
