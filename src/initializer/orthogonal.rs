//! Random orthogonal matrices.
//!
//! Normal vectors are orthonormalized by block Gram-Schmidt: a block of vectors is projected off all earlier ones by two matrix
//! products, then its vectors off each other one by one, both twice, which leaves the orthogonality of a Householder QR ("twice is
//! enough", Giraud, Langou and Rozložník 2005). Almost all work is in the products: 1000 vectors of 4000 values, the recurrent
//! kernel of an LSTM of 1000 units, take a tenth of the time of one vector after the other.

use crate::float::Float;
use crate::linalg::{gemm, matrix, matrix_mut};
use crate::rng::Rng;
use crate::simd::vectorize;

/// Vectors of a block.
const BLOCK: usize = 32;

/// Partial sums of a dot product, so that the compiler vectorizes it.
const LANES: usize = 16;

/// Writes `gain` times a uniformly random orthogonal matrix. Its smaller side is made of the orthonormal vectors.
pub(super) fn fill<F: Float>(gain: f64, shape: &[usize], rng: &mut Rng, values: &mut [F]) {
    let columns = shape.last().copied().unwrap_or(1).max(1);
    let rows = values.len() / columns;
    let (count, length) = (rows.min(columns), rows.max(columns));
    let mut basis: Vec<f64> = (0..count * length).map(|_| rng.normal()).collect();
    orthonormalize(&mut basis, length);
    for (position, value) in values.iter_mut().enumerate() {
        let (row, column) = (position / columns, position % columns);
        let index = if rows >= columns { column * length + row } else { row * length + column };
        *value = F::of(gain * basis[index]);
    }
}

/// Orthonormalizes vectors of `length` values, one behind the other.
fn orthonormalize(vectors: &mut [f64], length: usize) {
    let mut projections = Vec::new();
    for first in (0..vectors.len()).step_by((BLOCK * length).max(1)) {
        let (earlier, rest) = vectors.split_at_mut(first);
        let end = (BLOCK * length).min(rest.len());
        let block = &mut rest[..end];
        let (n, n_earlier) = (block.len() / length, earlier.len() / length);
        for _ in 0..2 {
            if n_earlier > 0 {
                // block -= (block · earlierᵀ) · earlier
                projections.resize(n * n_earlier, 0.0);
                let earlier = matrix(earlier, n_earlier, length);
                let of_block = matrix_mut(&mut projections, n, n_earlier);
                gemm(1.0, matrix(block, n, length), earlier.t(), 0.0, of_block);
                let of_block = matrix(&projections, n, n_earlier);
                gemm(-1.0, of_block, earlier, 1.0, matrix_mut(block, n, length));
            }
            orthonormalize_each(block, length);
        }
    }
}

/// Orthonormalizes the vectors of a block, one after the other.
fn orthonormalize_each(block: &mut [f64], length: usize) {
    vectorize(
        #[inline(always)]
        || {
            for first in (0..block.len()).step_by(length) {
                let (earlier, rest) = block.split_at_mut(first);
                let vector = &mut rest[..length];
                for earlier in earlier.chunks_exact(length) {
                    let projection = dot(vector, earlier);
                    vector.iter_mut().zip(earlier).for_each(|(v, e)| *v -= projection * e);
                }
                let norm = dot(vector, vector).sqrt();
                vector.iter_mut().for_each(|v| *v /= norm);
            }
        },
    );
}

#[inline(always)]
fn dot(a: &[f64], b: &[f64]) -> f64 {
    let (a, a_rest) = a.as_chunks::<LANES>();
    let (b, b_rest) = b.as_chunks::<LANES>();
    let mut sums = [0.0; LANES];
    for (a, b) in a.iter().zip(b) {
        sums.iter_mut().zip(a.iter().zip(b)).for_each(|(sum, (a, b))| *sum += a * b);
    }
    let rest: f64 = a_rest.iter().zip(b_rest).map(|(a, b)| a * b).sum();
    sums.iter().sum::<f64>() + rest
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rng::Purpose;

    /// The plain algorithm: each vector off all earlier ones, twice.
    fn plain(vectors: &mut [f64], length: usize) {
        for first in (0..vectors.len()).step_by(length) {
            let (earlier, rest) = vectors.split_at_mut(first);
            for _ in 0..2 {
                for earlier in earlier.chunks_exact(length) {
                    let projection: f64 = rest.iter().zip(earlier).map(|(v, e)| v * e).sum();
                    rest[..length].iter_mut().zip(earlier).for_each(|(v, e)| *v -= projection * e);
                }
            }
            let norm = rest[..length].iter().map(|v| v * v).sum::<f64>().sqrt();
            rest[..length].iter_mut().for_each(|v| *v /= norm);
        }
    }

    #[test]
    fn blocks_give_what_one_vector_after_the_other_gives() {
        for (count, length) in [(1, 1), (3, 5), (32, 40), (33, 33), (100, 100), (70, 131)] {
            let mut rng = Rng::new(5, Purpose::Initialization, 0);
            let mut vectors: Vec<f64> = (0..count * length).map(|_| rng.normal()).collect();
            let mut want = vectors.clone();
            orthonormalize(&mut vectors, length);
            plain(&mut want, length);
            let far = vectors.iter().zip(&want).map(|(a, b)| (a - b).abs()).fold(0.0, f64::max);
            // The last of as many vectors as axes is the least certain.
            assert!(far < 1e-11, "{count} x {length}: {far}");
            for a in 0..count {
                for b in 0..=a {
                    let product = dot(&vectors[a * length..][..length], &vectors[b * length..][..length]);
                    let want = f64::from(u8::from(a == b));
                    assert!((product - want).abs() < 1e-14, "{count} x {length}: {a}, {b}: {product}");
                }
            }
        }
    }
}
