use crate::error::{Error, Result};
use ndarray::{Array, ArrayBase, ArrayD, Data, Dimension, IxDyn, ShapeBuilder};
use std::fs::File;
use std::io::{BufReader, BufWriter, Read, Write};
use std::path::Path;

/// The element types of NumPy files: `bool`, the integers of 8 to 64 bits, `f32`, `f64`.
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
    ($($element:ty = $name:literal),*) => {$(
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
    )*};
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
/// A header larger than this is a mistake.
const MOST_HEADER: usize = 1 << 16;

/// Reads an array from a file as `numpy.save` writes it.
///
/// `D` is the rank that is expected; `IxDyn` takes any.
///
/// # Errors
/// [`Error::Io`]; [`Error::Parse`] for another format, another element type, or a file that is shorter or longer than
/// its header says; [`Error::Shape`] for another rank.
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
    let path = path.as_ref();
    let refuse = |source| Error::Io { path: path.into(), source };
    let file = File::open(path).map_err(refuse)?;
    let n_bytes = file.metadata().map_err(refuse)?.len();
    read_from(&path.display().to_string(), BufReader::new(file), n_bytes)
}

/// Reads an array of `n_bytes` bytes in all, header included.
pub(super) fn read_from<T: NpyElement, D: Dimension>(
    name: &str,
    mut source: impl Read,
    n_bytes: u64,
) -> Result<Array<T, D>> {
    let Header { element, big_endian, fortran, shape, n_bytes: header } = Header::read(name, &mut source)?;
    if element != T::NAME {
        return Err(wrong(name, format!("elements of type {}", T::NAME), element));
    }
    let needed = shape.iter().try_fold(size_of::<T>(), |product, length| product.checked_mul(*length));
    let Some(needed) = needed.filter(|needed| *needed as u64 == n_bytes.saturating_sub(header)) else {
        let got = format!("{} bytes", n_bytes.saturating_sub(header));
        return Err(wrong(name, format!("the data of shape {shape:?} behind the header"), got));
    };
    let values = read_values(&mut source.take(needed as u64), needed / size_of::<T>(), big_endian);
    let values: Vec<T> = values.map_err(|source| Error::Io { path: name.into(), source })?;
    let got = values.len();
    let array = ArrayD::from_shape_vec(IxDyn(&shape).set_f(fortran), values)
        .map_err(|_| wrong(name, format!("the values of shape {shape:?}"), format!("{got} values")))?;
    let rank = array.ndim();
    array.into_dimensionality().map_err(|_| {
        let expected = D::NDIM.map_or("any rank".into(), |rank| format!("{rank} axes"));
        Error::shape(name, expected, format!("{rank} axes: {shape:?}"))
    })
}

/// The values, a piece at a time: memory grows with what is there, not with what a header claims.
fn read_values<T: NpyElement>(source: &mut impl Read, n: usize, big_endian: bool) -> std::io::Result<Vec<T>> {
    let (mut values, mut piece) = (Vec::with_capacity(n.min(1 << 22)), Vec::new());
    loop {
        piece.clear();
        if source.by_ref().take(1 << 16).read_to_end(&mut piece)? == 0 {
            return Ok(values);
        }
        values.extend(piece.chunks_exact(size_of::<T>()).map(|bytes| T::read(bytes, big_endian)));
    }
}

/// What stands before the values.
struct Header {
    element: String,
    big_endian: bool,
    fortran: bool,
    shape: Vec<usize>,
    n_bytes: u64,
}

impl Header {
    fn read(name: &str, source: &mut impl Read) -> Result<Self> {
        let refuse = |source| Error::Io { path: name.into(), source };
        let mut start = [0; 10];
        source.read_exact(&mut start).map_err(refuse)?;
        let (magic, version) = start.split_at(6);
        let version = match version {
            [version @ 1..=3, 0, ..] if magic == MAGIC => *version,
            _ => {
                return Err(wrong(
                    name,
                    "a NumPy file of version 1, 2 or 3",
                    format!("{:02x?}", &start[..8]),
                ));
            }
        };
        let (length, before) = if version == 1 {
            (usize::from(u16::from_le_bytes([start[8], start[9]])), 10)
        } else {
            let mut rest = [0; 2];
            source.read_exact(&mut rest).map_err(refuse)?;
            (u32::from_le_bytes([start[8], start[9], rest[0], rest[1]]) as usize, 12)
        };
        if length > MOST_HEADER {
            return Err(wrong(name, format!("a header of at most {MOST_HEADER} bytes"), length));
        }
        let mut text = vec![0; length];
        source.read_exact(&mut text).map_err(refuse)?;
        let text = String::from_utf8_lossy(&text).into_owned();
        let mut header =
            Self::parse(&text).ok_or_else(|| wrong(name, "descr, fortran_order and shape", &text))?;
        header.n_bytes = (length + before) as u64;
        Ok(header)
    }

    /// The dictionary `{'descr': '<f8', 'fortran_order': False, 'shape': (3, 4), }`.
    fn parse(text: &str) -> Option<Self> {
        let value = |key: &str| Some(text.split_once(&format!("'{key}':"))?.1.trim_start());
        let descr = value("descr")?.strip_prefix('\'')?.split_once('\'')?.0;
        let (order, element) = descr.split_at_checked(1)?;
        if !matches!(order, "<" | ">" | "|" | "=") {
            return None;
        }
        let fortran = match value("fortran_order")? {
            text if text.starts_with("True") => true,
            text if text.starts_with("False") => false,
            _ => return None,
        };
        let shape = value("shape")?.strip_prefix('(')?.split_once(')')?.0;
        let lengths = shape.split(',').map(str::trim).filter(|length| !length.is_empty());
        let shape = lengths.map(|length| length.parse().ok()).collect::<Option<Vec<usize>>>()?;
        Some(Self { element: element.into(), big_endian: order == ">", fortran, shape, n_bytes: 0 })
    }
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

fn wrong(name: &str, expected: impl Into<String>, got: impl ToString) -> Error {
    let got = got.to_string().chars().take(64).collect();
    Error::Parse { source_name: name.into(), line: 1, column: 1, expected: expected.into(), got }
}
