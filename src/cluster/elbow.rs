//! How many clusters: the same k-means for several k, and the knee in what comes of it.

use super::kmeans::{KMeans, check_counts};
use crate::error::{Error, Result};
use crate::estimator::Estimator;
use crate::float::Float;
use ndarray::{Array1, ArrayBase, Data, Ix2};
use std::fmt;

/// A value for each number of clusters, and where its curve bends.
///
/// [`Display`](fmt::Display) writes a table, in which numbers without a value have the reason in its place.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub struct Elbow {
    /// The numbers of clusters that have a value.
    pub n_clusters: Vec<usize>,
    /// The value of each.
    pub values: Vec<f64>,
    /// The numbers of clusters without a value, and why: the score is undefined for one cluster, say, to which all rows
    /// collapsed.
    pub skipped: Vec<(usize, String)>,
    /// The number of clusters at the knee; `None` where the curve does not bend.
    pub knee: Option<usize>,
    /// What the values are: "inertia", or "score".
    pub measure: &'static str,
}

/// The inertia for each number of clusters, and the number from which on more clusters bring little.
///
/// The knee is where the curve, scaled to the unit square, lies the farthest from its chord.
///
/// # Errors
/// As [`fit`](KMeans::fit) for each number of clusters, and fewer than three numbers, or such as do not rise or are more
/// than there are rows, before anything is fitted.
///
/// # Examples
/// ```
/// use axonal::cluster::elbow;
/// use axonal::datasets::make_blobs;
/// use axonal::ndarray::array;
/// use axonal::prelude::*;
///
/// # fn main() -> Result<()> {
/// let blobs = make_blobs::<f64>(300, &array![[0.0, 0.0], [8.0, 8.0], [0.0, 8.0]], 0.7, 1)?;
/// let elbow = elbow(&KMeans::new(2).n_init(4), &blobs.data, 1..=8)?;
/// assert_eq!(elbow.knee, Some(3));
/// # Ok(())
/// # }
/// ```
///
/// # References
/// Satopää et al., Finding a "kneedle" in a haystack, 2011, doi:10.1109/ICDCSW.2011.20.
pub fn elbow<F: Float, S: Data<Elem = F>>(
    kmeans: &KMeans<F>,
    x: &ArrayBase<S, Ix2>,
    n_clusters: impl IntoIterator<Item = usize>,
) -> Result<Elbow> {
    measure(kmeans, x, n_clusters, |fitted| fitted.inertia(), "inertia")
}

/// [`elbow`] by a score of the data and its labels that is the better the higher: the knee is then the number of
/// clusters with the highest one.
///
/// A number of clusters for which the score is an error or not finite has no value; [`Elbow::skipped`] says why.
///
/// # Errors
/// As [`elbow`]; the first error of the score where no number of clusters has a value.
///
/// # Examples
/// ```
/// use axonal::cluster::elbow_with;
/// use axonal::datasets::make_blobs;
/// use axonal::metrics::silhouette_score;
/// use axonal::ndarray::array;
/// use axonal::prelude::*;
///
/// # fn main() -> Result<()> {
/// let blobs = make_blobs::<f64>(300, &array![[0.0, 0.0], [8.0, 8.0], [0.0, 8.0]], 0.7, 1)?;
/// let elbow = elbow_with(&KMeans::new(2), &blobs.data, 2..=6, |labels| silhouette_score(&blobs.data, labels))?;
/// assert_eq!(elbow.knee, Some(3));
/// println!("{elbow}");
/// # Ok(())
/// # }
/// ```
pub fn elbow_with<F: Float, S: Data<Elem = F>>(
    kmeans: &KMeans<F>,
    x: &ArrayBase<S, Ix2>,
    n_clusters: impl IntoIterator<Item = usize>,
    score: impl Fn(&Array1<usize>) -> Result<f64>,
) -> Result<Elbow> {
    measure(kmeans, x, n_clusters, |fitted| score(fitted.labels()?), "score")
}

fn measure<F: Float, S: Data<Elem = F>>(
    kmeans: &KMeans<F>,
    x: &ArrayBase<S, Ix2>,
    candidates: impl IntoIterator<Item = usize>,
    value: impl Fn(&KMeans<F>) -> Result<f64>,
    measure: &'static str,
) -> Result<Elbow> {
    let (mut n_clusters, mut values, mut skipped) = (Vec::new(), Vec::new(), Vec::new());
    let mut first_error = None;
    for k in rising(candidates, x.nrows())? {
        let mut kmeans = kmeans.unfitted().with_n_clusters(k);
        kmeans.fit(x)?;
        match value(&kmeans).and_then(|value| finite(value, k)) {
            Ok(value) => {
                n_clusters.push(k);
                values.push(value);
            }
            Err(error) => {
                skipped.push((k, error.to_string()));
                first_error.get_or_insert(error);
            }
        }
    }
    if let Some(error) = first_error.filter(|_| values.is_empty()) {
        return Err(error);
    }
    let place = if measure == "inertia" { knee(&n_clusters, &values) } else { highest(&values) };
    Ok(Elbow { knee: place.map(|place| n_clusters[place]), n_clusters, values, skipped, measure })
}

fn finite(value: f64, n_clusters: usize) -> Result<f64> {
    if value.is_finite() {
        return Ok(value);
    }
    let value = format!("{value} for {n_clusters} clusters");
    Err(Error::invalid_parameter("elbow", "score", value, "a finite number"))
}

impl fmt::Display for Elbow {
    /// A line for each number of clusters, in their order, the knee marked.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let values = self.n_clusters.iter().zip(&self.values);
        let values = values.map(|(&k, &value)| {
            let size = value.abs();
            let value = if size != 0.0 && !(1e-4..1e9).contains(&size) {
                format!("{value:.6e}")
            } else {
                format!("{value:.6}")
            };
            (k, value, if Some(k) == self.knee { "  <- knee" } else { "" }.to_owned())
        });
        let skipped = self.skipped.iter().map(|(k, reason)| (*k, "-".to_owned(), format!("  {reason}")));
        let mut lines: Vec<(usize, String, String)> = values.chain(skipped).collect();
        lines.sort_by_key(|(k, ..)| *k);
        let width = lines.iter().map(|(_, value, _)| value.len()).fold(self.measure.len(), usize::max);
        write!(f, "n_clusters  {:>width$}", self.measure)?;
        lines.iter().try_for_each(|(k, value, note)| write!(f, "\n{k:>10}  {value:>width$}{note}"))
    }
}

/// At least three numbers of clusters, one above the other and none above the number of rows.
fn rising(numbers: impl IntoIterator<Item = usize>, n_samples: usize) -> Result<Vec<usize>> {
    let mut rising: Vec<usize> = Vec::new();
    let refused = |numbers: &[usize]| {
        let expected = "at least 3 rising numbers, as 1..=8";
        Err(Error::invalid_parameter("elbow", "n_clusters", format!("{numbers:?}"), expected))
    };
    for k in numbers {
        let rises = rising.last().is_none_or(|&last| last < k);
        rising.push(k);
        if !rises {
            return refused(&rising);
        }
        // Also where the numbers have no end.
        check_counts("elbow", k, n_samples)?;
    }
    if rising.len() < 3 { refused(&rising) } else { Ok(rising) }
}

fn highest(values: &[f64]) -> Option<usize> {
    (0..values.len()).reduce(|best, place| if values[place] > values[best] { place } else { best })
}

/// Where a falling curve lies the farthest below its chord.
fn knee(n_clusters: &[usize], values: &[f64]) -> Option<usize> {
    let (first, last) = (*values.first()?, *values.last()?);
    let (from, to) = (*n_clusters.first()? as f64, *n_clusters.last()? as f64);
    let below = |place: usize| {
        let along = (n_clusters[place] as f64 - from) / (to - from);
        let down = (first - values[place]) / (first - last);
        down - along
    };
    let farthest =
        (0..values.len()).reduce(|best, place| if below(place) > below(best) { place } else { best })?;
    (first > last && below(farthest) > 1e-9).then_some(farthest)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_knee_is_where_the_curve_leaves_its_chord_the_farthest() {
        let k = [1, 2, 3, 4, 5];
        assert_eq!(knee(&k, &[100.0, 50.0, 10.0, 8.0, 7.0]), Some(2));
        assert_eq!(knee(&k, &[100.0, 12.0, 10.0, 8.0, 7.0]), Some(1));
        assert_eq!(knee(&k, &[5.0, 4.0, 3.0, 2.0, 1.0]), None);
        assert_eq!(knee(&k, &[1.0; 5]), None);
    }
}
