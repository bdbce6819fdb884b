//! Decimal numbers as floats, correctly rounded, and fast for those of few digits.

use crate::float::Float;

/// A number at the beginning of some bytes.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Number<F> {
    pub(super) value: F,
    /// How many bytes it takes.
    pub(super) length: usize,
    /// Whether `F` may round another decimal number to the same value: more than 6 significant digits as `f32`, 15 as
    /// `f64`, but for small integers.
    pub(super) long: bool,
}

/// A field as a finite number; `decimal` is the decimal point or a decimal comma.
pub(super) fn parse<F: Float>(field: &[u8], decimal: u8) -> Option<Number<F>> {
    let prefix =
        if decimal == b',' { parse_prefix::<F, b','>(field) } else { parse_prefix::<F, b'.'>(field) };
    if let Some(number) = prefix.filter(|number| number.length == field.len()) {
        return Some(number);
    }
    let value = standard(std::str::from_utf8(field).ok()?.trim(), decimal)?;
    F::is_finite(value).then_some(Number { value, length: field.len(), long: true })
}

/// A number, finite or not, as the standard library reads it.
pub(super) fn standard<F: Float>(text: &str, decimal: u8) -> Option<F> {
    if decimal != b',' {
        return text.parse().ok();
    }
    if text.contains('.') { None } else { text.replacen(',', ".", 1).parse().ok() }
}

/// The plain number (sign, digits, decimal point, digits) that `bytes` begin with.
///
/// Where the digits and the power of ten are both exact as floats, one division gives the correctly rounded value
/// (W. D. Clinger, *How to read floating point numbers accurately*, 1990); other numbers go to the standard library.
#[inline]
pub(super) fn parse_prefix<F: Float, const DECIMAL: u8>(bytes: &[u8]) -> Option<Number<F>> {
    let sign = usize::from(matches!(bytes.first(), Some(b'-' | b'+')));
    let (mut mantissa, mut length) = (0_u64, sign);
    length += digits(&bytes[length..], &mut mantissa);
    let mut n_digits = length - sign;
    let mut n_decimals = 0;
    if bytes.get(length) == Some(&DECIMAL) {
        n_decimals = digits(&bytes[length + 1..], &mut mantissa);
        n_digits += n_decimals;
        length += 1 + n_decimals;
    }
    if n_digits == 0 {
        return None;
    }
    // 19 digits fit 64 bits.
    if n_digits <= 19
        && let Some((value, long)) = exact::<F>(mantissa, n_decimals)
    {
        let value = if bytes[0] == b'-' { -value } else { value };
        return Some(Number { value, length, long });
    }
    long_prefix(&bytes[..length], DECIMAL)
}

/// A number of more digits than [`exact`] takes.
#[cold]
fn long_prefix<F: Float>(bytes: &[u8], decimal: u8) -> Option<Number<F>> {
    let value = standard(std::str::from_utf8(bytes).ok()?, decimal)?;
    F::is_finite(value).then_some(Number { value, length: bytes.len(), long: true })
}

/// Appends the leading digits of `bytes` to `number`, and counts them.
#[inline]
fn digits(bytes: &[u8], number: &mut u64) -> usize {
    let mut count = 0;
    while let Some(digit) = bytes.get(count).map(|byte| byte.wrapping_sub(b'0')).filter(|digit| *digit < 10) {
        *number = number.wrapping_mul(10).wrapping_add(u64::from(digit));
        count += 1;
    }
    count
}

/// `mantissa` / 10^`n_decimals`, where both are exact as `F`, and whether it is `long`.
#[allow(clippy::cast_precision_loss, reason = "exact up to 2^53, which is checked")]
#[inline]
fn exact<F: Float>(mantissa: u64, n_decimals: usize) -> Option<(F, bool)> {
    const POWERS: [f64; 23] = [
        1e0, 1e1, 1e2, 1e3, 1e4, 1e5, 1e6, 1e7, 1e8, 1e9, 1e10, 1e11, 1e12, 1e13, 1e14, 1e15, 1e16, 1e17,
        1e18, 1e19, 1e20, 1e21, 1e22,
    ];
    let (most_mantissa, most_decimals, most_short) =
        if size_of::<F>() == 4 { (1 << 24, 10, 1_000_000) } else { (1 << 53, 22, 1_000_000_000_000_000) };
    if mantissa > most_mantissa || n_decimals > most_decimals {
        return None;
    }
    let long = mantissa >= most_short && n_decimals > 0;
    Some((F::of(mantissa as f64) / F::of(POWERS[n_decimals]), long))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rng::{Purpose, Rng};

    #[test]
    fn every_number_is_rounded_as_the_standard_library_does() {
        let mut rng = Rng::new(1, Purpose::Other, 0);
        for _ in 0..200_000 {
            let (n_digits, point) = (1 + rng.below(20), rng.below(22));
            let mut text: String = (0..n_digits).map(|_| char::from(b'0' + rng.below(10) as u8)).collect();
            if point <= n_digits {
                text.insert(point, '.');
            }
            text.insert_str(0, ["", "-", "+"][rng.below(3)]);
            let value = |text: &str| parse::<f64>(text.as_bytes(), b'.').map(|number| number.value);
            let single = |text: &str| parse::<f32>(text.as_bytes(), b'.').map(|number| number.value);
            assert_eq!(value(&text), text.parse().ok(), "{text}");
            assert_eq!(single(&text), text.parse().ok(), "{text}");
            let comma = text.replace('.', ",");
            let number = parse::<f64>(comma.as_bytes(), b',').map(|number| number.value);
            assert_eq!(number, text.parse().ok(), "{comma}");
        }
    }

    #[test]
    fn numbers_end_where_they_end_and_nothing_else_is_one() {
        let number = |value, length, long| Some(Number { value, length, long });
        assert_eq!(parse_prefix::<f64, b'.'>(b"-12.50,3"), number(-12.5, 6, false));
        assert_eq!(parse_prefix::<f64, b','>(b"-12,50;3"), number(-12.5, 6, false));
        assert_eq!(parse_prefix::<f64, b','>(b"12.5"), number(12.0, 2, false));
        assert_eq!(parse_prefix::<f64, b'.'>(b"-0\n"), number(0.0, 2, false));
        assert!(parse_prefix::<f64, b'.'>(b"-0").is_some_and(|zero| zero.value.is_sign_negative()));
        assert_eq!(parse::<f64>(b" 1e-3 ", b'.'), number(1e-3, 6, true));
        assert_eq!(parse::<f64>(b"1,5e3", b','), number(1500.0, 5, true));
        assert_eq!(parse::<f32>(b"1e39", b'.'), None);
        let bad = [
            "", "-", ".", "+.", "x", "nan", "inf", "1 2", "1e", "0x10", "1_000", "1e999", "\u{ff}", "1,5",
            "1.2.3",
        ];
        for bad in bad {
            assert_eq!(parse::<f64>(bad.as_bytes(), b'.'), None, "{bad}");
        }
        for bad in ["1.5", "1,5,0", "1.234,5", ",", "1,5x"] {
            assert_eq!(parse::<f64>(bad.as_bytes(), b','), None, "{bad}");
        }
        assert_eq!(parse_prefix::<f32, b'.'>(&[b'9'; 60]), None, "beyond f32");
    }

    #[test]
    fn a_number_is_long_where_another_one_may_round_to_the_same_value() {
        let long = |text: &str| {
            let single = parse::<f32>(text.as_bytes(), b'.').unwrap().long;
            (single, parse::<f64>(text.as_bytes(), b'.').unwrap().long)
        };
        for short in ["0", "-0.1", "999999", "16777216", "0.000123", "123.456"] {
            assert_eq!(long(short), (false, false), "{short}");
        }
        for single in ["16777217", "0.1000000", "1.6777215", "123456789012345"] {
            assert_eq!(long(single), (true, false), "{single}");
        }
        for both in ["9007199254740993", "0.1000000000000000055", "1e5"] {
            assert_eq!(long(both), (true, true), "{both}");
        }
    }
}
