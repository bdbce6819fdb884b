//! What can be wrong with a file that is being read.

use super::file_kind::file_kind;
use super::{Error, Hint};
use std::fmt;

/// Why a file was refused.
///
/// Text that comes from the file is quoted and cut at 64 characters.
#[derive(thiserror::Error)]
#[non_exhaustive]
pub enum LoadErrorKind {
    /// Another kind of file, or one that a text-mode transfer has changed.
    #[error("expected a file saved by this crate, found {}", FoundFile(found, *.kind))]
    NotOurs {
        /// The first bytes, at most eight.
        found: Vec<u8>,
        /// What the file is, where its first bytes tell: "a zip archive, …", "a text file".
        kind: Option<&'static str>,
    },

    /// A file of a later format.
    #[error(
        "written in format {found}, but this version of the crate reads formats 1 to {supported}; upgrade it"
    )]
    Version {
        /// The file's format.
        found: u16,
        /// The last format that this version reads.
        supported: u16,
    },

    /// A file of this crate that holds something else.
    #[error("expected {expected}, but the file holds {found}")]
    Content {
        /// What was to be loaded.
        expected: String,
        /// What the file holds.
        found: String,
    },

    /// A file of another format, or with elements of another type.
    #[error("expected {expected}, got {got}{}", Hint(.hint))]
    Format {
        /// The expected format or type.
        expected: String,
        /// The actual format or type.
        got: String,
        /// What to do about it; may be empty.
        hint: String,
    },

    /// More data than [`ReadLimits`](crate::datasets::ReadLimits) allow.
    #[error("more than {limit} {what}; if the file is trusted, raise {option} of ReadLimits")]
    TooLarge {
        /// The quantity that exceeds its limit: "bytes", "columns".
        what: &'static str,
        /// How much is allowed.
        limit: u64,
        /// The field of `ReadLimits` that sets the limit.
        option: &'static str,
    },

    /// A file that ends too early.
    #[error("cut off: expected {expected} bytes, got {got}")]
    Truncated {
        /// The length that the file should have.
        expected: u64,
        /// The length that it has.
        got: u64,
    },

    /// A file with something behind its end.
    #[error("the content ends at byte {end}, but {extra} more follow")]
    Trailing {
        /// Where the content ends.
        end: u64,
        /// How many bytes follow.
        extra: u64,
    },

    /// A part that is not what was written.
    #[error(
        "byte {offset}: the {section}'s checksum should be {stored:08x}, is {computed:08x}; the file is damaged"
    )]
    Checksum {
        /// Which part: "header", "structure", "numbers".
        section: &'static str,
        /// Where the part begins.
        offset: u64,
        /// The checksum in the file.
        stored: u32,
        /// The checksum of what is there.
        computed: u32,
    },

    /// A place where something else should stand.
    #[error("byte {offset}: expected {expected}, got {got}")]
    Malformed {
        /// The place.
        offset: u64,
        /// What should stand there.
        expected: String,
        /// What stands there.
        got: String,
    },

    /// More than is allowed.
    #[error(
        "{what}: {value}, at most {limit} are allowed; where the file is trusted, raise the limit in LoadOptions"
    )]
    Limit {
        /// The quantity that exceeds its limit.
        what: String,
        /// How much of it the file has.
        value: u64,
        /// How much is allowed.
        limit: u64,
    },

    /// A tensor that is missing, too many, or of another shape or number type.
    #[error("tensor {tensor:?}: expected {expected}, got {got}")]
    Tensor {
        /// The tensor's name.
        tensor: String,
        /// What the architecture in the file asks for.
        expected: String,
        /// What the file has.
        got: String,
    },

    /// NaN or an infinity among the numbers.
    #[error("tensor {tensor:?}: {value} at index {index}, expected finite numbers")]
    NonFinite {
        /// The tensor's name.
        tensor: String,
        /// The place within the tensor, counted in row-major order.
        index: usize,
        /// "NaN", "inf" or "-inf".
        value: String,
    },

    /// A kind that is neither built in nor registered.
    #[error("unknown {what} {kind:?}; register it by Registry::{what} and use load_with")]
    UnknownKind {
        /// "layer", "loss", "metric" or "optimizer".
        what: &'static str,
        /// The kind that the file names.
        kind: String,
    },

    /// A registration that cannot be.
    #[error("Registry: {what} {kind:?} {problem}")]
    Registration {
        /// "layer", "loss", "metric" or "optimizer".
        what: &'static str,
        /// The kind that was registered.
        kind: String,
        /// What is wrong with it.
        problem: &'static str,
    },

    /// A part of another library's file that has no counterpart in this crate, or is not as that library writes it.
    #[error("{part}: expected {expected}, got {got}{}", Hint(.hint))]
    Unsupported {
        /// Which part: a layer by its name and class, the loss, "HDF5".
        part: String,
        /// What this crate can read.
        expected: String,
        /// What the file has.
        got: String,
        /// What to do about it; may be empty.
        hint: String,
    },

    /// A part that a builder would refuse, too: a hyperparameter out of range, shapes that do not fit.
    #[error("{part}: {source}")]
    Rejected {
        /// Which part: "layer 1", "optimizer", "fit options".
        part: String,
        /// What the builder says.
        source: Box<Error>,
    },
}

/// What a file is, or how it begins.
struct FoundFile<'a>(&'a [u8], Option<&'static str>);

impl fmt::Display for FoundFile<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.1 {
            Some(kind) => f.write_str(kind),
            None => write!(f, "one that begins with {:02x?}", self.0),
        }
    }
}

impl LoadErrorKind {
    /// The problem of a file that begins with these bytes, of which 64 are enough.
    pub(crate) fn not_ours(first: &[u8]) -> Self {
        Self::NotOurs { found: first.iter().take(8).copied().collect(), kind: file_kind(first) }
    }

    /// The error of a file with this problem.
    pub(crate) fn in_file(self, file: &str) -> Error {
        Error::Load { file: file.into(), problem: Box::new(self) }
    }
}

/// Text from a file, fit for a message.
pub(crate) fn excerpt(text: &str) -> String {
    text.chars().take(64).collect()
}

/// Text from a file, quoted, escaped and cut at 64 characters.
pub(crate) fn quoted(text: &str) -> String {
    format!("{:?}", excerpt(text))
}
