//! Data files as they come: odd, damaged, mislabeled, hostile. Each is read as what it says, or refused with the
//! place, the cause and what to do.

use crate::common::error_message;
use crate::temporary::{temporary_folder, temporary_path};
use axonal::Result;
use axonal::datasets::{ReadLimits, load_idx, read_idx, read_idx_with, read_npy, read_npy_with};
use axonal::ndarray::{Ix1, Ix2, IxDyn, array};
use axonal::prelude::*;
use std::path::PathBuf;

/// A file that is gone with the test.
struct Scratch(PathBuf);

impl Scratch {
    fn new(name: &str, bytes: impl AsRef<[u8]>) -> Self {
        let path = temporary_path(&format!("malformed-{name}"));
        std::fs::write(&path, bytes).unwrap();
        Self(path)
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        let _ = std::fs::remove_file(&self.0);
    }
}

/// Limits that a few bytes exceed.
fn tight(max_stream_bytes: u64) -> ReadLimits {
    let mut limits = ReadLimits::default();
    limits.max_stream_bytes = max_stream_bytes;
    limits
}

/// The bytes through a named pipe, written by a thread.
#[cfg(unix)]
fn through_a_pipe<T>(name: &str, bytes: Vec<u8>, read: impl FnOnce(&std::path::Path) -> T) -> T {
    let path = temporary_path(&format!("pipe-{name}"));
    let _ = std::fs::remove_file(&path);
    assert!(std::process::Command::new("mkfifo").arg(&path).status().unwrap().success());
    let target = path.clone();
    let writer = std::thread::spawn(move || {
        use std::io::Write;
        // A reader that has seen enough closes the pipe.
        let _ = std::fs::OpenOptions::new().write(true).open(target).unwrap().write_all(&bytes);
    });
    let answer = read(&path);
    writer.join().unwrap();
    std::fs::remove_file(&path).unwrap();
    answer
}

#[cfg(feature = "gzip")]
fn gzip(bytes: &[u8]) -> Vec<u8> {
    use std::io::Write;
    let mut packed = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::default());
    packed.write_all(bytes).unwrap();
    packed.finish().unwrap()
}

#[cfg(feature = "csv")]
mod csv {
    use super::*;
    use axonal::Error;
    use axonal::datasets::{CsvReader, Missing, Table};

    fn read<F: Float>(text: impl AsRef<[u8]>, reader: &CsvReader) -> Result<Table<F>> {
        reader.read_from("t.csv", text.as_ref())
    }

    /// What is no table of numbers and texts: the place, and words of the message.
    #[test]
    fn ugly_tables_are_refused_with_place_cause_and_remedy() {
        let plain = CsvReader::new().missing(Missing::Error);
        let semicolon = CsvReader::new().delimiter(b';');
        let nan = CsvReader::new().missing(Missing::Nan);
        let comma = CsvReader::new().delimiter(b';').decimal(b',');
        let bare = CsvReader::new().header(false);
        type Case<'a> = (&'a str, &'a CsvReader, (usize, usize), &'a [&'a str]);
        let cases: &[Case<'_>] = &[
            // Quotes.
            (
                "a,name\n1,x\n2,\"y\n3,z\n4,x\n",
                &plain,
                (3, 2),
                &["a closing quote before the end", "\"y\\n3,z\\n4,x\\n\""],
            ),
            ("a,name\n1,\"x\"y\n", &plain, (2, 2), &["behind the closing quote", "\"y\"", "\"x\"", "double"]),
            ("a,name\n\"1\"2,x\n", &plain, (2, 1), &["behind the closing quote"]),
            ("\"a\nb\",\"c\n1,2\n", &plain, (2, 2), &["a closing quote"]),
            ("a,b\n\"p\nq\",\"r\"s\n", &plain, (3, 2), &["behind the closing quote"]),
            ("a,b\n1,\"\"\"", &plain, (2, 2), &["a closing quote"]),
            // Numbers of fields.
            ("a,b\n1,2,3\n", &plain, (2, 3), &["expected 2 fields, got 3", "quote"]),
            ("a,b\n1,2\n3\n", &plain, (3, 2), &["expected 2 fields, got 1"]),
            ("a\n1,5\n", &plain, (2, 2), &["expected 1 field, got 2"]),
            ("a,b\n1,2\n   \n", &plain, (3, 2), &["expected 2 fields, got 1"]),
            ("a;b\n1;2\n", &plain, (1, 1), &["delimiter(b';')"]),
            ("1\t2\n", &bare, (1, 1), &["delimiter(b'\\t')"]),
            // Names.
            (
                "a,b,a\n1,2,3\n",
                &plain,
                (1, 3),
                &["\"a\" again, the name of column 1", "ignore(\"a\")", "header(false)"],
            ),
            ("a,,\n1,2,3\n", &plain, (1, 3), &["\"\" again, the name of column 2"]),
            // The first field does not decide.
            (
                "a\n-\n1\n",
                &plain,
                (3, 1),
                &["text like \"-\" in line 2, got \"1\"", "texts(\"a\")", "missing_values"],
            ),
            (
                "a\n1\n-\n",
                &plain,
                (3, 1),
                &["a finite number like \"1\" in line 2, got \"-\"", "texts(\"a\")"],
            ),
            ("a\nx\n1\n", &plain, (3, 1), &["text like \"x\" in line 2, got \"1\""]),
            (
                "a,b\nx,1\ny,2\nz,w\n",
                &plain,
                (4, 2),
                &["a finite number like \"1\" in line 2, got \"w\"", "texts(\"b\")"],
            ),
            ("a\n\"x\ny\"\n7\n", &plain, (4, 1), &["text like \"x\\ny\" in line 2, got \"7\""]),
            // Not finite, in any row and in a column of text.
            ("a\ninf\n1\n", &plain, (2, 1), &["a finite number, got \"inf\"", "missing_values"]),
            ("a\n1\n-inf\n", &plain, (3, 1), &["a finite number like \"1\""]),
            ("a\n1e400\n1\n", &plain, (2, 1), &["a finite number, got \"1e400\""]),
            ("a\nx\ninf\n", &plain, (3, 1), &["text like \"x\" in line 2, got \"inf\""]),
            ("a\nNAN\n", &plain, (2, 1), &["a finite number, got \"NAN\""]),
            // Other notations.
            ("a;b\n1,5;1\n", &semicolon, (2, 1), &["a finite number, got \"1,5\"", "decimal(b',')"]),
            ("a;b\n1.5;1\n", &comma, (2, 1), &["got \"1.5\"", "decimal(b'.')"]),
            ("a;b\n1,5;1\n1.234,5;1\n", &comma, (3, 1), &["like \"1,5\"", "thousands"]),
            ("a,b\n\"1,5\",1\n", &plain, (2, 1), &["got \"1,5\"", "another delimiter"]),
            ("a,b\n\"1,234\",1\n", &plain, (2, 1), &["got \"1,234\"", "thousands"]),
            ("a\n12%\n13%\n", &plain, (2, 1), &["got \"12%\"", "percent"]),
            ("a\n$5\n", &plain, (2, 1), &["got \"$5\"", "currency"]),
            ("a\nx\n12%\n", &plain, (3, 1), &["text like \"x\" in line 2, got \"12%\""]),
            // Missing values in pandas's spellings.
            ("a\nNone\n1\n", &plain, (2, 1), &["expected a value, got \"None\""]),
            ("a\nNULL\n", &plain, (2, 1), &["a value"]),
            ("a\n1\nn/a\n", &plain, (3, 1), &["a value"]),
            ("a\n#N/A\n", &plain, (2, 1), &["a value"]),
            ("a\n<NA>\n", &plain, (2, 1), &["a value"]),
            ("a\nNaN\nx\n1\n", &nan, (4, 1), &["text like \"x\" in line 3"]),
            // Lines are counted whatever ends them.
            ("a,b\r1,2\r3,x\r", &plain, (3, 2), &["got \"x\""]),
            ("a,b\r\n\r\n1,2\r\n3,x\r\n", &plain, (4, 2), &["got \"x\""]),
            ("\n\na,b\n\n1,2\n3,x\n", &plain, (6, 2), &["like \"2\" in line 5, got \"x\""]),
            ("a,b\r1,2\n3,4\r\n5,x", &plain, (4, 2), &["got \"x\""]),
            ("a,b\n\"x\ry\r\nz\nw\",1\np,q\n", &plain, (6, 2), &["like \"1\" in line 5"]),
            (
                "a,b,\n1,2,\n",
                &plain,
                (2, 3),
                &["expected a value, got \"\"", "ignore(\"\")", "missing(Missing::Nan)"],
            ),
            // A zero byte far from the beginning.
            (
                &format!("a\n{}x\0\n", "y\n".repeat(1000)),
                &plain,
                (1002, 1),
                &["UTF-8 text", "a zero byte", "x\\x00"],
            ),
        ];
        for (text, reader, place, words) in cases {
            let error = read::<f64>(text, reader).expect_err(text);
            let message = error.to_string();
            let Error::Parse { line, column, .. } = error else { panic!("{text:?}: {message}") };
            assert_eq!((line, column), *place, "{text:?}: {message}");
            for word in *words {
                assert!(message.contains(word), "{text:?}: no {word:?} in {message:?}");
            }
        }
    }

    /// What is odd, and still one table to everyone.
    #[test]
    fn odd_tables_are_read_as_what_they_say() {
        let plain = CsvReader::new();
        let cases: &[(&str, CsvReader, &[f64], &[&str])] = &[
            ("a\n\"1\"\n 2 \n", plain.clone(), &[1.0, 2.0], &[]),
            ("a,b\n1, \"x, y\" \n2,z\n", plain.clone(), &[1.0, 0.0, 2.0, 1.0], &["x, y", "z"]),
            ("a,b\n1,\"say \"\"hi\"\"\"\n", plain.clone(), &[1.0, 0.0], &["say \"hi\""]),
            ("a,b\n1,5\" disk\n", plain.clone(), &[1.0, 0.0], &["5\" disk"]),
            ("a,b\r1,2\r3,4\r", plain.clone(), &[1.0, 2.0, 3.0, 4.0], &[]),
            ("a,b\n1,2\r3,4\r\n5,6", plain.clone(), &[1.0, 2.0, 3.0, 4.0, 5.0, 6.0], &[]),
            ("\u{feff}a,b\n1,2\n", plain.clone(), &[1.0, 2.0], &[]),
            ("a\n-\n1\n", plain.clone().text_column("a"), &[0.0, 1.0], &["-", "1"]),
            ("a\ninf\nx\n", plain.clone().text_column("a"), &[0.0, 1.0], &["inf", "x"]),
            ("a\n1,5\n", plain.clone().delimiter(b';').text_column("a"), &[0.0], &["1,5"]),
            (
                "a\n1,5\n2\n-0,25\n3e2\n",
                plain.clone().delimiter(b';').decimal(b','),
                &[1.5, 2.0, -0.25, 300.0],
                &[],
            ),
            (
                "a\t b\n1,5\t2\n3\t,5\n",
                plain.clone().delimiter(b'\t').decimal(b','),
                &[1.5, 2.0, 3.0, 0.5],
                &[],
            ),
            ("a,b,a\n1,2,3\n", plain.clone().ignore("a"), &[2.0], &[]),
            ("a,,\n1,,\n", plain.clone().ignore(""), &[1.0], &[]),
            (",a\n0,5\n", plain.clone(), &[0.0, 5.0], &[]),
            ("a;b\nx\n", plain.clone().text_column("a;b"), &[0.0], &["x"]),
            (
                "k\nNone\nSome\n",
                plain.clone().categories("k", ["Some", "None"]),
                &[1.0, 0.0],
                &["Some", "None"],
            ),
            ("k\n2024-01-05\n2024-01-06\n", plain.clone(), &[0.0, 1.0], &["2024-01-05", "2024-01-06"]),
            ("k\n192.168.100.200\n10.0.0.1\n", plain.clone(), &[1.0, 0.0], &["10.0.0.1", "192.168.100.200"]),
        ];
        for (text, reader, data, texts) in cases {
            let table = read::<f64>(text, reader).unwrap_or_else(|error| panic!("{text:?}: {error}"));
            assert_eq!(table.data.iter().copied().collect::<Vec<_>>(), *data, "{text:?}");
            assert_eq!(table.categories.concat(), *texts, "{text:?}");
            let single = read::<f32>(text, reader).unwrap();
            assert_eq!(single.data, table.data.mapv(|value| value as f32), "{text:?}");
        }
        // Every spelling of pandas's STR_NA_VALUES, alone and beside numbers.
        for missing in [
            "", "NA", "N/A", "n/a", "#N/A", "#N/A N/A", "#NA", "<NA>", "NaN", "nan", "-NaN", "-nan", "NULL",
            "null", "None", "1.#IND", "-1.#IND", "1.#QNAN", "-1.#QNAN",
        ] {
            let table = read::<f64>(format!("a,b\n{missing},1\n2,2\n"), &plain.clone().missing(Missing::Nan));
            let table = table.unwrap();
            assert!(table.data[[0, 0]].is_nan() && table.data[[1, 0]] == 2.0, "{missing}");
            assert!(table.categories.concat().is_empty());
        }
    }

    #[test]
    fn bytes_that_are_not_utf_8_are_never_replaced() {
        let latin = b"name,a\nM\xfcller,1\nM\xf6ller,2\n";
        let message = error_message(read::<f64>(latin, &CsvReader::new()));
        assert_eq!(
            message,
            "t.csv, line 2, column 1: expected UTF-8 text, got byte 0xfc in \"M\\xfcller\"; convert the file to \
             UTF-8, for example with iconv -f WINDOWS-1252 -t UTF-8"
        );
        assert!(
            error_message(read::<f64>(b"n\xe4me,a\nx,1\n", &CsvReader::new()))
                .contains("line 1, column 1: expected UTF-8")
        );
        let table = read::<f64>(latin, &CsvReader::new().ignore("name")).unwrap();
        assert_eq!(table.data, array![[1.0], [2.0]]);
        assert!(
            error_message(read::<f64>(latin, &CsvReader::new().text_column("name"))).contains("byte 0xfc")
        );
    }

    #[test]
    fn files_of_other_formats_are_called_by_name() {
        let wide = |text: &str, big: bool| -> Vec<u8> {
            text.encode_utf16()
                .flat_map(|unit| if big { unit.to_be_bytes() } else { unit.to_le_bytes() })
                .collect()
        };
        let cases: &[(Vec<u8>, &str)] = &[
            (wide("\u{feff}a,b\n1,2\n", false), "UTF-16"),
            (wide("\u{feff}a,b\n1,2\n", true), "UTF-16"),
            (wide("a,b\n1,2\n", false), "UTF-16"),
            (wide("a,b\n1,2\n", true), "UTF-16"),
            (b"PK\x03\x04\x14\0\x06\0".to_vec(), "a ZIP archive"),
            (b"\x93NUMPY\x01\0".to_vec(), "a NumPy array"),
            (b"\x89HDF\r\n\x1a\n".to_vec(), "an HDF5 file"),
            (b"PAR1\x15\x04".to_vec(), "a Parquet file"),
            (b"\x28\xb5\x2f\xfd\x04".to_vec(), "zstd"),
            (b"\x1f\x8b\x08\0".to_vec(), "gzip"),
            (b"\0\0\x08\x03\0\0\0\x01".to_vec(), "binary data (byte 0 is zero)"),
        ];
        for (bytes, name) in cases {
            let message = error_message(read::<f64>(bytes, &CsvReader::new()));
            let start = format!("t.csv: expected UTF-8 text, got {name}");
            assert!(message.starts_with(&start), "{message}");
        }
    }

    #[test]
    fn options_that_cannot_be_are_refused() {
        let cases: &[(CsvReader, &str)] = &[
            (CsvReader::new().decimal(b','), "decimal is ',', expected another byte than the delimiter"),
            (CsvReader::new().decimal(b'x'), "decimal is 'x', expected b'.' or b','"),
            (CsvReader::new().delimiter(0xa7), "delimiter is '§', expected an ASCII character"),
            (CsvReader::new().delimiter(b'"'), "delimiter is '\"'"),
            (CsvReader::new().categories("a", ["x", "x"]), "categories is \"x\" twice"),
            (CsvReader::new().categories("a", [""; 0]), "categories is no text"),
        ];
        for (reader, words) in cases {
            let message = error_message(read::<f64>("a\n1\n", reader));
            assert!(message.contains(words), "{message}");
        }
    }

    #[test]
    fn classes_are_told_apart_and_named_by_their_text() {
        fn classes<F: Float>(labels: &[&str]) -> (Vec<usize>, Vec<String>) {
            let rows: String =
                labels.iter().enumerate().map(|(row, label)| format!("{row},{label}\n")).collect();
            let table = read::<F>(format!("x,y\n{rows}"), &CsvReader::new()).unwrap();
            let dataset = table.classes("y").unwrap();
            (dataset.target.to_vec(), dataset.target_names)
        }
        let cases: &[(&[&str], &[usize], &[&str])] = &[
            (&["16777216", "16777217", "16777216"], &[0, 1, 0], &["16777216", "16777217"]),
            (&["16777217", "16777216", "16777218"], &[1, 0, 2], &["16777216", "16777217", "16777218"]),
            (&["123456789", "123456788", "123456789"], &[1, 0, 1], &["123456788", "123456789"]),
            (&["9007199254740993", "9007199254740992"], &[1, 0], &["9007199254740992", "9007199254740993"]),
            (&["0.1", "0.2", "0.1"], &[0, 1, 0], &["0.1", "0.2"]),
            (&["0.1", "0.10000000149011612", "0.10"], &[0, 1, 0], &["0.1", "0.10000000149011612"]),
            (&["0.10000000149011612", "0.1"], &[1, 0], &["0.1", "0.10000000149011612"]),
            (&["-0.0", "0", "1", "-0"], &[0, 0, 1, 0], &["0", "1"]),
            (&["1", "1.0", "+1", "1e0", "2"], &[0, 0, 0, 0, 1], &["1", "2"]),
            (&["-3", "10", "9", "1e-400"], &[0, 3, 2, 1], &["-3", "1e-400", "9", "10"]),
            (&["1e2", "100", "99.5"], &[1, 1, 0], &["99.5", "100"]),
        ];
        for (labels, target, names) in cases {
            assert_eq!(classes::<f32>(labels).0, *target, "{labels:?}");
            assert_eq!(classes::<f32>(labels).1, *names, "{labels:?}");
            assert_eq!(classes::<f64>(labels), classes::<f32>(labels), "{labels:?}");
        }
        // Many classes of many digits, in plain rows.
        let labels: Vec<String> = (0..4000).map(|row| (20_000_001 + row * 7919 % 4001).to_string()).collect();
        let labels: Vec<&str> = labels.iter().map(String::as_str).collect();
        assert_eq!(classes::<f32>(&labels), classes::<f64>(&labels));
    }

    #[test]
    fn labels_that_were_not_kept_are_an_error() {
        let rows: String = (0..6000).map(|row| format!("{row},{}\n", 100_000_000 + row)).collect();
        let table = read::<f32>(format!("x,y\n{rows}"), &CsvReader::new()).unwrap();
        let message = error_message(table.classes("y"));
        assert!(
            message.contains("read the table as f64, or declare the column with texts(\"y\")"),
            "{message}"
        );
        assert_eq!(
            read::<f64>(format!("x,y\n{rows}"), &CsvReader::new()).unwrap().classes("y").unwrap().target
                [5999],
            5999
        );
        // Rows that moved after reading no longer say which of them rounded.
        let mut table = read::<f32>("x,y\n1,16777216\n2,16777217\n3,5\n", &CsvReader::new()).unwrap();
        table.data.invert_axis(axonal::ndarray::Axis(0));
        assert!(error_message(table.classes("y")).contains("unchanged rows"));
        // A table whose parts no longer fit together is no panic.
        let mut table = read::<f32>("x,y\n1,2\n", &CsvReader::new()).unwrap();
        table.names.push("z".into());
        assert!(error_message(table.classes("z")).contains("a name and categories for each of 2 columns"));
        let mut table = read::<f64>("x,y\n1,2\n3,4\n", &CsvReader::new()).unwrap();
        table.data = table.data.reversed_axes();
        assert_eq!(table.values("y").unwrap().data, array![[1.0], [2.0]]);
        let mut table = read::<f64>("x,y\n1,2\n3,4\n5,6\n", &CsvReader::new()).unwrap();
        table.data.slice_collapse(axonal::ndarray::s![1..2, ..]);
        assert_eq!(table.values("y").unwrap().data, array![[3.0]]);
    }

    #[test]
    fn batches_know_columns_as_the_whole_file_does() {
        let batches = |text: &str, reader: CsvReader| -> Vec<Result<Table<f64>>> {
            let file = Scratch::new(&format!("batches-{}.csv", text.len()), text);
            reader.batches(&file.0, 2).unwrap().collect()
        };
        let mut found = batches("a\n1\n2\n3\nx\n5\n", CsvReader::new());
        assert_eq!(found.len(), 2, "the first batch is sound");
        let message = error_message(found.pop().unwrap());
        assert!(
            message.contains("line 5, column 1: expected a finite number like \"1\" in line 2, got \"x\""),
            "{message}"
        );
        assert!(message.contains("categories(\"a\", …)"), "{message}");
        let mut found = batches("a,b\nu,1\n", CsvReader::new());
        assert!(
            error_message(found.pop().unwrap())
                .contains("line 2, column 1: expected a finite number, got \"u\"")
        );
        let mut found = batches("a\n1,5\n", CsvReader::new().delimiter(b';'));
        assert!(error_message(found.pop().unwrap()).contains("decimal(b',')"));

        let file = Scratch::new("texts.csv", "zip,y\n01,0\n02,1\n");
        assert!(
            error_message(CsvReader::new().text_column("zip").batches::<f64>(&file.0, 2))
                .contains("expected categories")
        );
        let batch = CsvReader::new().batches::<f64>(&file.0, 2).unwrap().next().unwrap().unwrap();
        assert!(error_message(batch.classes("y")).contains("declared by categories"));
        let reader = CsvReader::new().categories("y", ["0", "1", "2"]);
        let batch = reader.batches::<f64>(&file.0, 2).unwrap().next().unwrap().unwrap();
        assert_eq!(batch.classes("y").unwrap().target_names.len(), 3);
    }

    #[test]
    fn more_than_the_limits_is_refused() {
        let limited = |change: fn(&mut ReadLimits)| {
            let mut limits = ReadLimits::default();
            change(&mut limits);
            CsvReader::new().limits(limits)
        };
        let rows = "1,2\n".repeat(100);
        let cases = [
            (
                limited(|limits| limits.max_stream_bytes = 100),
                "more than 100 bytes; if the file is trusted, raise max_stream_bytes",
            ),
            (limited(|limits| limits.max_record_bytes = 2), "line 1: more than 2 bytes in one row"),
            (
                limited(|limits| limits.max_columns = 1),
                "more than 1 columns; if the file is trusted, raise max_columns",
            ),
        ];
        for (reader, words) in cases {
            let message = error_message(read::<f64>(format!("a,b\n{rows}"), &reader));
            assert!(message.contains(words), "{message}");
        }
        let open = format!("a\n\"{}", "x\n".repeat(100));
        let message = error_message(read::<f64>(&open, &limited(|limits| limits.max_record_bytes = 50)));
        assert!(message.contains("line 2, column 1: expected a closing quote within 50 bytes"), "{message}");

        let file = Scratch::new("limited.csv", format!("a,b\n{rows}"));
        let by_file = limited(|limits| limits.max_file_bytes = 100);
        assert!(error_message(by_file.read::<f64>(&file.0)).contains("raise max_file_bytes of ReadLimits"));
        // The length of a file is known: the limit of streams is not for it.
        let by_stream = limited(|limits| limits.max_stream_bytes = 100);
        assert_eq!(by_stream.read::<f64>(&file.0).unwrap().data.nrows(), 100);
    }

    #[cfg(feature = "gzip")]
    #[test]
    fn what_a_compressed_table_unpacks_to_is_limited() {
        let text = format!("a,b\n{}", "1,2\n".repeat(100_000));
        let file = Scratch::new("bomb.csv.gz", gzip(text.as_bytes()));
        let reader = CsvReader::new().limits(tight(10_000));
        assert!(error_message(reader.read::<f64>(&file.0)).contains("more than 10000 bytes"));
        assert_eq!(CsvReader::new().read::<f64>(&file.0).unwrap().data.nrows(), 100_000);
        // In batches each has the limit for itself.
        let reader = CsvReader::new().limits(tight(1 << 20));
        assert_eq!(reader.batches::<f64>(&file.0, 1000).unwrap().filter(Result::is_ok).count(), 100);
        // One endless line.
        let file = Scratch::new("line.csv.gz", gzip(&vec![b'1'; 1 << 25]));
        assert!(
            error_message(CsvReader::new().read::<f64>(&file.0))
                .contains("more than 16777216 bytes in one row")
        );
    }

    #[cfg(unix)]
    #[test]
    fn pipes_and_devices_are_read_up_to_the_limit() {
        let read = |name: &str, bytes: &[u8], limit| {
            let reader = CsvReader::new().limits(tight(limit));
            through_a_pipe(name, bytes.to_vec(), |path| reader.read::<f64>(path))
        };
        assert_eq!(read("a.csv", b"a\n1\n2\n", 100).unwrap().data, array![[1.0], [2.0]]);
        assert!(error_message(read("b.csv", &b"1\n".repeat(1000), 100)).contains("more than 100 bytes"));
        assert!(error_message(CsvReader::new().read::<f64>("/dev/zero")).contains("binary data"));
        assert!(error_message(CsvReader::new().read::<f64>("/dev/null")).contains("is empty"));
        assert!(error_message(CsvReader::new().read::<f64>(temporary_folder())).contains("irectory"));
    }
}

/// A NumPy file of version 1 with this header.
fn npy(header: &str, data: &[u8]) -> Vec<u8> {
    let mut bytes = b"\x93NUMPY\x01\0".to_vec();
    bytes.extend(u16::try_from(header.len()).unwrap().to_le_bytes());
    bytes.extend_from_slice(header.as_bytes());
    bytes.extend_from_slice(data);
    bytes
}

#[test]
fn odd_npy_headers_are_read() {
    let data: Vec<u8> =
        [1.0_f64, 2.0, 3.0, 4.0, 5.0, 6.0].iter().flat_map(|value| value.to_le_bytes()).collect();
    let want = array![[1.0, 2.0, 3.0], [4.0, 5.0, 6.0]];
    for header in [
        "{'descr': '<f8', 'fortran_order': False, 'shape': (2L, 3L), }",
        "{\"descr\": \"<f8\", \"fortran_order\": False, \"shape\": (2, 3)}",
        "{u'shape': (2, 3), u'fortran_order': False, u'descr': '<f8'}\n",
        #[cfg(target_endian = "little")]
        "{'descr': 'f8', 'fortran_order': False, 'shape': (2, 3)}",
        #[cfg(target_endian = "little")]
        "{'descr': '=f8', 'fortran_order': False, 'shape': (2, 3)}",
        #[cfg(target_endian = "little")]
        "{'descr': 'float64', 'fortran_order' : False , 'shape' : ( 2,3 , )}",
    ] {
        let file = Scratch::new("odd.npy", npy(header, &data));
        assert_eq!(read_npy::<f64, Ix2>(&file.0).unwrap(), want, "{header}");
    }
}

#[test]
fn ugly_npy_files_are_refused_with_the_cause() {
    let good = "{'descr': '<f4', 'fortran_order': False, 'shape': (2,)}";
    let header =
        |descr: &str, shape: &str| format!("{{'descr': {descr}, 'fortran_order': False, 'shape': {shape}}}");
    let mut version = npy(good, &[0; 8]);
    version[6] = 9;
    let cases: Vec<(Vec<u8>, &str)> = vec![
        (vec![], "expected a NumPy file (.npy), got an empty file"),
        (b"a,b\n1,2\n".to_vec(), "got text that begins with \"a,b\\n1,\""),
        (b"PK\x03\x04....".to_vec(), "got a ZIP archive"),
        (b"\x93NUM".to_vec(), "got binary data that begin with [93, 4e, 55, 4d]"),
        (b"\x93NUMPY\x01\0\xff".to_vec(), "cut off: expected 10 bytes, got 9"),
        (version, "version 1.0, 2.0 or 3.0 of NumPy's format, got version 9.0"),
        (npy(good, &[0; 7]), "cut off: expected 73 bytes, got 72"),
        (npy(good, &[0; 9]), "the content ends at byte 73, but 1 more follow"),
        (npy(&header("'<f4'", "(3000000000, 3000000000)"), &[0; 8]), "a shape that fits into memory"),
        (npy(&header("'<f4'", "(0, 3000000000, 3000000000, 9)"), &[]), "a shape that fits into memory"),
        (npy(&header("'<f4'", "(-2,)"), &[0; 8]), "a tuple of lengths as shape"),
        (
            npy(&header("'<f8'", "(1,)"), &[0; 8]),
            "expected elements of type f32 (f4), got f64 (f8); read them as f64",
        ),
        (npy(&header("'|O'", "(1,)"), &[0; 8]), "got \"O\"; convert the array in NumPy: x.astype(\"f4\")"),
        (npy(&header("'<U5'", "(1,)"), &[0; 8]), "got \"U5\"; convert"),
        (npy(&header("'<c8'", "(1,)"), &[0; 8]), "got \"c8\"; convert"),
        (npy(&header("[('a', '<f4')]", "(2,)"), &[0; 8]), "a structured array"),
        (
            npy("{'descr': '<f4'}", &[0; 8]),
            "byte 10: expected a dictionary of descr, fortran_order and shape",
        ),
        (npy("\u{1b}[31m", &[0; 8]), "got \"\\u{1b}[31m\""),
    ];
    for (bytes, words) in cases {
        let file = Scratch::new("ugly.npy", &bytes);
        let message = error_message(read_npy::<f32, IxDyn>(&file.0));
        assert!(message.contains("ugly.npy: ") && message.contains(words), "{words:?}: {message}");
    }
    for cut in 0..npy(good, &[0; 8]).len() {
        assert!(
            read_npy::<f32, Ix1>(&Scratch::new("cut.npy", &npy(good, &[0; 8])[..cut]).0).is_err(),
            "cut to {cut}"
        );
    }
}

#[cfg(unix)]
#[test]
fn binary_arrays_come_through_pipes() {
    let data = npy("{'descr': '|u1', 'fortran_order': False, 'shape': (3,)}", &[1, 2, 3]);
    let read = |bytes: Vec<u8>| through_a_pipe("x.npy", bytes, |path| read_npy::<u8, Ix1>(path));
    assert_eq!(read(data.clone()).unwrap(), array![1, 2, 3]);
    assert!(error_message(read(data[..data.len() - 1].to_vec())).contains("cut off"));
    assert!(error_message(read([&data[..], &[0; 9]].concat())).contains("but 9 more follow"));
    let large = npy("{'descr': '|u1', 'fortran_order': False, 'shape': (200000,)}", &[7; 200_000]);
    assert_eq!(read(large.clone()).unwrap().len(), 200_000);
    let limited = through_a_pipe("y.npy", large, |path| read_npy_with::<u8, Ix1>(path, &tight(1000)));
    assert!(
        error_message(limited)
            .contains("more than 1000 bytes; if the file is trusted, raise max_stream_bytes")
    );

    let idx = |n: u32, data: &[u8]| [&[0, 0, 8, 1][..], &n.to_be_bytes(), data].concat();
    let read = |bytes| through_a_pipe("z.idx", bytes, |path| read_idx::<u8>(path));
    assert_eq!(read(idx(3, &[4, 5, 6])).unwrap(), array![4, 5, 6].into_dyn());
    assert!(
        error_message(read(idx(u32::MAX, &[4, 5, 6]))).contains("cut off: expected 4294967303 bytes, got 11")
    );
    let limited =
        through_a_pipe("l.idx", idx(50_000, &[0; 50_000]), |path| read_idx_with::<u8>(path, &tight(99)));
    assert!(error_message(limited).contains("more than 99 bytes"));
    assert!(
        error_message(read_npy::<u8, Ix1>("/dev/zero"))
            .contains("expected a NumPy file (.npy), got binary data")
    );
    assert!(error_message(read_idx::<u8>("/dev/zero")).contains("code 0x00"));
}

#[test]
fn ugly_idx_files_are_refused_with_the_cause() {
    let idx = |code: u8, shape: &[u32], data: &[u8]| {
        let mut bytes = vec![0, 0, code, u8::try_from(shape.len()).unwrap()];
        shape.iter().for_each(|length| bytes.extend(length.to_be_bytes()));
        bytes.extend_from_slice(data);
        bytes
    };
    let cases: Vec<(Vec<u8>, &str)> = vec![
        (vec![], "begins with two zeros, got an empty file"),
        (vec![0, 0], "begins with two zeros, got binary data"),
        (b"label\n".to_vec(), "got text that begins with \"labe\""),
        (b"\x93NUMPY\x01\0".to_vec(), "got binary data"),
        (idx(8, &[2], &[])[..6].to_vec(), "cut off: expected 8 bytes, got 6"),
        (idx(8, &[3], &[1, 2]), "cut off: expected 11 bytes, got 10"),
        (idx(8, &[1], &[1, 2]), "the content ends at byte 9, but 1 more follow"),
        (idx(0x0a, &[1], &[1]), "got code 0x0a; the file is damaged"),
        (idx(8, &[u32::MAX; 3], &[1]), "a shape that fits into memory"),
        (idx(8, &[0, u32::MAX, u32::MAX, u32::MAX], &[]), "a shape that fits into memory"),
    ];
    for (bytes, words) in cases {
        let message = error_message(read_idx::<u8>(&Scratch::new("ugly.idx", &bytes).0));
        assert!(message.contains("ugly.idx: ") && message.contains(words), "{words:?}: {message}");
    }
    let images = Scratch::new("images.idx", idx(8, &[2, 2, 1], &[1, 2, 3, 4]));
    assert!(
        error_message(load_idx::<f32>(&images.0, &images.0))
            .contains("expected labels along 1 axis, got shape [2, 2, 1]")
    );
    let scalar = Scratch::new("scalar.idx", idx(8, &[], &[1]));
    assert!(load_idx::<f32>(&scalar.0, &scalar.0).is_err());
}

#[cfg(feature = "npz")]
mod npz {
    use super::*;
    use axonal::datasets::{NpzReader, NpzWriter};
    use std::io::Write;
    use zip::write::SimpleFileOptions;

    fn archive(entries: &[(&str, Vec<u8>)], method: zip::CompressionMethod) -> Vec<u8> {
        let mut writer = zip::ZipWriter::new(std::io::Cursor::new(Vec::new()));
        for (name, bytes) in entries {
            writer.start_file(*name, SimpleFileOptions::default().compression_method(method)).unwrap();
            writer.write_all(bytes).unwrap();
        }
        writer.finish().unwrap().into_inner()
    }

    fn bytes(n: u8) -> Vec<u8> {
        npy("{'descr': '|u1', 'fortran_order': False, 'shape': (1,)}", &[n])
    }

    #[test]
    fn arrays_are_found_by_every_name() {
        let file = Scratch::new("own.npz", "");
        let mut writer = NpzWriter::create(&file.0).unwrap();
        for (name, value) in [("x", 1_u8), ("y.npy", 2), ("y", 3), ("dir/z", 4), ("", 5), ("ä.npy.npy", 6)] {
            writer.write(name, &array![value]).unwrap();
        }
        writer.finish().unwrap();
        let mut reader = NpzReader::open(&file.0).unwrap();
        assert_eq!(reader.names(), ["x", "y.npy", "y", "dir/z", "", "ä.npy.npy"]);
        let cases = [
            ("x", 1),
            ("x.npy", 1),
            ("y.npy", 2),
            ("y.npy.npy", 2),
            ("y", 3),
            ("dir/z", 4),
            ("", 5),
            ("ä.npy.npy", 6),
        ];
        for (name, value) in cases {
            assert_eq!(reader.read::<u8, Ix1>(name).unwrap(), array![value], "{name}");
        }

        // By other writers: no extension, a folder as an entry, several extensions.
        let foreign = archive(
            &[
                ("plain", bytes(1)),
                ("x.npy.npy", bytes(2)),
                ("sub/", vec![]),
                ("sub/a.npy", bytes(3)),
                ("t.txt", vec![]),
            ],
            zip::CompressionMethod::Stored,
        );
        let file = Scratch::new("foreign.npz", foreign);
        let mut reader = NpzReader::open(&file.0).unwrap();
        assert_eq!(reader.names(), ["plain", "x.npy", "sub/a", "t.txt"]);
        for (name, value) in [("plain", 1), ("plain.npy", 1), ("x.npy", 2), ("sub/a", 3)] {
            assert_eq!(reader.read::<u8, Ix1>(name).unwrap(), array![value], "{name}");
        }
        assert!(
            error_message(reader.read::<u8, Ix1>("t.txt"))
                .contains("t.txt: expected a NumPy file (.npy), got an empty")
        );
        assert!(
            error_message(reader.read::<u8, Ix1>("x"))
                .contains("unknown array \"x\"; known: plain, x.npy, sub/a")
        );
    }

    #[test]
    fn ugly_archives_are_refused_with_the_cause() {
        let good = archive(&[("x.npy", bytes(1))], zip::CompressionMethod::Stored);
        let mut damaged = good.clone();
        let value = damaged.windows(4).position(|four| four == b")}\x01P").unwrap() + 2;
        damaged[value] = 9;
        let twice = archive(&[("x", bytes(1)), ("x.npy", bytes(2))], zip::CompressionMethod::Stored);
        let cases: Vec<(Vec<u8>, &str)> = vec![
            (vec![], "expected an archive of NumPy arrays (.npz), got an empty file"),
            (bytes(1), "got a NumPy array (.npy)"),
            (b"a,b\n".to_vec(), "got text that begins with"),
            (good[..good.len() / 2].to_vec(), "got a damaged ZIP archive"),
            (twice, "two arrays of the name \"x\""),
        ];
        for (bytes, words) in cases {
            let message = error_message(NpzReader::open(&Scratch::new("ugly.npz", &bytes).0));
            assert!(message.contains("ugly.npz: ") && message.contains(words), "{words:?}: {message}");
        }
        let file = Scratch::new("damaged.npz", damaged);
        let message = error_message(NpzReader::open(&file.0).unwrap().read::<u8, Ix1>("x"));
        assert!(message.contains("checksum"), "a flipped bit is seen: {message}");
        let longer = archive(&[("x.npy", [bytes(1), vec![0; 3]].concat())], zip::CompressionMethod::Deflated);
        let file = Scratch::new("longer.npz", longer);
        assert!(
            error_message(NpzReader::open(&file.0).unwrap().read::<u8, Ix1>("x"))
                .contains("x: the content ends at")
        );
    }

    #[test]
    fn what_an_array_unpacks_to_is_limited() {
        let zeros = npy("{'descr': '|u1', 'fortran_order': False, 'shape': (1000000,)}", &vec![0; 1_000_000]);
        let file = Scratch::new("bomb.npz", archive(&[("x.npy", zeros)], zip::CompressionMethod::Deflated));
        let mut limited = NpzReader::open_with(&file.0, &tight(100_000)).unwrap();
        let message = error_message(limited.read::<u8, Ix1>("x"));
        assert!(
            message.contains("more than 100000 bytes; if the file is trusted, raise max_stream_bytes"),
            "{message}"
        );
        assert_eq!(NpzReader::open(&file.0).unwrap().read::<u8, Ix1>("x").unwrap().len(), 1_000_000);
    }

    #[cfg(unix)]
    #[test]
    fn archives_come_through_pipes() {
        let good = archive(&[("x.npy", bytes(7))], zip::CompressionMethod::Deflated);
        let read = |limit| {
            through_a_pipe("x.npz", good.clone(), move |path| {
                NpzReader::open_with(path, &tight(limit))?.read::<u8, Ix1>("x")
            })
        };
        assert_eq!(read(10_000).unwrap(), array![7]);
        assert!(error_message(read(50)).contains("more than 50 bytes"));
        let mut limits = tight(1 << 16);
        limits.max_file_bytes = 1 << 16;
        assert!(error_message(NpzReader::open_with("/dev/zero", &limits)).contains("more than 65536 bytes"));
    }
}

#[test]
fn label_files_are_read_line_by_line() {
    let read = |text: &[u8]| {
        let file = Scratch::new("labels.txt", text);
        LabelEncoder::from_file(&file.0).map(|encoder| encoder.classes().unwrap().to_vec())
    };
    let good: &[&[u8]] = &[
        b"zebra\nant\n",
        b"zebra\nant",
        b"zebra\r\nant\r\n",
        b"zebra\rant\r",
        b"zebra\nant\n\n\n",
        b"zebra\r\nant\r\n \r\n",
        b"\xef\xbb\xbfzebra\nant\n",
    ];
    for text in good {
        assert_eq!(read(text).unwrap(), ["zebra", "ant"], "{:?}", text.escape_ascii().to_string());
    }
    let bad: &[(&[u8], &str)] = &[
        (b"", "classes is empty"),
        (b"\n\n", "classes is empty"),
        (b"a\n\nb\n", "line 2, column 1: expected a class, got a blank line"),
        (
            b"a\rb\ra\r",
            "line 3, column 1: expected a class that no other line has, got \"a\" again, as in line 1",
        ),
        (b"a\nM\xfcller\n", "line 2, column 1: expected UTF-8 text, got byte 0xfc"),
        (b"\xff\xfea\0\n\0", "expected UTF-8 text, got UTF-16 text"),
        (b"PK\x03\x04", "got a ZIP archive"),
        (b"a\n\0\n", "binary data (byte 2 is zero)"),
    ];
    for (text, words) in bad {
        let message = error_message(read(text));
        assert!(message.contains(words), "{words:?}: {message}");
    }
    #[cfg(unix)]
    {
        let read = |limit| {
            through_a_pipe("labels", b"a\nb\n".to_vec(), move |path| {
                LabelEncoder::from_file_with(path, &tight(limit))
            })
        };
        assert_eq!(read(4).unwrap().classes().unwrap(), ["a", "b"]);
        assert!(error_message(read(3)).contains("more than 3 bytes"));
        assert!(
            error_message(LabelEncoder::from_file_with("/dev/zero", &tight(1000)))
                .contains("more than 1000 bytes")
        );
    }
}

#[cfg(feature = "gzip")]
#[test]
fn what_compressed_arrays_unpack_to_is_limited() {
    let images = [&[0, 0, 8, 1][..], &1_000_000_u32.to_be_bytes(), &vec![0; 1_000_000]].concat();
    let file = Scratch::new("bomb.idx.gz", gzip(&images));
    assert!(error_message(read_idx_with::<u8>(&file.0, &tight(100_000))).contains("more than 100000 bytes"));
    assert_eq!(read_idx::<u8>(&file.0).unwrap().len(), 1_000_000);
    // A limit is never less than the file itself.
    let file = Scratch::new("small.idx.gz", gzip(&[0, 0, 8, 1, 0, 0, 0, 1, 9]));
    assert_eq!(read_idx_with::<u8>(&file.0, &tight(1)).unwrap(), array![9].into_dyn());
}
