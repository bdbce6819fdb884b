use super::{Dataset, file};
use crate::error::{Error, Result};
use crate::float::Float;
use ndarray::{Array2, ArrayD, IxDyn};
use std::io::Read;
use std::path::Path;

/// The element types of IDX files: `u8`, `i8`, `i16`, `i32`, `f32`, `f64`.
pub trait IdxElement: Copy + sealed::Element {}

mod sealed {
    /// An element's number in the format, and its bytes, highest first.
    pub trait Element: Sized {
        const CODE: u8;
        fn read(bytes: &[u8]) -> Self;
    }
}

macro_rules! elements {
    ($($element:ty = $code:literal),*) => {$(
        impl IdxElement for $element {}
        impl sealed::Element for $element {
            const CODE: u8 = $code;
            fn read(bytes: &[u8]) -> Self {
                let mut own = [0; size_of::<Self>()];
                own.copy_from_slice(bytes);
                Self::from_be_bytes(own)
            }
        }
    )*};
}
elements!(u8 = 0x08, i8 = 0x09, i16 = 0x0b, i32 = 0x0c, f32 = 0x0d, f64 = 0x0e);

/// Reads an array from an IDX file, the format of MNIST; with the feature `gzip` it may be compressed.
///
/// # Errors
/// [`Error::Io`]; [`Error::Parse`] for another format, another element type, or a file that is shorter or longer than
/// its header says.
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
    let path = path.as_ref();
    let (mut source, n_bytes) = file::open(path)?;
    let refuse_io = |source| Error::Io { path: path.into(), source };
    let refuse = |expected: String, got: String| Error::Parse {
        source_name: path.display().to_string(),
        line: 1,
        column: 1,
        expected,
        got,
    };
    let mut magic = [0; 4];
    source.read_exact(&mut magic).map_err(refuse_io)?;
    let [0, 0, code, rank] = magic else {
        return Err(refuse("an IDX file, which begins with two zeros".into(), format!("{magic:02x?}")));
    };
    if code != T::CODE {
        return Err(refuse(format!("elements of type 0x{:02x}", T::CODE), format!("type 0x{code:02x}")));
    }
    let mut shape = Vec::with_capacity(rank.into());
    for _ in 0..rank {
        let mut length = [0; 4];
        source.read_exact(&mut length).map_err(refuse_io)?;
        shape.push(u32::from_be_bytes(length) as usize);
    }

    let needed = shape.iter().try_fold(size_of::<T>(), |product, length| product.checked_mul(*length));
    let header = 4 + 4 * usize::from(rank);
    let fits = |needed: &usize| {
        // What a compressed file unpacks to shows only while it is read.
        n_bytes.is_none_or(|n_bytes| needed.checked_add(header).is_some_and(|sum| sum as u64 == n_bytes))
    };
    let Some(needed) = needed.filter(fits) else {
        return Err(refuse(
            format!("the data of shape {shape:?} behind the header"),
            format!("{n_bytes:?} bytes"),
        ));
    };
    let mut bytes = Vec::new();
    source.take((needed as u64).saturating_add(1)).read_to_end(&mut bytes).map_err(refuse_io)?;
    if bytes.len() != needed {
        let more = if bytes.len() > needed { "more" } else { "fewer" };
        return Err(refuse(format!("{needed} bytes for the shape {shape:?}"), more.into()));
    }
    let values = bytes.chunks_exact(size_of::<T>()).map(T::read).collect();
    ArrayD::from_shape_vec(IxDyn(&shape), values)
        .map_err(|problem| refuse("a shape".into(), problem.to_string()))
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
    let samples = read_idx::<u8>(samples)?;
    let labels = read_idx::<u8>(labels)?;
    let n_samples = samples.shape().first().copied().unwrap_or(0);
    let n_features = samples.shape().iter().skip(1).product();
    let values = samples.iter().map(|value| F::of(f64::from(*value))).collect();
    let data = Array2::from_shape_vec((n_samples, n_features), values)
        .map_err(|_| Error::shape("samples", "one axis of samples", format!("{:?}", samples.shape())))?;
    let n_classes = labels.iter().max().map_or(0, |label| u16::from(*label) + 1);
    Ok(Dataset::new(data, labels.iter().map(|label| usize::from(*label)).collect())?
        .with_target_names((0..n_classes).map(|class| class.to_string())))
}
