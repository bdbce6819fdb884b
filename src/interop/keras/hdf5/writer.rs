//! Files that are written: addresses first, then everything in a stream.

use super::{SIGNATURE, UNDEFINED};
use crate::float::Float;
use std::collections::BTreeMap;
use std::io::{self, Write};

/// The values of a dataset.
#[derive(Debug)]
pub(in crate::interop::keras) enum Data<'a, F> {
    /// Floats of this shape, in one piece or several.
    Floats { shape: Vec<usize>, pieces: Vec<&'a [F]> },
    /// One float.
    Scalar(F),
    /// One integer.
    Integer(i64),
    /// Zeros of this shape.
    Zeros(Vec<usize>),
}

/// A group of a file that is written.
#[derive(Debug)]
pub(in crate::interop::keras) struct Group<'a, F> {
    groups: BTreeMap<String, Group<'a, F>>,
    datasets: BTreeMap<String, Data<'a, F>>,
}

impl<F> Default for Group<'_, F> {
    fn default() -> Self {
        Self { groups: BTreeMap::new(), datasets: BTreeMap::new() }
    }
}

impl<'a, F: Float> Group<'a, F> {
    /// The group of a path below this one, made where it is missing.
    pub(in crate::interop::keras) fn group(&mut self, path: &str) -> &mut Self {
        let mut at = self;
        for name in path.split('/').filter(|name| !name.is_empty()) {
            at = at.groups.entry(name.to_owned()).or_default();
        }
        at
    }

    /// Adds a dataset to this group.
    pub(in crate::interop::keras) fn insert(&mut self, name: impl Into<String>, data: Data<'a, F>) {
        self.datasets.insert(name.into(), data);
    }

    /// Writes the file whose root this group is.
    pub(in crate::interop::keras) fn write(&self, out: &mut dyn Write) -> io::Result<()> {
        let mut plan = Plan { metadata: vec![0; SUPERBLOCK], data: Vec::new(), next_data: 0 };
        let root = plan.group(self);
        // The values follow the metadata, whose length is known only now.
        let data_start = plan.metadata.len() as u64;
        let end = data_start + plan.next_data;
        plan.superblock(root, end);
        for &(at, offset, _) in &plan.data {
            plan.metadata[at..at + 8].copy_from_slice(&(data_start + offset).to_le_bytes());
        }
        out.write_all(&plan.metadata)?;
        for (.., data) in &plan.data {
            data.write(out)?;
            out.write_all(&[0; 8][..padding(data.bytes()) as usize])?;
        }
        Ok(())
    }
}

/// The length of the superblock.
const SUPERBLOCK: usize = 96;
/// Entries of a symbol-table node and children of a node of a B-tree: twice the ranks in the superblock.
const NODE_ENTRIES: usize = 8;
const TREE_CHILDREN: usize = 32;

/// The bytes from a length to the next multiple of eight.
fn padding(len: u64) -> u64 {
    len.next_multiple_of(8) - len
}

/// The metadata of a file in the making.
struct Plan<'d, 'a, F> {
    metadata: Vec<u8>,
    /// For each dataset the place of its address in the metadata, its offset among the values, and its values.
    data: Vec<(usize, u64, &'d Data<'a, F>)>,
    next_data: u64,
}

impl<'d, 'a, F: Float> Plan<'d, 'a, F> {
    /// Appends bytes, padded to eight, and returns their address.
    fn append(&mut self, bytes: &[u8]) -> u64 {
        let address = self.metadata.len() as u64;
        self.metadata.extend_from_slice(bytes);
        self.metadata.resize(self.metadata.len().next_multiple_of(8), 0);
        address
    }

    /// Appends a group after its members, and returns the address of its object header.
    fn group(&mut self, group: &'d Group<'a, F>) -> u64 {
        let mut members: BTreeMap<&str, u64> = BTreeMap::new();
        for (name, inner) in &group.groups {
            members.insert(name, self.group(inner));
        }
        for (name, data) in &group.datasets {
            members.insert(name, self.dataset(data));
        }
        // The heap begins with the empty name.
        let mut names = vec![0; 8];
        let mut entries = Vec::with_capacity(members.len());
        for (name, object) in members {
            entries.push((names.len() as u64, object));
            names.extend_from_slice(name.as_bytes());
            names.push(0);
            names.resize(names.len().next_multiple_of(8), 0);
        }
        let segment = self.append(&names);
        let heap = fields(b"HEAP", &[0, 0, 0, 0], &[names.len() as u64, 1, segment]);
        let heap = self.append(&heap);
        let tree = self.tree(&entries);
        let mut message = tree.to_le_bytes().to_vec();
        message.extend(heap.to_le_bytes());
        self.object(&[(0x11, message)])
    }

    /// Appends the symbol-table nodes and the B-tree of a group, and returns the address of its root.
    fn tree(&mut self, entries: &[(u64, u64)]) -> u64 {
        // A child with the last name that it contains.
        let mut children = Vec::new();
        for entries in entries.chunks(NODE_ENTRIES) {
            let mut node = fields(b"SNOD", &[1, 0], &[]);
            node.extend((entries.len() as u16).to_le_bytes());
            for (name, object) in entries {
                node.extend(fields(&[], &[], &[*name, *object, 0, 0, 0]));
            }
            node.resize(8 + 40 * NODE_ENTRIES, 0);
            let last = entries.last().map_or(0, |(name, _)| *name);
            children.push((self.append(&node), last));
        }
        let mut level = 0;
        loop {
            let mut parents = Vec::new();
            let n_nodes = children.len().div_ceil(TREE_CHILDREN).max(1);
            let first = self.metadata.len() as u64;
            let node_len = (24 + 8 * (2 * TREE_CHILDREN + 1)) as u64;
            let address = |node: usize| first + node as u64 * node_len;
            // The first key is the empty name; each other one the last name of the node before.
            let mut key = 0_u64;
            for node in 0..n_nodes {
                let start = (node * TREE_CHILDREN).min(children.len());
                let own = &children[start..(start + TREE_CHILDREN).min(children.len())];
                let sibling = |exists: bool, node: usize| if exists { address(node) } else { UNDEFINED };
                let siblings =
                    [sibling(node > 0, node.saturating_sub(1)), sibling(node + 1 < n_nodes, node + 1)];
                let mut bytes = fields(b"TREE", &[0, level], &[]);
                bytes.extend((own.len() as u16).to_le_bytes());
                bytes.extend(fields(&[], &[], &siblings));
                bytes.extend(key.to_le_bytes());
                for (child, last) in own {
                    bytes.extend(fields(&[], &[], &[*child, *last]));
                    key = *last;
                }
                bytes.resize(node_len as usize, 0);
                parents.push((self.append(&bytes), key));
            }
            match parents[..] {
                [(root, _)] => return root,
                _ => (children, level) = (parents, level + 1),
            }
        }
    }

    /// Appends a dataset, and returns the address of its object header.
    fn dataset(&mut self, data: &'d Data<'a, F>) -> u64 {
        let shape = data.shape();
        let mut dataspace = vec![1, shape.len() as u8, 0, 0, 0, 0, 0, 0];
        dataspace.extend(shape.iter().flat_map(|dim| (*dim as u64).to_le_bytes()));
        // Fill values: version 2, space allocated late, written if set, and not set.
        let fill = vec![2, 2, 2, 0, 0, 0, 0, 0];
        let bytes = data.bytes();
        let mut layout = vec![3, 1];
        layout.extend(fields(&[], &[], &[UNDEFINED, bytes]));
        let messages = [(0x01, dataspace), (0x03, data.datatype()), (0x05, fill), (0x08, layout)];
        let address = self.object(&messages);
        if bytes > 0 {
            // The layout is the last message: its address is two bytes behind the beginning of its body.
            let body = self.metadata.len() - 24;
            self.data.push((body + 2, self.next_data, data));
            self.next_data += bytes + padding(bytes);
        }
        address
    }

    /// Appends an object header.
    fn object(&mut self, messages: &[(u16, Vec<u8>)]) -> u64 {
        let mut body = Vec::new();
        for (kind, message) in messages {
            let len = message.len().next_multiple_of(8);
            body.extend(kind.to_le_bytes());
            body.extend((len as u16).to_le_bytes());
            body.extend([0; 4]);
            body.extend(message);
            body.resize(body.len() + len - message.len(), 0);
        }
        let mut header = vec![1, 0];
        header.extend((messages.len() as u16).to_le_bytes());
        header.extend(1_u32.to_le_bytes());
        header.extend((body.len() as u32).to_le_bytes());
        header.extend([0; 4]);
        header.extend(body);
        self.append(&header)
    }

    fn superblock(&mut self, root: u64, end: u64) {
        let mut block = SIGNATURE.to_vec();
        block.extend([0, 0, 0, 0, 0, 8, 8, 0]);
        block.extend((NODE_ENTRIES as u16 / 2).to_le_bytes());
        block.extend((TREE_CHILDREN as u16 / 2).to_le_bytes());
        block.extend([0; 4]);
        block.extend(fields(&[], &[], &[0, UNDEFINED, end, UNDEFINED, 0, root, 0, 0, 0]));
        self.metadata[..SUPERBLOCK].copy_from_slice(&block);
    }
}

/// A signature, bytes, and numbers of eight bytes.
fn fields(signature: &[u8], bytes: &[u8], numbers: &[u64]) -> Vec<u8> {
    let mut fields = [signature, bytes].concat();
    fields.extend(numbers.iter().flat_map(|number| number.to_le_bytes()));
    fields
}

impl<F: Float> Data<'_, F> {
    /// Whether no number is NaN or infinite.
    pub(in crate::interop::keras) fn is_finite(&self) -> bool {
        match self {
            Self::Floats { pieces, .. } => pieces.iter().copied().flatten().all(|value| value.is_finite()),
            Self::Scalar(value) => value.is_finite(),
            Self::Integer(_) | Self::Zeros(_) => true,
        }
    }

    fn shape(&self) -> &[usize] {
        match self {
            Self::Floats { shape, .. } | Self::Zeros(shape) => shape,
            Self::Scalar(_) | Self::Integer(_) => &[],
        }
    }

    /// The bytes of an integer: four where they do, as Keras's own counters have.
    fn integer_width(value: i64) -> usize {
        if i32::try_from(value).is_ok() { 4 } else { 8 }
    }

    fn width(&self) -> usize {
        match self {
            Self::Integer(value) => Self::integer_width(*value),
            _ => size_of::<F>(),
        }
    }

    /// The number of bytes of the values.
    fn bytes(&self) -> u64 {
        self.shape().iter().fold(self.width() as u64, |bytes, dim| bytes.saturating_mul(*dim as u64))
    }

    fn datatype(&self) -> Vec<u8> {
        let size = self.width();
        let bits = 8 * size as u8;
        let mut datatype = match self {
            // Signed, little-endian.
            Self::Integer(_) => vec![0x10, 0x08, 0, 0],
            // Little-endian, normalized, with the sign in the highest bit.
            _ => vec![0x11, 0x20, bits - 1, 0],
        };
        datatype.extend((size as u32).to_le_bytes());
        datatype.extend([0, 0, bits, 0]);
        match (self, size) {
            (Self::Integer(_), _) => {}
            (_, 4) => datatype.extend([23, 8, 0, 23, 127, 0, 0, 0]),
            _ => datatype.extend([52, 11, 0, 52, 0xff, 0x03, 0, 0]),
        }
        datatype
    }

    fn write(&self, out: &mut dyn Write) -> io::Result<()> {
        match self {
            Self::Floats { pieces, .. } => pieces.iter().try_for_each(|piece| write_floats(piece, out)),
            Self::Scalar(value) => write_floats(&[*value], out),
            Self::Integer(value) => out.write_all(&value.to_le_bytes()[..Self::integer_width(*value)]),
            Self::Zeros(_) => io::copy(&mut io::Read::take(io::repeat(0), self.bytes()), out).map(drop),
        }
    }
}

/// Writes floats in the width of their type.
fn write_floats<F: Float>(values: &[F], out: &mut dyn Write) -> io::Result<()> {
    let mut bytes = Vec::with_capacity(4096.min(size_of_val(values)));
    for values in values.chunks(512) {
        bytes.clear();
        for value in values {
            let value = value.as_f64();
            if size_of::<F>() == 4 {
                bytes.extend((value as f32).to_le_bytes());
            } else {
                bytes.extend(value.to_le_bytes());
            }
        }
        out.write_all(&bytes)?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::super::Reader;
    use super::*;
    use std::io::Cursor;

    fn written(root: &Group<'_, f32>) -> Vec<u8> {
        let mut bytes = Vec::new();
        root.write(&mut bytes).unwrap();
        bytes
    }

    #[test]
    fn what_is_written_is_read() {
        let values: Vec<f32> = (0..600).map(|i| i as f32 / 7.0).collect();
        let mut root = Group::default();
        let vars = root.group("layers/dense/vars");
        vars.insert("0", Data::Floats { shape: vec![20, 30], pieces: vec![&values[..250], &values[250..]] });
        vars.insert("1", Data::Zeros(vec![30]));
        root.group("optimizer/vars").insert("0", Data::Integer(1 << 40));
        root.group("optimizer/vars").insert("1", Data::Scalar(0.5));
        root.group("empty");
        let bytes = written(&root);
        let mut reader = Reader::open(Cursor::new(&bytes), 0, bytes.len() as u64).unwrap();
        let root = reader.root();
        let vars = reader.find(root, "layers/dense/vars").unwrap().unwrap();
        let members = reader.members(vars).unwrap();
        let kernel = reader.tensor(members["0"], "kernel").unwrap();
        assert_eq!(kernel.shape(), [20, 30]);
        let mut found = vec![0.0_f32; 600];
        kernel.read(reader.source(), &mut found).unwrap();
        assert_eq!(found, values);
        let bias = reader.tensor(members["1"], "bias").unwrap();
        let mut found = vec![1.0_f32; 30];
        bias.read(reader.source(), &mut found).unwrap();
        assert_eq!(found, [0.0; 30]);
        let vars = reader.find(root, "optimizer/vars").unwrap().unwrap();
        let members = reader.members(vars).unwrap();
        let steps = reader.tensor(members["0"], "steps").unwrap();
        assert_eq!(steps.read_integer(reader.source()).unwrap(), 1 << 40);
        let empty = reader.find(root, "empty").unwrap().unwrap();
        assert!(reader.members(empty).unwrap().is_empty());
        assert_eq!(reader.find(root, "layers/lstm").unwrap(), None);
    }

    #[test]
    fn groups_of_any_size_are_trees_of_nodes() {
        for n in [0, 1, 8, 9, 256, 257, 9000] {
            let mut root = Group::<f32>::default();
            for index in 0..n {
                root.group("vars").insert(index.to_string(), Data::Integer(index));
            }
            root.group("vars");
            let bytes = written(&root);
            let mut reader = Reader::open(Cursor::new(&bytes), 0, bytes.len() as u64).unwrap();
            let root = reader.root();
            let vars = reader.find(root, "vars").unwrap().unwrap();
            let members = reader.members(vars).unwrap();
            assert_eq!(members.len(), n as usize);
            for (name, address) in members {
                let value = reader.tensor(address, &name).unwrap().read_integer(reader.source()).unwrap();
                assert_eq!(value.to_string(), name);
            }
        }
    }

    #[test]
    fn a_group_that_is_read_again_and_again_is_an_error() {
        let layers = |n: usize| {
            let mut root = Group::<f32>::default();
            for index in 0..n {
                root.group(&format!("layers/{index}")).insert("0", Data::Integer(0));
            }
            let bytes = written(&root);
            let len = bytes.len() as u64;
            Reader::open(Cursor::new(bytes), 0, len).unwrap()
        };
        let mut reader = layers(500);
        for index in 0..500 {
            let (root, path) = (reader.root(), format!("layers/{index}"));
            assert!(reader.find(root, &path).unwrap().is_some());
        }
        let mut reader = layers(20);
        let root = reader.root();
        let problem = (0..100_000).find_map(|_| reader.find(root, "layers/7").err()).unwrap();
        assert!(problem.to_string().contains("bytes of metadata"), "{problem}");
    }
}
