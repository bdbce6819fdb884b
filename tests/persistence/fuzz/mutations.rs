//! Changes of single fields of a valid file, for targets whose files libFuzzer's own changes rarely leave readable.

use super::keras::{parts, unpacked};
use std::ops::Range;

/// Random draws: xorshift.
struct Draws(u64);

impl Draws {
    fn next(&mut self) -> u64 {
        for shift in [13, -7, 17] {
            self.0 ^= if shift > 0 { self.0 << shift } else { self.0 >> -shift };
        }
        self.0
    }

    fn below(&mut self, bound: usize) -> usize {
        (self.next() % bound.max(1) as u64) as usize
    }
}

/// Sizes at the ends of their types, and small ones.
const SIZES: [u64; 14] =
    [0, 1, 2, 3, 8, 255, 1 << 16, 1 << 31, 1 << 32, 1 << 62, (1 << 63) - 1, 1 << 63, (1 << 63) + 1, u64::MAX];

/// Values that a setting may be replaced by, beside sizes and the other values of the file; separated by spaces.
const VALUES: &str = "null true false [] {} \"\" -1 0.5 1e308 1e-320 [1,1] [null,2] [[\"dense\",0,0,{}]] \
    \"relu\" \"softmax\" \"same\" \"float64\" \"channels_first\"";

/// Changes a few fields of a configuration, of an HDF5 file, or of one behind the other, and leaves all else as it is.
pub(crate) fn mutate_fields(bytes: &[u8], seed: u64) -> Vec<u8> {
    let mut draws = Draws(seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1);
    draws.next();
    let unpacked = if bytes.starts_with(b"PK") && draws.below(4) > 0 { unpacked(bytes) } else { None };
    let bytes = unpacked.as_deref().unwrap_or(bytes);
    let is_json = bytes.starts_with(b"{");
    let (config, weights) = if is_json { parts(bytes) } else { (&[][..], bytes) };
    let (mut config, mut weights) = (config.to_vec(), weights.to_vec());
    for _ in 0..1 + draws.below(3) {
        if is_json && draws.below(2) == 0 {
            mutate_json(&mut config, &mut draws);
        } else {
            mutate_records(&mut weights, &mut draws);
        }
    }
    if is_json { [&config[..], &[0], &weights].concat() } else { weights }
}

/// Replaces a value of a configuration by another value of it, by a size, or by one of [`VALUES`]; or takes it away.
fn mutate_json(text: &mut Vec<u8>, draws: &mut Draws) {
    let values = values_of(text);
    let Some(chosen) = values.get(draws.below(values.len())).cloned() else { return };
    let new = match draws.below(8) {
        0..3 => text[values[draws.below(values.len())].clone()].to_vec(),
        3..5 => SIZES[draws.below(SIZES.len())].to_string().into_bytes(),
        5 => [&text[chosen.clone()], b",", &text[chosen.clone()]].concat(),
        _ => {
            let values: Vec<&str> = VALUES.split_whitespace().collect();
            values[draws.below(values.len())].into()
        }
    };
    // Copies of large parts would make the file grow from change to change.
    if new.len() <= 4096 {
        text.splice(chosen, new);
    }
}

/// Where the values of a JSON text lie: the texts, the numbers and words, and what is within brackets.
fn values_of(text: &[u8]) -> Vec<Range<usize>> {
    let (mut values, mut open, mut at) = (Vec::new(), Vec::new(), 0);
    while let Some(&byte) = text.get(at) {
        let start = at;
        at += 1;
        match byte {
            b'"' => {
                while let Some(&byte) = text.get(at) {
                    at += 1 + usize::from(byte == b'\\');
                    if byte == b'"' {
                        break;
                    }
                }
                at = at.min(text.len());
                values.push(start..at);
            }
            b'{' | b'[' => open.push(start),
            b'}' | b']' => values.extend(open.pop().map(|start| start..at)),
            b'-' | b'0'..=b'9' | b'a'..=b'z' | b'N' | b'I' => {
                while text.get(at).is_some_and(|byte| byte.is_ascii_alphanumeric() || b".+-".contains(byte)) {
                    at += 1;
                }
                values.push(start..at);
            }
            _ => {}
        }
    }
    values
}

/// Writes a size, an address of the file or a piece of it over an aligned field.
fn mutate_records(bytes: &mut Vec<u8>, draws: &mut Draws) {
    let width = [1, 2, 4, 8][draws.below(4)];
    let n_fields = bytes.len() / width;
    if n_fields == 0 {
        return bytes.push(draws.next() as u8);
    }
    let at = draws.below(n_fields) * width;
    let value = match draws.below(8) {
        0..3 => SIZES[draws.below(SIZES.len())],
        3 => (draws.below(bytes.len()) / 8 * 8) as u64,
        4 => draws.next(),
        5 => u64::from(bytes[at]).wrapping_add([1, u64::MAX][draws.below(2)]),
        kind => {
            // A field, or a record of 40 bytes, from elsewhere.
            let len = if kind == 6 { width } else { 40 }.min(bytes.len() - at);
            let from = draws.below((bytes.len() - len) / 8 + 1) * 8;
            return bytes.copy_within(from..from + len, at);
        }
    };
    bytes[at..at + width].copy_from_slice(&value.to_le_bytes()[..width]);
}
