//! The module that splits work among threads, in a crate of its own that a sanitizer compiles in a minute.
//! `scripts/sanitize` writes the manifest and copies the module beside this file.
#![allow(dead_code, reason = "the rest of the crate is missing")]

mod parallel;

#[cfg(test)]
mod tests {
    use crate::parallel::thresholds::MIN_ELEMENTS_TO_FORK;
    use crate::parallel::*;
    use std::sync::atomic::{AtomicUsize, Ordering};

    /// More operations than any threshold of a fork.
    const OPS: usize = 1 << 30;

    /// Rounds of work in each pool.
    const ROUNDS: usize = 50;

    fn in_pools(work: impl Fn() + Sync) {
        for threads in [1, 2, 3, 4, 8] {
            let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
            pool.install(|| (0..ROUNDS).for_each(|_| work()));
        }
    }

    #[test]
    fn forks_in_a_hot_pool_write_to_their_own_items() {
        in_pools(|| {
            with_hot_pool(OPS, || {
                let mut items = vec![0_u64; 64];
                for step in 1..=5 {
                    for_each_split(OPS, &mut items, &|item| *item += step);
                }
                assert!(items.iter().all(|item| *item == 15));
            });
        });
    }

    #[test]
    fn joins_within_joins_end_and_see_each_others_results() {
        fn sum(values: &mut [u64]) -> u64 {
            if values.len() < 4 {
                return values.iter_mut().map(|value| std::mem::take(value)).sum();
            }
            let (left, right) = values.split_at_mut(values.len() / 2);
            let (mut first, mut second) = (0, 0);
            join(|| first = sum(left), || second = sum(right));
            first + second
        }
        in_pools(|| {
            with_hot_pool(OPS, || {
                let mut values: Vec<u64> = (0..100).collect();
                assert_eq!(sum(&mut values), 4950);
                assert_eq!(values, [0; 100]);
            });
        });
    }

    #[test]
    fn a_pool_that_cools_down_after_a_panic_works_again() {
        in_pools(|| {
            let panicked = std::panic::catch_unwind(|| {
                with_hot_pool(OPS, || join(|| (), || std::panic::resume_unwind(Box::new(7))));
            });
            assert!(panicked.is_err());
            let count = AtomicUsize::new(0);
            let add = || _ = count.fetch_add(1, Ordering::Relaxed);
            with_hot_pool(OPS, || join(add, add));
            assert_eq!(count.into_inner(), 2);
        });
    }

    #[test]
    fn workers_and_chunks_write_to_their_own_memory() {
        in_pools(|| {
            let mut items = [0; 5];
            let queue = AtomicUsize::new(0);
            on_each_worker(&mut items, &|item| {
                while queue.fetch_add(1, Ordering::Relaxed) < 40 {
                    *item += 1;
                }
            });
            assert_eq!(items.iter().sum::<usize>(), 40);
            let mut data = [0; 18];
            zip_chunks(MIN_ELEMENTS_TO_FORK, &mut items, &mut data, 4, |item, chunk| chunk.fill(*item));
            for_each(MIN_ELEMENTS_TO_FORK, &mut items, |item| *item = 1);
            assert_eq!(items, [1; 5]);
        });
    }
}
