//! How much a file may ask for, and what else a load may be told.

use super::Checked;
use super::registry::Registry;
use crate::error::LoadErrorKind;
use crate::float::Float;
use serde::{Deserialize, Serialize};
use std::any::Any;
use std::cell::Cell;
use std::fmt;
use std::rc::Rc;

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
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
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
    /// How deep layers may stand inside layers, and steps of column transformers inside steps: 16.
    pub max_depth: usize,
    /// The bytes that one sample's activations and the totals of the metrics take: 1 GiB.
    pub max_activation_bytes: usize,
    /// The memory that loading takes beyond the length of the file, where the numbers keep their type: 1 MiB. What a
    /// file describes in few bytes, such as a thousand different layers of a few weights, may need more.
    pub max_extra_bytes: u64,
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
            max_extra_bytes: 1 << 20,
        }
    }
}

impl Limits {
    /// Creates the default settings.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Errors for a file longer than allowed.
    pub(crate) fn check_file_len(&self, len: u64) -> Checked<()> {
        if len <= self.max_file_bytes {
            return Ok(());
        }
        let what = "bytes of the file".into();
        Err(LoadErrorKind::Limit { what, value: len, limit: self.max_file_bytes })
    }
}

/// What the buffers of reading and the texts of errors take, whatever the file.
const WORKING: u64 = 128 << 10;

/// The memory that a load may still take beyond what the file's length pays for. What a file describes is charged
/// before it is made.
#[derive(Debug, Clone)]
pub(crate) struct MemoryBudget {
    limit: u64,
    /// What belongs to the file that is read now.
    own: Cell<u64>,
    /// What the parts of a file share.
    shared: Rc<Cell<u64>>,
}

impl MemoryBudget {
    pub(crate) fn new(limits: &Limits) -> Self {
        let shared = Rc::new(Cell::new(limits.max_extra_bytes.saturating_sub(WORKING)));
        Self { limit: limits.max_extra_bytes, own: Cell::new(0), shared }
    }

    /// For what is not made of a file.
    pub(super) fn unlimited() -> Self {
        Self { limit: u64::MAX, own: Cell::new(u64::MAX), shared: Rc::default() }
    }

    /// The same for a file, or a part of one, whose structure is `structure_len` bytes long and whose numbers are
    /// `numbers_len`. While records are read, the budget of the tensor data is free; while tensor data are read, that of the
    /// structure.
    pub(crate) fn of_file(&self, structure_len: u64, numbers_len: u64) -> Self {
        let own = if self.limit == u64::MAX { u64::MAX } else { structure_len.min(numbers_len) };
        Self { own: Cell::new(own), ..self.clone() }
    }

    fn left(&self) -> u64 {
        self.own.get().saturating_add(self.shared.get())
    }

    /// Refuses what would take more than is left, for a moment.
    pub(crate) fn check(&self, bytes: u64) -> Checked<()> {
        if bytes <= self.left() {
            return Ok(());
        }
        Err(LoadErrorKind::Limit {
            what: "bytes of memory beyond the length of the file".into(),
            value: self.limit.saturating_add(bytes - self.left()),
            limit: self.limit,
        })
    }

    /// Charges what is kept.
    pub(crate) fn take(&self, bytes: u64) -> Checked<()> {
        self.check(bytes)?;
        let own = bytes.min(self.own.get());
        self.own.set(self.own.get() - own);
        self.shared.set(self.shared.get() - (bytes - own));
        Ok(())
    }
}

/// About how many bytes the lists of a configuration take in memory while they grow.
pub(super) fn lists_of(text: &str) -> u64 {
    let (mut open, mut in_string, mut escaped, mut values) = (0_u64, false, false, 0_u64);
    for byte in text.bytes() {
        match byte {
            _ if escaped => escaped = false,
            b'\\' if in_string => escaped = true,
            b'"' => in_string = !in_string,
            b'[' if !in_string => open += 1,
            b']' if !in_string => open = open.saturating_sub(1),
            b',' if !in_string && open > 0 => values += 1,
            _ => {}
        }
    }
    // A number of eight bytes in a list that was too short, beside one that is twice as long.
    24 * values
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
    pub(crate) registry: Option<&'a Registry<F>>,
    pub(crate) limits: Limits,
    pub(super) convert_numbers: bool,
    pub(crate) skip_mismatch: bool,
    pub(super) file_callbacks: bool,
}

impl<'a, F> LoadOptions<'a, F> {
    /// Built-in kinds only, the default limits, numbers of the type at hand, all weights.
    #[must_use]
    pub fn new() -> Self {
        Self {
            registry: None,
            limits: Limits::default(),
            convert_numbers: false,
            skip_mismatch: false,
            file_callbacks: false,
        }
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

    /// Sets whether callbacks that write files ([`CsvLogger`](crate::callbacks::CsvLogger),
    /// [`ModelCheckpoint`](crate::callbacks::ModelCheckpoint), …) are restored with their paths. They are not by default,
    /// because a later `fit` writes to these paths; set it for files that you trust.
    #[must_use]
    pub fn file_callbacks(mut self, restore: bool) -> Self {
        self.file_callbacks = restore;
        self
    }
}

/// The options for parts of whatever number type.
#[derive(Clone)]
pub(super) struct LoadContext<'a> {
    pub(super) limits: Limits,
    convert_numbers: bool,
    file_callbacks: bool,
    registry: Option<&'a dyn Any>,
    /// What the file and all of its parts may take together.
    pub(super) budget: MemoryBudget,
    /// How deep the part stands within others.
    pub(super) depth: usize,
}

impl<'a> LoadContext<'a> {
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
            file_callbacks: self.file_callbacks,
        }
    }
}

impl<'a, F: Float> From<LoadOptions<'a, F>> for LoadContext<'a> {
    fn from(options: LoadOptions<'a, F>) -> Self {
        let LoadOptions { registry, limits, convert_numbers, file_callbacks, .. } = options;
        let registry = registry.map(|registry| registry as &dyn Any);
        Self {
            budget: MemoryBudget::new(&limits),
            limits,
            convert_numbers,
            file_callbacks,
            registry,
            depth: 0,
        }
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
            .field("file_callbacks", &self.file_callbacks)
            .finish()
    }
}

#[cfg(test)]
mod tests {
    use super::lists_of;

    #[test]
    fn commas_count_within_lists_alone() {
        for (text, values) in [
            ("", 0),
            (r#"{"a":1,"b":2}"#, 0),
            ("[1,2,3]", 2),
            (r#"{"a":[1,2],"b":[[3,4],[5,6]],"c":7}"#, 4),
            (r#"[",,",1]"#, 1),
            // A quote in a string does not end it, nor does a bracket in one begin a list.
            (r#"["\",,,"]"#, 0),
            (r#"["\\",1]"#, 1),
            (r#"{"[":1,"b":2}"#, 0),
            (r#"["]",2,3]"#, 2),
            ("]],[1,2]", 1),
        ] {
            assert_eq!(lists_of(text), 24 * values, "{text}");
        }
    }
}
