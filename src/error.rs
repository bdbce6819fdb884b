//! One error for the whole crate: where it happened, what was expected, what came, what to do.

mod configuration;
mod debug;
mod file_kind;
mod load_error_kind;
mod short_numbers;

pub use load_error_kind::LoadErrorKind;
pub(crate) use load_error_kind::{excerpt, quoted};

use short_numbers::ShortNumbers;
use std::fmt;
use std::fs::Metadata;
use std::path::PathBuf;

/// The result of every fallible operation of this crate.
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// Everything that can go wrong.
///
/// Messages follow one rule: *where: what was expected, what came; what to do*. `Debug` prints the message too, so that a
/// program whose `main` returns an error ends with it; `{:#?}` adds the fields. New variants may be added in any release,
/// so a `match` needs a wildcard arm.
///
/// # Examples
/// ```
/// use axonal::ndarray::Array2;
/// use axonal::prelude::*;
///
/// # fn main() -> Result<()> {
/// let model = Sequential::new(4).add(Dense::new(3)).compile(Adam::default(), MeanSquaredError::default())?;
/// let message = model.predict(&Array2::<f32>::ones((2, 5))).unwrap_err().to_string();
/// assert_eq!(message, "x: expected samples of shape (4), got (5)");
/// # Ok(())
/// # }
/// ```
#[derive(thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// A hyperparameter out of range.
    #[error("{owner}: {name} is {}, expected {}", ShortNumbers(.value), ShortNumbers(.expected))]
    InvalidParameter {
        /// What the parameter belongs to: "dropout", "Adam", "fit", "KMeans".
        owner: String,
        /// The parameter's name, as its setter is called.
        name: &'static str,
        /// What was given.
        value: String,
        /// What is allowed.
        expected: String,
    },

    /// An array of the wrong shape.
    #[error("{context}: expected {}, got {}", ShortNumbers(.expected), ShortNumbers(.got))]
    Shape {
        /// What has the shape: "x", "layer 2 (dense)", "initial centers".
        context: String,
        /// The shape or the rank that is needed.
        expected: String,
        /// The shape that came.
        got: String,
    },

    /// Two arrays that must have one length and do not.
    #[error("{what}: expected {expected} (one per sample), got {got}")]
    Length {
        /// The array of the wrong length: "y", "sample_weight".
        what: String,
        /// The number of samples.
        expected: usize,
        /// The number of entries that came.
        got: usize,
    },

    /// An array without samples or without features.
    #[error("{what} is empty: its shape is {shape}, and at least 1 {needed} is needed")]
    Empty {
        /// The empty array.
        what: String,
        /// Its shape.
        shape: String,
        /// What is missing: "sample", "feature".
        needed: &'static str,
    },

    /// NaN or an infinity in the data.
    #[error("{what} contains {value} at {index:?}; remove or impute such values first")]
    NonFinite {
        /// The array: "x", "y", "sample_weight".
        what: String,
        /// "NaN", "inf" or "-inf".
        value: String,
        /// The index of the first such element.
        index: Vec<usize>,
    },

    /// A finite value whose result is not representable.
    #[error("{owner}: {what} is too large at {index:?} ({value:?}), expected {expected}; {hint}")]
    TooLarge {
        /// Who computes the result: "MaxAbsScaler".
        owner: &'static str,
        /// The array: "x", "z".
        what: &'static str,
        /// The value.
        value: f64,
        /// Its row and column.
        index: [usize; 2],
        /// What is allowed.
        expected: &'static str,
        /// What to do.
        hint: &'static str,
    },

    /// A number that an embedding has no vector for.
    #[error("{what} contains {} at {index:?}, which is not a valid index; the embedding expects integers in 0..={}", ShortNumbers(.value), .len.saturating_sub(1))]
    Index {
        /// The array.
        what: String,
        /// The number.
        value: String,
        /// Where the first such number stands.
        index: Vec<usize>,
        /// How many indices there are.
        len: usize,
    },

    /// A class label without an output.
    #[error("y[{row}]: label {} is not one of the {n_classes} classes; labels are whole numbers from 0 to {}", ShortNumbers(.label), .n_classes.saturating_sub(1))]
    Label {
        /// The first row with such a label.
        row: usize,
        /// The label that came.
        label: String,
        /// How many classes the output has.
        n_classes: usize,
    },

    /// Targets of a form that a loss or a metric cannot compare with the model's output.
    #[error("{owner}: expected {expected}, got {}; {hint}", ShortNumbers(.got))]
    Target {
        /// The loss or metric.
        owner: String,
        /// The form of targets that it compares.
        expected: String,
        /// What came.
        got: String,
        /// What to do.
        hint: String,
    },

    /// A network whose outputs a loss cannot take.
    #[error("{loss}: expected {expected}, got {got}; {hint}")]
    Output {
        /// The loss.
        loss: String,
        /// What it takes outputs for.
        expected: String,
        /// What the network puts out.
        got: String,
        /// What to do.
        hint: String,
    },

    /// A target outside the range that a loss or a metric accepts.
    #[error("{what}: expected {}, got {}; {hint}", ShortNumbers(.expected), ShortNumbers(.value))]
    TargetValue {
        /// The first such target in its array: `y[17]`, `validation y[3, 1]`.
        what: String,
        /// Its row.
        row: usize,
        /// The target.
        value: String,
        /// The range, and the loss or metric that takes it.
        expected: String,
        /// What to do.
        hint: &'static str,
    },

    /// A weight that is negative, or weights that are all zero.
    #[error("{what}: {}", ShortNumbers(.problem))]
    Weight {
        /// Which weights: "sample_weight", "class_weight".
        what: String,
        /// What is wrong with them.
        problem: String,
    },

    /// A method that needs a fitted estimator was called before `fit`.
    #[error("this {estimator} is not fitted yet: call fit before {method}")]
    NotFitted {
        /// The estimator's type.
        estimator: &'static str,
        /// The method that needs it fitted.
        method: &'static str,
    },

    /// Fewer samples than the method needs.
    #[error("{owner}: n_samples={n_samples} should be >= {name}={needed}")]
    TooFewSamples {
        /// Who needs them.
        owner: &'static str,
        /// How many there are.
        n_samples: usize,
        /// The parameter that asks for more.
        name: &'static str,
        /// Its value.
        needed: usize,
    },

    /// Training left the range of numbers.
    #[error(
        "the {quantity} became {loss} at epoch {epoch}, batch {batch} (learning rate {learning_rate}); the model \
         keeps the weights {}; lower the learning rate, scale the data or clip the gradients (clipnorm)",
        LastGood(*.last_good_epoch)
    )]
    Diverged {
        /// What is not finite: "loss" or "loss's gradient".
        quantity: &'static str,
        /// The epoch, counted from 1 as progress lines do.
        epoch: usize,
        /// The batch within the epoch, counted from 1.
        batch: usize,
        /// The value that came.
        loss: f64,
        /// The learning rate of that step.
        learning_rate: f64,
        /// The last epoch after which all was finite, counted from 1; `None`: the weights before this `fit`.
        last_good_epoch: Option<usize>,
    },

    /// Named weights that do not match the model.
    #[error("weight {name:?}: expected {expected}, got {got}")]
    WeightMismatch {
        /// The weight's name, as in `"0.dense/kernel"`.
        name: String,
        /// What the model has.
        expected: String,
        /// What was given.
        got: String,
    },

    /// An unknown name.
    #[error("unknown {what} {name:?}; known: {}", .known.join(", "))]
    UnknownName {
        /// What kind of name: "activation", "monitor".
        what: &'static str,
        /// The name that came.
        name: String,
        /// The names there are.
        known: Vec<String>,
    },

    /// An option that does not belong where it was given.
    #[error("{context}: {option} does not belong here; {hint}")]
    Misplaced {
        /// Where it was given.
        context: &'static str,
        /// The option.
        option: &'static str,
        /// Where it belongs.
        hint: &'static str,
    },

    /// A rank of a group of workers failed, or the ranks do not run the same.
    #[error("distributed: rank {rank} {problem}")]
    Distributed {
        /// The rank that failed or differs.
        rank: usize,
        /// What is wrong, to be read behind the number of the rank.
        problem: String,
    },

    /// A custom callback failed; the model holds the weights of the last whole batch.
    #[error("callback {name}: {source}")]
    Callback {
        /// The callback's name.
        name: String,
        /// What it returned.
        source: Box<dyn std::error::Error + Send + Sync>,
    },

    /// A place in a text file that cannot be read as data.
    #[error("{source_name}, line {line}, column {column}: expected {expected}, got {}{}", ShortNumbers(.got), Hint(.hint))]
    Parse {
        /// The file or the embedded data set.
        source_name: String,
        /// Line, counted from 1.
        line: usize,
        /// Column, counted from 1; in a table the number of the field.
        column: usize,
        /// The expected content.
        expected: String,
        /// The actual content; text from the file is quoted and cut at 64 characters.
        got: String,
        /// What to do about it; may be empty.
        hint: String,
    },

    /// More memory than there is.
    #[error("cannot allocate {bytes} bytes of memory for {what}; use a smaller model or smaller batches")]
    OutOfMemory {
        /// What the memory is for.
        what: String,
        /// How much is needed.
        bytes: usize,
    },

    /// A file that is not what was to be loaded, or that is damaged.
    #[error("{file}: {problem}")]
    Load {
        /// The file's path, or "bytes".
        file: String,
        /// What is wrong with it.
        problem: Box<LoadErrorKind>,
    },

    /// A file could not be written. What stood under its name before stands there still, unless it was only the
    /// directory that could not be made durable.
    #[error("{}: cannot {action}: {source}", .path.display())]
    Save {
        /// The file.
        path: PathBuf,
        /// What was refused: "write", "make the file durable", "rename", ….
        action: &'static str,
        /// The system's answer.
        source: std::io::Error,
    },

    /// Something that has no form in a file.
    #[error("{what} cannot be saved: {reason}; {hint}")]
    Unsaveable {
        /// Which part: "layer 1.swish", "the learning rate".
        what: String,
        /// Why.
        reason: String,
        /// What to do.
        hint: String,
    },

    /// The operating system refused a file operation.
    #[error("{}: {source}", .path.display())]
    Io {
        /// The file.
        path: PathBuf,
        /// The system's answer.
        source: std::io::Error,
    },
}

impl Error {
    /// A hyperparameter out of range.
    ///
    /// # Examples
    /// ```
    /// use axonal::Error;
    /// let error = Error::invalid_parameter("dropout", "rate", 1.5, "0 <= rate < 1");
    /// assert_eq!(error.to_string(), "dropout: rate is 1.5, expected 0 <= rate < 1");
    /// ```
    pub fn invalid_parameter(
        owner: impl Into<String>,
        name: &'static str,
        value: impl fmt::Display,
        expected: impl Into<String>,
    ) -> Self {
        Self::InvalidParameter {
            owner: owner.into(),
            name,
            value: value.to_string(),
            expected: expected.into(),
        }
    }

    /// An array of the wrong shape.
    pub fn shape(context: impl Into<String>, expected: impl fmt::Display, got: impl fmt::Display) -> Self {
        Self::Shape { context: context.into(), expected: expected.to_string(), got: got.to_string() }
    }

    /// NaN or an infinity at `index` of the array `what`.
    pub fn non_finite(what: impl Into<String>, value: f64, index: impl Into<Vec<usize>>) -> Self {
        Self::NonFinite { what: what.into(), value: value.to_string(), index: index.into() }
    }

    /// The same error, with the layer in which it arose in front.
    #[must_use]
    pub(crate) fn in_layer(self, name: &str) -> Self {
        match self {
            Self::InvalidParameter { name: parameter, value, expected, .. } => {
                Self::InvalidParameter { owner: format!("layer {name}"), name: parameter, value, expected }
            }
            Self::Shape { context, expected, got } => {
                let kind = name.split_once('.').map_or(name, |(_, kind)| kind);
                let context =
                    context.strip_prefix(kind).unwrap_or(&context).trim_start_matches([':', ' ']).to_string();
                let separator = if context.is_empty() { "" } else { ", " };
                Self::Shape { context: format!("layer {name}{separator}{context}"), expected, got }
            }
            other => other,
        }
    }

    /// An unknown name, with the available names.
    pub fn unknown_name<S: Into<String>>(
        what: &'static str,
        name: impl Into<String>,
        known: impl IntoIterator<Item = S>,
    ) -> Self {
        Self::UnknownName { what, name: name.into(), known: known.into_iter().map(Into::into).collect() }
    }
}

/// Names the type of a directory entry: "a directory", "a pipe", ….
pub(crate) fn file_type(found: &Metadata) -> &'static str {
    #[cfg(unix)]
    {
        use std::os::unix::fs::FileTypeExt;
        let kind = found.file_type();
        if kind.is_fifo() {
            return "a pipe";
        } else if kind.is_socket() {
            return "a socket";
        } else if kind.is_char_device() || kind.is_block_device() {
            return "a device";
        }
    }
    match (found.is_dir(), found.is_file()) {
        (true, _) => "a directory",
        (_, true) => "a regular file",
        _ => "something else",
    }
}

/// What to do, behind what is wrong; nothing where it is empty.
struct Hint<'a>(&'a str);

impl fmt::Display for Hint<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.0.is_empty() { Ok(()) } else { write!(f, "; {}", self.0) }
    }
}

/// Words for the weights that a diverged model keeps.
struct LastGood(Option<usize>);

impl fmt::Display for LastGood {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            Some(epoch) => write!(f, "of epoch {epoch}"),
            None => f.write_str("from before this fit"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_message_says_where_what_and_what_to_do() {
        let cases: Vec<(Error, &str)> = vec![
            (
                Error::invalid_parameter("Adam", "learning_rate", f64::NAN, "a finite number above 0"),
                "Adam: learning_rate is NaN, expected a finite number above 0",
            ),
            (Error::shape("layer 2 (dense)", "(4)", "(5)"), "layer 2 (dense): expected (4), got (5)"),
            (
                Error::Length { what: "y".into(), expected: 10, got: 2 },
                "y: expected 10 (one per sample), got 2",
            ),
            (
                Error::Empty { what: "x".into(), shape: "(0, 4)".into(), needed: "sample" },
                "x is empty: its shape is (0, 4), and at least 1 sample is needed",
            ),
            (
                Error::non_finite("x", f64::NEG_INFINITY, [6, 2]),
                "x contains -inf at [6, 2]; remove or impute such values first",
            ),
            (
                Error::TooLarge {
                    owner: "MaxAbsScaler",
                    what: "x",
                    value: 1e308,
                    index: [4, 1],
                    expected: "values whose results fit f64",
                    hint: "fit the scaler to data of this magnitude",
                },
                "MaxAbsScaler: x is too large at [4, 1] (1e308), expected values whose results fit f64; fit the scaler \
                 to data of this magnitude",
            ),
            (
                Error::Index { what: "x".into(), value: "2.5".into(), index: vec![3, 1], len: 10 },
                "x contains 2.5 at [3, 1], which is not a valid index; the embedding expects integers in 0..=9",
            ),
            (
                Error::Label { row: 17, label: "10".into(), n_classes: 10 },
                "y[17]: label 10 is not one of the 10 classes; labels are whole numbers from 0 to 9",
            ),
            (
                Error::Target {
                    owner: "accuracy".into(),
                    expected: "one class a row".into(),
                    got: "2 classes in row 3".into(),
                    hint: "use BinaryAccuracy".into(),
                },
                "accuracy: expected one class a row, got 2 classes in row 3; use BinaryAccuracy",
            ),
            (
                Error::Output {
                    loss: "binary_crossentropy".into(),
                    expected: "outputs from 0 to 1".into(),
                    got: "those of layer 1.dense without an activation".into(),
                    hint: "end with Activation::Sigmoid".into(),
                },
                "binary_crossentropy: expected outputs from 0 to 1, got those of layer 1.dense without an activation; end \
                 with Activation::Sigmoid",
            ),
            (
                Error::TargetValue {
                    what: "y[3, 1]".into(),
                    row: 3,
                    value: "255".into(),
                    expected: "a target from 0 to 1 for binary_crossentropy".into(),
                    hint: "divide by 255",
                },
                "y[3, 1]: expected a target from 0 to 1 for binary_crossentropy, got 255; divide by 255",
            ),
            (
                Error::Weight {
                    what: "sample_weight".into(),
                    problem: "weight -1 at [3] is negative".into(),
                },
                "sample_weight: weight -1 at [3] is negative",
            ),
            (
                Error::NotFitted { estimator: "KMeans", method: "predict" },
                "this KMeans is not fitted yet: call fit before predict",
            ),
            (
                Error::TooFewSamples { owner: "KMeans", n_samples: 3, name: "n_clusters", needed: 5 },
                "KMeans: n_samples=3 should be >= n_clusters=5",
            ),
            (
                Error::Diverged {
                    quantity: "loss",
                    epoch: 3,
                    batch: 17,
                    loss: f64::NAN,
                    learning_rate: 1.0,
                    last_good_epoch: Some(2),
                },
                "the loss became NaN at epoch 3, batch 17 (learning rate 1); the model keeps the weights of epoch 2; \
                 lower the learning rate, scale the data or clip the gradients (clipnorm)",
            ),
            (
                Error::WeightMismatch {
                    name: "0.dense/kernel".into(),
                    expected: "shape (4, 8)".into(),
                    got: "shape (4, 9)".into(),
                },
                "weight \"0.dense/kernel\": expected shape (4, 8), got shape (4, 9)",
            ),
            (
                Error::unknown_name("activation", "rely", ["relu", "tanh"]),
                "unknown activation \"rely\"; known: relu, tanh",
            ),
            (
                Error::Misplaced {
                    context: "with_fit_options",
                    option: "callback",
                    hint: "hand it to fit_with",
                },
                "with_fit_options: callback does not belong here; hand it to fit_with",
            ),
            (
                Error::Callback { name: "Checkpoint".into(), source: "disk full".into() },
                "callback Checkpoint: disk full",
            ),
            (
                Error::Parse {
                    source_name: "iris.csv".into(),
                    line: 2,
                    column: 3,
                    expected: "a number".into(),
                    got: "\"x\"".into(),
                    hint: String::new(),
                },
                "iris.csv, line 2, column 3: expected a number, got \"x\"",
            ),
            (
                Error::Parse {
                    source_name: "t.csv".into(),
                    line: 7,
                    column: 3,
                    expected: "2 fields".into(),
                    got: "3".into(),
                    hint: "quote fields that contain the delimiter".into(),
                },
                "t.csv, line 7, column 3: expected 2 fields, got 3; quote fields that contain the delimiter",
            ),
            (
                LoadErrorKind::Format {
                    expected: "elements of type f8".into(),
                    got: "f4".into(),
                    hint: "read them as f32".into(),
                }
                .in_file("x.npy"),
                "x.npy: expected elements of type f8, got f4; read them as f32",
            ),
            (
                LoadErrorKind::TooLarge { what: "bytes", limit: 1024, option: "max_stream_bytes" }
                    .in_file("x.csv.gz"),
                "x.csv.gz: more than 1024 bytes; if the file is trusted, raise max_stream_bytes of ReadLimits",
            ),
            (
                Error::OutOfMemory { what: "the parameters".into(), bytes: 8 },
                "cannot allocate 8 bytes of memory for the parameters; use a smaller model or smaller batches",
            ),
            (
                LoadErrorKind::Truncated { expected: 812, got: 20 }.in_file("m.axonal"),
                "m.axonal: cut off: expected 812 bytes, got 20",
            ),
            (
                Error::Save {
                    path: "m.axonal".into(),
                    action: "write",
                    source: std::io::Error::new(std::io::ErrorKind::StorageFull, "no space left"),
                },
                "m.axonal: cannot write: no space left",
            ),
            (
                Error::Unsaveable {
                    what: "layer 1.swish".into(),
                    reason: "it has no configuration".into(),
                    hint: "implement Layer::config, or use save_weights".into(),
                },
                "layer 1.swish cannot be saved: it has no configuration; implement Layer::config, or use save_weights",
            ),
            (
                Error::Io {
                    path: "absent.axonal".into(),
                    source: std::io::Error::new(std::io::ErrorKind::NotFound, "no such file"),
                },
                "absent.axonal: no such file",
            ),
        ];
        for (error, message) in cases {
            assert_eq!(error.to_string(), message);
        }
    }

    #[test]
    fn errors_cross_threads() {
        fn crosses<T: Send + Sync + 'static>() {}
        crosses::<Error>();
    }
}
