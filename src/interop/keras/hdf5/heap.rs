//! Heaps: the names of a group, and texts of any length.

use super::cursor::malformed;
use super::source::{Block, Source};
use crate::interop::keras::problem::Read;
use std::io::{Read as Input, Seek};

/// The names of the members of a group.
pub(super) struct LocalHeap(Block);

impl LocalHeap {
    pub(super) fn read<R: Input + Seek>(source: &mut Source<R>, address: u64) -> Read<Self> {
        let header = source.block(address, 32)?;
        let mut cursor = header.cursor();
        cursor.expect("the heap", b"HEAP")?;
        cursor.skip(4)?;
        let (len, _free, data) = (cursor.u64()?, cursor.u64()?, cursor.u64()?);
        Ok(Self(source.block(data, len)?))
    }

    /// The name at an offset: text that ends with a zero.
    pub(super) fn name(&self, offset: u64) -> Read<&str> {
        let start = usize::try_from(offset).unwrap_or(usize::MAX);
        let bytes = self.0.bytes().get(start..).unwrap_or_default();
        let name = bytes.split(|byte| *byte == 0).next().filter(|name| !name.is_empty());
        let text = name.and_then(|name| std::str::from_utf8(name).ok());
        text.ok_or_else(|| malformed(self.0.start(), "a name in the heap", format!("none at {offset}")))
    }
}

/// The text that a reference to the global heap names: its length, and the place of the collection and in it.
pub(super) fn variable_text<R: Input + Seek>(source: &mut Source<R>, reference: &Block) -> Read<String> {
    let mut cursor = reference.cursor();
    let (len, address, index) = (cursor.u32()?, cursor.u64()?, cursor.u32()?);
    if len == 0 {
        return Ok(String::new());
    }
    let header = source.block(address, 16)?;
    let mut cursor = header.cursor();
    cursor.expect("a collection of the heap", b"GCOL")?;
    cursor.skip(4)?;
    let end = address.saturating_add(cursor.u64()?);
    let mut at = address + 16;
    while at < end {
        let object = source.block(at, 16)?;
        let mut cursor = object.cursor();
        let found = cursor.u16()? as u64;
        cursor.skip(6)?;
        let size = cursor.u64()?;
        if found == index && index != 0 {
            let text = source.block(at + 16, len.min(size))?;
            let text = String::from_utf8_lossy(text.bytes());
            return Ok(text.trim_end_matches('\0').to_owned());
        }
        if found == 0 {
            break;
        }
        at = at.saturating_add(16).saturating_add(size.checked_next_multiple_of(8).unwrap_or(u64::MAX));
    }
    Err(malformed(address, format!("a text of number {index}"), "no such"))
}
