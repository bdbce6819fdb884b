//! Data to try things on: five small real data sets and five generators.
//!
//! The real ones ([`load_digits`], [`load_iris`], [`load_wine`], [`load_breast_cancer`], [`load_diabetes`]) are embedded in the
//! library and sit behind the feature `datasets`, which is on by default. The generators ([`make_blobs`],
//! [`make_moons`], [`make_circles`], [`make_classification`], [`make_regression`]) are always there; the same seed gives the same data on
//! every platform. All of them answer with a [`Dataset`].
//!
//! A [`Table`] has named columns of numbers and texts, [`Labels`] are classes with their names, and a [`Record`] is one
//! row by column names, as a service receives it.
//!
//! From files: [`read_idx`] and [`load_idx`] (MNIST and its kin), [`read_npy`] and [`write_npy`] (NumPy), with the feature
//! `csv` tables of numbers and texts (`CsvReader`), with the feature `npz` NumPy's archives (`NpzReader`, `NpzWriter`).
//! With the feature `gzip`, IDX, `.npy` and CSV files may be compressed. [`ReadLimits`] bound what a file makes its reader
//! take. [`npy_batches`], `NpzReader::batches` and `CsvReader::batches` read in batches of rows, [`paired`] puts samples and targets
//! together, and [`prefetch`] reads ahead in a thread.

mod array_file;
mod blobs;
mod circles;
mod classification;
mod dataset;
#[cfg(feature = "datasets")]
mod embedded;
mod idx;
mod labels;
mod moons;
mod npy;
#[cfg(feature = "npz")]
mod npz;
mod prefetch;
mod record;
mod regression;
mod table;

pub use crate::data_file::ReadLimits;
pub use blobs::make_blobs;
pub use circles::make_circles;
pub use classification::{ClassificationOptions, make_classification};
pub use dataset::Dataset;
#[cfg(feature = "datasets")]
pub use embedded::{load_breast_cancer, load_diabetes, load_diabetes_raw, load_digits, load_iris, load_wine};
pub use idx::{IdxElement, load_idx, load_idx_with, read_idx, read_idx_with};
pub use labels::Labels;
pub use moons::make_moons;
pub use npy::{NpyBatches, NpyElement, npy_batches, npy_batches_with, read_npy, read_npy_with, write_npy};
#[cfg(feature = "npz")]
pub use npz::{NpzReader, NpzWriter};
pub use prefetch::{Prefetch, paired, prefetch};
pub use record::{Field, Record};
pub use regression::make_regression;
pub use table::Table;
#[cfg(feature = "csv")]
pub use table::{CsvBatches, CsvReader, Missing};

use crate::error::{Error, Result};
use crate::float::Float;
use crate::rng::Rng;
use ndarray::{Array1, Array2};

/// Refuses a number of samples that is zero, or that no memory can hold.
fn check_size<F>(owner: &str, n_samples: usize, n_features: usize) -> Result<()> {
    let bytes = n_samples.checked_mul(n_features).and_then(|n| n.checked_mul(size_of::<F>()));
    let fits = bytes.is_some_and(|n| Vec::<u8>::new().try_reserve_exact(n).is_ok());
    if n_samples > 0 && fits {
        return Ok(());
    }
    Err(Error::invalid_parameter(
        owner,
        "n_samples",
        n_samples,
        "at least 1, and no more than fit into memory",
    ))
}

/// Refuses a negative or non-finite standard deviation.
fn check_deviation(owner: &str, name: &'static str, value: f64) -> Result<()> {
    if value >= 0.0 && value.is_finite() {
        return Ok(());
    }
    Err(Error::invalid_parameter(owner, name, value, "a finite number of at least 0"))
}

/// Labelled points in the plane: noise added, put into random order.
fn plane<F: Float>(
    mut points: Vec<([f64; 2], usize)>,
    target_names: [&str; 2],
    noise: f64,
    rng: &mut Rng,
) -> Result<Dataset<F>> {
    rng.shuffle(&mut points);
    let data = Array2::from_shape_fn((points.len(), 2), |(row, column)| {
        F::of(points[row].0[column] + if noise > 0.0 { noise * rng.normal() } else { 0.0 })
    });
    let target: Array1<usize> = points.iter().map(|(_, label)| *label).collect();
    Ok(Dataset::new(data, target)?.with_target_names(target_names))
}
