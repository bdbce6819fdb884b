//! Histograms of weights, in TensorBoard's form.

use crate::float::Float;

/// The number of buckets, TensorBoard's default.
const BUCKETS: usize = 30;

/// Buckets of equal width from the least to the greatest value: left edge, right edge, count. Values that are not finite are left
/// out; equal values have one bucket of width 1 about them, as in TensorBoard.
#[allow(
    clippy::cast_possible_truncation,
    clippy::cast_precision_loss,
    clippy::cast_sign_loss,
    reason = "a bucket's number, and counts of values in memory"
)]
pub(super) fn buckets<F: Float>(values: &[F]) -> Vec<[f64; 3]> {
    let finite = || values.iter().map(|value| value.as_f64()).filter(|value| value.is_finite());
    let (least, most) = finite()
        .fold((f64::INFINITY, f64::NEG_INFINITY), |(least, most), value| (least.min(value), most.max(value)));
    if least > most {
        return Vec::new();
    }
    if least == most {
        return vec![[least - 0.5, least + 0.5, finite().count() as f64]];
    }
    // Halves, so that the width of the full range of f64 is finite.
    let width = (most / 2.0 - least / 2.0) / BUCKETS as f64 * 2.0;
    let edge = |bucket: usize| {
        let t = bucket as f64 / BUCKETS as f64;
        least * (1.0 - t) + most * t
    };
    let mut counts = [0.0; BUCKETS];
    for value in finite() {
        let bucket = ((value / 2.0 - least / 2.0) / (width / 2.0)) as usize;
        if let Some(count) = counts.get_mut(bucket.min(BUCKETS - 1)) {
            *count += 1.0;
        }
    }
    counts.into_iter().enumerate().map(|(bucket, count)| [edge(bucket), edge(bucket + 1), count]).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_finite_value_is_in_one_bucket() {
        let values: Vec<f64> = (0..=300).map(f64::from).collect();
        let found = buckets(&values);
        assert_eq!(found.len(), BUCKETS);
        assert_eq!((found[0][0], found[29][1]), (0.0, 300.0));
        assert_eq!(found.iter().map(|bucket| bucket[2]).sum::<f64>(), 301.0);
        assert!(found.windows(2).all(|pair| pair[0][1] == pair[1][0]));
        assert_eq!(buckets(&[2.0_f32, 2.0]), [[1.5, 2.5, 2.0]]);
        assert!(buckets(&[f64::NAN]).is_empty());
        let extremes = buckets(&[f64::MIN, 0.0, f64::MAX, f64::INFINITY]);
        assert!(extremes.iter().flatten().all(|value| value.is_finite()));
        assert_eq!(extremes.iter().map(|bucket| bucket[2]).sum::<f64>(), 3.0);
    }
}
