//! One row by the names of its columns.

use crate::error::{Error, Result, quoted};
use serde::de::{Error as _, MapAccess, Visitor};
use serde::ser::SerializeMap as _;
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use std::collections::BTreeMap;
use std::fmt;

/// The value of a field of a [`Record`].
#[derive(Debug, Clone, PartialEq)]
pub enum Field {
    /// A number.
    Number(f64),
    /// A text.
    Text(String),
    /// No value.
    Missing,
}

/// One row by the names of its columns, in any order: what a service receives and a fitted pipeline predicts for.
///
/// As JSON a record is an object of numbers, texts and `null` for a missing value; `true` and `false` are the texts of
/// these names. Nested values and repeated names are errors.
///
/// # Examples
/// ```
/// use axonal::datasets::{Field, Record};
///
/// let record = Record::from_json(r#"{"plan": "basic", "age": 30, "spend": null}"#)?;
/// assert_eq!(record, Record::new().text("plan", "basic").number("age", 30.0).missing("spend"));
/// assert_eq!(record.get("age"), Some(&Field::Number(30.0)));
/// assert!(Record::from_json(r#"{"plan": ["basic"]}"#).is_err());
/// # Ok::<(), axonal::Error>(())
/// ```
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Record {
    fields: BTreeMap<String, Field>,
}

impl Record {
    /// Creates a record without fields.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Reads a record from a JSON object.
    ///
    /// # Errors
    /// [`Error::Parse`] for what is not an object of numbers, texts, `true`, `false` and `null`, or has a name twice.
    pub fn from_json(text: &str) -> Result<Self> {
        serde_json::from_str(text).map_err(|problem| Error::Parse {
            source_name: "record".into(),
            line: problem.line(),
            column: problem.column(),
            expected: "a JSON object of numbers, texts, true, false and null".into(),
            got: quoted(text),
            hint: problem.to_string().escape_debug().take(160).collect(),
        })
    }

    /// Sets a field to a number; NaN is a missing value.
    #[must_use]
    pub fn number(self, name: impl Into<String>, value: f64) -> Self {
        self.field(name, if value.is_nan() { Field::Missing } else { Field::Number(value) })
    }

    /// Sets a field to a text.
    #[must_use]
    pub fn text(self, name: impl Into<String>, text: impl Into<String>) -> Self {
        self.field(name, Field::Text(text.into()))
    }

    /// Sets a field to a missing value.
    #[must_use]
    pub fn missing(self, name: impl Into<String>) -> Self {
        self.field(name, Field::Missing)
    }

    /// Sets a field, replacing its earlier value.
    #[must_use]
    pub fn field(mut self, name: impl Into<String>, field: Field) -> Self {
        self.fields.insert(name.into(), field);
        self
    }

    /// The value of a field; `None` for a name that the record does not have.
    #[must_use]
    pub fn get(&self, name: &str) -> Option<&Field> {
        self.fields.get(name)
    }

    /// The names of the fields, ascending.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.fields.keys().map(String::as_str)
    }
}

impl Serialize for Field {
    fn serialize<S: Serializer>(&self, serializer: S) -> std::result::Result<S::Ok, S::Error> {
        match self {
            Self::Number(number) => serializer.serialize_f64(*number),
            Self::Text(text) => serializer.serialize_str(text),
            Self::Missing => serializer.serialize_unit(),
        }
    }
}

impl Serialize for Record {
    fn serialize<S: Serializer>(&self, serializer: S) -> std::result::Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(Some(self.fields.len()))?;
        for (name, field) in &self.fields {
            map.serialize_entry(name, field)?;
        }
        map.end()
    }
}

impl<'de> Deserialize<'de> for Field {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> std::result::Result<Self, D::Error> {
        deserializer.deserialize_any(FieldVisitor)
    }
}

struct FieldVisitor;

impl Visitor<'_> for FieldVisitor {
    type Value = Field;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a number, a text, true, false or null")
    }

    fn visit_bool<E>(self, value: bool) -> std::result::Result<Field, E> {
        Ok(Field::Text(value.to_string()))
    }

    #[allow(clippy::cast_precision_loss, reason = "numbers of a record are f64")]
    fn visit_i64<E>(self, value: i64) -> std::result::Result<Field, E> {
        Ok(Field::Number(value as f64))
    }

    #[allow(clippy::cast_precision_loss, reason = "numbers of a record are f64")]
    fn visit_u64<E>(self, value: u64) -> std::result::Result<Field, E> {
        Ok(Field::Number(value as f64))
    }

    fn visit_f64<E>(self, value: f64) -> std::result::Result<Field, E> {
        Ok(if value.is_nan() { Field::Missing } else { Field::Number(value) })
    }

    fn visit_str<E>(self, text: &str) -> std::result::Result<Field, E> {
        Ok(Field::Text(text.into()))
    }

    fn visit_string<E>(self, text: String) -> std::result::Result<Field, E> {
        Ok(Field::Text(text))
    }

    fn visit_unit<E>(self) -> std::result::Result<Field, E> {
        Ok(Field::Missing)
    }
}

impl<'de> Deserialize<'de> for Record {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> std::result::Result<Self, D::Error> {
        struct Fields;
        impl<'de> Visitor<'de> for Fields {
            type Value = Record;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an object of numbers, texts, true, false and null")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> std::result::Result<Record, A::Error> {
                let mut record = Record::new();
                while let Some((name, field)) = map.next_entry::<String, Field>()? {
                    if record.fields.contains_key(&name) {
                        return Err(A::Error::custom(format!("the field {name:?} twice")));
                    }
                    record.fields.insert(name, field);
                }
                Ok(record)
            }
        }
        deserializer.deserialize_map(Fields)
    }
}
