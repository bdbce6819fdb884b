//! Fields that look like numbers to people, but not to the reader.

use super::number::standard;

/// Why a text that looks like a number is not read as one, and what to do; `None` for any other text.
///
/// A column of such texts must not become one of categories without a word: 12% and 13% are numbers to whoever wrote
/// the file.
pub(super) fn lookalike(text: &str, decimal: u8, delimiter: u8) -> Option<String> {
    if let Some(value) = standard::<f64>(text, decimal) {
        return Some(if value.is_finite() {
            "it is beyond the range of f32; read the table as f64".into()
        } else {
            "if it means a missing value, add it to missing_values".into()
        });
    }
    if let Some(bare) = text.strip_suffix('%') {
        return is_number(bare.trim_end()).then(|| "remove the percent sign".into());
    }
    let bare = text.trim_matches(['$', '€', '£', '¥']).trim();
    if bare.len() < text.len() {
        return is_number(bare).then(|| "remove the currency sign".into());
    }
    let (other, name) = if decimal == b'.' { (b',', "a decimal comma") } else { (b'.', "a decimal point") };
    if standard::<f64>(text, other).is_some() && !(other == b',' && is_grouped(text) && delimiter == b',') {
        let option = char::from(other);
        return Some(if other == delimiter {
            format!("for {name} write the file with another delimiter, and set decimal(b'{option}')")
        } else {
            format!("if it has {name}, set decimal(b'{option}'), else remove the thousands separator")
        });
    }
    is_grouped(text).then(|| "remove the thousands separators".into())
}

/// Whether a text is a number in any notation.
fn is_number(text: &str) -> bool {
    standard::<f64>(text, b'.').is_some() || standard::<f64>(text, b',').is_some() || is_grouped(text)
}

/// Whether a text is a number with separated thousands: 1,234,567.89, 1'234, 1 234,5, 1.234,5.
fn is_grouped(text: &str) -> bool {
    let unsigned = text.strip_prefix(['-', '+']).unwrap_or(text);
    let Some(separator) = unsigned.chars().find(|c| !c.is_ascii_digit()) else { return false };
    let (whole, fraction) = match separator {
        ',' | '\'' | '’' | '_' | ' ' | '\u{a0}' | '\u{202f}' => unsigned
            .split_once(if separator == ',' { &['.'][..] } else { &['.', ','] })
            .unwrap_or((unsigned, "")),
        // Without a decimal comma it may as well be a version or an address.
        '.' => match unsigned.split_once(',') {
            Some(parts) => parts,
            None => return false,
        },
        _ => return false,
    };
    let mut groups = whole.split(separator);
    let digits = |text: &str| text.bytes().all(|byte| byte.is_ascii_digit());
    groups.next().is_some_and(|first| (1..=3).contains(&first.len()) && digits(first))
        && groups.all(|group| group.len() == 3 && digits(group))
        && digits(fraction)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_in_other_notations_are_told_from_texts() {
        let point = [
            ("1,5", "decimal(b',')"),
            ("-0,5", "decimal(b',')"),
            ("12%", "percent"),
            ("12,5 %", "percent"),
            ("$5", "currency"),
            ("1.234,50 €", "currency"),
            ("1,234", "decimal(b',')"),
            ("1,234,567", "thousands"),
            ("1,234.5", "thousands"),
            ("1.234,5", "thousands"),
            ("1'234", "thousands"),
            ("1 234 567", "thousands"),
            ("1_000", "thousands"),
            ("inf", "missing_values"),
            ("-Infinity", "missing_values"),
            ("NAN", "missing_values"),
            ("1e400", "missing_values"),
            ("1e39", "f64"),
        ];
        for (text, hint) in point {
            let got = lookalike(text, b'.', b';').unwrap_or_default();
            assert!(got.contains(hint), "{text}: {got}");
        }
        assert!(lookalike("1,5", b'.', b',').is_some_and(|hint| hint.contains("another delimiter")));
        assert!(lookalike("1,234", b'.', b',').is_some_and(|hint| hint.contains("thousands")));
        assert!(lookalike("1.5", b',', b';').is_some_and(|hint| hint.contains("decimal(b'.')")));
        assert!(lookalike("1.234,5", b',', b';').is_some_and(|hint| hint.contains("thousands")));
        for text in [
            "",
            "-",
            "x",
            "ant",
            "2024-01-05",
            "12:30",
            "1.2.3",
            "192.168.100.200",
            "10-20",
            "1/2",
            "12a",
            "1,2,3",
            "#1",
            "5 kg",
            "%",
            "$",
            "e5",
            ",",
            "A,5",
        ] {
            assert_eq!(lookalike(text, b'.', b';'), None, "{text}");
        }
    }
}
