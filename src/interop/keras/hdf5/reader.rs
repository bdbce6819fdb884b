//! Files that are read: groups and their members, by address, in a stream.

use super::cursor::malformed;
use super::datatype::{Datatype, Layout, dataspace_len, newer};
use super::heap::{LocalHeap, variable_text};
use super::object::{Attribute, Object};
use super::source::{Block, Source};
use super::tensor::Tensor;
use super::{SIGNATURE, UNDEFINED};
use crate::error::{LoadErrorKind, excerpt};
use crate::interop::keras::problem::Read;
use std::collections::{BTreeMap, BTreeSet};
use std::io::{self, Read as Input, Seek};

/// A file whose groups are read by address.
pub(in crate::interop::keras) struct Reader<R> {
    source: Source<R>,
    root: u64,
}

/// The members of a group by name, with the addresses of their object headers.
pub(in crate::interop::keras) type Members = BTreeMap<String, u64>;

impl<R: Input + Seek> Reader<R> {
    /// Opens what lies in `len` bytes from `start`.
    pub(in crate::interop::keras) fn open(source: R, start: u64, len: u64) -> Read<Self> {
        let mut reader = Self { source: Source::new(source, start, len), root: 0 };
        let block = reader.source.block(0, 96.min(len))?;
        let mut cursor = block.cursor();
        cursor.expect("an HDF5 file that begins with", SIGNATURE)?;
        let version = cursor.u8()?;
        if version > 1 {
            return Err(newer(&format!("a file of superblock version {version}")));
        }
        cursor.skip(4)?;
        let sizes = (cursor.u8()?, cursor.u8()?);
        if sizes != (8, 8) {
            return Err(malformed(13, "addresses and lengths of 8 bytes", format!("{sizes:?}")));
        }
        cursor.skip(if version == 0 { 9 } else { 13 })?;
        let base = cursor.u64()?;
        if base != 0 {
            return Err(malformed(24, "a base address of 0", base.to_string()));
        }
        cursor.skip(32)?;
        reader.root = cursor.u64()?;
        Ok(reader)
    }

    /// The error of the system that reading failed with, if any.
    pub(in crate::interop::keras) fn take_failure(&mut self) -> Option<io::Error> {
        self.source.take_failure()
    }

    /// The bytes of the file, for reading the elements of a tensor.
    pub(in crate::interop::keras) fn source(&mut self) -> &mut Source<R> {
        &mut self.source
    }

    /// The address of the root group.
    pub(in crate::interop::keras) fn root(&self) -> u64 {
        self.root
    }

    /// The members of a group.
    pub(in crate::interop::keras) fn members(&mut self, group: u64) -> Read<Members> {
        let object = Object::read(&mut self.source, group)?;
        let Some((tree, heap)) = object.symbol_table else {
            return Err(malformed(group, "a group", "an object without members"));
        };
        let heap = LocalHeap::read(&mut self.source, heap)?;
        let (mut members, mut taken) = (Members::new(), 0);
        let (mut nodes, mut visited) = (vec![(tree, None)], BTreeSet::new());
        while let Some((address, level)) = nodes.pop() {
            if !visited.insert(address) {
                return Err(malformed(address, "a node that is not visited twice", "a circle"));
            }
            if level == Some(0) {
                self.symbol_node(address, &heap, &mut members, &mut taken)?;
            } else {
                self.tree_node(address, level, &mut nodes)?;
            }
        }
        Ok(members)
    }

    /// Adds the children of a node of a B-tree, with the level that they must have plus one; 0 for symbol-table nodes.
    fn tree_node(&mut self, address: u64, level: Option<u8>, nodes: &mut Vec<(u64, Option<u8>)>) -> Read<()> {
        let prefix = self.source.block(address, 24)?;
        let mut cursor = prefix.cursor();
        cursor.expect("a node of a B-tree", b"TREE")?;
        let (kind, found, entries) = (cursor.u8()?, cursor.u8()?, cursor.u16()?);
        if kind != 0 || level.is_some_and(|level| found + 1 != level) {
            return Err(malformed(
                address,
                "a node of the level below",
                format!("kind {kind}, level {found}"),
            ));
        }
        // A key before each child: the offset of a name, which is not needed to list them all.
        let block = self.source.block(address + 24, 16 * entries as u64)?;
        let mut cursor = block.cursor();
        for _ in 0..entries {
            cursor.skip(8)?;
            nodes.push((cursor.u64()?, Some(found)));
        }
        Ok(())
    }

    fn symbol_node(
        &mut self,
        address: u64,
        heap: &LocalHeap,
        members: &mut Members,
        taken: &mut u64,
    ) -> Read<()> {
        let prefix = self.source.block(address, 8)?;
        let mut cursor = prefix.cursor();
        cursor.expect("a symbol-table node", b"SNOD")?;
        cursor.skip(2)?;
        let entries = cursor.u16()?;
        let block = self.source.block(address + 8, 40 * entries as u64)?;
        let mut cursor = block.cursor();
        for _ in 0..entries {
            let (name, object, cache) = (cursor.u64()?, cursor.u64()?, cursor.u32()?);
            cursor.skip(20)?;
            if cache == 2 {
                return Err(newer("a symbolic link"));
            }
            let name = heap.name(name)?;
            *taken += name.len() as u64;
            // Names lie in the file one by one, so together they are shorter.
            if *taken > self.source.len() {
                let what = "bytes of the names in a group".into();
                return Err(LoadErrorKind::Limit { what, value: *taken, limit: self.source.len() });
            }
            members.insert(name.to_owned(), object);
        }
        Ok(())
    }

    /// The object of a path below a group; `None` if a part of the path is missing.
    pub(in crate::interop::keras) fn find(&mut self, group: u64, path: &str) -> Read<Option<u64>> {
        let mut at = group;
        for name in path.split('/').filter(|name| !name.is_empty()) {
            match self.members(at)?.get(name) {
                Some(&address) => at = address,
                None => return Ok(None),
            }
        }
        Ok(Some(at))
    }

    /// The dataset at an address; `name` is its name in messages.
    pub(in crate::interop::keras) fn tensor(&mut self, address: u64, name: &str) -> Read<Tensor> {
        let object = Object::read(&mut self.source, address)?;
        let is_bfloat16 = match object.attributes.iter().find(|attribute| attribute.name == "dtype") {
            Some(attribute) => self.texts_of(attribute)?.first().is_some_and(|dtype| dtype == "bfloat16"),
            None => false,
        };
        let (Some(shape), Some(datatype), Some(layout)) = (object.shape, object.datatype, object.layout)
        else {
            return Err(malformed(address, "a dataset", "another object"));
        };
        let needed = dataspace_len(&shape).and_then(|len| len.checked_mul(datatype.size()));
        let held = match &layout {
            Layout::Contiguous { address: UNDEFINED, .. } => None,
            Layout::Contiguous { address, len } => Some(*len).filter(|_| *address <= self.source.len()),
            Layout::Compact(values) => Some(values.len() as u64),
        };
        let name = excerpt(name);
        if needed.is_none_or(|needed| needed > held.unwrap_or(0).min(self.source.len())) {
            let expected = "as many bytes as its shape needs".into();
            let got = held.map_or_else(|| "none".into(), |held| held.to_string());
            return Err(LoadErrorKind::Tensor { tensor: name, expected, got });
        }
        Ok(Tensor { name, shape, datatype, layout, is_bfloat16 })
    }

    /// The texts of the attributes of an object, by name: one text each, or a list.
    pub(in crate::interop::keras) fn texts(&mut self, address: u64) -> Read<BTreeMap<String, Vec<String>>> {
        let object = Object::read(&mut self.source, address)?;
        let (mut texts, mut taken) = (BTreeMap::new(), 0);
        for attribute in &object.attributes {
            let found = self.texts_of(attribute)?;
            taken += found.iter().map(|text| text.len() as u64).sum::<u64>();
            if taken > self.source.len() {
                let what = "bytes of texts in attributes".into();
                return Err(LoadErrorKind::Limit { what, value: taken, limit: self.source.len() });
            }
            texts.insert(attribute.name.clone(), found);
        }
        Ok(texts)
    }

    fn texts_of(&mut self, attribute: &Attribute) -> Read<Vec<String>> {
        let width = usize::try_from(attribute.datatype.size()).unwrap_or(usize::MAX).max(1);
        let elements = attribute.value.bytes().chunks_exact(width);
        match attribute.datatype {
            Datatype::Text(_) => Ok(elements
                .map(|text| String::from_utf8_lossy(text).trim_end_matches('\0').to_owned())
                .collect()),
            Datatype::VariableText => {
                let start = attribute.value.start();
                let references: Vec<_> = elements.map(|bytes| Block::new(start, bytes.to_vec())).collect();
                let mut total = 0;
                let mut texts = Vec::new();
                for reference in &references {
                    let text = variable_text(&mut self.source, reference)?;
                    total += text.len() as u64;
                    if total > self.source.len() {
                        let what = format!("bytes of the attribute {:?}", excerpt(&attribute.name));
                        return Err(LoadErrorKind::Limit { what, value: total, limit: self.source.len() });
                    }
                    texts.push(text);
                }
                Ok(texts)
            }
            // An empty list of names is an empty list of floats.
            _ => Ok(Vec::new()),
        }
    }
}
