//! Encoders in files: settings as JSON, what they know as a table of numbers beside its texts.
//!
//! A category takes 24 bytes of the table, as it does in memory, so that no file is much shorter than what it becomes.
//! Earlier files have the categories among the settings.

use super::Checked;
use super::file::Encoder;
use super::header::HEADER_LEN;
use super::limits::lists_of;
use super::model_load::Tensors;
use super::persist::{Persist, Section, file_methods};
use super::tensor_data::{NumberType, Numbers, Tensor};
use crate::error::{Error, LoadErrorKind, Result, excerpt};
use crate::nn::layer::Config;
use crate::preprocessing::{Categorical, Known, LabelBinarizer, LabelEncoder, OneHotEncoder, OrdinalEncoder};
use serde::Serialize;
use serde::de::DeserializeOwned;
use std::borrow::Cow;
use std::io::{self, Read};

/// How many categories each feature has.
const COUNTS: &str = "n_categories";
/// For each category 0, the bits of its number and 0; or 1, 0 and the length of its text.
const TABLE: &str = "categories";
/// The texts, one behind the other.
const TEXTS: &str = "texts";

/// The rows of the table that are read at a time.
const ROWS: usize = 1024;

/// What a list of a feature takes beyond its number in the file.
const LIST: u64 = 16;

macro_rules! saved {
    ($($encoder:ty, $kind:literal;)*) => {
        $(
            impl Persist for $encoder {
                fn encode(&self) -> Result<Encoder<'_>> {
                    encoder_of($kind, self)
                }

                fn decode(section: Section<'_>) -> Result<Self> {
                    decode(section, $kind)
                }
            }
        )*
        file_methods! { $([] $encoder;)* }
    };
}

saved! {
    OneHotEncoder, "one_hot_encoder";
    OrdinalEncoder, "ordinal_encoder";
    LabelEncoder, "label_encoder";
    LabelBinarizer, "label_binarizer";
}

fn encoder_of<'a, E: Categorical + Serialize>(kind: &str, encoder: &'a E) -> Result<Encoder<'a>> {
    let Some(lists) = encoder.known() else { return Encoder::of(kind, encoder) };
    let counts: Vec<usize> = lists.iter().map(|list| list.len()).collect();
    let (mut table, mut texts) = (Vec::new(), Vec::new());
    for category in lists.into_iter().flatten() {
        match category.text() {
            Some(text) => {
                table.extend([1, 0, text.len() as u64]);
                texts.extend_from_slice(text.as_bytes());
            }
            None => table.extend([0, category.bits(), 0]),
        }
    }
    let config =
        Config::of(&encoder.without_known()).map_or_else(String::new, |config| config.as_json().into());
    let tensors = vec![
        Tensor::counts(COUNTS, &[counts.len()], counts),
        Tensor::words(TABLE, &[table.len() / 3, 3], table),
        Tensor::text(TEXTS, texts),
    ];
    Encoder::estimator(kind, &config, tensors)
}

fn decode<E: Categorical + DeserializeOwned>(section: Section<'_>, kind: &str) -> Result<E> {
    let found = section.contents::<E>(kind).and_then(|(settings, tensors)| {
        if tensors.left == 0 {
            // As earlier versions wrote it. A category takes three times a number, and its text.
            section.budget().take(3 * lists_of(section.config()?))?;
            tensors.finish(section.numbers_len())?;
            return Ok((settings, None));
        }
        let sizes = sizes(tensors, section.numbers_len())?;
        let (per_list, per_category) = settings.checked_by();
        let lists = (LIST + per_list).saturating_mul(sizes.features as u64);
        let categories = per_category.saturating_mul(sizes.categories as u64);
        section.budget().take(lists.saturating_add(categories))?;
        Ok((settings, Some(sizes)))
    });
    let (settings, sizes) = found.map_err(|problem| problem.in_file(section.name()))?;
    let (mut opened, _) = section.into_opened();
    opened.structure = Cow::default();
    let encoder = if let Some(sizes) = sizes {
        let name = opened.name.clone();
        let lists = opened.parts(|numbers| {
            let read = sizes.read::<E::Item>(numbers);
            let read = read.map_err(|source| Error::Io { path: name.clone().into(), source })?;
            read.map_err(|problem| problem.in_file(&name))
        })?;
        settings.with_known(lists)
    } else {
        opened.numbers(|_| Ok(Ok(())))?;
        settings
    };
    match encoder.known().and_then(|lists| encoder.problem(&lists)) {
        None => Ok(encoder),
        Some(expected) => {
            let (offset, expected) = (HEADER_LEN as u64, expected.into());
            Err(LoadErrorKind::Malformed { offset, expected, got: "others".into() }.in_file(&opened.name))
        }
    }
}

/// How much the tensors hold.
struct Sizes {
    features: usize,
    categories: usize,
    texts: usize,
}

fn sizes(mut tensors: Tensors<'_>, numbers_len: u64) -> Checked<Sizes> {
    let mut next = |name: &str, number: NumberType, columns: &[u64]| {
        let (record, found) = tensors.next(name)?;
        match record.shape.0.split_first() {
            Some((&rows, rest)) if record.name == name && found == number && rest == columns => {
                Ok(usize::try_from(rows).unwrap_or(usize::MAX))
            }
            _ => Err(LoadErrorKind::Tensor {
                tensor: name.into(),
                expected: format!("it, of {}", number.name()),
                got: format!(
                    "{:?} of {} and {} axes",
                    excerpt(record.name),
                    found.name(),
                    record.shape.0.len()
                ),
            }),
        }
    };
    let features = next(COUNTS, NumberType::U64, &[])?;
    let categories = next(TABLE, NumberType::U64, &[3])?;
    let texts = next(TEXTS, NumberType::U8, &[])?;
    tensors.finish(numbers_len)?;
    Ok(Sizes { features, categories, texts })
}

impl Sizes {
    /// The lists, whose numbers and texts are as many as the tensors have.
    fn read<K: Known>(&self, numbers: &mut Numbers<impl Read>) -> io::Result<Checked<Vec<Vec<K>>>> {
        let mut lists = Vec::with_capacity(self.features);
        let mut left = self.categories;
        for _ in 0..self.features {
            let mut count = [0];
            numbers.counts(&mut count)?;
            let Some(rest) = left.checked_sub(count[0]) else {
                return Ok(Err(uneven(COUNTS, "as many as there are in the table")));
            };
            left = rest;
            lists.push(Vec::with_capacity(count[0]));
        }
        if left > 0 {
            return Ok(Err(uneven(COUNTS, "as many as there are in the table")));
        }
        let mut texts = self.texts;
        for list in &mut lists {
            let mut left: usize = list.capacity();
            while left > 0 {
                let mut rows = vec![[0; 3]; left.min(ROWS)];
                numbers.words(rows.as_flattened_mut())?;
                for row in &rows {
                    // Memory for the text; its content follows.
                    let made = match *row {
                        [0, bits, 0] => K::of_number(f64::from_bits(bits)),
                        [1, 0, len] => match usize::try_from(len).ok().and_then(|len| texts.checked_sub(len))
                        {
                            Some(rest) => {
                                let len = texts - rest;
                                texts = rest;
                                K::of_text("\0".repeat(len))
                            }
                            None => None,
                        },
                        _ => None,
                    };
                    let Some(made) = made else {
                        return Ok(Err(uneven(TABLE, "finite numbers, and lengths of the texts")));
                    };
                    list.push(made);
                }
                left -= rows.len();
            }
        }
        if texts > 0 {
            return Ok(Err(uneven(TEXTS, "as long as the table says")));
        }
        let mut bytes = numbers.bytes(self.texts as u64);
        for category in lists.iter_mut().flatten() {
            let Some(room) = category.text_mut() else { continue };
            let mut text = std::mem::take(room).into_bytes();
            bytes.read_exact(&mut text)?;
            let Ok(text) = String::from_utf8(text) else {
                return Ok(Err(uneven(TEXTS, "UTF-8")));
            };
            *room = text;
        }
        Ok(Ok(lists))
    }
}

fn uneven(tensor: &str, expected: &str) -> LoadErrorKind {
    LoadErrorKind::Tensor { tensor: tensor.into(), expected: expected.into(), got: "others".into() }
}
