//! Gaps of rows from the two smallest scores, rounded so that they stay lower bounds.

use crate::cluster::kmeans::assign::kernel::AssignKernel;
use crate::cluster::kmeans::assign::packed_centers::PackedCenters;
use crate::cluster::kmeans::assign::packed_rows::PackedRows;
use crate::float::Float;
use crate::simd::vectorize;

/// Bounds of the rounding errors of the search.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Rounding {
    /// √γ
    root: f64,
    /// The root of a bound of all rounding errors among subnormal numbers.
    underflow: f64,
    /// C, the largest norm of a center less the mean.
    pub(crate) max_center_norm: f64,
}

impl Rounding {
    pub(crate) fn new<F: Float>(n_features: usize) -> Self {
        let terms = (n_features + 8) as f64;
        let root = (terms * F::epsilon().as_f64()).sqrt();
        let underflow = 4.0 * (terms * F::min_positive_value().as_f64()).sqrt();
        Self { root, underflow, max_center_norm: 0.0 }
    }

    /// The gap above which a row keeps its label, without the part that depends on the row.
    pub(crate) fn margin(self) -> f32 {
        round_up(1.5 * self.root * self.max_center_norm + self.underflow)
    }

    /// Lower bounds of gaps from ‖x‖², the scores of the second nearest centers and the distances to the nearest, less the part of
    /// the margin that depends on ‖x‖. `nearest` gets the place of a row and its ‖x‖².
    #[inline(always)]
    fn gaps<F: Float>(
        self,
        squares: &[F],
        second: &[F],
        nearest: impl Fn(usize, f64) -> f64,
        gaps: &mut [f32],
    ) {
        for (place, (gap, (square, second))) in gaps.iter_mut().zip(squares.iter().zip(second)).enumerate() {
            let square = square.as_f64();
            let error = self.root * (3.0 * (square.sqrt() + self.max_center_norm) + 1.5 * square.sqrt());
            let gap_of_distances = distance(square, *second) - nearest(place, square);
            *gap = narrow_down(gap_of_distances - error - self.underflow);
        }
    }
}

/// ‖x − c‖ from ‖x‖² and the score of c.
#[inline(always)]
fn distance<F: Float>(square: f64, score: F) -> f64 {
    (square + 2.0 * score.as_f64()).max(0.0).sqrt()
}

/// Buffers of a search that computes gaps.
#[derive(Debug)]
pub(crate) struct GapSearch<F> {
    /// The second smallest score of each row.
    second: Vec<F>,
    pub(crate) gaps: Vec<f32>,
}

impl<F: Float> GapSearch<F> {
    pub(crate) fn new(n_rows: usize) -> Self {
        Self { second: vec![F::zero(); n_rows], gaps: vec![0.0; n_rows] }
    }

    /// Searches the first packed rows and computes their gaps; prefetches `ahead` meanwhile.
    pub(crate) fn search(
        &mut self,
        (buffers, places): (&mut PackedRows<F>, usize),
        rounding: Rounding,
        centers: &PackedCenters<F>,
        ahead: &[F],
    ) {
        run_kernel(buffers, places, centers, ahead, &mut self.second[..places]);
        let (squares, smallest) = buffers.squares_and_scores();
        vectorize(
            #[inline(always)]
            || {
                let smallest = &smallest[..places];
                rounding.gaps(
                    &squares[..places],
                    &self.second,
                    #[inline(always)]
                    |place, square| distance(square, smallest[place]),
                    &mut self.gaps,
                );
            },
        );
    }

    /// Searches the first packed rows among the centers that moved, and computes their gaps to the nearest of those; `own` is
    /// the distance of a row to its center.
    pub(crate) fn search_moved(
        &mut self,
        (buffers, places): (&mut PackedRows<F>, usize),
        rounding: Rounding,
        moved: &PackedCenters<F>,
        own: impl Fn(usize) -> f64,
    ) {
        run_kernel(buffers, places, moved, &[], &mut []);
        let (squares, smallest) = buffers.squares_and_scores();
        vectorize(
            #[inline(always)]
            || {
                rounding.gaps(
                    &squares[..places],
                    &smallest[..places],
                    #[inline(always)]
                    |place, _| own(place),
                    &mut self.gaps,
                );
            },
        );
    }
}

/// Runs the kernel on the first packed rows, with their ‖x‖².
fn run_kernel<F: Float>(
    buffers: &mut PackedRows<F>,
    places: usize,
    centers: &PackedCenters<F>,
    ahead: &[F],
    second: &mut [F],
) {
    let (features, [nearest, squares, smallest]) = buffers.parts(places);
    F::run_simd(AssignKernel {
        centers: centers.tiles(),
        features,
        ahead,
        margin: centers.margin,
        squares,
        with_squares: true,
        smallest,
        nearest,
        second,
    });
}

/// An `f32` that is not above the value.
#[inline(always)]
#[allow(clippy::cast_possible_truncation, reason = "it is rounded below the value that it bounds")]
fn narrow_down(value: f64) -> f32 {
    round_down(value.min(f64::from(f32::MAX)) as f32)
}

/// An `f32` that is not below the value, which is not negative.
#[allow(clippy::cast_possible_truncation, reason = "it is rounded above the value that it bounds")]
pub(crate) fn round_up(value: f64) -> f32 {
    let near = value.min(f64::from(f32::MAX)) as f32;
    near + near * (2.0 * f32::EPSILON) + f32::MIN_POSITIVE
}

/// A number that is not above any value that rounds to the given one.
#[inline(always)]
pub(crate) fn round_down(near: f32) -> f32 {
    near - near.abs() * (2.0 * f32::EPSILON)
}
