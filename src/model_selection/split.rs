use super::Fold;
use super::fold::check_memory;
use super::stratified::{number_classes, rows_by_class};
use crate::error::{Error, Result};
use crate::rng::{Purpose, Rng};
use crate::validate;
use serde::{Deserialize, Serialize};

/// One cut with all options: shares or exact counts, proportions of classes kept, order kept.
///
/// The [`Fold`] that comes back parts any number of arrays alike.
///
/// # Parameters
/// * `test_size`, `test_count`: how many samples are for testing, as a share (rounded up) or exactly. Default: what
///   `train_size` leaves, else a quarter.
/// * `train_size`, `train_count`: how many are for training, as a share (rounded down) or exactly. Default: what is
///   left.
/// * `stratify`: the class of every sample; both parts then have the classes in the proportions of the whole.
/// * `shuffle`: whether to draw at random. Default: true; without, the last rows are for testing.
/// * `seed`: which random draw. Default: 0.
///
/// # Errors
/// Sizes outside their ranges, more samples asked for than there are, an empty part; with `stratify`, a class of
/// one sample, fewer samples in a part than classes, or no shuffling.
///
/// # Examples
/// ```
/// use axonal::model_selection::Split;
/// use axonal::ndarray::{Array1, Array2};
///
/// let (x, weights) = (Array2::<f32>::zeros((90, 4)), Array1::<f32>::ones(90));
/// let labels = Array1::from_iter((0..90).map(|row| row % 3));
/// let fold = Split::new().test_count(15).stratify(&labels).seed(7).split(90)?;
/// let (x_train, x_test) = fold.split(&x)?;
/// let (weights_train, weights_test) = fold.split(&weights)?;
/// let (_, labels_test) = fold.split(&labels)?;
/// assert_eq!((x_train.nrows(), x_test.nrows(), weights_train.len(), weights_test.len()), (75, 15, 75, 15));
/// assert_eq!(labels_test.iter().filter(|label| **label == 2).count(), 5);
/// # Ok::<(), axonal::Error>(())
/// ```
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Split {
    test: Option<Size>,
    train: Option<Size>,
    #[serde(deserialize_with = "numbered")]
    classes: Option<Vec<usize>>,
    shuffle: bool,
    seed: u64,
}

/// How many samples a part has.
#[derive(Debug, Clone, Copy, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Size {
    Share(f64),
    Count(usize),
}

/// Classes that came as data, numbered as `stratify` numbers them.
fn numbered<'de, D: serde::Deserializer<'de>>(
    deserializer: D,
) -> std::result::Result<Option<Vec<usize>>, D::Error> {
    Ok(Option::<Vec<usize>>::deserialize(deserializer)?.map(number_classes))
}

impl Default for Split {
    fn default() -> Self {
        Self { test: None, train: None, classes: None, shuffle: true, seed: 0 }
    }
}

impl Split {
    /// A quarter for testing, drawn at random from seed 0.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// The share of the samples for testing, above 0 and below 1.
    #[must_use]
    pub fn test_size(mut self, share: f64) -> Self {
        self.test = Some(Size::Share(share));
        self
    }

    /// The number of samples for testing.
    #[must_use]
    pub fn test_count(mut self, count: usize) -> Self {
        self.test = Some(Size::Count(count));
        self
    }

    /// The share of the samples for training, above 0 and below 1.
    #[must_use]
    pub fn train_size(mut self, share: f64) -> Self {
        self.train = Some(Size::Share(share));
        self
    }

    /// The number of samples for training.
    #[must_use]
    pub fn train_count(mut self, count: usize) -> Self {
        self.train = Some(Size::Count(count));
        self
    }

    /// Keeps the proportions of these classes: numbers, names, anything with an order.
    #[must_use]
    pub fn stratify<L: Ord>(mut self, labels: impl IntoIterator<Item = L>) -> Self {
        self.classes = Some(number_classes(labels));
        self
    }

    /// Whether to draw at random.
    #[must_use]
    pub fn shuffle(mut self, shuffle: bool) -> Self {
        self.shuffle = shuffle;
        self
    }

    /// Which random draw.
    #[must_use]
    pub fn seed(mut self, seed: u64) -> Self {
        self.seed = seed;
        self
    }

    /// The cut of `n_samples` samples.
    ///
    /// # Errors
    /// See [`Split`].
    pub fn split(&self, n_samples: usize) -> Result<Fold> {
        let (n_train, n_test) = counts("Split", self.train, self.test, 0.25, n_samples)?;
        let rng = Rng::new(self.seed, Purpose::Split, 0);
        match &self.classes {
            Some(_) if !self.shuffle => {
                Err(Error::invalid_parameter("Split", "shuffle", false, "true where stratify is given"))
            }
            Some(classes) => {
                validate::length("labels", classes.len(), n_samples)?;
                stratified(("Split", "stratify"), classes, n_train, n_test, rng)
            }
            None if self.shuffle => Ok(random(n_samples, n_train, n_test, rng)),
            None => Ok(Fold::new(
                (0..n_train).collect::<Vec<_>>(),
                (n_train..n_train + n_test).collect::<Vec<_>>(),
            )),
        }
    }
}

/// `n_test` random rows, and `n_train` of the others.
pub(super) fn random(n_samples: usize, n_train: usize, n_test: usize, mut rng: Rng) -> Fold {
    let order = rng.permutation(n_samples);
    Fold::new(&order[n_test..n_test + n_train], &order[..n_test])
}

/// How many samples are for training and for testing, by scikit-learn's rules.
pub(super) fn counts(
    owner: &'static str,
    train: Option<Size>,
    test: Option<Size>,
    default_test: f64,
    n_samples: usize,
) -> Result<(usize, usize)> {
    check_memory(owner, 1, n_samples)?;
    let default = train.is_none().then_some(Size::Share(default_test));
    let n_test =
        test.or(default).map(|size| count(owner, "test_size", size, n_samples, f64::ceil)).transpose()?;
    let n_train = train.map(|size| count(owner, "train_size", size, n_samples, f64::floor)).transpose()?;
    let n_test = n_test.unwrap_or_else(|| n_samples.saturating_sub(n_train.unwrap_or(0)));
    let n_train = n_train.unwrap_or_else(|| n_samples.saturating_sub(n_test));
    if n_train.checked_add(n_test).is_none_or(|sum| sum > n_samples) {
        let asked = format!("{n_train} + {n_test}");
        return Err(Error::invalid_parameter(
            owner,
            "train_size + test_size",
            asked,
            format!("at most the {n_samples} samples"),
        ));
    }
    if n_train == 0 || n_test == 0 {
        let sizes = format!("{n_test} of {n_samples} samples, with {n_train} for training");
        return Err(Error::invalid_parameter(owner, "test_size", sizes, "at least 1 sample in both parts"));
    }
    Ok((n_train, n_test))
}

/// One part's size as a number of samples.
#[allow(
    clippy::cast_precision_loss,
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "2^53 samples fit no memory, and the product lies between 0 and n_samples"
)]
fn count(
    owner: &'static str,
    name: &'static str,
    size: Size,
    n_samples: usize,
    round: fn(f64) -> f64,
) -> Result<usize> {
    match size {
        Size::Count(count) => Ok(count),
        Size::Share(share) if share > 0.0 && share < 1.0 => Ok(round(share * n_samples as f64) as usize),
        Size::Share(share) => Err(Error::invalid_parameter(owner, name, share, format!("0 < {name} < 1"))),
    }
}

/// A random cut in which each class has its share of both parts.
pub(super) fn stratified(
    (owner, name): (&'static str, &'static str),
    classes: &[usize],
    n_train: usize,
    n_test: usize,
    mut rng: Rng,
) -> Result<Fold> {
    let mut rows_by_class = rows_by_class(classes);
    let n_classes = rows_by_class.len();
    if let Some(single) = rows_by_class.iter().find(|rows| rows.len() < 2) {
        let expected = format!("at least 2 samples of every class, not only row {single:?} of one");
        return Err(Error::invalid_parameter(owner, name, "these labels", expected));
    }
    for (name, part) in [("train_size", n_train), ("test_size", n_test)] {
        if part < n_classes {
            let expected = format!("at least 1 for each of the {n_classes} classes");
            return Err(Error::invalid_parameter(owner, name, format!("{part} samples"), expected));
        }
    }
    let sizes: Vec<usize> = rows_by_class.iter().map(Vec::len).collect();
    let for_train = shares(&sizes, n_train);
    let left: Vec<usize> = sizes.iter().zip(&for_train).map(|(size, train)| size - train).collect();
    let for_test = shares(&left, n_test);
    let (mut train, mut test) = (Vec::with_capacity(n_train), Vec::with_capacity(n_test));
    for ((rows, n_train), n_test) in rows_by_class.iter_mut().zip(for_train).zip(for_test) {
        rng.shuffle(rows);
        train.extend_from_slice(&rows[..n_train]);
        test.extend_from_slice(&rows[n_train..n_train + n_test]);
    }
    rng.shuffle(&mut train);
    rng.shuffle(&mut test);
    Ok(Fold { train, test })
}

/// `n` draws shared out over `sizes` in proportion: the whole parts first, the rest to the largest remainders.
fn shares(sizes: &[usize], n: usize) -> Vec<usize> {
    let total = sizes.iter().sum::<usize>().max(1) as u128;
    let product = |size: usize| size as u128 * n as u128;
    let mut shares: Vec<usize> = sizes.iter().map(|&size| (product(size) / total) as usize).collect();
    let mut by_remainder: Vec<usize> = (0..sizes.len()).collect();
    by_remainder.sort_by_key(|&class| std::cmp::Reverse(product(sizes[class]) % total));
    let missing = n - shares.iter().sum::<usize>();
    by_remainder.into_iter().take(missing).for_each(|class| shares[class] += 1);
    shares
}
