//! Buffers with guard words around them.

/// A slice between guard words, which reveal writes before its beginning or past its end.
pub(super) struct Guarded {
    values: Vec<f64>,
}

/// Number of guard words on each side.
const GUARDS: usize = 16;

/// A NaN with a pattern that no computation produces.
const GUARD: u64 = 0x7ff8_5afe_c0de_b0a7;

impl Guarded {
    /// A slice of `len` numbers, all `fill`.
    pub(super) fn new(len: usize, fill: f64) -> Self {
        Self::of(&vec![fill; len])
    }

    /// A copy of a slice.
    pub(super) fn of(values: &[f64]) -> Self {
        let guards = [f64::from_bits(GUARD); GUARDS];
        Self { values: [&guards, values, &guards].concat() }
    }

    pub(super) fn get(&self) -> &[f64] {
        self.values.get(GUARDS..self.values.len() - GUARDS).unwrap_or_default()
    }

    pub(super) fn get_mut(&mut self) -> &mut [f64] {
        let end = self.values.len() - GUARDS;
        self.values.get_mut(GUARDS..end).unwrap_or_default()
    }

    /// Where somebody wrote outside, counted from the slice's beginning.
    pub(super) fn trespassed(&self) -> Option<isize> {
        let end = self.values.len() - GUARDS;
        let outside = (0..GUARDS).chain(end..self.values.len());
        let changed = outside.filter(|&index| self.values[index].to_bits() != GUARD);
        changed.map(|index| index.cast_signed() - GUARDS.cast_signed()).next()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_write_before_or_behind_the_slice_is_seen() {
        assert_eq!(Guarded::of(&[1.0, 2.0]).trespassed(), None);
        for (at, place) in [(GUARDS - 1, -1), (GUARDS + 2, 2)] {
            let mut guarded = Guarded::of(&[1.0, 2.0]);
            guarded.values[at] = 0.0;
            assert_eq!(guarded.trespassed(), Some(place));
            assert_eq!(guarded.get(), [1.0, 2.0]);
        }
    }
}
