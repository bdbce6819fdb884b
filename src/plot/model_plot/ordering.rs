//! The order of the vertices within their ranks, for few crossings: sweeps by barycenters, then exchanges of neighbors.

use super::layering::Layering;

/// Sweeps over all ranks, down and up in turns.
const SWEEPS: usize = 16;

/// Orders each rank; the order with the fewest crossings is kept, of several the first.
pub(super) fn reduce_crossings(layering: &mut Layering) {
    let mut best = (crossings(layering), layering.ranks.clone());
    let mut places = layering.places();
    for sweep in 0..SWEEPS {
        if best.0 == 0 {
            break;
        }
        let last = layering.ranks.len().saturating_sub(1);
        for step in 1..=last {
            let rank = if sweep % 2 == 0 { step } else { last - step };
            sort_by_barycenter(layering, rank, sweep % 2 == 0, &mut places);
        }
        exchange_neighbors(layering, &mut places);
        let n = crossings(layering);
        if n < best.0 {
            best = (n, layering.ranks.clone());
        }
    }
    layering.ranks = best.1;
}

/// Sorts a rank by the mean places of the vertices to which each is connected in the rank before, or in the next one.
fn sort_by_barycenter(layering: &mut Layering, rank: usize, from_above: bool, places: &mut [usize]) {
    let neighbors = if from_above { &layering.above } else { &layering.below };
    let barycenter = |vertex: usize| {
        let sum: usize = neighbors[vertex].iter().map(|&other| places[other]).sum();
        match neighbors[vertex].len() {
            0 => places[vertex] as f64,
            n => sum as f64 / n as f64,
        }
    };
    let mut keyed: Vec<(f64, usize)> = layering.ranks[rank].iter().map(|&v| (barycenter(v), v)).collect();
    keyed.sort_by(|a, b| a.0.total_cmp(&b.0));
    layering.ranks[rank] = keyed.into_iter().map(|(_, vertex)| vertex).collect();
    layering.ranks[rank].iter().enumerate().for_each(|(place, &vertex)| places[vertex] = place);
}

/// Exchanges neighbors of a rank where that removes crossings.
fn exchange_neighbors(layering: &mut Layering, places: &mut [usize]) {
    for rank in 0..layering.ranks.len() {
        for left in 1..layering.ranks[rank].len() {
            let (a, b) = (layering.ranks[rank][left - 1], layering.ranks[rank][left]);
            let between = |first: &[usize], second: &[usize]| -> usize {
                first.iter().map(|&u| second.iter().filter(|&&v| places[v] < places[u]).count()).sum()
            };
            let of = |a: usize, b: usize| {
                between(&layering.above[a], &layering.above[b])
                    + between(&layering.below[a], &layering.below[b])
            };
            if of(b, a) < of(a, b) {
                layering.ranks[rank].swap(left - 1, left);
                places.swap(a, b);
            }
        }
    }
}

/// The number of crossings between all pairs of neighboring ranks.
pub(super) fn crossings(layering: &Layering) -> usize {
    let places = layering.places();
    let mut n = 0;
    for rank in &layering.ranks {
        // The places in the next rank, of the connections so far.
        let mut reached: Vec<usize> = Vec::new();
        for &vertex in rank {
            let mut ends: Vec<usize> = layering.below[vertex].iter().map(|&other| places[other]).collect();
            ends.sort_unstable();
            n += ends
                .iter()
                .map(|end| reached.len() - reached.partition_point(|other| other <= end))
                .sum::<usize>();
            reached.extend(ends);
            reached.sort_unstable();
        }
    }
    n
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn crossings_are_counted_and_removed() {
        // Two inputs, each read by the layer under the other one.
        let mut layering = Layering::of(&[(0, 3), (1, 2), (2, 4), (3, 4)], 5).unwrap();
        assert_eq!((crossings(&layering), &layering.ranks[1]), (1, &vec![2, 3]));
        reduce_crossings(&mut layering);
        assert_eq!(crossings(&layering), 0);
        // All of three to all of three.
        let all: Vec<_> = (0..9).map(|i| (i / 3, 3 + i % 3)).collect();
        let mut layering = Layering::of(&all, 6).unwrap();
        reduce_crossings(&mut layering);
        assert_eq!(crossings(&layering), 9);
    }
}
