//! The codes that the assignment kernel writes for each row, and labels made of them.
//!
//! The kernel adds [`SINGLE`] + j for each center j within the margin of the smallest score. A single center gives a number
//! from `SINGLE` to [`SEVERAL`], which any [`Float`] holds exactly; everything else marks a row to compare directly.

use crate::float::Float;
use crate::simd::vectorize;

/// The label of a row that has none yet.
pub(crate) const NO_LABEL: u32 = u32::MAX;

/// A row whose label changed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Reassigned {
    pub(crate) row: u32,
    /// The label before, maybe [`NO_LABEL`].
    pub(crate) from: u32,
}

/// 2²³
pub(crate) const SINGLE: f64 = UNDECIDED as f64;

/// 2²⁴; the kernel writes no larger number.
pub(crate) const SEVERAL: f64 = 2.0 * SINGLE;

/// The first cluster that the encoding cannot name: rows with this label or a larger one are compared directly.
pub(crate) const UNDECIDED: u32 = 1 << 23;

/// Decodes the cluster that the kernel found; [`UNDECIDED`] or more where it found several.
#[inline(always)]
pub(crate) fn decode<F: Float>(code: F) -> u32 {
    // SAFETY: an integer from 0 to 2²⁴: the kernel writes no other value, and buffers begin as zeros.
    #[allow(unsafe_code, reason = "a checked conversion is not vectorized")]
    let number = unsafe { code.as_f64().to_int_unchecked::<i32>() };
    number.cast_unsigned().wrapping_sub(UNDECIDED)
}

/// Writes the labels of rows. `compare_directly` decides an undecided row.
pub(crate) fn relabel<F: Float>(labels: &mut [u32], nearest: &[F], compare_directly: impl Fn(usize) -> u32) {
    let largest = vectorize(
        #[inline(always)]
        || {
            let mut largest = 0;
            for (label, nearest) in labels.iter_mut().zip(nearest) {
                *label = decode(*nearest);
                largest = largest.max(*label);
            }
            largest
        },
    );
    if largest >= UNDECIDED {
        let undecided = labels.iter_mut().enumerate().filter(|(_, label)| **label >= UNDECIDED);
        undecided.for_each(|(place, label)| *label = compare_directly(place));
    }
}

/// As [`relabel`] for the rows from `first` on; records those whose label changes.
pub(crate) fn relabel_and_record<F: Float>(
    labels: &mut [u32],
    nearest: &[F],
    first: u32,
    reassigned: &mut Vec<Reassigned>,
    compare_directly: impl Fn(usize) -> u32,
) {
    /// Labels that are compared together: the common case, no change, is one branch for all.
    const LABELS: usize = 32;
    vectorize(
        #[inline(always)]
        || {
            let (many, few) = labels.as_chunks_mut::<LABELS>();
            let (many_nearest, few_nearest) =
                nearest[..many.len() * LABELS + few.len()].as_chunks::<LABELS>();
            let first_of_few = many.len() * LABELS;
            for (start, (labels, nearest)) in (0..).step_by(LABELS).zip(many.iter_mut().zip(many_nearest)) {
                let (mut found, mut differ) = ([0; LABELS], [0; LABELS]);
                for place in 0..LABELS {
                    found[place] = decode(nearest[place]);
                    differ[place] = u8::from(found[place] != labels[place]);
                }
                if differ == [0; LABELS] {
                    continue;
                }
                if found.iter().fold(0, |largest, found| largest.max(*found)) >= UNDECIDED {
                    for (place, found) in
                        found.iter_mut().enumerate().filter(|(_, found)| **found >= UNDECIDED)
                    {
                        *found = compare_directly(start + place);
                        differ[place] = u8::from(*found != labels[place]);
                    }
                }
                for (index, eight) in differ.as_chunks::<8>().0.iter().enumerate() {
                    let mut eight = u64::from_le_bytes(*eight);
                    while eight != 0 {
                        let place = 8 * index + eight.trailing_zeros() as usize / 8;
                        reassigned
                            .push(Reassigned { row: first + (start + place) as u32, from: labels[place] });
                        eight &= eight - 1;
                    }
                }
                *labels = found;
            }
            for (place, (label, nearest)) in (first_of_few..).zip(few.iter_mut().zip(few_nearest)) {
                let found = decode(*nearest);
                let to = if found < UNDECIDED { found } else { compare_directly(place) };
                let from = std::mem::replace(label, to);
                if from != to {
                    reassigned.push(Reassigned { row: first + place as u32, from });
                }
            }
        },
    );
}
