use super::{Categorical, Known};
use crate::data_file::{self, ReadLimits};
use crate::error::{Error, Result, quoted};
use crate::estimator::{Estimator, Fit, Transform};
use ndarray::{Array1, ArrayBase, Data, Ix1};
use serde::{Deserialize, Serialize};
use std::collections::HashMap;
use std::io::Read;
use std::path::Path;

/// Numbers class names: 0, 1, … in ascending order.
///
/// # Shapes
/// Names: a slice or an array of anything that is a string; out: (n_samples) class numbers.
///
/// # Errors
/// No names, a name that `fit` did not see, [`Error::NotFitted`] before `fit`.
///
/// # Examples
/// ```
/// use axonal::ndarray::array;
/// use axonal::prelude::*;
///
/// # fn main() -> Result<()> {
/// let mut encoder = LabelEncoder::new();
/// encoder.fit(["dog", "cat", "dog"].as_slice())?;
/// let labels = encoder.transform(["cat", "dog"].as_slice())?;
/// assert_eq!(labels, array![0, 1]);
/// assert_eq!(encoder.inverse_transform(&labels)?, ["cat", "dog"]);
/// # Ok(())
/// # }
/// ```
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct LabelEncoder {
    classes: Option<Vec<String>>,
}

impl LabelEncoder {
    /// Knows no classes yet.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Numbers these classes in the given order, instead of learning an ascending one.
    ///
    /// # Errors
    /// No classes, or one named twice.
    pub fn from_classes<N: Into<String>>(classes: impl IntoIterator<Item = N>) -> Result<Self> {
        let classes: Vec<String> = classes.into_iter().map(Into::into).collect();
        check_classes(classes.len())?;
        let mut sorted: Vec<&String> = classes.iter().collect();
        sorted.sort_unstable();
        if let Some(twice) = sorted.windows(2).find(|pair| pair[0] == pair[1]) {
            let value = format!("twice {:?}", twice[0]);
            return Err(Error::invalid_parameter("LabelEncoder", "classes", value, "every class once"));
        }
        Ok(Self { classes: Some(classes) })
    }

    /// Reads the classes from a text file, one a line, in the order of their numbers.
    ///
    /// The text is UTF-8; lines end with LF, CRLF or CR, and blank lines at the end are passed over. The file may be a
    /// pipe, and with the feature `gzip` compressed.
    ///
    /// # Errors
    /// [`Error::Io`]; [`Error::Load`] for what is no UTF-8 text or more than the default
    /// [`ReadLimits`](crate::datasets::ReadLimits); [`Error::Parse`] for a blank line between classes and for a class
    /// that comes twice.
    pub fn from_file(path: impl AsRef<Path>) -> Result<Self> {
        Self::from_file_with(path, &ReadLimits::default())
    }

    /// Reads the classes as [`from_file`](Self::from_file), within other limits.
    ///
    /// # Errors
    /// As [`from_file`](Self::from_file).
    pub fn from_file_with(path: impl AsRef<Path>, limits: &ReadLimits) -> Result<Self> {
        let path = path.as_ref();
        let mut bytes = Vec::new();
        let mut source = data_file::open(path, limits)?;
        source.reader.read_to_end(&mut bytes).map_err(|source| data_file::failed(path, source))?;
        data_file::check_text(path, &bytes)?;
        let bytes = bytes.strip_prefix("\u{feff}".as_bytes()).unwrap_or(&bytes);
        let classes = class_lines(&path.display().to_string(), bytes)?;
        check_classes(classes.len())?;
        Ok(Self { classes: Some(classes) })
    }

    /// The classes in the order of their numbers.
    ///
    /// # Errors
    /// [`Error::NotFitted`] before `fit`.
    pub fn classes(&self) -> Result<&[String]> {
        self.fitted("classes")
    }

    /// Back from numbers to names.
    ///
    /// # Errors
    /// [`Error::NotFitted`] before `fit`, or a number that no class has.
    pub fn inverse_transform(&self, labels: &ArrayBase<impl Data<Elem = usize>, Ix1>) -> Result<Vec<String>> {
        let classes = self.fitted("inverse_transform")?;
        let name = |(row, &label): (usize, &usize)| {
            let unknown = || Error::Label { row, label: label.to_string(), n_classes: classes.len() };
            classes.get(label).cloned().ok_or_else(unknown)
        };
        labels.iter().enumerate().map(name).collect()
    }

    fn fitted(&self, method: &'static str) -> Result<&[String]> {
        self.classes.as_deref().ok_or(Error::NotFitted { estimator: "LabelEncoder", method })
    }

    fn learn<'a>(&mut self, names: impl Iterator<Item = &'a str>) -> Result<()> {
        let classes: std::collections::BTreeSet<&str> = names.collect();
        check_classes(classes.len())?;
        self.classes = Some(classes.into_iter().map(ToOwned::to_owned).collect());
        Ok(())
    }

    fn numbers<'a>(&self, names: impl Iterator<Item = &'a str>) -> Result<Array1<usize>> {
        let classes = self.fitted("transform")?;
        let numbers: HashMap<&str, usize> =
            classes.iter().enumerate().map(|(number, class)| (class.as_str(), number)).collect();
        let number = |name: &str| {
            numbers
                .get(name)
                .copied()
                .ok_or_else(|| Error::unknown_name("class", name, classes.iter().take(20)))
        };
        names.map(number).collect()
    }
}

/// The lines of a text, each a class.
fn class_lines(source_name: &str, bytes: &[u8]) -> Result<Vec<String>> {
    let refuse = |line: usize, expected: &str, got: String, hint: &str| Error::Parse {
        source_name: source_name.into(),
        line: line + 1,
        column: 1,
        expected: expected.into(),
        got,
        hint: hint.into(),
    };
    let text = std::str::from_utf8(bytes).map_err(|error| {
        let before = String::from_utf8_lossy(&bytes[..error.valid_up_to()]);
        let byte = bytes.get(error.valid_up_to()).copied().unwrap_or_default();
        let hint = "convert the file to UTF-8, for example with iconv -f WINDOWS-1252 -t UTF-8";
        refuse(lines(&before).count() - 1, "UTF-8 text", format!("byte 0x{byte:02x}"), hint)
    })?;
    let mut classes: Vec<&str> = lines(text).collect();
    let n_classes = classes.iter().rposition(|class| !class.trim().is_empty()).map_or(0, |last| last + 1);
    classes.truncate(n_classes);
    let mut known: HashMap<&str, usize> = HashMap::new();
    for (number, &class) in classes.iter().enumerate() {
        if class.trim().is_empty() {
            return Err(refuse(number, "a class", "a blank line".into(), "remove the line"));
        }
        if let Some(first) = known.insert(class, number) {
            let got = format!("{} again, as in line {}", quoted(class), first + 1);
            return Err(refuse(number, "a class that no other line has", got, "remove one of them"));
        }
    }
    Ok(classes.into_iter().map(ToOwned::to_owned).collect())
}

/// The lines of a text, whether they end with LF, CRLF or CR.
fn lines(text: &str) -> impl Iterator<Item = &str> {
    text.split('\n').flat_map(|line| line.strip_suffix('\r').unwrap_or(line).split('\r'))
}

fn check_classes(n_classes: usize) -> Result<()> {
    if n_classes > 0 {
        return Ok(());
    }
    Err(Error::Empty { what: "classes".into(), shape: "(0)".into(), needed: "sample" })
}

impl LabelEncoder {
    /// Learns the distinct names, sorted, from a slice or a one-dimensional array of strings.
    ///
    /// # Errors
    /// No names.
    pub fn fit<X: ?Sized>(&mut self, names: &X) -> Result<()>
    where
        Self: Fit<X, Report = ()>,
    {
        Fit::fit(self, names, ())
    }
}

impl<N: AsRef<str>> Fit<[N]> for LabelEncoder {
    type Report = ();

    fn fit(&mut self, names: &[N], (): ()) -> Result<()> {
        self.learn(names.iter().map(AsRef::as_ref))
    }
}

impl<N: AsRef<str>> Transform<[N]> for LabelEncoder {
    type Output = Array1<usize>;

    fn transform(&self, names: &[N]) -> Result<Array1<usize>> {
        self.numbers(names.iter().map(AsRef::as_ref))
    }
}

impl<N: AsRef<str>, S: Data<Elem = N>> Fit<ArrayBase<S, Ix1>> for LabelEncoder {
    type Report = ();

    fn fit(&mut self, names: &ArrayBase<S, Ix1>, (): ()) -> Result<()> {
        self.learn(names.iter().map(AsRef::as_ref))
    }
}

impl<N: AsRef<str>, S: Data<Elem = N>> Transform<ArrayBase<S, Ix1>> for LabelEncoder {
    type Output = Array1<usize>;

    fn transform(&self, names: &ArrayBase<S, Ix1>) -> Result<Array1<usize>> {
        self.numbers(names.iter().map(AsRef::as_ref))
    }
}

impl Estimator for LabelEncoder {
    fn unfitted(&self) -> Self {
        Self::new()
    }
}

impl Known for String {
    fn text(&self) -> Option<&str> {
        Some(self)
    }

    fn bits(&self) -> u64 {
        0
    }

    fn text_mut(&mut self) -> Option<&mut String> {
        Some(self)
    }

    fn of_number(_: f64) -> Option<Self> {
        None
    }

    fn of_text(text: String) -> Option<Self> {
        Some(text)
    }
}

impl Categorical for LabelEncoder {
    type Item = String;
    const CHECKED_BY: u64 = 8;

    fn known(&self) -> Option<Vec<&[String]>> {
        Some(vec![self.classes.as_deref()?])
    }

    fn with_known(self, lists: Vec<Vec<String>>) -> Self {
        // No classes where there is not exactly one list: what is made of it is refused.
        let classes = if lists.len() == 1 { lists.into_iter().next() } else { Some(Vec::new()) };
        Self { classes }
    }

    fn misfit(lists: &[&[String]]) -> Option<&'static str> {
        let mut sorted: Vec<&String> = lists.iter().copied().flatten().collect();
        sorted.sort_unstable();
        let once = sorted.windows(2).all(|pair| pair[0] != pair[1]);
        (sorted.is_empty() || !once).then_some("classes, each of them once")
    }
}
