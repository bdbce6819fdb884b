//! Matrix products, and the kernels that are fused with them.
//!
//! Every product of the crate goes through [`gemm`] and [`affine`], on strided views: a transposed operand costs no
//! copy, and another engine can replace this one in one file. The default engine is the crate's own
//! ([`Engine::Tiles`]), made for the small and flat matrices of a training step. The feature `matrixmultiply`
//! replaces it by ndarray's. Within an engine, the order of summation depends on the shapes alone, never on the
//! number of threads.
//!
//! | a product of | is computed by |
//! |---|---|
//! | contiguous matrices, up to 64 columns | `small_n.rs`: one k-block, nothing packed |
//! | all others | `tiles.rs`: panels, tiles, a micro-kernel |
//! | either, if it is large | `parallel.rs`: parts of the output on several threads |
//! | a matrix that many products share | `panels.rs`: packed once, for `tiles.rs` and `patches.rs` |
//! | the patches of an image and a kernel | `patches.rs`: a convolution without im2col |
//! | the same with a 3 × 3 window and many channels | `winograd.rs` |
//! | channel by channel | `depthwise.rs` |
//! | the rows of a table with other rows, as distances | packed by `row_packing.rs`, for k-means and silhouettes |

pub(crate) mod depthwise;
pub(crate) mod distance;
mod engine_matrixmultiply;
pub(crate) mod panels;
mod parallel;
pub(crate) mod patches;
pub(crate) mod row_packing;
mod small_n;
mod tiles;
mod views;
pub(crate) mod winograd;

pub(crate) use views::{matrix, matrix_mut};

use crate::float::Float;
use crate::simd::vectorize;
use ndarray::{ArrayView2, ArrayViewMut2};
use small_n::RowMajor;

/// The engines for matrix products, for benches and tests that compare them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Engine {
    /// The crate's own engine.
    Tiles,
    /// ndarray's engine, the crate `matrixmultiply`. The feature of that name enables its AVX-512 kernels.
    Matrixmultiply,
}

impl Engine {
    /// The engine that [`gemm`] uses in this build.
    pub const DEFAULT: Self =
        if cfg!(feature = "matrixmultiply") { Self::Matrixmultiply } else { Self::Tiles };
}

/// Computes `c = alpha · a·b + beta · c`. If `beta` is 0, `c` is not read.
///
/// # Shapes
/// `a`: (m, k), `b`: (k, n), `c`: (m, n); any strides.
///
/// # Panics
/// Panics if the shapes do not agree. Callers within the crate have checked them when the model was compiled.
///
/// # Examples
/// ```
/// use axonal::linalg::gemm;
/// use axonal::ndarray::{Array2, array};
///
/// let a = array![[1.0, 2.0], [3.0, 4.0]];
/// let mut c = Array2::<f64>::zeros((2, 2));
/// gemm(1.0, a.view(), a.t(), 0.0, c.view_mut());
/// assert_eq!(c, array![[5.0, 11.0], [11.0, 25.0]]);
/// ```
pub fn gemm<F: Float>(
    alpha: F,
    a: ArrayView2<'_, F>,
    b: ArrayView2<'_, F>,
    beta: F,
    c: ArrayViewMut2<'_, F>,
) {
    match Engine::DEFAULT {
        Engine::Tiles => parallel::gemm(alpha, a, (b, &[]), beta, c, None),
        engine => gemm_with(engine, alpha, a, b, beta, c),
    }
}

/// Computes [`gemm`] with the given engine, on the calling thread.
///
/// # Panics
/// As [`gemm`].
pub fn gemm_with<F: Float>(
    engine: Engine,
    alpha: F,
    a: ArrayView2<'_, F>,
    b: ArrayView2<'_, F>,
    beta: F,
    c: ArrayViewMut2<'_, F>,
) {
    match engine {
        Engine::Tiles => tiles::gemm(alpha, a, (b, &[]), beta, c, None),
        Engine::Matrixmultiply => engine_matrixmultiply::gemm(alpha, a, b, beta, c),
    }
}

/// Computes `c += a·b` with the [`panels`] of `b`, to the bits of [`gemm`].
///
/// # Panics
/// As [`gemm`], and if the panels are shorter than [`panels::packed_len`].
pub(crate) fn add_product<F: Float>(
    a: ArrayView2<'_, F>,
    (b, panels): (ArrayView2<'_, F>, &[F]),
    c: ArrayViewMut2<'_, F>,
) {
    match Engine::DEFAULT {
        Engine::Tiles => parallel::gemm(F::one(), a, (b, panels), F::one(), c, None),
        engine => gemm_with(engine, F::one(), a, b, F::one(), c),
    }
}

/// Computes `c = a·b + bias`, with the bias (n) added to every row, or `c = a·b` without a bias.
///
/// To the bit, a row of the output depends on the same row of `a` alone, not on the number of rows.
///
/// # Panics
/// As [`gemm`], and if the bias does not have an element for each column.
pub fn affine<F: Float>(
    a: ArrayView2<'_, F>,
    b: ArrayView2<'_, F>,
    bias: Option<&[F]>,
    c: ArrayViewMut2<'_, F>,
) {
    affine_with_panels(a, (b, &[]), bias, c);
}

/// [`affine`] with the [`panels`] of `b`, or with none, to the same bits.
///
/// # Panics
/// As [`affine`], and if there are panels shorter than [`panels::packed_len`].
pub(crate) fn affine_with_panels<F: Float>(
    a: ArrayView2<'_, F>,
    (b, panels): (ArrayView2<'_, F>, &[F]),
    bias: Option<&[F]>,
    mut c: ArrayViewMut2<'_, F>,
) {
    let agree = a.ncols() == b.nrows() && c.dim() == (a.nrows(), b.ncols());
    let has_bias = bias.is_none_or(|bias| bias.len() == b.ncols());
    assert!(agree && has_bias, "affine needs shapes (m, k), (k, n), (n), (m, n)");
    if b.ncols() <= small_n::MAX_N
        && let (Some(a), Some(b), Some(c)) = (RowMajor::of(&a), b.as_slice(), c.as_slice_mut())
    {
        return parallel::affine(a, b, bias, c);
    }
    match (Engine::DEFAULT, bias) {
        (Engine::Tiles, bias) => parallel::gemm(F::one(), a, (b, panels), F::zero(), c, bias),
        (engine, None) => gemm_with(engine, F::one(), a, b, F::zero(), c),
        (engine, Some(bias)) => {
            c.assign(&ndarray::aview1(bias));
            gemm_with(engine, F::one(), a, b, F::one(), c);
        }
    }
}

/// Sums that stay in registers while the rows are read: four registers of `f32` with AVX2.
const SUMS: usize = 32;

/// Adds the rows of `a` to `sums`: `sums += Σ rows of a`. Does nothing if `sums` is empty.
///
/// # Panics
/// Panics if `sums` is not empty and does not have an element for each column.
///
/// # Examples
/// ```
/// let mut sums = [10.0, 20.0];
/// axonal::linalg::add_rows(axonal::ndarray::array![[1.0, 2.0], [3.0, 4.0]].view(), &mut sums);
/// assert_eq!(sums, [14.0, 26.0]);
/// ```
pub fn add_rows<F: Float>(a: ArrayView2<'_, F>, sums: &mut [F]) {
    // A layer without a bias has no sums.
    if sums.is_empty() {
        return;
    }
    assert_eq!(a.ncols(), sums.len(), "add_rows needs a sum for each column");
    match a.as_slice() {
        Some(values) => vectorize(
            #[inline(always)]
            || {
                let width = sums.len();
                // Blocks of wide rows would be read in large steps.
                let in_blocks = if width <= 4 * SUMS { width } else { 0 };
                let (blocks, _) = sums[..in_blocks].as_chunks_mut::<SUMS>();
                let rest_from = blocks.len() * SUMS;
                for (block, sums) in blocks.iter_mut().enumerate() {
                    let mut in_registers = *sums;
                    for row in values.chunks_exact(width) {
                        if let Some((row, _)) = row[block * SUMS..].split_first_chunk::<SUMS>() {
                            in_registers.iter_mut().zip(row).for_each(|(sum, &value)| *sum += value);
                        }
                    }
                    *sums = in_registers;
                }
                for row in values.chunks_exact(width) {
                    let rest = sums[rest_from..].iter_mut().zip(&row[rest_from..]);
                    rest.for_each(|(sum, &value)| *sum += value);
                }
            },
        ),
        None => a
            .rows()
            .into_iter()
            .for_each(|row| sums.iter_mut().zip(row).for_each(|(sum, &value)| *sum += value)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rng::{Purpose, Rng};
    use ndarray::{Array2, s};

    const SHAPES: [(usize, usize, usize); 13] = [
        (9, 1, 104),
        (1, 600, 100),
        (70, 300, 130),
        (200, 513, 5),
        (1, 1, 1),
        (1, 7, 3),
        (3, 1, 5),
        (2, 3, 1),
        (32, 20, 64),
        (33, 65, 17),
        (5, 128, 9),
        (100, 37, 41),
        (0, 3, 2),
    ];

    fn random(rows: usize, columns: usize, seed: u64) -> Array2<f64> {
        let mut rng = Rng::new(seed, Purpose::Other, 0);
        Array2::from_shape_fn((rows, columns), |_| rng.normal())
    }

    fn plain(a: ArrayView2<'_, f64>, b: ArrayView2<'_, f64>) -> Array2<f64> {
        Array2::from_shape_fn((a.nrows(), b.ncols()), |(i, j)| {
            (0..a.ncols()).map(|k| a[[i, k]] * b[[k, j]]).sum()
        })
    }

    fn close(got: &Array2<f64>, want: &Array2<f64>) -> bool {
        got.iter().zip(want).all(|(g, w)| (g - w).abs() <= 1e-12 * w.abs().max(1.0) * 100.0)
    }

    #[test]
    #[cfg_attr(panic = "abort", ignore = "catches panics")]
    fn shapes_that_do_not_agree_are_refused() {
        let (a, b, mut c) = (random(2, 3, 1), random(3, 4, 2), Array2::zeros((2, 4)));
        let mut refused = |a: &Array2<f64>, b: &Array2<f64>, bias: Option<&[f64]>| {
            let product = std::panic::AssertUnwindSafe(|| affine(a.view(), b.view(), bias, c.view_mut()));
            std::panic::catch_unwind(product).is_err()
        };
        assert!(!refused(&a, &b, Some(&[0.0; 4])));
        assert!(refused(&a, &b, Some(&[0.0; 3])) && refused(&a, &b, Some(&[])));
        assert!(refused(&b, &a, None) && refused(&random(1, 3, 1), &b, None));
    }

    #[test]
    fn both_engines_agree_with_the_plain_loop_for_all_transpositions() {
        for engine in [Engine::Tiles, Engine::Matrixmultiply] {
            for (m, k, n) in SHAPES {
                let (a, b) = (random(m, k, 1), random(k, n, 2));
                let (at, bt) = (a.t().as_standard_layout().to_owned(), b.t().as_standard_layout().to_owned());
                let want = plain(a.view(), b.view());
                for (a, b) in [(a.view(), b.view()), (at.t(), b.view()), (a.view(), bt.t()), (at.t(), bt.t())]
                {
                    let mut c = Array2::from_elem((m, n), f64::NAN);
                    gemm_with(engine, 1.0, a, b, 0.0, c.view_mut());
                    assert!(close(&c, &want), "{engine:?} {m}x{k}x{n}");
                    let mut c = random(m, n, 3);
                    let blended = &c * 0.5 + 2.0 * &want;
                    gemm_with(engine, 2.0, a, b, 0.5, c.view_mut());
                    assert!(close(&c, &blended), "{engine:?} {m}x{k}x{n} with alpha and beta");
                }
            }
        }
    }

    #[test]
    #[cfg(feature = "rayon")]
    fn the_bits_do_not_depend_on_the_number_of_threads() {
        for (m, k, n) in [(300, 260, 40), (33, 700, 150), (129, 129, 129)] {
            let (a, b) = (random(m, k, 10), random(k, n, 11));
            let bias: Vec<f64> = (0..n).map(|j| j as f64 * 0.1).collect();
            let product = |threads: usize| {
                let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
                let mut c = Array2::from_elem((m, n), f64::NAN);
                pool.install(|| {
                    parallel::gemm(1.0, a.view(), (b.view(), &[]), 0.0, c.view_mut(), Some(&bias))
                });
                pool.install(|| parallel::gemm(-1.0, a.view(), (b.view(), &[]), 0.5, c.view_mut(), None));
                c
            };
            let one = product(1);
            for threads in [2, 3, 5] {
                assert_eq!(product(threads), one, "{m}x{k}x{n} on {threads} threads");
            }
        }
    }

    #[test]
    fn strided_and_reversed_views_multiply_as_their_copies() {
        let (a, b) = (random(14, 22, 4), random(22, 10, 5));
        let (a, b) = (a.slice(s![..;2, ..;-2]), b.slice(s![..;2, ..;3]));
        for engine in [Engine::Tiles, Engine::Matrixmultiply] {
            let mut wide = Array2::from_elem((14, 8), 9.0);
            gemm_with(engine, 1.0, a, b, 0.0, wide.slice_mut(s![..;2, ..;2]));
            assert!(close(&wide.slice(s![..;2, ..;2]).to_owned(), &plain(a, b)), "{engine:?}");
            assert!(wide.slice(s![1..;2, ..]).iter().all(|&v| v == 9.0), "{engine:?} wrote between the rows");
        }
    }

    #[test]
    fn the_bias_is_added_to_every_row() {
        for (m, k, n) in SHAPES {
            let (a, b) = (random(m, k, 6), random(k, n, 7));
            let bias: Vec<f64> = (0..n).map(|j| j as f64).collect();
            let want = plain(a.view(), b.view()) + ndarray::aview1(&bias);
            let mut c = Array2::from_elem((m, n), f64::NAN);
            affine(a.view(), b.view(), Some(&bias), c.view_mut());
            assert!(close(&c, &want), "affine {m}x{k}x{n}");
            let mut c = Array2::from_elem((m, n), f64::NAN);
            affine(a.view(), b.view(), None, c.view_mut());
            assert!(close(&c, &plain(a.view(), b.view())), "affine without bias {m}x{k}x{n}");
        }
    }

    /// Few rows are transposed, a panel of many rows is packed, and `a` is packed for many columns.
    #[test]
    fn an_element_does_not_depend_on_the_layout_of_the_operands() {
        for (k, n) in [(150, 100), (700, 130), (90, 401)] {
            let (a, b) = (random(70, k, 12), random(k, n, 13));
            let (at, bt) = (a.t().as_standard_layout().to_owned(), b.t().as_standard_layout().to_owned());
            let start = random(70, n, 14);
            let mut whole = start.clone();
            gemm(1.0, a.view(), b.view(), 1.0, whole.view_mut());
            for rows in [1, 7, 16, 24, 33, 48, 70] {
                let (part, want) = (s![..rows, ..], whole.slice(s![..rows, ..]));
                for a in [a.slice(part), at.t().slice_move(part)] {
                    for b in [b.view(), bt.t()] {
                        let mut c = start.slice(part).to_owned();
                        gemm(1.0, a, b, 1.0, c.view_mut());
                        assert_eq!(c, want, "{rows}x{k}x{n}");
                        let mut transposed = start.slice(part).t().as_standard_layout().to_owned();
                        gemm(1.0, a, b, 1.0, transposed.view_mut().reversed_axes());
                        assert_eq!(transposed.t(), want, "{rows}x{k}x{n}, contiguous columns in the output");
                    }
                }
            }
        }
    }

    #[test]
    fn a_product_from_panels_has_the_bits_of_one_without() {
        for (m, k, n) in SHAPES.into_iter().chain([(16, 128, 512), (70, 700, 390), (4, 90, 401)]) {
            let (a, b, start) = (random(m, k, 15), random(k, n, 16), random(m, n, 17));
            let mut packed = vec![f64::NAN; panels::packed_len(k, n)];
            panels::pack(b.as_slice().unwrap(), n, panels::Columns { first: 0, len: n }, &mut packed);
            let (mut c, mut want) = (start.clone(), start);
            add_product(a.view(), (b.view(), &packed), c.view_mut());
            gemm(1.0, a.view(), b.view(), 1.0, want.view_mut());
            assert_eq!(c, want, "{m}x{k}x{n}");
            let bias: Vec<f64> = (0..n).map(|j| j as f64 * 0.1).collect();
            affine_with_panels(a.view(), (b.view(), &packed), Some(&bias), c.view_mut());
            affine(a.view(), b.view(), Some(&bias), want.view_mut());
            assert_eq!(c, want, "affine {m}x{k}x{n}");
        }
    }

    #[test]
    fn a_row_does_not_depend_on_the_other_rows() {
        for n in [1, 2, 3, 5, 10, 16, 31, 64, 100, 128] {
            let (a, b) = (random(70, 90, 8), random(90, n, 9));
            let mut whole = Array2::zeros((70, n));
            affine(a.view(), b.view(), None, whole.view_mut());
            for rows in [1, 2, 3, 5, 6, 7, 33] {
                let mut part = Array2::zeros((rows, n));
                affine(a.slice(s![10..10 + rows, ..]), b.view(), None, part.view_mut());
                assert_eq!(part, whole.slice(s![10..10 + rows, ..]), "{rows} rows, {n} columns");
            }
        }
    }
}
