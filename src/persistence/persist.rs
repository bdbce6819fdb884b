//! What a file can hold whole: estimators, and files of estimators that are made of others.

use super::Checked;
use super::file::Encoder;
use super::header::{Content, HEADER_LEN};
use super::limits::{LoadContext, MemoryBudget, lists_of};
use super::model_load::{Tensors, read_model};
use super::model_save::model_encoder;
use super::reader::{Input, OpenFile, Source};
use super::records::{EstimatorRecord, Records};
use super::registry::{check_brackets, rejected};
use super::tensor_data::{NumberType, Numbers};
use crate::error::{Error, LoadErrorKind, Result, excerpt};
use crate::float::Float;
use crate::float::precompiled::precompiled;
use crate::nn::layout::zeros;
use crate::nn::model::Model;
use crate::preprocessing::Statistics;
use serde::de::DeserializeOwned;
use std::borrow::Cow;
use std::fmt;
use std::io::{self, Read};

/// Can be saved, alone or as a part of a [`Pipeline`](crate::pipeline::Pipeline).
///
/// Every transformer, [`KMeans`](crate::cluster::KMeans) and its variants, [`Model`], [`Pipeline`](crate::pipeline::Pipeline),
/// [`Classifier`](crate::model_selection::Classifier) and [`Regressor`](crate::model_selection::Regressor) is. A
/// custom transformer implements it in two lines, from its fields.
///
/// # Examples
/// ```
/// use axonal::ndarray::{Array2, array};
/// use axonal::persistence::{Encoder, Section, Persist};
/// use axonal::prelude::*;
///
/// /// The logarithm of each value and a shift.
/// #[derive(Debug, Clone, serde::Serialize, serde::Deserialize)]
/// struct LogScale {
///     shift: f64,
/// }
///
/// impl Fit<Array2<f64>> for LogScale {
///     type Report = ();
///     fn fit(&mut self, _: &Array2<f64>, (): ()) -> Result<()> {
///         Ok(())
///     }
/// }
///
/// impl Transform<Array2<f64>> for LogScale {
///     type Output = Array2<f64>;
///     fn transform(&self, x: &Array2<f64>) -> Result<Array2<f64>> {
///         Ok(x.mapv(|x| (x + self.shift).ln()))
///     }
/// }
///
/// impl Persist for LogScale {
///     fn encode(&self) -> Result<Encoder<'_>> {
///         Encoder::of("mycrate.log_scale", self)
///     }
///     fn decode(section: Section<'_>) -> Result<Self> {
///         section.read("mycrate.log_scale")
///     }
/// }
///
/// # fn main() -> Result<()> {
/// let x = array![[1.0], [10.0], [100.0]];
/// let mut pipeline = Pipeline::new(LogScale { shift: 1.0 }, StandardScaler::new());
/// pipeline.fit(&x, ())?;
/// let again = Pipeline::<LogScale, StandardScaler>::from_bytes(&pipeline.to_bytes()?)?;
/// assert_eq!(again.transform(&x)?, pipeline.transform(&x)?);
/// # Ok(())
/// # }
/// ```
#[diagnostic::on_unimplemented(
    message = "`{Self}` cannot be saved to a file",
    label = "expected a transformer, a clustering, a `Pipeline` of these, or a `Model`",
    note = "for an estimator of another crate, implement `Persist`"
)]
pub trait Persist: Sized {
    /// A file in the making.
    ///
    /// # Errors
    /// What has no form in a file ([`Error::Unsaveable`]), and numbers that are not finite.
    fn encode(&self) -> Result<Encoder<'_>>;

    /// The estimator back.
    ///
    /// # Errors
    /// A part that holds something else, or what a fit cannot have left behind ([`Error::Load`]).
    fn decode(section: Section<'_>) -> Result<Self>;
}

/// A file, or a file within one, whose structure is sound; its numbers come next.
pub struct Section<'a> {
    opened: OpenFile<'a, Box<dyn Input<'a> + 'a>>,
    allowed: LoadContext<'a>,
}

/// What an estimator takes beside its lists.
const ESTIMATOR: u64 = 512;

impl<'a> Section<'a> {
    /// What [`Encoder::of`] has written under this name.
    ///
    /// # Errors
    /// Another kind, or fields that are not those of `T` ([`Error::Load`]).
    pub fn read<T: DeserializeOwned>(self, kind: &str) -> Result<T> {
        self.composite(kind, |_| 0, |fields, _| Ok(fields))
    }

    /// What [`Encoder::of_statistics`] has written; earlier files have the statistics among the fields.
    pub(super) fn read_statistics<T: Statistics + DeserializeOwned>(mut self, kind: &str) -> Result<T> {
        let name = self.opened.name.clone();
        let found = self.contents::<T>(kind).and_then(|(settings, tensors)| {
            let lengths = if tensors.left == 0 {
                tensors.finish(self.opened.header.numbers_len)?;
                None
            } else {
                Some(self.list_lengths(tensors, T::NAMES)?)
            };
            Ok((settings, lengths))
        });
        let (settings, lengths) = found.map_err(|problem| problem.in_file(&name))?;
        self.opened.structure = Cow::default();
        let Some(lengths) = lengths else {
            self.opened.numbers(|_| Ok(Ok(())))?;
            return Ok(settings);
        };
        let lists: Result<Vec<_>> =
            lengths.into_iter().map(|len| zeros::<f64>("the statistics", len)).collect();
        let mut lists = lists?;
        self.opened.numbers(|numbers| {
            for (name, list) in T::NAMES.iter().zip(&mut lists) {
                if let Err(problem) = numbers.floats(name, NumberType::F64, list)? {
                    return Ok(Err(problem));
                }
            }
            Ok(Ok(()))
        })?;
        Ok(settings.with_statistics(lists))
    }

    /// The lengths of lists of f64 of these names.
    fn list_lengths(&self, mut tensors: Tensors<'_>, names: &[&str]) -> Checked<Vec<usize>> {
        let mut lengths = Vec::new();
        for expected in names {
            let (record, number) = tensors.next(expected)?;
            match (number, &record.shape.0[..]) {
                (NumberType::F64, &[len]) if record.name == *expected => {
                    lengths.push(usize::try_from(len).unwrap_or(usize::MAX));
                }
                _ => {
                    let got = format!("{:?} of {}", excerpt(record.name), number.name());
                    let expected = (*expected).into();
                    return Err(LoadErrorKind::Tensor {
                        tensor: expected,
                        expected: "a list of f64".into(),
                        got,
                    });
                }
            }
        }
        tensors.finish(self.opened.header.numbers_len)?;
        Ok(lengths)
    }

    pub(super) fn open<R: Input<'a> + 'a>(source: Source<R>, allowed: LoadContext<'a>) -> Result<Self> {
        let opened =
            source.any().structure(&[Content::Model, Content::Graph, Content::Estimator], &allowed.limits)?;
        Ok(Self { opened, allowed })
    }

    /// What this part may take beyond its length.
    pub(super) fn budget(&self) -> MemoryBudget {
        let header = &self.opened.header;
        self.allowed.budget.of_file(header.structure_len, header.numbers_len)
    }

    /// The file's name, in errors.
    pub(super) fn name(&self) -> &str {
        &self.opened.name
    }

    /// The length of the numbers.
    pub(super) fn numbers_len(&self) -> u64 {
        self.opened.header.numbers_len
    }

    /// The estimator's settings as text.
    pub(super) fn config(&self) -> Checked<&str> {
        let mut records = Records::new(&self.opened.structure, HEADER_LEN as u64);
        let head: EstimatorRecord<'_> = records.next("an estimator")?;
        Ok(head.recipe.config)
    }

    /// Refuses a part that stands deeper within parts than is allowed.
    pub(super) fn check_depth(&self) -> Result<()> {
        let (value, limit) = (self.allowed.depth, self.allowed.limits.max_depth);
        if value <= limit {
            return Ok(());
        }
        let what = "depth of files within files".into();
        Err(LoadErrorKind::Limit { what, value: value as u64, limit: limit as u64 }
            .in_file(&self.opened.name))
    }

    /// The name of the estimator in the part; a network has none.
    pub(super) fn kind(&self) -> Result<String> {
        if Content::MODELS.contains(&self.opened.header.content) {
            return Ok(String::new());
        }
        let mut records = Records::new(&self.opened.structure, HEADER_LEN as u64);
        let head = records.next::<EstimatorRecord<'_>>("an estimator");
        head.map(|head| excerpt(head.recipe.kind)).map_err(|problem| problem.in_file(&self.opened.name))
    }

    /// The fields and the tensors of an estimator of this kind.
    pub(super) fn contents<T: DeserializeOwned>(&self, kind: &str) -> Checked<(T, Tensors<'_>)> {
        let expected = || format!("{kind:?}");
        if self.opened.header.content != Content::Estimator {
            let found = self.opened.header.content.name().into();
            return Err(LoadErrorKind::Content { expected: expected(), found });
        }
        let mut records = Records::new(&self.opened.structure, HEADER_LEN as u64);
        let head: EstimatorRecord<'_> = records.next("an estimator")?;
        let text = head.recipe.config;
        if head.recipe.kind != kind {
            let found = format!("{:?}", excerpt(head.recipe.kind));
            return Err(LoadErrorKind::Content { expected: expected(), found });
        }
        check_brackets(text)?;
        self.budget().take(ESTIMATOR + lists_of(text))?;
        let fields = serde_json::from_str(text)
            .map_err(|problem| rejected(kind, Error::configuration(kind, text, &problem)))?;
        Ok((fields, Tensors { records, left: head.n_tensors, bytes: 0, convert: false }))
    }

    /// Reads an estimator's fields, and its parts, whose number follows from the fields.
    pub(super) fn composite<T: DeserializeOwned, A>(
        mut self,
        kind: &str,
        n_parts: impl FnOnce(&T) -> usize,
        read: impl FnOnce(T, &mut Parts<'_, &mut Box<dyn Input<'a> + 'a>>) -> Result<A>,
    ) -> Result<A> {
        let name = self.opened.name.clone();
        let lengths = self.contents(kind).and_then(|(fields, tensors)| {
            let lengths = self.lengths(tensors, n_parts(&fields))?;
            Ok((fields, lengths))
        });
        let (fields, lengths) = lengths.map_err(|problem| problem.in_file(&name))?;
        self.opened.structure = Cow::default();
        let (lengths, allowed) = (lengths.into_iter(), &self.allowed);
        self.opened.parts(|numbers| read(fields, &mut Parts { name: &name, lengths, allowed, numbers }))
    }

    /// The lengths of the parts.
    fn lengths(&self, mut tensors: Tensors<'_>, n_parts: usize) -> Checked<Vec<u64>> {
        let (got, limit) = (tensors.left as usize, self.allowed.limits.max_layers);
        if got > limit {
            return Err(LoadErrorKind::Limit {
                what: "parts".into(),
                value: got as u64,
                limit: limit as u64,
            });
        }
        if got != n_parts {
            let (expected, got) = (format!("{n_parts} parts"), format!("{got} of them"));
            return Err(LoadErrorKind::Malformed { offset: tensors.records.offset(), expected, got });
        }
        let mut lengths = Vec::new();
        while tensors.left > 0 {
            let (record, number) = tensors.next("a part")?;
            match (number, &record.shape.0[..]) {
                (NumberType::U8, &[len]) => lengths.push(len),
                _ => {
                    let (tensor, expected) = (excerpt(record.name), "a list of u8".into());
                    return Err(LoadErrorKind::Tensor { tensor, expected, got: number.name().into() });
                }
            }
        }
        tensors.finish(self.opened.header.numbers_len)?;
        Ok(lengths)
    }

    /// The file that is read, for those who know its tensors.
    pub(super) fn into_opened(self) -> (OpenFile<'a, Box<dyn Input<'a> + 'a>>, LoadContext<'a>) {
        (self.opened, self.allowed)
    }
}

impl fmt::Debug for Section<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Section").field("file", &self.opened.name).finish_non_exhaustive()
    }
}

/// The parts of a file, in turn.
pub(super) struct Parts<'n, R> {
    name: &'n str,
    lengths: std::vec::IntoIter<u64>,
    allowed: &'n LoadContext<'n>,
    numbers: &'n mut Numbers<R>,
}

impl<R: Read> Parts<'_, R> {
    /// The next part; `place` names it in errors.
    pub(super) fn next<A>(
        &mut self,
        place: impl fmt::Display,
        decode: impl FnOnce(Section<'_>) -> Result<A>,
    ) -> Result<A> {
        let len = self.lengths.next().unwrap_or_default();
        let mut bytes = self.numbers.bytes(len);
        let source = Source::part(format!("{}, {place}", self.name), &mut bytes, len);
        let decoded = decode(Section::open(source, self.allowed.deeper())?)?;
        // The checksum of the whole file is that of all of its bytes.
        io::copy(&mut bytes, &mut io::sink())
            .map_err(|source| Error::Io { path: self.name.into(), source })?;
        Ok(decoded)
    }
}

impl<F: Float> Persist for Model<F> {
    fn encode(&self) -> Result<Encoder<'_>> {
        model_encoder(self)
    }

    fn decode(section: Section<'_>) -> Result<Self> {
        read_network(section)
    }
}

precompiled! {
    fn read_network<'a, 'b, F>(section: Section<'a>) -> Result<Model<F>> {
        let (opened, allowed) = section.into_opened();
        opened.require(&Content::MODELS)?;
        read_model(opened, &allowed.typed(), &allowed.budget)
    }
}

/// `save` and `load` in all of their forms, for what is [`Persist`].
macro_rules! file_methods {
    ($([$($generics:tt)*] $type:ty;)*) => {$(
        impl<$($generics)*> $type {
            /// Saves the settings and what was learned. The file is replaced whole or not at all, and is durable when
            /// this returns.
            ///
            /// # Errors
            /// What the system refuses ([`Error::Save`](crate::Error::Save)); what has no form in a file
            /// ([`Error::Unsaveable`](crate::Error::Unsaveable)).
            pub fn save(&self, path: impl AsRef<std::path::Path>) -> crate::error::Result<()> {
                $crate::persistence::Persist::encode(self)?.save(path.as_ref())
            }

            /// As [`save`](Self::save), to a writer; it is flushed at the end.
            ///
            /// # Errors
            /// As [`save`](Self::save).
            pub fn save_to(&self, mut writer: impl std::io::Write) -> crate::error::Result<()> {
                $crate::persistence::Persist::encode(self)?.save_to(&mut writer)
            }

            /// As [`save`](Self::save), to memory.
            ///
            /// # Errors
            /// As [`save`](Self::save).
            pub fn to_bytes(&self) -> crate::error::Result<Vec<u8>> {
                $crate::persistence::Persist::encode(self)?.to_bytes()
            }

            /// Loads what [`save`](Self::save) has saved.
            ///
            /// # Errors
            /// As [`Model::load`](crate::models::Model::load).
            pub fn load(path: impl AsRef<std::path::Path>) -> crate::error::Result<Self> {
                Self::load_with(path, $crate::persistence::LoadOptions::<f64>::new())
            }

            /// As [`load`](Self::load), with options; a registry serves the networks of its number type inside.
            ///
            /// # Errors
            /// As [`load`](Self::load).
            pub fn load_with<'o, N: crate::float::Float>(
                path: impl AsRef<std::path::Path>,
                options: impl Into<$crate::persistence::LoadOptions<'o, N>>,
            ) -> crate::error::Result<Self> {
                let allowed = $crate::persistence::limits::LoadContext::from(options.into());
                let source = $crate::persistence::reader::Source::open(path.as_ref(), &allowed.limits)?;
                $crate::persistence::persist::decode(source, allowed)
            }

            /// As [`load`](Self::load), from memory.
            ///
            /// # Errors
            /// As [`load`](Self::load).
            pub fn from_bytes(bytes: &[u8]) -> crate::error::Result<Self> {
                Self::from_bytes_with(bytes, $crate::persistence::LoadOptions::<f64>::new())
            }

            /// As [`load_with`](Self::load_with), from memory.
            ///
            /// # Errors
            /// As [`load`](Self::load).
            pub fn from_bytes_with<'o, N: crate::float::Float>(
                bytes: &[u8],
                options: impl Into<$crate::persistence::LoadOptions<'o, N>>,
            ) -> crate::error::Result<Self> {
                let allowed = $crate::persistence::limits::LoadContext::from(options.into());
                let source = $crate::persistence::reader::Source::bytes(bytes, &allowed.limits)?;
                $crate::persistence::persist::decode(source, allowed)
            }
        }
    )*};
}
pub(super) use file_methods;

/// What a file holds.
pub(super) fn decode<'a, T: Persist, R: Input<'a> + 'a>(
    source: Source<R>,
    allowed: LoadContext<'a>,
) -> Result<T> {
    T::decode(Section::open(source, allowed)?)
}
