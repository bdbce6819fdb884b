//! NumPy's array format, `.npy`.

mod batches;
mod header;

pub use batches::{NpyBatches, npy_batches, npy_batches_with};

use super::ReadLimits;
use super::array_file::ArrayFile;
use crate::data_file;
use crate::error::{Error, Result, quoted};
use header::Header;
use ndarray::{Array, ArrayBase, ArrayD, Data, Dimension, IxDyn, ShapeBuilder};
use std::fs::File;
use std::io::{BufWriter, Read, Write};
use std::path::Path;

/// The element types of NumPy files: `bool`, the integers of 8 to 64 bits, `f32`, `f64`.
#[diagnostic::on_unimplemented(
    message = "`{Self}` is not an element type of NumPy files",
    label = "expected `f32`, `f64` or an integer type",
    note = "read the type of the file, then convert with `mapv`"
)]
pub trait NpyElement: Copy + sealed::Element {}

pub(super) mod sealed {
    /// An element's name in the format, without the byte order, and its bytes.
    pub trait Element: Sized {
        const NAME: &'static str;
        fn read(bytes: &[u8], big_endian: bool) -> Self;
        fn write(self, bytes: &mut Vec<u8>);
    }
}

macro_rules! elements {
    ($($element:ty = $name:literal),*) => {
        $(
            impl NpyElement for $element {}
            impl sealed::Element for $element {
                const NAME: &'static str = $name;
                fn read(bytes: &[u8], big_endian: bool) -> Self {
                    let mut own = [0; size_of::<Self>()];
                    own.copy_from_slice(bytes);
                    if big_endian { Self::from_be_bytes(own) } else { Self::from_le_bytes(own) }
                }
                fn write(self, bytes: &mut Vec<u8>) {
                    bytes.extend_from_slice(&self.to_le_bytes());
                }
            }
        )*

        /// The Rust type of an element type.
        fn rust_type(code: &str) -> Option<&'static str> {
            match code {
                $($name => Some(stringify!($element)),)*
                "b1" => Some("bool"),
                _ => None,
            }
        }
    };
}
elements!(
    u8 = "u1",
    i8 = "i1",
    u16 = "u2",
    i16 = "i2",
    u32 = "u4",
    i32 = "i4",
    u64 = "u8",
    i64 = "i8",
    f32 = "f4",
    f64 = "f8"
);

impl NpyElement for bool {}
impl sealed::Element for bool {
    const NAME: &'static str = "b1";
    fn read(bytes: &[u8], _: bool) -> Self {
        bytes.iter().any(|byte| *byte != 0)
    }
    fn write(self, bytes: &mut Vec<u8>) {
        bytes.push(self.into());
    }
}

/// What every such file begins with.
const MAGIC: &[u8; 6] = b"\x93NUMPY";
/// Reads an array from a file as `numpy.save` writes it.
///
/// `D` is the rank that is expected; `IxDyn` takes any. The file may be a pipe, and with the feature `gzip` compressed.
///
/// # Errors
/// [`Error::Io`]; [`Error::Load`] for another format, another element type, a file that is shorter or longer than
/// its header says, or more data than the default [`ReadLimits`]; [`Error::Shape`] for another rank.
///
/// # Examples
/// ```no_run
/// use axonal::ndarray::Ix2;
///
/// let x = axonal::datasets::read_npy::<f32, Ix2>("x.npy")?;
/// # Ok::<(), axonal::Error>(())
/// ```
///
/// # References
/// R. Kern, *A simple file format for NumPy arrays* (NEP 1), 2007.
pub fn read_npy<T: NpyElement, D: Dimension>(path: impl AsRef<Path>) -> Result<Array<T, D>> {
    read_npy_with(path, &ReadLimits::default())
}

/// Reads an array as [`read_npy`], within other limits.
///
/// # Errors
/// As [`read_npy`].
pub fn read_npy_with<T: NpyElement, D: Dimension>(
    path: impl AsRef<Path>,
    limits: &ReadLimits,
) -> Result<Array<T, D>> {
    let path = path.as_ref();
    let source = data_file::open(path, limits)?;
    read_from(ArrayFile::new(path, path.display().to_string(), source.reader, source.len))
}

/// Reads header and values.
pub(super) fn read_from<T: NpyElement, D: Dimension, R: Read>(
    mut file: ArrayFile<'_, R>,
) -> Result<Array<T, D>> {
    let Header { element, big_endian, fortran, shape } = Header::read(&mut file)?;
    check_type::<T, _>(&file, &element)?;
    let values = file.values(&shape, |bytes| T::read(bytes, big_endian))?;
    let array = ArrayD::from_shape_vec(IxDyn(&shape).set_f(fortran), values)
        .map_err(|_| file.format("a shape that fits into memory", format!("{shape:?}"), ""))?;
    let rank = array.ndim();
    array.into_dimensionality().map_err(|_| {
        let expected = D::NDIM.map_or("any rank".into(), |rank| format!("{rank} axes"));
        Error::shape(file.name(), expected, format!("{rank} axes: {shape:?}"))
    })
}

/// Refuses another element type than `T`.
fn check_type<T: NpyElement, R: Read>(file: &ArrayFile<'_, R>, element: &str) -> Result<()> {
    if element == T::NAME {
        return Ok(());
    }
    let described = |code: &str| match rust_type(code) {
        Some(name) => format!("{name} ({code})"),
        None => quoted(code),
    };
    let hint = match rust_type(element) {
        Some(name) => format!("read them as {name}"),
        None => format!("convert the array in NumPy: x.astype(\"{}\")", T::NAME),
    };
    Err(file.format(format!("elements of type {}", described(T::NAME)), described(element), hint))
}

/// Writes an array to a file as `numpy.save` does.
///
/// # Errors
/// [`Error::Io`].
///
/// # Examples
/// ```no_run
/// use axonal::ndarray::array;
///
/// axonal::datasets::write_npy("x.npy", &array![[1.0, 2.0], [3.0, 4.0]])?;
/// # Ok::<(), axonal::Error>(())
/// ```
pub fn write_npy<T: NpyElement, S: Data<Elem = T>, D: Dimension>(
    path: impl AsRef<Path>,
    array: &ArrayBase<S, D>,
) -> Result<()> {
    let path = path.as_ref();
    let write = || {
        let mut file = BufWriter::new(File::create(path)?);
        write_to(&mut file, array)?;
        file.flush()
    };
    write().map_err(|source| Error::Io { path: path.into(), source })
}

/// Writes header and values.
pub(super) fn write_to<T: NpyElement, S: Data<Elem = T>, D: Dimension>(
    target: &mut impl Write,
    array: &ArrayBase<S, D>,
) -> std::io::Result<()> {
    let lengths: String = array.shape().iter().map(|length| format!("{length}, ")).collect();
    let order = if size_of::<T>() == 1 { '|' } else { '<' };
    let lengths = if array.ndim() == 1 { lengths.trim_end() } else { lengths.trim_end_matches(", ") };
    let mut header =
        format!("{{'descr': '{order}{}', 'fortran_order': False, 'shape': ({lengths}), }}", T::NAME);
    // Values begin at a multiple of 64 bytes, the header ends with a line feed.
    let padded = (header.len() + 11).next_multiple_of(64) - 11;
    header.extend(std::iter::repeat_n(' ', padded - header.len()));
    header.push('\n');
    // 32 axes of 20 digits are far below the 65,535 bytes of version 1.
    let length = u16::try_from(header.len()).unwrap_or(u16::MAX);
    target.write_all(MAGIC)?;
    target.write_all(&[1, 0])?;
    target.write_all(&length.to_le_bytes())?;
    target.write_all(header.as_bytes())?;
    let mut bytes = Vec::with_capacity(1 << 16);
    for value in array {
        value.write(&mut bytes);
        if bytes.len() >= (1 << 16) - 8 {
            target.write_all(&bytes)?;
            bytes.clear();
        }
    }
    target.write_all(&bytes)
}
