//! k-means and its variants in files: settings as JSON, centers and labels as numbers.

use super::Checked;
use super::file::Encoder;
use super::header::{Content, HEADER_LEN};
use super::limits::LoadOptions;
use super::model_load::{Tensors, check_number_type, shape_text_of};
use super::persist::{Persist, Section, file_methods};
use super::reader::{Input, OpenFile, Source};
use super::records::{Dims, EstimatorRecord, Records};
use super::registry::{bounded, check_text, rejected};
use super::tensor_data::{NumberType, Tensor};
use crate::cluster::kmeans::record::{Learned, List, Outline, Recorded, Start};
use crate::cluster::{BisectingKMeans, KMeans, KMeansInit, MiniBatchKMeans};
use crate::error::{Error, LoadErrorKind, Result, excerpt};
use crate::float::Float;
use crate::float::precompiled::precompiled;
use crate::nn::layer::Config;
use crate::nn::layout::zeros;
use ndarray::Array2;
use std::borrow::Cow;
use std::io::Write;
use std::path::Path;

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
    /// kmeans.fit(&x)?;
    /// kmeans.save(&path)?;
    /// assert_eq!(KMeans::<f64>::load(&path)?.predict(&x)?, kmeans.predict(&x)?);
    /// # std::fs::remove_file(&path).unwrap();
    /// # Ok(())
    /// # }
    /// ```
    pub fn save(&self, path: impl AsRef<Path>) -> Result<()> {
        self.encode()?.save(path.as_ref())
    }

    /// As [`save`](Self::save), to a writer; it is flushed at the end.
    ///
    /// # Errors
    /// As [`save`](Self::save).
    pub fn save_to(&self, mut writer: impl Write) -> Result<()> {
        self.encode()?.save_to(&mut writer)
    }

    /// As [`save`](Self::save), to memory.
    ///
    /// # Errors
    /// As [`save`](Self::save).
    pub fn to_bytes(&self) -> Result<Vec<u8>> {
        self.encode()?.to_bytes()
    }

    /// Loads what [`save`](Self::save) has saved.
    ///
    /// # Errors
    /// As [`Model::load`](crate::models::Model::load).
    pub fn load(path: impl AsRef<Path>) -> Result<Self> {
        Self::load_with(path, LoadOptions::new())
    }

    /// As [`load`](Self::load), with options.
    ///
    /// # Errors
    /// As [`load`](Self::load).
    pub fn load_with(path: impl AsRef<Path>, options: LoadOptions<'_, F>) -> Result<Self> {
        load_file(path.as_ref(), options)
    }

    /// As [`load`](Self::load), from memory.
    ///
    /// # Errors
    /// As [`load`](Self::load).
    pub fn from_bytes(bytes: &[u8]) -> Result<Self> {
        Self::from_bytes_with(bytes, LoadOptions::new())
    }

    /// As [`load_with`](Self::load_with), from memory.
    ///
    /// # Errors
    /// As [`load`](Self::load).
    pub fn from_bytes_with(bytes: &[u8], options: LoadOptions<'_, F>) -> Result<Self> {
        load_bytes(bytes, options)
    }
}

precompiled! {
    fn load_file<'a, 'b, F>(path: &'b Path, options: LoadOptions<'a, F>) -> Result<KMeans<F>> {
        let source = Source::open(path, &options.limits)?;
        read(source.structure(&[Content::Estimator], &options.limits)?, &options)
    }

    fn load_bytes<'a, 'b, F>(bytes: &'b [u8], options: LoadOptions<'a, F>) -> Result<KMeans<F>> {
        let source = Source::bytes(bytes, &options.limits)?;
        read(source.structure(&[Content::Estimator], &options.limits)?, &options)
    }
}

macro_rules! persistent {
    ($($clustering:ident)*) => {$(
        impl<F: Float> Persist for $clustering<F> {
            fn encode(&self) -> Result<Encoder<'_>> {
                precompiled! {
                    fn encoder<'a, 'b, F>(clustering: &'a $clustering<F>) -> Result<Encoder<'a>> {
                        encoder_of(clustering)
                    }
                }
                encoder(self)
            }

            fn decode(section: Section<'_>) -> Result<Self> {
                precompiled! {
                    fn decoded<'a, 'b, F>(section: Section<'a>) -> Result<$clustering<F>> {
                        let (opened, allowed) = section.into_opened();
                        opened.require(&[Content::Estimator])?;
                        read(opened, &allowed.typed::<F>())
                    }
                }
                decoded(section)
            }
        }
    )*};
}

persistent! { KMeans MiniBatchKMeans BisectingKMeans }

file_methods! {
    [F: Float] MiniBatchKMeans<F>;
    [F: Float] BisectingKMeans<F>;
}

fn encoder_of<F: Float, C: Recorded<F>>(clustering: &C) -> Result<Encoder<'_>> {
    clustering.check()?;
    let start = clustering.start();
    let name = start.name().ok_or_else(|| Error::Unsaveable {
        what: format!("this {}", C::TYPE),
        reason: "its centers start from a function, which has no form in a file".into(),
        hint: "set init to KMeansInit::Centers of what the function answers".into(),
    })?;
    let settings = clustering.settings(name);
    let config = Config::of(&settings).map_or_else(String::new, |config| config.as_json().into());
    let mut tensors = Vec::new();
    if let KMeansInit::Centers(centers) = start {
        let values: Vec<F> = centers.iter().copied().collect();
        tensors.push(Tensor::floats(INITIAL, centers.shape(), values));
    }
    if let Some((fitted, lists)) = clustering.learned() {
        let mean = fitted.mean.as_slice();
        tensors.push(Tensor::floats(
            CENTERS,
            &[settings.n_centers(), mean.len()],
            fitted.centered.as_slice(),
        ));
        tensors.push(Tensor::flat(MEAN, mean));
        tensors.push(Tensor::counts(LABELS, &[fitted.labels.len()], fitted.labels.to_vec()));
        for ((name, shape, _), list) in settings.lists().into_iter().zip(lists) {
            tensors.push(match list {
                List::Whole(numbers) => Tensor::counts(name, &shape, numbers),
                List::Real(numbers) => Tensor::floats(name, &shape, numbers),
            });
        }
    }
    Encoder::estimator(C::KIND, &config, tensors)
}

/// The records of a clustering: its settings and the shapes of its numbers.
struct Shapes<S> {
    settings: S,
    initial: Option<(usize, usize)>,
    /// Features and rows.
    learned: Option<(usize, usize)>,
    number: NumberType,
}

fn read<'a, F: Float, C: Recorded<F>, R: Input<'a>>(
    mut opened: OpenFile<'a, R>,
    options: &LoadOptions<'_, F>,
) -> Result<C> {
    let shapes = read_shapes::<F, C, R>(&opened, options).map_err(|problem| problem.in_file(&opened.name))?;
    opened.structure = Cow::default();
    let Shapes { settings, initial, learned, number } = shapes;
    let values = |len| zeros::<F>("the centers", len);
    let mut initial_centers = values(initial.map_or(0, |(rows, columns)| rows * columns))?;
    let (n_features, n_rows) = learned.unwrap_or_default();
    let (mut centered, mut mean) =
        (values(settings.n_centers().saturating_mul(n_features))?, values(n_features)?);
    let mut labels = whole(LABELS, n_rows)?;
    let lists: Result<Vec<_>> = settings
        .lists()
        .into_iter()
        .filter(|_| learned.is_some())
        .map(|(name, shape, is_whole)| {
            let len = shape.iter().product();
            Ok((
                name,
                if is_whole { List::Whole(whole(name, len)?) } else { List::Real(zeros("a list", len)?) },
            ))
        })
        .collect();
    let mut lists = lists?;
    opened.numbers(|numbers| {
        for (name, values) in [(INITIAL, &mut initial_centers), (CENTERS, &mut centered), (MEAN, &mut mean)] {
            if let Err(problem) = numbers.floats(name, number, values)? {
                return Ok(Err(problem));
            }
        }
        numbers.counts(&mut labels)?;
        for (name, list) in &mut lists {
            let read = match list {
                List::Whole(list) => Ok(numbers.counts(list)?),
                List::Real(list) => numbers.floats(name, NumberType::F64, list)?,
            };
            if let Err(problem) = read {
                return Ok(Err(problem));
            }
        }
        Ok(Ok(()))
    })?;
    let initial = initial.and_then(|shape| Array2::from_shape_vec(shape, initial_centers).ok());
    let lists = lists.into_iter().map(|(_, list)| list).collect();
    let learned = learned.map(|_| Learned { centered, mean, labels, lists });
    let init = KMeansInit::of_name(settings.init(), initial);
    C::restore(settings, init, learned).map_err(|source| rejected(C::TYPE, source).in_file(&opened.name))
}

/// Memory for integers.
fn whole(what: &str, len: usize) -> Result<Vec<usize>> {
    let mut numbers = Vec::new();
    let refused = |_| Error::OutOfMemory { what: what.into(), bytes: len.saturating_mul(8) };
    numbers.try_reserve_exact(len).map_err(refused)?;
    numbers.resize(len, 0);
    Ok(numbers)
}

fn read_shapes<F: Float, C: Recorded<F>, R>(
    opened: &OpenFile<'_, R>,
    options: &LoadOptions<'_, F>,
) -> Checked<Shapes<C::Settings>> {
    let mut records = Records::new(&opened.structure, HEADER_LEN as u64);
    let head: EstimatorRecord<'_> = records.next("an estimator")?;
    if head.recipe.kind != C::KIND {
        let found = format!("{:?}", excerpt(head.recipe.kind));
        return Err(LoadErrorKind::Content { expected: format!("a {}", C::TYPE), found });
    }
    let config = Config::from_json(bounded(head.recipe.config, &options.limits)?);
    check_text(&config, &options.limits)?;
    let settings: C::Settings = config.read(C::KIND).map_err(|source| rejected(C::TYPE, source))?;
    let mut tensors = Tensors { records, left: head.n_tensors, bytes: 0, convert: options.convert_numbers };
    let mut number = None;
    let mut matrix = |tensors: &mut Tensors<'_>, name: &str, n_rows: usize| {
        let (record, found) = tensors.next(name)?;
        check_number_type::<F>(record.name, found, *number.get_or_insert(found), options.convert_numbers)?;
        match record.shape.0[..] {
            [rows, columns] if record.name == name && rows == n_rows as u64 && rows > 0 && columns > 0 => {
                Ok((fitting(rows)?, fitting(columns)?))
            }
            _ => Err(LoadErrorKind::Tensor {
                tensor: name.into(),
                expected: format!("a matrix with {n_rows} rows"),
                got: format!("{:?} of shape {}", excerpt(record.name), shape_text_of(&record.shape)),
            }),
        }
    };
    let initial = match settings.init() {
        Start::Centers => Some(matrix(&mut tensors, INITIAL, settings.n_clusters())?),
        _ => None,
    };
    let learned = if settings.is_learned() {
        let (_, columns) = matrix(&mut tensors, CENTERS, settings.n_centers())?;
        let number = number.unwrap_or(NumberType::of::<F>());
        tensors.expect(MEAN, &[columns], number)?;
        let (record, found) = tensors.next(LABELS)?;
        let rows = match record.shape.0[..] {
            [rows] if record.name == LABELS && found == NumberType::U64 => rows,
            _ => return Err(labels_expected(&record.shape)),
        };
        for (name, shape, is_whole) in settings.lists() {
            tensors.expect(name, &shape, if is_whole { NumberType::U64 } else { NumberType::F64 })?;
        }
        Some((columns, fitting(rows)?))
    } else {
        None
    };
    tensors.finish(opened.header.numbers_len)?;
    Ok(Shapes { number: number.unwrap_or(NumberType::of::<F>()), settings, initial, learned })
}

fn labels_expected(shape: &Dims) -> LoadErrorKind {
    let got = format!("shape {}", shape_text_of(shape));
    LoadErrorKind::Tensor { tensor: LABELS.into(), expected: "a list of u64".into(), got }
}

fn fitting(dim: u64) -> Checked<usize> {
    let what = || "numbers along an axis".into();
    usize::try_from(dim).map_err(|_| LoadErrorKind::Limit {
        what: what(),
        value: dim,
        limit: usize::MAX as u64,
    })
}
