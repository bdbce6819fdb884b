//! ZIP archives whose checksums are right, so that a change reaches what reads the members.

use super::crc;

/// The first bytes of a member, and of an entry of the table of contents.
const LOCAL: &[u8] = b"PK\x03\x04";
const ENTRY: &[u8] = b"PK\x01\x02";

/// An archive of members that are not compressed.
pub(super) fn archive(members: &[(&str, &[u8])]) -> Vec<u8> {
    let (mut file, mut table) = (Vec::new(), Vec::new());
    for (name, bytes) in members {
        let len = (bytes.len() as u32).to_le_bytes();
        // No flags, not compressed, no time, 1 January 1980.
        let mut about = vec![0, 0, 0, 0, 0, 0, 0x21, 0];
        about.extend(crc(bytes).to_le_bytes());
        about.extend([len, len].concat());
        about.extend((name.len() as u32).to_le_bytes());
        table.extend([ENTRY, &[20, 0, 20, 0], &about, &[0; 10]].concat());
        table.extend((file.len() as u32).to_le_bytes());
        table.extend(name.as_bytes());
        file.extend([LOCAL, &[20, 0], &about, name.as_bytes(), bytes].concat());
    }
    let (start, count) = (file.len() as u32, members.len() as u8);
    file.extend(&table);
    file.extend(b"PK\x05\x06\0\0\0\0");
    file.extend([count, 0, count, 0]);
    file.extend([(table.len() as u32).to_le_bytes(), start.to_le_bytes()].concat());
    file.extend([0, 0]);
    file
}

/// The members of an archive whose entries say where they lie: the places of the entry and of the member, and its bytes.
pub(super) fn members(file: &[u8]) -> Vec<(usize, usize, std::ops::Range<usize>)> {
    let number = |at: usize, len: usize| {
        let bytes = file.get(at..at + len).unwrap_or_default();
        bytes.iter().rev().fold(0_usize, |number, byte| (number << 8) | usize::from(*byte))
    };
    let entries = file.windows(4).enumerate().filter(|(_, four)| *four == ENTRY);
    let found = entries.map(|(entry, _)| {
        let local = number(entry + 42, 4);
        let start = local.saturating_add(30 + number(local + 26, 2) + number(local + 28, 2));
        let len = match number(entry + 20, 4) {
            // The length is in the first extra field, behind its type and its own length.
            0xffff_ffff => number(entry + 46 + number(entry + 28, 2) + 4, 8),
            len => len,
        };
        (entry, local, start..start.saturating_add(len))
    });
    found.filter(|(.., bytes)| file.get(bytes.clone()).is_some()).collect()
}

/// The same archive with the checksums of the members that lie in it.
pub(super) fn repaired(bytes: &[u8]) -> Vec<u8> {
    let mut file = bytes.to_vec();
    for (entry, local, member) in members(bytes) {
        let Some(member) = file.get(member) else { continue };
        let crc = crc(member).to_le_bytes();
        for at in [entry + 16, local + 14] {
            if let Some(place) = file.get_mut(at..at + 4) {
                place.copy_from_slice(&crc);
            }
        }
    }
    file
}
