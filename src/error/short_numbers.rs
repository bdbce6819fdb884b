//! Numbers in messages: 1e308, not its 309 digits.

use std::fmt;

/// A text whose long decimal numbers are written in scientific notation.
pub(super) struct ShortNumbers<'a>(pub(super) &'a str);

/// Digits beyond which a number is shortened; all integers of 64 bits have fewer.
const MOST_DIGITS: usize = 24;

impl fmt::Display for ShortNumbers<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut rest = self.0;
        while let Some(start) = rest.find(|c: char| c.is_ascii_digit()) {
            let (before, number) = rest.split_at(start);
            let end = number.find(|c: char| !c.is_ascii_digit() && c != '.').unwrap_or(number.len());
            let (number, after) = number.split_at(end);
            // A full stop behind the number is not part of it.
            let digits = number.trim_end_matches('.');
            f.write_str(before)?;
            match digits.parse::<f64>() {
                Ok(value) if digits.len() > MOST_DIGITS => write!(f, "{value:e}{}", &number[digits.len()..])?,
                _ => f.write_str(number)?,
            }
            rest = after;
        }
        f.write_str(rest)
    }
}

#[cfg(test)]
mod tests {
    use super::ShortNumbers;

    #[test]
    fn long_numbers_are_shortened_and_others_kept() {
        let short = |text: &str| ShortNumbers(text).to_string();
        assert_eq!(short(&format!("below {} and {}.", 1e308, -2.5e-300)), "below 1e308 and -2.5e-300.");
        for text in ["0.1 and 18446744073709551615", "(28, 28, 1)", "v1.2.3", "", "é1", "f64::MAX"] {
            assert_eq!(short(text), text);
        }
    }
}
