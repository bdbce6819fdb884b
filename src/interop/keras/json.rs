//! The JSON of Keras's configurations, parsed within bounds.

use super::problem::{Read, shown, unsupported};
use crate::error::LoadErrorKind;
use crate::persistence::{Limits, check_brackets};
use serde_json::{Map, Value};

/// A JSON object.
pub(super) type Fields = Map<String, Value>;

/// The bytes of memory of a field of an object while its map grows, and of an element of a list.
const FIELD_BYTES: u64 = 160;
const ELEMENT_BYTES: u64 = 64;
/// The bytes of memory of a map with its first field.
const OBJECT_BYTES: u64 = 640;

/// Parses the configuration of a file of `file_len` bytes; what it takes in memory is estimated first.
pub(super) fn parse(what: &str, text: &[u8], file_len: u64, limits: &Limits) -> Read<Value> {
    let broken = |got: String| unsupported(what, "JSON", got, "the file is damaged");
    let text = std::str::from_utf8(text).map_err(|problem| broken(problem.to_string()))?;
    check_brackets(text)?;
    let (value, limit) = (memory_of(text), file_len.saturating_add(limits.max_extra_bytes));
    if value > limit {
        return Err(LoadErrorKind::Limit { what: format!("bytes of memory for {what}"), value, limit });
    }
    serde_json::from_str(text).map_err(|problem| broken(problem.to_string()))
}

/// About how many bytes the values of a text take in memory.
fn memory_of(text: &str) -> u64 {
    let (mut in_string, mut escaped) = (false, false);
    let mut bytes = text.len() as u64;
    for byte in text.bytes() {
        match byte {
            _ if escaped => escaped = false,
            b'\\' if in_string => escaped = true,
            b'"' => in_string = !in_string,
            b':' if !in_string => bytes += FIELD_BYTES,
            b',' | b'[' if !in_string => bytes += ELEMENT_BYTES,
            b'{' if !in_string => bytes += OBJECT_BYTES,
            _ => {}
        }
    }
    bytes
}

/// The fields of an object; `part` names it in the error.
pub(super) fn object<'a>(part: &str, value: &'a Value) -> Read<&'a Fields> {
    value.as_object().ok_or_else(|| unsupported(part, "an object", shown(value), ""))
}

/// A text field.
pub(super) fn text<'a>(part: &str, fields: &'a Fields, name: &str) -> Read<&'a str> {
    let value = fields.get(name).unwrap_or(&Value::Null);
    value.as_str().ok_or_else(|| unsupported(part, format!("a text {name}"), shown(value), ""))
}

/// A list of lengths, or one length.
pub(super) fn lengths(value: &Value) -> Option<Vec<u64>> {
    match value {
        Value::Array(values) => values.iter().map(Value::as_u64).collect(),
        value => Some(vec![value.as_u64()?]),
    }
}

/// Whether a value says nothing: what a setting is that is not used.
pub(super) fn is_empty(value: &Value) -> bool {
    match value {
        Value::Null | Value::Bool(false) => true,
        Value::Array(values) => values.is_empty(),
        Value::Object(fields) => fields.is_empty(),
        Value::String(text) => text.is_empty(),
        Value::Bool(true) | Value::Number(_) => false,
    }
}

/// A class with its settings, as Keras serializes any object: `{"class_name": …, "config": {…}}`.
pub(super) struct Class<'a> {
    pub(super) name: &'a str,
    pub(super) config: &'a Fields,
}

impl<'a> Class<'a> {
    /// The class of a serialized object; classes of the user's own are refused.
    pub(super) fn of(part: &str, value: &'a Value) -> Read<Self> {
        let fields = object(part, value)?;
        let registered = fields.get("registered_name").and_then(Value::as_str).unwrap_or("");
        if let Some((package, _)) = registered.split_once('>')
            && !package.eq_ignore_ascii_case("keras")
            && !fields.get("module").and_then(Value::as_str).is_some_and(|module| module.starts_with("keras"))
        {
            return Err(unknown(part, registered));
        }
        Self::named(part, value)
    }

    /// As [`of`](Self::of), for an object that tf.keras registers as if it were the user's own.
    pub(super) fn named(part: &str, value: &'a Value) -> Read<Self> {
        let fields = object(part, value)?;
        let name = text(part, fields, "class_name")?;
        static NOTHING: std::sync::LazyLock<Fields> = std::sync::LazyLock::new(Fields::new);
        let config = match fields.get("config") {
            None | Some(Value::Null) => &*NOTHING,
            Some(config) => object(&format!("{part}, {name}"), config)?,
        };
        Ok(Self { name, config })
    }
}

/// A class that this crate does not have.
pub(super) fn unknown(part: &str, class: &str) -> LoadErrorKind {
    unsupported(
        part,
        "a class of Keras that this crate has",
        format!("{:?}", crate::error::excerpt(class)),
        "build the model with a layer of your own and use load_keras_weights",
    )
}
