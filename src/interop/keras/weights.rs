//! The weights of a Keras file: by group and number, or in the lists of the legacy format.

use super::hdf5::{Reader, Tensor};
use super::problem::{Read, unsupported};
use super::slots::Slot;
use crate::error::{LoadErrorKind, excerpt};
use crate::float::Float;
use crate::persistence::MemoryBudget;
use std::collections::BTreeMap;
use std::io::{Read as Input, Seek};

/// A source of bytes at any place.
pub(super) trait Bytes: Input + Seek {}

impl<T: Input + Seek> Bytes for T {}

/// The file of weights.
pub(super) struct Weights<'s> {
    pub(super) reader: Reader<Box<dyn Bytes + 's>>,
    /// The addresses of the groups of layers in the legacy format, in their order; `None` in the current one.
    legacy: Option<Vec<(String, u64)>>,
}

/// The bytes that a value takes on its way into the settings of a layer: as a float, as JSON, as text while it grows, and
/// as a float again.
const STATISTIC_BYTES: u64 = 96;

/// Which layer is meant: its group in the current format, its number and name in the legacy one.
#[derive(Debug, Clone, Copy)]
pub(super) struct LayerKey<'a> {
    pub(super) group: &'a str,
    /// The number of the layer among those with weights.
    pub(super) index: usize,
    pub(super) name: &'a str,
}

impl<'s> Weights<'s> {
    /// The weights in an HDF5 file of either format.
    pub(super) fn open(mut reader: Reader<Box<dyn Bytes + 's>>) -> Read<Self> {
        let root = reader.root();
        let group = reader.members(root)?.get("model_weights").copied().unwrap_or(root);
        let legacy = match list(&mut reader, group, "layer_names")? {
            None => None,
            Some(names) => {
                let members = reader.members(group)?;
                let mut layers = Vec::new();
                for name in names {
                    // A name may be a path.
                    let address = match members.get(&name) {
                        Some(&address) => Some(address),
                        None => reader.find(group, &name)?,
                    };
                    let address = address.ok_or_else(|| missing(&name))?;
                    layers.push((name, address));
                }
                Some(layers)
            }
        };
        Ok(Self { reader, legacy })
    }

    /// Whether the file is of the format before Keras 3.
    pub(super) fn is_legacy(&self) -> bool {
        self.legacy.is_some()
    }

    /// The tensors of a part of a layer in the current format; none if it has no group.
    fn vars(&mut self, path: &str) -> Read<Vec<(String, u64)>> {
        let root = self.reader.root();
        let Some(group) = self.reader.find(root, &format!("{path}/vars"))? else { return Ok(Vec::new()) };
        let mut vars: Vec<_> = self.reader.members(group)?.into_iter().collect();
        vars.sort_by(|(name, _), (other, _)| (name.len(), name).cmp(&(other.len(), other)));
        Ok(vars)
    }

    /// The tensors of the legacy list of a layer.
    fn listed(&mut self, key: LayerKey<'_>) -> Read<Vec<(String, u64)>> {
        let layers = self.legacy.as_deref().unwrap_or_default();
        let by_name = layers.iter().find(|(name, _)| name == key.name);
        let Some((name, group)) = by_name.or_else(|| layers.get(key.index)).cloned() else {
            return Ok(Vec::new());
        };
        let names = list(&mut self.reader, group, "weight_names")?.unwrap_or_default();
        let mut found = Vec::new();
        for weight in names {
            let address = self.reader.find(group, &weight)?;
            found.push((format!("{name}/{weight}"), address.ok_or_else(|| missing(&weight))?));
        }
        Ok(found)
    }

    /// Finds the tensors of a layer for its slots; carried state is not part of what is loaded.
    pub(super) fn tensors(&mut self, key: LayerKey<'_>, slots: &[Slot]) -> Read<Vec<(Tensor, Slot)>> {
        let mut wanted: Vec<&Slot> = slots.iter().filter(|slot| !slot.is_carried).collect();
        let mut found = Vec::new();
        if self.is_legacy() {
            // Trainable weights come before all others.
            wanted.sort_by_key(|slot| slot.in_state);
            let listed = self.listed(key)?;
            check_count(key, listed.len(), wanted.len())?;
            for ((name, address), slot) in listed.into_iter().zip(wanted) {
                found.push((self.tensor(&name, address, slot)?, slot.clone()));
            }
            return Ok(found);
        }
        let mut parts: Vec<&str> = wanted.iter().map(|slot| slot.part.as_str()).collect();
        parts.dedup();
        for part in parts {
            let path = if part.is_empty() { key.group.to_owned() } else { format!("{}/{part}", key.group) };
            let mut vars = self.vars(&path)?;
            if vars.is_empty() && part.ends_with("_dense") {
                // Versions differ in whether the field of a layer is private.
                let (group, field) = path.rsplit_once('/').unwrap_or(("", &path));
                let other = field.strip_prefix('_').map_or_else(|| format!("_{field}"), str::to_owned);
                vars = self.vars(&format!("{group}/{other}"))?;
            }
            let own: Vec<_> = wanted.iter().filter(|slot| slot.part == part).collect();
            check_count(LayerKey { group: &path, ..key }, vars.len(), own.len())?;
            for ((name, address), slot) in vars.into_iter().zip(own) {
                let name = format!("{path}/vars/{name}");
                found.push((self.tensor(&name, address, slot)?, (*slot).clone()));
            }
        }
        Ok(found)
    }

    fn tensor(&mut self, name: &str, address: u64, slot: &Slot) -> Read<Tensor> {
        let tensor = self.reader.tensor(address, name)?;
        tensor.expect_shape(slot.shape.dims())?;
        Ok(tensor)
    }

    /// The mean and the variance of a normalization layer, which this crate keeps as settings.
    pub(super) fn statistics(
        &mut self,
        key: LayerKey<'_>,
        budget: &MemoryBudget,
    ) -> Read<Option<[Vec<f64>; 2]>> {
        let vars = if self.is_legacy() { self.listed(key)? } else { self.vars(key.group)? };
        let [(mean_name, mean), (variance_name, variance), ..] = vars.as_slice() else { return Ok(None) };
        let mean = self.reader.tensor(*mean, mean_name)?;
        let variance = self.reader.tensor(*variance, variance_name)?;
        budget.check(mean.len().saturating_add(variance.len()).saturating_mul(STATISTIC_BYTES))?;
        let mut read = |tensor: Tensor| -> Read<Vec<f64>> {
            let mut values = vec![0.0; usize::try_from(tensor.len()).unwrap_or_default()];
            tensor.read(self.reader.source(), &mut values)?;
            Ok(values)
        };
        Ok(Some([read(mean)?, read(variance)?]))
    }

    /// The tensors of the optimizer: by number in the current format, in the order of its list in the legacy one.
    pub(super) fn optimizer(&mut self) -> Read<Vec<(String, u64)>> {
        if !self.is_legacy() {
            let vars = self.vars("optimizer")?;
            return Ok(vars.into_iter().map(|(name, at)| (format!("optimizer/vars/{name}"), at)).collect());
        }
        let root = self.reader.root();
        let Some(group) = self.reader.find(root, "optimizer_weights")? else { return Ok(Vec::new()) };
        let mut found = Vec::new();
        for name in list(&mut self.reader, group, "weight_names")?.unwrap_or_default() {
            let address = self.reader.find(group, &name)?.ok_or_else(|| missing(&name))?;
            found.push((name, address));
        }
        Ok(found)
    }

    /// Texts beside the root of a legacy file: the configurations of the model and of its training, the version.
    pub(super) fn root_texts(&mut self) -> Read<BTreeMap<String, Vec<String>>> {
        let root = self.reader.root();
        self.reader.texts(root)
    }
}

/// The tensors and their places in the buffers of a model.
pub(super) fn read_slots<F: Float>(
    weights: &mut Weights<'_>,
    found: &[(Tensor, Slot)],
    params: &mut [F],
    state: &mut [F],
) -> Read<()> {
    for (tensor, slot) in found {
        let buffer = if slot.in_state { &mut *state } else { &mut *params };
        let values = buffer.get_mut(slot.range.clone()).unwrap_or_default();
        tensor.read(weights.reader.source(), values)?;
    }
    Ok(())
}

/// A list of names beside a group. A long one is split: `layer_names0`, `layer_names1`.
fn list<R: Bytes>(reader: &mut Reader<R>, group: u64, name: &str) -> Read<Option<Vec<String>>> {
    let mut texts = reader.texts(group)?;
    if let Some(names) = texts.remove(name) {
        return Ok(Some(names));
    }
    let mut names = Vec::new();
    for index in 0.. {
        match texts.remove(&format!("{name}{index}")) {
            Some(more) => names.extend(more),
            None => break,
        }
    }
    Ok((!names.is_empty()).then_some(names))
}

fn missing(name: &str) -> LoadErrorKind {
    let expected = "it in the file".into();
    LoadErrorKind::Tensor { tensor: excerpt(name), expected, got: "no such tensor".into() }
}

fn check_count(key: LayerKey<'_>, found: usize, wanted: usize) -> Read<()> {
    if found == wanted {
        return Ok(());
    }
    let part = format!("weights of layer {:?} in {}", excerpt(key.name), excerpt(key.group));
    let hint = "the layers of the file and of the model differ";
    Err(unsupported(&part, format!("{wanted} arrays"), found.to_string(), hint))
}

#[cfg(test)]
mod tests {
    use super::super::hdf5::{Data, Group};
    use super::*;
    use crate::persistence::Limits;
    use std::io::Cursor;

    #[test]
    fn statistics_take_no_more_than_the_budget() {
        for (n, is_allowed) in [(3, true), (3000, true), (100_000, false)] {
            let mut root = Group::<f32>::default();
            root.group("layers/normalization/vars").insert("0", Data::Zeros(vec![n]));
            root.group("layers/normalization/vars").insert("1", Data::Zeros(vec![n]));
            let mut bytes = Vec::new();
            root.write(&mut bytes).unwrap();
            let len = bytes.len() as u64;
            let reader = Reader::open(Box::new(Cursor::new(bytes)) as Box<dyn Bytes>, 0, len).unwrap();
            let mut weights = Weights::open(reader).unwrap();
            let budget = MemoryBudget::new(&Limits::default()).of_file(len, len);
            let key = LayerKey { group: "layers/normalization", index: 0, name: "normalization" };
            match weights.statistics(key, &budget) {
                Ok(found) => assert!(is_allowed && found == Some([vec![0.0; n], vec![0.0; n]])),
                Err(problem) => assert!(!is_allowed && problem.to_string().contains("memory"), "{problem}"),
            }
        }
    }
}
