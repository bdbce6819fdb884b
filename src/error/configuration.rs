//! Errors of configurations: JSON that is not what a layer, a metric or an estimator needs.

use super::{Error, quoted};

impl Error {
    /// A configuration that serde refuses. serde says what it found and what it expected in one sentence.
    #[cold]
    pub(crate) fn configuration(kind: &str, text: &str, problem: &serde_json::Error) -> Self {
        let said = problem.to_string();
        let said = said.rsplit_once(" at line ").map_or(said.as_str(), |(said, _)| said);
        let text = quoted(text);
        let is_of_serde = ["invalid ", "unknown "].iter().any(|start| said.starts_with(start));
        let (expected, got) = match (said.split_once(", expected "), said.strip_prefix("missing field ")) {
            (Some((found, expected)), _) if is_of_serde => {
                let found = found.split_once(": ").map_or(found, |(_, value)| value);
                (expected.to_owned(), format!("{found} in {text}"))
            }
            (_, Some(field)) => (format!("the field {field}"), text),
            _ => ("one of this kind".into(), format!("{text} ({said})")),
        };
        Self::Parse {
            source_name: format!("configuration of {kind:?}"),
            line: problem.line(),
            column: problem.column(),
            expected,
            got,
            hint: String::new(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde::Deserialize;

    #[derive(Debug, Deserialize)]
    #[serde(deny_unknown_fields)]
    #[allow(dead_code, reason = "never read")]
    struct Recipe {
        #[serde(deserialize_with = "even")]
        units: u32,
    }

    fn even<'de, D: serde::Deserializer<'de>>(from: D) -> Result<u32, D::Error> {
        let units = u32::deserialize(from)?;
        if units % 2 == 0 { Ok(units) } else { Err(serde::de::Error::custom("units is odd, expected even")) }
    }

    #[test]
    fn what_is_expected_and_what_came_are_in_their_places() {
        for (text, wanted) in [
            (r#"{"units":-1}"#, r#"column 11: expected u32, got integer `-1` in "{\"units\":-1}""#),
            (r#"{"units":"a"}"#, r#"column 12: expected u32, got string "a" in "{\"units\":\"a\"}""#),
            ("{}", r#"column 2: expected the field `units`, got "{}""#),
            (r#"{"a":1}"#, r#"column 4: expected `units`, got unknown field `a` in "{\"a\":1}""#),
            (
                r#"{"units":3}"#,
                r#"column 11: expected one of this kind, got "{\"units\":3}" (units is odd, expected even)"#,
            ),
            ("{", r#"column 1: expected one of this kind, got "{" (EOF while parsing an object)"#),
        ] {
            let said =
                Error::configuration("recipe", text, &serde_json::from_str::<Recipe>(text).unwrap_err())
                    .to_string();
            assert_eq!(said, format!("configuration of \"recipe\", line 1, {wanted}"));
        }
    }
}
