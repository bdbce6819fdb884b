mod edges;

pub use edges::QuantileMethod;

use super::{Statistics, check_fit, check_transform, taken, zeros};
use crate::error::{Error, Result};
use crate::estimator::{Estimator, Fit, Transform};
use crate::float::Float;
use crate::rng::{Purpose, Rng};
use edges::{k_means_edges, linspace};
use ndarray::{Array2, ArrayBase, ArrayView1, Data, Ix2};
use serde::{Deserialize, Serialize};

/// The output of [`KBinsDiscretizer`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum BinEncoding {
    /// One column for each bin: 1 in that of the sample's bin, else 0.
    #[default]
    OneHot,
    /// The number of the bin.
    Ordinal,
}

/// How [`KBinsDiscretizer`] chooses the widths of the bins.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum BinStrategy {
    /// Bins of equal width.
    Uniform,
    /// Bins of equal numbers of samples.
    #[default]
    Quantile,
    /// The values of a bin have the same nearest center of a one-dimensional k-means.
    KMeans,
}

/// Bins continuous features into intervals.
///
/// Values beyond the outer edges belong to the first or the last bin. A constant feature has one bin. Bins narrower than 1e-8
/// are merged with their neighbor, except with [`BinStrategy::Uniform`].
///
/// # Shapes
/// `x`: (n_samples, n_features). Out: (n_samples, number of all bins), or with [`BinEncoding::Ordinal`] as `x`.
///
/// # Parameters
/// * `n_bins`: the number of bins of each feature, at least 2. Default: 5.
/// * `encode`: Default: [`BinEncoding::OneHot`].
/// * `strategy`: Default: [`BinStrategy::Quantile`].
/// * `quantile_method`: Default: [`QuantileMethod::AveragedInvertedCdf`].
/// * `subsample`: the largest number of samples to learn from; of more, as many are drawn at random, with replacement.
///   Default: 200,000.
/// * `seed`: which samples are drawn. Default: 0.
///
/// # Errors
/// `n_bins` below 2 or too large for the memory, a `subsample` of 0, data without rows or columns, NaN or
/// infinities, another number of features than `fit` saw, [`Error::NotFitted`] before `fit`.
///
/// # Examples
/// ```
/// use axonal::ndarray::array;
/// use axonal::preprocessing::{BinEncoding, BinStrategy, KBinsDiscretizer};
/// use axonal::prelude::*;
///
/// # fn main() -> Result<()> {
/// let mut bins = KBinsDiscretizer::new(3).encode(BinEncoding::Ordinal).strategy(BinStrategy::Uniform);
/// let x = array![[0.0], [1.0], [2.0], [6.0]];
/// assert_eq!(bins.fit_transform(&x)?, array![[0.0], [0.0], [1.0], [2.0]]);
/// assert_eq!(bins.bin_edges()?, [vec![0.0, 2.0, 4.0, 6.0]]);
/// assert_eq!(bins.inverse_transform(&array![[2.0]])?, array![[5.0]]);
/// # Ok(())
/// # }
/// ```
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct KBinsDiscretizer {
    n_bins: usize,
    encode: BinEncoding,
    strategy: BinStrategy,
    quantile_method: QuantileMethod,
    subsample: usize,
    seed: u64,
    learned: Option<Learned>,
}

/// The edges of all features, one behind the other.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Learned {
    /// How many edges each feature has; a constant feature has none.
    counts: Vec<f64>,
    edges: Vec<f64>,
}

/// Bins of this width or less are merged with their neighbor.
const NARROWEST: f64 = 1e-8;

impl Default for KBinsDiscretizer {
    fn default() -> Self {
        Self::new(5)
    }
}

impl KBinsDiscretizer {
    /// `n_bins` bins of equal numbers of samples, one-hot encoded.
    #[must_use]
    pub fn new(n_bins: usize) -> Self {
        Self {
            n_bins,
            encode: BinEncoding::OneHot,
            strategy: BinStrategy::Quantile,
            quantile_method: QuantileMethod::AveragedInvertedCdf,
            subsample: 200_000,
            seed: 0,
            learned: None,
        }
    }

    /// Sets the output.
    #[must_use]
    pub fn encode(mut self, encode: BinEncoding) -> Self {
        self.encode = encode;
        self
    }

    /// Sets how the widths of the bins are chosen.
    #[must_use]
    pub fn strategy(mut self, strategy: BinStrategy) -> Self {
        self.strategy = strategy;
        self
    }

    /// Sets the definition of quantiles, for [`BinStrategy::Quantile`].
    #[must_use]
    pub fn quantile_method(mut self, method: QuantileMethod) -> Self {
        self.quantile_method = method;
        self
    }

    /// Sets the largest number of samples to learn from.
    #[must_use]
    pub fn subsample(mut self, n_samples: usize) -> Self {
        self.subsample = n_samples;
        self
    }

    /// Sets the seed of the draw of samples.
    #[must_use]
    pub fn seed(mut self, seed: u64) -> Self {
        self.seed = seed;
        self
    }

    /// The edges of the bins of each feature, ascending; −∞ and ∞ for a constant feature.
    ///
    /// # Errors
    /// [`Error::NotFitted`] before `fit`.
    pub fn bin_edges(&self) -> Result<Vec<Vec<f64>>> {
        let all = [f64::NEG_INFINITY, f64::INFINITY];
        let edges = |edges: &[f64]| if edges.is_empty() { all.to_vec() } else { edges.to_vec() };
        Ok(self.edges("bin_edges")?.into_iter().map(edges).collect())
    }

    /// The number of bins of each feature.
    ///
    /// # Errors
    /// [`Error::NotFitted`] before `fit`.
    pub fn n_bins_learned(&self) -> Result<Vec<usize>> {
        Ok(self.edges("n_bins_learned")?.into_iter().map(n_bins).collect())
    }

    /// The names of the columns that come out: the feature's name, and for one-hot columns an underscore and the bin's number, as
    /// in scikit-learn (`age_0.0`).
    ///
    /// # Errors
    /// [`Error::NotFitted`] before `fit`, or another number of names than features.
    pub fn feature_names(&self, names: &[impl AsRef<str>]) -> Result<Vec<String>> {
        let edges = self.edges("feature_names")?;
        if names.len() != edges.len() {
            return Err(Error::shape("names", format!("{} names", edges.len()), names.len()));
        }
        let columns = names.iter().zip(edges).flat_map(|(name, edges)| match self.encode {
            BinEncoding::Ordinal => vec![name.as_ref().to_owned()],
            BinEncoding::OneHot => {
                (0..n_bins(edges)).map(|bin| format!("{}_{bin}.0", name.as_ref())).collect()
            }
        });
        Ok(columns.collect())
    }

    /// Back from bins to values: the center of each bin. The bin of a constant feature has none: 0, where scikit-learn has NaN.
    ///
    /// # Errors
    /// [`Error::NotFitted`] before `fit`, another number of columns than `transform` gives, a number that denotes no bin, a
    /// one-hot row without a bin.
    pub fn inverse_transform<F: Float, S: Data<Elem = F>>(&self, z: &ArrayBase<S, Ix2>) -> Result<Array2<F>> {
        let edges = self.edges("inverse_transform")?;
        let starts = self.starts(&edges);
        check_transform(z, starts.last().copied().unwrap_or_default())?;
        let mut out = zeros("KBinsDiscretizer", (z.nrows(), edges.len()))?;
        for (row, (z, mut out)) in z.rows().into_iter().zip(out.rows_mut()).enumerate() {
            for (feature, (edges, value)) in edges.iter().zip(out.iter_mut()).enumerate() {
                let columns = z.slice(ndarray::s![starts[feature]..starts[feature + 1]]);
                let bin = self.bin_of(columns, n_bins(edges)).ok_or_else(|| {
                    let got = format!("{} at [{row}, {}]", columns[0], starts[feature]);
                    let expected = match self.encode {
                        BinEncoding::OneHot => "a 1 for one bin of each feature".to_owned(),
                        BinEncoding::Ordinal => format!("integers in 0..{}", n_bins(edges)),
                    };
                    Error::invalid_parameter("KBinsDiscretizer", "z", got, expected)
                })?;
                if let Some(&[below, above]) = edges.get(bin..bin + 2) {
                    *value = F::of(below + (above - below) * 0.5);
                }
            }
        }
        Ok(out)
    }

    /// The bin that a feature's columns encode.
    #[allow(
        clippy::cast_possible_truncation,
        clippy::cast_precision_loss,
        clippy::cast_sign_loss,
        clippy::float_cmp,
        reason = "numbers that are not whole come out as another one"
    )]
    fn bin_of<F: Float>(&self, columns: ArrayView1<'_, F>, n_bins: usize) -> Option<usize> {
        match self.encode {
            BinEncoding::Ordinal => {
                let code = columns.first()?.as_f64();
                Some(code as usize).filter(|&bin| bin as f64 == code && bin < n_bins)
            }
            BinEncoding::OneHot => {
                let columns = columns.iter().enumerate().filter(|(_, value)| **value > F::zero());
                columns
                    .fold(None, |best: Option<(usize, F)>, (bin, &value)| match best {
                        Some((_, most)) if most >= value => best,
                        _ => Some((bin, value)),
                    })
                    .map(|(bin, _)| bin)
            }
        }
    }

    /// Where the columns of each feature start, and behind them where the last ends.
    fn starts(&self, edges: &[&[f64]]) -> Vec<usize> {
        let width = |edges: &[f64]| if self.encode == BinEncoding::Ordinal { 1 } else { n_bins(edges) };
        let mut starts = vec![0];
        for edges in edges {
            starts.push(starts[starts.len() - 1] + width(edges));
        }
        starts
    }

    /// The edges of each feature; none for a constant one.
    fn edges(&self, method: &'static str) -> Result<Vec<&[f64]>> {
        let not_fitted = Error::NotFitted { estimator: "KBinsDiscretizer", method };
        let Learned { counts, edges } = self.learned.as_ref().ok_or(not_fitted)?;
        let mut rest = edges.as_slice();
        Ok(counts.iter().map(|&count| rest.split_off(..as_count(count)).unwrap_or_default()).collect())
    }

    /// The edges of the bins of one column, ascending values of at least two kinds.
    fn edges_of(&self, sorted: &[f64]) -> Result<Vec<f64>> {
        let (Some(&least), Some(&most)) = (sorted.first(), sorted.last()) else { return Ok(Vec::new()) };
        let mut edges = match self.strategy {
            BinStrategy::Uniform => return Ok(linspace(least, most, self.n_bins)),
            BinStrategy::Quantile => {
                // From percents, as NumPy computes levels: 60 / 100 is nearer to 3/5 than 3 · 0.2.
                let percents = linspace(0.0, 100.0, self.n_bins).into_iter();
                percents.map(|percent| self.quantile_method.of(sorted, percent / 100.0)).collect()
            }
            BinStrategy::KMeans => k_means_edges(sorted, linspace(least, most, self.n_bins))?,
        };
        let mut before = f64::NEG_INFINITY;
        edges.retain(|&edge: &f64| {
            let is_wide = edge - before > NARROWEST;
            before = edge;
            is_wide
        });
        Ok(edges)
    }

    /// Whether `fit` can have left this behind.
    pub(crate) fn is_sound(&self) -> bool {
        let Some(Learned { counts, edges }) = &self.learned else { return true };
        let whole =
            counts.iter().all(|&count| count == count.trunc() && (0.0..=edges.len() as f64).contains(&count));
        let total: f64 = counts.iter().sum();
        let ascending = |edges: &[f64]| edges.windows(2).all(|pair| pair[0] < pair[1]);
        let finite = edges.iter().all(|edge| edge.is_finite());
        !counts.is_empty()
            && whole
            && total == edges.len() as f64
            && finite
            && self.edges("").is_ok_and(|edges| edges.into_iter().all(ascending))
    }
}

/// A count that was kept as a float.
#[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a whole number of edges")]
fn as_count(count: f64) -> usize {
    count as usize
}

/// The number of bins between edges: one where there are none.
fn n_bins(edges: &[f64]) -> usize {
    edges.len().saturating_sub(1).max(1)
}

crate::estimator::inherent_fit!(KBinsDiscretizer, Float, ());

impl<F: Float, S: Data<Elem = F>> Fit<ArrayBase<S, Ix2>> for KBinsDiscretizer {
    type Report = ();

    #[allow(clippy::cast_precision_loss, reason = "2^53 edges fit no memory")]
    fn fit(&mut self, x: &ArrayBase<S, Ix2>, (): ()) -> Result<()> {
        let refuse = |name, got: usize, expected: &str| {
            Err(Error::invalid_parameter("KBinsDiscretizer", name, got, expected))
        };
        if self.n_bins < 2 {
            return refuse("n_bins", self.n_bins, "at least 2");
        }
        if self.subsample == 0 {
            return refuse("subsample", 0, "at least 1");
        }
        check_fit(x)?;
        zeros::<f64>("KBinsDiscretizer", (x.ncols(), self.n_bins.saturating_add(1)))?;
        let mut rng = Rng::new(self.seed, Purpose::Split, 7);
        let rows: Option<Vec<usize>> =
            (x.nrows() > self.subsample).then(|| (0..self.subsample).map(|_| rng.below(x.nrows())).collect());
        let (mut counts, mut edges) = (Vec::with_capacity(x.ncols()), Vec::new());
        for column in x.columns() {
            let mut sorted: Vec<f64> = match &rows {
                Some(rows) => rows.iter().map(|&row| column[row].as_f64()).collect(),
                None => column.iter().map(|value| value.as_f64()).collect(),
            };
            sorted.sort_unstable_by(f64::total_cmp);
            let is_constant = sorted.first() == sorted.last();
            let found = if is_constant { Vec::new() } else { self.edges_of(&sorted)? };
            let found = if found.len() < 2 { Vec::new() } else { found };
            counts.push(found.len() as f64);
            edges.extend(found);
        }
        self.learned = Some(Learned { counts, edges });
        Ok(())
    }
}

impl<F: Float, S: Data<Elem = F>> Transform<ArrayBase<S, Ix2>> for KBinsDiscretizer {
    type Output = Array2<F>;

    #[allow(clippy::cast_precision_loss, reason = "the number of a bin")]
    fn transform(&self, x: &ArrayBase<S, Ix2>) -> Result<Array2<F>> {
        let edges = self.edges("transform")?;
        check_transform(x, edges.len())?;
        let starts = self.starts(&edges);
        let n_columns = starts.last().copied().unwrap_or_default();
        let mut out = zeros("KBinsDiscretizer", (x.nrows(), n_columns))?;
        for (x, mut out) in x.rows().into_iter().zip(out.rows_mut()) {
            for ((value, edges), &start) in x.iter().zip(&edges).zip(&starts) {
                let inner = edges.get(1..edges.len().saturating_sub(1)).unwrap_or_default();
                let bin = inner.partition_point(|edge| *edge <= value.as_f64());
                match self.encode {
                    BinEncoding::Ordinal => out[start] = F::of(bin as f64),
                    BinEncoding::OneHot => out[start + bin] = F::one(),
                }
            }
        }
        Ok(out)
    }
}

impl Estimator for KBinsDiscretizer {
    fn unfitted(&self) -> Self {
        Self { learned: None, ..self.clone() }
    }
}

impl Statistics for KBinsDiscretizer {
    const NAMES: &'static [&'static str] = &["n_edges", "bin_edges"];

    fn statistics(&self) -> Option<Vec<&[f64]>> {
        let Learned { counts, edges } = self.learned.as_ref()?;
        Some(vec![counts, edges])
    }

    fn with_statistics(self, statistics: Vec<Vec<f64>>) -> Self {
        let mut lists = statistics.into_iter();
        let (counts, edges) = (taken(&mut lists), taken(&mut lists));
        Self { learned: Some(Learned { counts, edges }), ..self }
    }
}
