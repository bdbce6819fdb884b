//! Random orthogonal matrices.
//!
//! Normal vectors are orthonormalized by block Gram-Schmidt: the vectors of a block, which stays in cache, are projected off groups of
//! earlier ones, then off each other one by one, both twice, which leaves the orthogonality of a Householder QR ("twice is
//! enough", Giraud, Langou and Rozložník 2005). Matrix products would be faster for thousands of vectors; but those of f64 would be
//! a part of every program with f32, 90 KB of it.

use crate::float::Float;
use crate::rng::Rng;
use crate::simd::{Kernel, dispatch, fma};

/// Vectors of a block, a multiple of those of a group.
const BLOCK: usize = 32;

/// Vectors that another one is projected off together.
const GROUP: usize = 4;

/// Values of a vector that are worked on together.
const TILE: usize = 512;

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
    dispatch(Orthonormalization { vectors, length });
}

struct Orthonormalization<'a> {
    vectors: &'a mut [f64],
    length: usize,
}

impl Kernel for Orthonormalization<'_> {
    type Output = ();

    #[inline(always)]
    fn run<const FMA: bool>(self) {
        let Self { vectors, length } = self;
        for first in (0..vectors.len()).step_by((BLOCK * length).max(1)) {
            let (earlier, rest) = vectors.split_at_mut(first);
            let end = (BLOCK * length).min(rest.len());
            let block = &mut rest[..end];
            for _ in 0..2 {
                for group in earlier.chunks_exact(GROUP * length) {
                    project_off_group::<FMA>(block, group, length);
                }
                orthonormalize_each::<FMA>(block, length);
            }
        }
    }
}

/// Orthonormalizes the vectors of a block, one after the other.
#[inline(always)]
fn orthonormalize_each<const FMA: bool>(block: &mut [f64], length: usize) {
    for first in (0..block.len()).step_by(length) {
        let (earlier, rest) = block.split_at_mut(first);
        let vector = &mut rest[..length];
        for earlier in earlier.chunks_exact(length) {
            let projection = dot::<FMA>(vector, earlier);
            vector.iter_mut().zip(earlier).for_each(|(v, e)| *v = fma::<f64, FMA>(-projection, *e, *v));
        }
        let norm = dot::<FMA>(vector, vector).sqrt();
        vector.iter_mut().for_each(|v| *v /= norm);
    }
}

/// Subtracts from the vectors of a block their projections on the orthonormal ones of a group, a tile at a time: that of the group
/// stays in the first level of the cache, while those of the block go by.
#[inline(always)]
fn project_off_group<const FMA: bool>(block: &mut [f64], group: &[f64], length: usize) {
    let tiles = || (0..length).step_by(TILE).map(|first| first..(first + TILE).min(length));
    let mut projections = [[0.0; GROUP]; BLOCK];
    for tile in tiles() {
        let group: [&[f64]; GROUP] = std::array::from_fn(|index| &group[index * length..][tile.clone()]);
        for (vector, projections) in block.chunks_exact(length).zip(&mut projections) {
            let products = dots::<FMA>(&vector[tile.clone()], group);
            projections.iter_mut().zip(products).for_each(|(sum, product)| *sum += product);
        }
    }
    for tile in tiles() {
        let [a, b, c, d]: [&[f64]; GROUP] =
            std::array::from_fn(|index| &group[index * length..][tile.clone()]);
        for (vector, projections) in block.chunks_exact_mut(length).zip(&projections) {
            let [on_a, on_b, on_c, on_d] = projections.map(|projection| -projection);
            for ((((v, a), b), c), d) in vector[tile.clone()].iter_mut().zip(a).zip(b).zip(c).zip(d) {
                let of_two = fma::<f64, FMA>(on_a, *a, fma::<f64, FMA>(on_b, *b, *v));
                *v = fma::<f64, FMA>(on_c, *c, fma::<f64, FMA>(on_d, *d, of_two));
            }
        }
    }
}

/// The dot products of a vector with those of a group, for which it is loaded once.
#[inline(always)]
fn dots<const FMA: bool>(vector: &[f64], group: [&[f64]; GROUP]) -> [f64; GROUP] {
    let [(a, a_rest), (b, b_rest), (c, c_rest), (d, d_rest)] = group.map(|other| other.as_chunks::<LANES>());
    let (v, v_rest) = vector.as_chunks::<LANES>();
    let (mut on_a, mut on_b, mut on_c, mut on_d) = ([0.0; LANES], [0.0; LANES], [0.0; LANES], [0.0; LANES]);
    for ((((v, a), b), c), d) in v.iter().zip(a).zip(b).zip(c).zip(d) {
        for lane in 0..LANES {
            on_a[lane] = fma::<f64, FMA>(v[lane], a[lane], on_a[lane]);
            on_b[lane] = fma::<f64, FMA>(v[lane], b[lane], on_b[lane]);
            on_c[lane] = fma::<f64, FMA>(v[lane], c[lane], on_c[lane]);
            on_d[lane] = fma::<f64, FMA>(v[lane], d[lane], on_d[lane]);
        }
    }
    let rest = |other: &[f64]| v_rest.iter().zip(other).map(|(v, other)| v * other).sum::<f64>();
    let total = |sums: [f64; LANES], rest: f64| sums.iter().sum::<f64>() + rest;
    [
        total(on_a, rest(a_rest)),
        total(on_b, rest(b_rest)),
        total(on_c, rest(c_rest)),
        total(on_d, rest(d_rest)),
    ]
}

#[inline(always)]
fn dot<const FMA: bool>(a: &[f64], b: &[f64]) -> f64 {
    let (a_chunks, a_rest) = a.as_chunks::<LANES>();
    let (b_chunks, b_rest) = b.as_chunks::<LANES>();
    let mut sums = [0.0; LANES];
    for (a, b) in a_chunks.iter().zip(b_chunks) {
        for lane in 0..LANES {
            sums[lane] = fma::<f64, FMA>(a[lane], b[lane], sums[lane]);
        }
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
                    let product =
                        dot::<false>(&vectors[a * length..][..length], &vectors[b * length..][..length]);
                    let want = f64::from(u8::from(a == b));
                    assert!((product - want).abs() < 1e-14, "{count} x {length}: {a}, {b}: {product}");
                }
            }
        }
    }
}
