//! The buffers by which the threads of a group exchange values.
//!
//! Each rank writes its values into its own slot; after a barrier every rank may read all slots. There are two sets of slots,
//! used in alternation: a rank that has passed the barrier may begin the next exchange while a slower one still reads.
//!
//! Few values are reduced by every rank for itself. Of many values each rank reduces one part, and all collect the parts
//! after a second barrier:
//!
//! ```text
//! rank 0   write slot 0 | barrier | parts[0] = slot 0 + slot 1, first half  | barrier | values = parts[0], parts[1]
//! rank 1   write slot 1 | barrier | parts[1] = slot 0 + slot 1, second half | barrier | values = parts[0], parts[1]
//! ```
//!
//! Either way an element is reduced in the order of the ranks, so the bits are those of one rank that reduces all.

use super::Reduction;
use super::barrier::Barrier;
use crate::error::Result;
use std::sync::{PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard};

/// The number of values from which ranks reduce parts.
const MIN_VALUES_FOR_PARTS: usize = 4096;

/// A value that can be reduced.
pub(super) trait Element: Copy + Default {
    fn reduce(self, other: Self, reduction: Reduction) -> Self;
}

macro_rules! element {
    ($type:ty, $add:expr, $is_nan:expr) => {
        impl Element for $type {
            fn reduce(self, other: Self, reduction: Reduction) -> Self {
                match reduction {
                    Reduction::Sum => $add(self, other),
                    _ if $is_nan(self) => self,
                    _ if $is_nan(other) => other,
                    Reduction::Min => self.min(other),
                    Reduction::Max => self.max(other),
                }
            }
        }
    };
}

element!(f32, |a: f32, b: f32| a + b, f32::is_nan);
element!(f64, |a: f64, b: f64| a + b, f64::is_nan);
element!(i64, i64::wrapping_add, |_| false);
element!(u64, u64::wrapping_add, |_| false);

/// The slots of one element type.
#[derive(Debug)]
pub(super) struct Exchange<T> {
    slots: [Vec<RwLock<Vec<T>>>; 2],
    parts: Vec<RwLock<Vec<T>>>,
}

/// A panic of another rank leaves the values whole; the barrier reports it.
fn read<T>(lock: &RwLock<Vec<T>>) -> RwLockReadGuard<'_, Vec<T>> {
    lock.read().unwrap_or_else(PoisonError::into_inner)
}

fn write<T>(lock: &RwLock<Vec<T>>) -> RwLockWriteGuard<'_, Vec<T>> {
    lock.write().unwrap_or_else(PoisonError::into_inner)
}

impl<T: Copy + Default> Exchange<T> {
    pub(super) fn new(size: usize) -> Self {
        let slots = || (0..size).map(|_| RwLock::default()).collect();
        Self { slots: [slots(), slots()], parts: slots() }
    }

    /// Writes the values of a rank; to be read behind the next barrier.
    pub(super) fn put(&self, set: usize, rank: usize, values: &[T]) {
        let mut slot = write(&self.slots[set][rank]);
        slot.clear();
        slot.extend_from_slice(values);
    }

    /// The first rank whose values are not those of rank 0.
    pub(super) fn first_difference(&self, set: usize) -> Option<usize>
    where
        T: PartialEq,
    {
        let slots = &self.slots[set];
        let first = read(slots.first()?);
        (1..slots.len()).find(|&rank| *read(&slots[rank]) != *first)
    }

    /// The values of every rank.
    pub(super) fn all(&self, set: usize) -> Vec<Vec<T>> {
        self.slots[set].iter().map(|slot| read(slot).clone()).collect()
    }
}

impl<T: Element> Exchange<T> {
    /// Reduces what all ranks have [`put`](Self::put), as many values each, into `values`.
    pub(super) fn reduce(
        &self,
        set: usize,
        rank: usize,
        barrier: &Barrier,
        reduction: Reduction,
        values: &mut [T],
    ) -> Result<()> {
        let slots = &self.slots[set];
        if values.len() < MIN_VALUES_FOR_PARTS {
            reduce_slots(slots, 0, reduction, values);
            return Ok(());
        }
        let len = values.len().div_ceil(slots.len());
        {
            let mut part = write(&self.parts[rank]);
            let start = (rank * len).min(values.len());
            part.resize(len.min(values.len() - start), T::default());
            reduce_slots(slots, start, reduction, &mut part);
        }
        barrier.wait()?;
        for (values, part) in values.chunks_mut(len).zip(&self.parts) {
            values.copy_from_slice(&read(part)[..values.len()]);
        }
        Ok(())
    }
}

/// Reduces the values of all slots from index `start` on, in the order of the ranks.
fn reduce_slots<T: Element>(slots: &[RwLock<Vec<T>>], start: usize, reduction: Reduction, values: &mut [T]) {
    for (rank, slot) in slots.iter().enumerate() {
        let slot = read(slot);
        let slot = &slot[start..][..values.len()];
        match (rank, reduction) {
            (0, _) => values.copy_from_slice(slot),
            // A separate loop, which the compiler vectorizes.
            (_, Reduction::Sum) => {
                values.iter_mut().zip(slot).for_each(|(v, &other)| *v = v.reduce(other, Reduction::Sum));
            }
            _ => values.iter_mut().zip(slot).for_each(|(v, &other)| *v = v.reduce(other, reduction)),
        }
    }
}
