//! Scaling rows to unit length, for spherical k-means.

use crate::float::Float;

/// Scales every row to length 1; a row of zeros, which has no direction, stays as it is.
pub(crate) fn normalize<F: Float>(rows: &mut [F], n_features: usize) {
    for row in rows.chunks_exact_mut(n_features) {
        // Divided by the largest value first: squares of small values underflow, even in `f64`.
        let largest = row.iter().fold(0.0, |largest: f64, x| largest.max(x.as_f64().abs()));
        if largest > 0.0 {
            let norm = row.iter().map(|x| (x.as_f64() / largest).powi(2)).sum::<f64>().sqrt();
            row.iter_mut().for_each(|x| *x = F::of(x.as_f64() / largest / norm));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_of_any_length_get_length_1() {
        let mut rows = [3e-170, 4e-170, 0.0, 0.0, -6e150, 8e150];
        normalize(&mut rows, 2);
        let near = |(got, want): (&f64, &f64)| (got - want).abs() < 1e-15;
        assert!(rows.iter().zip(&[0.6, 0.8, 0.0, 0.0, -0.6, 0.8]).all(near), "{rows:?}");
    }
}
