//! numpy's `RandomState`, so that what scikit-learn draws from a seed can be drawn here.

use crate::clustering::mersenne_twister::MersenneTwister;
use axonal::ndarray::{Array1, Array2, ArrayView2};

/// What numpy draws from MT19937.
pub(crate) struct RandomState {
    twister: MersenneTwister,
    spare_normal: Option<f64>,
}

impl RandomState {
    pub(crate) fn new(seed: u32) -> Self {
        Self { twister: MersenneTwister::new(seed), spare_normal: None }
    }

    pub(crate) fn uniform(&mut self) -> f64 {
        self.twister.uniform()
    }

    /// The polar method, by pairs; the second of a pair receives out first.
    fn normal(&mut self) -> f64 {
        if let Some(spare) = self.spare_normal.take() {
            return spare;
        }
        loop {
            let (a, b) = (2.0 * self.uniform() - 1.0, 2.0 * self.uniform() - 1.0);
            let square = a * a + b * b;
            if square < 1.0 && square != 0.0 {
                let factor = (-2.0 * square.ln() / square).sqrt();
                self.spare_normal = Some(factor * a);
                return factor * b;
            }
        }
    }

    fn shuffle(&mut self, numbers: &mut [usize]) {
        for last in (1..numbers.len()).rev() {
            let mask = u32::MAX >> (last as u32).leading_zeros();
            let mut place = u32::MAX;
            while place as usize > last {
                place = self.twister.next_u32() & mask;
            }
            numbers.swap(last, place as usize);
        }
    }
}

/// `make_blobs(n_samples, centers=centers, cluster_std=1, random_state=seed)`.
pub(crate) fn make_blobs(n_samples: usize, centers: &Array2<f64>, seed: u32) -> (Array2<f64>, Array1<usize>) {
    let mut random = RandomState::new(seed);
    let k = centers.nrows();
    let label = |row: usize| {
        let ends = (0..k).scan(0, |end, c| {
            *end += n_samples / k + usize::from(c < n_samples % k);
            Some(*end)
        });
        ends.filter(|end| row >= *end).count()
    };
    let rows = Array2::from_shape_fn((n_samples, centers.ncols()), |(row, feature)| {
        centers[[label(row), feature]] + random.normal()
    });
    let mut order: Vec<usize> = (0..n_samples).collect();
    random.shuffle(&mut order);
    (rows.select(axonal::ndarray::Axis(0), &order), order.iter().map(|&row| label(row)).collect())
}

/// The rows that scikit-learn's greedy k-means++ chooses, by the plainest code there is.
pub(crate) fn kmeans_plusplus(x: ArrayView2<'_, f64>, n_clusters: usize, seed: u32) -> Vec<usize> {
    let mut random = RandomState::new(seed);
    let n = x.nrows();
    let to = |center: usize| -> Vec<f64> {
        x.rows().into_iter().map(|row| (&row - &x.row(center)).mapv(|v| v * v).sum()).collect()
    };
    let nearer = |a: &[f64], b: &[f64]| -> Vec<f64> { a.iter().zip(b).map(|(a, b)| a.min(*b)).collect() };
    let first = ((random.uniform() * n as f64) as usize).min(n - 1);
    let (mut chosen, mut closest) = (vec![first], to(first));
    while chosen.len() < n_clusters {
        let potential: f64 = closest.iter().sum();
        let trials: Vec<f64> =
            (0..2 + (n_clusters as f64).ln() as usize).map(|_| random.uniform() * potential).collect();
        let running: Vec<f64> = closest
            .iter()
            .scan(0.0, |sum, d| {
                *sum += d;
                Some(*sum)
            })
            .collect();
        let mut best: Option<(f64, usize, Vec<f64>)> = None;
        for target in trials {
            let candidate = running.partition_point(|sum| *sum < target).min(n - 1);
            let left = nearer(&closest, &to(candidate));
            let sum: f64 = left.iter().sum();
            if best.as_ref().is_none_or(|(least, ..)| sum < *least) {
                best = Some((sum, candidate, left));
            }
        }
        let (_, candidate, left) = best.unwrap();
        chosen.push(candidate);
        closest = left;
    }
    chosen
}
