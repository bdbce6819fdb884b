//! Greedy k-means++ as public functions, without a clustering.

use super::candidates::SeedingStrategy;
use super::plus_plus::{Chosen, choose_with, default_trials};
use crate::cluster::kmeans::ranks::Ranks;
use crate::cluster::kmeans::samples::{Samples, elements, in_range, in_rows};
use crate::cluster::kmeans::{check_counts, moments_of};
use crate::error::{Error, Result};
use crate::float::Float;
use crate::rng::Rng;
use crate::validate;
use ndarray::{Array2, ArrayBase, Axis, Data, Ix1, Ix2};

/// Chooses centers among the rows by greedy k-means++: the centers (k, d), and the rows that they are.
///
/// `n_local_trials` rows are drawn for each center, by default 2 + ⌊ln k⌋.
///
/// # Errors
/// No data; NaN, infinities, or values whose squared distances leave the range of `F`; fewer rows than clusters; no
/// clusters; no trials, or more than there are rows.
///
/// # Examples
/// ```
/// use axonal::cluster::kmeans_plusplus;
/// use axonal::ndarray::array;
/// use axonal::rng::{Purpose, Rng};
///
/// let x = array![[1.0, 2.0], [1.0, 4.0], [10.0, 2.0], [10.0, 4.0]];
/// let (centers, rows) = kmeans_plusplus(&x, 2, None, &mut Rng::new(0, Purpose::Clustering, 0))?;
/// assert_eq!(centers.row(0), x.row(rows[0]));
/// assert_ne!(rows[0] / 2, rows[1] / 2, "the second center lies in the other group");
/// # Ok::<(), axonal::Error>(())
/// ```
///
/// # References
/// Arthur and Vassilvitskii, k-means++: the advantages of careful seeding, 2007.
pub fn kmeans_plusplus<F: Float>(
    x: &ArrayBase<impl Data<Elem = F>, Ix2>,
    n_clusters: usize,
    n_local_trials: Option<usize>,
    rng: &mut Rng,
) -> Result<(Array2<F>, Vec<usize>)> {
    choose_among("kmeans_plusplus", x, None, (n_clusters, n_local_trials), rng)
}

/// [`kmeans_plusplus`] among weighted rows: a row is the likelier to be drawn the more it weighs, and one without weight
/// never is.
///
/// # Errors
/// As `kmeans_plusplus`; weights that are negative, not finite, all zero, or not one for each row.
///
/// # Examples
/// ```
/// use axonal::cluster::kmeans_plusplus_weighted;
/// use axonal::ndarray::array;
/// use axonal::rng::{Purpose, Rng};
///
/// let x = array![[1.0, 2.0], [1.0, 4.0], [10.0, 2.0], [10.0, 4.0]];
/// let weights = array![1.0, 0.0, 0.0, 1.0];
/// let mut rng = Rng::new(0, Purpose::Clustering, 0);
/// let (_, mut rows) = kmeans_plusplus_weighted(&x, &weights, 2, None, &mut rng)?;
/// rows.sort();
/// assert_eq!(rows, [0, 3]);
/// # Ok::<(), axonal::Error>(())
/// ```
pub fn kmeans_plusplus_weighted<F: Float>(
    x: &ArrayBase<impl Data<Elem = F>, Ix2>,
    sample_weight: &ArrayBase<impl Data<Elem = F>, Ix1>,
    n_clusters: usize,
    n_local_trials: Option<usize>,
    rng: &mut Rng,
) -> Result<(Array2<F>, Vec<usize>)> {
    let weights = sample_weight.to_vec();
    choose_among("kmeans_plusplus_weighted", x, Some(&weights), (n_clusters, n_local_trials), rng)
}

fn choose_among<F: Float>(
    owner: &'static str,
    x: &ArrayBase<impl Data<Elem = F>, Ix2>,
    weights: Option<&[F]>,
    (n_clusters, n_local_trials): (usize, Option<usize>),
    rng: &mut Rng,
) -> Result<(Array2<F>, Vec<usize>)> {
    validate::not_empty("x", x)?;
    if let Some(weights) = weights {
        validate::sample_weights("sample_weight", weights, x.nrows())?;
    }
    if n_clusters == 0 {
        return Err(Error::invalid_parameter(owner, "n_clusters", 0, "at least 1"));
    }
    check_counts(owner, n_clusters, x.nrows())?;
    let n_trials = n_local_trials.unwrap_or(default_trials(n_clusters));
    if n_local_trials.is_some_and(|trials| trials == 0 || trials > x.nrows()) {
        let expected = format!("1 to n_samples = {}", x.nrows());
        return Err(Error::invalid_parameter(owner, "n_local_trials", n_trials, expected));
    }
    let given = x.view();
    let x = in_rows(given)?;
    let samples = Samples { values: elements(&x), n_features: x.ncols(), weights };
    let ranks = Ranks::alone(x.nrows());
    let small = F::of(F::min_positive_value().as_f64().sqrt() / F::epsilon().as_f64());
    if weights.is_some() {
        in_range(owner, given)?;
    }
    if weights.is_some() || samples.values.iter().all(|x| x.abs() < small) {
        // Values or weights so small that squared distances may underflow.
        moments_of(owner, &samples, &ranks)?;
    }
    let strategy = SeedingStrategy::for_sizes(n_clusters, samples.n_features);
    let check_range = || in_range(owner, given);
    let draw = &mut || rng.uniform();
    let Chosen { rows, .. } =
        choose_with((&samples, &ranks), (n_clusters, n_trials), strategy, (&check_range, draw))?;
    Ok((x.select(Axis(0), &rows), rows))
}
