//! Object headers: the messages that describe a group or a dataset.

use super::cursor::{Cursor, malformed};
use super::datatype::{Datatype, Layout, dataspace_len, newer};
use super::source::{Block, Source};
use super::{MAX_RANK, UNDEFINED};
use crate::interop::keras::problem::Read;
use std::collections::BTreeSet;
use std::io::{Read as Input, Seek};

/// Types of messages.
const DATASPACE: usize = 0x01;
const LINK_INFO: usize = 0x02;
const DATATYPE: usize = 0x03;
const LINK: usize = 0x06;
const EXTERNAL_FILES: usize = 0x07;
const LAYOUT: usize = 0x08;
const FILTERS: usize = 0x0b;
const ATTRIBUTE: usize = 0x0c;
const CONTINUATION: usize = 0x10;
const SYMBOL_TABLE: usize = 0x11;
const ATTRIBUTE_INFO: usize = 0x15;

/// The flag of a message that lies elsewhere in the file.
const SHARED: u8 = 0x02;

/// What an object header says.
#[derive(Debug, Default)]
pub(super) struct Object {
    pub(super) shape: Option<Vec<u64>>,
    pub(super) datatype: Option<Datatype>,
    pub(super) layout: Option<Layout>,
    /// The addresses of the B-tree and the local heap of a group.
    pub(super) symbol_table: Option<(u64, u64)>,
    pub(super) attributes: Vec<Attribute>,
}

/// A named value beside an object.
#[derive(Debug, Clone)]
pub(super) struct Attribute {
    pub(super) name: String,
    pub(super) datatype: Datatype,
    pub(super) value: Block,
}

impl Object {
    /// Reads the header at an address with all its continuations, each of which is visited once.
    pub(super) fn read<R: Input + Seek>(source: &mut Source<R>, address: u64) -> Read<Self> {
        let prefix = source.block(address, 16)?;
        let mut cursor = prefix.cursor();
        match cursor.u8()? {
            1 => {}
            b'O' => return Err(newer("an object header of version 2")),
            version => return Err(malformed(address, "an object header of version 1", version.to_string())),
        }
        cursor.skip(7)?;
        let len = cursor.u32()?;
        let mut object = Self::default();
        let mut blocks = vec![(address.saturating_add(16), len)];
        let mut visited = BTreeSet::new();
        while let Some((address, len)) = blocks.pop() {
            if !visited.insert(address) {
                return Err(malformed(address, "messages that are not visited twice", "a circle"));
            }
            let block = source.block(address, len)?;
            let mut cursor = block.cursor();
            while cursor.left() >= 8 {
                let (kind, size) = (cursor.u16()?, cursor.u16()?);
                let flags = cursor.u8()?;
                cursor.skip(3)?;
                let start = cursor.address();
                let body = cursor.take(size)?;
                let mut body = Cursor::new(body, start);
                if kind == CONTINUATION {
                    blocks.push((body.u64()?, body.u64()?));
                } else {
                    object.message(kind, flags, body)?;
                }
            }
        }
        Ok(object)
    }

    fn message(&mut self, kind: usize, flags: u8, mut body: Cursor<'_>) -> Read<()> {
        let matters = matches!(kind, DATASPACE | DATATYPE | LAYOUT | SYMBOL_TABLE | ATTRIBUTE);
        if matters && flags & SHARED != 0 {
            return Err(newer("a message that several objects share"));
        }
        match kind {
            DATASPACE => self.shape = Some(dataspace(&mut body)?),
            DATATYPE => self.datatype = Some(Datatype::read(&mut body)?),
            LAYOUT => self.layout = Some(layout(&mut body)?),
            SYMBOL_TABLE => self.symbol_table = Some((body.u64()?, body.u64()?)),
            ATTRIBUTE => self.attributes.push(attribute(&mut body)?),
            FILTERS => return Err(newer("compressed or filtered data")),
            EXTERNAL_FILES => return Err(newer("data in another file")),
            LINK | LINK_INFO => return Err(newer("a group of links")),
            ATTRIBUTE_INFO => {
                // Version, flags and, where the flag says so, a creation index; then where the attributes lie.
                body.skip(1)?;
                let flags = body.u8()?;
                body.skip(if flags & 1 == 0 { 0 } else { 2 })?;
                if body.u64()? != UNDEFINED {
                    return Err(newer("attributes in a heap of their own"));
                }
            }
            _ => {}
        }
        Ok(())
    }
}

/// A shape; empty for a single value.
fn dataspace(body: &mut Cursor<'_>) -> Read<Vec<u64>> {
    let start = body.address();
    let (version, rank, _flags) = (body.u8()?, usize::from(body.u8()?), body.u8()?);
    match version {
        1 => body.skip(5)?,
        2 => {
            if body.u8()? == 2 {
                return Ok(vec![0]);
            }
        }
        _ => return Err(malformed(start, "a dataspace of version 1 or 2", version.to_string())),
    }
    if rank > MAX_RANK {
        return Err(malformed(start, format!("at most {MAX_RANK} axes"), rank.to_string()));
    }
    (0..rank).map(|_| body.u64()).collect()
}

fn layout(body: &mut Cursor<'_>) -> Read<Layout> {
    let start = body.address();
    match (body.u8()?, body.u8()?) {
        (3 | 4, 0) => {
            let len = body.u16()?;
            Ok(Layout::Compact(body.take(len)?.to_vec()))
        }
        (3 | 4, 1) => Ok(Layout::Contiguous { address: body.u64()?, len: body.u64()? }),
        (3 | 4, 2) => Err(newer("data in chunks")),
        (version, class) => {
            Err(malformed(start, "a layout of version 3", format!("version {version}, class {class}")))
        }
    }
}

fn attribute(body: &mut Cursor<'_>) -> Read<Attribute> {
    let start = body.address();
    let version = body.u8()?;
    if !(1..=3).contains(&version) {
        return Err(malformed(start, "an attribute of version 1 to 3", version.to_string()));
    }
    let flags = body.u8()?;
    if version > 1 && flags != 0 {
        return Err(newer("an attribute of a shared type"));
    }
    let sizes = [body.u16()?, body.u16()?, body.u16()?];
    body.skip(usize::from(version == 3))?;
    // Version 1 pads each part to eight bytes.
    let padded = sizes.map(|size| if version == 1 { size.next_multiple_of(8) } else { size });
    let name = body.take(padded[0])?;
    let type_start = body.address();
    let datatype = Datatype::read(&mut Cursor::new(body.take(padded[1])?, type_start))?;
    let space_start = body.address();
    let shape = dataspace(&mut Cursor::new(body.take(padded[2])?, space_start))?;
    let name: Vec<u8> = name.iter().copied().take_while(|&byte| byte != 0).collect();
    let len = dataspace_len(&shape).and_then(|len| len.checked_mul(datatype.size()));
    let available = body.left();
    let Some(len) = len.and_then(|len| usize::try_from(len).ok()).filter(|len| *len <= available) else {
        return Err(malformed(start, "an attribute with its values", "less"));
    };
    let value = Block::new(body.address(), body.take(len)?.to_vec());
    Ok(Attribute { name: String::from_utf8_lossy(&name).into_owned(), datatype, value })
}
