//! Tables, IDX and NumPy files: what is read, and what is refused where.

use crate::common::error_message;
use crate::temporary::temporary_path;
use axonal::Result;
use axonal::datasets::{load_idx, read_idx, read_npy, write_npy};
use axonal::ndarray::{Array, Array1, Array2, Array3, Ix1, Ix2, Ix3, IxDyn, ShapeBuilder, array};
use std::path::PathBuf;

/// A file that is gone with the test.
struct Scratch(PathBuf);

impl Scratch {
    fn new(name: &str, bytes: impl AsRef<[u8]>) -> Self {
        let path = temporary_path(name);
        std::fs::write(&path, bytes).unwrap();
        Self(path)
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        let _ = std::fs::remove_file(&self.0);
    }
}

#[cfg(feature = "csv")]
mod csv {
    use super::*;
    use axonal::datasets::{CsvReader, Missing, Table};

    fn read(text: &str, reader: &CsvReader) -> Result<Table<f64>> {
        reader.read_from("t.csv", text.as_bytes())
    }

    #[test]
    fn columns_find_their_kind_and_texts_their_order() {
        let text = "a; kind ;b\n1.5;zebra;-2e3\n 2 ;ant;+0.5\n3;\"big, cat\";7\n4;ant;8\n";
        let table = read(text, &CsvReader::new().delimiter(b';')).unwrap();
        assert_eq!(table.names, ["a", "kind", "b"]);
        assert_eq!(table.categories, [vec![], vec!["ant", "big, cat", "zebra"], vec![]]);
        assert_eq!(
            table.data,
            array![[1.5, 2.0, -2000.0], [2.0, 0.0, 0.5], [3.0, 1.0, 7.0], [4.0, 0.0, 8.0]]
        );

        let kinds = table.classes("kind").unwrap();
        assert_eq!(kinds.target, array![2, 0, 1, 0]);
        assert_eq!(kinds.target_names, ["ant", "big, cat", "zebra"]);
        assert_eq!(kinds.feature_names, ["a", "b"]);
        assert_eq!(kinds.data, array![[1.5, -2000.0], [2.0, 0.5], [3.0, 7.0], [4.0, 8.0]]);
    }

    #[test]
    fn declared_columns_are_what_they_are_declared_to_be() {
        let text = "zip,size,id,y\n01,S,x1,0\n1,L,x2,1\n";
        let reader = CsvReader::new().text_column("zip").categories("size", ["S", "M", "L"]).ignore("id");
        let table = read(text, &reader).unwrap();
        assert_eq!(table.names, ["zip", "size", "y"]);
        assert_eq!(table.categories, [vec!["01", "1"], vec!["S", "M", "L"], vec![]]);
        assert_eq!(table.data, array![[0.0, 0.0, 0.0], [1.0, 2.0, 1.0]]);
        assert!(
            error_message(read(text, &CsvReader::new().text_column("zap")))
                .contains("unknown column \"zap\"; known: zip, size")
        );
        let closed = CsvReader::new().categories("size", ["S", "M"]);
        assert_eq!(
            error_message(read(text, &closed)),
            "t.csv, line 3, column 2: expected one of S, M, got \"L\"; declare all texts in categories"
        );
        // Written down and read again, it is the same reader.
        let again = serde_json::to_string(&reader.missing(Missing::Nan)).unwrap();
        let again: CsvReader = serde_json::from_str(&again).unwrap();
        assert_eq!(read(text, &again).unwrap().categories, table.categories);
    }

    #[test]
    fn classes_that_are_numbers_are_numbered_from_zero() {
        let dataset = read("x,y\n1,7\n2,3\n3,7\n", &CsvReader::new()).unwrap().classes("y").unwrap();
        assert_eq!(dataset.target, array![1, 0, 1]);
        assert_eq!(dataset.target_names, ["3", "7"]);
    }

    #[test]
    fn missing_values_are_refused_or_kept_as_asked() {
        let text = "a,b\n?,x\n2,\n3,y\n";
        assert_eq!(
            error_message(read(text, &CsvReader::new().missing(Missing::Error))),
            "t.csv, line 2, column 1: expected a value, got \"?\"; keep missing values with \
             missing(Missing::Nan), leave the column out with ignore(\"a\"), or, if \"?\" is a value, set \
             missing_values without it"
        );
        let table = read(text, &CsvReader::new()).unwrap();
        assert!(table.data[[0, 0]].is_nan() && table.data[[1, 1]].is_nan());
        assert_eq!((table.data[[2, 0]], table.data[[2, 1]]), (3.0, 1.0));
        assert!(error_message(table.clone().classes("b")).contains("b contains NaN at [1]"));
        assert!(error_message(table.values("a")).contains("a contains NaN at [0]"));
        let own = CsvReader::new().missing_values(["-"]);
        assert!(read("a\n-\n1\n", &own).unwrap().data[[0, 0]].is_nan());
    }

    #[test]
    fn what_does_not_fit_is_refused_with_line_and_column() {
        let plain = CsvReader::new();
        assert_eq!(
            error_message(read("a,b\n1,2\n3,oops\n", &plain)),
            "t.csv, line 3, column 2: expected a finite number like \"2\" in line 2, got \"oops\"; \
             if \"oops\" means a missing value, add it to missing_values; \
             if the column is text, declare it with texts(\"b\")"
        );
        assert_eq!(
            error_message(read("a,b\n1,2\n3\n", &plain)),
            "t.csv, line 3, column 2: expected 2 fields, got 1; \
             each row has one field for each column; delimiter sets the byte between fields"
        );
        assert!(
            error_message(read("a,b\n1,2\n3,1e999\n", &plain))
                .contains("line 3, column 2: expected a finite number")
        );
        assert!(
            error_message(read("a,b\n1,2\n3,inf\n", &plain))
                .contains("in line 2, got \"inf\"; if it means a missing")
        );
        assert!(error_message(read("a,b\n", &plain)).contains("t.csv is empty"));
        assert!(error_message(read("", &plain)).contains("t.csv is empty"));
        assert!(error_message(read("a\n1\n", &plain.clone().ignore("a"))).contains("at least 1 feature"));
        assert!(error_message(CsvReader::new().read::<f64>("/nowhere/t.csv")).contains("/nowhere/t.csv"));
        // Quotes may hold line feeds; lines are those of the file.
        assert!(error_message(read("a,b\n\"x\ny\",1\nz,w\n", &plain)).contains("line 4, column 2"));
        assert!(
            error_message(read("a,b\n1,2\n", &plain).unwrap().classes("c"))
                .contains("unknown column \"c\"; known: a, b")
        );
        assert!(
            error_message(read("a,b\n1,x\n", &plain).unwrap().values("b"))
                .contains("expected numbers, got texts such as \"x\"")
        );
    }

    /// Plain rows and all others take different ways through the reader.
    #[test]
    fn rows_of_every_form_come_in_order() {
        let mut text = String::from("\u{feff}a,b\r\n");
        let forms =
            ["{},{}\n", "{},{}\r\n", "\"{}\",{}\n", " {} ,{}\n", "{}e0,{}\n", "{},\"{}\"\r\n", "{},{}\n\n"];
        let mut want = Vec::new();
        for row in 0..30_000_u32 {
            let (a, b) = (f64::from(row) / 8.0, -f64::from(row % 977));
            let form = forms[(row as usize * 31 + row as usize / 7) % forms.len()];
            text += &form.replacen("{}", &a.to_string(), 1).replacen("{}", &b.to_string(), 1);
            want.extend([a, b]);
        }
        text += "0.5,1";
        want.extend([0.5, 1.0]);
        let table = read(&text, &CsvReader::new()).unwrap();
        assert_eq!(table.names, ["a", "b"]);
        assert_eq!(table.data.into_raw_vec_and_offset().0, want);
    }

    #[test]
    fn a_file_without_header_names_its_columns_by_number() {
        let table = read("1,2\n3,4\n", &CsvReader::new().header(false)).unwrap();
        assert_eq!(
            (table.names, table.data),
            (vec!["x0".to_owned(), "x1".to_owned()], array![[1.0, 2.0], [3.0, 4.0]])
        );
    }

    #[test]
    fn batches_together_are_the_whole_file() {
        let mut text = String::from("a,b,kind\n");
        (0..1001).for_each(|row| text += &format!("{},{},{}\n", row, row as f64 / 8.0, ["u", "v"][row % 2]));
        let file = Scratch::new("batches.csv", &text);
        let reader = CsvReader::new().categories("kind", ["u", "v"]);
        let whole = reader.read::<f32>(&file.0).unwrap();
        assert_eq!(whole.data.dim(), (1001, 3));
        let batches: Vec<_> = reader.batches::<f32>(&file.0, 100).unwrap().map(Result::unwrap).collect();
        assert_eq!(batches.iter().map(|batch| batch.data.nrows()).collect::<Vec<_>>()[8..], [100, 100, 1]);
        let views: Vec<_> = batches.iter().map(|batch| batch.data.view()).collect();
        assert_eq!(axonal::ndarray::concatenate(axonal::ndarray::Axis(0), &views).unwrap(), whole.data);

        let undeclared: Vec<_> = CsvReader::new().batches::<f32>(&file.0, 100).unwrap().collect();
        assert_eq!(undeclared.len(), 1, "nothing follows an error");
        assert!(
            error_message(undeclared.into_iter().next().unwrap())
                .contains("line 2, column 3: expected a finite number")
        );
        assert!(error_message(reader.batches::<f32>(&file.0, 0)).contains("batch_size is 0"));
        assert!(
            error_message(
                CsvReader::new()
                    .batches::<f32>(Scratch::new("e.csv", "a\n").0.clone(), 1)
                    .unwrap()
                    .next()
                    .unwrap()
            )
            .contains("e.csv")
        );
    }

    #[test]
    fn the_embedded_tables_come_back_from_their_files() {
        for (file, n_classes) in [("wine", 3), ("breast_cancer", 2)] {
            let path = format!("{}/src/datasets/files/{file}.csv", env!("CARGO_MANIFEST_DIR"));
            let read = CsvReader::new().read::<f64>(path).unwrap().classes("target").unwrap();
            let loaded = match file {
                "wine" => axonal::datasets::load_wine::<f64>(),
                _ => axonal::datasets::load_breast_cancer(),
            };
            let loaded = loaded.unwrap();
            assert_eq!(
                (read.data, read.target, read.feature_names),
                (loaded.data, loaded.target, loaded.feature_names)
            );
            assert_eq!(read.target_names.len(), n_classes);
        }
    }
}

/// An IDX file: type, shape, bytes.
fn idx(code: u8, shape: &[u32], data: &[u8]) -> Vec<u8> {
    let mut bytes = vec![0, 0, code, u8::try_from(shape.len()).unwrap()];
    shape.iter().for_each(|length| bytes.extend(length.to_be_bytes()));
    bytes.extend_from_slice(data);
    bytes
}

#[test]
fn idx_files_are_big_endian_arrays() {
    let file = Scratch::new("shorts", idx(0x0b, &[2, 2], &[0, 1, 255, 255, 1, 0, 128, 0]));
    assert_eq!(read_idx::<i16>(&file.0).unwrap(), array![[1, -1], [256, -32768]].into_dyn());
    let images = Scratch::new("images", idx(8, &[3, 2, 2], &[0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 255]));
    let labels = Scratch::new("labels", idx(8, &[3], &[2, 0, 2]));
    let dataset = load_idx::<f32>(&images.0, &labels.0).unwrap();
    assert_eq!(dataset.data.row(2).to_vec(), [8.0, 9.0, 10.0, 255.0]);
    assert_eq!((dataset.target, dataset.target_names.len()), (array![2, 0, 2], 3));
    let fewer = Scratch::new("fewer", idx(8, &[2], &[2, 0]));
    assert!(error_message(load_idx::<f32>(&images.0, &fewer.0)).contains("target: expected 3"));
}

#[test]
fn damaged_idx_files_are_refused() {
    let read = |bytes: Vec<u8>| error_message(read_idx::<u8>(&Scratch::new("damaged", bytes).0));
    assert!(read(idx(8, &[2, 2], &[0; 3])).contains("cut off: expected 16 bytes, got 15"));
    assert!(read(idx(8, &[2, 2], &[0; 5])).contains("the content ends at byte 16, but 1 more follow"));
    assert!(read(idx(8, &[u32::MAX; 4], &[0; 5])).contains("a shape that fits into memory"));
    assert!(
        read(idx(0x0d, &[1], &[0; 4]))
            .contains("expected elements of type u8 (code 0x08), got f32 (code 0x0d); read them as f32")
    );
    assert!(read(b"PK\x03\x04 not idx".to_vec()).contains("begins with two zeros, got a ZIP archive"));
    assert!(read(vec![0, 0]).contains("damaged"));
    #[cfg(not(feature = "gzip"))]
    assert!(read(vec![0x1f, 0x8b, 0, 0]).contains("feature gzip"));
}

#[cfg(feature = "gzip")]
#[test]
fn compressed_idx_files_read_as_plain_ones_and_lie_no_better() {
    use std::io::Write;
    let pack = |bytes: &[u8]| {
        let mut packed = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::default());
        packed.write_all(bytes).unwrap();
        packed.finish().unwrap()
    };
    let file = Scratch::new("packed", pack(&idx(8, &[2, 2], &[1, 2, 3, 4])));
    assert_eq!(read_idx::<u8>(&file.0).unwrap(), array![[1, 2], [3, 4]].into_dyn());
    let beyond = match usize::BITS {
        64 => "cut off: expected 18446744065119617037 bytes, got 16",
        _ => "expected a shape that fits into memory",
    };
    for (claim, message) in [
        ([2, 3], "cut off: expected 18 bytes, got 16"),
        ([1, 2], "ends at byte 14, but 2 more follow"),
        ([u32::MAX, u32::MAX], beyond),
    ] {
        let file = Scratch::new("lying", pack(&idx(8, &claim, &[1, 2, 3, 4])));
        let said = error_message(read_idx::<u8>(&file.0));
        assert!(said.contains(message), "{claim:?}: {said}");
    }
}

#[test]
fn npy_files_come_back_as_they_went() {
    let file = Scratch::new("array.npy", "");
    let x = Array3::from_shape_fn((2, 3, 4), |(i, j, k)| (i * 12 + j * 4 + k) as f64 * 0.1);
    write_npy(&file.0, &x.view().reversed_axes()).unwrap();
    assert_eq!(read_npy::<f64, Ix3>(&file.0).unwrap(), x.view().reversed_axes());
    write_npy(&file.0, &array![true, false]).unwrap();
    assert_eq!(read_npy::<bool, Ix1>(&file.0).unwrap(), array![true, false]);
    write_npy(&file.0, &Array2::<i64>::zeros((0, 3))).unwrap();
    assert_eq!(read_npy::<i64, IxDyn>(&file.0).unwrap().shape(), [0, 3]);
    write_npy(&file.0, &axonal::ndarray::arr0(7_u16)).unwrap();
    assert_eq!(read_npy::<u16, IxDyn>(&file.0).unwrap().sum(), 7);
    let bytes = std::fs::read(&file.0).unwrap();
    assert_eq!((bytes.len() - 2) % 64, 0, "values are aligned");
}

/// Written by NumPy 2: `np.save(f, np.arange(6, dtype='>i2').reshape(2, 3, order='F'))` and
/// `np.save(f, np.float32([0.5]))`.
#[test]
fn files_written_by_numpy_are_read() {
    let header = |text: &str| {
        let mut bytes = b"\x93NUMPY\x01\x00\x76\x00".to_vec();
        bytes.extend(format!("{text:<117}\n").into_bytes());
        bytes
    };
    let mut bytes = header("{'descr': '>i2', 'fortran_order': True, 'shape': (2, 3), }");
    bytes.extend([0, 0, 0, 1, 0, 2, 0, 3, 0, 4, 0, 5]);
    let file = Scratch::new("fortran.npy", &bytes);
    let array = read_npy::<i16, Ix2>(&file.0).unwrap();
    assert_eq!(array, Array::from_shape_vec((2, 3).f(), vec![0, 1, 2, 3, 4, 5]).unwrap());
    assert_eq!(array, array![[0, 2, 4], [1, 3, 5]]);
    let mut bytes = header("{'descr': '<f4', 'fortran_order': False, 'shape': (1,), }");
    bytes.extend(0.5_f32.to_le_bytes());
    assert_eq!(read_npy::<f32, Ix1>(&Scratch::new("one.npy", &bytes).0).unwrap(), Array1::from_elem(1, 0.5));
    assert!(
        error_message(read_npy::<f64, Ix1>(&Scratch::new("type.npy", &bytes).0))
            .contains("expected elements of type f64 (f8), got f32 (f4); read them as f32")
    );
    assert!(
        error_message(read_npy::<f32, Ix2>(&Scratch::new("rank.npy", &bytes).0))
            .contains("expected 2 axes, got 1 axes")
    );
    for cut in [0, 5, 9, 50, bytes.len() - 1] {
        assert!(read_npy::<f32, Ix1>(&Scratch::new("cut.npy", &bytes[..cut]).0).is_err(), "cut to {cut}");
    }
    let huge = header("{'descr': '<f4', 'fortran_order': False, 'shape': (9999999999, 9999999999), }");
    assert!(
        error_message(read_npy::<f32, Ix2>(&Scratch::new("huge.npy", huge).0))
            .contains("a shape that fits into memory")
    );
    let odd = header("{'descr': [('a', '<f4')], 'fortran_order': False, 'shape': (1,), }");
    assert!(
        error_message(read_npy::<f32, Ix1>(&Scratch::new("odd.npy", odd).0))
            .contains("elements of one number type (a structured array has several)")
    );
}

#[cfg(feature = "npz")]
#[test]
fn npz_archives_hold_several_arrays() {
    use axonal::datasets::{NpzReader, NpzWriter};
    let file = Scratch::new("arrays.npz", "");
    let x = Array2::from_shape_fn((50, 3), |(i, j)| (i + j) as f32);
    let mut writer = NpzWriter::create(&file.0).unwrap();
    writer.write("x", &x).unwrap();
    writer.write("y", &array![1_i64, 2]).unwrap();
    assert!(writer.write("y", &array![1_i64, 2]).is_err(), "the same name twice");
    writer.finish().unwrap();
    let mut reader = NpzReader::open(&file.0).unwrap();
    assert_eq!(reader.names(), ["x", "y"]);
    assert_eq!(reader.read::<f32, Ix2>("x").unwrap(), x);
    assert_eq!(reader.read::<i64, Ix1>("y").unwrap(), array![1, 2]);
    assert!(error_message(reader.read::<i64, Ix1>("z")).contains("unknown array \"z\"; known: x, y"));
    assert!(
        error_message(reader.read::<f64, Ix2>("x"))
            .contains(": x: expected elements of type f64 (f8), got f32 (f4); read them as f32")
    );
    let bytes = std::fs::read(&file.0).unwrap();
    assert!(NpzReader::open(&Scratch::new("cut.npz", &bytes[..bytes.len() / 2]).0).is_err());
}
