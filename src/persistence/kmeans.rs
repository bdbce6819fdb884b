//! k-means in files.

use super::Checked;
use super::file::Draft;
use super::frame::{Content, HEADER_LEN};
use super::limits::LoadOptions;
use super::model_load::{Tensors, check_number_type, shape_text_of};
use super::numbers::{NumberType, Tensor};
use super::registry::{bounded, check_text, rejected};
use super::source::{Opened, Source};
use super::structured::{Dims, EstimatorRecord, Records};
use crate::cluster::KMeans;
use crate::cluster::kmeans::{Learned, Settings};
use crate::error::{Error, FileProblem, Result, excerpt};
use crate::float::Float;
use crate::nn::Config;
use crate::nn::layout::zeros;
use ndarray::Array2;
use std::io::{Read, Write};
use std::path::Path;

pub(super) const KIND: &str = "kmeans";
const INITIAL: &str = "initial_centers";
const CENTERS: &str = "centers";
const MEAN: &str = "mean";
const LABELS: &str = "labels";

impl<F: Float> KMeans<F> {
    /// Saves the settings and, where there was a fit, what it learned: centers, labels, inertia. The file is replaced
    /// whole or not at all, and is durable when this returns.
    ///
    /// # Errors
    /// What the system refuses; parameters that `fit` would refuse; centers that start from a function
    /// ([`Error::Unsaveable`]).
    ///
    /// # Examples
    /// ```
    /// use axonal::ndarray::array;
    /// use axonal::prelude::*;
    ///
    /// # fn main() -> Result<()> {
    /// # let path = std::env::temp_dir().join(format!("axonal-doc-kmeans-{}.axonal", std::process::id()));
    /// let x = array![[0.0, 1.0], [0.1, 1.0], [8.0, 3.0]];
    /// let mut kmeans = KMeans::new(2);
    /// kmeans.fit(&x, ())?;
    /// kmeans.save(&path)?;
    /// assert_eq!(KMeans::<f64>::load(&path)?.predict(&x)?, kmeans.predict(&x)?);
    /// # std::fs::remove_file(&path).unwrap();
    /// # Ok(())
    /// # }
    /// ```
    pub fn save(&self, path: impl AsRef<Path>) -> Result<()> {
        self.file_draft()?.save(path.as_ref())
    }

    /// As [`save`](Self::save), to a writer; it is flushed at the end.
    ///
    /// # Errors
    /// As [`save`](Self::save).
    pub fn save_to(&self, mut writer: impl Write) -> Result<()> {
        self.file_draft()?.save_to(&mut writer)
    }

    /// As [`save`](Self::save), to memory.
    ///
    /// # Errors
    /// As [`save`](Self::save).
    pub fn to_bytes(&self) -> Result<Vec<u8>> {
        self.file_draft()?.to_bytes()
    }

    /// Loads what [`save`](Self::save) has saved.
    ///
    /// # Errors
    /// As [`Model::load`](crate::nn::Model::load).
    pub fn load(path: impl AsRef<Path>) -> Result<Self> {
        Self::load_with(path, LoadOptions::new())
    }

    /// As [`load`](Self::load), with options.
    ///
    /// # Errors
    /// As [`load`](Self::load).
    pub fn load_with(path: impl AsRef<Path>, options: LoadOptions<'_, F>) -> Result<Self> {
        let source = Source::open(path.as_ref(), &options.limits)?;
        read_kmeans(source.structure(&[Content::Estimator], &options.limits)?, &options)
    }

    /// As [`load`](Self::load), from memory.
    ///
    /// # Errors
    /// As [`load`](Self::load).
    pub fn from_bytes(bytes: &[u8]) -> Result<Self> {
        let options = LoadOptions::new();
        let source = Source::bytes(bytes, &options.limits)?;
        read_kmeans(source.structure(&[Content::Estimator], &options.limits)?, &options)
    }

    pub(super) fn file_draft(&self) -> Result<Draft<'_>> {
        self.check_settings()?;
        let settings = self.settings().ok_or_else(|| Error::Unsaveable {
            what: "this KMeans".into(),
            reason: "its centers start from a function, which has no form in a file".into(),
            hint: "set init to KMeansInit::Centers of what the function answers".into(),
        })?;
        let config = Config::of(&settings).map_or_else(String::new, |config| config.as_json().into());
        let mut tensors = Vec::new();
        if let Some(centers) = self.initial_centers() {
            let values: Vec<F> = centers.iter().copied().collect();
            tensors.push(Tensor::floats(INITIAL, centers.shape(), values));
        }
        if let Some(Learned { centers, mean, labels }) = self.learned_numbers() {
            tensors.push(Tensor::floats(CENTERS, &[settings.n_clusters(), mean.len()], centers));
            tensors.push(Tensor::floats(MEAN, &[mean.len()], mean));
            tensors.push(Tensor::counts(LABELS, labels));
        }
        Draft::estimator(KIND, &config, tensors)
    }
}

/// The records of a k-means: its settings and the shapes of its numbers.
struct Shapes {
    settings: Settings,
    initial: Option<(usize, usize)>,
    /// Features and rows.
    learned: Option<(usize, usize)>,
    number: NumberType,
}

pub(super) fn read_kmeans<F: Float, R: Read>(
    mut opened: Opened<R>,
    options: &LoadOptions<'_, F>,
) -> Result<KMeans<F>> {
    let shapes = read_shapes(&opened, options).map_err(|problem| problem.in_file(&opened.name))?;
    opened.structure = Vec::new();
    let Shapes { settings, initial, learned, number } = shapes;
    let k = settings.n_clusters();
    let values = |len| zeros::<F>("the centers", len);
    let mut initial_centers = values(initial.map_or(0, |(rows, columns)| rows * columns))?;
    let (n_features, n_rows) = learned.unwrap_or_default();
    let (mut centers, mut mean) =
        (values(if learned.is_some() { k * n_features } else { 0 })?, values(n_features)?);
    let mut labels = Vec::new();
    let refused = |_| Error::OutOfMemory { what: "the labels".into(), bytes: n_rows.saturating_mul(8) };
    labels.try_reserve_exact(n_rows).map_err(refused)?;
    labels.resize(n_rows, 0);
    opened.numbers(|numbers| {
        for (name, values) in [(INITIAL, &mut initial_centers), (CENTERS, &mut centers), (MEAN, &mut mean)] {
            if let Err(problem) = numbers.floats(name, number, values)? {
                return Ok(Err(problem));
            }
        }
        numbers.counts(&mut labels).map(Ok)
    })?;
    let initial = initial.and_then(|shape| Array2::from_shape_vec(shape, initial_centers).ok());
    let learned = learned.map(|_| Learned { centers, mean, labels });
    KMeans::of_record(settings, initial, learned)
        .map_err(|source| rejected("KMeans", source).in_file(&opened.name))
}

fn read_shapes<F: Float, R: Read>(opened: &Opened<R>, options: &LoadOptions<'_, F>) -> Checked<Shapes> {
    let mut records = Records::new(&opened.structure, HEADER_LEN as u64);
    let head: EstimatorRecord<'_> = records.next("an estimator")?;
    if head.recipe.kind != KIND {
        let found = format!("{:?}", excerpt(head.recipe.kind));
        return Err(FileProblem::Content { expected: "a KMeans".into(), found });
    }
    let config = Config::from_json(bounded(head.recipe.config, &options.limits)?);
    check_text(&config, &options.limits)?;
    let settings: Settings = config.read(KIND).map_err(|source| rejected("KMeans", source))?;
    let mut tensors = Tensors { records, left: head.n_tensors, bytes: 0, convert: options.convert_numbers };
    let mut number = None;
    let mut matrix = |tensors: &mut Tensors<'_>, name: &str| {
        let (record, found) = tensors.next(name)?;
        check_number_type::<F>(record.name, found, *number.get_or_insert(found), options.convert_numbers)?;
        match record.shape.0[..] {
            [rows, columns] if record.name == name && rows == settings.n_clusters() as u64 && columns > 0 => {
                Ok((fitting(rows)?, fitting(columns)?))
            }
            _ => Err(FileProblem::Tensor {
                tensor: name.into(),
                expected: format!("a matrix with {} rows", settings.n_clusters()),
                got: format!("{:?} of shape {}", excerpt(record.name), shape_text_of(&record.shape)),
            }),
        }
    };
    let initial = if settings.has_initial_centers() { Some(matrix(&mut tensors, INITIAL)?) } else { None };
    let learned = match settings.learned {
        None => None,
        Some(_) => {
            let (_, columns) = matrix(&mut tensors, CENTERS)?;
            let number = number.unwrap_or(NumberType::of::<F>());
            tensors.expect(MEAN, &[columns], number)?;
            let (record, found) = tensors.next(LABELS)?;
            let [rows] = record.shape.0[..] else {
                return Err(labels_expected(&record.shape));
            };
            if record.name != LABELS || found != NumberType::U64 {
                return Err(labels_expected(&record.shape));
            }
            Some((columns, fitting(rows)?))
        }
    };
    tensors.finish(opened.header.numbers_len)?;
    Ok(Shapes { number: number.unwrap_or(NumberType::of::<F>()), settings, initial, learned })
}

fn labels_expected(shape: &Dims) -> FileProblem {
    let got = format!("shape {}", shape_text_of(shape));
    FileProblem::Tensor { tensor: LABELS.into(), expected: "a list of u64".into(), got }
}

fn fitting(dim: u64) -> Checked<usize> {
    let what = || "numbers along an axis".into();
    usize::try_from(dim).map_err(|_| FileProblem::Limit {
        what: what(),
        value: dim,
        limit: usize::MAX as u64,
    })
}
