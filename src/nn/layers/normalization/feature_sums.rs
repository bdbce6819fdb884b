//! Sums over a batch by feature, and maps with one set of values for each feature.

use super::super::Runs;
use crate::float::{Float, scaled};
use crate::nn::layer::Mask;
use crate::simd::vectorize;

/// The mask of a batch, with the sample length.
#[derive(Clone, Copy)]
pub(super) struct Real<'a> {
    pub(super) mask: Mask<'a>,
    pub(super) columns: usize,
}

impl Real<'_> {
    /// Whether the number at this place of the batch is real.
    pub(super) fn at(&self, index: usize) -> bool {
        let (sample, place) = (index / self.columns, index % self.columns);
        self.mask.is_valid(sample, place * self.mask.positions() / self.columns)
    }
}

/// For each feature 1 over how many numbers it has in an array of this length; 0 where all are padding.
pub(super) fn shares_of<F: Float>(real: Option<Real<'_>>, len: usize, runs: Runs, shares: &mut [F]) {
    let Some(real) = real else { return shares.fill(F::one() / F::of((len / runs.length) as f64)) };
    shares.fill(F::zero());
    for index in (0..len).filter(|&index| real.at(index)) {
        shares[index / runs.inner % runs.length] += F::one();
    }
    for share in shares.iter_mut().filter(|share| **share > F::zero()) {
        *share = F::one() / *share;
    }
}

/// Two arrays of one layout, to be summed by feature.
pub(super) struct Sums<'a, F> {
    pub(super) runs: Runs,
    pub(super) a: &'a [F],
    pub(super) b: &'a [F],
    /// What is real, where something is not; the rest is passed over.
    pub(super) real: Option<Real<'a>>,
}

impl<F: Float> Sums<'_, F> {
    /// Mean and standard deviation of a feature of `a` whose squares or sums the type cannot hold.
    #[cold]
    pub(super) fn moments_of_extremes(&self, feature: usize) -> (f64, f64) {
        let Runs { length, inner } = self.runs;
        let starts = (feature * inner..self.a.len()).step_by(length * inner);
        let indices = starts.flat_map(|start| start..start + inner);
        let values = indices.filter(|&index| self.real.is_none_or(|real| real.at(index)));
        scaled::mean_and_deviation(values.map(|index| self.a[index].as_f64()).collect())
    }

    /// For each feature `Σ term(a, b, p, q)`, with `p` and `q` the feature's own numbers. Blocks of rows are
    /// summed by themselves, which keeps the rounding small.
    pub(super) fn of(
        &self,
        [p, q]: [&[F]; 2],
        sums: &mut [F],
        partial: &mut [F],
        term: impl Fn(F, F, F, F) -> F,
    ) {
        const BLOCK: usize = 128;
        let Runs { length, inner } = self.runs;
        sums.fill(F::zero());
        if let Some(real) = self.real {
            let numbers = self.a.iter().zip(self.b).enumerate();
            for (index, (&a, &b)) in numbers.filter(|(index, _)| real.at(*index)) {
                let feature = index / inner % length;
                sums[feature] += term(a, b, p[feature], q[feature]);
            }
            return;
        }
        if inner > 1 {
            for (run, (a, b)) in self.a.chunks_exact(inner).zip(self.b.chunks_exact(inner)).enumerate() {
                let feature = run % length;
                sums[feature] += super::sum_of(a, b, |a, b| term(a, b, p[feature], q[feature]));
            }
            return;
        }
        vectorize(
            #[inline(always)]
            || {
                for (a, b) in self.a.chunks(BLOCK * length).zip(self.b.chunks(BLOCK * length)) {
                    partial.fill(F::zero());
                    for (a, b) in a.chunks_exact(length).zip(b.chunks_exact(length)) {
                        let numbers = a.iter().zip(b).zip(p.iter().zip(q));
                        for (sum, ((&a, &b), (&p, &q))) in partial.iter_mut().zip(numbers) {
                            *sum += term(a, b, p, q);
                        }
                    }
                    sums.iter_mut().zip(&*partial).for_each(|(sum, &partial)| *sum += partial);
                }
            },
        );
    }
}

/// `to = term(a, b, the feature's numbers)`, for every number of two arrays of one layout.
pub(super) fn map<F: Float, const N: usize>(
    runs: Runs,
    a: &[F],
    b: &[F],
    to: &mut [F],
    numbers: [&[F]; N],
    term: impl Fn(F, F, [F; N]) -> F,
) {
    let Runs { length, inner } = runs;
    vectorize(
        #[inline(always)]
        || {
            if inner > 1 {
                let runs = to.chunks_exact_mut(inner).zip(a.chunks_exact(inner).zip(b.chunks_exact(inner)));
                for (run, (to, (a, b))) in runs.enumerate() {
                    let numbers = numbers.map(|numbers| numbers[run % length]);
                    to.iter_mut().zip(a.iter().zip(b)).for_each(|(to, (&a, &b))| *to = term(a, b, numbers));
                }
                return;
            }
            let numbers = numbers.map(|numbers| &numbers[..length]);
            let rows = to.chunks_exact_mut(length).zip(a.chunks_exact(length).zip(b.chunks_exact(length)));
            for (to, (a, b)) in rows {
                for (feature, (to, (&a, &b))) in to.iter_mut().zip(a.iter().zip(b)).enumerate() {
                    *to = term(a, b, numbers.map(|numbers| numbers[feature]));
                }
            }
        },
    );
}
