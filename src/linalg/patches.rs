//! The product of the patches under a sliding window with a matrix: a convolution without im2col.
//!
//! ```text
//!    image, (rows, columns, channels)              kernel, (taps · channels, n)
//!    +---------------------------+                      nr
//!    |   +-------+               |   run 0            +-----+------+
//!    |   |=======| ......        |                    |panel|      |
//!    |   |=======| ......        |   run 1            |     |      |
//!    |   |=======| ......        |                    |     |      |
//!    |   +-------+               |   run 2            +-----+------+
//!    +---------------------------+                    tile: mr positions x nr columns of sums in registers
//! ```
//!
//! A patch is not copied. It is a few contiguous *runs* of the image, at the same distances from the first element of
//! every patch: the rows of an undilated window, else its taps. The micro-kernel is that of [`tiles`](super::tiles),
//! with a pointer for each of its mr patches and a loop over the runs. An image with padding is copied once, with
//! zeros around it, where im2col would copy it once a tap.
//!
//! # Blocking
//! ```text
//! for each block of images        at least MIN_BLOCK_POSITIONS patches, so that tiles are of equal height
//!   for each k-block              whole runs, at most MAX_STEPS elements of a patch, so that a panel stays in cache
//!     for each panel              nr columns, packed
//!       for each tile             mr patches
//!         micro-kernel
//! ```
//! If all panels together stay in the first-level cache, the two inner loops are exchanged, and the pointers of a tile
//! serve all panels.
//!
//! An element is accumulated in one order whatever the other rows: the bias, then the runs of the patch in order, in
//! k-blocks that depend on the layout alone.

mod matrix_gradient;
mod product;

use super::panels::Columns;
use crate::float::Float;
use matrix_gradient::MatrixGradient;
use product::PatchProduct;

/// Most elements of a patch in a k-block: a panel of 16 columns of `f32` then takes 32 KiB.
const MAX_STEPS: usize = 512;

/// Patches from which a block of images has enough tiles.
pub(crate) const MIN_BLOCK_POSITIONS: usize = 64;

/// Bytes of packed panels that stay in the first-level cache beside the patches.
const MAX_RESIDENT_BYTES: usize = 16 << 10;

/// Most rows of a tile.
const MAX_TILE_ROWS: usize = 8;

/// Where the patches of an image lie. Distances are in elements, of the first of two axes, then of the second.
#[derive(Debug, Clone, Copy)]
pub(crate) struct PatchLayout {
    /// Elements of an image.
    pub(crate) image_len: usize,
    /// Numbers of patches along the axes.
    pub(crate) positions: [usize; 2],
    /// Distances between neighboring patches.
    pub(crate) steps: [usize; 2],
    /// The first element of the first patch.
    pub(crate) offset: usize,
    /// Numbers of runs along the axes.
    pub(crate) runs: [usize; 2],
    /// Distances between neighboring runs of a patch.
    pub(crate) run_steps: [usize; 2],
    /// Elements of a run.
    pub(crate) run_len: usize,
}

impl PatchLayout {
    /// Number of patches of an image.
    pub(crate) fn n_positions(&self) -> usize {
        self.positions[0] * self.positions[1]
    }

    /// Elements of a patch.
    pub(crate) fn patch_len(&self) -> usize {
        self.runs[0] * self.runs[1] * self.run_len
    }

    /// Whether every patch lies within its image.
    pub(super) fn is_within_image(&self) -> bool {
        let last = |n: [usize; 2], steps: [usize; 2]| {
            n[0].saturating_sub(1) * steps[0] + n[1].saturating_sub(1) * steps[1]
        };
        let end =
            self.offset + last(self.positions, self.steps) + last(self.runs, self.run_steps) + self.run_len;
        self.n_positions() == 0 || self.patch_len() == 0 || end <= self.image_len
    }
}

/// Computes `y = patches · matrix + bias` for the patches of whole images.
///
/// `packed` are the panels of the matrix by [`pack`](super::panels::pack), with a row for each element of a patch. The rows of `y` have
/// `stride` elements, of which `columns` are written.
///
/// # Panics
/// Panics if a patch does not lie within its image, or a length does not agree.
pub(crate) fn product<F: Float>(
    (images, layout): (&[F], &PatchLayout),
    packed: &[F],
    bias: Option<&[F]>,
    (y, stride, columns): (&mut [F], usize, Columns),
) {
    let n_images = images.len() / layout.image_len.max(1);
    assert!(layout.is_within_image(), "a patch must lie within its image");
    assert!(columns.first + columns.len <= stride, "the columns must be the output's");
    assert!(y.len() == n_images * layout.n_positions() * stride, "the output needs a row for each patch");
    assert!(bias.is_none_or(|bias| bias.len() == columns.len), "the bias needs an element for each column");
    let y = y.as_mut_ptr();
    F::run_simd(PatchProduct { images, layout: *layout, packed, bias, y, stride, columns });
}

/// Adds the gradient of the matrix of a [`product`], `patchesᵀ · dy`, to columns of `dmatrix`.
///
/// `dy` and `dmatrix` have rows of `stride` elements, of which `columns` are used: a row of `dy` for each patch, a row of
/// `dmatrix` for each element of a patch. Each gradient is accumulated in the order of the patches.
///
/// # Panics
/// As [`product`].
pub(crate) fn add_matrix_gradient<F: Float>(
    (images, layout): (&[F], &PatchLayout),
    dy: &[F],
    dmatrix: &mut [F],
    stride: usize,
    columns: Columns,
) {
    let n_images = images.len() / layout.image_len.max(1);
    assert!(layout.is_within_image(), "a patch must lie within its image");
    assert!(columns.first + columns.len <= stride, "the columns must be the output's");
    assert!(dy.len() == n_images * layout.n_positions() * stride, "the gradient needs a row for each patch");
    assert!(
        dmatrix.len() == layout.patch_len() * stride,
        "the matrix needs a row for each element of a patch"
    );
    if columns.len > 0 && n_images > 0 {
        let dmatrix = dmatrix.as_mut_ptr();
        F::run_simd(MatrixGradient { images, layout: *layout, dy, dmatrix, stride, columns });
    }
}

#[cfg(test)]
pub(super) mod tests {
    use super::super::panels::{pack, packed_len};
    use super::*;
    use crate::rng::{Purpose, Rng};

    pub(crate) fn random<F: Float>(len: usize, seed: u64) -> Vec<F> {
        let mut rng = Rng::new(seed, Purpose::Other, 0);
        (0..len).map(|_| F::of(rng.normal())).collect()
    }

    /// Layouts of images (7, 9, `channels`): windows of whole rows, dilated and strided windows, groups of channels, a
    /// patch longer than a k-block.
    fn layouts(channels: usize) -> Vec<PatchLayout> {
        let line = 9 * channels;
        let layout = PatchLayout {
            image_len: 7 * line,
            positions: [5, 7],
            steps: [line, channels],
            offset: 0,
            runs: [3, 1],
            run_steps: [line, channels],
            run_len: 3 * channels,
        };
        let half = channels.div_ceil(2);
        vec![
            layout,
            PatchLayout { positions: [2, 3], offset: line + channels, ..layout },
            PatchLayout { positions: [1, 1], ..layout },
            PatchLayout { positions: [2, 2], steps: [2 * line, 4 * channels], ..layout },
            PatchLayout {
                positions: [3, 5],
                offset: channels - half,
                runs: [3, 3],
                run_steps: [2 * line, 2 * channels],
                run_len: half,
                ..layout
            },
            PatchLayout { positions: [7, 9], runs: [1, 1], run_len: channels, ..layout },
            PatchLayout { positions: [1, 4], runs: [7, 1], run_len: 6 * channels, ..layout },
        ]
    }

    /// Calls `visit` with the image, the position and the offset in its image of every element of every patch.
    fn for_each_element(
        layout: &PatchLayout,
        images: usize,
        mut visit: impl FnMut(usize, usize, usize, usize),
    ) {
        let PatchLayout { positions, steps, offset, runs, run_steps, run_len, .. } = *layout;
        for image in 0..images {
            for position in 0..layout.n_positions() {
                let (row, column) = (position / positions[1], position % positions[1]);
                let start = offset + row * steps[0] + column * steps[1];
                for element in 0..layout.patch_len() {
                    let (run, at) = (element / run_len, element % run_len);
                    let run = run / runs[1] * run_steps[0] + run % runs[1] * run_steps[1];
                    visit(image, position, element, start + run + at);
                }
            }
        }
    }

    fn product_equals_the_plain_loop<F: Float>(tolerance: f64) {
        for channels in [1, 3, 16, 40] {
            for layout in layouts(channels) {
                for (n, stride, first) in
                    [(1, 1, 0), (5, 9, 3), (16, 16, 0), (32, 64, 32), (49, 49, 0), (64, 70, 6)]
                {
                    let (images, positions, k) = (3, layout.n_positions(), layout.patch_len());
                    let x: Vec<F> = random(images * layout.image_len, 1);
                    let (matrix, bias): (Vec<F>, Vec<F>) = (random(k * stride, 2), random(n, 3));
                    let columns = Columns { first, len: n };
                    let mut packed = vec![F::nan(); packed_len(k, n)];
                    pack(&matrix, stride, columns, &mut packed);
                    for bias in [Some(&bias[..]), None] {
                        let mut y = vec![F::of(7.0); images * positions * stride];
                        product((&x, &layout), &packed, bias, (&mut y, stride, columns));
                        let mut want = vec![7.0; y.len()];
                        for row in want.chunks_mut(stride) {
                            let start = (0..n).map(|j| bias.map_or(0.0, |bias| bias[j].as_f64()));
                            row[first..first + n].iter_mut().zip(start).for_each(|(y, b)| *y = b);
                        }
                        for_each_element(&layout, images, |image, position, element, offset| {
                            let x = x[image * layout.image_len + offset].as_f64();
                            let row = &mut want[(image * positions + position) * stride + first..];
                            for (y, w) in row[..n].iter_mut().zip(&matrix[element * stride + first..]) {
                                *y += x * w.as_f64();
                            }
                        });
                        let error =
                            y.iter().zip(&want).map(|(y, w)| (y.as_f64() - w).abs()).fold(0.0, f64::max);
                        assert!(error <= tolerance * (k as f64).sqrt(), "{layout:?}, {n} columns: {error}");
                    }
                }
            }
        }
    }

    #[test]
    fn products_of_patches_equal_the_plain_loop() {
        product_equals_the_plain_loop::<f32>(1e-5);
        product_equals_the_plain_loop::<f64>(1e-13);
    }

    fn gradient_equals_the_plain_loop<F: Float>(tolerance: f64) {
        for channels in [1, 3, 16, 40] {
            for layout in layouts(channels) {
                for (n, stride, first) in
                    [(1, 1, 0), (5, 9, 3), (16, 16, 0), (32, 64, 32), (49, 49, 0), (64, 70, 6)]
                {
                    let (images, k) = (3, layout.patch_len());
                    let x: Vec<F> = random(images * layout.image_len, 1);
                    let dy: Vec<F> = random(images * layout.n_positions() * stride, 2);
                    let mut dmatrix: Vec<F> = random(k * stride, 3);
                    let mut want: Vec<f64> = dmatrix.iter().map(|v| v.as_f64()).collect();
                    for_each_element(&layout, images, |image, position, element, offset| {
                        let x = x[image * layout.image_len + offset].as_f64();
                        let dy = &dy[(image * layout.n_positions() + position) * stride + first..][..n];
                        let to = &mut want[element * stride + first..][..n];
                        to.iter_mut().zip(dy).for_each(|(to, dy)| *to += x * dy.as_f64());
                    });
                    add_matrix_gradient((&x, &layout), &dy, &mut dmatrix, stride, Columns { first, len: n });
                    let error =
                        dmatrix.iter().zip(&want).map(|(g, w)| (g.as_f64() - w).abs()).fold(0.0, f64::max);
                    assert!(error <= tolerance, "{layout:?}, {n} columns: {error}");
                }
            }
        }
    }

    #[test]
    fn gradients_of_matrices_equal_the_plain_loop() {
        gradient_equals_the_plain_loop::<f32>(1e-4);
        gradient_equals_the_plain_loop::<f64>(1e-12);
    }

    #[test]
    fn a_patch_does_not_depend_on_the_other_patches() {
        for layout in layouts(8) {
            let (k, n) = (layout.patch_len(), 24);
            let x: Vec<f32> = random(5 * layout.image_len, 1);
            let matrix: Vec<f32> = random(k * n, 2);
            let columns = Columns { first: 0, len: n };
            let mut packed = vec![0.0; packed_len(k, n)];
            pack(&matrix, n, columns, &mut packed);
            let len = layout.n_positions() * n;
            let mut whole = vec![0.0; 5 * len];
            product((&x, &layout), &packed, None, (&mut whole, n, columns));
            for image in 0..5 {
                let mut y = vec![0.0; len];
                let x = &x[image * layout.image_len..][..layout.image_len];
                product((x, &layout), &packed, None, (&mut y, n, columns));
                assert_eq!(y, whole[image * len..][..len], "{layout:?}");
            }
        }
    }

    #[test]
    #[should_panic(expected = "a patch must lie within its image")]
    fn a_patch_beyond_its_image_is_refused() {
        let layout = PatchLayout { positions: [5, 8], ..layouts(2)[0] };
        let columns = Columns { first: 0, len: 1 };
        product((&[0.0; 126], &layout), &[0.0; 18], None, (&mut [0.0; 40], 1, columns));
    }
}
