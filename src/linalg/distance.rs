//! Squared distances by the direct formula Σ(x − c)², which is exact where ‖x‖² − 2x·c + ‖c‖² cancels, and other sums over
//! pairs of values. They are inlined into the vectorized loops of k-means and of the silhouettes.

use crate::float::Float;

const LANES: usize = 8;

/// ‖x − c‖², summed in an order that depends on the number of features alone.
#[inline(always)]
pub(crate) fn squared_distance<F: Float>(x: &[F], center: &[F]) -> F {
    squared_distance_in_lanes::<F, LANES>(x, center)
}

/// [`squared_distance`] in `LANES` chains of additions: more of them are faster for many features, with other last digits.
#[inline(always)]
pub(crate) fn squared_distance_in_lanes<F: Float, const LANES: usize>(x: &[F], center: &[F]) -> F {
    let ((xs, x), (centers, center)) = (x.as_chunks::<LANES>(), center.as_chunks::<LANES>());
    let mut sums = [F::zero(); LANES];
    for (x, center) in xs.iter().zip(centers) {
        for lane in 0..LANES {
            let difference = x[lane] - center[lane];
            sums[lane] += difference * difference;
        }
    }
    let mut total = F::zero();
    for (x, center) in x.iter().zip(center) {
        let difference = *x - *center;
        total += difference * difference;
    }
    // One after the other: added in halves, the compiler would keep the sums in pairs, not in one register.
    sums.iter().fold(total, |total, sum| total + *sum)
}

/// Σ term(a, b) over pairs of values, in as many chains as a register of `f64` has lanes.
#[inline(always)]
pub(crate) fn sum_over<A: Copy, B: Copy>(a: &[A], b: &[B], term: impl Fn(A, B) -> f64) -> f64 {
    let ((many_a, a), (many_b, b)) = (a.as_chunks::<LANES>(), b.as_chunks::<LANES>());
    let mut sums = [0.0; LANES];
    for (a, b) in many_a.iter().zip(many_b) {
        for lane in 0..LANES {
            sums[lane] += term(a[lane], b[lane]);
        }
    }
    let rest: f64 = a.iter().zip(b).map(|(a, b)| term(*a, *b)).sum();
    sums.iter().fold(rest, |total, sum| total + *sum)
}

/// Σ term(a, (b, c)), as [`sum_over`].
#[inline(always)]
pub(crate) fn sum_over_pairs<A: Copy, B: Copy>(
    a: &[A],
    b: &[B],
    c: &[B],
    term: impl Fn(A, (B, B)) -> f64,
) -> f64 {
    let ((many_a, a), (many_b, b)) = (a.as_chunks::<LANES>(), b.as_chunks::<LANES>());
    let (many_c, c) = c.as_chunks::<LANES>();
    let mut sums = [0.0; LANES];
    for ((a, b), c) in many_a.iter().zip(many_b).zip(many_c) {
        for lane in 0..LANES {
            sums[lane] += term(a[lane], (b[lane], c[lane]));
        }
    }
    let rest: f64 = a.iter().zip(b).zip(c).map(|((a, b), c)| term(*a, (*b, *c))).sum();
    sums.iter().fold(rest, |total, sum| total + *sum)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_pair_is_summed_up_whatever_their_number() {
        for n in [0, 1, 7, 8, 9, 31] {
            let (a, b): (Vec<f32>, Vec<f64>) = (1..=n).map(|i| (i as f32, f64::from(i) + 1.0)).unzip();
            let n = f64::from(n);
            assert_eq!(sum_over(&a, &b, |a, b| f64::from(a) * b), n * (n + 1.0) * (n + 2.0) / 3.0);
        }
    }

    #[test]
    fn the_distance_is_exact_where_the_norms_cancel() {
        let x: Vec<f32> = (0..19).map(|i| 1e4 + i as f32).collect();
        let c: Vec<f32> = x.iter().map(|x| x + 1.0).collect();
        assert_eq!(squared_distance(&x, &c), 19.0);
        assert_eq!(squared_distance(&x, &x), 0.0);
        assert_eq!(squared_distance::<f64>(&[], &[]), 0.0);
    }
}
