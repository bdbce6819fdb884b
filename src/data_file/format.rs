//! File formats by their first bytes, for errors that say what a file is.

use crate::error::{LoadErrorKind, Result, quoted};
use std::path::Path;

/// What files of other formats begin with, and what to do with them.
const SIGNATURES: &[(&[u8], &str, &str)] = &[
    (
        b"\x1f\x8b",
        "gzip-compressed data",
        "read the file by its path with the feature gzip, or decompress it",
    ),
    (b"PK\x03\x04", "a ZIP archive (.npz, .xlsx, .zip)", ARCHIVE),
    (b"PK\x05\x06", "an empty ZIP archive", ARCHIVE),
    (b"\x93NUMPY", "a NumPy array (.npy)", "use read_npy"),
    (b"\xff\xfe\0\0", "UTF-32 text", "convert it to UTF-8: iconv -f UTF-32 -t UTF-8"),
    (b"\xff\xfe", "UTF-16 text", UTF_16),
    (b"\xfe\xff", "UTF-16 text", UTF_16),
    (b"\xd0\xcf\x11\xe0", "a spreadsheet or document of Microsoft Office (.xls, .doc)", "save it as CSV"),
    (b"PAR1", "a Parquet file", "save it as CSV"),
    (b"ARROW1", "an Arrow file", "save it as CSV"),
    (b"\x89HDF", "an HDF5 file", "save its data sets as .npy files or as CSV"),
    (b"SQLite format 3\0", "an SQLite database", "export the table as CSV"),
    (b"BZh", "bzip2-compressed data", DECOMPRESS),
    (b"\xfd7zXZ\0", "xz-compressed data", DECOMPRESS),
    (b"\x28\xb5\x2f\xfd", "zstd-compressed data", DECOMPRESS),
    (b"7z\xbc\xaf\x27\x1c", "a 7z archive", DECOMPRESS),
    (b"\x89PNG", "a PNG image", ""),
    (b"\xff\xd8\xff", "a JPEG image", ""),
    (b"%PDF", "a PDF document", ""),
    (b"\x7fELF", "an executable file", ""),
    (
        b"\x89AXN\r\n\x1a\n",
        "a file saved by axonal",
        "load it with the load method of the type that was saved",
    ),
];

const ARCHIVE: &str = "read .npz files with NpzReader, extract other archives, save spreadsheets as CSV";
const UTF_16: &str = "convert it to UTF-8: iconv -f UTF-16 -t UTF-8";
const DECOMPRESS: &str = "decompress it first";

/// The name of the format that begins with these bytes, and what to do with it.
fn signature(head: &[u8]) -> Option<(&'static str, &'static str)> {
    let found = SIGNATURES.iter().find(|(magic, ..)| head.starts_with(magic));
    found.map(|(_, name, hint)| (*name, *hint))
}

/// Names what begins with these bytes.
pub(crate) fn describe(head: &[u8]) -> String {
    if head.is_empty() {
        return "an empty file".into();
    }
    if let Some((name, _)) = signature(head) {
        return name.into();
    }
    let shown = &head[..head.len().min(16)];
    let text = match std::str::from_utf8(shown) {
        Ok(text) => Some(text),
        // A character that is cut in two.
        Err(error) if error.error_len().is_none() => std::str::from_utf8(&shown[..error.valid_up_to()]).ok(),
        Err(_) => None,
    };
    match text {
        Some(text) if !text.contains(|c: char| c.is_control() && !c.is_whitespace()) => {
            format!("text that begins with {}", quoted(text))
        }
        _ => format!("binary data that begin with {:02x?}", &shown[..shown.len().min(8)]),
    }
}

/// Refuses what is no UTF-8 text by its first bytes.
pub(crate) fn check_text(path: &Path, head: &[u8]) -> Result<()> {
    let null = || head.iter().take(1024).position(|byte| *byte == 0);
    let (got, hint) = if let Some((name, hint)) = signature(head) {
        (name.to_owned(), hint)
    } else if let Some(position) = null() {
        // ASCII characters as two bytes each.
        let wide = head.iter().take(16).skip(1 - position % 2).step_by(2).all(|byte| *byte != 0);
        let is_utf_16 = position < 2 && wide && head.len() > 3;
        if is_utf_16 {
            ("UTF-16 text".into(), UTF_16)
        } else {
            (format!("binary data (byte {position} is zero)"), "")
        }
    } else {
        return Ok(());
    };
    let problem = LoadErrorKind::Format { expected: "UTF-8 text".into(), got, hint: hint.into() };
    Err(problem.in_file(&path.display().to_string()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn files_of_other_formats_are_called_by_their_names() {
        let cases: [(&[u8], &str); 10] = [
            (b"\x1f\x8b\x08", "gzip"),
            (b"PK\x03\x04...", "ZIP"),
            (b"\x93NUMPY\x01", ".npy"),
            (b"\xff\xfea\0,\0", "UTF-16"),
            (b"\xfe\xff\0a\0,", "UTF-16"),
            (b"a\0,\0b\0\n\0", "UTF-16"),
            (b"\0a\0,\0b\0\n", "UTF-16"),
            (b"\0\0\x08\x03\0\0\xea\x60", "binary data (byte 0 is zero)"),
            (b"\x89PNG\r\n", "PNG"),
            (b"a,b\n1,\0\n", "binary data (byte 6 is zero)"),
        ];
        for (head, name) in cases {
            let message = check_text(Path::new("t.csv"), head).unwrap_err().to_string();
            assert!(
                message.contains("t.csv: expected UTF-8 text, got ") && message.contains(name),
                "{message}"
            );
        }
        for text in ["", "a,b\n", "\u{feff}a", "Größe;1"] {
            assert!(check_text(Path::new("t.csv"), text.as_bytes()).is_ok(), "{text}");
        }
        assert_eq!(describe(b"a,b\n1,2\n"), "text that begins with \"a,b\\n1,2\\n\"");
        assert_eq!(describe(&[0, 0, 9, 1]), "binary data that begin with [00, 00, 09, 01]");
        assert_eq!(describe(b""), "an empty file");
    }
}
