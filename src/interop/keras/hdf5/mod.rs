//! The part of HDF5 that Keras's files consist of, read and written in a stream.
//!
//! h5py writes by default, and every version of the library reads: superblock 0, groups as symbol tables (a B-tree of
//! nodes, names in a local heap), object headers of version 1, contiguous or compact data, no filters. Whatever else a
//! file has is an error that names it.
//!
//! ```text
//! superblock ── object header of the root group
//!                 └─ symbol table: B-tree ── leaves ── symbol-table nodes ── (name, object header) …
//!                                  local heap ── names
//! object header of a dataset: dataspace (shape), datatype, layout (where the values lie)
//! ```
//!
//! No crate does this job within the bounds of [`Limits`](crate::persistence::Limits): `hdf5-pure` 0.47, the best kept
//! one, reads files of this version only as a whole in memory, builds a file in memory, and visits the children of a
//! damaged B-tree, whose nodes may list themselves, without remembering where it was: a file of a few hundred bytes
//! keeps it busy forever. The others lack writing, or are less maintained.

mod cursor;
mod heap;
mod object;
mod reader;
mod tensor;
mod writer;

pub(super) use reader::Reader;
pub(super) use tensor::Tensor;
pub(super) use writer::{Data, Group};

/// The first bytes of every file.
pub(super) const SIGNATURE: &[u8; 8] = b"\x89HDF\r\n\x1a\n";

/// The address that means "nowhere".
const UNDEFINED: u64 = u64::MAX;

/// The most axes of a tensor.
const MAX_RANK: usize = 8;
