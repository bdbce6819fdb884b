use super::npy::{self, NpyElement};
use crate::error::{Error, Result};
use ndarray::{Array, ArrayBase, Data, Dimension};
use std::fs::File;
use std::io::{BufReader, BufWriter, Write};
use std::path::{Path, PathBuf};
use zip::write::SimpleFileOptions;
use zip::{CompressionMethod, ZipArchive, ZipWriter};

/// Reads named arrays from a file as `numpy.savez` and `numpy.savez_compressed` write it.
///
/// # Errors
/// [`Error::Io`] for a file that is no such archive, [`Error::UnknownName`] for an array that is not in it, and those
/// of [`read_npy`](super::read_npy).
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
    archive: ZipArchive<BufReader<File>>,
}

impl NpzReader {
    /// Opens a file and reads its table of contents.
    ///
    /// # Errors
    /// [`Error::Io`].
    pub fn open(path: impl AsRef<Path>) -> Result<Self> {
        let path = path.as_ref().to_owned();
        let opened = File::open(&path).and_then(|file| Ok(ZipArchive::new(BufReader::new(file))?));
        match opened {
            Ok(archive) => Ok(Self { path, archive }),
            Err(source) => Err(Error::Io { path, source }),
        }
    }

    /// The names of the arrays.
    #[must_use]
    pub fn names(&self) -> Vec<String> {
        let names = self.archive.file_names().filter_map(std::result::Result::ok);
        names.map(|name| name.trim_end_matches(".npy").to_owned()).collect()
    }

    /// One of the arrays.
    ///
    /// # Errors
    /// See [`NpzReader`].
    pub fn read<T: NpyElement, D: Dimension>(&mut self, name: &str) -> Result<Array<T, D>> {
        let known = self.names();
        if !known.iter().any(|other| other == name) {
            return Err(Error::unknown_name("array", name, known));
        }
        let path = &self.path;
        let entry = self.archive.by_name(&format!("{name}.npy"));
        let entry = entry.map_err(|error| Error::Io { path: path.clone(), source: error.into() })?;
        let (name, n_bytes) = (format!("{}: {name}", path.display()), entry.size());
        npy::read_from(&name, entry, n_bytes)
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
