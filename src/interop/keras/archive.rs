//! What a Keras file consists of: an archive of configuration and weights, or one HDF5 file.

use super::hdf5::{Reader, SIGNATURE};
use super::problem::Read;
use super::weights::{Bytes, Weights};
use crate::data_file::{ArchiveProblem, describe, open_archive};
use crate::error::{Error, LoadErrorKind, Result};
use crate::persistence::{Limits, Source};
use std::fs::File;
use std::io::{self, Cursor, Read as _, Seek, Write};
use std::path::Path;
use zip::write::SimpleFileOptions;
use zip::{CompressionMethod, ZipArchive, ZipWriter};

const CONFIG: &str = "config.json";
const METADATA: &str = "metadata.json";
const WEIGHTS: &str = "model.weights.h5";

/// A Keras file that has been opened.
pub(super) struct Opened {
    /// The file's name, for messages.
    pub(super) name: String,
    pub(super) len: u64,
    /// The configuration of the model as JSON; none in a file of weights.
    pub(super) config: Option<Vec<u8>>,
    /// The configuration of the training, where it does not lie within that of the model.
    pub(super) training: Option<Vec<u8>>,
    pub(super) is_keras_2: bool,
    pub(super) weights: Weights<'static>,
}

impl Opened {
    /// Opens a `.keras` archive, a `.weights.h5` file, or an `.h5` file of the legacy format.
    pub(super) fn open(path: &Path, limits: &Limits) -> Result<Self> {
        let (name, mut file, len) = Source::open(path, limits)?.into_parts();
        let failed = |source| Error::Io { path: path.into(), source };
        let mut head = Vec::new();
        io::Read::take(&mut file, 16).read_to_end(&mut head).map_err(failed)?;
        file.rewind().map_err(failed)?;
        if head.starts_with(SIGNATURE) {
            let reader = Reader::open(Box::new(file) as Box<dyn Bytes>, 0, len);
            return Self::of_hdf5(name.clone(), len, reader).map_err(|problem| problem.in_file(&name));
        }
        if !head.starts_with(b"PK") {
            let expected = "a Keras file (.keras, .weights.h5, .h5)".into();
            let problem = LoadErrorKind::Format { expected, got: describe(&head), hint: String::new() };
            return Err(problem.in_file(&name));
        }
        match Archive::open(file, len, limits).and_then(Archive::into_parts) {
            Ok((config, reader)) => {
                let opened = Self::of_archive(name.clone(), len, config, reader);
                opened.map_err(|problem| problem.in_file(&name))
            }
            Err(Failure::System(source)) => Err(failed(source)),
            Err(Failure::Content(problem)) => Err(problem.in_file(&name)),
        }
    }

    fn of_archive(
        name: String,
        len: u64,
        config: Vec<u8>,
        reader: Read<Reader<Box<dyn Bytes>>>,
    ) -> Read<Self> {
        let weights = Weights::open(reader?)?;
        Ok(Self { name, len, config: Some(config), training: None, is_keras_2: false, weights })
    }

    fn of_hdf5(name: String, len: u64, reader: Read<Reader<Box<dyn Bytes>>>) -> Read<Self> {
        let mut weights = Weights::open(reader?)?;
        let mut texts = weights.root_texts()?;
        let mut text = |name: &str| texts.remove(name).map(|parts| parts.concat());
        let version = text("keras_version").unwrap_or_default();
        let is_keras_2 = ["1.", "2."].iter().any(|old| version.starts_with(old));
        let (config, training) = (text("model_config"), text("training_config"));
        let [config, training] = [config, training].map(|text| text.map(String::into_bytes));
        Ok(Self { name, len, config, training, is_keras_2, weights })
    }

    /// The error of a problem in this file; a read that the system refused is told as such.
    pub(super) fn error(&mut self, problem: LoadErrorKind) -> Error {
        match self.weights.reader.take_failure() {
            Some(source) => Error::Io { path: self.name.clone().into(), source },
            None => problem.in_file(&self.name),
        }
    }
}

/// Why an archive cannot be opened.
enum Failure {
    System(io::Error),
    Content(LoadErrorKind),
}

impl From<LoadErrorKind> for Failure {
    fn from(problem: LoadErrorKind) -> Self {
        Self::Content(problem)
    }
}

fn damaged(got: String) -> Failure {
    let expected = "a .keras archive".into();
    Failure::Content(LoadErrorKind::Format { expected, got, hint: String::new() })
}

impl From<ArchiveProblem> for Failure {
    fn from(problem: ArchiveProblem) -> Self {
        match problem {
            ArchiveProblem::Io(source) => Self::System(source),
            ArchiveProblem::Damaged(problem) => damaged(format!("a damaged ZIP archive ({problem})")),
        }
    }
}

impl From<zip::result::ZipError> for Failure {
    fn from(problem: zip::result::ZipError) -> Self {
        ArchiveProblem::from(problem).into()
    }
}

/// A `.keras` archive. What its members take in memory is at most the length of the file and `max_extra_bytes`.
struct Archive {
    zip: ZipArchive<File>,
    left: u64,
    max_config: u64,
}

/// A member of an archive.
enum Member {
    /// It lies in the file as it is.
    Stored {
        start: u64,
        len: u64,
    },
    Unpacked(Vec<u8>),
}

impl Archive {
    fn open(file: File, len: u64, limits: &Limits) -> std::result::Result<Self, Failure> {
        let left = len.saturating_add(limits.max_extra_bytes);
        Ok(Self { zip: open_archive(file)?, left, max_config: limits.max_structure_bytes })
    }

    /// The configuration, and the file of weights.
    #[allow(clippy::type_complexity, reason = "the reader's own problems are told with the file's name")]
    fn into_parts(mut self) -> std::result::Result<(Vec<u8>, Read<Reader<Box<dyn Bytes>>>), Failure> {
        let max_config = self.max_config;
        let config = match self.member(CONFIG, Some(max_config))? {
            Member::Unpacked(config) => config,
            Member::Stored { .. } => return Err(damaged("no configuration".into())),
        };
        let reader = match self.member(WEIGHTS, None)? {
            Member::Stored { start, len } => {
                Reader::open(Box::new(self.zip.into_inner()) as Box<dyn Bytes>, start, len)
            }
            Member::Unpacked(bytes) => {
                let len = bytes.len() as u64;
                Reader::open(Box::new(Cursor::new(bytes)) as Box<dyn Bytes>, 0, len)
            }
        };
        Ok((config, reader))
    }

    /// A member, whose checksum is found to be right. With `most`, it is read into memory and has at most as many bytes.
    fn member(&mut self, name: &'static str, most: Option<u64>) -> std::result::Result<Member, Failure> {
        let Some(index) = self.zip.index_for_name(name) else {
            let members: Vec<_> =
                self.zip.file_names().flatten().take(4).map(|name| name.into_owned()).collect();
            let got = format!("an archive of {members:?}, without {name}");
            let hint = "save the model with keras.Model.save, which writes weights as HDF5".into();
            let expected = "a .keras archive".into();
            return Err(LoadErrorKind::Format { expected, got, hint }.into());
        };
        let mut member = self.zip.by_index(index)?;
        let len = member.size();
        let is_stored = member.compression() == CompressionMethod::Stored && most.is_none();
        let limit = most.unwrap_or(u64::MAX).min(if is_stored { u64::MAX } else { self.left });
        if len > limit {
            return Err(LoadErrorKind::Limit { what: format!("bytes of {name}"), value: len, limit }.into());
        }
        let read_failed = |source: io::Error| match source.kind() {
            io::ErrorKind::InvalidData | io::ErrorKind::InvalidInput | io::ErrorKind::UnexpectedEof => {
                damaged(format!("a damaged ZIP archive ({name}: {source})"))
            }
            io::ErrorKind::Other => damaged(format!("a damaged ZIP archive ({name}: {source})")),
            _ => Failure::System(source),
        };
        if is_stored {
            // Reading to the end compares the checksum.
            let read = io::copy(&mut member, &mut io::sink()).map_err(read_failed)?;
            return match member.data_start() {
                Some(start) if read == len => Ok(Member::Stored { start, len }),
                _ => Err(damaged(format!("{read} bytes of {name}, not {len}"))),
            };
        }
        let mut bytes = Vec::new();
        let reserved = bytes.try_reserve_exact(usize::try_from(len).unwrap_or(usize::MAX));
        reserved.map_err(|_| damaged(format!("{len} bytes of {name}")))?;
        // The length in the table of contents may be wrong.
        io::Read::take(&mut member, len.saturating_add(1)).read_to_end(&mut bytes).map_err(read_failed)?;
        if bytes.len() as u64 != len {
            return Err(damaged(format!("another length of {name} than {len} bytes")));
        }
        self.left = self.left.saturating_sub(len);
        Ok(Member::Unpacked(bytes))
    }
}

/// Writes a `.keras` archive: metadata, configuration, and what `weights` writes, none of them compressed.
pub(super) fn write(
    out: &mut dyn Write,
    metadata: &str,
    config: &str,
    weights: impl FnOnce(&mut dyn Write) -> io::Result<()>,
) -> io::Result<()> {
    let options = SimpleFileOptions::default().compression_method(CompressionMethod::Stored).large_file(true);
    let mut archive = ZipWriter::new_stream(out);
    for (name, text) in [(METADATA, metadata), (CONFIG, config)] {
        archive.start_file(name, options)?;
        archive.write_all(text.as_bytes())?;
    }
    archive.start_file(WEIGHTS, options)?;
    weights(&mut archive)?;
    archive.finish().map_err(io::Error::from)?;
    Ok(())
}
