//! Numbers that lose digits as floats, as written: they become class names.

use super::decimal::Decimal;
use crate::float::Float;
use ndarray::ArrayView1;
use std::collections::{BTreeMap, HashMap};

/// The decimal numbers of a column that its values do not tell: `F` has rounded them.
///
/// 16777216 and 16777217 are two class labels and one `f32`. Only numbers of more digits than `F` always keeps
/// ([`Number::long`](super::number::Number::long)) come here, and of these only as many different ones as classes
/// may have: columns of measurements are given up soon.
#[derive(Debug, Clone, PartialEq, Default)]
pub(super) struct Labels {
    /// By the bits of a value: the number that its rows have, where they are not exceptions.
    usual: HashMap<u64, Usual>,
    /// Rows with another number, ascending, and the position of that number in `others`.
    exceptions: Vec<(usize, usize)>,
    others: BTreeMap<Decimal, usize>,
    /// The column's name.
    column: String,
    /// Of the column's values, where there are exceptions: rows must not have moved.
    fingerprint: u64,
    given_up: bool,
}

#[derive(Debug, Clone, PartialEq)]
struct Usual {
    /// As it was written first.
    text: Box<str>,
    number: Decimal,
}

/// More different long numbers than this are measurements.
#[cfg(feature = "csv")]
const MOST_LABELS: usize = 1 << 12;
/// More exceptions than this would take memory that the table itself does not.
#[cfg(feature = "csv")]
const MOST_EXCEPTIONS: usize = 1 << 20;
/// A longer text is not a label.
#[cfg(feature = "csv")]
const MOST_BYTES: usize = 64;

impl Labels {
    /// The column's name.
    pub(super) fn column(&self) -> &str {
        &self.column
    }

    /// Whether there were too many long numbers to keep.
    pub(super) fn given_up(&self) -> bool {
        self.given_up
    }

    /// Notes the long number of a row.
    #[cfg(feature = "csv")]
    pub(super) fn note<F: Float>(&mut self, row: usize, value: F, text: &str, decimal: u8) {
        if self.given_up {
            return;
        }
        if text.len() > MOST_BYTES
            || self.usual.len() + self.others.len() >= MOST_LABELS
            || self.exceptions.len() >= MOST_EXCEPTIONS
        {
            *self = Self { given_up: true, ..Self::default() };
            return;
        }
        let usual = self.usual.get(&bits(value));
        if usual.is_some_and(|usual| &*usual.text == text) {
            return;
        }
        let number = Decimal::of(text, decimal);
        let usual = usual.map(|usual| usual.number == number);
        let is_usual = usual.unwrap_or_else(|| {
            let shortest = Decimal::of(&value.to_string(), b'.');
            // Other rows may have the shortest number without coming here.
            let kept = if is_short(value, &shortest) { shortest } else { number.clone() };
            let is_usual = kept == number;
            self.usual.insert(bits(value), Usual { text: text.into(), number: kept });
            is_usual
        });
        if !is_usual {
            let next = self.others.len();
            self.exceptions.push((row, *self.others.entry(number).or_insert(next)));
        }
    }

    /// Notes what the column holds, now that it is complete.
    #[cfg(feature = "csv")]
    pub(super) fn complete<F: Float>(&mut self, name: &str, column: &ArrayView1<'_, F>) {
        self.column = name.into();
        self.fingerprint = if self.exceptions.is_empty() { 0 } else { fingerprint(column) };
    }

    /// Whether these are the labels of the column, as far as they depend on its rows.
    pub(super) fn fit<F: Float>(&self, column: &ArrayView1<'_, F>) -> bool {
        self.exceptions.is_empty() || self.fingerprint == fingerprint(column)
    }

    /// The labels of these rows of a column, whose values they have now.
    pub(super) fn select<F: Float>(&self, rows: &[usize], column: &ArrayView1<'_, F>) -> Self {
        let code = |(new, row): (usize, &usize)| {
            let found = self.exceptions.binary_search_by_key(row, |(exception, _)| *exception).ok()?;
            Some((new, self.exceptions[found].1))
        };
        let exceptions: Vec<_> = rows.iter().enumerate().filter_map(code).collect();
        let fingerprint = if exceptions.is_empty() { 0 } else { fingerprint(column) };
        Self { exceptions, fingerprint, ..self.clone() }
    }

    /// The number of the rows with a value that are no exceptions.
    pub(super) fn usual<F: Float>(&self, value: F) -> Decimal {
        match self.usual.get(&bits(value)) {
            Some(usual) => usual.number.clone(),
            None => Decimal::of(&value.to_string(), b'.'),
        }
    }

    /// The numbers of the exceptions, ascending, each with its code.
    pub(super) fn others(&self) -> impl Iterator<Item = (&Decimal, usize)> {
        self.others.iter().map(|(number, code)| (number, *code))
    }

    /// The rows that are exceptions, ascending, each with the code of its number.
    pub(super) fn exceptions(&self) -> &[(usize, usize)] {
        &self.exceptions
    }
}

/// The bits of a value; both zeros are one.
fn bits<F: Float>(value: F) -> u64 {
    (value.as_f64() + 0.0).to_bits()
}

/// Whether a number that is not long may have rounded to this value, whose shortest decimal form is given.
#[cfg(feature = "csv")]
fn is_short<F: Float>(value: F, shortest: &Decimal) -> bool {
    let (n_digits, largest) =
        if size_of::<F>() == 4 { (6, 16_777_216.0) } else { (15, 9_007_199_254_740_992.0) };
    shortest.n_digits() <= n_digits || (shortest.is_integer() && value.as_f64().abs() <= largest)
}

/// A hash of the values of a column in their order (FNV-1a).
fn fingerprint<F: Float>(column: &ArrayView1<'_, F>) -> u64 {
    column
        .iter()
        .fold(0xcbf2_9ce4_8422_2325, |hash, value| (hash ^ bits(*value)).wrapping_mul(0x100_0000_01b3))
}
