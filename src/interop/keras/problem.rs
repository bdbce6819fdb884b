//! The errors of translating between Keras and this crate.

use crate::error::{LoadErrorKind, excerpt};
use serde_json::Value;

/// The result of reading a part of a Keras file.
pub(super) type Read<T> = std::result::Result<T, LoadErrorKind>;

/// The result of writing a part of a model: the reason why it has no place in a Keras file.
pub(super) type Written<T> = std::result::Result<T, String>;

/// A part of a file that this crate has no counterpart for, or that is not as Keras writes it.
pub(super) fn unsupported(
    part: &str,
    expected: impl Into<String>,
    got: impl Into<String>,
    hint: impl Into<String>,
) -> LoadErrorKind {
    LoadErrorKind::Unsupported {
        part: part.into(),
        expected: expected.into(),
        got: got.into(),
        hint: hint.into(),
    }
}

/// A setting whose value is not one that this crate knows.
pub(super) fn setting(part: &str, name: &str, expected: &str, got: &Value) -> LoadErrorKind {
    unsupported(part, format!("{} = {expected}", excerpt(name)), shown(got), "")
}

/// A value of a configuration, cut to the length of a message.
pub(super) fn shown(value: &Value) -> String {
    match value {
        Value::Object(fields) => match fields.get("class_name").and_then(Value::as_str) {
            Some(class) => format!("a {}", excerpt(class)),
            None => "an object".into(),
        },
        value => excerpt(&value.to_string()),
    }
}
