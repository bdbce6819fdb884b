//! Decimal numbers as written, compared digit by digit.

use std::cmp::Ordering;
use std::fmt;

/// A decimal number of any number of digits: 0.d₁d₂d₃… · 10^magnitude.
///
/// Numbers that are equal are equal as values: 1, +1.0 and 10e-1 are one, and so are 0 and −0.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Decimal {
    negative: bool,
    magnitude: i64,
    /// Without leading or trailing zeros; none for zero.
    digits: Box<[u8]>,
}

impl Decimal {
    /// A number as text, which a parser of floats has accepted; `decimal` is the decimal point or comma.
    pub(super) fn of(text: &str, decimal: u8) -> Self {
        let text = text.trim();
        let (number, exponent) = text.split_once(['e', 'E']).unwrap_or((text, "0"));
        let negative = number.starts_with('-');
        let (whole, fraction) = number.split_once(char::from(decimal)).unwrap_or((number, ""));
        let whole = whole.trim_start_matches(['-', '+', '0']);
        let is_negative_exponent = exponent.starts_with('-');
        let exponent =
            exponent.parse().unwrap_or(if is_negative_exponent { i64::MIN / 2 } else { i64::MAX / 2 });
        let mut digits = format!("{whole}{fraction}");
        let mut magnitude = exponent.saturating_add_unsigned(whole.len() as u64);
        let n_zeros = digits.len() - digits.trim_start_matches('0').len();
        digits.drain(..n_zeros);
        magnitude = magnitude.saturating_sub_unsigned(n_zeros as u64);
        digits.truncate(digits.trim_end_matches('0').len());
        if digits.is_empty() {
            return Self { negative: false, magnitude: 0, digits: Box::default() };
        }
        Self { negative, magnitude, digits: digits.into_bytes().into() }
    }

    /// How many significant digits it has.
    #[cfg(feature = "csv")]
    pub(super) fn n_digits(&self) -> usize {
        self.digits.len()
    }

    /// Whether it is an integer.
    #[cfg(feature = "csv")]
    pub(super) fn is_integer(&self) -> bool {
        self.magnitude >= self.digits.len() as i64
    }

    fn compare_absolute(&self, other: &Self) -> Ordering {
        match (self.digits.is_empty(), other.digits.is_empty()) {
            (false, false) => {}
            (left, right) => return right.cmp(&left),
        }
        self.magnitude.cmp(&other.magnitude).then_with(|| self.digits.cmp(&other.digits))
    }
}

impl Ord for Decimal {
    fn cmp(&self, other: &Self) -> Ordering {
        match (self.negative, other.negative) {
            (true, true) => other.compare_absolute(self),
            (false, false) => self.compare_absolute(other),
            (negative, _) => other.negative.cmp(&negative),
        }
    }
}

impl PartialOrd for Decimal {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

/// A number of more zeros is written with an exponent.
const MOST_ZEROS: u64 = 40;

/// All digits, without trailing zeros behind the point.
impl fmt::Display for Decimal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let digits = std::str::from_utf8(&self.digits).map_err(|_| fmt::Error)?;
        if self.negative {
            f.write_str("-")?;
        }
        match usize::try_from(self.magnitude) {
            _ if digits.is_empty() => f.write_str("0"),
            _ if self.magnitude.unsigned_abs() > MOST_ZEROS => {
                let (first, rest) = digits.split_at(1);
                let point = if rest.is_empty() { "" } else { "." };
                write!(f, "{first}{point}{rest}e{}", self.magnitude.saturating_sub(1))
            }
            Ok(0) | Err(_) => {
                let zeros = usize::try_from(self.magnitude.unsigned_abs()).unwrap_or(0);
                write!(f, "0.{:0<zeros$}{digits}", "")
            }
            Ok(magnitude) if magnitude >= digits.len() => write!(f, "{digits:0<magnitude$}"),
            Ok(magnitude) => {
                let (whole, fraction) = digits.split_at(magnitude);
                write!(f, "{whole}.{fraction}")
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_number_in_many_forms_is_one_decimal() {
        let forms: [(&[&str], &str); 8] = [
            (&["0", "-0", "+0.000", "0e7", "-.0"], "0"),
            (&["1", "+1.0", "01", "1e0", "10e-1", "0.1E1", "1."], "1"),
            (&["-12.5", "-0012.500", "-125e-1"], "-12.5"),
            (&["0.001", ".001", "1e-3", "10E-4"], "0.001"),
            (&["16777217", "16777217.0", "1.6777217e7"], "16777217"),
            (&["1000", "1e3", "1000.00"], "1000"),
            (&["0.10000000149011612", "1.0000000149011612e-1"], "0.10000000149011612"),
            (&["123456789012345678901234567890"], "123456789012345678901234567890"),
        ];
        for (texts, shown) in forms {
            for text in texts {
                assert_eq!(Decimal::of(text, b'.').to_string(), shown, "{text}");
                assert_eq!(Decimal::of(text, b'.'), Decimal::of(texts[0], b'.'), "{text}");
            }
        }
        assert_eq!(Decimal::of("-1,25", b',').to_string(), "-1.25");
        assert_eq!(Decimal::of("-12.5e300", b'.').to_string(), "-1.25e301");
        assert_eq!(Decimal::of("0.1e-400", b'.').to_string(), "1e-401");
        assert!(Decimal::of("1e-999999999999999999999999", b'.').to_string().len() < 40);
    }

    #[test]
    fn decimals_are_ordered_as_numbers() {
        let ascending = [
            "-1e300",
            "-123",
            "-12.5",
            "-12.45",
            "-1",
            "-0.5",
            "-0.05",
            "0",
            "1e-300",
            "0.05",
            "0.0500001",
            "0.5",
            "0.51",
            "1",
            "1.5",
            "2",
            "9.99",
            "10",
            "10.1",
            "99",
            "100",
            "16777216",
            "16777217",
            "1e300",
        ];
        for (i, a) in ascending.iter().enumerate() {
            for (j, b) in ascending.iter().enumerate() {
                assert_eq!(Decimal::of(a, b'.').cmp(&Decimal::of(b, b'.')), i.cmp(&j), "{a} {b}");
            }
        }
    }
}
