//! How much a file may ask for, and what else a load may be told.

use super::registry::Registry;
use crate::float::Float;
use std::any::Any;
use std::fmt;

/// How many values the configurations may have, however short they are written.
const MOST_SHORT_VALUES: u64 = 1 << 15;

/// How many values a structure of this length may have: two bytes of text, "0,", can become eight in memory; numbers
/// of many digits cannot.
pub(super) fn most_values(structure_len: u64) -> u64 {
    MOST_SHORT_VALUES + structure_len / 16
}

/// About how many values a structure has.
pub(super) fn values_of(structure: &[u8]) -> u64 {
    structure.iter().filter(|&&byte| byte == b',').count() as u64
}

/// What a file may have at most. The defaults are far above what networks need, and low enough that a hostile file
/// takes no more memory than its own length and about a MiB.
///
/// # Examples
/// ```
/// use axonal::persistence::Limits;
///
/// let mut limits = Limits::default();
/// limits.max_file_bytes = 64 << 20;
/// assert!(limits.max_layers >= 1_000);
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Limits {
    /// The length of the file: 64 GiB.
    pub max_file_bytes: u64,
    /// The length of the part that describes the layers and tensors: 16 MiB.
    pub max_structure_bytes: u64,
    /// The length of one configuration: 256 KiB.
    pub max_config_bytes: usize,
    /// How many layers there are, and how many metrics: 1,000.
    pub max_layers: usize,
    /// How deep layers may stand inside of layers, and steps of column transformers inside of steps: 16.
    pub max_depth: usize,
    /// The bytes that one sample's activations take: 1 GiB.
    pub max_activation_bytes: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            max_file_bytes: 64 << 30,
            max_structure_bytes: 16 << 20,
            max_config_bytes: 256 << 10,
            max_layers: 1_000,
            max_depth: 16,
            max_activation_bytes: 1 << 30,
        }
    }
}

/// How to load.
///
/// # Examples
/// A model of `f64` from a file of `f32`, by explicit choice:
/// ```
/// use axonal::persistence::LoadOptions;
/// use axonal::prelude::*;
///
/// # fn main() -> Result<()> {
/// let model: Model<f32> =
///     Sequential::new(2).add(Dense::new(1)).compile(Adam::default(), MeanSquaredError::default())?;
/// let bytes = model.to_bytes()?;
/// assert!(Model::<f64>::from_bytes(&bytes).is_err());
/// let wide = Model::<f64>::from_bytes_with(&bytes, LoadOptions::new().convert_numbers(true))?;
/// assert_eq!(wide.weights()[0].value.mapv(|w| w as f32), model.weights()[0].value);
/// # Ok(())
/// # }
/// ```
pub struct LoadOptions<'a, F> {
    pub(super) registry: Option<&'a Registry<F>>,
    pub(super) limits: Limits,
    pub(super) convert_numbers: bool,
    pub(super) skip_mismatch: bool,
}

impl<'a, F> LoadOptions<'a, F> {
    /// Built-in kinds only, the default limits, numbers of the type at hand, all weights.
    #[must_use]
    pub fn new() -> Self {
        Self { registry: None, limits: Limits::default(), convert_numbers: false, skip_mismatch: false }
    }

    /// Adds layers, losses, metrics and optimizers of other crates.
    #[must_use]
    pub fn registry(mut self, registry: &'a Registry<F>) -> Self {
        self.registry = Some(registry);
        self
    }

    /// Sets what a file may have at most.
    #[must_use]
    pub fn limits(mut self, limits: Limits) -> Self {
        self.limits = limits;
        self
    }

    /// Whether a file of `f32` may become a model of `f64`, and one of `f64`, rounded, a model of `f32`.
    #[must_use]
    pub fn convert_numbers(mut self, convert: bool) -> Self {
        self.convert_numbers = convert;
        self
    }

    /// Whether `load_weights_with` leaves out weights that are missing on one side or differ in shape.
    #[must_use]
    pub fn skip_mismatch(mut self, skip: bool) -> Self {
        self.skip_mismatch = skip;
        self
    }
}

/// The options for parts of whatever number type.
#[derive(Clone)]
pub(super) struct Allowed<'a> {
    pub(super) limits: Limits,
    convert_numbers: bool,
    registry: Option<&'a dyn Any>,
    /// How deep the part stands within others.
    pub(super) depth: usize,
}

impl<'a> Allowed<'a> {
    /// The options for a part of the part that these are for.
    pub(super) fn deeper(&self) -> Self {
        Self { depth: self.depth + 1, ..self.clone() }
    }

    /// The options of a network of `F`; a registry for another number type is none for this one.
    pub(super) fn typed<F: Float>(&self) -> LoadOptions<'a, F> {
        LoadOptions {
            registry: self.registry.and_then(|registry| registry.downcast_ref()),
            limits: self.limits.clone(),
            convert_numbers: self.convert_numbers,
            skip_mismatch: false,
        }
    }
}

impl<'a, F: Float> From<LoadOptions<'a, F>> for Allowed<'a> {
    fn from(options: LoadOptions<'a, F>) -> Self {
        let LoadOptions { registry, limits, convert_numbers, .. } = options;
        Self { limits, convert_numbers, registry: registry.map(|registry| registry as &dyn Any), depth: 0 }
    }
}

impl<F> Default for LoadOptions<'_, F> {
    fn default() -> Self {
        Self::new()
    }
}

impl<'a, F> From<&'a Registry<F>> for LoadOptions<'a, F> {
    fn from(registry: &'a Registry<F>) -> Self {
        Self::new().registry(registry)
    }
}

impl<F> fmt::Debug for LoadOptions<'_, F> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("LoadOptions")
            .field("registry", &self.registry)
            .field("limits", &self.limits)
            .field("convert_numbers", &self.convert_numbers)
            .field("skip_mismatch", &self.skip_mismatch)
            .finish()
    }
}
