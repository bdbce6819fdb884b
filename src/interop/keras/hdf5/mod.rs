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
//! No crate does this job within the bounds of [`Limits`](crate::persistence::Limits). `hdf5-pure` 0.47, the best kept one,
//! walks the B-tree of a group to a depth of 64 without remembering its nodes: where each lists the next one twice, the
//! time doubles with each level (22 levels, 1.7 KB: 4 s; 26 levels: above a minute), and only another reader could
//! refuse such a file first. It also copies all values into memory to write them.

mod cursor;
mod datatype;
mod heap;
mod object;
mod reader;
mod source;
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
