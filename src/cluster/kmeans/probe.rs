//! A few of the rows, by which is told beforehand how many of all bounds would spare.

use super::bounds::Bounds;
use super::group::Room;
use super::nearest::Centers;
use super::samples::Samples;
use super::search::{Search, cluster};
use crate::float::Float;

/// The most rows of a probe, their most numbers, and one row of how many is among them at most.
const ROWS: usize = 256;
const NUMBERS: usize = 1 << 18;
const ONE_OF: usize = 16;

/// Rows from all over the data, turned, and their gaps.
#[derive(Debug)]
pub(super) struct Probe<F> {
    n_rows: usize,
    room: Room<F>,
    squares: Vec<F>,
    second: Vec<F>,
    gaps: Vec<f32>,
    /// Whether the gaps are those about the centers before the last move.
    is_up_to_date: bool,
}

impl<F: Float> Probe<F> {
    pub(super) fn new(samples: &Samples<'_, F>, mean: &[F], centers: &Centers<F>) -> Self {
        let (n, d) = (samples.n_samples(), samples.n_features);
        let most = ROWS.min(NUMBERS / d).min(n / ONE_OF).max(centers.lanes());
        let distance = n.div_ceil(most);
        let rows: Vec<F> = (0..n).step_by(distance).flat_map(|row| samples.row(row)).copied().collect();
        let n_rows = rows.len() / d;
        let mut room = Room::new(centers.lanes(), n_rows, d);
        let places = room.load(&rows, mean, &[]);
        let numbers = || vec![F::zero(); places];
        let (mut squares, second, gaps) = (numbers(), numbers(), vec![0.0; places]);
        room.squares(&mut squares, d);
        Self { n_rows, room, squares, second, gaps, is_up_to_date: false }
    }

    /// Finds the gaps about the centers.
    pub(super) fn look(&mut self, bounds: &Bounds, centers: &Centers<F>) {
        let Room { features, smallest, nearest, .. } = &mut self.room;
        smallest.fill(F::infinity());
        self.second.fill(F::infinity());
        let second = &mut self.second[..];
        F::run_wide(Search { centers, features, ahead: &[], smallest, nearest, second });
        bounds.gaps(&self.squares, (&self.room.smallest, &self.second), &mut self.gaps);
        self.is_up_to_date = true;
    }

    /// Forgets the gaps.
    pub(super) fn forget(&mut self) {
        self.is_up_to_date = false;
    }

    /// Which part of the rows bounds would not have spared after the last move of the centers, if it is known.
    pub(super) fn unsure(&mut self, bounds: &Bounds) -> Option<f64> {
        let rows = self.gaps.iter().zip(self.room.nearest.iter()).take(self.n_rows);
        let unsure = rows.filter(|(gap, nearest)| bounds.is_unsure(**gap, cluster(**nearest))).count();
        std::mem::take(&mut self.is_up_to_date).then_some(unsure as f64 / self.n_rows as f64)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Rows at -10 and 10 are 20 nearer to one center than to the other: moves that add up to less spare them all.
    #[test]
    fn a_probe_knows_how_many_rows_bounds_would_spare() {
        let values: Vec<f32> = (0..640).map(|row| if row % 4 == 0 { -10.0 } else { 10.0 }).collect();
        let samples = Samples { values: &values, n_features: 1, weights: None };
        let mut centers = Centers::new(2, 1);
        let mut bounds = Bounds::new::<f32>(640, 2, 1);
        let mut probe = Probe::new(&samples, &[0.0], &centers);
        assert_eq!(probe.unsure(&bounds), None);
        for (to, unsure) in [([-6.0, 13.0], 0.0), ([-1.0, 22.0], 1.0), ([-10.0, 10.0], 0.0)] {
            let from = [-10.0, 10.0];
            centers.set(&from);
            bounds.follow(&from, &to, &centers.half_norms);
            probe.look(&bounds, &centers);
            assert_eq!(probe.unsure(&bounds), Some(unsure), "to {to:?}");
            assert_eq!(probe.unsure(&bounds), None);
        }
        bounds.follow(&[-10.0, 10.0], &[-10.0, 10.0], &centers.half_norms);
        probe.look(&bounds, &centers);
        probe.forget();
        assert_eq!(probe.unsure(&bounds), None);
    }
}
