//! Decimal numbers as floats, correctly rounded, and fast for those of few digits.

use crate::float::Float;

/// A field as a finite number.
pub(super) fn parse<F: Float>(field: &[u8]) -> Option<F> {
    match parse_prefix(field) {
        Some((value, length)) if length == field.len() => Some(value),
        _ => std::str::from_utf8(field).ok()?.trim().parse().ok().filter(|value: &F| value.is_finite()),
    }
}

/// The plain number (sign, digits, point, digits) that `bytes` begin with, and its length.
///
/// Where the digits and the power of ten are both exact as floats, one division gives the correctly rounded value
/// (W. D. Clinger, *How to read floating point numbers accurately*, 1990); other numbers go to the standard library.
pub(super) fn parse_prefix<F: Float>(bytes: &[u8]) -> Option<(F, usize)> {
    let sign = usize::from(matches!(bytes.first(), Some(b'-' | b'+')));
    let (mut mantissa, mut position) = (0_u64, sign);
    position += digits(&bytes[position..], &mut mantissa);
    let mut n_digits = position - sign;
    let mut n_decimals = 0;
    if bytes.get(position) == Some(&b'.') {
        n_decimals = digits(&bytes[position + 1..], &mut mantissa);
        n_digits += n_decimals;
        position += 1 + n_decimals;
    }
    if n_digits == 0 {
        return None;
    }
    // 19 digits fit 64 bits.
    if n_digits <= 19
        && let Some(value) = exact::<F>(mantissa, n_decimals)
    {
        return Some((if bytes[0] == b'-' { -value } else { value }, position));
    }
    let value = std::str::from_utf8(&bytes[..position]).ok()?.parse().ok()?;
    F::is_finite(value).then_some((value, position))
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

/// `mantissa` / 10^`n_decimals`, where both are exact as `F`.
#[allow(clippy::cast_precision_loss, reason = "exact up to 2^53, which is checked")]
fn exact<F: Float>(mantissa: u64, n_decimals: usize) -> Option<F> {
    const POWERS: [f64; 23] = [
        1e0, 1e1, 1e2, 1e3, 1e4, 1e5, 1e6, 1e7, 1e8, 1e9, 1e10, 1e11, 1e12, 1e13, 1e14, 1e15, 1e16, 1e17,
        1e18, 1e19, 1e20, 1e21, 1e22,
    ];
    let (most_mantissa, most_decimals) = if size_of::<F>() == 4 { (1 << 24, 10) } else { (1 << 53, 22) };
    if mantissa > most_mantissa || n_decimals > most_decimals {
        return None;
    }
    Some(F::of(mantissa as f64) / F::of(POWERS[n_decimals]))
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
            assert_eq!(parse::<f64>(text.as_bytes()), text.parse().ok(), "{text}");
            assert_eq!(parse::<f32>(text.as_bytes()), text.parse().ok(), "{text}");
        }
    }

    #[test]
    fn numbers_end_where_they_end_and_nothing_else_is_one() {
        assert_eq!(parse_prefix::<f64>(b"-12.50,3"), Some((-12.5, 6)));
        assert_eq!(parse_prefix::<f64>(b"-0\n"), Some((0.0, 2)));
        assert!(parse_prefix::<f64>(b"-0").is_some_and(|(zero, _)| zero.is_sign_negative()));
        assert_eq!(parse::<f64>(b" 1e-3 "), Some(1e-3));
        assert_eq!(parse::<f32>(b"1e39"), None);
        for bad in ["", "-", ".", "+.", "x", "nan", "inf", "1 2", "1e", "0x10", "1_000", "1e999", "\u{ff}"] {
            assert_eq!(parse::<f64>(bad.as_bytes()), None, "{bad}");
        }
        assert_eq!(parse_prefix::<f32>(&[b'9'; 60]), None, "beyond f32");
    }
}
