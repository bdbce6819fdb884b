//! A file taken apart and put together again with lengths and checksums that are right: what an attacker can do.
//!
//! Written from the description of the format, not with the code that it tests.

/// The parts of a file.
#[derive(Clone)]
pub(crate) struct Anatomy {
    pub(crate) header: [u8; 64],
    pub(crate) structure: Vec<u8>,
    pub(crate) numbers: Vec<u8>,
}

impl Anatomy {
    pub(crate) fn of(file: &[u8]) -> Self {
        let header: [u8; 64] = file[..64].try_into().unwrap();
        let length = |at: usize| u64::from_le_bytes(header[at..at + 8].try_into().unwrap()) as usize;
        let (structure, numbers) = (length(24), length(32));
        let numbers_at = (64 + structure).next_multiple_of(64);
        Self {
            structure: file[64..64 + structure].to_vec(),
            numbers: file[numbers_at..numbers_at + numbers].to_vec(),
            header,
        }
    }

    /// The file, consistent in itself.
    pub(crate) fn file(mut self) -> Vec<u8> {
        let numbers_at = (64 + self.structure.len()).next_multiple_of(64);
        let mut put = |at: usize, bytes: &[u8]| self.header[at..at + bytes.len()].copy_from_slice(bytes);
        put(16, &((numbers_at + self.numbers.len()) as u64).to_le_bytes());
        put(24, &(self.structure.len() as u64).to_le_bytes());
        put(32, &(self.numbers.len() as u64).to_le_bytes());
        put(40, &crc(&self.structure).to_le_bytes());
        put(44, &crc(&self.numbers).to_le_bytes());
        let own = crc(&self.header[..60]);
        self.header[60..].copy_from_slice(&own.to_le_bytes());
        let mut file = self.header.to_vec();
        file.extend(self.structure);
        file.resize(numbers_at, 0);
        file.extend(self.numbers);
        file
    }

    /// Replaces a text of the structure, with its length in front.
    pub(crate) fn replace(mut self, old: &str, new: &str) -> Self {
        let with_length = |text: &str| {
            let mut bytes = varint(text.len() as u64);
            bytes.extend(text.as_bytes());
            bytes
        };
        let old = with_length(old);
        let at =
            self.structure.windows(old.len()).position(|window| window == old).expect("the text is there");
        self.structure.splice(at..at + old.len(), with_length(new));
        self
    }

    /// Replaces a part of a text of the structure by one of the same length.
    pub(crate) fn edit(mut self, old: &str, new: &str) -> Self {
        assert_eq!(old.len(), new.len());
        let old = old.as_bytes();
        let at =
            self.structure.windows(old.len()).position(|window| window == old).expect("the text is there");
        self.structure[at..at + old.len()].copy_from_slice(new.as_bytes());
        self
    }

    /// Replaces the shape of a tensor.
    pub(crate) fn reshape(mut self, tensor: &str, old: &[u64], new: &[u64]) -> Self {
        let shape = |dims: &[u64]| {
            let mut bytes = varint(dims.len() as u64);
            dims.iter().for_each(|&dim| bytes.extend(varint(dim)));
            bytes
        };
        let name = tensor.as_bytes();
        let found = self.structure.windows(name.len()).position(|window| window == name);
        // Behind the name stands the number type.
        let at = found.expect("the tensor is there") + name.len() + 1;
        let old = shape(old);
        assert_eq!(self.structure[at..at + old.len()], old[..]);
        self.structure.splice(at..at + old.len(), shape(new));
        self
    }
}

/// A whole number as the structure has it.
pub(crate) fn varint(value: u64) -> Vec<u8> {
    let tagged = |tag: u8, bytes: &[u8]| [&[tag], bytes].concat();
    match value {
        0..251 => vec![value as u8],
        251..0x1_0000 => tagged(251, &(value as u16).to_le_bytes()),
        0x1_0000..0x1_0000_0000 => tagged(252, &(value as u32).to_le_bytes()),
        _ => tagged(253, &value.to_le_bytes()),
    }
}

/// CRC-32, a bit at a time.
pub(crate) fn crc(bytes: &[u8]) -> u32 {
    let mut crc = !0_u32;
    for byte in bytes {
        crc ^= u32::from(*byte);
        for _ in 0..8 {
            crc = (crc >> 1) ^ if crc & 1 == 1 { 0xedb8_8320 } else { 0 };
        }
    }
    !crc
}

#[test]
fn a_file_that_was_taken_apart_is_the_same_file() {
    let file = super::models::trained().to_bytes().unwrap();
    assert_eq!(Anatomy::of(&file).file(), file);
}
