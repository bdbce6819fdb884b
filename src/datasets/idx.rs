//! The IDX format of MNIST.

use super::array_file::ArrayFile;
use super::{Dataset, ReadLimits};
use crate::data_file::{self, describe};
use crate::error::{Error, Result};
use crate::float::Float;
use ndarray::{Array2, ArrayD, IxDyn};
use std::path::Path;

/// The element types of IDX files: `u8`, `i8`, `i16`, `i32`, `f32`, `f64`.
#[diagnostic::on_unimplemented(
    message = "`{Self}` is not an element type of IDX files",
    label = "expected `u8`, `i8`, `i16`, `i32`, `f32` or `f64`",
    note = "read the type of the file, then convert with `mapv`"
)]
pub trait IdxElement: Copy + sealed::Element {}

mod sealed {
    /// An element's number in the format, its name in Rust, and its bytes, highest first.
    pub trait Element: Sized {
        const CODE: u8;
        fn read(bytes: &[u8]) -> Self;
    }
}

macro_rules! elements {
    ($($element:ty = $code:literal),*) => {
        $(
            impl IdxElement for $element {}
            impl sealed::Element for $element {
                const CODE: u8 = $code;
                fn read(bytes: &[u8]) -> Self {
                    let mut own = [0; size_of::<Self>()];
                    own.copy_from_slice(bytes);
                    Self::from_be_bytes(own)
                }
            }
        )*

        /// The Rust type of an element type.
        fn rust_type(code: u8) -> Option<&'static str> {
            match code {
                $($code => Some(stringify!($element)),)*
                _ => None,
            }
        }
    };
}
elements!(u8 = 0x08, i8 = 0x09, i16 = 0x0b, i32 = 0x0c, f32 = 0x0d, f64 = 0x0e);

/// Reads an array from an IDX file, the format of MNIST; with the feature `gzip` it may be compressed.
///
/// The file may be a pipe.
///
/// # Errors
/// [`Error::Io`]; [`Error::Load`] for another format, another element type, a file that is shorter or longer than
/// its header says, or more data than the default [`ReadLimits`].
///
/// # Examples
/// ```no_run
/// let images = axonal::datasets::read_idx::<u8>("train-images-idx3-ubyte.gz")?;
/// assert_eq!(images.shape(), [60_000, 28, 28]);
/// # Ok::<(), axonal::Error>(())
/// ```
///
/// # References
/// Y. LeCun, C. Cortes, C. J. C. Burges, *The MNIST database of handwritten digits*, 1998.
pub fn read_idx<T: IdxElement>(path: impl AsRef<Path>) -> Result<ArrayD<T>> {
    read_idx_with(path, &ReadLimits::default())
}

/// Reads an array from an IDX file as [`read_idx`], within other limits.
///
/// # Errors
/// As [`read_idx`].
pub fn read_idx_with<T: IdxElement>(path: impl AsRef<Path>, limits: &ReadLimits) -> Result<ArrayD<T>> {
    let path = path.as_ref();
    let source = data_file::open(path, limits)?;
    let mut file = ArrayFile::new(path, path.display().to_string(), source.reader, source.len);
    let magic = file.up_to(4)?;
    let [0, 0, code, rank] = magic[..] else {
        return Err(file.format("an IDX file, which begins with two zeros", describe(&magic), ""));
    };
    check_type::<T, _>(&file, code)?;
    let lengths = file.exactly(4 * usize::from(rank))?;
    let length = |bytes: &[u8]| bytes.iter().fold(0, |length, byte| length << 8 | usize::from(*byte));
    let shape: Vec<usize> = lengths.chunks_exact(4).map(length).collect();
    let values = file.values(&shape, T::read)?;
    ArrayD::from_shape_vec(IxDyn(&shape), values)
        .map_err(|_| file.format("a shape that fits into memory", format!("{shape:?}"), ""))
}

/// Refuses another element type than `T`.
fn check_type<T: IdxElement, R: std::io::Read>(file: &ArrayFile<'_, R>, code: u8) -> Result<()> {
    if code == T::CODE {
        return Ok(());
    }
    let expected = match rust_type(T::CODE) {
        Some(name) => format!("elements of type {name} (code 0x{:02x})", T::CODE),
        None => format!("elements of code 0x{:02x}", T::CODE),
    };
    Err(match rust_type(code) {
        Some(name) => {
            file.format(expected, format!("{name} (code 0x{code:02x})"), format!("read them as {name}"))
        }
        None => {
            file.format(expected, format!("code 0x{code:02x}"), "the file is damaged or of another format")
        }
    })
}

/// Reads samples and their labels from two IDX files: every sample a row, values as they are (0 to 255 in MNIST).
///
/// # Errors
/// As [`read_idx`] for `u8`, and different numbers of samples and labels.
///
/// # Examples
/// ```no_run
/// use axonal::datasets::load_idx;
///
/// let mut mnist = load_idx::<f32>("train-images-idx3-ubyte", "train-labels-idx1-ubyte")?;
/// mnist.data /= 255.0;
/// # Ok::<(), axonal::Error>(())
/// ```
pub fn load_idx<F: Float>(samples: impl AsRef<Path>, labels: impl AsRef<Path>) -> Result<Dataset<F>> {
    load_idx_with(samples, labels, &ReadLimits::default())
}

/// Reads samples and their labels as [`load_idx`], within other limits.
///
/// # Errors
/// As [`load_idx`].
pub fn load_idx_with<F: Float>(
    samples: impl AsRef<Path>,
    labels: impl AsRef<Path>,
    limits: &ReadLimits,
) -> Result<Dataset<F>> {
    let labels_name = labels.as_ref().display().to_string();
    let samples = read_idx_with::<u8>(samples, limits)?;
    let labels = read_idx_with::<u8>(labels, limits)?;
    if labels.ndim() != 1 {
        return Err(Error::shape(labels_name, "labels along 1 axis", format!("shape {:?}", labels.shape())));
    }
    let n_samples = samples.shape().first().copied().unwrap_or(0);
    let n_features = samples.shape().iter().skip(1).product();
    let values = samples.iter().map(|value| F::of(f64::from(*value))).collect();
    let data = Array2::from_shape_vec((n_samples, n_features), values)
        .map_err(|_| Error::shape("samples", "one axis of samples", format!("{:?}", samples.shape())))?;
    let n_classes = labels.iter().max().map_or(0, |label| u16::from(*label) + 1);
    Ok(Dataset::new(data, labels.iter().map(|label| usize::from(*label)).collect())?
        .with_target_names((0..n_classes).map(|class| class.to_string())))
}
