//! Data files in batches of rows, pairs of them, and reading ahead.

use crate::common::error_message;
use crate::temporary::temporary_path;
use axonal::datasets::{NpyBatches, ReadLimits, npy_batches, npy_batches_with, paired, prefetch, write_npy};
use axonal::models::each_epoch;
use axonal::ndarray::{Array1, Array2, Array3, Axis, Ix1, Ix2, Ix3, IxDyn, concatenate, s};
use axonal::prelude::*;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

fn path(name: &str) -> PathBuf {
    temporary_path(&format!("batches-{name}"))
}

fn data() -> (Array2<f32>, Array1<f32>) {
    let x = Array2::from_shape_fn((50, 3), |(i, j)| ((i * 7 + j * 5) % 13) as f32 / 13.0);
    let y = x.rows().into_iter().map(|row| row[0] - row[1]).collect();
    (x, y)
}

fn model() -> Model<f32> {
    Sequential::new(3).add(Dense::new(1)).seed(1).compile(Sgd::new(0.1), MeanSquaredError::default()).unwrap()
}

#[test]
fn npy_rows_come_in_batches_of_every_size() {
    let (file, x) =
        (path("rows.npy"), Array3::from_shape_fn((10, 2, 3), |(i, j, k)| (i * 6 + j * 3 + k) as f64));
    write_npy(&file, &x).unwrap();
    for batch_size in [1, 3, 5, 10, 11, usize::MAX] {
        let batches: NpyBatches<f64, Ix3> = npy_batches(&file, batch_size).unwrap();
        assert_eq!(batches.size_hint(), (10_usize.div_ceil(batch_size), Some(10_usize.div_ceil(batch_size))));
        let batches: Vec<_> = batches.collect::<Result<_>>().unwrap();
        assert!(batches.iter().all(|batch| batch.nrows_of() <= batch_size));
        let views: Vec<_> = batches.iter().map(|batch| batch.view()).collect();
        assert_eq!(concatenate(Axis(0), &views).unwrap(), x);
    }
    assert!(error_message(npy_batches::<f32, Ix3>(&file, 2)).contains("read them as f64"));
    assert!(error_message(npy_batches::<f64, Ix2>(&file, 2)).contains("2 axes"));
    assert!(error_message(npy_batches::<f64, Ix3>(&file, 0)).contains("batch_size"));
    // Fortran order: rows do not lie together.
    let mut bytes = std::fs::read(&file).unwrap();
    let at = bytes.windows(5).position(|part| part == b"False").unwrap();
    bytes[at..at + 5].copy_from_slice(b"True ");
    std::fs::write(&file, &bytes).unwrap();
    assert!(error_message(npy_batches::<f64, Ix3>(&file, 2)).contains("ascontiguousarray"));
    std::fs::remove_file(&file).unwrap();
}

trait Rows {
    fn nrows_of(&self) -> usize;
}

impl Rows for Array3<f64> {
    fn nrows_of(&self) -> usize {
        self.len_of(Axis(0))
    }
}

#[test]
fn damaged_npy_files_fail_at_once_or_with_their_batch() {
    let (file, (x, _)) = (path("damaged.npy"), data());
    write_npy(&file, &x).unwrap();
    let bytes = std::fs::read(&file).unwrap();
    for cut in [0, 5, 20, bytes.len() - 1] {
        std::fs::write(&file, &bytes[..cut]).unwrap();
        assert!(npy_batches::<f32, Ix2>(&file, 7).is_err(), "cut to {cut}");
    }
    std::fs::write(&file, [&bytes[..], &[0]].concat()).unwrap();
    assert!(error_message(npy_batches::<f32, Ix2>(&file, 7)).contains("1 more"));
    let empty = Array2::<f32>::zeros((4, 0));
    write_npy(&file, &empty).unwrap();
    assert!(error_message(npy_batches::<f32, Ix2>(&file, 7)).contains("rows with values"));
    std::fs::remove_file(&file).unwrap();
}

#[cfg(feature = "gzip")]
#[test]
fn compressed_npy_files_are_limited_for_each_batch() {
    use std::io::Write;
    let (plain, packed, x) = (path("z.npy"), path("z.npy.gz"), Array2::<f64>::ones((1000, 8)));
    write_npy(&plain, &x).unwrap();
    let mut encoder =
        flate2::write::GzEncoder::new(std::fs::File::create(&packed).unwrap(), flate2::Compression::fast());
    encoder.write_all(&std::fs::read(&plain).unwrap()).unwrap();
    encoder.finish().unwrap();
    let mut limits = ReadLimits::default();
    // More than a batch of 10 rows and the header, less than the whole.
    limits.max_stream_bytes = 2000;
    let rows: usize = npy_batches_with::<f64, IxDyn>(&packed, 10, &limits)
        .unwrap()
        .map(|batch| batch.unwrap().shape()[0])
        .sum();
    assert_eq!(rows, 1000);
    let mut large = npy_batches_with::<f64, Ix2>(&packed, 100, &limits).unwrap();
    assert!(error_message(large.next().unwrap()).contains("max_stream_bytes"));
    assert!(large.next().is_none(), "an error ends the batches");
    // A cut file fails with the batch in which it ends.
    let bytes = std::fs::read(&packed).unwrap();
    std::fs::write(&packed, &bytes[..bytes.len() - 12]).unwrap();
    assert!(npy_batches::<f64, Ix2>(&packed, 100).unwrap().any(|batch| batch.is_err()));
    std::fs::remove_file(&plain).unwrap();
    std::fs::remove_file(&packed).unwrap();
}

#[test]
fn a_network_trains_on_files_as_on_arrays() {
    let ((x, y), x_file, y_file) = (data(), path("x.npy"), path("y.npy"));
    write_npy(&x_file, &x).unwrap();
    write_npy(&y_file, &y).unwrap();
    let mut whole = model();
    let options = || FitOptions::new().epochs(3);
    whole.fit_with(&x, &y, options().batch_size(8).shuffle(false)).unwrap();
    let open =
        |x: &Path, y: &Path| Ok(paired(npy_batches::<f32, Ix2>(x, 8)?, npy_batches::<f32, Ix1>(y, 8)?));
    let mut streamed = model();
    streamed.fit_batches(each_epoch(|_| open(&x_file, &y_file)), options()).unwrap();
    assert_eq!(streamed.weights(), whole.weights());
    let mut ahead = model();
    let (a, b) = (x_file.clone(), y_file.clone());
    ahead
        .fit_batches(
            each_epoch(move |_| {
                Ok(prefetch(paired(npy_batches::<f32, Ix2>(&a, 8)?, npy_batches::<f32, Ix1>(&b, 8)?), 2))
            }),
            options(),
        )
        .unwrap();
    assert_eq!(ahead.weights(), whole.weights());
    let mut kmeans = MiniBatchKMeans::new(3).seed(1);
    for batch in npy_batches::<f32, Ix2>(&x_file, 10).unwrap() {
        kmeans.partial_fit(&batch.unwrap()).unwrap();
    }
    assert_eq!(kmeans.cluster_centers().unwrap().dim(), (3, 3));
    write_npy(&y_file, &y.slice(s![..40])).unwrap();
    let message = error_message(model().fit_batches(open(&x_file, &y_file).unwrap(), FitOptions::new()));
    assert!(message.contains("y ended first"), "{message}");
    std::fs::remove_file(&x_file).unwrap();
    std::fs::remove_file(&y_file).unwrap();
}

#[cfg(feature = "npz")]
#[test]
fn arrays_of_an_archive_are_read_side_by_side() {
    use axonal::datasets::{NpzReader, NpzWriter};
    let ((x, y), file) = (data(), path("xy.npz"));
    let mut writer = NpzWriter::create(&file).unwrap();
    writer.write("x", &x).unwrap();
    writer.write("y", &y).unwrap();
    writer.finish().unwrap();
    let mut reader = NpzReader::open(&file).unwrap();
    let (xs, ys) =
        (reader.batches::<f32, Ix2>("x", 7).unwrap(), reader.batches::<f32, Ix1>("y.npy", 7).unwrap());
    let mut row = 0;
    for batch in paired(xs, ys) {
        let (a, b) = batch.unwrap();
        assert_eq!(
            (a.view(), b.view()),
            (x.slice(s![row..row + a.nrows(), ..]), y.slice(s![row..row + b.len()]))
        );
        row += a.nrows();
    }
    assert_eq!(row, 50);
    assert!(error_message(reader.batches::<f32, Ix2>("z", 7)).contains("unknown array"));
    assert!(error_message(reader.batches::<f64, Ix2>("x", 7)).contains("f32"));
    // A flipped bit in the compressed data of either is an error of a batch.
    let bytes = std::fs::read(&file).unwrap();
    let mut found = 0;
    for at in (60..400).step_by(13) {
        let mut damaged = bytes.clone();
        damaged[at] ^= 4;
        std::fs::write(&file, &damaged).unwrap();
        let Ok(mut reader) = NpzReader::open(&file) else { continue };
        let read = |batches: Result<NpyBatches<f32, Ix2>>| batches?.collect::<Result<Vec<_>>>().map(drop);
        found += usize::from(read(reader.batches("x", 7)).is_err());
    }
    assert!(found >= 8, "{found}");
    std::fs::remove_file(&file).unwrap();
}

#[cfg(feature = "csv")]
#[test]
fn a_network_trains_on_a_csv_file_in_one_line() {
    use axonal::datasets::CsvReader;
    let (file, mut text) = (path("t.csv"), String::from("a,b,y,class\n"));
    for i in 0..40 {
        text += &format!("{},{},{},{}\n", i % 7, i % 5, i % 7 * 2, ["no", "yes"][i % 2]);
    }
    std::fs::write(&file, &text).unwrap();
    let reader = || CsvReader::new().ignore("class");
    let network = |loss: usize| {
        let layers = Sequential::new(2).add(Dense::new(loss)).seed(1);
        layers.compile(Sgd::new(0.01), MeanSquaredError::default()).unwrap()
    };
    let table = reader().read::<f32>(&file).unwrap().values("y").unwrap();
    let mut whole = network(1);
    whole.fit_with(&table.data, &table.target, FitOptions::new().batch_size(8).shuffle(false)).unwrap();
    let mut streamed = network(1);
    streamed.fit_batches(reader().batches::<f32>(&file, 8).unwrap().values("y"), FitOptions::new()).unwrap();
    assert_eq!(streamed.weights(), whole.weights());
    let classes = CsvReader::new().ignore("y").categories("class", ["no", "yes"]);
    let batches: Vec<_> = prefetch(classes.batches::<f32>(&file, 16).unwrap().classes("class"), 1)
        .collect::<Result<_>>()
        .unwrap();
    assert_eq!(batches.iter().map(|(_, y)| y.len()).collect::<Vec<_>>(), [16, 16, 8]);
    assert_eq!(batches[0].1.slice(s![..4]).to_vec(), [0, 1, 0, 1]);
    let message = error_message(
        network(1).fit_batches(reader().batches::<f32>(&file, 8).unwrap().values("z"), FitOptions::new()),
    );
    assert!(message.contains("unknown column"), "{message}");
    std::fs::remove_file(&file).unwrap();
}

#[test]
#[cfg_attr(target_family = "wasm", ignore = "needs threads")]
fn reading_ahead_overlaps_with_work_and_keeps_the_order() {
    let pause = Duration::from_millis(20);
    let slow = (0..10).inspect(move |_| std::thread::sleep(pause));
    let start = Instant::now();
    let mut items = Vec::new();
    for item in prefetch(slow, 2) {
        std::thread::sleep(pause);
        items.push(item);
    }
    assert_eq!(items, (0..10).collect::<Vec<_>>());
    // One after the other they take 400 ms.
    assert!(start.elapsed() < pause * 17, "{:?}", start.elapsed());
}

#[test]
fn no_more_than_the_depth_is_read_ahead_and_dropping_ends_the_thread() {
    let read = Arc::new(AtomicUsize::new(0));
    let counter = read.clone();
    let mut ahead = prefetch((0..).inspect(move |_| _ = counter.fetch_add(1, Ordering::SeqCst)), 3);
    assert_eq!(ahead.next(), Some(0));
    std::thread::sleep(Duration::from_millis(100));
    // The one in use, three that wait, and the one that is read.
    assert!(read.load(Ordering::SeqCst) <= 5, "{}", read.load(Ordering::SeqCst));
    drop(ahead);
    let start = Instant::now();
    while Arc::strong_count(&read) > 1 && start.elapsed() < Duration::from_secs(10) {
        std::thread::sleep(Duration::from_millis(5));
    }
    assert_eq!(Arc::strong_count(&read), 1, "the thread has dropped the iterator");
}

#[test]
#[cfg_attr(panic = "abort", ignore = "catches panics")]
fn a_panic_of_the_iterator_reaches_the_caller() {
    let items = (0..3).map(|i| if i == 2 { panic!("no more") } else { i });
    let outcome = std::panic::catch_unwind(|| prefetch(items, 1).collect::<Vec<_>>());
    assert_eq!(outcome.unwrap_err().downcast_ref::<&str>(), Some(&"no more"));
}
