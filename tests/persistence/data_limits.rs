//! The memory that readers of data files take: what is read, within the limits, whatever a header claims.

use super::memory::peak_of;
use crate::temporary::temporary_path;
use axonal::datasets::{CsvReader, NpzReader, ReadLimits, read_idx_with, read_npy_with};
use axonal::ndarray::{Ix1, IxDyn};
use axonal::preprocessing::LabelEncoder;
use std::io::Write;
use std::path::PathBuf;

const MIB: usize = 1 << 20;

fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut packed = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::best());
    packed.write_all(bytes).unwrap();
    packed.finish().unwrap()
}

fn file(name: &str, bytes: &[u8]) -> PathBuf {
    let path = temporary_path(&format!("data-limits-{name}"));
    std::fs::write(&path, bytes).unwrap();
    path
}

/// A NumPy file that claims `n` bytes and has `data`.
fn npy(n: u64, data: &[u8]) -> Vec<u8> {
    let header = format!("{{'descr': '|u1', 'fortran_order': False, 'shape': ({n},)}}");
    let length = u16::try_from(header.len()).unwrap().to_le_bytes();
    [b"\x93NUMPY\x01\0", &length[..], header.as_bytes(), data].concat()
}

#[test]
fn compressed_files_take_the_limit_and_little_more() {
    let limit = 4 * MIB;
    let mut limits = ReadLimits::default();
    limits.max_stream_bytes = limit as u64;
    let zeros = vec![0; 64 * MIB];
    let idx = [&[0, 0, 8, 1][..], &(64_u32 << 20).to_be_bytes(), &zeros].concat();
    let mut archive = zip::ZipWriter::new(std::io::Cursor::new(Vec::new()));
    archive.start_file("x.npy", zip::write::SimpleFileOptions::default()).unwrap();
    archive.write_all(&npy(64 << 20, &zeros)).unwrap();
    let archive = archive.finish().unwrap().into_inner();
    let line = vec![b'1'; 64 * MIB];
    let rows = "1,2\n".repeat(16 * MIB);
    let quote = format!("a\n\"{rows}");
    // A vector that has grown to the limit, while it grew: three times. Of the text "1,2" each byte becomes four.
    let cases: Vec<(&str, Vec<u8>, usize)> = vec![
        ("bomb.idx.gz", gzip(&idx), 3 * limit),
        ("bomb.npy.gz", gzip(&npy(64 << 20, &zeros)), 3 * limit),
        ("bomb.npz", archive, 3 * limit),
        ("line.csv.gz", gzip(&line), 3 * limit),
        ("rows.csv.gz", gzip(rows.as_bytes()), 4 * 3 * limit),
        ("quote.csv.gz", gzip(quote.as_bytes()), 3 * limit),
        ("labels.txt.gz", gzip(&line), 3 * limit),
    ];
    for (name, bytes, most) in cases {
        let path = file(name, &bytes);
        let (error, peak) = peak_of(|| match name {
            "bomb.idx.gz" => read_idx_with::<u8>(&path, &limits).map(drop).unwrap_err(),
            "bomb.npy.gz" => read_npy_with::<u8, Ix1>(&path, &limits).map(drop).unwrap_err(),
            "bomb.npz" => {
                let mut archive = NpzReader::open_with(&path, &limits).unwrap();
                archive.read::<u8, Ix1>("x").map(drop).unwrap_err()
            }
            "labels.txt.gz" => LabelEncoder::from_file_with(&path, &limits).map(drop).unwrap_err(),
            _ => CsvReader::new().limits(limits.clone()).read::<f64>(&path).map(drop).unwrap_err(),
        });
        std::fs::remove_file(&path).unwrap();
        assert!(error.to_string().contains("ReadLimits"), "{name}: {error}");
        assert!(peak <= most + MIB, "{name}: {} KiB", peak >> 10);
    }
}

#[test]
fn what_headers_claim_takes_no_memory() {
    let limits = ReadLimits::default();
    let idx = [&[0, 0, 8, 2][..], &u32::MAX.to_be_bytes(), &[0, 0, 0, 1], &[7; 100]].concat();
    // What could be addressed.
    let claim = 1 << (usize::BITS / 2 + 8);
    for (name, bytes) in [
        ("claim.idx", idx.clone()),
        ("claim.idx.gz", gzip(&idx)),
        ("claim.npy", npy(claim, &[7; 100])),
        ("claim.npy.gz", gzip(&npy(claim, &[7; 100]))),
    ] {
        let path = file(name, &bytes);
        let (error, peak) = peak_of(|| {
            if name.contains("idx") {
                read_idx_with::<u8>(&path, &limits).map(drop).unwrap_err()
            } else {
                read_npy_with::<u8, IxDyn>(&path, &limits).map(drop).unwrap_err()
            }
        });
        std::fs::remove_file(&path).unwrap();
        assert!(error.to_string().contains("cut off"), "{name}: {error}");
        assert!(peak <= MIB, "{name}: {} KiB", peak >> 10);
    }
}

#[test]
fn a_table_of_many_columns_takes_memory_for_its_columns_only() {
    let names: Vec<String> = (0..100_000).map(|column| format!("c{column}")).collect();
    let text = format!("{}\n{}1\n", names.join(","), "1,".repeat(99_999));
    let (table, peak) = peak_of(|| CsvReader::new().read_from::<f32>("wide", text.as_bytes()).unwrap());
    assert_eq!(table.data.dim(), (1, 100_000));
    assert!(peak < 400 * 100_000, "{} bytes a column", peak / 100_000);
    let (error, peak) = peak_of(|| {
        let commas = vec![b','; 8 * MIB];
        CsvReader::new().header(false).read_from::<f32>("commas", commas.as_slice()).map(drop).unwrap_err()
    });
    assert!(error.to_string().contains("more than 262144 columns"), "{error}");
    assert!(peak < 16 * MIB, "{} KiB", peak >> 10);
}
