//! Random classification problems.

use super::{Dataset, check_size};
use crate::error::{Error, Result};
use crate::float::Float;
use crate::rng::{Purpose, Rng};
use ndarray::{Array1, Array2, ArrayViewMut2, Axis, s};
use serde::{Deserialize, Serialize};

/// The options of [`make_classification`]: scikit-learn's, with its defaults.
///
/// # Parameters
/// | option | default | |
/// |---|---|---|
/// | `n_features` | 20 | columns: informative, redundant, repeated ones, and noise for the rest |
/// | `n_informative` | 2 | features that the classes are made of |
/// | `n_redundant` | 2 | random linear combinations of the informative ones |
/// | `n_repeated` | 0 | copies of informative and redundant ones |
/// | `n_classes` | 2 | |
/// | `n_clusters_per_class` | 2 | |
/// | `weights` | equal | the share of the samples of each class, for all classes or all but the last |
/// | `flip_y` | 0.01 | the share of samples whose class is drawn at random |
/// | `class_sep` | 1.0 | half the side of the hypercube at whose corners the clusters are |
/// | `hypercube` | true | false: the corners of a random polytope |
/// | `shift` | 0.0 | added to every feature |
/// | `scale` | 1.0 | then multiplies every feature |
/// | `shuffle` | true | samples and features in random order |
///
/// # Examples
/// ```
/// use axonal::datasets::ClassificationOptions;
/// let options = ClassificationOptions::new().n_features(6).n_informative(3).n_classes(3);
/// # let _ = options;
/// ```
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct ClassificationOptions {
    n_features: usize,
    n_informative: usize,
    n_redundant: usize,
    n_repeated: usize,
    n_classes: usize,
    n_clusters_per_class: usize,
    weights: Vec<f64>,
    flip_y: f64,
    class_sep: f64,
    hypercube: bool,
    shift: f64,
    scale: f64,
    shuffle: bool,
}

impl Default for ClassificationOptions {
    fn default() -> Self {
        Self {
            n_features: 20,
            n_informative: 2,
            n_redundant: 2,
            n_repeated: 0,
            n_classes: 2,
            n_clusters_per_class: 2,
            weights: Vec::new(),
            flip_y: 0.01,
            class_sep: 1.0,
            hypercube: true,
            shift: 0.0,
            scale: 1.0,
            shuffle: true,
        }
    }
}

macro_rules! setters {
    ($($name:ident: $type:ty, $document:literal;)*) => {
        impl ClassificationOptions {
            $(
                #[doc = $document]
                #[must_use]
                pub fn $name(mut self, value: $type) -> Self {
                    self.$name = value;
                    self
                }
            )*
        }
    };
}

setters! {
    n_features: usize, "Sets the number of features.";
    n_informative: usize, "Sets the number of informative features.";
    n_redundant: usize, "Sets the number of linear combinations of the informative features.";
    n_repeated: usize, "Sets the number of copies of informative and redundant features.";
    n_classes: usize, "Sets the number of classes.";
    n_clusters_per_class: usize, "Sets the number of clusters of each class.";
    flip_y: f64, "Sets the share of the samples whose class is drawn at random.";
    class_sep: f64, "Sets the separation of the classes: larger is easier.";
    hypercube: bool, "Sets whether the clusters are at the corners of a hypercube, or of a random polytope.";
    shift: f64, "Sets what is added to every feature.";
    scale: f64, "Sets what every feature is multiplied by.";
    shuffle: bool, "Sets whether samples and features are put into random order.";
}

impl ClassificationOptions {
    /// scikit-learn's defaults.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Sets the share of the samples of each class, for all classes or all but the last.
    #[must_use]
    pub fn weights(mut self, shares: impl IntoIterator<Item = f64>) -> Self {
        self.weights = shares.into_iter().collect();
        self
    }

    fn n_clusters(&self) -> usize {
        self.n_classes.saturating_mul(self.n_clusters_per_class)
    }

    fn check(&self) -> Result<()> {
        let refuse = |name, value: String, expected: String| {
            Err(Error::invalid_parameter("make_classification", name, value, expected))
        };
        let at_least_1 = [
            ("n_informative", self.n_informative),
            ("n_classes", self.n_classes),
            ("n_clusters_per_class", self.n_clusters_per_class),
        ];
        if let Some((name, _)) = at_least_1.into_iter().find(|(_, value)| *value == 0) {
            return refuse(name, "0".into(), "at least 1".into());
        }
        let parts = [self.n_redundant, self.n_repeated];
        let used = parts.iter().try_fold(self.n_informative, |sum, part| sum.checked_add(*part));
        if used.is_none_or(|used| used > self.n_features) {
            let expected = "at least n_informative + n_redundant + n_repeated";
            return refuse("n_features", self.n_features.to_string(), expected.into());
        }
        let bits = u32::try_from(self.n_informative).unwrap_or(u32::MAX);
        if 1_usize.checked_shl(bits).is_some_and(|corners| self.n_clusters() > corners) {
            let expected = format!("at most 2^n_informative = 2^{bits}");
            return refuse("n_classes * n_clusters_per_class", self.n_clusters().to_string(), expected);
        }
        if !(0.0..=1.0).contains(&self.flip_y) {
            return refuse("flip_y", self.flip_y.to_string(), "0 <= flip_y <= 1".into());
        }
        for (name, value) in [("class_sep", self.class_sep), ("shift", self.shift), ("scale", self.scale)] {
            if !value.is_finite() {
                return refuse(name, value.to_string(), "a finite number".into());
            }
        }
        Ok(())
    }

    /// The share of each class.
    #[allow(clippy::cast_precision_loss, reason = "a number of classes")]
    fn shares(&self) -> Result<Vec<f64>> {
        let mut shares = self.weights.clone();
        if shares.is_empty() {
            return Ok(vec![1.0 / self.n_classes as f64; self.n_classes]);
        }
        if shares.len() + 1 == self.n_classes {
            shares.push(1.0 - shares.iter().sum::<f64>());
        }
        let sum: f64 = shares.iter().sum();
        let in_range = shares.iter().all(|share| *share >= -1e-12) && (sum - 1.0).abs() < 1e-9;
        if shares.len() == self.n_classes && in_range {
            return Ok(shares.into_iter().map(|share| share.max(0.0)).collect());
        }
        let expected = "shares of at least 0 with sum 1, for all classes or all but the last";
        Err(Error::invalid_parameter(
            "make_classification",
            "weights",
            format!("{:?}", self.weights),
            expected,
        ))
    }

    /// The number of samples of each cluster: by the shares, the rest one by one to the first clusters.
    #[allow(
        clippy::cast_precision_loss,
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "a part of the samples"
    )]
    fn cluster_sizes(&self, n_samples: usize) -> Result<Vec<usize>> {
        let (shares, n_clusters) = (self.shares()?, self.n_clusters());
        let per_class = self.n_clusters_per_class as f64;
        let size =
            |cluster: usize| (n_samples as f64 * shares[cluster % self.n_classes] / per_class) as usize;
        let mut sizes: Vec<usize> = (0..n_clusters).map(size).collect();
        let left = n_samples.saturating_sub(sizes.iter().sum());
        (0..left).for_each(|index| sizes[index % n_clusters] += 1);
        Ok(sizes)
    }
}

/// Clusters of normally distributed points at the corners of a hypercube, with redundant, repeated and random features: a
/// classification problem of adjustable difficulty.
///
/// The construction and its defaults are scikit-learn's `make_classification`; the random numbers are not, so data differ
/// from scikit-learn's of the same seed. Without `shuffle`, features are in the order informative, redundant, repeated, random.
///
/// # Shapes
/// `data`: (n_samples, n_features).
///
/// # Errors
/// No samples; options out of range: fewer features than their parts, more clusters than the hypercube has corners, shares whose
/// sum is not 1, values that are not finite.
///
/// # Examples
/// ```
/// use axonal::datasets::{ClassificationOptions, make_classification};
///
/// let options = ClassificationOptions::new().weights([0.9]).flip_y(0.0);
/// let imbalanced = make_classification::<f64>(1000, &options, 7)?;
/// assert_eq!(imbalanced.data.dim(), (1000, 20));
/// // 901: the share of the other class, 1 − 0.9, is rounded down for each of its clusters.
/// assert_eq!(imbalanced.target.iter().filter(|class| **class == 0).count(), 901);
/// # Ok::<(), axonal::Error>(())
/// ```
///
/// # References
/// I. Guyon, *Design of experiments for the NIPS 2003 variable selection benchmark*, 2003.
pub fn make_classification<F: Float>(
    n_samples: usize,
    options: &ClassificationOptions,
    seed: u64,
) -> Result<Dataset<F>> {
    options.check()?;
    check_size::<f64>("make_classification", n_samples, options.n_features)?;
    check_size::<f64>("make_classification", options.n_clusters(), options.n_informative)?;
    check_size::<f64>("make_classification", options.n_informative, options.n_informative)?;
    let sizes = options.cluster_sizes(n_samples)?;
    let mut rng = Rng::new(seed, Purpose::Dataset, 4);
    let mut data = Array2::zeros((n_samples, options.n_features));
    let mut target = Array1::zeros(n_samples);
    let informative = data.slice_mut(s![.., ..options.n_informative]);
    fill_informative(options, &sizes, informative, &mut target, &mut rng);
    fill_others(options, &mut data, &mut rng);
    for label in &mut target {
        if rng.uniform() < options.flip_y {
            *label = rng.below(options.n_classes);
        }
    }
    data.mapv_inplace(|value| (value + options.shift) * options.scale);
    if options.shuffle {
        let (rows, columns) = (rng.permutation(n_samples), rng.permutation(options.n_features));
        data = data.select(Axis(0), &rows).select(Axis(1), &columns);
        target = target.select(Axis(0), &rows);
    }
    let names = (0..options.n_classes).map(|class| class.to_string());
    Ok(Dataset::new(data.mapv(F::of), target)?.with_target_names(names))
}

/// The informative features: each cluster normal with a random covariance about a corner.
fn fill_informative(
    options: &ClassificationOptions,
    sizes: &[usize],
    mut data: ArrayViewMut2<'_, f64>,
    target: &mut Array1<usize>,
    rng: &mut Rng,
) {
    let d = options.n_informative;
    let mut corners = corners(sizes.len(), d, rng);
    corners.mapv_inplace(|bit| (2.0 * bit - 1.0) * options.class_sep);
    if !options.hypercube {
        let by_cluster = Array2::from_shape_simple_fn((sizes.len(), 1), || rng.uniform());
        let by_feature = Array2::from_shape_simple_fn((1, d), || rng.uniform());
        corners = corners * by_cluster * by_feature;
    }
    let mut start = 0;
    for (cluster, &size) in sizes.iter().enumerate() {
        let mixing = Array2::from_shape_simple_fn((d, d), || 2.0 * rng.uniform() - 1.0);
        let normal = Array2::from_shape_simple_fn((size, d), || rng.normal());
        let rows = start..start + size;
        data.slice_mut(s![rows.clone(), ..]).assign(&(normal.dot(&mixing) + corners.row(cluster)));
        target.slice_mut(s![rows]).fill(cluster % options.n_classes);
        start += size;
    }
}

/// The redundant, repeated and random features, behind the informative ones.
#[allow(
    clippy::cast_precision_loss,
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "an index of a feature"
)]
fn fill_others(options: &ClassificationOptions, data: &mut Array2<f64>, rng: &mut Rng) {
    let (informative, redundant) = (options.n_informative, options.n_redundant);
    let mixing = Array2::from_shape_simple_fn((informative, redundant), || 2.0 * rng.uniform() - 1.0);
    let combined = data.slice(s![.., ..informative]).dot(&mixing);
    let n = informative + redundant;
    data.slice_mut(s![.., informative..n]).assign(&combined);
    for column in n..n + options.n_repeated {
        let source = ((n - 1) as f64 * rng.uniform() + 0.5) as usize;
        let copy = data.column(source).to_owned();
        data.column_mut(column).assign(&copy);
    }
    data.slice_mut(s![.., n + options.n_repeated..]).mapv_inplace(|_| rng.normal());
}

/// `n` distinct corners of the unit hypercube, drawn at random.
fn corners(n: usize, d: usize, rng: &mut Rng) -> Array2<f64> {
    /// Dimensions whose corners are numbered; the bits of any further ones are drawn freely.
    const NUMBERED: usize = 30;
    let (numbered, mut chosen) = (d.min(NUMBERED), std::collections::HashSet::new());
    let mut corners = Array2::zeros((n, d));
    let all = 1_usize << numbered;
    // Few corners beside many clusters: draw without replacement from all of them.
    let mut order = if n > all / 2 { rng.permutation(all) } else { Vec::new() };
    for mut corner in corners.rows_mut() {
        let number = order.pop().unwrap_or_else(|| {
            loop {
                let number = rng.below(all);
                if chosen.insert(number) {
                    break number;
                }
            }
        });
        for (axis, bit) in corner.iter_mut().enumerate() {
            let is_one = if axis < numbered { number >> axis & 1 == 1 } else { rng.below(2) == 1 };
            *bit = f64::from(u8::from(is_one));
        }
    }
    corners
}
