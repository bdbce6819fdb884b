//! Weights of classes: [`ClassWeight`] for options, and the weights of classes and samples as scikit-learn computes them.

use crate::error::{Error, Result};
use ndarray::{Array1, ArrayBase, Data, Ix1};
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, HashMap};

/// How much the samples of each class count in training.
///
/// # Examples
/// ```
/// use axonal::class_weight::ClassWeight;
///
/// let given: ClassWeight = [(0, 1.0), (1, 5.0)].into();
/// assert_ne!(given, ClassWeight::Balanced);
/// ```
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(from = "Form", into = "Form")]
#[non_exhaustive]
pub enum ClassWeight {
    /// Weights inversely proportional to the class frequencies in the training targets: n / (number of classes · count of
    /// the class).
    Balanced,
    /// The weight of each listed class; other classes have weight 1.
    Each(Vec<(usize, f64)>),
}

/// The form in files: a list of pairs, as in earlier versions, or `"balanced"`.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(untagged)]
enum Form {
    Each(Vec<(usize, f64)>),
    Named(Name),
}

#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
enum Name {
    Balanced,
}

impl From<Form> for ClassWeight {
    fn from(form: Form) -> Self {
        match form {
            Form::Each(weights) => Self::Each(weights),
            Form::Named(Name::Balanced) => Self::Balanced,
        }
    }
}

impl From<ClassWeight> for Form {
    fn from(weight: ClassWeight) -> Self {
        match weight {
            ClassWeight::Each(weights) => Self::Each(weights),
            ClassWeight::Balanced => Self::Named(Name::Balanced),
        }
    }
}

impl<const N: usize> From<[(usize, f64); N]> for ClassWeight {
    fn from(weights: [(usize, f64); N]) -> Self {
        Self::Each(weights.to_vec())
    }
}

impl From<Vec<(usize, f64)>> for ClassWeight {
    fn from(weights: Vec<(usize, f64)>) -> Self {
        Self::Each(weights)
    }
}

impl From<BTreeMap<usize, f64>> for ClassWeight {
    fn from(weights: BTreeMap<usize, f64>) -> Self {
        Self::Each(weights.into_iter().collect())
    }
}

impl From<HashMap<usize, f64>> for ClassWeight {
    fn from(weights: HashMap<usize, f64>) -> Self {
        Self::from(weights.into_iter().collect::<BTreeMap<_, _>>())
    }
}

impl ClassWeight {
    /// Errors if a weight is negative or not finite.
    pub(crate) fn validate(&self) -> Result<()> {
        let Self::Each(weights) = self else { return Ok(()) };
        match weights.iter().find(|(_, weight)| !(*weight >= 0.0 && weight.is_finite())) {
            None => Ok(()),
            Some((class, weight)) => {
                let problem =
                    format!("the weight {weight} of class {class} is not a finite number of at least 0");
                Err(Error::Weight { what: "class_weight".into(), problem })
            }
        }
    }

    /// The weights of the classes that occur among these labels, or the listed ones.
    pub(crate) fn of_labels(&self, labels: impl Iterator<Item = usize>) -> Vec<(usize, f64)> {
        match self {
            Self::Each(weights) => weights.clone(),
            Self::Balanced => balanced(labels),
        }
    }
}

/// The balanced weight of each class that occurs.
#[allow(clippy::cast_precision_loss, reason = "2^53 samples fit no memory")]
fn balanced(labels: impl Iterator<Item = usize>) -> Vec<(usize, f64)> {
    let mut counts: BTreeMap<usize, usize> = BTreeMap::new();
    labels.for_each(|label| *counts.entry(label).or_insert(0) += 1);
    let (n, n_classes) = (counts.values().sum::<usize>() as f64, counts.len() as f64);
    counts.into_iter().map(|(class, count)| (class, n / (n_classes * count as f64))).collect()
}

/// The weight of each of `classes`, as scikit-learn's `compute_class_weight`.
///
/// # Errors
/// A class without a sample in `y`, a weight that is negative or not finite.
///
/// # Examples
/// ```
/// use axonal::class_weight::{ClassWeight, compute_class_weight};
/// use axonal::ndarray::array;
///
/// let weights = compute_class_weight(&ClassWeight::Balanced, &[0, 1], &array![0, 0, 0, 1])?;
/// assert_eq!(weights, array![4.0 / 6.0, 2.0]);
/// # Ok::<(), axonal::Error>(())
/// ```
pub fn compute_class_weight(
    class_weight: &ClassWeight,
    classes: &[usize],
    y: &ArrayBase<impl Data<Elem = usize>, Ix1>,
) -> Result<Array1<f64>> {
    class_weight.validate()?;
    let weights = class_weight.of_labels(y.iter().copied());
    let weight = |&class: &usize| {
        let found = weights.iter().find(|(known, _)| *known == class).map(|(_, weight)| *weight);
        match (found, class_weight) {
            (Some(weight), _) => Ok(weight),
            (None, ClassWeight::Each(_)) => Ok(1.0),
            (None, ClassWeight::Balanced) => {
                let expected = "classes that occur in y";
                Err(Error::invalid_parameter("compute_class_weight", "classes", class, expected))
            }
        }
    };
    classes.iter().map(weight).collect()
}

/// The class weight of each sample, as scikit-learn's `compute_sample_weight`: for `sample_weight` options.
///
/// # Errors
/// A weight that is negative or not finite.
///
/// # Examples
/// ```
/// use axonal::class_weight::{ClassWeight, compute_sample_weight};
/// use axonal::ndarray::array;
///
/// let weights = compute_sample_weight(&ClassWeight::Balanced, &array![0, 0, 1])?;
/// assert_eq!(weights, array![0.75, 0.75, 1.5]);
/// # Ok::<(), axonal::Error>(())
/// ```
pub fn compute_sample_weight(
    class_weight: &ClassWeight,
    y: &ArrayBase<impl Data<Elem = usize>, Ix1>,
) -> Result<Array1<f64>> {
    class_weight.validate()?;
    let weights: HashMap<usize, f64> = class_weight.of_labels(y.iter().copied()).into_iter().collect();
    Ok(y.iter().map(|label| weights.get(label).copied().unwrap_or(1.0)).collect())
}
