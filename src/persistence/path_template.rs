//! Paths with the numbers of an epoch in them.

use crate::error::{Error, Result};
use std::path::{Path, PathBuf};

/// A path such as `runs/weights-{epoch:02}-{val_loss:.4}.axonal`.
#[derive(Debug, Clone)]
pub(super) struct PathTemplate {
    /// The folders that are taken as they are: without braces, or with braces in the names of folders that exist.
    folder: PathBuf,
    /// The folders and the file behind them.
    rest: PathBuf,
}

/// One stretch of a template.
enum Part<'a> {
    Text(&'a str),
    Number { name: &'a str, format: Format },
}

/// How a number is written: `02` (two digits at least, zeros in front), `.4` (four digits behind the point).
#[derive(Clone, Copy, Default)]
struct Format {
    zeros: bool,
    width: usize,
    precision: Option<usize>,
}

/// No field is wider, so that no name is longer than file systems have them.
const MOST_DIGITS: usize = 100;

impl PathTemplate {
    /// The template of a path, by the folders that exist now.
    pub(super) fn new(path: &Path) -> Self {
        let mut folder = PathBuf::new();
        let parent = path.parent().unwrap_or(Path::new(""));
        let mut components = parent.components();
        for component in components.by_ref() {
            let next = folder.join(component);
            let braces = component.as_os_str().as_encoded_bytes().iter().any(|byte| b"{}".contains(byte));
            if braces && !next.is_dir() {
                break;
            }
            folder = next;
        }
        let rest = path.strip_prefix(&folder).unwrap_or(path).to_path_buf();
        Self { folder, rest }
    }

    /// Refuses what is not a template, and names that are not among `known`.
    pub(super) fn validate(&self, owner: &str, known: &[&str]) -> Result<()> {
        for part in self.parts(owner)? {
            if let Part::Number { name, .. } = part
                && !known.contains(&name)
            {
                return Err(Error::unknown_name("name in braces in a path", name, known.iter().copied()));
            }
        }
        Ok(())
    }

    /// The path with the numbers that `value` knows.
    pub(super) fn fill(&self, owner: &str, value: impl Fn(&str) -> Option<f64>) -> Result<PathBuf> {
        if self.text().is_none() {
            return Ok(self.folder.join(&self.rest));
        }
        let mut path = String::new();
        for part in self.parts(owner)? {
            match part {
                Part::Text(text) => path += text,
                Part::Number { name, format } => path += &format.write(name, value(name)),
            }
        }
        Ok(self.folder.join(path))
    }

    /// The path, if it is the same for every epoch.
    pub(super) fn constant(&self, owner: &str) -> Result<Option<PathBuf>> {
        let constant = !self.parts(owner)?.iter().any(|part| matches!(part, Part::Number { .. }));
        if constant { self.fill(owner, |_| None).map(Some) } else { Ok(None) }
    }

    /// The folders that are the same for every epoch.
    pub(super) fn folder(&self) -> &Path {
        &self.folder
    }

    /// What may have braces. A path that is no text has none to look for.
    fn text(&self) -> Option<&str> {
        self.rest.to_str()
    }

    fn parts(&self, owner: &str) -> Result<Vec<Part<'_>>> {
        let Some(text) = self.text() else { return Ok(Vec::new()) };
        let refused = || {
            let expected = "names in braces, as in {epoch:02} and {val_loss:.4}; a brace itself is {{ or }}";
            Error::invalid_parameter(owner, "path", self.folder.join(text).display(), expected)
        };
        let mut parts = Vec::new();
        let mut rest = text;
        while let Some(at) = rest.find(['{', '}']) {
            let (before, behind) = rest.split_at(at);
            parts.push(Part::Text(before));
            if let Some(behind) = behind.strip_prefix("{{").or_else(|| behind.strip_prefix("}}")) {
                parts.push(Part::Text(&rest[at..=at]));
                rest = behind;
                continue;
            }
            let (field, behind) =
                behind.strip_prefix('{').and_then(|behind| behind.split_once('}')).ok_or_else(refused)?;
            let (name, format) = field.split_once(':').unwrap_or((field, ""));
            parts.push(Part::Number { name, format: Format::parse(format).ok_or_else(refused)? });
            rest = behind;
        }
        parts.push(Part::Text(rest));
        Ok(parts)
    }
}

impl Format {
    /// `[0][width][.precision][d|f]`, as in Rust and in Python.
    fn parse(text: &str) -> Option<Self> {
        let text = text.strip_suffix(['d', 'f']).unwrap_or(text);
        let (width, precision) = match text.split_once('.') {
            Some((width, precision)) => (width, Some(number(precision)?)),
            None => (text, None),
        };
        let width_of = |digits: &str| if digits.is_empty() { Some(0) } else { number(digits) };
        Some(Self { zeros: width.starts_with('0'), width: width_of(width)?, precision })
    }

    fn write(self, name: &str, value: Option<f64>) -> String {
        let number = match (value, self.precision) {
            (None, _) => "NA".into(),
            (Some(count), _) if matches!(name, "epoch" | "batch") => format!("{count:.0}"),
            (Some(value), Some(precision)) => format!("{value:.precision$}"),
            (Some(value), None) => value.to_string(),
        };
        let fill = if self.zeros { "0" } else { " " };
        fill.repeat(self.width.saturating_sub(number.len())) + &number
    }
}

fn number(digits: &str) -> Option<usize> {
    digits.parse().ok().filter(|&number| number <= MOST_DIGITS)
}

#[cfg(test)]
#[path = "../../tests/common/temporary.rs"]
mod temporary;

#[cfg(test)]
mod tests {
    use super::temporary::temporary_path;
    use super::*;

    fn filled(template: &str) -> Result<String> {
        let values = |name: &str| match name {
            "epoch" => Some(7.0),
            "val_loss" => Some(0.123_456),
            _ => None,
        };
        let path = PathTemplate::new(Path::new(template)).fill("ModelCheckpoint", values)?;
        Ok(path.to_str().unwrap().into())
    }

    #[test]
    fn numbers_are_written_as_rust_and_python_write_them() {
        let cases = [
            ("m.axonal", "m.axonal"),
            ("m-{epoch:02}.axonal", "m-07.axonal"),
            ("m-{epoch:02d}-{val_loss:.4}", "m-07-0.1235"),
            ("{val_loss:.2f}/{epoch}", "0.12/7"),
            ("{epoch:5}|{val_loss:08.3f}", "    7|0000.123"),
            ("{{{epoch}}}", "{7}"),
            ("größe-{val_accuracy:.2}", "größe-NA"),
        ];
        for (template, path) in cases {
            assert_eq!(filled(template).unwrap(), path);
        }
    }

    #[test]
    fn folders_that_exist_are_taken_as_they_are() {
        let root = temporary_path("template");
        std::fs::create_dir_all(root.join("run{1}").join("{epoch}")).unwrap();
        let fill = |path: &str| {
            let template = PathTemplate::new(&root.join(path));
            let filled = template.fill("ModelCheckpoint", |name| (name == "epoch").then_some(7.0));
            let filled = filled.map(|path| path.strip_prefix(&root).unwrap().to_str().unwrap().to_string());
            (
                filled.map_err(|error| error.to_string()),
                template.folder().strip_prefix(&root).unwrap().to_path_buf(),
            )
        };
        for (path, expected, folder) in [
            ("run{1}/m-{epoch}", "run{1}/m-7", "run{1}"),
            ("run{1}/{epoch}/m", "run{1}/{epoch}/m", "run{1}/{epoch}"),
            ("run{1}/{epoch:02}/m", "run{1}/07/m", "run{1}"),
            ("new/{epoch}/m", "new/7/m", "new"),
            ("run{{2}}/m", "run{2}/m", ""),
        ] {
            assert_eq!(fill(path), (Ok(expected.into()), folder.into()), "{path}");
        }
        let known = PathTemplate::new(&root.join("run{2}/m")).validate("ModelCheckpoint", &["epoch"]);
        assert_eq!(known.unwrap_err().to_string(), "unknown name in braces in a path \"2\"; known: epoch");
        std::fs::remove_dir_all(&root).unwrap();
    }

    #[test]
    fn what_is_no_template_is_refused() {
        for template in ["{", "}", "a{epoch", "a}b", "{epoch:x}", "{epoch:.}", "{epoch:9999999}", "{e{x}}"] {
            let outcome = filled(template);
            let known = PathTemplate::new(Path::new(template)).validate("ModelCheckpoint", &["epoch"]);
            assert!(known.is_err(), "{template}: {outcome:?}");
        }
        let unknown = PathTemplate::new(Path::new("{los}")).validate("ModelCheckpoint", &["epoch", "loss"]);
        assert_eq!(
            unknown.unwrap_err().to_string(),
            "unknown name in braces in a path \"los\"; known: epoch, loss"
        );
    }
}
