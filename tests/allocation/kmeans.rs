//! An iteration of k-means allocates nothing, and a fit needs a few bytes a row beyond the rows themselves.

use crate::allocation::{COUNT, LIVE, PEAK};
use axonal::metrics::silhouette_samples;
use axonal::ndarray::{Array1, Array2, s};
use axonal::prelude::*;

/// Noise in which no label settles soon.
fn noise<F: Float>(n: usize, d: usize) -> Array2<F> {
    let mut rng = axonal::rng::Rng::new(5, axonal::rng::Purpose::Dataset, 0);
    Array2::from_shape_simple_fn((n, d), || F::of(rng.normal()))
}

#[test]
fn an_iteration_allocates_nothing() {
    // Small enough for one thread, on which the allocations are counted; the first also for rows that stay packed.
    for n in [1500, 40_000] {
        let x = noise::<f32>(n, 7);
        let allocations = |max_iter| {
            let init = KMeansInit::Centers(x.slice(s![..9, ..]).to_owned());
            let mut kmeans = KMeans::new(9).init(init).max_iter(max_iter).tol(0.0);
            let before = COUNT.get();
            assert_eq!(kmeans.fit(&x).unwrap().n_iter, max_iter);
            COUNT.get() - before
        };
        assert_eq!(allocations(3), allocations(11), "{n} rows");
    }
}

/// The most bytes that a fit on one thread had at once, beyond the rows.
fn peak<F: Float>(n: usize, kmeans: KMeans<F>) -> isize {
    let pool = rayon::ThreadPoolBuilder::new().num_threads(1).build().unwrap();
    pool.install(|| {
        let x = noise::<F>(n, 3);
        let mut kmeans = kmeans;
        PEAK.set(LIVE.get());
        let before = LIVE.get();
        kmeans.fit(&x).unwrap();
        PEAK.get() - before
    })
}

#[test]
fn a_fit_needs_sixteen_bytes_a_row_in_f32_and_twenty_four_in_f64() {
    const FEW_MEGABYTES: isize = 3 << 20;
    let n = 400_000;
    let rows = isize::try_from(n).unwrap();
    for init in [KMeansInit::PlusPlus, KMeansInit::Random] {
        let kmeans = KMeans::new(5).init(init).n_init(1).max_iter(3);
        let peak = peak::<f32>(n, kmeans);
        assert!(peak <= 16 * rows + FEW_MEGABYTES, "{} bytes a row", peak / rows);
    }
    let peak = peak::<f64>(n, KMeans::new(5).max_iter(3));
    assert!(peak <= 24 * rows + FEW_MEGABYTES, "{} bytes a row", peak / rows);
}

/// The most bytes that some work on one thread had at once beyond those there were.
fn peak_of(work: impl FnOnce() + Send) -> isize {
    rayon::ThreadPoolBuilder::new().num_threads(1).build().unwrap().install(|| {
        PEAK.set(LIVE.get());
        let before = LIVE.get();
        work();
        PEAK.get() - before
    })
}

#[test]
fn results_need_memory_for_themselves_and_not_for_a_copy_of_the_rows() {
    let n = 200_000;
    let x = noise::<f32>(n, 16);
    let mut kmeans = KMeans::new(3).max_iter(2);
    kmeans.fit(&x.slice(s![..1000, ..])).unwrap();
    let (rows, half_a_megabyte) = (isize::try_from(n).unwrap(), 1 << 19);
    let predict = peak_of(|| assert_eq!(kmeans.predict(&x).unwrap().len(), n));
    assert!(predict <= 12 * rows + half_a_megabyte, "{} bytes a row", predict / rows);
    let transform = peak_of(|| assert_eq!(kmeans.transform(&x).unwrap().dim(), (n, 3)));
    assert!(transform <= 12 * rows + half_a_megabyte, "{} bytes a row", transform / rows);
    let score = peak_of(|| assert!(kmeans.score(&x).unwrap() < 0.0));
    assert!(score <= 4 * rows + half_a_megabyte, "{} bytes a row", score / rows);
}

#[test]
fn silhouettes_do_not_store_all_pairs() {
    let n = 5000;
    let x = noise::<f32>(n, 2);
    let labels: Array1<usize> = (0..n).map(|row| row % 4).collect();
    // All distances would be 100 megabytes.
    let peak = peak_of(|| assert_eq!(silhouette_samples(&x, &labels).unwrap().len(), n));
    assert!(peak < 1 << 20, "{peak} bytes");
}

/// A batch of rows, a function of its number: 128 KB.
fn batch(number: usize) -> Array2<f32> {
    let mut state = number as u32;
    Array2::from_shape_simple_fn((500, 64), || {
        state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        (state >> 8) as f32
    })
}

/// The most bytes that some work on a few and on ten times as many batches had at once: 1.5 and 15 MB of rows.
fn peaks(work: impl Fn(usize) + Send + Sync) -> [isize; 2] {
    [12, 120].map(|batches| peak_of(|| work(batches)))
}

#[test]
fn batches_need_memory_for_themselves_and_not_for_their_number() {
    // The sums of chunks: 8 bytes for each 1024 rows, and as many for each candidate of k-means++.
    const FEW_KILOBYTES: isize = 16 << 10;
    for init in [KMeansInit::PlusPlus, KMeansInit::Random] {
        let [few, many] = peaks(|batches| {
            let mut kmeans = KMeans::new(2).init(init.clone()).n_init(1).max_iter(2);
            kmeans.fit_batches(|_| Ok((0..batches).map(batch))).unwrap();
        });
        assert!(many <= few + FEW_KILOBYTES, "{init:?}: {few} bytes, then {many}");
        // A batch, and the buffer that gathers batches, which may exist twice while it grows.
        assert!(few > 128_000 && many < 4 << 20, "{few} bytes, then {many}");
    }
    let [few, many] = peaks(|batches| {
        let mut kmeans = MiniBatchKMeans::new(2);
        (0..batches).for_each(|number| kmeans.partial_fit(&batch(number)).unwrap());
    });
    assert!(many <= few + FEW_KILOBYTES, "partial_fit: {few} bytes, then {many}");
    let [few, many] = peaks(|batches| {
        let model = Sequential::new(64).add(Dense::new(4)).add(Dense::new(1));
        let mut model = model.compile(Adam::default(), MeanSquaredError::default()).unwrap();
        let rows = (0..batches).map(|number| (batch(number) * 1e-7, Array1::<f32>::zeros(500)));
        model.fit_batches(rows, FitOptions::new()).unwrap();
    });
    assert!(many <= few + FEW_KILOBYTES, "fit_batches: {few} bytes, then {many}");
}
