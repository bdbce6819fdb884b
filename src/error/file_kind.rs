//! What a file is that is not one of this crate, as far as its first bytes tell.

/// First bytes of formats that models and data come in.
const SIGNATURES: [(&[u8], &str); 13] = [
    (b"\x89AXN\n", "a file of this crate that a text-mode transfer has changed; transfer it in binary mode"),
    (b"PK\x03\x04", "a zip archive, as .keras, .npz and .pt files are"),
    (b"PK\x05\x06", "an empty zip archive"),
    (b"\x89HDF\r\n\x1a\n", "an HDF5 file, as .h5 and .hdf5 files are"),
    (b"\x1f\x8b", "a file compressed with gzip"),
    (b"BZh", "a file compressed with bzip2"),
    (b"\xfd7zXZ", "a file compressed with xz"),
    (b"\x28\xb5\x2f\xfd", "a file compressed with zstd"),
    (b"\x93NUMPY", "a NumPy array, as .npy files are"),
    (b"GGUF", "a GGUF model"),
    (b"version https://git-lfs", "a Git LFS pointer in place of the file; fetch it by `git lfs pull`"),
    (b"\x89PNG\r\n", "a PNG image"),
    (b"\x7fELF", "a program"),
];

/// Names the format of a file by its first 64 bytes, or fewer where the file is shorter.
pub(super) fn file_kind(first: &[u8]) -> Option<&'static str> {
    if first.is_empty() {
        return Some("an empty file");
    }
    let signed = SIGNATURES.iter().find(|(signature, _)| first.starts_with(signature));
    if let Some((_, kind)) = signed {
        return Some(kind);
    }
    match first {
        [0x80, 2..=5, ..] => Some("a Python pickle, as .pkl and older .pt files are"),
        [0x78, 0x01 | 0x5e | 0x9c | 0xda, ..] => Some("a file compressed with zlib, as joblib's are"),
        // Protocol buffers: the version of the format, then one of the next fields of an ONNX model.
        [0x08, 1..=20, 0x12 | 0x1a | 0x22 | 0x28 | 0x32 | 0x3a | 0x42, ..] => Some("an ONNX model"),
        [_, _, _, _, b'T', b'F', b'L', b'3', ..] => Some("a TensorFlow Lite model"),
        _ if is_safetensors(first) => Some("a safetensors file"),
        _ => text_kind(first),
    }
}

/// The length of a JSON header in eight bytes, and its beginning.
fn is_safetensors(first: &[u8]) -> bool {
    let Some((len, header)) = first.split_first_chunk::<8>() else { return false };
    let len = u64::from_le_bytes(*len);
    (2..1 << 32).contains(&len) && header.first() == Some(&b'{')
}

fn text_kind(first: &[u8]) -> Option<&'static str> {
    let text = match std::str::from_utf8(first) {
        Ok(text) => text,
        // A character that the first 64 bytes cut.
        Err(error) if error.error_len().is_none() => {
            std::str::from_utf8(first.get(..error.valid_up_to())?).ok()?
        }
        Err(_) => return None,
    };
    if text.is_empty() || text.chars().any(|c| c.is_control() && !c.is_whitespace()) {
        return None;
    }
    let begin = text.trim_start_matches('\u{feff}').trim_start().to_ascii_lowercase();
    Some(match begin.as_bytes() {
        [b'{' | b'[', ..] => "a JSON file",
        _ if begin.starts_with("<!doctype html") || begin.starts_with("<html") => "an HTML page",
        [b'<', ..] => "an XML file",
        _ => "a text file",
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn formats_are_told_by_their_first_bytes() {
        let umlauts = "ü".repeat(40);
        let cases: [(&[u8], &str); 20] = [
            (b"", "an empty file"),
            (b"PK\x03\x04\x14\x00", "a zip archive"),
            (b"\x89HDF\r\n\x1a\n\x00\x00", "an HDF5 file"),
            (b"\x1f\x8b\x08\x00", "gzip"),
            (b"\x80\x04\x95\x10", "a Python pickle"),
            (b"\x80\x02}q\x00", "a Python pickle"),
            (b"\x78\x9c\x01", "zlib"),
            (b"\x40\x00\x00\x00\x00\x00\x00\x00{\"weight\":{", "a safetensors file"),
            (b"\x08\x08\x12\x07pytorch\x1a\x05", "an ONNX model"),
            (b"\x08\x07:\xe5\x01\n", "an ONNX model"),
            (b"\x93NUMPY\x01\x00v\x00{'descr'", "a NumPy array"),
            (b"\x1c\x00\x00\x00TFL3\x14", "a TensorFlow Lite model"),
            (b"\x89AXN\n\x1a\n\x01\x00", "text-mode transfer"),
            (b"version https://git-lfs.github.com/spec/v1\noid sha256:", "git lfs pull"),
            (b"<!DOCTYPE html><html>", "an HTML page"),
            (b"{\"class_name\": \"Sequential\"}", "a JSON file"),
            (b"\xef\xbb\xbf[1, 2]", "a JSON file"),
            (b"a,b,c\r\n1,2,3\r\n", "a text file"),
            ("größe\tfläche, größ".as_bytes().split_last().unwrap().1, "a text file"),
            (&umlauts.as_bytes()[..63], "a text file"),
        ];
        for (first, expected) in cases {
            let kind = file_kind(first).unwrap_or_else(|| panic!("{first:02x?}"));
            assert!(kind.contains(expected), "{first:02x?}: {kind}");
        }
        for unknown in [&b"\x00\x01\x02"[..], b"\xff\xfe\x00", b"\x80\x09", b"\x08\x63\x12", b"abc\x00def"] {
            assert_eq!(file_kind(unknown), None, "{unknown:02x?}");
        }
    }
}
