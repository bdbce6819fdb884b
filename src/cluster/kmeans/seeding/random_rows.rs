//! Distinct rows at random, in proportion to their weights.

use crate::cluster::kmeans::ranks::Ranks;
use crate::cluster::kmeans::samples::Samples;
use crate::error::{Error, Result};
use crate::float::Float;
use crate::rng::Rng;
use std::collections::HashMap;

/// Draws distinct rows of all ranks, one after the other in proportion to the weights of the remaining ones.
pub(crate) fn sample<F: Float>(
    (samples, ranks): (&Samples<'_, F>, &Ranks<'_>),
    n_clusters: usize,
    rng: &mut Rng,
) -> Result<Vec<usize>> {
    let Some(weights) = samples.weights else {
        return Ok(sample_without_replacement(ranks.n_rows(), n_clusters, rng));
    };
    let with_weight = || weights.iter().enumerate().filter(|(_, w)| **w > F::zero());
    let (before, count) = ranks.count_before(with_weight().count())?;
    check_count(count, n_clusters)?;
    // Each rank draws for its own rows.
    rng.skip(before);
    let keys = with_weight().map(|(row, w)| (key(*w, rng), ranks.first_row() + row));
    let keys = smallest_of_all(ranks, smallest(keys.collect(), n_clusters), n_clusters)?;
    Ok(keys.into_iter().map(|(_, row)| row).collect())
}

/// Refuses fewer rows with weight than clusters.
pub(crate) fn check_count(with_weight: usize, n_clusters: usize) -> Result<()> {
    if with_weight >= n_clusters {
        return Ok(());
    }
    let problem =
        format!("{with_weight} weights are above zero, random centers need n_clusters={n_clusters} of them");
    Err(Error::Weight { what: "sample_weight".into(), problem })
}

/// The key of a row of this weight, of which the smallest are drawn (Efraimidis and Spirakis 2006): the largest u^(1/w), here as
/// the smallest −ln(u)/w.
pub(crate) fn key<F: Float>(weight: F, rng: &mut Rng) -> f64 {
    -(1.0 - rng.uniform()).ln() / weight.as_f64()
}

/// The `count` smallest keys in order; of equal ones the first rows.
pub(crate) fn smallest(mut keys: Vec<(f64, usize)>, count: usize) -> Vec<(f64, usize)> {
    keys.sort_unstable_by(|a, b| a.0.total_cmp(&b.0).then(a.1.cmp(&b.1)));
    keys.truncate(count);
    keys
}

/// The `count` smallest keys of all ranks, of which `own` are those of this one.
fn smallest_of_all(ranks: &Ranks<'_>, own: Vec<(f64, usize)>, count: usize) -> Result<Vec<(f64, usize)>> {
    if ranks.size() == 1 {
        return Ok(own);
    }
    let first = ranks.rank() * count;
    let (mut keys, mut rows) = (vec![0.0; ranks.size() * count], vec![0; ranks.size() * count]);
    for (place, (key, row)) in (first..).zip(own) {
        // A row of 0 says that a place is not used.
        (keys[place], rows[place]) = (key, row + 1);
    }
    ranks.combine(&mut keys)?;
    ranks.combine_rows(&mut rows)?;
    let found = keys.into_iter().zip(rows).filter_map(|(key, row)| Some((key, row.checked_sub(1)?)));
    Ok(smallest(found.collect(), count))
}

/// Draws `count` of the numbers below `n`, in the order of drawing (Floyd's method would sort them).
pub(crate) fn sample_without_replacement(n: usize, count: usize, rng: &mut Rng) -> Vec<usize> {
    let count = count.min(n);
    if count > n / 16 {
        let mut numbers: Vec<usize> = (0..n).collect();
        for place in 0..count {
            numbers.swap(place, place + rng.below(n - place));
        }
        numbers.truncate(count);
        return numbers;
    }
    // The same swaps in a list of which only the places that were swapped are kept.
    let mut swapped: HashMap<usize, usize> = HashMap::with_capacity(2 * count);
    let draw = |place: usize| {
        let other = place + rng.below(n - place);
        let own = swapped.get(&place).copied().unwrap_or(place);
        swapped.insert(other, own).unwrap_or(other)
    };
    (0..count).map(draw).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rng::Purpose;

    #[test]
    fn random_rows_are_distinct_and_never_weightless() {
        let x: Vec<f64> = (0..50).map(f64::from).collect();
        let weights: Vec<f64> = (0..50).map(|row| f64::from(row % 2)).collect();
        for weights in [None, Some(weights.as_slice())] {
            let samples = Samples { values: &x, n_features: 1, weights };
            for seed in 0..20 {
                let mut rng = Rng::new(seed, Purpose::Clustering, 0);
                let mut rows = sample((&samples, &Ranks::alone(50)), 20, &mut rng).unwrap();
                assert!(weights.is_none() || rows.iter().all(|row| row % 2 == 1));
                rows.sort_unstable();
                rows.dedup();
                assert_eq!(rows.len(), 20);
            }
        }
    }

    #[test]
    fn heavier_rows_are_likelier_to_be_drawn() {
        let samples = Samples { values: &[0.0, 1.0], n_features: 1, weights: Some(&[1.0, 3.0]) };
        let is_heavy = |&seed: &u64| {
            let mut rng = Rng::new(seed, Purpose::Clustering, 0);
            sample((&samples, &Ranks::alone(2)), 1, &mut rng).unwrap() == [1]
        };
        let heavy = (0..4000).filter(is_heavy).count();
        assert!(heavy.abs_diff(3000) < 120, "{heavy}");
    }

    #[test]
    fn few_numbers_are_drawn_as_from_a_list_of_all() {
        for (n, count) in [(1, 1), (5, 9), (40, 40), (1000, 3), (1000, 60), (100_000, 500)] {
            let rng = || Rng::new(n as u64, Purpose::Other, count as u64);
            let mut from_list: Vec<usize> = (0..n).collect();
            let mut other = rng();
            for place in 0..count.min(n) {
                from_list.swap(place, place + other.below(n - place));
            }
            from_list.truncate(count);
            assert_eq!(sample_without_replacement(n, count, &mut rng()), from_list, "{count} of {n}");
        }
    }
}
