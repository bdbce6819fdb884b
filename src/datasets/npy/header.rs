//! The header of a NumPy file: a Python dictionary such as `{'descr': '<f8', 'fortran_order': False, 'shape': (3, 4), }`.

use super::super::array_file::ArrayFile;
use super::MAGIC;
use crate::data_file::describe;
use crate::error::{LoadErrorKind, Result, quoted};
use std::io::Read;

/// A header larger than this is a mistake.
const MOST_HEADER: usize = 1 << 16;

/// What is said of the values before they come.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Header {
    /// The element type without its byte order: `f8`.
    pub(super) element: String,
    pub(super) big_endian: bool,
    pub(super) fortran: bool,
    pub(super) shape: Vec<usize>,
}

impl Header {
    pub(super) fn read<R: Read>(file: &mut ArrayFile<'_, R>) -> Result<Self> {
        let magic = file.up_to(MAGIC.len())?;
        if magic != MAGIC {
            return Err(file.format("a NumPy file (.npy)", describe(&magic), ""));
        }
        let version = file.exactly(2)?;
        let n_bytes = match version[..] {
            [1, 0] => 2,
            [2 | 3, 0] => 4,
            _ => {
                let got = version.iter().map(u8::to_string).collect::<Vec<_>>().join(".");
                return Err(file.format(
                    "version 1.0, 2.0 or 3.0 of NumPy's format",
                    format!("version {got}"),
                    "",
                ));
            }
        };
        let length = file.exactly(n_bytes)?;
        let length = length.iter().rev().fold(0, |length, byte| length << 8 | usize::from(*byte));
        let offset = (MAGIC.len() + 2 + n_bytes) as u64;
        if length > MOST_HEADER {
            let (expected, got) = (format!("a header of at most {MOST_HEADER} bytes"), length.to_string());
            return Err(file.problem(LoadErrorKind::Malformed { offset, expected, got }));
        }
        // Python's literals are ASCII; anything else can be part of a field's name only.
        let text = String::from_utf8_lossy(&file.exactly(length)?).into_owned();
        Self::parse(&text).map_err(|expected| {
            let got = quoted(text.trim_end());
            file.problem(LoadErrorKind::Malformed { offset, expected: expected.into(), got })
        })
    }

    /// The header, or what it should say and does not.
    fn parse(text: &str) -> std::result::Result<Self, &'static str> {
        const DICTIONARY: &str = "a dictionary of descr, fortran_order and shape";
        let mut parser = Parser { rest: text };
        let Some(Value::Dictionary(entries)) = parser.value(0) else { return Err(DICTIONARY) };
        if !parser.rest.trim().is_empty() || entries.len() != 3 {
            return Err(DICTIONARY);
        }
        let entry = |key: &str| {
            entries.iter().find(|(name, _)| name == key).map(|(_, value)| value).ok_or(DICTIONARY)
        };
        let Value::Text(descr) = entry("descr")? else {
            return Err("elements of one number type (a structured array has several)");
        };
        let &Value::Bool(fortran) = entry("fortran_order")? else {
            return Err("True or False as fortran_order");
        };
        let Value::Tuple(lengths) = entry("shape")? else { return Err("a tuple of lengths as shape") };
        let length = |value: &Value| if let Value::Integer(length) = value { Some(*length) } else { None };
        let shape = lengths.iter().map(length).collect::<Option<_>>().ok_or("a tuple of lengths as shape")?;
        let (big_endian, element) = element(descr);
        Ok(Self { element, big_endian, fortran, shape })
    }
}

/// The byte order and the type code of a dtype. Without a byte order it is that of this machine, as in NumPy.
fn element(descr: &str) -> (bool, String) {
    let native = cfg!(target_endian = "big");
    let (big_endian, code) = match descr.split_at_checked(1) {
        Some(("<", code)) => (false, code),
        Some((">", code)) => (true, code),
        Some(("=" | "|", code)) => (native, code),
        _ => (native, descr),
    };
    let code = match code {
        "?" | "bool" | "bool_" => "b1",
        "b" | "int8" => "i1",
        "B" | "uint8" => "u1",
        "h" | "int16" => "i2",
        "H" | "uint16" => "u2",
        "i" | "int32" => "i4",
        "I" | "uint32" => "u4",
        "q" | "int64" => "i8",
        "Q" | "uint64" => "u8",
        "f" | "float32" => "f4",
        "d" | "float64" | "float" => "f8",
        other => other,
    };
    (big_endian, code.to_owned())
}

/// A Python literal.
enum Value {
    Text(String),
    Bool(bool),
    Integer(usize),
    Tuple(Vec<Value>),
    Dictionary(Vec<(String, Value)>),
    /// A list, None, a negative number: nothing that a header of numbers has.
    Other,
}

/// How deep literals may be nested: structured dtypes are lists of tuples, and nothing is read of them.
const MOST_DEPTH: usize = 16;

struct Parser<'a> {
    rest: &'a str,
}

impl Parser<'_> {
    /// Takes `token` if it comes next.
    fn take(&mut self, token: &str) -> bool {
        let rest = self.rest.trim_start().strip_prefix(token);
        self.rest = rest.unwrap_or(self.rest);
        rest.is_some()
    }

    fn value(&mut self, depth: usize) -> Option<Value> {
        self.rest = self.rest.trim_start();
        match self.rest.chars().next()? {
            _ if depth > MOST_DEPTH => None,
            '{' => self.dictionary(depth),
            '(' => self.sequence("(", ")", depth).map(Value::Tuple),
            '[' => self.sequence("[", "]", depth).map(|_| Value::Other),
            '\'' | '"' | 'u' | 'b' => self.text().map(Value::Text),
            '0'..='9' => self.integer().map(Value::Integer),
            '-' => {
                self.rest = &self.rest[1..];
                self.integer().map(|_| Value::Other)
            }
            _ if self.take("True") => Some(Value::Bool(true)),
            _ if self.take("False") => Some(Value::Bool(false)),
            _ => self.take("None").then_some(Value::Other),
        }
    }

    /// Text in quotes of either kind, with Python 2's prefix or without; NumPy's type codes have no escapes.
    fn text(&mut self) -> Option<String> {
        let bare = self.rest.trim_start_matches(['u', 'b']);
        let quote = bare.chars().next().filter(|c| matches!(c, '\'' | '"'))?;
        let (text, rest) = bare[1..].split_once(quote)?;
        self.rest = rest;
        Some(text.to_owned())
    }

    /// Digits, with the suffix of Python 2's long integers or without.
    fn integer(&mut self) -> Option<usize> {
        let end = self.rest.find(|c: char| !c.is_ascii_digit()).unwrap_or(self.rest.len());
        let digits = Some(&self.rest[..end]).filter(|digits| !digits.is_empty())?;
        // A larger number is none of a shape that fits into memory either.
        let number = digits.parse().unwrap_or(usize::MAX);
        self.rest = &self.rest[end..];
        self.rest = self.rest.strip_prefix(['L', 'l']).unwrap_or(self.rest);
        Some(number)
    }

    fn sequence(&mut self, open: &str, close: &str, depth: usize) -> Option<Vec<Value>> {
        let mut values = Vec::new();
        self.take(open);
        while !self.take(close) {
            values.push(self.value(depth + 1)?);
            if !self.take(",") {
                return self.take(close).then_some(values);
            }
        }
        Some(values)
    }

    fn dictionary(&mut self, depth: usize) -> Option<Value> {
        let mut entries: Vec<(String, Value)> = Vec::new();
        self.take("{");
        while !self.take("}") {
            let Value::Text(key) = self.value(depth + 1)? else { return None };
            if !self.take(":") || entries.iter().any(|(other, _)| *other == key) {
                return None;
            }
            let value = self.value(depth + 1)?;
            entries.push((key, value));
            if !self.take(",") {
                return self.take("}").then_some(Value::Dictionary(entries));
            }
        }
        Some(Value::Dictionary(entries))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn headers_of_every_writer_are_understood() {
        let header = |element: &str, big_endian, fortran, shape: &[usize]| Header {
            element: element.into(),
            big_endian,
            fortran,
            shape: shape.into(),
        };
        let native = cfg!(target_endian = "big");
        let cases = [
            (
                "{'descr': '<f8', 'fortran_order': False, 'shape': (3, 4), }",
                header("f8", false, false, &[3, 4]),
            ),
            ("{'descr': '>i2', 'fortran_order': True, 'shape': (), }  \n", header("i2", true, true, &[])),
            // Python 2: long integers, unicode and byte strings.
            (
                "{'descr': '<f8', 'fortran_order': False, 'shape': (2L, 3L), }",
                header("f8", false, false, &[2, 3]),
            ),
            ("{u'descr': b'<f8', 'fortran_order': False, 'shape': (2L,)}", header("f8", false, false, &[2])),
            // Other writers: double quotes, no blanks, no byte order, another order of the keys.
            ("{\"descr\":\"<f4\",\"fortran_order\":False,\"shape\":(2,)}", header("f4", false, false, &[2])),
            (
                "{ 'shape' : ( 7 , ) , 'descr' : 'f8' , 'fortran_order' : True }",
                header("f8", native, true, &[7]),
            ),
            ("{'descr': '|b1', 'fortran_order': False, 'shape': (1,)}", header("b1", native, false, &[1])),
            ("{'descr': '?', 'fortran_order': False, 'shape': (1,)}", header("b1", native, false, &[1])),
            (
                "{'descr': 'float32', 'fortran_order': False, 'shape': (1,)}",
                header("f4", native, false, &[1]),
            ),
            ("{'descr': '<U5', 'fortran_order': False, 'shape': (1,)}", header("U5", false, false, &[1])),
            // More than any usize.
            (
                "{'descr': '<f8', 'fortran_order': False, 'shape': (99999999999999999999999, 1)}",
                header("f8", false, false, &[usize::MAX, 1]),
            ),
        ];
        for (text, want) in cases {
            assert_eq!(Header::parse(text), Ok(want), "{text}");
        }
    }

    #[test]
    fn headers_that_say_something_else_are_refused() {
        let nested = format!("{{'descr': '<f8', 'fortran_order': False, 'shape': {}", "(".repeat(60_000));
        let cases = [
            ("", "a dictionary"),
            ("{}", "a dictionary"),
            ("{'descr': '<f8', 'shape': (1,)}", "a dictionary"),
            ("{'descr': '<f8', 'fortran_order': False, 'shape': (1,)} x", "a dictionary"),
            ("{'descr': '<f8', 'descr': '<f4', 'fortran_order': False, 'shape': (1,)}", "a dictionary"),
            ("{'descr': '<f8', 'fortran_order': False, 'shape': (1,), 'more': 1}", "a dictionary"),
            ("{'descr': '<f8', 'fortran_order': False, 'shape': (1", "a dictionary"),
            ("{'descr': '<f8', 'fortran_order': False, 'shape': (1 2)}", "a dictionary"),
            (&nested, "a dictionary"),
            ("{'descr': [('a', '<f4')], 'fortran_order': False, 'shape': (1,)}", "a structured array"),
            ("{'descr': '<f8', 'fortran_order': 0, 'shape': (1,)}", "True or False"),
            ("{'descr': '<f8', 'fortran_order': False, 'shape': (-1,)}", "a tuple of lengths"),
            ("{'descr': '<f8', 'fortran_order': False, 'shape': [1]}", "a tuple of lengths"),
            ("{'descr': '<f8', 'fortran_order': False, 'shape': 1}", "a tuple of lengths"),
            ("{'descr': '<f8', 'fortran_order': False, 'shape': (True,)}", "a tuple of lengths"),
        ];
        for (text, expected) in cases {
            let got = Header::parse(text).unwrap_err();
            assert!(got.contains(expected), "{text}: {got}");
        }
    }
}
