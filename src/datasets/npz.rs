//! NumPy's archives of arrays, `.npz`.

use super::ReadLimits;
use super::array_file::ArrayFile;
use super::npy::{self, NpyBatches, NpyElement};
use crate::data_file::{self, ArchiveProblem, Bounded, describe, failed, open_archive};
use crate::error::{Error, LoadErrorKind, Result};
use ndarray::{Array, ArrayBase, Data, Dimension};
use std::fs::File;
use std::io::{self, BufReader, BufWriter, Cursor, Read, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};
use zip::write::SimpleFileOptions;
use zip::{CompressionMethod, ZipArchive, ZipWriter};

/// Reads named arrays from a file as `numpy.savez` and `numpy.savez_compressed` write it.
///
/// A name is that of the entry in the archive without the extension `.npy`, which it need not have.
///
/// # Errors
/// [`Error::Load`] for a file that is no such archive or holds more data than [`ReadLimits`] allow,
/// [`Error::UnknownName`] for an array that is not in it, and those of [`read_npy`](super::read_npy).
///
/// # Examples
/// ```no_run
/// use axonal::datasets::NpzReader;
/// use axonal::ndarray::{Ix1, Ix2};
///
/// let mut file = NpzReader::open("mnist.npz")?;
/// let x = file.read::<u8, Ix2>("x")?;
/// let y = file.read::<i64, Ix1>("y")?;
/// # Ok::<(), axonal::Error>(())
/// ```
#[derive(Debug)]
pub struct NpzReader {
    path: PathBuf,
    archive: ZipArchive<Content>,
    /// The name of each array and the index of its entry.
    entries: Vec<(String, usize)>,
    /// What an array may decompress to.
    most_bytes: u64,
    /// Whether it is a file that can be opened again.
    is_file: bool,
}

impl NpzReader {
    /// Opens a file and reads its table of contents. A pipe is read to its end.
    ///
    /// # Errors
    /// See [`NpzReader`].
    pub fn open(path: impl AsRef<Path>) -> Result<Self> {
        Self::open_with(path, &ReadLimits::default())
    }

    /// Opens a file as [`open`](Self::open), within other limits.
    ///
    /// # Errors
    /// See [`NpzReader`].
    pub fn open_with(path: impl AsRef<Path>, limits: &ReadLimits) -> Result<Self> {
        let path = path.as_ref().to_owned();
        let (mut content, len) = Content::open(&path, limits)?;
        let is_file = matches!(content, Content::File(_));
        let mut head = Vec::new();
        let read = content.by_ref().take(16).read_to_end(&mut head).and_then(|_| content.rewind());
        read.map_err(|source| failed(&path, source))?;
        let refused = |got: String| {
            let (expected, hint) = ("an archive of NumPy arrays (.npz)".into(), String::new());
            LoadErrorKind::Format { expected, got, hint }.in_file(&path.display().to_string())
        };
        if !head.starts_with(b"PK") {
            return Err(refused(describe(&head)));
        }
        let archive = match open_archive(content) {
            Ok(archive) => archive,
            Err(ArchiveProblem::Io(source)) => return Err(failed(&path, source)),
            Err(ArchiveProblem::Damaged(problem)) => {
                return Err(refused(format!("a damaged ZIP archive ({problem})")));
            }
        };
        let entries =
            entries(&archive).map_err(|problem| refused(format!("a ZIP archive with {problem}")))?;
        Ok(Self { path, archive, entries, most_bytes: limits.max_stream_bytes.max(len), is_file })
    }

    /// The names of the arrays.
    #[must_use]
    pub fn names(&self) -> Vec<String> {
        self.entries.iter().map(|(name, _)| name.clone()).collect()
    }

    /// One of the arrays, by its name with or without the extension `.npy`.
    ///
    /// # Errors
    /// See [`NpzReader`].
    pub fn read<T: NpyElement, D: Dimension>(&mut self, name: &str) -> Result<Array<T, D>> {
        let index = self.index(name)?;
        let entry = self.archive.by_index(index).map_err(|problem| failed(&self.path, problem.into()))?;
        let entry = Bounded::new(entry, self.most_bytes, "max_stream_bytes");
        let name = format!("{}: {name}", self.path.display());
        npy::read_from(ArrayFile::new(self.path.as_path(), name, entry, None))
    }

    /// The rows of one of the arrays in batches, as [`npy_batches`](super::npy_batches) reads those of a file. The batches
    /// are independent of this reader, so that several arrays can be read side by side.
    ///
    /// # Errors
    /// See [`NpzReader`] and [`npy_batches`](super::npy_batches); an archive that came from a pipe, or a method of compression
    /// other than NumPy's.
    ///
    /// # Examples
    /// ```
    /// use axonal::datasets::{NpzReader, NpzWriter, paired};
    /// use axonal::ndarray::{Array1, Array2, Ix1, Ix2};
    /// use axonal::prelude::*;
    ///
    /// # fn main() -> Result<()> {
    /// # let path = std::env::temp_dir().join(format!("axonal-doc-batches-{}.npz", std::process::id()));
    /// let mut file = NpzWriter::create(&path)?;
    /// file.write("x", &Array2::<f64>::ones((100, 3)))?;
    /// file.write("y", &Array1::<f64>::ones(100))?;
    /// file.finish()?;
    ///
    /// let mut file = NpzReader::open(&path)?;
    /// let batches = paired(file.batches::<f64, Ix2>("x", 32)?, file.batches::<f64, Ix1>("y", 32)?);
    /// let mut model = Sequential::new(3).add(Dense::new(1)).compile(Adam::default(), MeanSquaredError::default())?;
    /// assert_eq!(model.fit_batches(batches, FitOptions::new())?.epochs(), 1);
    /// # std::fs::remove_file(&path).unwrap();
    /// # Ok(())
    /// # }
    /// ```
    pub fn batches<T: NpyElement, D: Dimension>(
        &mut self,
        name: &str,
        batch_size: usize,
    ) -> Result<NpyBatches<T, D>> {
        let index = self.index(name)?;
        let entry = self.archive.by_index_raw(index).map_err(|problem| failed(&self.path, problem.into()))?;
        let (start, len, crc) = (entry.data_start(), entry.compressed_size(), entry.crc32());
        let (method, encrypted) = (entry.compression(), entry.encrypted());
        drop(entry);
        let title = format!("{}: {name}", self.path.display());
        let refused = |expected: &str, got: String| {
            let hint = "read the array whole by NpzReader::read".into();
            LoadErrorKind::Format { expected: expected.into(), got, hint }.in_file(&title)
        };
        let Some(start) = start.filter(|_| !encrypted && self.is_file) else {
            return Err(refused("a regular file that is not encrypted", "another".into()));
        };
        let mut file = File::open(&self.path).map_err(|source| failed(&self.path, source))?;
        file.seek(SeekFrom::Start(start)).map_err(|source| failed(&self.path, source))?;
        let packed = BufReader::with_capacity(1 << 16, file.take(len));
        let unpacked: Box<dyn Read + Send> = match method {
            CompressionMethod::Stored => Box::new(Checked::new(packed, crc)),
            CompressionMethod::Deflated => {
                Box::new(Checked::new(flate2::bufread::DeflateDecoder::new(packed), crc))
            }
            other => {
                return Err(refused("an array stored or deflated, as NumPy writes it", other.to_string()));
            }
        };
        let source = Bounded::new(unpacked, self.most_bytes, "max_stream_bytes");
        NpyBatches::new(ArrayFile::new(self.path.clone(), title, source, None), batch_size)
    }

    /// The index of the entry of this name.
    fn index(&self, name: &str) -> Result<usize> {
        let find = |name: &str| self.entries.iter().find(|(other, _)| other == name).map(|(_, index)| *index);
        let index = find(name).or_else(|| find(name.strip_suffix(".npy")?));
        index.ok_or_else(|| Error::unknown_name("array", name, self.names()))
    }
}

/// A reader that compares the checksum of what it has read with that of the archive.
struct Checked<R> {
    inner: R,
    crc: flate2::Crc,
    expected: u32,
}

impl<R> Checked<R> {
    fn new(inner: R, expected: u32) -> Self {
        Self { inner, crc: flate2::Crc::new(), expected }
    }
}

impl<R: Read> Read for Checked<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let n_bytes = self.inner.read(buffer)?;
        self.crc.update(&buffer[..n_bytes]);
        if n_bytes == 0 && !buffer.is_empty() && self.crc.sum() != self.expected {
            return Err(io::Error::new(io::ErrorKind::InvalidData, "invalid checksum"));
        }
        Ok(n_bytes)
    }
}

/// The name of each array and the index of its entry, or what is wrong with the archive.
fn entries(archive: &ZipArchive<Content>) -> std::result::Result<Vec<(String, usize)>, String> {
    let mut entries = Vec::with_capacity(archive.len());
    for index in 0..archive.len() {
        let Some(Ok(entry)) = archive.name_for_index(index) else {
            return Err(format!("a name that is no UTF-8 text (entry {index})"));
        };
        if !entry.ends_with('/') {
            entries.push((entry.strip_suffix(".npy").unwrap_or(&entry).to_owned(), index));
        }
    }
    let mut sorted: Vec<&str> = entries.iter().map(|(name, _)| name.as_str()).collect();
    sorted.sort_unstable();
    match sorted.windows(2).find(|pair| pair[0] == pair[1]) {
        Some(twice) => Err(format!("two arrays of the name {:?}", twice[0])),
        None => Ok(entries),
    }
}

/// The bytes of an archive: those of a file, or what a pipe has delivered.
#[derive(Debug)]
enum Content {
    File(BufReader<File>),
    Memory(Cursor<Vec<u8>>),
}

impl Content {
    /// The content and its length.
    fn open(path: &Path, limits: &ReadLimits) -> Result<(Self, u64)> {
        let (file, len) = data_file::open_raw(path, limits)?;
        if let Some(len) = len {
            return Ok((Self::File(BufReader::new(file)), len));
        }
        let mut bytes = Vec::new();
        let mut source = Bounded::new(file, limits.max_stream_bytes, "max_stream_bytes");
        source.read_to_end(&mut bytes).map_err(|source| failed(path, source))?;
        let len = bytes.len() as u64;
        Ok((Self::Memory(Cursor::new(bytes)), len))
    }
}

impl Read for Content {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        match self {
            Self::File(file) => file.read(buffer),
            Self::Memory(bytes) => bytes.read(buffer),
        }
    }
}

impl Seek for Content {
    fn seek(&mut self, position: SeekFrom) -> io::Result<u64> {
        match self {
            Self::File(file) => file.seek(position),
            Self::Memory(bytes) => bytes.seek(position),
        }
    }
}
/// Writes named arrays to a file as `numpy.savez_compressed` does.
///
/// # Errors
/// [`Error::Io`], also for a name that was written before.
///
/// # Examples
/// ```no_run
/// use axonal::datasets::NpzWriter;
/// use axonal::ndarray::array;
///
/// let mut file = NpzWriter::create("points.npz")?;
/// file.write("x", &array![[0.0, 1.0]])?;
/// file.write("y", &array![1_i64])?;
/// file.finish()?;
/// # Ok::<(), axonal::Error>(())
/// ```
#[derive(Debug)]
pub struct NpzWriter {
    path: PathBuf,
    archive: ZipWriter<BufWriter<File>>,
}

impl NpzWriter {
    /// Starts a file; what was in it is lost.
    ///
    /// # Errors
    /// [`Error::Io`].
    pub fn create(path: impl AsRef<Path>) -> Result<Self> {
        let path = path.as_ref().to_owned();
        match File::create(&path) {
            Ok(file) => Ok(Self { path, archive: ZipWriter::new(BufWriter::new(file)) }),
            Err(source) => Err(Error::Io { path, source }),
        }
    }

    /// Appends an array.
    ///
    /// # Errors
    /// See [`NpzWriter`].
    pub fn write<T: NpyElement, S: Data<Elem = T>, D: Dimension>(
        &mut self,
        name: &str,
        array: &ArrayBase<S, D>,
    ) -> Result<()> {
        let options =
            SimpleFileOptions::default().compression_method(CompressionMethod::Deflated).large_file(true);
        let mut write = || {
            self.archive.start_file(format!("{name}.npy"), options)?;
            npy::write_to(&mut self.archive, array)
        };
        write().map_err(|source: std::io::Error| Error::Io { path: self.path.clone(), source })
    }

    /// Writes the table of contents; without it the file cannot be read.
    ///
    /// # Errors
    /// [`Error::Io`].
    pub fn finish(self) -> Result<()> {
        let finished = self.archive.finish().map_err(std::io::Error::from).and_then(|mut file| file.flush());
        finished.map_err(|source| Error::Io { path: self.path, source })
    }
}
