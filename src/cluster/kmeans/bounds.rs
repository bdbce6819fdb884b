//! Rows that keep their center without being asked: exact pruning of the later iterations.
//!
//! For each row a lower bound of its *gap* is kept, the distance to the second nearest center less that to the
//! nearest. When the centers move, the gap shrinks by no more than the move of the own center and the largest move
//! of another (the triangle inequality; Hamerly, Making k-means even faster, 2010). As long as it stays above a
//! margin for the rounding of the search, the search would give the same label again, and is left out. The other
//! rows are gathered and searched as ever, so that labels, centers and iterations are those of plain Lloyd, to the
//! bit.
//!
//! The margin: a score of d multiply-adds is off by at most E = γ(‖x‖ + C)²/2, γ = (d + 8)ε, C the largest norm of a
//! center. A distance is then off by √(2γ)(‖x‖ + C), a gap by twice that; and two distances whose difference is above
//! 2√E have scores that no rounding exchanges.

use super::desk::Desk;
use super::group::Room;
use super::nearest::Centers;
use super::search::Search;
use crate::float::Float;
use crate::simd::vectorize;

/// Clusters from which on the search costs more than keeping the gaps, and how many of their numbers.
const WORTH_KEEPING: [usize; 2] = [16, 192];

/// Iterations without bounds after bounds that have not paid.
const PAUSE: usize = 8;

/// What all rows need to know about the iteration.
#[derive(Debug, Clone)]
pub(crate) struct Bounds {
    n_samples: usize,
    /// Whether the gaps are in use.
    active: bool,
    /// Whether they have yet to be found.
    fresh: bool,
    pause: usize,
    /// For each cluster, how much the gaps of its rows shrink.
    steps: Vec<f64>,
    /// √γ
    rounding: f64,
    /// Of a square that no rounding error in the range of denormal numbers exceeds.
    least: f64,
    /// C
    reach: f64,
}

impl Bounds {
    /// Bounds for so many centers.
    pub(crate) fn new<F: Float>(n_samples: usize, n_clusters: usize, n_features: usize) -> Self {
        let rounding = ((n_features + 8) as f64 * F::epsilon().as_f64()).sqrt();
        let least = 4.0 * ((n_features + 8) as f64 * F::min_positive_value().as_f64()).sqrt();
        let steps = vec![0.0; n_clusters];
        Self { n_samples, active: false, fresh: false, pause: 0, steps, rounding, least, reach: 0.0 }
    }

    /// Whether the search costs more than keeping the gaps.
    pub(crate) fn pay(n_clusters: usize, n_features: usize) -> bool {
        let [clusters, numbers] = WORTH_KEEPING;
        n_clusters >= clusters && n_clusters.saturating_mul(n_features) >= numbers
    }

    pub(crate) fn is_active(&self) -> bool {
        self.active
    }

    /// Forgets the gaps.
    pub(crate) fn reset(&mut self) {
        (self.active, self.fresh, self.pause) = (false, false, 0);
    }

    /// Takes note of a move of the centers (k, d).
    pub(crate) fn follow<F: Float>(&mut self, from: &[F], to: &[F], half_norms: &[F]) {
        let d = to.len() / self.steps.len();
        let (mut largest, mut second) = ((0.0, 0), 0.0);
        for (cluster, (from, to)) in from.chunks_exact(d).zip(to.chunks_exact(d)).enumerate() {
            let square: f64 = from.iter().zip(to).map(|(a, b)| (b.as_f64() - a.as_f64()).powi(2)).sum();
            // Up, by more than the sum is rounded.
            let length = square.sqrt() * (1.0 + 1e-6);
            self.steps[cluster] = length;
            if length > largest.0 {
                (largest, second) = ((length, cluster), largest.0);
            } else if length > second {
                second = length;
            }
        }
        for (cluster, step) in self.steps.iter_mut().enumerate() {
            *step += if cluster == largest.1 { second } else { largest.0 };
        }
        let longest = half_norms.iter().take(self.steps.len()).fold(0.0, |a, h| h.as_f64().max(a));
        self.reach = (2.0 * longest).sqrt() * (1.0 + 1e-6);
    }

    /// Decides about the next iteration by how many rows changed their label and how many were searched in this.
    pub(crate) fn decide(&mut self, changed: usize, searched: usize) {
        if self.active {
            let paid = self.fresh || searched <= self.n_samples / 10 * 6;
            (self.active, self.fresh, self.pause) = (paid, false, PAUSE);
        } else if self.pause > 0 {
            self.pause -= 1;
        } else if changed <= self.n_samples / 8 {
            (self.active, self.fresh) = (true, true);
        }
    }

    /// The gap above which a row keeps its label, but for what depends on the row.
    fn margin(&self) -> f64 {
        1.5 * self.rounding * self.reach + self.least
    }

    /// A bound of the gap of a row, by ‖x‖² and its two smallest scores; what the margin needs of ‖x‖ is taken off.
    fn gap<F: Float>(&self, square: F, smallest: F, second: F) -> f32 {
        let square = square.as_f64();
        let distance = |score: F| (square + 2.0 * score.as_f64()).max(0.0).sqrt();
        let off = self.rounding * (3.0 * (square.sqrt() + self.reach) + 1.5 * square.sqrt());
        down(distance(second) - distance(smallest) - off - self.least)
    }
}

/// A number of fewer digits that is not above.
#[inline(always)]
#[allow(clippy::cast_possible_truncation, reason = "it is made smaller than what it stands for")]
fn down(value: f64) -> f32 {
    let near = value.min(f64::from(f32::MAX)) as f32;
    near - near.abs() * (2.0 * f32::EPSILON)
}

/// Rows of a block that are searched.
#[derive(Debug)]
pub(crate) struct Gathered<F> {
    /// Their places in the block,
    places: Vec<u32>,
    /// and they themselves;
    rows: Vec<F>,
    /// ‖x‖² less the mean, and the smallest score but one.
    squares: Vec<F>,
    second: Vec<F>,
}

impl<F: Float> Gathered<F> {
    pub(crate) fn new(n_rows: usize, n_features: usize) -> Self {
        Self {
            places: Vec::with_capacity(n_rows),
            rows: vec![F::zero(); n_rows * n_features],
            squares: vec![F::zero(); n_rows],
            second: vec![F::zero(); n_rows],
        }
    }
}

/// Labels a block of rows with these gaps, no more of them than fit the room. Answers how many labels changed, and how
/// many rows were searched.
pub(crate) fn label<F: Float>(
    rows: &[F],
    gaps: &mut [f32],
    mean: &[F],
    (bounds, centers): (&Bounds, &Centers<F>),
    Desk { room, gathered, .. }: &mut Desk<F>,
    labels: &mut [u32],
) -> (usize, usize) {
    let d = mean.len();
    gathered.places.clear();
    let margin = bounds.margin();
    for (row, (gap, label)) in (0..).zip(gaps.iter_mut().zip(labels.iter())) {
        if !bounds.fresh {
            *gap = down(f64::from(*gap) - bounds.steps[*label as usize]);
        }
        if bounds.fresh || f64::from(*gap) <= margin {
            gathered.places.push(row);
        }
    }
    for (own, &row) in gathered.rows.chunks_exact_mut(d).zip(&gathered.places) {
        own.copy_from_slice(&rows[row as usize * d..][..d]);
    }
    let places = room.load(&gathered.rows[..gathered.places.len() * d], mean, &[]);
    room.squares(&mut gathered.squares[..places], d);
    room.smallest[..places].fill(F::infinity());
    gathered.second[..places].fill(F::infinity());
    F::run_wide(Search {
        centers,
        features: &room.features,
        ahead: &[],
        smallest: &mut room.smallest[..places],
        nearest: &mut room.nearest[..places],
        second: &mut gathered.second[..places],
    });
    let mut changed = 0;
    for (place, &row) in gathered.places.iter().enumerate() {
        let nearest = room.label(place);
        changed += usize::from(labels[row as usize] != nearest);
        labels[row as usize] = nearest;
        gaps[row as usize] =
            bounds.gap(gathered.squares[place], room.smallest[place], gathered.second[place]);
    }
    (changed, gathered.places.len())
}

impl<F: Float> Room<F> {
    /// ‖x‖² of the rows that were loaded, less their mean.
    fn squares(&self, squares: &mut [F], n_features: usize) {
        let lanes = self.lanes;
        vectorize(
            #[inline(always)]
            || {
                for (squares, group) in
                    squares.chunks_exact_mut(lanes).zip(self.features.chunks_exact(lanes * n_features))
                {
                    squares.fill(F::zero());
                    for line in group.chunks_exact(lanes) {
                        squares.iter_mut().zip(line).for_each(|(square, x)| *square += *x * *x);
                    }
                }
            },
        );
    }

    /// The center that was found for a place.
    #[allow(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "clusters are numbered by u32"
    )]
    fn label(&self, place: usize) -> u32 {
        self.nearest[place].as_f64() as u32
    }
}
